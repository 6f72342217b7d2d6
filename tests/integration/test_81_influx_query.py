"""/query: what InfluxDB 1's clients ask, in every form they send it, and who may."""

import base64
import json
import threading
from urllib.parse import quote, urlencode

import pytest
from tokens_kit import ADMIN, start

ROWS = """cpu,host=a,region=eu usage=1,idle=2i 1700000000000000000
cpu,host=b,region=us usage=2,idle=3i,msg="x" 1700000001000000000
cpu,host=c usage=2,ok=true 1700007200000000000
mem,dc=x used=1 1700000000000000000"""

DONE = {"results": [{"statement_id": 0}]}


@pytest.fixture(scope="module")
def db(arc_module):
    assert arc_module.post("/write?db=d", ROWS).status == 204
    return arc_module


def ask(arc, q, status=200, method="POST", **params):
    a = arc.request(method, "/query?" + urlencode({"q": q, **params}))
    assert a.status == status, a
    return a.json()


def series(arc, q, **params):
    result = ask(arc, q, **{"db": "d", **params})["results"][0]
    assert "error" not in result, result
    return result.get("series", [])


def values(arc, q, **params):
    return {s.get("name", ""): s["values"] for s in series(arc, q, **params)}


def error(arc, q, **params):
    return ask(arc, q, **{"db": "d", **params})["results"][0]["error"]


# ---- forms of a request ----

@pytest.mark.parametrize("method, path, body, headers", [
    ("GET", "/query?db=d&q=SHOW+TAG+KEYS", None, {}),
    ("GET", "/query/?q=SHOW%20TAG%20KEYS&db=d&epoch=&chunked=&pretty=&params=&u=&p=", None, {}),
    ("POST", "/query?db=d&q=SHOW+TAG+KEYS", b"", {"Content-Type": "application/json"}),
    ("POST", "/query?db=d&q=SHOW+TAG+KEYS", b"", {}),
    ("POST", "/query?db=d", b"q=SHOW+TAG+KEYS", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}),
    ("POST", "/query", b"q=SHOW+TAG+KEYS&db=d&unknown=1", {"Content-Type": "application/x-www-form-urlencoded"}),
    ("POST", "/query?q=SHOW+TAG+KEYS", b"", {"x-arc-database": "d"}),
    ("POST", "/api/v1/query?db=d&q=SHOW+TAG+KEYS", b"", {}),
    ("GET", "/api/v1/query?db=d&q=SHOW+TAG+KEYS", None, {}),
    ("GET", "/query?db=d&q=SHOW+TAG+KEYS", None, {"Accept": "application/x-msgpack", "Content-Encoding": "gzip"}),
])
def test_every_form_is_understood(db, method, path, body, headers):
    a = db.request(method, path, body, headers)
    assert a.status == 200, a
    assert a.headers["Content-Type"] == "application/json"
    assert a.headers["X-Request-Id"]
    assert a.json() == {"results": [{"statement_id": 0, "series": [
        {"name": "cpu", "columns": ["tagKey"], "values": [["host"], ["region"]]}, {"name": "mem", "columns": ["tagKey"], "values": [["dc"]]}]}]}


def test_version_and_error_headers(db):
    a = db.get("/query?q=SHOW+DATABASES")
    assert (a.headers["X-Influxdb-Version"], a.headers["X-Influxdb-Build"]) == ("1.8.10", "OSS")
    a = db.get("/query?q=x")
    text = "error parsing query: found x, expected SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL at line 1, char 1"
    assert (a.status, a.json()["error"], a.json()["message"], a.headers["X-Influxdb-Error"]) == (400, text, text, text)
    assert db.get("/query").json()["error"] == 'missing required parameter "q"'


