"""SQL out: every format, the statements that clients know, refusals, limits, giving up."""

import csv
import io
import json
import socket
import threading
import time

import msgpack
import pyarrow
import pyarrow.ipc
import pytest

T = 1767607200  # 2026-01-05T10:00:00Z
ROWS = 400_000


@pytest.fixture(scope="module")
def db(arc_module):
    arc = arc_module
    body = {"m": "cpu", "columns": {
        "time": [(T + i) * 1000 for i in range(6)], "host": ["a", "b", "a", "b", None, 'q"\n,'],
        "usage": [1.5, 2.0, None, 4.25, float("nan"), 1e300], "n": [1, -2, 3, 2**53 + 1, None, 6],
        "up": [True, False, None, True, True, False]}}
    assert arc.post("/api/v1/write/msgpack", msgpack.packb(body), {"x-arc-database": "q"}).status == 204
    assert arc.post("/api/v1/databases", '{"name": "nothing_in_it"}').status == 201
    for part in range(4):
        n = ROWS // 4
        big = {"m": "big", "columns": {"time": [T * 1000 + part * n + i for i in range(n)],
                                       "v": list(range(part * n, part * n + n)), "s": ["text" * 4] * n}}
        assert arc.post("/api/v1/write/msgpack", msgpack.packb(big), {"x-arc-database": "q"}).status == 204
        if part == 1:
            assert arc.post("/api/v1/write/flush").status == 200
    return arc


# ---- JSON ----

def test_the_envelope(db):
    a = db.query_raw("SELECT time, host, usage, n, up FROM cpu ORDER BY time", "q")
    assert a.status == 200
    assert a.headers["Content-Type"] == "application/json"
    assert a.headers["X-Row-Count"] == "6"
    assert float(a.headers["X-Execution-Time-Ms"]) >= 0
    body = a.json()
    assert body["success"] is True and body["error"] is None
    assert body["columns"] == ["time", "host", "usage", "n", "up"]
    assert body["row_count"] == 6
    assert isinstance(body["execution_time_ms"], float)
    assert body["timestamp"].endswith("Z")
    assert body["data"] == [
        ["2026-01-05T10:00:00Z", "a", 1.5, 1, True], ["2026-01-05T10:00:01Z", "b", 2.0, -2, False],
        ["2026-01-05T10:00:02Z", "a", None, 3, None], ["2026-01-05T10:00:03Z", "b", 4.25, 2**53 + 1, True],
        ["2026-01-05T10:00:04Z", None, None, None, True], ["2026-01-05T10:00:05Z", 'q"\n,', 1e300, 6, False]]


def test_no_rows_keep_their_columns(db):
    body = db.query("SELECT * FROM cpu LIMIT 0", "q")
    assert sorted(body["columns"]) == ["host", "n", "time", "up", "usage"]
    assert (body["data"], body["row_count"]) == ([], 0)


def test_limit_in_the_body_is_ignored_and_csv_is_honoured(db):
    for limit in (1, 0, -1, None, "10", 1.5, []):
        for path in ("/api/v1/query", "/api/v1/query/arrow", "/api/v1/query/estimate"):
            a = db.query_raw("SELECT n FROM cpu", "q", path, limit=limit)
            assert a.status == 200 and (path != "/api/v1/query" or a.json()["row_count"] == 6), (path, limit, a)
    a = db.query_raw("SELECT n FROM cpu WHERE n = 3", "q", format="csv")
    assert a.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert a.body == b"n\r\n3\r\n"
    a = db.query_raw("SELECT 1", format="xml")
    assert (a.status, a.json()["code"]) == (400, "invalid")


def test_the_database_of_the_body_counts_when_there_is_no_header(db):
    a = db.post("/api/v1/query", json.dumps({"sql": "SELECT count(*) FROM cpu", "database": "q"}))
    assert a.json()["data"] == [[6]]
    a = db.post("/api/v1/query", json.dumps({"sql": "SELECT count(*) FROM cpu", "database": "nothing_in_it"}),
                {"x-arc-database": "q"})
    assert a.json()["data"] == [[6]]


def test_a_trailing_semicolon_and_comments_are_fine(db):
    assert db.rows("SELECT 1;") == [[1]]
    assert db.rows("-- hello\nSELECT /* x */ 1 ;  ") == [[1]]


