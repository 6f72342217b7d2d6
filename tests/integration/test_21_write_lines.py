"""Line protocol in, by InfluxDB's two dialects and ours."""

import gzip
import time

import pytest

T = 1767607200  # 2026-01-05T10:00:00Z
NS = T * 10**9
PATHS = ["/write?db={db}", "/api/v1/write?db={db}", "/api/v2/write?bucket={db}&org=o", "/api/v1/write/influxdb?bucket={db}",
         "/api/v1/write/line-protocol?db={db}"]


def ok(arc, path, body, headers=None):
    a = arc.post(path, body, headers)
    assert (a.status, a.body) == (204, b""), a
    assert a.headers["Content-Length"] is None
    return a


def error_of(answer, status=400):
    assert answer.status == status, answer
    body = answer.json()
    assert body["error"] == body["message"] == body["detail"]
    assert answer.headers["X-Influxdb-Error"] == body["error"]
    return body["error"]


@pytest.mark.parametrize("n,path", enumerate(PATHS))
def test_every_path_writes(arc_module, n, path):
    a = ok(arc_module, path.format(db=f"p{n}"), f"cpu,host=a,region=eu usage=1.5,n=3i,up=t,s=\"x y\" {NS}\n")
    assert a.headers["X-Influxdb-Version"] == "1.8.10"
    assert arc_module.rows(f"SELECT time, host, region, usage, n, up, s FROM p{n}.cpu") == [
        ["2026-01-05T10:00:00Z", "a", "eu", 1.5, 3, True, "x y"]]


def test_the_database_is_chosen_header_first(arc_module):
    ok(arc_module, "/write?db=by_db", "m v=1", {"x-arc-database": "by_header"})
    assert arc_module.rows("SELECT v FROM by_header.m") == [[1.0]]
    ok(arc_module, "/api/v2/write?bucket=buck/autogen&org=", "m v=2")
    assert arc_module.rows("SELECT v FROM buck.m") == [[2.0]]
    ok(arc_module, "/api/v2/write", "nowhere v=3")
    ok(arc_module, "/api/v1/write?db=&rp=&precision=", "nowhere v=4")
    assert arc_module.rows('SELECT v FROM "default".nowhere ORDER BY v') == [[3.0], [4.0]]


def test_write_needs_a_database(arc_module):
    assert error_of(arc_module.post("/write", "m v=1")) == "database is required"
    assert error_of(arc_module.post("/write?db=", "m v=1")) == "database is required"


@pytest.mark.parametrize("precision,factor", [("ns", 10**9), ("n", 10**9), ("us", 10**6), ("u", 10**6), ("%C2%B5", 10**6),
                                              ("%C2%B5s", 10**6), ("ms", 10**3), ("s", 1), ("", 10**9)])
def test_precision(arc_module, precision, factor):
    for path in ("/write?db=prec&precision=", "/api/v2/write?bucket=prec&precision="):
        ok(arc_module, path + precision, f"m,p={precision or 'none'} v=1 {T * factor}")
    assert arc_module.rows("SELECT DISTINCT time FROM prec.m WHERE p = '%s'" % (precision or "none")) == [
        ["2026-01-05T10:00:00Z"]]


