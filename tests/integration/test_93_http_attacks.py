"""Attacks on HTTP that need more than one odd request: who leaves while it waits, folded headers, too few descriptors, dead peers."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

WAIT_S = 60
CLOSE = b"Host: x\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def arc(arc_module):
    return arc_module


def connect(port, timeout=WAIT_S):
    s = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def exchange(arc, data):
    """All that comes until the end of the connection, and whether it was reset."""
    with connect(arc.port) as s:
        s.sendall(data)
        got = b""
        try:
            while part := s.recv(1 << 16):
                got += part
        except ConnectionResetError:
            return got, True
    return got, False


def metric(arc, name):
    return float(re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)", arc.get("/metrics").body.decode(), re.M)[1])


# ---- where a request ends ----

@pytest.mark.parametrize("headers", [
    b"Transfer-Encoding : chunked\r\n", b"Content-Length : 9\r\n", b"Content-Length:\r\n 9\r\n", b"X: a\r\n b\r\nContent-Length: 9\r\n",
    b"Content-Length:\r\n\t9\r\n", b"Content-Length: 0\r\n 9\r\n", b"X: a\rContent-Length: 9\r\n", b"X y: z\r\nContent-Length: 9\r\n",
    b"\x80: a\r\nContent-Length: 9\r\n", b"Content-Length:\r\nTransfer-Encoding: chunked\r\n", b"(x): a\r\nContent-Length: 9\r\n"])
@pytest.mark.parametrize("target", [b"/write?db=odd", b"/nowhere"])
def test_headers_that_a_proxy_may_read_otherwise(arc, headers, target):
    got, _ = exchange(arc, b"POST " + target + b" HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\nevil v=1\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 400 ") and got.count(b"HTTP/1.1 ") == 1, got
    assert json.loads(got.partition(b"\r\n\r\n")[2])["success"] is False
    assert "odd" not in [d["name"] for d in arc.get("/api/v1/databases").json()["databases"]]


@pytest.mark.parametrize("headers", [b"X:a\r\n", b"X:\r\n", b"X: \t a\t \r\n", b"X: " + b" " * 3000 + b"a\r\n", b"X!#$%&'*+-.^_`|~9: \xe4\xff\r\n", b"X: a\tb\r\n"])
def test_headers_that_are_fine(arc, headers):
    got, _ = exchange(arc, b"GET /ping HTTP/1.1\r\n" + headers + CLOSE + headers + b"\r\n")
    assert got.startswith(b"HTTP/1.1 204 "), got


def test_old_clients_cannot_send_chunks(arc):
    got, _ = exchange(arc, b"POST /write?db=odd HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nodd v=1\n\r\n0\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 400 ") and got.count(b"HTTP/1.1 ") == 1, got


@pytest.mark.parametrize("target", [b"http://x/ping", b"HTTP://x:1/ping", b"https://x/ping?a=b"])
def test_targets_with_their_host(arc, target):
    got, _ = exchange(arc, b"GET " + target + b" HTTP/1.1\r\n" + CLOSE + b"\r\n")
    assert got.startswith(b"HTTP/1.1 204 "), got


# ---- answers that break ----

BREAKS = "SELECT CAST(CASE WHEN range = 900000 THEN 'z' ELSE '1' END AS BIGINT) AS x FROM range(1000000)"


@pytest.mark.parametrize("path", [b"/api/v1/query", b"/api/v1/query/arrow"])
@pytest.mark.parametrize("version,headers", [(b"1.0", b""), (b"1.0", b"Connection: keep-alive\r\n"), (b"1.1", b""), (b"1.1", b"Connection: close\r\n")])
def test_half_an_answer_never_looks_like_a_whole_one(arc, path, version, headers):
    """Without chunks the end of the connection is the end of the answer: it has to be an error then."""
    body = json.dumps({"sql": BREAKS}).encode()
    got, was_reset = exchange(arc, b"POST " + path + b" HTTP/" + version + b"\r\nHost: x\r\n" + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert got.startswith(b"HTTP/1.1 200 ") and len(got) > 100_000
    chunked = b"Transfer-Encoding: chunked" in got.partition(b"\r\n\r\n")[0]
    assert chunked == (version == b"1.1")
    assert not got.endswith(b"\r\n0\r\n\r\n") if chunked else was_reset


# ---- who leaves while it waits ----

def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def half_close(s):
    s.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("leave", [reset, half_close, socket.socket.close])
def test_writes_whose_clients_left_are_done_and_forgotten(arc_start, leave):
    """Their connection ends without the library asking for an answer: a sanitizer finds what is left of them at the end."""
    arc = arc_start()
    crowd = []
    for i in range(200):
        s = connect(arc.port)
        line = f"gone,n=n{i} v=1\n".encode()
        s.sendall(b"POST /write?db=default HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(line) + line)
        leave(s)
        crowd.append(s)
    arc.post("/write?db=default", "gone,n=last v=1")
    least = 1 if leave is reset else 201  # a reset may overtake the request
    deadline = time.monotonic() + WAIT_S
    while True:  # what is stored and what was counted come to be the same
        n = arc.rows("SELECT count(*) FROM gone")[0][0]
        if n >= least and metric(arc, "arc_ingest_records_total") == n and metric(arc, "arc_http_requests_in_flight") == 1:
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for s in crowd:
        s.close()
    assert least <= n <= 201
