"""Clients that are slow, broken or hostile at the level of HTTP: the others are served, nothing is stored by halves."""

import gzip
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import threading
import time
import zlib

import msgpack
import pyarrow
import pytest

T = 1767607200
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
CLOSE = b"Host: x\r\nConnection: close\r\n"
WRITE = b"POST /write?db=default HTTP/1.1\r\n" + CLOSE
BAD = b"POST /write?db=hostile HTTP/1.1\r\n" + CLOSE  # a database that must never come to be


@pytest.fixture(scope="module")
def arc(arc_module):
    return arc_module


@pytest.fixture(autouse=True)
def nothing_hostile_is_stored(request):
    yield
    if "arc_module" in request.fixturenames:
        arc = request.getfixturevalue("arc_module")
        assert [d["name"] for d in arc.get("/api/v1/databases").json()["databases"]] == ["default"]


def connect(arc, timeout=30):
    s = socket.create_connection(("127.0.0.1", arc.port), timeout=timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def reset(s):
    """Close with RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def rest(s):
    got = b""
    try:
        while part := s.recv(1 << 16):
            got += part
    except ConnectionResetError:
        pass
    return got


def exchange(arc, *pieces, half_close=False):
    """Send all of it, as far as the server takes it; what was answered until it closed."""
    with connect(arc) as s:
        try:
            for piece in pieces:
                s.sendall(piece)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return rest(s)


def status(got):
    return int(got.split(b" ", 2)[1]) if got.startswith(b"HTTP/1.1 ") else None


def answers(got):
    """(status, headers, body) of each of the answers in a row."""
    found = []
    while got:
        head, _, got = got.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(b":") for line in lines[1:])}
        n = int(headers.get(b"content-length", 0))
        found.append((status(lines[0] + b" "), headers, got[:n]))
        got = got[n:]
    return found


def tables(arc, database="default"):
    return [m["name"] for m in arc.get(f"/api/v1/databases/{database}/measurements").json()["measurements"]]


# ---- where a body ends ----

LINE = b"evil v=1\n"


@pytest.mark.parametrize("headers", [
    b"Content-Length: 9\r\nContent-Length: 90\r\n", b"Content-Length: 90\r\nContent-Length: 9\r\n", b"Content-Length: 0\r\nContent-Length: 9\r\n",
    b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n", b"Transfer-Encoding: gzip\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"Transfer-Encoding: \x0bchunked\r\n", b"Transfer-Encoding: xchunked\r\n"])
def test_a_body_whose_end_is_in_doubt(arc, headers):
    for body in (LINE, b"9\r\n" + LINE + b"\r\n0\r\n\r\n"):
        got = exchange(arc, BAD + headers + b"\r\n" + body, half_close=True)
        (code, answered, text), = answers(got)
        assert (code, answered[b"connection"]) == (400, b"close"), got
        assert re.search(r"Content-Length|Transfer-Encoding", json.loads(text)["error"])


@pytest.mark.parametrize("length", [b"9, 9", b"+9", b"-9", b"0x9", b"9x", b"", b"9.0", b"1e1", b"99999999999999999999999999", b"18446744073709551625"])
def test_lengths_that_are_no_numbers(arc, length):
    got = exchange(arc, BAD + b"Content-Length: " + length + b"\r\n\r\n" + LINE)
    assert status(got) == (413 if length.isdigit() and length != b"" else 400), got


def test_the_same_length_twice_is_one(arc):
    assert status(exchange(arc, WRITE + b"Content-Length: 8\r\nContent-Length: 8\r\n\r\ntwo v=1\n")) == 204
    assert "two" in tables(arc)


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("body,code", [
    (b"-9\r\n" + LINE + b"\r\n0\r\n\r\n", 400), (b"0x9\r\n" + LINE + b"\r\n0\r\n\r\n", 400), (b"g\r\n" + LINE + b"\r\n0\r\n\r\n", 400),
    (b"9\r\n" + LINE + b"XX0\r\n\r\n", 400), (b"8\r\n" + LINE + b"\r\n0\r\n\r\n", 400), (b"\r\n" + LINE + b"\r\n0\r\n\r\n", 400),
    (b"fffffffffffffffff\r\n" + LINE + b"\r\n0\r\n\r\n", 413), (b"9 9\r\n" + LINE + b"\r\n0\r\n\r\n", 400), (LINE, 400),
    (b"9\r\n" + LINE + b"\r\n0\r\n" + b"T: v\r\n" * 50_000 + b"\r\n", 431)], ids=lambda v: str(v)[:24])
def test_malformed_chunks(arc, body, code):
    assert status(exchange(arc, BAD + CHUNKED + body)) == code


@pytest.mark.parametrize("body", [
    b"9\r\n" + LINE + b"\r\n", b"9\r\n" + LINE, b"9\r\n" + LINE + b"\r\n0\r\n", b"ffffffffffffffff\r\n" + LINE, b"7fffffffffffffff\r\n" + LINE,
    b"9\r\nevil", b"9", b""], ids=lambda v: str(v)[:24])
def test_chunks_that_do_not_end(arc, body):
    assert exchange(arc, BAD + CHUNKED + body, half_close=True) == b""


def test_odd_chunks_that_are_right(arc):
    line = b"odd v=1\n"
    for body in (b"8;a=b\r\n" + line + b"\r\n0;c\r\nTrailer: x\r\n\r\n", b"008\r\n" + line + b"\r\n000\r\n\r\n",
                 b"".join(b"1\r\n%c\r\n" % c for c in line) + b"0\r\n\r\n"):
        assert status(exchange(arc, WRITE + CHUNKED + body)) == 204, body
    assert arc.rows("SELECT count(*) FROM odd") == [[3]]


# ---- half a request ----

def test_a_write_cut_at_every_byte_stores_nothing(arc):
    whole = BAD + b"Content-Length: 9\r\n\r\n" + LINE
    ended = []
    for n in range(len(whole)):
        for end in (reset, lambda s: (s.shutdown(socket.SHUT_WR), ended.append(s))):
            s = connect(arc)
            s.sendall(whole[:n])
            end(s)
    for s in ended:
        assert rest(s) == b""
        s.close()
    gzipped = gzip.compress(LINE)
    whole = BAD + b"Content-Length: %d\r\n\r\n" % len(gzipped) + gzipped
    for n in range(len(whole) - len(gzipped), len(whole)):
        s = connect(arc)
        s.sendall(whole[:n])
        reset(s)
    assert arc.get("/health").status == 200


def test_a_request_byte_by_byte(arc):
    body = msgpack.packb({"m": "drops", "columns": {"time": [T, T + 1], "v": [1.5, 2.5]}})
    with connect(arc) as s:
        for b in b"POST /api/v1/write/msgpack HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body:
            s.sendall(bytes([b]))
        assert status(rest(s)) == 204
    assert arc.rows("SELECT v FROM drops ORDER BY v") == [[1.5], [2.5]]


def test_bytes_behind_the_body_are_another_request(arc):
    head = b"POST /write?db=default HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n"
    got = exchange(arc, head + b"fit v=1" + head + b"fit v=2" + b"fit v=3\n\r\n\r\n")
    assert [a[0] for a in answers(got)][:3] == [204, 204, 400]
    assert arc.rows("SELECT v FROM fit ORDER BY v") == [[1.0], [2.0]]


def test_a_refused_body_is_not_taken_for_the_next_request(arc):
    """What follows a refusal is thrown away, not run."""
    inner = b"POST /write?db=hostile HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n" + LINE
    for headers in (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"Content-Length: 999999999999\r\n\r\n", b"Transfer-Encoding: x\r\n\r\n"):
        got = exchange(arc, b"POST /write?db=default HTTP/1.1\r\nHost: x\r\n" + headers + inner * 3, half_close=True)
        assert got.count(b"HTTP/1.1 ") == 1 and status(got) in (400, 413), got


def test_pipelined_requests_are_answered_in_their_order(arc):
    sql = b'{"sql": "SELECT %d"}'
    wanted, sent = [], b""
    for i in range(60):
        body = sql % i
        sent += b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nX-Request-ID: q%d\r\nContent-Length: %d\r\n\r\n" % (i, len(body)) + body
        wanted.append((200, b"q%d" % i))
        sent += b"GET /nothing/%d HTTP/1.1\r\nHost: x\r\nX-Request-ID: n%d\r\n\r\n" % (i, i)
        wanted.append((404, b"n%d" % i))
        sent += b"POST /write?db=default HTTP/1.1\r\nHost: x\r\nX-Request-ID: w%d\r\nContent-Length: 10\r\n\r\npipe v=%03d" % (i, i)
        wanted.append((204, b"w%d" % i))
        sent += b"POST /write?db=default HTTP/1.1\r\nHost: x\r\nX-Request-ID: b%d\r\nContent-Length: 3\r\n\r\nbad" % i
        wanted.append((400, b"b%d" % i))
    sent += b"GET /ping HTTP/1.1\r\nHost: x\r\nX-Request-ID: end\r\nConnection: close\r\n\r\n"
    wanted.append((204, b"end"))
    got = answers(exchange(arc, sent))
    assert [(a[0], a[1][b"x-request-id"]) for a in got] == wanted
    assert [json.loads(a[2])["data"] for a in got if a[1][b"x-request-id"].startswith(b"q")] == [[[i]] for i in range(60)]
    assert arc.rows("SELECT count(*), sum(v) FROM pipe") == [[60, 60 * 59 / 2]]


# ---- methods ----

PATHS = ["/", "/health", "/ready", "/ping", "/api/v1/write/health", "/api/v1/write/stats", "/api/v1/write/msgpack/stats", "/api/v1/write/msgpack/spec",
         "/api/v1/measurements", "/api/v1/databases", "/api/v1/databases/default", "/api/v1/databases/none", "/api/v1/databases/default/measurements",
         "/api/v1/query/nothing", "/api/v1/query/nothing/csv", "/api/v1/query/a..b", "/query?q=SHOW+DATABASES", "/query", "/nowhere", "/%00", "/%ff"]
POSTS = ["/write", "/api/v1/write", "/api/v2/write", "/api/v1/write/msgpack", "/api/v1/write/line-protocol", "/api/v1/write/flush",
         "/api/v1/query/arrow", "/api/v1/query/stream"]


def test_head_is_get_without_a_body_everywhere(arc):
    assert arc.post("/write?db=default", "headed v=1").status == 204
    for path in PATHS + ["/api/v1/query/headed", "/api/v1/query/headed/csv"]:
        get = arc.get(path)
        got = exchange(arc, f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\nHEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        heads = [h for h in got.split(b"\r\n\r\n") if h]
        assert len(heads) == 2, (path, got)
        for head in heads:
            assert status(head) == get.status, (path, got)
            assert (b"content-type: " + (get.headers["Content-Type"] or "").encode()).lower() in head.lower() + b"\r\ncontent-type: ", (path, got)


def test_methods_that_a_path_does_not_have(arc):
    for path in POSTS:
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "BREW", "get", "post", "P0ST", "PROPFIND"):
            if path.endswith(("arrow", "stream")) and method in ("GET", "HEAD"):
                continue  # also a measurement's name
            got = exchange(arc, f"{method} {path} HTTP/1.1\r\n".encode() + CLOSE + b"\r\n")
            assert status(got) == 405, (method, path, got)
            assert b"\r\nAllow: " in got
    assert tables(arc) == sorted(tables(arc))


def test_preflights_everywhere(arc):
    for path in PATHS[:-2] + POSTS:
        a = arc.request("OPTIONS", path, headers={"Origin": "http://a", "Access-Control-Request-Method": "POST",
                                                  "Access-Control-Request-Headers": "x" * 10_000 if path == "/" else "x-api-key"})
        assert (a.status, a.body) == ((204, b"") if path != "/nowhere" else (404, a.body)), (path, a)
        assert a.headers["Access-Control-Allow-Origin"] == "*"
        assert a.headers["Access-Control-Allow-Headers"] == ("x" * 10_000 if path == "/" else "x-api-key")


@pytest.mark.parametrize("request_line,code", [
    (b"GET /health HTTP/1.0", 200), (b"GET /health HTTP/1.2", (200, 505)), (b"GET /health HTTP/2.0", 505), (b"GET /health HTTP/0.9", (400, 505)),
    (b"GET /health HTTQ/1.1", (400, 505)), (b"GET /health", (400, 505)), (b"GET", (400, 505)), (b"PRI * HTTP/2.0", 505), (b"OPTIONS * HTTP/1.1", (204, 400)),
    (b"CONNECT a:80 HTTP/1.1", 400), (b"GET https://x/health HTTP/1.1", 200), (b"GET http://x/health HTTP/1.1", 200), (b"GET http://x HTTP/1.1", 200),
    (b"GET health HTTP/1.1", 400), (b"GET  HTTP/1.1", 400), (b"G" * 200_000 + b" / HTTP/1.1", 414), (b"GET /" + b"x" * 200_000 + b" HTTP/1.1", 414),
    (b"GET /?" + b"x" * 200_000 + b" HTTP/1.1", 414)], ids=lambda v: str(v)[:30])
def test_request_lines(arc, request_line, code):
    got = exchange(arc, request_line + b"\r\n" + CLOSE + b"\r\n", half_close=True)
    assert got == b"" or status(got) in (code if isinstance(code, tuple) else (code,)), got[:200]


def test_heads_that_are_too_large(arc):
    for extra in (b"A: b\r\n" * 20_000, b"A: " + b"x" * 200_000 + b"\r\n", b"x" * 200_000 + b": b\r\n", b"Cookie: " + b"a=b; " * 20_000 + b"\r\n",
                  b"Cookie: " + b"a=b; " * 3000 + b"\r\n"):
        assert status(exchange(arc, b"GET /health HTTP/1.1\r\n" + CLOSE + extra + b"\r\n")) == 431, extra[:20]
    for n in (10, 100, 300):
        assert status(exchange(arc, b"GET /health HTTP/1.1\r\n" + CLOSE + b"A: b\r\n" * n + b"\r\n")) == 200
    for extra in (b"no colon\r\n", b"A\x00: b\r\n"):
        assert status(exchange(arc, b"GET /health HTTP/1.1\r\n" + CLOSE + extra + b"\r\n")) == 400, extra


# ---- paths and names ----

@pytest.mark.parametrize("path,code", [
    ("/./health", 200), ("/a/../health", 200), ("/%2e%2e/health", 200), ("/a/%2e%2e%2fhealth", 200), ("/%68ealth", 200), ("/health/", 200),
    ("/health%2f", 200), ("/health/.", 200), ("/..", 200), ("/../../../..", 200), ("/health/..", 200), ("/health?", 200), ("/health?%", 200),
    ("//health", 404), ("/health//", 404), ("/health;x", 404), ("/health%20", 404), ("/health%00", 400), ("/%00/../health", 400), ("/HEALTH", 404),
    ("/%2568ealth", 404), ("/health%23", 404), ("/%", 404), ("/%4", 404), ("/%zz", 404), ("/%c0%ae%c0%ae/health", 400), ("/%ff", 400),
    ("/api/v1/databases/%2e%2e", 404), ("/api/v1/databases/..%2f..%2fetc%2fpasswd", 404), ("/api/v1/databases/%2fetc", 404),
    ("/api/v1/databases//measurements", 404), ("/api/v1/query//csv", 404), ("/api/v1/query/%2563pu", 400), ("/api/v1/query/a%0d%0aX:%20y/csv", 400),
    ("/api/v1/query/%2fetc%2fpasswd/csv", 404), ("/api/v1/query/..%5c..%5cx", 400), ("/api/v1/databases/x%00y", 400), ("/etc/passwd", 404),
    ("/api/v1/databases/%e2%80%ae", 400), ("/api/v1/write/../databases", 200), ("/api/v1/query/" + "x" * 5000, 400), ("/" + "a/" * 12_000, 404)], ids=lambda v: str(v)[:30])
def test_paths(arc, path, code):
    got = exchange(arc, b"GET " + path.encode() + b" HTTP/1.1\r\n" + CLOSE + b"\r\n")
    (answered, headers, body), = answers(got)
    assert answered == code, got
    assert b"root:" not in body and set(headers) <= {
        b"date", b"connection", b"x-request-id", b"content-type", b"x-content-type-options", b"x-frame-options", b"referrer-policy",
        b"permissions-policy", b"content-security-policy", b"content-length"}
    if code >= 400:
        assert json.loads(body)["success"] is False


NAMES = ["..", "../up", "a/b", "/abs", "a\\b", ".hidden", "a..b/..", "%2e%2e", "a b", "a;b", "a'b", 'a"b', "a$b", "a*", "~", "-x", "a\tb", "é", "\u202e", "x" * 300]


def test_names_do_not_become_paths(arc):
    before = {str(p) for p in arc.data.rglob("*")}
    for name in NAMES:
        quoted = "".join(f"%{b:02x}" for b in name.encode())
        header = {"x-arc-database": name.encode().decode("latin-1")}
        assert arc.post(f"/write?db={quoted}", "m v=1").status == 400, name
        if "/" not in name:  # of a bucket the part before the slash is the database
            assert arc.post(f"/api/v2/write?bucket={quoted}&org=x", "m v=1").status == 400, name
        assert arc.post("/api/v1/write/line-protocol", "m v=1", header).status == 400, name
        if name.isascii():  # a measurement may have any other letters
            assert arc.post("/api/v1/write/msgpack", msgpack.packb({"m": name, "columns": {"v": [1]}})).status == 400, name
        assert arc.post("/api/v1/write/msgpack", msgpack.packb({"m": "m", "columns": {"v": [1]}}), header).status == 400, name
        assert arc.post("/api/v1/databases", json.dumps({"name": name})).status == 400, name
        assert arc.get(f"/api/v1/measurements?database={quoted}").status == 400, name
        if name != "a..b/..":  # which leads to the place above
            assert arc.get(f"/api/v1/databases/{quoted}").status in (400, 404), name
            assert arc.get(f"/api/v1/query/{quoted}").status in (400, 404), name
        assert arc.query_raw("SELECT 1", header["x-arc-database"]).status == 400, name
        assert arc.post("/api/v1/query", json.dumps({"sql": "SELECT 1", "database": name})).status == 400, name
        a = arc.post(f"/query?q=CREATE+DATABASE+%22{quoted.replace('%5c', '%5c%5c').replace('%22', '%5c%22')}%22")
        assert a.status == 400 or "error" in a.json()["results"][0], name
    after = {str(p) for p in arc.data.rglob("*") if "arc.db" not in p.name}
    assert after <= before


def test_two_databases_in_one_request(arc):
    """The header counts, and the first of equal parameters; none of them is joined with another."""
    got = exchange(arc, b"POST /write?db=hostile HTTP/1.1\r\n" + CLOSE + b"x-arc-database: default\r\nContent-Length: 8\r\n\r\ntwo v=2\n")
    assert status(got) == 204
    assert arc.post("/write?db=default&db=hostile", "two v=3").status == 204
    assert arc.rows("SELECT max(v) FROM two") == [[3.0]]


# ---- what comes back in headers and logs ----

@pytest.mark.parametrize("given", [b"a\rSet-Cookie: x=1", b"a\x00b", b"a\r\n b", b"a\r\n\tX: y", b"a b", b"\xff\xfe", b"\x7f", b"a\x1b[31m", b"x" * 5000, b"",
                                   b'"};{"level":"error"', b"<script>", b"%0d%0aX: y", b"\xc3\xa9"])
def test_a_request_id_brings_nothing_else(arc, given):
    got = exchange(arc, b"GET /health HTTP/1.1\r\n" + CLOSE + b"X-Request-ID: " + given + b"\r\nOrigin: http://a\r\n\r\n")
    (code, headers, _), = answers(got)
    assert code == (400 if b"\r" in given else 200)
    assert got.lower().count(b"x-request-id:") == 1
    assert not {b"set-cookie", b"x", b"evil"} & set(headers), got
    echoed = headers[b"x-request-id"].decode("latin-1")
    assert UUID4.match(echoed) or (echoed == given.split(b"\0")[0].split(b"\r")[0].decode("latin-1") and echoed.isprintable()), got


def test_other_headers_are_not_reflected_with_their_breaks(arc):
    for name in (b"Origin", b"Access-Control-Request-Headers", b"Access-Control-Request-Method", b"x-arc-database", b"Accept", b"Host"):
        for break_ in (b"\r", b"\x0b", b"\x0c", b"\x00", b"\xc2\x85", b"\xe2\x80\xa8"):
            got = exchange(arc, b"OPTIONS /health HTTP/1.1\r\nConnection: close\r\nOrigin: http://a\r\n" + name + b": b" + break_ + b"Evil: 1\r\n\r\n")
            for _, headers, _ in answers(got):
                assert b"evil" not in headers, got


def test_logs_are_one_line_for_each_event(arc_start):
    arc = arc_start({"LOG_LEVEL": "debug", "LOG_FORMAT": "structured"})
    for path in (b"/a%0a{%22level%22:%22error%22}", b"/%1b[31m", b"/%22,%22x%22:%22", b"/%e2%80%a8", b"/\xff"):
        exchange(arc, b"GET " + path + b" HTTP/1.1\r\n" + CLOSE + b'X-Request-ID: a"b\\c\r\n\r\n')
    arc.query_raw("SELECT '\n{\"level\":\"error\"}'")
    arc.post("/write?db=d", b"m\xff v=1\n\x00\n")
    arc.stop()
    for line in arc.stderr:
        assert json.loads(line)["level"] in ("debug", "info", "warn"), line


# ---- bodies that grow ----

GZIP_HEAD = b"\x1f\x8b\x08"


def high_water_mb(arc):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{arc.process.pid}/status").read_text())[1]) >> 10


def test_bombs(arc_start, tmp_path):
    (tmp_path / "arc.toml").write_text("[server]\nmax_decompressed_size_mb = 50\n")
    arc = arc_start(args=["--config", str(tmp_path / "arc.toml")])
    mib, zstd = bytes(1 << 20), pyarrow.Codec("zstd")
    bombs = [(413, zstd.compress(mib * 60, asbytes=True)), (413, zstd.compress(mib, asbytes=True) * 60), (413, gzip.compress(mib) * 60),
             (413, gzip.compress(mib * 60)), (400, gzip.compress(gzip.compress(mib * 100)))]
    before = high_water_mb(arc)
    for code, bomb in bombs:
        assert len(bomb) < 1 << 20
        for path in ("/api/v1/write/msgpack", "/api/v1/write/line-protocol"):
            a = arc.post(path, bomb)
            assert (a.status, a.json()["code"]) == (code, "too_large" if code == 413 else "invalid"), a
    assert high_water_mb(arc) < before + 400


@pytest.mark.parametrize("body", [
    GZIP_HEAD + b"\x08" + bytes(6) + b"x" * (1 << 20), GZIP_HEAD + b"\x04" + bytes(6) + b"\xff\xff" + b"x" * 70_000,
    GZIP_HEAD, GZIP_HEAD + b"\xff" + bytes(6), b"\x1f\x8b\x00" + bytes(7), gzip.compress(b"m v=1")[:-8], gzip.compress(b"m v=1") + b"garbage",
    b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfd\x00\xff" + bytes(100), b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + bytes(20),
    (b"\x50\x2a\x4d\x18" + struct.pack("<I", 0)) * 100_000, b"\x50\x2a\x4d\x18" + struct.pack("<I", 0xffffffff),
    b"\x28\xb5\x2f\xfd\x03" + bytes(20), zlib.compress(b"m v=1")], ids=lambda b: f"{b[:5].hex()}x{len(b)}")
def test_damaged_or_odd_compressed_bodies(arc, body):
    for path in ("/write?db=hostile", "/api/v1/write/msgpack"):
        a = arc.post(path, body, {"x-arc-database": "hostile"})
        assert a.status == 400, a
        assert len(a.json()["error"]) > 10


def test_nothing_compressed_many_times_is_nothing(arc):
    assert arc.post("/write?db=hostile", gzip.compress(b"") * 100_000).status == 204
    assert arc.post("/api/v1/write/msgpack", gzip.compress(b"") * 100_000, {"x-arc-database": "hostile"}).status == 400


def test_bodies_have_a_budget_together(arc_start, tmp_path):
    (tmp_path / "arc.toml").write_text("[server]\nmax_body_memory_mb = 2\nmax_request_size_mb = 4\n")
    arc = arc_start(args=["--config", str(tmp_path / "arc.toml")])
    piece = b"# a comment that is 32 bytes.  \n" * 32768  # 1 MiB
    head = WRITE + b"Content-Length: %d\r\n\r\n" % (4 << 20)
    with connect(arc) as first:
        first.sendall(head + piece)
        while arc.post("/write?db=default", piece * 2).status != 503:
            pass
        got = exchange(arc, head, *[piece] * 4)
        assert status(got) == 503 and b"\r\nRetry-After: " in got
        assert arc.post("/write?db=default", "m v=1").status == 204
    while arc.post("/write?db=default", piece).status != 204:  # until the server has seen that it left
        pass


# ---- many, slow, idle ----

def test_a_thousand_idle_connections(arc):
    crowd = []
    try:
        for i in range(1000):
            s = connect(arc)
            crowd.append(s)
            s.sendall((b"", b"G", b"GET /health HTTP/1.1\r\nHost: x\r\n", BAD + b"Content-Length: 9\r\n\r\nevil")[i % 4])
        for i in range(50):
            assert arc.post("/write?db=default", f"crowd v={i}").status == 204
            assert arc.rows("SELECT count(*) FROM crowd") == [[i + 1]]
    finally:
        for s in crowd:
            s.close()


def test_connections_over_the_limit_are_closed_and_room_comes_back(arc_start, tmp_path):
    (tmp_path / "arc.toml").write_text("[server]\nmax_connections = 16\nworkers = 2\n")
    arc = arc_start(args=["--config", str(tmp_path / "arc.toml")])
    crowd = [connect(arc) for _ in range(64)]
    closed = 0
    for s in crowd:
        s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            closed += not s.recv(1000)
        except ConnectionResetError:
            closed += 1
    assert closed >= 48
    for s in crowd:
        s.close()
    while True:
        try:
            assert arc.get("/health").status == 200
            break
        except OSError:
            pass


def test_who_says_nothing_is_closed(arc_start, tmp_path):
    (tmp_path / "arc.toml").write_text("[server]\nidle_timeout = 1\n")
    arc = arc_start(args=["--config", str(tmp_path / "arc.toml")])
    crowd = []
    for sent in (b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: x\r\n", BAD + b"Content-Length: 9\r\n\r\nevil", BAD + CHUNKED + b"9\r\nev",
                 b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"):
        s = connect(arc)
        s.sendall(sent)
        crowd.append(s)
    for s in crowd:
        assert rest(s) == b""
        s.close()
    assert [d["name"] for d in arc.get("/api/v1/databases").json()["databases"]] == ["default"]


def ask(arc, sql):
    body = json.dumps({"sql": sql}).encode()
    s = connect(arc)
    s.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return s


SLOW = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"


def cpu_seconds(arc):
    fields = pathlib.Path(f"/proc/{arc.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("leave", [reset, lambda s: s.shutdown(socket.SHUT_WR)], ids=["reset", "half"])
def test_queries_whose_clients_left_end_whether_they_ran_or_waited(arc_start, leave):
    arc = arc_start({"DUCKDB_POOL_SIZE": "2", "DUCKDB_MAX_QUEUE_SIZE": "50"})
    crowd = [ask(arc, SLOW) for _ in range(20)]
    used = cpu_seconds(arc)
    while cpu_seconds(arc) < used + 0.5:  # nothing but these queries uses so much
        time.sleep(0.02)
    for s in crowd:
        leave(s)
    assert arc.rows("SELECT 1") == [[1]]
    began = time.monotonic()
    while True:  # the processor falls silent: nothing of theirs runs on
        used, now = cpu_seconds(arc), time.monotonic()
        time.sleep(0.5)
        if (cpu_seconds(arc) - used) / (time.monotonic() - now) < 0.3:
            break
        assert time.monotonic() - began < 30
    for s in crowd:
        s.close()


def test_answers_that_nobody_reads_do_not_hold_up_others(arc_start):
    arc = arc_start({"DUCKDB_POOL_SIZE": "8"})
    crowd = [ask(arc, "SELECT range, repeat('x', 1000) FROM range(10000000)") for _ in range(6)]
    for s in crowd:
        assert s.recv(10).startswith(b"HTTP/1.1")
    for _ in range(20):
        assert arc.rows("SELECT 1") == [[1]]
        assert arc.post("/write?db=default", "m v=1").status == 204
    for s in crowd:
        reset(s)
    assert arc.rows("SELECT count(*) FROM m") == [[20]]


# ---- stopping under load ----

def test_a_stop_while_everyone_writes_loses_nothing_that_was_acknowledged(arc_start, tmp_path):
    arc = arc_start(data=tmp_path / "kept")
    acknowledged, unsure, lock = set(), set(), threading.Lock()
    going = threading.Event()

    def write(writer):
        s, sequence = connect(arc), 0
        while True:
            ids = [writer * 1_000_000 + sequence * 10 + k for k in range(10)]
            sequence += 1
            if writer % 2:
                body, path = "\n".join(f"ledger,w={writer} id={i}i {T * 10**9 + i * 1000}" for i in ids).encode(), "/write?db=default"
            else:
                body = msgpack.packb({"m": "ledger", "columns": {"time": [T * 10**6 + i for i in ids], "w": [str(writer)] * 10, "id": ids}})
                path = "/api/v1/write/msgpack"
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            try:
                s.sendall(head + body)
                got = s.recv(4096)
            except OSError:
                got = b""
            with lock:
                (acknowledged if got.startswith(b"HTTP/1.1 204 ") else unsure).update(ids)
                if len(acknowledged) > 2000:
                    going.set()
            if not got.startswith(b"HTTP/1.1 204 "):
                return
            if b"Connection: close" in got:
                s.close()
                try:
                    s = connect(arc)
                except OSError:
                    return

    threads = [threading.Thread(target=write, args=(w,)) for w in range(8)]
    for t in threads:
        t.start()
    assert going.wait(30)
    arc.process.send_signal(signal.SIGTERM)
    for t in threads:
        t.join()
    arc.stop(told=True)
    again = arc_start(data=tmp_path / "kept")
    stored = [r[0] for r in again.rows("SELECT id FROM ledger")]
    assert len(stored) == len(set(stored))
    assert not acknowledged - set(stored), len(acknowledged - set(stored))
    assert not set(stored) - acknowledged - unsure


def test_a_stop_writes_everything_though_a_query_cannot_be_cancelled(arc_start, tmp_path):
    """DuckDB looks for no interrupt inside one call of a function."""
    (tmp_path / "arc.toml").write_text("[server]\ngraceful_timeout = 0\n[query]\ntimeout = 1\n")
    arc = arc_start(args=["--config", str(tmp_path / "arc.toml")], data=tmp_path / "kept")
    assert arc.post("/write?db=default", "kept v=1").status == 204
    stuck = ask(arc, "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))")
    while cpu_seconds(arc) < 0.5:
        time.sleep(0.05)
    arc.stop()
    stuck.close()
    assert "cannot be cancelled" in "".join(arc.stderr)
    assert arc_start(data=tmp_path / "kept").rows("SELECT v FROM kept") == [[1.0]]
