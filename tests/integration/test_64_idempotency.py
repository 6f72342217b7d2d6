"""Writes with an idempotency key: stored once, answered alike, whatever happens in between (ACK-4, F5)."""

import concurrent.futures
import contextlib
import gzip
import http.client
import socket
import sqlite3
import threading
import time

import msgpack
import pytest

LINES = "/api/v1/write/line-protocol?precision=s"
MSGPACK = "/api/v1/write/msgpack"
V1 = "/write?db=default&precision=s"
V2 = "/api/v2/write?bucket=default&precision=s"
NEVER = {"BUFFER_AGE_SECONDS": "3600", "BUFFER_SIZE": "1000000000"}  # rows stay in memory unless they are flushed
SAME = ("X-Arc-LSN", "X-Arc-Durability", "X-Arc-Rejected", "Content-Type", "X-Influxdb-Error")


def what(answer):
    """All of an answer that a client may act upon."""
    return answer.status, answer.body, {h: answer.headers[h] for h in SAME}


def is_repeated(answer):
    value = answer.headers["X-Arc-Repeated"]
    assert value in (None, "true")
    return value == "true"


def keyed(key, **headers):
    return {"Idempotency-Key": key, **{k.replace("_", "-"): v for k, v in headers.items()}}


def first_and_again(arc, path, body, headers, times=3, status=204):
    """The first time and some more: one answer."""
    first = arc.post(path, body, headers)
    assert first.status == status and not is_repeated(first), first
    assert int(first.headers["X-Arc-LSN"]) > 0
    for _ in range(times):
        again = arc.post(path, body, headers)
        assert is_repeated(again), again
        assert what(again) == what(first)
    return first


def columns(n, first=0, **more):
    return msgpack.packb({"m": "p", "columns": {"time": [(first + i) * 1_000_000 for i in range(n)],
                                                "v": [float(first + i) for i in range(n)], **more}})


def config(tmp_path, text):
    path = tmp_path / "arc.toml"
    path.write_text(text)
    return ["--config", str(path)]


def segments(arc):
    return sorted(p.name for p in (arc.data / "wal").glob("segment_*.arrow"))


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---- one answer ----

def test_a_hundred_times_is_once(arc):
    """F5"""
    first = first_and_again(arc, LINES, "m v=1 1\nm v=2 2\nn v=3 3", keyed("k"), times=99)
    assert arc.rows("SELECT count(*), sum(v) FROM m") == [[2, 3]]
    assert arc.rows("SELECT count(*), sum(v) FROM n") == [[1, 3]]
    next_one = arc.post(LINES, "m v=4 4", keyed("another"))
    assert not is_repeated(next_one)
    assert int(next_one.headers["X-Arc-LSN"]) == int(first.headers["X-Arc-LSN"]) + 1  # they took no numbers


@pytest.mark.parametrize("path", [LINES, V1, V2])
def test_every_way_of_writing_lines(arc, path):
    first_and_again(arc, path, "m v=1 1", keyed("k"))
    assert arc.rows("SELECT v FROM m") == [[1]]


@pytest.mark.parametrize("header", ["Idempotency-Key", "idempotency-key", "x-arc-batch-id", "X-Arc-Batch-Id"])
def test_the_names_of_the_header(arc, header):
    first_and_again(arc, MSGPACK, columns(2), {header: "k"})
    assert arc.rows("SELECT v FROM p ORDER BY v") == [[0], [1]]


def test_one_key_whatever_it_came_as(arc):
    """The key is what counts, not its header, the path, the coding or the body."""
    first = first_and_again(arc, LINES, "m v=1 1", keyed("k"))
    for path, body, headers in ((LINES, "m v=7 7", {"x-arc-batch-id": "k"}),
                                (V2, gzip.compress(b"m v=7 7"), keyed("k", Content_Encoding="gzip")),
                                (MSGPACK, columns(3), keyed("k")),
                                (LINES, "m v=7 7", keyed("k", x_arc_durability="memory"))):
        again = arc.post(path, body, headers)
        assert is_repeated(again) and again.status == 204
        assert again.headers["X-Arc-LSN"] == first.headers["X-Arc-LSN"]
    assert arc.rows("SELECT v FROM m") == [[1]]
    assert arc.rows("SELECT count(*) FROM information_schema.tables WHERE table_name = 'p'") == [[0]]


