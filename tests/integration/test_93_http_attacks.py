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


# ---- few descriptors ----

@pytest.fixture
def few_descriptors(tmp_path, monkeypatch):
    """What makes servers that are started after it have no more than so many descriptors."""
    import conftest
    real = conftest.binary()

    def limit(n):
        script = tmp_path / "arc"
        script.write_text(f'#!/bin/sh\nulimit -n {n} && exec "{real}" "$@"\n')
        script.chmod(0o755)
        monkeypatch.setattr(conftest, "binary", lambda: str(script))

    return limit


def cpu_seconds(arc):
    fields = pathlib.Path(f"/proc/{arc.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("n", [64, 128])
def test_clients_do_not_take_the_descriptors_that_data_needs(arc_start, few_descriptors, n):
    """More connections than there can be descriptors: writes, flushes and queries of files go on, and the processor has nothing to do."""
    few_descriptors(n)
    arc = arc_start()
    limit = metric(arc, "arc_http_connections_limit")
    assert limit == max(8, n - 64) and metric(arc, "process_max_fds") == n
    assert any("few_descriptors" in line for line in arc.stderr)
    crowd = []
    try:
        for _ in range(3 * n):
            s = connect(arc.port)
            s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n")  # and no end
            crowd.append(s)
        for i in range(5):
            deadline = time.monotonic() + WAIT_S
            while True:  # who comes when all are busy is closed, and comes again
                try:
                    answer = arc.post("/write?db=default", f"few,n=n{i} v={i}")
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            assert answer.status == 204
            assert arc.post("/api/v1/write/line-protocol/flush").status == 200
            assert arc.rows("SELECT count(*), max(v) FROM few") == [[i + 1, float(i)]]
        used, began = cpu_seconds(arc), time.monotonic()
        time.sleep(1)
        assert cpu_seconds(arc) - used < 0.5 * (time.monotonic() - began)
    finally:
        for s in crowd:
            s.close()
    assert arc.rows("SELECT count(*) FROM few") == [[5]]


def test_a_port_that_is_taken_is_named(arc, tmp_path):
    """The address and the reason, no data directory is left open, and exit code 1."""
    import conftest
    p = subprocess.run([conftest.binary(), "serve", "--port", str(arc.port), "--data", str(tmp_path / "second")], capture_output=True, text=True,
                       timeout=WAIT_S, env=conftest.environment())
    assert p.returncode == 1 and re.search(rf"cannot listen on .* port {arc.port}: Address already in use", p.stderr), p.stderr


@pytest.mark.skipif(not pathlib.Path("/proc/net/if_inet6").exists() or not pathlib.Path("/proc/net/if_inet6").read_text(), reason="no IPv6 here")
@pytest.mark.parametrize("host,reached", [("::1", ["::1"]), ("::", ["::1", "127.0.0.1"]), ("0.0.0.0", ["127.0.0.1"])])
def test_addresses_of_both_kinds(arc_start, host, reached):
    """And the address that the log tells is one that answers."""
    arc = arc_start(args=["--host", host], wait=False)
    assert arc.url in (f"http://127.0.0.1:{arc.port}", f"http://[::1]:{arc.port}")
    for address in ("::1", "127.0.0.1"):
        if address in reached:
            with socket.create_connection((address, arc.port), timeout=WAIT_S) as s:
                s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
                assert s.recv(4096).startswith(b"HTTP/1.1 204")
        else:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, arc.port), timeout=WAIT_S)


# ---- eviction ----