def test_a_large_answer_is_streamed_whole(db):
    a = db.query_raw("SELECT v, s FROM big ORDER BY v", "q")
    assert a.headers["Transfer-Encoding"] == "chunked"
    body = a.json()
    assert body["row_count"] == len(body["data"]) == ROWS
    assert [r[0] for r in body["data"]] == list(range(ROWS))


# ---- other formats ----

def arrow(db, sql, database="q", headers=None):
    a = db.query_raw(sql, database, "/api/v1/query/arrow", headers)
    assert a.status == 200, a
    assert a.headers["Content-Type"] == "application/vnd.apache.arrow.stream"
    return pyarrow.ipc.open_stream(io.BytesIO(a.body)).read_all()


def test_arrow(db):
    t = arrow(db, "SELECT time, host, usage, n, up FROM cpu ORDER BY time")
    assert [str(f.type) for f in t.schema] == ["timestamp[us, tz=UTC]", "string", "double", "int64", "bool"]
    assert all(f.nullable for f in t.schema)
    assert t.column("n").to_pylist() == [1, -2, 3, 2**53 + 1, None, 6]
    assert t.column("host").to_pylist() == ["a", "b", "a", "b", None, 'q"\n,']
    assert t.column("time").cast(pyarrow.int64()).to_pylist() == [(T + i) * 10**6 for i in range(6)]


def test_arrow_of_no_rows_has_a_batch(db):
    a = db.query_raw("SELECT time, n FROM cpu LIMIT 0", "q", "/api/v1/query/arrow")
    reader = pyarrow.ipc.open_stream(io.BytesIO(a.body))
    batches = list(reader)
    assert [b.num_rows for b in batches] == [0]
    assert reader.schema.names == ["time", "n"]


def test_arrow_streams_large_answers(db):
    t = arrow(db, "SELECT v FROM big")
    assert t.num_rows == ROWS
    assert sum(t.column("v").to_pylist()) == ROWS * (ROWS - 1) // 2


@pytest.mark.parametrize("compression", ["zstd", "lz4", "none"])
def test_arrow_options(db, compression):
    t = arrow(db, "SELECT s, v FROM big LIMIT 1000", headers={"x-arc-arrow-compression": compression,
                                                            "x-arc-arrow-dictionary": "true"})
    assert pyarrow.types.is_dictionary(t.schema.field("s").type)
    assert t.column("s").to_pylist() == ["text" * 4] * 1000
    a = db.query_raw("SELECT 1", None, "/api/v1/query/arrow", {"x-arc-arrow-compression": "rar"})
    assert a.status == 400 and "'rar'" in a.json()["error"]


def test_arrow_answers_show(db):
    assert ["q"] in [[v] for v in arrow(db, "SHOW DATABASES").column(0).to_pylist()]
    assert arrow(db, "SHOW TABLES").column(1).to_pylist() == ["big", "cpu"]


def test_arrow_errors_are_json(db):
    a = db.query_raw("SELECT nope FROM cpu", "q", "/api/v1/query/arrow")
    assert a.status == 400
    assert a.headers["Content-Type"] == "application/json"
    assert "nope" in a.json()["error"]


def test_msgpack(db):
    a = db.query_raw("SELECT time, host, n, up FROM cpu ORDER BY time LIMIT 2", "q", "/api/v1/query/msgpack")
    assert a.headers["Content-Type"] == "application/msgpack"
    body = msgpack.unpackb(a.body, timestamp=0)
    assert body["success"] is True
    assert body["columns"] == ["time", "host", "n", "up"]
    assert body["data"][1:] == [["a", "b"], [1, -2], [True, False]]
    assert body["row_count"] == 2


def test_csv(db):
    a = db.query_raw("SELECT time, host, usage, n, up FROM cpu ORDER BY time", "q", "/api/v1/query/stream")
    assert a.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert a.headers["Content-Disposition"] == "attachment; filename=query_result.csv"
    lines = a.body.decode().split("\r\n")
    assert lines[0] == "time,host,usage,n,up"
    assert lines[1] == "2026-01-05T10:00:00Z,a,1.5,1,true"
    assert lines[3] == "2026-01-05T10:00:02Z,a,,3,"
    rows = list(csv.reader(io.StringIO(a.body.decode(), newline="")))
    assert len(rows) == 7 and rows[6][1] == 'q"\n,'


