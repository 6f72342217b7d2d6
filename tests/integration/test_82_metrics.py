"""Numbers: what is counted is exact, every format is well made, and looking never waits."""

import ctypes
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from metrics_table import families, rows  # noqa: E402

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")

SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)$')


def scrape(arc):
    """{(name, labels): value} of the text format, and each line is understood."""
    samples = {}
    for line in arc.get("/metrics").body.decode().splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        key = (name, labels or "")
        assert key not in samples, line
        samples[key] = float(value)
    return samples


# ---- formats ----

@pytest.mark.parametrize("accept, expected", [
    (None, TEXT), ("*/*", TEXT), ("text/plain", TEXT), (PROMETHEUS, OPENMETRICS),
    ("application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", TEXT),
    ("application/json", "application/json"), ("text/html,*/*;q=0.8", TEXT),
])
def test_metrics_by_accept(arc_module, accept, expected):
    a = arc_module.get("/metrics", {"Accept": accept} if accept else {})
    assert (a.status, a.headers["Content-Type"]) == (200, expected)
    assert a.body.endswith({TEXT: b"\n", OPENMETRICS: b"\n# EOF\n", "application/json": b"}"}[expected])


@pytest.mark.parametrize("accept, expected", [
    (None, "application/json"), ("*/*", "application/json"), ("application/json, text/plain, */*", "application/json"),
    ("text/plain", TEXT), ("application/openmetrics-text", OPENMETRICS),
])
def test_the_api_prefers_json(arc_module, accept, expected):
    a = arc_module.get("/api/v1/metrics", {"Accept": accept} if accept else {})
    assert (a.status, a.headers["Content-Type"]) == (200, expected)


def test_promtool_has_nothing_to_say(arc_module):
    arc_module.post("/write?db=default", "cpu,host=a usage=1.5")
    arc_module.query("SELECT 1")
    done = subprocess.run(["promtool", "check", "metrics"], input=arc_module.get("/metrics").body,
                          capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_openmetrics_parses_by_its_own_rules(arc_module):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    text = arc_module.get("/metrics", {"Accept": PROMETHEUS}).body.decode()
    parsed = {f.name: f for f in parser.text_string_to_metric_families(text)}
    assert parsed["arc_wal_sync_seconds"].type == "histogram"
    assert parsed["arc_wal_sync_seconds"].unit == "seconds"
    assert parsed["arc_ingest_records"].type == "counter"


def test_every_family_is_there_and_is_what_it_says(arc_start):
    arc = arc_start()
    arc.post("/write?db=default", "cpu,host=a usage=1.5")
    arc.query("SELECT * FROM cpu")
    wait_for(arc, "/api/v1/metrics", lambda a: "query_memory_bytes" in a)  # from the monitor's look
    text = arc.get("/metrics").body.decode()
    told = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.M))
    missing = []
    for name, kind, labels, help_text in families():
        shown = name + "_total" if kind == "COUNTER" else name
        if shown not in told:
            missing.append(name)
            continue
        assert told.pop(shown) == kind.lower()
        assert helps[shown] == help_text.replace('\\"', '"') + "."
    assert told == {}
    # only what has a reason not to be: see "Only there when" in docs/observability.md
    page = (ROOT / "docs/observability.md").read_text()
    assert set(missing) <= set(re.findall(r"`(\w+)`", page.split("Only there when")[1].split("\n\n")[0]))


def test_the_page_lists_all_names():
    page = (ROOT / "docs/observability.md").read_text()
    assert re.findall(r"^\| `(?:arc|process)_.*$", page, re.M) == list(rows())


# ---- values ----

