"""Pipelines of diffusers with tiny random models, made without a download."""

from types import SimpleNamespace

from torch_fixtures import required, torch

diffusers, transformers, tokenizers = required("diffusers"), required("transformers"), required("tokenizers")

WORDS = "a an red green blue round old small circle square triangle dog boat house at in the left right middle".split()
CHAT = "{% for m in messages %}{{ m['content'] if m['content'] is string else m['content'][0]['text'] }} {% endfor %}"
J = 16  # width of the text


def tokenizer(length=12):
    """Splits at white space; unknown words become one token."""
    words = {word: number for number, word in enumerate(["<pad>", "<unk>", *WORDS])}
    split = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    split.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=split, pad_token="<pad>", unk_token="<unk>", model_max_length=length, chat_template=CHAT
    )


class Encoder(torch.nn.Module):
    """A text encoder whose every output hangs on words, places and mask. `pooled` comes first in its output."""

    def __init__(self, width=J, pooled=0, layers=4):
        super().__init__()
        self.words = torch.nn.Embedding(64, width)
        self.mix = torch.nn.Linear(width, width)
        self.pool = torch.nn.Linear(width, pooled) if pooled else None
        self.layers = layers
        self.config = SimpleNamespace(vocab_size=64)

    dtype = property(lambda self: self.words.weight.dtype)
    device = property(lambda self: self.words.weight.device)

    def forward(self, input_ids, attention_mask=None, output_hidden_states=False, use_cache=None):
        place = torch.arange(input_ids.shape[1], device=input_ids.device)[:, None] * 0.1
        state = torch.tanh(self.words(input_ids) + place.cos().to(self.dtype))
        states = [state]
        for _ in range(self.layers):
            weights = torch.ones_like(state[..., :1]) if attention_mask is None else attention_mask[..., None].to(state)
            state = torch.tanh(
                self.mix(state) + (state * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True).clamp(min=1)
            )
            states.append(state)
        return Output(states, None if self.pool is None else self.pool(state.mean(1)))


class Output:
    def __init__(self, states, pooled):
        self.hidden_states, self.last_hidden_state, self.pooler_output = states, states[-1], pooled

    def __getitem__(self, index):
        assert index == 0
        return self.last_hidden_state if self.pooler_output is None else self.pooler_output


def scheduler(**settings):
    return diffusers.FlowMatchEulerDiscreteScheduler(**settings)


DYNAMIC = dict(use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15)


def vae(channels=4):
    return diffusers.AutoencoderKL(
        latent_channels=channels, block_out_channels=(4, 4), norm_num_groups=2, scaling_factor=0.4, shift_factor=0.1,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip


def wan_vae(kind, **settings):
    return kind(
        base_dim=4, z_dim=4, dim_mult=[1, 1], num_res_blocks=1, temperal_downsample=[True], latents_mean=[0.1, 0, 0, 0.2],
        latents_std=[1.5, 1, 2, 1], **settings,
    )  # fmt: skip


def flux(kind="FluxPipeline", guidance_embeds=True, in_channels=16, **settings):
    transformer = diffusers.FluxTransformer2DModel(
        in_channels=in_channels, out_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=J, pooled_projection_dim=5, guidance_embeds=guidance_embeds,
        axes_dims_rope=(2, 2, 4),
    )  # fmt: skip
    return getattr(diffusers, kind)(
        scheduler=scheduler(**(settings or DYNAMIC)), vae=vae(), transformer=transformer, text_encoder=Encoder(8, 5),
        tokenizer=tokenizer(), text_encoder_2=Encoder(), tokenizer_2=tokenizer(),
    )  # fmt: skip


def sd3(**settings):
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=J, caption_projection_dim=16, pooled_projection_dim=7, out_channels=4,
        pos_embed_max_size=16,
    )  # fmt: skip
    return diffusers.StableDiffusion3Pipeline(
        scheduler=scheduler(**(settings or dict(shift=3.0))), vae=vae(), transformer=transformer,
        text_encoder=Encoder(8, 3), tokenizer=tokenizer(), text_encoder_2=Encoder(8, 4), tokenizer_2=tokenizer(),
        text_encoder_3=Encoder(), tokenizer_3=tokenizer(),
    )  # fmt: skip


def qwen_image(**settings):
    transformer = diffusers.QwenImageTransformer2DModel(
        in_channels=16, out_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=J, axes_dims_rope=(2, 2, 4),
    )  # fmt: skip
    pipe = diffusers.QwenImagePipeline(
        scheduler=scheduler(**(settings or dict(DYNAMIC, shift_terminal=0.02))), transformer=transformer,
        vae=wan_vae(diffusers.AutoencoderKLQwenImage), text_encoder=Encoder(), tokenizer=tokenizer(64),
    )  # fmt: skip
    pipe.prompt_template_encode, pipe.prompt_template_encode_start_idx = "the old house {} in the middle", 3
    return pipe


def z_image():
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=4, dim=16, n_layers=1, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=J,
        axes_dims=[2, 2, 4], axes_lens=[64, 16, 16],
    )  # fmt: skip
    return diffusers.ZImagePipeline(
        scheduler=scheduler(shift=3.0),
        vae=vae(),
        text_encoder=Encoder(),
        tokenizer=tokenizer(),
        transformer=transformer,
    )


