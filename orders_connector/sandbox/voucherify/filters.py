"""The filters of an export (`POST /v1/orders/export`)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from orders_connector.sandbox.clock import microseconds
from orders_connector.sandbox.voucherify.errors import bad_payload
from orders_connector.sandbox.voucherify.listing import Record
from orders_connector.sandbox.voucherify.switches import Switches

__all__ = ["matcher"]

Test = Callable[[Record, dict[str, Any]], bool]

_DATES = ("created_at", "updated_at")
_IDS = ("id", "customer_id", "referrer_id")
_GENERAL = (
    "status",
    "source_id",
    "amount",
    "total_amount",
    "discount_amount",
    "total_discount_amount",
    "items_discount_amount",
)
_PRECISION = {"microseconds": 1, "milliseconds": 1_000, "seconds": 1_000_000}
_DAY = timedelta(days=1) // timedelta(microseconds=1)


def matcher(filters: object, switches: Switches, now: int) -> tuple[Test, bool]:
    """Turn the `filters` of an export into a test.

    Args:
        filters: field to conditions, with `junction`; None or `{}` lets everything through.
        switches: how bounds, nulls and several conditions work.
        now: microseconds since 1970 UTC, for the operators that count days back.

    Returns:
        tuple[Test, bool]: the test, taking a record and its decoded order; and whether it looks
        into the order at all (otherwise it may be given an empty one).

    Raises:
        ApiError: 400 `invalid_payload` for an unknown field, operator or value.
    """
    if not isinstance(filters, dict | None):
        raise bad_payload("Property .parameters.filters should be object")
    given = dict(filters or {})
    junction = given.pop("junction", "and")
    if junction not in ("and", "or"):
        raise bad_payload(
            "Property .parameters.filters.junction should be equal to one of the allowed "
            "values [ and, or ]"
        )
    join = all if junction == "and" else any
    inner = any if switches.export_conditions == "junction" and junction == "or" else all
    fields: list[tuple[Callable[..., bool], list[Test]]] = []
    for field, asked in given.items():
        conditions = asked.get("conditions") if isinstance(asked, dict) else None
        if not isinstance(conditions, dict) or not conditions:
            raise _unknown_form()
        tests = [_test(field, name, value, switches, now) for name, value in conditions.items()]
        fields.append((inner, tests))

    def matches(record: Record, order: dict[str, Any]) -> bool:
        results = (how(test(record, order) for test in tests) for how, tests in fields)
        return not fields or join(results)

    return matches, any(field not in _DATES for field in given)


def _test(field: str, operator: str, value: object, switches: Switches, now: int) -> Test:
    values: list[Any] = value if isinstance(value, list) else [value]
    if field in _DATES:
        return _date_test(field, operator, values, switches)
    ids = _IDS if switches.export_id_filters == "accepted" else ()
    if field not in (*_GENERAL, *ids) and not field.startswith("metadata."):
        raise bad_payload(f"Property .parameters.filters.{field} is not allowed")
    check = _OPERATORS.get(operator)
    if check is None:
        raise _unknown_form()
    known_check = check

    def test(_: Record, order: dict[str, Any]) -> bool:
        if field.startswith("metadata."):
            found = (order.get("metadata") or {}).get(field.removeprefix("metadata."))
        else:
            found = order.get(field)
        try:
            return known_check(found, values, now)
        except TypeError:  # a text compared with a number matches nothing
            return False

    return test


def _date_test(field: str, operator: str, values: list[Any], switches: Switches) -> Test:
    if operator not in ("$after", "$before"):
        raise _unknown_form()
    bound = microseconds(values[0]) if len(values) == 1 else None
    if bound is None:
        raise bad_payload(
            f"Property .parameters.filters.{field} cannot be recognized as a ISO-8601 "
            "compliant date"
        )
    step = _PRECISION[switches.export_bound_precision]
    edge = bound // step
    inclusive = switches.export_bounds == "inclusive"
    shown = switches.export_null_updated_at == "shown"
    after = operator == "$after"

    def test(record: Record, _: dict[str, Any]) -> bool:
        moment = record.created if field == "created_at" else record.updated
        if moment is None:
            return shown
        place = moment // step
        if place == edge:
            return inclusive
        return (place > edge) == after

    return test


def _days_back(found: object, now: int) -> float:
    moment = microseconds(found)
    if moment is None:
        raise TypeError
    return (now - moment) / _DAY


def _listed(found: object) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _text(found: object) -> str:
    return "" if found is None else str(found)


_OPERATORS: dict[str, Callable[[Any, list[Any], int], bool]] = {
    "$in": lambda found, values, _: any(one in values for one in _listed(found)),
    "$not_in": lambda found, values, _: not any(one in values for one in _listed(found)),
    "$is": lambda found, values, _: found == values[0],
    "$is_not": lambda found, values, _: found != values[0],
    "$has_value": lambda found, _, __: found is not None,
    "$is_unknown": lambda found, _, __: found is None,
    "$contains": lambda found, values, _: any(str(v) in _text(found) for v in values),
    "$not_contain": lambda found, values, _: not any(str(v) in _text(found) for v in values),
    "$starts_with": lambda found, values, _: any(_text(found).startswith(str(v)) for v in values),
    "$ends_with": lambda found, values, _: any(_text(found).endswith(str(v)) for v in values),
    "$more_than": lambda found, values, _: found > values[0],
    "$less_than": lambda found, values, _: found < values[0],
    "$more_than_equal": lambda found, values, _: found >= values[0],
    "$less_than_equal": lambda found, values, _: found <= values[0],
    "$after": lambda found, values, _: _text(found) > str(values[0]),
    "$before": lambda found, values, _: found is not None and _text(found) < str(values[0]),
    "$is_days_ago": lambda found, values, now: int(_days_back(found, now)) == values[0],
    "$more_than_ago": lambda found, values, now: _days_back(found, now) > values[0],
    "$less_than_ago": lambda found, values, now: 0 <= _days_back(found, now) < values[0],
    "$is_days_in_future": lambda found, values, now: int(-_days_back(found, now)) == values[0],
    "$more_than_future": lambda found, values, now: -_days_back(found, now) > values[0],
    "$less_than_future": lambda found, values, now: 0 <= -_days_back(found, now) < values[0],
    "$count": lambda found, values, _: len(found) == values[0],
    "$count_less": lambda found, values, _: len(found) < values[0],
    "$count_more": lambda found, values, _: len(found) > values[0],
}


def _unknown_form() -> Exception:
    operators = ", ".join(_OPERATORS)
    return bad_payload(
        "Property .parameters.filters should match `filters[field][conditions][condition]` and "
        f"condition must be one of: {operators}"
    )
