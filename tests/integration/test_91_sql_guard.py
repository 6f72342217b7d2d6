"""Ways round the rules for SQL, each refused in the right words, with nothing read and nothing changed.

A canary lies in the one directory that DuckDB may read: its words must never come back.
"""

import itertools
import json
import os
import pathlib
import resource
import shutil
import socket
import time

import pytest

CANARY = "CANARY_7f3a"
SECRET = "SECRET_b91c"
PATHS = ("/api/v1/query", "/api/v1/query/arrow", "/api/v1/query/msgpack", "/api/v1/query/stream", "/api/v1/query/estimate")


@pytest.fixture(scope="module")
def db(arc_module):
    arc = arc_module
    assert arc.post("/write?db=default", "cpu,host=a v=1 1000000000\ncpu,host=b v=2 2000000000").status == 204
    assert arc.post("/write?db=other", f"secret,host={SECRET} v=1 1000000000").status == 204
    assert arc.post("/api/v1/write/flush").status == 200
    arc.base = arc.data / "arc"
    for name in ("canary.csv", "canary.txt", "canary"):
        (arc.base / name).write_text(f"{CANARY},x\n{CANARY},2\n")
    (arc.base / "canary.json").write_text(json.dumps([{"a": CANARY}]))
    arc.canary = str(arc.base / "canary.csv")
    arc.file = str(next((arc.base / "other").rglob("*.parquet")))  # another database's
    return arc


def tree(arc):
    """Everything below the data directory but what SQLite, DuckDB and the engine keep for themselves."""
    own = ("arc.db", ".checkpoint", ".ballast")
    return {str(p): p.stat().st_size for p in arc.data.rglob("*") if p.is_file() and not p.name.startswith(own)}


@pytest.fixture(autouse=True)
def nothing_changes(request):
    if "db" not in request.fixturenames:
        yield
        return
    arc = request.getfixturevalue("db")
    before = tree(arc)
    yield
    assert tree(arc) == before
    assert arc.rows("SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema <> '_arc' ORDER BY ALL") == [
        ["default", "cpu"], ["other", "secret"]]


def ask(arc, sql, path="/api/v1/query", database=None):
    """Ask and see that nothing leaked, whatever the answer is."""
    a = arc.query_raw(sql, database, path)
    assert CANARY.encode() not in a.body, (sql, a)
    assert str(arc.data) in sql or str(arc.data).encode() not in a.body, (sql, a)
    return a


def refused(arc, sql, code="forbidden_sql", status=400, says="", paths=PATHS[:1], database=None):
    for path in paths:
        a = ask(arc, sql, path, database)
        if path.endswith("estimate") and status == 404:
            assert (a.status, a.json()["success"], a.json()["estimated_rows"]) == (200, False, None), (sql, a)
            continue
        assert a.status == status, (sql, path, a)
        assert a.headers["Content-Type"] == "application/json"
        body = a.json()
        assert (body["success"], body["code"]) == (False, code), (sql, path, a)
        assert says in body["error"], (sql, path, a)
        assert (body["columns"], body["data"], body["row_count"]) == ([], [], 0)


# ---- functions that read files ----

FUNCTIONS = ["read_csv", "read_csv_auto", "sniff_csv", "read_parquet", "parquet_scan", "parquet_metadata", "parquet_schema",
             "parquet_file_metadata", "parquet_kv_metadata", "parquet_bloom_probe", "read_json", "read_json_auto", "read_ndjson",
             "read_ndjson_auto", "read_json_objects", "read_ndjson_objects", "read_text", "read_blob", "glob", "read_duckdb",
             "read_xlsx", "delta_scan", "iceberg_scan", "iceberg_metadata", "sqlite_scan", "postgres_scan", "mysql_scan", "st_read"]
TABLE_PLACES = [
    "SELECT * FROM {}", "FROM {}", "SELECT COLUMNS(*) FROM {}", "SELECT t.* FROM {} AS t(a)", "SELECT (SELECT a FROM {} t(a) LIMIT 1)",
    "SELECT * FROM (SELECT * FROM (FROM {}))", "WITH x AS (FROM {}) SELECT * FROM x", "WITH x AS MATERIALIZED (FROM {}) SELECT 1",
    "WITH RECURSIVE x AS (FROM {} UNION ALL FROM x) FROM x", "SELECT * FROM cpu, {}", "SELECT * FROM cpu, LATERAL (FROM {})",
    "SELECT * FROM cpu JOIN {} ON true", "SELECT * FROM cpu POSITIONAL JOIN {}", "SELECT 1 FROM cpu WHERE EXISTS (FROM {})",
    "SELECT 1 WHERE 'a' IN (SELECT a FROM {} t(a))", "SELECT 1 WHERE 'a' = ANY (SELECT a FROM {} t(a))",
    "SELECT 1 UNION ALL SELECT a FROM {} t(a)", "(SELECT 1) EXCEPT (FROM {})", "SELECT 1 FROM cpu GROUP BY (SELECT 1 FROM {})",
    "SELECT 1 FROM cpu HAVING (SELECT true FROM {})", "SELECT 1 FROM cpu QUALIFY (SELECT true FROM {})",
    "SELECT 1 FROM cpu ORDER BY (SELECT 1 FROM {})", "SELECT 1 LIMIT (SELECT 1 FROM {})", "SELECT 1 OFFSET (SELECT 1 FROM {})",
    "SELECT DISTINCT ON ((SELECT 1 FROM {})) 1", "SELECT CASE WHEN (SELECT true FROM {}) THEN 1 END", "SELECT [(SELECT 1 FROM {})]",
    "SELECT {{'a': (SELECT 1 FROM {})}}", "SELECT list_transform([1], x -> (SELECT 1 FROM {}))", "SELECT ARRAY(FROM {})",
    "SELECT [y FOR y IN (SELECT [a] FROM {} t(a))]", "SELECT sum(v) FILTER (WHERE (SELECT true FROM {})) FROM cpu",
    "SELECT sum(v) OVER (PARTITION BY (SELECT 1 FROM {})) FROM cpu", "SELECT * REPLACE ((SELECT 1 FROM {}) AS v) FROM cpu",
    "SELECT CAST((SELECT a FROM {} t(a)) AS VARCHAR)", "SELECT coalesce(NULL, (SELECT a FROM {} t(a)))", "VALUES ((SELECT 1 FROM {}))",
    "SELECT * FROM range((SELECT 1 FROM {}))", "SELECT * FROM unnest((SELECT [a] FROM {} t(a)))",
    "SELECT * FROM (PIVOT (FROM {}) ON a IN (1) USING sum(b))", "SELECT * FROM (UNPIVOT (FROM {}) ON COLUMNS(*))",
    "SELECT * FROM {} TABLESAMPLE 10%", "SELECT * FROM cpu a ASOF JOIN {} b ON a.time >= b.time", "DESCRIBE FROM {}",
    "DESCRIBE SELECT * FROM {}", "SUMMARIZE FROM {}", "SELECT * FROM (DESCRIBE FROM {})", "SELECT * FROM (SUMMARIZE FROM {})",
    "EXPLAIN FROM {}", "EXPLAIN ANALYZE FROM {}", "/* {} */ FROM {}", "-- x\nFROM {} -- y", "FROM {};",
]


