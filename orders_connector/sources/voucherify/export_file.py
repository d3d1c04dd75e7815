"""Reads the CSV file of an orders export: which column is what, which lines are broken, what money.

The documentation leaves most of the form open (quoting, line ends, labels or field names as header,
one metadata column or one per key, units or decimals), so the form is found out from each file and
checked, never assumed. Columns are bound by position to the fields that were asked for, and the
header has to confirm it.

A sound file is read by DuckDB as it came, and what is sound is judged twice, because neither of its
ways to read tells all (2.0.0): in pieces it fails where a long quoted cell holds lines that look
like rows, and in one go it drops, without a word, what follows a quote that is never closed. Its
skipping of broken lines drops good ones too. So a file on which the two ways disagree or fail is
taken apart here and written anew without its broken lines, and they are reported.
"""

import csv
import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import duckdb

from orders_connector.errors import ExportDamaged, ExportNotUnderstood

__all__ = [
    "AMOUNTS",
    "FIELDS",
    "MAX_BROKEN",
    "BrokenLine",
    "ExportFile",
    "check_money",
    "inspect_export",
    "sample_ids",
]

FIELDS: tuple[str, ...] = (
    "id",
    "source_id",
    "created_at",
    "updated_at",
    "status",
    "amount",
    "discount_amount",
    "items_discount_amount",
    "total_discount_amount",
    "total_amount",
    "customer_id",
    "referrer_id",
    "metadata",  # last, because a complete JSON object shows that the last line is whole
)
AMOUNTS: tuple[str, ...] = tuple(field for field in FIELDS if field.endswith("amount"))
MAX_BROKEN = 1_000
_METADATA_KEY = "metadata."
_CHUNK = 1024 * 1024
# DuckDB keeps what it read of a file until it needs the room. Its own 32 MB per piece do not fit
# into the memory that landing allows it.
_BUFFER, _MEMORY = 8_000_000, "256MB"
_UNSOUND = (duckdb.InvalidInputException, duckdb.NotImplementedException)

Money = Literal["integers", "decimal", "unknown"]


class BrokenLine(NamedTuple):
    """A row that cannot be taken apart.

    Attributes:
        line: Line of the file where it starts; the header is line 1.
        reason: Why, in words.
        raw: Its text; bytes that are no UTF-8 are replaced.
    """

    line: int
    reason: str
    raw: str


@dataclass(frozen=True)
class ExportFile:
    """An export's file whose form is known.

    Attributes:
        path: What to read: the file itself, or beside it a copy without the broken lines.
        columns: Field or ``metadata.<key>`` of each column.
        header: Whether the header holds the names of fields or labels.
        metadata: One JSON column; one column per key (perhaps none); or not asked for.
        money: How amounts are written; unknown when there are none.
        rows: Rows that can be read.
        broken: Rows that cannot.
    """

    path: Path
    columns: tuple[str, ...]
    header: Literal["fields", "labels"]
    metadata: Literal["json", "columns", "none"]
    money: Money
    rows: int
    broken: tuple[BrokenLine, ...]

    def payloads(self, *, exponent: int) -> str:
        """SQL relation of the orders as the API would give them, as far as the file goes.

        Columns: ``position`` (BIGINT, place in the file from 1, the same each time) and ``payload``
        (JSON): amounts as numbers in minor units, empty cells as null. An amount that is no number,
        or no whole number of minor units, stays the text it is; so does malformed metadata.

        Args:
            exponent: Decimals of the currency, which decimal amounts are scaled by.
        """
        values = [
            f"'{field}', {self._value(number, exponent)}"
            for number, field in enumerate(self.columns)
            if not field.startswith(_METADATA_KEY)
        ]
        if self.metadata == "columns":
            values.append(f"'metadata', {self._metadata_of_columns()}")
        return (
            f"(select row_number() over () as position, json_object({', '.join(values)}) as payload"
            f" from {_scan(self.path, len(self.columns))})"
        )

    def _value(self, number: int, exponent: int) -> str:
        field = self.columns[number]
        if field in AMOUNTS:
            return _amount(f"c{number}", self.money, exponent)
        if field == "metadata":
            return f"coalesce(try_cast(c{number} as json), to_json(c{number}))"
        return f"c{number}"

    def _metadata_of_columns(self) -> str:
        # Not by json_merge_patch, which would drop the nulls inside of nested values as well.
        pairs = []
        for number, column in enumerate(self.columns):
            if column.startswith(_METADATA_KEY):
                key = json.dumps(column.removeprefix(_METADATA_KEY), ensure_ascii=False)
                pairs.append(
                    f"case when c{number} is not null then {_literal(key + ':')} ||"
                    f" case when c{number}[1] in ('[', '{{') and json_valid(c{number})"
                    f" then c{number} else to_json(c{number})::varchar end end"
                )
        return (
            f"('{{' || concat_ws(',', {', '.join(pairs)}) || '}}')::json" if pairs else "json '{}'"
        )


