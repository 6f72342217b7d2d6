"""The wall round the process: what it says, what holds inside, when it refuses to start."""

import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from conftest import binary, environment, is_thread_sanitized

pytestmark = pytest.mark.skipif(is_thread_sanitized(), reason="servers under ThreadSanitizer have no sandbox")

# ENOSYS for landlock_create_ruleset (444), then the program that follows.
HIDE_LANDLOCK = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
step = lambda code, yes, no, k: struct.pack("HBBI", code, yes, no, k)
steps = step(0x20, 0, 0, 0) + step(0x15, 0, 1, 444) + step(0x06, 0, 0, 0x00050000 | 38) + step(0x06, 0, 0, 0x7fff0000)
held = ctypes.create_string_buffer(steps)
program = struct.pack("HxxxxxxQ", len(steps) // 8, ctypes.addressof(held))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def landlock_abi():
    abi = ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1)
    return max(abi, 0)


def lines(arc, event):
    found = [json.loads(line) for line in arc.stderr if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_the_start_says_which_layers_are_on(arc):
    [line] = lines(arc, "sandbox")
    assert line["level"] == "info" and line["message"].startswith("on: ")
    if landlock_abi():
        assert f"landlock ABI {landlock_abi()} (files" in line["message"]
    assert "seccomp (" in line["message"] and "no new privileges" in line["message"]


def test_every_thread_is_inside(arc):
    arc.post("/write?db=default", "cpu v=1")
    assert arc.rows("SELECT v FROM cpu") == [[1.0]]
    own = status_of(arc.process.pid)
    assert own["NoNewPrivs"] == "1" and own["Seccomp"] == "2"
    for task in pathlib.Path(f"/proc/{arc.process.pid}/task").iterdir():
        status = status_of(f"{arc.process.pid}/task/{task.name}")
        if status["Name"] != "arc" or task.name == str(arc.process.pid):  # a sanitizer's own thread is older
            assert (status["Seccomp"], status["CapEff"], status["CapBnd"]) == (
                "2", "0" * 16, own["CapBnd"]), status["Name"]
    if os.geteuid() == 0:
        assert own["CapBnd"] == own["CapPrm"] == own["CapEff"] == "0" * 16


def test_threads_keep_their_names(arc):
    names = {(task / "comm").read_text().strip()
             for task in pathlib.Path(f"/proc/{arc.process.pid}/task").iterdir()}
    assert {"listener", "http", "queries", "committer", "flusher"} <= names


def test_off_is_off_and_is_told(arc_start):
    arc = arc_start(args=["--sandbox", "off"])
    [line] = lines(arc, "sandbox")
    assert (line["level"], line["message"]) == ("warn", "off, as server.sandbox asks")
    assert status_of(arc.process.pid)["Seccomp"] == "0"


@pytest.mark.skipif(not landlock_abi(), reason="this kernel has no Landlock")
def test_required_starts_where_it_is(arc_start):
    arc = arc_start(env={"ARC_SERVER_SANDBOX": "required"})
    assert arc.get("/ready").status == 200


def test_required_refuses_where_it_is_not(arc_run, tmp_path):
    """Under a filter that hides Landlock, as an older kernel has none."""
    hide = tmp_path / "hide.py"
    hide.write_text(HIDE_LANDLOCK)
    r = subprocess.run([sys.executable, hide, binary(), "serve", "--port", "0", "--data", tmp_path / "data",
                        "--sandbox", "required"], capture_output=True, text=True, timeout=60, env=environment())
    assert r.returncode == 78
    assert "a sandbox is required, but this machine has no Landlock: the kernel was built without it" in r.stderr


def test_without_landlock_the_rest_is_on_and_the_gap_is_told(tmp_path):
    hide = tmp_path / "hide.py"
    hide.write_text(HIDE_LANDLOCK)
    p = subprocess.Popen([sys.executable, hide, binary(), "serve", "--port", "0", "--data", tmp_path / "data"],
                         stderr=subprocess.PIPE, text=True, env=environment())
    said = {}
    for line in p.stderr:
        entry = json.loads(line)
        said[entry["event"]] = entry
        if entry["event"] == "ready":
            break
    p.send_signal(signal.SIGTERM)
    p.stderr.read()
    assert p.wait(60) == 0
    assert "; not on: landlock: the kernel was built without it" in said["sandbox"]["message"]
    assert "seccomp (" in said["sandbox"]["message"]
    assert said["sandbox_weak"]["level"] == "warn"


def test_a_word_that_is_none_is_a_bad_configuration(arc_run, tmp_path):
    r = arc_run("serve", "--data", str(tmp_path / "data"), env={"ARC_SERVER_SANDBOX": "maybe"})
    assert r.returncode == 78
    assert "maybe" in r.stderr and "auto, required or off" in r.stderr
    assert not (tmp_path / "data").exists()


def test_a_directory_that_is_the_root_is_refused(arc_run, tmp_path):
    r = arc_run("serve", "--port", "0", "--data", str(tmp_path / "data"), env={"DB_PATH": "/arc-nowhere.db"})
    assert r.returncode == 78, r.stderr
    assert "the sandbox cannot leave '/' to the server" in r.stderr
    assert not pathlib.Path("/arc-nowhere.db").exists()


def test_directories_all_over_the_place_are_all_inside(arc_start, tmp_path):
    env = {"STORAGE_LOCAL_BASE_PATH": str(tmp_path / "a/files"), "WAL_DIR": str(tmp_path / "b/log"),
           "DB_PATH": str(tmp_path / "c/arc.db"), "ARC_DUCKDB_TEMP_DIRECTORY": str(tmp_path / "d/spill")}
    arc = arc_start(env=env, data=tmp_path / "e")
    arc.post("/write?db=default", "cpu v=1 1767607200000000000")
    assert arc.post("/api/v1/write/line-protocol/flush").status == 200
    assert arc.rows("SELECT v FROM cpu") == [[1.0]]
    arc.stop()
    assert len(list((tmp_path / "a/files").rglob("*.parquet"))) == 1
    assert (tmp_path / "c/arc.db").exists() and list((tmp_path / "b/log").iterdir())
    again = arc_start(env=env, data=tmp_path / "e")
    assert again.rows("SELECT v FROM cpu") == [[1.0]]


def test_names_of_hosts_are_looked_up_inside(arc_start):
    arc = arc_start(args=["--host", "localhost"])
    with socket.create_connection(("localhost", arc.port), timeout=20):
        pass
