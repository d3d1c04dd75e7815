"""What the documentation of the UltraCart order API leaves open, one switch each."""

import dataclasses
from typing import Literal

from orders_connector.sandbox.switchboard import Switchboard

__all__ = ["Switches"]


@dataclasses.dataclass(frozen=True)
class Switches(Switchboard):
    """One field per open question; a client is right when it works under every value.

    Each default is the reading that the documentation makes most likely. Change single fields with
    `dataclasses.replace`, or parse them from text with `Switches.parse`.

    Raises:
        ValueError: a value that the field does not know.
    """

    # --- filters -------------------------------------------------------------------------------
    date_begin: Literal["inclusive", "exclusive"] = "inclusive"
    """Whether a `..._begin` bound includes its own moment."""

    date_end: Literal["inclusive", "exclusive"] = "inclusive"
    """Whether an `..._end` bound includes its own moment."""

    date_fraction: Literal["cut", "kept"] = "cut"
    """Whether bounds are compared with whole seconds, or with a fraction that no answer shows."""

    date_without_offset: Literal["eastern", "utc", "rejected"] = "eastern"
    """How a bound without an offset is read."""

    shipment_date: Literal["first", "any"] = "first"
    """Whether the shipment window looks at the first shipment or at that of any item."""

    total_filter: Literal["base", "localized"] = "base"
    """Which currency the exact `total` filter compares."""

    text_filter: Literal["exact", "starts_with"] = "exact"
    """Whether text filters compare the whole text or its start, both in any case."""

    undocumented_stages: Literal["honoured", "rejected", "nothing"] = "honoured"
    """What `current_stage` does with stages that orders have and the filter does not list."""

    unknown_filters: Literal["ignored", "rejected"] = "ignored"
    """Whether a filter that is not documented is an error; it never counts as a parameter."""

    limit_alone: Literal["rejected", "accepted"] = "rejected"
    """Whether `_limit`, `_offset`, `_sort` or `_expand` count as the one needed parameter."""

    # --- pages ---------------------------------------------------------------------------------
    most_per_page: int = 200
    """Highest `_limit`; documented as 200, with the warning that it may sink to 100."""

    limit_over_most: Literal["rejected", "lowered"] = "rejected"
    """Whether a higher `_limit` is a 400 or cut to the highest."""

    short_pages: Literal["no", "yes"] = "no"
    """Whether a page may hold fewer orders than `_limit` although more follow."""

    more: Literal["absent_when_false", "false", "never_sent"] = "absent_when_false"
    """How `more` says that nothing follows, or whether it is there at all."""

    total_records: Literal["sent", "absent"] = "sent"
    """Whether the number of all found orders is sent."""

    result_set: Literal["sent", "absent"] = "sent"
    """Whether `metadata` holds a `result_set` at all."""

    no_orders: Literal["empty", "absent"] = "empty"
    """Whether `orders` is an empty list or no key when nothing is found."""

    default_sort: Literal["oldest_first", "newest_first", "shuffled"] = "oldest_first"
    """Order of a list without `_sort`; `shuffled` is different in every request."""

    tie_order: Literal["id", "shuffled"] = "id"
    """Order among equal sort keys: stable by id, or different in every request."""

    # --- copies --------------------------------------------------------------------------------
    default_target: Literal["origin", "cache"] = "origin"
    """What is read when a query names no `query_target`; the list by GET cannot name one."""

    cache_lag_seconds: int = 300
    """How long the cache lags behind a write, in seconds of the clock."""

    cache_old_orders: Literal["whole", "partial"] = "whole"
    """Whether cached orders over a year old lack items, taxes and most of the summary."""

    unknown_batch_ids: Literal["left_out", "rejected"] = "left_out"
    """What a batch read does with ids that do not exist (any more)."""

    batch_order: Literal["as_asked", "by_id"] = "as_asked"
    """Order of the orders of a batch."""

    missing_order: Literal["bad_request", "not_found", "no_order"] = "bad_request"
    """What a get of a missing order answers: 400, 404, or success without an order."""

    # --- contents ------------------------------------------------------------------------------
    unlisted_parts: Literal["by_name", "never", "always"] = "by_name"
    """When `current_stage_histories` and `tags`, named by no list of expansions, are sent."""

    item_discount: Literal["line", "unit"] = "line"
    """Whether an item's `discount` is that of the line or of one unit."""

    total_and_gift_certificate: Literal["before", "after"] = "before"
    """Whether `summary.total` is before or after the gift certificate."""

    partial_refund_status: Literal["Processed", "Refunded"] = "Processed"
    """`payment_status` after a partial refund."""

    # --- failures ------------------------------------------------------------------------------
    failure_status: Literal["http_400", "http_200"] = "http_400"
    """Whether a refused request is a 400, or a 200 with the error inside."""

    failure_success: Literal["absent", "false"] = "absent"
    """Whether `success` is left out of errors or sent as false."""

    retry_after: Literal["omitted", "sent"] = "omitted"
    """Whether a 429 carries `Retry-After`, in whole seconds."""

    concurrency: Literal["key", "address", "allowed"] = "key"
    """Whose requests must not overlap: those of one key, of one address, or nobody's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.most_per_page < 1:
            raise ValueError("switch most_per_page: a page has at least one order")
