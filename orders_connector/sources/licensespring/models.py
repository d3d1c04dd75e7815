"""LicenseSpring's answers as tolerant models, for reading; the raw bytes stay the truth.

The documentation marks no key as required and shows kinds of values that differ between its own
samples: a customer is an object in a list, a number or null after an update. So nothing here ever
refuses an answer: unknown keys are kept, a value of an unforeseen kind is kept as it was sent, and
an absent key differs from null (see ``model_fields_set``).

Ids are whole numbers of 64 bits and stay exact. Times are kept as the text that was sent, UTC,
because their precision varies. There is no money and no status of an order anywhere: what the
source does not know is not made up here.
"""

from typing import Annotated, Any

from pydantic import (
    Field,
    Strict,
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
    "Customer",
    "License",
    "LicensePage",
    "LicenseUser",
    "Order",
    "OrderItem",
    "OrderPage",
    "Product",
]


class Customer(Tolerant):
    """A buyer, with counts that move with every order and no times of its own.

    Attributes:
        reference: The vendor's own key of the customer; "" when unset.
        company: The vendor's account, not the buyer's company; that is ``company_name``.
    """

    id: Whole = None
    email: Text = None
    first_name: Text = None
    last_name: Text = None
    company_name: Text = None
    phone: Text = None
    reference: Text = None
    address: Text = None
    postcode: Text = None
    city: Text = None
    state: Text = None
    country: Text = None
    total_orders: Whole = None
    total_licenses: Whole = None
    labels: AnyList = None
    clabels: AnyList = None
    clabels_all: Text = None
    metadata: AnyObject = None
    company: Whole = None
    license_user: Whole = None


class Product(Tolerant):
    """What a license is for."""

    id: Whole = None
    short_code: Text = None
    product_name: Text = None


class LicenseUser(Tolerant):
    """Who may use a license; the initial password is a secret and is not shown."""

    id: Whole = None
    email: Text = None
    true_email: Text = None
    first_name: Text = None
    last_name: Text = None
    is_active: Flag = None
    is_manager: Flag = None
    initial_password: Text = Field(default=None, repr=False)
    is_initial_password: Flag = None


class License(Tolerant):
    """One issued license; the key is a secret and is not shown.

    Attributes:
        order: Id of the order.
        order_store_id: The vendor's id of the order, unique within the company.
        status: Such as ``Active`` or ``Inactive``; open.
        license_type: ``perpetual``, ``time-limited``, ``subscription``, ``consumption``, or
            anything new.
        updated_at: Moves with the license, while the order's does not.
        validity_period: When it expires.
        valid_duration: Such as ``1y``.
        subscription_id: Where a billing system knows it by; prices are kept there.
    """

    id: Whole = None
    order: Whole = None
    order_item: Whole = None
    order_store_id: Text = None
    license_key: Text = Field(default=None, repr=False)
    status: Text = None
    active: Flag = None
    enabled: Flag = None
    is_trial: Flag = None
    trial_days: Whole = None
    license_type: Text = None
    created_at: Text = None
    updated_at: Text = None
    start_date: Text = None
    validity_period: Text = None
    valid_duration: Text = None
    maintenance_period: Text = None
    max_activations: Whole = None
    times_activated: Whole = None
    time_activated: Text = None
    time_disabled: Text = None
    max_consumptions: Whole = None
    total_consumptions: Whole = None
    is_floating: Flag = None
    floating_users: Whole = None
    subscription_id: Text = None
    last_check: Text = None
    note: Text = None
    customer: Lenient[Customer | Annotated[int, Strict()] | None] = None
    product: Lenient[Product | Annotated[int, Strict()] | None] = None
    product_features: AnyList = None
    product_custom_fields: AnyList = None
    license_users: Lenient[list[Lenient[LicenseUser]] | None] = None


class OrderItem(Tolerant):
    """One product of an order; its quantity is the number of licenses."""

    id: Whole = None
    product_id: Whole = None
    licenses: Lenient[list[Lenient[License]] | None] = None


class Order(Tolerant):
    """A container of issued licenses, not a sale with prices.

    Attributes:
        store_id: The vendor's id of the order; unique within the company, but it may be edited.
        type: ``normal``, ``api_trial``, or anything new.
        updated_at: When the order's own attributes were edited; blind to its licenses.
        customer: An object in list and get; null or a number after an update.
        company: The vendor's account, not the buyer's company.
        order_items: In get and create; absent after an update, open in lists.
    """

    id: Whole = None
    created_at: Text = None
    updated_at: Text = None
    store_id: Text = None
    type: Text = None
    is_test: Flag = None
    is_trial: Flag = None
    customer: Lenient[Customer | Annotated[int, Strict()] | None] = None
    customer_account: Lenient[
        dict[str, Any] | Annotated[int, Strict()] | Annotated[str, Strict()] | None
    ] = None
    customer_email: Text = None
    customer_first_name: Text = None
    customer_last_name: Text = None
    customer_company: Text = None
    customer_phone: Text = None
    customer_reference: Text = None
    company: Whole = None
    license_users: Lenient[list[Lenient[LicenseUser]] | None] = None
    language: Text = None
    campaign_params: Text = None
    download_id: Text = None
    metadata: AnyObject = None
    order_items: Lenient[list[Lenient[OrderItem]] | None] = None


class _Page(Tolerant):
    """One page of a list.

    Attributes:
        count: Rows that match in all; moves while you read.
        next: Address of the next page, null on the last one.
        previous: Address of the page before, null on the first one.
    """

    count: Whole = None
    next: Text = None
    previous: Text = None


class OrderPage(_Page):
    """A page of orders."""

    results: Lenient[list[Lenient[Order]] | None] = None


class LicensePage(_Page):
    """A page of licenses."""

    results: Lenient[list[Lenient[License]] | None] = None
