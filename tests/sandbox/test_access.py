"""Key pair and OAuth tokens."""

from datetime import timedelta

import pytest

FORM = {"grant_type": "client_credentials", "scope": "orders exports"}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-App-Id": "sandbox-app-id"},
        {"X-App-Id": "sandbox-app-id", "X-App-Token": "wrong"},
        {"Authorization": "Bearer nothing"},
    ],
)
def test_requests_without_good_credentials_are_unauthorized(start, connect, headers):
    answer = connect(start(), headers=headers).get("/v1/orders")
    assert (answer.status_code, answer.json()["key"]) == (401, "unauthorized")


def test_a_token_opens_what_its_scopes_name(start, connect):
    box = start()
    answer = connect(box).post("/v1/oauth/token", data=FORM).json()
    assert answer.keys() == {
        *("access_token", "client_id", "expires_at", "expires_in", "scope", "token_type")
    }
    assert (answer["expires_in"], answer["token_type"]) == (900, "Bearer")
    assert answer["expires_at"] == box.clock.now().timestamp() + 900
    client = connect(box, headers=bearer(answer["access_token"]))
    assert client.get("/v1/orders").status_code == 200
    assert client.get("/v1/exports").status_code == 200
    refused = client.get("/v1/async-actions")
    assert (refused.status_code, refused.json()["key"]) == (403, "missing_required_permission")


def test_scope_api_opens_everything(start, connect):
    box = start()
    token = connect(box).post("/v1/oauth/token", data=FORM | {"scope": "api"}).json()
    client = connect(box, headers=bearer(token["access_token"]))
    assert client.get("/v1/async-actions").status_code == 200


def test_a_token_dies_after_900_seconds_of_the_clock(start, connect):
    box = start()
    keyed = connect(box)
    token = keyed.post("/v1/oauth/token", data=FORM).json()["access_token"]
    client = connect(box, headers=bearer(token))
    box.clock.advance(timedelta(seconds=899))
    assert client.get("/v1/orders").status_code == 200
    state = keyed.post("/v1/oauth/introspect", data={"access_token": token}).json()
    assert (state["active"], state["expires_in"]) == (True, 1)
    box.clock.advance(timedelta(seconds=1))
    assert client.get("/v1/orders").status_code == 401
    assert not keyed.post("/v1/oauth/introspect", data={"access_token": token}).json()["active"]


def test_a_revoked_token_is_unknown(start, connect):
    box = start()
    keyed = connect(box)
    form = {"access_token": keyed.post("/v1/oauth/token", data=FORM).json()["access_token"]}
    assert keyed.post("/v1/oauth/token/revoke", data=form).status_code == 204
    again = keyed.post("/v1/oauth/token/revoke", data=form)
    assert (again.status_code, again.content) == (404, b"")
    assert keyed.post("/v1/oauth/introspect", data=form).json() == {"active": False}
    assert connect(box, headers=bearer(form["access_token"])).get("/v1/orders").status_code == 401


@pytest.mark.parametrize(
    ("form", "key"),
    [
        ({"scope": "api"}, "missing_parameters"),
        ({"grant_type": "password", "scope": "api"}, "invalid_grant_type"),
        (FORM | {"scope": "orders,exports"}, "invalid_scope"),
    ],
)
def test_bad_token_requests_are_refused_without_request_id(start, connect, form, key):
    answer = connect(start()).post("/v1/oauth/token", data=form)
    assert answer.status_code == 400
    assert answer.json()["key"] == key
    assert answer.json().keys() == {"code", "key", "message"}


def test_a_token_cannot_ask_for_tokens(start, connect):
    box = start()
    token = connect(box).post("/v1/oauth/token", data=FORM | {"scope": "api"}).json()
    client = connect(box, headers=bearer(token["access_token"]))
    assert client.post("/v1/oauth/token", data=FORM).status_code == 401


def test_downloads_take_a_token_as_well(start, connect, export):
    box = start()
    token = connect(box).post("/v1/oauth/token", data=FORM).json()["access_token"]
    client = connect(box, headers=bearer(token))
    assert client.get(export(client)["result"]["url"]).status_code == 200
