"""Which values of UltraCart's answers are secrets, taken out before anything is stored.

Cards and bank accounts go as a whole, as do the codes that a customer has bought: whoever reads
them can use them. UltraCart repeats activation codes in the description of their line, so they are
taken out there as well; other free text is not searched.
"""

import json
import re

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
_DESCRIPTION = re.compile(rb'("description"\s*:\s*)("[^"\\]*(?:\\.[^"\\]*)*")')
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
    if not codes:
        return clean
    # The longest first, as one code may be the beginning of another.
    longest_first = sorted(codes, key=len, reverse=True)

    def without_codes(found: re.Match[bytes]) -> bytes:
        text = json.loads(found[2])
        kept = text
        for code in longest_first:
            kept = kept.replace(code, MARK)
        return found[0] if kept == text else found[1] + json.dumps(kept).encode()

    return _DESCRIPTION.sub(without_codes, clean)


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    return [value] if isinstance(value, str) else []
