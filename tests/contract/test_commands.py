"""The command line as the contract has it: options of every command, exit codes, streams, what is imported when."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import ROOT, SAMPLE

from allocator.cli import build, main
from allocator.i18n import words

DAY = ("--date", "2026-09-30")
HEAD = "client_id,name,asset_class,value\n"
BOOKS = {
    "held": HEAD + "a,cash,deposit,600000\na,bonds,government_bond,500000\na,fund,equity_fund,500000\n",
    "over": HEAD + "a,firm,private_business,900000\na,cash,deposit,100000\n",
    "aside": HEAD + "a,firm,private_business,many\na,cash,deposit,100000\n",
    "nobody": HEAD + ",firm,private_business,5\n",
    "empty": "",
}
"""Books of one client: every limit holds, some are exceeded, a row is set aside, nobody is left, nothing is there."""
CODES = {"held": 0, "over": 3, "aside": 4, "nobody": 5, "empty": 5}
STUDIES = ("stress", "risk", "household", "calls")
LACKING = {
    # one client of a book is `check` and `rebalance`; a snapshot or a run of one client would be read as the whole book
    "--client": {"batch", "ledger add", "ledger review", "framework show", "framework validate"},
    # no clients, or clients with the bands that were kept
    "--band": {
        "framework show", "framework validate", "ledger show", "ledger diff", "ledger due", "ledger review",
        "ledger purge",
    },
}  # fmt: skip
"""Options that make no sense for a command; the READMEs say so."""


pytestmark = pytest.mark.usefixtures("english")


@pytest.fixture
def books(tmp_path: Path) -> dict[str, str]:
    for name, text in BOOKS.items():
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    return {name: str(tmp_path / f"{name}.csv") for name in BOOKS}


def named() -> dict[str, click.Command]:
    """The commands that the contract names, those of groups one by one."""
    known = build(words("en")).commands
    out = {n: known[n] for n in ("check", "rebalance", "report", "batch", "demo")}
    for group in ("ledger", "framework"):
        found = known[group]
        assert isinstance(found, click.Group)
        out |= {f"{group} {n}": c for n, c in found.commands.items()}
    return out


@pytest.mark.parametrize("option", ["--json", "--lang", "--client", "--band"])
def test_each_command_has_the_options_of_all(option: str) -> None:
    without = {n for n, c in named().items() if option not in {o for p in c.params for o in p.opts}}
    assert without == LACKING.get(option, set())


@pytest.mark.parametrize("book", sorted(BOOKS))
@pytest.mark.parametrize("command", ["check", "rebalance", "report", *STUDIES])
def test_exit_codes(command: str, book: str, books: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    code = CODES[book]
    if command in STUDIES and code == 3:
        code = 0  # they judge nobody
    assert main([command, books[book], *DAY]) == code
    told = capsys.readouterr()
    assert bool(told.err) == (code == 5)
    assert "Traceback" not in told.err
    # the same as JSON, and one object on stdout whenever the file could be read at all
    assert main([command, books[book], "--json", *DAY]) == code
    out = capsys.readouterr().out
    if book == "empty":
        assert out == ""
    else:
        found = json.loads(out)
        assert found["schema"] == "allocator/1"
        assert isinstance(found["issues"], list)


def test_a_missing_file_is_five_and_a_wrong_option_is_two(
    books: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", books["held"] + ".none"]) == 5
    assert main(["check", books["held"], "--band", "none"]) == 2
    assert main(["check", books["held"], "--nothing"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("allocator: ") == 3


@pytest.mark.parametrize("command", ["check", "rebalance"])
def test_a_dash_reads_stdin(command: str) -> None:
    run = [sys.executable, "-m", "allocator", command, "-", "--json", *DAY]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(run, input=BOOKS["over"].encode(), capture_output=True, env=env)
    assert done.returncode == 3
    assert [c["client_id"] for c in json.loads(done.stdout)["clients"]] == ["a"]


def test_check_imports_neither_cvxpy_nor_matplotlib_and_help_not_even_pandas(books: dict[str, str]) -> None:
    code = "import sys; from allocator.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"

    def loaded(*args: str) -> set[str]:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, env=env, text=True)
        return {m.partition(".")[0] for m in done.stderr.split()}

    assert not loaded("check", books["over"], "--json") & {"cvxpy", "matplotlib", "scipy", "typst", "sqlalchemy"}
    assert not loaded("--help") & {"pandas", "numpy", "pyarrow", "pydantic", "cvxpy", "matplotlib"}


@pytest.mark.parametrize("args", [(), ("--client", "C010"), ("--band", "保守型")])
def test_the_numbers_of_both_languages_are_the_same_and_bytes_repeat(
    args: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(lang: str) -> str:
        main(["check", str(SAMPLE), "--json", "--lang", lang, *args, *DAY])
        return capsys.readouterr().out

    en, zh = printed("en"), printed("zh")
    assert printed("en") == en
    assert numbers(json.loads(en)) == numbers(json.loads(zh))


def numbers(found: Any) -> Any:
    """The object without what is said in a language."""
    if isinstance(found, dict):
        return {k: numbers(v) for k, v in found.items() if k not in ("language", "message")}
    return [numbers(v) for v in found] if isinstance(found, list) else found


def test_reports_as_json(books: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was written, a client by the name that the report has; without a file the numbers of `rebalance`."""
    assert main(["report", books["over"], "--json", *DAY]) == 3
    numbers_of_report = json.loads(capsys.readouterr().out)
    assert main(["rebalance", books["over"], "--json", *DAY]) == 3
    assert json.loads(capsys.readouterr().out) == numbers_of_report
    assert main(["report", books["over"], "--json", "--no-plan", *DAY]) == 3
    assert "plan" not in json.loads(capsys.readouterr().out)["clients"][0]
    key = tmp_path / "key"
    key.write_text("ab" * 32, "utf-8")
    hidden = ("--pseudonymise", "--key", str(key))
    entries = []
    for place in (["-o", str(tmp_path / "one.html")], ["--out", str(tmp_path / "all"), "--formats", "html"]):
        assert main(["report", books["over"], "--json", *place, *hidden, *DAY]) == 3
        told = json.loads(capsys.readouterr().out)
        (one,) = told["reports"]
        entries.append(one)
        folder = tmp_path / "all" if "index" in told else tmp_path
        assert (folder / one["files"]["html"]).is_file()
    assert {e["client_id"] for e in entries} != {"a"}
    same = ("client_id", "status", "score", "limits_exceeded")
    assert [entries[0][k] for k in same] == pytest.approx([entries[1][k] for k in same])
    assert main(["report", books["over"], "--json", *hidden]) == 2  # the numbers would name the client


