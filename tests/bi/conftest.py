"""A published copy of three shops, and a small warehouse to publish again and again."""

import pytest

from tests import cookbook
from tests.warehouse.conftest import target, warehouse

__all__ = ["shops", "target", "warehouse"]


@pytest.fixture(scope="session")
def shops(tmp_path_factory):
    """The published copy that the answers of the cookbook are from."""
    with pytest.MonkeyPatch.context() as patch:
        return cookbook.load_shops(tmp_path_factory.mktemp("bi"), patch.setenv)
