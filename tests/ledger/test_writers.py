"""Several writers, writers who die at any moment, disks that fail: nothing is lost, nothing is there by halves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from histories import place
from writer import DAYS, numbered

import allocator as al
from allocator.errors import InputError, OutputError
from allocator.ledger import files
from allocator.ledger.snapshots import TABLES

KILLS = int(os.environ.get("ALLOCATOR_TEST_KILLS", "4"))
SHARED = ("folder", "postgresql")


@pytest.fixture(params=SHARED)
def at(request: pytest.FixtureRequest) -> Iterator[str]:
    with place(request.param, request) as found:
        yield found


def started(*args: object) -> subprocess.Popen[str]:
    """Start a writer, and wait until it is about to write."""
    script = Path(__file__).with_name("writer.py")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(script), *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def figures(ledger: al.Ledger) -> dict[int, float]:
    """What every snapshot says it is, by the number of its day; all its tables must say the same."""
    out = {}
    for day in ledger.dates:
        kept = ledger.show(day)
        values = kept.columns("holdings", "client", "value")["value"]
        assert len(values) == 4
        (number,) = set(values)
        assert kept.clients["total"].tolist() == [2 * number] * 2
        for name, columns in TABLES.items():
            assert len(kept.columns(name, *columns)) == kept.manifest["rows"][name]
        out[DAYS.index(day)] = number
    return out


def test_two_processes_write_at_once(at: str) -> None:
    both = [started(at, "days", k) for k in range(2)]
    go(*both)
    assert [p.wait(60) for p in both] == [0, 0]
    ledger = al.Ledger(at)
    assert figures(ledger) == {k: float(k + 1) for k in range(len(DAYS))}
    assert sorted(ledger._store.reviews()["on"]) == [d.isoformat() for d in DAYS[:2]]


def test_of_two_who_keep_the_same_day_one_is_refused(at: str) -> None:
    both = [started(at, "same", k) for k in range(2)]
    go(*both)
    told = [p.communicate(timeout=60)[0].strip() for p in both]
    assert sorted(told) == ["kept", "refused"]
    assert figures(al.Ledger(at)) == {0: float(told.index("kept") + 1)}


def test_nothing_is_lost_when_a_writer_is_killed(at: str, request: pytest.FixtureRequest) -> None:
    rng = np.random.default_rng(len(request.node.name))
    done, number = {}, 0
    for _ in range(KILLS):
        process = started(at, "forever", number)
        go(process)
        try:
            process.wait(float(rng.uniform(0.02, 0.5)))
        except subprocess.TimeoutExpired:
            process.kill()
        told = process.communicate()[0].split("\n")
        pairs = [line.split() for line in told[:-1]]  # the last line may be a part of one
        done |= {int(day): int(value) for day, value in pairs}
        number = max([number, *done.values()])
        ledger = al.Ledger(at)
        found = figures(ledger) if done else {}
        flying = {number % 3: number + 1}  # written, but not said
        for day, value in done.items():
            assert found[day] in (value, flying.get(day, value)), "said to be kept, and is not"
        number = int(max([number, *found.values()]))
        done = {day: int(value) for day, value in found.items()}
    al.Ledger(at).add(numbered(7), on=DAYS[5])
    parts = list(Path(at).rglob("*.parquet")) if "://" not in at else []
    assert len(parts) == (len(al.Ledger(at).dates) * len(TABLES) if parts else 0), "the next writer sweeps"
    assert not list(Path(at).rglob("*.part"))


@pytest.mark.parametrize("nth", range(11))
def test_a_disk_that_fails_at_any_write_leaves_the_old_or_the_new(
    nth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = al.Ledger(tmp_path / "ledger")
    ledger.add(numbered(1), on=DAYS[0])
    calls, write = 0, files.write_bytes

    def failing(*args: object, **more: object) -> None:
        nonlocal calls
        if calls == nth:
            calls += 1
            raise OSError(28, "No space left on device")
        calls += 1
        write(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "write_bytes", failing)
    if nth < len(TABLES) + 1:
        with pytest.raises(OutputError, match=r"No space left on device.*check room"):
            ledger.add(numbered(2), on=DAYS[0], replace=True)
        assert figures(ledger) == {0: 1.0}
    else:
        ledger.add(numbered(2), on=DAYS[0], replace=True)
        assert figures(ledger) == {0: 2.0}
    monkeypatch.setattr(files, "write_bytes", write)
    ledger.add(numbered(3), on=DAYS[1])
    assert len(list((tmp_path / "ledger").rglob("*.parquet"))) == 2 * len(TABLES)


def test_a_reader_during_writes_sees_one_whole_snapshot(at: str) -> None:
    process = started(at, "forever", 0)
    go(process)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        ledger, seen, missed, tries = al.Ledger(at), 0, 0, 10
        for _ in range(tries):
            try:
                figures(ledger)
                seen += 1
            except InputError as error:
                missed += "was replaced or purged while it was read" in str(error)
        assert seen + missed == tries, "never by halves: whole, or said"
    finally:
        process.kill()
        process.communicate()
