"""What the documentation of the Voucherify Orders API leaves open, one switch each."""

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
    page_over_limit: Literal["page_over_limit", "invalid_query_params", "not_found", "empty"] = (
        "page_over_limit"
    )
    """What a page too far answers: 400 with this key, a 404, or 200 with an empty page."""

    listing_pages: int = 100
    """Highest page number that the list of orders answers, from 1; documented as 100."""

    default_sort: Literal["newest_first", "newest_last"] = "newest_first"
    """Which way the list is sorted when `order` is absent."""

    null_updated_at: Literal["last", "first", "smallest", "largest"] = "last"
    """Where orders without `updated_at` stand when sorted by it.

    `last` and `first` hold in both directions; `smallest` and `largest` place null below or above
    every date, so its place turns with the direction.
    """

    tie_order: Literal["id", "shuffled"] = "id"
    """Order among equal timestamps: stable by id, or different in every request."""

    list_created_at_filter: Literal["ignored", "honoured", "rejected"] = "ignored"
    """What the list does with `created_at[after]` and `[before]`, in any notation of the guides."""

    list_updated_at_filter: Literal["ignored", "honoured", "rejected"] = "ignored"
    """The same for `updated_at`."""

    unknown_query_params: Literal["ignored", "rejected"] = "ignored"
    """Whether a query parameter that no list documents is an error."""

    listing_lag_seconds: int = 0
    """How long list and export lag behind a write (get never does), in seconds of the clock."""

    response_key_order: Literal["fixed", "varies"] = "fixed"
    """Whether the keys of an order come in the same order in every answer."""

    # --- writes --------------------------------------------------------------------------------
    updated_at_on_create: Literal["null", "same", "absent"] = "null"
    """`updated_at` of an order that was never updated: null, equal to `created_at`, or no key."""

    update_items: Literal["replace", "merge"] = "replace"
    """Whether `items` of an update replace the old ones or are merged by product or SKU."""

    metadata_update: Literal["merge", "replace"] = "merge"
    """Whether `metadata` of an update is merged into the old one or replaces it."""

    rollback_mode: Literal["with_order", "without_order"] = "with_order"
    """Whether a rollback through the API also takes back the order's discounts."""

    rollback_without_order: Literal["nothing", "map", "map_and_updated_at"] = "nothing"
    """What a rollback without the order changes in it: nothing, the redemptions, or also time."""

    import_touches_updated_at: Literal["yes", "no"] = "yes"
    """Whether an import over an existing order moves `updated_at`."""

    import_created_at: Literal["rejected", "ignored"] = "rejected"
    """What an import does with `created_at`: 400, or stamp the import time all the same."""

    purge_touches_updated_at: Literal["no", "yes"] = "no"
    """Whether purging a metadata key from all orders moves `updated_at`."""

    import_polls: int = 1
    """How many status requests an async action needs until it is `DONE`."""

    # --- exports -------------------------------------------------------------------------------
    export_bounds: Literal["exclusive", "inclusive"] = "exclusive"
    """Whether `$after` and `$before` include the bound."""

    export_bound_precision: Literal["microseconds", "milliseconds", "seconds"] = "milliseconds"
    """To what precision a timestamp is cut before it is compared with a bound."""

    export_null_updated_at: Literal["hidden", "shown"] = "hidden"
    """Whether a filter on `updated_at` lets orders without one through."""

    export_conditions: Literal["and", "junction"] = "and"
    """How several conditions under one field join: always all, or by the filter's `junction`."""

    export_id_filters: Literal["accepted", "rejected"] = "rejected"
    """Whether `id`, `customer_id` and `referrer_id` work as filters."""

    export_header: Literal["fields", "labels"] = "labels"
    """Whether the CSV header holds field names or display labels."""

    export_money: Literal["integers", "decimal"] = "integers"
    """Whether CSV amounts are minor units (7700) or decimals (77.00)."""

    export_metadata: Literal["json", "columns"] = "json"
    """Whether the field `metadata` gives one JSON column or one column per key."""

    export_metadata_nested: Literal["json", "joined"] = "json"
    """Arrays in a `metadata.<key>` column: JSON, or values joined by commas."""

    export_quoting: Literal["minimal", "all"] = "minimal"
    """Which CSV cells are quoted."""

    export_line_end: Literal["lf", "crlf"] = "lf"
    """Line ends of the CSV file."""

    export_csv_bom: Literal["no", "yes"] = "no"
    """Whether the CSV file starts with a byte order mark."""

    export_echo: Literal["as_sent", "with_defaults"] = "as_sent"
    """Whether an export repeats its parameters as sent or completed by defaults."""

    export_polls: int = 2
    """How many status requests an export needs until it is `DONE`."""

    export_seconds: int = 0
    """How long an export takes at least, in seconds of the clock."""

    export_outcome: Literal["done", "error", "never"] = "done"
    """How an export ends: `DONE`, `ERROR`, or not at all."""

    export_parallel: int = 0
    """How many exports run at the same time while others wait as `SCHEDULED`; 0 is any number."""

    export_row_limit: int = 0
    """Most rows in one file; 0 is no limit."""

    export_over_row_limit: Literal["truncated", "error"] = "error"
    """What happens beyond `export_row_limit`: rows are left out silently, or the export fails."""

    export_allowed: Literal["yes", "no"] = "yes"
    """Whether the key's role may export; otherwise 403."""

    bulk_calls_per_hour: int = 0
    """Limit of export and import starts per hour (`bulk_api_calls`); 0 is no such limit."""

    # --- download ------------------------------------------------------------------------------
    download_auth: Literal["both", "token", "keys", "either"] = "both"
    """What the download host asks for: the URL's token, the auth headers, both, or one of them."""

    download_redirect: Literal["none", "storage"] = "none"
    """Whether the download host redirects to a third host, which refuses auth headers."""

    download_life_seconds: int = 0
    """How long a file can be downloaded, in seconds of the clock; 0 is for ever."""

    # --- limits --------------------------------------------------------------------------------
    rate_limit_headers: Literal["always", "never"] = "always"
    """Whether answers carry `X-Rate-Limit-*`."""

    retry_after: Literal["sent", "omitted"] = "sent"
    """Whether a 429 carries `Retry-After`."""

    code_429: Literal["integer", "string"] = "integer"
    """The type of `code` in the body of a 429."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.listing_pages < 1:
            raise ValueError("switch listing_pages: a list has at least one page")
