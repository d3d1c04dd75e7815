"""The vendor: every order with its licenses, and what the API may do to them."""

import json
import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from orders_connector.sandbox.clock import EPOCH, Clock
from orders_connector.sandbox.licensespring.errors import not_found, refusal
from orders_connector.sandbox.licensespring.people import COMPANY, PRODUCTS, product, user
from orders_connector.sandbox.licensespring.switches import Switches

__all__ = ["Row", "Shop", "stamp"]

Row = dict[str, Any]

_PATCHED: dict[str, type | tuple[type, ...]] = {
    "store_id": str,
    "type": str,
    "is_test": bool,
    "is_trial": bool,
    "download_id": str,
    "language": str,
    "campaign_params": str,
    "customer": int,
    "customer_account": (int, str),
    "metadata": dict,
}
_NULLABLE = ("download_id", "language", "campaign_params", "customer", "customer_account")
_CUSTOMER_TEXTS = (
    *("email", "first_name", "last_name", "company_name", "phone", "reference"),
    *("address", "postcode", "city", "country", "state"),
)
_LICENSE_OPTIONS = (
    *("is_trial", "trial_days", "license_type", "valid_duration", "max_activations"),
    *("subscription_id", "note", "is_floating", "floating_users", "max_consumptions"),
    *("enable_maintenance_period", "maintenance_duration", "prevent_vm", "start_date"),
)
_KEPT = (
    *("_orders", "_items", "_licenses", "_customers", "_customer_ids", "_accounts"),
    *("_store_ids", "_verbatim"),
)
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}


def stamp(moment: datetime) -> str:
    """Write a UTC moment the way the API does: microseconds only when there are any."""
    return moment.isoformat().replace("+00:00", "Z")


