"""What the service manager is told (NOTIFY_SOCKET), word for word and in order."""

import os
import re
import signal
import socket
import sqlite3
import time

import msgpack
import pytest

LINES = "/api/v1/write/line-protocol?precision=s"
PATIENCE_S = 60


class Manager:
    """A service manager's side of the socket."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name[0] == "@" else name)
        self.socket.settimeout(PATIENCE_S)
        self.heard = []

    def env(self, watchdog_s=None):
        return {"NOTIFY_SOCKET": self.name} | ({"WATCHDOG_USEC": str(int(watchdog_s * 1e6))} if watchdog_s else {})

    def hear(self):
        message = self.socket.recv(65536).decode()
        self.heard.append((time.monotonic_ns() // 1000, message))
        return message

    def until(self, what):
        """Messages up to the first that holds `what`, that one included."""
        got = [self.hear()]
        while what not in got[-1]:
            got.append(self.hear())
        return got

    def nothing_more(self):
        self.socket.setblocking(False)
        try:
            return self.hear()
        except BlockingIOError:
            return None
        finally:
            self.socket.settimeout(PATIENCE_S)


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    m = Manager(str(tmp_path / "notify") if request.param == "path" else f"@arc-test-{os.getpid()}-{time.monotonic_ns()}")
    yield m
    m.socket.close()


@pytest.fixture
def quick(tmp_path):
    m = Manager(str(tmp_path / "notify"))
    yield m
    m.socket.close()


def test_a_life_in_messages(arc_start, manager):
    arc = arc_start(env=manager.env())
    start = manager.until("READY=1")
    assert start[0] == "STATUS=opening the data\nEXTEND_TIMEOUT_USEC=60000000"
    assert start[1:] == [f"READY=1\nSTATUS=serving {arc.url}"]

    before = time.monotonic_ns() // 1000
    arc.process.send_signal(signal.SIGHUP)
    reload = manager.hear()
    found = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)\nSTATUS=reading settings", reload)
    assert found and before <= int(found[1]) <= time.monotonic_ns() // 1000
    assert manager.hear() == f"READY=1\nSTATUS=serving {arc.url}"

    arc.stop()
    assert manager.hear() == "STOPPING=1\nSTATUS=finishing requests, then flushing"
    assert manager.nothing_more() is None


def test_without_a_manager_nothing_is_different(arc_start):
    arc = arc_start(env={"WATCHDOG_USEC": "1000000"})
    assert arc.get("/ready").status == 200


def test_a_manager_that_is_not_there_is_a_warning(arc_start, tmp_path):
    arc = arc_start(env={"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    assert arc.get("/ready").status == 200
    arc.stop()
    assert any("not_notified" in line and "cannot reach NOTIFY_SOCKET" in line for line in arc.stderr)


def test_it_is_not_ready_before_the_data_is_open(arc_start, quick, tmp_path):
    data = tmp_path / "held"
    first = arc_start(data=data)
    first.post(LINES, "m v=1 1")
    first.stop()
    lock = sqlite3.connect(data / "arc.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    arc = arc_start(data=data, env=quick.env(), wait=False)
    assert quick.hear() == "STATUS=opening the data\nEXTEND_TIMEOUT_USEC=60000000"
    assert arc.get("/ready").status == 503
    arc.process.send_signal(signal.SIGHUP)  # kept until it is ready
    lock.execute("ROLLBACK")
    lock.close()
    rest = [m for m in quick.until("READY=1")]
    assert rest[-1] == f"READY=1\nSTATUS=serving {arc.url}"
    assert all("EXTEND_TIMEOUT_USEC=60000000" in m for m in rest[:-1])
    assert quick.hear().startswith("RELOADING=1\n")
    assert quick.hear().startswith("READY=1\n")


def test_a_replay_is_told_as_it_gets_on(arc_start, quick, tmp_path):
    """More time is asked for with progress only: each time it is further than before."""
    data = tmp_path / "crashed"
    first = arc_start(data=data, env={"BUFFER_AGE_SECONDS": "3600"})
    n_rows, each = 1_000_000, 50_000
    for at in range(0, n_rows, each):
        body = msgpack.packb({"m": "big", "columns": {"time": [1767607200_000000 + at + i for i in range(each)],
                                                      "text": [f"{at + i:032d}" for i in range(each)]}})
        assert first.post("/api/v1/write/msgpack", body).status == 204
    first.kill()
    arc = arc_start(data=data, env=quick.env())
    *told, ready = quick.until("READY=1")
    assert ready == f"READY=1\nSTATUS=serving {arc.url}"
    assert told[0] == "STATUS=opening the data\nEXTEND_TIMEOUT_USEC=60000000"
    pattern = r"STATUS=replaying the log: (\d+) % \((\d+) of \d+ MiB\)\nEXTEND_TIMEOUT_USEC=60000000"
    done = [re.fullmatch(pattern, message) for message in told[1:]]
    assert all(done), told
    mib = [int(d[2]) for d in done]
    assert mib == sorted(mib)
    assert arc.rows("SELECT count(*) FROM big") == [[n_rows]]


def test_a_start_that_fails_says_why(arc_start, quick, tmp_path):
    from conftest import Arc
    data = tmp_path / "taken"
    arc_start(data=data)
    second = Arc(data, env=quick.env(), wait=False)
    said = quick.until("STOPPING=1")[-1]
    assert said.startswith("STOPPING=1\nSTATUS=") and "another process" in said
    second.stop(expect=1, told=True)
    assert quick.nothing_more() is None


def test_a_live_server_beats(arc_start, quick):
    arc_start(env=quick.env(watchdog_s=2))
    quick.until("READY=1")
    assert [quick.hear() for _ in range(5)] == ["WATCHDOG=1"] * 5
    times = [at for at, message in quick.heard if message == "WATCHDOG=1"]
    assert max(b - a for a, b in zip(times, times[1:])) < PATIENCE_S * 1_000_000


def test_the_watchdog_of_another_process_is_not_ours(arc_start, quick):
    arc = arc_start(env=quick.env(watchdog_s=0.1) | {"WATCHDOG_PID": "1"})
    quick.until("READY=1")
    for _ in range(50):
        assert arc.get("/ready").status == 200
    assert quick.nothing_more() is None