def inspect_export(path: Path, fields: Sequence[str], *, name: str, account: str) -> ExportFile:
    """Find out the form of an export's file and check that it is whole.

    Reads the file three times; again, and more slowly, when it has broken lines. Memory stays
    flat.

    Args:
        path: The file as it was downloaded. With broken lines, a copy without them is written
            beside it (``.readable`` is added to its name); it is the caller's to remove, like the
            file.
        fields: The fields that the export was asked for, in that order.
        name: Id of the export, for messages.
        account: Name of the account, for messages.

    Raises:
        ExportDamaged: The file is empty, cut off, a web page, binary, or has more than 1,000 broken
            lines.
        ExportNotUnderstood: The header does not confirm the fields, or no amount is a number.
        ValueError: `fields` are not fields of an export, or repeat.
    """
    _check_fields(fields)
    file = _File(path, name, account)
    file.refuse_what_is_no_csv()
    header = next(_records(path))
    if header.cells is None or not header.raw.endswith(b"\n"):
        raise file.damaged("ends or breaks off within its header")
    columns, metadata = _bind(header.cells, fields, file)
    exact = all(cell == column for cell, column in zip(header.cells, columns, strict=True))
    broken: list[BrokenLine] = []
    profile = _profile_if_sound(path, columns)
    if profile is None:
        path, profile = _without_broken_lines(file, columns, broken)
    if not file.ends_with_line_end and not (
        metadata == "json" and columns[-1] == "metadata" and _last_is_object(path, columns, profile)
    ):
        raise file.damaged("does not end with a line end, so its last line may be cut off")
    if profile.texts and not profile.dotted + profile.whole:
        names = ", ".join(column for column in columns if column in AMOUNTS)
        raise file.not_understood(f"no amount in the columns {names} is a number")
    return ExportFile(
        path=path,
        columns=columns,
        header="fields" if exact else "labels",
        metadata=metadata,
        money=profile.money,
        rows=profile.rows,
        broken=tuple(broken),
    )


def sample_ids(file: ExportFile, count: int = 3) -> list[str]:
    """Return the ids of the first orders with an amount other than 0, to ask the API for them."""
    amounts = [f"c{n}" for n, column in enumerate(file.columns) if column in AMOUNTS]
    if not amounts or "id" not in file.columns:
        return []
    key = f"c{file.columns.index('id')}"
    has_amount = " or ".join(f"regexp_matches({amount}, '[1-9]')" for amount in amounts)
    rows = _query(
        f"select {key} from {_scan(file.path, len(file.columns))}"
        f" where {key} is not null and ({has_amount}) limit {int(count)}"
    )
    return [row[0] for row in rows]


