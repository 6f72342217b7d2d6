"""MessagePack in: every shape, unit and type, and what becomes of what does not fit."""

import gzip
import io
import pathlib
import threading
import time

import msgpack
import pyarrow
import pyarrow.parquet
import pytest

T = 1767607200  # 2026-01-05T10:00:00Z
PATH = "/api/v1/write/msgpack"


def write(arc, value, database=None, raw=False, path=PATH, **headers):
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    if database:
        headers["x-arc-database"] = database
    return arc.post(path, value if raw else msgpack.packb(value), headers)


def must_write(arc, value, database=None, **headers):
    a = write(arc, value, database, **headers)
    assert (a.status, a.body) == (204, b""), a
    return a


def columnar(m, **columns):
    return {"m": m, "columns": columns}


def test_columns(arc_module):
    must_write(arc_module, columnar("c1", time=[T * 1000, T * 1000 + 500], host=["a", "b"], usage=[1.5, None],
                                    cores=[8, 16], up=[True, False]))
    a = arc_module.query("SELECT * FROM c1 ORDER BY time")
    assert sorted(a["columns"]) == ["cores", "host", "time", "up", "usage"]
    assert arc_module.rows("SELECT time, host, usage, cores, up FROM c1 ORDER BY time") == [
        ["2026-01-05T10:00:00Z", "a", 1.5, 8, True], ["2026-01-05T10:00:00.500000Z", "b", None, 16, False]]


def test_row(arc_module):
    must_write(arc_module, {"m": "r1", "t": T * 1000, "h": "srv1", "tags": {"region": "eu"},
                            "fields": {"usage": 1.5, "idle": 98}})
    assert arc_module.rows("SELECT time, host, region, usage, idle FROM r1") == [
        ["2026-01-05T10:00:00Z", "srv1", "eu", 1.5, 98]]


@pytest.mark.parametrize("name,wrap", [
    ("array", lambda a, b: msgpack.packb([a, b])),
    ("batch", lambda a, b: msgpack.packb({"batch": [a, b]})),
    ("one_after_the_other", lambda a, b: msgpack.packb(a) + msgpack.packb(b)),
])
def test_several_at_once(arc_module, name, wrap):
    a = columnar(f"{name}_a", time=[T, T + 1], v=[1, 2])
    b = {"m": f"{name}_b", "t": T, "fields": {"v": 3}}
    must_write(arc_module, wrap(a, b), raw=True)
    assert arc_module.rows(f"SELECT (SELECT sum(v) FROM {name}_a), (SELECT sum(v) FROM {name}_b)") == [[3, 3]]


@pytest.mark.parametrize("unit,value", [("s", T), ("ms", T * 10**3), ("us", T * 10**6), ("ns", T * 10**9),
                                        ("float_s", float(T)), ("ext", msgpack.Timestamp(T, 0))])
def test_the_unit_of_time_is_seen_from_its_size(arc_module, unit, value):
    must_write(arc_module, columnar(f"unit_{unit}", time=[value], v=[1]))
    must_write(arc_module, {"m": f"unit_{unit}", "t": value, "fields": {"v": 1}})
    assert arc_module.rows(f"SELECT DISTINCT time FROM unit_{unit}") == [["2026-01-05T10:00:00Z"]]


def test_without_time_it_is_now(arc_module):
    before = time.time()
    must_write(arc_module, columnar("now", v=[1, 2]))
    rows = arc_module.rows("SELECT epoch(time) FROM now")
    assert len(rows) == 2 and all(before - 1 <= t <= time.time() + 1 for (t,) in rows)


@pytest.mark.parametrize("compress", [gzip.compress, lambda b: pyarrow.Codec("zstd").compress(b, asbytes=True)],
                         ids=["gzip", "zstd"])
@pytest.mark.parametrize("header", [None, "gzip", "identity"])
def test_compression_is_seen_from_the_bytes(arc_module, compress, header, request):
    table = "z_" + request.node.callspec.id.replace("-", "_").lower()
    body = compress(msgpack.packb(columnar(table, time=[T] * 1000, v=list(range(1000)))))
    must_write(arc_module, body, raw=True, **({"Content_Encoding": header} if header else {}))
    assert arc_module.rows(f"SELECT count(*), sum(v) FROM {table}") == [[1000, 499500]]


