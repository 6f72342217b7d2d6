"""arc bench against the real server: what it says it wrote is there, and what it reads is whole."""

import json
import pathlib
import re
import subprocess

import pytest

from conftest import ROOT, binary, environment


def bench(arc_run, arc, *args, code=0):
    done = arc_run("bench", *args, "--url", arc.url, "--json", timeout=120)
    assert done.returncode == code, (done.stdout, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("workload", ["iot", "finance"])
@pytest.mark.parametrize("kind", [
    ["--format", "msgpack"],
    ["--format", "lp"],
    ["--format", "msgpack", "--values", "realistic", "--threads", "2"],
    ["--format", "msgpack", "--compress", "zstd", "--pool", "5"],
    ["--format", "lp", "--compress", "gzip", "--pool", "5"],
])
def test_every_acknowledged_row_is_there(arc_module, arc_run, workload, kind):
    result, = bench(arc_run, arc_module, "write", "--workload", workload, *kind,
                    "--requests", "61", "--rows", "50", "--connections", "7")
    assert result["verified"] is True, result
    assert result["answers"] == {"204": 61}
    assert result["rows"] == result["rows_found"] == 61 * 50
    table = result["table"]
    assert arc_module.rows(f"SELECT count(*) FROM bench.{table}") == [[61 * 50]]
    columns = [row[0] for row in arc_module.rows(f"DESCRIBE bench.{table}")]
    assert len(columns) == {"iot": 5, "finance": 10}[workload] and columns[0] == "time"
    name, most = ("host", 50) if workload == "iot" else ("symbol", 500)
    (names, lowest), = arc_module.rows(f"SELECT count(DISTINCT {name}), min({name}) FROM bench.{table}")
    assert 1 < names <= most and re.fullmatch(name + r"_0\d+", lowest)


def test_single_rows_on_many_connections(arc_module, arc_run):
    result, = bench(arc_run, arc_module, "write", "--format", "lp", "--rows", "1", "--connections", "64",
                    "--seconds", "0.5", "--warmup", "0.1")
    assert result["verified"] is True and result["rows"] > 64
    assert result["server_ns_per_row"] > 0 and result["server_peak_bytes"] > 1 << 20
    latency = result["latency_ms"]
    assert 0 < latency["min"] <= latency["p50"] <= latency["p99"] <= latency["p999"] <= latency["max"]


def test_people_get_words(arc_module, arc_run):
    done = arc_run("bench", "write", "--requests", "12", "--rows", "10", "--url", arc_module.url)
    assert done.returncode == 0
    assert "verified: 120 rows acknowledged, 120 found, each once" in done.stdout
    for word in ["rows/s", "p999", "answers", "ns of CPU a row", "resident"]:
        assert word in done.stdout


def test_queries_answer_whole_in_each_format(arc_module, arc_run):
    loaded, *results = bench(arc_run, arc_module, "query", "--rows", "20000", "--seconds", "0.01")
    assert loaded["verified"] is True and loaded["rows"] == 20000
    assert [r for r in results if r["failed"]] == []
    rows = {(r["phase"], r["query"], r["format"]): r["rows"] for r in results}
    for phase in ["hot", "parquet"]:
        assert rows[phase, "count", "json"] == 1
        assert rows[phase, "hosts", "json"] == rows[phase, "last", "json"] == 50
        for form in ["json", "arrow", "msgpack", "csv"]:
            assert rows[phase, "rows-10k", form] == 10000
            assert rows[phase, "rows-1m", form] == 20000
    assert all(r["runs"] >= 3 and r["bytes"] > 0 for r in results)
    assert all(r["files"] > 0 for r in results if r["phase"] == "parquet")
    again = bench(arc_run, arc_module, "query", "--table", loaded["table"], "--only", "count", "--seconds", "0",
                  "--connections", "4")
    assert [(r["phase"], r["query"], r["failed"]) for r in again] == [("as is", "count", 0)]


def own_server(arc_run, tmp_path, *args):
    """A run with a server of its own, whose data is gone afterwards."""
    done = arc_run("bench", *args, "--serve", str(tmp_path), "--json", timeout=240)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert list(tmp_path.iterdir()) == []
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_disk_is_measured(arc_run, tmp_path):
    done = arc_run("bench", "disk", str(tmp_path), "--files", "2", "--file-mb", "3", "--appends", "5", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["bytes"] == 6 << 20 and result["bytes_per_s"] > 0
    assert result["append_4096"]["n"] == result["append_1048576"]["n"] == 5
    assert list(tmp_path.iterdir()) == []
    assert "MB/s" in arc_run("bench", "disk", str(tmp_path), "--files", "1", "--file-mb", "1", "--appends", "1").stdout


def test_requests_at_a_rate(arc_module, arc_run):
    result, = bench(arc_run, arc_module, "write", "--rate", "400", "--requests", "100", "--rows", "10",
                    "--connections", "9", "--threads", "3")
    assert result["verified"] is True
    assert result["answers"].get("204", 0) + result["not_sent"] == 99  # three threads with 33 each
    assert result["rows_found"] == result["answers"]["204"] * 10


@pytest.mark.parametrize("durability", ["synced", "written", "memory"])
def test_each_durability_is_acknowledged_and_there(arc_module, arc_run, durability):
    result, = bench(arc_run, arc_module, "write", "--requests", "50", "--rows", "10", "--durability", durability)
    assert result["verified"] is True and result["durability"] == durability
    assert result["answers"] == {"204": 50}


def test_the_log_costs_what_it_costs(arc_run, tmp_path):
    before, *runs, after, summary = own_server(arc_run, tmp_path, "write", "--compare", "--pairs", "2", "--requests",
                                               "40", "--rows", "200", "--seconds", "0.1")
    assert before["bench"] == after["bench"] == "disk"
    assert [run["log"] for run in runs] == [False, True, True, False]
    assert all(run["verified"] and run["answers"] == {"204": 40} for run in runs)
    for run in runs:
        assert (run["log_bytes_per_row"] > 0) == run["log"]
        assert (run["log_syncs"] > 0) == run["log"]
        assert run["file_bytes_per_row"] > 0
    assert summary["ratio"] > 0 and summary["disk_rows_per_s"] > 0
    assert summary["with_log"]["answers"] == {"204": 80}


def test_acknowledged_is_visible(arc_run, tmp_path):
    """ACK-2: after each 204 a query on another connection sees the row, under load and while it is flushed."""
    result, = own_server(arc_run, tmp_path, "visible", "--checks", "400", "--rate", "100", "--rows", "100")
    assert result["checks"] == result["rows_found"] == 400
    assert result["missing"] == 0


@pytest.mark.parametrize("form", [["--rows", "1000"], ["--format", "lp", "--rows", "1"]])
def test_a_killed_server_recovers_every_row(arc_run, tmp_path, form):
    """I5: what was acknowledged is there once after SIGKILL."""
    written, recovered = own_server(arc_run, tmp_path, "recovery", "--log-mb", "4", *form)
    assert set(written["answers"]) == {"204"}
    assert recovered["verified"] is True, recovered
    assert recovered["rows"] >= written["answers"]["204"] * written["rows_per_request"]
    assert recovered["log_bytes"] >= 4 << 20


def test_many_measurements(arc_run, tmp_path):
    result, = own_server(arc_run, tmp_path, "tables", "--tables", "300", "--rows", "50", "--seconds", "2")
    stored = result["answers"].get("204", 0)
    assert set(result["answers"]) == {"204"} and stored + result["not_sent"] == 12
    assert result["rows_found"] == 300 + stored * 50


def test_failure_and_misuse_have_their_codes(arc_module, arc_run):
    gone = arc_run("bench", "write", "--url", "http://127.0.0.1:1", "--seconds", "1")
    assert gone.returncode == 1 and "Connection refused" in gone.stderr
    absent = arc_run("bench", "query", "--table", "never_written", "--url", arc_module.url)
    assert absent.returncode == 1 and "never_written" in absent.stderr
    for args in [[], ["read"], ["write", "--rows", "0"], ["write", "--bogus"], ["write", "--url", "ftp://x"],
                 ["write", "--no-wal"], ["disk", "--url", "x"], ["recovery", "--log-mb", "0"]]:
        assert arc_run("bench", *args).returncode == 2, args
    assert "--connections" in arc_run("help", "bench").stdout


def test_demo_shows_this_machine_and_leaves_nothing(tmp_path):
    env = environment({"ARC": binary(), "DEMO_SECONDS": "6", "DEMO_EVERY": "2", "DEMO_DATA": str(tmp_path / "demo")})
    done = subprocess.run([ROOT / "scripts" / "demo"], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.stdout, done.stderr)
    for word in ["cpu0", "total", "memory_percent", "in_kib_s"]:
        assert word in done.stdout
    assert " 0 refused" in (tmp_path / "demo" / "writer.log").read_text()
    assert "everything is written" in (tmp_path / "demo" / "server.log").read_text()
    running = [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path) in cmdline(p)]
    assert running == []


def cmdline(path):
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it ended
        return ""
