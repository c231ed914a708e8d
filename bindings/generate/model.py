"""What the header declares, free of C's syntax."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Type:
    """A C type: what stands at its end, and for each pointer from there outwards whether what it points to is const."""

    base: str
    pointers: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Field:
    name: str
    type: Type
    length: int | None  # of an array
    comment: str


@dataclass(frozen=True)
class Struct:
    name: str
    fields: tuple[Field, ...]
    comment: str

    @property
    def is_sized(self) -> bool:
        """Whether it begins with its own size."""
        return self.fields[0].name == "struct_size"


@dataclass(frozen=True)
class Opaque:
    """A type of which the host only ever holds handles."""

    name: str
    comment: str


@dataclass(frozen=True)
class Constant:
    name: str
    number: int
    comment: str


@dataclass(frozen=True)
class Enum:
    """An integer type with its values."""

    name: str
    values: tuple[Constant, ...]
    comment: str

    def case(self, value: Constant) -> str:
        """The value's name without the enum's."""
        prefix = f"{self.name.upper()}_"
        if not value.name.startswith(prefix):
            raise ValueError(f"{value.name}: expected a name that begins with {prefix}")
        return value.name.removeprefix(prefix)


@dataclass(frozen=True)
class Parameter:
    name: str
    type: Type


@dataclass(frozen=True)
class Callback:
    name: str
    result: Type
    parameters: tuple[Parameter, ...]
    comment: str


@dataclass(frozen=True)
class Function:
    name: str
    result: Type
    parameters: tuple[Parameter, ...]
    comment: str


Item = Struct | Opaque | Constant | Enum | Callback | Function


@dataclass(frozen=True)
class Section:
    title: str
    items: tuple[Item, ...]

    def of(self, *kinds: type) -> list:
        return [item for item in self.items if isinstance(item, kinds)]


@dataclass(frozen=True)
class Header:
    """All sections in their order."""

    sections: tuple[Section, ...]

    def of(self, *kinds: type) -> list:
        return [item for section in self.sections for item in section.of(*kinds)]

    def names_of(self, *kinds: type) -> set[str]:
        return {item.name for item in self.of(*kinds)}
