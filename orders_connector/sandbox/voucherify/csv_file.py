"""The CSV file of an export."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Literal

from orders_connector.sandbox.voucherify.listing import Record
from orders_connector.sandbox.voucherify.switches import Switches

__all__ = ["FIELDS", "csv_chunks"]

FIELDS = {
    "id": "ID",
    "source_id": "Source ID",
    "created_at": "Created At",
    "updated_at": "Updated At",
    "status": "Status",
    "amount": "Amount",
    "discount_amount": "Discount Amount",
    "items_discount_amount": "Items Discount Amount",
    "total_discount_amount": "Total Discount Amount",
    "total_amount": "Total Amount",
    "customer_id": "Customer ID",
    "referrer_id": "Referrer ID",
    "metadata": "Metadata",
}
_CHUNK = 500  # rows


def csv_chunks(snapshot: list[Record], fields: list[str], switches: Switches) -> Iterator[bytes]:
    """Write the file piece by piece, so that its size does not matter.

    Args:
        snapshot: the orders as they were when the export ran, sorted.
        fields: names of columns, `metadata.<key>` included.
        switches: header, quoting, line ends, money and metadata forms.

    Yields:
        bytes: UTF-8, some hundred rows at a time.
    """
    if "metadata" in fields and switches.export_metadata == "columns":
        place = fields.index("metadata")
        keys = {key for record in snapshot for key in record.order().get("metadata") or {}}
        fields = fields[:place] + [f"metadata.{key}" for key in sorted(keys)] + fields[place + 1 :]
    quoting: Literal[0, 1] = (
        csv.QUOTE_ALL if switches.export_quoting == "all" else csv.QUOTE_MINIMAL
    )
    line_end = "\r\n" if switches.export_line_end == "crlf" else "\n"
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting, lineterminator=line_end)
    if switches.export_csv_bom == "yes":
        text.write("\ufeff")
    labels = FIELDS if switches.export_header == "labels" else {}
    writer.writerow([labels.get(field, field) for field in fields])
    for first in range(0, len(snapshot), _CHUNK):
        for record in snapshot[first : first + _CHUNK]:
            order = record.order()
            writer.writerow([_cell(order, field, switches) for field in fields])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _cell(order: dict[str, Any], field: str, switches: Switches) -> object:
    if field.startswith("metadata."):
        value = (order.get("metadata") or {}).get(field.removeprefix("metadata."))
        if isinstance(value, list) and switches.export_metadata_nested == "joined":
            return ",".join(map(str, value))
        return value if isinstance(value, str | None) else _json(value)
    value = order.get(field)
    if field == "metadata":
        return None if value is None else _json(value)
    if field.endswith("amount") and switches.export_money == "decimal" and isinstance(value, int):
        sign, value = "-" if value < 0 else "", abs(value)
        return f"{sign}{value // 100}.{value % 100:02d}"
    return value


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
