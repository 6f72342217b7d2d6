"""What is in the package, and whether systemd takes the unit."""

import configparser
import os
import re
import shutil
import subprocess
import tomllib

import pytest

from debian import ROOT, package

UNIT = ROOT / "packaging" / "arc.service"
MOST_EXPOSED = 2.0  # of 10, by systemd-analyze


def run(*command, **more):
    r = subprocess.run(command, capture_output=True, text=True, timeout=300, **more)
    assert r.returncode == 0, (command, r.stdout, r.stderr)
    return r.stdout


@pytest.fixture(scope="session")
def deb():
    return package()


@pytest.fixture(scope="session")
def content(deb):
    """{path: (mode, owner)}"""
    lines = [line.split(None, 5) for line in run("dpkg-deb", "-c", deb).splitlines()]
    return {path.removeprefix("."): (mode, owner) for mode, owner, _, _, _, path in lines}


@pytest.fixture(scope="session")
def unpacked(deb, tmp_path_factory):
    to = tmp_path_factory.mktemp("unpacked")
    run("dpkg-deb", "-x", deb, to)
    run("dpkg-deb", "-e", deb, to / "DEBIAN")
    return to


def test_every_file_has_its_place_and_mode(content):
    files = {path: mode for path, (mode, _) in content.items() if not path.endswith("/")}
    assert files.pop("/usr/bin/arc") == "-rwxr-xr-x"
    files.pop("/usr/lib/arc/libduckdb.so", None)  # a system's own is used where there is one
    assert files == dict.fromkeys([
        "/etc/arc/arc.conf", "/lib/systemd/system/arc.service", "/usr/share/bash-completion/completions/arc",
        "/usr/share/doc/arc-tsdb/changelog.gz", "/usr/share/doc/arc-tsdb/copyright",
        "/usr/share/fish/vendor_completions.d/arc.fish", "/usr/share/lintian/overrides/arc-tsdb",
        "/usr/share/man/man1/arc.1.gz", "/usr/share/zsh/vendor-completions/_arc"], "-rw-r--r--")
    assert {owner for _, owner in content.values()} == {"root/root"}
    assert {mode for path, (mode, _) in content.items() if path.endswith("/")} == {"drwxr-xr-x"}


def test_the_control_file(deb):
    field = {name: run("dpkg-deb", "-f", deb, name).strip()
             for name in ("Package", "Version", "Section", "Conflicts", "Depends", "Architecture")}
    version = re.search(r"project\(arc VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert (field["Package"], field["Version"], field["Section"]) == ("arc-tsdb", version, "database")
    assert field["Conflicts"] == "arc"
    assert field["Architecture"] == run("dpkg", "--print-architecture").strip()
    needs = {d.split()[0] for d in field["Depends"].split(",")}
    assert {"adduser", "init-system-helpers", "libc6", "libgnutls30", "libmicrohttpd12", "libsqlite3-0"} <= needs
    assert not any("duckdb" in d or d.endswith("-dev") for d in needs)


def test_the_program_runs_from_where_it_is_unpacked(unpacked):
    """Its library is found beside it, not where it was built."""
    env = {"PATH": "/usr/bin:/bin"}
    arc = unpacked / "usr/bin/arc"
    assert run(arc, "version", env=env).startswith("arc ")
    if (unpacked / "usr/lib/arc/libduckdb.so").exists():
        linked = re.search(r"libduckdb\.so => (\S+)", run("ldd", arc))[1]
        assert os.path.realpath(linked) == os.path.realpath(unpacked / "usr/lib/arc/libduckdb.so")
    assert "not found" not in run("ldd", arc)


def test_the_scripts_are_shell(unpacked):
    for name in ("postinst", "prerm", "postrm"):
        assert (unpacked / "DEBIAN" / name).stat().st_mode & 0o777 == 0o755
        run("sh", "-n", unpacked / "DEBIAN" / name)
    assert (unpacked / "DEBIAN" / "conffiles").read_text() == "/etc/arc/arc.conf\n"


def test_no_script_touches_the_data(unpacked):
    for name in ("prerm", "postrm"):
        text = (unpacked / "DEBIAN" / name).read_text()
        assert not re.search(r"\brm\b(?!dir)|\bdeluser\b|\buserdel\b", text), name


def test_the_settings_file_is_one(unpacked, tmp_path):
    text = (unpacked / "etc/arc/arc.conf").read_text()
    assert tomllib.loads(text)["storage"] == {"data_dir": "/var/lib/arc"}
    assert tomllib.loads(text)["server"]["host"] == "127.0.0.1"
    own = tmp_path / "arc.conf"  # with another place for data, and every line that is a comment with a setting
    own.write_text(re.sub(r"^# ((?:\w+) = )", r"\1", text, flags=re.M).replace("/var/lib/arc", str(tmp_path)))
    r = subprocess.run([unpacked / "usr/bin/arc", "config", "check", "--config", own], capture_output=True,
                       text=True, timeout=60, env={"PATH": "/usr/bin:/bin"})
    assert r.returncode == 0 or "/etc/arc/cert.pem" in r.stderr, r.stderr


def service():
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read(UNIT)
    return dict(parser["Service"])


def test_the_unit_says_what_the_program_does():
    s = service()
    assert s["Type"] == "notify"
    assert s["ExecStart"] == "/usr/bin/arc serve --config /etc/arc/arc.conf"
    assert s["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert s["RestartPreventExitStatus"] == "78"
    assert (s["User"], s["StateDirectory"], s["ConfigurationDirectory"]) == ("arc", "arc", "arc")


def test_systemd_takes_the_unit(unpacked, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    unit = tmp_path / "arc.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/arc ", f"{unpacked}/usr/bin/arc "))
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=120)
    assert (r.returncode, [line for line in r.stderr.splitlines() if "arc.service" in line]) == (0, [])


def test_the_unit_leaves_little_exposed():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    r = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT], capture_output=True,
                       text=True, timeout=120)
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", r.stdout)[1])
    assert exposure <= MOST_EXPOSED
