"""One budget: what is shown of it, the zones, writes that wait for memory, and 256 MiB under load."""

import asyncio
import contextlib
import gzip
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import threading
import time

import msgpack
import pytest

from conftest import binary

T = 1767607200
MIB = 1 << 20
LINES = "/api/v1/write/line-protocol?precision=s"
MSGPACK = "/api/v1/write/msgpack"
NEVER = {"BUFFER_AGE_SECONDS": "3600", "BUFFER_SIZE": "1000000000"}  # rows stay in memory while memory is green


def is_sanitized():
    symbols = subprocess.run(["nm", "-D", binary()], capture_output=True, text=True).stdout
    return "__asan_init" in symbols or "__tsan_init" in symbols


def memory(arc):
    answer = arc.get("/api/v1/metrics/memory")
    assert answer.status == 200, answer
    return answer.json()


def settings(tmp_path, text):
    path = tmp_path / "memory.toml"
    path.write_text(text)
    return ["--config", str(path)]


def columnar(first, n):
    return msgpack.packb({"m": "held", "columns": {"time": [(T + i) * 1_000_000 for i in range(first, first + n)],
                                                   "v": [float(i) for i in range(first, first + n)]}})


class Held:
    """A server whose rows cannot leave memory: where the measurement's directory would be stands a file."""

    ROWS = 20_000

    def __init__(self, arc):
        self.arc = arc
        self.rows = self.refused = 0
        self.obstacle = arc.data / "arc" / "default" / "held"
        self.obstacle.parent.mkdir(parents=True, exist_ok=True)
        self.obstacle.write_text("in the way")

    def write(self, n=ROWS):
        answer = self.arc.post(MSGPACK, columnar(self.rows, n))
        assert answer.status in (204, 503), answer
        if answer.status == 204:
            self.rows += n
        else:
            self.refused += 1
        return answer

    def fill(self, zone, percent=0):
        """Write until memory is in that zone and so much is in use; what then is shown."""
        for _ in range(1000):
            shown = memory(self.arc)
            if shown["zone"] == zone and shown["parts"]["rows"]["percent"] >= percent:
                return shown
            assert self.write().status == 204
        raise AssertionError("memory does not fill")

    def remove_obstacle(self):
        if self.obstacle.is_file():
            self.obstacle.unlink()

    def let_go(self):
        self.remove_obstacle()
        assert self.arc.post("/api/v1/write/flush").status == 200

    def check_rows(self):
        """Everything that was acknowledged, once."""
        assert self.arc.rows("SELECT count(*), count(DISTINCT v), coalesce(sum(v), 0) FROM held") == [
            [self.rows, self.rows, self.rows * (self.rows - 1) / 2]]


@pytest.fixture
def hold(arc_start, tmp_path):
    """Make one, with these settings of [ingestion]; what it holds can be written before the server stops."""
    made = []

    def make(text):
        made.append(Held(arc_start(NEVER, settings(tmp_path, f"[ingestion]\n{text}\n"))))
        return made[-1]

    yield make
    for held in made:
        held.remove_obstacle()


# ---- what is shown ----


def test_what_is_shown(arc_start):
    arc = arc_start({"ARC_MEMORY_LIMIT": "1GB"})
    shown = memory(arc)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", shown["timestamp"])
    process = shown["process"]
    assert process["pid"] == arc.process.pid
    status = pathlib.Path(f"/proc/{arc.process.pid}/status").read_text()
    threads = int(re.search(r"Threads:\s+(\d+)", status)[1])
    assert abs(process["num_threads"] - threads) <= 3
    assert 1 < process["rss_mb"] <= process["peak_rss_mb"] and process["rss_mb"] < process["vms_mb"]
    assert process["anonymous_mb"] + process["shared_mb"] == pytest.approx(process["rss_mb"], abs=1)
    assert 0 < process["memory_percent"] < 100 and process["num_fds"] > 5 and process["cpu_percent"] >= 0
    limit, parts = shown["limit"], shown["parts"]
    assert (limit["bytes"], limit["from"]) == (1 << 30, "memory.limit")
    assert limit["bytes"] <= limit["available_bytes"] <= limit["machine_bytes"]
    assert limit["available_by"] == "machine" or os.path.isfile(limit["available_by"])
    named = ["rows", "queries", "request_bodies", "rest"]
    assert sum(parts[name]["limit_bytes"] for name in named) == 1 << 30
    assert all(0 <= parts[name]["used_bytes"] for name in named + ["statements"])
    assert (shown["zone"], shown["delay_ms"], shown["recommendations"]) == ("green", 0, [])
    assert shown["allocator"]["name"] == "glibc" and shown["spilled_bytes"] == 0


