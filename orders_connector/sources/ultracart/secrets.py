"""Which values of UltraCart's answers are secrets, taken out before anything is stored.

Cards and bank accounts go as a whole, as do the codes that a customer has bought: whoever reads
them can use them. UltraCart repeats activation codes in the description of their line, so they are
taken out there as well; other free text is not searched.
"""

import json
import re
from collections.abc import Collection

from orders_connector.sources.secrets import MARK, SecretNames

__all__ = ["MARK", "SECRETS", "SECRET_FIELDS", "redacted"]

# `check` alone, as `checkout` or `spam_check` would be lost with more of it.
_SHORT = ("check", "cvv", "cvv2")
SECRET_FIELDS = (
    "activation_code",
    "activation_codes",
    "bank_aba_code",
    "bank_account_number",
    "card_number",
    "card_number_token",
    "card_verification_number",
    "card_verification_number_token",
    "credit_card",
    "customer_tax_id",
    "drivers_license_number",
    "echeck",
    "gift_certificate_code",
    "health_benefit_card",
    "password",
    *_SHORT,
)
SECRETS = SecretNames(
    (
        "activation_code",
        "bank_aba_code",
        "bank_account_number",
        "card_number",
        "card_number_token",
        "card_verification_number",
        "card_verification_number_token",
        "credit_card",
        "customer_tax_id",
        "drivers_license_number",
        "echeck",
        "gift_certificate_code",
        "health_benefit_card",
        "password",
    ),
    whole=_SHORT,
)
_REPEATED = re.compile("activation[_ -]?code", re.IGNORECASE)
_DESCRIPTION = b'"description"'
_TEXT = re.compile(rb'(\s*:\s*)("[^"\\]*(?:\\.[^"\\]*)*")')
# A shorter text may stand in a description by chance.
_SHORTEST_CODE = 6


def redacted(body: bytes) -> bytes:
    """Replace each secret in a JSON body by a mark; all other bytes stay.

    Args:
        body: JSON in UTF-8.

    Returns:
        The body to store.

    Raises:
        ValueError: It may hold a secret and is not JSON in UTF-8; do not store it.
    """
    codes: set[str] = set()

    def note_codes(name: str, value: bytes) -> None:
        if _REPEATED.match(name):
            texts = _texts(json.loads(value))
            codes.update(one for one in texts if len(one) >= _SHORTEST_CODE and one != MARK)

    clean = SECRETS.redacted(body, found=note_codes)
    return _without_codes(clean, codes) if codes else clean


def _without_codes(body: bytes, codes: Collection[str]) -> bytes:
    """Replace codes in descriptions."""
    before, *others = body.split(_DESCRIPTION)
    texts = [_TEXT.match(part) for part in others]
    # A text without escapes holds a code as it is, and few hold one: they are not decoded.
    plain = b"".join(text[2] for text in texts if text and b"\\" not in text[2])
    repeated = [code for code in map(_encoded, codes) if code in plain]
    # The longest first, as one code may be the beginning of another.
    longest_first = sorted(codes, key=len, reverse=True)
    pieces = [before]
    for part, text in zip(others, texts, strict=True):
        kept = part
        if text and (b"\\" in text[2] or any(code in text[2] for code in repeated)):
            decoded = clean = json.loads(text[2])
            for code in longest_first:
                clean = clean.replace(code, MARK)
            if clean != decoded:
                kept = text[1] + json.dumps(clean).encode() + part[text.end() :]
        pieces.append(kept)
    return _DESCRIPTION.join(pieces)


def _encoded(code: str) -> bytes:
    return code.encode("utf-8", "surrogatepass")


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    return [value] if isinstance(value, str) else []
