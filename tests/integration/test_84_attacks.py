"""Whoever has no token, or one for a part, tries to get further."""

import base64
import hashlib
import select
import shutil
import socket
import threading

import pytest
from tokens_kit import ADMIN, bearer, start

T = 1700000000000000000


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    data = tmp_path_factory.mktemp("arc")
    g = start(data, {"ARC_WORKERS": "1", "LOG_LEVEL": "debug"})
    assert g.write("prod", f"cpu,host=a v=1 {T}").status == 204
    yield g
    try:
        g.arc.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def costly(n, like=ADMIN):
    """Wrong tokens whose digests begin as that of a chosen one: only the slow hash can tell."""
    begin = hashlib.sha256(like.encode()).hexdigest()[0]
    found, i = [], 0
    while len(found) < n:
        guess = f"guess-{i}"
        if hashlib.sha256(guess.encode()).hexdigest()[0] == begin:
            found.append(guess)
        i += 1
    return found


def send(g, request):
    s = socket.create_connection(("127.0.0.1", g.arc.port), timeout=60)
    s.sendall(request.encode("latin-1"))
    return s


def rest(s):
    got = b""
    while (more := s.recv(65536)):
        got += more
    s.close()
    return got


def status(got):
    return int(got.split(b" ", 2)[1])


def exchange(g, request):
    return rest(send(g, request))


# ---- slow hashes ----


def head(token, path="/api/v1/databases", method="GET", more=""):
    text = f"{method} {path} HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\nConnection: close\n{more}\n"
    return text.replace("\n", "\r\n")


@pytest.mark.parametrize("path", ["/api/v1/databases", "/api/v1/auth/verify"])
def test_a_slow_hash_holds_up_nobody_else(guarded, path):
    """There is one HTTP thread: a hash on it, and /health would come last."""
    known = guarded.make(f"known-{path.replace('/', '-')}", "read")[0]
    assert guarded.call("GET", path, token=known).status == 200
    slow = [send(guarded, head(guess, path)) for guess in costly(8 if path.endswith("s") else 16)[-8:]]
    for token, open_path in ((None, "/health"), (known, "/api/v1/databases"), (known, "/api/v1/auth/verify")):
        assert guarded.call("GET", open_path, token=token).status == 200
    waiting = [s for s in slow if s not in select.select(slow, [], [], 0)[0]]
    assert waiting  # eight hashes of 600000 rounds, one behind the other
    assert {status(rest(s)) for s in slow} <= {401, 503}


def test_who_is_proven_slowly_is_served_like_others(tmp_path):
    g = start(tmp_path / "data")
    second, _ = g.make("second", "admin")

    def forget():
        """The first administrator's value, which somebody chose, is not known any more."""
        assert g.call("PATCH", "/api/v1/auth/tokens/1", {"enabled": False}, second).status == 200
        assert g.call("GET", "/api/v1/databases").status == 401
        assert g.call("PATCH", "/api/v1/auth/tokens/1", {"enabled": True}, second).status == 200

    try:
        body = "".join(f"cpu v=1 {T + i * 1000}\n" for i in range(30000))
        for request, expected in (
                (head(ADMIN), 200), (head(ADMIN, method="HEAD"), 200),
                (head(ADMIN, "/write?db=d", "POST", "Content-Length: 7\n") + "cpu v=1", 204),
                (head(ADMIN, "/write?db=d", "POST", f"Content-Length: {len(body)}\n") + body, 204),
                (head(ADMIN, "/write?db=d", "POST", "Transfer-Encoding: chunked\n") + "7\r\ncpu v=1\r\n0\r\n\r\n", 204),
                (head(ADMIN, "/write?db=d", "POST", f"Content-Length: {1 << 60}\n"), 413),
                (head(ADMIN, "/api/v1/query", "POST", "Content-Length: 18\n") + '{"sql":"SELECT 1"}', 200),
                (head(ADMIN, "/api/v1/auth/verify"), 200), (head(ADMIN, "/api/v1/nowhere"), 404),
                (head(ADMIN, "/api/v1/databases", "DELETE"), 405)):
            forget()
            assert status(exchange(g, request)) == expected, request[:200]
        # a body that was announced is asked for once it is known who sends it
        forget()
        s = send(g, head(ADMIN, "/write?db=d", "POST", "Content-Length: 7\nExpect: 100-continue\n"))
        assert s.recv(65536).startswith(b"HTTP/1.1 100 ")
        s.sendall(b"cpu v=2")
        assert status(rest(s)) == 204
        # three on one connection
        forget()
        got = exchange(g, head(ADMIN).replace("Connection: close\r\n", "") * 2 + head(ADMIN))
        assert got.count(b"HTTP/1.1 200 ") == 3
        # who goes away meanwhile harms nothing
        forget()
        for _ in range(5):
            send(g, head(ADMIN)).close()
        assert g.query("SELECT count(*) FROM d.cpu")["data"] == [[30003]]
    finally:
        g.arc.stop()


