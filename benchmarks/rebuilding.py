"""A refresh in a measured process; imports no more than it needs."""

from __future__ import annotations

from orders_connector.modeling.model import load_models
from orders_connector.modeling.refresh import refresh
from orders_connector.warehouse.database import open_warehouse


def refresh_models(path: str, *, full: bool, threads: int, memory_limit: str) -> dict[str, float]:
    """Bring all models of a warehouse up to date.

    Returns:
        Wall seconds of each model.
    """
    models = load_models()
    with open_warehouse(path, threads=threads, memory_limit=memory_limit) as con:
        report = refresh(con, models, full=full)
    return {model.model: model.seconds for model in report.models}
