"""What LicenseSpring should not send: it is asked for again, then told, and the rest is loaded."""

import json
from datetime import timedelta

import httpx
import pytest

from orders_connector.sandbox.licensespring import Fault, Switches
from orders_connector.sources.base import Window
from orders_connector.sync import sync_account
from orders_connector.warehouse.configured import warehouse_connection
from tests.licensespring.conftest import NOW, lacks, no_wait

DAY = timedelta(days=1)

SPOILT = {
    "an error inside a success": Fault("status", status=200, path="/api/v1/", every=4),
    "a web page": Fault("html", status=200, path="/api/v1/", every=4),
    "cut off": Fault("cut_json", path="/api/v1/", every=4),
    "malformed": Fault("malformed_json", path="/api/v1/", every=4),
    "a broken row": Fault("broken_order", path="/api/v1/", every=4),
    "half a body": Fault("truncated_body", path="/api/v1/", every=4),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_what_is_spoilt_once_is_asked_for_again(start_vendor, vendor_settings, fault):
    box = start_vendor(60, switches=Switches(max_limit=20))
    vendor = vendor_settings(box)
    box.faults.add(SPOILT[fault])
    result = sync_account(vendor, "vendor", sleep=no_wait)
    assert result.status == "complete"
    assert result.landed.quarantined == 0
    assert lacks(box, vendor) == []


def spoil(page, request):
    """Break the JSON of the fourth row."""
    body = json.dumps(page)
    place = body.index('"updated_at":', body.index(str(page["results"][3]["id"])))
    return (body[:place] + '"updated_at"' + body[place + 13 :]).encode()


@pytest.mark.parametrize("rows", ["orders", "licenses"])
def test_of_a_page_that_is_always_malformed_the_rest_is_kept_and_no_secret(
    start_vendor, vendor_settings, rows
):
    box = start_vendor(30)
    vendor = vendor_settings(box)

    def alter(page, request):
        by_change = request.url.params["order_by"] == "-updated_at"
        fits = by_change and f"/{rows}/" in request.url.path and len(page["results"]) > 3
        return spoil(page, request) if fits else page

    result = sync_account(vendor, "vendor", sleep=no_wait, http_transport=Altering(alter))
    assert result.landed.quarantined == 1
    with warehouse_connection(vendor) as con:
        kept = str(con.execute("from ops.quarantine").fetchall())
        kept += str(con.execute("from raw.order_payloads").fetchall())
    keys = [row["license_key"] for row in box.shop.license_truth()]
    assert keys
    assert [key for key in keys if key in kept] == []
    # Rows without a time make the reader look at the times of creation: there the row is whole.
    assert lacks(box, vendor) == []


@pytest.mark.parametrize("broken", ["string", "null", "number", "no_id", "dates"])
def test_a_row_that_cannot_be_read_goes_to_quarantine_and_the_rest_is_loaded(
    start_vendor, vendor_settings, broken
):
    box = start_vendor(30)
    vendor = vendor_settings(box)
    box.faults.add(Fault("broken_order", path="/api/v1/", order_index=2, broken=broken))
    result = sync_account(vendor, "vendor", sleep=no_wait)
    assert result.landed.quarantined > 0
    box.faults.clear()
    sync_account(vendor, "vendor", window=Window(NOW - 9_999 * DAY))
    assert lacks(box, vendor) == []


@pytest.mark.parametrize("answer", [{"detail": "no"}, {"results": None}, {"results": "x"}, []])
def test_an_answer_without_rows_is_told(start_vendor, vendor_settings, answer):
    box = start_vendor(30)
    vendor = vendor_settings(box)
    result = sync_account(
        vendor, "vendor", sleep=no_wait, http_transport=Altering(lambda page, _: answer)
    )
    assert result.status == "failed"
    assert result.reading.proven is None
    assert sync_account(vendor, "vendor").status == "complete"


class Altering(httpx.AsyncHTTPTransport):
    """Real requests whose lists are changed on the way back."""

    def __init__(self, alter):
        super().__init__()
        self._alter = alter

    async def handle_async_request(self, request):
        response = await super().handle_async_request(request)
        page = json.loads(await response.aread())
        await response.aclose()
        changed = self._alter(page, request)
        body = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
        headers = {"date": response.headers["date"], "content-type": "application/json"}
        return httpx.Response(response.status_code, headers=headers, content=body)


def without(*keys):
    return lambda page, _: {key: value for key, value in page.items() if key not in keys}


def short(page, request):
    """Give half of every second page, and claim that it was the last."""
    if int(request.url.params["offset"]) % 20 > 9 and len(page["results"]) > 10:
        return page | {"results": page["results"][:10], "next": None}
    return page


ENDS = {
    "no next": without("next"),
    "no count": without("count"),
    "neither": without("count", "next"),
    "short pages": short,
    "next never ends": lambda page, _: page | {"next": "https://elsewhere.example/"},
}


@pytest.mark.parametrize("ends", ENDS)
def test_the_end_of_a_list_is_found_however_it_is_told(start_vendor, vendor_settings, ends):
    box = start_vendor(150)
    vendor = vendor_settings(box)
    result = sync_account(vendor, "vendor", http_transport=Altering(ENDS[ends]))
    assert result.status == "complete"
    assert lacks(box, vendor) == []


def test_a_list_that_shrinks_below_the_offset_is_read_again_from_further_up(
    start_vendor, vendor_settings
):
    box = start_vendor(150, switches=Switches(max_limit=20))
    vendor = vendor_settings(box)

    def delete(call):
        if "offset=95" in call.query or "offset=114" in call.query:
            for order_id in sorted(box.shop.order_ids())[:100]:
                box.shop.delete(order_id)
            box.on_request = None

    box.on_request = delete
    result = sync_account(vendor, "vendor")
    assert result.status in {"complete", "incomplete"}
    assert lacks(box, vendor) == []


ODD = {
    "no time of change": {"updated_at": None},
    "a number as time": {"updated_at": 20260801},
    "customer is a number": {"customer": 605},
    "metadata is a text": {"metadata": "{}"},
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_orders_are_kept(start_vendor, vendor_settings, odd):
    box = start_vendor(120, switches=Switches(max_limit=20))
    vendor = vendor_settings(box)
    sync_account(vendor, "vendor")
    box.clock.advance(DAY)
    number = 1_800_000_000_000_001
    plain = box.shop.row(box.shop.order_ids()[0])
    created = (NOW + DAY).isoformat().replace("+00:00", "Z")
    box.shop.put_raw(
        plain | {"id": number, "created_at": created, "updated_at": created} | ODD[odd]
    )
    box.clock.advance(timedelta(seconds=1))
    assert sync_account(vendor, "vendor").status == "complete"
    with warehouse_connection(vendor) as con:
        where = f"where order_id = '{number}'"
        assert con.execute(f"select count(*) from raw.order_payloads {where}").fetchall() == [(1,)]