@pytest.mark.parametrize("durability", ["synced", "written", "memory"])
def test_every_durability(arc, durability):
    first_and_again(arc, LINES, "m v=1 1", keyed("k", x_arc_durability=durability))
    assert arc.rows("SELECT v FROM m") == [[1]]


def test_compressed_bodies(arc):
    body = "".join(f"m v={i} {i}\n" for i in range(1000))
    first_and_again(arc, LINES, gzip.compress(body.encode()), keyed("l", Content_Encoding="gzip"))
    first_and_again(arc, MSGPACK, gzip.compress(columns(1000)), keyed("p"))
    assert arc.rows("SELECT count(*) FROM m") == arc.rows("SELECT count(*) FROM p") == [[1000]]


@pytest.mark.parametrize("path", [LINES, V1, V2])
def test_a_partial_write_is_told_again(arc, path):
    arc.post(LINES, "m v=0 0")
    first = first_and_again(arc, path, 'm v=1 1\nno line\nm v="text" 2\nm v=3 3', keyed("k"), status=400)
    assert "partial write" in (first.json().get("error") or first.json()["message"]) and b"dropped=2" in first.body
    assert first.headers["Content-Type"].startswith("application/json")
    assert arc.rows("SELECT v FROM m ORDER BY v") == [[0], [1], [3]]


def test_what_a_partial_write_says_may_be_long_and_any_text(arc):
    for i, bad in enumerate(("x" * 5000, "\u20ac" * 2000, 'quote " back \\ slash \t tab', "\x01\x02 v=", "m v=1\\n 1 1 1")):
        headers = keyed(f"k{i}")
        first_and_again(arc, LINES, f"m v={i} {i}\n{bad}".encode(), headers, times=2, status=400)
    assert arc.rows("SELECT count(*) FROM m") == [[5]]


def test_rejected_rows_are_counted_again(arc):
    arc.post(MSGPACK, columns(1))
    body = msgpack.packb([{"m": "p", "columns": {"time": [1, 2], "v": [1.0, 2.0]}},
                          {"m": "p", "columns": {"time": [1, 2], "v": ["a", "b"]}}])
    first = first_and_again(arc, MSGPACK, body, keyed("k"))
    assert first.headers["X-Arc-Rejected"] == "1"
    assert arc.rows("SELECT count(*) FROM p") == [[3]]


# ---- whose key it is ----

def test_a_key_belongs_to_a_database(arc):
    for db in ("a", "b", "default"):
        first_and_again(arc, LINES, "m v=1 1", keyed("k", x_arc_database=db))
    for db in ("a", "b", "default"):
        assert arc.rows("SELECT v FROM m", db) == [[1]]


def test_keys_have_case_and_spaces_and_up_to_255_bytes(arc):
    keys = ["k", "K", "a b", "a  b", "x" * 255, "x" * 254, '"k"', "\\x41", "A", "~!@#$%^&*()_+{}|:<>?,./;'[]-="]
    for i, key in enumerate(keys):
        first_and_again(arc, LINES, f"m v={i} {i}", keyed(key), times=1)
    assert arc.rows("SELECT count(*), count(DISTINCT v) FROM m") == [[len(keys)] * 2]


@pytest.mark.parametrize("key, says", [
    ("", "is empty"), ("x" * 256, "256 bytes"), ("x" * 10240, "10240 bytes"), ("a\tb", "byte 09 at 1"),
    ("\x01", "byte 01 at 0"), ("ab\x7f", "byte 7f at 2"), ("\u00f6", "byte f6 at 0"), ("a\x1bb", "byte 1b at 1")])
@pytest.mark.parametrize("path", [LINES, V2, MSGPACK])
def test_keys_that_are_none(arc_module, path, key, says):
    arc = arc_module
    body = columns(1) if path == MSGPACK else "p v=1 1"
    for header in ("Idempotency-Key", "x-arc-batch-id"):
        answer = arc.post(path, body, {header: key})
        assert answer.status == 400 and says in answer.body.decode(), answer
        assert "X-Arc-LSN" not in answer.headers and not is_repeated(answer)
    assert arc.get("/api/v1/databases/default/measurements").json()["count"] == 0
    assert arc.get("/health").status == 200