def test_chunks_indentation_and_csv(db):
    a = db.get("/query?db=d&chunked=true&q=" + quote("SHOW TAG KEYS; SHOW USERS; SHOW SUBSCRIPTIONS"))
    assert a.body.decode().splitlines() == [
        '{"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["tagKey"],"values":[["host"],["region"]]}]}]}',
        '{"results":[{"statement_id":0,"series":[{"name":"mem","columns":["tagKey"],"values":[["dc"]]}]}]}',
        '{"results":[{"statement_id":1,"series":[{"columns":["user","admin"]}]}]}',
        '{"results":[{"statement_id":2}]}']
    a = db.get("/query?db=d&pretty=true&q=SHOW+SUBSCRIPTIONS")
    assert a.body.decode() == '{\n    "results": [\n        {\n            "statement_id": 0\n        }\n    ]\n}\n'
    a = db.get("/query?db=d&q=" + quote("SHOW TAG KEYS; SHOW SERIES FROM mem"), headers={"Accept": "application/csv"})
    assert a.headers["Content-Type"].startswith("text/csv")
    assert a.body.decode() == 'name,tags,tagKey\ncpu,,host\ncpu,,region\nmem,,dc\n\nname,tags,key\n,,"mem,dc=x"\n'


def test_a_long_answer_is_a_stream(arc_module):
    n = 30000
    lines = "\n".join(f"m,host=a-rather-long-name-of-a-host-{i:06} v=1 {1700000000000000000 + i}" for i in range(n))
    assert arc_module.post("/write?db=long", lines).status == 204
    expected = [[f"m,host=a-rather-long-name-of-a-host-{i:06}"] for i in range(n)]
    a = arc_module.get("/query?db=long&q=SHOW+SERIES")
    assert a.headers["Transfer-Encoding"] == "chunked"
    assert a.json()["results"][0]["series"] == [{"columns": ["key"], "values": expected}]
    a = arc_module.get("/query?db=long&pretty=true&q=SHOW+SERIES")
    assert json.loads(a.body)["results"][0]["series"][0]["values"] == expected
    a = arc_module.get("/query?db=long&chunked=true&chunk_size=7000&q=SHOW+SERIES")
    chunks = [json.loads(line)["results"][0] for line in a.body.splitlines()]
    assert [(len(c["series"][0]["values"]), c.get("partial", False)) for c in chunks] == [(7000, True)] * 4 + [(2000, False)]
    assert values(arc_module, "SHOW SERIES LIMIT 2 OFFSET 29999", db="long") == {"": expected[-1:]}
    assert values(arc_module, "SHOW SERIES CARDINALITY", db="long") == {"": [[n]]}


def test_parameters(db):
    q = "SHOW TAG VALUES WITH KEY = $key WHERE region = $region"
    params = json.dumps({"key": {"identifier": "host"}, "region": "eu' OR 'a' = 'a"})
    assert values(db, q, params=params) == {}
    params = json.dumps({"key": {"identifier": "host"}, "region": "eu"})
    assert values(db, q, params=params) == {"cpu": [["host", "a"]]}
    a = db.get("/query?db=d&q=" + quote(q) + "&params=" + quote("[1"))
    assert a.status == 400 and a.json()["error"].startswith("error parsing query parameters: ")
    assert "array" in ask(db, "SHOW SERIES LIMIT $n", 400, params='{"n": [1]}')["error"]


def test_text_cannot_leave_its_quotes(db):
    for odd in ("a' OR '1'='1", 'a" OR "1"="1', "'; DROP TABLE cpu; --", "\\", "a\\"):
        assert values(db, "SHOW SERIES WHERE host = $x", params=json.dumps({"x": odd})) == {}
        assert values(db, "SHOW SERIES FROM $x", params=json.dumps({"x": {"identifier": odd}})) == {}
        assert values(db, "SHOW TAG VALUES WITH KEY = $x", params=json.dumps({"x": {"identifier": odd}})) == {}
        assert values(db, "SHOW SERIES WHERE $x = 'a'", params=json.dumps({"x": {"identifier": odd}})) == {}


# ---- answers ----

