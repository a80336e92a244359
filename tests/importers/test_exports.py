"""Every importer of another tool's export: recognised by its content alone, refused with a sentence, no record lost."""

from __future__ import annotations

import gzip
import random
import re
from importlib import import_module
from pathlib import Path

import pytest
from conftest import ROOT

from allocator.book import read_book
from allocator.cli import main
from allocator.errors import InputError
from allocator.importers import BOOKS, FORMATS, recognise
from allocator.importers.files import amount, read_json

SAMPLES = {
    "ibkr.xml": "ibkr",
    "fidelity_positions.csv": "fidelity",
    "degiro_de.csv": "degiro",
    "portfolio_performance.xml": "portfolio_performance",
    "ghostfolio.json": "ghostfolio",
    "ledger.beancount": "beancount",
    "openwealth.json": "openwealth",
}
FOLDER = Path(__file__).parent / "samples"
TOOLS = [name for name in FORMATS if name not in BOOKS]


def test_every_tool_has_a_sample_and_a_title() -> None:
    assert set(SAMPLES.values()) == set(TOOLS)
    readme = [(ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md")]
    for name in TOOLS:
        module = import_module(FORMATS[name])
        assert module.TITLE
        assert all(f"| `{name}` | " in text for text in readme)
        assert callable(module.read)
        assert callable(module.fits)


@pytest.mark.parametrize(("sample", "name"), SAMPLES.items())
def test_content_decides(sample: str, name: str, tmp_path: Path) -> None:
    assert recognise(FOLDER / sample) == name
    for other in TOOLS:  # no other format would take it, not even when asked to
        if other != name:
            with pytest.raises(InputError, match=sample.replace(".", r"\.")):
                read_book(FOLDER / sample, format=other)
    packed = tmp_path / f"{sample}.gz"
    packed.write_bytes(gzip.compress((FOLDER / sample).read_bytes()))
    assert recognise(packed) == name


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_row_has_money_a_client_and_a_line(sample: str) -> None:
    book = read_book(FOLDER / sample)
    counts = book.counts
    assert (counts["read"] == counts["used"] + counts["set_aside"] + counts["ignored"]).all()
    left = counts.set_index("table").loc["holdings", ["ignored", "set_aside"]].sum()
    assert left == 0 or len(book.issues)
    assert (book.holdings["value"] >= 0).all()
    assert (book.holdings["row"] > 0).all()
    assert (book.holdings["asset_id"] != "").all()
    assert set(book.holdings["client_id"]) | set(book.debts["client_id"]) == set(book.clients["client_id"])
    assert not book.holdings.duplicated(["client_id", "asset_id", "account"]).any()


@pytest.mark.parametrize(("sample", "name"), SAMPLES.items())
def test_cut_off_and_damaged_files_are_read_or_refused_with_a_sentence(sample: str, name: str, tmp_path: Path) -> None:
    body, dice = (FOLDER / sample).read_bytes(), random.Random(7)
    path = tmp_path / sample
    (tmp_path / "prices.beancount").write_bytes((FOLDER / "prices.beancount").read_bytes())
    for turn in range(40):
        at = dice.randrange(len(body))
        broken = body[:at] if turn % 2 else body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :]
        path.write_bytes(broken)
        said, counts = "", None
        try:
            counts = read_book(path, format=name).counts
        except InputError as error:
            said = str(error)
        if counts is None:
            assert said.startswith(sample)
        else:
            assert (counts["read"] == counts["used"] + counts["set_aside"] + counts["ignored"]).all()


HOSTILE = (
    "1e400",
    "9" * 60,
    "1" * 5000,
    "-0",
    "NaN",
    "",
    "1e-400",
    "null",
    "[]",
    '"x"',
    "-1e14",
    "2026-13-45",
    "\u202e",
)


@pytest.mark.parametrize(("sample", "name"), SAMPLES.items())
def test_hostile_numbers_are_read_or_refused_with_a_sentence(sample: str, name: str, tmp_path: Path) -> None:
    text, dice = (FOLDER / sample).read_text("utf-8"), random.Random(11)
    numbers = list(re.finditer(r"\d+(?:[.,]\d+)*", text))
    path = tmp_path / sample
    (tmp_path / "prices.beancount").write_bytes((FOLDER / "prices.beancount").read_bytes())
    for turn in range(3 * len(HOSTILE)):
        at = dice.choice(numbers)
        path.write_text(text[: at.start()] + HOSTILE[turn % len(HOSTILE)] + text[at.end() :], "utf-8")
        said, counts = "", None
        try:
            counts = read_book(path, format=name).counts
        except InputError as error:
            said = str(error)
        if counts is None:
            assert said.startswith(sample)
            assert len(said) < 400
        else:
            assert (counts["read"] == counts["used"] + counts["set_aside"] + counts["ignored"]).all()


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize(
    "body", [b"", b" \n", b"\x00\x01\x02", b"PK\x03\x04xx", b"\xff\xfe\x00", b"[]", b"{}", b"null", b"a,b\n1,2\n"]
)
def test_nonsense_is_refused(name: str, body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.dat"
    path.write_bytes(body)
    with pytest.raises(InputError, match=r"^x\.dat: "):
        read_book(path, format=name)
    with pytest.raises(InputError, match="no such file"):
        read_book(tmp_path / "none", format=name)
    with pytest.raises(InputError, match="directory"):
        read_book(tmp_path, format=name)


@pytest.mark.parametrize(
    ("file", "body"),
    [("a.xml", "<a/>"), ("a.json", '{"a": 1}'), ("a.beancount", "hello"), ("b.json.gz", ""), ("c.xml", "{}")],
)
def test_a_file_that_no_tool_wrote_is_not_taken_for_a_table(file: str, body: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.write_text(body, "utf-8")
    with pytest.raises(InputError, match="say which with --format: ibkr"):
        read_book(path)


def test_entity_bombs_and_deep_json(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x0 "ha">' + "".join(f'<!ENTITY x{i} "&x{i - 1};&x{i - 1};">' for i in range(1, 40))
    path = tmp_path / "x.xml"
    path.write_text(bomb + "]><FlexQueryResponse>&x39;</FlexQueryResponse>", "utf-8")
    for name in ("ibkr", "portfolio_performance"):
        with pytest.raises(InputError, match="document type or entities"):
            read_book(path, format=name)
    path = tmp_path / "x.json"
    path.write_text("[" * 100_000, "utf-8")
    for name in ("ghostfolio", "openwealth"):
        with pytest.raises(InputError, match="JSON"):
            read_book(path, format=name)
    with pytest.raises(InputError, match="JSON"):
        read_json(b'{"a": 1e999999999999999999999}', "x.json")


@pytest.mark.parametrize(
    ("text", "comma", "expected"),
    [
        ("1,234.50", False, 1234.5),
        ("$1,234.50", False, 1234.5),
        ("-$318.79", False, -318.79),
        ("+$2.68", False, 2.68),
        ("(12.00)", False, -12.0),
        ("1.234,50", True, 1234.5),
        ("1 234,50", True, 1234.5),
        ("1'234,50", True, 1234.5),
        ("1234", True, 1234.0),
        ("1,2,3", False, "1,2,3"),
        ("1.234,50", False, "1.234,50"),
        ("12.34.5", False, "12.34.5"),
        ("1_000", False, "1_000"),
        ("nan", False, "nan"),
        ("1.2.3", True, "1.2.3"),
        ("--", False, ""),
        ("n/a", False, ""),
        ("", True, ""),
    ],
)
def test_amounts(text: str, comma: bool, expected: float | str) -> None:
    found = amount(text, comma=comma)
    assert (found if isinstance(found, str) else float(found)) == expected


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_command_line(sample: str, lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["check", str(FOLDER / sample), "--as-client", "Muster", "--lang", lang])
    out = capsys.readouterr()
    assert code in (3, 4)
    assert not out.err
    assert "Muster" in out.out
    assert "{" not in out.out