def test_counts_are_exact(arc_start):
    arc = arc_start()
    before = scrape(arc)
    body = "".join(f"cpu,host=h{i} usage={i}.5 {1767607200000000000 + i}\n" for i in range(250))
    for _ in range(3):
        assert arc.post("/write?db=default", body).status == 204
    assert arc.post("/write?db=default", "cpu usage=").status == 400
    assert arc.post("/api/v1/write/msgpack", b"\xc1").status == 400
    assert len(arc.rows("SELECT host FROM cpu LIMIT 7")) == 7
    assert arc.query_raw("SELECT nothing FROM cpu").status == 400
    assert arc.post("/api/v1/write/flush").status == 200
    assert arc.get("/no/such/path").status == 404
    now = scrape(arc)

    def grew(name, labels=""):
        return now.get((name, labels), 0) - before.get((name, labels), 0)

    assert grew("arc_ingest_records_total") == 750
    assert grew("arc_ingest_bytes_total") == 3 * len(body) + len("cpu usage=") + 1
    assert grew("arc_ingest_errors_total") == 2
    assert grew("arc_lineprotocol_requests_total") == 4
    assert grew("arc_lineprotocol_errors_total") == 1
    assert arc.post("/api/v1/write/msgpack", b"\x82\xa1m\xa3cpu\xa7columns\x81\xa5usage\x92\xcb" + bytes(8) + b"\xc0").status == 204
    assert scrape(arc)["arc_msgpack_records_total", ""] == before["arc_msgpack_records_total", ""] + 2
    assert grew("arc_lineprotocol_records_total") == 750
    assert grew("arc_db_queries_total") == 2
    assert now["arc_db_connections_open", ""] == now["arc_query_slots", ""] == 16
    assert now["arc_db_connections_in_use", ""] == 0
    assert now["arc_buffer_queue_depth", ""] == 0
    assert now["arc_memory_alloc_bytes", ""] == now["arc_memory_heap_alloc_bytes", ""]
    assert grew("arc_msgpack_requests_total") == 1
    assert grew("arc_msgpack_errors_total") == 1
    assert grew("arc_query_requests_total") == 2
    assert grew("arc_query_errors_total") == 1
    assert grew("arc_http_requests_total") == 10  # and the first look itself
    assert grew("arc_http_requests_error_total") == 4
    assert grew("arc_http_requests_success_total") == 6
    assert grew("arc_http_latency_seconds_count") == 10
    assert grew("arc_http_latency_seconds_bucket", 'le="+Inf"') == 10
    assert grew("arc_http_route_requests_total", 'method="POST",route="/write",status="2xx"') == 3
    assert grew("arc_http_route_requests_total", 'method="POST",route="/write",status="4xx"') == 1
    assert grew("arc_http_route_requests_total", 'method="any",route="unknown",status="4xx"') == 1
    assert grew("arc_http_route_latency_seconds_count", 'method="POST",route="/write"') == 4
    assert now["arc_buffer_records_buffered", ""] == 0
    # rejected lines are rows as well: in _arc.rejected_writes
    assert grew("arc_buffer_records_written_total") == grew("arc_ingest_records_total") + \
        grew("arc_rejects_recorded_total")
    assert grew("arc_buffer_flush_seconds_count") >= 1
    assert grew("arc_storage_writes_total") >= 1
    assert now["arc_wal_syncs_total", ""] == now["arc_wal_sync_seconds_count", ""] > 0
    assert now["arc_wal_lsn", 'point="durable"'] == now["arc_wal_lsn", 'point="assigned"']
    assert now["arc_ready", ""] == 1
    assert [now["arc_buffer_zone", f'zone="{z}"'] for z in ("green", "yellow", "red")] == [1, 0, 0]


def test_buckets_only_rise(arc_module):
    arc_module.get("/health")
    text = arc_module.get("/metrics").body.decode()
    last = {}
    for name, labels, value in re.findall(r'^(\w+)_bucket\{(.*)le="[^"]*"\} (\S+)$', text, re.M):
        assert float(value) >= last.get((name, labels), 0)
        last[name, labels] = float(value)
    for (name, labels), value in last.items():
        inside = "{" + labels.rstrip(",") + "}" if labels else ""
        assert f"\n{name}_count{inside} {value:.0f}\n" in text


def test_no_name_of_anybody_is_told(arc_start):
    arc = arc_start()
    assert arc.post("/write?db=hidden_database", "hidden_table,hidden_tag=x hidden_field=1").status == 204
    arc.query("SELECT * FROM hidden_table", "hidden_database")
    arc.post("/api/v1/write/flush")
    arc.get("/api/v1/query/hidden_table", {"x-arc-database": "hidden_database"})
    arc.get("/hidden_path")
    for accept in ("text/plain", PROMETHEUS, "application/json"):
        assert b"hidden" not in arc.get("/metrics", {"Accept": accept}).body