def test_time_chooses_rows(db):
    assert values(db, "SHOW TAG VALUES WITH KEY = host WHERE time > 1700000001s") == {"cpu": [["host", "c"]]}
    assert values(db, "SHOW TAG VALUES WITH KEY = host WHERE time >= '2023-11-14T22:13:21Z' AND time < 1700007200s") == {
        "cpu": [["host", "b"]]}
    assert values(db, "SHOW TAG KEYS WHERE time = 1700007200s") == {"cpu": [["host"]]}
    assert values(db, "SHOW SERIES WHERE time < 1700000000000000001") == {"": [["cpu,host=a,region=eu"], ["mem,dc=x"]]}
    assert values(db, "SHOW SERIES WHERE time > now()") == {}


def test_files_and_memory_are_one(arc):
    assert arc.post("/write?db=f", "m,h=a v=1 1\nm,h=b v=1 2").status == 204
    assert arc.post("/api/v1/write/flush").status == 200
    assert arc.post("/write?db=f", "m,h=c,k=z v=1 3").status == 204
    assert values(arc, "SHOW TAG VALUES WITH KEY =~ /./", db="f") == {"m": [["h", "a"], ["h", "b"], ["h", "c"], ["k", "z"]]}
    assert values(arc, "SHOW TAG KEYS WHERE h = 'a'", db="f") == {"m": [["h"]]}


def test_columns_of_other_writers(arc):
    import msgpack
    body = msgpack.packb({"m": "packed", "columns": {"time": [1700000000000], "host": ["a"], "v": [1.5], "n": [1], "b": [True]}})
    assert arc.post("/api/v1/write/msgpack", body, {"x-arc-database": "p"}).status == 204
    assert values(arc, "SHOW TAG KEYS", db="p") == {}
    assert values(arc, "SHOW FIELD KEYS", db="p") == {
        "packed": [["b", "boolean"], ["host", "string"], ["n", "integer"], ["v", "float"]]}
    assert values(arc, "SHOW SERIES", db="p") == {"": [["packed"]]}


def test_regular_expressions(db):
    assert values(db, "SHOW MEASUREMENTS WITH MEASUREMENT =~ /^c/") == {"measurements": [["cpu"]]}
    assert values(db, "SHOW TAG VALUES FROM /m/ WITH KEY !~ /host/") == {"mem": [["dc", "x"]]}
    a = ask(db, "SHOW SERIES WHERE host =~ /a(b/; SHOW DATABASES", 400, db="d")
    assert a["error"] == "error parsing query: error parsing regexp: missing closing ): `a(b` at line 1, char 26"


def test_what_follows_a_failure_does_not_run(arc):
    a = ask(arc, "SHOW TAG KEYS ON nowhere; CREATE DATABASE later")
    assert a == {"results": [{"statement_id": 0, "error": "database not found: nowhere"}, {"statement_id": 1, "error": "not executed"}]}
    assert ["later"] not in values(arc, "SHOW DATABASES")["databases"]


@pytest.mark.parametrize("q", ["SELECT mean(v) FROM m GROUP BY time(1m)", "DELETE FROM m", "DROP SERIES FROM m", "SHOW SHARDS", "KILL QUERY 1",
                               "CREATE USER u WITH PASSWORD 'secret'", "SHOW STATS", "SHOW DIAGNOSTICS", "GRANT ALL TO u",
                               "CREATE RETENTION POLICY p ON d DURATION 7d REPLICATION 1", "DROP RETENTION POLICY autogen ON d",
                               "SHOW SERIES CARDINALITY GROUP BY host", "EXPLAIN SELECT a FROM b"])
def test_what_is_not_supported_runs_nothing(arc_module, q):
    a = ask(arc_module, f"CREATE DATABASE never; {q}", 501)
    assert a["code"] == "not_implemented" and q.split()[0] in a["error"], a
    assert "secret" not in json.dumps(a)
    assert ["never"] not in values(arc_module, "SHOW DATABASES")["databases"]


