"""Takes secrets out of an answer before anything of it is stored.

Orders and licenses come with license keys and with the first passwords of their users. They are
replaced by a mark in the JSON text itself; every other byte stays as it was sent, so that ids keep
their digits and a stored payload is still what the source said.

A secret is known by the name of its key, wherever it stands and however it is written: nested at
any depth, with escapes in the name, twice in one object, or in JSON that is itself a text inside
JSON, as metadata may be. Flags such as ``is_initial_password`` are no secrets and stay. What this
cannot find is a secret in free text, or under a name that does not say so.
"""

import json
import re

__all__ = ["MARK", "SECRET_FIELDS", "redacted"]

MARK = "[redacted]"

# What the documentation shows, and the names beside it that could only mean the same.
SECRET_FIELDS = (
    "license_key",
    "license_keys",
    "initial_password",
    "password",
    "passwords",
    "new_password",
)
_SECRET = re.compile(r"(?:license[_ -]?keys?|passwords?)$", re.ASCII | re.IGNORECASE)

# A text without any of these holds no such name: neither plainly nor with an ASCII character
# escaped, at whatever depth of texts in texts the escape stands.
_SUSPECT = re.compile(rb"(?i)license[_ -]?key|password|\\u00[2-7][0-9a-f]")
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rb"(" + _STRING + rb")(\s*:\s*)?")
_BRACKET = re.compile(_STRING + rb"|([\[{])|([\]}])")
_LITERAL = re.compile(rb"[^\s,\]}]+")
_FLAGS = (b"true", b"false", b"null")
_MARK = json.dumps(MARK).encode()

# Numbers stay text: they are not looked at, and Python refuses to read very long ones.
_check = json.JSONDecoder(parse_int=str, parse_float=str).decode


def redacted(body: bytes) -> bytes:
    """Replace each secret in a JSON body by a mark; all other bytes stay.

    A body without secrets is returned as it is, nearly always without being parsed. Inside a text
    that is JSON itself and holds a secret, the same text is written with other escapes. Redacting
    twice changes nothing more.

    Args:
        body: JSON in UTF-8.

    Returns:
        The body to store.

    Raises:
        ValueError: It may hold a secret and is not JSON in UTF-8, so nobody can say where the
            secret ends; do not store it. The message holds nothing of the body.
    """
    if b"\x00" not in body and not _SUSPECT.search(body):
        return body
    try:
        _check(body.decode())
        return _replaced(body)
    except (ValueError, RecursionError):
        # Without the cause: it carries the text.
        raise ValueError("a body that may hold secrets is not readable as JSON") from None


def _replaced(body: bytes) -> bytes:
    """Do the work of `redacted` on valid JSON."""
    pieces: list[bytes] = []
    done = at = 0
    while token := _TOKEN.search(body, at):
        at = token.end()
        mark, start, end = None, *token.span(1)
        if token[2] and _is_secret(token[1]):
            mark, start, end = _MARK, at, _end_of_value(body, at)
            at = end
            if body[start:end] in _FLAGS:
                continue
        elif b"\\" in token[1]:  # a name in JSON in a text has quotes, and these are escaped
            mark = _text_replaced(token[1])
        if mark is not None:
            pieces += body[done:start], mark
            done = end
    return b"".join([*pieces, body[done:]])


def _is_secret(name: bytes) -> bool:
    # Nearly all names are none, and are not worth decoding.
    return bool(_SUSPECT.search(name) and _SECRET.search(json.loads(name)))


def _end_of_value(body: bytes, start: int) -> int:
    if body[start : start + 1] not in (b'"', b"[", b"{"):
        literal = _LITERAL.match(body, start)
        assert literal is not None  # noqa: S101 - in valid JSON a value follows the colon
        return literal.end()
    depth, at = 0, start
    while True:
        token = _BRACKET.search(body, at)
        assert token is not None  # noqa: S101 - brackets match in valid JSON
        depth += bool(token[1]) - bool(token[2])
        at = token.end()
        if not depth:
            return at


def _text_replaced(token: bytes) -> bytes | None:
    """Return the text with its secrets replaced; None when it is no JSON or holds none."""
    text: str = json.loads(token)
    inner = text.encode("utf-8", "surrogatepass")
    if not _SUSPECT.search(inner):
        return None
    try:
        _check(text)
    except ValueError:
        return None
    outer = _replaced(inner)
    if outer == inner:
        return None
    return json.dumps(outer.decode("utf-8", "surrogatepass")).encode()
