"""InfluxDB's own tools and libraries, as their users begin: a database or a bucket first, then points, then a look at them."""

import shutil
import subprocess

import pytest
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError
from influxdb_client import BucketRetentionRules
from influxdb_client import InfluxDBClient as InfluxDBClient2
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

SHELL_LIMIT_S = 60


@pytest.fixture(scope="module")
def v1(arc_module):
    client = InfluxDBClient("127.0.0.1", arc_module.port, "user", "a-token", "v1")
    client.create_database("v1")
    client.write_points([{"measurement": "cpu", "tags": {"host": h, "dc": "x"}, "time": 1700000000 + i, "fields": {"usage": float(i), "n": i}}
                         for i, h in enumerate(["a", "b", "c"])], time_precision="s")
    client.write_points([{"measurement": "mem", "tags": {"host": "a"}, "fields": {"free": 1}}])
    yield client
    client.close()


def test_v1_lists(v1):
    assert {"name": "v1"} in v1.get_list_database()
    assert v1.get_list_measurements() == [{"name": "cpu"}, {"name": "mem"}]
    assert v1.get_list_series() == ["cpu,dc=x,host=a", "cpu,dc=x,host=b", "cpu,dc=x,host=c", "mem,host=a"]
    assert v1.get_list_series(measurement="cpu", tags={"host": "b"}) == ["cpu,dc=x,host=b"]
    assert v1.get_list_retention_policies("v1") == [
        {"name": "autogen", "duration": "0s", "shardGroupDuration": "168h0m0s", "replicaN": 1, "default": True}]
    assert v1.get_list_users() == []
    assert v1.get_list_continuous_queries() == [{"default": []}, {"v1": []}]


def test_v1_queries(v1):
    result = v1.query("SHOW TAG VALUES FROM cpu WITH KEY = host WHERE host != $h", bind_params={"h": "b"})
    assert list(result.get_points()) == [{"key": "host", "value": "a"}, {"key": "host", "value": "c"}]
    result = v1.query("SHOW FIELD KEYS", chunked=True, chunk_size=1)
    assert [p for part in result for p in part.get_points("cpu")][0] == {"fieldKey": "n", "fieldType": "integer"}
    with pytest.raises(InfluxDBClientError, match="error parsing query: found EOF, expected FROM"):
        v1.query("SELECT *")
    with pytest.raises(InfluxDBClientError, match="database not found: nowhere"):
        v1.query("SHOW TAG KEYS", database="nowhere")


def test_v1_drops(arc_module):
    client = InfluxDBClient("127.0.0.1", arc_module.port, "user", "a-token", "dropped")
    client.create_database("dropped")
    client.write_points([{"measurement": m, "fields": {"v": 1}} for m in ("one", "two")])
    client.drop_measurement("one")
    assert client.get_list_measurements() == [{"name": "two"}]
    client.drop_database("dropped")
    assert {"name": "dropped"} not in client.get_list_database()
    client.close()


@pytest.mark.skipif(shutil.which("influx") is None, reason="the influx shell is not installed (scripts/deps test)")
def test_influx_shell(arc_module):
    def run(*args):
        return subprocess.run(["influx", "-host", "127.0.0.1", "-port", str(arc_module.port), *args], capture_output=True, text=True,
                              timeout=SHELL_LIMIT_S)

    def shown(command):
        return [line.split() for line in run("-database", "shell", "-execute", command).stdout.splitlines()]

    assert shown("CREATE DATABASE shell") == []
    assert shown("INSERT cpu,host=a v=1 1700000000000000000") == []
    assert shown("INSERT cpu,host=b v=2 1700000001000000000") == []
    assert shown("SHOW MEASUREMENTS") == [["name:", "measurements"], ["name"], ["----"], ["cpu"]]
    assert shown('SHOW TAG VALUES WITH KEY = "host"') == [["name:", "cpu"], ["key", "value"], ["---", "-----"], ["host", "a"], ["host", "b"]]
    assert shown("SHOW FIELD KEYS")[-1] == ["v", "float"]
    assert "found EOF, expected CONTINUOUS" in run("-execute", "SHOW").stderr
    a = run("-database", "shell", "-format", "csv", "-execute", "SHOW SERIES")
    assert a.stdout == 'key\n"cpu,host=a"\n"cpu,host=b"\n', a
    a = run("-database", "shell", "-format", "json", "-execute", "SHOW TAG KEYS; DROP MEASUREMENT cpu; SHOW MEASUREMENTS")
    assert a.stdout == '{"results":[{"series":[{"name":"cpu","columns":["tagKey"],"values":[["host"]]}]},{},{}]}\n', a


@pytest.fixture
def v2(arc_module):
    with InfluxDBClient2(url=arc_module.url, token="a-token", org="my-org") as client:
        yield client


def test_v2_makes_its_bucket_first(v2, arc_module):
    assert v2.ping()
    assert v2.version().startswith("1.8")
    org = v2.organizations_api().find_organizations(org="my-org")[0]
    assert org.name == "my-org"
    buckets = v2.buckets_api()
    assert buckets.find_bucket_by_name("made") is None
    made = buckets.create_bucket(bucket_name="made", org="my-org", retention_rules=BucketRetentionRules(type="expire", every_seconds=3600))
    assert (made.name, made.org_id, made.retention_rules) == ("made", org.id, [])
    assert buckets.find_bucket_by_name("made").id == made.id
    assert buckets.find_bucket_by_id(made.id).name == "made"
    assert "made" in [b.name for b in buckets.find_buckets().buckets]
    v2.write_api(write_options=SYNCHRONOUS).write("made", "my-org", "m v=1 1")
    assert arc_module.query("SELECT v FROM m", database="made")["data"] == [[1.0]]
    with pytest.raises(ApiException) as e:
        buckets.create_bucket(bucket_name="made", org="my-org")
    assert e.value.status == 422 and "bucket with name made already exists" in e.value.body
    buckets.delete_bucket(made)
    assert buckets.find_bucket_by_name("made") is None


def test_v2_says_that_there_is_no_flux(v2):
    with pytest.raises(ApiException, match="SQL") as e:
        v2.query_api().query("buckets()")
    assert e.value.status == 400
