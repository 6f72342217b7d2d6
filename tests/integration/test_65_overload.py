"""More load than the server can take: what it acknowledged is there, what it cannot take it says at once, and it
stays within its memory. MEM-2, MEM-3."""

import json
import subprocess

import pytest

from conftest import binary

MEMORY_LIMIT_MB = 768


def is_sanitized():
    symbols = subprocess.run(["nm", "-D", binary()], capture_output=True, text=True).stdout
    return "__asan_init" in symbols or "__tsan_init" in symbols


@pytest.fixture
def small(arc_start, tmp_path):
    """A server that has little memory."""
    config = tmp_path / "small.toml"
    config.write_text(f"[memory]\nlimit = \"{MEMORY_LIMIT_MB}MB\"\n")
    return arc_start(args=["--config", str(config)])


def bench(arc_run, arc, *args):
    done = arc_run("bench", *args, "--url", arc.url, "--json", timeout=240)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


def check_memory(result):
    if not is_sanitized():  # shadow memory and quarantine count as resident
        assert result["server_peak_bytes_in_run"] <= MEMORY_LIMIT_MB << 20


def test_overload_loses_nothing(small, arc_run):
    """MEM-3, F13: 120 % of the peak, offered over 1,000 connections."""
    ceiling = ["--ceiling-mb", "100000"] if is_sanitized() else []
    done, results = bench(arc_run, small, "overload", "--seconds", "3", "--rows", "500", *ceiling)
    assert done.returncode == 0, (done.stdout, done.stderr)
    peak, over, summary = results
    for result in (peak, over):
        assert result["verified"] is True, result
        assert set(result["answers"]) <= {"204", "503"}
        assert result["rows_found"] == result["answers"]["204"] * 500
        check_memory(result)
    assert over["connections"] == 1000
    assert summary["answers"] == over["answers"]
    assert summary["ceiling_bytes"] == (MEMORY_LIMIT_MB << 20 if not ceiling else 100000 << 20)


def test_a_flood_is_refused_and_then_it_is_over(small, arc_run):
    """30 million rows a second are offered, which no server on this machine takes: some of it is refused or finds no
    free connection. Afterwards everything is as it was."""
    done, results = bench(arc_run, small, "write", "--rate", "30000", "--connections", "1000", "--seconds", "2")
    assert done.returncode == 0, (done.stdout, done.stderr)
    result, = results
    assert result["verified"] is True, result
    assert set(result["answers"]) <= {"204", "503"}
    assert result["answers"].get("503", 0) + result["not_sent"] > 0
    assert result["rows_found"] == result["answers"]["204"] * 1000
    check_memory(result)
    assert small.get("/ready").status == 200
    # the bench flushed what was in memory: there is room again, at once
    assert small.post("/api/v1/write/line-protocol?db=after", "calm v=1 1000000000").status == 204
    assert small.rows("SELECT count(*) FROM after.calm") == [[1]]


def test_refusals_say_when_to_come_again(small):
    """MEM-2: more than fits, faster than it is flushed, is refused with 503, never with 4xx."""
    line = "big,host=a " + ",".join(f"f{i}=1.5" for i in range(900)) + " "
    statuses = set()
    for batch in range(40):
        body = "\n".join(line + str((batch * 200 + i) * 1000) for i in range(200))
        answer = small.post("/api/v1/write/line-protocol?db=big", body)
        statuses.add(answer.status)
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) >= 1
    assert statuses <= {204, 503}


def test_no_connection_is_forgotten(arc_module, arc_run):
    """Of 512 and 256 connections each waits for its answer before it goes on: a server that overlooks some of them
    while nothing else happens never ends a round. F26."""
    for connections in (256, 512, 256, 128):
        _, results = bench(arc_run, arc_module, "write", "--format", "lp", "--rows", "1", "--connections",
                           str(connections), "--seconds", "1.5", "--no-flush")
        result, = results
        assert set(result["answers"]) == {"204"}, result
        assert result["verified"] is True
