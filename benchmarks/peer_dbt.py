"""The peer of the nightly refresh: dbt, running the project that `dbt_project` writes."""

from __future__ import annotations

from dbt.cli.main import dbtRunner


def run_models(folder: str, *, full: bool) -> None:
    """Run all models; by night the views are left alone, as nothing reads them.

    Raises:
        RuntimeError: a model failed.
    """
    which = ["--full-refresh"] if full else ["--exclude", "config.materialized:view"]
    arguments = ["--project-dir", folder, "--profiles-dir", folder, "--log-level", "error"]
    done = dbtRunner().invoke(["run", *which, *arguments])
    if not done.success:
        failed = [f"{r.node.name}: {r.message}" for r in done.result or () if r.status != "success"]
        raise RuntimeError(str(done.exception or failed))
