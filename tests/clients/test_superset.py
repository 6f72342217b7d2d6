"""The two dialects that Superset uses (arc+json, arc+arrow), through SQLAlchemy: what its editor and charts send.

Superset compiles a chart's statement to text with the dialect and runs the text on the raw connection; so do we (the
dialects lack what SQLAlchemy's own execution wants)."""

import pytest
import sqlalchemy
from sqlalchemy.dialects import registry

registry.register("arc.json", "arc_dialect_json", "ArcDialect")
registry.register("arc.arrow", "arc_dialect_arrow", "ArcDialect")

TOKEN = "a-token-for-superset-0123456789-0123456789"


@pytest.fixture(scope="module")
def server(arc_start_module):
    arc = arc_start_module(env={"AUTH_ENABLED": "true", "ARC_AUTH_BOOTSTRAP_TOKEN": TOKEN})
    for database, host in (("default", "a"), ("plant", "b")):
        lines = "".join(f"cpu,host={host}{i % 2} usage={i}.5,cores={i}i {1767607200000000000 + i * 10**9}\n" for i in range(10))
        answer = arc.post(f"/write?db={database}", lines, {"Authorization": f"Bearer {TOKEN}"})
        assert answer.status == 204, answer
    return arc


@pytest.fixture(scope="module", params=["json", "arrow"])
def engine(server, request):
    engine = sqlalchemy.create_engine(f"arc+{request.param}://{TOKEN}@127.0.0.1:{server.port}/default")
    yield engine
    engine.dispose()


def rows(engine, sql):
    raw = engine.raw_connection()
    cursor = raw.cursor()
    cursor.execute(sql)
    return [list(row) for row in cursor.fetchall()]


def test_connects(engine):
    assert rows(engine, "SELECT 1") == [[1]]


def test_lists_schemas_tables_and_columns(engine):
    with engine.connect() as connection:
        dialect, raw = engine.dialect, connection
        assert sorted(dialect.get_schema_names(raw)) == ["default", "plant"]
        assert dialect.get_table_names(raw, "default") == ["cpu"]
        assert dialect.get_table_names(raw, "plant") == ["cpu"]
        assert dialect.get_table_names(raw, "nothing") == []
        assert dialect.has_table(raw, "cpu") and dialect.has_table(raw, "cpu", "plant")
        assert not dialect.has_table(raw, "gpu")
        names = [c["name"] for c in dialect.get_columns(raw, "cpu", "plant")]
        assert sorted(names) == ["cores", "host", "time", "usage"]


def test_charts(engine):
    cpu = sqlalchemy.table("cpu", sqlalchemy.column("host"), sqlalchemy.column("usage"), sqlalchemy.column("time"),
                           schema="plant")
    average = sqlalchemy.func.avg(cpu.c.usage).label("AVG(usage)")
    statement = (sqlalchemy.select(cpu.c.host.label("host"), average).group_by(cpu.c.host)
                 .order_by(sqlalchemy.desc(average)).limit(1000))
    text = str(statement.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True}))
    assert '"AVG(usage)"' in text
    assert rows(engine, text) == [["b1", 5.5], ["b0", 4.5]]
    assert rows(engine, "SELECT count(*) FROM (SELECT * FROM cpu LIMIT 3) AS virtual_table LIMIT 1000") == [[3]]
    assert rows(engine, "SELECT date_trunc('minute', time) AS t, sum(cores) FROM plant.cpu WHERE time >= "
                        "'2026-01-05 10:00:00.000000' AND time < '2026-01-05 10:01:00.000000' GROUP BY 1")[0][1] == 45


def test_a_wrong_key_is_told(server):
    engine = sqlalchemy.create_engine(f"arc+json://wrong@127.0.0.1:{server.port}/default")
    with pytest.raises(Exception, match="Authentication failed"):
        rows(engine, "SELECT 1")
