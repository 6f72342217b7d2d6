#!/usr/bin/env python3
"""The Arrow streams under ipc/ that the unit tests read, and a check of the one that they write.

    make_ipc.py           writes those of pyarrow anew (the values are formulas of the row number,
                          known to src/columnar/ipc_golden_test.c as well)
    make_ipc.py --check   reads ipc/written.arrows, which that test compares with what Arc writes

Both need pyarrow (tests/requirements.txt). log.arrows is of neither: a small stream with metadata
on schema, field and messages, laid out by a third writer.
"""
import datetime
import decimal
import pathlib
import sys

import pyarrow as pa

HERE = pathlib.Path(__file__).parent / "ipc"
UTC = datetime.timezone.utc
BASE_US = 1_700_000_000_000_000


def column(rows, value, kind, null=lambda i: i % 7 == 3):
    return pa.array([None if null(i) else value(i) for i in rows], type=kind)


def batch(rows):
    never = lambda i: False
    columns = {
        "time": column(rows, lambda i: BASE_US + i * 1_000_000, pa.timestamp("us", "UTC"), never),
        "b": column(rows, lambda i: i % 3 == 0, pa.bool_()),
        "i8": column(rows, lambda i: i - 10, pa.int8()),
        "i16": column(rows, lambda i: i * -1000 // 2, pa.int16()),
        "i32": column(rows, lambda i: i * -100000, pa.int32()),
        "i64": column(rows, lambda i: i * -10**12, pa.int64()),
        "u8": column(rows, lambda i: 255 - i, pa.uint8()),
        "u16": column(rows, lambda i: 65535 - i, pa.uint16()),
        "u32": column(rows, lambda i: 4294967295 - i, pa.uint32()),
        "u64": column(rows, lambda i: 2**63 - 1 - i, pa.uint64()),
        "f32": column(rows, lambda i: i / 4, pa.float32()),
        "f64": column(rows, lambda i: i / 3, pa.float64()),
        "s": column(rows, lambda i: "" if i % 5 == 2 else f"zeile é {i}", pa.utf8()),
        "ls": column(rows, lambda i: f"large {i}", pa.large_utf8()),
        "bin": column(rows, lambda i: f"bytes {i}".encode(), pa.binary()),
        "ts_s": column(rows, lambda i: i - 5, pa.timestamp("s")),
        "ts_ms": column(rows, lambda i: i - 5, pa.timestamp("ms", "Europe/Berlin")),
        "ts_ns": column(rows, lambda i: i * 700 - 5000, pa.timestamp("ns")),
        "d32": column(rows, lambda i: i - 10, pa.date32()),
        "nothing": pa.nulls(len(rows)),
        "dict": column(rows, lambda i: f"host {i % 4 + i // 20 * 4}", pa.utf8()).dictionary_encode()
        .cast(pa.dictionary(pa.int16(), pa.utf8())),
    }
    schema = pa.schema(
        [pa.field(n, a.type, metadata={"arka:tag": "1"} if n == "s" else None)
         for n, a in columns.items()],
        metadata={"arka:table": "db.golden", "empty": ""},
    )
    return pa.record_batch(list(columns.values()), schema=schema)


def write(name, batches, **options):
    with pa.OSFile(str(HERE / name), "wb") as f:
        with pa.ipc.new_stream(f, batches[0].schema,
                               options=pa.ipc.IpcWriteOptions(**options)) as w:
            for i, b in enumerate(batches):
                w.write_batch(b, custom_metadata={"number": str(i)})


def make():
    batches = [batch(range(0, 20)), batch(range(0)), batch(range(20, 40))]
    write("plain.arrows", batches)
    write("zstd.arrows", batches, compression="zstd")
    write("lz4.arrows", batches, compression="lz4")

    grown = pa.array(["a", "b", None, "c", "d", "a"]).dictionary_encode()
    deltas = [pa.record_batch([pa.DictionaryArray.from_arrays(grown.indices[:3], grown.dictionary[:2])],
                              names=["dict"]),
              pa.record_batch([pa.DictionaryArray.from_arrays(grown.indices[3:], grown.dictionary)],
                              names=["dict"])]
    write("delta.arrows", deltas, emit_dictionary_deltas=True)

    nested = pa.schema([
        pa.field("dec", pa.decimal128(20, 3), nullable=False),
        pa.field("t64", pa.time64("us")),
        pa.field("fsb", pa.binary(16)),
        pa.field("iv", pa.month_day_nano_interval()),
        pa.field("list", pa.list_(pa.field("item", pa.int32()))),
        pa.field("struct", pa.struct([("x", pa.float32()), ("y", pa.list_(pa.utf8()))])),
        pa.field("map", pa.map_(pa.utf8(), pa.int64(), keys_sorted=True)),
    ])
    write("nested.arrows", [pa.record_batch([pa.nulls(0, f.type) for f in nested], schema=nested)])


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"written.arrows: {what}: found {found!r}, expected {expected!r}")


