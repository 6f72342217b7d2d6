"""The JavaScript libraries of InfluxDB 1 and 2, from npm, on Node."""

import json
import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
MODULES = HERE.parents[1] / ".deps" / "npm-clients"
TOKEN = "a-token-for-javascript-0123456789-0123456789"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def server(arc_start_module):
    return arc_start_module(env={"AUTH_ENABLED": "true", "ARC_AUTH_BOOTSTRAP_TOKEN": TOKEN})


def run(script, *args):
    done = subprocess.run(["node", HERE / "npm" / script, *args], capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, ARC_NPM=str(MODULES)))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_influx(server):
    seen = run("influx1.mjs", str(server.port), TOKEN)
    assert seen["ping"] == [{"online": True, "version": "1.8.10"}]
    assert "js1" in seen["databases"]
    assert seen["measurements"] == ["cpu"]
    assert "field type conflict" in seen["conflict"] and "usage" in seen["conflict"]
    assert "js1" not in seen["afterDrop"]


def test_influxdb_client(server):
    seen = run("influx2.mjs", server.url, TOKEN)
    assert seen["errors"] == []
    assert seen["health"] is True
    assert seen["refused"] == 401
    assert seen["flux"]["status"] in (400, 404, 501) and "SQL" in seen["flux"]["message"]
    answer = server.post("/api/v1/query", json.dumps(
        {"sql": "SELECT host, count(*), sum(used)::BIGINT, bool_and(up) FROM mem GROUP BY ALL ORDER BY host"}),
        {**HEADERS, "x-arc-database": "js2"})
    assert answer.json()["data"] == [["h0", 400, 239400, True], ["h1", 400, 239800, True], ["h2", 400, 240200, True]]
