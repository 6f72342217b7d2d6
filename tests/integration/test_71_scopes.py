"""A token with a scope reaches its tables and learns of nothing else."""

import json
import re
import shutil

import pytest
from tokens_kit import ADMIN, bearer, start

SECRETS = ("hidden_db", "secret_table", "secret_column", "prod_secret")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    data = tmp_path_factory.mktemp("arc")
    g = start(data)
    assert g.write("prod", "cpu,host=a v=1 1700000000000000000\ncpu_load v=2\nprod_secret secret_column=3").status == 204
    assert g.write("hidden_db", "secret_table secret_column=4").status == 204
    yield g
    try:
        g.arc.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="module")
def token(guarded):
    return guarded.make("scoped", "read,write,delete", scope="prod.cpu*,mine")[0]


@pytest.fixture(scope="module")
def other(guarded):
    return guarded.make("other", "read,write", scope="prod.prod_secret")[0]


def assert_silent(a):
    text = (a.body.decode(errors="replace") + str(a.headers)).lower()
    for word in SECRETS:
        assert word not in text, a


def test_databases_and_measurements(guarded, token):
    a = guarded.call("GET", "/api/v1/databases", token=token)
    assert [(d["name"], d["measurement_count"]) for d in a.json()["databases"]] == [("prod", 2)]
    assert a.json()["count"] == 1
    a = guarded.call("GET", "/api/v1/measurements", token=token)
    assert [(m["database"], m["measurement"]) for m in a.json()["measurements"]] == [("prod", "cpu"), ("prod", "cpu_load")]
    a = guarded.call("GET", "/api/v1/databases/prod/measurements", token=token)
    assert [m["name"] for m in a.json()["measurements"]] == ["cpu", "cpu_load"]
    assert guarded.call("GET", "/api/v1/databases/prod", token=token).json()["measurement_count"] == 2
    for path in ("/api/v1/databases/{}", "/api/v1/databases/{}/measurements"):
        there = guarded.call("GET", path.format("hidden_db"), token=token)
        nowhere = guarded.call("GET", path.format("nowhere_db"), token=token)
        assert there.status == nowhere.status == 404
        assert there.body.replace(b"hidden_db", b"nowhere_db") == nowhere.body
    assert guarded.call("GET", "/api/v1/measurements?database=hidden_db", token=token).json()["measurements"] == []
    names = {m["name"] for m in guarded.call("GET", "/api/v1/measurements").json()["measurements"]}
    assert names == {"cpu", "cpu_load", "prod_secret", "secret_table"}  # an administrator sees all


def test_writes(guarded, token):
    assert guarded.write("prod", "cpu,host=a v=5", token).status == 204
    assert guarded.write("PROD", "CPU,host=a v=5", token).status == 204
    assert guarded.write("prod", "cpu_new v=5", token).status == 204
    assert guarded.write("mine", "anything v=5", token).status == 204
    before = guarded.query("SELECT count(*) FROM prod.cpu")["data"]
    for database, lines in (("hidden_db", "cpu v=1"), ("prod", "prod_secret secret_column=1"), ("prod", "brand_new v=1"),
                            ("new_db", "cpu v=1"), ("prod", "cpu,host=a v=1\nprod_secret v=1"), ("_arc", "cpu v=1")):
        a = guarded.write(database, lines, token)
        assert a.status in (400, 403), a  # 400: a name that nobody may write to
        assert a.status == 403 or database == "_arc"
        if a.status == 403:
            assert "outside of the token's scope" in a.json()["error"] and a.headers["X-Influxdb-Error"]
    assert guarded.query("SELECT count(*) FROM prod.cpu")["data"] == before  # all of a request or nothing
    assert guarded.query("SELECT count(*) FROM prod.prod_secret")["data"] == [[1]]
    assert b"new_db" not in guarded.call("GET", "/api/v1/databases").body
    # the refusal is the same whether the table is there or not, and whatever its columns are
    one = guarded.write("prod", 'prod_secret secret_column="text"', token)
    two = guarded.write("prod", 'no_such_thing secret_column="text"', token)
    assert one.status == two.status == 403
    assert one.body.replace(b"prod_secret", b"no_such_thing") == two.body
    body = b"\x82\xa1m\xabprod_secret\xa7columns\x82\xa4time\x91\x01\xa1v\x91\x02"
    assert guarded.call("POST", "/api/v1/write/msgpack", body, token, {"x-arc-database": "prod"}).status == 403
    body = b"\x82\xa1m\xa3cpu\xa7columns\x82\xa4time\x91\x01\xa1v\x91\x02"
    assert guarded.call("POST", "/api/v1/write/msgpack", body, token, {"x-arc-database": "prod"}).status == 204


