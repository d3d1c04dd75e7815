"""Which parts of an order UltraCart is asked for: the names of ``_expand``.

Without any, an order is a stub of ids, stage and dates. The server ignores a name that it does
not know, so a slip such as ``items`` for ``item`` would give orders without lines and no error:
names are checked here, before anything is sent.

Names: UltraCart's page on expansions and its samples (2026). No page names `UNDOCUMENTED`: they
are the keys of parts that orders have, and if the server does not know them it ignores them. What
fills emails is not known either; to find out, ask through the transport.
"""

import difflib
from collections.abc import Iterable
from typing import Literal, get_args

__all__ = [
    "ANALYTICS",
    "EXPANSIONS",
    "LANDED",
    "PERSONAL",
    "UNDOCUMENTED",
    "Expansion",
    "expand_parameter",
]

Expansion = Literal[
    "affiliate",
    "affiliate.ledger",
    "auto_order",
    "billing",
    "buysafe",
    "channel_partner",
    "checkout",
    "coupon",
    "current_stage_histories",
    "customer_profile",
    "digital_order",
    "edi",
    "fraud_score",
    "gift",
    "gift_certificate",
    "internal",
    "item",
    "linked_shipment",
    "marketing",
    "payment",
    "payment.transaction",
    "point_of_sale",
    "properties",
    "quote",
    "salesforce",
    "shipping",
    "shipping.tracking_number_details",
    "summary",
    "tags",
    "taxes",
    "utms",
]

EXPANSIONS: frozenset[str] = frozenset(get_args(Expansion))

# Harmless to ask for, and perhaps without effect.
UNDOCUMENTED: frozenset[Expansion] = frozenset({"current_stage_histories", "tags"})

# Names, addresses and what else a person is known by fill these.
PERSONAL: frozenset[Expansion] = frozenset({"billing", "customer_profile", "shipping"})

# What revenue, discounts, refunds, stages, channels and attribution are made of. Shipping says
# when an order left the house; its address comes along, as there is no smaller part.
ANALYTICS: tuple[Expansion, ...] = (
    "summary",
    "item",
    "coupon",
    "payment",
    "gift",
    "gift_certificate",
    "taxes",
    "checkout",
    "channel_partner",
    "auto_order",
    "utms",
    "marketing",
    "affiliate",
    "shipping",
)

# What loads ask for. The e-mail address of `billing` is what orders of one customer have in
# common. Not `customer_profile`: it is very large, guests have none, and as it changes without the
# order, every order of a customer would become a new version.
LANDED: tuple[Expansion, ...] = (
    *ANALYTICS,
    "billing",
    "buysafe",
    "current_stage_histories",
    "tags",
)


def expand_parameter(expansions: Iterable[Expansion]) -> str | None:
    """Write the value of ``_expand``.

    Args:
        expansions: Names in any order; one that comes twice is sent once.

    Returns:
        The names joined by commas; None for none, so that the parameter is left out.

    Raises:
        ValueError: A name that the server would silently ignore.

    Example:
        >>> expand_parameter(["summary", "item"])
        'summary,item'
    """
    if isinstance(expansions, str):
        raise ValueError(f"expansions are a list of names, not one text: {expansions!r}")  # noqa: TRY004
    names = list(dict.fromkeys(expansions))
    for name in names:
        if name not in EXPANSIONS:
            near = difflib.get_close_matches(str(name), sorted(EXPANSIONS), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"UltraCart knows no expansion {name!r}{hint}")
    return ",".join(names) or None