@pytest.mark.parametrize("setting", ["ARC_AUTH_BOOTSTRAP_TOKEN", "ARC_AUTH_DEFAULT_TOKEN"])
def test_wrong_tokens_do_not_lock_out_who_has_the_one_of_the_settings(tmp_path, setting):
    """All from one address, as behind a proxy; after a restart, and with nothing remembered."""
    env = {"ARC_AUTH_BOOTSTRAP_TOKEN": "", setting: ADMIN}
    start(tmp_path / "data", env).arc.stop()
    g = start(tmp_path / "data", env)
    try:
        for s in [send(g, head(guess)) for guess in costly(60)]:
            assert status(rest(s)) in (401, 503)
        for _ in range(2):
            assert g.call("GET", "/api/v1/databases").status == 200
            assert g.call("POST", "/api/v1/auth/cache/invalidate").status == 200
    finally:
        g.arc.stop()


# ---- who one is ----


def plain(path, headers="", method="GET", body=b""):
    text = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}"
    return text + (f"Content-Length: {len(body)}\r\n\r\n" + body if body else "\r\n")


def test_two_authorizations_are_none(guarded):
    """A proxy in front may have looked at the other one."""
    known, wrong = f"Authorization: Bearer {ADMIN}\r\n", "Authorization: Bearer wrong\r\n"
    for headers in (known + wrong, wrong + known, known + known, "Authorization:\r\n" + known, known + "authorization: \r\n",
                    known + "aUTHORIZATION: Basic x\r\n"):
        for path in ("/api/v1/databases", "/api/v1/auth/verify"):
            got = exchange(guarded, plain(path, headers))
            assert status(got) == 401 and b"Authorization headers" in got, headers
    assert status(exchange(guarded, plain("/api/v1/databases", known + "x-api-key: wrong\r\n"))) == 200


def basic(text):
    return "Basic " + base64.b64encode(text.encode("latin-1")).decode()


@pytest.mark.parametrize("value", [
    f"Bearer {ADMIN},{ADMIN}", f"Bearer {ADMIN}\x0b", f"Bearer {ADMIN}x", f"Bearer {ADMIN[:-1]}", f"Bearer {ADMIN.upper()}", "Bearer %",
    "Bearer ' OR 1=1 --", "Bearer \xff\xfe", "Bearer " + "A" * 14000, f"Digest {ADMIN}", "Basic ====", "Basic AA==", "Basic Og==", basic(f"u:{ADMIN}\0"),
    basic(f"u:{ADMIN}:"), basic(f"{ADMIN}\0"), basic(f"u:v:{ADMIN}"), "Basic " + "A" * 1020, "Basic " + "A" * 1024, "Basic " + "A" * 9000,
    "Token :", "Bearer null", "Bearer undefined"])
def test_credentials_that_are_nearly_right(guarded, value):
    got = exchange(guarded, plain("/api/v1/databases", f"Authorization: {value}\r\n"))
    assert status(got) in (400, 401), got
    assert value.encode("latin-1") not in got


