"""Imports of past orders, and the async actions that report on them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from orders_connector.sandbox.clock import microseconds, stamp
from orders_connector.sandbox.voucherify.errors import ApiError, bad_payload, bad_query, not_found
from orders_connector.sandbox.voucherify.pricing import given, priced_items
from orders_connector.sandbox.voucherify.shop import Order, Shop

__all__ = ["AsyncActions"]

_MOST = 2_000
_DURATION = 1_186  # milliseconds that an action says it took


@dataclass
class _Action:
    id: str
    type: str
    created: datetime
    request_id: str
    result: dict[str, Any]
    polls: int = 0


class AsyncActions:
    """What runs in the background. The work is done at once; only its report comes later.

    Args:
        shop: whose orders are imported.
    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._actions: dict[str, _Action] = {}

    def import_orders(self, body: object, request_id: str) -> dict[str, str]:
        """Answer `POST /v1/orders/import`.

        Args:
            body: an array of at most 2,000 orders.
            request_id: goes into the async action.

        Returns:
            dict[str, str]: `async_action_id`. Rows may still have failed: see its result.

        Raises:
            ApiError: 400 `invalid_payload` for the body as a whole.
        """
        orders = self._checked(body)
        failed: list[dict[str, Any]] = []
        for order in orders:
            try:
                self._shop.imported(order)
            except ApiError as error:
                failed.append({"source_id": order.get("source_id"), "reason": error.details})
        done = len(orders) - len(failed)
        result = {
            "message": f"{done} order(s) imported successfully, {len(failed)} failed.",
            "failed": failed,
            "done_count": done,
            "failed_count": len(failed),
        }
        return {"async_action_id": self._add("ORDERS.IMPORT", request_id, result)}

    def purge_metadata_key(self, key: str) -> str:
        """Purge a metadata key as the dashboard does; returns the async action's id."""
        count = self._shop.purge_metadata_key(key)
        result = {"message": f"Updated {count} orders.", "done_count": count}
        return self._add("ORDERS.METADATA_KEY_PURGE", self._shop.new_id("w-"), result)

    def get(self, action_id: str) -> dict[str, Any]:
        """Answer `GET /v1/async-actions/{asyncActionId}`; counts as one poll.

        Raises:
            ApiError: 404 `not_found`.
        """
        with self._shop.lock:
            if action_id not in self._actions:
                raise not_found("async_action", action_id)
            action = self._actions[action_id]
            action.polls += 1
            described = self._described(action)
            if described["status"] == "DONE":
                described |= {"result": action.result, "processing_time": _DURATION}
            return described

    def page(self, limit: int, end_date: str | None) -> dict[str, Any]:
        """Answer `GET /v1/async-actions`, newest first.

        Args:
            limit: most actions in the answer.
            end_date: ISO 8601; only actions scheduled before it.

        Raises:
            ApiError: 400 `invalid_query_params`.
        """
        end = None if end_date is None else microseconds(end_date)
        if end_date is not None and end is None:
            raise bad_query("Property .end_date cannot be recognized as a ISO-8601 compliant date")
        with self._shop.lock:
            found = [
                action
                for action in reversed(self._actions.values())
                if end is None or (microseconds(stamp(action.created)) or 0) < end
            ]
            return {
                "object": "list",
                "data_ref": "async_actions",
                "async_actions": [self._described(action) for action in found[:limit]],
                "has_more": len(found) > limit,
            }

    def _add(self, kind: str, request_id: str, result: dict[str, Any]) -> str:
        with self._shop.lock:
            action_id = self._shop.new_id("aa_")
            now = self._shop.clock.now()
            self._actions[action_id] = _Action(action_id, kind, now, request_id, result)
            return action_id

    def _described(self, action: _Action) -> dict[str, Any]:
        needed = self._shop.switches.import_polls
        done = action.polls >= needed
        described: dict[str, Any] = {
            "id": action.id,
            "type": action.type,
            "status": "DONE" if done else "IN_PROGRESS" if action.polls else "ENQUEUED",
            "created_at": stamp(action.created),
            "updated_at": stamp(action.created),
            "request_id": action.request_id,
            "progress": 100 if done else 100 * action.polls // needed,
            "object": "async_action",
        }
        return described | ({"operation_status": "SUCCESS"} if done else {})

    def _checked(self, body: object) -> list[Order]:
        if not isinstance(body, list):
            raise bad_payload("Property . should be array")
        if len(body) > _MOST:
            raise bad_payload(f"Property . should NOT have more than {_MOST} items")
        orders = given(body)
        for place, order in enumerate(orders):
            if not isinstance(order, dict):
                raise bad_payload(f"Property .[{place}] should be object")
            if "created_at" in order and self._shop.switches.import_created_at == "rejected":
                raise bad_payload(f"Property .[{place}].created_at is not allowed")
            if "items" in order:
                priced_items(order["items"], {})
        return cast(list[Order], orders)
