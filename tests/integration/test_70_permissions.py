"""Every route with every kind of token; the forms in which a token comes; what is public."""

import base64
import json
import re
import shutil

import pytest
from tokens_kit import ADMIN, Guarded, bearer, routes, start

NEEDED = {"NONE": None, "ANY": "", "READ": "read", "WRITE": "write", "DELETE": "delete", "ADMIN": "admin"}
VALUES = {"database": "prod", "measurement": "cpu", "token_id": "999999"}
RIGHTS = {  # of each good token
    "nothing": set(),
    "read": {"read"},
    "write": {"write"},
    "delete": {"delete"},
    "scoped": {"read", "write", "delete"},
    "admin": {"read", "write", "delete", "admin"},
}
BAD = ("none", "bad", "tampered", "expired", "disabled", "deleted", "rotated")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    data = tmp_path_factory.mktemp("arc")
    g = start(data, {"LOG_LEVEL": "debug"})
    yield g
    try:
        g.arc.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="module")
def tokens(guarded):
    """name: text, of all that a cell of the table may have."""
    out = {"none": None, "bad": "nobody-has-this-token-0123456789", "admin": ADMIN}
    for name in ("read", "write", "delete"):
        out[name], _ = guarded.make(name, name)
    out["nothing"], _ = guarded.make("nothing", "")
    out["scoped"], _ = guarded.make("scoped", "read,write,delete", scope="prod")
    out["tampered"] = out["read"][:-2] + ("AA" if out["read"][-2:] != "AA" else "BA")
    for name in ("expired", "disabled", "deleted", "rotated"):
        out[name], number = guarded.make(name, "read,write,delete,admin")
        guarded.wait_status(out[name], 200)  # it was good, and is remembered
        if name == "expired":
            guarded.sql("UPDATE api_tokens SET expires_at = 1000 WHERE id = ?", number)
        elif name == "disabled":
            assert guarded.call("POST", f"/api/v1/auth/tokens/{number}/revoke").status == 200
        elif name == "deleted":
            assert guarded.call("DELETE", f"/api/v1/auth/tokens/{number}").status == 200
        else:
            assert guarded.call("POST", f"/api/v1/auth/tokens/{number}/rotate").status == 200
    guarded.wait_status(out["expired"], 401)
    assert guarded.write("prod", "cpu v=1").status == 204
    return out


def cells():
    for methods, path, permission in routes():
        for method in methods:
            yield method, path, permission
            if method == "GET":
                yield "HEAD", path, permission


def call(guarded, method, path, token):
    path = re.sub(r"\{(\w+)\}", lambda m: VALUES.get(m[1], "none"), path)
    body = None if method in ("GET", "HEAD") else b"{}"
    return guarded.arc.request(method, path + "?db=prod", body, {**bearer(token), "x-arc-database": "prod"})


def check_error(a, method, code):
    if method == "HEAD":
        assert a.body == b""
        return ""
    body = a.json()
    assert body["success"] is False and body["code"] == code
    assert body["error"] == body["message"] == body["detail"]
    return body["error"]


@pytest.mark.parametrize("method, path, permission", list(cells()))
def test_every_cell(guarded, tokens, method, path, permission):
    needed = NEEDED[permission]
    for name in [*BAD, *RIGHTS]:
        a = call(guarded, method, path, tokens[name])
        where = f"{method} {path} with {name}: {a}"
        if needed is None:
            wanted = 401 if name in BAD and path == "/api/v1/auth/verify" else None
            assert (a.status == 401) == (wanted == 401) and a.status != 403, where
        elif name in BAD:
            assert a.status == 401, where
            check_error(a, method, "unauthorized")
            assert a.headers["WWW-Authenticate"] == 'Bearer realm="arc"'
        elif needed and needed not in RIGHTS[name]:
            assert a.status == 403, where
            text = check_error(a, method, "forbidden")
            assert method == "HEAD" or f"permission '{needed}'" in text, where
        else:
            assert a.status not in (401, 403), where


