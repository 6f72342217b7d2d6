"""Telegraf's three outputs against the binary: one file of metrics in, the same rows in SQL."""

import json
import os
import subprocess

import pytest

pytestmark = pytest.mark.slow_install

TOKEN = "a-token-for-telegraf-0123456789-0123456789"

METRICS = "".join(
    f"cpu,host=server{h:02d},region=eu\\ west usage_idle={90 + h}.5,usage_user={h}.25,cores=8i,up=true "
    f"{1767607200000000000 + i * 1000000000}\n"
    for i in range(50) for h in range(4)
) + 'log,host=server00 message="a \\"quoted\\" line, with comma",level=3i 1767607200000000000\n'

CONFIG = """
[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 77
  omit_hostname = true
  skip_processors_after_aggregators = true

[[inputs.file]]
  files = ["{file}"]
  data_format = "influx"

{output}
"""

OUTPUTS = {
    "influxdb": """
[[outputs.influxdb]]
  urls = ["{url}"]
  database = "{db}"
  username = ""
  password = "{token}"
""",
    "influxdb_v2": """
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "-"
  bucket = "{db}"
""",
    "arc": """
[[outputs.arc]]
  url = "{url}/api/v1/write/msgpack"
  api_key = "{token}"
  database = "{db}"
""",
}


@pytest.fixture(scope="module")
def server(arc_start_module):
    return arc_start_module(env={"AUTH_ENABLED": "true", "ARC_AUTH_BOOTSTRAP_TOKEN": TOKEN})


def query(arc, sql, database):
    answer = arc.post("/api/v1/query", json.dumps({"sql": sql}),
                      {"Authorization": f"Bearer {TOKEN}", "x-arc-database": database})
    assert answer.status == 200, answer
    return answer.json()["data"]


@pytest.mark.parametrize("output", OUTPUTS)
def test_telegraf_output(server, tmp_path, output):
    arc, db = server, f"tg_{output}"
    (tmp_path / "metrics.lp").write_text(METRICS)
    config = tmp_path / "telegraf.conf"
    config.write_text(CONFIG.format(file=tmp_path / "metrics.lp",
                                    output=OUTPUTS[output].format(url=arc.url, db=db, token=TOKEN)))
    # --once gathers the file, writes every batch, and exits with an error if an output refused one
    run = subprocess.run([os.environ["TELEGRAF"], "--strict-env-handling", "--config", str(config), "--once"],
                         capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert " E! " not in run.stderr and " W! " not in run.stderr, run.stderr

    rows = query(arc, "SELECT time, host, region, usage_idle, usage_user, cores, up FROM cpu ORDER BY time, host", db)
    assert rows == [[f"2026-01-05T10:00:{i:02d}Z", f"server{h:02d}", "eu west", 90.5 + h, h + 0.25, 8, True]
                    for i in range(50) for h in range(4)]
    assert query(arc, "SELECT message, level FROM log", db) == [['a "quoted" line, with comma', 3]]
