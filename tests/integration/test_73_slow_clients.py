"""Clients that are slow, idle or gone, by the thousand: they get their time and no more, and the others are served."""

import json
import re
import resource
import shutil
import socket
import subprocess
import threading
import time

import pytest

WAIT_S = 60
SLOW = {"ARC_SERVER_HEADER_TIMEOUT": "2", "ARC_SERVER_BODY_TIMEOUT": "2", "ARC_SERVER_WRITE_TIMEOUT": "2", "ARC_SERVER_MIN_RATE": "1000"}
WRITE = b"POST /write?db=default HTTP/1.1\r\nHost: x\r\n"
QUERY = b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def arc(tmp_path_factory):
    from conftest import Arc
    arc = Arc(tmp_path_factory.mktemp("slow"), SLOW)
    yield arc
    arc.stop()


@pytest.fixture(autouse=True, scope="module")
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(arc, receive=None):
    s = socket.socket()
    s.settimeout(WAIT_S)
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.connect(("127.0.0.1", arc.port))
    return s


def rest(s):
    got = b""
    try:
        while part := s.recv(1 << 16):
            got += part
    except ConnectionResetError:
        pass
    return got


def trickle(s, data, every, until):
    """Byte by byte until the server has something to say, or closes; at most `until` seconds."""
    deadline = time.monotonic() + until
    s.settimeout(every)
    for byte in data:
        try:
            s.sendall(bytes([byte]))
            got = s.recv(1 << 16)
        except TimeoutError:
            assert time.monotonic() < deadline, "it takes all the time that there is"
            continue
        except OSError:
            return b""
        s.settimeout(WAIT_S)
        return got + rest(s)
    raise AssertionError("the data was too short")


def assert_too_slow(got, rows=False):
    """Rows are to be sent again: 503, because clients drop them on 4xx."""
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 " if rows else b"HTTP/1.1 408 "), got
    assert (b"\r\nRetry-After: 1\r\n" in head) is rows
    assert re.search(rb"(?i)\r\nX-Request-ID: \S+", head) and re.search(rb"(?i)\r\nConnection: close", head)
    answer = json.loads(body)
    assert answer["code"] == ("unavailable" if rows else "timeout") and answer["success"] is False


