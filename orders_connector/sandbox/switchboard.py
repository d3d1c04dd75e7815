"""Open questions of a documentation as settings, one field each."""

import dataclasses
import typing
from collections.abc import Iterable

__all__ = ["Switchboard"]


@dataclasses.dataclass(frozen=True)
class Switchboard:
    """Checks the fields of a subclass, which are `Literal` texts or whole numbers from 0.

    Raises:
        ValueError: a value that the field does not know.
    """

    def __post_init__(self) -> None:
        for name, hint in typing.get_type_hints(type(self)).items():
            value = getattr(self, name)
            if hint is int:
                if not isinstance(value, int) or value < 0:
                    raise ValueError(f"switch {name}: {value!r} is not a whole number from 0")
            elif value not in typing.get_args(hint):
                allowed = ", ".join(typing.get_args(hint))
                raise ValueError(f"switch {name}: {value!r} is not one of {allowed}")

    @classmethod
    def parse(cls, assignments: Iterable[str]) -> typing.Self:
        """Read switches from texts of the form `name=value`, as the command line gives them.

        Args:
            assignments: texts such as `export_header=fields`.

        Returns:
            Self: the defaults with these values changed.

        Raises:
            ValueError: an unknown name, a missing value, or a value the switch does not know.
        """
        hints = typing.get_type_hints(cls)
        values: dict[str, typing.Any] = {}
        for assignment in assignments:
            name, _, value = assignment.partition("=")
            if name not in hints:
                raise ValueError(f"unknown switch {name!r}; known: {', '.join(sorted(hints))}")
            values[name] = int(value) if hints[name] is int else value
        return cls(**values)
