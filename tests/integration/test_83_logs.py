"""The server's own log: its formats, its last lines over HTTP, and what must never stand in it."""

import datetime
import json
import re
import signal
import time

import pytest

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def wait_for_line(arc, pattern):
    """The first line on standard error that matches, as soon as it is there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for line in list(arc.stderr):
            if re.search(pattern, line):
                return line
        time.sleep(0.02)
    raise AssertionError(f"no line like {pattern}:\n" + "".join(arc.stderr))


def logs(arc, query=""):
    a = arc.get("/api/v1/logs" + query)
    assert a.status == 200, a
    return a.json()


@pytest.mark.parametrize("name, pattern", [
    ("text", rf"^{TIME} DEBUG request  GET /marked 404, [\d.]+ ms, 0 bytes in  \(request my-id-7\)$"),
    ("structured", rf'^{{"time":"{TIME}","level":"debug","event":"request","message":"GET /marked 404, [\d.]+ ms, '
                   r'0 bytes in","request_id":"my-id-7"}$'),
    ("logfmt", rf'^time={TIME} level=debug event=request message="GET /marked 404, [\d.]+ ms, 0 bytes in" '
               r"request_id=my-id-7$"),
])
def test_formats(arc_start, name, pattern):
    arc = arc_start(env={"LOG_FORMAT": name, "LOG_LEVEL": "debug"})
    a = arc.get("/marked", {"X-Request-ID": "my-id-7"})
    assert a.headers["X-Request-ID"] == "my-id-7"
    assert re.match(pattern, wait_for_line(arc, "/marked"))


def test_every_line_is_json_that_says_so(arc_start):
    arc = arc_start(env={"LOG_FORMAT": "structured", "LOG_LEVEL": "debug"})
    arc.post("/write?db=default", "cpu usage=1")
    arc.query_raw("SELECT nothing")
    arc.stop()
    for line in arc.stderr:
        entry = json.loads(line)
        assert {"time", "level", "event", "message"} <= set(entry) and entry["level"] in ("debug", "info", "warn", "error")


@pytest.mark.parametrize("name", ["text", "structured", "logfmt"])
def test_nobody_forges_a_line(arc_start, name):
    arc = arc_start(env={"LOG_FORMAT": name, "LOG_LEVEL": "debug"})
    arc.get("/evil%0A2026-01-05T10:00:00.000Z%20ERROR%20forged%1b%5b31m%0d%00x")
    arc.get("/end-of-it")
    wait_for_line(arc, "/end-of-it")
    lines = [line for line in arc.stderr if "forged" in line]
    assert len(lines) == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", lines[0])
    assert not any(line.startswith("2026-01-05T10:00:00.000Z") for line in arc.stderr)


def test_credentials_are_never_there(arc_start):
    arc = arc_start(env={"LOG_LEVEL": "debug"})
    secret = "Qm9ndXNTZWNyZXRUb2tlbjEyMzQ1Njc4OTAtYWJjZGVm"[:43]
    for headers in ({"Authorization": f"Bearer {secret}"}, {"Authorization": f"Token {secret}"}, {"x-api-key": secret},
                    {"X-Request-ID": secret}, {}):
        arc.get(f"/query?u=me&p={secret}&q=SHOW+DATABASES", headers)
        arc.post(f"/write?db=default&p={secret}", "cpu usage=1", headers)
        arc.query_raw("SELECT nothing", headers=headers)
    arc.get(f"/path/{secret}")
    arc.get("/end-of-it")
    wait_for_line(arc, "/end-of-it")
    assert secret not in "".join(arc.stderr)
    assert secret not in arc.get("/api/v1/logs?limit=1000").body.decode()
    assert any("/path/***" in line for line in arc.stderr)


def test_the_last_lines_over_http(arc_start):
    arc = arc_start(env={"LOG_LEVEL": "debug"})
    for i in range(5):
        arc.get(f"/marked/{i}", {"X-Request-ID": f"id-{i}"})
    a = logs(arc, "?limit=1000")
    assert set(a) == {"timestamp", "logs", "count", "limit", "level_filter", "since_minutes", "filters"}
    assert a["filters"] == {"limit": 1000, "level": None, "since_minutes": 60}
    assert (a["limit"], a["level_filter"], a["since_minutes"], a["count"]) == (1000, None, 60, len(a["logs"]))
    marked = [e for e in a["logs"] if "/marked/" in e["message"]]
    assert [e["request_id"] for e in marked] == ["id-4", "id-3", "id-2", "id-1", "id-0"]
    times = [datetime.datetime.fromisoformat(e["timestamp"]) for e in a["logs"]]
    assert times == sorted(times, reverse=True)
    for e in a["logs"]:
        assert e["service"] == "arc" and e["logger"] == e["component"] and e["timestamp"].endswith("Z")
    assert {"listening", "ready"} <= {e["logger"] for e in a["logs"]}
    assert logs(arc, "?limit=2")["count"] == 2


@pytest.mark.parametrize("level", ["info", "INFO", "Warning", "warn", "error", "CRITICAL", "debug"])
def test_level_is_a_threshold_in_any_case(arc_start, level):
    arc = arc_start(env={"LOG_LEVEL": "debug"})
    arc.get("/marked")
    order = ["DEBUG", "INFO", "WARNING", "ERROR"]
    least = {"WARN": "WARNING", "CRITICAL": "ERROR"}.get(level.upper(), level.upper())
    a = logs(arc, f"?limit=1000&level={level}")
    everything = logs(arc, "?limit=1000")["logs"]
    assert a["level_filter"] == a["filters"]["level"] == level
    expected = [e for e in everything if order.index(e["level"]) >= order.index(least)]
    # the calls for logs are debug lines themselves
    assert [e for e in a["logs"] if "/api/v1/logs" not in e["message"]] == \
        [e for e in expected if "/api/v1/logs" not in e["message"]]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "since_minutes=0", "since_minutes=1441",
                                   "level=loud", "level=%00"])
def test_bad_filters(arc_module, query):
    a = arc_module.get("/api/v1/logs?" + query)
    assert a.status == 400 and a.json()["success"] is False


def test_empty_filters_are_none(arc_module):
    assert logs(arc_module, "?limit=&level=&since_minutes=")["filters"] == \
        {"limit": 100, "level": None, "since_minutes": 60}


def test_nothing_is_made_up(arc_start):
    a = logs(arc_start(), "?level=error")
    assert (a["logs"], a["count"]) == ([], 0)


def test_access_lines_by_setting(arc_start):
    arc = arc_start(env={"ARC_LOGGING_ACCESS": "true"})
    for i in range(500):  # more than a flood of another event may have
        arc.get(f"/marked/{i}")
    marked = [e for e in logs(arc, "?limit=1000&level=info")["logs"] if "/marked/" in e["message"]]
    assert len(marked) == 500 and marked[0]["level"] == "INFO"


def test_a_reload_changes_the_level(arc_start, tmp_path):
    config = tmp_path / "arc.toml"
    config.write_text('[logging]\nlevel = "info"\n')
    arc = arc_start(args=["--config", str(config)])
    arc.get("/before")
    config.write_text('[logging]\nlevel = "debug"\n')
    arc.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 60
    while not any("/after" in e["message"] for e in logs(arc)["logs"]):
        assert time.monotonic() < deadline
        arc.get("/after")
    assert not any("/before" in line for line in arc.stderr)


def test_databases_leave_a_line(arc_start):
    arc = arc_start()
    assert arc.post("/api/v1/databases", json.dumps({"name": "made"})).status == 201
    assert arc.post("/write?db=by_write", "cpu usage=1").status == 204
    created = [e["message"] for e in logs(arc, "?limit=1000")["logs"] if e["logger"] == "database_created"]
    assert {"made", "by_write", "default"} <= set(created)