def flux2_transformer(guidance_embeds):
    return diffusers.Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=3 * J, timestep_guidance_channels=8, axes_dims_rope=(2, 2, 2, 2),
        guidance_embeds=guidance_embeds,
    )  # fmt: skip


def flux2_vae():
    made = diffusers.AutoencoderKLFlux2(
        latent_channels=4, block_out_channels=(4, 4), norm_num_groups=2,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    made.bn.running_mean.copy_(torch.randn(16))
    made.bn.running_var.copy_(torch.rand(16) + 0.5)
    return made


def flux2():
    return diffusers.Flux2Pipeline(
        scheduler=scheduler(**DYNAMIC), vae=flux2_vae(), text_encoder=Encoder(layers=30), tokenizer=tokenizer(),
        transformer=flux2_transformer(True),
    )  # fmt: skip


def flux2_klein(is_distilled=False):
    return diffusers.Flux2KleinPipeline(
        scheduler=scheduler(**DYNAMIC), vae=flux2_vae(), text_encoder=Encoder(layers=27), tokenizer=tokenizer(),
        transformer=flux2_transformer(False), is_distilled=is_distilled,
    )  # fmt: skip


def sana():
    transformer = diffusers.SanaTransformer2DModel(
        in_channels=4, out_channels=8, num_attention_heads=2, attention_head_dim=8, num_layers=1,
        num_cross_attention_heads=2, cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=J,
        sample_size=8, timestep_scale=0.5,
    )  # fmt: skip
    autoencoder = diffusers.AutoencoderDC(
        in_channels=3, latent_channels=4, attention_head_dim=2, encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"), encoder_block_out_channels=(4, 4),
        decoder_block_out_channels=(4, 4), encoder_qkv_multiscales=((), (5,)), decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1), decoder_layers_per_block=(1, 1), downsample_block_type="conv",
        upsample_block_type="interpolate", decoder_norm_types="rms_norm", decoder_act_fns="silu", scaling_factor=0.4,
    )  # fmt: skip
    return diffusers.SanaPipeline(
        scheduler=scheduler(shift=3.0), vae=autoencoder, text_encoder=Encoder(), tokenizer=tokenizer(),
        transformer=transformer,
    )  # fmt: skip


def chroma():
    transformer = diffusers.ChromaTransformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=J, axes_dims_rope=(2, 2, 4), approximator_num_channels=8, approximator_hidden_dim=8,
        approximator_layers=1,
    )  # fmt: skip
    return diffusers.ChromaPipeline(
        scheduler=scheduler(shift=3.0),
        vae=vae(),
        text_encoder=Encoder(),
        tokenizer=tokenizer(),
        transformer=transformer,
    )


def lumina2():
    transformer = diffusers.Lumina2Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, hidden_size=16, num_layers=1, num_refiner_layers=1,
        num_attention_heads=2, num_kv_heads=1, multiple_of=4, axes_dim_rope=(2, 2, 4), axes_lens=(128, 16, 16),
        cap_feat_dim=J,
    )  # fmt: skip
    autoencoder = diffusers.AutoencoderKL(  # the pipeline expects its scale of 8
        latent_channels=4, block_out_channels=(2,) * 4, norm_num_groups=2, scaling_factor=0.4, shift_factor=0.1,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    return diffusers.Lumina2Pipeline(
        scheduler=scheduler(**DYNAMIC), vae=autoencoder, text_encoder=Encoder(), tokenizer=tokenizer(),
        transformer=transformer,
    )  # fmt: skip


def wan_transformer():
    return diffusers.WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=J,
        freq_dim=16, ffn_dim=16, num_layers=1, rope_max_seq_len=32,
    )  # fmt: skip


def wan_experts():
    return wan(transformer_2=wan_transformer(), boundary_ratio=0.8)


def wan(**settings):
    return diffusers.WanPipeline(
        scheduler=scheduler(shift=3.0), tokenizer=tokenizer(), text_encoder=Encoder(),
        vae=wan_vae(diffusers.AutoencoderKLWan, scale_factor_temporal=2, scale_factor_spatial=2),
        transformer=wan_transformer(), **settings,
    )  # fmt: skip


def made(build, seed=0, **settings):
    """A pipeline in evaluation mode, whose every weight differs from 0."""
    torch.manual_seed(seed)
    pipe = build(**settings)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
            for weight in part.parameters():
                with torch.no_grad():
                    weight.add_(0.05 * torch.randn_like(weight))
    if isinstance(pipe.vae, diffusers.AutoencoderKL):  # encodes to one value, not to a distribution
        with torch.no_grad():
            pipe.vae.quant_conv.weight[4:], pipe.vae.quant_conv.bias[4:] = 0, -30
    pipe.set_progress_bar_config(disable=True)
    return pipe


def adapted(pipe, config, wrapped=False):
    """The pipeline with an adapter beside its frozen transformer, which peft wraps or not."""
    pipe.transformer.requires_grad_(False)
    if wrapped:
        pipe.transformer = required("peft").get_peft_model(pipe.transformer, config)
    else:
        pipe.transformer.add_adapter(config)
    pipe.transformer.eval()
    return pipe
