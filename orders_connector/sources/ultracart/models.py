"""UltraCart's answers as tolerant models, for reading; the raw bytes stay the truth.

Every key of an order is optional, nulls and false booleans are left out, and live answers hold
keys that no published model has. So nothing here ever refuses an answer: unknown keys are kept, a
value of an unforeseen kind is kept as it was sent, and an absent key differs from null (see
``model_fields_set``); ``model_dump_json(exclude_unset=True)`` gives back what came in.

Amounts and quantities are exact decimals, read from the shortest text of the number. Times are
kept as the text that was sent: ISO 8601, whole seconds, with the offset of US Eastern time. Field
meanings: UltraCart's Order API and official SDK 4.1.208 (October 2026).
"""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
)

from orders_connector.sources.tolerant import (
    AnyList,
    AnyObject,
    Flag,
    Lenient,
    Text,
    Tolerant,
    Whole,
)

__all__ = [
    "ApiError",
    "ApiWarning",
    "Coupon",
    "Currency",
    "Done",
    "FormattedOrder",
    "GiftCertificate",
    "Metadata",
    "Order",
    "OrderAnswer",
    "OrderItem",
    "OrderPage",
    "Payment",
    "ResultSet",
    "StageChange",
    "Summary",
    "Transaction",
    "json_number",
]


# Beyond, a whole number may have been written with an exponent.
_SAFE = 2**53


def json_number(value: Decimal) -> int | float:
    """Return the JSON number that says exactly this.

    Raises:
        ValueError: It has more digits than a JSON number carries safely.
    """
    number = float(value)
    is_whole = value == value.to_integral_value()
    if Decimal(repr(number)) == value:
        return int(value) if is_whole and abs(number) < _SAFE else number
    if is_whole:
        return int(value)
    raise ValueError(f"{value} has too many digits for a number in JSON")


def _exactly(value: Any) -> Any:  # noqa: ANN401
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(repr(value)) if is_number else value


def _as_sent(value: Any) -> Any:  # noqa: ANN401
    return json_number(value) if isinstance(value, Decimal) else value


Number = Annotated[
    Decimal | None, PlainValidator(_exactly), PlainSerializer(_as_sent, when_used="json")
]
Texts = Lenient[list[Text] | None]


class Currency(Tolerant):
    """An amount in two currencies.

    Attributes:
        value: In the merchant's base currency, major units; no answer names that currency.
        localized: In the shopper's currency, major units.
        currency_code: The shopper's currency; absent when it is the base currency.
        exchange_rate: Absent when the currencies are the same.
    """

    value: Number = None
    localized: Number = None
    localized_formatted: Text = None
    currency_code: Text = None
    exchange_rate: Number = None


Amount = Lenient[Currency | None]


class Summary(Tolerant):
    """The totals of an order; what was refunded is the sum to date, not of one refund."""

    subtotal: Amount = None
    subtotal_discount: Amount = None
    subtotal_refunded: Amount = None
    subtotal_discount_refunded: Amount = None
    taxable_subtotal: Amount = None
    taxable_subtotal_discount: Amount = None
    shipping_handling_total: Amount = None
    shipping_handling_total_discount: Amount = None
    shipping_handling_refunded: Amount = None
    tax: Amount = None
    tax_refunded: Amount = None
    total: Amount = None
    total_refunded: Amount = None
    other_refunded: Amount = None
    internal_gift_certificate_amount: Amount = None
    internal_gift_certificate_refunded: Amount = None
    health_benefit_card_amount: Amount = None
    health_benefit_card_refunded: Amount = None
    actual_shipping: Amount = None
    actual_fulfillment: Amount = None
    actual_payment_processing: Amount = None
    actual_other_cost: Amount = None
    actual_profit: Amount = None


class OrderItem(Tolerant):
    """One line of an order.

    Attributes:
        item_index: Key of the line within its order, from 1.
        merchant_item_id: The merchant's SKU.
        cost: Of one unit, before discount.
        kit_component: Part of the kit in ``parent_item_index``, which carries the money.
        activation_codes: Secrets, so they are not shown.
    """

    item_index: Whole = None
    item_reference_oid: Whole = None
    merchant_item_id: Text = None
    description: Text = Field(default=None, repr=False)  # may hold activation codes
    quantity: Number = None
    quantity_refunded: Number = None
    discount_quantity: Number = None
    cost: Amount = None
    discount: Amount = None
    unit_cost_with_discount: Amount = None
    total_cost_with_discount: Amount = None
    taxable_cost: Amount = None
    total_refunded: Amount = None
    cogs: Number = None
    actual_cogs: Amount = None
    component_unit_value: Number = None
    kit: Flag = None
    kit_component: Flag = None
    parent_item_index: Whole = None
    parent_merchant_item_id: Text = None
    upsell: Flag = None
    refund_reason: Text = None
    return_reason: Text = None
    distribution_center_code: Text = None
    shipped_dts: Text = None
    shipping_status: Text = None
    tax_product_type: Text = None
    options: AnyList = None
    properties: AnyList = None
    tags: AnyList = None
    activation_codes: Lenient[list[Any] | None] = Field(default=None, repr=False)


