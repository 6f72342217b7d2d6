"""Arc's own Python library (arc-tsdb-client): writing in all its ways, queries, data frames, tokens."""

import datetime

import arc_client
import pandas
import polars
import pytest
from arc_client.exceptions import ArcError

UTC = datetime.timezone.utc
ADMIN = "an-admin-token-for-the-sdk-0123456789"
T0_US = 1767607200000000


@pytest.fixture(scope="module")
def server(arc_start_module):
    return arc_start_module(env={"AUTH_ENABLED": "true", "ARC_AUTH_BOOTSTRAP_TOKEN": ADMIN})


def connect(server, token=ADMIN, database="sdk"):
    return arc_client.ArcClient(host="127.0.0.1", port=server.port, token=token, database=database)


@pytest.fixture(scope="module")
def client(server):
    with connect(server) as c:
        yield c


def test_health_and_ready(client):
    health = client.health()
    assert health.status == "healthy"
    assert isinstance(health.version, str)
    assert client.ready() is True


def test_columns_and_their_queries(client):
    client.write.write_columnar("cpu", {"time": [T0_US, T0_US + 1_000_000, T0_US + 2_000_000],
                                        "host": ["a", "b", None], "usage": [1.5, None, 3.5], "cores": [1, 2, 3]})
    answer = client.query.query("SELECT time, host, usage, cores FROM cpu ORDER BY time")
    assert answer.success and answer.error is None
    assert answer.columns == ["time", "host", "usage", "cores"]
    assert answer.data == [["2026-01-05T10:00:00Z", "a", 1.5, 1], ["2026-01-05T10:00:01Z", "b", None, 2],
                           ["2026-01-05T10:00:02Z", None, 3.5, 3]]
    assert answer.row_count == 3

    frame = client.query.query_pandas("SELECT * FROM cpu ORDER BY time")
    assert list(frame.columns) == ["time", "host", "usage", "cores"]
    assert str(frame["time"].dt.tz) == "UTC"
    assert list(frame["cores"]) == [1, 2, 3]
    frame = client.query.query_polars("SELECT * FROM cpu ORDER BY time")
    assert frame["usage"].to_list() == [1.5, None, 3.5]
    table = client.query.query_arrow("SELECT host, sum(cores)::BIGINT AS n FROM cpu GROUP BY ALL ORDER BY host")
    assert table.to_pydict() == {"host": ["a", "b", None], "n": [1, 2, 3]}


def test_records_lines_points_and_frames(client):
    client.write.write_records([
        {"measurement": "rows", "time": T0_US + i, "fields": {"v": float(i)}, "tags": {"host": f"h{i % 2}"}}
        for i in range(10)])
    assert client.query.query("SELECT host, sum(v) FROM rows GROUP BY ALL ORDER BY 1").data == [
        ["h0", 20.0], ["h1", 25.0]]
    client.write.write_line_protocol(f"lines,host=a v=1.5 {T0_US * 1000}")
    client.write.write_point("lines", {"v": 2.5}, tags={"host": "b"}, timestamp=T0_US + 5)
    assert client.query.query("SELECT host, v FROM lines ORDER BY v").data == [["a", 1.5], ["b", 2.5]]
    times = pandas.date_range("2026-01-05T10:00:00Z", periods=3, freq="s")
    client.write.write_dataframe(pandas.DataFrame({"time": times, "host": ["a", None, "c"], "v": [1.0, 2.0, 3.0]}),
                                 measurement="frames", tag_columns=["host"])
    assert client.query.query("SELECT time, host, v FROM frames ORDER BY time").data == [
        ["2026-01-05T10:00:00Z", "a", 1.0], ["2026-01-05T10:00:01Z", None, 2.0], ["2026-01-05T10:00:02Z", "c", 3.0]]
    client.write.write_dataframe(polars.DataFrame({"time": [T0_US], "v": [7]}), measurement="polars_frames")
    assert client.query.query("SELECT v FROM polars_frames").data == [[7]]


def test_a_buffered_writer_writes_everything(client):
    with client.write.buffered(batch_size=100) as writer:
        for i in range(250):
            writer.write({"measurement": "buffered", "time": T0_US + i, "fields": {"v": i}, "tags": {}})
    assert client.query.query("SELECT count(*), sum(v)::BIGINT FROM buffered").data == [[250, 31125]]


def test_lists_and_estimates(client):
    assert "sdk" in client.query.list_databases()
    client.write.write_columnar("listed", {"time": [T0_US], "v": [1]})
    listed = [m for m in client.query.list_measurements("sdk") if m.measurement == "listed"]
    assert [(m.database, m.storage_path) for m in listed] == [("sdk", "sdk/listed")]
    tables = client.query.show_tables("sdk")
    assert tables.columns == ["database", "table_name", "storage_path", "file_count", "total_size_mb"]
    assert ["sdk", "listed"] in [row[:2] for row in tables.data]
    estimate = client.query.estimate("SELECT * FROM listed")
    assert estimate.success and estimate.estimated_rows == 1 and estimate.warning_level == "none"


def test_errors_have_the_servers_text(client):
    with pytest.raises(ArcError, match="nothing_here"):
        client.query.query("SELECT * FROM nothing_here")
    with pytest.raises(ArcError, match="syntax"):
        client.query.query("SELEC 1")


def test_tokens_from_birth_to_death(server, client):
    verified = client.auth.verify()
    assert verified.valid and verified.token_info.name == "admin" and "admin" in verified.permissions
    made = client.auth.create_token("reader", description="panels", permissions=["read"])
    assert made.success and len(made.token) >= 43
    token = next(t for t in client.auth.list_tokens() if t.name == "reader")
    assert (token.permissions, token.description, token.enabled, token.expires_at) == (["read"], "panels", True, None)
    assert client.auth.get_token(token.id).name == "reader"

    with connect(server, made.token) as reader:
        assert reader.auth.verify().permissions == ["read"]
        assert reader.query.query("SELECT 1 AS one").data == [[1]]
        with pytest.raises(ArcError):
            reader.write.write_columnar("cpu", {"time": [T0_US], "v": [1]})
        with pytest.raises(ArcError):
            reader.auth.list_tokens()
        client.auth.update_token(token.id, permissions=["read", "write"])
        reader.write.write_columnar("by_reader", {"time": [T0_US], "v": [1]})

        rotated = client.auth.rotate_token(token.id)
        with pytest.raises(ArcError, match="Authentication failed"):
            reader.query.query("SELECT 1")
    with connect(server, rotated) as reader:
        assert reader.query.query("SELECT 1 AS one").data == [[1]]
        client.auth.revoke_token(token.id)
        with pytest.raises(ArcError, match="Authentication failed"):
            reader.query.query("SELECT 1")
    client.auth.delete_token(token.id)
    assert "reader" not in [t.name for t in client.auth.list_tokens()]


def test_a_wrong_token_is_told_apart(server):
    with connect(server, "wrong") as stranger:
        with pytest.raises(ArcError, match="Authentication failed"):
            stranger.query.query("SELECT 1")
        assert stranger.health().status == "healthy"
