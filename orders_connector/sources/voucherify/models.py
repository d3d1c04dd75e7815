"""Voucherify's answers as tolerant models, for reading; the raw bytes stay the truth.

Voucherify marks no key of an order as required, adds keys when it likes, and its own samples
contradict its schema. So nothing here ever refuses an answer: unknown keys are kept, any status
is a plain text, and a value of an unforeseen kind is kept as it was sent. The type of a field is
what the documentation promises, not what was checked. An absent key differs from null: see
``model_fields_set``; ``model_dump(exclude_unset=True)`` gives back what came in.

Money is in minor units of a currency that the order does not name. Times are kept as the text
that was sent, because their precision varies. Field meanings: ``orders.json``, ``exports.json``,
``async-actions.json`` and ``oauth.json`` of Voucherify's OpenAPI (August 2026).
"""

from typing import Annotated, Any

from pydantic import (
    Field,
    Strict,
)

from orders_connector.sources.tolerant import AnyObject, Flag, Lenient, Text, Tolerant, Whole

__all__ = [
    "ApiError",
    "AsyncAction",
    "AsyncActionList",
    "AsyncActionResult",
    "Export",
    "ExportList",
    "ExportResult",
    "ImportStarted",
    "OAuthToken",
    "Order",
    "OrderItem",
    "OrderList",
    "RedemptionEntry",
]

Money = Lenient[
    Annotated[int, Strict()] | Annotated[float, Strict()] | Annotated[str, Strict()] | None
]


class RedemptionEntry(Tolerant):
    """One entry of an order's map of redemptions; it stays there after a rollback.

    Attributes:
        related_object_type: ``voucher``, ``promotion_tier``, or ``redemption`` for the parent of
            stacked redemptions.
        stacked: Ids of the child redemptions.
        rollback_id: Set once the redemption was rolled back.
    """

    date: Text = None
    related_object_type: Text = None
    related_object_id: Text = None
    related_object_parent_id: Text = None
    stacked: Lenient[list[str] | None] = None
    rollback_id: Text = None
    rollback_date: Text = None
    rollback_stacked: Lenient[list[str] | None] = None


class OrderItem(Tolerant):
    """One line of an order; it has no reliable key but its position.

    Attributes:
        source_id: The shop's own product or SKU id, by ``related_object``.
        subtotal_amount: Line amount after item-level discounts, minor units.
        applied_quantity: Units added, or replaced if negative, by one request only.
    """

    object: Text = None
    id: Text = None
    product_id: Text = None
    sku_id: Text = None
    source_id: Text = None
    related_object: Text = None
    quantity: Whole = None
    initial_quantity: Whole = None
    discount_quantity: Whole = None
    applied_discount_quantity: Whole = None
    applied_quantity: Whole = None
    applied_quantity_amount: Money = None
    amount: Money = None
    initial_amount: Money = None
    discount_amount: Money = None
    applied_discount_amount: Money = None
    subtotal_amount: Money = None
    price: Money = None
    product: AnyObject = None
    sku: AnyObject = None
    metadata: AnyObject = None


class Order(Tolerant):
    """An order, the same in list, get, create and update.

    Attributes:
        id: Voucherify's id; of any length.
        source_id: The shop's id; often null.
        status: ``CREATED``, ``PAID``, ``CANCELED``, ``FULFILLED``, or anything new.
        amount: Sum of the items before discounts, free units included, minor units.
        total_amount: What is left to pay after all discounts, minor units.
        updated_at: Null or absent for an order that was never updated.
    """

    object: Text = None
    id: Text = None
    source_id: Text = None
    status: Text = None
    created_at: Text = None
    updated_at: Text = None
    amount: Money = None
    initial_amount: Money = None
    discount_amount: Money = None
    items_discount_amount: Money = None
    total_discount_amount: Money = None
    total_amount: Money = None
    applied_discount_amount: Money = None
    items_applied_discount_amount: Money = None
    total_applied_discount_amount: Money = None
    items: Lenient[list[Lenient[OrderItem]] | None] = None
    metadata: AnyObject = None
    customer: AnyObject = None
    customer_id: Text = None
    referrer: AnyObject = None
    referrer_id: Text = None
    redemptions: Lenient[dict[str, Lenient[RedemptionEntry]] | None] = None


