"""A small warehouse to publish."""

import pytest

from orders_connector.warehouse.database import open_warehouse


@pytest.fixture
def warehouse(tmp_path):
    """A warehouse with one fact, one view over it, and what must not get out."""
    path = tmp_path / "orders.duckdb"
    with open_warehouse(path) as con:
        con.execute(
            """
            create table core.orders (order_id varchar, net_minor bigint);
            insert into core.orders values ('ord_1', 1000), ('ord_2', 250);
            comment on table core.orders is 'The shop''s orders.';
            comment on column core.orders.net_minor is 'What is left to pay.';
            create view marts.revenue as select sum(net_minor) as net_minor from core.orders;
            comment on view marts.revenue is 'All of it.';
            comment on column marts.revenue.net_minor is 'Sum.';
            create table staging.orders as select 'jane@example.com' as email;
            insert into ops.accounts (source, account) values ('voucherify', 'shop');
            insert into ops.loads (load_id, ended_at) values ('load_1', now());
            insert into ops.coverage values
                ('voucherify', 'shop', '2026-01-01 00:00Z', '2026-02-01 00:00Z', 'ext_1'),
                ('voucherify', 'shop', '2026-01-31 00:00Z', '2026-03-01 00:00Z', 'ext_2');
            """
        )
    return path


@pytest.fixture
def target(tmp_path):
    return tmp_path / "published" / "orders.duckdb"