def test_a_large_body_goes_by_a_worker_and_arrives_whole(arc_module):
    n = 200_000
    must_write(arc_module, columnar("large", time=[T * 1000 + i for i in range(n)], v=list(range(n)),
                                    name=[f"name-{i % 100}" for i in range(n)]))
    assert arc_module.rows("SELECT count(*), sum(v), count(DISTINCT name) FROM large") == [
        [n, n * (n - 1) // 2, 100]]


@pytest.mark.parametrize("path", ["/write/v2/msgpack", "/api/v2/msgpack", "/write/v1/msgpack"])
def test_old_paths(arc_module, path):
    assert write(arc_module, columnar("old", time=[T], v=[1]), path=path).status == 204
    assert arc_module.get(path + "/stats").status == 200
    assert arc_module.get(path + "/spec").json()["endpoint"] == PATH


def test_the_database_is_a_header_and_is_made(arc_module):
    must_write(arc_module, columnar("d", time=[T], v=[1]), database="elsewhere")
    assert arc_module.rows("SELECT v FROM elsewhere.d") == [[1]]
    must_write(arc_module, columnar("d2", time=[T], v=[2]), **{"X-ARC-Database": "elsewhere"})
    assert arc_module.rows("SELECT v FROM d2", "elsewhere") == [[2]]


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer x"}, {"Authorization": "Token x"}, {"Authorization": "Basic dTpw"}, {"x-api-key": "x"},
    {"Authorization": "x"}])
def test_credentials_of_any_form_are_fine(arc_module, headers):
    must_write(arc_module, columnar("cred", time=[T], v=[1]), **headers)


def test_types_mix_and_widen(arc_module):
    must_write(arc_module, columnar("mix", time=[T, T, T], n=[1, 2.5, None], s=[1, "x", float("nan")], b=[b"raw", "t", None],
                                    nested=[[1, {"a": 2}], None, {"k": []}]))
    assert arc_module.rows("SELECT n, s, b, nested FROM mix ORDER BY n NULLS LAST") == [
        [1.0, "1", "raw", '[1,{"a":2}]'], [2.5, "x", "t", None], [None, None, None, '{"k":[]}']]
    must_write(arc_module, columnar("widen", time=[T], v=[1]))
    must_write(arc_module, columnar("widen", time=[T + 1], v=[2.5]))
    must_write(arc_module, columnar("widen", time=[T + 2], v=[3]))
    assert arc_module.rows("SELECT v, typeof(v) FROM widen ORDER BY time") == [
        [1.0, "DOUBLE"], [2.5, "DOUBLE"], [3.0, "DOUBLE"]]
    must_write(arc_module, columnar("wide_text", time=[T], v=["x"]))
    must_write(arc_module, columnar("wide_text", time=[T + 1], v=[7]))
    assert arc_module.rows("SELECT v FROM wide_text ORDER BY time") == [["x"], ["7"]]


def test_columns_come_and_go(arc_module):
    must_write(arc_module, columnar("evolve", time=[T], a=[1]))
    must_write(arc_module, columnar("evolve", time=[T + 1], b=["x"]))
    assert arc_module.post("/api/v1/write/flush").status == 200
    must_write(arc_module, columnar("evolve", time=[T + 2], a=[3], c=[True], nothing=[None]))
    assert arc_module.rows("SELECT a, b, c FROM evolve ORDER BY time") == [
        [1, None, None], [None, "x", None], [3, None, True]]


def test_integers_of_every_width(arc_module):
    values = [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, -1, -32, -33, -128, -129, -32769, -2**31,
              -2**31 - 1, -2**63]
    must_write(arc_module, columnar("widths", time=[T + i for i in range(len(values))], v=values))
    assert [v for (v,) in arc_module.rows("SELECT v FROM widths ORDER BY time")] == values


# ---- what does not fit ----

