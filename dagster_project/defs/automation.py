"""What a load consists of, when it runs, and what happens when it fails."""

import dagster as dg

from dagster_project.defs.dashboard import DASHBOARD
from dagster_project.defs.labels import (
    NIGHTLY,
    exporting_accounts,
    extraction_key,
    hydrated_key,
    model_key,
    raw_keys,
    reconciled_key,
)
from dagster_project.defs.models import ModelAssets
from dagster_project.defs.partitions import version_days
from dagster_project.defs.publishing import PUBLISHED
from orders_connector.config import Settings

__all__ = ["build_automation"]


def build_automation(settings: Settings, models: ModelAssets) -> dg.Definitions:
    """Make the jobs, the nightly schedule and the sensor for failed loads."""
    extractions = [extraction_key(name) for name in settings.accounts]
    hydrations = [hydrated_key(account.name) for account in exporting_accounts(settings)]
    reconciliations = [reconciled_key(name) for name in settings.accounts]
    of_accounts = {
        key.to_python_identifier() for a in settings.accounts.values() for key in raw_keys(a)
    }
    after_extraction = (
        dg.AssetSelection.assets(*[spec.key for spec in models.refreshed], PUBLISHED, DASHBOARD)
        | dg.AssetSelection.checks_for_assets(*[model_key(name) for name in models.models])
        | dg.AssetSelection.checks_for_assets(*extractions)
    )
    nightly = dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.assets(*extractions, *reconciliations) | after_extraction,
        description="Reads what is new from every account, compares it with the source as often as "
        "`reconcile_every_days` says, refreshes, checks and publishes.",
        tags={"dagster/max_runtime": 4 * 3600},
    )
    # What an extraction reports itself cannot be checked without it.
    without_extraction = after_extraction - dg.AssetSelection.checks(
        *map(window_check, extractions)
    )
    loads = [nightly]
    if hydrations:
        hydrate = dg.define_asset_job(
            "hydrate",
            selection=dg.AssetSelection.assets(*hydrations) | without_extraction,
            description="Fetches items of orders that are known from exports alone, refreshes, "
            "checks and publishes.",
            tags={"dagster/max_runtime": 4 * 3600},
        )
        loads.append(hydrate)
    refresh = dg.define_asset_job(
        "refresh",
        selection=without_extraction,
        description="Refreshes, checks and publishes what has been landed; asks no source.",
        tags={"dagster/max_runtime": 3600},
    )

    @dg.run_failure_sensor(
        monitored_jobs=[*loads],
        request_job=refresh,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says what failed. When only steps did that ask a source, starts `refresh`, "
        "so that one account does not hold back the figures of the others.",
    )
    def load_failed(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
        run = context.dagster_run.run_id
        failures = context.get_step_failure_events()
        steps = {event.step_key for event in failures}
        reasons = "; ".join(str(e.message) for e in failures or [context.failure_event])
        context.log.error(f"load {run} failed: {reasons}")
        if steps and steps <= of_accounts:
            return dg.RunRequest(run_key=run)
        return dg.SkipReason("more than reading failed: readers keep the copy they have")

    return dg.Definitions(
        jobs=[*loads, refresh], schedules=[_nightly_load(settings)], sensors=[load_failed]
    )


def window_check(extraction: dg.AssetKey) -> dg.AssetCheckKey:
    """Return the key of the check that an extraction reports itself."""
    return dg.AssetCheckKey(extraction, "window_is_covered")


def _nightly_load(settings: Settings) -> dg.ScheduleDefinition:
    days = version_days(settings)

    @dg.schedule(
        job_name=NIGHTLY,
        cron_schedule=settings.schedule.cron,
        execution_timezone=settings.schedule.time_zone,
        description="One run for the last closed UTC day; nights that were missed are made up for.",
    )
    def nightly_load(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        at = context.scheduled_execution_time
        closed = days.get_partition_keys(current_time=at)
        if not closed:
            return dg.SkipReason("no UTC day since history_start is closed yet")
        return dg.RunRequest(run_key=at.isoformat(), partition_key=closed[-1])

    return nightly_load
