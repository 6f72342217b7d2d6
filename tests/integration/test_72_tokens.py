"""Endpoints and verbs for tokens, the first start, and what an old client reads of them."""

import json
import re
import stat
import time

import pytest
from conftest import run_arc
from tokens_kit import ADMIN, LIMIT_S, Guarded, bearer, start

TEXT = re.compile(r"^[A-Za-z0-9_-]{43}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$")
MEMBERS = {"id", "name", "description", "created_at", "last_used_at", "enabled", "permissions", "expires_at", "scope",
           "max_priority"}


@pytest.fixture
def guarded(tmp_path):
    g = start(tmp_path / "data")
    yield g
    g.arc.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """For what changes nothing."""
    g = start(tmp_path_factory.mktemp("arc"))
    yield g
    g.arc.stop()


def create(g, status=201, **body):
    a = g.call("POST", "/api/v1/auth/tokens", body)
    assert a.status == status, a
    return a.json()


def test_the_life_of_a_token(guarded):
    made = create(guarded, name="agent1", permissions="write, READ", description="for \"x\"", expires_in="7d")
    assert set(made) == MEMBERS | {"success", "token", "message"}
    assert TEXT.match(made["token"]) and TIME.match(made["created_at"]) and TIME.match(made["expires_at"])
    assert (made["success"], made["name"], made["description"]) == (True, "agent1", 'for "x"')
    assert (made["permissions"], made["enabled"], made["last_used_at"], made["scope"]) == (["read", "write"], True, None, [])
    path = f"/api/v1/auth/tokens/{made['id']}"

    listed = guarded.call("GET", "/api/v1/auth/tokens").json()
    assert (listed["success"], listed["count"], [t["name"] for t in listed["tokens"]]) == (True, 2, ["admin", "agent1"])
    assert all(set(t) == MEMBERS for t in listed["tokens"])
    assert guarded.arc.get("/api/v1/auth/verify", bearer(made["token"])).json()["permissions"] == ["read", "write"]
    got = guarded.call("GET", path).json()
    assert set(got) == MEMBERS | {"success", "token"} and set(got["token"]) == MEMBERS
    assert got["id"] == got["token"]["id"] == made["id"] and TIME.match(got["last_used_at"])

    changed = guarded.call("PATCH", path, {"name": "agent2", "permissions": ["read"], "description": "",
                                           "expires_at": "never", "max_priority": "high"}).json()
    assert (changed["success"], changed["name"], changed["permissions"]) == (True, "agent2", ["read"])
    assert (changed["description"], changed["expires_at"], changed["max_priority"]) == (None, None, "high")
    assert guarded.call("GET", "/api/v1/databases", token=made["token"]).status == 200
    assert guarded.write("d", "m v=1", made["token"]).status == 403

    rotated = guarded.call("POST", path + "/rotate")
    new = rotated.json()
    assert TEXT.match(new["token"]) and new["new_token"] == new["token"] != made["token"]
    assert (new["id"], new["name"], new["permissions"]) == (made["id"], "agent2", ["read"])
    assert rotated.headers["Cache-Control"] == "no-store"
    assert guarded.arc.get("/api/v1/auth/verify", bearer(made["token"])).status == 401
    assert guarded.arc.get("/api/v1/auth/verify", bearer(new["token"])).status == 200

    assert guarded.call("POST", path + "/revoke").json()["enabled"] is False
    assert guarded.arc.get("/api/v1/auth/verify", bearer(new["token"])).status == 401
    assert guarded.call("PATCH", path, {"enabled": True}).status == 200
    assert guarded.arc.get("/api/v1/auth/verify", bearer(new["token"])).status == 200

    gone = guarded.call("DELETE", path)
    assert (gone.status, gone.json()["token_id"], gone.json()["success"]) == (200, made["id"], True)
    assert guarded.arc.get("/api/v1/auth/verify", bearer(new["token"])).status == 401
    for method, end in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/revoke"),
                        ("GET", "/permissions")):
        a = guarded.call(method, path + end, {"name": "x"} if method == "PATCH" else None)
        assert a.status == 404 and not a.json()["error"].startswith("Cannot")


@pytest.mark.parametrize("body, says", [
    ({}, '"name" is missing'),
    ({"name": ""}, "name is empty"),
    ({"name": "x" * 101}, "101 characters"),
    ({"name": "x", "description": "y" * 501}, "501 characters"),
    ({"name": "admin"}, "a token named 'admin' already"),
    ({"name": 5}, "name"),
    ({"name": "x", "permissions": "owner"}, "permission 'owner'"),
    ({"name": "x", "permissions": ["read", "owner"]}, "permission 'owner'"),
    ({"name": "x", "permissions": ["read,write"]}, "item 0"),
    ({"name": "x", "permissions": {"read": True}}, "permissions"),
    ({"name": "x", "scope": ["a b"]}, "scope 'a b'"),
    ({"name": "x", "scope": 7}, "scope"),
    ({"name": "x", "scope": []}, '"scope" is an empty list'),
    ({"name": "x", "expires_in": "soon"}, "expires_in 'soon'"),
    ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "is past"),
    ({"name": "x", "expires_at": "2099-01-01", "expires_in": "1d"}, "both"),
    ({"name": "x", "max_priority": "urgent"}, "priority 'urgent'"),
    ([], "expected an object"),
])
def test_what_cannot_be_made(shared, body, says):
    a = shared.call("POST", "/api/v1/auth/tokens", body)
    assert (a.status, a.json()["code"]) == (400, "invalid")
    assert says in a.json()["error"]
    assert shared.call("GET", "/api/v1/auth/tokens").json()["count"] == 1


