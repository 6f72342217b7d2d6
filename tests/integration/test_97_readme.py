"""What README.md tells a newcomer to type does what it says."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from conftest import binary, environment

README = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text()
WRITE_AND_READ = README.split("## Write and read")[1].split("\n## ")[0]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", WRITE_AND_READ, re.S)


@pytest.fixture(scope="module")
def newcomer(arc_start_module):
    """run(command…): in a shell that has the token, against a server that has just been started for the first time."""
    arc = arc_start_module({"AUTH_ENABLED": "true"})
    token = re.search(r"export ARC_TOKEN=(\S+)", "".join(arc.stderr))[1]

    def here(text):
        return (text.replace("http://127.0.0.1:8000", arc.url).replace("build/arc", binary())
                .replace("data/arc", str(arc.data / "arc")))

    def run(command, text):
        done = subprocess.run([*command, here(text)], capture_output=True, text=True, timeout=120,
                              env={**environment(), "ARC_TOKEN": token, "ARC_URL": arc.url, "HOME": os.environ.get("HOME", "/")})
        assert done.returncode == 0, done
        return done.stdout

    return run


def test_lines_of_shell(newcomer):
    first, second, third = blocks("sh")
    said = newcomer(["bash", "-ec"], first)
    assert '"columns":["host","avg(usage)"],"data":[["web1",42.5]]' in said
    said = newcomer(["bash", "-ec"], second)
    assert "29.75" in said or ("42.5" in said and "17" in said), said  # their mean, unless a minute began between them
    said = newcomer(["bash", "-ec"], third)
    assert '"status":"success"' in said and re.search(r"/default/cpu/\d{4}/\d\d/\d\d/\d\d/\S+\.parquet", said)


def test_lines_of_python(newcomer):
    script, = blocks("python")
    said = newcomer([sys.executable, "-c"], script + '\nprint(table.num_rows >= 2, frame.columns, sorted(frame["host"].unique()))\n')
    assert said.startswith("True ['time', 'host', 'usage'") and "'web1', 'web2'" in said, said
