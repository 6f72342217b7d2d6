"""The files are the product: pyarrow and DuckDB read every one of them and find what SQL says is there."""

import datetime
import pathlib
import re
import sqlite3

import duckdb
import msgpack
import pyarrow
import pyarrow.parquet
import pytest

UTC = datetime.timezone.utc
T0 = 1767607200_000_000  # 2026-01-05T10:00:00Z
NAME = re.compile(r"(?P<table>.+)_\d{8}_\d{6}_(?P<rows>\d+)_[0-9a-f]{8}\.parquet")
TABLES = ("cpu", "wide", "late")


@pytest.fixture(scope="module", params=["snappy", "zstd"])
def filled(request, tmp_path_factory):
    """Three tables with every type, nulls, tags, late and unsorted rows, grown and widened columns; all in files."""
    from conftest import Arc
    arc = Arc(tmp_path_factory.mktemp("files"), env={"COMPRESSION": request.param})
    lines = [f"cpu,host=h{i % 5},zone=z{i % 2} usage={i}.5,n={i}i,ok={'t' if i % 3 else 'f'},note=\"line {i}, ü\" "
             f"{(T0 + (i * 7919) % 5000 * 2_000_000) * 1000}" for i in range(5000)]
    assert arc.post("/write?db=files", "\n".join(lines)).status == 204
    wide = {"m": "wide", "columns": {"time": [T0 + i for i in range(1000)]} | {
        f"c{k:03d}": [None if (i + k) % 4 == 0 else i * k for i in range(1000)] for k in range(100)}}
    assert arc.post("/api/v1/write/msgpack", msgpack.packb(wide), {"x-arc-database": "files"}).status == 204
    assert arc.post("/api/v1/write/flush").status == 200
    # later: a new column, a column that was BIGINT gets doubles, rows before all others
    assert arc.post("/write?db=files", "\n".join(
        f"cpu,host=h9 n={i}.25,extra=true {(T0 - 86400_000_000 + i) * 1000}" for i in range(50))).status == 204
    late = [{"m": "late", "t": T0 - i * 3600_000_000, "tags": {"k": "v"}, "fields": {"x": i}} for i in range(30)]
    assert arc.post("/api/v1/write/msgpack", msgpack.packb(late), {"x-arc-database": "files"}).status == 204
    assert arc.post("/api/v1/write/flush").status == 200
    yield arc
    arc.stop()


def files_of(arc, table):
    found = sorted((pathlib.Path(arc.data) / "arc" / "files" / table).rglob("*.parquet"))
    assert found
    return found


@pytest.mark.parametrize("table", TABLES)
def test_names_hours_and_order(filled, table):
    for path in files_of(filled, table):
        name = NAME.fullmatch(path.name)
        assert name and name["table"] == table
        read = pyarrow.parquet.read_table(path)
        read.validate(full=True)
        assert read.num_rows == int(name["rows"])
        times = read["time"].to_pylist()
        assert times == sorted(times)
        year, month, day, hour = map(int, path.parts[-5:-1])
        start = datetime.datetime(year, month, day, hour, tzinfo=UTC)
        assert start <= times[0] and times[-1] < start + datetime.timedelta(hours=1)


@pytest.mark.parametrize("table", TABLES)
def test_field_ids_are_the_manifests(filled, table):
    manifest = sqlite3.connect(f"file:{filled.data}/arc.db?mode=ro", uri=True)
    ids = dict(manifest.execute("SELECT DISTINCT f.name, f.field_id FROM fields f JOIN tables t ON t.id = f.table_id "
                                "WHERE t.name = ?", (table,)).fetchall())
    assert ids["time"] == 1 and sorted(ids.values()) == list(range(1, len(ids) + 1))
    for path in files_of(filled, table):
        for field in pyarrow.parquet.read_schema(path):
            assert int(field.metadata[b"PARQUET:field_id"]) == ids[field.name]
    listed = {r[0] for r in manifest.execute("SELECT path FROM files")}
    assert {str(p.relative_to(pathlib.Path(filled.data) / "arc")) for p in files_of(filled, table)} <= listed
    manifest.close()


def test_tags_are_in_the_footer(filled):
    for path in files_of(filled, "cpu"):
        tags = pyarrow.parquet.read_metadata(path).metadata[b"arc:tags"].decode().split(",")
        assert "host" in tags and set(tags) <= {"host", "zone"}
    for path in files_of(filled, "wide"):
        assert not (pyarrow.parquet.read_metadata(path).metadata or {}).get(b"arc:tags")


def test_statistics_hold(filled):
    for table in TABLES:
        for path in files_of(filled, table):
            meta = pyarrow.parquet.read_metadata(path)
            for g in range(meta.num_row_groups):
                group = meta.row_group(g)
                rows = pyarrow.parquet.ParquetFile(path).read_row_group(g)
                for c in range(group.num_columns):
                    column = group.column(c)
                    stats = column.statistics
                    values = rows[column.path_in_schema]
                    assert stats.null_count == values.null_count
                    present = [v for v in values.to_pylist() if v is not None]
                    if stats.has_min_max:
                        assert (stats.min, stats.max) == (min(present), max(present))


@pytest.mark.parametrize("table", TABLES)
def test_files_and_sql_have_the_same_rows(filled, table):
    answer = filled.query(f"SELECT * FROM {table} ORDER BY ALL", "files")
    schema = pyarrow.unify_schemas([pyarrow.parquet.read_schema(p).remove_metadata() for p in files_of(filled, table)],
                                   promote_options="permissive")
    union = duckdb.connect()
    union.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f'"{c}"' for c in answer["columns"])
    rows = union.execute(f"SELECT {columns} FROM read_parquet(?, union_by_name = true) ORDER BY ALL",
                         [[str(p) for p in files_of(filled, table)]]).fetchall()
    assert set(answer["columns"]) == set(schema.names)

    def plain(v):
        if isinstance(v, datetime.datetime):
            v = v.astimezone(UTC)
            return v.strftime("%Y-%m-%dT%H:%M:%S") + (f".{v.microsecond:06d}" if v.microsecond else "") + "Z"
        return v

    assert answer["data"] == [[plain(v) for v in row] for row in rows]


def test_a_widened_column_reads_as_one_type(filled):
    assert filled.rows("SELECT typeof(n), count(*), count(n), sum(n) FROM cpu GROUP BY 1", "files") == [
        ["DOUBLE", 5050, 5050, float(sum(range(5000)) + sum(i + 0.25 for i in range(50)))]]
    types = {str(pyarrow.parquet.read_schema(p).field("n").type) for p in files_of(filled, "cpu")}
    assert types == {"int64", "double"}


def test_old_rows_are_null_in_a_new_column(filled):
    assert filled.rows("SELECT extra, count(*) FROM cpu GROUP BY 1 ORDER BY 1 NULLS LAST", "files") == [
        [True, 50], [None, 5000]]
