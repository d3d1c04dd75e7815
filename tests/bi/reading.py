"""What the tests of BI connections share: reading as analysts do, in environments of their own."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.warehouse.test_publish_readers import old_engine

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/bi.md"
PLACE = "/srv/orders/published"
LIBRARIES = ROOT / ".venv-bi/libraries"
SUPERSET = ROOT / ".venv-bi/superset"
CODE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def installed(folder):
    if not (folder / ".installed").exists():
        pytest.skip(f"no {folder.relative_to(ROOT)}: run `make bi-libraries`")
    return folder


def python(engine=None, superset=False):
    """Return a command and an environment: with an older engine, or with the BI libraries."""
    if engine:
        return [sys.executable], os.environ | {"PYTHONPATH": str(old_engine(engine))}
    path = str(installed(SUPERSET)) if superset else ""
    return [installed(LIBRARIES) / "bin/python"], os.environ | {"PYTHONPATH": path}


def run(program, *arguments, **options):
    """Run a program to its end; return what it printed."""
    command, env = python(**options)
    return finished([*command, "-c", textwrap.dedent(program), *map(str, arguments)], env=env)


def finished(command, **options):
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


class Session:
    """A program that stays up, and answers a line with a line."""

    def __init__(self, program, *arguments, **options):
        command, env = python(**options)
        self._process = subprocess.Popen(
            [*command, "-c", textwrap.dedent(program), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )

    def __enter__(self):
        return self

    def say(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def __exit__(self, kind, error, trace):
        self._process.communicate(timeout=300)


def blocks(language):
    """Return the page's blocks in a language, to the heading that they are under."""
    found = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading = section.splitlines()[0]
        found += [(heading, code) for kind, code in CODE.findall(section) if kind == language]
    return found


def at(published, code):
    """Put a real folder into a block, for the one that the page names."""
    assert PLACE in code
    return code.replace(PLACE, str(published.parent))
