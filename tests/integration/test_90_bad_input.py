"""What must be refused: with the right status, a body that names the fault, and nothing changed."""

import gzip
import io
import json
import socket

import msgpack
import pyarrow
import pytest

T = 1767607200
MSGPACK = "/api/v1/write/msgpack"
LINES = "/api/v1/write/line-protocol"


@pytest.fixture(scope="module")
def arc(arc_module):
    return arc_module


@pytest.fixture(autouse=True)
def nothing_changes(arc_module):
    """Whatever a test of this file sends, the databases are what they were, and the server lives."""
    yield
    listed = arc_module.get("/api/v1/databases").json()["databases"]
    assert [(d["name"], d["measurement_count"]) for d in listed] == [("default", 0)]


def refused(answer, status=400, says="", code=None):
    assert answer.status == status, answer
    body = answer.json()
    assert body["success"] is False
    assert body["error"] == body["message"] == body["detail"] and len(body["error"]) > 10
    assert says.lower() in body["error"].lower(), answer
    if code:
        assert body["code"] == code
    return body["error"]


def write(arc, body, path=MSGPACK, headers=None):
    return arc.post(path, body if isinstance(body, bytes) else msgpack.packb(body), headers)


# ---- MessagePack ----

SAMPLE = msgpack.packb([
    {"m": "cpu", "columns": {"time": [T, T + 1], "host": ["a", None], "v": [1.5, 2], "big": [2**40, 1], "up": [True, False]}},
    {"m": "mem", "t": T * 1000, "h": "x", "tags": {"a": "b"}, "fields": {"used": 1, "free": 2.5}}])


def test_truncated_at_every_byte(arc):
    for n in range(1, len(SAMPLE)):
        refused(write(arc, SAMPLE[:n]))


def test_empty_body(arc):
    refused(write(arc, b""), says="empty")
    refused(write(arc, gzip.compress(b"")))


@pytest.mark.parametrize("value,says", [
    (5, ""), ("text", ""), ([], ""), ({}, ""), ([1, 2], ""), ({"batch": []}, ""), ({"batch": 5}, ""), (None, ""),
    ({"m": "x"}, ""), ({"columns": {"v": [1]}}, ""), ({"m": "x", "columns": {}}, ""),
    ({"m": "x", "columns": {"v": 1}}, "'v'"), ({"m": "x", "columns": {"v": []}}, ""),
    ({"m": "x", "columns": {"time": [T, T], "v": [1]}}, "'time' has 2 values, column 'v' has 1"),
    ({"m": "x", "columns": {"time": ["now"], "v": [1]}}, "time"),
    ({"m": "x", "columns": {"time": [None], "v": [1]}}, "time"),
    ({"m": "x", "columns": {"time": [T, True], "v": [1, 2]}}, "time"),
    ({"m": "x", "columns": {"time": [float("nan")], "v": [1]}}, "time"),
    ({"m": "x", "columns": {"time": [1e300], "v": [1]}}, "time"),
    ({"m": "x", "columns": {"v": [2**64 - 1]}}, "BIGINT"),
    ({"m": "x", "columns": {"": [1]}}, "column"),
    ({"m": "x", "columns": {"a" * 256: [1]}}, "column"),
    ({"m": "x", "columns": {"a\nb": [1]}}, "column"),
    ({"m": "x", "columns": {"a\0b": [1]}}, "column"),
    ({"m": "x", "columns": {"v": [1], "V": [2]}}, "twice"),
    ({"m": "x", "t": T, "fields": {}}, ""), ({"m": "x", "t": T}, ""), ({"m": "x", "t": "now", "fields": {"v": 1}}, ""),
], ids=str)
def test_documents_that_are_no_write(arc, value, says):
    refused(write(arc, value), says=says)


@pytest.mark.parametrize("name", ["", "a/b", "..", "../../etc/passwd", "a\0b", "a\\b", ".hidden", "a b", "x" * 200, "-a",
                                  "12.5", "a..b", "a'b", 'a"b', "a\nb"])
def test_measurement_names(arc, name):
    refused(write(arc, {"m": name, "columns": {"time": [T], "v": [1]}}), says="measurement")
    if name and "\0" not in name and "\n" not in name:
        line = name.replace("\\", "\\\\").replace(" ", "\\ ")
        refused(arc.post(LINES, f"{line} v=1"), says="unable to parse")


@pytest.mark.parametrize("name", ["a/b", "..", "_arc", "_x", "a b", "x" * 65, "système", "system", "internal", "temp", "a.b",
                                  "a'b"])
def test_database_names(arc, name):
    header = {"x-arc-database": name.encode().decode("latin-1")}
    refused(write(arc, {"m": "x", "columns": {"v": [1]}}, headers=header), says="database")
    refused(arc.post(LINES, "m v=1", header), says="database")
    refused(arc.post("/api/v1/databases", json.dumps({"name": name})), says="database")
    refused(arc.post("/api/v1/query", '{"sql": "SELECT 1"}', header), says="database")
    assert arc.get("/api/v1/databases/" + "".join(f"%{b:02x}" for b in name.encode())).status in (400, 404)


