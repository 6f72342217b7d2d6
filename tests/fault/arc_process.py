"""A server process that may be killed, started again on the same data, and looked into from outside."""

import http.client
import io
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import conftest  # noqa: E402

READY_TIMEOUT_S = 60
SMALL = {  # much happens in little time: rotations, flushes, removals
    "WAL_MAX_AGE_SECONDS": "1",
    "WAL_MAX_SIZE_MB": "1",
    "BUFFER_AGE_SECONDS": "1",
}


def free_of_sanitizers(text):
    for word in ("runtime error", "Sanitizer", "panic"):
        assert word not in text, text


class Killable(conftest.Arc):
    """`ready_s`: from the process's start to the first 200 of /ready; `saw_503`: was it asked before that?"""

    def __init__(self, data, env=None, args=(), wait=True):
        begin = time.monotonic()
        super().__init__(data, dict(SMALL, **(env or {})), args, wait=False)
        self.saw_503 = False
        self.ready_s = None
        if wait:
            self.wait_ready()
            self.ready_s = time.monotonic() - begin

    def wait_ready(self):
        """503 until it is open, then 200; never back."""
        end = time.monotonic() + READY_TIMEOUT_S
        while True:
            answer = self.get("/ready")
            if answer.status == 200:
                break
            assert answer.status == 503, answer
            assert answer.headers["Retry-After"] and answer.json()["message"], answer
            self.saw_503 = True
            assert time.monotonic() < end, answer
            time.sleep(0.002)
        assert self.get("/ready").status == 200

    def kill(self):
        """SIGKILL, and nothing that it wrote to its log is a sanitizer's."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        return self.wait_killed()

    def wait_killed(self, timeout=60):
        code = self.process.wait(timeout)
        self.reader.join()
        kept = getattr(self.connections, "kept", None)
        if kept:
            kept.close()
            self.connections.kept = None
        text = "".join(self.stderr)
        free_of_sanitizers(text)
        assert code == -signal.SIGKILL, f"exit code {code}:\n{text}"
        return text

    def arrow(self, sql, database=None):
        """A query's answer as a table of pyarrow."""
        import pyarrow.ipc
        headers = {"x-arc-database": database} if database else {}
        answer = self.post("/api/v1/query/arrow", json.dumps({"sql": sql}), headers)
        if answer.status == 404:  # a table that nobody has made yet
            return None
        assert answer.status == 200, answer
        return pyarrow.ipc.open_stream(io.BytesIO(answer.body)).read_all()


def expect_refusal(data, env, code, *words):
    """A start that must end by itself with that code, and with all these words in its log."""
    command = [conftest.binary(), "serve", "--port", "0", "--data", str(data)]
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                       timeout=60, env=conftest.environment(dict(SMALL, **env)))
    free_of_sanitizers(r.stderr)
    assert r.returncode == code, r
    for word in words:
        assert word in r.stderr, r.stderr


class Connection:
    """One kept connection, as a client has it. None: nobody knows what became of the request."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, path, body, headers):
        try:
            self.http.request("POST", path, body, headers)
            response = self.http.getresponse()
            response.read()
            return response
        except (OSError, http.client.HTTPException):
            self.http.close()
            return None


def seeded(name, default=None):
    """A generator of random numbers and its seed: from the environment, else by the clock; printed."""
    seed = int(os.environ.get(name) or default or time.time_ns() % 10**9)
    print(f"{name}={seed}", flush=True)
    return random.Random(seed)

