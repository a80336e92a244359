"""Every writer, with every call to the disk failing in turn: the old file or the new one, and going on is clean."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ON
from faults import Failing, KilledError, names
from judged import ANSWERED, NEIGHBOURS
from small import CLASSIC, LONG_RUN, client

import allocator as al
from allocator import storage
from allocator.cli import main
from allocator.errors import OutputError

FAULTS: dict[str, dict[str, Any]] = {
    "full": {"number": errno.ENOSPC},
    "broken": {"number": errno.EIO},
    "short": {"number": errno.EIO, "short": True},
    "killed": {"killed": True},
}
FEW = 12
"""Calls of a writer that are all tried."""


@pytest.fixture(scope="module")
def book() -> al.Book:
    rows = [*NEIGHBOURS, *({**row, "client_id": "b"} for row in NEIGHBOURS)]
    people = [client(client_id=c, monthly_spending=100.0, advisor="Li") for c in ("good", "b")]
    return al.read_book(pd.DataFrame(rows), clients=pd.DataFrame(people))


@pytest.fixture(scope="module")
def analysis(book: al.Book) -> al.Analysis:
    return al.analyze(book, CLASSIC, assumptions=LONG_RUN, on=ON)


@pytest.fixture(scope="module")
def later(book: al.Book) -> al.Analysis:
    return al.analyze(book, CLASSIC, assumptions=LONG_RUN, on=ON.replace(day=29))


def command(*args: str) -> None:
    code = main([*args, "--lang", "en"])
    if code == 5:
        raise OutputError("make room")
    assert code in (0, 3)


def sheet(kind: str, analysis: al.Analysis, folder: Path) -> None:
    """The bytes are made once: what may fail is how they reach the disk."""
    made = SHEETS.setdefault(kind, al.report(analysis, "good").bytes(kind))
    storage.write_bytes(folder / f"page.{kind}", made, private=True)


SHEETS: dict[str, bytes] = {}


def reports(analysis: al.Analysis, book: al.Book, folder: Path) -> None:
    from allocator.documents.book_reports import Settings, write_reports

    assert analysis.on == ON
    done = write_reports(book, folder, Settings(formats=("html",), on=ON, plan=False, short=True), resume=True)
    assert not done.failed


def batched(book: Path, folder: Path) -> None:
    day = ["--band", "C3", "--date", "2026-09-30"]
    more = ["--resume"] if (folder / "out").exists() else []
    command("batch", str(book), "--out", str(folder / "out"), "--check-only", "--csv", "--workers", "1", *day, *more)


def imported(kind: str, book: Path, folder: Path) -> None:
    command("import", str(book), "-o", str(folder / "out"), "--learn", str(folder / "map.toml"), "--kind", kind)


def kept(analysis: al.Analysis, later: al.Analysis, folder: Path) -> None:
    """Two days, a review, and one client taken out again."""
    ledger = al.Ledger(folder / "ledger")
    ledger.add(later, replace=True)
    ledger.add(analysis, replace=True)
    ledger.review("good", ON)


def diffed(ledger: Path, folder: Path) -> None:
    command("ledger", "diff", "--ledger", str(ledger), "--html", str(folder / "moved.html"))


WRITERS = ("html", "xlsx", "reports", "batch", "import-csv", "import-parquet", "ledger", "ledger-page", "json")


@pytest.fixture
def write(
    request: pytest.FixtureRequest, analysis: al.Analysis, later: al.Analysis, book: al.Book, tmp_path: Path
) -> Callable[[Path], None]:
    """What writes into a folder, by its name in `WRITERS`."""
    plain, ledger = tmp_path / "h.csv", tmp_path / "kept"
    plain.write_text("client_id,name,asset_class,value\ngood,x,deposit,1.5万\nb,y,gold,7\n", "utf-8")
    if request.param == "ledger-page":
        kept(analysis, later, ledger)
    made: dict[str, Callable[[Path], None]] = {
        "html": partial(sheet, "html", analysis),
        "xlsx": partial(sheet, "xlsx", analysis),
        "reports": partial(reports, analysis, book),
        "batch": partial(batched, plain),
        "import-csv": partial(imported, "csv", plain),
        "import-parquet": partial(imported, "parquet", plain),
        "ledger": partial(kept, analysis, later),
        "ledger-page": partial(diffed, ledger / "ledger"),
        "json": lambda folder: storage.write_json(folder / "x.json", {"a": 1}),
    }
    assert tuple(made) == WRITERS
    return made[request.param]


def content(folder: Path) -> dict[str, bytes]:
    """Files of results by name; what is hidden is the writer's own."""
    found = names(folder) if folder.exists() else []
    return {n: (folder / n).read_bytes() for n in found if not any(p.startswith(".") for p in Path(n).parts)}


def in_ledger(folder: Path) -> dict[str, bytes]:
    """What a reader of the ledger is shown, by day; its files have numbers drawn at random."""
    if not (folder / "ledger" / "ledger.json").exists():
        return {}
    ledger = al.Ledger(folder / "ledger")
    days = ledger.dates
    values = (ledger.show(day).columns("holdings", "client", "value")["value"] for day in days)
    shown = {f"{day}": v.to_numpy().tobytes() for day, v in zip(days, values, strict=True)}
    assert len(ledger.snapshots) == len(days)
    return shown


@pytest.mark.parametrize("fault", list(FAULTS))
@pytest.mark.parametrize("write", WRITERS, indirect=True, ids=WRITERS)
def test_every_call_of_every_writer(
    write: Callable[[Path], None],
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Into an empty folder: whatever is there by name is whole, and the next run ends with the same bytes.

    Of a writer with many calls some are tried, over the whole of its work.
    """
    name = request.node.callspec.params["write"]
    seen = in_ledger if name == "ledger" else content
    undisturbed = tmp_path / "undisturbed"
    counting = Failing(0)
    monkeypatch.setattr(storage, "CALLS", counting)
    write(undisturbed)
    monkeypatch.undo()
    want, last = seen(undisturbed), counting.count
    assert want
    assert last >= 4
    for at in range(1, last + 1) if last <= FEW else sorted({1, 2, *range(3, last, last // 5), last}):
        folder = tmp_path / f"at{at}"
        monkeypatch.setattr(storage, "CALLS", Failing(at, **FAULTS[fault]))
        ended = pytest.raises(KilledError) if fault == "killed" else pytest.raises(OutputError, match=r"make|check")
        with ended:
            write(folder)
        monkeypatch.undo()
        found = seen(folder)
        assert {n: want.get(n) for n in found} == found, (at, "a torn file, or one too many")
        if fault != "killed":
            assert not [n for n in names(tmp_path) if n.endswith(storage.PART)], at
        write(folder)
        assert seen(folder) == want, at
        shutil.rmtree(folder)
    ANSWERED.add(f"{name}-{fault}")


ITEMS = tuple(f"{w}-{f}" for w in WRITERS for f in FAULTS)
