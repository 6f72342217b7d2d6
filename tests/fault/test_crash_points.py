"""The process dies at every named point (os/failpoints.def), and again while it recovers (F1, REC-9; crash matrix W1
to W7, H1 to H5): ARC_POINT_ROUNDS times each. Needs a binary with fail points, as those with tests are."""

import os
import pathlib
import random
import re
import time

import conftest
import pytest

import segments
from arc_process import Connection, Killable, expect_refusal
from client_ledger import Ledger
from kill_cycles import Load, settle

SRC = pathlib.Path(__file__).resolve().parents[2] / "src"
POINTS = re.findall(r"^X\((\w+),", (SRC / "os" / "failpoints.def").read_text(), re.M)
ROUNDS = int(os.environ.get("ARC_POINT_ROUNDS", "1"))
DIES_WITHIN_S = 45
# Passed often: dies at any of the first so many times.
DROPS = ("drop_before", "drop_committed", "reap_removed")
OFTEN = {"wal_append_before": 60, "wal_append_after": 60, "wal_sync_before": 60, "wal_sync_after": 60,
         "commit_assigned": 60, "commit_published": 60, "commit_answered": 60}


@pytest.fixture(scope="module", autouse=True)
def has_points(tmp_path_factory):
    text = conftest.run_arc("serve", "--data", str(tmp_path_factory.mktemp("none")),
                            env={"ARC_FAILPOINT": "no_such_point"}).stderr
    if "this build has no fail points" in text:
        pytest.skip("the binary has no fail points")
    assert "there is no fail point 'no_such_point'" in text


def test_every_point_stands_in_the_code_and_in_the_list():
    used = set()
    for path in SRC.rglob("*.c"):
        if not path.name.endswith("_test.c"):
            used |= set(re.findall(r'ARKA_FAILPOINT\("(\w+)"\)', path.read_text()))
    assert sorted(used) == sorted(POINTS)


def test_an_unknown_point_is_an_error_at_the_start(tmp_path):
    for text in ("wal_sync", "wal_sync_before:0", "flush_renamed,,no"):
        expect_refusal(tmp_path / "data", {"ARC_FAILPOINT": text}, 78, "ARC_FAILPOINT")


DOOMED = "doomed,host=a v=1 1000\ndoomed,host=a v=2 2000\ndoomed,host=a v=3 3000\n"


def flush(connection):
    connection.post("/api/v1/write/flush", b"", {})


def drop(connection):
    """A table that comes, goes to files and is dropped again; the ledger does not know it."""
    connection.post("/write?db=default", DOOMED.encode(), {})
    flush(connection)
    connection.post("/query?db=default&q=DROP%20MEASUREMENT%20doomed", b"", {})


def check_dropped(arc, point):
    """All of it or nothing, and no file that nobody has."""
    answer = arc.query_raw("SELECT count(*) FROM doomed")
    files = list(pathlib.Path(arc.data).glob("arc/default/doomed/**/*.parquet"))
    if point == "drop_before":
        assert answer.json()["data"] == [[3]], answer
        assert files != []
    else:
        assert answer.status == 404, answer
        assert files == []


def die(arc, load, act):
    """Until the process has killed itself."""
    end = time.monotonic() + DIES_WITHIN_S
    connection = Connection(arc.port)
    while arc.process.poll() is None:
        assert time.monotonic() < end, "it passed that point never"
        if act:
            act(connection)
        time.sleep(0.02)
    connection.http.close()
    arc.wait_killed()
    if load:
        load.join()


def die_at_start(data, point):
    arc = Killable(data, {"ARC_FAILPOINT": point}, wait=False)
    die(arc, None, None)


def crash(data, ledger, point, n, rng):
    arc = Killable(data, {"ARC_FAILPOINT": f"{point}:{n}"}, wait=False)
    load = Load(arc, ledger, str(rng.random()))
    passed_by_itself = point.startswith(("wal_append", "wal_sync", "commit"))
    die(arc, load, drop if point in DROPS else None if passed_by_itself else flush)


@pytest.mark.parametrize("point", [p for p in POINTS if not p.startswith("recover")])
def test_dies_there(tmp_path, point):
    seed = int(os.environ.get("ARC_POINT_SEED") or time.time_ns() % 10**9)
    print(f"ARC_POINT_SEED={seed}")
    rng = random.Random(f"{seed}-{point}")
    data = tmp_path / "data"
    ledger = Ledger(rng)
    for cycle in range(ROUNDS):
        ledger.cycle = cycle
        crash(data, ledger, point, rng.randint(1, OFTEN.get(point, 2)), rng)
        segments.read_all(data / "wal")
        for again in rng.choice([[], ["recover_replayed"], ["recover_numbered"],
                                 ["recover_replayed", "recover_numbered", "recover_replayed"]]):
            die_at_start(data, again)
        arc = Killable(data)
        ledger.check(arc)
        if point in DROPS:
            check_dropped(arc, point)
        settle(arc, ledger, rng, cycle)
        ledger.check(arc)
        segments.read_all(data / "wal")
        arc.stop()


@pytest.mark.parametrize("point", [p for p in POINTS if p.startswith("recover")])
def test_dies_in_recovery(tmp_path, point):
    rng = random.Random(point)
    data = tmp_path / "data"
    ledger = Ledger(rng)
    for cycle in range(ROUNDS):
        ledger.cycle = cycle
        arc = Killable(data)
        load = Load(arc, ledger, str(rng.random()))
        time.sleep(0.2)
        arc.kill()
        load.join()
        for _ in range(3):
            die_at_start(data, point)
        arc = Killable(data)
        ledger.check(arc)
        arc.stop()
