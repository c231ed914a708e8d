"""Pipelines of diffusers with tiny random models in folders, with encoders of transformers as the published ones have."""

import tiny_pipelines as tiny
from tiny_pipelines import J, diffusers, transformers

TEXT = dict(vocab_size=64, hidden_size=J, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)


def flux(folder):
    """FLUX.1, with CLIP and T5."""
    pipe = tiny.made(tiny.flux)
    clip = transformers.CLIPTextConfig(**{**TEXT, "hidden_size": 10}, max_position_embeddings=16, projection_dim=5)
    t5 = transformers.T5Config(vocab_size=64, d_model=J, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    transformer = diffusers.FluxTransformer2DModel.from_config({**pipe.transformer.config, "pooled_projection_dim": 10})
    diffusers.FluxPipeline(
        scheduler=pipe.scheduler, vae=pipe.vae, transformer=transformer, text_encoder=transformers.CLIPTextModel(clip),
        tokenizer=tiny.tokenizer(), text_encoder_2=transformers.T5EncoderModel(t5), tokenizer_2=tiny.tokenizer(512),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def qwen_image(folder):
    """Qwen-Image, with Qwen 2.5 VL."""
    pipe = tiny.made(tiny.qwen_image)
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2]}
    vision = dict(
        depth=1, hidden_size=16, intermediate_size=16, num_heads=2, out_hidden_size=J, fullatt_block_indexes=[0]
    )
    config = transformers.Qwen2_5_VLConfig(
        text_config=dict(TEXT, num_key_value_heads=1, rope_scaling=rope), vision_config=vision
    )
    diffusers.QwenImagePipeline(
        scheduler=pipe.scheduler, vae=pipe.vae, transformer=pipe.transformer, tokenizer=tiny.tokenizer(1024),
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config),
    ).save_pretrained(folder)  # fmt: skip
    return folder
