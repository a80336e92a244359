"""A batch from end to end: same bytes whoever works and whatever happens, every row and every client accounted for."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from batches import CHECK, ON, broken, content
from conftest import ROOT, SAMPLE
from faults import Failing

import allocator as al
from allocator import storage
from allocator.batch import partition, runner, task
from allocator.batch.setting import Setting
from allocator.cli import main
from allocator.errors import ConfigError, InputError, OutputError
from allocator.framework import load_framework


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample book, checked without a disturbance, in five partitions."""
    out = tmp_path_factory.mktemp("checked") / "out"
    al.batch(SAMPLE, out, **CHECK, csv=True)
    return out


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book with broken clients in it, planned."""
    folder = tmp_path_factory.mktemp("planned")
    al.batch(broken(folder / "book"), folder / "out", on=ON, workers=1, partition_size=12, csv=True)
    return folder / "out"


# ---- what comes out


def test_a_check_is_that_of_the_whole_book(checked: Path) -> None:
    analysis = al.analyze(al.read_book(SAMPLE), on=ON)
    result = al.read_batch(checked)
    got, want = result.summary, analysis.summary
    assert got["client_id"].tolist() == want["client_id"].tolist()
    for column in want.columns.drop(["client_id"]):
        if want[column].dtype.kind == "f":
            assert got[column].to_numpy() == pytest.approx(want[column].to_numpy(), rel=1e-12, nan_ok=True), column
        else:
            assert got[column].astype("str").tolist() == want[column].astype("str").tolist(), column
    limits = result.table("limits")
    assert limits["limit"].tolist() == analysis.limits["limit"].astype("str").tolist()
    assert limits["excess"].to_numpy() == pytest.approx(
        analysis.limits["excess"].to_numpy(), rel=1e-9, abs=1e-15, nan_ok=True
    )
    columns = ["client_id", "row", "column", "code", "value"]
    issues = lambda t: sorted(map(tuple, t[columns].astype("str").to_numpy().tolist()))  # noqa: E731
    assert issues(result.issues) == issues(analysis.issues)


def test_plans_are_those_of_the_whole_book(planned: Path) -> None:
    """Partitioned = whole, for plans too."""
    book = al.read_book(planned.parent / "book")
    plan = al.rebalance(al.analyze(book, on=ON), explain=False, engine="book")
    result = al.read_batch(planned)
    got = result.summary.set_index("client_id")
    want = plan.summary.set_index("client_id").loc[got.index]
    assert got["plan_status"].tolist() == want["status"].tolist()
    for column in ("cost", "turnover", "score_after", "objective"):
        assert got[column].to_numpy() == pytest.approx(want[column].to_numpy(), rel=1e-6, abs=1e-9, nan_ok=True), column
    trades = result.table("trades")
    assert trades["amount"].sum() == pytest.approx(plan.trades["amount"].sum(), rel=1e-6)
    assert result.counts["clients"]["uncertified"] == 0


def test_broken_clients_are_told_and_the_rest_is_done(planned: Path) -> None:
    result = al.read_batch(planned)
    issues = result.issues[result.issues["severity"] == "error"].set_index("client_id")["code"]
    assert {"not_finite", "not_a_number"} & set(issues.loc[["NAN"]])
    assert set(issues.loc[["TWICE"]]) == {"duplicate"}
    assert "band_missing" in set(issues.loc[["NOBAND"]])
    assert "unknown_class" in set(issues.loc[["STRANGE"]])
    assert "missing_value" in set(issues.loc[[""]])
    status = result.summary.set_index("client_id")["plan_status"]
    assert status["BROKE"] == "insolvent"
    assert status["NOBAND"] == status["STRANGE"] == "invalid"
    assert len(status) == 24 + 5
    assert (status.drop(["BROKE", "NOBAND", "STRANGE"]).isin(["in_band", "improved", "no_trade"])).sum() >= 20
    rows = result.counts["rows"]
    assert all(r["read"] == r["used"] + r["set_aside"] + r["ignored"] for r in rows.values())
    assert rows["holdings"]["read"] == 219 + 8
    assert rows["holdings"]["set_aside"] >= 3
    for money in result.counts["money"].values():
        moved = money["cash_flow"] - money["cost"] - money["tax"] - money["repaid"]
        assert money["before"] + moved == money["after"]


def test_files_of_a_batch(checked: Path, planned: Path) -> None:
    manifest = json.loads((planned / "manifest.json").read_text("utf-8"))
    assert set(manifest["files"]) == set(content(planned)) - {"manifest.json"}
    for name, held in manifest["files"].items():
        assert storage.fingerprint(planned / name) == held
    assert manifest["partitions"] == 3
    if os.name != "nt":
        assert all(stat.S_IMODE((planned / f"issues.{e}").stat().st_mode) == 0o600 for e in ("csv", "parquet"))
    assert (planned / "summary.csv").read_bytes().startswith(b'\xef\xbb\xbf"client_id"')
    csv = pd.read_csv(planned / "trades.csv", keep_default_na=False, dtype={"product_id": str})
    assert len(csv) == len(al.read_batch(planned).table("trades"))
    assert "trades" not in al.read_batch(checked).tables


def test_reading_a_result(planned: Path) -> None:
    result = al.read_batch(planned)
    assert "clients in 3 partitions" in repr(result)
    one = result.client("C005")
    assert len(one["summary"]) == 1
    assert set(one["limits"]["client_id"]) == {"C005"}
    some = result.table("summary", columns=["client_id", "total"], where={"advisor": ["RM-01", "RM-02"]})
    assert list(some.columns) == ["client_id", "total"]
    assert 0 < len(some) < 29
    for call in (
        lambda: result.table("fun"),
        lambda: result.table("summary", columns=["fun"]),
        lambda: result.client("nobody"),
        lambda: al.read_batch(planned / "summary"),
    ):
        with pytest.raises(InputError):
            call()
    with pytest.raises(AttributeError):
        result.out = Path()  # type: ignore[misc]


# ---- the same bytes


def test_processes_give_the_same_bytes(checked: Path, tmp_path: Path) -> None:
    al.batch(SAMPLE, tmp_path / "out", **{**CHECK, "workers": 2}, csv=True)
    assert content(tmp_path / "out") == content(checked)


def test_every_file_operation_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disk full at the Nth: a clear end, no torn file, and going on gives the bytes of an undisturbed run."""
    few = {**CHECK, "partition_size": 20}
    al.batch(SAMPLE, tmp_path / "whole", **few)
    want = content(tmp_path / "whole")
    at, step = 1, 1
    while True:
        out = tmp_path / str(at)
        failing = Failing(at)
        monkeypatch.setattr(storage, "CALLS", failing)
        message = ""
        try:
            al.batch(SAMPLE, out, **few)
        except OutputError as error:
            message = str(error)
        monkeypatch.undo()
        if failing.count < at:
            assert content(out) == want
            break
        assert "make room" in message
        found = {k: v for k, v in content(out).items() if not k.startswith(".work")} if out.exists() else {}
        assert not [k for k in found if k.endswith(storage.PART)]
        assert all(want.get(k) == v for k, v in found.items()), "a torn file, or one of another run"
        al.batch(SAMPLE, out, **few, resume=True)
        assert content(out) == want
        step = max(1, at // 3)
        at += step
    assert at > 50


RUN = """
import sys, datetime as dt
import allocator as al
al.batch(sys.argv[1], sys.argv[2], on=dt.date(2026, 9, 30), plan=False, workers=int(sys.argv[3]), partition_size=2,
         csv=True, resume=len(sys.argv) > 4)
"""


def start(out: Path, workers: int, *more: str) -> subprocess.Popen[bytes]:
    args = [sys.executable, "-c", RUN, str(SAMPLE), str(out), str(workers), *more]
    return subprocess.Popen(args, cwd=ROOT, stderr=subprocess.PIPE)


def whole_or_absent(out: Path, want: dict[str, bytes]) -> None:
    found = {k: v for k, v in content(out).items() if not k.startswith(".work") and not k.endswith(storage.PART)}
    assert all(want[k] == v for k, v in found.items() if k != storage.LOCK)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize(("workers", "waits"), [(1, (3, 7)), (2, (2,))])
def test_killed_and_gone_on_with(tmp_path: Path, workers: int, waits: tuple[int, ...]) -> None:
    """Killed once so many partitions are done, again and again."""
    al.batch(SAMPLE, tmp_path / "whole", **{**CHECK, "partition_size": 2}, csv=True)
    want, out = content(tmp_path / "whole"), tmp_path / "out"
    for wait in waits:
        process = start(out, workers, *(["resume"] if out.exists() else []))
        while process.poll() is None and len(list(out.glob(".work/done/0*.json"))) < wait:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (out / "manifest.json").exists()
        whole_or_absent(out, want)
    al.batch(SAMPLE, out, **{**CHECK, "partition_size": 2}, csv=True, resume=True)
    assert content(out) == want


def test_finished_partitions_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose files are whole; one that was changed is done again."""
    work, done = partition.work, []

    def stops(*args: Any) -> Any:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(1)
        return work(*args)

    monkeypatch.setattr(task, "work", stops)
    with pytest.raises(KeyboardInterrupt):
        al.batch(SAMPLE, tmp_path / "out", **CHECK)
    (tmp_path / "out" / "summary" / "part-00001.parquet").write_bytes(b"rubbish")
    again: list[int] = []
    monkeypatch.setattr(task, "work", lambda *args: again.append(1) or work(*args))
    al.batch(SAMPLE, tmp_path / "out", **CHECK, resume=True)
    assert len(again) == 5 - 3 + 1
    monkeypatch.setattr(task, "work", lambda *_: pytest.fail("a finished run was begun again"))
    assert len(al.batch(SAMPLE, tmp_path / "out", **CHECK, resume=True).summary) == 24


def test_a_run_of_something_else_is_refused(checked: Path, tmp_path: Path) -> None:
    before = content(checked)
    with pytest.raises(ConfigError, match="holds a run already"):
        al.batch(SAMPLE, checked, **CHECK, csv=True)
    for change, told in (
        ({"partition_size": 7}, "option partition_size"),
        ({"plan": True}, "option plan"),
        ({"band": "C1"}, "option band"),
        ({"tables": {"fx": pd.DataFrame({"currency": ["USD", "HKD"], "rate": [7.0, 0.9]})}}, "the book"),
    ):
        with pytest.raises(ConfigError, match=told):
            al.batch(SAMPLE, checked, **{**CHECK, "csv": True, "resume": True} | change)
    with pytest.raises(ConfigError, match="the framework"):
        al.batch(SAMPLE, checked, "chhabra", **CHECK, csv=True, resume=True)
    assert content(checked) == before
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        al.batch(SAMPLE, tmp_path, **CHECK)
    assert content(tmp_path) == {"notes.txt": b"mine"}


def test_two_runs_on_one_directory(tmp_path: Path) -> None:
    with storage.one_writer(tmp_path / "out"), pytest.raises(ConfigError, match="another run is writing"):
        al.batch(SAMPLE, tmp_path / "out", **CHECK)


def test_a_book_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = broken(tmp_path / "book")
    split = task.split

    def meanwhile(*args: Any) -> Any:
        found = split(*args)
        (book / "fx.csv").write_text("currency,rate\nCNY,1\n")
        return found

    monkeypatch.setattr(task, "split", meanwhile)
    with pytest.raises(InputError, match="changed while it was read"):
        al.batch(book, tmp_path / "out", **CHECK)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fun": 1}, "unknown option"),
        ({"workers": -1}, "1 or more"),
        ({"partition_size": 0}, "1 or more"),
        ({"engine": "spark"}, "unknown engine"),
        ({"scheduler": "tcp://x"}, "engine dask"),
        ({"band": "C9"}, "unknown band"),
        ({"plan": False, "explain": True}, "explain needs plans"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        al.batch(SAMPLE, tmp_path / "out", **options)


def test_a_client_whom_no_solver_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that break a solver stop nobody else; what broke it is found and told."""
    usual = partition.rebalance

    def fragile(analysis: Any, **how: Any) -> Any:
        if "C003" in analysis.client_ids:
            raise ZeroDivisionError
        return usual(analysis, **how | {"engine": "client"})

    monkeypatch.setattr(partition, "rebalance", fragile)
    ids = ["C001", "C003", "C004", "C005"]
    holdings = pd.read_csv(SAMPLE / "holdings.csv", dtype=str, keep_default_na=False)
    clients = pd.read_csv(SAMPLE / "clients.csv", dtype=str, keep_default_na=False)
    tables = {"clients": clients[clients["client_id"].isin(ids)], "products": SAMPLE / "products.csv"}
    result = al.batch(holdings[holdings["client_id"].isin(ids)], tmp_path / "out", on=ON, workers=1, tables=tables)
    summary = result.summary.set_index("client_id")
    assert summary.index.tolist() == ids
    assert summary.loc["C003", ["plan_status", "reason"]].tolist() == ["invalid", "plan_failed"]
    assert (summary["plan_status"] == "invalid").sum() == 1
    assert result.issues.set_index("code").loc["plan_failed", "client_id"] == "C003"


def test_a_setting_survives_being_written_down() -> None:
    for name in ("classic", "chhabra"):
        framework = load_framework(name)
        setting = Setting(framework, runner.load_assumptions(framework.assumptions), ON, "C3", True, True)
        again = Setting.from_json(json.loads(json.dumps(setting.to_json())))
        assert again == setting


# ---- the command


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = broken(tmp_path / "book")
    base = [
        "batch",
        str(book),
        "--out",
        str(tmp_path / "out"),
        "--check-only",
        "--date",
        "2026-09-30",
        "--workers",
        "1",
    ]
    assert main([*base, "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "allocator-batch/1"
    assert told["counts"]["clients"]["in"] == 29
    assert main(base) == 2
    assert "holds a run already" in capsys.readouterr().err
    for lang, word in (("en", "Rows: "), ("zh", "数据行：")):
        assert main([*base, "--resume", "--lang", lang]) == 4
        out, err = capsys.readouterr()
        assert word in out
        assert err == ""
    assert main(["batch", str(SAMPLE), "--out", str(tmp_path / "two"), "--engine", "fun"]) == 2
    assert main(["batch", str(SAMPLE)]) == 2
    assert main(["batch", str(tmp_path / "none"), "--out", str(tmp_path / "three")]) == 5


@pytest.mark.skipif(os.name == "nt", reason="needs SIGTERM")
def test_terminated_clean(tmp_path: Path) -> None:
    args = [
        "batch",
        str(SAMPLE),
        "--out",
        str(tmp_path / "out"),
        "--check-only",
        "--partition-size",
        "1",
        "--workers",
        "1",
    ]
    code = f"import sys; from allocator.cli import main; sys.exit(main({args!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE)
    while process.poll() is None and not list((tmp_path / "out").glob(".work/done/0*.json")):
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert err.decode().strip() == "allocator: Interrupted."
    assert not [p for p in content(tmp_path / "out") if p.endswith(storage.PART)]
    assert main([*args, "--resume"]) in (3, 4)


# ---- how the book is read


def test_how_a_book_is_read_is_part_of_the_run(tmp_path: Path) -> None:
    """Another mapping, or other parameters, are another run; comments in the mapping are not."""
    book, mapping = tmp_path / "a.csv", tmp_path / "m.toml"
    book.write_text("client_id,name,asset_class,净额\nA,x,gold,1.5\nB,y,gold,2\n", "utf-8")
    mapping.write_text('[columns.holdings]\n"净额" = { column = "value", unit = "万" }\n', "utf-8")
    out = tmp_path / "out"
    args = ["batch", str(book), "--out", str(out), "--check-only", "--workers", "1", "--date", "2026-09-30"]
    assert main([*args, "--mapping", str(mapping)]) in (0, 3, 4)
    result = al.read_batch(out)
    assert result.summary["total"].tolist() == [15_000.0, 20_000.0]
    changed = result.conversions.set_index(["column", "what"])
    assert changed.loc[("value", "unit_mapping"), "count"] == 2
    mapping.write_text(f"# as before\n{mapping.read_text('utf-8')}", "utf-8")
    assert main([*args, "--mapping", str(mapping), "--resume"]) in (0, 3, 4)
    mapping.write_text(mapping.read_text("utf-8").replace("万", "亿"), "utf-8")
    with pytest.raises(ConfigError, match="how it is read"):
        al.batch(book, out, mapping=mapping, resume=True, **{**CHECK, "partition_size": 10_000})


def test_parameters_of_a_database_are_part_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame(
        {"day": ["1", "1", "2"], "client_id": ["A", "B", "A"], "name": "x", "asset_class": "gold", "value": [1, 2, 4]}
    )
    with sqlite3.connect(tmp_path / "bank.db") as bank:
        frame.to_sql("held", bank, index=False)
    bank.close()
    monkeypatch.setenv("BANK_URL", f"sqlite:///{tmp_path / 'bank.db'}")
    source = tmp_path / "bank.toml"
    source.write_text('url_env = "BANK_URL"\n[tables]\nholdings = "select * from held where day = :day"\n', "utf-8")
    out = tmp_path / "out"
    args = ["batch", str(source), "--out", str(out), "--check-only", "--workers", "1", "--date", "2026-09-30"]
    assert main([*args, "--param", "day=1"]) in (0, 3, 4)
    assert al.read_batch(out).summary["total"].tolist() == [1.0, 2.0]
    capsys.readouterr()
    assert main([*args, "--param", "day=2", "--resume"]) == 2
    assert "holds a run that differs" in capsys.readouterr().err
    assert "BANK_URL" not in (out / "manifest.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--param", "day=1"], "params"),
        (["--as-client", "F"], "as_client"),
        (["--mapping", "nowhere.toml"], "nowhere.toml"),
        (["--param", "day"], "--param"),
    ],
)
def test_what_does_not_go_with_the_book_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    assert main(["batch", str(SAMPLE), "--out", str(tmp_path / "out"), *more]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("more", [("--mapping", "m.toml"), ("--clients", "c.csv"), ("--param", "a=1")])
def test_what_a_run_has_left_is_not_read_anew(
    checked: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, str]
) -> None:
    """An option that says how a book is read would be left aside in silence."""
    assert main(["book", str(checked), *more]) == 2
    assert more[0] in capsys.readouterr().err
