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
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import SchemaValidator, core_schema

__all__ = ["MARK", "SecretNames"]

MARK = "[redacted]"

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
# A text, and what follows where it is a key: a flag, another text, or the begin of something else.
_TEXT = re.compile(
    rb"(%b)(?:\s*:\s*(?:(?:true|false|null)(?=[\s,}])|(%b)|([^\s])))?" % (_STRING, _STRING)
)
_COLON = re.compile(rb"\s*:\s*")
_BRACKET = re.compile(_STRING + rb"|([\[{])|([\]}])")
_LITERAL = re.compile(rb"[^\s,\]}]+")
_QUOTE = ord('"')
_MARK = json.dumps(MARK).encode()
# An ASCII character of a name may be escaped, at whatever depth of texts in texts the name stands.
_ESCAPE = r"\\u00[2-7][0-9a-f]"

# Bytes up to which Python's expressions are as fast as Arrow's, which are made anew each time.
_SMALL = 10_000
# Numbers stay text: they are not looked at, and Python refuses to read very long ones.
_check = json.JSONDecoder(parse_int=str, parse_float=str).decode
# Takes a quarter of the time and accepts nothing else, but not all of it.
_quick_check = SchemaValidator(core_schema.typed_dict_schema({})).validate_json


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
        # What has none of these holds no such name; a short one only where it ends a text.
        suspect = rf"{end}|{_ESCAPE}" + (rf'|(?:{exact})\\*"' if exact else "")
        self._suspect = re.compile(suspect.encode(), re.IGNORECASE)
        self._suspect_of_arrow = f"(?i){suspect}"
        # From there to the end of the text, where no text has an escape.
        rest = rf'(?:{end})[^"]*"?' + (rf'|(?:{exact})"' if exact else "")
        self._plain_of_arrow = f"(?i){rest}"
        # Names come again with every order.
        self._name = lru_cache(maxsize=1_000)(self._name_of_secret)

    def redacted(
        self,
        body: bytes,
        *,
        found: Callable[[str, bytes], object] | None = None,
        checked: bool = False,
    ) -> bytes:
        """Replace each secret in a JSON body by a mark; all other bytes stay.

        A body without secrets is returned as it is, nearly always without being parsed. Inside a
        text that is JSON itself and holds a secret, the same text is written with other escapes.
        Redacting twice changes nothing more.

        Args:
            body: JSON in UTF-8.
            found: Told the name and the JSON text of each secret.
            checked: A strict reader has read the body as JSON; it is not read for that again.

        Returns:
            The body to store.

        Raises:
            ValueError: It may hold a secret and is not JSON in UTF-8, so nobody can say where the
                secret ends; do not store it. The message holds nothing of the body.
        """
        plain = len(body) >= _SMALL and b"\\" not in body
        places = self._plain_places(body) if plain else self._places(body)
        if not places and b"\x00" not in body:
            return body
        try:
            if not checked:
                _must_be_json(body)
            secrets = self._plainly_found(body, places) if plain else self._found(body, places)
            return self._replaced(body, secrets, found)
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

    def _places(self, body: bytes) -> list[int]:
        """Return where suspects begin; every text that may name a secret holds one."""
        if len(body) < _SMALL:
            return [suspect.start() for suspect in self._suspect.finditer(body)]
        places, gone = [], 0
        for bound in _bounds(body, self._suspect_of_arrow):
            places.append(bound + gone)
            suspect = self._suspect.match(body, bound + gone)
            assert suspect is not None  # noqa: S101 - both mean the same by an expression
            gone = suspect.end() - bound
        return places

    def _plain_places(self, body: bytes) -> list[int]:
        """Return the same for a body without escapes, but once for each text."""
        places, gone = [], 0
        for bound in _bounds(body, self._plain_of_arrow):
            places.append(bound + gone)
            gone = body.find(b'"', bound + gone) + 1 - bound
        return places

    def _replaced(
        self,
        body: bytes,
        found: Iterable[tuple[str | None, int, int]],
        told: Callable[[str, bytes], object] | None,
    ) -> bytes:
        """Do the work of `redacted` on valid JSON."""
        pieces: list[bytes] = []
        done = 0
        for name, start, end in found:
            value = body[start:end]
            if name is not None and told:
                told(name, value)
            mark = self._text_replaced(value, told) if name is None else _MARK
            if mark is not None:
                pieces += body[done:start], mark
                done = end
        return b"".join([*pieces, body[done:]])

    def _found(self, body: bytes, places: list[int]) -> Iterator[tuple[str | None, int, int]]:
        """Yield the name, begin and end of each secret; without a name, texts that may hold one."""
        at, escaped = 0, body.find(b"\\")
        for place in places:
            if place < at:
                continue
            token = None
            # `at` is outside of any text, and from there to the next backslash each quote is a
            # bound: so texts with backslashes are stepped over, up to the place.
            while 0 <= escaped <= place:
                if escaped >= at:
                    token = _TEXT.match(body, body.rfind(b'"', at, escaped))
                    assert token is not None  # noqa: S101 - it stands in a text, in valid JSON
                    if token.end(1) > place:
                        break
                    at, token = token.end(1), None
                escaped = body.find(b"\\", at)
            token = token or _TEXT.match(body, body.rfind(b'"', at, place))
            assert token is not None  # noqa: S101 - as above
            at = token.end(1)
            is_key = token.end() > at
            name = self._name(token[1]) if is_key else None
            if name is None:
                if b"\\" in token[1]:  # a name in JSON in a text has quotes, and these are escaped
                    yield None, *token.span(1)
            elif token[2]:
                at = token.end()
                yield name, *token.span(2)
            elif token[3]:
                at = _end_of_value(body, token.start(3))
                yield name, token.start(3), at

    def _plainly_found(self, body: bytes, places: list[int]) -> Iterator[tuple[str, int, int]]:
        """Yield the same where no text has an escape, so that each quote is a bound."""
        done = 0
        for place in places:
            if place < done:
                continue
            end = body.find(b'"', place) + 1
            start = end + 1
            if body[end : start + 1] != b':"':
                colon = _COLON.match(body, end)
                if colon is None or body[colon.end()] in b"tfn":  # no key, or that of a flag
                    continue
                start = colon.end()
            name = self._name(body[body.rfind(b'"', done, place) : end])
            if name is not None:
                is_text = body[start] == _QUOTE
                done = body.find(b'"', start + 1) + 1 if is_text else _end_of_value(body, start)
                yield name, start, done

    def _name_of_secret(self, token: bytes) -> str | None:
        name: str = json.loads(token)
        return name if self._secret.search(name) else None

    def _text_replaced(
        self, token: bytes, told: Callable[[str, bytes], object] | None
    ) -> bytes | None:
        """Return the text with its secrets replaced; None when it is no JSON or holds none."""
        text: str = json.loads(token)
        inner = text.encode("utf-8", "surrogatepass")
        places = self._places(inner)
        if not places:
            return None
        try:
            _check(text)
        except ValueError:
            return None
        outer = self._replaced(inner, self._found(inner, places), told)
        if outer == inner:
            return None
        return json.dumps(outer.decode("utf-8", "surrogatepass")).encode()


def _bounds(body: bytes, pattern: str) -> list[int]:
    """Return how many bytes that do not match stand before each match.

    Arrow's expressions take a fraction of the time of Python's, but give no places.
    """
    pieces = pc.split_pattern_regex(pa.array([body], pa.large_binary()), pattern=pattern).values
    ends: list[int] = memoryview(pieces.buffers()[1]).cast("q").tolist()
    return ends[1 : len(pieces)]


def _written(name: str) -> str:
    return "[_ -]?".join(map(re.escape, name.split("_")))


def _must_be_json(body: bytes) -> None:
    try:
        _quick_check(body)
    except ValueError:
        _check(body.decode())


def _end_of_value(body: bytes, start: int) -> int:
    if body[start : start + 1] not in (b"[", b"{"):
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
