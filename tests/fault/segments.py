"""The log read by pyarrow alone (WAL-1), as any other program would."""

import pathlib

import pyarrow as pa


def read(path, torn_tail):
    """[(table, lsn_first, lsn_last, rows, group_end)] of one segment. torn_tail: its end may be missing."""
    records = []
    with pa.OSFile(str(path), "rb") as f:
        end = f.size()
        while f.tell() < end:
            try:
                run = pa.ipc.open_stream(f)
                facts = run.schema.metadata
                for b in run.iter_batches_with_custom_metadata():
                    m = b.custom_metadata
                    b.batch.validate(full=True)
                    first, last = int(m[b"arka:lsn_first"]), int(m[b"arka:lsn_last"])
                    records.append((facts[b"arka:table"].decode(), first, last, b.batch.num_rows,
                                    m.get(b"arka:group_end") == b"1"))
            except (pa.ArrowInvalid, OSError, EOFError):
                if torn_tail:
                    break
                raise
    return records


def read_all(directory, torn_tail=True):
    """Every segment, oldest first; LSNs ascend without holes inside a segment (LSN-2, LSN-3). Only the newest may
    have a torn end. Returns the number of segments and of rows."""
    paths = sorted(pathlib.Path(directory).glob("segment_*.arrow"))
    n_rows, last = 0, 0
    for path in paths:
        base = int(path.stem.split("_")[1])
        records = read(path, torn_tail and path == paths[-1])
        expected = base
        for table, first, to, n, _ in records:
            assert first == expected and to - first + 1 == n, (path.name, table, first, to, n, expected)
            expected = to + 1
            n_rows += n
        assert base > last, (path.name, last)
        last = expected - 1
    return len(paths), n_rows