def test_every_function_that_reads_files_is_refused_on_every_endpoint(db):
    for function in FUNCTIONS:
        refused(db, f"SELECT * FROM {function}('{db.canary}')", says=f"table function {function}", paths=PATHS)


def test_there_is_no_place_for_a_function_that_reads_files(db):
    paths = itertools.cycle(PATHS[:4])
    for place in TABLE_PLACES:
        for function in ("read_csv", "read_text", "glob"):
            refused(db, place.replace("{}", f"{function}('{db.canary}')").replace("{{", "{").replace("}}", "}"),
                    says="is not allowed", paths=[next(paths)])


SPELLINGS = ["READ_TEXT({})", "Read_Text ({})", '"read_text"({})', '"READ_text"({})', "read_text/* ( */({})", "read_text--(\n({})",
             "read_text\n\t\v({})", "main.read_text({})", '"main"."read_text"({})', "pg_catalog.read_text({})",
             "read_text([{}])", "read_text({}::VARCHAR)", "read_text(({}))", "read_text({} || '')", "read_text(lower({}))",
             "read_text(E{})", "read_text($${}$$)", "read_text({}, filename := true)", "read_csv({}, header = false)",
             "read_csv(files := {})", "read_text({}) WITH ORDINALITY", "ROWS FROM (read_text({}))", "LATERAL read_text({})"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_a_function(db, spelling):
    call = spelling.replace("$${}$$", f"$${db.canary}$$").replace("{}", f"'{db.canary}'")
    a = ask(db, f"SELECT * FROM {call}")
    assert (a.status, a.json()["code"]) in ((400, "forbidden_sql"), (400, "invalid")), a
    if a.json()["code"] == "invalid":  # as far as the parser came
        assert "Parser Error" in a.json()["error"], a


@pytest.mark.parametrize("sql", [
    "SELECT read_text('{}')", "SELECT read_csv('{}')", "SELECT glob('{}')", "SELECT ('{}').read_text()", "SELECT '{}'.read_blob()",
    "SELECT COLUMNS(x -> read_text('{}')) FROM cpu", "SELECT list_transform(['{}'], x -> read_text(x))",
    "SELECT [read_text(x) FOR x IN ['{}']]", "SELECT list_reduce(['{}', ''], (a, b) -> read_text(a))",
    "SELECT read_text('{}') OVER () FROM cpu", "SELECT list_aggregate(['{}'], 'read_text')", "SELECT list_aggr(['{}'], 'getenv')",
    "SELECT \u0072\u0435ad_text('{}')", "SELECT U&\"\\0072ead_text\"('{}')", "SELECT read\u200b_text('{}')",
    "SELECT * FROM \u0072\u0435ad_text('{}')", "SELECT * FROM U&\"\\0072ead_text\"('{}')"])
def test_a_function_in_place_of_a_value(db, sql):
    a = ask(db, sql.replace("{}", db.canary))
    assert (a.status, a.json()["code"]) in ((400, "forbidden_sql"), (400, "invalid")), a


# ---- files in place of tables ----

@pytest.mark.parametrize("place", ["SELECT * FROM {}", "FROM {}", "SELECT * FROM {} AS t", "TABLE {}", "SELECT * FROM cpu JOIN {} ON true",
                                   "WITH x AS (FROM {}) FROM x", "SELECT (SELECT 1 FROM {})", "DESCRIBE {}", "SUMMARIZE {}",
                                   "EXPLAIN FROM {}", "SELECT * FROM (PIVOT {} ON a IN (1))", "SELECT * FROM (UNPIVOT {} ON a)",
                                   "SELECT * FROM (DESCRIBE {})", "SELECT * FROM {} TABLESAMPLE 10%", "SELECT * FROM default.{}"])
def test_a_file_is_no_table(db, place):
    for path in (db.canary, db.file, str(db.base / "*" / "*"), f"file://{db.canary}", "s3://bucket/x.parquet", "https://x.y/z.csv",
                 "/etc/passwd", "./canary.csv", "../arc/canary.csv"):
        refused(db, place.replace("{}", f'"{path}"'), says="a file cannot be queried", paths=[PATHS[0], PATHS[1]])
        a = ask(db, place.replace("{}", f"'{path}'"))
        assert a.status == 400 and a.json()["code"] in ("forbidden_sql", "invalid"), a


def test_a_name_that_looks_like_a_file_is_an_unknown_table(db):
    for name in ("canary.csv", "canary", "canary.txt", "canary.json", "x.parquet", "passwd", "CANARY.CSV", "canary.csv.gz"):
        refused(db, f'SELECT * FROM "{name}"', "table_not_found", 404, name, PATHS)
        refused(db, f'SELECT * FROM other."{name}"', "table_not_found", 404, name)


def test_the_working_directory_is_not_read(arc_start, tmp_path, monkeypatch):
    """The base path is the working directory itself: a bare file name would be enough for DuckDB."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "canary.csv").write_text(f"{CANARY}\n1\n")
    arc = arc_start({"STORAGE_LOCAL_BASE_PATH": "."})
    arc.file = arc.canary = "-"
    refused(arc, 'SELECT * FROM "canary.csv"', "table_not_found", 404)
    refused(arc, 'WITH RECURSIVE "canary.csv" AS (FROM "canary.csv" UNION ALL FROM "canary.csv") FROM "canary.csv" LIMIT 1',
            "table_not_found", 404)
    refused(arc, "SELECT * FROM 'canary.csv'")


def test_a_cte_does_not_open_the_file_of_its_name(db):
    """DuckDB takes a name for a table wherever the CTE of that name is not in sight."""
    for path in (db.canary, db.file):
        n = f'"{path}"'
        for sql in (f"WITH RECURSIVE {n} AS (FROM {n} UNION ALL FROM {n}) FROM {n} LIMIT 1",
                    f"WITH RECURSIVE {n} AS (FROM {n} UNION FROM {n}) FROM {n}",
                    f"WITH RECURSIVE {n} USING KEY (a) AS (FROM {n} UNION FROM {n}) FROM {n}",
                    f"WITH RECURSIVE {n} AS ((SELECT 1 UNION FROM {n}) UNION ALL FROM {n}) FROM {n} LIMIT 1",
                    f"WITH RECURSIVE {n} AS (SELECT (SELECT count(*) FROM {n}) UNION ALL FROM {n}) FROM {n} LIMIT 1",
                    f"WITH RECURSIVE {n} AS (WITH x AS (FROM {n}) FROM x UNION ALL FROM {n}) FROM {n} LIMIT 1",
                    f"WITH {n} AS (FROM {n}) FROM {n}", f"WITH a AS (FROM {n}), {n} AS (SELECT 1) FROM a",
                    f"WITH {n} AS (SELECT 1) FROM (DESCRIBE {n})", f"WITH {n} AS (SELECT 1) FROM other.{n}",
                    f"SELECT * FROM (WITH {n} AS (SELECT 1) FROM {n}), {n}"):
            refused(db, sql, says="a file cannot be queried")
        assert ask(db, f"WITH {n} AS (SELECT 1 AS x) SELECT x FROM {n}").json()["data"] == [[1]]


# ---- statements ----

STATEMENTS = [
    "COPY cpu TO '{out}'", "COPY (SELECT 1) TO '{out}' (FORMAT parquet)", "COPY cpu FROM '{canary}'", "COPY FROM DATABASE a TO b",
    "EXPORT DATABASE '{out}'", "IMPORT DATABASE '{out}'", "ATTACH '{out}'", "ATTACH '{out}' AS x (READ_ONLY)", "ATTACH ':memory:' AS x",
    "DETACH memory", 'DETACH "arc:"', "USE other", 'USE "arc:".other', "INSTALL httpfs", "FORCE INSTALL httpfs FROM '{out}'", "LOAD httpfs",
    "LOAD '{out}'", "UPDATE EXTENSIONS", "SET threads = 1", "SET GLOBAL threads = 1", "SET SESSION schema = 'other'", "SET schema = 'other'",
    "SET search_path = 'other'", "SET VARIABLE x = 1", "SET enable_external_access = true", "SET lock_configuration = false",
    "SET TIME ZONE 'Europe/Berlin'", "RESET threads", "RESET ALL", "RESET VARIABLE x", "PRAGMA database_list", "PRAGMA threads = 1",
    "PRAGMA table_info('cpu')", "PRAGMA show_tables", "PRAGMA enable_profiling", "PRAGMA json_execute_serialized_sql('x')",
    "CALL pragma_version()", "CALL duckdb_settings()", "CALL read_text('{canary}')", "BEGIN", "BEGIN TRANSACTION READ ONLY", "START TRANSACTION",
    "COMMIT", "ROLLBACK", "ABORT", "CHECKPOINT", "FORCE CHECKPOINT", "VACUUM", "VACUUM ANALYZE cpu", "ANALYZE", "PREPARE p AS SELECT 1",
    "EXECUTE p", "EXECUTE p(1)", "DEALLOCATE p", "CREATE TABLE x (a INT)", "CREATE TABLE x AS FROM read_text('{canary}')",
    "CREATE OR REPLACE TABLE cpu AS SELECT 1", "CREATE TEMP TABLE x (a INT)", "CREATE VIEW x AS SELECT 1", "CREATE OR REPLACE VIEW cpu AS SELECT 1",
    "CREATE SCHEMA x", "CREATE SEQUENCE x", "CREATE MACRO x() AS 1", "CREATE MACRO x() AS TABLE FROM read_text('{canary}')",
    "CREATE OR REPLACE FUNCTION avg(x) AS 1", "CREATE TYPE x AS ENUM ('a')", "CREATE INDEX x ON cpu (host)", "CREATE SECRET x (TYPE s3)",
    "CREATE PERSISTENT SECRET x (TYPE s3)", "DROP TABLE cpu", "DROP VIEW default.cpu", "DROP VIEW cpu", "DROP SCHEMA other CASCADE",
    "DROP SECRET x", "DROP MACRO x", "ALTER VIEW cpu RENAME TO x", "ALTER TABLE cpu ADD COLUMN x INT", "INSERT INTO cpu VALUES (1)",
    "INSERT OR REPLACE INTO cpu SELECT 1", "UPDATE cpu SET v = 1", "DELETE FROM cpu", "DELETE FROM cpu RETURNING *", "TRUNCATE cpu",
    "MERGE INTO cpu USING cpu b ON true WHEN MATCHED THEN DELETE", "COMMENT ON TABLE cpu IS 'x'",
    "EXPLAIN COPY cpu TO '{out}'", "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'", "EXPLAIN ANALYZE DELETE FROM cpu",
    "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1", "EXPLAIN EXPLAIN SELECT 1", "EXPLAIN ANALYZE SET threads = 1", "EXPLAIN PRAGMA version",
    "WITH x AS (SELECT 1) INSERT INTO cpu FROM x", "WITH x AS (SELECT 1) DELETE FROM cpu", "WITH x AS (SELECT 1) UPDATE cpu SET v = 1",
    "PIVOT cpu ON host USING sum(v)", "PIVOT read_text('{canary}') ON a USING sum(b)", "SHOW ALL TABLES", "SHOW VARIABLES", "SHOW cpu",
    "SHOW TABLES FROM other WHERE true", "SHOW threads", "SHOW SCHEMAS",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statements_that_are_not_one_select(db, statement):
    sql = statement.replace("{out}", str(db.base / "out.db")).replace("{canary}", db.canary)
    refused(db, sql, paths=PATHS)
    refused(db, f" /* SELECT 1 */ -- SELECT 2\n{sql};", paths=PATHS[:1])


@pytest.mark.parametrize("sql", [
    "WITH x AS (DELETE FROM cpu RETURNING *) FROM x", "WITH x AS (INSERT INTO cpu VALUES (1) RETURNING *) FROM x",
    "SELECT * INTO x FROM cpu", "FROM (DELETE FROM cpu RETURNING *)", "SELECT (DELETE FROM cpu)", "SELECT 1 FOR UPDATE x y",
    "EXPLAIN (FORMAT json) SELECT 1", "EXPLAIN (ANALYZE) COPY cpu TO 'x'", "SELECT * FROM (COPY cpu TO 'x')", "FROM cpu SET v = 1",
    "SELECT ?", "SELECT $1", "SELECT $a", "SELECT * FROM cpu WHERE v = ?", "EXPLAIN", "DESCRIBE SET threads = 1", "SUMMARIZE DELETE FROM cpu"])
def test_statements_inside_of_statements(db, sql):
    a = ask(db, sql)
    assert (a.status, a.json()["code"]) == (400, "invalid"), a


@pytest.mark.parametrize("sql", [
    "SELECT 1; SELECT 2", "SELECT 1; DROP VIEW default.cpu", "SELECT 1;;SELECT 2", ";SELECT 1; SELECT 2", "SELECT 1 -- ;\n; SELECT 2",
    "SELECT ';' ; SELECT 2", "SELECT $$;$$; SELECT 2", "SELECT $a$ ; $b$ ; $a$; SELECT 2", "SELECT 1 /* ; /* nested */ ; */; SELECT 2",
    "SELECT e'\\'; --'; SELECT 2", "SELECT '\\'; SELECT 2 --'", 'SELECT 1 AS ";"; SELECT 2', "SELECT 1;SET threads = 1;", "SELECT 1; SELECT",
    "EXPLAIN SELECT 1; SELECT 2", "DESCRIBE cpu; SELECT 2", "SHOW TABLES; SELECT 2", "SHOW DATABASES; DROP VIEW cpu", "SELECT 1\u00a0; SELECT 2"])
def test_two_statements(db, sql):
    for path in PATHS:
        a = ask(db, sql, path)
        assert a.status == 400 and a.json()["code"] in ("forbidden_sql", "invalid"), (path, a)
        if a.json()["code"] == "invalid":
            assert "Parser Error" in a.json()["error"], (path, a)


@pytest.mark.parametrize("sql,rows", [
    ("SELECT ';' AS a;", [[";"]]), ("SELECT $$; DROP TABLE x$$", [["; DROP TABLE x"]]), ("SELECT $x$'$x$ -- ; COPY", [["'"]]),
    ("SELECT /* ; /* COPY */ ; */ 1", [[1]]), ("SELECT e'\\';' ;;;", [["';"]]), ('SELECT 1 AS "COPY; DROP"', [[1]]),
    ("SELECT 'read_csv(''/etc/passwd'')'", [["read_csv('/etc/passwd')"]]), ("SELECT 1 -- read_csv('x')", [[1]]),
    ("SELECT 'ATTACH', \"set\" FROM (SELECT 1 AS \"set\")", [["ATTACH", 1]])])
def test_words_alone_are_harmless(db, sql, rows):
    assert db.rows(sql) == rows
    assert ask(db, sql, "/api/v1/query/estimate").json()["estimated_rows"] == 1


# ---- settings, the environment, the catalogue ----

@pytest.mark.parametrize("call", [
    "getenv('HOME')", "current_setting('temp_directory')", "current_setting('home_directory')", "getvariable('x')", "current_query()",
    "pg_get_viewdef(1)", "in_search_path('a', 'b')", "current_schemas(true)", "txid_current()", "current_connection_id()", "setseed(0.5)",
    "write_log('x')", "sleep_ms(100000)", "pg_sleep(100)", "nextval('x')", "json_serialize_sql('SELECT 1')",
    "json_deserialize_sql('{}')", "json_serialize_plan('SELECT 1')", "arc_files('other', 'secret')", "arc_schema('x')",
    "create_sort_key(1, 'ASC')", "has_table_privilege('x', 'y')", "inet_client_addr()", "get_block_size('x')", "stats(1)",
    "finalize(1)", "make_type('x')", "__internal_compress_string_ubigint('x')", "parse_duckdb_log_message('x', 'y')",
    "reservoir_quantile(1, 0.5)", "json_structure('[]')", "from_json('[]', '[\"JSON\"]')", "json_contains('[]', '1')"])
def test_functions_that_tell_or_change_too_much(db, call):
    for place in ("SELECT {}", "SELECT * FROM cpu WHERE {} IS NOT NULL", "SELECT list_transform([1], x -> {})", "EXPLAIN SELECT {}",
                  "SELECT COLUMNS(c -> {} IS NOT NULL) FROM cpu", "SELECT 1 ORDER BY {}", "SELECT 1 LIMIT {}", "VALUES ({})"):
        refused(db, place.replace("{}", call), says="is not allowed")
        refused(db, place.replace("{}", "main." + call.upper().replace("'{}'", "'x'")), says="is not allowed")


@pytest.mark.parametrize("name", [
    "duckdb_settings", "duckdb_secrets", "duckdb_functions", "duckdb_tables", "duckdb_views", "duckdb_columns", "duckdb_databases",
    "duckdb_schemas", "duckdb_extensions", "duckdb_memory", "duckdb_temporary_files", "duckdb_variables", "duckdb_logs",
    "duckdb_log_contexts", "duckdb_external_file_cache", "duckdb_prepared_statements", "duckdb_keywords", "duckdb_types",
    "duckdb_constraints", "duckdb_indexes", "duckdb_sequences", "duckdb_dependencies", "duckdb_optimizers", "duckdb_approx_database_count",
    "pragma_database_list", "pragma_database_size", "pragma_platform", "pragma_version", "pragma_metadata_info", "pragma_show",
    "pragma_table_info", "pragma_storage_info", "pragma_user_agent", "arc_databases", "arc_tables", "arc_hot", "arc_files", "which_secret",
    "sql_auto_complete", "json_execute_serialized_sql", "query", "query_table", "summary", "checkpoint", "force_checkpoint", "enable_logging",
    "enable_profiling", "truncate_duckdb_logs", "set_install_directory", "test_all_types", "seq_scan", "arrow_scan", "repeat_row", "json_each", "json_tree"])
def test_tables_and_functions_about_the_inside(db, name):
    for arguments in ("", "'SELECT 1'", "'other', 'secret'", "'other', 'secret', 'x'"):
        refused(db, f"SELECT * FROM {name}({arguments})", says=f"table function {name}")
    for qualified in (name, f"main.{name}", f"temp.{name}", f"system.{name}", f"pg_catalog.{name}", f"information_schema.{name}",
                      f'"arc:".{name}', f"memory.{name}"):
        a = ask(db, f"SELECT * FROM {qualified}")
        assert (a.status, a.json()["code"]) in ((404, "table_not_found"), (400, "forbidden_sql")), a
    refused(db, f"SELECT * FROM system.main.{name}", says="at most two parts")


@pytest.mark.parametrize("table", [
    "sqlite_master", "sqlite_schema", "sqlite_temp_master", "pg_catalog.pg_class", "pg_catalog.pg_tables", "pg_catalog.pg_views",
    "pg_catalog.pg_settings", "pg_class", "pg_settings", "pg_database", "information_schema.views", "information_schema.routines",
    "information_schema.table_constraints", "information_schema.character_sets", "main.cpu", "temp.cpu", "system.cpu", "memory.cpu",
    '"arc:".cpu', "default.secret", "other.cpu", "_arc.nothing"])
def test_tables_that_are_not_ours(db, table):
    refused(db, f"SELECT * FROM {table}", "table_not_found", 404, "unknown table", PATHS)


@pytest.mark.parametrize("table", ['"arc:".default.cpu', "system.main.sqlite_master", "memory.main.cpu", "temp.main.cpu", "a.b.c",
                                   "system.information_schema.tables", '"arc:".other.secret'])
def test_names_of_three_parts(db, table):
    refused(db, f"SELECT * FROM {table}", says="at most two parts", paths=PATHS)
    refused(db, f"DESCRIBE {table}")


def test_information_schema_shows_tables_and_no_inside(db):
    for view in ("tables", "columns", "schemata"):
        a = ask(db, f"SELECT * FROM information_schema.{view}")
        assert a.status == 200
        text = a.body.decode()
        assert "read_parquet" not in text and "arc_hot" not in text and "\\n" not in text, text
        refused(db, f"SELECT * FROM information_schema.{view}", says="limited", database="default")
    assert db.rows("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema <> '_arc' ORDER BY ALL") == [
        ["cpu", "host"], ["cpu", "time"], ["cpu", "v"], ["secret", "host"], ["secret", "time"], ["secret", "v"]]


def test_the_current_schema_is_the_requests(db):
    """Not what the session's last query left."""
    for _ in range(3):
        for database in ("default", "other"):
            assert db.query("SELECT 1 FROM " + ("cpu" if database == "other" else "secret"),
                            "default" if database == "other" else "other")
            assert db.rows("SELECT current_schema(), current_schema", database) == [[database, database]]
    refused(db, "SELECT current_schema()", "table_not_found", 404, "unknown database", database="nowhere")


# ---- a request that is limited to one database ----

@pytest.mark.parametrize("sql", [
    "SELECT * FROM other.secret", 'SELECT * FROM "other"."secret"', "SELECT * FROM OTHER.SECRET", 'SELECT * FROM "Other".secret',
    "SELECT * FROM cpu, other.secret", "SELECT (SELECT host FROM other.secret)", "WITH x AS (FROM other.secret) FROM x",
    "WITH other AS (SELECT 1) SELECT * FROM other.secret", "SELECT * FROM cpu WHERE host IN (SELECT host FROM other/**/./**/secret)",
    "DESCRIBE other.secret", "SUMMARIZE other.secret", "EXPLAIN FROM other.secret", "SHOW TABLES FROM other",
    "SELECT * FROM (DESCRIBE other.secret)", "SELECT * FROM (PIVOT other.secret ON host IN ('a') USING sum(v))",
    "SELECT * FROM information_schema.tables", "SHOW MEASUREMENTS IN other"])
def test_another_database_is_out_of_scope(db, sql):
    for path in PATHS:
        a = ask(db, sql, path, "default")
        code = "invalid" if path.endswith("estimate") and sql.split()[0] not in ("SELECT", "WITH") else "forbidden_sql"
        assert (a.status, a.json()["code"]) in ((400, code), (400, "forbidden_sql")), (path, a)
        assert SECRET.encode() not in a.body
    a = db.post("/api/v1/query", json.dumps({"sql": sql, "database": "default"}))
    assert (a.status, a.json()["code"]) == (400, "forbidden_sql"), a


def test_a_table_of_the_same_name_is_the_databases_own(db):
    assert ask(db, "SELECT * FROM secret", database="default").status == 404
    assert ask(db, "SELECT host FROM secret", database="other").json()["data"] == [[SECRET]]
    assert ask(db, "SELECT other.secret.host FROM cpu", database="default").status == 400
    assert ask(db, "SELECT secret.host FROM other.secret", database="other").json()["data"] == [[SECRET]]


# ---- reading without SQL, and InfluxQL ----

@pytest.mark.parametrize("where", [
    "1=1) UNION SELECT * FROM other.secret --", "1=1 UNION ALL SELECT * FROM other.secret", "host IN (SELECT host FROM other.secret)",
    "EXISTS (FROM other.secret)", "1=1; DROP VIEW default.cpu", "read_text('{}') IS NULL", "getenv('HOME') IS NOT NULL", "1=1 --",
    "1=1 /*", "(1=1", "1=1)", "true) OR (true", "1=1 ORDER BY 1", "1=1 LIMIT 1 OFFSET 0", "1=1 GROUP BY 1", "(SELECT true FROM other.secret)", "'a", "$$a",
    "v = ?", "x -> 1", "sum(v) > 1", "row_number() OVER () = 1", "true AS x", "true, false", ""])
def test_conditions_that_are_more_than_one(db, where):
    from urllib.parse import quote
    a = db.get("/api/v1/query/cpu?columns=v&where=" + quote(where.replace("{}", db.canary)), {"x-arc-database": "default"})
    if where in ("", "1=1 --"):  # a comment at the end is a comment
        assert (a.status, a.json()["row_count"]) == (200, 2), a
        return
    assert a.status == 400, a
    assert SECRET.encode() not in a.body and CANARY.encode() not in a.body


@pytest.mark.parametrize("parameters", [
    "order_by=(SELECT+1+FROM+other.secret)", "order_by=v;DROP+VIEW+cpu", "order_by=v+DESC+LIMIT+1", "order_by=read_text('x')", "order_by=1--",
    "order_by=v)+UNION+SELECT+1", "columns=v,(SELECT+host+FROM+other.secret)", "columns=*+FROM+other.secret+--", "columns=v%22+FROM+cpu+--",
    "columns=read_text('x')", "columns=%22v%22+FROM+other.secret+--%22", "columns=%22v%22%2b(SELECT+1)%2b%22v%22", "limit=1;2", "limit=1+OFFSET+0", "offset=0--", "start_time=now()", "start_time='",
    "start_time=2020-01-01'+OR+true+--", "end_time=%00", "database=other%00", "database=../other", "database=a.b"])
def test_parameters_that_are_more_than_one(db, parameters):
    a = db.get("/api/v1/query/cpu?" + parameters)
    assert a.status == 400, a
    assert SECRET.encode() not in a.body


@pytest.mark.parametrize("measurement", ["cpu%20WHERE%201", "cpu%22", "cpu;", "other.secret%22", "..%2f..%2fother%2fsecret", "%2e%2e", "cpu%00",
                                         "read_text('x')", "information_schema.tables", "cpu--"])
def test_measurements_in_the_path(db, measurement):
    a = db.get(f"/api/v1/query/{measurement}")
    assert a.status in (400, 404), a
    assert db.get(f"/api/v1/query/{measurement}/csv").status in (400, 404)


def test_influxql_reads_nothing_else(db):
    from urllib.parse import quote
    for q in (f"SELECT * FROM '{db.canary}'", "SELECT * FROM secret", "SHOW MEASUREMENTS ON default; SELECT * FROM other.secret",
              "DROP DATABASE other; SELECT * FROM secret", "DELETE FROM cpu", "SHOW FIELD KEYS FROM read_text('x')",
              "SHOW TAG VALUES FROM \"secret\"\" UNION SELECT 1\" WITH KEY = \"x\"\"", "DROP MEASUREMENT cpu; DROP SHARD 1"):
        a = db.get("/query?db=default&q=" + quote(q))
        assert a.status in (200, 400, 501), a
        assert SECRET not in a.body.decode() and CANARY not in a.body.decode()


# ---- texts ----

@pytest.mark.parametrize("sql", [b"SELECT 1\\u0000", b"SELECT '\\u0000'", b"SELECT \\ud800", b"SELECT '\\ud800'", b"SELECT '\\udc00\\ud800'",
                                 b"SELECT '\xff'", b"SELECT '\xc3\x28'", b"SELECT '\xed\xa0\x80'", b"SELECT '\xf4\x90\x80\x80'",
                                 b"SELECT '\xc0\xaf'", b"\xfe\xff", b"SELECT 1 -- \xe2\x82", b"SELECT \\u0001", b"\\u0000SELECT 1"])
def test_what_is_no_text(db, sql):
    for path in PATHS:
        a = db.post(path, b'{"sql": "' + sql + b'"}')
        assert (a.status, a.json()["code"]) == (400, "invalid"), a


def test_blanks_and_marks_around(db):
    assert db.rows("\t\r\n\f SELECT 1 \n;\n") == [[1]]
    for sql in ("\ufeffSELECT 1", "\u00a0SELECT\u00a01"):  # DuckDB counts them as blanks, or says that it does not
        a = ask(db, sql)
        assert a.status == 200 and a.json()["data"] == [[1]] or "Parser Error" in a.json()["error"], a
    for sql in ("\ufeffCOPY cpu TO 'x'", "\u2028DROP VIEW cpu", "\u00a0ATTACH 'x'"):
        assert ask(db, sql).status == 400


# ---- deep, wide and without an end ----

def nested(before, opening, middle, closing, after="", limit=9990):
    n = (limit - len(before) - len(middle) - len(after)) // (len(opening) + len(closing))
    return before + opening * n + middle + closing * n + after


BOMBS = {
    "parentheses": ("SELECT ", "(", "1", ")"), "minus": ("SELECT ", "- ", "1", ""), "not": ("SELECT ", "NOT ", "true", ""),
    "tilde": ("SELECT ", "~ ", "1", ""), "lists": ("SELECT ", "[", "1", "]"), "structs": ("SELECT ", "{a:", "1", "}"),
    "calls": ("SELECT ", "ln(", "1", ")"), "cases": ("SELECT ", "CASE WHEN ", "true", " THEN 1 END"), "sums": ("SELECT 1", "+1", "", ""),
    "casts": ("SELECT 1", "::int", "", ""), "indexes": ("SELECT x FROM (SELECT 1 x) WHERE x", "[1]", "", ""), "dots": ("SELECT a", ".a", "", ""),
    "list_types": ("SELECT NULL::INT", "[]", "", ""), "struct_types": ("SELECT NULL::", "STRUCT(a ", "INT", ")"),
    "map_types": ("SELECT NULL::", "MAP(INT,", "INT", ")"), "commas": ("SELECT 1 FROM range(1)", ",range(1)", "", ""),
    "ctes_joined": ("WITH a AS (SELECT 1) SELECT 1 FROM a", ",a", "", ""), "subqueries": ("", "SELECT(", "SELECT 1", ")"),
    "from_subqueries": ("", "FROM(", "SELECT 1", ")"), "selects": ("", "(", "SELECT 1", ")"), "unions": ("SELECT 1", " UNION SELECT 1", "", ""),
    "unions_nested": ("", "(SELECT 1 UNION ", "SELECT 1", ")"), "ctes": ("", "WITH a AS(", "SELECT 1", ")SELECT 1"),
    "exists": ("SELECT ", "EXISTS(SELECT ", "1", ")"), "lambdas": ("SELECT ", "list_transform([1],x->", "1", ")"),
    "comments": ("SELECT 1 ", "/*", "", "*/"), "comments_open": ("SELECT 1 ", "/*", "", ""), "describes": ("", "FROM (DESCRIBE ", "SELECT 1", ")"),
    "explains": ("", "EXPLAIN ", "SELECT 1", ""), "rollups": ("SELECT 1 FROM (SELECT 1 a) GROUP BY ", "ROLLUP(", "a", ")"),
    "columns": ("SELECT ", "COLUMNS(", "'a'", ") FROM cpu"), "unpivots": ("FROM ", "(UNPIVOT ", "(SELECT 1 a)", " ON a)"),
    "comprehensions": ("SELECT ", "[x FOR x IN ", "[1]", "]"), "rows": ("SELECT ", "ROW(", "1", ")"), "tries": ("SELECT ", "TRY(", "1", ")"),
    "in_list": ("SELECT 1 IN (", "1,", "1", ")"), "select_list": ("SELECT ", "1,", "1", ""), "values": ("VALUES ", "(1),", "(1)", ""),
    "order_by": ("SELECT 1 ORDER BY 1", ",1", "", ""), "ands": ("SELECT true", " AND true", "", ""), "quotes": ("SELECT ", "'", "", ""),
    "dollars": ("SELECT ", "$", "", ""), "open_parentheses": ("SELECT ", "(", "", ""), "open_brackets": ("SELECT ", "[", "", ""),
    "nullifs": ("SELECT ", "nullif(", "1", ",2)"), "fmods": ("SELECT ", "fmod(", "1", ",2)"),
    "case_operands": ("SELECT ", "CASE ", "1", " WHEN 1 THEN 1 WHEN 2 THEN 2 END"), "stars": ("", "SELECT *,* FROM(", "SELECT 1", ")"),
    "struct_columns": ("", "SELECT {'a':a,'b':a} AS a FROM(", "SELECT 1 AS a", ")"),
    "cubes": ("SELECT 1 FROM (SELECT 1 a) GROUP BY CUBE(a", ",a", "", ")"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_nesting_bombs(db, name):
    sql = nested(*BOMBS[name])
    assert 9900 < len(sql) <= 10_000
    began = time.monotonic()
    for path in PATHS:
        a = ask(db, sql, path)
        assert a.status in (200, 400), (path, a)
        assert a.status == 200 or a.json()["code"] in ("invalid", "forbidden_sql"), (path, a)
    assert time.monotonic() - began < 30
    assert db.rows("SELECT 1") == [[1]]


def chain(first, each, last, n=60):
    return first + "".join(each.replace("{i}", str(i)).replace("{j}", str(i + 1)) for i in range(n)) + last.replace("{n}", str(n))


@pytest.mark.parametrize("sql", [
    chain("SELECT 1 AS a0", ", a{i} + a{i} AS a{j}", ""),
    chain("SELECT 1 AS a0", ", {'a': a{i}, 'b': a{i}} AS a{j}", ""),
    chain("WITH a0 AS (SELECT 1 x)", ", a{j} AS NOT MATERIALIZED (SELECT a.x FROM a{i} a, a{i} b)", " SELECT * FROM a{n}"),
    chain("WITH a0 AS (SELECT 1 x)", ", a{j} AS (SELECT *, * FROM a{i})", " SELECT 1 FROM a{n}"),
    "SELECT 1 FROM (SELECT 1 a) GROUP BY " + ",".join(["GROUPING SETS ((a), ())"] * 14),
    "SELECT " + "[[" * 30 + "1" + " FOR x IN [1]] FOR x IN [1]]" * 30,
    "SELECT repeat('a', 100) GLOB repeat('*a', 20) || 'b'"], ids=lambda s: s[:40])
def test_statements_that_would_be_planned_for_ever(db, sql):
    """DuckDB cannot be interrupted there: they must not begin."""
    for path in PATHS:
        a = ask(db, sql, path)
        assert a.status == 400 and a.json()["code"] in ("invalid", "forbidden_sql"), (path, a)


@pytest.mark.parametrize("sql", [
    "SELECT lag(range, -9223372036854775808) OVER () FROM range(10)", "SELECT lead(range, -9223372036854775807 - 1) OVER () FROM range(10)",
    "SELECT lag(range, CASE WHEN true THEN -9223372036854775808 ELSE range END) OVER () FROM range(10)",
    "SELECT -9223372036854775808 AS o, lag(range, o) OVER () FROM range(10)", "SELECT lag(range, if(true, -9223372036854775808, 1)) OVER () FROM range(10)",
    "SELECT ntile(5 ORDER BY range) OVER () FROM range(10)", "SELECT (repeat('[', 1000000) || repeat(']', 1000000))::JSON::VARIANT",
    "SELECT json_structure(repeat('[', 1000000) || repeat(']', 1000000))", "SELECT reservoir_quantile(range, 0.5, 2000000000) FROM range(10)",
    "SELECT json_merge_patch(repeat('{\"a\":', 1000000) || '1' || repeat('}', 1000000), repeat('{\"a\":', 1000000) || '1' || repeat('}', 1000000))",
    "SELECT json_contains(repeat('[', 1000000) || repeat(']', 1000000), '[1]')",
    "SELECT json_transform('[1]', repeat('[', 100000) || '\"INT\"' || repeat(']', 100000))",
    "SELECT map(['a'], [repeat('[', 1000000)::JSON])::MAP(VARCHAR, VARIANT)"], ids=lambda s: s[:50])
def test_calls_that_end_the_process_in_duckdb(db, sql):
    refused(db, sql, paths=PATHS)
    assert db.rows("SELECT 1") == [[1]]


def is_sanitized():
    import conftest
    return b"__asan_init" in pathlib.Path(conftest.binary()).read_bytes()


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A second for a query, 256 MB for DuckDB; and, where no sanitizer needs more, 2 GiB for the process."""
    import conftest
    data = tmp_path_factory.mktemp("short")
    arc = conftest.Arc(data, {"ARC_QUERY_TIMEOUT": "1", "DUCKDB_MEMORY_LIMIT": "256MB", "DUCKDB_POOL_SIZE": "4"})
    if not is_sanitized():
        resource.prlimit(arc.process.pid, resource.RLIMIT_DATA, (2 << 30, 2 << 30))
    yield arc
    arc.stop()
    shutil.rmtree(data, ignore_errors=True)


@pytest.mark.parametrize("sql", [
    "SELECT count(*) FROM range(1000000000000)", "SELECT * FROM range(1000000000000) ORDER BY range DESC",
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
    "SELECT count(*) FROM range(100000) a, range(100000) b, range(100000) c WHERE a.range + b.range + c.range = -1",
    "SELECT count(*) FROM range(1000000) a JOIN range(1000000) b ON a.range % 2 < b.range % 3",
    "EXPLAIN ANALYZE SELECT sum(range) FROM range(1000000000000)", "SUMMARIZE SELECT * FROM range(1000000000000)"], ids=lambda s: s[:50])
def test_what_has_no_end_is_stopped(short, sql):
    began = time.monotonic()
    a = short.query_raw(sql)
    assert (a.status, a.json()["code"]) in ((504, "timeout"), (413, "too_large")), a
    assert time.monotonic() - began < 15
    assert short.rows("SELECT 1") == [[1]]


def test_an_endless_stream_is_broken_off(short):
    for path in ("/api/v1/query", "/api/v1/query/stream"):
        got = exchange(short, path, "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT * FROM t")
        assert got.startswith(b"HTTP/1.1 504 ") or not got.endswith(b"\r\n0\r\n\r\n"), got[-50:]
    assert short.rows("SELECT 1") == [[1]]


@pytest.mark.parametrize("sql", [
    "SELECT length(string_agg(repeat('x', 1000), ',')) FROM range(10000000)", "SELECT len(list(range)) FROM range(1000000000)",
    "SELECT count(DISTINCT range) FROM range(1000000000)", "SELECT histogram(range) FROM range(1000000000)",
    "SELECT string_agg(range::VARCHAR, ',') OVER (ORDER BY range) FROM range(100000)", "SELECT list(range) OVER (ORDER BY range) FROM range(100000)",
    "WITH RECURSIVE t AS (SELECT 'x' AS n UNION ALL SELECT n || n FROM t) SELECT max(length(n)) FROM t",
    "WITH RECURSIVE t AS (SELECT [1] AS n UNION ALL SELECT n || n FROM t) SELECT max(len(n)) FROM t",
    "SELECT count(*) FROM (SELECT * FROM range(100000000) ORDER BY random())", "SELECT json_pretty(repeat('[', 100000) || repeat(']', 100000))",
    "SELECT NULL::INT[100000][100000]", "SELECT list_resize([1], 100000000000)", "SELECT repeat('x', 400000000000)",
    "SELECT bitstring_agg(range, 0, 4000000000) FROM range(2)"], ids=lambda s: s[:50])
def test_memory_bombs(short, sql):
    a = short.query_raw(sql)
    assert (a.status, a.json()["code"]) in ((413, "too_large"), (504, "timeout"), (400, "invalid")), a
    assert short.rows("SELECT 1") == [[1]]


@pytest.mark.parametrize("sql", ["SELECT len(range(1000000000))", "SELECT length(repeat('x', 4000000000))", "SELECT unnest(range(1000000000)) LIMIT 1",
                                 "SELECT len(list_resize([1], 1000000000))", "SELECT array_resize([1], 4000000000)",
                                 "SELECT repeat([1, 2, 3], 1000000000)"])
def test_memory_that_duckdb_does_not_count_ends_at_the_limit_of_the_process(short, sql):
    if is_sanitized():
        pytest.skip("the sanitizer's own memory is over the limit")
    for _ in range(3):
        a = short.query_raw(sql)
        assert (a.status, a.json()["code"]) == (413, "too_large"), a
        assert "Out of Memory" in a.json()["error"]
    assert short.rows("SELECT 1") == [[1]]
    assert short.post("/write?db=x", "m v=1").status == 204


# ---- failures on the way ----

def exchange(arc, path, sql):
    body = json.dumps({"sql": sql}).encode()
    got = b""
    with socket.create_connection(("127.0.0.1", arc.port), timeout=30) as s:
        s.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        try:
            while part := s.recv(1 << 20):
                got += part
        except ConnectionResetError:
            pass
    return got


@pytest.mark.parametrize("path", ["/api/v1/query", "/api/v1/query/arrow", "/api/v1/query/stream"])
@pytest.mark.parametrize("failing", ["error('broke')::BIGINT", "(CASE WHEN range > 0 THEN 'x' END)::BIGINT", "9223372036854775807 + range",
                                     "(1000 // (range - 899999))::TINYINT"])
def test_a_failure_on_the_way_breaks_the_connection(db, path, failing):
    sql = f"SELECT CASE WHEN range < 899000 THEN range ELSE {failing} END AS x, repeat('y', 20) AS y FROM range(900000)"
    got = exchange(db, path, sql)
    assert got.startswith(b"HTTP/1.1 200 OK"), got[:300]
    assert b"Transfer-Encoding: chunked" in got[:1000]
    assert len(got) > 1_000_000
    assert not got.endswith(b"\r\n0\r\n\r\n") and b"\r\n0\r\nArc-Execution" not in got[-200:]
    assert b'"success":true' not in got[-200:]
    # MessagePack has every value of a column in front of the next column's: nothing was sent yet
    refused(db, sql, "invalid", paths=["/api/v1/query/msgpack"])


def test_a_failure_before_the_first_byte_is_an_answer(db):
    for path in PATHS[:4]:
        for failing in ("error('broke')", "'x'::BIGINT", "9223372036854775807 + range"):
            refused(db, f"SELECT {failing} FROM range(1, 10)", "invalid", paths=[path])
