"""Writes the tables of `docs/settings.md`, between the two markers."""

from .model import Header
from .settings import CHOICE, FLAG, NUMBER, Configuration, Setting, limit
from .words import sentence

BEGIN, END = "<!-- The tables are generated: `make generate` -->", "<!-- The end of the tables -->"
TITLES = {
    "mixgrpo_sampling_config": "Sampling",
    "mixgrpo_learning_config": "Learning",
    "mixgrpo_sample_config": "Deterministic samples",
    "mixgrpo_evaluation_config": "Evaluation",
    "mixgrpo_evaluator_config": "Evaluator",
    "mixgrpo_lora_config": "Adapter (LoRA)",
    "mixgrpo_model_config": "Model",
    "mixgrpo_rollout_config": "A rollout without a trainer",
    "mixgrpo_host_config": "A trainer for a model of the host",
}


def file(page: str, header: Header, configurations: tuple[Configuration, ...]) -> str:
    """The page with new tables."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"docs/settings.md: expected the markers {BEGIN!r} and {END!r}")
    named = {configuration.struct.name: configuration for configuration in configurations}
    tables = "\n".join(table(title, named[name], header) for name, title in TITLES.items())
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def table(title: str, configuration: Configuration, header: Header) -> str:
    beginning = (
        f"### {title}: `{configuration.struct.name}`\n\n| setting | default | values | meaning |\n|---|---|---|---|\n"
    )
    return beginning + "".join(f"{row(setting, header)}\n" for setting in configuration.settings)


def row(setting: Setting, header: Header) -> str:
    values = ", ".join(f"`{case}`" for case in setting.cases) or (
        "`true`, `false`" if setting.kind == FLAG else setting.range
    )
    default = f"`{setting.default}`" if setting.kind in (CHOICE, FLAG) else setting.default
    if setting.kind == NUMBER:
        default = limit(float(setting.default))
    about = sentence(setting.sentence, header).replace("|", "\\|").replace("*", "·")
    return f"| `{setting.field.name}` | {default} | {values} | {about} |"
