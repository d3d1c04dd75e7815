"""Refusals that UltraCart puts inside an answer with a good status.

Documented is that a caller must look at ``success`` and ``error`` whatever the status. False
booleans are left out of answers, so a missing ``success`` means little: an answer with a warning
lacks it although the call went through. An ``error``, or a spelled out ``false``, is a failure.
"""

import json
import logging
import re
from typing import Any

from orders_connector.answers import Answer, error_for
from orders_connector.errors import SourceError
from orders_connector.redaction import redact

__all__ = ["refusal_in"]

log = logging.getLogger(__name__)

# A page of orders is megabytes; only one that may hold something of this is parsed for it.
_SUSPECT = re.compile(rb'"(?:error|warning)"\s*:|"success"\s*:\s*false')
_RATE = re.compile(r"rate of \d+ per \d+ second")


def refusal_in(answer: Answer, *, idempotent: bool) -> SourceError | None:
    """Look for an error inside an answer of status 2xx; a warning is logged.

    Args:
        answer: The answer.
        idempotent: Whether the request may be repeated without harm.

    Returns:
        The error, by kind: of the HTTP status in ``error_code`` if there is one, of the limit that
        the text names, else a rejected request. Its ``status`` is that of the answer.
    """
    if not _SUSPECT.search(answer.content):
        return None
    try:
        body = json.loads(answer.content)
    except ValueError:
        return None  # whoever reads it says what is wrong with it
    if not isinstance(body, dict):
        return None
    if warning := body.get("warning"):
        text = warning.get("warning_message") if isinstance(warning, dict) else warning
        log.warning(
            "account %s: %s %s: UltraCart warns: %s",
            answer.account,
            answer.method,
            redact(answer.path),
            redact(str(text)),
        )
    if not body.get("error") and body.get("success") is not False:
        return None
    error = error_for(
        _status_of(body.get("error")),
        answer.headers,
        answer.content,
        account=answer.account,
        method=answer.method,
        path=answer.path,
        maybe_processed=not idempotent,
    )
    error.status = answer.status
    return error


def _status_of(error: Any) -> int:  # noqa: ANN401 - any JSON value
    code = str(error.get("error_code") or "") if isinstance(error, dict) else ""
    if re.fullmatch(r"[45]\d\d", code):
        return int(code)
    return 429 if _RATE.search(json.dumps(error)) else 400
