"""Starting over a log, what is said meanwhile, and the log's own endpoints and settings."""

import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import sqlite3
import time

import msgpack
import pyarrow
import pytest

T = 1767607200
LINES = "/api/v1/write/line-protocol?precision=s"
MSGPACK = "/api/v1/write/msgpack"
ROUTES = [(method, re.sub(r"{\w+}", "x", path), runs == "HERE", shape) for methods, path, runs, shape in re.findall(
    r'^X\(([A-Z_ |]+), "([^"]+)", \w+, (\w+), (\w+),',
    (pathlib.Path(__file__).resolve().parents[2] / "src" / "server" / "http" / "routes.def").read_text(), re.M)
    for method in re.findall(r"ARKA_(\w+)", methods)]
NEVER = {"BUFFER_AGE_SECONDS": "3600", "BUFFER_SIZE": "1000000000"}  # rows stay in memory unless they are flushed


def segments(arc, log=None):
    return sorted(p.name for p in (log or arc.data / "wal").glob("segment_*.arrow"))


def columnar(first, n):
    return msgpack.packb({"m": "big", "columns": {
        "time": [(T + i) * 1_000_000 for i in range(first, first + n)],
        "id": list(range(first, first + n)),
        "text": [f"{i:020d}" for i in range(first, first + n)]}})


def write_big(arc, mib):
    """About so much log, in requests of 20,000 rows; how many rows were acknowledged."""
    n_rows, each = mib * 25_000, 20_000
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda at: arc.post(MSGPACK, columnar(at, each)).status, range(0, n_rows, each)))
    assert set(answers) == {204}
    return len(answers) * each


def is_time(text):
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(text)
    return abs(age.total_seconds()) < 3600


# ---- starting ----