class Shop:
    """The state behind the API. Safe to use from any thread; one lock guards all of it.

    Args:
        clock: stamps every write.
        switches: how the open questions of the documentation are answered; may be replaced at any
            time.
        seed: makes license keys and generated order ids repeatable.

    Attributes:
        version: moves with every write.
    """

    def __init__(self, clock: Clock, switches: Switches | None = None, *, seed: int = 0) -> None:
        self.clock = clock
        self.switches = switches or Switches()
        self.lock = threading.RLock()
        self.version = 0
        self._orders: dict[int, Row] = {}
        self._items: dict[int, list[Row]] = {}
        self._licenses: dict[int, Row] = {}
        self._customers: dict[int, Row] = {}
        self._customer_ids: dict[str, int] = {}
        self._accounts: dict[int, Row] = {}
        self._store_ids: dict[str, int] = {}
        self._archived: set[int] = set()
        self._verbatim: dict[int, Row] = {}
        self._used: set[int] = set()
        self._users = 1_000
        self._rng = random.Random(f"keys-{seed}")

    def __len__(self) -> int:
        return len(self._orders)

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._orders

    # --- reading -------------------------------------------------------------------------------

    def truth(self) -> list[Row]:
        """Return every order as GET returns it now, archived ones too, sorted by id."""
        with self.lock:
            return [self.get(order_id) for order_id in sorted(self._orders)]

    def bodies(self) -> list[bytes]:
        """Return every order as encoded JSON, sorted by id."""
        return [json.dumps(order, ensure_ascii=False).encode() for order in self.truth()]

    def license_truth(self) -> list[Row]:
        """Return every license as the list of licenses shows it now, sorted by id."""
        with self.lock:
            return [self.license(license_id) for license_id in sorted(self._licenses)]

    def get(self, order_id: int) -> Row:
        """Return one order with items and licenses; raises Refusal 404."""
        return self._order(order_id, items=True)

    def row(self, order_id: int) -> Row:
        """Return one order as the list shows it."""
        return self._order(order_id, items=self.switches.list_items == "present")

    def license(self, license_id: int) -> Row:
        """Return one license; raises Refusal 404."""
        with self.lock:
            if license_id not in self._licenses:
                raise not_found()
            found = self._licenses[license_id]
            order = self._orders[found["order"]]
            shown: Row = json.loads(json.dumps(found))
            shown["order_store_id"] = order["store_id"]
            shown["product"] = product(found["product"])
            shown["customer"] = self._customer(order["customer"])
            return shown

    def order_ids(self) -> list[int]:
        """Return the ids of all orders, archived ones too."""
        return list(self._orders)

    def license_ids(self) -> list[int]:
        """Return the ids of all licenses."""
        return list(self._licenses)

    def is_archived(self, order_id: int) -> bool:
        """Tell whether an order is archived."""
        return order_id in self._archived

    def short_codes(self, order_id: int) -> list[str]:
        """Return the short codes of an order's products."""
        return [product(item["product_id"])["short_code"] for item in self._items[order_id]]

    def labels(self, order_id: int) -> list[str]:
        """Return the labels of an order's customer."""
        customer = self._orders[order_id]["customer"]
        return [label["label"] for label in self._customers[customer]["labels"]] if customer else []

    def account_of(self, order_id: int) -> int | None:
        """Return the id of an order's customer account."""
        account: int | None = self._orders[order_id]["customer_account"]
        return account

    def licenses_of(self, order_id: int) -> list[int]:
        """Return the ids of an order's licenses."""
        return [license_id for item in self._items[order_id] for license_id in item["licenses"]]

    def kept(self) -> Row:
        """Return the whole state as plain data, for `restore`."""
        with self.lock:
            state: Row = {name: list(getattr(self, name).items()) for name in _KEPT}
            state |= {"_archived": sorted(self._archived), "_users": self._users}
            copied: Row = json.loads(json.dumps(state))
            return copied

    def restore(self, kept: Row) -> None:
        """Take over the state of another one."""
        with self.lock:
            for name in _KEPT:
                setattr(self, name, dict(kept[name]))
            self._archived, self._users = set(kept["_archived"]), kept["_users"]
            items = [item["id"] for items in self._items.values() for item in items]
            self._used = {*self._orders, *self._licenses, *items}
            self.version += 1

    # --- writing -------------------------------------------------------------------------------

    def create(self, request: Row, *, at: datetime | None = None, by_platform: bool = False) -> Row:
        """Create an order or add licenses to it (`POST /api/v1/orders/create_order/`).

        Args:
            request: the body, in the documented form.
            at: when it happens; now by default.
            by_platform: made by the platform itself, which needs no id.

        Returns:
            Row: the order with its items.

        Raises:
            Refusal: 400.
        """
        with self.lock:
            now = at or self.clock.now()
            self._check_create(request, needs_id=not by_platform)
            existing = self._store_ids.get(request.get("id", ""))
            if existing is None:
                existing = self._add_order(request, now)
            elif not request.get("append"):
                raise self._bad("An order with this id exists.")
            elif self.switches.append_touches_updated_at == "yes":
                self._orders[existing]["updated_at"] = stamp(now)
            for item in request["items"]:
                self._add_item(existing, item, now)
            self.version += 1
            return self.get(existing)

    def update(self, order_id: int, changes: Row, *, at: datetime | None = None) -> Row:
        """Change attributes of an order (`PATCH /api/v1/orders/{id}/`).

        Returns:
            Row: the order without its items; the switch `updated_customer` says with whom.

        Raises:
            Refusal: 404, 400.
        """
        with self.lock:
            if order_id not in self._orders:
                raise not_found()
            known = {key: value for key, value in changes.items() if key in _PATCHED}
            self._check_patch(order_id, known)
            order = self._orders[order_id]
            if "store_id" in known:
                self._store_ids.pop(order["store_id"], None)
                self._store_ids[known["store_id"]] = order_id
            if known.get("customer_account") is not None:
                known["customer_account"] = self._account(known["customer_account"])
            if "customer" in known:
                licenses = len(self.licenses_of(order_id))
                self._count(order["customer"], orders=-1, licenses=-licenses)
                self._count(known["customer"], orders=1, licenses=licenses)
            order |= known | {"updated_at": stamp(at or self.clock.now())}
            self._verbatim.pop(order_id, None)
            self.version += 1
            shown = self._order(order_id, items=False)
            shown["customer"] = {
                "null": None,
                "id": order["customer"],
                "object": shown["customer"],
            }[self.switches.updated_customer]
            return shown

    def change_license(self, license_id: int, *, at: datetime | None = None, **changes: Any) -> Row:  # noqa: ANN401
        """Change a license; its `updated_at` moves, that of its order does not."""
        with self.lock:
            if license_id not in self._licenses:
                raise not_found()
            self._licenses[license_id] |= changes
            self._licenses[license_id]["updated_at"] = stamp(at or self.clock.now())
            self.version += 1
            return self.license(license_id)

    def activate(self, license_id: int, *, at: datetime | None = None) -> Row:
        """Activate a license, as its user does on a machine."""
        now, times = at or self.clock.now(), self.license(license_id)["times_activated"]
        return self.change_license(
            license_id,
            at=now,
            status="Active",
            active=True,
            times_activated=times + 1,
            time_activated=stamp(now.replace(microsecond=0)),
        )

    def disable(self, license_id: int, *, at: datetime | None = None) -> Row:
        """Disable a license, as the vendor does after a chargeback."""
        now = at or self.clock.now()
        disabled = stamp(now.replace(microsecond=0))
        return self.change_license(
            license_id, at=now, status="Disabled", enabled=False, time_disabled=disabled
        )

    def archive(self, order_id: int) -> None:
        """Archive an order; no time of it moves."""
        with self.lock:
            self._archived.add(order_id)
            self.version += 1

    def safe_delete(self, order_id: int) -> None:
        """Delete an order that has no licenses (`DELETE .../safe_delete/`).

        Raises:
            Refusal: 404, 400.
        """
        with self.lock:
            if order_id not in self._orders:
                raise not_found()
            if any(item["licenses"] for item in self._items[order_id]):
                raise self._bad("Licenses are attached to this order.")
            self.delete(order_id)

    def delete(self, order_id: int) -> None:
        """Let an order vanish with its licenses, as a deletion in the vendor's platform does."""
        with self.lock:
            order = self._orders.pop(order_id)
            for item in self._items.pop(order_id):
                for license_id in item["licenses"]:
                    del self._licenses[license_id]
                    self._count(order["customer"], licenses=-1)
            self._count(order["customer"], orders=-1)
            self._store_ids.pop(order["store_id"], None)
            self._archived.discard(order_id)
            self._verbatim.pop(order_id, None)
            self.version += 1

    def put_raw(self, order: Row) -> Row:
        """Answer an order verbatim, whatever it holds, under its `id` (a whole number).

        The next update of it ends that.
        """
        with self.lock:
            order_id: int = order["id"]
            if order_id not in self._orders:
                self._used.add(order_id)
                self._add_order({}, self.clock.now(), order_id)
            self._verbatim[order_id] = json.loads(json.dumps(order))
            self.version += 1
            return self.get(order_id)

    def new_keys(self, count: int) -> list[str]:
        """Return new license keys."""
        with self.lock:
            return [
                "-".join(f"{self._rng.getrandbits(20):05X}"[:4] for _ in range(4))
                for _ in range(count)
            ]

    # --- inside --------------------------------------------------------------------------------

    def _bad(self, text: str) -> Exception:
        return refusal(400, self.switches, text)

    def _order(self, order_id: int, *, items: bool) -> Row:
        with self.lock:
            if order_id not in self._orders:
                raise not_found()
            if order_id in self._verbatim:
                return json.loads(json.dumps(self._verbatim[order_id]))  # type: ignore[no-any-return]
            order: Row = json.loads(json.dumps(self._orders[order_id]))
            order["customer"] = self._customer(order["customer"])
            order["customer_account"] = self._shown_account(order["customer_account"])
            if self.switches.archived_key == "present":
                order["is_archived"] = order_id in self._archived
            if items:
                order["order_items"] = [
                    item | {"licenses": [self.license(one) for one in item["licenses"]]}
                    for item in self._items[order_id]
                ]
            return order

    def _customer(self, customer_id: int | None) -> Row | None:
        if customer_id is None:
            return None
        shown: Row = json.loads(json.dumps(self._customers[customer_id]))
        return shown

    def _shown_account(self, account_id: int | None) -> Row | int | str | None:
        if account_id is None:
            return None
        account = self._accounts[account_id]
        forms: dict[str, Row | int | str] = {
            "object": dict(account),
            "id": account_id,
            "text": account["name"],
        }
        return forms[self.switches.customer_account]

    def _check_create(self, request: object, *, needs_id: bool) -> None:
        if not isinstance(request, dict):
            raise self._bad("An object is expected.")
        items = request.get("items")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._bad("items: a list of objects is expected.")
        refused = needs_id and self.switches.create_without_id == "refused"
        if not request.get("id") and refused:
            raise self._bad("id: this field is required.")
        if not isinstance(request.get("id", ""), str):
            raise self._bad("id: a text is expected.")
        for item in items:
            if item.get("product_code") not in PRODUCTS:
                raise self._bad(f"product_code: {item.get('product_code')!r} is unknown.")
        try:
            metadata = json.loads(request.get("metadata") or "{}")
            datetime.fromisoformat(request.get("created") or "2017-03-15 22:13:01")
        except (ValueError, TypeError):
            metadata = None
        if not isinstance(metadata, dict):
            raise self._bad("metadata is a text that holds a JSON object; created is a time.")

    def _check_patch(self, order_id: int, changes: Row) -> None:
        for key, value in changes.items():
            kind = _PATCHED[key]
            fits = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
            if not fits and not (value is None and key in _NULLABLE):
                raise self._bad(f"{key}: the value is of the wrong kind.")
        if self._store_ids.get(changes.get("store_id", ""), order_id) != order_id:
            raise self._bad("store_id: an order with this id exists.")
        customer = changes.get("customer")
        if customer is not None and customer not in self._customers:
            raise self._bad(f"customer: {customer} does not exist.")
        account = changes.get("customer_account")
        if isinstance(account, int) and account not in self._accounts:
            raise self._bad(f"customer_account: {account} does not exist.")

    def _add_order(self, request: Row, now: datetime, order_id: int | None = None) -> int:
        order_id = self._new_id(now) if order_id is None else order_id
        created = now
        if request.get("created"):
            created = datetime.fromisoformat(request["created"]).replace(tzinfo=UTC)
        if self.switches.created_at_precision == "seconds":
            created = created.replace(microsecond=0)
        customer = self._known_customer(request["customer"]) if request.get("customer") else None
        store_id = request.get("id") or f"{self._rng.getrandbits(128):032x}"
        account = request.get("customer_account_id")
        self._orders[order_id] = {
            "id": order_id,
            "created_at": stamp(created),
            "updated_at": stamp(now),
            "store_id": store_id,
            "type": request.get("order_type") or "normal",
            "customer_email": None,
            "is_test": bool(request.get("is_test")),
            "customer_reference": "",
            "is_trial": bool(request.get("is_trial")),
            "download_id": request.get("download_id"),
            "language": request.get("language"),
            "campaign_params": request.get("campaign_params"),
            "customer_first_name": None,
            "customer_last_name": None,
            "customer_company": None,
            "customer_phone": None,
            "metadata": json.loads(request.get("metadata") or "{}"),
            "company": COMPANY,
            "customer": customer,
            "customer_account": None if account is None else self._account(account),
            "license_users": [],
        }
        self._items[order_id] = []
        self._store_ids[store_id] = order_id
        self._count(customer, orders=1)
        return order_id

    def _add_item(self, order_id: int, request: Row, now: datetime) -> None:
        sold = PRODUCTS[request["product_code"]]
        item: Row = {"id": self._new_id(now), "product_id": sold["id"], "licenses": []}
        self._items[order_id].append(item)
        for asked in request.get("licenses") or []:
            license_id = self._new_id(now)
            item["licenses"].append(license_id)
            self._licenses[license_id] = self._new_license(order_id, item, asked, now) | {
                "id": license_id
            }
            self._count(self._orders[order_id]["customer"], licenses=1)

    def _new_license(self, order_id: int, item: Row, asked: Row, now: datetime) -> Row:
        short_code = product(item["product_id"])["short_code"]
        created = now.replace(microsecond=0)
        duration = str(asked.get("valid_duration") or "")
        days = int(duration[:-1]) * _DAYS.get(duration[-1], 1) if duration[:-1].isdigit() else 0
        options = {key: asked[key] for key in _LICENSE_OPTIONS if key in asked}
        return {
            "id": 0,
            "order": order_id,
            "order_item": item["id"],
            "order_store_id": "",
            "license_key": asked.get("key") or self.new_keys(1)[0],
            "status": "Inactive",
            "active": False,
            "enabled": True,
            "is_trial": self._orders[order_id]["is_trial"],
            "license_type": PRODUCTS[short_code]["sold"],
            "created_at": stamp(created),
            "updated_at": stamp(now),
            "validity_period": stamp(created + timedelta(days=days)) if days else None,
            "valid_duration": None,
            "max_activations": 1,
            "times_activated": 0,
            "time_activated": None,
            "subscription_id": None,
            "note": "",
            **options,
            "product": item["product_id"],
            "customer": None,
            "product_features": [],
            "product_custom_fields": [],
            "license_users": [self._new_user(one, short_code) for one in asked.get("users") or []],
        }

    def _new_user(self, asked: Row, short_code: str) -> Row:
        self._users += 1
        shown = user(self._users, short_code) | {"is_manager": bool(asked.get("is_manager"))}
        if asked.get("email"):
            shown |= {"email": f"{asked['email']}|{short_code}", "true_email": asked["email"]}
        return shown

    def _known_customer(self, asked: Row) -> int:
        key = str(asked.get("email") or asked.get("reference"))
        if key not in self._customer_ids:
            customer_id = 600 + len(self._customers)
            self._customer_ids[key] = customer_id
            texts = {name: asked.get(name) or "" for name in _CUSTOMER_TEXTS}
            texts["company_name"] = texts["company_name"] or asked.get("company") or ""
            self._customers[customer_id] = {
                "id": customer_id,
                "total_orders": 0,
                "total_licenses": 0,
                "labels": [{"id": 3, "label_id": 8, "label": "Customer", "color": "#ff9f43"}],
                **texts,
                "clabels_all": "customer",
                "cognito_user_pool_id": "",
                "metadata": {},
                "company": COMPANY,
                "license_user": None,
                "clabels": [8],
            }
        return self._customer_ids[key]

    def _account(self, asked: int | str) -> int:
        found = asked if isinstance(asked, int) else 40 + len(self._accounts)
        for account_id, account in self._accounts.items():
            if asked in (account_id, account["name"]):
                return account_id
        self._accounts[found] = {"id": found, "name": str(asked), "code": f"acc-{found}"}
        return found

    def _count(self, customer_id: int | None, *, orders: int = 0, licenses: int = 0) -> None:
        if customer_id is not None:
            customer = self._customers[customer_id]
            customer["total_orders"] += orders
            customer["total_licenses"] += licenses

    def _new_id(self, now: datetime) -> int:
        number = (now - EPOCH) // timedelta(microseconds=1)
        while number in self._used:
            number += 1
        self._used.add(number)
        return number
