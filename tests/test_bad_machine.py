"""The machine around it: signals at any moment, processes that die, no network, files that change under the hand."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ON, ROOT
from faults import names
from judged import ANSWERED, GOOD, NEIGHBOURS, TOTAL, judged_rows
from small import client, holding

import allocator as al
from allocator import storage
from allocator.batch import task
from allocator.errors import InputError

BOOK = "client_id,name,asset_class,value\n" + "".join(f"c{k},x,deposit,{k + 1}000\n" for k in range(8))
DAY = ["--band", "C3", "--date", "2026-09-30", "--lang", "en"]
COMMANDS = {
    "batch": ["batch", "h.csv", "--out", "out", "--check-only", "--partition-size", "1", "--workers", "1", *DAY],
    "ledger-add": ["ledger", "add", "h.csv", "--ledger", "ledger", *DAY],
    "report": ["report", "h.csv", "--client", "c1", "--no-plan", "-o", "page.html", *DAY],
    "import": ["import", "h.csv", "-o", "clean", "--learn", "map.toml", "--lang", "en"],
}
PAUSED = """
import sys, time
from allocator import storage
from allocator.cli import main
class Paused(storage.Calls):
    count = 0
    def replace(self, old, new):
        self.count += 1
        if self.count == int(sys.argv[1]):
            print("there", flush=True)
            time.sleep(60)
        super().replace(old, new)