def test_a_bad_member_does_not_spoil_the_others_and_is_recorded(arc):
    good = columnar("ok", time=[T], v=[1.0])
    bad = columnar("bad", time=[T, T + 1], v=[1.0])
    a = must_write(arc, [good, bad, {"m": "no/name", "t": T, "fields": {"v": 1}}], database="db1",
                   X_Request_ID="the-request")
    assert a.headers["X-Arc-Rejected"] == "2"
    assert arc.rows("SELECT v FROM db1.ok") == [[1.0]]
    assert arc.rows("SHOW TABLES FROM db1")[0][1] == "ok" and len(arc.rows("SHOW TABLES FROM db1")) == 1
    rows = arc.rows("SELECT database, measurement, place, reason, sample, request_id FROM _arc.rejected_writes "
                    "ORDER BY place")
    assert [r[:3] for r in rows] == [["db1", "bad", 1], ["db1", "no/name", 2]]
    assert "'time' has 2 values, column 'v' has 1" in rows[0][3]
    assert "no/name" in rows[1][3]
    assert all(r[4] and r[5] == "the-request" for r in rows)
    assert arc.get("/api/v1/write/msgpack/stats").json()["decoder"]["members_rejected"] == 2


def test_a_type_conflict_is_a_rejected_member(arc_module):
    must_write(arc_module, columnar("clash", time=[T], v=[1.5]), database="clashes")
    a = write(arc_module, columnar("clash", time=[T], v=["text"]), database="clashes")
    assert a.status == 400
    assert "'v'" in a.json()["error"] and "DOUBLE" in a.json()["error"] and "VARCHAR" in a.json()["error"]
    a = must_write(arc_module, [columnar("clash", time=[T + 1], v=[True]), columnar("fine", time=[T], v=[1])],
                   database="clashes")
    assert a.headers["X-Arc-Rejected"] == "1"
    assert arc_module.rows("SELECT v FROM clashes.clash") == [[1.5]]
    assert arc_module.rows("SELECT count(*) FROM _arc.rejected_writes WHERE measurement = 'clash'") == [[1]]


def test_atomic_is_all_or_nothing(arc_module):
    good = columnar("atomic_ok", time=[T], v=[1.0])
    bad = columnar("atomic_ok", time=[T], v=[1.0, 2.0])
    a = write(arc_module, [good, bad], x_arc_atomic="true")
    assert a.status == 400 and "record 1 of 2" in a.json()["error"]
    assert arc_module.query_raw("SELECT * FROM atomic_ok").status == 404
    must_write(arc_module, columnar("atomic_clash", time=[T], v=[1.5]))
    a = write(arc_module, [columnar("atomic_ok", time=[T], v=[1]), columnar("atomic_clash", time=[T], v=["x"])],
              x_arc_atomic="true")
    assert a.status == 400
    assert arc_module.query_raw("SELECT * FROM atomic_ok").status == 404


def test_all_bad_is_400(arc_module):
    a = write(arc_module, [columnar("x", time=[T], v=[]), columnar("y", time=["no"], v=[1])])
    assert a.status == 400
    assert a.json()["code"] == "invalid"


# ---- the buffer and the files ----

def test_flush_writes_parquet_where_it_belongs(arc):
    hour = 3600
    times = [(T - hour) * 1000, T * 1000, (T + hour - 1) * 1000, T * 1000 + 1]
    must_write(arc, columnar("cpu", time=times, host=["a", "b", "c", "d"], v=[1.0, 2.0, 3.0, 4.0]), database="prod")
    a = arc.post("/api/v1/write/flush?database=prod&measurement=cpu")
    assert (a.status, a.json()) == (200, {"status": "success", "message": "flushed 1 buffers"})
    base = pathlib.Path(arc.data) / "arc"
    files = sorted(base.glob("prod/cpu/*/*/*/*/*.parquet"))
    assert [str(f.parent.relative_to(base)) for f in files] == ["prod/cpu/2026/01/05/09", "prod/cpu/2026/01/05/10"]
    for f, n in zip(files, (1, 3)):
        parts = f.stem.split("_")
        assert parts[0] == "cpu" and parts[3] == str(n) and len(parts[4]) == 8
        assert pyarrow.parquet.read_metadata(f).num_rows == n
    assert arc.rows("SELECT host FROM prod.cpu ORDER BY time") == [["a"], ["b"], ["d"], ["c"]]
    assert arc.post("/api/v1/write/flush").json()["message"] == "flushed 0 buffers"


