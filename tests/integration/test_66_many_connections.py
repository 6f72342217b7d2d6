"""Hundreds of connections that all wait for their answers: none is forgotten, whatever their number."""

import json

import pytest


@pytest.mark.parametrize("connections", [127, 128, 129, 256, 257])
def test_no_connection_waits_for_ever(arc_start, arc_run, connections):
    # One HTTP thread, so that exactly so many events come at once; the library's own loop stops at 128.
    arc = arc_start({"ARC_WORKERS": "1"})
    for _ in range(3):
        done = arc_run("bench", "write", "--url", arc.url, "--json", "--format", "lp", "--rows", "1",
                       "--connections", str(connections), "--requests", str(connections * 12), "--no-flush", timeout=60)
        assert done.returncode == 0, (done.stdout, done.stderr)
        result, = [json.loads(line) for line in done.stdout.splitlines()]
        assert result["answers"] == {"204": connections * 12} and result["verified"] is True