def test_options_and_unknown_paths_are_the_same_for_all(guarded, tokens):
    for name in (None, tokens["bad"], tokens["read"]):
        for _, path, _ in routes():
            assert call(guarded, "OPTIONS", path, name).status == 204
        a = guarded.call("GET", "/api/v1/nothing", token=name)
        assert (a.status, a.json()["error"]) == (404, "Cannot GET /api/v1/nothing")
        assert guarded.call("PUT", "/api/v1/auth/tokens", b"{}", name).status == 405


def basic(text):
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def forms(token):
    return [
        {"Authorization": f"Bearer {token}"},
        {"authorization": f"bEaReR   {token}  "},
        {"Authorization": f"Token {token}"},
        {"Authorization": f"token someone:{token}"},
        {"Authorization": f"Token :{token}"},
        basic(f"someone:{token}"),
        basic(f":{token}"),
        basic(f"{token}:"),
        basic(token),
        {"Authorization": token},
        {"x-api-key": token},
        {"X-API-Key": f"  {token} "},
        {"Authorization": "Bearer ", "x-api-key": token},
        {"Authorization": "", "x-api-key": token},
        {"Authorization": "Basic Og==", "x-api-key": token},  # ":"
    ]


@pytest.mark.parametrize("at", range(15))
def test_forms_of_a_token(guarded, tokens, at):
    for token, verify, write in ((ADMIN, 200, 204), (tokens["read"], 200, 403), (tokens["bad"], 401, 401)):
        headers = forms(token)[at]
        assert guarded.arc.get("/api/v1/auth/verify", headers).status == verify
        assert guarded.arc.post("/write?db=prod", b"cpu v=1", headers).status == write


def test_the_first_that_is_not_empty_counts(guarded, tokens):
    good, bad = ADMIN, tokens["bad"]
    path = "/write?db=prod&u=me"
    assert guarded.arc.post(f"{path}&p={good}", b"cpu v=1").status == 204
    assert guarded.arc.post(f"{path}&p={good}", b"cpu v=1", {"x-api-key": bad}).status == 401
    assert guarded.arc.post(f"{path}&p={bad}", b"cpu v=1", {"x-api-key": good}).status == 204
    assert guarded.arc.post(path, b"cpu v=1", {"x-api-key": good, "Authorization": bad}).status == 401
    assert guarded.arc.post(path, b"cpu v=1", {"x-api-key": bad, **bearer(good)}).status == 204
    for text in ("Basic", "Basic !!!", "Basic " + "QUFB" * 400, "Digest x", "Token", "Bearer"):
        assert guarded.arc.get("/api/v1/auth/verify", {"Authorization": text}).status == 401


def test_the_parameter_is_for_the_paths_of_influxdb(guarded):
    for path in ("/write", "/api/v1/write"):
        assert guarded.arc.post(f"{path}?db=prod&p={ADMIN}", b"cpu v=1").status == 204
    assert guarded.arc.get(f"/query?p={ADMIN}&q=SHOW+DATABASES").status == 200
    for _, path, permission in routes():
        if permission != "NONE" and path not in ("/write", "/api/v1/write", "/query"):
            assert guarded.arc.request("OPTIONS" if "{" in path else "GET", path + f"?p={ADMIN}").status != 200, path


def test_public_routes_do_not_look_at_a_token(guarded, tokens):
    for path in ("/", "/health", "/ping", "/ready"):
        for name in BAD:
            assert guarded.arc.get(path, bearer(tokens[name])).status in (200, 204)


