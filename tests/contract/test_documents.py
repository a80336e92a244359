"""Every line of code that the READMEs and docstrings show, run as a newcomer would: in a fresh folder."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, SAMPLE

import allocator
from allocator.cli import main

TEXTS = {lang: (ROOT / name).read_text("utf-8") for lang, name in (("en", "README.md"), ("zh", "README.zh.md"))}
SAMPLES = ROOT / "tests" / "importers" / "samples"
FEW = ["C001", "C002", "C005", "C010"]
WHERE = {"BOOK": "data/sample", "RESULTS": "out", "FILE": "key.txt"}
"""What a reader puts for the words in capitals."""
DOCTESTS = ("allocator.gallery", "allocator.ledger.ledger", "allocator.limits")


def blocks(lang: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXTS[lang], re.S | re.M)


def lines(lang: str) -> list[str]:
    """Commands of `allocator` without their remarks."""
    found = [re.sub(r"\s+#.*", "", x) for block in blocks(lang, "sh") for x in block.splitlines()]
    return [x for x in found if x.startswith("allocator ")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the lines name: four of the sample clients as files and as a workbook, a key, exports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    (tmp_path / "data" / "sample").mkdir(parents=True)
    with pd.ExcelWriter("clients.xlsx", engine="xlsxwriter") as book:
        for path in sorted(SAMPLE.glob("*.csv")):
            table = pd.read_csv(path, dtype=str)
            if "client_id" in table:
                table = table[table["client_id"].isin(FEW)]
            table.to_csv(tmp_path / "data" / "sample" / path.name, index=False)
            table.to_excel(book, sheet_name=path.stem, index=False)
    Path("key.txt").write_text("0f" * 32, "utf-8")
    Path("classes.csv").write_text("client_id,asset_id,asset_class\n*,AAPL,listed_equity\n", "utf-8")
    for name, kind in (("flex.xml", "ibkr*.xml"), ("Portfolio_Positions.csv", "fidelity*ositions*.csv")):
        Path(name).write_bytes(sorted(SAMPLES.glob(kind))[0].read_bytes())
    return tmp_path


def test_both_readmes_show_the_same_lines() -> None:
    en, zh = lines("en"), lines("zh")
    assert set(zh) <= set(en)
    assert len(en) > 10


def test_every_line_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in lines("en"):
        words = [WHERE.get(w, w) for w in shlex.split(line)[1:]]
        if words[-1] == "demo":
            continue  # in the tests of the command line
        code = main(words)
        told = capsys.readouterr()
        assert code in (0, 3, 4), f"{line}: {told.err}"
        assert told.out or told.err, line
    assert (folder / "out" / "manifest.json").is_file()
    assert (folder / "page.html").is_file()
    assert (folder / "c001.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / "letters" / "index.html").is_file()


def test_the_limit_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [b for b in blocks("en", "py") if "spark" not in b]
    exec(compile(code, "README.md", "exec"), {})
    told = capsys.readouterr().out
    assert told.count("tech") > 10


def test_examples_of_docstrings() -> None:
    names = [m.name for m in pkgutil.walk_packages(allocator.__path__, "allocator.")]
    written = [n for n in names if (path := _source(n)) and ">>>" in path.read_text("utf-8")]
    assert sorted(written) == sorted(DOCTESTS)
    for name in DOCTESTS:
        found = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
        assert found.failed == 0


def _source(name: str) -> Path | None:
    path = ROOT / Path(*name.split(".")).with_suffix(".py")
    return path if path.is_file() else None
