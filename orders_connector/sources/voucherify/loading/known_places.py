"""Where known orders stand in the listing, so that a walk need not seek its place."""

from __future__ import annotations

from datetime import datetime

from orders_connector.account_load import AccountLoad
from orders_connector.landing.raw_log import GONE
from orders_connector.sources.voucherify.listing_walk import SortKey
from orders_connector.warehouse.configured import warehouse_connection

__all__ = ["Places"]

ABOVE = f"""
    select count(*) filter (where key >= $newest),
        count(*) filter (where key is null)
    from (
        select try_cast(json_extract_string(
            arg_max(payload, (version_at, version_id)) filter (where channel <> '{GONE}'), $path
        ) as timestamptz) as key
        from raw.order_payloads
        where source = $source and account = $account and quarantine_reason is null
            and order_id is not null
        group by order_key, order_id
        having arg_max(channel, version_id) <> '{GONE}'
    )
"""


class Places:
    """The places of an account's known orders, as a source that stands still would show them."""

    def __init__(self, load: AccountLoad) -> None:
        self._load = load

    def above(self, sort_key: SortKey, newest: datetime | None, nulls_first: bool) -> int:
        """Return how many known orders stand above those that are older than a time.

        Args:
            sort_key: What the listing is sorted by, newest first.
            newest: The time, UTC; None for those without a time alone.
            nulls_first: Orders without a time come first, and count.
        """
        account = self._load.account
        values = {
            "source": account.source,
            "account": account.name,
            "path": f"$.{sort_key}",
            "newest": newest,
        }
        with warehouse_connection(self._load.settings) as con:
            ((newer, without),) = con.execute(ABOVE, values).fetchall()
        return int(newer + (without if nulls_first else 0))
