"""The package on a machine that has nothing else: installed, used, removed, installed again, purged.

The root is made by debootstrap, or copied from the one that ARC_PACKAGE_ROOT names. There is no systemd in it;
the program is run as the unit says, by its user.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.request

import pytest

from debian import package

pytestmark = pytest.mark.slow_install
# A namespace of its own for mounts: what is mounted for the root is gone with the last process in it.
INSIDE = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
          'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; mount -t sysfs -o ro sysfs "$0/sys"; '
          'exec chroot "$0" "$@"']
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def inside(root, *command, ok=True, **more):
    r = subprocess.run([*INSIDE, root, *command], capture_output=True, text=True, timeout=600, env=ENV, **more)
    assert not ok or r.returncode == 0, (command, r.stdout[-3000:], r.stderr[-3000:])
    return r


@pytest.fixture(scope="module")
def root():
    if os.geteuid() != 0:
        pytest.skip("a root of its own can be made by root alone")
    to = pathlib.Path(tempfile.mkdtemp(prefix="arc-root-", dir="/var/tmp"))  # devices are needed, which tmpfs may refuse
    try:
        ready = os.environ.get("ARC_PACKAGE_ROOT")
        command = ["cp", "-a", f"{ready}/.", to] if ready else ["debootstrap", "--variant=minbase", "bookworm", to]
        r = subprocess.run(command, capture_output=True, text=True, timeout=1200)
        assert r.returncode == 0, r.stdout[-3000:] + r.stderr[-3000:]
        to.chmod(0o755)
        shutil.copy("/etc/resolv.conf", to / "etc/resolv.conf")
        inside(to, "apt-get", "update", "-qq")
        yield to
    finally:
        shutil.rmtree(to)


class Service:
    """The program, run as the unit would."""

    def __init__(self, root):
        command = re.search(r"^ExecStart=(.+)$", (root / "lib/systemd/system/arc.service").read_text(), re.M)[1]
        self.process = subprocess.Popen(
            [*INSIDE, root, "setpriv", "--reuid=arc", "--regid=arc", "--clear-groups", "--no-new-privs",
             *command.split(), "--port", "0"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENV | {"AUTH_ENABLED": "false"})
        self.said = {}
        while "ready" not in self.said:
            line = self.process.stderr.readline()
            assert line, self.said
            if line.startswith("{"):
                entry = json.loads(line)
                self.said[entry["event"]] = entry
        self.url = self.said["ready"]["message"]

    def call(self, path, body):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, body.encode()), timeout=60) as answer:
            return answer.status, answer.read()

    def rows(self, sql):
        return json.loads(self.call("/api/v1/query", json.dumps({"sql": sql}))[1])["data"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stderr.read()
        assert self.process.wait(60) == 0, rest


def install(root):
    shutil.copy(package(), root / "tmp/arc.deb")
    inside(root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "/tmp/arc.deb")


def uid_of(root, name):
    return int(inside(root, "id", "-u", name).stdout)


def test_a_life_of_the_package(root):
    install(root)

    # its user, its directories, its files
    uid = uid_of(root, "arc")
    data, settings = root / "var/lib/arc", root / "etc/arc/arc.conf"
    assert 100 <= uid < 1000
    assert (data.stat().st_uid, data.stat().st_mode & 0o7777) == (uid, 0o750)
    assert (settings.stat().st_uid, settings.stat().st_mode & 0o7777) == (0, 0o640)
    assert inside(root, "arc", "version").stdout.startswith("arc ")
    assert inside(root, "dpkg", "--audit").stdout == ""

    # it serves, as its own user, walled in
    first = Service(root)
    status = pathlib.Path(f"/proc/{first.process.pid}/status").read_text()
    assert re.search(rf"^Uid:\s+{uid}\s+{uid}\s+{uid}\s+{uid}$", status, re.M)
    assert first.said["sandbox"]["message"].startswith("on: ")
    assert "runs_as_root" not in first.said
    assert first.call("/write?db=default", "cpu,host=a usage=1.5 1767607200000000000")[0] == 204
    assert first.rows("SELECT host, usage FROM cpu") == [["a", 1.5]]
    first.stop()

    # removed: the program is gone; the rows and the settings are not
    settings.write_text(settings.read_text() + "\n# mine\n")
    inside(root, "apt-get", "remove", "-y", "-qq", "arc-tsdb")
    assert not (root / "usr/bin/arc").exists() and not (root / "usr/lib/arc").exists()
    assert len(list(data.rglob("*.parquet"))) == 1
    assert settings.read_text().endswith("# mine\n")

    # installed again: they are still there
    install(root)
    assert uid_of(root, "arc") == uid
    assert settings.read_text().endswith("# mine\n") and settings.stat().st_mode & 0o7777 == 0o640
    second = Service(root)
    assert second.rows("SELECT host, usage FROM cpu") == [["a", 1.5]]
    second.stop()

    # purged: the settings go, the rows do not
    said = inside(root, "apt-get", "purge", "-y", "-qq", "arc-tsdb")
    assert "the data in /var/lib/arc is kept" in said.stdout + said.stderr
    assert not (root / "etc/arc").exists()
    assert len(list(data.rglob("*.parquet"))) == 1
    assert inside(root, "dpkg", "--audit").stdout == ""


def test_the_package_has_no_complaints_of_lintian():
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed")
    r = subprocess.run(["lintian", "--fail-on", "error,warning", package()], capture_output=True, text=True, timeout=600)
    assert (r.returncode, r.stdout) == (0, ""), r.stdout
