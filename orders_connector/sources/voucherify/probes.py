"""Asks an account what the documentation of Voucherify leaves open, within a few requests.

Only reads, except for one export of at most a page of orders, which stays in the account's list
of exports. A question that fails is answered `unknown` and the others go on; one that the orders
seen cannot decide is answered `not seen`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from orders_connector.errors import (
    CallBudgetExhausted,
    CredentialsRejected,
    ExportDamaged,
    ExportNotUnderstood,
    FeatureMissing,
    HostNotAllowed,
    NotFound,
    OrdersConnectorError,
    PageOverLimit,
    PermissionDenied,
    RequestRejected,
)
from orders_connector.sources.source import NOT_SEEN, UNKNOWN, ProbeAnswer
from orders_connector.sources.voucherify.client import TypedAnswer, VoucherifyClient
from orders_connector.sources.voucherify.models import Export, Order, OrderList
from orders_connector.sources.voucherify.profile import Profile

__all__ = ["MOST_CALLS", "probe"]

# The first page 2, sorts 3, filter 1, slash 1, export 9, pages 8, and a token where OAuth is used.
MOST_CALLS = 25

PAGE_SIZE = 100
PAGE_CALLS = 8  # a cap below the documented page 100 is then known to the page
DOCUMENTED_PAGES, MOST_PAGES = 100, 1_000
POLLS, POLL_SECONDS = 6, 31.0  # the client asks after 0, 1, 3, 7, 15 and 31 s
# The last request may be sent on to a storage host, where no meter counts it.
EXPORT_CALLS = 1 + POLLS + 2
ROWS_READ = 1_000
# Bounds may be cut to whole seconds before they are compared.
SLACK = timedelta(seconds=2)
EXPORT_FIELDS = ("id", "created_at", "updated_at", "amount", "total_amount", "metadata")
IN_THE_FILE = (
    "null_updated_at_in_exports",
    "export_bounds_inclusive",
    "export_header",
    "export_money",
    "export_metadata",
)


async def probe(client: VoucherifyClient, folder: Path) -> list[ProbeAnswer]:
    """Ask an account about every capability of `Profile`.

    A question is only asked when its requests still fit into `MOST_CALLS`. Requests that have to
    be repeated come on top; `call_budget` of the client bounds them, too.

    Args:
        client: The account.
        folder: Where the file of the export lies while it is read.

    Returns:
        One answer for each field of `Profile`, in its order.
    """
    return await _Probing(client, folder).answers()


@dataclass(frozen=True)
class _Known:
    """An order of the newest page that has a creation time.

    Attributes:
        updated: None when `updated_at` is null, absent or no time.
        never_updated: `updated_at` is null or absent.
    """

    id: str
    order: Order
    created: datetime
    updated: datetime | None
    never_updated: bool


@dataclass(frozen=True)
class _Plan:
    """A small export whose rows are known beforehand.

    Attributes:
        inside: Orders that are in it whatever the bounds mean.
        edges: Orders whose creation times are the bounds; None when no order lies between.
        asks_nulls: It has a filter on `updated_at` and orders inside that have none.
    """

    filters: dict[str, Any]
    inside: list[_Known]
    edges: tuple[_Known, _Known] | None
    asks_nulls: bool


class _Probing:
    def __init__(self, client: VoucherifyClient, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._calls_before = client.transport.calls
        self._uncounted = 0
        self._page_calls = 0
        self._found: dict[str, ProbeAnswer] = {}
        self._newest: list[Order] = []
        self._total: int | None = None
        self._now = datetime.now(UTC)

    async def answers(self) -> list[ProbeAnswer]:
        steps: list[tuple[Callable[[], Awaitable[None]], tuple[str, ...]]] = [
            (self._first_page, ("rate_headers", "default_sort")),
            (self._null_sort, ("nulls_in_updated_sort",)),
            (self._created_at_filter, ("list_created_at_filter",)),
            (self._slash, ("source_id_with_slash",)),
            (self._export, ("exports_allowed", "download", *IN_THE_FILE)),
            (self._last_page, ("last_page",)),
        ]
        for step, capabilities in steps:
            try:
                await step()
            except (OrdersConnectorError, OSError, ValueError, csv.Error) as error:
                for capability in capabilities:
                    if capability not in self._found:
                        self._note(capability, UNKNOWN, str(error))
        return [self._found[field.name] for field in fields(Profile)]

    def _note(self, capability: str, answer: str, evidence: str) -> None:
        self._found[capability] = ProbeAnswer(capability, answer, evidence)

    def _admit(self, calls: int = 1) -> None:
        used = self._client.transport.calls - self._calls_before + self._uncounted
        if used + calls > MOST_CALLS:
            raise CallBudgetExhausted(
                f"{used} of the {MOST_CALLS} requests that the probes may make are used, and this "
                f"question needs {calls}. Probe again at a quieter time.",
                account=self._client.transport.account,
                budget=MOST_CALLS,
            )

    async def _list(self, params: dict[str, str | int]) -> TypedAnswer[OrderList]:
        """List with any query; `list_orders` always sends an order and knows no filter."""
        self._admit()
        answer = await self._client.transport.request("GET", "/v1/orders", params=params)
        return TypedAnswer(answer, OrderList)

    # The list ------------------------------------------------------------------------------

    async def _first_page(self) -> None:
        page = await self._list({"limit": PAGE_SIZE})
        self._now = page.answer.date or self._now
        self._total = page.model.total
        sent = "x-rate-limit-limit" in page.answer.headers
        self._note(
            "rate_headers", "yes" if sent else "no", "X-Rate-Limit-Limit on the first answer"
        )
        rows = _orders(page)
        sort = _sort_by_creation(rows)
        self._note("default_sort", sort, f"{len(rows)} orders listed without `order`")
        if rows and sort != "newest_first":
            rows = _orders(await self._list({"limit": PAGE_SIZE, "order": "-created_at"}))
        self._newest = rows

    async def _null_sort(self) -> None:
        down = _orders(await self._list({"limit": 1, "order": "-updated_at"}))
        up = _orders(await self._list({"limit": 1, "order": "updated_at"}))
        seen = [*self._newest, *down, *up]
        answer, evidence = NOT_SEEN, "no order without updated_at was seen, or no other"
        if any(order.updated_at for order in seen) and down and up:
            match down[0].updated_at is None, up[0].updated_at is None:
                case True, True:
                    answer = "first"
                case True, False:
                    answer = "largest"
                case False, True:
                    answer = "smallest"
                case _ if await self._some_are_never_updated():
                    answer = "last"
        if answer != NOT_SEEN:
            evidence = "first orders by updated_at and by -updated_at"
        self._note("nulls_in_updated_sort", answer, evidence)

    async def _some_are_never_updated(self) -> bool:
        if any(order.updated_at is None for order in self._newest):
            return True
        page = -(-(self._total or 0) // PAGE_SIZE)
        if not 1 < page <= DOCUMENTED_PAGES:
            return False
        try:
            rows = _orders(
                await self._list({"limit": PAGE_SIZE, "page": page, "order": "-updated_at"})
            )
        except (RequestRejected, NotFound):  # the pages end sooner; `last_page` will tell
            return False
        return any(order.updated_at is None for order in rows)

    async def _created_at_filter(self) -> None:
        bound = self._now + timedelta(days=1)
        evidence = "created_at[after] one day ahead"
        try:
            # Oldest first: if the filter is ignored, an order from before the bound comes first.
            page = await self._list(
                {"limit": 1, "order": "created_at", "created_at[after]": _text(bound)}
            )
        except RequestRejected as error:
            self._note("list_created_at_filter", "rejected", f"{evidence}: {error}")
            return
        rows = _orders(page)
        created = _time(rows[0].created_at) if rows else None
        if rows:
            answer = "honoured" if created and created > bound else "ignored"
        else:
            answer = "honoured" if self._total else NOT_SEEN
        self._note("list_created_at_filter", answer, evidence)

    async def _slash(self) -> None:
        order = next((order for order in self._newest if "/" in (order.source_id or "")), None)
        if order is None or not order.source_id:
            self._note("source_id_with_slash", NOT_SEEN, "no such order on the newest page")
            return
        self._admit()
        try:
            found = (await self._client.get_order(order.source_id)).model.id == order.id
        except NotFound:
            found = False
        evidence = "an order of the newest page, asked for by its source id"
        self._note("source_id_with_slash", "yes" if found else "no", evidence)

    async def _last_page(self) -> None:
        if self._total is None:
            self._note("last_page", UNKNOWN, "the list did not say how many orders there are")
            return
        total = self._total
        top = min(DOCUMENTED_PAGES, total)
        if top < 2:
            self._note("last_page", NOT_SEEN, f"{total} orders make no second page")
            return
        if not await self._page_answers(top):
            await self._bisect_pages(1, top)
        elif total <= DOCUMENTED_PAGES:
            self._note("last_page", NOT_SEEN, f"page {top} answers; {total} orders fill no more")
        elif not await self._page_answers(DOCUMENTED_PAGES + 1):
            await self._bisect_pages(DOCUMENTED_PAGES, DOCUMENTED_PAGES + 1)
        else:
            ceiling = min(MOST_PAGES, total)
            if ceiling == DOCUMENTED_PAGES + 1 or await self._page_answers(ceiling):
                self._note("last_page", str(ceiling), f"page {ceiling} answers; no more was asked")
            else:
                await self._bisect_pages(DOCUMENTED_PAGES + 1, ceiling)

    async def _bisect_pages(self, answers: int, refused: int) -> None:
        while refused - answers > 1 and self._page_calls < PAGE_CALLS:
            middle = (answers + refused) // 2
            if await self._page_answers(middle):
                answers = middle
            else:
                refused = middle
        evidence = f"page {answers} answers, page {refused} does not"
        self._note("last_page", str(answers), evidence)

    async def _page_answers(self, page: int) -> bool:
        """Whether a page that must hold orders does; as long a page as there are orders for."""
        self._admit()
        self._page_calls += 1
        limit = min(PAGE_SIZE, (self._total or 0) // page)
        try:
            found = await self._client.list_orders(limit=limit, page=page, order="-created_at")
        except (PageOverLimit, RequestRejected, NotFound):
            return False
        if not _orders(found) and (found.model.total or 0) <= (page - 1) * limit:
            raise ValueError(f"page {page} is empty because orders were deleted meanwhile")
        return bool(_orders(found))

    # The export ----------------------------------------------------------------------------

    async def _export(self) -> None:
        self._admit(EXPORT_CALLS)
        plan = _plan(self._newest, self._now)
        try:
            started = await self._client.start_orders_export(
                EXPORT_FIELDS, order="created_at", filters=plan.filters
            )
        except (PermissionDenied, FeatureMissing) as error:
            self._note("exports_allowed", "no", str(error))
            for capability in ("download", *IN_THE_FILE):
                self._note(capability, NOT_SEEN, "exports are not allowed")
            return
        self._note("exports_allowed", "yes", "POST /v1/orders/export")
        done = await self._client.wait_for_export(
            str(started.model.id), timeout_seconds=POLL_SECONDS
        )
        rows = await self._downloaded(done.model)
        if rows is not None:
            self._read(rows, plan)

    async def _downloaded(self, export: Export) -> list[list[str]] | None:
        """Return the first rows of the file, None when it is refused."""
        path = self._folder / "probe.csv"
        self._uncounted = 1
        try:
            await self._client.download_export(export, path)
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = list(islice(csv.reader(file), ROWS_READ))
        except (CredentialsRejected, PermissionDenied, HostNotAllowed, RequestRejected) as error:
            self._note("download", "refused", str(error))
            for capability in IN_THE_FILE:
                self._note(capability, NOT_SEEN, "the file could not be downloaded")
            return None
        finally:
            path.unlink(missing_ok=True)
        self._note("download", "works", "token of the address and our credentials together")
        return rows

    def _read(self, rows: list[list[str]], plan: _Plan) -> None:
        account = self._client.transport.account
        if not rows:
            raise ExportDamaged("The export's file is empty. Probe again.", account=account)
        header, *body = rows
        form = _header_form(header)
        if form is None:
            raise ExportNotUnderstood(
                f"The header of the export is not that of the fields asked for: {header[:8]}. "
                "Report this.",
                account=account,
            )
        file = f"the header of an export with {len(body)} orders"
        self._note("export_header", form, file)
        self._note("export_metadata", _metadata_form(header), file)
        self._note("export_money", *_money_form(body, plan.inside))
        written = {row[0]: row for row in body if len(row) >= len(EXPORT_FIELDS) - 1}
        # Without an order that must be there, one that is not there proves nothing.
        dated = [known for known in plan.inside if not known.never_updated]
        control = dated if plan.asks_nulls else plan.inside
        if not any(known.id in written for known in control):
            why = "none of the orders that must be in the export was in it"
            self._note("export_bounds_inclusive", NOT_SEEN, why)
            self._note("null_updated_at_in_exports", NOT_SEEN, why)
            return
        self._note("export_bounds_inclusive", *_bounds(written, plan))
        self._note("null_updated_at_in_exports", *_nulls(written, plan))


def _plan(newest: list[Order], now: datetime) -> _Plan:
    """Choose an export of at most the newest page, bounded by the times of orders on it."""
    known = sorted(_known(newest), key=lambda one: one.created)
    if not known:  # an empty shop has a header all the same; the window keeps the file small
        return _Plan(_filters(_text(now + timedelta(days=1)), None), [], None, False)
    dated = [one for one in known if one.updated]
    # Edges must be in the file for their creation times alone, so they should pass the filter on
    # updated_at, too; without such orders that filter is left out.
    return _between(known, dated, dated) or _between(known, known, []) or _around(known, dated)


def _between(known: list[_Known], edges: list[_Known], dated: list[_Known]) -> _Plan | None:
    """Plan an export between the oldest and the newest of `edges`, if one of them lies between."""
    if not edges:
        return None
    first, last = edges[0], edges[-1]
    low, high = first.created + SLACK, last.created - SLACK
    inside = [one for one in known if low <= one.created <= high]
    if not any(one in edges for one in inside):
        return None
    since = _oldest_update(inside, dated)
    filters = _filters(str(first.order.created_at), str(last.order.created_at), since)
    return _Plan(filters, inside, (first, last), since is not None)


def _around(known: list[_Known], dated: list[_Known]) -> _Plan:
    low, high = known[0].created - SLACK, known[-1].created + SLACK
    since = _oldest_update(known, dated)
    return _Plan(_filters(_text(low), _text(high), since), known, None, since is not None)


def _oldest_update(inside: list[_Known], dated: list[_Known]) -> datetime | None:
    """Return the bound of a filter on updated_at; None where no order can tell what it hides."""
    if not any(one.never_updated for one in inside):
        return None
    return min((one.updated for one in dated if one.updated), default=None)


def _filters(after: str, before: str | None, updated: datetime | None = None) -> dict[str, Any]:
    created = {"$after": [after]} | ({"$before": [before]} if before else {})
    filters: dict[str, Any] = {"junction": "and", "created_at": {"conditions": created}}
    if updated:
        bound = _text(updated - timedelta(days=1))
        filters["updated_at"] = {"conditions": {"$after": [bound]}}
    return filters


def _known(orders: Iterable[Order]) -> list[_Known]:
    found = []
    for order in orders:
        created = _time(order.created_at)
        if order.id and created:
            never = order.updated_at is None
            found.append(_Known(order.id, order, created, _time(order.updated_at), never))
    return found


def _bounds(written: dict[str, list[str]], plan: _Plan) -> tuple[str, str]:
    if plan.edges is None:
        return NOT_SEEN, "no three orders were created at moments far enough apart"
    after, before = (edge.id in written for edge in plan.edges)
    evidence = "an export between the creation times of two orders"
    if after != before:
        return "mixed", f"{evidence}: only {'$after' if after else '$before'} includes its bound"
    return ("yes" if after else "no"), evidence


def _nulls(written: dict[str, list[str]], plan: _Plan) -> tuple[str, str]:
    if not plan.asks_nulls:
        return NOT_SEEN, "no order without updated_at stood among others on the newest page"
    never = [one.id for one in plan.inside if one.never_updated]
    # One that was updated meanwhile is in the file for a good reason.
    shown = sum(1 for order_id in never if order_id in written and not written[order_id][2])
    evidence = f"{shown} of {len(never)} orders without updated_at in an export filtered by it"
    return ("yes" if shown else "no"), evidence


def _header_form(header: list[str]) -> str | None:
    plain = EXPORT_FIELDS[:-1]
    given = header[: len(plain)]
    if tuple(given) == plain:
        return "fields"
    alike = [_letters(name) for name in given] == [_letters(name) for name in plain]
    return "labels" if alike else None


def _metadata_form(header: list[str]) -> str:
    columns = header[len(EXPORT_FIELDS) - 1 :]
    if not columns:  # no order in the file has any
        return NOT_SEEN
    return "json" if [_letters(name) for name in columns] == ["metadata"] else "columns"


def _money_form(body: list[list[str]], known: list[_Known]) -> tuple[str, str]:
    """Compare amounts of the file with those of the list."""
    orders = {one.id: one.order for one in known}
    votes = {"integers": 0, "decimal": 0}
    for row in body:
        order = orders.get(row[0]) if row else None
        if order is None or len(row) < len(EXPORT_FIELDS) - 1:
            continue
        for text, minor in ((row[3], order.amount), (row[4], order.total_amount)):
            form = _written_as(text, minor)
            if form:
                votes[form] += 1
    # An order that was changed meanwhile may fit neither form, or the other by chance.
    form = max(votes, key=lambda name: votes[name])
    if not votes[form]:
        return NOT_SEEN, "no amount of the file could be compared with the list"
    return form, f"{votes[form]} amounts of an export compared with the list"


def _written_as(text: str, minor: object) -> str | None:
    if not isinstance(minor, int) or not minor:
        return None
    if text == str(minor):
        return "integers"
    if not re.fullmatch(r"-?\d+\.\d{1,4}", text):
        return None
    value = Decimal(text)
    return "decimal" if any(value.scaleb(places) == minor for places in range(1, 5)) else None


def _sort_by_creation(rows: list[Order]) -> str:
    times = [moment for order in rows if (moment := _time(order.created_at))]
    if len(set(times)) < 2:
        return NOT_SEEN
    if times == sorted(times, reverse=True):
        return "newest_first"
    return "newest_last" if times == sorted(times) else "other"


def _orders(page: TypedAnswer[OrderList]) -> list[Order]:
    """Return the orders of a page that have the form of one."""
    rows = page.model.orders
    return [row for row in rows if isinstance(row, Order)] if isinstance(rows, list) else []


def _letters(name: str) -> str:
    return re.sub(r"[\s_]", "", name).casefold()


def _time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and not moment.tzinfo else moment


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