# ---- SHOW, DESCRIBE, estimate ----

def test_show_databases(db):
    for sql in ("SHOW DATABASES", "show databases;"):
        body = db.query(sql)
        assert body["columns"][0] == "database"
        assert [r[0] for r in body["data"]] == ["default", "nothing_in_it", "q"]


def test_show_tables(db):
    for sql, database in (("SHOW TABLES", "q"), ("SHOW TABLES FROM q", None), ('SHOW TABLES FROM "q";', None),
                          ("SHOW MEASUREMENTS FROM q", None)):
        body = db.query(sql, database)
        assert body["columns"] == ["database", "table_name", "storage_path", "file_count", "total_size_mb"]
        assert [r[:3] for r in body["data"]] == [["q", "big", "q/big"], ["q", "cpu", "q/cpu"]]
        assert body["data"][0][3] >= 1 and body["data"][0][4] > 0
    assert db.query("SHOW TABLES FROM nothing_in_it")["data"] == []
    assert db.query("SHOW TABLES FROM never_heard_of")["data"] == []


def test_describe(db):
    for sql in ("DESCRIBE cpu", "DESC q.cpu"):
        body = db.query(sql, "q")
        assert body["columns"][:3] == ["column_name", "column_type", "null"]
        assert dict((r[0], r[1]) for r in body["data"]) == {
            "time": "TIMESTAMP WITH TIME ZONE", "host": "VARCHAR", "usage": "DOUBLE", "n": "BIGINT", "up": "BOOLEAN"}
    assert db.query("DESCRIBE SELECT n FROM q.cpu LIMIT 1")["data"][0][:2] == ["n", "BIGINT"]


def test_estimate(db):
    def estimate(sql):
        a = db.query_raw(sql, "q", "/api/v1/query/estimate")
        return a.status, a.json()

    status, body = estimate("SELECT * FROM cpu")
    assert (status, body["success"], body["estimated_rows"], body["warning_level"]) == (200, True, 6, "none")
    status, body = estimate("SELECT * FROM big")
    assert (body["estimated_rows"], body["warning_level"]) == (ROWS, "medium")
    assert "LIMIT" in body["warning_message"]
    status, body = estimate("SELECT * FROM missing")
    assert (status, body["success"], body["estimated_rows"], body["warning_level"]) == (200, False, None, "error")
    assert "missing" in body["error"]
    assert estimate("SHOW TABLES")[0] == 400
    assert estimate("COPY cpu TO 'x'")[0] == 400


# ---- names ----

def test_qualified_names(db):
    assert db.rows("SELECT count(*) FROM q.cpu") == [[6]]
    assert db.rows('SELECT count(*) FROM "q"."cpu"') == [[6]]
    assert db.rows("SELECT count(*) FROM q.cpu", "q") == [[6]]
    a = db.query_raw("SELECT count(*) FROM q.cpu", "nothing_in_it")
    assert a.status == 400
    assert db.post("/write?db=default", "d v=1").status == 204
    assert db.rows("SELECT v FROM default.d") == db.rows('SELECT v FROM "default".d') == db.rows("SELECT v FROM d")


def test_unknown_and_empty_tables(db):
    for sql, database in (("SELECT * FROM missing", "q"), ("SELECT * FROM q.missing", None),
                          ("SELECT * FROM missing.cpu", None), ("SELECT 1 FROM cpu", "never_heard_of")):
        a = db.query_raw(sql, database)
        body = a.json()
        assert (a.status, body["success"], body["code"]) == (404, False, "table_not_found"), a
        assert (body["columns"], body["data"], body["row_count"]) == ([], [], 0)


def test_errors_are_duckdbs_on_the_users_text(db):
    a = db.query_raw("SELEC 1")
    assert a.status == 400 and "syntax error" in a.json()["error"] and "SELEC 1" in a.json()["error"]
    a = db.query_raw("SELECT nope FROM cpu", "q")
    assert a.status == 400 and '"nope"' in a.json()["error"]
    a = db.query_raw("SELECT host + 1 FROM cpu", "q")
    assert a.status == 400
    assert a.json()["message"] == a.json()["detail"] == a.json()["error"]


# ---- GET without SQL ----