def test_what_a_ledger_did_as_json(books: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--ledger", str(tmp_path / "ledger"), "--json")

    def told(*args: str, code: int = 0) -> Any:
        assert main(["ledger", *args, *place]) == code
        return json.loads(capsys.readouterr().out or "null")

    told("add", books["over"], *DAY)
    assert told("due", *DAY, "--client", "a")["reviews"][0]["client_id"] == "a"
    assert told("due", *DAY, "--client", "b", code=2) is None
    assert told("review", "a", *DAY)["reviewed"] == DAY[1]
    assert (told("purge", "--client", "a")["purged"], told("purge", "--client", "a", "--yes")["purged"]) == (
        False,
        True,
    )


def test_a_framework_is_validated_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Good or bad; a mistake names the file, the key and what is allowed."""
    good, bad = (tmp_path / f"{n}.toml" for n in ("good", "bad"))
    head = 'schema = "allocator-framework/1"\nextends = "classic"\nname = "n"\nen = "n"\nzh = "n"\n'
    good.write_text(head, "utf-8")
    bad.write_text(head + '[classes.gold]\nliquidity = "wet"\n', "utf-8")
    assert main(["framework", "validate", str(good), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["valid"] is True
    assert main(["framework", "validate", str(bad), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["valid"] is False
    (said,) = found["mistakes"]
    assert all(word in said for word in ("bad.toml", "gold", "liquidity", "illiquid"))


def test_the_demo_in_another_band(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--band", "C1", "--json"]) == 0
    assert {c["band"] for c in json.loads(capsys.readouterr().out)["clients"]} == {"conservative"}
