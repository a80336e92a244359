"""Chinese everywhere, where the machine knows no Chinese: names of files and folders, ids, and what is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pandas as pd
import pytest
from conftest import ROOT
from faults import names
from judged import ANSWERED

from allocator.cli import build
from allocator.i18n import words

DAY = ["--band", "C3", "--date", "2026-09-30"]
BOOK = (
    "client_id,name,asset_class,value\n张三,金条,gold,100000\n张三,定存,deposit,1000000\n"
    "张三,国债,government_bond,300000\n李四,指数,equity_fund,100000\n"
)
PLACES: dict[str, dict[str, str]] = {
    "chinese-and-lc-all-c": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "chinese-and-gbk": {"PYTHONIOENCODING": "gbk"},
}
RUN = """
import json, os, sys
from allocator.cli import main
for args in json.load(sys.stdin.buffer):
    sys.stdout.flush(); sys.stderr.flush()
    for stream in (1, 2):
        os.write(stream, b"\\0")
    code = main([os.fsdecode(a.encode("utf-8")) for a in args])  # as Python takes the arguments of a process
    os.write(2, b"\\1%d" % code)
"""
OK = (0, 3)
# what is called, the codes it may end with, and the files it leaves
CALLS: tuple[tuple[list[str], tuple[int, ...], tuple[str, ...]], ...] = (
    (["check", "持仓.csv", "--client", "张三", *DAY], OK, ()),
    (["check", "持仓.xlsx", *DAY], OK, ()),
    (["check", "持仓.parquet", "--json", *DAY], OK, ()),
    (["check", "持仓.csv", "--framework", "框架.toml", *DAY], OK, ()),
    (["rebalance", "持仓.csv", "--client", "张三", *DAY], OK, ()),
    (["frontier", "持仓.csv", "--client", "张三", "--points", "2", *DAY], OK, ()),
    (["stress", "持仓.csv", "--client", "张三", *DAY], OK, ()),
    (["risk", "持仓.csv", "--client", "张三", *DAY], OK, ()),
    (["household", "持仓.csv", "--client", "张三", *DAY], OK, ()),
    (["book", "持仓.csv", *DAY], OK, ()),
    (["calls", "持仓.csv", *DAY], OK, ()),
    (["whatif", "持仓.csv", "--new-band", "C2", *DAY], OK, ()),
    (
        ["batch", "持仓.parquet", "--out", "结果/批次", "--csv", "--workers", "1", *DAY],
        OK,
        ("结果/批次/manifest.json", "结果/批次/summary.csv"),
    ),
    (["batch", "持仓.parquet", "--out", "结果/批次", "--csv", "--workers", "1", *DAY, "--resume"], OK, ()),
    (["book", "结果/批次"], OK, ()),
    *(
        ([*["report", "持仓.csv", "--client", "张三", "-o"], f"报告/张三.{k}", *DAY], OK, (f"报告/张三.{k}",))
        for k in ("html", "pdf", "xlsx")
    ),
    ([*["report", "持仓.csv", "--out", "报告们", "--formats", "html", "--no-plan"], *DAY], OK, ("报告们/index.html",)),
    ([*["ledger", "add", "持仓.csv", "--ledger", "台账"], *DAY], OK, ("台账/ledger.json",)),
    ([*["ledger", "add", "持仓.parquet", "--ledger", "台账", "--band", "C3", "--date", "2026-10-30"]], OK, ()),
    ([*["ledger", "add", "持仓.csv", "--ledger", "sqlite:///台账.db"], *DAY], OK, ("台账.db",)),
    ([*["ledger", "show", "--ledger", "台账", "--client", "张三"]], OK, ()),
    ([*["ledger", "diff", "--ledger", "台账", "--html", "变动.html"]], OK, ("变动.html",)),
    ([*["ledger", "due", "--ledger", "台账"]], OK, ()),
    ([*["ledger", "review", "张三", "--ledger", "台账"]], OK, ()),
    ([*["ledger", "purge", "--client", "张三", "--ledger", "台账", "--yes"]], OK, ()),
    (
        [*["import", "持仓.csv", "-o", "干净", "--learn", "映射.toml"]],
        (0,),
        ("干净/holdings.csv", "映射.toml"),
    ),
    (
        ["import", "持仓.xlsx", "--mapping", "映射.toml", "-o", "干净二", "--kind", "parquet"],
        OK,
        ("干净二/holdings.parquet",),
    ),
    (["framework", "show", "框架.toml"], OK, ()),
    (["framework", "validate", "框架.toml"], OK, ()),
    (["assumptions", "show"], OK, ()),
    (["demo", "--client", "李四"], (2,), ()),
    (["check", "没有.csv"], (5,), ()),
    (["check", "坏.csv"], (5,), ()),
    (["check", "坏.parquet"], (5,), ()),
    (["check", "持仓.csv", "--framework", "没有.toml"], (2,), ()),
    (["check", "持仓.csv", "--client", "王五"], (2,), ()),
    (["查", "持仓.csv"], (2,), ()),
)


def leaves(group: click.Group, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, one in group.commands.items():
        if isinstance(one, click.Group):
            yield from leaves(one, (*above, name))
        else:
            yield (*above, name)


def test_every_command_is_called() -> None:
    called = {tuple(args[:n]) for args, _, _ in CALLS for n in (1, 2)}
    assert set(leaves(build(words("zh")))) <= called


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("客户 资料")
    (folder / "持仓.csv").write_text(BOOK, "utf-8")
    frame = pd.read_csv(folder / "持仓.csv")
    frame.to_excel(folder / "持仓.xlsx", index=False)
    frame.to_parquet(folder / "持仓.parquet", index=False)
    (folder / "坏.csv").write_text("a,b\n1,2\n", "utf-8")
    (folder / "坏.parquet").write_bytes(b"PAR1")
    (folder / "框架.toml").write_text('extends = "classic"\n', "utf-8")
    return folder


@pytest.mark.parametrize("place", list(PLACES))
def test_chinese_in_every_command(place: str, clients: Path, tmp_path: Path) -> None:
    """One process, with the arguments as the system hands them over; what is printed is Chinese, or escaped."""
    folder = tmp_path / "客户 资料"
    folder.mkdir()
    for path in clients.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps([[*args, "--lang", "zh"] for args, _, _ in CALLS]).encode(),
        capture_output=True,
        env=plain | {"PYTHONPATH": str(ROOT)} | PLACES[place],
        cwd=folder,
        check=False,
    )
    encoding = PLACES[place].get("PYTHONIOENCODING", "utf-8")
    outs = done.stdout.decode(encoding).split("\0")[1:]
    errs = done.stderr.decode(encoding).split("\0")[1:]
    assert len(outs) == len(errs) == len(CALLS), done.stderr[-1000:]
    there = names(folder)
    for (args, codes, files), out, told in zip(CALLS, outs, errs, strict=True):
        err, _, code = told.partition("\1")
        assert int(code) in codes, (args, err)
        assert bool(out) == (int(code) in OK) or args[0] == "report", args
        assert "Traceback" not in err
        assert "?" not in err.replace("?？", ""), (args, err)
        assert "\\u" not in err, (args, err)
        for file in files:
            assert file in there, (args, there)
    told = "".join(errs)
    assert all(
        name in told for name in ("没有.csv", "坏.csv", "坏.parquet", "没有.toml", "张三.pdf", "报告们", "变动.html")
    )
    ANSWERED.add(place)


def test_a_name_in_a_script(clients: Path) -> None:
    """It is text, not the bytes of an argument: the file is found all the same."""
    script = "import allocator as al; print(len(al.read_book('\\u6301\\u4ed3.csv').holdings))"
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | PLACES["chinese-and-lc-all-c"],
        cwd=clients,
        check=False,
    )
    assert found.stdout.strip() == b"4", found.stderr
    ANSWERED.add("chinese-in-a-script")


ITEMS = (*PLACES, "chinese-in-a-script")
