"""Exports: started, run over polls and time, downloaded from another host."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orders_connector.sandbox.clock import microseconds, stamp
from orders_connector.sandbox.voucherify.csv_file import FIELDS, csv_chunks
from orders_connector.sandbox.voucherify.errors import ApiError, bad_payload, not_found
from orders_connector.sandbox.voucherify.filters import matcher
from orders_connector.sandbox.voucherify.listing import Record
from orders_connector.sandbox.voucherify.shop import Shop

__all__ = ["Export", "Exports"]

_OBJECTS = (
    "voucher",
    "redemption",
    "customer",
    "publication",
    "order",
    "points_expiration",
    "voucher_transactions",
    "product",
    "sku",
)
_SORTS = ("created_at", "-created_at", "updated_at", "-updated_at", "status", "-status")
_DEFAULT_FIELDS = ("id", "source_id", "status")


@dataclass
class Export:
    """One export and how far it has come.

    Attributes:
        snapshot: the orders in its file, fixed when it starts to run; None before.
        finished: when it came to its end.
        token: opens the download.
    """

    id: str
    created: datetime
    exported_object: str
    parameters: dict[str, Any]
    channel: str
    token: str
    status: str = "SCHEDULED"
    polls: int = 0
    snapshot: list[Record] | None = None
    finished: datetime | None = None
    user_id: str | None = None


class Exports:
    """All exports of the project.

    Args:
        shop: whose orders are exported, and whose switches rule.
    """

    def __init__(self, shop: Shop) -> None:
        self.download_url = ""
        self._shop = shop
        self._exports: dict[str, Export] = {}

    def start(self, body: object, *, channel: str = "API") -> dict[str, Any]:
        """Start an export (`POST /v1/exports`).

        Args:
            body: `exported_object` and `parameters`.
            channel: `API`, or `WEBSITE` for one that somebody started in the dashboard.

        Returns:
            dict[str, Any]: the export object, `SCHEDULED`.

        Raises:
            ApiError: 400 `invalid_payload`, `invalid_export_fields` or `invalid_export_params`;
                403 when the key's role may not export.
        """
        if self._shop.switches.export_allowed == "no":
            raise ApiError(403, "missing_required_permission", "Missing required permission")
        if not isinstance(body, dict):
            raise bad_payload("Property . should be object")
        kind = body.get("exported_object")
        if kind not in _OBJECTS:
            raise bad_payload(
                "Property .exported_object should be equal to one of the allowed values "
                f"[ {', '.join(_OBJECTS)} ]"
            )
        parameters = body.get("parameters") or {}
        if kind == "order":
            self._check(parameters)
        with self._shop.lock:
            export = Export(
                id=self._shop.new_id("exp_"),
                created=self._shop.clock.now(),
                exported_object=kind,
                parameters=parameters,
                channel=channel,
                token=self._shop.new_id("") + self._shop.new_id(""),
                user_id=None if channel == "API" else self._shop.new_id("user_"),
            )
            self._exports[export.id] = export
            return self._described(export)

    def get(self, export_id: str) -> dict[str, Any]:
        """Answer `GET /v1/exports/{exportId}`; counts as one poll.

        While the export waits, the poll counts for the one before it that runs: an export that
        nobody asks for any more comes to its end all the same.

        Raises:
            ApiError: 404 `not_found`.
        """
        with self._shop.lock:
            export = self._find(export_id)
            running = self._first_unfinished() if self._waits(export) else export
            running.polls += 1
            self._progress(running)
            return self._described(export)

    def page(self, sort: str, first: int, size: int) -> dict[str, Any]:
        """Answer `GET /v1/exports`.

        Args:
            sort: `created_at` or `status`, with `-` for the reverse.
            first: place of the first export on the page, from 0.
            size: most exports on the page.
        """
        with self._shop.lock:
            found = list(self._exports.values())
            if sort.endswith("status"):
                found.sort(key=lambda export: export.status)
            if sort.startswith("-"):
                found.reverse()
            page = [self._described(export) for export in found[first : first + size]]
            return {"object": "list", "data_ref": "exports", "exports": page, "total": len(found)}

    def delete(self, export_id: str) -> None:
        """Answer `DELETE /v1/exports/{exportId}`; raises ApiError 404 `not_found`."""
        with self._shop.lock:
            del self._exports[self._find(export_id).id]

    def find(self, export_id: str, token: str | None = None) -> Export:
        """Return a finished export whose file can still be had.

        Args:
            export_id: its id.
            token: must open it unless it is None.

        Raises:
            ApiError: 401 for a wrong token, 404 for no such file.
        """
        with self._shop.lock:
            export = self._exports.get(export_id)
            if export is None or export.finished is None or export.status != "DONE":
                raise not_found("export", export_id)
            life = self._shop.switches.download_life_seconds
            old = self._shop.clock.now() - export.finished >= timedelta(seconds=life)
            if (token is not None and token != export.token) or (life and old):
                raise ApiError(401, request_id=False)
            return export

    def file(self, export: Export) -> Iterator[bytes]:
        """Write the CSV file of a finished export, piece by piece."""
        fields = list(export.parameters.get("fields") or _DEFAULT_FIELDS)
        return csv_chunks(export.snapshot or [], fields, self._shop.switches)

    def _find(self, export_id: str) -> Export:
        if export_id not in self._exports:
            raise not_found("export", export_id)
        return self._exports[export_id]

    def _check(self, parameters: object) -> None:
        if not isinstance(parameters, dict):
            raise bad_payload("Property .parameters should be object")
        fields = parameters.get("fields") or []
        if not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
            raise bad_payload("Property .parameters.fields should be array")
        if any(name not in FIELDS and not name.startswith("metadata.") for name in fields):
            allowed = ", ".join(FIELDS)
            raise ApiError(
                400,
                "invalid_export_fields",
                "Invalid Export",
                extra={"details": f"Unsupported field used. Allowed fields: {allowed}"},
            )
        if parameters.get("order") and parameters["order"] not in _SORTS:
            raise ApiError(
                400,
                "invalid_export_params",
                "Invalid Export",
                extra={"details": f"Unsupported order used. Allowed: {', '.join(_SORTS)}"},
            )
        matcher(parameters.get("filters"), self._shop.switches, 0)

    def _waits(self, export: Export) -> bool:
        """Whether earlier exports that still run keep this one in the queue."""
        most = self._shop.switches.export_parallel
        earlier = 0
        for other in self._exports.values():
            if other is export:
                break
            earlier += other.finished is None
        return 0 < most <= earlier

    def _first_unfinished(self) -> Export:
        return next(one for one in self._exports.values() if one.finished is None)

    def _progress(self, export: Export) -> None:
        switches, now = self._shop.switches, self._shop.clock.now()
        if export.finished is not None:
            return
        if export.snapshot is None:
            export.status = "IN_PROGRESS"
            export.snapshot = self._snapshot(export.parameters) if self._is_order(export) else []
        enough_time = now - export.created >= timedelta(seconds=switches.export_seconds)
        if switches.export_outcome == "never" or export.polls < switches.export_polls:
            return
        if enough_time:
            most = switches.export_row_limit
            too_long = 0 < most < len(export.snapshot)
            failed = too_long and switches.export_over_row_limit == "error"
            failed = failed or switches.export_outcome == "error"
            export.status = "ERROR" if failed else "DONE"
            export.finished = now
            if too_long:
                del export.snapshot[most:]

    @staticmethod
    def _is_order(export: Export) -> bool:
        return export.exported_object == "order"

    def _snapshot(self, parameters: dict[str, Any]) -> list[Record]:
        now = microseconds(stamp(self._shop.clock.now())) or 0
        matches, looks_inside = matcher(parameters.get("filters"), self._shop.switches, now)
        listing = self._shop.visible()
        sort = parameters.get("order") or "-created_at"
        by_status = sort.endswith("status")
        walk = listing.window(
            "-created_at" if by_status else sort, 0, len(listing.records), self._shop.switches
        )
        found = [r for r in walk if matches(r, r.order() if looks_inside else {})]
        if by_status:
            descending = sort.startswith("-")
            found.sort(key=lambda record: str(record.order().get("status")), reverse=descending)
        return found

    def _described(self, export: Export) -> dict[str, Any]:
        parameters = export.parameters
        if self._shop.switches.export_echo == "with_defaults":
            defaults = {"order": "-created_at", "fields": list(_DEFAULT_FIELDS)}
            junction = {"junction": "and"}
            parameters = defaults | parameters
            parameters["filters"] = junction | (parameters.get("filters") or {})
        url = f"{self.download_url}/v1/exports/{export.id}?token={export.token}"
        return {
            "id": export.id,
            "object": "export",
            "created_at": stamp(export.created),
            "status": export.status,
            "channel": export.channel,
            "exported_object": export.exported_object,
            "parameters": parameters,
            "result": {"url": url} if export.status == "DONE" else None,
            "user_id": export.user_id,
        }