def test_changes_that_cannot_be(guarded):
    number = create(guarded, name="a")["id"]
    create(guarded, name="b", permissions=[])
    for body, says in (({}, "nothing to update"), ({"name": None}, "nothing to update"), ({"name": "b"}, "already"),
                       ({"expires_at": "2001-01-01"}, "past"), ({"enabled": "yes"}, "enabled")):
        a = guarded.call("PATCH", f"/api/v1/auth/tokens/{number}", body)
        assert (a.status, says in a.json()["error"]) == (400, True), a
    assert guarded.call("GET", "/api/v1/auth/tokens/abc").status == 404


def test_the_last_administrator_stays(guarded):
    for method, end, body in (("DELETE", "", None), ("POST", "/revoke", None), ("PATCH", "", {"permissions": ["read"]}),
                              ("PATCH", "", {"enabled": False}), ("PATCH", "", {"permissions": "read", "scope": "db"})):
        a = guarded.call(method, "/api/v1/auth/tokens/1" + end, body)
        assert (a.status, a.json()["code"]) == (409, "conflict"), a
    second = create(guarded, name="second", permissions=["admin"])
    assert guarded.call("DELETE", "/api/v1/auth/tokens/1", token=second["token"]).status == 200
    assert guarded.call("GET", "/api/v1/auth/tokens").status == 401


