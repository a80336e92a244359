"""What a client is called, has or owes stands in results alone: never on stderr, in errors, file names or metadata."""

from __future__ import annotations

import os
import socket
import stat
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from allocator import Ledger, cli, pipeline

CANARY = "CANARY"
CLIENT = f"{CANARY}-ID-77"
AMOUNT = "7654321.98"
DAY = "2026-09-30"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A client of canaries: one sound, one whose rows are broken in every column that can be."""
    folder = tmp_path / "book"
    folder.mkdir()
    held = [
        [CLIENT, f"{CANARY} fund", f"{CANARY}-A1", "equity_fund", AMOUNT, f"{CANARY} issuer", "true"],
        [CLIENT, f"{CANARY} account", f"{CANARY}-A2", "deposit", "1234567.89", f"{CANARY} bank", "false"],
        [CLIENT, f"{CANARY} firm", f"{CANARY}-A3", "private_business", "9876543.21", "", "false"],
        [f"{CANARY}-ID-78", f"{CANARY} odd", f"{CANARY}-A4", f"{CANARY} class", f"{CANARY}12", "", f"{CANARY} maybe"],
        [f"{CANARY}-ID-78", f"{CANARY} odd", f"{CANARY}-A5", "deposit", "1e400", "", ""],
    ]
    columns = ["client_id", "name", "asset_id", "asset_class", "value", "issuer", "indivisible"]
    pd.DataFrame(held, columns=columns).to_csv(folder / "holdings.csv", index=False)
    people = [
        [CLIENT, "balanced", "4321.09", f"{CANARY} advisor"],
        [f"{CANARY}-ID-78", f"{CANARY} band", f"{CANARY} much", f"{CANARY} advisor"],
    ]
    pd.DataFrame(people, columns=["client_id", "risk_band", "monthly_spending", "advisor"]).to_csv(
        folder / "clients.csv", index=False
    )
    debts = [
        [CLIENT, "111222.33", f"{CANARY} loan", f"{CANARY}-A9"],
        [f"{CANARY}-ID-78", f"{CANARY}", f"{CANARY} loan", ""],
    ]
    pd.DataFrame(debts, columns=["client_id", "value", "kind", "secured_by"]).to_csv(folder / "debts.csv", index=False)
    (folder / "key").write_bytes(bytes(range(32)))
    return folder


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("the program opened a connection")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def commands(book: Path, out: Path) -> dict[str, list[str]]:
    """Every command over a book, with what it writes going below ``out``.

    Reports are named after their client unless pseudonyms are asked for; here they are.
    """
    one = [str(book), "--client", CLIENT, "--date", DAY]
    every = [str(book), "--date", DAY]
    hidden = ["--pseudonymise", "--key", str(book / "key"), "--formats", "html,pdf,xlsx", "--workers", "1"]
    return {
        "check": ["check", *every],
        "check_json": ["check", *every, "--json"],
        "rebalance": ["rebalance", *every],
        "rebalance_one": ["rebalance", *one, "--json"],
        "risk": ["risk", *one],
        "stress": ["stress", *every],
        "household": ["household", *one],
        "frontier": ["frontier", *one, "--points", "3"],
        "book": ["book", *every],
        "calls": ["calls", *every],
        "whatif": ["whatif", *every, "--new-band", "aggressive"],
        "import": ["import", str(book), "-o", str(out / "clean")],
        "batch": ["batch", str(book), "--out", str(out / "run"), "--date", DAY, "--workers", "1"],
        "report": ["report", *one, "-o", str(out / "page.html")],
        "reports": ["report", *every, "--out", str(out / "reports"), *hidden],
        "ledger": ["ledger", "add", str(book), "--ledger", str(out / "ledger"), "--date", DAY],
    }


NAMES = list(commands(Path("book"), Path("out")))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_of_a_client_on_stderr_or_in_a_file_name(
    book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, lang: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    code = cli.main([*commands(book, out)[name], "--lang", lang])
    told = capsys.readouterr()
    assert code in (0, 3, 4), told.err
    assert CANARY not in told.err
    assert AMOUNT not in told.err
    written = [p for p in out.rglob("*") if p.is_file()]
    assert written or name not in ("import", "batch", "report", "reports", "ledger")
    assert not [p for p in written if CANARY.lower() in str(p.relative_to(out)).lower()]
    for path in written:
        if path.suffix == ".json":
            assert CANARY not in path.read_text("utf-8"), path.name
        if path.suffix == ".parquet":
            assert CANARY not in str(pq.read_schema(path).metadata), path.name
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as packed:
                assert CANARY.encode() not in packed.read("docProps/core.xml")


def test_what_names_clients_is_for_its_owner_alone(book: Path, tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("file modes are those of POSIX")
    assert cli.main(["batch", str(book), "--out", str(tmp_path / "run"), "--date", DAY, "--workers", "1"]) == 4
    assert stat.S_IMODE((tmp_path / "run" / "issues.parquet").stat().st_mode) == 0o600
    ledger = tmp_path / "ledger"
    cli.main(["ledger", "add", str(book), "--ledger", str(ledger), "--date", DAY])
    assert Ledger(ledger).dates
    modes = {stat.S_IMODE(p.stat().st_mode) for p in ledger.rglob("*") if p.is_file()}
    assert modes == {0o600}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_bug_is_told_by_its_kind_alone(
    book: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    """Whatever an exception carries, the message does not; ``--debug`` is the user's own wish."""

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"{CLIENT} has {AMOUNT}")

    monkeypatch.setattr(pipeline, "analyze", broken)
    assert cli.main(["check", str(book), "--lang", lang]) == 1
    told = capsys.readouterr()
    assert "RuntimeError" in told.err
    assert CANARY not in told.err + told.out
    assert AMOUNT not in told.err + told.out


def test_wrong_usage_does_not_repeat_a_client(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(book), "--client", f"{CANARY}-ID-99"]) == 2
    assert CANARY not in capsys.readouterr().err