storage.CALLS = Paused()
sys.exit(main(sys.argv[2:]))
"""
SIGNALS = {"sigkill": signal.SIGKILL, "sigterm": signal.SIGTERM, "sigint": signal.SIGINT}


def run(folder: Path, *args: str) -> None:
    done = subprocess.run([sys.executable, "-m", "allocator", *args], cwd=folder, env=ENV, capture_output=True)
    assert done.returncode in (0, 3), done.stderr


ENV = os.environ | {"PYTHONPATH": str(ROOT)}


def shown(folder: Path) -> dict[str, bytes]:
    """What there is by name; of a ledger what its reader is shown."""
    if (folder / "ledger" / "ledger.json").exists():
        ledger = al.Ledger(folder / "ledger")
        return {str(d): ledger.show(d).columns("holdings", "client", "value").to_csv().encode() for d in ledger.dates}
    found = [n for n in names(folder) if not any(p.startswith(".") for p in Path(n).parts)]
    return {n: (folder / n).read_bytes() for n in found if n != "h.csv" and not n.startswith("ledger")}


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize("how", list(SIGNALS))
@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_signal_in_the_middle_of_a_file(command: str, how: str, tmp_path: Path) -> None:
    """Just before a file gets its name: it is not there, nothing else is torn, and going on ends the same."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "h.csv").write_text(BOOK, "utf-8")
    args, at = COMMANDS[command], {"batch": 9, "ledger-add": 4}.get(command, 1)
    process = subprocess.Popen(
        [sys.executable, "-c", PAUSED, str(at), *args],
        cwd=here,
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"there\n"
    process.send_signal(SIGNALS[how])
    _, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
    left = [n for n in names(here) if n.endswith(storage.PART)]
    if how == "sigkill":
        assert process.returncode == -signal.SIGKILL
        assert len(left) == 1
    else:
        assert process.returncode == 130, err
        assert err.decode().strip() == "allocator: Interrupted."
        assert not left
    run(there, *args)
    want = shown(there)
    found = shown(here)
    assert {n: want.get(n) for n in found} == found
    assert len(found) < len(want)
    run(here, *args, *(["--resume"] if command == "batch" else []))
    assert shown(here) == want
    ANSWERED.add(f"{command}-{how}")


def test_a_worker_killed(tmp_path: Path) -> None:
    """Its part is done again by another one: the same bytes as without."""
    (tmp_path / "h.csv").write_text(BOOK, "utf-8")
    few: dict[str, Any] = {"plan": False, "band": "C3", "on": ON, "partition_size": 1}
    killed: list[int] = []

    def told(stage: str, done: int, total: int) -> None:
        if stage == "work" and done >= 1 and not killed and total:
            victim = multiprocessing.active_children()[0]
            killed.append(victim.pid or 0)
            os.kill(killed[0], signal.SIGKILL)

    al.batch(tmp_path / "h.csv", tmp_path / "out", **few, workers=2, progress=told)
    al.batch(tmp_path / "h.csv", tmp_path / "want", **few, workers=1)
    assert killed
    one, two = ({n: (tmp_path / d / n).read_bytes() for n in names(tmp_path / d)} for d in ("out", "want"))
    assert one == two
    ANSWERED.add("worker-killed")


OFFLINE = """
import json, socket, sys
def refused(*_, **__):
    raise AssertionError("the network was asked")
if sys.argv[1] == "blocked":
    socket.socket.connect = socket.socket.connect_ex = socket.socket.bind = refused
    socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refused
from allocator.cli import main
for args in json.load(sys.stdin):
    code = main(args)
    assert code in (0, 3), (args, code)
"""
CALLS = [
    *(["check", "h.csv", *DAY], ["rebalance", "h.csv", "--json", *DAY], ["household", "h.csv", "--client", "c1", *DAY]),
    *(["stress", "h.csv", *DAY], ["risk", "h.csv", "--client", "c1", *DAY], ["book", "h.csv", *DAY]),
    *(["calls", "h.csv", *DAY], ["whatif", "h.csv", "--new-band", "C2", *DAY]),
    *(["report", "h.csv", "--client", "c1", "--no-plan", "-o", f"x.{k}", *DAY] for k in ("html", "pdf", "xlsx")),
    *(["batch", "h.csv", "--out", "out", "--workers", "1", *DAY], ["ledger", "add", "h.csv", "--ledger", "l", *DAY]),
    *(["import", "h.csv", "-o", "clean", "--lang", "en"], ["framework", "show", "--lang", "en"]),
]


def unshared() -> bool:
    """Whether a process can be put where there is no network at all."""
    try:
        return subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.parametrize("how", ["blocked", "no-network"])
def test_offline(how: str, tmp_path: Path) -> None:
    """Every socket is refused; and in a namespace without any network."""
    if how == "no-network" and not unshared():
        pytest.skip("no network namespaces here: unshare -rn does not work")
    (tmp_path / "h.csv").write_text(BOOK, "utf-8")
    before = ["unshare", "-rn"] if how == "no-network" else []
    done = subprocess.run(
        [*before, sys.executable, "-c", OFFLINE, how],
        input=json.dumps(CALLS).encode(),
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")
    ANSWERED.add(f"offline-{how}")


def test_dev_full(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "h.csv").write_text(BOOK, "utf-8")
    with full.open("wb") as out:
        args = [sys.executable, "-m", "allocator", "check", "h.csv", *DAY]
        done = subprocess.run(args, stdout=out, stderr=subprocess.PIPE, cwd=tmp_path, env=ENV, check=False)
    assert done.returncode == 5
    assert b"could not be written" in done.stderr
    ANSWERED.add("dev-full")


def test_a_book_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, split = tmp_path / "h.csv", task.split
    path.write_text(BOOK, "utf-8")

    def meanwhile(*args: Any) -> Any:
        found = split(*args)
        path.write_text(BOOK + "c9,x,gold,5\n", "utf-8")
        return found

    monkeypatch.setattr(task, "split", meanwhile)
    with pytest.raises(InputError, match="changed while it was read"):
        al.batch(path, tmp_path / "out", plan=False, workers=1, band="C3", on=ON)
    assert "manifest.json" not in names(tmp_path / "out")
    ANSWERED.add("changes-while-read")


def test_parts_of_another_schema(tmp_path: Path) -> None:
    """Ids and amounts as numbers here and as text there, a column more: every row is in one place."""
    (tmp_path / "holdings").mkdir()
    one = pd.DataFrame({"client_id": [1, 2], "name": "x", "asset_class": "deposit", "value": [1.5, 2.0]})
    two = pd.DataFrame(
        {"客户号": ["2", "3"], "名称": "z", "资产类别": "gold", "市值": ["3", "vier"], "own_company": "no"}
    )
    one.to_parquet(tmp_path / "holdings" / "1.parquet", index=False)
    two.to_parquet(tmp_path / "holdings" / "2.parquet", index=False)
    done = al.batch(tmp_path, tmp_path.with_name(tmp_path.name + "-out"), plan=False, workers=1, band="C3", on=ON)
    rows = done.counts["rows"]["holdings"]
    assert (rows["read"], rows["used"], rows["set_aside"]) == (4, 3, 1)
    assert dict(zip(done.summary["client_id"], done.summary["total"], strict=True)) == {"1": 1.5, "2": 5.0, "3": 0.0}
    ANSWERED.add("schema-changes-between-parts")


HARM = {"harm-in-pdf": '#read("/etc/passwd") $\\frac{$', "harm-in-workbook": "=cmd|'/C calc'!A0"}


@pytest.mark.parametrize("item", list(HARM))
def test_harm_in_a_document(item: str) -> None:
    found = judged_rows(holding(value=1e6, name=HARM[item], issuer=HARM[item]))
    made = al.report(found.analysis, "a", lang="en")
    if item == "harm-in-pdf":
        data = made.pdf()
        assert data.startswith(b"%PDF")
        assert b"/JavaScript" not in data
        assert b"root:" not in data
    else:
        with zipfile.ZipFile(io.BytesIO(made.xlsx())) as file:
            sheets = b"".join(file.read(n) for n in file.namelist() if n.startswith("xl/worksheets/sheet"))
            strings = file.read("xl/sharedStrings.xml")
        assert b"<f>cmd" not in sheets
        assert b"=cmd|" in strings
    ANSWERED.add(item)


def test_limits_that_cannot_hold() -> None:
    """In hard mode, with everything locked: said to be so, with the limits and the least that would do; no trades."""
    locked = holding(value=1e6, asset_class="private_business", locked_until="2031-01-01")
    people = [client(), client(client_id=GOOD, monthly_spending=100.0)]
    book = al.read_book(pd.DataFrame([locked, *NEIGHBOURS], dtype=object), clients=pd.DataFrame(people, dtype=object))
    analysis = al.analyze(book, on=ON)
    for engine in ("client", "book"):
        plan = al.rebalance(analysis, hard=True, explain=False, engine=engine)  # type: ignore[arg-type]
        status = dict(zip(plan.summary["client_id"], plan.summary["status"], strict=True))
        assert status == {"a": "infeasible", GOOD: "in_band"}
        assert set(plan.trades["client_id"]) == {GOOD}
        assert set(plan.conflicts["client_id"]) == {"a"}
        assert (plan.conflicts["needed"] > 0).all()
    assert analysis.summary["total"].tolist() == [1e6, TOTAL]
    ANSWERED.add("limits-that-cannot-hold")


ITEMS = (
    *(f"{c}-{s}" for c in COMMANDS for s in SIGNALS),
    *("worker-killed", "offline-blocked", "offline-no-network", "dev-full", "changes-while-read"),
    *("schema-changes-between-parts", "limits-that-cannot-hold", *HARM),
)