def check():
    with pa.OSFile(str(HERE / "written.arrows"), "rb") as f:
        reader = pa.ipc.open_stream(f)
        batches = list(reader.iter_batches_with_custom_metadata())
        expect("bytes after the end mark", f.read(), b"")
    expect("schema metadata", dict(reader.schema.metadata), {b"arka:table": b"db.written"})
    expect("number of batches", len(batches), 2)
    for i, b in enumerate(batches):
        expect("batch metadata", dict(b.custom_metadata), {b"number": str(i).encode()})
        b.batch.validate(full=True)
    day = datetime.date(1970, 1, 1)
    expected = {
        "null": (pa.null(), [None, None, None]),
        "bool": (pa.bool_(), [True, None, False]),
        "i8": (pa.int8(), [-1, None, 3]), "i16": (pa.int16(), [-1, None, 3]),
        "i32": (pa.int32(), [-1, None, 3]), "i64": (pa.int64(), [-1, None, 3]),
        "u8": (pa.uint8(), [255, None, 3]), "u16": (pa.uint16(), [65535, None, 3]),
        "u32": (pa.uint32(), [2**32 - 1, None, 3]), "u64": (pa.uint64(), [2**64 - 1, None, 3]),
        "f32": (pa.float32(), [0.5, None, -2.0]), "f64": (pa.float64(), [0.5, None, -2.0]),
        "utf8": (pa.utf8(), ["é", None, "xyz"]), "large": (pa.large_utf8(), ["é", None, "xyz"]),
        "binary": (pa.binary(), ["é".encode(), None, b"xyz"]),
        "date": (pa.date32(), [day - datetime.timedelta(1), None, day + datetime.timedelta(3)]),
        "time": (pa.time64("us"), [datetime.time(0, 0, 1, 2), None, datetime.time(0, 0, 0, 3)]),
        "ts": (pa.timestamp("us", "UTC"),
               [datetime.datetime(1970, 1, 1, 0, 0, 1, 2, UTC), None,
                datetime.datetime(1970, 1, 1, 0, 0, 0, 3, UTC)]),
        "ts_ns": (pa.timestamp("ns"), None),
        "iv": (pa.month_day_nano_interval(),
               [pa.MonthDayNano([1, 2, 3]), None, pa.MonthDayNano([-1, 0, 5])]),
        "dec": (pa.decimal128(10, 2), [decimal.Decimal("-0.01"), None, decimal.Decimal("1.23")]),
        "fsb": (pa.binary(3), [b"abc", None, b"ghi"]),
        "list": (pa.list_(pa.field("item", pa.int32())), [[1, 2], None, [3]]),
        "struct": (pa.struct([("x", pa.int64()), ("y", pa.utf8())]),
                   [{"x": 1, "y": "a"}, None, {"x": None, "y": "c"}]),
        "map": (pa.map_(pa.utf8(), pa.int64()), [[("k", 1), ("l", 2)], None, [("m", None)]]),
        "dict": (pa.dictionary(pa.int8(), pa.utf8()), ["a", None, "b"]),
    }
    expect("columns", reader.schema.names, list(expected))
    for name, (kind, values) in expected.items():
        field = reader.schema.field(name)
        expect(f"type of {name}", field.type, kind)
        expect(f"nullable of {name}", field.nullable, name != "null")
        if values is not None:
            expect(f"values of {name}", batches[0].batch.column(name).to_pylist(), values)
        expect(f"rows of {name} in the empty batch", len(batches[1].batch.column(name)), 0)
    expect("metadata of utf8", dict(reader.schema.field("utf8").metadata), {b"arka:tag": b"1"})
    expect("values of ts_ns", batches[0].batch.column("ts_ns").cast(pa.int64()).to_pylist(),
           [1000002, None, 3])
    print("written.arrows: as expected")


if __name__ == "__main__":
    check() if sys.argv[1:] == ["--check"] else make()