def test_policies_that_keep_for_ever(db):
    for q in ("CREATE RETENTION POLICY p ON d DURATION INF REPLICATION 1 DEFAULT", "ALTER RETENTION POLICY p ON d SHARD DURATION 1d",
              "DROP RETENTION POLICY p ON d"):
        assert ask(db, q) == DONE
    assert error(db, "CREATE RETENTION POLICY p ON nowhere DURATION INF REPLICATION 1") == "database not found: nowhere"
    result = ask(db, "CREATE DATABASE w WITH DURATION 3d")["results"][0]
    assert result["messages"] == [{"level": "warning", "text": "DURATION is not enforced: rows are kept until they are dropped"}]


# ---- dropping ----

def test_drop_database_and_measurement(arc):
    arc.post("/write?db=x", "a,h=1 v=1 1\nb,h=1 v=1 1")
    assert ask(arc, "DROP MEASUREMENT a", db="x") == DONE
    assert values(arc, "SHOW MEASUREMENTS", db="x") == {"measurements": [["b"]]}
    assert values(arc, "SHOW SERIES", db="x") == {"": [["b,h=1"]]}
    assert ask(arc, "DROP MEASUREMENT a", db="x") == DONE
    assert ask(arc, "DROP DATABASE x") == DONE
    assert ask(arc, "DROP DATABASE x") == DONE
    assert ["x"] not in values(arc, "SHOW DATABASES")["databases"]
    assert error(arc, "SHOW TAG KEYS", db="x") == "database not found: x"
    assert arc.post("/write?db=x", "c,k=2 v=1 1").status == 204
    assert values(arc, "SHOW SERIES", db="x") == {"": [["c,k=2"]]}
    a = ask(arc, "DROP DATABASE x", method="GET")["results"][0]
    assert a["messages"][0]["text"] == "deprecated use of 'DROP DATABASE x' in a read only context, please use a POST request instead"


def test_delete_of_a_database(arc):
    arc.post("/write?db=gone", "a v=1 1")
    assert arc.request("DELETE", "/api/v1/databases/gone").status == 400
    assert arc.request("DELETE", "/api/v1/databases/none?confirm=true").status == 404
    assert arc.request("DELETE", "/api/v1/databases/a%20b?confirm=true").status == 400
    assert arc.get("/api/v1/databases/gone").status == 200
    a = arc.request("DELETE", "/api/v1/databases/gone?confirm=true")
    assert (a.status, a.json()["success"], a.json()["database"]) == (200, True, "gone")
    assert arc.get("/api/v1/databases/gone").status == 404


def test_deleting_can_be_switched_off(arc_start):
    arc = arc_start(env={"ARC_DELETE_ENABLED": "false"})
    arc.post("/write?db=x", "a v=1 1")
    bucket = arc.get("/api/v2/buckets?name=x").json()["buckets"][0]["id"]
    for a in (arc.request("DELETE", "/api/v1/databases/x?confirm=true"), arc.post("/query?q=DROP+DATABASE+x"),
              arc.post("/query?db=x&q=DROP+MEASUREMENT+a"), arc.request("DELETE", f"/api/v2/buckets/{bucket}")):
        assert a.status == 403 and "delete.enabled" in a.json()["error"], a
    assert values(arc, "SHOW MEASUREMENTS", db="x") == {"measurements": [["a"]]}


# ---- buckets ----