@pytest.mark.parametrize("precision,value", [("m", T // 60), ("h", T // 3600)])
def test_coarse_precision(arc_module, precision, value):
    ok(arc_module, f"/write?db=coarse&precision={precision}", f"m_{precision} v=1 {value}")
    assert arc_module.rows(f"SELECT time FROM coarse.m_{precision}") == [["2026-01-05T10:00:00Z"]]


def test_unknown_precision_is_ns_for_version_1_and_refused_elsewhere(arc_module):
    ok(arc_module, "/write?db=odd&precision=fortnight", f"m v=1 {NS}")
    assert arc_module.rows("SELECT time FROM odd.m") == [["2026-01-05T10:00:00Z"]]
    for path in ("/api/v1/write", "/api/v2/write", "/api/v1/write/line-protocol"):
        assert "precision 'fortnight'" in error_of(arc_module.post(path + "?precision=fortnight", "m v=1"))


def test_without_time_it_is_now_and_negative_times_are_fine(arc_module):
    before = time.time()
    ok(arc_module, "/write?db=times", "now v=1\nnow v=2")
    rows = arc_module.rows("SELECT epoch(time), v FROM times.now")
    assert len(rows) == 1 and rows[0][1] == 2.0  # one series, one time: one point
    assert before - 1 <= rows[0][0] <= time.time() + 1
    ok(arc_module, "/write?db=times", "old v=1 -1")
    assert arc_module.rows("SELECT time FROM times.old") == [["1969-12-31T23:59:59.999999Z"]]


def test_nothing_to_write_is_fine(arc_module):
    for body in (b"", b"\n\n", b"# only a comment\n", b"   ", gzip.compress(b"")):
        ok(arc_module, "/write?db=empty", body)
        ok(arc_module, "/api/v2/write?bucket=empty", body)
    ok(arc_module, "/write?db=empty", b"", {"Content-Encoding": "gzip"})


def test_grammar(arc_module):
    ok(arc_module, "/write?db=grammar", "\n".join([
        r'escapes,tag\ key=tag\,va\=lue fie\ ld="q\"uo\\te",i=-5i,u=7u,f=-1e3,g=2. 1000',
        " blank,t=1 v=1 1000",
        "bools a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE 1000\r",
        'multi s="one\ntwo" 1000',
        "# comment",
        "",
        "unicode,sté=é v=\"日本\" 1000"]))
    g = "grammar"
    assert arc_module.rows('SELECT "tag key", "fie ld", i, u, f, g FROM escapes', g) == [
        ["tag,va=lue", 'q"uo\\te', -5, 7, -1000.0, 2.0]]
    assert arc_module.rows("SELECT t, v FROM blank", g) == [["1", 1.0]]
    assert arc_module.rows("SELECT a, b, c, d, e, f, g, h, i, j FROM bools", g) == [[True] * 5 + [False] * 5]
    assert arc_module.rows("SELECT s FROM multi", g) == [["one\ntwo"]]
    assert arc_module.rows('SELECT "sté", v FROM unicode', g) == [["é", "日本"]]


def test_points_of_one_series_and_time_are_one_row(arc_module):
    ok(arc_module, "/write?db=merge", "m,h=a x=1,y=1 1000\nm,h=b x=5 1000\nm,h=a y=2,z=3 1000")
    assert arc_module.rows("SELECT h, x, y, z FROM merge.m ORDER BY h") == [["a", 1.0, 2.0, 3.0],
                                                                          ["b", 5.0, None, None]]


def test_compressed_and_chunked(arc_module):
    body = gzip.compress("\n".join(f"z,h=h{i % 7} v={i} {NS + i * 1000}" for i in range(20000)).encode())
    ok(arc_module, "/write?db=zip", body)
    pieces = (body[i:i + 1000] for i in range(0, len(body), 1000))
    ok(arc_module, "/api/v2/write?bucket=zip2", pieces, {"Transfer-Encoding": "chunked", "Content-Encoding": "gzip"})
    for db in ("zip", "zip2"):
        assert arc_module.rows(f"SELECT count(*), sum(v), count(DISTINCT h) FROM {db}.z") == [[20000, 199990000.0, 7]]


def test_good_lines_are_kept_and_the_first_bad_one_is_named(arc):
    text = error_of(arc.post("/write?db=part", f"m v=1 1000\nm v= 2000\nm v=3 3000\nm nothing\n"))
    assert text.startswith("partial write: unable to parse 'm v= 2000'")
    assert text.endswith("(line 2) dropped=2")
    assert arc.rows("SELECT v FROM part.m ORDER BY v") == [[1.0], [3.0]]
    assert arc.rows("SELECT database, place, sample FROM _arc.rejected_writes ORDER BY place") == [
        ["part", 2, "m v= 2000"], ["part", 4, "m nothing"]]
    assert arc.get("/api/v1/write/stats").json()["lines_rejected"] == 2


def test_nothing_good_is_not_a_partial_write(arc_module):
    text = error_of(arc_module.post("/api/v2/write?bucket=none", "m v=\nm w="))
    assert text.startswith("unable to parse 'm v='")
    assert text.endswith("dropped=2")
    assert arc_module.query_raw("SELECT * FROM m", "none").status == 404


def test_a_line_that_does_not_fit_its_table_is_dropped_alone(arc_module):
    ok(arc_module, "/write?db=conf", "m v=1.5 1000")
    text = error_of(arc_module.post("/write?db=conf", 'm v="text" 2000\nm v=2.5 3000'))
    assert text.startswith("partial write: field type conflict: ")
    assert text.endswith("(line 1) dropped=1")
    assert arc_module.rows("SELECT v FROM conf.m ORDER BY time") == [[1.5], [2.5]]


def test_error_codes_of_version_2(arc_module):
    a = arc_module.post("/api/v2/write?bucket=x", "m v=")
    assert (a.status, a.json()["code"]) == (400, "invalid")
    a = arc_module.post("/api/v2/write?bucket=../x", "m v=1")
    assert (a.status, a.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize("headers,path", [
    ({"Authorization": "Basic OnRva2Vu"}, "/write?db=cred"), ({"Authorization": "Token user:token"}, "/write?db=cred"),
    ({"Authorization": "Token t"}, "/api/v2/write?bucket=cred"), ({}, "/write?db=cred&u=user&p=token"),
    ({"Authorization": "Bearer"}, "/write?db=cred")])
def test_credentials_of_any_form_are_fine(arc_module, headers, path):
    ok(arc_module, path, "m v=1", headers)


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "application/octet-stream", "", None,
                                  "application/x-www-form-urlencoded", "application/json"])
def test_the_content_type_does_not_matter(arc_module, kind):
    ok(arc_module, "/write?db=kinds", "m,a=b v=1", {} if kind is None else {"Content-Type": kind})


# ---- /query, as far as clients need it to begin writing ----

def influx(arc, q, db=None, method="POST", status=200):
    from urllib.parse import urlencode
    a = arc.request(method, "/query?" + urlencode({"q": q, **({"db": db} if db else {})}))
    assert a.status == status, a
    return a.json()


def test_telegraf_creates_its_database(arc_module):
    a = arc_module.post("/query", "q=CREATE+DATABASE+%22telegraf%22",
                        {"Content-Type": "application/x-www-form-urlencoded"})
    assert (a.status, a.json()) == (200, {"results": [{"statement_id": 0}]})
    assert ["telegraf"] in arc_module.rows("SHOW DATABASES")
    assert influx(arc_module, 'CREATE DATABASE "telegraf"') == {"results": [{"statement_id": 0}]}


def test_a_client_below_api_v1_creates_its_database(arc_module):
    a = arc_module.post("/api/v1/query", "q=CREATE+DATABASE+%22below%22",
                        {"Content-Type": "application/x-www-form-urlencoded"})
    assert (a.status, a.json()) == (200, {"results": [{"statement_id": 0}]})
    assert arc_module.get("/api/v1/databases/below").status == 200


def test_show_statements(arc):
    ok(arc, "/write?db=d1", "m1 v=1\nm2 v=1\nm3 v=1")
    assert influx(arc, "SHOW DATABASES", method="GET") == {"results": [{"statement_id": 0, "series": [
        {"name": "databases", "columns": ["name"], "values": [["d1"], ["default"]]}]}]}
    assert influx(arc, "show measurements", "d1")["results"][0]["series"] == [
        {"name": "measurements", "columns": ["name"], "values": [["m1"], ["m2"], ["m3"]]}]
    assert influx(arc, 'SHOW MEASUREMENTS ON "d1" LIMIT 1 OFFSET 1')["results"][0]["series"][0]["values"] == [["m2"]]
    assert influx(arc, "SHOW MEASUREMENTS", "nowhere") == {"results": [{"statement_id": 0}]}
    assert influx(arc, "SHOW RETENTION POLICIES ON d1")["results"][0]["series"] == [
        {"columns": ["name", "duration", "shardGroupDuration", "replicaN", "default"],
         "values": [["autogen", "0s", "168h0m0s", 1, True]]}]
    both = influx(arc, 'CREATE DATABASE "d2"; SHOW RETENTION POLICIES ON nope')
    assert both == {"results": [{"statement_id": 0}, {"statement_id": 1, "error": "database not found: nope"}]}


def test_query_without_headers_or_body(arc_module):
    a = arc_module.request("POST", "/query?q=SHOW+DATABASES&epoch=ns&db=&chunked=true",
                           headers={"Content-Type": "application/json", "Accept": "application/x-msgpack",
                                    "Content-Encoding": "gzip"})
    assert a.status == 200
    assert a.headers["Content-Type"] == "application/json"
    assert a.headers["X-Influxdb-Version"] == "1.8.10"


def test_statements_that_we_do_not_answer(arc_module):
    assert "not supported: SELECT" in influx(arc_module, 'SELECT mean("v") FROM "m"', status=501)["error"]
    assert influx(arc_module, 'CREATE DATABASE "x', status=400)["error"].startswith("error parsing query: ")
    assert "../x" in influx(arc_module, 'CREATE DATABASE "../x"')["results"][0]["error"]
    assert error_of(arc_module.post("/query")) == 'missing required parameter "q"'


# ---- arc write ----

def test_arc_write_sends_a_file(arc, arc_run, tmp_path):
    path = tmp_path / "m.lp"
    path.write_text("# head\n" + "".join(f'm,h=h{i % 3} v={i},s="a\nb" {T + i}\n' for i in range(2500)) + "m v=9 1")
    r = arc_run("write", str(path), "--database", "cli", "--precision", "s", "--batch", "1000", "--url", arc.url)
    assert r.returncode == 0, r.stderr
    assert r.stderr.startswith("2501 lines written, 0 refused, 3 requests, ")
    assert arc.rows("SELECT count(*), sum(v), count(s) FROM cli.m") == [[2501, 2500 * 2499 / 2 + 9, 2500]]


def test_arc_write_counts_what_is_refused(arc, arc_run):
    r = arc_run("write", "-", "--database", "cli", "--url", arc.url, stdin="m v=1 1000\nm v=\nm v=2 2000\n")
    assert r.returncode == 1
    assert "partial write: unable to parse 'm v='" in r.stderr
    assert "2 lines written, 1 refused, 1 requests" in r.stderr
    assert arc.rows("SELECT sum(v) FROM cli.m") == [[3.0]]


def test_arc_write_without_a_server(arc_run):
    r = arc_run("write", "-", "--url", "http://127.0.0.1:9", stdin="m v=1\n")
    assert r.returncode == 1
    assert "127.0.0.1:9" in r.stderr
