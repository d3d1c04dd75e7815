"""What a load consists of, when it runs, and what happens when it fails."""

import dagster as dg

from dagster_project.defs.labels import extraction_key, model_key
from dagster_project.defs.models import ModelAssets
from dagster_project.defs.partitions import version_days
from dagster_project.defs.publishing import PUBLISHED
from orders_connector.config import Settings

__all__ = ["build_automation"]


def build_automation(settings: Settings, models: ModelAssets) -> dg.Definitions:
    """Make the jobs, the nightly schedule and the sensor for failed loads."""
    extractions = [extraction_key(name) for name in settings.accounts]
    after_extraction = (
        dg.AssetSelection.assets(*[spec.key for spec in models.refreshed], PUBLISHED)
        | dg.AssetSelection.checks_for_assets(*[model_key(name) for name in models.models])
        | dg.AssetSelection.checks_for_assets(*extractions)
    )
    nightly = dg.define_asset_job(
        "nightly",
        selection=dg.AssetSelection.assets(*extractions) | after_extraction,
        description="Reads what is new from every account, refreshes, checks and publishes.",
        tags={"dagster/max_runtime": 4 * 3600},
    )
    refresh = dg.define_asset_job(
        "refresh",
        # What an extraction reports itself cannot be checked without it.
        selection=after_extraction - dg.AssetSelection.checks(*map(window_check, extractions)),
        description="Refreshes, checks and publishes what has been landed; asks no source.",
        tags={"dagster/max_runtime": 3600},
    )

    @dg.run_failure_sensor(
        monitored_jobs=[nightly],
        request_job=refresh,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says what failed. When only extractions did, starts `refresh`, so that one "
        "account does not hold back the figures of the others.",
    )
    def load_failed(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
        run = context.dagster_run.run_id
        failures = context.get_step_failure_events()
        steps = {event.step_key for event in failures}
        reasons = "; ".join(str(e.message) for e in failures or [context.failure_event])
        context.log.error(f"load {run} failed: {reasons}")
        if steps and steps <= {key.to_python_identifier() for key in extractions}:
            return dg.RunRequest(run_key=run)
        return dg.SkipReason("more than extractions failed: readers keep the copy they have")

    return dg.Definitions(
        jobs=[nightly, refresh], schedules=[_nightly_load(settings)], sensors=[load_failed]
    )


def window_check(extraction: dg.AssetKey) -> dg.AssetCheckKey:
    """Return the key of the check that an extraction reports itself."""
    return dg.AssetCheckKey(extraction, "window_is_covered")


def _nightly_load(settings: Settings) -> dg.ScheduleDefinition:
    days = version_days(settings)

    @dg.schedule(
        job_name="nightly",
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
