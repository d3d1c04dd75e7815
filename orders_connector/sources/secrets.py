"""Takes secrets out of an answer before anything of it is stored.

They are replaced by a mark in the JSON text itself; every other byte stays as it was sent, so that
ids keep their digits and a stored payload is still what the source said.

A secret is known by the name of its key, wherever it stands and however it is written: nested at
any depth, with escapes in the name, twice in one object, or in JSON that is itself a text inside
JSON, as metadata may be. Flags are no secrets and stay. What this cannot find is a secret in free
text, or under a name that does not say so.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator

__all__ = ["MARK", "SecretNames"]

MARK = "[redacted]"

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rb"(" + _STRING + rb")(\s*:\s*)?")
_BRACKET = re.compile(_STRING + rb"|([\[{])|([\]}])")
_LITERAL = re.compile(rb"[^\s,\]}]+")
_FLAGS = (b"true", b"false", b"null")
_MARK = json.dumps(MARK).encode()
# An ASCII character of a name may be escaped, at whatever depth of texts in texts the name stands.
_ESCAPE = r"\\u00[2-7][0-9a-f]"

# Numbers stay text: they are not looked at, and Python refuses to read very long ones.
_check = json.JSONDecoder(parse_int=str, parse_float=str).decode


class SecretNames:
    """The names by which one source's secrets are known, in any case and with any separator.

    Attributes:
        names: As given.
    """

    def __init__(self, ends: Collection[str], *, whole: Collection[str] = ()) -> None:
        """Set up.

        Args:
            ends: What a name may end with, in words such as `license_key`; a plural counts too.
            whole: Names that are too short for that, such as `check`: only these themselves.
        """
        self.names = (*ends, *whole)
        end, exact = "|".join(map(_written, ends)), "|".join(map(_written, whole))
        secret = rf"(?:{end})s?$" + (rf"|^(?:{exact})$" if exact else "")
        self._secret = re.compile(secret, re.ASCII | re.IGNORECASE)
        self._named = re.compile(rf'(?:{end}|{exact or end})s?"\s*:'.encode())
        # What has none of these holds no such name; a short one only where it ends a text.
        suspect = rf"{end}|{_ESCAPE}" + (rf'|(?:{exact})\\*"' if exact else "")
        self._suspect = re.compile(suspect.encode(), re.IGNORECASE)

    def redacted(
        self, body: bytes, *, found: Callable[[str, bytes], object] | None = None
    ) -> bytes:
        """Replace each secret in a JSON body by a mark; all other bytes stay.

        A body without secrets is returned as it is, nearly always without being parsed. Inside a
        text that is JSON itself and holds a secret, the same text is written with other escapes.
        Redacting twice changes nothing more.

        Args:
            body: JSON in UTF-8.
            found: Told the name and the JSON text of each secret.

        Returns:
            The body to store.

        Raises:
            ValueError: It may hold a secret and is not JSON in UTF-8, so nobody can say where the
                secret ends; do not store it. The message holds nothing of the body.
        """
        if b"\x00" not in body and not self._suspect.search(body):
            return body
        try:
            _check(body.decode())
            return self._replaced(body, found)
        except (ValueError, RecursionError):
            # Without the cause: it carries the text.
            raise ValueError("a body that may hold secrets is not readable as JSON") from None

    def harmless_beginning(self, text: str) -> str:
        """Cut a text that is no JSON before the first place that may name a secret."""
        found = self._suspect.search(text.encode("utf-8", "replace"))
        if found is None and "\x00" not in text:
            return text
        end = found.start() if found else 0
        return text.encode("utf-8", "replace")[:end].decode("utf-8", "ignore") + MARK

    def _replaced(self, body: bytes, told: Callable[[str, bytes], object] | None) -> bytes:
        """Do the work of `redacted` on valid JSON."""
        pieces: list[bytes] = []
        done = 0
        for name, start, end in self._found(body):
            value = body[start:end]
            if name is not None and told:
                told(name, value)
            mark = self._text_replaced(value, told) if name is None else _MARK
            if mark is not None:
                pieces += body[done:start], mark
                done = end
        return b"".join([*pieces, body[done:]])

    def _found(self, body: bytes) -> Iterator[tuple[str | None, int, int]]:
        """Yield the name, begin and end of each secret; without a name, texts that may hold one.

        Pages are large and secrets few, so texts are not looked at one by one: only those with a
        backslash, and those that end like a secret's name and stand before a colon.
        """
        plain, at = body.lower(), 0
        named, escaped = self._named.search(plain), body.find(b"\\")
        while named or escaped >= 0:
            # From `at`, which is outside of any text, up to the nearer one every quote is a bound.
            is_plain = named is not None and not 0 <= escaped < named.end()
            place = named.start() if named and is_plain else escaped
            token = _TOKEN.match(body, body.rfind(b'"', at, place))
            assert token is not None  # noqa: S101 - in valid JSON both stand in a text
            at = token.end()
            if token[2] and self._is_secret(token[1]):
                start, at = at, _end_of_value(body, at)
                if body[start:at] not in _FLAGS:
                    yield json.loads(token[1]), start, at
            elif not is_plain:  # a name in JSON in a text has quotes, and these are escaped
                yield None, *token.span(1)
            if named and named.start() < at:
                named = self._named.search(plain, at)
            if 0 <= escaped < at:
                escaped = body.find(b"\\", at)

    def _is_secret(self, name: bytes) -> bool:
        # Nearly all names are none, and are not worth decoding.
        return bool(self._suspect.search(name) and self._secret.search(json.loads(name)))

    def _text_replaced(
        self, token: bytes, told: Callable[[str, bytes], object] | None
    ) -> bytes | None:
        """Return the text with its secrets replaced; None when it is no JSON or holds none."""
        text: str = json.loads(token)
        inner = text.encode("utf-8", "surrogatepass")
        if not self._suspect.search(inner):
            return None
        try:
            _check(text)
        except ValueError:
            return None
        outer = self._replaced(inner, told)
        if outer == inner:
            return None
        return json.dumps(outer.decode("utf-8", "surrogatepass")).encode()


def _written(name: str) -> str:
    return "[_ -]?".join(map(re.escape, name.split("_")))


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
