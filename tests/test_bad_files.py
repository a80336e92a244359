"""Every bad file that the house's list names: read whole and reconciled, or refused with the mend in the message."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judged import ANSWERED, GOOD, Judged, ids_of, judged, reconciled
from small import client
from workbooks import SHEET, edited

import allocator as al
from allocator.cli import main
from allocator.importers import xlsx_scan

HEAD = "client_id,name,asset_class,value"
NEIGHBOUR = f"{GOOD},cash,deposit,1000000\n{GOOD},bonds,government_bond,300000\n{GOOD},index,equity_fund,100000\n"
PLAIN = f"{HEAD}\na,金条,gold,100\n{NEIGHBOUR}"
PEOPLE = pd.DataFrame([client(), client(client_id=GOOD, monthly_spending=100.0)])
ROWS: list[list[Any]] = [line.split(",") for line in PLAIN.strip().split("\n")]
ROWS = [ROWS[0], *([*r[:3], float(r[3])] for r in ROWS[1:])]


def between(*rows: str) -> str:
    return "\n".join([HEAD, *rows, NEIGHBOUR])


def asked(path: Path) -> Judged:
    return judged(path, clients=PEOPLE)


# id, bytes, codes of the issues, and the money of client a
READ: tuple[tuple[str, bytes, set[str], float], ...] = (
    ("bom", codecs.BOM_UTF8 + PLAIN.encode(), set(), 100.0),
    ("gbk", PLAIN.encode("gbk"), {"encoding"}, 100.0),
    ("gb18030", PLAIN.replace("金条", "㐂金").encode("gb18030"), {"encoding"}, 100.0),
    ("utf-16", PLAIN.encode("utf-16"), set(), 100.0),
    ("utf-16-be", codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"), set(), 100.0),
    ("ragged-rows", between("a,x,gold,100", "a,y,gold", "a,z,gold,5,6").encode(), {"ragged_row"}, 100.0),
    ("semicolons", PLAIN.replace(",", ";").encode(), set(), 100.0),
    ("tabs", PLAIN.replace(",", "\t").encode(), set(), 100.0),
    ("cr-only", PLAIN.replace("\n", "\r").encode(), set(), 100.0),
    ("blank-rows", between("", ",,,", "a,x,gold,100", "").encode(), set(), 100.0),
    ("title-rows", ("客户资产明细表\n截至2026-09-30\n" + PLAIN).encode(), set(), 100.0),
    ("subtotal-rows", between("a,x,gold,100", "小计,,,100").encode(), set(), 100.0),
    ("total-rows", (PLAIN + "合计,,,1400100\n").encode(), set(), 100.0),
)


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in READ])
def test_text_that_is_read(case: Any, tmp_path: Path) -> None:
    name, data, codes, total = case
    path = tmp_path / "b.csv"
    path.write_bytes(data)
    found = asked(path)
    assert codes <= set(found.codes)
    assert found.totals["a"] == total
    ANSWERED.add(name)


# id, name of the file, bytes, and words of the refusal
REFUSED: tuple[tuple[str, str, bytes, tuple[str, ...]], ...] = (
    ("big5", "b.csv", PLAIN.replace("金条", "黃金條塊與銀行存款資產類別").encode("big5"), ("line 2", "Big5", "UTF-8")),
    ("broken-byte", "b.csv", PLAIN.encode().replace("金".encode(), "金".encode()[:2] + b"\xff"), ("line 2", "UTF-8")),
    ("nul-byte", "b.csv", PLAIN.encode().replace(b"gold", b"go\0ld"), ("line 2", "NUL")),
    ("unclosed-quote", "b.csv", PLAIN.replace("金条", '"金条').encode(), ("quote", "line")),
    ("duplicate-headers", "b.csv", PLAIN.replace("name", "value").encode(), ("value",)),
    ("empty", "b.csv", b"", ("empty",)),
    ("header-only", "b.csv", f"{HEAD}\n".encode(), ("no rows",)),
    ("xls-as-xlsx", "b.xlsx", b"\xd0\xcf\x11\xe0" + bytes(99), (".xls", "save")),
    ("html-as-xls", "b.xls", b"<html><table><tr><td>1</td></tr></table>", (".xlsx",)),
    ("html-as-xlsx", "b.xlsx", b"<html><table>", ("web page",)),
    ("password", "b.xlsx", b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), ("password",)),
    ("parquet-cut", "b.parquet", b"PAR1 cut off", ("Parquet", "write it again")),
    ("parquet-empty", "b.parquet", b"", ("empty",)),
    ("zip-cut", "b.xlsx", b"PK\x03\x04" + bytes(50), ("not a whole",)),
    ("gzip-cut", "b.csv.gz", b"\x1f\x8b\x08" + bytes(9), (".gz",)),
)


def refused(source: Any, words: tuple[str, ...], capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """One sentence on the command line, exit code 5, the mend in it, and no path of the machine."""
    with pytest.raises(al.InputError) as error:
        al.read_book(source)
    assert all(w in str(error.value) for w in words), str(error.value)
    capsys.readouterr()
    assert main(["check", str(source), "--lang", "en"]) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert str(folder) not in err
    assert all(w in err for w in words), err


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in REFUSED])
def test_files_that_are_refused(case: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, file, data, words = case
    (tmp_path / file).write_bytes(data)
    refused(tmp_path / file, words, capsys, tmp_path)
    ANSWERED.add(name)


def workbook(path: Path, change: Callable[[Any, Any], None] | None = None, rows: list[list[Any]] = ROWS) -> Path:
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("holdings")
    for i, row in enumerate(rows):
        sheet.write_row(i, 0, row)
    if change is not None:
        change(book, sheet)
    book.close()
    return path


def hidden_sheet(book: Any, _: Any) -> None:
    more = book.add_worksheet("debts")
    more.write_row(0, 0, ["client_id", "value"])
    more.write_row(1, 0, ["a", 5])
    more.hide()


def uncalculated(_: Any, sheet: Any) -> None:
    sheet.write_formula(1, 3, "=50+50", None, "")


def failed(_: Any, sheet: Any) -> None:
    sheet.write_formula(1, 3, "=NA()", None, "#N/A")


WORKBOOKS: tuple[tuple[str, Callable[[Any, Any], None] | None, set[str], float], ...] = (
    ("workbook", None, set(), 100.0),
    ("merged-cells", lambda _, s: s.merge_range(1, 0, 1, 1, "a"), set(), 100.0),
    ("hidden-sheet", hidden_sheet, {"sheet_hidden"}, 100.0),
    ("hidden-row", lambda _, s: s.set_row(1, None, None, {"hidden": True}), {"hidden_rows"}, 100.0),
    ("uncalculated-formula", uncalculated, {"formula_without_value"}, 0.0),
    ("formula-error", failed, {"formula_error"}, 0.0),
)


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in WORKBOOKS])
def test_workbooks_that_are_read(case: Any, tmp_path: Path) -> None:
    name, change, codes, total = case
    found = asked(workbook(tmp_path / "b.xlsx", change))
    assert codes <= set(found.codes)
    assert found.totals["a"] == total
    ANSWERED.add(name)


BOMBS: tuple[tuple[str, Callable[[bytes], bytes], str], ...] = (
    ("entity-bomb", lambda x: x.replace(b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet', 1), "entities"),
    ("zip-bomb", lambda x: x + b" " * (2 << 20), "unpacks to more than 1 MB"),
    ("far-cell", lambda x: x.replace(b'r="A2"', b'r="XFD1048576"'), "column 16384"),
    ("cut-sheet", lambda x: x[: len(x) // 2], "damaged"),
)


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in BOMBS])
def test_workbooks_that_are_refused(
    case: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bomb is a small one: the limit on what a workbook may unpack to is set to 1 MB here."""
    name, change, word = case
    monkeypatch.setattr(xlsx_scan, "MAX_UNPACKED", 1 << 20)
    refused(edited(workbook(tmp_path / "b.xlsx"), SHEET, change), (word,), capsys, tmp_path)
    ANSWERED.add(name)


