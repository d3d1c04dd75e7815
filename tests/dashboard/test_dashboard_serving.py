"""How the page is made, kept and served; how the chart library is kept."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from hashlib import sha256

import pytest

from orders_connector.cli import main
from orders_connector.dashboard.cube import read_cube
from orders_connector.dashboard.page import CHART_LIBRARY, render_page, write_page
from orders_connector.load import publish_warehouse
from orders_connector.modeling.metrics import contracts
from orders_connector.modeling.model import load_models

CONFIG = """
[accounts.shop]
source = "voucherify"
base_url = "http://127.0.0.1:9"
currency = "EUR"
time_zone = "UTC"
history_start = 2026-01-01
"""


def asked(address, path="", **headers):
    request = urllib.request.Request(address + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def served():
    """Start `orders-connector dashboard --serve` in a process of its own; return its address."""
    processes = []

    def start(config):
        command = [sys.executable, "-m", "orders_connector.cli", "--config", str(config)]
        process = subprocess.Popen(
            [*command, "dashboard", "--serve"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        processes.append(process)
        (address,) = [w for w in process.stdout.readline().split() if w.startswith("http")]
        return address

    yield start
    for process in processes:
        process.terminate()
        process.wait(timeout=300)
        process.stdout.close()


def test_the_served_page_follows_the_published_copy(nothing_sold, served):
    config = nothing_sold.settings.warehouse.path.parent.parent / "orders.toml"
    address = served(config)
    status, page = asked(address)
    _, version = asked(address, "version")
    assert (status, f'data-version="{version}"' in page) == (200, True)
    assert "connect-src 'self'" in page
    publish_warehouse(nothing_sold.settings)
    _, newer = asked(address, "version")
    assert newer != version
    assert f'data-version="{newer}"' in asked(address)[1]
    assert asked(address, Host="elsewhere.example")[0] == 400


def test_before_the_first_copy_the_server_says_what_to_do(tmp_path, served):
    (tmp_path / "orders.toml").write_text(CONFIG)
    status, page = asked(served(tmp_path / "orders.toml"))
    assert status == 503
    assert "orders-connector sync" in page


def test_the_command_says_where_the_page_is(nothing_sold, capsys, monkeypatch):
    folder = nothing_sold.settings.warehouse.path.parent.parent
    monkeypatch.chdir(folder)
    nothing_sold.page.unlink()
    with pytest.raises(SystemExit) as end:
        main(["--config", "orders.toml", "dashboard", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert not end.value.code
    assert said == {"path": str(nothing_sold.page), "bytes": nothing_sold.page.stat().st_size}
    with pytest.raises(SystemExit):
        main(["--config", "orders.toml", "dashboard"])
    assert capsys.readouterr().out.startswith("data/published/dashboard.html (")


def test_without_a_copy_the_command_ends_with_what_to_do(tmp_path, capsys, monkeypatch):
    (tmp_path / "orders.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["dashboard"])
    assert end.value.code == 6
    assert "orders-connector sync" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path):
    page = tmp_path / "dashboard.html"
    write_page("old", page)
    with pytest.raises(UnicodeEncodeError):
        write_page("new \ud800", page)
    assert page.read_text() == "old"
    assert list(tmp_path.iterdir()) == [page]


def test_the_file_asks_for_nothing_and_allows_only_its_own_code(nothing_sold):
    cube = read_cube(nothing_sold.settings.warehouse.published, {}, {})
    cube["accounts"][0]["account"] = "</script><b>\u2028"
    page = render_page(cube)
    assert page.count("</script>") == 3
    assert "\u2028" not in page
    policy = page.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe" not in policy
    assert " src=" not in page.split("<script>")[0]
    assert "<link" not in page


def test_every_metric_that_the_page_explains_has_a_contract():
    named = set()
    for script in (CHART_LIBRARY.parents[1]).glob("*.js"):
        for names in re.findall(r"metrics: \[(.*?)\]", script.read_text(encoding="utf-8")):
            named |= set(re.findall(r'"(\w+)"', names))
    assert len(named) > 10
    assert named <= contracts(load_models()).keys()


def test_the_chart_library_is_what_was_built_and_comes_with_its_licenses():
    folder = CHART_LIBRARY.parent
    noted, name = (folder / "SHA256SUMS").read_text().split()
    assert name == CHART_LIBRARY.name
    assert sha256(CHART_LIBRARY.read_bytes()).hexdigest() == noted
    assert "Apache License" in (folder / "LICENSE").read_text()
    head = CHART_LIBRARY.read_text(encoding="utf-8")[:5_000]
    for notice in ("NOTICE", "LICENSE-zrender", "LICENSE-d3"):
        assert (folder / notice).read_text().strip() in head