def test_stats_count_exactly(arc_start):
    arc = arc_start({"BUFFER_AGE_SECONDS": "3600"})
    must_write(arc, columnar("a", time=[T, T + 1], v=[1, 2]))
    must_write(arc, columnar("b", time=[T], v=[1]), database="other")
    assert write(arc, b"\xc1", raw=True).status == 400
    s = arc.get("/api/v1/write/msgpack/stats").json()
    assert s["decoder"] == {"total_decoded": 2, "total_errors": 1, "error_rate": pytest.approx(1 / 3),
                            "members_rejected": 0}
    assert s["buffer"]["total_records_buffered"] == 3
    assert s["buffer"]["total_records_written"] == 0
    assert s["buffer"]["current_buffer_sizes"] == {"default.a": 2, "other.b": 1}
    assert s["buffer"]["hot_rows"] == 3
    arc.post("/api/v1/write/flush")
    s = arc.get("/api/v1/write/stats").json()["buffer_stats"]
    assert (s["total_records_written"], s["hot_rows"], s["current_buffer_sizes"]) == (3, 0, {})
    assert s["total_flushes"] == 2 and s["files_written"] == 2
    assert arc.get("/api/v1/write/health").json()["status"] == "healthy"


def test_over_the_memory_limit_is_503_with_retry_after(arc_start, tmp_path):
    (tmp_path / "arc.toml").write_text("[ingestion]\nhot_limit_mb = 16\nbuffer_mb = 1024\n")
    arc = arc_start({"BUFFER_SIZE": "100000000", "BUFFER_AGE_SECONDS": "3600"},
                    args=["--config", str(tmp_path / "arc.toml")])
    body = msgpack.packb(columnar("big", time=[T] * 100_000, v=[float(i) for i in range(100_000)]))
    answers = []

    def work():
        while len(answers) < 400 and not any(a.status == 503 for a in answers):
            answers.append(write(arc, body, raw=True))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    busy = [a for a in answers if a.status == 503]
    assert busy and {a.status for a in answers} == {204, 503}
    assert busy[0].headers["Retry-After"] == "1"
    assert busy[0].json()["code"] == "unavailable"
    stored = 100_000 * sum(a.status == 204 for a in answers)
    assert arc.rows("SELECT count(*) FROM big") == [[stored]]
    assert arc.post("/api/v1/write/flush").status == 200
    assert write(arc, body, raw=True).status == 204


def test_many_writers_lose_and_double_nothing(arc_module):
    def work(n):
        for i in range(25):
            must_write(arc_module, columnar("many", time=[T * 1000 + i] * 40, v=[n * 1000 + i] * 40))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert arc_module.rows("SELECT count(*), count(DISTINCT v), sum(v) FROM many") == [
        [8 * 25 * 40, 200, sum((n * 1000 + i) * 40 for n in range(8) for i in range(25))]]


def test_a_chunked_body(arc_module):
    body = msgpack.packb(columnar("chunked", time=[T] * 5000, v=list(range(5000))))
    pieces = (body[i:i + 777] for i in range(0, len(body), 777))
    a = arc_module.request("POST", PATH, pieces, {"Transfer-Encoding": "chunked"})
    assert a.status == 204
    assert arc_module.rows("SELECT sum(v) FROM chunked") == [[12497500]]


def test_parquet_is_ours_to_read_elsewhere(arc):
    must_write(arc, columnar("cpu", time=[T * 10**6 + 1, T * 10**6], host=["b", "a"], v=[2.0, None]))
    arc.post("/api/v1/write/flush")
    (path,) = pathlib.Path(arc.data).glob("arc/default/cpu/**/*.parquet")
    table = pyarrow.parquet.read_table(io.BytesIO(path.read_bytes()))
    assert table.schema.field("time").type == pyarrow.timestamp("us", tz="UTC")
    assert table.column("time").cast(pyarrow.int64()).to_pylist() == [T * 10**6, T * 10**6 + 1]
    assert table.column("host").to_pylist() == ["a", "b"]
    assert table.column("v").to_pylist() == [None, 2.0]