class OrderList(Tolerant):
    """A page of orders; ``total`` counts all of them and moves while you read."""

    object: Text = None
    data_ref: Text = None
    orders: Lenient[list[Lenient[Order]]] = Field(default_factory=list)
    total: Whole = None


class ExportResult(Tolerant):
    """Where the file of an export lies; the address holds a secret, so it is not shown."""

    url: Text = Field(default=None, repr=False)


class Export(Tolerant):
    """An asynchronous CSV export.

    Attributes:
        status: ``SCHEDULED``, ``IN_PROGRESS``, ``DONE``, ``ERROR``, or anything new.
        exported_object: ``order``, ``customer``, ``redemption`` and so on.
        parameters: Echo of what was asked; may hold defaults that were not sent.
        result: Null until ``DONE``.
    """

    object: Text = None
    id: Text = None
    created_at: Text = None
    status: Text = None
    channel: Text = None
    exported_object: Text = None
    parameters: AnyObject = None
    result: Lenient[ExportResult | None] = None
    user_id: Text = None


class ExportList(Tolerant):
    """A page of exports of all kinds, those made in the dashboard too."""

    object: Text = None
    data_ref: Text = None
    exports: Lenient[list[Lenient[Export]]] = Field(default_factory=list)
    total: Whole = None


class AsyncActionResult(Tolerant):
    """What an asynchronous action did.

    Attributes:
        failed: Rejected rows: documented as an object, sent as an array of
            ``{source_id, reason}``.
        failed_count: Look at it even when the action is ``DONE``.
    """

    message: Text = None
    done_count: Whole = None
    failed_count: Whole = None
    failed: Lenient[list[Any] | dict[str, Any] | None] = None


class AsyncAction(Tolerant):
    """A background job, such as an import of orders.

    Attributes:
        status: ``ENQUEUED``, ``IN_PROGRESS``, ``DONE``, ``FAILED``, or anything new. ``DONE``
            although rows failed: see ``result.failed_count``.
        operation_status: ``SUCCESS``, ``FAILED``, ``UNKNOWN``.
        progress: 0 to 100.
        processing_time: Milliseconds.
        result: Absent in the entries of a list.
    """

    object: Text = None
    id: Text = None
    type: Text = None
    status: Text = None
    operation_status: Text = None
    created_at: Text = None
    updated_at: Text = None
    request_id: Text = None
    progress: Whole = None
    processing_time: Whole = None
    result: Lenient[AsyncActionResult | None] = None


class AsyncActionList(Tolerant):
    """Actions from new to old; go on with ``end_date`` of the oldest ``created_at`` seen."""

    object: Text = None
    data_ref: Text = None
    async_actions: Lenient[list[Lenient[AsyncAction]]] = Field(default_factory=list)
    has_more: Flag = None


class ImportStarted(Tolerant):
    """The answer to an import: the action to wait for."""

    async_action_id: Text = None


class OAuthToken(Tolerant):
    """A bearer token; the token itself is not shown.

    Attributes:
        expires_at: Unix seconds.
        expires_in: Seconds, 900 as documented.
        scope: Scopes separated by blanks.
    """

    access_token: Text = Field(default=None, repr=False)
    client_id: Text = None
    expires_at: Whole = None
    expires_in: Whole = None
    scope: Text = None
    token_type: Text = None


class ApiError(Tolerant):
    """The usual body of a refusal; 413, OAuth and gateway errors come in other forms.

    Attributes:
        code: HTTP status; a number, or a text for 429.
        key: Stable code, such as ``not_found``.
        request_id: Voucherify's support asks for it.
    """

    code: Lenient[Annotated[int, Strict()] | Annotated[str, Strict()] | None] = None
    key: Text = None
    message: Text = None
    details: Text = None
    request_id: Text = None
    resource_id: Text = None
    resource_type: Text = None
