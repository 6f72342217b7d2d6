"""Heavy queries of many clients over a large table, and how soon a query stops.

ARC_QUERY_SOAK_ROWS=20000000 ARC_QUERY_SOAK_S=180 is a full run, for a release binary. With -s both print their
figures; nothing is judged by time.
"""

import http.client
import json
import os
import pathlib
import random
import socket
import threading
import time

import conftest

ROWS = int(os.environ.get("ARC_QUERY_SOAK_ROWS", "200000"))
SOAK_S = float(os.environ.get("ARC_QUERY_SOAK_S", "20"))
STOPS = int(os.environ.get("ARC_QUERY_STOPS", "3"))  # 20 for figures
CEILING_MB = 3072
CLIENTS = 10
RUNAWAY = "SELECT count(*) FROM range(1000000000000) a, range(1000000) b WHERE (a.range + b.range) % 7 = 3"

KINDS = {
    "aggregation": "SELECT host, count(*), avg(value), max(cpu_user) FROM soak GROUP BY host ORDER BY host",
    "many groups": "SELECT count(*) FROM (SELECT time_bucket(INTERVAL '1 second', time) AS b, host, avg(value) FROM soak "
                   "GROUP BY b, host)",
    "sort": "SELECT * FROM (SELECT * FROM soak ORDER BY value, time) LIMIT 5 OFFSET {n}",
    "join": "SELECT count(*) FROM soak a JOIN soak b ON a.time = b.time WHERE a.host = 'h{h}' OR b.value < 0.5",
    "window": "SELECT max(d) FROM (SELECT value - lag(value) OVER (PARTITION BY host ORDER BY time) AS d FROM soak "
              "WHERE cpu_idle < 25)",
    "like": "SELECT count(*) FROM soak WHERE host LIKE '%{h}%' OR value::VARCHAR LIKE '%77{h}'",
    "distinct": "SELECT count(DISTINCT value) FROM soak",
    "large answer": "SELECT time, host, value FROM soak LIMIT {rows}",
    "small": "SELECT count(*) FROM soak WHERE time < '2000-01-01'",
}


def read_answer(arc, sql):
    """Read to its end without being kept: status and bytes. A broken-off answer raises."""
    c = http.client.HTTPConnection("127.0.0.1", arc.port, timeout=600)
    c.request("POST", "/api/v1/query", json.dumps({"sql": sql, "database": "bench"}), {"Content-Type": "application/json"})
    a = c.getresponse()
    n, first = 0, b""
    while block := a.read(1 << 20):
        first = first or block[:500]
        n += len(block)
    c.close()
    return a.status, n, first


def peak_mb(arc):
    with open(f"/proc/{arc.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def test_heavy_clients_over_a_large_table(arc_start, tmp_path):
    (tmp_path / "s.toml").write_text(f'[memory]\nlimit = "{CEILING_MB}MB"\n[duckdb]\nmemory_limit = "1GB"\n'
                                     "[query_cache]\nenabled = false\n")
    arc = arc_start(args=["--config", str(tmp_path / "s.toml")])
    loaded = conftest.run_arc("bench", "query", "--url", f"http://127.0.0.1:{arc.port}", "--load", "--table", "soak",
                              "--rows", str(ROWS), "--only", "no such query", timeout=600)
    assert loaded.returncode == 0, loaded.stderr
    assert arc.rows("SELECT count(*) FROM soak", "bench") == [[ROWS]]
    until = time.monotonic() + SOAK_S
    done, failures, longest = [dict.fromkeys(KINDS, 0) for _ in range(CLIENTS)], [], dict.fromkeys(KINDS, 0.0)
    lock = threading.Lock()

    def client(k):
        rng = random.Random(k)
        while time.monotonic() < until:
            kind = rng.choice(list(KINDS))
            sql = KINDS[kind].format(n=rng.randrange(1000), h=rng.randrange(10), rows=ROWS // 20)
            began = time.monotonic()
            try:
                status, _, first = read_answer(arc, sql)
            except Exception as e:
                status, first = 0, repr(e)
            if status != 200:
                failures.append((sql, status, first))
                return
            done[k][kind] += 1
            with lock:
                longest[kind] = max(longest[kind], time.monotonic() - began)

    threads = [threading.Thread(target=client, args=(k,)) for k in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    p = arc.get("/api/v1/metrics/query-pool").json()["pool"]
    each = [sum(d.values()) for d in done]
    print(f"\n{ROWS} rows, {SOAK_S:g} s, {sum(each)} queries, of one client {min(each)} to {max(each)}, resident "
          f"{peak_mb(arc):.0f} MiB at most of {CEILING_MB}, run alone {p['total_queries_run_alone']}, failed {len(failures)}")
    for kind in KINDS:
        print(f"  {kind:12} {sum(d[kind] for d in done):5} longest {longest[kind]:6.1f} s")
    assert failures == []
    assert min(each) > 0
    assert p["total_queries_failed"] == p["total_queries_refused"] == 0
    if b"__asan_init" not in pathlib.Path(conftest.binary()).read_bytes() and not conftest.is_thread_sanitized():
        assert peak_mb(arc) <= CEILING_MB


def active(arc):
    return arc.get("/api/v1/queries/active").json()["queries"]


def test_runaways_stop_by_time_by_cancel_and_when_their_client_leaves(arc_start):
    arc = arc_start()
    late, cancelled, left = [], [], []

    def begin():
        s = socket.create_connection(("127.0.0.1", arc.port))
        body = json.dumps({"sql": RUNAWAY})
        s.sendall(f"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        while not any(q["state"] == "running" for q in active(arc)):
            pass
        time.sleep(0.1)  # well into it
        return s, active(arc)[0]["id"]

    for _ in range(STOPS):
        began = time.monotonic()
        a = arc.query_raw(RUNAWAY, headers={"x-arc-timeout-ms": "500"})
        late.append(time.monotonic() - began - 0.5)
        assert a.status == 504, a
        s, id_ = begin()
        began = time.monotonic()
        assert arc.request("DELETE", f"/api/v1/queries/{id_}").status == 200
        assert s.recv(100).startswith(b"HTTP/1.1 499 ")
        cancelled.append(time.monotonic() - began)
        s.close()
        s, id_ = begin()
        began = time.monotonic()
        s.close()
        while active(arc):
            pass
        left.append(time.monotonic() - began)
        assert arc.get(f"/api/v1/queries/{id_}").json()["query"]["outcome"] == "cancelled"
    for name, times in (("past its time", late), ("after DELETE", cancelled), ("after its client left", left)):
        times.sort()
        print(f"\n{name}: {len(times)} times, median {times[len(times) // 2] * 1000:.1f} ms, "
              f"longest {times[-1] * 1000:.1f} ms")
