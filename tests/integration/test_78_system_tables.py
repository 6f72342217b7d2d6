"""The tables of database _arc, over HTTP."""
import json

import pytest

TABLES = ["files", "metrics", "queries", "settings", "slices", "tables"]


@pytest.fixture
def db(arc_start):
    arc = arc_start()
    assert arc.post("/write?db=default&precision=us", "cpu,host=a v=1 1000000\ncpu,host=b v=2 3600000000").status == 204
    assert arc.post("/api/v1/write/line-protocol/flush", "").status in (200, 204)
    assert arc.post("/write?db=default&precision=us", "cpu,host=c v=3 7200000000\nmem used=1i 5").status == 204
    return arc


def test_they_are_listed_where_one_looks_for_them(db):
    assert [r[0] for r in db.rows("SHOW DATABASES")] == ["default"]
    listed = [r for r in db.rows("SHOW TABLES FROM _arc") if r[1] != "rejected_writes"]
    assert [r[1] for r in listed] == TABLES
    assert {tuple(r[3:]) for r in listed} == {(None, None)}
    assert [r[0] for r in db.rows("SELECT table_name FROM information_schema.tables WHERE table_type = 'SYSTEM VIEW' ORDER BY 1")] == TABLES
    for table in TABLES:
        described = [r[0] for r in db.rows(f"DESCRIBE _arc.{table}")]
        columns = [r[0] for r in db.rows("SELECT column_name FROM information_schema.columns WHERE table_schema = '_arc' AND "
                                         f"table_name = '{table}' ORDER BY ordinal_position")]
        assert described == columns and len(columns) >= 5, table
        assert db.rows(f"SELECT count(*) >= 0 FROM _arc.{table}") == [[True]]


def test_tables_files_and_slices_say_what_there_is(db):
    assert db.rows("SELECT database, table_name, files, file_rows, hot_rows, columns, schema_version, oldest, newest FROM _arc.tables "
                   "ORDER BY 1, 2") == [
        ["default", "cpu", 2, 2, 1, 3, 1, "1970-01-01T00:00:01Z", "1970-01-01T02:00:00Z"],
        ["default", "mem", 0, 0, 1, 2, 1, "1970-01-01T00:00:00.000005Z", "1970-01-01T00:00:00.000005Z"]]
    files = db.rows("SELECT path, rows, time_min, time_max, lsn_first, lsn_last, schema_version, created > now() - INTERVAL 1 hour, bytes, "
                    "crc32c IS NOT NULL FROM _arc.files WHERE database = 'default' AND table_name = 'cpu' ORDER BY time_min")
    assert [f[1:4] for f in files] == [[1, "1970-01-01T00:00:01Z", "1970-01-01T00:00:01Z"],
                                       [1, "1970-01-01T01:00:00Z", "1970-01-01T01:00:00Z"]]
    assert all(f[0].startswith("default/cpu/1970/01/01/0") and f[7] and f[8] > 100 and f[9] for f in files), files
    assert files[0][4:7] == files[1][4:7] and files[0][4] + 1 == files[0][5]
    assert db.rows("SELECT flushed_lsn FROM _arc.tables WHERE table_name = 'cpu'") == [[files[0][5]]]
    assert db.rows("SELECT flushed_lsn FROM _arc.tables WHERE table_name = 'mem'") == [[None]]
    assert db.rows("SELECT (SELECT sum(bytes) FROM _arc.files) = (SELECT sum(file_bytes) FROM _arc.tables)") == [[True]]
    slices = db.rows("SELECT table_name, slice, batches, rows, open, flushing, lsn_first, since > now() - INTERVAL 1 hour FROM _arc.slices "
                     "ORDER BY 1, 2")
    assert [s[:6] for s in slices] == [["cpu", 0, 1, 1, True, False], ["mem", 0, 1, 1, True, False]]
    assert slices[0][6] > files[0][5] and slices[0][7]


def test_settings_say_where_they_come_from(arc_start):
    arc = arc_start({"ARC_QUERY_TIMEOUT": "77"})
    assert arc.rows("SELECT value, source FROM _arc.settings WHERE key = 'query.timeout'") == [["77", "environment"]]
    assert arc.rows("SELECT count(*), count(DISTINCT key), count(description), count(reloadable) FROM _arc.settings") == \
        arc.rows("SELECT count(*), count(*), count(*), count(*) FROM _arc.settings")
    assert arc.rows("SELECT DISTINCT source FROM _arc.settings WHERE value = standard AND source = 'default'") == [["default"]]


def test_metrics_are_those_of_the_other_pages(db):
    kinds = {r[0] for r in db.rows("SELECT DISTINCT kind FROM _arc.metrics")}
    assert kinds == {"counter", "gauge", "histogram"}
    assert all(isinstance(json.loads(r[0]), dict) for r in db.rows("SELECT DISTINCT labels FROM _arc.metrics"))
    names = {r[0] for r in db.rows("SELECT DISTINCT name FROM _arc.metrics")}
    assert len(names) > 50 and all(n.startswith(("arc_", "process_")) for n in names)


def test_queries_are_their_own_witness(db):
    mine = "SELECT state, outcome, database, ended, sql FROM _arc.queries WHERE state = 'running'"
    assert db.rows(mine) == [["running", None, "default", None, mine]]
    assert db.query_raw("SELECT nope FROM cpu").status == 400
    assert db.rows("SELECT state, outcome, error LIKE '%\"nope\" not found%' FROM _arc.queries WHERE sql = 'SELECT nope FROM cpu'") == [
        ["ended", "failed", True]]


def test_they_are_made_anew_for_each_query(db):
    count = "SELECT hot_rows FROM _arc.tables WHERE table_name = 'mem'"
    assert db.rows(count) == [[1]]
    assert db.post("/write?db=default&precision=us", "mem used=2i 6").status == 204
    assert db.rows(count) == [[2]]


def test_joins_and_conditions_work_as_on_any_table(db):
    assert db.rows("SELECT f.rows, t.files FROM _arc.files f JOIN _arc.tables t USING (database, table_name) WHERE f.time_max < "
                   "'1970-01-01T00:30:00Z'") == [[1, 2]]
    assert db.rows("SELECT count(*) FROM cpu, _arc.tables WHERE table_name = 'cpu'") == [[3]]
    assert db.query_raw("SELECT * FROM _arc.nothing").json()["code"] == "table_not_found"
    assert db.query_raw("SELECT nope FROM _arc.files").json()["code"] == "invalid"


def test_rejected_writes_stay_a_real_table(db):
    assert db.post("/write?db=default", "cpu v=\"text\"\ncpu v=4 1").status == 400
    for _ in range(200):
        if db.query_raw("SELECT 1 FROM _arc.rejected_writes LIMIT 1").status == 200:
            break
    assert db.rows("SELECT database, measurement FROM _arc.rejected_writes") == [["default", "cpu"]]


def test_nothing_of_them_can_be_written(db):
    for table in TABLES:
        a = db.post("/write?db=_arc", f"{table} v=1")
        assert a.status in (400, 403), a
