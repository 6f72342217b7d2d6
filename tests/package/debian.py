"""The Debian package: made by scripts/deb of the preset that ARC_PRESET names (release), or what ARC_DEB names."""

import functools
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


@functools.cache
def package():
    named = os.environ.get("ARC_DEB")
    if named:
        return pathlib.Path(named)
    r = subprocess.run([ROOT / "scripts" / "deb", os.environ.get("ARC_PRESET", "release")], capture_output=True, text=True, timeout=1800)
    assert r.returncode == 0, r.stderr
    return pathlib.Path(r.stdout.strip().splitlines()[-1])
