"""Orders and licenses are read completely, in few requests, and what is claimed is proven."""



from orders_connector.sync import sync_account
from tests.licensespring.conftest import held, there


def test_first_load(start_vendor, vendor_settings):
    box = start_vendor(230)
    settings = vendor_settings(box)
    result = sync_account(settings, "vendor")
    print(result.as_metadata(), result.error)
    assert result.status == "complete"
    assert held(settings) == there(box)
    assert held(settings, parts=True) == there(box, parts=True)
    for call in box.calls: print(call)
    box.reset_calls()
    box.moves.day()
    result = sync_account(settings, "vendor")
    print(result.as_metadata(), result.error)
    for call in box.calls: print(call)
