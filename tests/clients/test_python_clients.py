"""The Python libraries that people have: what they write is what they read."""

import datetime
import io

import msgpack
import pandas
import polars
import pyarrow
import pyarrow.ipc
import pytest
from influxdb import InfluxDBClient
from influxdb_client import InfluxDBClient as InfluxDBClient2
from influxdb_client import Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS

UTC = datetime.timezone.utc
T0 = datetime.datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def v1(arc_module):
    client = InfluxDBClient("127.0.0.1", arc_module.port, "user", "a-token", "v1")
    yield client
    client.close()


def test_influxdb_v1_pings_and_creates(v1, arc_module):
    assert v1.ping().startswith("1.8")
    v1.create_database("v1")
    assert {"name": "v1"} in v1.get_list_database()
    assert ["v1"] in arc_module.query("SHOW DATABASES")["data"]


@pytest.mark.parametrize("precision", ["n", "u", "ms", "s", "m", "h"])
def test_influxdb_v1_writes_every_precision(v1, arc_module, precision):
    points = [{"measurement": f"p_{precision}", "tags": {"host": "a b,c=d"}, "time": T0,
               "fields": {"f": 1.5, "i": 3, "s": 'say "hi"\\', "b": True}}]
    assert v1.write_points(points, time_precision=precision)
    assert arc_module.query(f'SELECT time, host, f, i, s, b FROM p_{precision}', database="v1")["data"] == [
        ["2026-01-05T10:00:00Z", "a b,c=d", 1.5, 3, 'say "hi"\\', True]]


def test_influxdb_v1_gzip(arc_module):
    client = InfluxDBClient("127.0.0.1", arc_module.port, "", "a-token", "v1", gzip=True)
    points = [{"measurement": "zipped", "time": T0 + datetime.timedelta(seconds=i), "fields": {"v": float(i)}}
              for i in range(1000)]
    assert client.write_points(points, batch_size=300)
    assert arc_module.query("SELECT count(*), sum(v) FROM zipped", database="v1")["data"] == [[1000, 499500.0]]
    client.close()


def test_influxdb_v1_sees_a_partial_write(v1, arc_module):
    from influxdb.exceptions import InfluxDBClientError
    v1.write(["partial v=1 1000"], {"db": "v1"}, 204, "line")
    with pytest.raises(InfluxDBClientError, match="partial write") as e:
        v1.write(["partial v=2 2000", "partial v=", "partial v=3 3000"], {"db": "v1"}, 204, "line")
    assert e.value.code == 400
    assert arc_module.query("SELECT sum(v) FROM partial", database="v1")["data"] == [[6.0]]


def test_influxdb_v1_asks_for_measurements(v1):
    v1.write_points([{"measurement": "listed", "fields": {"v": 1.0}}])
    assert {"name": "listed"} in v1.get_list_measurements()


@pytest.mark.parametrize("gzip", [False, True])
def test_influxdb_client_v2_writes(arc_module, gzip):
    db = f"v2_{gzip}".lower()
    with InfluxDBClient2(url=arc_module.url, token="a-token", org="-", enable_gzip=gzip) as client:
        write = client.write_api(write_options=SYNCHRONOUS)
        for precision in (WritePrecision.NS, WritePrecision.US, WritePrecision.MS, WritePrecision.S):
            point = Point("m").tag("p", precision).field("v", 2.5).field("n", 7).time(T0, precision)
            write.write(bucket=db, record=point, write_precision=precision)
        assert client.ping()
    assert arc_module.query("SELECT time, p, v, n FROM m ORDER BY p", database=db)["data"] == [
        ["2026-01-05T10:00:00Z", p, 2.5, 7] for p in ("ms", "ns", "s", "us")]


