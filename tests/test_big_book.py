"""The generator of big books: seeded, ten holdings a client, readable without a word."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ON, ROOT

from allocator.book import read_book
from allocator.pipeline import analyze


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_big_book", ROOT / "data" / "make_big_book.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_same_arguments_same_bytes(maker: ModuleType, tmp_path: Path) -> None:
    for kind in ("parquet", "csv"):
        one, two = tmp_path / kind / "1", tmp_path / kind / "2"
        maker.write(one, 300, kind=kind)
        maker.write(two, 300, kind=kind)
        files = sorted(p.name for p in one.iterdir())
        assert files == sorted(p.name for p in two.iterdir())
        assert all((one / f).read_bytes() == (two / f).read_bytes() for f in files)
    maker.write(tmp_path / "other", 300, seed=1)
    assert (tmp_path / "other" / "clients.parquet").read_bytes() != (
        tmp_path / "parquet" / "1" / "clients.parquet"
    ).read_bytes()


def test_pieces_and_formats_agree(maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker, "PIECE", 100)
    maker.write(tmp_path / "p", 250)
    maker.write(tmp_path / "c", 250, kind="csv")
    one, two = read_book(tmp_path / "p"), read_book(tmp_path / "c")
    assert one.holdings.drop(columns="file").equals(two.holdings.drop(columns="file"))
    assert one.debts.drop(columns="file").equals(two.debts.drop(columns="file"))
    assert len(one.clients) == one.clients["client_id"].nunique() == 250


def test_a_book_as_banks_have_them(maker: ModuleType, tmp_path: Path) -> None:
    maker.write(tmp_path, 3000)
    book = read_book(tmp_path)
    assert not (book.issues["severity"] == "error").any()
    assert 9.5 < len(book.holdings) / 3000 < 10.5
    analysis = analyze(book, on=ON)
    assert {"exceeded", "in_band", "insolvent"} <= set(analysis.status)
    assert set(analysis.summary["band"]) == {"conservative", "balanced", "aggressive"}
