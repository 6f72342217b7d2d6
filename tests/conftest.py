"""A real server for each module: the binary that ARC_BINARY names, on a free port, over a temporary directory."""

import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 90
REQUEST_TIMEOUT_S = 60


def pytest_configure(config):
    os.environ["PATH"] += os.pathsep + str(ROOT / ".deps" / "debian" / "usr" / "bin")  # see scripts/deps
    config.addinivalue_line("markers", "slow_install: needs programs that take long to install")


def binary():
    path = pathlib.Path(os.environ.get("ARC_BINARY") or ROOT / "build" / "arc")
    if not path.is_file():
        pytest.exit(f"{path} is not there: build it, or let ARC_BINARY name the binary", returncode=4)
    return str(path)


@functools.cache
def is_thread_sanitized():
    """Inside a sandbox ThreadSanitizer cannot open the libraries that its suppressions name."""
    return b"__tsan_init" in pathlib.Path(binary()).read_bytes()


def environment(extra=None, asks_tokens=False):
    """Ours without what would configure a server, then `extra`. Servers ask for no tokens unless told to."""
    names = re.compile(r"^(ARC_(?!BINARY)|STORAGE_|DUCKDB_|BUFFER_|WRITE_BUFFER_|MAX_|LOG_|CORS_|AUTH_|WAL_|DB_PATH|COMPRESSION|QUERY_CACHE_|DELETE_|"
                       r"DEFAULT_API_TOKEN|SLOW_QUERY_|(HOST|PORT|WORKERS)$)")
    env = {k: v for k, v in os.environ.items() if not names.match(k)}
    if not asks_tokens:
        env["AUTH_ENABLED"] = "false"
    if is_thread_sanitized():
        env["ARC_SERVER_SANDBOX"] = "off"
    env.update(extra or {})
    return env


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:500]!r}>"


class Arc:
    """One server process. `data` outlives it, so that another can be started over it."""

    def __init__(self, data, env=None, args=(), wait=True):
        """wait=False: it listens, but may not be ready yet; see wait_ready."""
        self.data = pathlib.Path(data)
        self.stderr = []
        command = [binary(), "serve", "--port", "0", "--data", str(data), *args]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, errors="replace", env=environment(env))
        self.connections = threading.local()
        self.listening = threading.Event()
        self.url = None
        self.reader = threading.Thread(target=self._read_stderr, daemon=True)
        self.reader.start()
        if not self.listening.wait(START_TIMEOUT_S) or self.url is None:
            self.process.kill()
            self.reader.join()
            raise RuntimeError("the server does not listen:\n" + "".join(self.stderr))
        self.port = int(self.url.rsplit(":", 1)[1])
        if wait:
            self.wait_ready()

    def wait_ready(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                answer = self.get("/ready")
            except OSError as e:
                answer = e
            if isinstance(answer, Answer) and answer.status == 200:
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self.reader.join()
                raise RuntimeError(f"the server does not become ready: {answer}\n" + "".join(self.stderr))
            time.sleep(0.01)

    def kill(self):
        """SIGKILL: what a crash leaves of it."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)
        self.reader.join()

    def _read_stderr(self):
        for line in self.process.stderr:
            self.stderr.append(line)
            found = re.search(r"https?://[^\s,\"]+", line)
            if self.url is None and "listening" in line and found:
                self.url = found[0]
                self.listening.set()
        self.listening.set()

    def request(self, method, path, body=None, headers=None):
        """On this thread's kept connection; once more on a new one when the server had closed it."""
        if isinstance(body, str):
            body = body.encode()
        chunked = "Transfer-Encoding" in (headers or {})  # the body is pieces, to be had once only
        for fresh in (chunked, True):
            kept = None if fresh else getattr(self.connections, "kept", None)
            connection = kept or http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_TIMEOUT_S)
            self.connections.kept = connection
            try:
                connection.request(method, path, body, headers or {}, encode_chunked=chunked)
                response = connection.getresponse()
                return Answer(response.status, response.headers, response.read())
            except Exception as e:
                connection.close()
                self.connections.kept = None
                closed = isinstance(e, (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError))
                if kept is None or not closed:
                    raise

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, body=b"", headers=None):
        return self.request("POST", path, body, headers)

    def query_raw(self, sql, database=None, path="/api/v1/query", headers=None, **fields):
        headers = dict(headers or {})
        if database:
            headers["x-arc-database"] = database
        return self.post(path, json.dumps({"sql": sql, **fields}), headers)

    def query(self, sql, database=None, **fields):
        """The JSON answer of a query that must succeed."""
        answer = self.query_raw(sql, database, **fields)
        assert answer.status == 200, answer
        return answer.json()

    def rows(self, sql, database=None):
        return self.query(sql, database)["data"]

    def stop(self, expect=0, told=False):
        """SIGTERM, unless it was told already, then the exit code that it must have."""
        connection = getattr(self.connections, "kept", None)
        if connection:
            connection.close()
        if not told and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = f"none within {STOP_TIMEOUT_S} s"
        self.reader.join()
        text = "".join(self.stderr)
        assert code == expect, f"exit code {code}:\n{text}"
        assert "runtime error" not in text and "Sanitizer" not in text, text


def starter(directory):
    """What starts servers with settings of their own: start(env={…}, args=[…], data=…). All must stop with 0."""
    started = []

    def start(env=None, args=(), data=None, wait=True):
        arc = Arc(data or directory / f"data{len(started)}", env, args, wait)
        started.append(arc)
        return arc

    yield start
    for arc in reversed(started):
        if arc.process.returncode is None:
            arc.stop()


@pytest.fixture
def arc_start(tmp_path):
    yield from starter(tmp_path)


@pytest.fixture(scope="module")
def arc_start_module(tmp_path_factory):
    """The same for all tests of a module."""
    directory = tmp_path_factory.mktemp("arcs")
    yield from starter(directory)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def arc_module(tmp_path_factory):
    """One server for all tests of a module."""
    data = tmp_path_factory.mktemp("arc")
    arc = Arc(data)
    yield arc
    try:
        arc.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def arc(arc_start):
    """A server with nothing in it."""
    return arc_start()


def run_arc(*args, stdin=None, env=None, timeout=60):
    """Run the program and wait for it."""
    return subprocess.run([binary(), *args], input=stdin, capture_output=True, text=True, timeout=timeout,
                          env=environment(env, asks_tokens=args[:1] != ("serve",)))


@pytest.fixture
def arc_run():
    return run_arc
