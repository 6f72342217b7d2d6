"""The log's segments of real runs: pyarrow reads every one, live and after a crash; arc wal and arc repair."""

import pathlib
import random
import shutil
import subprocess
import threading

import pyarrow
import pytest

from conftest import Arc, binary, environment

T0 = 1767607200_000_000_000


def segments(arc):
    return sorted((pathlib.Path(arc.data) / "wal").glob("segment_*.arrow"))


def read(path):
    """Every run of a segment: (schema's metadata, schema, [(batch, its metadata)])."""
    runs = []
    with pyarrow.OSFile(str(path), "rb") as f:
        end = f.size()
        while f.tell() < end:
            stream = pyarrow.ipc.open_stream(f)
            batches = [(b.batch, b.custom_metadata) for b in stream.iter_batches_with_custom_metadata()]
            runs.append((stream.schema.metadata, stream.schema, batches))
    return runs


def check(paths):
    """What the format promises, seen from outside; all rows by table."""
    rows, last_lsn, ts = {}, None, 0
    for path in paths:
        base = int(path.name[len("segment_"):-len(".arrow")])
        assert path.name == f"segment_{base:020d}.arrow"
        expected, before, group_open = base, last_lsn, False
        for of_schema, schema, batches in read(path):
            assert of_schema[b"arka:wal"] == b"1" and int(of_schema[b"arka:segment"]) == base
            assert before is None or int(of_schema[b"arka:prev_lsn"]) == before
            last_lsn = int(of_schema.get(b"arka:lost_to", last_lsn or 0))
            table = of_schema[b"arka:table"].decode()
            if of_schema[b"arka:table_type"] == b"append":
                ids = [int(field.metadata[b"PARQUET:field_id"]) for field in schema]
                assert len(set(ids)) == len(ids) and min(ids) >= 1
                assert table == of_schema[b"arka:database"].decode() + "." + table.split(".")[-1]
            for batch, m in batches:
                batch.validate(full=True)
                first, last = int(m[b"arka:lsn_first"]), int(m[b"arka:lsn_last"])
                assert first == expected and last - first + 1 == batch.num_rows
                assert m[b"arka:table"].decode() == table and len(m[b"arka:crc"]) == 16
                assert int(m[b"arka:durable"]) < first and int(m[b"arka:ts"]) >= ts
                expected, last_lsn, ts = last + 1, last, int(m[b"arka:ts"])
                group_open = m.get(b"arka:group_end") != b"1"
                rows.setdefault(table, []).extend(batch.to_pylist())
        assert not group_open
    return rows


def tool(*args, **kwargs):
    return subprocess.run([binary(), *map(str, args)], capture_output=True, text=True, env=environment(), **kwargs)


def start(tmp_path, **env):
    return Arc(tmp_path / "data", env={"WAL_MAX_SIZE_MB": "1", **env})