def test_metrics_are_public_and_blind_to_credentials(arc_module):
    for headers in ({"Authorization": "Bearer wrong"}, {"x-api-key": "wrong"}, {"Authorization": "Basic !!"}):
        assert arc_module.get("/metrics", headers).status == 200
        assert arc_module.get("/health", headers).status == 200
    head = arc_module.request("HEAD", "/metrics")
    assert (head.status, head.body, head.headers["Content-Type"]) == (200, b"", TEXT)


# ---- JSON ----

SYSTEM = ("cpu_percent memory_percent memory_used_mb memory_available_mb disk_percent disk_used_gb disk_free_gb "
          "network_bytes_sent network_bytes_recv process_count load_average timestamp").split()
APPLICATION = ("active_connections active_influx_connections active_storage_connections total_export_jobs "
               "active_export_jobs query_engine_status scheduler_status timestamp").split()
API = ("requests_per_minute avg_response_time_ms error_rate_percent active_requests total_requests "
       "successful_requests failed_requests timestamp").split()
FLAT = ("uptime_seconds goroutines num_cpu memory_heap_alloc_bytes memory_sys_bytes gc_cycles http_requests_total "
        "http_requests_success http_requests_success_total http_requests_error http_requests_error_total http_latency_sum_us http_latency_count").split()


