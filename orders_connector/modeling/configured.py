"""The models of an installation: those of the product and its own."""

from __future__ import annotations

from orders_connector.config import Settings
from orders_connector.modeling.model import Model, load_models

__all__ = ["configured_models"]


def configured_models(settings: Settings) -> dict[str, Model]:
    """Read every model that the settings name (errors as `load_models`)."""
    return load_models(own=settings.models.folder)
