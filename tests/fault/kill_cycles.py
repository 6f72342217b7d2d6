#!/usr/bin/env python3
"""kill -9 at a random instant under load, start again, compare: 0 acknowledged rows lost, 0 doubled.

    ARC_BINARY=… kill_cycles.py [--cycles 50] [--seed N] [--data DIR]
"""

import argparse
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from arc_process import Connection, Killable  # noqa: E402
from client_ledger import Ledger  # noqa: E402
import segments  # noqa: E402

CONNECTIONS = 6


class Load:
    """Clients that write until the server is gone."""

    def __init__(self, arc, ledger, seed):
        self.stop = threading.Event()
        self.failures = []
        self.threads = [threading.Thread(target=self.write, args=(arc, ledger, random.Random(f"{seed}-{i}")))
                        for i in range(CONNECTIONS)]
        for t in self.threads:
            t.start()

    def write(self, arc, ledger, rng):
        connection = Connection(arc.port)
        try:
            while not self.stop.is_set():
                if ledger.new(rng).send(connection) is None:
                    return  # it is gone
                if rng.random() < 0.01:
                    if connection.post("/api/v1/write/flush", b"", {}) is None:
                        return
        except Exception as e:  # noqa: BLE001: told by the main thread
            self.failures.append(e)

    def join(self):
        self.stop.set()
        for t in self.threads:
            t.join()
        if self.failures:
            raise self.failures[0]


def settle(arc, ledger, rng, cycle):
    connection = Connection(arc.port)
    n = ledger.settle(connection, rng, cycle)
    connection.http.close()
    return n


def run(cycles, seed, data, say=print, env=None):
    rng = random.Random(seed)
    ledger = Ledger(rng)
    repeated = segments_read = saw_503 = 0
    slowest = 0.0
    arc = Killable(data, env)
    try:
        for cycle in range(cycles):
            ledger.cycle = cycle
            load = Load(arc, ledger, f"{seed}-{cycle}")
            time.sleep(rng.uniform(0, 0.4))
            arc.kill()
            load.join()
            segments_read += segments.read_all(pathlib.Path(data) / "wal")[0]
            arc = Killable(data, env)
            saw_503 += arc.saw_503
            slowest = max(slowest, arc.ready_s)
            ledger.check(arc)
            repeated += settle(arc, ledger, rng, cycle)
            if repeated:
                ledger.check(arc)
            if cycle % 25 == 24:
                say(f"{cycle + 1} cycles: {len(ledger.requests)} requests, {ledger.next_id} rows sent, {repeated} "
                    f"sent again, {segments_read} segments read, {saw_503} starts seen at 503, slowest start "
                    f"{slowest:.2f} s")
        ledger.check(arc, everything=True)
        segments.read_all(pathlib.Path(data) / "wal")
        arc.stop()
        arc = Killable(data, env)
        ledger.check(arc, everything=True)
        segments.read_all(pathlib.Path(data) / "wal", torn_tail=False)
    finally:
        if arc.process.poll() is None:
            arc.stop()
    acked = sum(r.state == "acked" for r in ledger.requests)
    say(f"{cycles} cycles, seed {seed}: {acked} of {len(ledger.requests)} requests acknowledged, {ledger.next_id} rows, "
        f"0 lost, 0 doubled")
    return ledger


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    parser.add_argument("--data")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="arc-kill-") as scratch:
        run(args.cycles, args.seed, args.data or scratch + "/data", lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