def test_reading_without_sql(db):
    a = db.get("/api/v1/query/cpu?database=q&columns=time,n&limit=2")
    assert a.status == 200
    assert a.json()["columns"] == ["time", "n"]
    assert a.json()["data"] == [["2026-01-05T10:00:05Z", 6], ["2026-01-05T10:00:04Z", None]]
    assert a.json()["wait_time_ms"] >= 0 and a.json()["error"] is None
    a = db.get("/api/v1/query/cpu?order_by=n+ASC&where=up+AND+n+%3E+0&columns=n", {"x-arc-database": "q"})
    assert a.json()["data"] == [[1], [2**53 + 1]]
    a = db.get("/api/v1/query/cpu?database=q&columns=n&order_by=time&offset=1&limit=2"
               "&start_time=2026-01-05T10:00:01Z&end_time=2026-01-05T10:00:05Z")
    assert a.json()["data"] == [[3], [2**53 + 1]]
    big = db.get("/api/v1/query/big?database=q").json()
    assert big["row_count"] == 1000 and big["wait_time_ms"] >= 0
    streamed = db.get("/api/v1/query/big?database=q&limit=100000")
    assert "Content-Length" not in streamed.headers and streamed.json()["wait_time_ms"] >= 0


def test_reading_without_sql_as_csv(db):
    a = db.get("/api/v1/query/cpu/csv?database=q&columns=n,up&limit=2")
    assert a.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert a.headers["Content-Disposition"] == "attachment; filename=cpu.csv"
    assert a.body == b"n,up\r\n6,false\r\n,true\r\n"


@pytest.mark.parametrize("query,says", [
    ("limit=0", "limit = '0'"), ("limit=1000001", "limit"), ("limit=x", "limit = 'x'"), ("offset=-1", "offset"),
    ("where=1%3D1%3B+DROP+TABLE+x", None), ("where=n+%3E+(SELECT+max(content)+FROM+read_text('/etc/passwd'))", None), ("where=" + "x" * 5000, "where"),
    ("columns=nope", "nope"), ("order_by=n;--", None), ("start_time=yesterday", "yesterday"),
    ("where=read_csv('/etc/passwd')", None)])
def test_reading_without_sql_refuses(db, query, says):
    a = db.get(f"/api/v1/query/cpu?database=q&{query}")
    assert a.status == 400, a
    assert says is None or says in a.json()["error"]


def test_reading_a_table_that_is_not_there(db):
    assert db.get("/api/v1/query/missing?database=q").json()["code"] == "table_not_found"
    assert db.get("/api/v1/query/..%2Fx").status in (400, 404)


# ---- lists ----

def test_lists(db):
    body = db.get("/api/v1/measurements?database=q").json()
    assert (body["success"], body["count"]) == (True, 2)
    big, cpu = body["measurements"]
    assert (cpu["database"], cpu["measurement"], cpu["storage_path"], cpu["row_count"]) == ("q", "cpu", "q/cpu", 6)
    assert big["file_count"] >= 1 and big["total_size_mb"] > 0
    assert db.get("/api/v1/databases/q").json()["measurement_count"] == 2
    assert [m["name"] for m in db.get("/api/v1/databases/q/measurements").json()["measurements"]] == ["big", "cpu"]
    body = db.get("/api/v1/databases").json()
    assert body["count"] == len(body["databases"]) == 3
    assert db.get("/api/v1/databases/nope").status == 404
    assert db.get("/api/v1/databases/nope/measurements").status == 404
    assert not db.get("/api/v1/databases/nope").json()["error"].startswith("Cannot")
    a = db.post("/api/v1/databases", '{"name": "q"}')
    assert (a.status, a.json()["code"]) == (409, "conflict")
    for bad in ('{"name": "../x"}', '{"name": ""}', "{}", "", '{"name": 5}', '{"name": "system"}'):
        assert db.post("/api/v1/databases", bad).status == 400


# ---- limits ----

SLOW = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"


def test_a_query_has_a_time_limit(arc_start):
    arc = arc_start({"ARC_QUERY_TIMEOUT": "1"})
    began = time.monotonic()
    a = arc.query_raw(SLOW)
    assert (a.status, a.json()["code"]) == (504, "timeout"), a
    assert "longer than 1 s" in a.json()["error"]
    assert 0.9 < time.monotonic() - began < 20
    assert arc.rows("SELECT 1") == [[1]]


