"""Which sources there are: every folder beside this file that brings its own rooms.

A source needs no entry anywhere else. Its folder holds `account.py` with one subclass of `Account`
and `source.py` with `SOURCE`.
"""

from __future__ import annotations

import inspect
import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from orders_connector import sources
from orders_connector.accounts import Account

if TYPE_CHECKING:
    from orders_connector.sources.source import Source

__all__ = ["account_types", "source_names", "source_of"]


@cache
def source_names() -> tuple[str, ...]:
    """Return the names of all sources, in the order of the alphabet."""
    found = pkgutil.iter_modules(sources.__path__)
    return tuple(sorted(module.name for module in found if module.ispkg))


@cache
def account_types() -> dict[str, type[Account]]:
    """Return the settings of an account of each source, by the source's name."""
    types = {}
    for name in source_names():
        module = import_module(f"{sources.__name__}.{name}.account")
        (types[name],) = [
            found
            for _, found in inspect.getmembers(module, inspect.isclass)
            if issubclass(found, Account) and found.__module__ == module.__name__
        ]
    return types


@cache
def source_of(name: str) -> Source:
    """Return what a source offers.

    Raises:
        KeyError: there is no such source.
    """
    if name not in source_names():
        raise KeyError(f"there is no source {name}; there are: {', '.join(source_names())}")
    source: Source = import_module(f"{sources.__name__}.{name}.source").SOURCE
    return source
