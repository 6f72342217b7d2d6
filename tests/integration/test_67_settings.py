"""Settings: every one of them changes something; files, variables and options; what a reload takes over."""

import gzip
import json
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pyarrow.parquet
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
T = 1767607200
LINES = "/api/v1/write/line-protocol?precision=s"
PATIENCE_S = 60
MIB = 1 << 20


def variable(key):
    """The variable that every setting has."""
    return "ARC_" + key.upper().replace(".", "_")


@pytest.fixture
def start(arc_start):
    """start({key: value, …}): a server that has them from its environment."""

    def start(settings=(), args=(), data=None, wait=True):
        return arc_start({variable(k): str(v) for k, v in dict(settings).items()}, args, data, wait)

    return start


@pytest.fixture
def refused(arc_run, tmp_path):
    """refused({key: value}, sentence): such a server does not start."""

    def refused(settings, *says):
        r = arc_run("serve", "--port", "0", "--data", str(tmp_path / "refused"),
                    env={variable(k): str(v) for k, v in settings.items()})
        assert r.returncode == 78, r
        for sentence in says:
            assert sentence in r.stderr, r.stderr

    return refused


def wait_until(what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        got = what()
        if got:
            return got
        time.sleep(0.02)
    raise AssertionError("it did not come to pass")


def write(arc, n=1, table="t", at=T, headers=None):
    body = "\n".join(f"{table} v={i}i {at + i}" for i in range(n))
    return arc.post(LINES, body, headers)


def files(arc, base=None):
    return sorted((base or arc.data / "arc").rglob("*.parquet"))


def flush(arc):
    answer = arc.post("/api/v1/write/flush")
    assert answer.status == 200, answer


def log_of(arc, event):
    """Its lines of one event, whatever the format."""
    return [line for line in arc.stderr if f'"event":"{event}"' in line or f" {event}  " in line]


def threads(arc, name):
    tasks = pathlib.Path(f"/proc/{arc.process.pid}/task")
    return sum((t / "comm").read_text().strip() == name for t in tasks.iterdir())


def get(arc, path, *keys):
    answer = arc.get(path)
    assert answer.status == 200, answer
    found = answer.json()
    for key in keys:
        found = found[key]
    return found


# ---- a check for each setting: what is different with it ----


def server_host(start, refused):
    arc = start({"server.host": "127.0.0.2"}, wait=False)
    assert "http://127.0.0.2:" in arc.url
    socket.create_connection(("127.0.0.2", arc.port), 10).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", arc.port), 10)


def server_port(start, refused):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        free = s.getsockname()[1]
    assert start(args=["--port", str(free)]).port == free


def server_workers(start, refused):
    assert threads(start({"server.workers": 3}), "http") == 3


def server_graceful_timeout(start, refused):
    arc = start({"server.graceful_timeout": 0})
    asked = threading.Thread(target=arc.query_raw, args=(ENDLESS,))
    asked.start()
    wait_until(lambda: get(arc, "/api/v1/queries/active")["count"] == 1)
    arc.stop()
    asked.join(PATIENCE_S)
    assert any("still in flight after 0 s" in line for line in arc.stderr)


ENDLESS = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"


def server_max_request_size_mb(start, refused):
    arc = start({"server.max_request_size_mb": "2MB"})
    assert arc.post(LINES, b" " * (2 * MIB - 10)).status in (204, 400)
    assert arc.post(LINES, b" " * (2 * MIB + 1)).status == 413


def server_max_decompressed_size_mb(start, refused):
    arc = start({"server.max_decompressed_size_mb": 2})
    line = b"t v=1i 1767607200\n#"
    filler = random.Random(1).randbytes(1 << 17).hex().encode() * 8  # compresses, but not like a bomb
    body = gzip.compress(line + filler[:2 * MIB - 100])
    assert arc.post(LINES, body, {"Content-Encoding": "gzip"}).status == 204
    body = gzip.compress(line + filler)
    assert arc.post(LINES, body, {"Content-Encoding": "gzip"}).status == 413


def memory_limit(start, refused):
    assert get(start({"memory.limit": "512MB"}), "/api/v1/metrics/memory", "limit", "bytes") == 512 * MIB
    refused({"memory.limit": "1MB"}, "memory.limit = 1 MiB is too little")


def server_compression_min_size(start, refused):
    for size, coding in (("1MB", None), ("1KB", "gzip")):
        arc = start({"server.compression_min_size": size})
        answer = arc.query_raw("SELECT range FROM range(2000)", path="/api/v1/query/stream",
                               headers={"Accept-Encoding": "gzip"})
        assert answer.headers.get("Content-Encoding") == coding, answer.headers


def dialogue(arc, sent):
    """What comes back on a connection of its own until it ends."""
    with socket.create_connection(("127.0.0.1", arc.port), PATIENCE_S) as s:
        s.sendall(sent)
        got = b""
        while piece := s.recv(65536):
            got += piece
        return got


def server_header_timeout(start, refused):
    arc = start({"server.header_timeout": "1s", "server.idle_timeout": "1h"})
    assert b" 408 " in dialogue(arc, b"GET /health HTTP/1.1\r\nHost")


SLOW_BODY = b"POST /write?db=default HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nConnection: close\r\n\r\nt"


def server_body_timeout(start, refused):
    arc = start({"server.body_timeout": "1s"})
    assert b"too slowly: after 1 s, 500 bytes a second" in dialogue(arc, SLOW_BODY)


def server_min_rate(start, refused):
    arc = start({"server.body_timeout": "1s", "server.min_rate": 77})
    assert b"too slowly: after 1 s, 77 bytes a second" in dialogue(arc, SLOW_BODY)


def server_write_timeout(start, refused):
    arc = start({"server.write_timeout": "1s", "query.max_age": "1h", "query.timeout": "1h"})
    body = json.dumps({"sql": "SELECT repeat('x', 1000) FROM range(10000000)"}).encode()
    with socket.create_connection(("127.0.0.1", arc.port), PATIENCE_S) as s:
        s.sendall(b"POST /api/v1/query/stream HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: get(arc, "/api/v1/queries/active")["count"] == 1)
        # nobody takes it: it is given up, and its query with it
        wait_until(lambda: get(arc, "/api/v1/queries/active")["count"] == 0)


TOKEN = "a-token-of-at-least-32-characters-in-all"


def status_with(arc, token=None, path="/api/v1/databases"):
    return arc.get(path, {"Authorization": f"Bearer {token}"} if token else {}).status


def auth_enabled(start, refused):
    assert status_with(start({"auth.enabled": "true"})) == 401
    assert status_with(start({"auth.enabled": "false"})) == 200


def auth_bootstrap_token(start, refused):
    arc = start({"auth.enabled": "true", "auth.bootstrap_token": TOKEN})
    assert status_with(arc, TOKEN) == 200 and status_with(arc, TOKEN + "x") == 401
    arc.stop()
    assert TOKEN not in "".join(line for line in arc.stderr if line.startswith("{"))


def auth_default_token(start, refused):
    arc = start({"auth.enabled": "true", "auth.default_token": TOKEN})
    assert status_with(arc, TOKEN) == 200


def auth_force_bootstrap(start, refused):
    data = start({"auth.enabled": "true", "auth.bootstrap_token": TOKEN})
    data.stop()
    arc = start({"auth.enabled": "true", "auth.force_bootstrap": "true"}, data=data.data)
    tokens = arc.get("/api/v1/auth/tokens", {"Authorization": f"Bearer {TOKEN}"}).json()
    assert "arc-recovery" in json.dumps(tokens)


def auth_allowlist(start, refused):
    arc = start({"auth.enabled": "true", "auth.allowlist": "/api/v1/databases, /x*"})
    assert status_with(arc) == 200 and status_with(arc, path="/api/v1/measurements") == 401


def token_cache(settings):
    def check(start, refused, key, shown):
        arc = start({"auth.enabled": "true", "auth.bootstrap_token": TOKEN, **settings})
        stats = arc.get("/api/v1/auth/cache/stats", {"Authorization": f"Bearer {TOKEN}"})
        assert f'"{key}":{shown}' in stats.body.decode().replace(" ", ""), stats
    return check


def auth_cache_ttl(start, refused):
    token_cache({"auth.cache_ttl": "77s"})(start, refused, "cache_ttl_seconds", 77)


def auth_max_cache_size(start, refused):
    token_cache({"auth.max_cache_size": 78})(start, refused, "max_cache_size", 78)


def cors_origins(start, refused):
    arc = start({"cors.origins": "https://a.example, https://b.example"})
    for origin, allowed in (("https://b.example", True), ("https://c.example", False)):
        got = arc.get("/health", {"Origin": origin}).headers.get("Access-Control-Allow-Origin")
        assert (got == origin) == allowed


def storage_backend(start, refused):
    refused({"storage.backend": "s3"}, "storage.backend = 's3' is not local")


def storage_data_dir(start, refused):
    arc = start()
    assert (arc.data / "arc.db").is_file() and (arc.data / "arc").is_dir() and (arc.data / "wal").is_dir()


def storage_local_base_path(start, refused, tmp_path):
    arc = start({"storage.local.base_path": tmp_path / "elsewhere"})
    write(arc)
    flush(arc)
    assert files(arc, tmp_path / "elsewhere") and not (arc.data / "arc").exists()


def storage_db_path(start, refused, tmp_path):
    arc = start({"storage.db_path": tmp_path / "m" / "manifest.db"})
    assert (tmp_path / "m" / "manifest.db").is_file() and not (arc.data / "arc.db").exists()


def storage_database(start, refused):
    arc = start({"storage.database": "metrics"})
    assert write(arc).status == 204
    assert arc.rows("SELECT count(*) FROM metrics.t") == [[1]]
    refused({"storage.database": "../x"}, "storage.database")


def storage_disk_reserve_mb(start, refused):
    arc = start({"storage.disk_reserve_mb": 1 << 20}, wait=False)
    answer = wait_until(lambda: (a := write(arc)).status == 503 and a)
    assert "Retry-After" in answer.headers


def storage_ballast_mb(ballasted):
    ballast = ballasted.data / "arc" / ".ballast"
    wait_until(lambda: ballast.exists() and ballast.stat().st_blocks * 512 >= 3 * MIB)
    assert ballast.stat().st_size == 3 * MIB


LATE = {"ingestion.buffer_age_seconds": "1h", "ingestion.flush_interval_seconds": 0}


def ingestion_buffer_size(start, refused):
    arc = start({**LATE, "ingestion.buffer_size": 10})
    write(arc, 9)
    write(arc, 1, at=T + 9)
    wait_until(lambda: files(arc))


def ingestion_buffer_age_seconds(start, refused):
    arc = start({"ingestion.buffer_age_seconds": "1s", "ingestion.flush_interval_seconds": 0})
    write(arc)
    wait_until(lambda: files(arc))


def ingestion_buffer_mb(start, refused):
    arc = start({**LATE, "ingestion.buffer_mb": 1})
    rows = 20000
    for part in range(20):
        text = "\n".join(f't,k={i} v="{i * 7919 + part:040x}" {T + i}' for i in range(rows // 20))
        assert arc.post(LINES, text).status == 204
    # random-looking text of 40 bytes a row and more: a megabyte soon
    def more():
        assert arc.post(LINES, "\n".join(f't,k={i} v="{hash((i, time.monotonic())):064x}" {T + i}'
                                         for i in range(2000))).status == 204
        return files(arc)
    wait_until(more)


def ingestion_flush_interval_seconds(start, refused):
    arc = start({"ingestion.buffer_size": 1, "ingestion.buffer_age_seconds": "1h",
                 "ingestion.flush_interval_seconds": "1h"})
    write(arc)
    wait_until(lambda: len(files(arc)) == 1)
    write(arc, at=T + 1)
    # the first flush of another table shows that the flusher has looked since
    write(arc, table="other")
    wait_until(lambda: any("other" in str(f) for f in files(arc)))
    assert len([f for f in files(arc) if "other" not in str(f)]) == 1


def ingestion_hot_limit_mb(start, refused):
    arc = start({"ingestion.hot_limit_mb": 37})
    assert '37' in json.dumps(get(arc, "/api/v1/metrics/memory")) and \
        str(37 * MIB) in json.dumps(get(arc, "/api/v1/metrics/memory"))
    refused({"ingestion.hot_limit_mb": 1}, "ingestion.hot_limit_mb = 1 is too little")


def codecs(arc):
    meta = pyarrow.parquet.ParquetFile(files(arc)[0]).metadata
    return {meta.row_group(0).column(i).compression for i in range(meta.num_columns)}


def ingestion_compression(start, refused):
    arc = start({"ingestion.compression": "ZSTD"})
    write(arc, 1000)
    flush(arc)
    assert codecs(arc) == {"ZSTD"}
    refused({"ingestion.compression": "rar"}, "ingestion.compression = 'rar' is not none, snappy")


def ingestion_compression_level(start, refused):
    sizes = []
    for level in (1, 19):
        arc = start({"ingestion.compression": "zstd", "ingestion.compression_level": level})
        text = "\n".join(f't s="{i * i % 977} and {i % 31} of many words that come again {i // 3}" {T + i}'
                         for i in range(20000))
        assert arc.post(LINES, text).status == 204
        flush(arc)
        sizes.append(sum(f.stat().st_size for f in files(arc)))
    assert sizes[1] < sizes[0]


def ingestion_idempotency_window(start, refused):
    arc = start({"ingestion.idempotency_window": "1s"})
    key = {"Idempotency-Key": "k"}
    write(arc, headers=key)
    write(arc, headers=key)
    assert arc.rows("SELECT count(*) FROM t") == [[1]]

    def again():
        write(arc, headers=key)
        return arc.rows("SELECT count(*) FROM t") == [[2]]
    wait_until(again)


def wal_setting(key, value, shown):
    def check(start, refused):
        name = key.split(".")[1]
        assert get(start({key: value}), "/api/v1/wal/status", "configuration", name) == shown
    return check


def wal_enabled(start, refused):
    arc = start({"wal.enabled": "false"})
    assert get(arc, "/api/v1/wal/status", "enabled") is False
    assert not (arc.data / "wal").exists()


def wal_dir(start, refused, tmp_path):
    arc = start({"wal.dir": tmp_path / "log"})
    write(arc)
    assert list((tmp_path / "log").glob("segment_*")) and not (arc.data / "wal").exists()


def wal_max_age_seconds(start, refused):
    arc = start({"wal.max_age_seconds": "1s"})

    def rotated():
        write(arc)
        return get(arc, "/api/v1/wal/status", "stats", "total_rotations") > 0
    wait_until(rotated)


def wal_max_total_mb(start, refused):
    refused({"wal.max_total_mb": "200MB"}, "no room for two segments")
    wal_setting("wal.max_total_mb", "1GB", 1024)(start, refused)


def query_pool(arc, *keys):
    return get(arc, "/api/v1/metrics/query-pool", "pool", *keys)


def duckdb_memory_limit(start, refused):
    assert query_pool(start({"duckdb.memory_limit": "96MB"}), "memory", "limit_bytes") == 96 * MIB


def duckdb_threads(start, refused):
    def n(threads_wanted):
        arc = start({"duckdb.threads": threads_wanted})
        arc.rows("SELECT sum(range) FROM range(1000000)")
        return len(list(pathlib.Path(f"/proc/{arc.process.pid}/task").iterdir()))
    assert n(7) - n(1) == 6


def query_pool_size(start, refused):
    arc = start({"query.pool_size": 3})
    assert query_pool(arc, "pool_size") == 3
    assert threads(arc, "queries") == 3


def query_max_queue_size(start, refused):
    assert query_pool(start({"query.max_queue_size": 7}), "max_queue_size") == 7


def duckdb_temp_directory(start, refused, tmp_path):
    arc = start({"duckdb.temp_directory": tmp_path / "spill", "duckdb.memory_limit": "32MB",
                 "duckdb.threads": 1})
    spilled = []

    def watch():
        while not done.is_set():
            spilled.extend((tmp_path / "spill").glob("*"))
            time.sleep(0.005)
    done = threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    arc.query_raw("SELECT count(*) FROM (SELECT DISTINCT range * 7 % 100000007 AS x, repeat('y', 40) || range FROM "
                  "range(1200000))")
    done.set()
    watcher.join()
    assert spilled and not (arc.data / "duckdb_tmp").exists()


def duckdb_max_temp_size(start, refused):
    arc = start({"duckdb.max_temp_size": "1MB", "duckdb.memory_limit": "64MB", "duckdb.threads": 1})
    answer = arc.query_raw("SELECT count(*) FROM (SELECT DISTINCT range * 7 % 100000007 AS x, repeat('y', 40) || range "
                           "FROM range(5000000))")
    assert answer.status == 413, answer


def query_timeout(start, refused):
    assert start({"query.timeout": "1s"}).query_raw(ENDLESS).status == 504


def query_min_lsn_timeout(start, refused):
    arc = start({"query.min_lsn_timeout": "1ms"})
    write(arc)
    assert arc.query_raw("SELECT 1 FROM t", headers={"x-arc-min-lsn": str(1 << 60)}).status == 503


def query_memory_limit(start, refused):
    assert query_pool(start({"query.memory_limit": "33MB"}), "memory", "query_limit_bytes") == 33 * MIB


def query_history_size(start, refused):
    arc = start({"query.history_size": 2})
    for i in range(4):
        arc.query(f"SELECT {i}")
    assert len(wait_until(lambda: get(arc, "/api/v1/queries/history", "queries"))) == 2


def query_slow_threshold_ms(start, refused):
    arc = start({"query.slow_threshold_ms": "1ms", "query_cache.enabled": "false"})
    arc.query("SELECT sum(range) FROM range(3000000)")
    wait_until(lambda: log_of(arc, "slow_query"))
    arc = start({"query.slow_threshold_ms": 0})
    arc.query("SELECT sum(range) FROM range(3000000)")
    arc.stop()
    assert not log_of(arc, "slow_query")


def cache_setting(key, value, name, shown):
    def check(start, refused):
        assert get(start({key: value}), "/api/v1/cache/stats", name) == shown
    return check


def logging_level(start, refused):
    arc = start({"logging.level": "error"}, args=["--log-level", "info"])  # it listens: conftest wants to see it
    write(arc)
    assert not any('"level":"debug"' in line for line in arc.stderr)
    arc = start({"logging.level": "debug"})
    arc.get("/health")
    wait_until(lambda: any('"level":"debug"' in line for line in arc.stderr))
    refused({"logging.level": "loud"}, "logging.level = 'loud' is not debug, info, warn or error")


def logging_format(start, refused):
    arc = start({"logging.format": "logfmt"})
    assert any(re.match(r"time=\S+ level=info event=listening ", line) for line in arc.stderr)
    arc = start({"logging.format": "text"})
    assert any(re.match(r"\S+Z INFO  listening  ", line) for line in arc.stderr)


def logging_access(start, refused):
    arc = start({"logging.access": "true"})
    arc.get("/ping")
    wait_until(lambda: any('"level":"info"' in line and "/ping" in line for line in arc.stderr))
    arc = start()
    arc.get("/ping")
    arc.stop()
    assert not any('"level":"info"' in line and "/ping" in line for line in arc.stderr)


def delete_enabled(start, refused):
    for word, status in (("false", 403), ("true", 200)):
        arc = start({"delete.enabled": word})
        assert arc.post("/api/v1/databases", '{"name":"gone"}').status in (200, 201)
        assert arc.request("DELETE", "/api/v1/databases/gone?confirm=true").status == status


def metrics_timeseries_retention_minutes(start, refused):
    arc = start({"metrics.timeseries_interval_seconds": "20s", "metrics.timeseries_retention_minutes": "2h"})
    assert get(arc, "/api/v1/metrics", "collection_status", "retention_minutes") == 120


def metrics_timeseries_interval_seconds(start, refused):
    arc = start({"metrics.timeseries_interval_seconds": "1s"})
    wait_until(lambda: len(get(arc, "/api/v1/metrics/timeseries/system", "data")) >= 3)


# A setting that is not here has no check, and fails test_every_setting_has_a_check. A text: the test
# that shows what it does.
CHECKS = {
    "server.host": server_host,
    "server.header_timeout": server_header_timeout,
    "server.body_timeout": server_body_timeout,
    "server.write_timeout": server_write_timeout,
    "server.min_rate": server_min_rate,
    "auth.enabled": auth_enabled,
    "auth.default_token": auth_default_token,
    "auth.bootstrap_token": auth_bootstrap_token,
    "auth.force_bootstrap": auth_force_bootstrap,
    "auth.allowlist": auth_allowlist,
    "auth.cache_ttl": auth_cache_ttl,
    "auth.max_cache_size": auth_max_cache_size,
    "server.port": server_port,
    "server.sandbox": "test_94_sandbox.py::test_off_is_off_and_is_told",
    "server.workers": server_workers,
    "server.max_connections": "test_92_http_hostile.py::test_connections_over_the_limit",
    "server.tls_enabled": "test_74_tls.py::test_writes_queries_and_streams",
    "server.tls_cert_file": "test_74_tls.py::test_a_new_certificate_is_used_without_a_restart",
    "server.tls_key_file": "test_74_tls.py::test_what_cannot_be_used_stops_the_start",
    "server.tls_client_auth": "test_74_tls.py::test_client_certificates_that_are_required",
    "server.tls_client_ca_file": "test_74_tls.py::test_client_certificates_that_are_optional",
    "server.tls_priorities": "test_74_tls.py::test_what_cannot_be_used_stops_the_start",
    "server.compression": "test_76_compression.py::test_off_means_off",
    "server.compression_min_size": server_compression_min_size,
    "server.idle_timeout": "test_92_http_hostile.py::test_who_says_nothing_is_closed",
    "server.graceful_timeout": server_graceful_timeout,
    "server.max_request_size_mb": server_max_request_size_mb,
    "server.max_decompressed_size_mb": server_max_decompressed_size_mb,
    "server.max_body_memory_mb": "test_92_http_hostile.py::test_bodies_have_a_budget_together",
    "memory.limit": memory_limit,
    "cors.origins": cors_origins,
    "storage.backend": storage_backend,
    "storage.data_dir": storage_data_dir,
    "storage.local.base_path": storage_local_base_path,
    "storage.db_path": storage_db_path,
    "storage.database": storage_database,
    "storage.disk_reserve_mb": storage_disk_reserve_mb,
    "storage.ballast_mb": storage_ballast_mb,
    "ingestion.buffer_size": ingestion_buffer_size,
    "ingestion.buffer_age_seconds": ingestion_buffer_age_seconds,
    "ingestion.buffer_mb": ingestion_buffer_mb,
    "ingestion.flush_interval_seconds": ingestion_flush_interval_seconds,
    "ingestion.hot_limit_mb": ingestion_hot_limit_mb,
    "ingestion.block_timeout_ms": "test_62_memory.py::test_a_writer_that_waited_long_enough_is_refused",
    "ingestion.compression": ingestion_compression,
    "ingestion.compression_level": ingestion_compression_level,
    "ingestion.idempotency_window": ingestion_idempotency_window,
    "wal.enabled": wal_enabled,
    "wal.dir": wal_dir,
    "wal.sync_mode": "test_63_start_and_log_api.py::test_an_answer_says_what_the_rows_have_got",
    "wal.max_size_mb": "test_63_start_and_log_api.py::test_a_log_that_is_full_lets_segments_go",
    "wal.max_age_seconds": wal_max_age_seconds,
    "wal.max_total_mb": wal_max_total_mb,
    "wal.compression": "test_63_start_and_log_api.py::test_a_compressed_log_replays",
    "wal.on_corruption": "test_63_start_and_log_api.py::test_damage_stops_the_start_and_quarantine_goes_on",
    "duckdb.memory_limit": duckdb_memory_limit,
    "duckdb.threads": duckdb_threads,
    "duckdb.temp_directory": duckdb_temp_directory,
    "duckdb.max_temp_size": duckdb_max_temp_size,
    "query.pool_size": query_pool_size,
    "query.max_queue_size": query_max_queue_size,
    "query.timeout": query_timeout,
    "query.max_age": "test_61_read_your_writes.py::test_qry_6_a_reader_that_is_too_slow_is_broken_off",
    "query.max_pin_time": "src/sql/instant_test.c::MEM_4_while_memory_is_short_the_oldest_query_that_keeps_rows_goes_first",
    "query.min_lsn_timeout": query_min_lsn_timeout,
    "query.memory_limit": query_memory_limit,
    "query.history_size": query_history_size,
    "query.slow_threshold_ms": query_slow_threshold_ms,
    "delete.enabled": delete_enabled,
    "query_cache.enabled": cache_setting("query_cache.enabled", "false", "enabled", False),
    "query_cache.ttl_seconds": cache_setting("query_cache.ttl_seconds", "2m", "ttl_seconds", 120),
    "query_cache.max_size": cache_setting("query_cache.max_size", 7, "max_size", 7),
    "query_cache.max_result_mb": cache_setting("query_cache.max_result_mb", 3, "max_result_size_mb", 3),
    "query_cache.max_total_mb": cache_setting("query_cache.max_total_mb", 5, "max_total_size_mb", 5),
    "logging.level": logging_level,
    "logging.format": logging_format,
    "logging.access": logging_access,
    "metrics.timeseries_retention_minutes": metrics_timeseries_retention_minutes,
    "metrics.timeseries_interval_seconds": metrics_timeseries_interval_seconds,
}


@pytest.fixture(scope="module")
def reference():
    import conftest
    return json.loads(conftest.run_arc("config", "reference", "--json").stdout)


def test_every_setting_has_a_check(reference):
    assert sorted(s["key"] for s in reference["settings"]) == sorted(CHECKS)
    for key, check in CHECKS.items():
        if isinstance(check, str):
            name, test = check.split("::")
            text = (ROOT / name if "/" in name else pathlib.Path(__file__).parent / name).read_text()
            assert f"def {test}" in text or f"TEST({test})" in text, f"{key}: {check} is not there"
            assert key.split(".")[-1].removesuffix("_time") in text.lower(), f"{key} does not come in {name}"


@pytest.fixture(scope="module")
def ballasted(arc_start_module):
    """Started first and looked at last: a server makes its ballast when it has run for half a minute."""
    return arc_start_module({variable("storage.ballast_mb"): "3"})


@pytest.mark.parametrize("key", sorted((k for k, check in CHECKS.items() if callable(check)), key="storage.ballast_mb".__eq__))
def test_a_setting_changes_what_it_says(key, start, refused, ballasted, tmp_path):
    check = CHECKS[key]
    wants = check.__code__.co_varnames[:check.__code__.co_argcount]
    given = {"start": start, "refused": refused, "ballasted": ballasted, "tmp_path": tmp_path}
    check(*[given[name] for name in wants])


# ---- where settings come from ----


@pytest.fixture
def here(tmp_path):
    """A directory for `arc.conf` and data."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def run(*args, env=None, cwd=None):
    import conftest
    return subprocess.run([conftest.binary(), *args], capture_output=True, text=True, timeout=60, cwd=cwd,
                          env=conftest.environment(env))


def shown(*args, **more):
    r = run("config", "show", "--json", *args, **more)
    assert r.returncode == 0, r
    answer = json.loads(r.stdout)
    return {s["key"]: s for s in answer["settings"]} | {"file": answer["file"], "warnings": answer["warnings"]}


def test_config_show_says_where_each_value_comes_from(here):
    (here / "arc.conf").write_text('[query]\ntimeout = "2m"\n[wal]\nmax_age_seconds = 60\n[server]\nport = 1\n')
    s = shown("--port", "3", env={"ARC_WAL_MAX_AGE_SECONDS": "61", "ARC_PORT": "2"}, cwd=here)
    assert s["file"] == "arc.conf" and s["warnings"] == []
    assert (s["query.timeout"]["value"], s["query.timeout"]["source"], s["query.timeout"]["where"]) == (
        120, "file", "arc.conf:2:1")
    assert (s["wal.max_age_seconds"]["value"], s["wal.max_age_seconds"]["where"]) == (
        61, "environment variable ARC_WAL_MAX_AGE_SECONDS")
    assert (s["server.port"]["value"], s["server.port"]["where"]) == (3, "option --port")
    assert (s["wal.sync_mode"]["value"], s["wal.sync_mode"]["source"]) == ("fdatasync", "default")


def test_a_named_file_comes_before_that_of_the_directory(here, tmp_path):
    (here / "arc.conf").write_text("query.timeout = 11\n")
    (tmp_path / "b.conf").write_text("query.timeout = 12\n")
    (tmp_path / "c.conf").write_text("query.timeout = 13\n")
    env = {"ARC_CONFIG_FILE": str(tmp_path / "b.conf")}
    assert shown(cwd=here)["query.timeout"]["value"] == 11
    assert shown(cwd=here, env=env)["query.timeout"]["value"] == 12
    assert shown("--config", str(tmp_path / "c.conf"), cwd=here, env=env)["query.timeout"]["value"] == 13
    assert shown("--file", str(tmp_path / "c.conf"), cwd=here, env=env)["query.timeout"]["value"] == 13


def test_what_is_shown_is_a_file_that_gives_the_same(here):
    text = run("config", "show", env={"ARC_CORS_ORIGINS": "https://a.example,https://b.example"}, cwd=here).stdout
    (here / "again.conf").write_text(text)
    again = run("config", "show", "--config", "again.conf", cwd=here)
    assert again.returncode == 0, again
    strip = re.compile(r" +# .*")
    assert strip.sub("", again.stdout) == strip.sub("", text)


def test_secrets_are_masked(here):
    env = {"ARC_AUTH_BOOTSTRAP_TOKEN": "hidden-" * 6, "DEFAULT_API_TOKEN": "hidden-" * 7}
    for args in (["show"], ["show", "--json"], ["check"]):
        r = run("config", *args, env=env, cwd=here)
        assert r.returncode == 0 and "hidden" not in r.stdout + r.stderr, r
    assert shown(env=env, cwd=here)["auth.bootstrap_token"]["value"] == "***"


def test_config_check_tells_all_faults_at_once(here):
    (here / "bad.conf").write_text('[server]\nprot = 1\nport = "x"\n[wal]\nsync_mode = "never"\n[telemetry]\nenabled = true\n')
    r = run("config", "check", "bad.conf", env={"ARC_WORKERS": "many"}, cwd=here)
    assert r.returncode == 78
    assert r.stdout == ""
    assert sorted(r.stderr.splitlines()) == sorted([
        "error: bad.conf:2:1: there is no setting 'server.prot', did you mean server.port? ('arc help settings' lists them)",
        "error: bad.conf:3:1: server.port must be an integer, found a string",
        "error: bad.conf:5:1: wal.sync_mode = 'never' is not fsync, fdatasync or async",
        "error: environment variable ARC_WORKERS: server.workers = 'many' is not a whole number",
        "warning: bad.conf:7:1: telemetry.enabled is of no use here: nothing is ever sent anywhere",
        "bad.conf: 4 faults, a server would not start"])
    (here / "good.conf").write_text("[telemetry]\nenabled = true\n")
    r = run("config", "check", "good.conf", cwd=here)
    assert (r.returncode, r.stdout) == (0, "good.conf: a server takes it, with 1 warning\n")
    assert run("config", "check", "none.conf", cwd=here).returncode == 78
    assert run("config", "chekc", cwd=here).returncode == 2
    assert run("config", "show", "more", cwd=here).returncode == 2


@pytest.mark.parametrize("text, says", [
    ("[server]\nprot = 1\n", "arc.conf:2:1: there is no setting 'server.prot', did you mean server.port?"),
    ("[server\n", "arc.conf:1:8: found the end of the line, expected ']' after the table's name"),
    ("a = 1\na = 2\n", "arc.conf:2:1: found 'a' again, expected a key that is new: line 1 has it already"),
    ("[server]\nidle_timeout = '5 parsecs'\n", "arc.conf:2:1: server.idle_timeout = '5 parsecs' is not a number of seconds"),
])
def test_a_server_does_not_start_with_a_bad_file(here, text, says):
    (here / "arc.conf").write_text(text)
    r = run("serve", "--port", "0", "--data", "data", cwd=here)
    assert r.returncode == 78 and says in r.stderr, r
    assert not (here / "data").exists()


def test_the_page_has_what_the_program_says():
    import conftest
    r = subprocess.run([sys.executable, str(ROOT / "tools" / "config_page.py"), conftest.binary()], capture_output=True,
                       text=True)
    assert r.returncode == 0, r.stdout


# ---- while it runs ----


@pytest.fixture
def configured(arc_start, tmp_path):
    """A server with a file that `write` changes, and `reload`, which waits until it has been read."""
    class Configured:
        def __init__(self):
            self.file = tmp_path / "arc.conf"
            self.file.write_text("query.timeout = 300\ncors.origins = ['https://a.example']\n")
            self.arc = arc_start(args=["--config", str(self.file)])

        def told(self):
            return [json.loads(line) for line in self.arc.stderr if '"event":"reload' in line]

        def ended(self):
            return sum("settings read again" in t["message"] or "all settings stay" in t["message"] for t in self.told())

        def reload(self, text):
            before, n = self.ended(), len(self.told())
            self.file.write_text(text)
            self.arc.process.send_signal(signal.SIGHUP)
            wait_until(lambda: self.ended() > before)
            return [t["message"] for t in self.told()[n:]]

    return Configured()


def allowed(arc, origin):
    return arc.get("/health", {"Origin": origin}).headers.get("Access-Control-Allow-Origin") == origin


def test_a_reload_takes_over_what_is_live_and_tells_what_is_not(configured):
    arc = configured.arc
    assert allowed(arc, "https://a.example") and not allowed(arc, "https://b.example")
    lines = configured.reload("query.timeout = '1s'\ncors.origins = ['https://b.example']\nquery.pool_size = 3\n"
                              "[logging]\nlevel = 'debug'\n")
    assert allowed(arc, "https://b.example") and not allowed(arc, "https://a.example")
    assert arc.query_raw(ENDLESS).status == 504
    assert query_pool(arc, "pool_size") == 16
    wait_until(lambda: any('"level":"debug"' in line for line in arc.stderr))
    assert any(m.startswith("query.timeout is 1 now, it was 300 (") for m in lines)
    assert any(m.startswith("cors.origins is https://b.example now, it was https://a.example (") for m in lines)
    assert "query.pool_size has changed, which needs a restart: it stays 16" in lines
    assert lines[-1] == "settings read again: 3 changed, 1 need a restart"


def test_a_reload_reaches_parts_with_numbers_of_their_own(arc_start, tmp_path):
    file = tmp_path / "arc.conf"
    file.write_text("")
    arc = arc_start({"AUTH_ENABLED": "true", "ARC_AUTH_BOOTSTRAP_TOKEN": TOKEN}, ["--config", str(file)])
    own = {"Authorization": f"Bearer {TOKEN}"}
    for i in range(5):
        for _ in range(2):  # what is asked for again is remembered
            assert arc.query_raw(f"SELECT {i} AS n", headers=own).status == 200
    before = arc.get("/api/v1/cache/stats", own).json()
    file.write_text("[query_cache]\nmax_size = 2\nmax_result_mb = 1\nmax_total_mb = 4\nttl_seconds = 7\n"
                    "[auth]\ncache_ttl = '9s'\n")
    arc.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any("5 changed, 0 need a restart" in line for line in arc.stderr))
    wait_until(lambda: arc.get("/api/v1/cache/stats", own).json()["max_size"] == 2)
    after = arc.get("/api/v1/cache/stats", own).json()
    assert (after["max_result_size_mb"], after["max_total_size_mb"], after["ttl_seconds"]) == (1, 4, 7)
    assert after["current_size"] == min(before["current_size"], 2)
    assert arc.get("/api/v1/auth/cache/stats", own).json()["cache_ttl_seconds"] == 9


def test_a_reload_of_bad_settings_changes_nothing(configured):
    arc = configured.arc
    for text, says in (("query.timeout = 0\n", "query.timeout = 0 is out of range"), ("query.", "expected a key"),
                       ("cors.origins = []\nquery.tiemout = 1\n", "did you mean query.timeout?")):
        lines = configured.reload(text)
        assert any(says in m for m in lines) and lines[-1].startswith("all settings stay as they were"), lines
        assert allowed(arc, "https://a.example")
    configured.file.unlink()
    assert "all settings stay" in configured_without_file(configured)
    assert configured.reload("cors.origins = []\n")[-1] == "settings read again: 1 changed, 0 need a restart"
    assert not allowed(arc, "https://a.example")


def configured_without_file(configured):
    before = configured.ended()
    configured.arc.process.send_signal(signal.SIGHUP)
    wait_until(lambda: configured.ended() > before)
    return configured.told()[-1]["message"]


def test_reloads_while_everybody_asks(configured):
    """Each answer is of one version or another, whole; the sanitizers look on."""
    arc = configured.arc
    origins = ["https://a.example", "https://b.example"]
    stop = threading.Event()
    seen = []

    def ask():
        while not stop.is_set():
            seen.append(arc.get("/health", {"Origin": origins[0]}).headers.get("Access-Control-Allow-Origin"))
            assert arc.query_raw("SELECT 1").status == 200

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for a in askers:
        a.start()
    for i in range(20):
        configured.reload(f"cors.origins = ['{origins[(i + 1) % 2]}']\nquery.timeout = {100 + i}\n")
    stop.set()
    for a in askers:
        a.join(PATIENCE_S)
    assert set(seen) <= {None, origins[0]} and origins[0] in seen
