"""Puts the SELECT of a view in the place of the view.

A view holds no rows, so a refresh can neither note which of its rows changed nor restrict them to
slices. With the view's SELECT in its place, a model reads tables again and both work.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

__all__ = ["inline_views"]


def inline_views(select: exp.Query, views: Mapping[str, exp.Query]) -> exp.Query:
    """Return `select` with every view replaced by its SELECT; the argument is left as it was.

    Args:
        select: A model's SELECT.
        views: `schema.table` of each view to its SELECT, which reads no view itself.
    """
    tree = select.copy()
    for table in list(tree.find_all(exp.Table)):
        view = views.get(f"{table.db}.{table.name}")
        if view is not None:
            table.replace(exp.Subquery(this=view.copy(), alias=_alias(table)))
    return tree


def _alias(table: exp.Table) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(table.alias_or_name))