def test_a_part_shows_what_is_in_it(arc_start):
    arc = arc_start(NEVER)
    assert memory(arc)["parts"]["rows"]["used_bytes"] == 0
    assert arc.post(MSGPACK, columnar(0, 100_000)).status == 204
    assert 1_600_000 <= memory(arc)["parts"]["rows"]["used_bytes"] <= 4_000_000  # 16 bytes a row
    assert arc.post("/api/v1/write/flush").status == 200
    assert memory(arc)["parts"]["rows"]["used_bytes"] == 0


def test_without_a_limit_it_is_three_quarters_of_what_there_is(arc):
    limit = memory(arc)["limit"]
    assert limit["from"] == "available"
    assert limit["bytes"] == pytest.approx(limit["available_bytes"] * 0.75, rel=0.01)


@pytest.mark.parametrize("env, sentence", [
    ({"ARC_MEMORY_LIMIT": "512MB", "DUCKDB_MEMORY_LIMIT": "2GB"},
     "duckdb.memory_limit (2048 MiB) + 88 MiB for all else are 2136 MiB, more than memory.limit (512 MiB)"),
    ({"ARC_MEMORY_LIMIT": "900000GB"}, "is more than the "),
    ({"ARC_MEMORY_LIMIT": "64MB"}, "arc needs at least 128 MiB"),
    ({"ARC_MEMORY_LIMIT": "plenty"}, "is not a size such as 512MB or 8GB"),
])
def test_what_does_not_fit_stops_the_start(arc_run, tmp_path, env, sentence):
    done = arc_run("serve", "--port", "0", "--data", str(tmp_path / "data"), env=env)
    assert (done.returncode, sentence in done.stderr) == (78, True), done.stderr
    assert not (tmp_path / "data").exists()


# ---- bodies, and spill ----