class Transaction(Tolerant):
    """One try to move money; an absent ``successful`` means that it failed."""

    transaction_id: Whole = None
    transaction_gateway: Text = None
    transaction_timestamp: Text = None
    successful: Flag = None
    details: AnyList = None


class Payment(Tolerant):
    """How an order was paid; cards and accounts are not shown.

    Attributes:
        payment_dts: When it was paid; absent for never.
        test_order: Absent for a real order.
    """

    payment_method: Text = None
    payment_status: Text = None
    payment_dts: Text = None
    test_order: Flag = None
    hold_for_fraud_review: Flag = None
    surcharge: Amount = None
    transactions: Lenient[list[Lenient[Transaction]] | None] = None
    credit_card: AnyObject = Field(default=None, repr=False)
    check: AnyObject = Field(default=None, repr=False)
    echeck: AnyObject = Field(default=None, repr=False)
    health_benefit_card: AnyObject = Field(default=None, repr=False)
    insurance: AnyObject = Field(default=None, repr=False)
    paypal: AnyObject = Field(default=None, repr=False)
    purchase_order: AnyObject = None


class Coupon(Tolerant):
    """A coupon that was used; what it took off is not told.

    Attributes:
        base_coupon_code: The merchant's coupon behind a code for one use.
    """

    coupon_code: Text = None
    base_coupon_code: Text = None
    automatically_applied: Flag = None
    accounting_code: Text = None


class GiftCertificate(Tolerant):
    """What was paid by gift certificate; the code is worth money, so it is not shown."""

    gift_certificate_oid: Whole = None
    gift_certificate_code: Text = Field(default=None, repr=False)
    gift_certificate_amount: Amount = None


class StageChange(Tolerant):
    """One move of an order from stage to stage."""

    before_stage: Text = None
    after_stage: Text = None
    transition_dts: Text = None


class Order(Tolerant):
    """An order; which parts it has is up to ``_expand``.

    Attributes:
        order_id: Public id, unique within ``merchant_id``.
        current_stage: One of 13 stages, or anything new. A refund does not change it.
        currency_code: The shopper's currency; absent when it is the merchant's base currency.
        refund_dts: When the last refund was made.
    """

    merchant_id: Text = None
    order_id: Text = None
    creation_dts: Text = None
    current_stage: Text = None
    current_stage_histories: Lenient[list[Lenient[StageChange]] | None] = None
    refund_dts: Text = None
    refund_reason: Text = None
    reject_dts: Text = None
    reject_reason: Text = None
    currency_code: Text = None
    exchange_rate: Number = None
    language_iso_code: Text = None
    summary: Lenient[Summary | None] = None
    items: Lenient[list[Lenient[OrderItem]] | None] = None
    payment: Lenient[Payment | None] = None
    coupons: Lenient[list[Lenient[Coupon]] | None] = None
    gift_certificate: Lenient[GiftCertificate | None] = None
    gift: AnyObject = None
    taxes: AnyObject = None
    billing: AnyObject = None
    shipping: AnyObject = None
    checkout: AnyObject = None
    channel_partner: AnyObject = None
    auto_order: AnyObject = None
    customer_profile: AnyObject = None
    marketing: AnyObject = None
    linked_shipment: AnyObject = None
    point_of_sale: AnyObject = None
    quote: AnyObject = None
    internal: AnyObject = None
    affiliates: AnyList = None
    utms: AnyList = None
    properties: AnyList = None
    tags: AnyList = None
    emails: AnyList = None


class ResultSet(Tolerant):
    """Where a page lies in its list.

    Attributes:
        more: Absent on the last page.
        total_records: May be absent or null; moves while you read.
    """

    count: Whole = None
    offset: Whole = None
    limit: Whole = None
    more: Flag = None
    next_offset: Whole = None
    total_records: Whole = None


class Metadata(Tolerant):
    """What an answer says about itself; empty when it carries nothing.

    Attributes:
        payload_name: Key of the answer that holds what was asked for.
    """

    payload_name: Text = None
    result_set: Lenient[ResultSet | None] = None


class ApiError(Tolerant):
    """Why something was refused.

    Attributes:
        error_code: Documented as an HTTP status in a text; seldom sent.
    """

    developer_message: Text = None
    user_message: Text = None
    error_code: Text = None
    more_info: Text = None
    object_id: Text = None


class ApiWarning(Tolerant):
    """Something to know about a call that was accepted."""

    warning_code: Text = None
    warning_message: Text = None
    more_info: Text = None


class Done(Tolerant):
    """The envelope of every answer, and all of an answer that carries nothing.

    Attributes:
        success: True or absent; absent with a warning too.
    """

    success: Flag = None
    error: Lenient[ApiError | None] = None
    warning: Lenient[ApiWarning | None] = None
    metadata: Lenient[Metadata | None] = None


class OrderAnswer(Done):
    """One order in its envelope."""

    order: Lenient[Order | None] = None


class OrderPage(Done):
    """A page of orders, or the orders of a batch."""

    orders: Lenient[list[Lenient[Order]] | None] = None


class FormattedOrder(Tolerant):
    """An order as text or HTML; it comes without an envelope."""

    formatted_result: Text = None
    css_links: Texts = None