def test_buckets(arc):
    org = arc.get("/api/v2/orgs?org=my-org").json()["orgs"][0]
    assert org["name"] == "my-org"
    made = arc.post("/api/v2/buckets", json.dumps({"name": "b1", "orgID": org["id"], "retentionRules": [{"everySeconds": 60}]}))
    assert (made.status, made.json()["name"], made.json()["orgID"], made.json()["retentionRules"]) == (201, "b1", org["id"], [])
    again = arc.post("/api/v2/buckets", json.dumps({"name": "b1", "orgID": org["id"]}))
    assert (again.status, again.json()["code"], again.json()["message"]) == (422, "conflict", "bucket with name b1 already exists")
    assert arc.post("/api/v2/buckets", json.dumps({"name": "../x"})).status == 400
    one = arc.get("/api/v2/buckets/" + made.json()["id"])
    assert one.json()["name"] == "b1"
    assert [b["name"] for b in arc.get("/api/v2/buckets").json()["buckets"]] == ["b1", "default"]
    assert [b["name"] for b in arc.get("/api/v2/buckets?limit=1&offset=1").json()["buckets"]] == ["default"]
    assert [b["name"] for b in arc.get("/api/v2/buckets?name=b1/autogen").json()["buckets"]] == ["b1/autogen"]
    assert arc.get("/api/v2/buckets?name=none").json()["buckets"] == []
    assert arc.get("/api/v2/buckets/0000000000000000").json()["code"] == "not found"
    assert arc.request("DELETE", "/api/v2/buckets/" + made.json()["id"]).status == 204
    assert arc.get("/api/v1/databases/b1").status == 404
    flux = arc.post("/api/v2/query?org=o", json.dumps({"query": "buckets()"}))
    assert (flux.status, flux.json()["code"]) == (400, "invalid") and "SQL" in flux.json()["message"]


# ---- who may ----

@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    g = start(tmp_path_factory.mktemp("influx"))
    g.write("d", ROWS)
    g.write("e", "other,h=1 v=1 1")
    yield g
    g.arc.stop()


def as_token(g, token, q, db="d"):
    basic = base64.b64encode(f"user:{token}".encode()).decode()
    a = g.arc.post("/query?" + urlencode({"q": q, "db": db}), headers={"Authorization": "Basic " + basic})
    return a.status, a.json()


def test_each_statement_asks_for_its_permission(kept):
    tokens = {name: kept.make(name, name)[0] for name in ("read", "write", "delete")}
    for name, q, status in [("read", "SHOW TAG KEYS", 200), ("write", "SHOW TAG KEYS", 403), ("read", "CREATE DATABASE n", 403),
                            ("write", "CREATE DATABASE n", 200), ("read", "SHOW DATABASES; CREATE DATABASE n2", 403),
                            ("read", "DROP MEASUREMENT none", 403), ("write", "DROP MEASUREMENT none", 403), ("delete", "DROP MEASUREMENT none", 200),
                            ("delete", "DROP DATABASE none", 403), ("read", "SELECT a FROM cpu", 501), ("write", "SELECT a FROM cpu", 403)]:
        assert as_token(kept, tokens[name], q)[0] == status, (name, q)
    assert as_token(kept, "no-such-token-0123456789-0123456789", "SHOW DATABASES")[0] == 401
    assert ["n2"] not in as_token(kept, ADMIN, "SHOW DATABASES")[1]["results"][0]["series"][0]["values"]


def test_a_scope_hides_the_rest(kept):
    token = kept.make("scoped", "read,delete", scope="d.cpu")[0]
    result = lambda q, db="d": as_token(kept, token, q, db)[1]["results"][0]  # noqa: E731
    assert result("SHOW DATABASES")["series"][0]["values"] == [["d"]]
    assert result("SHOW MEASUREMENTS")["series"][0]["values"] == [["cpu"]]
    assert [s["name"] for s in result("SHOW TAG KEYS")["series"]] == ["cpu"]
    assert result("SHOW TAG VALUES FROM mem WITH KEY = dc") == {"statement_id": 0}
    assert result("SHOW SERIES CARDINALITY")["series"][0]["values"] == [[3]]
    assert result("SHOW MEASUREMENTS", "e") == {"statement_id": 0}
    assert result("SHOW FIELD KEYS", "e")["error"] == "database not found: e"
    assert result("DROP MEASUREMENT mem") == {"statement_id": 0}
    assert as_token(kept, ADMIN, "SHOW MEASUREMENTS")[1]["results"][0]["series"][0]["values"] == [["cpu"], ["mem"]]


# ---- many at once ----

def test_many_at_once(db):
    wrong = []

    def run():
        for _ in range(20):
            if values(db, "SHOW TAG VALUES WITH KEY = host WHERE region =~ /eu|us/") != {"cpu": [["host", "a"], ["host", "b"]]}:
                wrong.append(1)
    threads = [threading.Thread(target=run) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert not wrong
