"""A disk that is full or cannot be written, for a while (F6, F7, WAL-6, DSK-5): /ready names it, writes get 503 and are
not there, reads go on, and it heals without a restart. Needs to be allowed to mount."""

import os
import random
import subprocess
import time

import pytest

import segments
from arc_process import Connection, Killable
from client_ledger import Ledger

HEALS_WITHIN_S = 60


@pytest.fixture
def small_disk(tmp_path):
    """mount(size) gives a directory with a file system of its own."""
    mounted = []

    def mount(size):
        path = tmp_path / f"disk{len(mounted)}"
        path.mkdir()
        r = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "arc-fault", path], capture_output=True,
                           text=True)
        if r.returncode:
            pytest.skip(f"mounting is not permitted here: {r.stderr.strip()}")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", "-l", path], check=True)


def wait(what, condition, seconds=HEALS_WITHIN_S):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        time.sleep(0.1)


def write(arc, ledger, rng, connection):
    request = ledger.new(rng)
    status = request.send(connection)
    assert status in (204, 503)
    return status


def refuse_until(arc, ledger, rng, connection, what):
    """Writes until one is refused, then /ready must say why."""
    wait(what, lambda: write(arc, ledger, rng, connection) == 503)
    for _ in range(20):
        write(arc, ledger, rng, connection)
    answer = arc.get("/ready")
    assert answer.status == 503, answer
    return answer.json()


def heal(arc, ledger, rng, connection):
    wait("/ready", lambda: arc.get("/ready").status == 200)
    wait("writes", lambda: write(arc, ledger, rng, connection) == 204)
    for _ in range(20):
        assert write(arc, ledger, rng, connection) == 204
    ledger.check(arc)


def end(arc, ledger, data):
    """What is there survives a crash and a stop."""
    arc.kill()
    segments.read_all(data / "wal")
    arc = Killable(data)
    ledger.check(arc)
    arc.stop()
    arc = Killable(data)
    ledger.check(arc)
    arc.stop()


def fill(path):
    """A file that takes all that is left."""
    ballast = path / "ballast"
    with open(ballast, "wb") as f:
        try:
            while True:
                f.write(bytes(65536))
                f.flush()
        except OSError:
            pass
    return ballast


@pytest.mark.parametrize("flush", [False, True], ids=["log", "flush"])
def test_disk_full_and_space_back(small_disk, flush):
    disk = small_disk("64m")
    data = disk / "data"
    rng = random.Random(1)
    ledger = Ledger(rng)
    arc = Killable(data)
    connection = Connection(arc.port)
    for _ in range(50):
        assert write(arc, ledger, rng, connection) == 204
    ballast = fill(disk)
    if flush:
        arc.post("/api/v1/write/flush")
    why = refuse_until(arc, ledger, rng, connection, "a refusal on a full disk")
    assert "space" in why["message"] or "full" in why["message"], why
    ledger.check(arc)  # reads go on; nothing refused is there
    os.unlink(ballast)
    heal(arc, ledger, rng, connection)
    assert arc.post("/api/v1/write/flush").status == 200
    ledger.check(arc)
    end(arc, ledger, data)


def test_disk_full_again_and_again(small_disk):
    disk = small_disk("64m")
    data = disk / "data"
    rng = random.Random(2)
    ledger = Ledger(rng)
    arc = Killable(data)
    connection = Connection(arc.port)
    for _ in range(3):
        ballast = fill(disk)
        refuse_until(arc, ledger, rng, connection, "a refusal on a full disk")
        os.unlink(ballast)
        heal(arc, ledger, rng, connection)
    end(arc, ledger, data)


def test_killed_while_the_disk_is_full(small_disk):
    disk = small_disk("64m")
    data = disk / "data"
    rng = random.Random(3)
    ledger = Ledger(rng)
    arc = Killable(data)
    connection = Connection(arc.port)
    for _ in range(50):
        assert write(arc, ledger, rng, connection) == 204
    ballast = fill(disk)
    refuse_until(arc, ledger, rng, connection, "a refusal on a full disk")
    arc.kill()
    os.unlink(ballast)
    arc = Killable(data)
    ledger.check(arc)
    heal(arc, ledger, rng, Connection(arc.port))
    arc.stop()


def test_read_only_remount(small_disk):
    """The kernel remounts nothing that is open for writing (an error of the disk does, by force): the log's directory
    is made unwritable by a read-only mount that is laid over it."""
    disk = small_disk("64m")
    data = disk / "data"
    rng = random.Random(4)
    ledger = Ledger(rng)
    arc = Killable(data)
    connection = Connection(arc.port)
    for _ in range(20):
        assert write(arc, ledger, rng, connection) == 204
    wal = data / "wal"
    subprocess.run(["mount", "--bind", wal, wal], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", wal], check=True)
        why = refuse_until(arc, ledger, rng, connection, "a refusal on a read-only log")
        assert "ead-only" in why["message"], why
        ledger.check(arc)
        subprocess.run(["mount", "-o", "remount,bind,rw", wal], check=True)
        heal(arc, ledger, rng, connection)
        connection.http.close()
        arc.kill()
    finally:
        subprocess.run(["umount", "-l", wal], check=True)
    arc = Killable(data)
    ledger.check(arc)
    arc.stop()
