"""kill -9 under load (F1, F5, REC-3, REC-9, I4, I5): ARC_KILL_CYCLES cycles, ARC_KILL_SEED repeats one."""

import os
import pathlib
import time

import kill_cycles
import pytest

SEEDS = pathlib.Path(__file__).with_name("seeds") / "kill.txt"


def kept():
    if not SEEDS.exists():
        return []
    return [int(line.split()[0]) for line in SEEDS.read_text().splitlines() if line[:1].isdigit()]


def test_nothing_acknowledged_is_lost_or_doubled(tmp_path):
    cycles = int(os.environ.get("ARC_KILL_CYCLES", "50"))
    seed = int(os.environ.get("ARC_KILL_SEED") or time.time_ns() % 10**9)
    print(f"ARC_KILL_SEED={seed}")
    kill_cycles.run(cycles, seed, tmp_path / "data")


@pytest.mark.parametrize("seed", kept())
def test_seeds_that_failed_once(tmp_path, seed):
    kill_cycles.run(10, seed, tmp_path / "data")
