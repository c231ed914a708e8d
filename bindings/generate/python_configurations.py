"""Writes `mixgrpo/configurations.py`: the configurations with their defaults."""

from .model import Header
from .python_enums import docstring
from .settings import CHOICE, FLAG, NUMBER, Configuration, Setting, about, arrays, number
from .words import SETTINGS_NOTICE, camel, required, sentence

BEGINNING = f'''# {SETTINGS_NOTICE}
"""The configurations. A choice may also be given by its name in lower case, such as `dynamics="dance"`.

Each is checked when it is made, and reports all problems at once. How sampling and learning go together is checked when a
trainer is made, or by `check`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ._configuration import Choice, Configuration, ModelFolder
'''
CLASSES = {"mixgrpo_model_config": "ModelFolder"}
# Arguments of `Evaluator`, `Model.adapt`, `Rollout` and `HostTrainer`.
KEYWORDS = {"mixgrpo_evaluator_config", "mixgrpo_lora_config", "mixgrpo_rollout_config", "mixgrpo_host_config"}


def file(header: Header, configurations: tuple[Configuration, ...]) -> str:
    written = [configuration for configuration in configurations if configuration.struct.name not in KEYWORDS]
    enums = {camel(setting.field.type.base) for item in written for setting in item.settings if setting.kind == CHOICE}
    imports = "".join(f"    {name},\n" for name in sorted([*enums, *(f"{enum}Name" for enum in enums)]))
    classes = "".join(f"\n\n{class_of(configuration, header)}" for configuration in written)
    return f"{BEGINNING}from .enums import (\n{imports})\n{classes}"


def class_of(configuration: Configuration, header: Header) -> str:
    struct = configuration.struct
    base = CLASSES.get(struct.name, "Configuration")
    lines = ["@dataclass(frozen=True, kw_only=True, repr=False)", f"class {camel(struct.name)}({base}):"]
    lines += [*docstring(required(struct.comment, struct.name), header), ""]
    for setting in configuration.settings:
        kind, default = declared(setting)
        lines.append(f"    {setting.field.name}: {kind} = {default}")
        values = f" Range: {setting.range}." if setting.range else ""
        lines += docstring(f"{sentence(setting.sentence, header)}{values}", header)
    for array in arrays(struct):
        lines.append(f"    {array.name}: Sequence[float] | None = None")
        lines += docstring(sentence(about(array), header), header)
    return "\n".join(lines) + "\n"


def declared(setting: Setting) -> tuple[str, str]:
    """The type and the default."""
    if setting.kind == CHOICE:
        enum = camel(setting.field.type.base)
        return f"Choice[{enum}, {enum}Name]", f"Choice({enum}.{setting.default.upper()})"
    if setting.kind == FLAG:
        return "bool", setting.default.capitalize()
    if setting.kind == NUMBER:
        return "float", number(float(setting.default))
    if setting.field.length:
        return f"tuple[{', '.join(['int'] * setting.field.length)}]", f"({setting.default})"
    return "int", setting.default