def test_creating_databases(guarded, token):
    for name, status in (("mine", 409), ("prod", 403), ("hidden_db", 403), ("brand_new", 403)):
        a = guarded.call("POST", "/api/v1/databases", {"name": name}, token)
        assert a.status in ((201, 409) if status == 409 else (403,)), a


def test_idempotency_keys_are_its_own(guarded, token, other):
    key = {"Idempotency-Key": "the-same-key"}
    first = guarded.write("prod", "cpu,host=k v=1", token, key)
    assert (first.status, first.headers["X-Arc-Repeated"]) == (204, None)
    assert guarded.write("prod", "cpu,host=k v=1", token, key).headers["X-Arc-Repeated"] == "true"
    a = guarded.write("prod", "prod_secret secret_column=7", other, key)
    assert (a.status, a.headers["X-Arc-Repeated"]) == (204, None)
    a = guarded.write("prod", "cpu,host=k v=9", ADMIN, key)
    assert (a.status, a.headers["X-Arc-Repeated"]) == (204, None)
    assert guarded.query("SELECT count(*) FROM prod.cpu WHERE host = 'k'")["data"] == [[2]]
    assert guarded.write("prod", "cpu v=1", token, {"Idempotency-Key": "k" * 250}).status == 400
    assert guarded.write("prod", "cpu v=1", ADMIN, {"Idempotency-Key": "k" * 250}).status == 204


def test_counters_and_flushes(guarded, token):
    guarded.write("prod", "cpu v=1\nprod_secret secret_column=1")
    guarded.write("hidden_db", "secret_table secret_column=5")
    for path in ("/api/v1/write/stats", "/api/v1/write/health", "/api/v1/write/msgpack/stats"):
        a = guarded.call("GET", path, token=token)
        assert a.status == 200 and b'"prod.cpu"' in a.body
        assert_silent(a)
    for path in ("?database=hidden_db", "?database=prod&measurement=prod_secret", "?database=nowhere_db"):
        a = guarded.call("POST", f"/api/v1/write/flush{path}", token=token)
        assert (a.status, a.json()["message"]) == (200, "flushed 0 buffers")
    sizes = guarded.call("GET", "/api/v1/write/stats").json()["buffer_stats"]["current_buffer_sizes"]
    assert {"hidden_db.secret_table", "prod.prod_secret", "prod.cpu"} <= set(sizes)
    assert guarded.call("POST", "/api/v1/write/flush", token=token).status == 200
    sizes = guarded.call("GET", "/api/v1/write/stats").json()["buffer_stats"]["current_buffer_sizes"]
    assert {"hidden_db.secret_table", "prod.prod_secret"} <= set(sizes) and "prod.cpu" not in sizes


def test_no_open_route_names_what_is_hidden(guarded, token):
    from tokens_kit import routes
    for methods, path, permission in routes():
        if "GET" in methods and "{" not in path and permission != "ADMIN":
            assert_silent(guarded.call("GET", path + "?db=prod&q=SHOW+MEASUREMENTS", token=token))


STATEMENTS = [
    "SHOW DATABASES", "SHOW TABLES", "SHOW ALL TABLES", "SHOW TABLES FROM prod", "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns", "SELECT * FROM information_schema.schemata", "SELECT * FROM duckdb_tables()",
    "SELECT * FROM duckdb_views()", "SELECT * FROM duckdb_columns()", "SELECT * FROM sqlite_master", "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM _arc.tables", "SELECT * FROM _arc.files", "SELECT * FROM _arc.slices", "SELECT * FROM _arc.queries",
    "SELECT * FROM _arc.rejected_writes", "SELECT * FROM cpi", "SELECT vv FROM cpu", "DESCRIBE cpu",
]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_queries_are_silent(guarded, token, sql):
    guarded.write("hidden_db", 'secret_table secret_column="of another type"')  # a rejected write
    for path in ("/api/v1/query", "/api/v1/query/arrow", "/api/v1/query/msgpack", "/api/v1/query/estimate"):
        a = guarded.call("POST", path, {"sql": sql}, token, {"x-arc-database": "prod"})
        assert a.status in (200, 400, 403, 404), a
        assert_silent(a)


