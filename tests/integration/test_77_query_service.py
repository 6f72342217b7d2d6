"""Queries under load: who runs when, who may stop them, what is remembered of their answers."""

import json
import os
import random
import socket
import threading
import time

import pytest

import tokens_kit

SOAK_S = float(os.environ.get("ARC_QUERY_SOAK_S", "20"))  # 180 for a full run
T = 1767607200_000_000_000
RUNAWAY = "SELECT count(*) FROM range(1000000000000) a, range(1000000) b WHERE (a.range + b.range) % 7 = 3"


def config(path, text):
    path.write_text(text)
    return ["--config", str(path)]


@pytest.fixture(scope="module")
def arc(arc_start_module):
    return arc_start_module()


@pytest.fixture
def single(arc_start, tmp_path):
    """One query at a time, two may wait."""
    return arc_start(args=config(tmp_path / "one.toml", "[query]\npool_size = 1\nmax_queue_size = 2\n"))


def send(arc, sql, headers=""):
    """A query whose answer nobody has read yet."""
    s = socket.create_connection(("127.0.0.1", arc.port))
    body = json.dumps({"sql": sql})
    s.sendall(f"POST /api/v1/query HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return s


def answer(s):
    """Status and body of what a socket of send() gets; the connection ends."""
    f = s.makefile("rb")
    status = int(f.readline().split()[1])
    n = 0
    while (line := f.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            n = int(line.split(b":")[1])
    body = json.loads(f.read(n))
    f.close()
    s.close()
    return status, body


def active(arc):
    a = arc.get("/api/v1/queries/active")
    assert a.status == 200, a
    return a.json()["queries"]


def wait_for(arc, *states):
    """Until exactly these are active, the oldest first; the queries."""
    deadline = time.monotonic() + 30
    while True:
        queries = active(arc)[::-1]
        if [q["state"] for q in queries] == list(states):
            return queries
        assert time.monotonic() < deadline, queries
        time.sleep(0.005)


def pool(arc):
    a = arc.get("/api/v1/metrics/query-pool")
    assert a.status == 200, a
    return a.json()["pool"]


def write(arc, lines, database="default"):
    a = arc.post("/api/v1/write/line-protocol", lines, {"x-arc-database": database})
    assert a.status == 204, a


# ---- the account ----


def test_a_query_has_an_id_that_leads_to_its_account(arc):
    a = arc.query_raw("  SELECT 1 AS one  ", headers={"X-Arc-Query-ID": "mine"})
    id_ = a.headers["X-Arc-Query-ID"]
    assert id_ != "mine" and len(id_) == 36
    q = arc.get(f"/api/v1/queries/{id_}").json()["query"]
    assert (q["id"], q["sql"], q["sql_cut"], q["database"]) == (id_, "SELECT 1 AS one", False, "default")
    assert (q["state"], q["outcome"], q["rows"], q["error"]) == ("ended", "completed", 1, None)
    assert q["bytes"] == len(a.body)
    assert q["snapshot_lsn"] == int(a.headers["X-Arc-Snapshot-LSN"])
    assert q["submitted_at"] <= q["started_at"] <= q["ended_at"]
    assert arc.get("/api/v1/queries/history?limit=1").json()["queries"][0]["id"] == id_


def test_failures_have_ids_and_accounts_too(arc):
    a = arc.query_raw("SELECT * FROM nowhere")
    assert a.status == 404
    q = arc.get(f"/api/v1/queries/{a.headers['X-Arc-Query-ID']}").json()["query"]
    assert (q["outcome"], q["rows"]) == ("failed", 0)
    assert "unknown table" in q["error"]


@pytest.mark.parametrize("path, fields", [("/api/v1/query/arrow", {}), ("/api/v1/query/msgpack", {}),
                                          ("/api/v1/query/stream", {}), ("/api/v1/query/estimate", {})])
def test_every_way_to_ask_gives_an_id(arc, path, fields):
    a = arc.query_raw("SELECT 2", path=path, **fields)
    assert a.status == 200
    q = arc.get(f"/api/v1/queries/{a.headers['X-Arc-Query-ID']}").json()["query"]
    assert q["sql"] == "SELECT 2" and q["outcome"] == "completed"


def test_reading_without_sql_has_its_sql_in_the_account(arc):
    write(arc, f"seen v=1 {T}")
    a = arc.get("/api/v1/query/seen?columns=v")
    assert a.status == 200
    q = arc.get(f"/api/v1/queries/{a.headers['X-Arc-Query-ID']}").json()["query"]
    assert q["sql"].startswith('SELECT "v"')


def test_unknown_queries_are_not_found(arc):
    for a in (arc.get("/api/v1/queries/no-such"), arc.request("DELETE", "/api/v1/queries/no-such")):
        assert a.status == 404
        assert "no-such" in a.json()["error"]


def test_what_has_ended_cannot_be_cancelled(arc):
    id_ = arc.query_raw("SELECT 3").headers["X-Arc-Query-ID"]
    assert arc.request("DELETE", f"/api/v1/queries/{id_}").status == 409


def test_long_texts_are_cut_at_a_character(arc):
    a = arc.query_raw("SELECT '" + "ä" * 3000 + "'")
    q = arc.get(f"/api/v1/queries/{a.headers['X-Arc-Query-ID']}").json()["query"]
    assert q["sql_cut"] is True
    assert q["sql"] == "SELECT '" + "ä" * 996


@pytest.fixture
def guarded(tmp_path):
    g = tokens_kit.start(tmp_path / "guarded")
    yield g
    g.arc.stop()


def test_a_token_sees_and_stops_only_its_own_queries(guarded):
    mine, _ = guarded.make("mine", "read")
    other, other_id = guarded.make("other", "read")
    guarded.query("SELECT 'of mine'", mine)
    a = guarded.call("POST", "/api/v1/query", {"sql": "SELECT 'of other'"}, other)
    id_ = a.headers["X-Arc-Query-ID"]
    for token, texts in ((mine, ["SELECT 'of mine'"]), (other, ["SELECT 'of other'"]),
                         (tokens_kit.ADMIN, ["SELECT 'of other'", "SELECT 'of mine'"])):
        history = guarded.call("GET", "/api/v1/queries/history", token=token)
        assert [q["sql"] for q in history.json()["queries"]] == texts
    assert guarded.call("GET", f"/api/v1/queries/{id_}", token=mine).status == 404
    q = guarded.call("GET", f"/api/v1/queries/{id_}", token=other).json()["query"]
    assert q["token"] == {"id": other_id, "name": "other"}
    s = send(guarded.arc, RUNAWAY, f"Authorization: Bearer {other}\r\n")
    while not (found := guarded.call("GET", "/api/v1/queries/active", token=other).json()["queries"]):
        pass
    id_ = found[0]["id"]
    assert guarded.call("GET", "/api/v1/queries/active", token=mine).json()["queries"] == []
    assert guarded.call("DELETE", f"/api/v1/queries/{id_}", token=mine).status == 404
    pool_ = guarded.call("GET", "/api/v1/metrics/query-pool", token=mine)
    assert pool_.status == 200 and RUNAWAY.encode() not in pool_.body
    assert guarded.call("DELETE", f"/api/v1/queries/{id_}", token=other).status == 200
    assert answer(s)[0] == 499


def test_what_a_token_may_not_see_does_not_come_from_the_cache(guarded):
    assert guarded.write("shop", f"till v=1 {T}").status == 204
    scoped, _ = guarded.make("scoped", "read", scope="elsewhere")
    sql = "SELECT v FROM shop.till"
    for _ in range(2):
        assert guarded.query(sql)["data"] == [[1]]
    guarded.query(sql, scoped, status=404)


# ---- stopping ----


def test_a_runaway_is_stopped_by_its_time(arc):
    began = time.monotonic()
    a = arc.query_raw(RUNAWAY, headers={"x-arc-timeout-ms": "300"})
    took = time.monotonic() - began
    assert a.status == 504
    assert a.json()["error"] == "the query ran longer than 0.3 s and was stopped"
    assert took >= 0.3
    wait_for(arc)
    assert arc.get(f"/api/v1/queries/{a.headers['X-Arc-Query-ID']}").json()["query"]["outcome"] == "timeout"


@pytest.mark.parametrize("bad", ["0", "-1", "1s", "", "86400001"])
def test_bad_times_are_refused(arc, bad):
    a = arc.query_raw("SELECT 1", headers={"x-arc-timeout-ms": bad})
    assert a.status == 400
    assert "x-arc-timeout-ms" in a.json()["error"]


def test_cancel_stops_what_runs(arc):
    s = send(arc, RUNAWAY)
    [q] = wait_for(arc, "running")
    assert q["sql"] == RUNAWAY
    a = arc.request("DELETE", f"/api/v1/queries/{q['id']}")
    assert a.status == 200
    status, body = answer(s)
    assert (status, body["code"]) == (499, "cancelled")
    wait_for(arc)
    assert arc.get(f"/api/v1/queries/{q['id']}").json()["query"]["outcome"] == "cancelled"


def test_a_client_that_leaves_stops_its_query(arc):
    s = send(arc, RUNAWAY)
    [q] = wait_for(arc, "running")
    s.close()
    wait_for(arc)
    assert arc.get(f"/api/v1/queries/{q['id']}").json()["query"]["outcome"] == "cancelled"


def test_cancel_stops_a_stream(arc):
    s = send(arc, "SELECT range, repeat('x', 100) FROM range(100000000)")
    assert s.recv(100).startswith(b"HTTP/1.1 200 ")
    [q] = wait_for(arc, "streaming")
    assert arc.request("DELETE", f"/api/v1/queries/{q['id']}").status == 200
    wait_for(arc)
    s.close()


# ---- waiting ----


def test_what_waits_can_be_cancelled_leave_and_be_late(single):
    first = send(single, RUNAWAY)
    wait_for(single, "running")
    cancelled, left = send(single, "SELECT 1"), send(single, "SELECT 2")
    queries = wait_for(single, "running", "queued", "queued")
    waiting = {q["sql"]: q["id"] for q in queries}
    assert single.request("DELETE", f"/api/v1/queries/{waiting['SELECT 1']}").status == 200
    status, body = answer(cancelled)
    assert (status, body["error"]) == (499, "the query was cancelled before it ran")
    left.close()
    wait_for(single, "running")
    status, body = answer(send(single, "SELECT 4", "x-arc-timeout-ms: 50\r\n"))
    assert (status, body["error"]) == (504, "the query waited for its turn longer than the 0.05 s that it may take")
    for sql, id_ in waiting.items():
        if sql != RUNAWAY:
            q = single.get(f"/api/v1/queries/{id_}").json()["query"]
            assert (q["outcome"], q["started_at"]) == ("cancelled", None)
    assert pool(single)["total_queries_executed"] == 0
    first.close()


def test_waiting_is_no_part_of_the_time_that_it_may_run(arc_start, tmp_path):
    arc = arc_start(args=config(tmp_path / "one.toml", "[query]\npool_size = 1\ntimeout = 3\n"))
    first = send(arc, RUNAWAY, "x-arc-timeout-ms: 1500\r\n")
    wait_for(arc, "running")
    second = send(arc, RUNAWAY)
    assert answer(first)[0] == answer(second)[0] == 504
    ended = arc.get("/api/v1/queries/history?limit=2").json()["queries"]
    assert [q["outcome"] for q in ended] == ["timeout", "timeout"]
    first, second = sorted(ended, key=lambda q: q["started_at"])
    assert second["run_ms"] >= 3000



def test_a_full_queue_is_told_at_once(single):
    first = send(single, RUNAWAY)
    wait_for(single, "running")
    waiting = [send(single, f"SELECT {i}") for i in range(2)]
    wait_for(single, "running", "queued", "queued")
    a = single.query_raw("SELECT 9")
    assert a.status == 503
    assert a.headers["Retry-After"] == "1"
    assert a.json()["error"] == "the server is busy: 1 queries running and 2 waiting"
    assert single.get(f"/api/v1/queries/{a.headers['X-Arc-Query-ID']}").json()["query"]["outcome"] == "refused"
    p = pool(single)
    assert (p["pool_size"], p["active_connections"], p["queue_depth"], p["total_queries_refused"]) == (1, 1, 2, 1)
    assert p["waiting"] == {"critical": 0, "high": 0, "normal": 2, "low": 0}
    first.close()
    for i, s in enumerate(waiting):
        status, body = answer(s)
        assert (status, body["data"]) == (200, [[i]])


def test_turns_go_by_priority_and_nobody_starves(arc_start, tmp_path):
    arc = arc_start(args=config(tmp_path / "one.toml", "[query]\npool_size = 1\n"))
    first = send(arc, RUNAWAY)
    wait_for(arc, "running")
    words, sockets = ["low", "normal", "high", "critical"], []
    for i in range(40):
        word = words[i % 4]
        sockets.append(send(arc, f"SELECT {i}", f"x-arc-priority: {word}\r\n"))
    wait_for(arc, "running", *["queued"] * 40)
    first.close()
    for s in sockets:
        assert answer(s)[0] == 200
    ran = arc.get("/api/v1/queries/history").json()["queries"]
    order = [q["priority"] for q in sorted(ran, key=lambda q: q["started_at"])]
    assert len(order) == 41
    assert order[:2] == ["normal", "critical"]  # the first had a turn of the normal ones
    # while all four have something waiting: 8, 4, 2 and 1 of 15 turns
    assert [order[:15].count(w) for w in words] == [1, 2, 4, 8]


def test_an_unknown_priority_is_refused(arc):
    a = arc.query_raw("SELECT 1", headers={"x-arc-priority": "urgent"})
    assert a.status == 400
    assert "priority" in a.json()["error"]


# ---- answers that are remembered ----


def cached(arc, sql, **kw):
    a = arc.query_raw(sql, **kw)
    assert a.status == 200, a
    flag = a.headers["X-Arc-Cached"] == "true"
    if a.headers["Content-Type"].startswith("application/json"):
        assert a.json().get("cached", False) is flag
    return flag


def test_the_second_answer_is_the_first_ones(arc):
    write(arc, f"cache_a,h=x v=1 {T}\ncache_a,h=y v=2 {T + 1}")
    sql = "SELECT h, v FROM cache_a ORDER BY v"
    first, second = arc.query_raw(sql), arc.query_raw("\n" + sql + " ")
    assert "X-Arc-Cached" not in first.headers and "cached" not in first.json()
    assert second.headers["X-Arc-Cached"] == "true"
    assert second.headers["X-Row-Count"] == "2"
    a, b = first.json(), second.json()
    assert b.pop("cached") is True
    assert a["data"] == b["data"] == [["x", 1], ["y", 2]]
    assert a["timestamp"] <= b["timestamp"]
    for e in (a, b):
        e.pop("timestamp"), e.pop("execution_time_ms")
    assert a == b
    assert second.headers["X-Arc-Query-ID"] != first.headers["X-Arc-Query-ID"]
    q = arc.get(f"/api/v1/queries/{second.headers['X-Arc-Query-ID']}").json()["query"]
    assert (q["cached"], q["outcome"], q["rows"]) == (True, "completed", 2)


def test_a_write_makes_the_next_answer_new(arc):
    write(arc, f"cache_b v=1 {T}\ncache_other v=1 {T}")
    sql = "SELECT count(*) FROM cache_b"
    assert not cached(arc, sql) and cached(arc, sql)
    write(arc, f"cache_other v=2 {T + 1}")
    assert cached(arc, sql)
    write(arc, f"cache_b v=2 {T + 1}")
    assert arc.rows(sql) == [[2]]
    assert cached(arc, sql)
    write(arc, f"cache_b v=3,w=1 {T + 2}")  # a new column
    assert arc.rows(sql) == [[3]]


def test_a_flush_changes_no_answer(arc):
    write(arc, f"cache_c v=1 {T}")
    sql = "SELECT sum(v) FROM cache_c"
    before = arc.rows(sql)
    assert arc.post("/api/v1/write/flush?measurement=cache_c").status == 200
    assert arc.rows(sql) == before == [[1.0]]


def test_what_is_asked_is_told_apart(arc):
    write(arc, f"cache_d v=1 {T}", "one")
    write(arc, f"cache_d v=2 {T}", "two")
    sql = "SELECT v FROM cache_d WHERE 'A' = 'A'"
    assert arc.rows(sql, "one") == [[1.0]]
    assert arc.rows(sql, "two") == [[2.0]]
    assert cached(arc, sql, database="one")
    assert not cached(arc, sql.replace("'A'", "'a'"), database="one")
    assert not cached(arc, sql, database="one", format="csv")
    assert cached(arc, sql, database="one", format="csv")
    assert not cached(arc, sql.lower().replace("'a'", "'A'"), database="one")


@pytest.mark.parametrize("sql", ["SELECT now()", "SELECT random()", "SELECT current_date", "SHOW DATABASES",
                                 "SELECT v FROM cache_a WHERE time < now()", "DESCRIBE cache_a",
                                 "SELECT * FROM cache_a USING SAMPLE 1 ROWS",
                                 "SELECT count(*) FROM information_schema.tables", "EXPLAIN SELECT 1"])
def test_what_may_change_by_itself_is_not_remembered(arc, sql):
    write(arc, f"cache_a,h=x v=1 {T}")
    assert not cached(arc, sql) and not cached(arc, sql)


def test_failures_and_other_endpoints_are_not_remembered(arc):
    sql = "SELECT 77"
    for path in ("/api/v1/query/stream", "/api/v1/query/msgpack"):
        assert "X-Arc-Cached" not in arc.query_raw(sql, path=path).headers
        assert "X-Arc-Cached" not in arc.query_raw(sql, path=path).headers
    for _ in range(2):
        a = arc.query_raw("SELECT CAST('x' AS INTEGER)")
        assert a.status == 400 and "X-Arc-Cached" not in a.headers


def test_large_answers_are_remembered_up_to_the_limit(arc_start, tmp_path):
    arc = arc_start(args=config(tmp_path / "c.toml", "[query_cache]\nmax_result_mb = 1\nmax_size = 2\n"))
    fits, too_large = "SELECT range FROM range(90000)", "SELECT range FROM range(1000000)"
    a = arc.query_raw(fits)
    assert 256 << 10 < len(a.body) < 1 << 20
    b = arc.query_raw(fits)
    assert b.headers["X-Arc-Cached"] == "true" and b.json()["data"] == a.json()["data"]
    assert not cached(arc, too_large) and not cached(arc, too_large)
    for sql in ("SELECT 1", "SELECT 2"):  # the third makes the least recently used one go
        assert not cached(arc, sql)
    assert not cached(arc, fits)
    stats = arc.get("/api/v1/cache/stats").json()
    assert (stats["enabled"], stats["max_size"], stats["current_size"]) == (True, 2, 2)
    assert stats["metrics"]["evictions"] == 2
    assert len(stats["entries"]) == 2 and stats["entries"][0]["row_count"] == 90000
    health = arc.get("/api/v1/cache/health").json()
    assert health["healthy"] is False and len(health["warnings"]) == 1
    assert arc.post("/api/v1/cache/clear").json()["cleared"] == 2
    assert arc.get("/api/v1/cache/stats").json()["current_size"] == 0
    assert not cached(arc, "SELECT 2")


def test_without_the_cache(arc_start, tmp_path):
    arc = arc_start(args=config(tmp_path / "c.toml", "[query_cache]\nenabled = false\n"))
    assert not cached(arc, "SELECT 1") and not cached(arc, "SELECT 1")
    assert arc.get("/api/v1/cache/stats").json()["enabled"] is False
    assert arc.get("/api/v1/cache/health").json()["healthy"] is True
    assert arc.post("/api/v1/cache/clear").json()["cleared"] == 0


def test_no_answer_is_stale(arc):
    """Whoever has the answer to a write finds it in the next answer to a query, remembered or not."""
    stop, failures, counts = threading.Event(), [], [0, 0]
    acked = [0]
    sql = "SELECT count(*) FROM cache_fresh"
    write(arc, f"cache_fresh v=0 {T}")

    def writer():
        i = 0
        while not stop.is_set():
            i += 1
            write(arc, f"cache_fresh v={i} {T + i}")
            acked[0] = i
            if i % 50 == 0:
                arc.post("/api/v1/write/flush?measurement=cache_fresh")
            if i % 7 == 0:
                time.sleep(0.005)

    def reader(k):
        while not stop.is_set():
            known = acked[0]
            a = arc.query_raw(sql)
            counts[k] += 1
            hits[k] += "X-Arc-Cached" in a.headers
            found = a.json()["data"][0][0] - 1
            if found < known:
                failures.append((known, found))

    hits = [0, 0]
    threads = [threading.Thread(target=writer), *(threading.Thread(target=reader, args=(k,)) for k in range(2))]
    for t in threads:
        t.start()
    time.sleep(min(SOAK_S, 60) / 4)
    stop.set()
    for t in threads:
        t.join()
    assert failures == []
    assert sum(counts) > 100 and sum(hits) > 0 and acked[0] > 50


# ---- what it took ----


def test_a_profile_is_given_when_asked_for(arc):
    write(arc, f"profiled v=1 {T}\nprofiled v=2 {T + 3600 * 10**9}")
    assert arc.post("/api/v1/write/flush?measurement=profiled").status == 200
    write(arc, f"profiled v=3 {T + 7200 * 10**9}")
    sql = "SELECT * FROM profiled WHERE time < '2026-01-05T10:30:00Z'"
    a = arc.query_raw(sql, headers={"x-arc-profile": "true"})
    p = a.json()["profile"]
    assert (p["rows"], p["tables"], p["files"], p["files_read"], p["hot_rows"]) == (1, 1, 2, 1, 1)
    assert p["total_ms"] >= p["execution_ms"] > 0 and p["planner_ms"] > 0 and p["wait_ms"] >= 0
    assert "profile" not in arc.query(sql)
    many = arc.query_raw("SELECT range FROM range(200000)", headers={"x-arc-profile": "true"}).json()
    assert many["profile"]["rows"] == many["row_count"] == len(many["data"]) == 200000


def test_slow_queries_are_logged(arc_start, tmp_path):
    arc = arc_start(args=config(tmp_path / "s.toml", "[query]\nslow_threshold_ms = 100\n[logging]\nformat = \"structured\"\n"))
    arc.query("SELECT 1")
    a = arc.query_raw(RUNAWAY, headers={"x-arc-timeout-ms": "200"})
    id_ = a.headers["X-Arc-Query-ID"]
    arc.stop()
    lines = [line for line in arc.stderr if "slow_query" in line]
    assert len(lines) == 1
    assert id_ in lines[0] and RUNAWAY in lines[0] and "timeout" in lines[0]


# ---- load ----


def heavy(rng):
    n = rng.choice([200_000, 1_000_000, 2_000_000])
    return rng.choice([
        f"SELECT range % 1000 AS k, count(*), avg(range) FROM range({n}) GROUP BY k ORDER BY k LIMIT 5",
        f"SELECT count(DISTINCT md5(range::VARCHAR)) FROM range({n // 4})",
        f"SELECT * FROM (SELECT range, hash(range) AS h FROM range({n}) ORDER BY h) LIMIT 3 OFFSET {rng.randrange(1000)}",
        f"SELECT count(*) FROM range({n}) a JOIN range({n // 2}) b ON a.range = b.range * 2",
        f"SELECT max(s) FROM (SELECT sum(range) OVER (PARTITION BY range % 100 ORDER BY range) AS s FROM range({n // 4}))",
        "SELECT 1",
    ])


def test_heavy_clients_get_all_their_answers(arc_start, tmp_path):
    """Ten of them with little memory: no errors, and nobody is left behind."""
    arc = arc_start(args=config(tmp_path / "h.toml", "[duckdb]\nmemory_limit = \"192MB\"\n[query]\npool_size = 8\n"
                                                     "[query_cache]\nenabled = false\n"))
    until = time.monotonic() + SOAK_S
    done, failures = [0] * 10, []

    def client(k):
        rng = random.Random(k)
        while time.monotonic() < until:
            sql = heavy(rng)
            a = arc.query_raw(sql)
            if a.status != 200:
                failures.append((sql, a))
                return
            done[k] += 1

    threads = [threading.Thread(target=client, args=(k,)) for k in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert min(done) > 0 and min(done) * 20 > sum(done) / 10, done
    end = time.monotonic() + 10
    while (p := pool(arc))["total_queries_executed"] != sum(done):  # the last ones are counted behind their answers
        assert time.monotonic() < end, (p, sum(done))
    assert p["total_queries_failed"] == 0


def test_one_query_over_its_memory_is_413(arc_start, tmp_path):
    arc = arc_start(args=config(tmp_path / "m.toml", "[duckdb]\nmemory_limit = \"1GB\"\n[query]\nmemory_limit = \"64MB\"\n"))
    a = arc.query_raw("SELECT list(md5(range::VARCHAR)) FROM range(30000000)")
    assert a.status == 413, a
    assert a.json()["error"] == "the query needs more than the 64 MiB of memory that one query may have"
    assert arc.rows("SELECT 1") == [[1]]
    assert pool(arc)["total_queries_over_memory"] == 1
