"""Folders of tiny reward models with random weights, in the formats that the published ones have."""

from torch_fixtures import required, torch

transformers, tokenizers = required("transformers"), required("tokenizers")

WORDS = "a an red green blue old small circle square dog car house photo of at the left object colored -".split()
SIDE, PATCH, WIDTH, FEATURES = 16, 8, 16, 12
TOWER = dict(hidden_size=WIDTH, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2)


def randomized(module, seed=0):
    """A module whose every weight differs from 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return module.eval()


def clip_tokenizer():
    words = {word: number for number, word in enumerate(["<start>", "<unk>", *WORDS, "<end>"])}
    split = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    split.normalizer = tokenizers.normalizers.Lowercase()
    split.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    split.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", len(words) - 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=split, pad_token="<end>", eos_token="<end>", unk_token="<unk>", model_max_length=10
    )  # fmt: skip


def clip_config(**settings):
    end = len(clip_tokenizer()) - 1
    text = dict(
        TOWER, vocab_size=end + 1, max_position_embeddings=10, eos_token_id=end, bos_token_id=0, pad_token_id=end
    )
    vision = dict(TOWER, image_size=SIDE, patch_size=PATCH)
    return transformers.CLIPConfig(
        text_config={**text, **settings}, vision_config={**vision, **settings}, projection_dim=FEATURES
    )


def clip_processor():
    size = {"height": SIDE, "width": SIDE}
    return transformers.CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=size)


def clip(folder, seed=0, weights=True, **settings):
    """A CLIP model in a folder of transformers; the model itself."""
    torch.manual_seed(seed)
    model = randomized(transformers.CLIPModel(clip_config(**settings)), seed)
    model.save_pretrained(folder) if weights else model.config.save_pretrained(folder)
    clip_tokenizer().save_pretrained(folder)
    clip_processor().save_pretrained(folder)
    return model


def blip_tokenizer(folder):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words))
    return transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))


def blip(folder):
    """The settings and the tokenizer of a BLIP model, as Salesforce/blip-itm-large-coco has them, for larger pictures."""
    folder.mkdir()
    text = dict(TOWER, vocab_size=len(WORDS) + 4, max_position_embeddings=40, encoder_hidden_size=WIDTH, pad_token_id=0)
    config = transformers.BlipConfig(text_config=text, vision_config=dict(TOWER, image_size=4 * SIDE, patch_size=PATCH))
    config.save_pretrained(folder)
    blip_tokenizer(folder).save_pretrained(folder)
    return config


def detector(folder, names=("dog", "car")):
    """A detector without a backbone of another package."""
    config = transformers.YolosConfig(
        **TOWER, image_size=[SIDE, SIDE], patch_size=PATCH, num_detection_tokens=6, id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
    )  # fmt: skip
    model = randomized(transformers.YolosForObjectDetection(config))
    model.save_pretrained(folder)
    transformers.YolosImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return model
