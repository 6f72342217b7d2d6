"""What was acknowledged is seen, all of it at one instant, by every query that follows."""

import http.client
import json
import os
import threading
import time

import msgpack
import pyarrow.ipc
import pytest

T = 1767607200_000_000
CHECKS = int(os.environ.get("ARC_VISIBLE_CHECKS", "2000"))  # 100,000 for a full run
N_CHECKERS, N_READERS = 4, 2


@pytest.fixture(scope="module")
def arc(arc_module):
    return arc_module


class Threads:
    """Runs functions of the number of the thread until `stop`; the first failure is raised at the end."""

    def __init__(self):
        self.stop = threading.Event()
        self.failures = []
        self.threads = []

    def start(self, run, *args):
        def body():
            try:
                run(*args)
            except BaseException as e:  # noqa: B902, told by join
                self.failures.append(e)
                self.stop.set()
        self.threads.append(threading.Thread(target=body))
        self.threads[-1].start()

    def join(self, some=None):
        for t in some or self.threads:
            t.join()
        if some is None and self.failures:
            raise self.failures[0]


def write(arc, *members, database="default"):
    body = b"".join(msgpack.packb({"m": name, "columns": columns}) for name, columns in members)
    a = arc.post("/api/v1/write/msgpack", body, {"x-arc-database": database, "x-arc-atomic": "true"})
    assert a.status == 204, a
    return int(a.headers["X-Arc-LSN"])


def ask(arc, sql, headers=None, database=None, path="/api/v1/query"):
    a = arc.query_raw(sql, database, path=path, headers=headers)
    assert a.status == 200, a
    return a, int(a.headers["X-Arc-Snapshot-LSN"])


def numbers(arc, sql, **more):
    a, lsn = ask(arc, sql, **more)
    return a.json()["data"][0], lsn


# ---- acknowledged is visible ----

