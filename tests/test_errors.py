"""The error tree: complete in its own drawing, stable in its exit codes, fit to be stored."""

import pickle
import re

import pytest

from orders_connector import errors

CLASSES = [getattr(errors, name) for name in errors.__all__ if name != "SourceContext"]


def test_the_drawing_shows_every_class_below_its_parent():
    drawn = re.findall(r"^([ │├└─]*)(\w+) +(?:exit (\d))?", errors.__doc__, re.MULTILINE)
    path, tree = [], {}
    for indent, name, code in drawn:
        if name not in errors.__all__:
            continue
        path[len(indent) // 4 :] = [name]
        tree[name] = (path[-2] if len(path) > 1 else None, code)
    assert tree.keys() == {kind.__name__ for kind in CLASSES}
    for kind in CLASSES:
        parent, code = tree[kind.__name__]
        assert kind.__base__.__name__ == (parent or "Exception")
        if code:
            assert kind.exit_code == int(code), kind
        else:
            assert kind.exit_code == kind.__base__.exit_code, kind


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_survives_a_process_boundary_and_holds_no_secret(kind):
    error = kind("refused https://d.test/f?token=s3cr3t")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "refused https://d.test/f?token=[redacted]"


def test_a_source_error_tells_where_it_happened():
    error = errors.RateLimited(
        "Wait.",
        account="shop",
        method="GET",
        path="/v1/orders?token=s3cr3t",
        status=429,
        key="k",
        details="Bearer s3cr3t-long",
        request_id="v-1",
        retry_after=3.0,
    )
    assert str(pickle.loads(pickle.dumps(error))) == (
        "Wait. [account: shop; request: GET /v1/orders?token=[redacted]; status: 429; key: k; "
        "details: Bearer [redacted]; request id: v-1]"
    )
    assert error.context["path"] == "/v1/orders?token=[redacted]"
