"""What one account does where the documentation leaves it open, as `probes` found it out.

Whatever was not asked, or could not be seen, has the value that is safe to work with.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

__all__ = ["Profile"]

YES_OR_NO = {"yes": True, "no": False}


@dataclass(frozen=True)
class Profile:
    """Capabilities of an account; None means that nobody knows.

    Attributes:
        last_page: Highest page number of the list of orders that is known to answer.
        exports_allowed: Whether the key may start exports.
        null_updated_at_in_exports: Whether an export filtered by `updated_at` shows orders that
            have none.
        export_bounds_inclusive: Whether `$after` and `$before` both include their bound.
        export_header: Whether a file names its columns as the fields or by labels of its own.
        export_money: Whether amounts are minor units (7700) or decimals (77.00).
        export_metadata: Whether the field `metadata` is one column of JSON or one per key.
        list_created_at_filter: What the list does with `created_at[after]`.
        nulls_in_updated_sort: Where orders without `updated_at` stand: `first` and `last` hold in
            both directions, `smallest` and `largest` turn with the direction.
        default_sort: How the list is sorted by creation when no order is asked for.
        rate_headers: Whether answers say how many requests are left.
        download: Whether the file of an export comes to a request with its token and our keys.
        source_id_with_slash: Whether an order is found by a source id with an encoded slash.
    """

    last_page: int = 100
    exports_allowed: bool = True
    null_updated_at_in_exports: bool = False
    export_bounds_inclusive: bool | None = None
    export_header: Literal["fields", "labels"] | None = None
    export_money: Literal["integers", "decimal"] | None = None
    export_metadata: Literal["json", "columns"] | None = None
    list_created_at_filter: Literal["ignored", "honoured", "rejected"] | None = None
    nulls_in_updated_sort: Literal["last", "first", "smallest", "largest"] | None = None
    default_sort: Literal["newest_first", "newest_last", "other"] | None = None
    rate_headers: bool = False
    download: Literal["works", "refused"] | None = None
    source_id_with_slash: bool | None = None

    @classmethod
    def of(cls, answers: Mapping[str, str]) -> Profile:
        """Read a profile from answers by capability.

        Capabilities that are missing, and answers that say nothing (`unknown`, `not seen`, or
        words of another version of this program), leave the default.
        """
        hints = typing.get_type_hints(cls)
        known: dict[str, Any] = {}
        for field in fields(cls):
            meaning = _meaning(answers.get(field.name, ""), hints[field.name])
            if meaning is not None:
                known[field.name] = meaning
        return cls(**known)


def _meaning(answer: str, hint: Any) -> int | bool | str | None:  # noqa: ANN401 - a type hint
    """Return the value that an answer stands for, None when it stands for none."""
    if hint is int:
        return int(answer) if answer.isdecimal() and int(answer) > 0 else None
    if hint is bool or bool in typing.get_args(hint):
        return YES_OR_NO.get(answer)
    words = [word for part in typing.get_args(hint) for word in typing.get_args(part)]
    return answer if answer in words else None