def test_influxdb_client_v2_writes_a_data_frame(arc_module):
    frame = pandas.DataFrame({"host": ["a", "b", "a"], "load": [0.5, 1.5, 2.5]},
                             index=pandas.date_range(T0, periods=3, freq="1min"))
    with InfluxDBClient2(url=arc_module.url, token="a-token", org="-") as client:
        client.write_api(write_options=SYNCHRONOUS).write(
            bucket="v2df/autogen", record=frame, data_frame_measurement_name="frames", data_frame_tag_columns=["host"])
    assert arc_module.query("SELECT host, sum(load) FROM frames GROUP BY host ORDER BY host",
                            database="v2df")["data"] == [["a", 3.0], ["b", 1.5]]


def test_influxdb_client_v2_sees_errors(arc_module):
    from influxdb_client.rest import ApiException
    with InfluxDBClient2(url=arc_module.url, token="a-token", org="-") as client:
        with pytest.raises(ApiException) as e:
            client.write_api(write_options=SYNCHRONOUS).write(bucket="v2err", record="m v=nonsense 1")
    assert e.value.status == 400
    assert "unable to parse" in e.value.message


@pytest.fixture(scope="module")
def filled(arc_module):
    """10,000 rows by MessagePack with every type; half of them in Parquet."""
    n = 5000
    for part in range(2):
        i = range(part * n, (part + 1) * n)
        body = {"m": "mixed", "columns": {
            "time": [1767607200000000 + k * 1000 for k in i], "host": [f"h{k % 7}" for k in i],
            "v": [k / 8 for k in i], "n": [k if k % 3 else None for k in i], "ok": [k % 2 == 0 for k in i]}}
        assert arc_module.post("/api/v1/write/msgpack", msgpack.packb(body),
                               {"x-arc-database": "py"}).status == 204
        if part == 0:
            assert arc_module.post("/api/v1/write/flush", "").status == 200
    return arc_module


def arrow(arc, sql):
    answer = arc.query_raw(sql, "py", "/api/v1/query/arrow")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "application/vnd.apache.arrow.stream"
    return answer.body


def check(columns):
    assert columns["time"][0] == T0 and columns["time"][-1] == T0 + datetime.timedelta(milliseconds=9999)
    assert columns["host"] == [f"h{k % 7}" for k in range(10000)]
    assert columns["v"] == [k / 8 for k in range(10000)]
    assert columns["n"] == [k if k % 3 else None for k in range(10000)]
    assert columns["ok"] == [k % 2 == 0 for k in range(10000)]


SELECT = "SELECT time, host, v, n, ok FROM mixed ORDER BY time"


def test_pyarrow_reads_every_type(filled):
    table = pyarrow.ipc.open_stream(arrow(filled, SELECT)).read_all()
    assert table.schema.types == [pyarrow.timestamp("us", tz="UTC"), pyarrow.string(), pyarrow.float64(),
                                  pyarrow.int64(), pyarrow.bool_()]
    assert all(f.nullable for f in table.schema)
    table.validate(full=True)
    check(table.to_pydict())


def test_pyarrow_reads_types_without_rows(filled):
    table = pyarrow.ipc.open_stream(arrow(filled, "SELECT * FROM mixed WHERE false")).read_all()
    assert table.num_rows == 0 and "timestamp[us, tz=UTC]" in map(str, table.schema.types)


def test_polars_reads(filled):
    frame = polars.read_ipc_stream(io.BytesIO(arrow(filled, SELECT)))
    check(frame.to_dict(as_series=False))


def test_pandas_reads(filled):
    frame = pyarrow.ipc.open_stream(arrow(filled, SELECT)).read_pandas()
    assert frame["v"].sum() == sum(k / 8 for k in range(10000))
    assert frame["n"].isna().sum() == 3334
    assert str(frame["time"].dtype) == "datetime64[us, UTC]"


def test_dictionaries_and_compression_on_request(filled):
    body = filled.query_raw(SELECT, "py", "/api/v1/query/arrow",
                            {"x-arc-arrow-dictionary": "true", "x-arc-arrow-compression": "zstd"}).body
    assert len(body) < len(arrow(filled, SELECT)) / 2
    table = pyarrow.ipc.open_stream(body).read_all()
    assert pyarrow.types.is_dictionary(table.schema.field("host").type)
    check({k: v for k, v in table.to_pydict().items()})
