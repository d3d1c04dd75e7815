"""What the documentation of LicenseSpring's orders leaves open, one switch each."""

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

    # --- listing -------------------------------------------------------------------------------
    max_limit: int = 100
    """Most rows on a page of orders, cut to silently; documented as 100 for licenses only."""

    time_filters: Literal["ignored", "honoured", "rejected"] = "ignored"
    """What the list of orders does with `created_at__gte`, `updated_at__gte` and the like."""

    sort_by_updated_at: Literal["honoured", "ignored", "rejected"] = "honoured"
    """Whether orders can be sorted by `updated_at`; ignored means the default order."""

    default_sort: Literal["newest_first", "newest_last"] = "newest_first"
    """Which way a list is sorted when `order_by` is absent."""

    tie_order: Literal["id", "shuffled"] = "id"
    """Order among equal sort keys: stable by id, or different in every request."""

    unknown_filters: Literal["ignored", "rejected"] = "ignored"
    """Whether a query parameter that the list does not know is an error."""

    archived: Literal["hidden", "shown"] = "hidden"
    """Whether the list shows archived orders when `is_archived` is not asked for."""

    list_items: Literal["absent", "present"] = "absent"
    """Whether rows of the list of orders carry `order_items`."""

    next_links: Literal["same_host", "other_host"] = "same_host"
    """Which host `next` and `previous` name: the one that was asked, or one behind it."""

    # --- orders --------------------------------------------------------------------------------
    archived_key: Literal["absent", "present"] = "absent"
    """Whether an order carries `is_archived`."""

    created_at_precision: Literal["seconds", "microseconds"] = "seconds"
    """Precision of an order's `created_at`; `updated_at` has microseconds."""

    customer_account: Literal["object", "id", "text"] = "object"
    """The type of `customer_account`, where an order has one."""

    updated_customer: Literal["null", "id", "object"] = "null"
    """What `customer` is in the answer to an update."""

    append_touches_updated_at: Literal["no", "yes"] = "no"
    """Whether adding licenses to an order moves its `updated_at`."""

    create_without_id: Literal["generated", "refused"] = "generated"
    """What creating an order without `id` does: the documentation says both."""

    create_status: Literal["created", "ok"] = "created"
    """Whether creating an order answers 201 or 200."""

    # --- errors and limits ---------------------------------------------------------------------
    error_key: Literal["detail", "message", "non_field_errors"] = "detail"
    """The key of an error's text, the last one with a list; a 404 always has `message`."""

    wrong_key: Literal["unauthorized", "forbidden"] = "unauthorized"
    """Whether a wrong API key answers 401 or 403."""

    requests_per_minute: int = 0
    """Requests allowed in each minute of the clock, then 429; 0 is no limit, as documented."""

    retry_after: Literal["sent", "omitted"] = "sent"
    """Whether a 429 carries `Retry-After`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_limit < 1:
            raise ValueError("switch max_limit: a page has room for at least one row")
