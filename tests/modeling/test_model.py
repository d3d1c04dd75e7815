"""A model file says what it is, or says clearly why it cannot be used."""

import pytest

from orders_connector.errors import ModelError
from orders_connector.modeling.model import load_models, parse_model

GOOD = """/*
description: Orders of each day.
grain: [order_date]
refresh_key: order_date
columns:
  order_date: Day.
  orders: How many.
checks:
  - unique: [order_date]
*/
select o.order_date, cast(count(*) as bigint) as orders from core.orders as o group by o.order_date
"""


def write(tmp_path, text, layer="marts", name="per_day"):
    folder = tmp_path / layer
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.sql"
    file.write_text(text)
    return file


def test_a_model_tells_its_name_inputs_and_columns(tmp_path):
    model = parse_model(write(tmp_path, GOOD), "marts")
    assert (model.name, model.layer, model.refresh_key) == ("marts.per_day", "marts", "order_date")
    assert model.inputs == {"core.orders"}
    assert model.columns == ("order_date", "orders")


def test_words_broken_into_lines_are_one_line(tmp_path):
    text = GOOD.replace("How many.", ">\n    How many\n    there are.\n")
    text = text.replace("description: Orders", "description: |\n  Orders\n ")
    header = parse_model(write(tmp_path, text), "marts").header
    assert header.columns["orders"] == "How many there are."
    assert header.description == "Orders of each day."


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("/*", "--", "starts with a block comment"),
        ("grain:", "grains:", "header cannot be read"),
        ("description: Orders", "description: [Orders", "header cannot be read"),
        ("  orders: How many.\n", "", r"only in the SELECT \['orders'\]"),
        ("  orders: How many.\n", "  orders: x\n  more: y\n", r"only in the header \['more'\]"),
        ("grain: [order_date]", "grain: [day]", r"not: \['day'\]"),
        ("unique: [order_date]", "unique: [day]", r"not: \['day'\]"),
        ("unique: [order_date]", "uniqe: [order_date]", "header cannot be read"),
        ("select o.order_date", "selec o.order_date", "does not parse|one SELECT"),
        ("select o", "select 1 as x; select o", "exactly one SELECT"),
        ("select o.order_date,", "delete from core.orders --", "exactly one SELECT"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path, old, new, message):
    with pytest.raises(ModelError, match=message):
        parse_model(write(tmp_path, GOOD.replace(old, new, 1)), "marts")


def test_an_unknown_input_is_refused(tmp_path):
    write(tmp_path, GOOD)
    with pytest.raises(ModelError, match=r"reads core\.orders, which is neither a model"):
        load_models(tmp_path)


def test_a_refresh_key_that_an_input_lacks_is_refused(tmp_path):
    write(tmp_path, GOOD.replace("core.orders", "raw.order_payloads"))
    with pytest.raises(ModelError, match=r"raw\.order_payloads has no such column"):
        load_models(tmp_path)


def test_a_circle_is_refused(tmp_path):
    write(tmp_path, GOOD.replace("core.orders", "marts.b"), name="a")
    write(tmp_path, GOOD.replace("core.orders", "marts.a"), name="b")
    with pytest.raises(ModelError, match="circle"):
        load_models(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no models below"):
        load_models(tmp_path)


def test_upstream_comes_before_downstream():
    seen = set()
    models = load_models()
    for name, model in models.items():
        assert model.inputs & models.keys() <= seen
        seen.add(name)


def test_a_comment_does_not_change_the_code_version_and_a_formula_does(tmp_path):
    plain = parse_model(write(tmp_path, GOOD), "marts").code_version
    commented = GOOD.replace("How many.", "How many orders.").replace("select", "-- why\nselect")
    assert parse_model(write(tmp_path, commented), "marts").code_version == plain
    changed = GOOD.replace("count(*)", "count(distinct o.order_id)")
    assert parse_model(write(tmp_path, changed), "marts").code_version != plain