def write(arc, worker, n, width=20):
    for i in range(n):
        lines = "\n".join(f"cpu{worker % 3},host=w{worker} v={i * width + k}i,f={k}.5,s=\"text {k}\" "
                          f"{T0 + (i * width + k) * 1000 + worker}" for k in range(width))
        assert arc.post("/write?db=logged", lines).status == 204


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
def test_pyarrow_reads_every_segment_live_and_after_a_crash(tmp_path, codec):
    (tmp_path / "arc.toml").write_text(f'[wal]\ncompression = "{codec}"\n')
    arc = Arc(tmp_path / "data", env={"WAL_MAX_SIZE_MB": "1"}, args=("--config", str(tmp_path / "arc.toml")))
    workers = [threading.Thread(target=write, args=(arc, w, 60)) for w in range(6)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    live = check(segments(arc))
    assert {t: len(r) for t, r in live.items() if t} == {f"logged.cpu{k}": 2 * 60 * 20 for k in range(3)}
    arc.kill()
    crashed = check(segments(arc))
    assert crashed == live
    values = sorted((r["host"], r["v"]) for t, rows in crashed.items() if t for r in rows)
    assert values == sorted((f"w{w}", v) for w in range(6) for v in range(1200))

    listed = tool("wal", "ls", pathlib.Path(arc.data) / "wal")
    assert listed.returncode == 0 and all(p.name in listed.stdout for p in segments(arc))
    verified = tool("wal", "verify", "--data", arc.data)
    assert verified.returncode == 0 and ": sound; " in verified.stdout and f"{6 * 1200 + 3} rows" in verified.stdout

    again = Arc(tmp_path / "data")
    assert again.query("SELECT count(*), sum(v) FROM logged.cpu0")["data"] == [[2400, 2 * sum(range(1200))]]
    again.stop()


def test_cat_shows_records_of_a_table_from_a_number_on(tmp_path):
    arc = start(tmp_path)
    assert arc.post("/write?db=a", "m v=1i 1\nm v=2i 2").status == 204
    assert arc.post("/write?db=a", "n v=1i 1").status == 204
    assert arc.post("/write?db=a", "m v=3i 3", {"Idempotency-Key": "the key"}).status == 204
    shown = tool("wal", "cat", "--data", arc.data)  # the server has it open
    assert shown.returncode == 0, shown.stderr
    words = [line.split() for line in shown.stdout.splitlines()[2:]]
    kinds = [w[3] for w in words if len(w) > 4]
    assert kinds.count("a.m") == 2 and kinds.count("a.n") == 1 and kinds.count("create_table") == 2
    assert "the key" in shown.stdout
    last = max(int(w[1]) for w in words if len(w) > 4)
    only = tool("wal", "cat", segments(arc)[0], "--table", "a.m", "--from", last)
    assert only.stdout.count("a.m") == 1 and "(1 row)" in only.stdout
    some = tool("wal", "cat", "--data", arc.data, "--limit", "2")
    assert "(2 rows)" in some.stdout and "there are more" in some.stdout
    arc.stop()


def test_called_wrongly_or_on_nothing(tmp_path):
    assert tool("wal").returncode == 2 and tool("wal", "nonsense").returncode == 2
    assert tool("wal", "cat", "--limit", "x", tmp_path).returncode == 2
    missing = tool("wal", "ls", "--data", tmp_path / "nowhere")
    assert missing.returncode == 1 and "nowhere/wal" in missing.stderr
    assert tool("repair", tmp_path / "nowhere").returncode == 1
    (tmp_path / "notes.txt").write_text("hello")
    foreign = tool("wal", "verify", tmp_path)
    assert foreign.returncode == 1 and "notes.txt" in foreign.stderr
    assert tool("wal", "--help").returncode == 0 and tool("repair", "--help").returncode == 0


def test_torn_tail_is_cut_at_the_start(tmp_path):
    arc = start(tmp_path)
    write(arc, 0, 5)
    arc.kill()
    last = segments(arc)[-1]
    whole = last.read_bytes()
    last.write_bytes(whole + whole[:300])
    verified = tool("wal", "verify", "--data", arc.data)
    assert verified.returncode == 0 and "never synced" in verified.stdout and last.name in verified.stdout
    arc = start(tmp_path)
    assert any("wal_torn_tail" in line for line in arc.stderr)
    assert arc.query("SELECT count(*) FROM logged.cpu0")["data"] == [[100]]
    arc.stop()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A data directory whose server was killed, with a log of several segments."""
    path = tmp_path_factory.mktemp("stopped")
    arc = start(path)
    for w in range(3):
        write(arc, w, 150, width=150)
    arc.kill()
    assert len(segments(arc)) >= 2
    return path / "data"


@pytest.mark.parametrize("seed", range(6))
def test_damage_stops_the_start_and_repair_saves_the_rest(stopped, tmp_path, seed):
    shutil.copytree(stopped, tmp_path / "data")
    rng = random.Random(seed)
    before = check(sorted((tmp_path / "data/wal").glob("segment_*")))
    path = rng.choice(sorted((tmp_path / "data/wal").glob("segment_*"))[:-1])
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content) - 8)  # not in the last end mark
    content[at] ^= 1 << rng.randrange(8)
    path.write_bytes(content)

    process = subprocess.run([binary(), "serve", "--port", "0", "--data", str(tmp_path / "data")], capture_output=True,
                             text=True, env=environment(), timeout=60)
    assert process.returncode != 0 and path.name in process.stderr and "arc repair" in process.stderr
    assert path.read_bytes() == content  # nothing was changed
    assert tool("wal", "verify", "--data", tmp_path / "data").returncode == 3
    shown = tool("repair", "--data", tmp_path / "data")
    assert shown.returncode == 3 and path.name in shown.stdout and path.read_bytes() == content
    done = tool("repair", "--data", tmp_path / "data", "--yes")
    assert done.returncode == 0 and "repaired" in done.stdout, done.stderr
    assert tool("wal", "verify", "--data", tmp_path / "data").returncode == 0
    kept = list((tmp_path / "data/wal/quarantine").iterdir())
    assert len(kept) == 1 and content.endswith(kept[0].read_bytes())

    after = check(sorted((tmp_path / "data/wal").glob("segment_*")))
    lost = 0
    for table in before:
        rest = iter(before[table])
        assert all(row in rest for row in after.get(table, []))  # in order, each once, none that is new
        lost += len(before[table]) - len(after.get(table, []))
    assert lost < sum(map(len, before.values())) / 2
    arc = Arc(tmp_path / "data")
    count = arc.query("SELECT count(*) FROM logged.cpu0")["data"][0][0]
    assert count == len(after.get("logged.cpu0", []))
    arc.stop()


def test_quarantine_as_a_setting_does_the_same(stopped, tmp_path):
    shutil.copytree(stopped, tmp_path / "data")
    path = sorted((tmp_path / "data/wal").glob("segment_*"))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (tmp_path / "arc.toml").write_text('[wal]\non_corruption = "quarantine"\n')
    arc = Arc(tmp_path / "data", args=("--config", str(tmp_path / "arc.toml")))
    assert any("wal_quarantined" in line and path.name in line for line in arc.stderr)
    assert len(list((tmp_path / "data/wal/quarantine").iterdir())) == 1
    arc.stop()


def test_two_servers_do_not_share_a_log_and_a_log_in_use_is_not_repaired(tmp_path):
    arc = start(tmp_path)
    write(arc, 0, 1)
    busy = tool("repair", "--data", arc.data, "--yes")
    assert busy.returncode == 1 and "another process" in busy.stderr
    arc.stop()
