"""Makes the page: one HTML file with its data, its charts and no need of anything else."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["CHART_LIBRARY", "render_page", "write_page"]

ASSETS = Path(__file__).parent / "assets"
CHART_LIBRARY = ASSETS / "echarts" / "echarts.js"
# In this order they are one script.
SCRIPTS = ("cube.js", "selection.js", "wording.js", "drawing.js", "panels.js", "page.js")
# In a script element these would end it, or the line.
ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render_page(cube: Mapping[str, Any], *, version: str | None = None) -> str:
    """Return the page as HTML.

    Args:
        cube: As `read_cube` gives it.
        version: Only where a server offers `/version`: then the page asks it, and shows itself anew
            when the answer is another one.
    """
    charts = CHART_LIBRARY.read_text(encoding="utf-8")
    scripts = (ASSETS.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    page = "(() => {\n'use strict';\n" + "\n".join(scripts) + "\n})();"
    style = ASSETS.joinpath("page.css").read_text(encoding="utf-8")
    parts = {
        "live": f' data-version="{version}"' if version else "",
        "policy": _policy((charts, page), style, live=version is not None),
        "style": style,
        "cube": _script_safe(json.dumps(cube, ensure_ascii=False, separators=(",", ":"))),
        "charts": charts,
        "page": page,
    }
    template = ASSETS.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda slot: parts[slot[1]], template)


def write_page(html: str, path: Path) -> None:
    """Swap the page in: a reader sees the old one or the new one, whole.

    Raises:
        OSError: it could not be written; the old one stays.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_text(html, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _policy(scripts: tuple[str, ...], style: str, *, live: bool) -> str:
    """Allow our own code and nothing else: not even a picture or a request."""
    allowed = {
        "default-src": "'none'",
        "script-src": " ".join(map(_hash, scripts)),
        "style-src": _hash(style),
        "connect-src": "'self'" if live else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _script_safe(text: str) -> str:
    return re.sub("[<>&\u2028\u2029]", lambda found: ESCAPED[found[0]], text)