def test_what_was_not_stored_may_be_tried_again(arc):
    """A request that failed whole leaves its key free."""
    for body in ("no line", "", "m v=1 no_time"):
        answer = arc.post(LINES, body, keyed("k"))
        assert not is_repeated(answer)
    assert arc.post(MSGPACK, b"\xc1", keyed("k")).status == 400
    assert arc.post(LINES, "m v=1 1", keyed("k", x_arc_durability="nonsense")).status == 400
    assert arc.post(LINES, "m v=1 1", keyed("k", x_arc_database="no/name")).status == 400
    first_and_again(arc, LINES, "m v=1 1", keyed("k"))
    arc.post(LINES, "m v=1 1")
    mixed = msgpack.packb([{"m": "m", "columns": {"time": [5], "v": [5.0]}}, {"m": "m", "columns": {"time": [5], "v": ["x"]}}])
    atomic = keyed("atomic", x_arc_atomic="true")
    assert arc.post(MSGPACK, mixed, atomic).status == 400
    assert arc.post(MSGPACK, mixed, atomic).status == 400
    assert arc.rows("SELECT v FROM m ORDER BY v") == [[1], [1]]
    good = msgpack.packb({"m": "m", "columns": {"time": [5], "v": [5.0]}})
    first_and_again(arc, MSGPACK, good, atomic)


# ---- what a crash leaves ----

def write_some(arc):
    """Of each kind one; what was answered, by request."""
    arc.post(LINES, "m v=0 0")
    requests = [(LINES, "m v=1 1\nn v=1 1", keyed("lines"), 204),
                (LINES, 'm v=2 2\nno line\nm v="x" 3', keyed("partial"), 400),
                (V2, "m v=4 4", keyed("v2", x_arc_durability="written"), 204),
                (MSGPACK, msgpack.packb([{"m": "m", "columns": {"time": [5], "v": [5.0]}},
                                         {"m": "m", "columns": {"time": [5], "v": ["x"]}}]), keyed("rejected"), 204),
                (LINES, "m v=1 1", keyed("lines", x_arc_database="other"), 204)]
    return [(r, first_and_again(arc, *r[:3], times=1, status=r[3])) for r in requests]


def assert_known(arc, written):
    for (path, body, headers, _), first in written:
        again = arc.post(path, body, headers)
        assert is_repeated(again), again
        assert what(again) == what(first)
    assert arc.rows("SELECT v FROM m ORDER BY v") == [[0], [1], [2], [4], [5]]
    assert arc.rows("SELECT v FROM n") == [[1]]
    assert arc.rows("SELECT v FROM m", "other") == [[1]]


@pytest.mark.parametrize("how", ["stop", "kill", "flush and stop", "flush and kill"])
def test_keys_outlive_the_process(arc_start, tmp_path, how):
    data = tmp_path / "d"
    arc = arc_start(NEVER, data=data)
    written = write_some(arc)
    for _ in range(3):
        if "flush" in how:
            assert arc.post("/api/v1/write/flush").status == 200
        arc.kill() if "kill" in how else arc.stop()
        arc = arc_start(NEVER, data=data)
        assert_known(arc, written)
    assert not is_repeated(arc.post(LINES, "m v=6 6", keyed("new")))


def fill(arc, mib):
    """So much of the log, in a table of its own."""
    text = "x" * 1000
    for i in range(mib):
        body = "".join(f'filler t="{text}",i={k}i {i * 1000 + k}\n' for k in range(1000))
        assert arc.post(LINES, body).status == 204


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_keys_outlive_their_segment(arc_start, tmp_path, how):
    """WAL-12: what the log lets go of is in the manifest."""
    data = tmp_path / "d"
    args = config(tmp_path, "[wal]\nmax_size_mb = 1\n")
    arc = arc_start(NEVER, args, data)
    written = write_some(arc)
    (first_segment,) = segments(arc)
    fill(arc, 3)
    assert len(segments(arc)) > 1
    assert arc.post("/api/v1/write/flush").status == 200
    until(lambda: first_segment not in segments(arc))
    with contextlib.closing(sqlite3.connect(f"file:{data}/arc.db?mode=ro", uri=True)) as manifest:
        kept = manifest.execute("SELECT database, key FROM requests ORDER BY lsn").fetchall()
    assert kept == [("default", k) for k in ("lines", "partial", "v2", "rejected")] + [("other", "lines")]
    for _ in range(2):
        assert_known(arc, written)
        arc.kill() if how == "kill" else arc.stop()
        arc = arc_start(NEVER, args, data)
    assert_known(arc, written)