def test_ack_2_i5_what_was_acknowledged_is_seen_at_once(arc):
    """CHECKS rows, each asked for right behind its 204, while others write, flush and change schemas."""
    threads, done = Threads(), [0] * N_CHECKERS

    def check(who):
        table = f"seen{who}"
        for i in range(1, CHECKS // N_CHECKERS + 1):
            if threads.stop.is_set():
                return
            body = f"{table},who=w{who} v={i}i {T + i}"
            if i % 2:
                a = arc.post("/write?db=default&precision=us", body)
                assert a.status == 204, a
                lsn = int(a.headers["X-Arc-LSN"])
            else:
                lsn = write(arc, (table, {"time": [T + i], "who": [f"w{who}"], "v": [i]}))
            row, seen = numbers(arc, f"SELECT count(*), max(v), sum(v)::BIGINT FROM {table}")
            assert row == [i, i, i * (i + 1) // 2] and seen >= lsn, (row, i, seen, lsn)
            done[who] = i

    def disturb():
        flushed = 0
        for k in range(1 << 30):
            if threads.stop.is_set():
                return
            write(arc, (f"other{k % 3}", {"time": [T + k], f"c{k % 40}": [1.5]}),
                  ("seen0_like", {"time": [T + k], "v": [k]}))
            if sum(done) >= flushed + CHECKS / 20:  # every file makes every query after it slower
                flushed = sum(done)
                assert arc.post("/api/v1/write/flush").status == 200

    for who in range(N_CHECKERS):
        threads.start(check, who)
    checkers = list(threads.threads)
    threads.start(disturb)
    threads.join(checkers)
    threads.stop.set()
    threads.join()


def test_qry_2_counts_are_never_wrong(arc):
    """One table that gets as many rows a request while it is flushed and gets columns; the sum tells the count."""
    threads, rows, requests = Threads(), 10, max(CHECKS // 20, 50)
    columns = {"time": [T + i for i in range(rows)], "v": [1] * rows}
    write(arc, ("counted", columns), database="counts")
    sent = [1]

    def keep_writing():
        for k in range(requests):
            if threads.stop.is_set():
                return
            write(arc, ("counted", {**columns, f"extra{k // 10}": [k] * rows}), database="counts")
            sent[0] += 1

    def keep_flushing():
        while not threads.stop.is_set():
            assert arc.post("/api/v1/write/flush?database=counts").status == 200

    def keep_reading():
        last = 0
        while not threads.stop.is_set():
            before = sent[0]
            (n, total), lsn = numbers(arc, "SELECT count(*), sum(v)::BIGINT FROM counted", database="counts")
            assert n == total and n % rows == 0 and last <= n and before * rows <= n, (n, total, last, before)
            last = n

    threads.start(keep_writing)
    writer = list(threads.threads)
    threads.start(keep_flushing)
    for _ in range(N_READERS):
        threads.start(keep_reading)
    threads.join(writer)
    threads.stop.set()
    threads.join()
    assert arc.rows("SELECT count(*), sum(v)::BIGINT FROM counted", "counts") == [[(requests + 1) * rows] * 2]


def test_hot_2_two_tables_of_one_request_are_never_seen_half(arc):
    threads, requests = Threads(), max(CHECKS // 10, 100)

    def both(k):
        write(arc, ("left", {"time": [T + k], "k": [k]}), ("right", {"time": [T + k], "k": [k]}), database="pairs")

    both(0)

    def keep_writing():
        for k in range(1, requests):
            if threads.stop.is_set():
                return
            both(k)
            if k % 50 == 0:
                assert arc.post("/api/v1/write/flush?database=pairs&measurement=left").status == 200

    def keep_reading():
        while not threads.stop.is_set():
            (n, left, right), lsn = numbers(arc, 'SELECT count(*), count(l.k), count(r.k) FROM "left" l FULL JOIN "right" r USING (k)',
                                            database="pairs")
            assert n == left == right, (n, left, right, lsn)

    threads.start(keep_writing)
    writer = list(threads.threads)
    for _ in range(N_READERS):
        threads.start(keep_reading)
    threads.join(writer)
    threads.stop.set()
    threads.join()
    assert arc.rows('SELECT count(*) FROM "left" JOIN "right" USING (k)', "pairs") == [[requests]]


# ---- as of when ----

def test_every_answer_says_as_of_when(arc):
    lsn = write(arc, ("moment", {"time": [T], "v": [1]}))
    sql = "SELECT v FROM moment"
    for path in ("/api/v1/query", "/api/v1/query/arrow", "/api/v1/query/msgpack", "/api/v1/query/stream"):
        assert ask(arc, sql, path=path)[1] == lsn, path
    assert ask(arc, "SELECT 1")[1] == ask(arc, "SHOW TABLES")[1] == ask(arc, "DESCRIBE moment")[1] == lsn
    for path in ("/api/v1/query/moment", "/api/v1/query/moment/csv"):
        assert arc.get(path).headers["X-Arc-Snapshot-LSN"] == str(lsn)
    assert write(arc, ("moment", {"time": [T, T + 1], "v": [2, 3]})) == lsn + 2
    assert ask(arc, sql)[1] == lsn + 2
    a = arc.query_raw("SELECT nothing FROM moment")
    assert a.status == 400 and "X-Arc-Snapshot-LSN" not in a.headers


def test_a_query_that_waits_does_not_wait_for_what_is_there(arc):
    lsn = write(arc, ("moment", {"time": [T + 9], "v": [9]}))
    for n in (0, 1, lsn, f"{lsn:030}"[-20:]):
        assert ask(arc, "SELECT 1", {"x-arc-min-lsn": str(n)})[1] >= lsn


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.0", "1e3", "0x1", "one", "18446744073709551616", "1 2", "9" * 40])
def test_min_lsn_that_is_no_number(arc, value):
    for path in ("/api/v1/query", "/api/v1/query/arrow", "/api/v1/query/estimate"):
        a = arc.query_raw("SELECT 1", path=path, headers={"x-arc-min-lsn": value})
        assert a.status == 400 and a.json()["code"] == "invalid" and "x-arc-min-lsn" in a.json()["error"], a


def test_min_lsn_waits_for_rows_that_come(arc):
    lsn = write(arc, ("awaited", {"time": [T], "v": [1]}))
    got = []
    reader = threading.Thread(target=lambda: got.append(
        ask(arc, "SELECT count(*) FROM awaited", {"x-arc-min-lsn": str(lsn + 3)})))
    reader.start()
    for i in range(1, 4):
        assert write(arc, ("awaited", {"time": [T + i], "v": [1]})) == lsn + i
    reader.join()
    a, seen = got[0]
    assert a.json()["data"] == [[4]] and seen == lsn + 3


def test_min_lsn_that_does_not_come(arc_start, tmp_path):
    """Refused in time; those that wait keep half of the places free for others."""
    (tmp_path / "arc.toml").write_text("[query]\nmin_lsn_timeout = 1500\n[duckdb]\npool_size = 4\n")
    arc = arc_start(args=["--config", str(tmp_path / "arc.toml")])
    lsn = write(arc, ("m", {"time": [T], "v": [1]}))
    far = {"x-arc-min-lsn": str(lsn + 1)}
    for path in ("/api/v1/query", "/api/v1/query/msgpack", "/api/v1/query/estimate", "/api/v1/query/m"):
        sent = time.monotonic()
        a = arc.get(path, far) if path.endswith("/m") else arc.query_raw("SELECT 1", path=path, headers=far)
        assert a.status == 503 and a.json()["code"] == "not_visible" and a.headers["Retry-After"] == "1", a
        assert str(lsn + 1) in a.json()["error"] and time.monotonic() - sent >= 1.5
    answers = []
    waiting = [threading.Thread(target=lambda: answers.append(arc.query_raw("SELECT 1", headers=far))) for _ in range(12)]
    for t in waiting:
        t.start()
    for _ in range(20):
        assert arc.rows("SELECT count(*) FROM m") == [[1]]
    for t in waiting:
        t.join()
    assert {(a.status, a.json()["code"]) for a in answers} == {(503, "not_visible")}


def test_min_lsn_holds_over_a_restart(arc_start, tmp_path):
    arc = arc_start(data=tmp_path / "kept")
    lsns = [write(arc, ("kept", {"time": [T + i], "v": [i]})) for i in range(5)]
    arc.process.kill()
    arc.process.wait()
    arc.reader.join()
    again = arc_start(data=tmp_path / "kept")
    row, seen = numbers(again, "SELECT count(*), sum(v)::BIGINT FROM kept", headers={"x-arc-min-lsn": str(lsns[-1])})
    assert row == [5, 10] and seen >= lsns[-1]
    assert write(again, ("kept", {"time": [T + 9], "v": [9]})) > seen
    again.stop()
    third = arc_start(data=tmp_path / "kept")
    assert numbers(third, "SELECT count(*) FROM kept", headers={"x-arc-min-lsn": str(seen + 1)})[0] == [6]


# ---- slow readers ----

def open_slowly(arc, sql, path="/api/v1/query/arrow"):
    """The connection and the answer of a query, of which nothing but the head was read."""
    connection = http.client.HTTPConnection("127.0.0.1", arc.port, timeout=60)
    connection.request("POST", path, json.dumps({"sql": sql}))
    answer = connection.getresponse()
    assert answer.status == 200
    return connection, answer


def test_f12_a_slow_reader_over_flushes_sees_what_it_began_with(arc):
    rows, members = 200_000, 4
    for k in range(members):
        write(arc, ("slow", {"time": [T + k * rows + i for i in range(rows)], "v": [1] * rows}), database="slow")
    lsn = ask(arc, "SELECT 1")[1]
    connection, answer = open_slowly(arc, "SELECT a.time, a.v, b FROM slow.slow a, range(8) t(b)")
    assert int(answer.headers["X-Arc-Snapshot-LSN"]) == lsn
    for k in range(3):
        assert arc.post("/api/v1/write/flush?database=slow").status == 200
        write(arc, ("slow", {"time": [T] * 10, "v": [1000] * 10, f"late{k}": [1] * 10}), database="slow")
    table = pyarrow.ipc.open_stream(answer).read_all()
    connection.close()
    assert table.num_rows == rows * members * 8
    assert sum(table["v"].combine_chunks().to_numpy()) == rows * members * 8
    assert arc.rows("SELECT count(*), sum(v)::BIGINT FROM slow", "slow") == [[rows * members + 30, rows * members + 30_000]]


def test_qry_6_a_reader_that_is_too_slow_is_broken_off(arc_start, tmp_path):
    (tmp_path / "arc.toml").write_text("[query]\nmax_age = 1\n[duckdb]\npool_size = 2\n")
    arc = arc_start(args=["--config", str(tmp_path / "arc.toml")])
    write(arc, ("m", {"time": [T], "v": [1]}))
    sql = "SELECT m.v, range, repeat('x', 1000) FROM m, range(10000000)"
    slow = [open_slowly(arc, sql) for _ in range(2)]
    # both places are taken: this waits until one of them is given up
    assert arc.rows("SELECT count(*) FROM m") == [[1]]
    for connection, answer in slow:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
        connection.close()
    a = arc.query_raw("SELECT sum(a.range * b.range) FROM m, range(10000000) a, range(10000000) b")
    assert a.status == 504 and "for longer than 1 s" in a.json()["error"], a
    arc.stop()
    assert sum("query_broken_off" in line and "longer than 1 s" in line for line in arc.stderr) == 2
