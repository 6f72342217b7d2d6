"""A real Prometheus scrapes the server; what its API says is what the server counted."""

import json
import pathlib
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

CONFIG = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: arc
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""
WAIT_S = 60


class Prometheus:
    def __init__(self, directory, target_port):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        config = directory / "prometheus.yml"
        config.write_text(CONFIG.format(port=target_port))
        self.log = open(directory / "prometheus.log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'tsdb'}",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)

    def get(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression):
        """{labels as sorted pairs, without those of the target: value}"""
        found = {}
        for one in self.get("/api/v1/query", query=expression)["result"]:
            labels = {k: v for k, v in one["metric"].items() if k not in ("__name__", "instance", "job")}
            found[tuple(sorted(labels.items()))] = float(one["value"][1])
        return found

    def wait(self, expression, expected):
        """Until the expression has that value."""
        deadline = time.monotonic() + WAIT_S
        seen = None
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "Prometheus has ended"
            try:
                seen = self.values(expression)
                if seen == expected:
                    return
            except OSError as e:  # it does not listen yet
                seen = e
            time.sleep(0.1)
        raise AssertionError(f"{expression}: {seen}, expected {expected}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@pytest.fixture
def scraped(arc_start, tmp_path):
    arc = arc_start()
    prometheus = Prometheus(tmp_path, arc.port)
    yield arc, prometheus
    prometheus.stop()


def test_prometheus_reads_what_was_counted(scraped):
    arc, prometheus = scraped
    body = "".join(f"cpu,host=h{i} usage={i}.5 {1767607200000000000 + i}\n" for i in range(123))
    for _ in range(4):
        assert arc.post("/write?db=default", body).status == 204
    assert arc.post("/write?db=default", "cpu usage=").status == 400
    arc.query("SELECT * FROM cpu")
    assert arc.post("/api/v1/write/flush").status == 200
    prometheus.wait('up{job="arc"}', {(): 1.0})
    prometheus.wait("arc_ingest_records_total", {(): 492.0})
    prometheus.wait("arc_lineprotocol_requests_total", {(): 5.0})
    prometheus.wait("arc_query_requests_total", {(): 1.0})
    prometheus.wait("arc_buffer_records_buffered", {(): 0.0})
    write = (("method", "POST"), ("route", "/write"))
    prometheus.wait('arc_http_route_requests_total{route="/write"}',
                    {write + (("status", "2xx"),): 4.0, write + (("status", "4xx"),): 1.0})
    prometheus.wait('arc_http_route_latency_seconds_bucket{route="/write",le="+Inf"}',
                    {(("le", "+Inf"),) + write: 5.0})
    quantile = prometheus.values("histogram_quantile(0.99, arc_wal_sync_seconds_bucket)")
    assert 0 < quantile[()] <= 67.2
    assert prometheus.values("arc_wal_syncs_total == arc_wal_sync_seconds_count") != {}
    # it asked for OpenMetrics: units and help came along
    about = prometheus.get("/api/v1/metadata", metric="arc_wal_sync_seconds")["arc_wal_sync_seconds"]
    assert about == [{"type": "histogram", "help": "Time of one sync.", "unit": "seconds"}]
    counter = prometheus.get("/api/v1/metadata", metric="arc_ingest_records")["arc_ingest_records"]
    assert counter == [{"type": "counter", "help": "Rows stored.", "unit": ""}]
    (target,) = prometheus.get("/api/v1/targets", state="active")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")


def test_the_alerts_of_the_page_are_rules(tmp_path):
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs/observability.md").read_text()
    rules = page.split("```yaml\n")[2].split("```")[0]
    (tmp_path / "rules.yml").write_text(rules)
    done = subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(tmp_path / "rules.yml")],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {rules.count('- alert:')} rules found" in done.stdout