def check_money(
    file: ExportFile,
    known: Mapping[str, Mapping[str, int]],
    *,
    exponent: int,
    name: str,
    account: str,
) -> None:
    """Compare some orders of the file with what the API says of them.

    One order that agrees is enough, because the others may have changed since. Without an order to
    compare nothing is said.

    Args:
        file: The export's file.
        known: Order id to amount field to minor units, as the API gives them.
        exponent: Decimals of the currency.
        name: Id of the export, for messages.
        account: Name of the account, for messages.

    Raises:
        ExportNotUnderstood: Every order that can be compared has other amounts in the file.
    """
    if file.money == "unknown" or "id" not in file.columns or not known:
        return
    key = f"c{file.columns.index('id')}"
    amounts = {column: f"c{n}" for n, column in enumerate(file.columns) if column in AMOUNTS}
    read = ", ".join(f"{_amount(cell, file.money, exponent)}, {cell}" for cell in amounts.values())
    rows = _query(
        f"select {key}, {read} from {_scan(file.path, len(file.columns))}"
        f" where {key} in ({', '.join('?' * len(known))})",
        list(known),
    )
    contradiction = ""
    for order_id, *cells in rows:
        compared = [
            (field, int(known[order_id][field]), as_read, written)
            for field, as_read, written in zip(amounts, cells[::2], cells[1::2], strict=True)
            if written is not None and known[order_id].get(field) is not None
        ]
        if not any(units for _, units, _, _ in compared):
            continue  # 0 is 0 in every form
        differing = [it for it in compared if it[2] != str(it[1])]
        if not differing:
            return
        field, units, _, written = differing[0]
        scaled = _query(
            f"select {_amount('it', 'decimal', exponent)} from (select ?::varchar as it)", [written]
        )
        contradiction = contradiction or (
            f"{field} of order {order_id} is written as {written[:40]}, which is"
            f" {scaled[0][0][:40]} as a decimal with {exponent} places and {written[:40]} as minor"
            f" units, read as {file.money}; the API says {units} minor units"
        )
    if contradiction:
        raise _File(file.path, name, account).not_understood(
            f"{contradiction}. Check the account's currency, whose decimals are used here"
        )


class _File(NamedTuple):
    """A file and what messages call it."""

    path: Path
    name: str
    account: str

    def damaged(self, what: str) -> ExportDamaged:
        return ExportDamaged(
            f"The file of export {self.name} {what}. Nothing of it was landed: download it again,"
            " and if it is the same, start a new export.",
            account=self.account,
        )

    def not_understood(self, what: str) -> ExportNotUnderstood:
        return ExportNotUnderstood(
            f"The file of export {self.name} is not understood: {what}. Nothing of it was landed:"
            " look at the file, the source may have changed its exports.",
            account=self.account,
        )

    def refuse_what_is_no_csv(self) -> None:
        with self.path.open("rb") as file:
            start = file.read(512).removeprefix(BOM_UTF8).strip()
            file.seek(0)
            # A NUL stands in no CSV, but in archives, UTF-16 and files with a hole.
            binary = any(b"\0" in chunk for chunk in iter(lambda: file.read(_CHUNK), b""))
        if not start:
            raise self.damaged("is empty")
        if start.startswith(b"<"):
            raise self.damaged("is a web page")
        if start.startswith((b"{", b"[")):
            raise self.damaged("is a JSON answer instead of a CSV")
        if binary:
            raise self.damaged("holds NUL bytes, so it is binary or has a hole")

    @property
    def ends_with_line_end(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1) == b"\n"


class _Profile(NamedTuple):
    """What one pass over the rows tells: amounts like 77.00, like 7700, and other texts."""

    rows: int
    dotted: int
    whole: int
    texts: int

    @property
    def money(self) -> Money:
        # Writers that drop zeros mix 77 with 77.5, while minor units never have a fraction.
        return "decimal" if self.dotted else "integers" if self.whole else "unknown"


class _Record(NamedTuple):
    """Lines of a file that belong together, and their cells unless they cannot be taken apart."""

    line: int
    raw: bytes
    cells: list[str] | None
    reason: str = ""


def _check_fields(fields: Sequence[str]) -> None:
    keys = [field for field in fields if field.startswith(_METADATA_KEY)]
    unknown = [field for field in fields if field not in FIELDS and field not in keys]
    if not fields or unknown or len(set(fields)) < len(fields) or (keys and "metadata" in fields):
        raise ValueError(
            f"no fields to bind a file to: {', '.join(fields)}. Needed: fields of an export, each"
            " once, and either metadata or single keys of it"
        )