@pytest.mark.parametrize("target", [
    "/api/v1/metrics/../databases", "/api/v1/metrics/..%2fdatabases", "/api/v1/metrics%2f..%2fdatabases", "/api/v1/metrics/%2e%2e/databases",
    "/api/v1/metrics/..;/databases", "/api/v1/metrics/..\\databases", "/api/v1/metrics%00/../databases", "/api/v1/databases%00",
    "/api/v1/metrics/%252e%252e/databases", "/api/v1/metrics/%c0%ae%c0%ae/databases", "/health/../api/v1/databases", "/docs/%2e%2e/api/v1/databases",
    "//api/v1/databases", "/api/v1//databases", "/api/v1/databases/", "/api/v1/databases//", "/API/V1/DATABASES", "/api/v1/databases;x", "/api/v1/databases%2f",
    "/api/v1/databases?/health", "/api/v1/databases%3f", "/api/v1/databases#/health", "http://x/api/v1/databases", "http://x/health/../api/v1/databases",
    "https://x/api/v1/databases", "/api/v1/metrics/timeseries/../../databases", "/api/v1/metrics/timeseries/..%2f..%2fdatabases", "/./api/v1/databases",
    "/../api/v1/databases", "/%61pi/v1/databases", "/api/v1/write/health/../../databases", "/api/v1/write/healthy/../../databases"])
def test_no_spelling_of_a_path_opens_it(fenced, target):
    for method in ("GET", "HEAD"):
        got = exchange(fenced, plain(target, method=method))
        assert status(got) in (400, 401, 404), got
        assert b"secret_db" not in got


@pytest.fixture(scope="module")
def fenced(tmp_path_factory):
    """Some paths are open to all."""
    data = tmp_path_factory.mktemp("arc")
    g = start(data, {"ARC_AUTH_ALLOWLIST": "/api/v1/metrics*,/api/v1/write/health"})
    assert g.write("secret_db", f"cpu v=1 {T}").status == 204
    assert status(exchange(g, plain("/api/v1/metrics"))) == status(exchange(g, plain("/api/v1/write/health"))) == 200
    yield g
    try:
        g.arc.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override: DELETE", "X-HTTP-Method: POST", "X-Method-Override: POST", "X-Original-URL: /api/v1/databases",
                                    "X-Rewrite-URL: /api/v1/databases", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-User: admin", "X-Remote-User: admin"])
def test_no_header_says_what_is_meant_instead(fenced, header):
    assert b'"status":"healthy"' in exchange(fenced, plain("/health", header + "\r\n"))
    assert status(exchange(fenced, plain("/api/v1/databases", header + "\r\n"))) == 401
    assert status(exchange(fenced, plain("/api/v1/write/health", header + "\r\n", "POST"))) == 405


def test_the_parameter_counts_nowhere_else(guarded):
    for path in ("/api/v1/databases", "/api/v1/query/cpu", "/api/v2/buckets", "/api/v1/auth/tokens", "/api/v1/auth/verify"):
        assert status(exchange(guarded, plain(f"{path}?u=a&p={ADMIN}"))) == 401
    body = f"db=prod&p={ADMIN}&q=SHOW+DATABASES"
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    got = exchange(guarded, plain("/query", form, "POST", body))
    assert status(got) == 401 and b"prod" not in got


def test_head_changes_nothing(guarded):
    assert guarded.write("kept", f"cpu v=1 {T}").status == 204
    for q in ("DROP%20DATABASE%20kept", "DROP%20MEASUREMENT%20cpu", "SHOW%20DATABASES;DROP%20DATABASE%20kept", "CREATE%20DATABASE%20never"):
        a = guarded.call("HEAD", f"/query?db=kept&q={q}")
        assert (a.status, a.headers["Allow"]) == (405, "GET, POST, OPTIONS")
    assert guarded.call("HEAD", "/query?q=SHOW%20DATABASES").status == 200
    assert guarded.query("SELECT count(*) FROM kept.cpu")["data"] == [[1]]
    assert b"never" not in guarded.call("GET", "/api/v1/databases").body


# ---- the management of tokens ----