def test_bad_utf8(arc):
    refused(write(arc, b"\x82\xa1m\xa1x\xa7columns\x81\xa1v\x91\xa2\xff\xfe"), says="utf-8")
    refused(write(arc, b"\x82\xa1m\xa2\xff\xfe\xa7columns\x81\xa1v\x91\x01"))
    refused(write(arc, b"\x82\xa1m\xa1x\xa7columns\x81\xa2\xff\xfe\x91\x01"))
    refused(arc.post(LINES, b"m,t=\xff v=1"), says="utf-8")
    refused(arc.post(LINES, b"m v=\"\xc3\x28\""), says="utf-8")


@pytest.mark.parametrize("bomb", [
    b"\x91" * 100_000, b"\x81\xa1x" * 50_000, b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xffx",
    b"\xc6\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff" * 1000, b"\xc1",
    b"\x82\xa1m\xa1x\xa7columns\x81\xa1v\xdd\xff\xff\xff\xff\x01",
    b"\x82\xa1m\xa1x\xa7columns\xdf\xff\xff\xff\xff\xa1v\x91\x01",
    b"\x82\xa1m\xa1x\xa7columns\x81\xa1v\x91" + b"\x91" * 50_000 + b"\x01"],
    ids=lambda b: f"{b[:4].hex()}x{len(b)}")
def test_nesting_bombs_and_huge_lengths(arc, bomb):
    refused(write(arc, bomb))


def test_trailing_garbage(arc):
    refused(write(arc, SAMPLE + b"\xc1"))
    refused(write(arc, msgpack.packb({"m": "x", "columns": {"v": [1]}}) + b"garbage"))


# ---- compression ----

def test_damaged_gzip_and_zstd(arc):
    zipped = gzip.compress(SAMPLE * 100)
    bodies = [zipped[:30] + b"\xff\xff" + zipped[32:]]  # gzip has a checksum, zstd here has none
    for whole in (zipped, pyarrow.Codec("zstd").compress(SAMPLE * 100, asbytes=True)):
        bodies += [whole[:-5], whole[:20], whole[:4]]
    for body in bodies:
        refused(write(arc, body))
        refused(arc.post(LINES, body))


def gzip_of_zeros(n_bytes):
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as f:
        piece = bytes(1 << 20)
        for _ in range(n_bytes >> 20):
            f.write(piece)
    return out.getvalue()


def test_gzip_bomb(arc):
    bomb = gzip_of_zeros(600 << 20)
    assert len(bomb) < 1 << 20
    for path in (MSGPACK, LINES):
        refused(arc.post(path, bomb), 413, code="too_large")
    nested = gzip.compress(bomb)  # inflated once, never twice
    refused(arc.post(MSGPACK, nested))


def test_an_unknown_coding(arc):
    refused(arc.post(LINES, "m v=1", {"Content-Encoding": "br"}), 415, says="'br'")


# ---- sizes ----

@pytest.fixture(scope="module")
def small(tmp_path_factory):
    import conftest
    arc = conftest.Arc(tmp_path_factory.mktemp("small"), {"MAX_REQUEST_SIZE_MB": "1", "MAX_DECOMPRESSED_SIZE_MB": "2"})
    yield arc
    arc.stop()


def exchange(arc, head, pieces):
    """Send all, as far as it goes, then read what was answered."""
    with socket.create_connection(("127.0.0.1", arc.port), timeout=30) as s:
        s.sendall(head)
        try:
            for p in pieces:
                s.sendall(p)
        except OSError:
            pass
        got = b""
        try:
            while part := s.recv(65536):
                got += part
        except OSError:
            pass
        return got


PIECE = b"# a comment that is 32 bytes.  \n" * 2048  # 64 KiB


@pytest.mark.parametrize("path", [b"/write?db=x", b"/api/v1/write/msgpack", b"/api/v1/query", b"/nowhere"])
def test_a_body_over_the_limit(small, path):
    head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n"
    for rest, pieces in ((b"Content-Length: 2097152\r\n\r\n", [PIECE] * 32),
                         (b"Transfer-Encoding: chunked\r\n\r\n", [b"10000\r\n" + PIECE + b"\r\n"] * 32 + [b"0\r\n\r\n"]),
                         (b"Content-Length: 9999999999\r\nExpect: 100-continue\r\n\r\n", [])):
        got = exchange(small, head + rest, pieces)
        assert got.startswith(b"HTTP/1.1 413 "), got[:200]
        assert b"Connection: close" in got
        assert json.loads(got.split(b"\r\n\r\n", 1)[1])["code"] in ("too_large", "request too large")
    assert small.get("/api/v1/databases").json()["count"] == 1


def test_a_body_that_inflates_over_the_limit(small):
    body = gzip.compress(PIECE * 48)
    refused(small.post("/write?db=x", body), 413)
    assert small.post("/write?db=x", gzip.compress(PIECE * 31)).status == 204


def test_the_limit_itself_is_allowed(small):
    assert small.post("/write?db=x", PIECE * 16).status == 204


# ---- HTTP ----

