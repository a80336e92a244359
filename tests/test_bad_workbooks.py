"""Files made to harm, each read in a process with little memory and little time: read, or refused with a sentence."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter
from conftest import ROOT
from judged import ANSWERED
from workbooks import SHEET

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS as Linux has it")

HEAD = "client_id,name,asset_class,value\n"
STRINGS = "xl/sharedStrings.xml"
LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]>"
)
READER = """
import json, resource, signal, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
import allocator as al
def late(*_):
    raise TimeoutError
signal.signal(signal.SIGALRM, late)
for path, format in json.load(sys.stdin):
    signal.alarm(60)
    try:
        book = al.read_book(path, format=format)
        c = book.counts
        assert (c["read"] == c["used"] + c["set_aside"] + c["ignored"]).all()
        said = f"read {len(book.holdings)}"
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    signal.alarm(0)
    print(json.dumps(said), flush=True)
"""


def text(data: str | bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data if isinstance(data, bytes) else data.encode()) and None


def workbook(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A plain workbook of one holding with one of its parts changed."""

    def make(path: Path) -> None:
        plain = path.with_name("plain.xlsx")
        book = xlsxwriter.Workbook(plain)
        sheet = book.add_worksheet("holdings")
        sheet.write_row(0, 0, HEAD.strip().split(","))
        sheet.write_row(1, 0, ["a", "x", "gold", 100.0])
        book.close()
        with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
            for item in old.infolist():
                data = old.read(item.filename)
                new.writestr(item.filename, change(data) if item.filename == name else data)
        plain.unlink()

    return make


def lying(path: Path) -> None:
    """A zip directory that says a part unpacks to less than it does."""
    workbook(SHEET, lambda x: x + b" " * (8 << 20))(path)
    with zipfile.ZipFile(path) as file:
        size = file.getinfo(SHEET).file_size
    path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), (4000).to_bytes(4, "little")))


def one_row_often(path: Path) -> None:
    """Some megabytes that unpack to 800 million cells."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    zeros = pa.array([0] * 1_000_000)
    one = {"client_id": "a", "name": "x", "asset_class": "gold", "value": 1.0}
    table = pa.table({k: pa.array([v]).take(zeros) for k, v in one.items()})
    with pq.ParquetWriter(path, table.schema, compression="zstd") as file:
        for _ in range(200):
            file.write_table(table, row_group_size=1_000_000)


def packed(path: Path) -> None:
    """Some megabytes that unpack to more than may be."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(HEAD.encode())
        for _ in range(1100):
            file.write(b"a,x,gold,%s\n" % (b"1" * ((1 << 20) - 10)))


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("holdings.csv", f"{HEAD}a,x,gold,1\n")


def parquet_of_lists(path: Path) -> None:
    pd.DataFrame({"client_id": ["a"], "name": ["x"], "asset_class": ["gold"], "value": [[[1.0]]]}).to_parquet(path)


# id, name of the file, what makes it, format, and what is said
FILES: tuple[tuple[str, str, Callable[[Path], None], str, str], ...] = (
    ("real-zip-bomb", "b.xlsx", workbook(SHEET, lambda x: x + b" " * (510 << 20)), "auto", "unpacks to more than"),
    ("zip-that-lies", "b.xlsx", lying, "auto", "InputError"),
    (
        "billion-laughs",
        "b.xlsx",
        workbook(STRINGS, lambda x: x.replace(b"<sst", LAUGHS.encode() + b"<sst", 1).replace(b">x<", b">&j;<")),
        "auto",
        "declares XML entities",
    ),
    (
        "million-shared-strings",
        "b.xlsx",
        workbook(STRINGS, lambda x: x.replace(b"</sst>", b"<si><t>x</t></si>" * 1_000_000 + b"</sst>")),
        "auto",
        "read 1",
    ),
    (
        "nested-sheet",
        "b.xlsx",
        workbook(SHEET, lambda x: x.replace(b"<sheetData>", b"<sheetData>" + b"<a>" * 200_000 + b"</a>" * 200_000)),
        "auto",
        "read 1",
    ),
    (
        "huge-dimension",
        "b.xlsx",
        workbook(SHEET, lambda x: x.replace(b'"A1:D2"', b'"A1:XFD1048576"')),
        "auto",
        "read 1",
    ),
    (
        "far-row",
        "b.xlsx",
        workbook(SHEET, lambda x: x.replace(b'r="A2"', b'r="A1048576"').replace(b'row r="2"', b'row r="1048576"')),
        "auto",
        "row 1048576",
    ),
    ("gzip-bomb", "b.csv.gz", packed, "auto", "split it by client"),
    ("parquet-bomb", "b.parquet", one_row_often, "auto", "800,000,000 cells are too many"),
    ("parquet-of-lists", "b.parquet", parquet_of_lists, "auto", "read 0"),
    (
        "laughs-as-ibkr",
        "b.xml",
        text(f'<?xml version="1.0"?>{LAUGHS}<FlexQueryResponse>&j;</FlexQueryResponse>'),
        "ibkr",
        "entities",
    ),
    ("laughs-as-client", "b.xml", text(f"{LAUGHS}<client>&j;</client>"), "portfolio_performance", "entities"),
    (
        "nested-as-ibkr",
        "b.xml",
        text("<FlexQueryResponse>" + "<a>" * 200_000 + "</a>" * 200_000 + "</FlexQueryResponse>"),
        "ibkr",
        "nested more than",
    ),
    (
        "nested-as-client",
        "b.xml",
        text("<client>" + "<a>" * 200_000 + "</a>" * 200_000 + "</client>"),
        "portfolio_performance",
        "nested more than",
    ),
    ("nested-as-openwealth", "b.json", text("[" * 200_000 + "]" * 200_000), "openwealth", "nested too deeply"),
    ("nested-as-ghostfolio", "b.json", text('{"a":' * 99_999 + "1" + "}" * 99_999), "ghostfolio", "nested too deeply"),
    *(
        (f"zip-as-{k}", "b.zip", zipped, k, "a zip file or workbook, not")
        for k in ("ibkr", "fidelity", "degiro", "portfolio_performance", "ghostfolio", "beancount", "openwealth")
    ),
    ("zip-as-book", "b.zip", zipped, "auto", "unknown ending .zip"),
)


def test_files_made_to_harm(tmp_path: Path) -> None:
    asked = []
    for name, file, make, kind, _ in FILES:
        path = tmp_path / name / file
        path.parent.mkdir()
        make(path)
        asked.append([str(path), kind])
    done = subprocess.run(
        [sys.executable, "-c", READER], input=json.dumps(asked), capture_output=True, text=True, cwd=ROOT, check=False
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [(case[0], told) for case, told in zip(FILES, said, strict=False) if case[4] not in told]
    assert not wrong
    assert len(said) == len(FILES), done.stderr[-2000:]
    for (name, file, *_), told in zip(FILES, said, strict=True):
        assert told.startswith(("read ", f"InputError: {file}: ")), told
        ANSWERED.add(name)


ITEMS = tuple(case[0] for case in FILES)
