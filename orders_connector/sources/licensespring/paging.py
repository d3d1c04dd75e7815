"""One page of a list: asked for until it can be read, taken apart, and kept without its secrets."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import duckdb

from orders_connector.answers import TypedAnswer
from orders_connector.sources.base import PageSink
from orders_connector.sources.licensespring.client import MAX_LIMIT, LicenseSpringClient
from orders_connector.sources.licensespring.models import LicensePage, OrderPage
from orders_connector.sources.licensespring.secrets import SECRETS, redacted
from orders_connector.sources.salvage import salvage

__all__ = ["Listing", "MalformedPage", "PageAsker", "PageFacts", "key_of", "moment_of"]

logger = logging.getLogger(__name__)

MALFORMED_ATTEMPTS = 3
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Times that a datetime can hold, in microseconds since 1970.
OLDEST, NEWEST = (
    (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND,
    (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND,
)


def key_of(moment: datetime) -> int:
    """Return a moment as a sort key: microseconds since 1970, UTC."""
    return (moment - EPOCH) // MICROSECOND


def moment_of(key: int) -> datetime:
    """Return the moment (aware, UTC) that a sort key by time stands for."""
    return EPOCH + key * MICROSECOND


@dataclass(frozen=True)
class Listing:
    """A list as it is asked for.

    Attributes:
        rows: What it lists; also the channel of its pages, for orders `list`.
        sort: The attribute that it is sorted by.
        newest_first: Whether the greatest comes first.
        archived: Only orders that are archived, or that are not; None does not ask.
    """

    rows: Literal["orders", "licenses"]
    sort: Literal["created_at", "updated_at", "id"]
    newest_first: bool = False
    archived: bool | None = None

    @property
    def order_by(self) -> str:
        """The sort order as it is sent."""
        return f"-{self.sort}" if self.newest_first else self.sort

    @property
    def channel(self) -> str:
        """Under which name its pages are kept."""
        return "list" if self.rows == "orders" else "licenses"

    def __str__(self) -> str:
        state = {True: "archived ", False: "not archived ", None: ""}[self.archived]
        return f"{state}{self.rows} by {self.order_by}"


class MalformedPage(ValueError):
    """A page is not JSON, or holds no list of rows."""


@dataclass(frozen=True)
class PageFacts:
    """What must be known of a page to read a list completely.

    Attributes:
        count: Rows of the whole list, None when the source does not say.
        goes_on: Whether `next` names a further page; None without `next`.
        ids: Identity of each row, None where it has none.
        keys: Sort key of each row, None where it has none: microseconds since 1970, or the id.
        asked_at: The source's clock when it answered, else ours before we asked, UTC.
    """

    count: int | None = None
    goes_on: bool | None = None
    ids: list[str | None] = field(default_factory=list)
    keys: list[int | None] = field(default_factory=list)
    asked_at: datetime = EPOCH

    @property
    def rows(self) -> int:
        """Rows on the page."""
        return len(self.ids)


class PageAsker:
    """Asks for pages and puts them into a sink; DuckDB takes them apart, not Python.

    Attributes:
        sink: Where pages go.
    """

    def __init__(self, client: LicenseSpringClient) -> None:
        self.sink: PageSink | None = None
        self._client = client
        self._con = duckdb.connect()
        self._con.execute("set TimeZone = 'UTC'")
        self._con.execute("set threads = 1")

    async def page(
        self, listing: Listing, offset: int, *, limit: int = MAX_LIMIT, keep: bool = True
    ) -> PageFacts:
        """Ask for a page until it is readable, and keep it.

        Args:
            listing: The list.
            offset: Rows before the page.
            limit: Rows asked for; fewer may come.
            keep: Put it into the sink; not when it was asked for its count or keys alone.

        Raises:
            UnreadableAnswer: it is malformed each time, and rows may be missing from its end.
            SourceError: the call failed for good.
            CallBudgetExhausted: the run may make no more calls.
        """
        for attempt in range(1, MALFORMED_ATTEMPTS + 1):
            ours = datetime.now(UTC)
            answer = (await self._ask(listing, offset, limit)).answer
            body = answer.content
            try:
                facts = self._facts(listing, body, answer.date or ours)
            except MalformedPage as error:
                if attempt < MALFORMED_ATTEMPTS:
                    logger.warning(
                        "%s, offset %s: malformed (%s); asking again", listing, offset, error
                    )
                    continue
                rebuilt = salvage(
                    body, "results", numbers=("count",), kept=SECRETS.harmless_beginning
                )
                if rebuilt is None:
                    raise answer.unreadable(
                        f"a page (offset {offset}, limit {limit}) is malformed each time it is "
                        f"asked for: {error}. Nothing can be saved from it; what was read before "
                        "is kept and the next load starts from the same place"
                    ) from error
                body, facts = rebuilt, self._facts(listing, rebuilt, answer.date or ours)
            if keep and self.sink is not None:
                self.sink.add(redacted(body, checked=True), listing.channel)
            return facts
        raise AssertionError("unreachable")

    async def order(self, order_id: int) -> tuple[bytes, list[str]]:
        """Ask for one order.

        Returns:
            A page with it, and its licenses as JSON, which all name their order; without secrets.

        Raises:
            NotFound: it is not there any more.
            UnreadableAnswer: another one came, or nothing that can be read.
        """
        answer = (await self._client.get_order(order_id)).answer
        try:
            body = redacted(answer.content)
            ((found, licenses),) = self._con.execute(_ORDER, {"body": body.decode()}).fetchall()
        except (ValueError, duckdb.Error):
            raise answer.unreadable(f"the order {order_id} cannot be read as JSON") from None
        if found != str(order_id):
            raise answer.unreadable(f"the order {order_id} was asked for, another one came")
        return b'{"results":[' + body + b"]}", licenses or []

    async def _ask(
        self, listing: Listing, offset: int, limit: int
    ) -> TypedAnswer[OrderPage] | TypedAnswer[LicensePage]:
        if listing.rows == "licenses":
            return await self._client.list_licenses(
                limit=limit, offset=offset, order_by=listing.order_by
            )
        filters = {} if listing.archived is None else {"is_archived": listing.archived}
        return await self._client.list_orders(
            limit=limit, offset=offset, order_by=listing.order_by, filters=filters
        )

    def _facts(self, listing: Listing, body: bytes, asked_at: datetime) -> PageFacts:
        try:
            rows = self._con.execute(_FACTS[listing.sort], {"body": body.decode()}).fetchall()
        except (UnicodeDecodeError, duckdb.Error) as error:
            raise MalformedPage(str(error).split("Input:")[0].strip()) from error
        ((is_list, count, told, ids, keys),) = rows
        if not is_list:
            raise MalformedPage("there is no list `results` in the answer")
        goes_on = None if told is None else told != "NULL"
        return PageFacts(count, goes_on, ids, keys, asked_at)


def _facts_sql(sort: str) -> str:
    """SQL that takes a page apart; a row that is no object has neither id nor key."""
    row = {"id": "VARCHAR", "created_at": "VARCHAR", "updated_at": "VARCHAR"}
    shape = json.dumps({"count": "VARCHAR", "results": [row]})
    time = f"try_cast(r.{sort} as timestamptz)"
    key = "try_cast(r.id as hugeint)"
    if sort != "id":
        # Infinite times have no number of microseconds.
        micros = f"case when isfinite({time}) then epoch_us({time}) end"
        key = f"case when {micros} between {OLDEST} and {NEWEST} then {micros} end"
    return f"""
        select it.results is not null, try_cast(it.count as bigint), told,
            list_transform(it.results, lambda r: r.id),
            list_transform(it.results, lambda r: {key})
        from (
            select from_json($body, '{shape}') as it, json_type($body, '$.next') as told
        )
    """


# The documentation does not say that a license inside its order names the order.
_ORDER = """
    select json_extract_string(body, '$.id'),
        list_transform(
            json_extract(body, '$.order_items[*].licenses[*]'),
            lambda l: case
                when json_type(l) <> 'OBJECT' or json_extract_string(l, '$.order') is not null
                    then l::varchar
                else json_merge_patch(l, json_object('order', json_extract(body, '$.id')))::varchar
            end
        )
    from (select $body::json as body)
"""

_FACTS = {sort: _facts_sql(sort) for sort in ("created_at", "updated_at", "id")}
