"""Whoever has no token, or one for a part, tries to get further."""

import base64
import hashlib
import select
import shutil
import socket

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
            assert g.call("POST", "/api/v1/auth/cache/invalidate").status == 200
            assert status(exchange(g, request)) == expected, request[:200]
        # a body that was announced is asked for once it is known who sends it
        assert g.call("POST", "/api/v1/auth/cache/invalidate").status == 200
        s = send(g, head(ADMIN, "/write?db=d", "POST", "Content-Length: 7\nExpect: 100-continue\n"))
        assert s.recv(65536).startswith(b"HTTP/1.1 100 ")
        s.sendall(b"cpu v=2")
        assert status(rest(s)) == 204
        # three on one connection
        assert g.call("POST", "/api/v1/auth/cache/invalidate").status == 200
        got = exchange(g, head(ADMIN).replace("Connection: close\r\n", "") * 2 + head(ADMIN))
        assert got.count(b"HTTP/1.1 200 ") == 3
        # who goes away meanwhile harms nothing
        assert g.call("POST", "/api/v1/auth/cache/invalidate").status == 200
        for _ in range(5):
            send(g, head(ADMIN)).close()
        assert g.query("SELECT count(*) FROM d.cpu")["data"] == [[30003]]
    finally:
        g.arc.stop()