def test_inflated_bodies_count_and_go(arc_start, tmp_path):
    """24 MiB of lines that came as some KiB."""
    text = gzip.compress(f"held v=1 {T}\n".encode() * (24 * MIB // 18))
    headers = {"Content-Encoding": "gzip"}
    small = arc_start({"ARC_MEMORY_LIMIT": "192MB"})  # where one may not have more than all together
    answer = small.post(LINES, text, headers)
    assert (answer.status, "expands past the limit" in answer.json()["error"]) == (413, True), answer
    told = arc_start(args=settings(tmp_path, "[server]\nmax_body_memory_mb = 16\nmax_decompressed_size_mb = 500\n"))
    assert told.post(LINES, text, headers).status == 413  # alone, and still too large
    with socket.create_connection(("127.0.0.1", told.port)) as other:  # has half of the room, and does not end
        other.sendall(f"POST {LINES} HTTP/1.1\r\nHost: a\r\nContent-Length: {9 * MIB}\r\n\r\n".encode())
        other.sendall(b"\n" * (8 * MIB))
        while memory(told)["parts"]["request_bodies"]["used_bytes"] < 8 * MIB:
            pass
        answer = told.post(LINES, text, headers)
        assert (answer.status, "does not fit the 16 MiB" in answer.json()["error"]) == (503, True), answer
        assert answer.headers["Retry-After"] == "1"
    while memory(told)["parts"]["request_bodies"]["used_bytes"] > MIB:
        pass
    enough = arc_start(args=settings(tmp_path, "[server]\nmax_body_memory_mb = 64\n"))
    assert enough.post(LINES, text, headers).status == 204
    assert enough.rows("SELECT count(*), max(v) FROM held") == [[1, 1.0]]  # one point, again and again
    for arc in (small, told, enough):  # the connection keeps what its next request may need
        assert memory(arc)["parts"]["request_bodies"]["used_bytes"] <= 512 << 10


def test_DSK_7_spill_has_a_limit(arc_start, tmp_path):
    sql = "SELECT count(DISTINCT repeat('x', 100) || range) FROM range(1500000)"
    env = {"DUCKDB_MEMORY_LIMIT": "96MB", "DUCKDB_THREADS": "1"}
    assert arc_start(env).rows(sql) == [[1_500_000]]
    arc = arc_start(env, settings(tmp_path, "[duckdb]\nmax_temp_size = \"2MB\"\n"))
    answer = arc.query_raw(sql)
    assert (answer.status, answer.json().get("code")) == (413, "too_large"), answer
    assert arc.rows("SELECT 1") == [[1]]
    assert memory(arc)["spilled_bytes"] == 0


# ---- zones ----


def test_MEM_2_writes_wait_by_the_formula_and_hold_no_thread(hold):
    held = hold("hot_limit_mb = 32")
    shown = held.fill("yellow", 66)
    assert shown["parts"]["rows"]["percent"] < 80
    assert shown["delay_ms"] == pytest.approx((shown["parts"]["rows"]["percent"] - 60) * 5, abs=0.6)
    began = time.monotonic()
    assert held.write(1).status == 204
    assert (time.monotonic() - began) * 1000 >= shown["delay_ms"]
    # many more writes wait than there are threads, and the rest of the server does not notice
    rows, n = held.rows, 200
    bodies = [f"held v={rows + i}.0 {T + rows + i}" for i in range(n)]
    answers = asyncio.run(post_all(held.arc, bodies))
    assert answers == [204] * n
    held.rows += n
    shown = memory(held.arc)
    assert shown["writes"]["delayed"] > n and shown["writes"]["refused"] == 0
    held.check_rows()
    held.let_go()
    assert memory(held.arc)["zone"] == "green"
    held.check_rows()


def test_MEM_2_red_refuses_at_once_until_memory_is_free(hold):
    held = hold("hot_limit_mb = 32")
    while held.refused == 0:
        used = memory(held.arc)["parts"]["rows"]["percent"]
        assert used <= 100
        held.write()
    assert used >= 80 - 100 * held.ROWS * 24 / (32 * MIB)
    shown = memory(held.arc)
    assert shown["zone"] == "red" and shown["delay_ms"] == 0 and shown["parts"]["rows"]["percent"] >= 75
    assert any("memory for rows is short" in text for text in shown["recommendations"])
    answer = held.write(1)
    assert (answer.status, answer.headers["Retry-After"], answer.json()["code"]) == (503, "1", "unavailable")
    assert "memory for unflushed rows is full" in answer.json()["error"]
    held.check_rows()  # reading goes on
    held.let_go()
    assert memory(held.arc)["zone"] == "green"
    assert held.write().status == 204
    held.check_rows()


# ---- waiting for memory ----


async def post_one(arc, body, started=None):
    reader, writer = await asyncio.open_connection("127.0.0.1", arc.port)
    writer.write(f"POST {LINES} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    await writer.drain()
    if started is not None:
        started.append(True)
    status = int((await reader.readline()).split()[1])
    writer.close()
    return status


async def post_all(arc, bodies, then=None):
    """All at once, each on a connection of its own; `then` runs when all have been sent."""
    started = []
    tasks = [asyncio.create_task(post_one(arc, body, started)) for body in bodies]
    if then:
        while len(started) < len(bodies):
            await asyncio.sleep(0.01)
        await asyncio.get_running_loop().run_in_executor(None, then)
    return await asyncio.gather(*tasks)


def test_F13_a_thousand_writers_wait_in_red_and_all_are_let_in(hold):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip(f"{hard} descriptors are not enough for a thousand connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    held = hold("hot_limit_mb = 64\nblock_timeout_ms = 60000")
    held.fill("red")
    n = 1000

    def then():
        while True:
            shown = memory(held.arc)
            assert shown["zone"] == "red"
            if shown["writes"]["blocked_now"] == n:
                break
        held.let_go()

    bodies = [f"held v={held.rows + i}.0 {T + held.rows + i}" for i in range(n)]
    answers = asyncio.run(post_all(held.arc, bodies, then))
    assert answers == [204] * n
    held.rows += n
    shown = memory(held.arc)
    assert (shown["writes"]["blocked_now"], shown["writes"]["blocked"], shown["writes"]["refused"]) == (0, n, 0)
    assert shown["zone"] == "green"
    held.check_rows()


def test_a_writer_that_waited_long_enough_is_refused(hold):
    held = hold("hot_limit_mb = 16\nblock_timeout_ms = 300")
    held.fill("red")
    began = time.monotonic()
    answer = held.write(1)
    assert answer.status == 503 and time.monotonic() - began >= 0.3
    assert answer.headers["Retry-After"] == "1"
    shown = memory(held.arc)
    assert (shown["writes"]["blocked"], shown["writes"]["blocked_now"], shown["writes"]["refused"]) == (1, 0, 1)
    held.let_go()
    held.check_rows()


# ---- 256 MiB ----


@contextlib.contextmanager
def watching(arc):
    """What is shown, again and again, meanwhile."""
    over, shown = threading.Event(), []

    def watch():
        while not over.wait(0.02):
            shown.append(memory(arc))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield shown
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def asking_much(arc, table):
    """Queries that need more than DuckDB has: they spill, or are refused; never anything else."""
    queries = [f"SELECT host, time, count(*) AS n FROM bench.{table} GROUP BY ALL ORDER BY n DESC, time LIMIT 5",
               f"SELECT count(DISTINCT time) FROM bench.{table}",
               f"SELECT * FROM bench.{table} ORDER BY time DESC, host LIMIT 3 OFFSET 100000"]
    over, statuses = threading.Event(), []

    def ask(n):
        while not over.is_set():
            statuses.append(arc.query_raw(queries[n % len(queries)]).status)
            n += 1

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
    try:
        yield
    finally:
        over.set()
        for t in threads:
            t.join()
    assert statuses and set(statuses) <= {200, 413, 503}, statuses


def bench_write(arc_run, arc, seconds, *more):
    done = arc_run("bench", "write", "--url", arc.url, "--json", "--connections", "64", "--rows", "1000",
                   "--seconds", str(seconds), *more, timeout=240)
    assert done.returncode == 0, (done.stdout, done.stderr)
    result, = map(json.loads, done.stdout.splitlines())
    return result


def cgroup_of_tests():
    """A control group (version 2) that ARC_TEST_CGROUP names and that may be used: delegated, with memory."""
    path = os.environ.get("ARC_TEST_CGROUP")
    if not path:
        return None
    group = pathlib.Path(path) / f"arc-{os.getpid()}"
    group.mkdir()
    (group / "memory.max").write_text(str(256 * MIB))
    return group


def test_MEM_3_256_MiB_under_writes_and_queries(arc_start, arc_run):
    """Writes faster than the drain beside queries larger than memory. With a control group the kernel keeps the
    limit; without, the process is told the same limit and the kernel's own high-water mark is looked at."""
    group = cgroup_of_tests()
    arc = arc_start({"ARC_MEMORY_LIMIT": "192MB"})
    if group:
        (group / "cgroup.procs").write_text(str(arc.process.pid))
    with watching(arc) as shown:
        first = bench_write(arc_run, arc, 3)
        with asking_much(arc, first["table"]):
            second = bench_write(arc_run, arc, 4, "--no-verify")  # no room for a large query more
    assert first["verified"] is True
    for result in (first, second):
        assert set(result["answers"]) <= {"204", "503"}
        stored = result["answers"]["204"] * 1000
        assert arc.rows(f"SELECT count(*) FROM bench.{result['table']}") == [[stored]] and stored > 0
    assert max(s["parts"]["rows"]["percent"] for s in shown) <= 100
    for s in shown:
        percent = s["parts"]["rows"]["percent"]
        if s["zone"] == "yellow" and 60 <= percent < 80:  # looked at one after the other, under load
            assert 0 <= s["delay_ms"] <= 100
    assert {"yellow", "red"} & {s["zone"] for s in shown}, "the load was too small to be one"
    if group:
        events = (group / "memory.events").read_text()
        assert re.search(r"^oom_kill 0$", events, re.M), events
    elif not is_sanitized():  # shadow memory and quarantine count as resident
        status = pathlib.Path(f"/proc/{arc.process.pid}/status").read_text()
        assert int(re.search(r"VmHWM:\s+(\d+)", status)[1]) << 10 <= 256 * MIB
    arc.stop()
    if group:
        group.rmdir()
