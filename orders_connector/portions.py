"""Pages of a reading on their way to the warehouse: kept on disk, landed portion by portion."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from orders_connector.account_load import AccountLoad, Commit
from orders_connector.landing.raw_log import Landed, land
from orders_connector.landing.spool import Spool
from orders_connector.sources.base import PayloadContract

__all__ = ["Portions"]


class Portions:
    """The sink that a reader fills. A context manager; what was not landed is dropped at the end.

    Attributes:
        contracts: How the pages of each channel are laid out.
    """

    def __init__(self, load: AccountLoad, contracts: Mapping[str, PayloadContract]) -> None:
        self.contracts = contracts
        self._folder = load.settings.warehouse.path.parent
        self._spool = Spool(self._folder)
        self._distinct: list[PayloadContract] = []
        for contract in contracts.values():
            if not any(contract is known for known in self._distinct):
                self._distinct.append(contract)

    def add(self, body: bytes, channel: str) -> int:
        """Keep one page and return its number in the portion.

        Raises:
            DiskFull: there is no room for it.
            KeyError: no contract says how pages of this channel are laid out.
        """
        self.contracts[channel]
        return self._spool.add(body, channel)

    @property
    def pages(self) -> int:
        """Pages that wait to be landed."""
        return self._spool.pages

    @property
    def landing_memory(self) -> str:
        """What DuckDB needs to land them, as its `memory_limit`."""
        return self._spool.landing_memory

    def land(self, commit: Commit, *, held_by: str | None = None) -> Landed:
        """Land what waits, in the transaction of `commit`; see `raw_log.land`."""
        landed = Landed()
        for contract in self._distinct:
            channels = [name for name, laid_out in self.contracts.items() if laid_out is contract]
            landed += land(
                commit.con,
                partial(self._spool.batches, channels),
                contract=contract,
                held_by=held_by,
                **commit.origin,
            )
        return landed

    def drop(self) -> None:
        """Forget what was landed, after its transaction."""
        self._spool.__exit__(None, None, None)
        self._spool = Spool(self._folder)

    def __enter__(self) -> Portions:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.__exit__(None, None, None)
