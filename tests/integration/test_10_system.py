"""Is it there, does it answer, does it start and stop: no data yet."""

import datetime
import http.client
import json
import pathlib
import re
import signal
import socket
import time

import pytest

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


def raw(arc, text, more=b"", read_all=True):
    """Bytes over a socket of our own; what comes back until the server closes or says no more."""
    with socket.create_connection(("127.0.0.1", arc.port), timeout=20) as s:
        s.sendall(text)
        if more:
            s.sendall(more)
        got = b""
        while read_all or b"\r\n\r\n" not in got:
            part = s.recv(65536)
            if not part:
                break
            got += part
        return got


def test_root(arc_module):
    a = arc_module.get("/")
    assert a.status == 200
    assert a.headers["Content-Type"] == "application/json"
    assert a.json() == {"service": "arc", "version": "0.1.0", "status": "running", "docs": "/docs", "health": "/health",
                        "ready": "/ready"}


def test_health_has_what_every_client_wants(arc_module):
    h = arc_module.get("/health").json()
    assert h["status"] == "healthy"
    assert h["name"] == "influxdb-compatible"
    assert isinstance(h["version"], str) and isinstance(h["uptime"], str)
    assert isinstance(h["uptime_sec"], float)
    for key in ("time", "timestamp"):
        assert h[key].endswith("Z")
        age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(h[key])
        assert abs(age.total_seconds()) < 60


def test_ready(arc_module):
    a = arc_module.get("/ready")
    assert (a.status, a.json()["status"]) == (200, "ready")


def test_ping(arc_module):
    for method in ("GET", "HEAD"):
        a = arc_module.request(method, "/ping")
        assert (a.status, a.body) == (204, b"")
        assert a.headers["X-Influxdb-Version"] == "1.8.10"
        assert a.headers["X-Influxdb-Build"] == "OSS"
        assert a.headers["Content-Length"] is None
    assert arc_module.get("/ping?verbose=true").json() == {"version": "1.8.10"}
    assert arc_module.get("/ping?verbose=0").status == 204


@pytest.mark.parametrize("path", ["/", "/health", "/ready"])
def test_head_is_get_without_a_body(arc_module, path):
    get, head = arc_module.get(path), arc_module.request("HEAD", path)
    assert (head.status, head.body) == (get.status, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer nonsense"}, {"Authorization": "Token a:b"}, {"Authorization": "Basic Og=="},
    {"Authorization": ""}, {"x-api-key": "wrong"}])
def test_public_paths_do_not_look_at_credentials(arc_module, headers):
    for path in ("/", "/health", "/ready", "/ping", "/health?p=secret"):
        assert arc_module.get(path, headers).status in (200, 204)


def test_a_trailing_slash_is_the_same_route_without_redirect(arc_module):
    assert arc_module.get("/health/").json()["status"] == "healthy"
    assert arc_module.post("/api/v1/write/line-protocol/", "").status == 204