@pytest.mark.parametrize("text,status", [
    (b"GET /%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
    (b"GET /%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
    (b"GET /health%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
    (b"POST /write?db=x%00 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nm v", b"400"),
    (b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
    (b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 300_000 + b"\r\n\r\n", b"431"),
    (b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", b"400"),
    (b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
    (b"POST /write?db=x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
    (b"BREW /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"405"),
], ids=lambda v: v[:30].decode("latin-1") if len(v) > 3 else v.decode())
def test_malformed_requests(arc, text, status):
    got = exchange(arc, text, [])
    assert got.split(b" ")[1] == status, got[:200]


def test_garbage_gets_no_answer_and_harms_nobody(arc):
    for text in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 1000, b"GARBAGE\r\n\r\n", b"\r\n" * 100):
        with socket.create_connection(("127.0.0.1", arc.port), timeout=5) as s:
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
            try:
                while s.recv(65536):
                    pass
            except OSError:
                pass
    assert arc.get("/health").status == 200


@pytest.mark.parametrize("n", [1001, 5000])
def test_too_many_parameters(arc, n):
    refused(arc.post("/write?db=x&" + "a=b&" * n, "m v=1"), says="parameters")


# ---- queries ----

@pytest.mark.parametrize("body,says", [
    (b"", "empty"), (b"{", "json"), (b"[]", "object"), (b"{}", "sql"), (b'{"sql": null}', "sql"), (b'{"sql": 5}', "sql"),
    (b'{"sql": ""}', "empty"), (b'{"sql": "SELECT 1", "database": 5}', "database"), (b'{"sql": "\\u0000"}', ""),
    (b'{"sql": "\xff"}', ""), (b'[' * 10000, ""), (b'{"sql": "SELECT 1"} x', "json"),
    (b'{"sql": "SELECT \'' + b"x" * 10_000 + b'\'"}', "10000"), (b'{"sql": "  "}', ""), (b'{"sql": ";"}', "")],
    ids=lambda v: str(v)[:30])
@pytest.mark.parametrize("path", ["/api/v1/query", "/api/v1/query/arrow", "/api/v1/query/stream", "/api/v1/query/msgpack",
                                  "/api/v1/query/estimate"])
def test_query_bodies(arc, path, body, says):
    refused(arc.post(path, body), says=says)


def test_sql_of_just_10000_characters_is_fine(arc):
    sql = "SELECT '" + "é" * 9991 + "'"
    assert len(sql) == 10_000
    assert arc.rows(sql) == [["é" * 9991]]


FORBIDDEN = [
    "SELECT 1; SELECT 2", "COPY (SELECT 1) TO '/tmp/x.csv'", "ATTACH '/tmp/x.db'", "DETACH memory", "SET threads = 1",
    "RESET threads", "PRAGMA database_list", "CALL pragma_version()", "INSTALL httpfs", "LOAD httpfs", "CREATE TABLE x (a INT)",
    "CREATE VIEW x AS SELECT 1", "DROP TABLE x", "INSERT INTO x VALUES (1)", "UPDATE x SET a = 1", "DELETE FROM x",
    "ALTER TABLE x ADD COLUMN b INT", "TRUNCATE x", "VACUUM", "CHECKPOINT", "EXPORT DATABASE '/tmp/x'", "USE x", "BEGIN",
    "COMMIT", "PREPARE p AS SELECT 1", "EXECUTE p", "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/x'",
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_parquet('/tmp/*')", "SELECT * FROM read_json('/etc/passwd')", "SELECT * FROM glob('/*')",
    "SELECT * FROM '/etc/passwd'", 'SELECT * FROM "/etc/passwd"', "SELECT * FROM 'x.parquet'", 'SELECT * FROM "x.csv"',
    "SELECT * FROM parquet_metadata('x')", "SELECT * FROM sniff_csv('/etc/passwd')", "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()", "SELECT getenv('HOME')", "SELECT (SELECT max(content) FROM read_text('/etc/passwd'))",
    "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x", "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('x')", "FROM read_csv_auto('/etc/passwd')", "DESCRIBE SELECT * FROM read_csv('/etc/passwd')",
    "SUMMARIZE '/etc/passwd'", "SELECT 1 UNION ALL SELECT content FROM read_text('/etc/passwd')",
    "PIVOT read_csv('/etc/passwd') ON a", "SELECT current_setting('home_directory')",
]


@pytest.mark.parametrize("sql", FORBIDDEN, ids=lambda s: s[:50])
def test_forbidden_sql(arc, sql):
    a = arc.query_raw(sql)
    assert a.status in (400, 404), a
    body = a.json()
    assert body["success"] is False and body["code"] in ("forbidden_sql", "table_not_found", "invalid"), a
    assert "root:" not in a.body.decode()
    a = arc.query_raw(sql, path="/api/v1/query/arrow")
    assert a.status in (400, 404)


def test_words_in_literals_are_no_statements(arc):
    assert arc.rows("SELECT 'DROP TABLE x; COPY', 1 AS \"DELETE\"") == [["DROP TABLE x; COPY", 1]]
