"""What the documents say about files, commands, exit codes and dependencies is so."""

import re
import tomllib
from pathlib import Path

import pytest

from orders_connector import errors

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CHANGELOG.md", "docs/cli.md", "docs/publishing.md"]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", read(name)):
        assert (ROOT / name).parent.joinpath(target).exists(), target


def test_every_named_folder_exists():
    tree = re.search(r"```text\n(orders_connector/.*?)```", read("README.md"), re.DOTALL).group(1)
    parent = ROOT
    for line in tree.splitlines():
        if line.startswith("  "):
            assert (parent / line.split()[0]).is_dir(), line
        else:
            parent = ROOT / line.split()[0]
            assert parent.is_dir(), line


def test_exit_codes_are_those_of_the_errors():
    documented = {
        name: int(code)
        for code, row in re.findall(r"^\| (\d) \| ([^|]*) \|", read("docs/cli.md"), re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert documented
    for name, code in documented.items():
        assert getattr(errors, name).exit_code == code
    codes = {getattr(errors, name).exit_code for name in errors.__all__ if name[0] != "S"}
    assert codes - {1} <= set(documented.values())


def test_every_command_is_documented(run):
    commands = re.findall(r"^  (\w+)  ", run("--help").out.split("Commands:")[1], re.MULTILINE)
    documented = re.findall(r"^\| `(\w+)", read("docs/cli.md"), re.MULTILINE)
    assert commands == documented


def required(*groups):
    """Names that pyproject.toml requires, of the project and of groups."""
    declared = tomllib.loads(read("pyproject.toml"))
    requirements = [*declared["project"]["dependencies"]]
    for group in groups:
        requirements += declared["dependency-groups"][group]
    return {re.match(r"[\w-]+", requirement).group() for requirement in requirements}


def test_every_dependency_has_its_reason():
    first_cells = re.findall(r"^\| ([a-z, -]+) \|", read("docs/dependencies.md"), re.MULTILINE)
    explained = set(", ".join(first_cells).split(", ")) - {"package", "file", "---"}
    assert explained == required("dev", "bench", "bi")


def test_constraints_pin_every_dependency():
    pinned = set(re.findall(r"^([\w.-]+)==", read("constraints.txt").lower(), re.MULTILINE))
    assert required("dev") <= pinned
    assert "://" not in read("constraints.txt")
    bi = re.findall(r"^([\w.-]+)==", read("constraints-bi.txt").lower(), re.MULTILINE)
    assert required("bi") - required() <= set(bi)
    assert "://" not in read("constraints-bi.txt")