def test_a_token_is_in_no_log_and_no_answer(guarded, tokens):
    secret = "a-secret-that-must-not-be-told-987654321"
    for path in (f"/write?db=prod&u=x&p={secret}", f"/write?db=%zz&p={secret}", f"/query?p={secret}&q=SHOW",
                 f"/api/v1/nothing?p={secret}", f"/api/v1/query?p={secret}"):
        a = guarded.arc.post(path, b"cpu v=1", {"x-api-key": "other-" + secret, **basic("u:" + secret)})
        assert secret.encode() not in a.body and secret not in str(a.headers)
    logs = guarded.call("GET", "/api/v1/logs?limit=1000")
    assert logs.status in (200, 404)
    text = "".join(guarded.arc.stderr) + logs.body.decode()
    assert "POST /write" in text  # the lines of requests are there
    for word in (secret, base64.b64encode(("u:" + secret).encode()).decode(), ADMIN, *filter(None, tokens.values())):
        assert word not in text


def test_paths_that_need_no_token(arc_start):
    env = {"AUTH_ENABLED": "true", "ARC_HOST": "127.0.0.1", "ARC_AUTH_BOOTSTRAP_TOKEN": ADMIN,
           "AUTH_ALLOWLIST": "/api/v1/measurements, /api/v1/wal/*,/auth/verify"}
    g = Guarded(arc_start(env=env))
    assert g.arc.get("/api/v1/measurements").status == 200
    assert g.arc.get("/api/v1/measurements/").status == 200
    assert g.arc.get("/api/v1/wal/status").status == 200
    assert g.arc.get("/api/v1/wal/files", bearer("bad")).status == 200
    assert g.arc.get("/api/v1/auth/verify", bearer(ADMIN)).status == 200
    for path in ("/api/v1/measurementsx", "/api/v1/databases", "/api/v1/wal/../databases", "/api/v1/wal/%2e%2e/databases",
                 "/api/v1/walx/status", "/api/v1/wal", "/api/wal/status"):
        assert g.arc.get(path).status in (401, 404), path
        assert g.arc.get(path).status != 200, path


def test_without_auth_everything_is_open(arc):
    for method, path, permission in cells():
        a = arc.request(method, re.sub(r"\{(\w+)\}", lambda m: VALUES.get(m[1], "none"), path),
                        None if method in ("GET", "HEAD") else b"{}", bearer("whatever"))
        assert a.status not in (401, 403), (method, path, a)
    a = arc.get("/api/v1/auth/verify")
    assert (a.status, a.json()["error"]) == (404, "Cannot GET /api/v1/auth/verify: authentication is switched off")
    made = arc.post("/api/v1/auth/tokens", json.dumps({"name": "later"}))
    assert made.status == 201
    assert arc.get("/api/v1/auth/tokens").json()["count"] == 1
    assert arc.post(f"/api/v1/auth/tokens/{made.json()['id']}/revoke").status == 200


def test_tokens_are_asked_for_while_the_data_is_opened(tmp_path):
    g = start(tmp_path / "d", {"WAL_MAX_AGE_SECONDS": "3600"})
    scoped, _ = g.make("scoped", "read", scope="other")
    for i in range(20):
        assert g.write("prod", "\n".join(f"cpu,host=h{k} v={i}" for k in range(2000))).status == 204
    g.arc.kill()
    g = start(tmp_path / "d", wait=False)
    for token, statuses in ((None, {401}), ("bad", {401}), (scoped, {404, 503}), (ADMIN, {200, 503})):
        a = g.call("POST", "/api/v1/query", {"sql": "SELECT count(*) FROM prod.cpu"}, token)
        assert a.status in statuses, a
        a = g.call("GET", "/api/v1/auth/tokens", token=token)
        assert a.status in ({401} if 401 in statuses else {403} if token == scoped else {200, 503}), a
    g.arc.wait_ready()
    assert g.query("SELECT count(*) FROM prod.cpu")["data"] == [[40000]]
    g.arc.stop()


def test_statements_of_influxql_ask_for_their_own_permission(guarded, tokens):
    for name, show, create in (("nothing", 403, 403), ("read", 200, 403), ("write", 403, 200), ("admin", 200, 200)):
        for q, status in (("SHOW+DATABASES", show), ("CREATE+DATABASE+prod", create)):
            assert guarded.call("POST", f"/query?q={q}", token=tokens[name]).status == status, (name, q)
