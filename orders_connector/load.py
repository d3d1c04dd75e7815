"""The steps of a load after extraction: refresh, check, publish. CLI and Dagster call these."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from orders_connector.config import Settings
from orders_connector.landing.settings_tables import write_settings
from orders_connector.modeling.checks import CheckResult, keep_failing_rows
from orders_connector.modeling.configured import configured_models
from orders_connector.modeling.metrics import contracts
from orders_connector.modeling.model import Model
from orders_connector.modeling.refresh import ModelRefresh, RefreshReport, rebuild_slices, refresh
from orders_connector.publishing.personal import PersonalData, key_for_hashes, personal_columns
from orders_connector.publishing.publish import Published, publish
from orders_connector.warehouse.configured import warehouse_connection
from orders_connector.warehouse.database import transaction

__all__ = [
    "check_models",
    "publish_warehouse",
    "read_personal_data_key",
    "rebuild_dates",
    "refresh_models",
]


def refresh_models(
    settings: Settings, *, full: bool = False, progress: Callable[[str], None] | None = None
) -> RefreshReport:
    """Bring every model up to date (see `refresh`).

    Raises:
        ModelError: a model is wrong or failed; all tables are as they were.
        WarehouseLocked: another process holds the warehouse.
    """
    models = configured_models(settings)
    with warehouse_connection(settings) as con:
        with transaction(con):
            write_settings(con, settings)
        return refresh(con, models, full=full, progress=progress)


def rebuild_dates(
    settings: Settings, names: Sequence[str], days: Sequence[date]
) -> list[ModelRefresh]:
    """Rebuild business dates of the named models by hand (see `rebuild_slices`)."""
    models = configured_models(settings)
    with warehouse_connection(settings) as con:
        return rebuild_slices(con, models, names, days)


def check_models(settings: Settings, models: Sequence[Model] | None = None) -> list[CheckResult]:
    """Run the checks of the given models, or of all; failing rows are kept in ops.failing_rows.

    Raises:
        ModelError: a model is wrong.
        WarehouseLocked: another process holds the warehouse.
    """
    known = configured_models(settings)
    chosen = list(known.values()) if models is None else models
    with warehouse_connection(settings) as con:
        return keep_failing_rows(con, chosen, known)


def publish_warehouse(
    settings: Settings,
    *,
    forget_older: bool = False,
    **metadata: Any,  # noqa: ANN401
) -> Published:
    """Swap in a fresh copy for readers (see `publish`).

    Raises:
        ConfigurationError: personal data is to be hashed and there is no key.
    """
    models = configured_models(settings)
    personal = _personal_data(settings, models)
    views = {
        name: select
        for name, model in models.items()
        if model.header.published_as == "view" and (select := personal.view(model))
    }
    about = {
        "metadata": metadata,
        "checks": sum(len(model.header.checks) for model in models.values()),
        "metrics": {name: found.terms.version for name, found in contracts(models).items()},
    }
    with warehouse_connection(settings) as con:
        return publish(
            con,
            settings.warehouse.published,
            views=views,
            storage_version=settings.warehouse.storage_version,
            personal=personal,
            keep=settings.warehouse.keep_versions,
            forget_older=forget_older,
            about=about,
        )


def read_personal_data_key(settings: Settings) -> str:
    """Return the key that personal data is hashed with; empty when it is not hashed.

    Raises:
        ConfigurationError: it is to be hashed and there is no key.
    """
    warehouse = settings.warehouse
    if warehouse.personal_data != "hashed":
        return ""
    return key_for_hashes(warehouse.personal_data_key_env, os.environ)


def _personal_data(settings: Settings, models: Mapping[str, Model]) -> PersonalData:
    warehouse = settings.warehouse
    if warehouse.personal_data == "plain":
        return PersonalData()
    return PersonalData(
        tier=warehouse.personal_data,
        columns=personal_columns(models),
        key=read_personal_data_key(settings),
    )