@pytest.mark.parametrize("case", [pytest.param(c, id=c) for c in ("parquet", "fifo", "symlink", "absent", "10-gb")])
def test_other_places(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The 10 GB file is a sparse one of that size: it is refused by its size, not read."""
    plain = tmp_path / "plain.csv"
    plain.write_text(PLAIN, "utf-8")
    path = tmp_path / f"{case}.csv"
    if case == "parquet":
        path = tmp_path / "b.parquet"
        pd.DataFrame(ROWS[1:], columns=ROWS[0]).to_parquet(path)
        assert asked(path).totals["a"] == 100.0
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        refused(path, ("Parquet", "write it again"), capsys, tmp_path)
    elif case == "symlink":
        path.symlink_to(plain)
        assert asked(path).totals["a"] == 100.0
    elif case == "fifo":
        os.mkfifo(path)
        refused(path, ("stdin",), capsys, tmp_path)
    elif case == "10-gb":
        with path.open("wb") as file:
            file.truncate(10 << 30)
        refused(path, ("MB",), capsys, tmp_path)
    else:
        refused(path, ("no such file",), capsys, tmp_path)
    ANSWERED.add(case)


ITEMS = (*ids_of(READ, REFUSED, WORKBOOKS, BOMBS), "parquet", "fifo", "symlink", "absent", "10-gb")

# ---- bytes at random


def read_or_refused(path: Path) -> bool:
    """Whether it was read; whatever is in it, nothing but a refusal with a sentence is raised."""
    try:
        book = al.read_book(path)
    except (al.InputError, al.ConfigError):
        return False
    reconciled(book)
    al.analyze(book)
    return True


EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(max_size=4)), min_size=1, max_size=6)


def spoiled(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Bytes with some of them written over, put in, taken out, or the rest cut off."""
    for place, kind, more in edits:
        at = place % (len(data) + 1)
        rest = (data[at + len(more) :], data[at:], data[at + 3 :], b"")[kind]
        data = data[:at] + (b"" if kind == 2 else more) + rest
    return data


QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(data=st.binary(max_size=200))
@QUICK
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    for name in ("x.csv", "x.xlsx", "x.parquet", "x.csv.gz"):
        (tmp_path / name).write_bytes(data)
        read_or_refused(tmp_path / name)


@given(edits=EDITS)
@QUICK
def test_a_spoiled_csv(tmp_path: Path, edits: list[tuple[int, int, bytes]]) -> None:
    (tmp_path / "x.csv").write_bytes(spoiled(PLAIN.encode(), edits))
    read_or_refused(tmp_path / "x.csv")


@given(edits=EDITS, inside=st.booleans())
@QUICK
def test_a_spoiled_workbook(tmp_path: Path, edits: list[tuple[int, int, bytes]], inside: bool) -> None:
    path = workbook(tmp_path / "x.xlsx")
    if inside:
        path = edited(path, SHEET, lambda data: spoiled(data, edits))
    else:
        path.write_bytes(spoiled(path.read_bytes(), edits))
    read_or_refused(path)