@pytest.mark.parametrize("there, nowhere", [
    ("SELECT * FROM hidden_db.secret_table", "SELECT * FROM nowhere_db.secret_table"),
    ("SELECT * FROM prod.prod_secret", "SELECT * FROM prod.nowhere_tb"),
    ("SELECT secret_column FROM prod.prod_secret", "SELECT secret_column FROM prod.nowhere_tb"),
    ("SHOW TABLES FROM hidden_db", "SHOW TABLES FROM nowhere_d"),
    ("DESCRIBE hidden_db.secret_table", "DESCRIBE nowhere_db.secret_table"),
])
def test_what_is_hidden_answers_as_what_is_not_there(guarded, token, there, nowhere):
    def answer(sql):
        a = guarded.call("POST", "/api/v1/query", {"sql": sql}, token)
        text = re.sub(rb"(hidden|nowhere)_(db|d)\b", b"X", re.sub(rb"(prod_secret|nowhere_tb)", b"Y", a.body))
        return a.status, re.sub(rb'"(execution_time_ms|timestamp)":[^,}]+', b"", text)
    assert answer(there) == answer(nowhere)


def test_queries_of_what_it_reaches(guarded, token):
    assert guarded.query("SELECT count(*) > 0 FROM cpu", token, "prod")["data"] == [[True]]
    assert guarded.query("SELECT count(*) > 0 FROM prod.cpu_load", token)["data"] == [[True]]
    assert guarded.query("SHOW DATABASES", token)["data"][0][0] in ("mine", "prod")
    tables = [row[1] for row in guarded.query("SHOW TABLES", token, "prod")["data"]]
    assert set(tables) <= {"cpu", "cpu_load", "cpu_new"} and "cpu" in tables
    # what an administrator asked before, with the same text, is not given to it from memory
    sql = "SELECT count(*) FROM prod.prod_secret"
    guarded.query(sql), guarded.query(sql)
    assert guarded.query(sql, token, status=404)["success"] is False
    a = guarded.call("GET", "/api/v1/query/prod_secret", token=token, headers={"x-arc-database": "prod"})
    assert a.status == 404
    assert guarded.call("GET", "/api/v1/query/cpu?limit=1", token=token, headers={"x-arc-database": "prod"}).status == 200


@pytest.mark.parametrize("q", ["SHOW DATABASES", "SHOW MEASUREMENTS", "SHOW MEASUREMENTS ON hidden_db", "SHOW TAG KEYS",
                               "SHOW FIELD KEYS", "SHOW FIELD KEYS FROM prod_secret", "SHOW SERIES",
                               "SHOW TAG VALUES WITH KEY = host", "SHOW RETENTION POLICIES ON hidden_db"])
def test_influxql(guarded, token, q):
    from urllib.parse import quote
    a = guarded.call("GET", f"/query?db=prod&q={quote(q)}", token=token)
    text = a.body.decode()
    for word in SECRETS:
        assert word not in text.replace(q, "") or f'"error":"database not found: {word}"' in text, a


def test_a_scope_and_admin_do_not_go_together(guarded, token):
    a = guarded.call("POST", "/api/v1/auth/tokens", {"name": "x", "permissions": ["admin"], "scope": ["prod"]})
    assert (a.status, "cannot have a scope" in a.json()["error"]) == (400, True)
    assert guarded.call("GET", "/api/v1/auth/tokens", token=token).status == 403
    assert guarded.arc.get("/api/v1/auth/verify", bearer(token)).json()["token_info"]["scope"] == ["prod.cpu*", "mine"]
    assert json.loads(guarded.call("GET", "/api/v1/auth/tokens").body)["tokens"][1]["scope"] == ["prod.cpu*", "mine"]