def test_paths_are_decoded_and_normalised(arc_module):
    assert arc_module.get("/%68ealth").status == 200
    assert b"200 OK" in raw(arc_module, b"GET /a/../health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"200 OK" in raw(arc_module, b"GET http://x/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("method,path", [("GET", "/nope"), ("POST", "/api/v1/nope"), ("DELETE", "/api/v1/write/x/y")])
def test_unknown_route(arc_module, method, path):
    a = arc_module.request(method, path, b"{}")
    text = f"Cannot {method} {path}"
    assert a.status == 404
    assert a.json() == {"success": False, "error": text, "message": text, "detail": text, "code": "not_found"}


def test_wrong_method(arc_module):
    a = arc_module.request("PUT", "/api/v1/databases", b"x")
    assert a.status == 405
    assert a.headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    assert a.json()["code"] == "method_not_allowed"
    assert arc_module.get("/write").headers["Allow"] == "POST, OPTIONS"


def test_verify_is_unknown_where_nobody_is_asked_for_tokens(arc_module):
    assert arc_module.get("/api/v1/auth/verify").status == 404


def test_request_id_is_echoed_or_made(arc_module):
    assert arc_module.get("/health", {"X-Request-ID": "my-id-1"}).headers["X-Request-ID"] == "my-id-1"
    made = arc_module.get("/health").headers["X-Request-ID"]
    assert UUID4.match(made)
    assert arc_module.get("/health").headers["X-Request-ID"] != made
    for bad in ("a b", "x" * 200):
        assert UUID4.match(arc_module.get("/health", {"X-Request-ID": bad}).headers["X-Request-ID"])


def test_cors(arc_module):
    a = arc_module.request("OPTIONS", "/api/v1/query", headers={
        "Origin": "http://page", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-arc-database"})
    assert (a.status, a.body) == (204, b"")
    assert a.headers["Access-Control-Allow-Origin"] == "*"
    assert "PATCH" in a.headers["Access-Control-Allow-Methods"]
    assert a.headers["Access-Control-Allow-Headers"] == "authorization,x-arc-database"
    a = arc_module.get("/health", {"Origin": "http://page"})
    assert "X-Row-Count" in a.headers["Access-Control-Expose-Headers"]
    assert arc_module.get("/health").headers["Access-Control-Allow-Origin"] is None


def test_cors_origins_are_a_list(arc_start):
    arc = arc_start({"CORS_ORIGINS": "http://a, https://b"})
    assert arc.get("/health", {"Origin": "https://b"}).headers["Access-Control-Allow-Origin"] == "https://b"
    assert arc.get("/health", {"Origin": "https://c"}).headers["Access-Control-Allow-Origin"] is None
    for origin in {"Origin": "https://b"}, {"Origin": "https://c"}, {}:  # a cache must not give one's answer to another
        assert arc.get("/health", origin).headers["Vary"] == "Origin"


def test_browsers_are_told_what_not_to_do(arc_module):
    h = arc_module.get("/health").headers
    assert h["X-Content-Type-Options"] == "nosniff"
    assert h["X-Frame-Options"] == "DENY"
    assert h["Content-Security-Policy"] == "default-src 'none'"


def test_connections_are_kept_and_pipelined(arc_module):
    got = raw(arc_module, b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n" * 20 +
              b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert got.count(b"HTTP/1.1 204 No Content") == 21


def test_expect_100_continue(arc_module):
    with socket.create_connection(("127.0.0.1", arc_module.port), timeout=20) as s:
        s.sendall(b"POST /api/v1/write/line-protocol HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n"
                  b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
        assert s.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"exp v=1\n")
        assert s.recv(1000).startswith(b"HTTP/1.1 204 ")


def test_get_with_a_length_of_zero_and_odd_content_types(arc_module):
    assert arc_module.request("GET", "/health", headers={"Content-Length": "0"}).status == 200
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "nonsense"):
        assert arc_module.post("/api/v1/query", '{"sql": "SELECT 1"}', {"Content-Type": kind}).status == 200


def test_stop_finishes_what_runs_and_keeps_the_data(arc_start, tmp_path):
    arc = arc_start(data=tmp_path / "kept")
    assert arc.post("/write?db=d", "m,t=a v=1 1000\nm,t=b v=2 2000").status == 204
    with socket.create_connection(("127.0.0.1", arc.port), timeout=30) as s:
        s.sendall(b"POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n")
        s.sendall(b"m,t=c v")  # a request in flight, half of its body there
        while arc.get("/health").status != 200:
            pass
        arc.process.send_signal(signal.SIGTERM)
        while "stopping" not in "".join(arc.stderr):
            time.sleep(0.01)
        s.sendall(b"=3 3000  ")
        got = s.recv(4000)
    assert got.startswith(b"HTTP/1.1 204 ")
    assert b"Connection: close" in got
    arc.stop(told=True)
    again = arc_start(data=tmp_path / "kept")
    assert again.rows("SELECT t, v FROM d.m ORDER BY t") == [["a", 1.0], ["b", 2.0], ["c", 3.0]]


def test_an_idle_connection_does_not_hold_up_a_stop(arc_start):
    arc = arc_start()
    with socket.create_connection(("127.0.0.1", arc.port)):
        began = time.monotonic()
        arc.stop()
        assert time.monotonic() - began < 20


def test_a_second_signal_ends_it_at_once(arc_start):
    arc = arc_start()
    with socket.create_connection(("127.0.0.1", arc.port)) as s:
        s.sendall(b"POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\nm")
        while arc.get("/health").status != 200:
            pass
        arc.process.send_signal(signal.SIGTERM)
        while "stopping" not in "".join(arc.stderr):
            time.sleep(0.01)
        arc.process.send_signal(signal.SIGTERM)
        arc.stop(expect=1, told=True)


def test_the_port_and_the_data_directory_belong_to_one_server(arc_start, arc_run, tmp_path):
    arc = arc_start(data=tmp_path / "one")
    r = arc_run("serve", "--port", str(arc.port), "--data", str(tmp_path / "two"))
    assert r.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {arc.port}: Address already in use" in r.stderr
    # the first token is not used up by a start that finds the port taken
    tokens = {"AUTH_ENABLED": "true"}
    r = arc_run("serve", "--port", str(arc.port), "--data", str(tmp_path / "three"), "--host", "127.0.0.1", env=tokens)
    assert r.returncode == 1 and "Admin API token" not in r.stderr
    three = arc_start(tokens, data=tmp_path / "three")
    three.stop()
    assert "Admin API token" in "".join(three.stderr)
    r = arc_run("serve", "--port", "0", "--data", str(tmp_path / "one"))
    assert r.returncode == 1
    assert str(tmp_path / "one") in r.stderr


@pytest.mark.parametrize("text,says", [
    ("[server]\nprot = 1\n", "2:1: there is no setting 'server.prot', did you mean server.port?"),
    ("[server]\nport = 'x'\n", "2:1: server.port must be an integer, found a string"),
    ("[server]\n\nport = 70000\n", "3:1: server.port = 70000 is out of range"),
    ("port =\n", "1:7: found the end of the line, expected a value"),
])
def test_a_bad_configuration_is_78(arc_run, tmp_path, text, says):
    path = tmp_path / "arc.toml"
    path.write_text(text)
    r = arc_run("serve", "--config", str(path))
    assert r.returncode == 78
    assert f"{path}:{says}" in r.stderr


def test_a_bad_environment_is_78_and_a_missing_file_too(arc_run, tmp_path):
    r = arc_run("serve", env={"ARC_PORT": "eighty"})
    assert (r.returncode, "ARC_PORT" in r.stderr) == (78, True)
    r = arc_run("serve", env={"AUTH_ENABLED": "perhaps"})
    assert (r.returncode, "AUTH_ENABLED" in r.stderr) == (78, True)
    r = arc_run("serve", "--config", str(tmp_path / "none.toml"))
    assert (r.returncode, "none.toml" in r.stderr) == (78, True)


def test_settings_come_from_file_environment_and_options(arc_start, tmp_path):
    path = tmp_path / "arc.toml"
    path.write_text('[storage]\ndatabase = "from_file"\n[logging]\nlevel = "error"\n')
    arc = arc_start({"ARC_CONFIG_FILE": str(path), "LOG_LEVEL": "info"})
    assert arc.get("/api/v1/databases").json()["databases"][0]["name"] == "from_file"
    arc.stop()
    arc = arc_start({"ARC_CONFIG_FILE": str(path), "STORAGE_DATABASE": "from_env", "LOG_LEVEL": "info"})
    assert arc.get("/api/v1/databases").json()["databases"][0]["name"] == "from_env"


@pytest.mark.parametrize("args,code,says", [
    ((), 2, "Usage: arc VERB"),
    (("serv",), 2, "did you mean serve?"),
    (("serve", "--prot", "1"), 2, "did you mean --port?"),
    (("serve", "--port"), 2, "option --port needs a value"),
    (("serve", "--port", "x"), 2, "server.port = 'x' is not a whole number"),
    (("serve", "more"), 2, "one argument too many: 'more'"),
    (("query",), 2, "the SQL is missing"),
    (("query", "--format", "xml", "SELECT 1"), 2, "--format 'xml' is not table, json, csv or arrow"),
    (("write",), 2, "the file is missing"),
    (("write", "-", "--precision", "d"), 2, "--precision 'd' is not"),
    (("help", "nothing"), 2, "unknown verb 'nothing'"),
])
def test_wrong_calls_are_2_with_a_hint(arc_run, args, code, says):
    r = arc_run(*args)
    assert r.returncode == code
    assert says in r.stderr


@pytest.mark.parametrize("verb", ["serve", "query", "write", "bench", "version", "help"])
def test_every_verb_has_help(arc_run, verb):
    by_verb, by_option = arc_run("help", verb), arc_run(verb, "--help")
    assert by_verb.returncode == by_option.returncode == 0
    assert by_verb.stdout == by_option.stdout
    assert f"arc {verb}" in by_verb.stdout or verb == "help"


def test_version(arc_run):
    assert arc_run("version").stdout == "arc 0.1.0\n"


def test_every_setting_is_in_the_documentation(arc_run):
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text()
    table = arc_run("config", "reference").stdout
    assert table.count("\n") > 20
    assert table in text


def test_requests_are_logged_without_their_secrets(arc_start):
    arc = arc_start({"LOG_LEVEL": "debug", "LOG_FORMAT": "structured"})
    arc.post("/write?db=d&u=me&p=s3cret", "m v=1", {"Authorization": "Bearer s3cret", "X-Request-ID": "look-here"})
    arc.stop()
    text = "".join(arc.stderr)
    lines = [json.loads(line) for line in arc.stderr]
    assert [x for x in lines if x.get("request_id") == "look-here" and "POST /write 204" in x["message"]]
    assert "s3cret" not in text


def test_a_server_open_to_others_warns(arc_start):
    arc = arc_start(args=["--host", "0.0.0.0"])
    assert "no_authentication" in "".join(arc.stderr)
    assert http.client.HTTPConnection("127.0.0.1", arc.port).connect() is None