def test_a_client_that_never_hears_and_a_server_that_dies(arc_start, tmp_path):
    """F5: every answer is lost, every third time the server is killed; each row is there once."""
    data = tmp_path / "d"
    arc = arc_start(NEVER, data=data)
    for round in range(6):
        for i in range(20):
            body = f"m v={i},round={round} {i + 100 * round}".encode()
            head = (f"POST {LINES} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                    f"Idempotency-Key: {round}-{i}\r\n\r\n").encode()
            with socket.create_connection(("127.0.0.1", arc.port)) as s:
                s.sendall(head + body)
        if round % 3 == 2:
            arc.kill()
            arc = arc_start(NEVER, data=data)
        for i in range(20):
            body = f"m v={i},round={round} {i + 100 * round}"
            until(lambda: arc.post(LINES, body, keyed(f"{round}-{i}")).status == 204)  # 503: it is being stored
    assert arc.rows("SELECT count(*), count(DISTINCT time) FROM m") == [[120, 120]]
    arc.kill()
    arc = arc_start(NEVER, data=data)
    assert arc.rows("SELECT count(*), count(DISTINCT time) FROM m") == [[120, 120]]


# ---- how long ----

def test_a_window_ends(arc_start, tmp_path):
    args = config(tmp_path, "[ingestion]\nidempotency_window = 2\n")
    data = tmp_path / "d"
    arc = arc_start(NEVER, args, data)
    headers = keyed("k")

    def is_new(first=None):
        answer = arc.post(LINES, "m v=1 1", headers)
        assert answer.status == 204
        return not is_repeated(answer)

    began = time.monotonic()
    assert is_new()
    until(is_new)
    assert time.monotonic() - began >= 2
    assert arc.rows("SELECT count(*) FROM m") == [[2]]
    arc.kill()  # and what the log still has is over as well, or not
    arc = arc_start(NEVER, args, data)
    until(is_new)
    assert arc.rows("SELECT count(*) FROM m") == [[3]]
    arc.stop()
    # with a longer window the last of the three is known again, not one of the first
    arc = arc_start(NEVER, data=data)
    last = arc.post(LINES, "m v=1 1", headers)
    assert is_repeated(last)
    assert arc.rows("SELECT count(*) FROM m") == [[3]]


# ---- at once ----

@pytest.mark.parametrize("body_rows", [1, 20000])
def test_fifty_at_once_are_one(arc, body_rows):
    """F5: one is stored; the others hear the same, or are told to come again."""
    body = columns(body_rows)
    barrier = threading.Barrier(50)

    def write(_):
        barrier.wait()
        answer = arc.post(MSGPACK, body, keyed("k"))
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) >= 1
            assert "idempotency key" in answer.body.decode()
        return answer

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(write, range(50)))
    assert {a.status for a in answers} <= {204, 503}
    good = [a for a in answers if a.status == 204]
    assert sum(not is_repeated(a) for a in good) == 1
    assert len({str(what(a)) for a in good}) == 1
    assert arc.rows("SELECT count(*) FROM p") == [[body_rows]]
    assert what(arc.post(MSGPACK, body, keyed("k"))) == what(good[0])


def test_many_keys_at_once_each_is_one(arc):
    """50 threads, 20 keys each of which 10 clients try until they are told it is stored."""
    def write(n):
        key = n % 20
        while True:
            answer = arc.post(LINES, f"m v={key} {key}", keyed(f"k{key}"))
            if answer.status == 204:
                return key, answer.headers["X-Arc-LSN"], is_repeated(answer)
            assert answer.status == 503

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        told = list(pool.map(write, range(200)))
    assert sum(not repeated for _, _, repeated in told) == 20
    assert len({(key, lsn) for key, lsn, _ in told}) == 20
    assert arc.rows("SELECT count(*), count(DISTINCT v) FROM m") == [[20, 20]]


