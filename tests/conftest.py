"""The server under test: the built binary on a free port of loopback with a directory of its own.

ARC_BINARY names the binary (scripts/test sets it). A server must start, answer, and stop with exit
code 0; whatever it printed is shown when it does not.
"""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = pathlib.Path(os.environ.get("ARC_BINARY", ROOT / "build" / "arc"))
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60


def pytest_configure(config):
    config.addinivalue_line("markers", "slow_install: needs a program that takes minutes to install")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Arc:
    """One running server."""

    def __init__(self, directory, *arguments, environment=None):
        self.directory = pathlib.Path(directory)
        self.output = []
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("ARC_", "WAL_", "STORAGE_"))} | {
            "STORAGE_LOCAL_BASE_PATH": str(self.directory / "data"), "DB_PATH": str(self.directory / "arc.db"),
        } | (environment or {})
        self.process = subprocess.Popen(
            [BINARY, "serve", "--host", "127.0.0.1", "--port", "0", *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            env=environment, cwd=self.directory)
        self.listening = threading.Event()
        self.port = None
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if not self.listening.wait(START_TIMEOUT_S) or self.port is None:
            self.process.kill()
            raise RuntimeError("the server did not start:\n" + self.text())
        self.url = f"http://127.0.0.1:{self.port}"

    def _read(self):
        for line in self.process.stdout:
            self.output.append(line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found and self.port is None:
                self.port = int(found[1])
                self.listening.set()
        self.listening.set()

    def text(self):
        return "".join(self.output)

    def request(self, method, path, body=None, headers=None, timeout=120):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, body=None, headers=None):
        return self.request("POST", path, body, headers)

    def query(self, sql, database=None):
        """The whole JSON answer of a query that must work."""
        answer = self.post("/api/v1/query", {"sql": sql}, {"x-arc-database": database} if database else None)
        assert answer.status == 200, f"{answer.status} {answer.body!r} for {sql}"
        return answer.json()

    def stop(self):
        """An orderly stop; the exit code must be 0."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"no end after {STOP_TIMEOUT_S} s:\n" + self.text())
        self.reader.join(10)
        assert code == 0, f"exit code {code}:\n" + self.text()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(10)


@pytest.fixture
def start_arc(tmp_path):
    """Start servers at will: start_arc(*arguments, directory=…, environment=…). All are stopped at the end."""
    running = []

    def start(*arguments, directory=None, environment=None):
        arc = Arc(directory or tmp_path, *arguments, environment=environment)
        running.append(arc)
        return arc

    yield start
    for arc in running:
        if arc.process.poll() is None:
            arc.stop()


def _server(directory):
    arc = Arc(directory)
    yield arc
    try:
        arc.stop()
    except AssertionError:
        print(arc.text(), file=sys.stderr)
        raise


@pytest.fixture
def arc(tmp_path):
    """A server of the test's own."""
    yield from _server(tmp_path)


@pytest.fixture(scope="module")
def arc_module(tmp_path_factory):
    """A server that the tests of a file share."""
    yield from _server(tmp_path_factory.mktemp("arc"))