def test_who_is_evicted_has_written_nothing(arc_start):
    """A request that comes as its connection makes room is either answered or was never begun: sent again it is stored once."""
    arc = arc_start({"ARC_SERVER_MAX_CONNECTIONS": "8"})
    kept = [connect(arc.port) for _ in range(6)]
    for s in kept:
        s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 204")
    time.sleep(1.2)  # only those that were idle for a second make room
    stop = threading.Event()

    def press():
        while not stop.is_set():
            try:
                with connect(arc.port) as s:
                    s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
                    s.recv(4096)
            except OSError:
                pass

    threads = [threading.Thread(target=press) for _ in range(4)]
    for t in threads:
        t.start()
    answered = 0
    try:
        for i, s in enumerate(kept):
            line = f"evicted,n=n{i} v=1\n".encode()
            try:
                s.sendall(b"POST /write?db=default HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(line) + line)
                answered += s.recv(4096).startswith(b"HTTP/1.1 204")
            except OSError:
                pass
    finally:
        stop.set()
        for t in threads:
            t.join()
        for s in kept:
            s.close()
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            arc.post("/write?db=default", "evicted,n=last v=1")
            break
        except OSError:
            assert time.monotonic() < deadline
    assert arc.rows("SELECT count(*) FROM evicted") == [[answered + 1]]


# ---- certificates that change under load ----

def test_certificates_are_read_again_while_clients_shake_hands(tmp_path):
    """SIGHUP after SIGHUP, and no handshake fails; what the server holds at the end it held at the beginning."""
    import ssl

    import conftest
    from test_74_tls import SecureArc, make_authority, make_certificate, settings, trusting
    authority = make_authority(tmp_path, "authority")
    pki = {"authority": authority, "server": make_certificate(tmp_path, "server", authority)}
    arc = SecureArc(tmp_path / "data", trusting(pki), settings(pki))
    stop, done, failed = threading.Event(), [0] * 4, []

    def shake(n):
        while not stop.is_set():
            try:
                with arc.socket() as s:
                    s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    assert s.recv(4096).startswith(b"HTTP/1.1 204")
                    done[n] += 1
            except (OSError, AssertionError, ssl.SSLError) as e:
                failed.append(repr(e))

    def descriptors():
        return len(os.listdir(f"/proc/{arc.process.pid}/fd"))

    try:
        before = descriptors()
        threads = [threading.Thread(target=shake, args=(n,)) for n in range(len(done))]
        for t in threads:
            t.start()
        try:
            for i in range(40):
                seen = sum(done)
                arc.process.send_signal(signal.SIGHUP)
                deadline = time.monotonic() + WAIT_S
                while sum(done) < seen + 8 and time.monotonic() < deadline and not failed:
                    time.sleep(0.005)
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert not failed and sum(done) >= 320
        deadline = time.monotonic() + WAIT_S
        while descriptors() > before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert descriptors() <= before
    finally:
        arc.stop()


# ---- peers that are gone without a word ----

def ip(*args, check=True):
    return subprocess.run(["ip", *args], check=check, capture_output=True, text=True, timeout=WAIT_S)


@pytest.fixture
def wire():
    """A network namespace at the other end of a virtual wire: (its name, the address of this end, what cuts the wire)."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and ip")
    name = f"arc{os.getpid()}"
    if ip("netns", "add", name, check=False).returncode:
        pytest.skip("no network namespaces here")
    try:
        ip("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        ip("addr", "add", "10.253.77.1/30", "dev", f"{name}a")
        ip("link", "set", f"{name}a", "up")
        ip("-n", name, "addr", "add", "10.253.77.2/30", "dev", f"{name}b")
        ip("-n", name, "link", "set", f"{name}b", "up")
        # nothing is said to the server by this end either: its packets vanish
        yield name, "10.253.77.1", lambda: ip("-n", name, "link", "set", f"{name}b", "down")
    finally:
        ip("link", "del", f"{name}a", check=False)
        ip("netns", "del", name, check=False)


GONE = """
import socket, sys, time
host, port, request, n = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode(), int(sys.argv[4])
held = []
for _ in range(n):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect((host, port))
    s.sendall(request)
    if request:
        assert s.recv(1) == b"H"
    held.append(s)
print("here", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("what", ["answer", "body", "head", "silent"])
def test_peers_that_vanish_give_back_what_they_held(arc_start, wire, what):
    """Nothing says that they are gone: time does. What they held, a query's memory and threads above all, comes back."""
    name, host, cut = wire
    arc = arc_start({"ARC_SERVER_HEADER_TIMEOUT": "2", "ARC_SERVER_BODY_TIMEOUT": "2", "ARC_SERVER_WRITE_TIMEOUT": "2", "ARC_SERVER_IDLE_TIMEOUT": "4",
                     "DUCKDB_POOL_SIZE": "2"}, args=["--host", "0.0.0.0"])
    body = json.dumps({"sql": "SELECT range, repeat('x', 100) FROM range(10000000)"})
    n = 2 if what == "answer" else 10
    request = {"answer": f"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}",
               "body": "GET /ping HTTP/1.1\r\nHost: x\r\n\r\nPOST /write?db=default HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nm v=",
               "head": "GET /ping HTTP/1.1\r\nHost: x\r\n\r\nGET /ping HTTP/1.1\r\nHost", "silent": "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"}[what]
    p = subprocess.Popen(["ip", "netns", "exec", name, "python3", "-c", GONE, host, str(arc.port), request, str(n)], stdout=subprocess.PIPE, text=True)
    try:
        assert p.stdout.readline() == "here\n"
        assert metric(arc, "arc_http_connections") >= n
        cut()
        deadline = time.monotonic() + WAIT_S
        while metric(arc, "arc_http_connections") > 1 or metric(arc, "arc_http_requests_in_flight") > 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        if what == "answer":  # both threads are free, and so is their memory
            assert arc.rows("SELECT count(*) FROM range(10)") == [[10]]
            assert not [q for q in arc.rows("SELECT state FROM _arc.queries") if q[0] == "running"][1:]
    finally:
        p.kill()
        p.wait()
        p.stdout.close()
