"""Keep secrets out of messages, logs and stored run records.

The secrets that pass through this package are an application token (header ``X-App-Token``), an
OAuth bearer token (header ``Authorization``, body key ``access_token``), the one-off ``token`` in
the address of an export file, and the signature in the address of a storage host that a download
may be redirected to.
"""

import logging
import re

__all__ = ["RedactingFilter", "redact"]

_MARK = "[redacted]"

_HEADERS = (
    r"authorization|x-app-token|x-client-token|x-management-token|x-ultracart-simple-key"
    r"|set-cookie|cookie"
)
_KEYS = (
    r"(?:access_|app_|refresh_)?token|client_secret|secret|password|api_?key"
    r"|signature|sig|x-amz-(?:signature|credential|security-token)"
    r"|x-goog-(?:signature|credential)"
)

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # Header: value, as text, as a dictionary entry or as a Python pair, str or bytes.
    (
        re.compile(
            rf"(?i)\b({_HEADERS})(['\"]?\s*[:=]\s*(?:b?['\"])?|['\"]\s*,\s*b?['\"])"
            r"(?:(?:bearer|basic|api-key)\s+)?[^\s'\",)]+"
        ),
        rf"\1\2{_MARK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic|api-key)(\s+)[\w.~+/=-]{8,}"), rf"\1\2{_MARK}"),
    # name=value in a query or a form.
    (re.compile(rf"(?i)(?<![\w-])({_KEYS})=[^&\s'\"#]+"), rf"\1={_MARK}"),
    # "name": "value" in JSON.
    (re.compile(rf"(?i)(['\"](?:{_KEYS})['\"]\s*:\s*['\"])[^'\"]+"), rf"\1{_MARK}"),
    # User and password in front of a host.
    (re.compile(r"(://)[^/\s@?#]+@"), rf"\1{_MARK}@"),
)


def redact(text: str) -> str:
    """Replace what looks like a secret by a mark.

    Args:
        text: Any text: a URL, a header dump, a JSON body, an error message.

    Returns:
        The same text with ``[redacted]`` in place of tokens, signatures and passwords. Everything
        else, the names of the keys too, stays readable. Redacting twice changes nothing.

    Example:
        >>> redact("https://download.voucherify.io/v1/exports/exp_1?token=ey.12")
        'https://download.voucherify.io/v1/exports/exp_1?token=[redacted]'
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


class RedactingFilter(logging.Filter):
    """Redacts the records of a logger that is not ours, such as the one of httpx."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the redacted text in place of message and arguments; every record passes."""
        record.msg, record.args = redact(record.getMessage()), ()
        return True