def at_once(calls):
    """All of them, each in a thread of its own; their answers."""
    answers, threads = [], [threading.Thread(target=lambda c=c: answers.append(c())) for c in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def n_admins(g):
    import sqlite3
    db = sqlite3.connect(g.arc.data / "arc.db", timeout=30)
    n, = db.execute("SELECT count(*) FROM api_tokens WHERE enabled AND permissions LIKE '%admin%'").fetchone()
    db.close()
    return n


def test_administrators_that_remove_each_other_leave_one(tmp_path):
    g = start(tmp_path / "data")
    try:
        made = [(ADMIN, 1)] + [g.make(f"admin-{i}", "admin") for i in range(5)]
        calls = []
        for (token, own), (_, other) in zip(made, made[1:] + made[:1]):
            calls += [lambda t=token, i=other: g.call("DELETE", f"/api/v1/auth/tokens/{i}", token=t).status,
                      lambda t=token, i=other: g.call("POST", f"/api/v1/auth/tokens/{i}/revoke", token=t).status,
                      lambda t=token, i=own: g.call("PATCH", f"/api/v1/auth/tokens/{i}", {"permissions": ["read"]}, t).status]
        assert set(at_once(calls)) <= {200, 401, 403, 404, 409}
        assert n_admins(g) >= 1
    finally:
        g.arc.stop()


def test_ten_a_minute_also_when_they_come_together(tmp_path):
    g = start(tmp_path / "data")
    try:
        def make(i):
            # as a proxy would say it: whoever asks cannot choose whose limit it is
            return g.call("POST", "/api/v1/auth/tokens", {"name": f"t{i}"}, headers={"X-Forwarded-For": f"10.0.0.{i}", "X-Real-IP": f"10.0.0.{i}"}).status
        answers = at_once([lambda i=i: make(i) for i in range(25)])
        assert sorted(answers) == [201] * 10 + [429] * 15
        # what fails is not counted, and does not make room either
        assert at_once([lambda: g.call("POST", "/api/v1/auth/tokens", {"name": ""}).status for _ in range(5)]) == [429] * 5
        assert make(99) == 429
    finally:
        g.arc.stop()


@pytest.mark.parametrize("id_", ["1%20OR%201=1", "1;--", "0", "-1", "9999999999999999999", "9223372036854775807", "1.0", "0x1", "%201", "1%00", "%D9%A1"])
def test_numbers_that_are_none(guarded, id_):
    for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/revoke"), ("GET", "/permissions")):
        assert guarded.call(method, f"/api/v1/auth/tokens/{id_}{tail}").status in (400, 404)
    assert guarded.call("GET", "/api/v1/auth/tokens/1").json()["enabled"] is True


@pytest.mark.parametrize("name", ["a'); DROP TABLE api_tokens;--", '"><script>alert(1)</script>', "%s%n", "..", "\u202e", "admin "])
def test_names_are_texts(guarded, name):
    token, id_ = guarded.make(name, "read")
    one = guarded.call("GET", f"/api/v1/auth/tokens/{id_}")
    assert one.json()["name"] == name and one.headers["Content-Type"].startswith("application/json")
    a = guarded.call("GET", "/api/v1/auth/tokens", token=token)
    assert a.status == 403 and f"'{name}'" in a.json()["error"]
    assert guarded.call("DELETE", f"/api/v1/auth/tokens/{id_}").status == 200


def test_who_is_no_administrator_gets_no_further(guarded):
    token, id_ = guarded.make("climber", "read,write,delete")
    for method, path, body in (
            ("PATCH", f"/api/v1/auth/tokens/{id_}", {"permissions": ["admin"]}), ("POST", f"/api/v1/auth/tokens/{id_}/rotate", None),
            ("POST", "/api/v1/auth/tokens", {"name": "more", "permissions": ["admin"]}), ("POST", "/api/v1/auth/tokens/1/rotate", None),
            ("DELETE", "/api/v1/auth/tokens/1", None), ("GET", "/api/v1/logs", None), ("POST", "/api/v1/auth/cache/invalidate", None),
            ("DELETE", "/api/v1/databases/prod?confirm=true", None), ("POST", "/query?db=prod&q=DROP%20DATABASE%20prod", None)):
        assert guarded.call(method, path, body, token).status == 403, path
    for sql in ("SELECT token_hash FROM api_tokens", "SELECT * FROM main.api_tokens", "SELECT * FROM _arc.tokens", "ATTACH 'arc.db'",
                "SELECT * FROM sqlite_scan('arc.db', 'api_tokens')", "SELECT * FROM read_blob('arc.db')", "SELECT getenv('ARC_AUTH_BOOTSTRAP_TOKEN')"):
        for asker in (token, ADMIN):
            a = guarded.call("POST", "/api/v1/query", {"sql": sql}, asker)
            assert a.status in (400, 403, 404) and b"sha256" not in a.body and ADMIN.encode() not in a.body
    assert guarded.call("GET", "/api/v1/auth/verify", token=token).json()["permissions"] == ["read", "write", "delete"]
