"""A shop, its configuration, and the command line run in this process."""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from orders_connector.cli import main
from orders_connector.sandbox.voucherify import VoucherifySandbox

ORDERS = 120
CONFIG = """
[accounts.shop]
source = "voucherify"
base_url = "{base_url}"
currency = "EUR"
time_zone = "Europe/Warsaw"
history_start = 2023-01-01
max_attempts = 1
"""


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def data(self):
        return json.loads(self.out)


@pytest.fixture
def run(capsys):
    """Run a command; a message on stderr never holds a traceback."""

    def command(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err or "--debug" in arguments
        return Ran(end.value.code or 0, out, err)

    return command


@pytest.fixture(scope="session")
def first_load(tmp_path_factory):
    """A loaded installation that tests copy, or only read; and the moment its shop was made."""
    folder, now = tmp_path_factory.mktemp("first_load"), datetime.now(UTC).replace(microsecond=0)
    with VoucherifySandbox(ORDERS, now=now) as box, pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOUCHERIFY_APP_ID", box.app_id)
        patch.setenv("VOUCHERIFY_APP_TOKEN", box.app_token)
        (folder / "orders.toml").write_text(CONFIG.format(base_url=box.base_url))
        with pytest.raises(SystemExit) as end:
            main(["--config", str(folder / "orders.toml"), "sync", "--json"])
        assert not end.value.code
    return folder, now


@pytest.fixture
def box(first_load):
    _, now = first_load
    with VoucherifySandbox(ORDERS, now=now) as box:
        yield box


@pytest.fixture
def installation(tmp_path, monkeypatch, box):
    """A folder with a configuration for the sandbox, keys in the environment."""
    (tmp_path / "orders.toml").write_text(CONFIG.format(base_url=box.base_url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOUCHERIFY_APP_ID", box.app_id)
    monkeypatch.setenv("VOUCHERIFY_APP_TOKEN", box.app_token)
    return tmp_path


@pytest.fixture
def loaded(installation, first_load):
    """The same, after the first load."""
    folder, _ = first_load
    shutil.copytree(folder / "data", installation / "data", symlinks=True)
    return installation


@pytest.fixture
def published(first_load, monkeypatch):
    """An installation that is only read; nobody answers for its source."""
    folder, _ = first_load
    monkeypatch.chdir(folder)
    return folder