def test_it_answers_while_the_data_is_not_open(arc_start, tmp_path):
    """Another program holds the manifest for a moment: the server listens, says so, and goes on by itself."""
    data = tmp_path / "held"
    arc = arc_start(data=data)
    arc.post(LINES, "m v=1 1")
    arc.stop()
    holder = sqlite3.connect(data / "arc.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    arc = arc_start(data=data, wait=False)
    health = arc.get("/health")
    assert (health.status, health.json()["status"]) == (200, "healthy")
    ready = arc.get("/ready")
    assert ready.status == 503 and ready.headers["Retry-After"] == "1"
    body = ready.json()
    assert body.pop("timestamp").endswith("Z")
    assert body == {"status": "not_ready", "message": "opening the data", "progress": 0,
                    "checks": {"database": False, "api_server": True, "scheduler": False, "recovery": False, "log": True,
                               "disk": True},
                    "details": {"active_storage_connection": False, "query_engine_initialized": False,
                                "total_storage_connections": 1, "active_influx_connection": False,
                                "total_influx_connections": 0}}
    assert len(ROUTES) > 50
    for method, path, here, shape in ROUTES:
        a = arc.request(method, path, b"{}" if method == "POST" else None)
        if here:
            want = {"/ready": 503, "/ping": 204}.get(path, 404 if path.endswith("/queries/x") else 200)
            assert a.status == want, (path, a)
            continue
        assert a.status == 503 and a.headers["Retry-After"] == "1", (method, path, a)
        assert a.json()["code"] == ("unavailable" if shape == "INFLUX2" else "starting") and a.json()["success"] is False
        assert a.json()["error"] == "the server is starting: opening the data"
        assert (a.headers["X-Influxdb-Version"] == "1.8.10") == shape.startswith("INFLUX"), path
    assert arc.get("/nope").status == 404
    assert arc.request("PUT", "/api/v1/databases", b"x").status == 405
    assert arc.request("OPTIONS", "/api/v1/query").status == 204
    holder.execute("ROLLBACK")
    holder.close()
    arc.wait_ready()
    assert arc.get("/ready").json()["checks"] == dict.fromkeys(
        ("database", "api_server", "scheduler", "recovery", "log", "disk"), True)
    assert "progress" not in arc.get("/ready").json()
    assert arc.rows("SELECT v FROM m") == [[1.0]]


def test_a_stop_before_it_is_open(arc_start, tmp_path):
    data = tmp_path / "held"
    arc_start(data=data).stop()
    holder = sqlite3.connect(data / "arc.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    arc = arc_start(data=data, wait=False)
    assert arc.get("/ready").status == 503
    arc.process.send_signal(signal.SIGTERM)
    while "stopping" not in "".join(arc.stderr):
        time.sleep(0.01)
    holder.execute("ROLLBACK")
    holder.close()
    arc.stop(told=True)


def test_rows_are_there_after_a_kill(arc_start, tmp_path):
    """WAL-1, REC-3, F1: acknowledged is durable; and what was replayed is told afterwards."""
    data = tmp_path / "killed"
    arc = arc_start(NEVER, data=data)
    assert arc.get("/api/v1/wal/recovery/history").json() == {
        "recovered_files": [], "last_recovery": None, "total_recovered": 0, "total_recoveries": 0, "recoveries": []}
    for i in range(50):
        assert arc.post(LINES, f"m,t=a v={i} {i}\nn,t=b v={i}i {i}").status == 204
    arc.kill()
    assert not list(data.glob("arc/**/*.parquet"))
    again = arc_start(NEVER, data=data)
    for table in "mn":
        assert again.rows(f"SELECT count(*), sum(v), count(DISTINCT v) FROM {table}") == [[50, 1225, 50]]
    history = again.get("/api/v1/wal/recovery/history").json()
    assert (history["total_recovered"], history["recovered_files"], history["total_recoveries"]) == (0, [], 1)
    (one,) = history["recoveries"]
    assert one["finished_at"] == history["last_recovery"] and is_time(one["finished_at"])
    # that a table came has a number of its own
    assert {k: one[k] for k in ("rows", "replayed_rows", "torn_bytes", "set_aside", "last_lsn", "segments")} == {
        "rows": 102, "replayed_rows": 100, "torn_bytes": 0, "set_aside": 0, "last_lsn": 102, "segments": 1}
    assert one["entries"] >= 1 and one["size_mb"] > 0 and one["duration_ms"] >= 0
    assert set(one) == {"finished_at", "duration_ms", "segments", "size_mb", "entries", "rows", "replayed_rows",
                        "torn_bytes", "set_aside", "last_lsn"}
    again.stop()
    # an orderly stop leaves nothing to replay
    third = arc_start(data=data)
    assert third.get("/api/v1/wal/recovery/history").json() == history
    assert third.rows("SELECT count(*), sum(v) FROM m") == [[50, 1225]]


def test_a_torn_tail_is_cut_and_told(arc_start, tmp_path):
    data = tmp_path / "torn"
    arc = arc_start(NEVER, data=data)
    for i in range(10):
        arc.post(LINES, f"m v={i} {i}")
    arc.kill()
    (name,) = segments(arc)
    path = data / "wal" / name
    path.write_bytes(path.read_bytes() + b"\xff\xff\xff\xff\x00\x08\x00\x00")
    again = arc_start(NEVER, data=data)
    assert again.rows("SELECT count(*) FROM m") == [[10]]
    assert again.get("/api/v1/wal/recovery/history").json()["recoveries"][0]["torn_bytes"] == 8


def test_progress_of_a_long_replay(arc_start, tmp_path):
    """REC-8: told while it goes on, 503 turns into 200 once, and every row is there."""
    data = tmp_path / "long"
    arc = arc_start(NEVER, data=data)
    n_rows = write_big(arc, 60)
    arc.kill()
    again = arc_start(NEVER, data=data, wait=False)
    seen = []
    while not seen or seen[-1].status != 200:
        seen.append(again.get("/ready"))
    waiting = [a.json() for a in seen[:-1]]
    assert {a.status for a in seen[:-1]} == {503}
    progress = [w["progress"] for w in waiting]
    assert progress == sorted(progress) and 0 <= progress[0] and progress[-1] <= 1
    replaying = [w for w in waiting if w["message"].startswith("replaying the log: ")]
    assert replaying
    for w in replaying:
        found = re.fullmatch(r"replaying the log: (\d+) % \((\d+) of (\d+) MiB\)", w["message"])
        percent, done, total = map(int, found.groups())
        assert abs(percent - 100 * w["progress"]) <= 1.1 and done <= total and total > 20
    assert again.rows("SELECT count(*), count(DISTINCT id), sum(id) FROM big") == [
        [n_rows, n_rows, n_rows * (n_rows - 1) // 2]]
    (one,) = again.get("/api/v1/wal/recovery/history").json()["recoveries"]
    assert (one["rows"], one["replayed_rows"]) == (n_rows + 1, n_rows)
    if one["duration_ms"] > 2500:
        assert "replaying the log" in "".join(again.stderr)
    again.kill()

    # a stop in the middle of it, and of the next one, changes nothing (REC-9)
    for _ in range(2):
        again = arc_start(NEVER, data=data, wait=False)
        while again.get("/ready").json().get("progress", 1) == 0:
            pass
        began = time.monotonic()
        again.process.send_signal(signal.SIGTERM)
        again.stop(told=True)
        assert time.monotonic() - began < 60
    last = arc_start(NEVER, data=data)
    assert last.rows("SELECT count(*), count(DISTINCT id), sum(id) FROM big") == [
        [n_rows, n_rows, n_rows * (n_rows - 1) // 2]]


# ---- settings that cannot be used ----

def test_an_unknown_sync_mode_is_refused(arc_run, tmp_path):
    r = arc_run("serve", "--port", "0", "--data", str(tmp_path / "d"), env={"WAL_SYNC_MODE": "sometimes"})
    assert r.returncode == 78
    assert "wal.sync_mode = 'sometimes' is not fsync, fdatasync or async" in r.stderr
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("text,says", [
    ("compression = 'gzip'", "wal.compression = 'gzip' is not none, lz4 or zstd"),
    ("on_corruption = 'ignore'", "wal.on_corruption = 'ignore' is not refuse or quarantine"),
    ("max_size_mb = 0", "2:1: wal.max_size_mb = 0 is out of range"),
    ("max_total_mb = 100", "wal.max_total_mb = 100 has no room for two segments of wal.max_size_mb = 128"),
    ("max_bytes = 100", "2:1: there is no setting 'wal.max_bytes'"),
])
def test_other_settings_of_the_log_are_refused(arc_run, tmp_path, text, says):
    path = tmp_path / "arc.toml"
    path.write_text(f"[wal]\n{text}\n")
    r = arc_run("serve", "--config", str(path))
    assert (r.returncode, says in r.stderr) == (78, True), r.stderr


@pytest.fixture
def refused_start(arc_run, tmp_path):
    """The start with that log directory fails with 1 and names what is wrong."""
    def run(log, *says):
        r = arc_run("serve", "--port", "0", "--data", str(tmp_path / "d"), env={"WAL_DIR": str(log)})
        assert r.returncode == 1, r.stderr
        for word in says or (str(log),):
            assert word in r.stderr, r.stderr
        assert "runtime error" not in r.stderr and "Sanitizer" not in r.stderr
        assert '"event":"ready"' not in r.stderr
        return r.stderr
    return run


def test_a_log_directory_below_a_file_is_refused(refused_start, tmp_path):
    (tmp_path / "file").write_text("mine")
    refused_start(tmp_path / "file" / "wal")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_log_directory_that_is_a_file_is_refused(refused_start, tmp_path):
    (tmp_path / "file").write_text("mine")
    refused_start(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_log_directory_that_cannot_be_written_is_refused(refused_start, tmp_path):
    log = pathlib.Path("/sys/kernel/arc-wal")  # nobody can make a directory there, not even root
    if os.geteuid() != 0:
        log = tmp_path / "locked" / "wal"
        log.parent.mkdir(mode=0o500)
    refused_start(log)
    assert not log.exists()


def test_a_missing_log_directory_is_made_with_its_parents(arc_start, tmp_path):
    log = tmp_path / "a" / "b" / "wal"
    arc = arc_start({"WAL_DIR": str(log), **NEVER})
    assert arc.post(LINES, "m v=1 1").status == 204
    assert segments(arc, log) == ["segment_00000000000000000001.arrow"]
    assert not (arc.data / "wal").exists()


def test_two_servers_do_not_share_a_log(arc_start, arc_run, tmp_path):
    """WAL-15, F14: also where their data directories are different ones."""
    log = tmp_path / "wal"
    arc = arc_start({"WAL_DIR": str(log), **NEVER})
    assert arc.post(LINES, "m v=1 1").status == 204
    before = {p.name: p.read_bytes() for p in log.glob("segment_*")}
    r = arc_run("serve", "--port", "0", "--data", str(tmp_path / "other"), env={"WAL_DIR": str(log)})
    assert r.returncode == 1 and str(log) in r.stderr and str(arc.process.pid) in r.stderr, r.stderr
    assert {p.name: p.read_bytes() for p in log.glob("segment_*")} == before
    assert arc.post(LINES, "m v=2 2").status == 204


def killed_with_rows(arc_start, data, n=3):
    arc = arc_start(NEVER, data=data)
    for i in range(n):
        assert arc.post(LINES, f"m v={i} {i}").status == 204
    arc.kill()
    return data / "wal"


@pytest.mark.parametrize("name,content", [
    ("notes.txt", b"mine"), ("segment_1.arrow", b"mine"), ("segment_00000000000000000099.arrow", b"not arrow at all"),
    ("segment_00000000000000000099.arrow.bak", b"mine")])
def test_a_foreign_file_among_the_segments_is_refused(arc_start, refused_start, tmp_path, name, content):
    log = killed_with_rows(arc_start, tmp_path / "d")
    before = {p.name: p.read_bytes() for p in log.iterdir() if p.name.startswith("segment")}
    (log / name).write_bytes(content)
    refused_start(log, name, "is no segment")
    assert (log / name).read_bytes() == content
    assert {p.name: p.read_bytes() for p in log.iterdir() if p.name in before} == before
    (log / name).unlink()
    assert arc_start(data=tmp_path / "d").rows("SELECT count(*) FROM m") == [[3]]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def of_version_2(segment):
    """The first head of a segment as a later version of the format would write it, its checksum right."""
    n = 8 + int.from_bytes(segment[4:8], "little")
    head = segment[:n]
    crc = next(m.start() for m in re.finditer(rb"(?=[0-9a-f]{16}\0)", head)
               if b"%08x" % crc32c(head[:m.start() + 8] + b"0" * 8 + head[m.start() + 16:]) ==
               head[m.start() + 8:m.start() + 16])
    for m in re.finditer(rb"\x01\0\0\0(1)\0", head):
        changed = head[:m.start(1)] + b"2" + head[m.end(1):]
        if pyarrow.ipc.read_schema(pyarrow.py_buffer(changed)).metadata[b"arka:wal"] == b"2":
            text = b"%08x" % crc32c(changed[:crc + 8] + b"0" * 8 + changed[crc + 16:])
            return changed[:crc + 8] + text + changed[crc + 16:] + segment[n:]
    raise AssertionError("no version found")


def test_a_segment_of_a_newer_format_is_refused(arc_start, refused_start, tmp_path):
    log = killed_with_rows(arc_start, tmp_path / "d")
    (path,) = log.glob("segment_*")
    as_it_was = path.read_bytes()
    changed = of_version_2(as_it_was)
    path.write_bytes(changed)
    refused_start(log, path.name, "is of version 2 of the log's format, this program reads 1")
    assert path.read_bytes() == changed
    path.write_bytes(as_it_was)
    assert arc_start(data=tmp_path / "d").rows("SELECT count(*) FROM m") == [[3]]


def damage(log):
    """Flip a byte in the first of several synced records."""
    path = min(log.glob("segment_*"))
    text = bytearray(path.read_bytes())
    at = text.find(b"m", len(text) // 3)
    text[at] ^= 0x20
    path.write_bytes(text)
    return path.name


def test_damage_stops_the_start_and_quarantine_goes_on(arc_start, refused_start, tmp_path):
    """WAL-11 as the server shows it: refused with file and place; set aside on request, listed, and cleaned up."""
    data = tmp_path / "d"
    log = killed_with_rows(arc_start, data, 30)
    name = damage(log)
    before = (log / name).read_bytes()
    said = refused_start(log, str(log), name, "repair")
    assert re.search(r"\b(offset|byte) \d+", said), said
    assert (log / name).read_bytes() == before
    (tmp_path / "arc.toml").write_text("[wal]\non_corruption = 'quarantine'\n")
    arc = arc_start(NEVER, ["--config", str(tmp_path / "arc.toml")], data)
    kept = arc.rows("SELECT count(*) FROM m")[0][0]
    assert 0 <= kept < 30
    files = arc.get("/api/v1/wal/files").json()
    assert files["recovered"]
    for f in files["recovered"]:
        assert set(f) == {"name", "size_mb", "modified", "path"}
        path = pathlib.Path(f["path"])
        assert path.parent == log / "quarantine" and path.name == f["name"]
        assert path.stat().st_size == pytest.approx(f["size_mb"] * 2**20, abs=10)
    history = arc.get("/api/v1/wal/recovery/history").json()
    assert history["total_recovered"] == len(files["recovered"]) == len(history["recovered_files"])
    for f in history["recovered_files"]:
        assert set(f) == {"name", "size_mb", "recovered_at", "age_hours"}
        assert is_time(f["recovered_at"]) and 0 <= f["age_hours"] < 1
    assert history["recoveries"][0]["set_aside"] >= 1
    health = arc.get("/api/v1/wal/health").json()
    assert health["healthy"] is True and "set aside" in health["recommendations"][0]

    # younger files stay, segments always do
    a = arc.post("/api/v1/wal/cleanup")
    assert a.json() == {"deleted_count": 0, "freed_mb": 0, "max_age_hours": 24,
                        "message": "removed 0 files that were set aside"}
    assert arc.post(LINES, "m v=1 1000").status == 204
    live = segments(arc)
    a = arc.post("/api/v1/wal/cleanup?max_age_hours=0").json()
    assert a["deleted_count"] == len(files["recovered"])
    assert a["freed_mb"] == pytest.approx(sum(f["size_mb"] for f in files["recovered"]))
    assert segments(arc) == live
    assert arc.get("/api/v1/wal/files").json()["recovered"] == []
    assert arc.rows("SELECT count(*) FROM m") == [[kept + 1]]


# ---- the endpoints ----

STATS = {"worker_id", "current_file", "sync_mode", "current_size_mb", "current_age_seconds", "total_entries",
         "total_rows", "total_bytes", "total_groups", "total_syncs", "total_rotations", "segments", "size_mb",
         "total_removed", "append_failures", "sync_failures", "unsynced_rows", "unflushed_rows", "sync_ms",
         "oldest_lsn", "lsn"}


def settled(arc, path, pinned, lsn=lambda body: body["lsn"]):
    """The body, when `pinned` has come to that: it moves a moment after the answer to a write was sent."""
    end = time.monotonic() + 10
    while lsn(body := arc.get(path).json())["pinned"] != pinned:
        assert time.monotonic() < end, body
    return body


@pytest.mark.parametrize("prefix", ["/api/v1/wal", "/api/wal"])
def test_the_log_endpoints(arc_start, prefix):
    """OPS-1"""
    arc = arc_start(NEVER)
    s = arc.get(f"{prefix}/stats").json()
    assert set(s) == STATS
    assert (s["current_file"], s["total_entries"], s["segments"], s["oldest_lsn"]) == (None, 0, 0, 0)
    assert s["lsn"] == {"assigned": 0, "visible": 0, "durable": 0, "pinned": 1}
    for i in range(7):
        assert arc.post(LINES, f"m v={i} {i}\nm v={i} {100 + i}").status == 204
    name = "segment_00000000000000000001.arrow"
    s = settled(arc, f"{prefix}/stats", 2)
    assert set(s) == STATS
    # one entry and one number are the table's own
    want = {"worker_id": 1, "current_file": name, "sync_mode": "fdatasync", "total_entries": 8, "total_rows": 15,
            "total_groups": 7, "total_syncs": 7, "total_rotations": 0, "segments": 1, "total_removed": 0,
            "append_failures": 0, "sync_failures": 0, "unsynced_rows": 0, "unflushed_rows": 14, "oldest_lsn": 1,
            "lsn": {"assigned": 15, "visible": 15, "durable": 15, "pinned": 2}}
    assert {k: s[k] for k in want} == want
    size = (arc.data / "wal" / name).stat().st_size
    assert s["current_size_mb"] == s["size_mb"] == pytest.approx(size / 2**20, rel=1e-4)
    assert 0 < s["total_bytes"] <= size
    assert set(s["sync_ms"]) == {"total", "mean", "max", "last"}
    assert 0 < s["sync_ms"]["last"] <= s["sync_ms"]["max"] <= s["sync_ms"]["total"]

    status = arc.get(f"{prefix}/status").json()
    assert set(status) == {"enabled", "writer_type", "configuration", "stats"}
    assert (status["enabled"], status["writer_type"], set(status["stats"])) == (True, "parquet", STATS)
    assert status["configuration"] == {
        "sync_mode": "fdatasync", "worker_id": 1, "current_file": name, "directory": str(arc.data / "wal"),
        "max_size_mb": 128, "max_age_seconds": 3600, "max_total_mb": 20480, "compression": "none",
        "on_corruption": "refuse"}

    files = arc.get(f"{prefix}/files").json()
    assert set(files) == {"active", "recovered", "total_size_mb", "wal_directory"}
    assert files["recovered"] == [] and files["wal_directory"] == str(arc.data / "wal")
    (one,) = files["active"]
    assert is_time(one.pop("modified"))
    assert one == {"name": name, "path": str(arc.data / "wal" / name), "current": True, "first_lsn": 1, "last_lsn": 15,
                   "size_mb": pytest.approx(size / 2**20, rel=1e-4)}
    assert files["total_size_mb"] == one["size_mb"]

    health = arc.get(f"{prefix}/health").json()
    summary = health.pop("stats_summary")
    assert health == {"healthy": True, "wal_enabled": True, "issues": [], "recommendations": []}
    assert summary == {k: summary[k] for k in STATS & set(summary)} and summary["total_entries"] == 8

    assert arc.post("/api/v1/write/flush").status == 200
    s = arc.get(f"{prefix}/stats").json()
    assert (s["unflushed_rows"], s["lsn"]["pinned"]) == (0, s["lsn"]["assigned"] + 1)


def test_the_write_stats_have_the_log_and_its_numbers(arc_start):
    arc = arc_start(NEVER)
    assert arc.post(LINES, "m v=1 1\nm v=2 2").status == 204
    for path in ("/api/v1/write/stats", "/api/v1/write/line-protocol/stats"):
        b = settled(arc, path, 2, lambda body: body["buffer_stats"]["lsn"])["buffer_stats"]
        assert b["wal_enabled"] is True and set(b["wal"]) == STATS
        assert b["lsn"] == b["wal"]["lsn"] == {"assigned": 3, "visible": 3, "durable": 3, "pinned": 2}
        assert (b["commits"], b["commit_requests"], b["requests_repeated"]) == (1, 1, 0)
    assert set(arc.get("/api/v1/write/msgpack/stats").json()["buffer"]["wal"]) == STATS


@pytest.mark.parametrize("method,path,allow", [
    ("POST", "/api/v1/wal/status", "GET, HEAD, OPTIONS"), ("GET", "/api/v1/wal/cleanup", "POST, OPTIONS"),
    ("DELETE", "/api/wal/files", "GET, HEAD, OPTIONS")])
def test_wrong_methods_on_the_log(arc_module, method, path, allow):
    a = arc_module.request(method, path, b"x")
    assert (a.status, a.headers["Allow"]) == (405, allow)


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "99999999999999999999"])
def test_a_bad_age_is_refused_and_nothing_removed(arc_module, value):
    a = arc_module.post(f"/api/v1/wal/cleanup?max_age_hours={value}")
    assert a.status == 400 and "max_age_hours" in a.json()["error"] and value in a.json()["error"]


def test_paths_are_shown_as_they_were_configured(arc_start, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    arc = arc_start({"WAL_DIR": str(tmp_path / "link" / "wal"), **NEVER})
    arc.post(LINES, "m v=1 1")
    files = arc.get("/api/v1/wal/files").json()
    assert files["wal_directory"] == str(tmp_path / "link" / "wal")
    assert str(tmp_path / "real") not in json.dumps(files)


@pytest.mark.parametrize("mode", ["fsync", "async", "FDATASYNC"])
def test_every_sync_mode_keeps_rows_over_a_kill(arc_start, tmp_path, mode):
    data = tmp_path / "d"
    arc = arc_start({"WAL_SYNC_MODE": mode, **NEVER}, data=data)
    for i in range(20):
        assert arc.post(LINES, f"m v={i} {i}").status == 204
    assert arc.get("/api/v1/wal/stats").json()["sync_mode"] == mode.lower()
    arc.kill()
    assert arc_start(data=data).rows("SELECT count(*), sum(v) FROM m") == [[20, 190]]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_compressed_log_replays(arc_start, tmp_path, codec):
    (tmp_path / "arc.toml").write_text(f"[wal]\ncompression = '{codec}'\n")
    arc = arc_start(NEVER, ["--config", str(tmp_path / "arc.toml")], tmp_path / "d")
    assert arc.post(MSGPACK, columnar(0, 10_000)).status == 204
    assert arc.get("/api/v1/wal/status").json()["configuration"]["compression"] == codec
    arc.kill()
    assert arc_start(data=tmp_path / "d").rows("SELECT count(*), sum(id) FROM big") == [[10_000, 49_995_000]]


# ---- without the log ----

def test_without_the_log(arc_start):
    arc = arc_start({"WAL_ENABLED": "false", **NEVER})
    assert arc.post(LINES, "m v=1 1").status == 204
    assert not (arc.data / "wal").exists()
    assert arc.get("/api/v1/wal/status").json() == {"enabled": False, "reason": "wal.enabled is false"}
    a = arc.get("/api/v1/wal/stats")
    assert (a.status, a.json()["code"]) == (400, "invalid") and "wal.enabled is false" in a.json()["error"]
    files = arc.get("/api/v1/wal/files").json()
    assert (files["active"], files["recovered"], files["total_size_mb"]) == ([], [], 0)
    health = arc.get("/api/v1/wal/health").json()
    assert (health["healthy"], health["wal_enabled"], health["issues"]) == (True, False, [])
    assert arc.post("/api/v1/wal/cleanup").json()["deleted_count"] == 0
    b = arc.get("/api/v1/write/stats").json()["buffer_stats"]
    assert b["wal_enabled"] is False and "wal" not in b
    assert b["lsn"] == {"assigned": 1, "visible": 1, "durable": None, "pinned": 1}
    assert arc.get("/ready").status == 200
    assert arc.rows("SELECT v FROM m") == [[1.0]]


def test_switching_the_log_off_loses_no_rows_and_on_again_neither(arc_start, tmp_path):
    data = tmp_path / "d"
    killed_with_rows(arc_start, data, 10)
    off = arc_start({"WAL_ENABLED": "false", **NEVER}, data=data)
    assert off.rows("SELECT count(*) FROM m") == [[10]]
    assert list(data.glob("arc/**/*.parquet"))
    assert "old_log" in "".join(off.stderr)
    assert off.post(LINES, "m v=1 100").status == 204
    off.stop()
    on = arc_start(NEVER, data=data)
    assert on.rows("SELECT count(*) FROM m") == [[11]]
    assert on.post(LINES, "m v=1 101").status == 204
    on.kill()
    assert arc_start(data=data).rows("SELECT count(*) FROM m") == [[12]]


# ---- not ready for want of a disk ----

def test_a_log_that_cannot_be_written_is_told_and_heals(arc_start):
    """WAL-6, F5: refused with 503 and not ready, while reads go on; nothing acknowledged is lost, no restart."""
    arc = arc_start(NEVER)
    for i in range(5):
        assert arc.post(LINES, f"m v={i} {i}").status == 204
    pid = arc.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    a = arc.post(LINES, "m v=99 99")
    assert a.status == 503 and a.headers["Retry-After"] == "1"
    assert "File too large" in a.json()["error"], a
    ready = arc.get("/ready")
    assert ready.status == 503 and ready.headers["Retry-After"] == "1"
    body = ready.json()
    assert body["checks"] == {"database": True, "api_server": True, "scheduler": True, "recovery": True, "log": False,
                              "disk": True}
    assert "File too large" in body["message"] and "progress" not in body
    assert arc.rows("SELECT count(*) FROM m") == [[5]]
    health = arc.get("/api/v1/wal/health").json()
    assert health["healthy"] is False and "File too large" in " ".join(health["issues"])
    assert arc.post(LINES, "m v=98 98").status == 503
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    arc.wait_ready()
    assert arc.post(LINES, "m v=5 5").status == 204
    assert arc.rows("SELECT count(*), sum(v) FROM m") == [[6, 15]]
    arc.kill()
    again = arc_start(NEVER, data=arc.data)
    assert again.rows("SELECT count(*), sum(v) FROM m") == [[6, 15]]


def test_a_log_that_is_full_lets_segments_go(arc_start, tmp_path):
    """WAL-12: it stays within its size, what was acknowledged stays, and writes go on by themselves."""
    (tmp_path / "arc.toml").write_text("[wal]\nmax_size_mb = 1\nmax_total_mb = 2\n")
    arc = arc_start(NEVER, ["--config", str(tmp_path / "arc.toml")], tmp_path / "d")
    n_rows, refused, largest = 0, 0, 0
    deadline = time.monotonic() + 120
    while n_rows < 300_000:
        assert time.monotonic() < deadline, arc.get("/ready")
        a = arc.post(MSGPACK, columnar(n_rows, 5000))
        assert a.status in (204, 503), a
        n_rows += 5000 * (a.status == 204)
        refused += a.status == 503
        s = arc.get("/api/v1/wal/stats").json()
        largest = max(largest, s["size_mb"])
    s = arc.get("/api/v1/wal/stats").json()
    assert s["total_rotations"] >= 5 and s["total_removed"] >= 3
    assert largest < 4
    assert arc.rows("SELECT count(*), count(DISTINCT id) FROM big") == [[n_rows, n_rows]]
    arc.kill()
    again = arc_start(NEVER, data=tmp_path / "d")
    assert again.rows("SELECT count(*), count(DISTINCT id) FROM big") == [[n_rows, n_rows]]


# ---- headers of writes ----

@pytest.mark.parametrize("env,got", [
    ({}, ("synced", "written", "memory")), ({"WAL_SYNC_MODE": "fsync"}, ("synced", "written", "memory")),
    ({"WAL_SYNC_MODE": "async"}, ("written", "written", "memory")), ({"WAL_ENABLED": "false"}, ("memory",) * 3)])
def test_an_answer_says_what_the_rows_have_got(arc_start, env, got):
    """Never more than they have: the settings may keep it below what was asked for."""
    arc = arc_start({**NEVER, **env})
    assert arc.post(LINES, "m v=1 1").headers["X-Arc-Durability"] == got[0]
    for asked, have in zip(("synced", "written", "memory"), got):
        a = arc.post(LINES, "m v=1 1", {"x-arc-durability": asked})
        assert (a.status, a.headers["X-Arc-Durability"]) == (204, have)


def test_a_repeated_write_is_stored_once_also_after_a_kill(arc_start, tmp_path):
    arc = arc_start(NEVER, data=tmp_path / "d")
    first = arc.post(LINES, "m v=1 1\nm v=2 2", {"Idempotency-Key": "one"})
    assert (first.status, first.headers["X-Arc-Repeated"]) == (204, None)
    for restart in (False, True):
        if restart:
            arc.kill()
            arc = arc_start(NEVER, data=tmp_path / "d")
        again = arc.post(LINES, "m v=1 1\nm v=2 2", {"x-arc-batch-id": "one"})
        assert (again.status, again.headers["X-Arc-Repeated"]) == (204, "true")
        assert again.headers["X-Arc-LSN"] == first.headers["X-Arc-LSN"]
        assert arc.rows("SELECT count(*) FROM m") == [[2]]
        assert arc.get("/api/v1/write/stats").json()["buffer_stats"]["requests_repeated"] == 1


def test_bad_headers_of_a_write_are_refused(arc_start):
    arc = arc_start(NEVER)
    for path, body in ((LINES, b"m v=1 1"), (MSGPACK, columnar(0, 1))):
        a = arc.post(path, body, {"x-arc-durability": "nonsense"})
        assert a.status == 400 and "x-arc-durability" in a.json()["error"] and "nonsense" in a.json()["error"]
        assert "synced" in a.json()["error"]
        for name in ("Idempotency-Key", "x-arc-batch-id"):
            a = arc.post(path, body, {name: "k" * 10_240})
            assert a.status == 400 and "255" in a.json()["error"], a
    assert arc.get("/api/v1/databases").json()["databases"][0]["measurement_count"] == 0
    assert arc.get("/api/v1/wal/stats").json()["total_rows"] == 0