def wait_for(arc, path, ready):
    """The JSON of `path` as soon as ready(json)."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = arc.get(path).json()
        if ready(answer):
            return answer
        time.sleep(0.05)
    raise AssertionError(answer)


def test_json_has_what_its_readers_want(arc_module):
    a = wait_for(arc_module, "/api/v1/metrics", lambda a: a["system"] and a["application"]["rows_buffered"] is not None)
    for group, names in (("system", SYSTEM), ("application", APPLICATION), ("api", API)):
        assert set(names) <= set(a[group]), group
    assert len(a["system"]["load_average"]) == 3
    assert a["collection_status"]["running"] is True and a["collection_status"]["retention_minutes"] == 60
    assert a["collection_status"]["samples_collected"] >= 1
    assert a["application"]["query_engine_status"] == "running"
    for name in FLAT:
        assert isinstance(a[name], (int, float)) and not isinstance(a[name], bool), name
    assert a["goroutines"] > 3 and a["num_cpu"] >= 1
    assert a["http_latency_count"] == a["http_requests_total"]
    for group in ("system", "application", "api"):
        assert a[group]["timestamp"].endswith("Z")


def test_history(arc_start):
    arc = arc_start(env={"ARC_METRICS_TIMESERIES_INTERVAL_SECONDS": "1",
                         "ARC_METRICS_TIMESERIES_RETENTION_MINUTES": "1"})
    values = {"system": {"memory_heap_mb", "goroutines", "gc_cycles"}, "application": {"storage_writes_total", "storage_reads_total"},
              "api": {"http_requests_total", "http_latency_avg_us"}}
    for group, wanted in values.items():
        a = wait_for(arc, f"/api/v1/metrics/timeseries/{group}", lambda a: a["points_count"] >= 3)
        assert (a["metric_type"], a["type"], a["duration_minutes"]) == (group, group, 30)
        assert len(a["data"]) == a["points_count"]
        times = [p["timestamp"] for p in a["data"]]
        assert times == sorted(times)
        for p in a["data"]:
            assert wanted <= set(p["values"])
            assert all(p[k] == v for k, v in p["values"].items())
    last = a["data"][-1]
    assert last["total_requests"] == last["successful_requests"] + last["failed_requests"]
    assert isinstance(last["requests_per_minute"], (int, float))
    assert arc.get("/api/v1/metrics/timeseries/api?duration_minutes=1440").json()["duration_minutes"] == 1440


@pytest.mark.parametrize("path", ["nothing", "system?duration_minutes=0", "system?duration_minutes=1441", "api?duration_minutes=x"])
def test_history_of_nothing(arc_module, path):
    a = arc_module.get(f"/api/v1/metrics/timeseries/{path}")
    assert a.status == 400 and a.json()["success"] is False


def test_endpoints(arc_start):
    arc = arc_start()
    arc.post("/write?db=default", "cpu usage=1")
    arc.query("SELECT * FROM cpu")
    arc.query_raw("SELECT nothing")
    a = arc.get("/api/v1/metrics/endpoints").json()
    assert a["endpoint_stats"]["POST /api/v1/query"]["count"] == 2
    assert a["endpoint_stats"]["POST /api/v1/query"]["errors"] == 1
    one = a["endpoint_stats"]["POST /write"]
    assert one["count"] == 1 and 0 < one["avg_ms"] <= one["max_ms"] and one["p50_ms"] <= one["p99_ms"] <= one["max_ms"]
    assert a["query"]["requests_total"] == 2 and a["query"]["errors_total"] == 1
    assert a["query"]["success_total"] == 1 and a["query"]["rows_total"] == 1
    assert a["ingestion"]["records_total"] == 1 and a["ingestion"]["bytes_total"] == len("cpu usage=1")
    groups = {"http": "requests_total requests_success requests_error latency_avg_ms",
              "query": "requests_total success_total errors_total rows_total latency_avg_ms",
              "ingestion": "records_total bytes_total batches_total errors_total",
              "buffer": "records_buffered records_written_total flushes_total errors_total queue_depth",
              "storage": "writes_total write_bytes_total reads_total read_bytes_total errors_total",
              "compaction": "jobs_total"}
    for group, names in groups.items():
        for name in names.split():
            assert isinstance(a[group][name], (int, float)), (group, name)


# ---- nothing waits ----

PTRACE_CONT, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 7, 17, 0x4206, 0x4207
WALL = 0x40000000


class Frozen:
    """All threads of a process stand still but those that serve connections."""

    def __init__(self, pid, keep):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self.libc.ptrace.restype = ctypes.c_long
        self.tasks = {}
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            name = (task / "comm").read_text().strip()
            if not re.match(keep, name):
                self.tasks[int(task.name)] = name

    def _call(self, request, tid):
        if self.libc.ptrace(request, tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace {request} of {self.tasks[tid]}")

    def __enter__(self):
        for tid in self.tasks:
            self._call(PTRACE_SEIZE, tid)
            self._call(PTRACE_INTERRUPT, tid)
            os.waitpid(tid, WALL)
        return self

    def __exit__(self, *_):
        for tid in self.tasks:
            self._call(PTRACE_DETACH, tid)


def test_health_waits_for_nothing(arc_start):
    """The committer, the workers, the pool of queries, the flusher: all stand still, with work before them."""
    arc = arc_start(env={"ARC_SERVER_SANDBOX": "off"})
    assert arc.post("/write?db=default", "cpu usage=1").status == 204
    assert arc.rows("SELECT count(*) FROM cpu") == [[1]]
    answers = []

    def ask(call):
        answers.append(call().status)

    with Frozen(arc.process.pid, r"http|listen") as frozen:
        assert {"committer", "flusher"} <= set(frozen.tasks.values()), frozen.tasks
        work = []
        for i in range(8):  # no query that a kept result answers
            work += [lambda: arc.post("/write?db=default", "cpu usage=2"), lambda: arc.post("/api/v1/write/flush"),
                     lambda i=i: arc.query_raw(f"SELECT count(*) + {i} FROM cpu")]
        threads = [threading.Thread(target=ask, args=(call,)) for call in work]
        for t in threads:
            t.start()
        wait_for(arc, "/api/v1/metrics", lambda a: a["http_requests_in_flight"] == len(work) + 1)
        for _ in range(20):
            assert arc.get("/health").json()["status"] == "healthy"
            assert arc.request("HEAD", "/health").status == 200
            assert arc.get("/ready").status == 200
            assert arc.get("/metrics").status == 200
            assert arc.get("/api/v1/metrics").status == 200
        assert answers == []
    for t in threads:
        t.join()
    assert sorted(answers) == [200] * 16 + [204] * 8


# ---- readiness ----

def test_ready_says_why(arc_module):
    a = arc_module.get("/ready").json()
    assert a["status"] == "ready"
    assert set(a["checks"]) >= {"database", "api_server", "scheduler"} and all(a["checks"].values())
    assert a["details"] == {"active_storage_connection": True, "query_engine_initialized": True,
                            "total_storage_connections": 1, "active_influx_connection": False,
                            "total_influx_connections": 0}
