"""Redaction: no secret is missed, and no other byte is touched."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_connector.sources import secrets
from orders_connector.sources.licensespring.secrets import MARK, SECRET_FIELDS, redacted

ORDER = """{
  "id": 1772928012345678, "note": "größe \\u00e9 \\"a\\"",  "rate": 1.50,
  "order_items": [{"licenses": [
    {"id": 1, "license_key": "AAAA-BBBB", "status":"Active",
     "license_users": [{"email": "u@example.com", "initial_password" : "hunter2",
                        "is_initial_password": true}]},
    {"id": 2, "license_key": null}
  ]}]
}"""


def test_an_order_loses_its_secrets_and_nothing_else():
    expected = ORDER.replace("AAAA-BBBB", MARK).replace("hunter2", MARK)
    assert redacted(ORDER.encode()) == expected.encode()


# Large bodies are searched in another way, and where no text has an escape in a third.
SIZES = pytest.mark.parametrize("blanks", [0, secrets._SMALL], ids=["small", "large"])


@SIZES
@pytest.mark.parametrize("checked", [False, True], ids=["unknown", "checked"])
@pytest.mark.parametrize("name", SECRET_FIELDS)
@pytest.mark.parametrize(
    "value", ['"s3cr3t"', '"s3\\"cr3t"', '""', "53237", "-1.5e3", "{}", '{"password":[1]}']
)
def test_each_field_is_redacted_whatever_it_holds(name, value, blanks, checked):
    body = " " * blanks + f'{{"a":1,"{name}": {value} ,"b":[{{"{name}":{value}}}]}}'
    mark = f'"{MARK}"'
    expected = " " * blanks + f'{{"a":1,"{name}": {mark} ,"b":[{{"{name}":{mark}}}]}}'
    assert redacted(body.encode(), checked=checked) == expected.encode()


@given(
    pieces=st.lists(
        st.sampled_from(
            (
                *(b"license_key", b"LICENSE-key", b"Passwords", b"check", b"CVV", b"cvv2"),
                *(b'"', b"\\", b"\\u0063", b"\\u00E9", b"\xff", b"\x00", b"\n", b" ", b"_"),
                "\u212aey\u017f".encode(),
            )
        ),
        max_size=30,
    )
)
def test_large_bodies_are_searched_for_the_same_names(pieces):
    names = secrets.SecretNames(("license_key", "password"), whole=("check", "cvv", "cvv2"))
    small = b"".join(pieces)
    places = [found.start() for found in names._suspect.finditer(small)]
    assert names._places(small + b" " * secrets._SMALL) == places


@SIZES
@pytest.mark.parametrize(
    "name",
    ["License_Key", "licenseKey", "initialPassword", "lic\\u0065nse_key", "\\u0070assword"],
)
def test_other_spellings_of_a_name_are_seen_through(name, blanks):
    body = " " * blanks + f'{{"{name}":"s3cr3t"}}'
    assert redacted(body.encode()) == body.replace("s3cr3t", MARK).encode()


@SIZES
@pytest.mark.parametrize(
    "body",
    [
        '{"is_initial_password":true,"license_key":null,"password":false}',
        '{"license_keys_left":3,"password_changed_at":"2026-01-01","key":"a"}',
        '{"note":"license_key: see the letter","text":"say \\"password\\""}',
        '["license_key","AAAA"]',
        '{"note":"{\\"license_key\\": cut off"}',
        '{"note":"a license_key, then a password","password" : null,"n":["password"]}',
        "{}",
    ],
)
def test_what_is_no_secret_stays(body, blanks):
    body = " " * blanks + body
    assert redacted(body.encode()) == body.encode()


@SIZES
def test_both_of_two_equal_names_are_redacted(blanks):
    body = " " * blanks + '{"license_key":"one","license_key":"two"}'
    expected = body.replace("one", MARK).replace("two", MARK)
    assert redacted(body.encode()) == expected.encode()


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_json_in_a_text_is_redacted_too(depth):
    value = {"invoice": "INV-5\u00e9", "license_key": "s3cr3t"}
    for _ in range(depth):
        value = {"metadata": json.dumps(value)}
    found = json.loads(redacted(json.dumps(value).encode()))
    for _ in range(depth):
        found = json.loads(found["metadata"])
    assert found == {"invoice": "INV-5\u00e9", "license_key": MARK}


@pytest.mark.parametrize(
    "body",
    [
        b'{"license_key":' + b"9" * 5_000 + b"}",
        b'{"a":"\\ud800","license_key":"s3cr3t"}',
        b"[" * 300 + b'{"license_key":"s3cr3t"}' + b"]" * 300,
    ],
    ids=["long number", "half a pair", "deep"],
)
def test_json_that_the_quick_reader_refuses_is_redacted_all_the_same(body):
    value = b"9" * 5_000 if b"9" in body else b'"s3cr3t"'
    assert redacted(body) == body.replace(value, f'"{MARK}"'.encode())


@SIZES
@pytest.mark.parametrize(
    "body",
    [
        b'{"license_key":"s3cr3t',
        b'{"license_key" "s3cr3t"}',
        b"{'license_key':'s3cr3t'}",
        b'{"license_key":"s3cr3t"}x',
        b'{"license_key":"s3cr3t\xff"}',
        '{"license_key":"s3cr3t"}'.encode("utf-16"),
        b"[" * 100_000 + b'{"license_key":"s3cr3t"}',
    ],
)
def test_a_body_that_cannot_be_read_is_refused_without_quoting_it(body, blanks):
    with pytest.raises(ValueError, match="not readable as JSON") as caught:
        redacted(b" " * blanks + body)
    assert "s3cr3t" not in repr(caught.value)
    assert caught.value.__suppress_context__


# --- any JSON, written in any way -----------------------------------------------------------

CANARY = "canary"
NAMES = st.sampled_from([*SECRET_FIELDS, "id", "note", "metadata", 'a"b', "\\", "licensed"])
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(['{"license_key"', "license_key", '"', "\\", "\\u006c", "}{][,:", "\ud800"])
)
SECRETS = st.sampled_from(
    [CANARY, f'{CANARY}"]}}\\', [CANARY, {"x": CANARY}], {"password": CANARY}]
)


def objects(inner):
    return st.lists(
        st.tuples(NAMES, inner).flatmap(
            lambda pair: st.tuples(
                st.just(pair[0]), SECRETS if pair[0] in SECRET_FIELDS else st.just(pair[1])
            )
        ),
        max_size=4,
        unique_by=lambda pair: pair[0],
    ).map(dict)


TREES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | objects(inner),
    max_leaves=12,
)
TEXTS = objects(TREES | TREES.map(json.dumps) | objects(TREES).map(json.dumps).map(json.dumps))


def clean(value):
    """Redact parsed JSON: the same rule, told in another way."""
    if isinstance(value, dict):
        return {k: MARK if k in SECRET_FIELDS else clean(v) for k, v in value.items()}
    if isinstance(value, list):
        return [clean(part) for part in value]
    return value


def opened(value):
    """Parse JSON in texts, at any depth."""
    if isinstance(value, dict):
        return {k: opened(v) for k, v in value.items()}
    if isinstance(value, list):
        return [opened(part) for part in value]
    if isinstance(value, str):
        try:
            inner = json.loads(value)
        except ValueError:
            return value
        return ["text", opened(inner)]
    return value


def written(value, rng):
    """Write JSON with blanks and escapes wherever they may stand."""
    blank = lambda: rng.choice(["", "", " ", "\n\t"])  # noqa: E731
    if isinstance(value, dict):
        pairs = (
            f"{blank()}{text(k, rng)}{blank()}:{blank()}{written(v, rng)}{blank()}"
            for k, v in value.items()
        )
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(blank() + written(v, rng) + blank() for v in value) + "]"
    return text(value, rng) if isinstance(value, str) else json.dumps(value)


def text(value, rng):
    if rng.random() < 0.3:
        return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 65536 else c for c in value) + '"'
    has_surrogates = any(0xD800 <= ord(c) < 0xE000 for c in value)
    return json.dumps(value, ensure_ascii=has_surrogates or rng.random() < 0.5)


# Large bodies are searched in another way.
BLANKS = st.sampled_from(["", " " * secrets._SMALL])


@given(tree=TREES | objects(TREES), rng=st.randoms(use_true_random=False), blanks=BLANKS)
def test_only_the_values_of_secrets_are_replaced_byte_for_byte(tree, rng, blanks):
    body = blanks + written(tree, rng)
    found = redacted(body.encode())
    assert json.loads(found) == clean(json.loads(body))
    # What is left of the body around the marks stands in it, in the same order.
    rest, at = body.encode(), 0
    for piece in found.split(json.dumps(MARK).encode()):
        at = rest.index(piece, at) + len(piece)
    assert redacted(found) == found


@given(tree=TEXTS, blanks=BLANKS)
def test_no_secret_is_left_in_texts_that_are_json(tree, blanks):
    found = redacted((json.dumps(tree) + blanks).encode())
    assert CANARY not in json.dumps(opened(json.loads(found)))
    assert opened(json.loads(found)) == clean(opened(tree))
