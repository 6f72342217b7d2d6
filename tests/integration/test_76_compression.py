"""Answers of queries, compressed: for whom, how, and never where it could do harm."""

import gzip
import http.client
import json
import zlib

import msgpack
import pyarrow
import pytest

SMALL = "SELECT 'abcdefghij' AS t, range AS n FROM range(1000)"
LARGE = "SELECT 'abcdefghij' AS t, range AS n FROM range(200000)"  # over what is sent whole
CSV = "/api/v1/query/stream"
MSGPACK = "/api/v1/query/msgpack"


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A server that compresses JSON too."""
    from conftest import Arc
    arc = Arc(tmp_path_factory.mktemp("all"), {"ARC_SERVER_COMPRESSION": "all"})
    yield arc
    arc.stop()


def unpack(answer):
    coding = answer.headers.get("Content-Encoding")
    if coding == "gzip":
        return gzip.decompress(answer.body)
    if coding == "zstd":
        return pyarrow.input_stream(pyarrow.py_buffer(answer.body), compression="zstd").read()
    assert coding is None
    return answer.body


def ask(arc, path, sql, accept=None, **headers):
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    if accept is not None:
        headers["Accept-Encoding"] = accept
    answer = arc.query_raw(sql, path=path, headers=headers)
    assert answer.status == 200, answer
    return answer


def is_compressible(answer):
    return answer.headers["Vary"] == "Accept-Encoding, Sec-Fetch-Mode"


@pytest.mark.parametrize("sql", [SMALL, LARGE], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", [CSV, MSGPACK])
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_csv_and_msgpack_are_compressed_when_asked_for(arc_module, path, coding, sql):
    plain = ask(arc_module, path, sql, "identity")
    packed = ask(arc_module, path, sql, coding)
    assert "Content-Encoding" not in plain.headers and packed.headers["Content-Encoding"] == coding
    assert is_compressible(plain) and is_compressible(packed)
    assert packed.headers["Content-Type"] == plain.headers["Content-Type"]
    assert len(packed.body) < len(plain.body) / 2
    if path == CSV:
        assert unpack(packed) == plain.body
    else:
        a, b = (msgpack.unpackb(x) for x in (unpack(packed), plain.body))
        a.pop("execution_time_ms", None), b.pop("execution_time_ms", None)
        a.pop("timestamp", None), b.pop("timestamp", None)
        assert a == b
    if sql == SMALL:
        assert int(packed.headers["Content-Length"]) == len(packed.body)


def test_what_the_client_likes_best_is_taken(arc_module):
    for accept, coding in [("gzip, zstd", "zstd"), ("gzip;q=1, zstd;q=0.9", "gzip"), ("zstd;q=0, gzip;q=0.1", "gzip"), ("*", "zstd"),
                           ("gzip;q=0", None), ("identity, gzip;q=0.5", None), ("br, deflate", None), ("", None), (None, None)]:
        headers = {} if accept is None else {"Accept-Encoding": accept}
        # http.client says identity itself unless it is told not to
        c = http.client.HTTPConnection("127.0.0.1", arc_module.port, timeout=60)
        c.putrequest("POST", CSV, skip_accept_encoding=True)
        body = json.dumps({"sql": SMALL}).encode()
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            c.putheader(name, value)
        c.endheaders(body)
        answer = c.getresponse()
        answer.read()
        assert answer.headers.get("Content-Encoding") == coding, accept
        c.close()


def test_json_only_when_the_server_is_told_so(arc_module, everything):
    plain = ask(arc_module, "/api/v1/query", LARGE, "gzip, zstd")
    assert "Content-Encoding" not in plain.headers and "Vary" not in plain.headers
    for sql in SMALL, LARGE:
        for coding in "gzip", "zstd":
            packed = ask(everything, "/api/v1/query", sql, coding)
            assert packed.headers["Content-Encoding"] == coding
            assert json.loads(unpack(packed))["data"][:2] == [["abcdefghij", 0], ["abcdefghij", 1]]


@pytest.mark.parametrize("name", ["Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-User"])
def test_never_for_what_a_browser_asks_for_a_page(everything, name):
    for path in "/api/v1/query", CSV, MSGPACK:
        answer = ask(everything, path, SMALL, "gzip, deflate, br, zstd", **{name: "cors"})
        assert "Content-Encoding" not in answer.headers and is_compressible(answer)


def test_arrow_errors_short_answers_and_empty_ones_are_left_alone(everything):
    accept = {"Accept-Encoding": "gzip, zstd"}
    arrow = ask(everything, "/api/v1/query/arrow", SMALL, "gzip, zstd")
    assert "Content-Encoding" not in arrow.headers
    assert pyarrow.ipc.open_stream(arrow.body).read_all().num_rows == 1000
    error = everything.query_raw("SELECT 'x' FROM " + "no_such_table_" * 200, headers=accept)
    assert error.status == 404 and "Content-Encoding" not in error.headers and error.json()["success"] is False
    short = ask(everything, "/api/v1/query", "SELECT 1", "gzip, zstd")
    assert "Content-Encoding" not in short.headers and short.json()["data"] == [[1]]
    written = everything.post("/write?db=default", "c v=1", accept)
    assert (written.status, written.body) == (204, b"")
    assert "Content-Encoding" not in written.headers and "Content-Length" not in written.headers
    health = everything.get("/health", accept)
    assert "Content-Encoding" not in health.headers


def test_head_says_what_get_would(everything):
    everything.post("/write?db=default", "\n".join(f"wide,host=h{i} v={i}" for i in range(2000)))
    path = "/api/v1/query/wide/csv?limit=2000"
    got = everything.get(path, {"Accept-Encoding": "gzip"})
    head = everything.request("HEAD", path, headers={"Accept-Encoding": "gzip"})
    assert (head.status, head.body) == (200, b"")
    for name in "Content-Encoding", "Vary", "Content-Type", "Content-Length":
        assert head.headers[name] == got.headers[name], name
    assert got.headers["Content-Encoding"] == "gzip"


def test_off_means_off(arc_start):
    arc = arc_start({"ARC_SERVER_COMPRESSION": "off"})
    for path in "/api/v1/query", CSV, MSGPACK:
        answer = ask(arc, path, SMALL, "gzip, zstd")
        assert "Content-Encoding" not in answer.headers and "Vary" not in answer.headers


def test_the_first_rows_come_before_the_last_are_made(everything):
    """A compressed stream can be read as it comes: each piece is flushed."""
    c = http.client.HTTPConnection("127.0.0.1", everything.port, timeout=60)
    sql = "SELECT range AS n FROM range(3000000)"
    c.request("POST", CSV, json.dumps({"sql": sql}), {"Accept-Encoding": "gzip"})
    answer = c.getresponse()
    inflate = zlib.decompressobj(31)
    first = inflate.decompress(answer.read(4096))
    assert first.startswith(b"n\r\n0\r\n1\r\n2\r\n")
    last = first
    while piece := answer.read(1 << 16):
        last = inflate.decompress(piece) or last
    last = inflate.flush() or last
    assert inflate.eof and last.rstrip().endswith(b"2999999")
    c.close()


def test_an_answer_that_was_remembered_is_compressed_too(everything):
    everything.post("/write?db=default", "\n".join(f"again,host=h{i} v={i}" for i in range(1000)))
    sql = "SELECT host, v FROM again ORDER BY v"
    answers = [ask(everything, "/api/v1/query", sql, coding) for coding in ("gzip", "gzip", "zstd", None)]
    assert [a.headers.get("Content-Encoding") for a in answers] == ["gzip", "gzip", "zstd", None]
    assert all(is_compressible(a) for a in answers)
    assert len({json.dumps(json.loads(unpack(a))["data"]) for a in answers}) == 1