def test_a_head_that_never_ends(arc):
    with connect(arc) as s:
        assert_too_slow(trickle(s, b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X-More: 1\r\n" * 1000, 0.1, 30))


def test_a_head_that_never_ends_on_a_connection_that_was_good(arc):
    with connect(arc) as s:
        s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 204")
        assert_too_slow(trickle(s, b"GET /health HTTP/1.1\r\n" + b"X-More: 1\r\n" * 1000, 0.2, 30))


def test_a_request_line_that_never_ends(arc):
    with connect(arc) as s:
        assert_too_slow(trickle(s, b"GET /" + b"x" * 10000, 0.1, 30))


@pytest.mark.parametrize("head", [b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n"], ids=["length", "chunked"])
def test_a_body_that_never_ends(arc, head):
    for request, rows in (WRITE, True), (WRITE.replace(b"/write?", b"/api/v2/write?"), True), (QUERY, False):
        with connect(arc) as s:
            s.sendall(request + head)
            assert_too_slow(trickle(s, b"x" * 100000, 0.05, 30), rows)
        with connect(arc) as s:  # not a byte of it
            s.sendall(request + head)
            assert_too_slow(rest(s), rows)


def test_a_body_that_takes_long_but_comes(arc):
    line = b"steady,host=a v=%d %d\n"
    pieces = [b"".join(line % (i, 1767607200000000000 + (k * 100 + i) * 1000) for i in range(40)) for k in range(25)]
    with connect(arc) as s:
        s.sendall(WRITE + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % sum(map(len, pieces)))
        for piece in pieces:
            s.sendall(piece)
            time.sleep(0.2)  # five seconds in all, of which the server allows two to who sends nothing
        assert rest(s).startswith(b"HTTP/1.1 204")
    assert arc.rows("SELECT count(*) FROM steady") == [[1000]]


def ask_for_much(s, rows=20_000_000):
    body = json.dumps({"sql": f"SELECT range AS n FROM range({rows})"}).encode()
    s.sendall(b"POST /api/v1/query/stream HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def wait_until_no_query_runs(arc):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if not arc.get("/api/v1/queries/active").json()["queries"]:
            return
        time.sleep(0.05)
    raise AssertionError(arc.get("/api/v1/queries/active"))


def test_an_answer_that_nobody_reads(arc):
    with connect(arc, receive=4096) as s:
        ask_for_much(s)
        assert s.recv(100).startswith(b"HTTP/1.1 200")
        wait_until_no_query_runs(arc)
        got = rest(s)
        assert b"19999999" not in got and not got.endswith(b"0\r\n\r\n")


def test_an_answer_that_is_read_too_slowly(arc):
    with connect(arc, receive=4096) as s:
        ask_for_much(s)
        s.recv(100)
        reader_ends = threading.Event()

        def read_slowly():
            try:
                while s.recv(50):
                    time.sleep(0.1)
            except OSError:
                pass
            reader_ends.set()

        t = threading.Thread(target=read_slowly)
        t.start()
        wait_until_no_query_runs(arc)
        s.settimeout(1)
        assert reader_ends.wait(WAIT_S)
        t.join()


def test_an_answer_that_is_read_with_pauses(arc):
    """Somebody who works on what came before reading on is no attacker."""
    with connect(arc) as s:
        ask_for_much(s, rows=1_000_000)
        n = 0
        for _ in range(5):
            n += len(s.recv(1 << 20))
            time.sleep(1)
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            part = s.recv(1 << 20)
            assert part, "broken off"
            got = (got + part)[-200:]
        assert b"999999" in got and re.search(rb"(?i)\r\n0\r\nArc-Execution-Time-Ms: [\d.]+\r\n\r\n$", got)


def server_ends(arc, port):
    """The server's ends, as /proc/net/tcp has them, of connections from `port`."""
    with open("/proc/net/tcp") as f:
        return [line.split() for line in f if f" 0100007F:{arc.port:04X} 0100007F:{port:04X} " in line and line.split()[3] != "06"]


def test_the_idlest_connection_makes_room(arc_start):
    arc = arc_start({"ARC_SERVER_MAX_CONNECTIONS": "16", "ARC_SERVER_WORKERS": "1"})
    port = arc.connections.kept.sock.getsockname()[1]
    arc.connections.kept.close()
    while server_ends(arc, port):
        time.sleep(0.01)
    crowd = [connect(arc) for _ in range(16)]
    for s in crowd[8:]:  # these have been used, and later than the others were made
        s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 204")
    time.sleep(1.5)  # who has been idle for less than a second is left alone
    for i in range(4):
        with connect(arc) as s:
            s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert rest(s).startswith(b"HTTP/1.1 204"), i
    closed = []
    for i, s in enumerate(crowd):
        try:
            s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            if not s.recv(4096):
                closed.append(i)
        except OSError:
            closed.append(i)
        s.close()
    assert closed and set(closed) <= set(range(8)), closed


def test_ten_thousand_idle_connections(arc_start):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 11_000:
        pytest.skip("not enough descriptors here")
    arc = arc_start()
    crowd = []
    try:
        for i in range(10_000):
            crowd.append(connect(arc))
        for i in range(200):
            assert arc.post("/write?db=default", f"idle,host=h{i} v={i}").status == 204
        assert arc.rows("SELECT count(*) FROM idle") == [[200]]
        for s in crowd[::100]:  # and all of them are still there
            s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        for s in crowd[::100]:
            assert s.recv(4096).startswith(b"HTTP/1.1 204")
    finally:
        for s in crowd:
            s.close()


def test_who_is_gone_without_a_word_is_asked_for(arc):
    """The kernel probes silent connections: of the server's end, /proc/net/tcp shows a keep-alive timer."""
    with connect(arc) as s:
        s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 204")
        ends = server_ends(arc, s.getsockname()[1])
        assert len(ends) == 1 and ends[0][5].startswith("02:"), ends


ATTACKS = {"headers": ["-H", "-i", "1", "-x", "8"], "bodies": ["-B", "-i", "1", "-s", "8192", "-x", "8", "-t", "POST"],
           "ranges": ["-R", "-a", "1", "-b", "3000"], "reads": ["-X", "-w", "1", "-y", "16", "-z", "8", "-n", "1", "-k", "3"]}


@pytest.mark.skipif(shutil.which("slowhttptest") is None, reason="slowhttptest is not installed")
@pytest.mark.parametrize("name", ATTACKS)
def test_slowhttptest(arc_start, name):
    arc = arc_start({k: v for k, v in SLOW.items() if "WRITE" not in k})
    path = {"reads": "/openapi.json", "bodies": "/write?db=default"}.get(name, "/health")
    attack = subprocess.Popen(["slowhttptest", *ATTACKS[name], "-c", "1000", "-r", "500", "-l", "6", "-p", "3", "-u", arc.url + path],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    n = 0
    try:
        while attack.poll() is None:
            assert arc.post("/write?db=default", f"good,n=n{n} v=1").status == 204
            assert arc.get("/health").status == 200
            n += 1
        out = attack.communicate(timeout=WAIT_S)[0]
    finally:
        attack.kill()
    assert n > 0 and attack.returncode == 0, out
    assert arc.rows("SELECT count(*) FROM good") == [[n]]


def counted(arc):
    found = re.search(r"^arc_\w*connections_slow\w*(?:{[^}]*})? (\d+)", arc.get("/metrics").body.decode(), re.M)
    return int(found[1])


def test_each_of_them_is_counted(arc):
    before = counted(arc)
    with connect(arc) as s:
        s.sendall(WRITE + b"Content-Length: 100\r\n\r\n")
        assert_too_slow(rest(s), rows=True)
    assert counted(arc) == before + 1