def test_too_many_queries_are_503(arc_start):
    arc = arc_start({"DUCKDB_POOL_SIZE": "1", "DUCKDB_MAX_QUEUE_SIZE": "1", "ARC_QUERY_TIMEOUT": "4"})
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(arc.query_raw(SLOW))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(a.status for a in answers) == [503, 503, 504, 504]
    busy = next(a for a in answers if a.status == 503)
    assert busy.headers["Retry-After"] == "1"
    assert busy.json()["error"].startswith("the server is busy: ")


def send_query(arc, sql):
    s = socket.create_connection(("127.0.0.1", arc.port), timeout=30)
    body = json.dumps({"sql": sql}).encode()
    s.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return s


def test_a_client_that_leaves_cancels_its_query(arc_start):
    arc = arc_start({"DUCKDB_POOL_SIZE": "1", "DUCKDB_MAX_QUEUE_SIZE": "5"})
    s = send_query(arc, SLOW)
    time.sleep(0.5)  # for the query to be under way; were it not, the next line would hold all the same
    s.close()
    began = time.monotonic()
    assert arc.rows("SELECT 1") == [[1]]  # there is one slot: it must have become free
    assert time.monotonic() - began < 20
    assert b"\narc_query_client_disconnects_total 1\n" in arc.get("/metrics").body


def test_a_client_that_does_not_read_holds_little_and_leaves_in_the_end(arc_start):
    arc = arc_start({"DUCKDB_POOL_SIZE": "1", "DUCKDB_MAX_QUEUE_SIZE": "5"})
    s = send_query(arc, "SELECT range, repeat('x', 1000) FROM range(10000000)")
    assert s.recv(100).startswith(b"HTTP/1.1 200 OK")
    s.close()
    assert arc.rows("SELECT 1") == [[1]]


def test_a_failure_after_the_first_byte_breaks_the_transfer(db):
    s = send_query(db, "SELECT CASE WHEN range < 900000 THEN range::VARCHAR ELSE error('broke') END FROM range(1000000)")
    got = b""
    while part := s.recv(1 << 20):
        got += part
    s.close()
    assert got.startswith(b"HTTP/1.1 200 OK")
    assert len(got) > 1_000_000
    assert not got.endswith(b"0\r\n\r\n")


def test_a_stop_cancels_what_takes_too_long(arc_start, tmp_path):
    (tmp_path / "arc.toml").write_text("[server]\ngraceful_timeout = 1\n")
    arc = arc_start(args=["--config", str(tmp_path / "arc.toml")])
    s = send_query(arc, SLOW)
    time.sleep(0.5)
    began = time.monotonic()
    arc.stop()
    assert time.monotonic() - began < 30
    assert s.recv(1000).startswith(b"HTTP/1.1 503 ")
    s.close()


# ---- arc query ----

def test_arc_query(db, arc_run):
    r = arc_run("query", "--url", db.url, "--database", "q", "SELECT host, n, usage FROM cpu ORDER BY time LIMIT 3")
    assert r.returncode == 0
    lines = r.stdout.splitlines()
    assert lines[:5] == ["host   n  usage", "----  --  -----", "a      1    1.5", "b     -2      2", "a      3   NULL"]
    assert lines[5].startswith("(3 rows, ")
    r = arc_run("query", "--url", db.url, "--database", "q", "--format", "csv", "SELECT n FROM cpu WHERE n > 3 ORDER BY n")
    assert r.stdout == "n\n6\n9007199254740993\n"
    r = arc_run("query", "--format", "json", "SELECT 1 AS x", env={"ARC_URL": db.url})
    assert json.loads(r.stdout)["data"] == [[1]]
    r = arc_run("query", "-", "--url", db.url, stdin="SELECT 2 AS two")
    assert r.stdout.splitlines()[2] == "  2"


def test_arc_query_fails_with_the_servers_words(db, arc_run):
    r = arc_run("query", "--url", db.url, "SELECT * FROM missing")
    assert (r.returncode, r.stdout) == (1, "")
    assert "missing" in r.stderr
    r = arc_run("query", "--url", "http://127.0.0.1:9", "SELECT 1")
    assert r.returncode == 1 and "127.0.0.1:9" in r.stderr
