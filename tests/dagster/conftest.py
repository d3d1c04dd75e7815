"""An installation per test: sandboxes, their settings, their definitions, a Dagster instance."""

import logging
import shutil
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb
import pytest

from dagster_project.definitions import build_definitions
from dagster_project.defs.dashboard import READS
from orders_connector.config import Settings
from orders_connector.sandbox.licensespring import LicenseSpringSandbox
from orders_connector.sandbox.ultracart import UltraCartSandbox
from orders_connector.sandbox.voucherify import Switches, VoucherifySandbox
from tests.modeling.conftest import upstream_of

FEW = (*READS, "marts.daily_status", "marts.daily_summary")  # the dashboard, and what tests ask for
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)  # the shop's clock; the scheduler's is the real one
HISTORY_START = "2026-06-20"

ACCOUNTS = {
    "voucherify": """
[accounts.{name}]
source = "voucherify"
base_url = "{base_url}"
download_hosts = ["{download_host}"]
app_id_env = "{prefix}_APP_ID"
app_token_env = "{prefix}_APP_TOKEN"
currency = "EUR"
""",
    "ultracart": """
[accounts.{name}]
source = "ultracart"
base_url = "{base_url}"
simple_key_env = "{prefix}_KEY"
currency = "USD"
""",
    "licensespring": """
[accounts.{name}]
source = "licensespring"
base_url = "{base_url}"
api_key_env = "{prefix}_KEY"
requests_per_second = 100
""",
}
COMMON = """\
time_zone = "Europe/Warsaw"
history_start = {history_start}
max_attempts = 1
"""


def sandbox(source, orders):
    """Make a sandbox whose past reaches 40 days back, and say under which names its keys go."""
    past = {"now": NOW, "history_days": 40}
    if source == "ultracart":
        box = UltraCartSandbox(orders, latency=0.0, **past)
        return box, {"KEY": box.simple_key}
    if source == "licensespring":
        box = LicenseSpringSandbox(orders, **past)
        return box, {"KEY": box.api_key}
    # Exports are done when first looked at, so that no test waits for them.
    box = VoucherifySandbox(orders, switches=Switches(export_polls=0), **past)
    return box, {"APP_ID": box.app_id, "APP_TOKEN": box.app_token}


class Installation:
    """What an operator has, and shortcuts to look at it."""

    def __init__(self, config, boxes, settings, instance):
        self.config = config
        self.boxes = boxes
        self.box = next(iter(boxes.values()))
        self.settings = settings
        self.published = settings.warehouse.published
        self.instance = instance
        self.defs = build_definitions(settings)

    def run(self, job, day=None, **options):
        job = self.defs.resolve_job_def(job)
        return job.execute_in_process(
            instance=self.instance, partition_key=day, raise_on_error=False, **options
        )

    def nightly(self, day="2026-07-31", **options):
        return self.run("nightly", day, **options)

    def rebuild(self, keys, first=None, last=None, **options):
        """Materialize assets, or a range of partitions in one run, as the UI does."""
        job = self.defs.resolve_implicit_job_def_def_for_assets([dg.AssetKey(key) for key in keys])
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(key) for key in keys],
            raise_on_error=False,
            tags=first
            and {
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last,
            },
            **options,
        )

    def live_on(self, days):
        """Let the shops live for some days."""
        for box in self.boxes.values():
            for _ in range(days):
                box.moves.day()

    def query(self, sql, path=None):
        with duckdb.connect(str(path or self.settings.warehouse.path), read_only=True) as con:
            con.execute("set TimeZone = 'UTC'")
            return con.execute(sql).fetchall()

    def tamper(self, sql):
        with duckdb.connect(str(self.settings.warehouse.path)) as con:
            con.execute(sql)

    def shown(self, *key):
        """Days that the UI shows as materialized."""
        return self.instance.get_materialized_partitions(dg.AssetKey(key))

    def logged(self, result, *key):
        """Partition to metadata of what a run logged for an asset."""
        return {
            event.partition: {
                name: value.value
                for name, value in event.step_materialization_data.materialization.metadata.items()
            }
            for event in result.all_events
            if event.is_step_materialization and event.asset_key == dg.AssetKey(key)
        }

    @staticmethod
    def failed_checks(result):
        return {
            f"{'.'.join(check.asset_key.path)}.{check.check_name}"
            for check in result.get_asset_check_evaluations()
            if not check.passed
        }

    @staticmethod
    def failed_steps(result):
        return {event.step_key for event in result.all_events if event.is_step_failure}

    @staticmethod
    def steps(result):
        return [event.step_key for event in result.all_events if event.is_step_success]


def days_between(first, last):
    first, last = datetime.fromisoformat(first).date(), datetime.fromisoformat(last).date()
    return {(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)}


@contextmanager
def open_installation(
    folder, *, orders=150, accounts=None, instance=None, schedule="", models=None
):
    accounts = accounts or {"shop": "voucherify"}
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        if models:
            patch.setattr("orders_connector.modeling.model.model_directory", lambda: models)
        instance = instance or stack.enter_context(dg.DagsterInstance.ephemeral())
        boxes = {}
        text = schedule
        for name, source in accounts.items():
            box, keys = sandbox(source, orders)
            boxes[name] = stack.enter_context(box)
            for key, value in keys.items():
                patch.setenv(f"{name.upper()}_{key}", value)
            downloads = getattr(box, "download_url", "")
            text += (ACCOUNTS[source] + COMMON).format(
                name=name,
                base_url=box.base_url,
                download_host=downloads.removeprefix("http://"),
                prefix=name.upper(),
                history_start=HISTORY_START,
            )
        path = folder / "orders.toml"
        path.write_text(text)
        yield Installation(path, boxes, Settings.load(path), instance)


@pytest.fixture(scope="session")
def few_models(tmp_path_factory):
    """A folder of some of the product's models, unchanged, with all that they are made from.

    Dagster takes seconds for the checks and events of all models; other tests run these.
    """
    folder = tmp_path_factory.mktemp("models")
    for model in upstream_of(*FEW).values():
        (folder / model.layer).mkdir(exist_ok=True)
        shutil.copy(model.path, folder / model.layer)
    return folder


@pytest.fixture
def installation(tmp_path, few_models):
    """Make installations that have few models."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            open_installation(tmp_path, **{"models": few_models, **options})
        )


@pytest.fixture
def here(installation):
    """An installation with one account, nothing loaded."""
    return installation()


@pytest.fixture(scope="session")
def between():
    return days_between


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Make installations that the tests of a module share."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            open_installation(tmp_path_factory.mktemp("installation"), **options)
        )


@pytest.fixture
def at_once(monkeypatch):
    """Retry steps without waiting."""
    policy = dg.RetryPolicy(max_retries=1)
    monkeypatch.setattr("dagster_project.defs.outcomes.RETRIES", policy)


def what_the_sensor_does(here, result):
    """Let the sensor for failed loads look at a run that failed."""
    context = dg.build_run_status_sensor_context(
        sensor_name="load_failed",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=here.instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()
    return here.defs.resolve_sensor_def("load_failed")(context)


@pytest.fixture(scope="session")
def sensor():
    return what_the_sensor_does