def _bind(
    header: list[str], fields: Sequence[str], file: _File
) -> tuple[tuple[str, ...], Literal["json", "columns", "none"]]:
    """Name the columns of a file by the fields asked for."""
    if "metadata" not in fields:
        has_keys = any(field.startswith(_METADATA_KEY) for field in fields)
        _confirm(header, fields, file)
        return tuple(fields), "columns" if has_keys else "none"
    place = list(fields).index("metadata")
    end = place + len(header) - len(fields) + 1
    inside = header[place:end]
    if len(inside) == 1 and _plain(inside[0]) == "metadata":
        _confirm(header, fields, file)
        return tuple(fields), "json"
    keys = [_METADATA_KEY + cell.strip()[len(_METADATA_KEY) :] for cell in inside]
    if not all(cell.strip().casefold().startswith(_METADATA_KEY) for cell in inside):
        _confirm(header, fields, file)
    columns = (*fields[:place], *keys, *fields[place + 1 :])
    _confirm(header, columns, file)
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise file.not_understood(f"the column {twice[:80]} is there twice")
    return columns, "columns"


def _confirm(header: list[str], columns: Sequence[str], file: _File) -> None:
    start = ",".join(header)[:80]
    wrong = [
        f"column {number} should be {column} but is headed {cell[:40]!r}"
        for number, (cell, column) in enumerate(zip(header, columns, strict=False), start=1)
        if _plain(cell) != _plain(column)
    ]
    if len(header) != len(columns):
        what = f"it has {len(header)} columns where {len(columns)} were asked for"
        raise file.not_understood("; ".join([what, *wrong[:1], f"the header begins {start!r}"]))
    if wrong:
        raise file.not_understood(wrong[0])


def _plain(label: str) -> str:
    return "".join(label.replace("_", " ").split()).casefold()


def _records(path: Path) -> Iterator[_Record]:
    """Take a file apart, broken lines included; the header comes first."""
    taken: list[bytes] = []
    with path.open("rb") as file:

        def lines() -> Iterator[str]:
            for line in file:
                taken.append(line)
                yield line.removeprefix(BOM_UTF8 if number == 1 else b"").decode(
                    "utf-8", "surrogateescape"
                )

        number = 1
        source = lines()
        reader = csv.reader(source, strict=True)
        while True:
            cells, reason = None, ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                reason = f"quotes or line ends are wrong: {error}"
                reader = csv.reader(source, strict=True)
            raw = b"".join(taken)
            if not _is_utf8(raw):
                cells, reason = None, "its text is no UTF-8"
            yield _Record(number, raw, cells, reason)
            number += len(taken)
            taken.clear()


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _without_broken_lines(
    file: _File, columns: Sequence[str], broken: list[BrokenLine]
) -> tuple[Path, _Profile]:
    """Write the rows that can be read to a copy of the file, and the others to `broken`."""
    copy = file.path.with_name(f"{file.path.name}.readable")
    written = 0
    last: _Record | None = None
    with copy.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        for record in _records(file.path):
            cells = record.cells
            if cells == []:
                continue  # a blank line
            last = record
            if cells is not None and len(cells) == len(columns):
                writer.writerow(cells)
                written += 1
                continue
            reason = record.reason
            if cells is not None:
                reason = f"it has {len(cells)} columns instead of {len(columns)}"
            broken.append(BrokenLine(record.line, reason, record.raw.decode("utf-8", "replace")))
            if len(broken) > MAX_BROKEN:
                break
    if len(broken) > MAX_BROKEN:
        copy.unlink()
        raise file.damaged(
            f"has more than {MAX_BROKEN:,} broken lines; line {broken[0].line}: {broken[0].reason}"
        )
    if last is not None and (last.cells is None or len(last.cells) < len(columns)):
        copy.unlink()
        raise file.damaged(f"is cut off in line {last.line}")
    try:
        profile = _profile(copy, columns)
    except _UNSOUND as error:
        copy.unlink()
        reason = str(error).splitlines()[0]
        raise file.damaged(f"cannot be read: {reason[:200]}") from error
    if profile.rows != written - 1:
        copy.unlink()
        raise file.damaged(f"has {written - 1:,} rows, of which {profile.rows:,} can be read")
    return copy, profile