def values_of(tree, name):
    """Wherever in the tree it is."""
    if isinstance(tree, dict):
        for k, v in tree.items():
            yield from [v] if k == name else values_of(v, name)


def test_repeats_are_counted_and_change_no_counts_of_rows(arc):
    def stats():
        tree = arc.get("/api/v1/write/stats").json()
        return [list(values_of(tree, name)) for name in ("requests_repeated", "commit_requests", "total_records_buffered")]

    arc.post(LINES, "m v=1 1\nm v=2 2", keyed("k"))
    before = stats()
    assert before == [[0], [1], [2]]
    for _ in range(5):
        assert is_repeated(arc.post(LINES, "m v=1 1\nm v=2 2", keyed("k")))
    assert stats() == [[5], *before[1:]]


def test_without_a_log_they_are_told_apart_while_it_runs(arc_start, tmp_path):
    arc = arc_start({"WAL_ENABLED": "false"}, data=tmp_path / "d")
    first_and_again(arc, LINES, "m v=1 1", keyed("k"), times=20)
    arc.post(LINES, "m v=0 0")
    first_and_again(arc, LINES, 'm v=2 2\nm v="x" 2', keyed("partial"), status=400)
    assert arc.rows("SELECT v FROM m ORDER BY v") == [[0], [1], [2]]


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("before", ["true", "false"])
def test_keys_outlive_a_change_of_mind_about_the_log(arc_start, tmp_path, before, how):
    """A log that is turned off and on; without one only an orderly stop keeps keys, and rows."""
    data = tmp_path / "d"
    logged = before
    arc = arc_start({**NEVER, "WAL_ENABLED": logged}, data=data)
    expected = []
    for i in range(3):
        first_and_again(arc, LINES, f"m v={i} {i}", keyed(f"k{i}"), times=1)
        expected.append(i)
        arc.kill() if how == "kill" and logged == "true" else arc.stop()
        logged = "false" if logged == "true" else "true"
        arc = arc_start({**NEVER, "WAL_ENABLED": logged}, data=data)
        for k in expected:
            assert is_repeated(arc.post(LINES, f"m v={k} {k}", keyed(f"k{k}")))
        assert arc.rows("SELECT v FROM m ORDER BY v") == [[v] for v in expected]


@pytest.mark.parametrize("durability", ["synced", "written"])
def test_an_async_log_keeps_what_it_acknowledged(arc_start, tmp_path, durability):
    """The process dies right after the answer; nothing was synced."""
    data = tmp_path / "d"
    env = {**NEVER, "WAL_SYNC_MODE": "async"}
    arc = arc_start(env, data=data)
    for i in range(4):
        headers = keyed(f"k{i}", x_arc_durability=durability)
        first = arc.post(LINES, f"m v={i} {i}", headers)
        arc.kill()
        arc = arc_start(env, data=data)
        again = arc.post(LINES, f"m v={i} {i}", headers)
        assert is_repeated(again) and again.headers["X-Arc-LSN"] == first.headers["X-Arc-LSN"]
    assert arc.rows("SELECT v FROM m ORDER BY v") == [[0], [1], [2], [3]]


def test_a_request_in_pieces(arc):
    """A body sent in chunks; and a connection that ends in the middle stores nothing and holds no key."""
    for cut in (True, False):
        connection = http.client.HTTPConnection("127.0.0.1", arc.port, timeout=60)
        connection.putrequest("POST", LINES)
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("Idempotency-Key", "k")
        connection.endheaders()
        connection.send(b"7\r\nm v=1 1\r\n")
        if cut:
            connection.close()
            continue
        connection.send(b"0\r\n\r\n")
        response = connection.getresponse()
        assert (response.status, response.getheader("X-Arc-Repeated")) == (204, None)
        connection.close()
    assert is_repeated(arc.post(LINES, "m v=1 1", keyed("k")))
    assert arc.rows("SELECT v FROM m") == [[1]]
