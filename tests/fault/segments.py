"""The log read by pyarrow alone (WAL-1), as any other program would."""

import pathlib

import pyarrow as pa


def read(path, torn_tail):
    """(prev_lsn, [(table, lsn_first, lsn_last, rows)]) of one segment. torn_tail: its end may be missing."""
    records, prev_lsn = [], None
    with pa.OSFile(str(path), "rb") as f:
        end = f.size()
        while f.tell() < end:
            try:
                run = pa.ipc.open_stream(f)
                facts = run.schema.metadata
                prev_lsn = int(facts[b"arka:prev_lsn"]) if prev_lsn is None else prev_lsn
                for b in run.iter_batches_with_custom_metadata():
                    m = b.custom_metadata
                    b.batch.validate(full=True)
                    first, last = int(m[b"arka:lsn_first"]), int(m[b"arka:lsn_last"])
                    records.append((facts[b"arka:table"].decode(), first, last, b.batch.num_rows))
            except (pa.ArrowInvalid, OSError, EOFError):
                if torn_tail:
                    break
                raise
    return prev_lsn, records


def read_all(directory, torn_tail=True):
    """Every segment, oldest first; LSNs ascend without holes inside a segment (LSN-2, LSN-3). Only the newest may
    have a torn end. A segment that took over after a failure goes on from an LSN inside the one before it, whose rows
    above that do not count (WAL-7). Returns the number of segments and of rows that count."""
    paths = sorted(pathlib.Path(directory).glob("segment_*.arrow"))
    counting = []
    for path in paths:
        base = int(path.stem.split("_")[1])
        prev_lsn, records = read(path, torn_tail and path == paths[-1])
        expected = base
        for table, first, to, n in records:
            assert first == expected and to - first + 1 == n, (path.name, table, first, to, n, expected)
            expected = to + 1
        if prev_lsn is not None:
            assert prev_lsn < base, (path.name, prev_lsn)
            counting = [r for r in counting if r[1] <= prev_lsn]
            assert not counting or counting[-1][2] <= prev_lsn, (path.name, prev_lsn, counting[-1])
        counting += records
    return len(paths), sum(r[3] for r in counting)