def _profile_if_sound(path: Path, columns: Sequence[str]) -> _Profile | None:
    """Read a file in both of DuckDB's ways; None if one fails or they disagree."""
    try:
        profile = _profile(path, columns, pieces=True)
        ((rows,),) = _query(f"select count(*) from {_scan(path, len(columns))}")
    except _UNSOUND:
        return None
    return profile if profile.rows == rows else None


def _profile(path: Path, columns: Sequence[str], *, pieces: bool = False) -> _Profile:
    """Read all cells strictly; raises one of `_UNSOUND` for a file that breaks rules."""
    # Cells that nobody asks for are not checked for their encoding: so ask for them all.
    wanted = [f"count(c{number})" for number in range(len(columns))]
    for number, column in enumerate(columns):
        if column in AMOUNTS:
            cell = f"c{number}"
            wanted += [
                f"count(*) filter (contains({cell}, '.')"
                f" and regexp_full_match({cell}, '-?[0-9]+[.][0-9]+'))",
                f"count(*) filter (try_cast({cell} as bigint)::varchar = {cell})",
            ]
    scan = _scan(path, len(columns), pieces=pieces)
    ((rows, *counts),) = _query(f"select count(*), {', '.join(wanted)} from {scan}")
    cells, forms = counts[: len(columns)], counts[len(columns) :]
    filled = sum(n for n, column in zip(cells, columns, strict=True) if column in AMOUNTS)
    return _Profile(rows, sum(forms[::2]), sum(forms[1::2]), filled - sum(forms))


def _last_is_object(path: Path, columns: Sequence[str], profile: _Profile) -> bool:
    """Whether the last line ends with a JSON object: no part of one is an object itself."""
    cell = f"c{len(columns) - 1}"
    rows = _query(
        f"select json_type(try_cast({cell} as json)) from {_scan(path, len(columns))}"
        f" offset {max(profile.rows - 1, 0)}"
    )
    return rows == [("OBJECT",)]


def _amount(cell: str, money: Money, exponent: int) -> str:
    """SQL of an amount as a JSON number of minor units, or as JSON text if it is none."""
    if money != "decimal":
        units = f"try_cast({cell} as bigint)"
        return f"case when {units}::varchar = {cell} then to_json({units}) else to_json({cell}) end"
    # Digits are moved, not multiplied, so nothing is rounded. Most cells have all their decimals;
    # the pattern is for the others, and for more decimals when those are zeros.
    pattern = rf"'(-?[0-9]{{1,15}})(?:[.]([0-9]{{0,{exponent}}})0*)?'"
    digits = (
        f"regexp_extract({cell}, {pattern}, 1)"
        f" || rpad(regexp_extract({cell}, {pattern}, 2), {exponent}, '0')"
    )
    return (
        f"case when try_cast({cell} as decimal(18, {exponent}))::varchar = {cell}"
        f" then to_json(try_cast(replace({cell}, '.', '') as bigint))"
        f" when regexp_full_match({cell}, {pattern}) then to_json(try_cast({digits} as bigint))"
        f" else to_json({cell}) end"
    )


def _scan(path: Path, columns: int, *, pieces: bool = False) -> str:
    """SQL that reads the cells as text, `c0` and on; nothing is guessed, nothing skipped."""
    types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(columns))
    return (
        f"read_csv({_literal(str(path))}, columns = {{{types}}}, header = true, delim = ',',"
        " quote = '\"', escape = '\"', nullstr = '', compression = 'none', auto_detect = false,"
        f" strict_mode = true, parallel = {str(pieces).lower()}, buffer_size = {_BUFFER})"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _query(sql: str, parameters: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    with duckdb.connect(
        config={"threads": 1, "memory_limit": _MEMORY, "temp_directory": ""}
    ) as con:
        return con.execute(sql, list(parameters)).fetchall()