def test_ten_a_minute(guarded):
    for i in range(10):
        create(guarded, status=400, name="admin")  # what was not made does not count
        create(guarded, name=f"t{i}")
    a = guarded.call("POST", "/api/v1/auth/tokens", {"name": "one too many"})
    assert (a.status, a.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(a.headers["Retry-After"]) <= 60
    assert guarded.call("GET", "/api/v1/auth/tokens").json()["count"] == 11


def test_verify(guarded):
    good = guarded.arc.get("/api/v1/auth/verify", bearer(ADMIN))
    assert (good.status, good.json()["valid"]) == (200, True)
    assert good.json()["permissions"] == ["read", "write", "delete", "admin"]
    assert set(good.json()["token_info"]) == MEMBERS
    for headers in ({}, bearer("wrong")):
        bad = guarded.arc.get("/api/v1/auth/verify", headers)
        assert (bad.status, bad.json()["valid"], bad.json()["success"]) == (401, False, False)
        assert bad.json()["error"]


def test_permissions_by_place(guarded):
    number = create(guarded, name="s", permissions=["write"], scope=["a", "b.c*"])["id"]
    a = guarded.call("GET", f"/api/v1/auth/tokens/{number}/permissions").json()
    assert a["rbac_enabled"] is False
    assert a["permissions"] == [
        {"database": "a", "measurement": "*", "permissions": ["write"], "source": "token"},
        {"database": "b", "measurement": "c*", "permissions": ["write"], "source": "token"}]
    a = guarded.call("GET", "/api/v1/auth/tokens/1/permissions").json()
    assert a["permissions"][0]["database"] == "*"


def test_the_cache(guarded):
    for _ in range(5):
        guarded.call("GET", "/api/v1/databases")
    s = guarded.call("GET", "/api/v1/auth/cache/stats").json()
    assert s["stats"].items() <= s.items() and s["success"]
    assert (s["cache_size"], s["max_cache_size"], s["cache_ttl_seconds"]) == (1, 1000, 30)
    assert s["cache_hits"] >= 5 and s["total_requests"] == s["cache_hits"] + s["cache_misses"]
    assert s["cleanup_thread_running"] is True and 0 < s["hit_rate_percent"] <= 100
    a = guarded.call("POST", "/api/v1/auth/cache/invalidate").json()
    assert (a["cache_ttl_seconds"], a["entries_removed"]) == (30, 1)


# ---- the first start ----

@pytest.mark.parametrize("log", ["text", "structured", "logfmt"])
def test_the_first_start_prints_an_administrator_once(arc_start, tmp_path, log):
    env = {"AUTH_ENABLED": "true", "ARC_HOST": "127.0.0.1", "LOG_FORMAT": log}
    arc = arc_start(env=env, data=tmp_path / "d")
    found = re.findall(r"^\s*Initial admin API token: (\S+)$", "".join(arc.stderr), re.M)
    assert len(found) == 1 and TEXT.match(found[0])
    assert re.findall(r"^\s*Admin API token: (\S+)$", "".join(arc.stderr), re.M) == found
    g = Guarded(arc)
    assert g.call("GET", "/api/v1/auth/tokens", token=found[0]).json()["tokens"][0]["name"] == "admin"
    arc.stop()
    for name in ("arc.db", "arc.db-wal", "arc.db-shm"):
        path = tmp_path / "d" / name
        assert not path.exists() or stat.S_IMODE(path.stat().st_mode) == 0o600
    assert found[0].encode() not in (tmp_path / "d/arc.db").read_bytes()
    again = arc_start(env=env, data=tmp_path / "d")
    assert "API token" not in "".join(again.stderr)
    assert Guarded(again).call("GET", "/api/v1/auth/tokens", token=found[0]).status == 200


def test_tokens_of_the_settings(arc_start, tmp_path):
    env = {"AUTH_ENABLED": "true", "ARC_HOST": "127.0.0.1", "DEFAULT_API_TOKEN": "my-default"}
    arc = arc_start(env=env, data=tmp_path / "d")
    g = Guarded(arc)
    assert "API token" not in "".join(arc.stderr) and "my-default" not in "".join(arc.stderr)
    tokens = g.call("GET", "/api/v1/auth/tokens", token="my-default").json()["tokens"]
    assert [(t["name"], t["permissions"]) for t in tokens] == [("default", ["read", "write", "delete", "admin"])]
    arc.stop()
    env.update(ARC_AUTH_BOOTSTRAP_TOKEN=ADMIN, ARC_AUTH_FORCE_BOOTSTRAP="true")
    arc = arc_start(env=env, data=tmp_path / "d")
    names = [t["name"] for t in Guarded(arc).call("GET", "/api/v1/auth/tokens", token=ADMIN).json()["tokens"]]
    assert names == ["default", "arc-recovery"]
    assert ADMIN not in "".join(arc.stderr)


def test_a_short_bootstrap_token_stops_the_start(arc_run, tmp_path):
    r = arc_run("serve", "--port", "0", "--data", str(tmp_path / "d"),
                env={"AUTH_ENABLED": "true", "ARC_HOST": "127.0.0.1", "ARC_AUTH_BOOTSTRAP_TOKEN": "too-short-a-one"})
    assert r.returncode != 0 and "at least 32" in r.stderr and "too-short-a-one" not in r.stderr


# ---- arc token ----

def token_verb(data, *args):
    return run_arc("token", *args, "--data", str(data))


def test_arc_token_beside_a_running_server(guarded):
    data = guarded.arc.data
    r = token_verb(data, "create", "agent", "--permissions", "write", "--scope", "metrics.*", "--description", "of a script")
    text = r.stdout.strip()
    assert (r.returncode, r.stdout) == (0, text + "\n") and TEXT.match(text)
    assert text not in r.stderr
    assert guarded.write("metrics", "cpu v=1", text).status == 204
    assert guarded.write("others", "cpu v=1", text).status == 403
    shown = json.loads(token_verb(data, "show", "agent", "--json").stdout)
    assert (shown["permissions"], shown["scope"], shown["description"]) == (["write"], ["metrics.*"], "of a script")
    listed = json.loads(token_verb(data, "list", "--json").stdout)
    assert [t["name"] for t in listed] == ["admin", "agent"]
    assert "agent" in token_verb(data, "list").stdout and text not in token_verb(data, "list").stdout

    new = token_verb(data, "rotate", "agent").stdout.strip()
    guarded.wait_status(text, 401)
    assert guarded.write("metrics", "cpu v=1", new).status == 204
    began = time.monotonic()
    assert token_verb(data, "revoke", str(shown["id"])).returncode == 0
    guarded.wait_status(new, 401)
    assert time.monotonic() - began < LIMIT_S
    assert token_verb(data, "delete", "agent").returncode == 0
    r = token_verb(data, "show", "agent")
    assert (r.returncode, "no token named 'agent'" in r.stderr) == (1, True)
    r = token_verb(data, "delete", "admin")
    assert (r.returncode, "last enabled" in r.stderr) == (1, True)


def test_arc_token_without_a_server(arc_start, tmp_path):
    data = tmp_path / "d"
    assert token_verb(data, "list").returncode == 1 and not data.exists()
    text = token_verb(data, "create", "me", "--permissions", "admin").stdout.strip()
    arc = arc_start(env={"AUTH_ENABLED": "true", "ARC_HOST": "127.0.0.1"}, data=data)
    assert "API token" not in "".join(arc.stderr)  # there is one already
    assert Guarded(arc).call("GET", "/api/v1/auth/tokens", token=text).status == 200


@pytest.mark.parametrize("args, says", [
    ((), "expected create, list"),
    (("make", "x"), "found make"),
    (("create",), "expected the token's name"),
    (("list", "x"), "takes no name"),
    (("show", "x", "--scope", "y"), "only create takes"),
    (("create", "x", "--scop", "y"), "did you mean --scope"),
])
def test_arc_token_called_wrongly(tmp_path, args, says):
    r = token_verb(tmp_path / "d", *args)
    assert (r.returncode, says in r.stderr) == (2, True), r
