#!/usr/bin/env python3
"""What slow and idle clients, and TLS, cost a good one: ARC_BINARY=build/release/arc .venv/bin/python tools/http_bench.py

Prints the figures of docs/benchmarks.md, the runs of each pair interleaved. Takes two minutes; wants slowhttptest and openssl.
"""

import http.client
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

from conftest import Arc  # noqa: E402
from test_74_tls import SecureArc, make_authority, make_certificate, settings, trusting  # noqa: E402

N_IDLE = 10_000
ROUNDS = 3
ATTACKS = {"-H": ["-H", "-i", "10", "-x", "24"], "-B": ["-B", "-i", "10", "-s", "8192", "-x", "10", "-t", "POST"], "-R": ["-R", "-a", "10", "-b", "3000"],
           "-X": ["-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3"]}


def per_mille(seconds, n):
    """In milliseconds."""
    return round(sorted(seconds)[min(len(seconds) - 1, len(seconds) * n // 1000)] * 1e3, 3)


def line(seconds):
    return f"p50 {per_mille(seconds, 500)} ms, p99 {per_mille(seconds, 990)} ms, max {per_mille(seconds, 1000)} ms, {len(seconds)} writes"


def to(arc, context=None):
    if context:
        return http.client.HTTPSConnection("127.0.0.1", arc.port, timeout=60, context=context)
    return http.client.HTTPConnection("127.0.0.1", arc.port, timeout=60)


def write_while(connection, going_on):
    """One good client: one-row writes, one after the other."""
    took = []
    while going_on():
        began = time.perf_counter()
        connection.request("POST", "/write?db=default", f"good,n=a v={len(took)}")
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        assert answer.status == 204, answer.status
    connection.close()
    return took


def write_for(connection, seconds):
    end = time.monotonic() + seconds
    return write_while(connection, lambda: time.monotonic() < end)


def idle(arc):
    write_for(to(arc), 1)
    for _ in range(ROUNDS):
        print("idle 0:", line(write_for(to(arc), 3)))
        crowd = [socket.create_connection(("127.0.0.1", arc.port), timeout=60) for _ in range(N_IDLE)]
        for s in crowd:
            s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        for s in crowd:
            assert s.recv(4096).startswith(b"HTTP/1.1 204")
        print(f"idle {N_IDLE}:", line(write_for(to(arc), 3)))
        for s in crowd:
            s.close()
        time.sleep(0.5)


def attacks(arc):
    for name, how in ATTACKS.items():
        print(name, "before:", line(write_for(to(arc), 2)))
        path = {"-X": "/openapi.json", "-B": "/write?db=default"}.get(name, "/health")
        attack = subprocess.Popen(["slowhttptest", *how, "-c", "4000", "-r", "1000", "-l", "8", "-p", "3", "-u", arc.url + path],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        print(name, "during:", line(write_while(to(arc), lambda: attack.poll() is None)), "exit", attack.returncode)


def rows(first, n):
    return "\n".join(f"m,host=h{i % 10} a={i},b={i * 2},c={i * 3} {1767607200000000000 + i * 1000000}" for i in range(first, first + n))


def download(connection, n):
    began = time.perf_counter()
    connection.request("POST", "/api/v1/query/arrow", json.dumps({"sql": f"SELECT * FROM m LIMIT 1000000 -- {n}"}))
    answer, got, piece = connection.getresponse(), 0, bytearray(1 << 20)
    while n := answer.readinto(piece):
        got += n
    connection.close()
    return f"{got / 1e6:.0f} MB in {time.perf_counter() - began:.3f} s"


def shake(arc, context, n=100):
    began = time.perf_counter()
    for _ in range(n):
        c = to(arc, context)
        c.request("GET", "/ping")
        c.getresponse().read()
        c.close()
    return f"{(time.perf_counter() - began) / n * 1e3:.2f} ms a new connection"


def tls(folder):
    authority = make_authority(folder, "authority")
    pki = {"authority": authority, "server": make_certificate(folder, "server", authority)}
    context = trusting(pki)
    both = {"plain": (Arc(folder / "plain"), None), "tls": (SecureArc(folder / "secure", context, settings(pki)), context)}
    for arc, _ in both.values():
        for first in range(0, 1_000_000, 250_000):
            assert arc.post("/write?db=default", rows(first, 250_000)).status == 204
    for n in range(ROUNDS + 1):
        for name, (arc, context) in both.items():
            print(f"{name}:", line(write_for(to(arc, context), 2)), "|", download(to(arc, context), n), "|", shake(arc, context))
    for arc, _ in both.values():
        arc.stop()


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * N_IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    folder = pathlib.Path(tempfile.mkdtemp(dir=os.environ.get("TMPDIR")))
    print("load", os.getloadavg())
    try:
        arc = Arc(folder / "data")
        idle(arc)
        attacks(arc)
        arc.stop()
        tls(folder)
    finally:
        shutil.rmtree(folder)
    print("load", os.getloadavg())


if __name__ == "__main__":
    main()
