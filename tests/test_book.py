"""The book: tables joined, one client of it, and the ways to give one."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pandas as pd
import pytest

import allocator.book
from allocator.book import Book, RawTable, build_book, read_book
from allocator.errors import ConfigError, InputError
from allocator.schema import TABLES


@pytest.fixture
def parts() -> dict[str, pd.DataFrame]:
    return {
        "holdings": pd.DataFrame(
            {
                "client_id": ["c1", "c1", "c2", "c4"],
                "asset_id": ["home", "cash", "cash", "x"],
                "asset_class": ["own_home", "deposit", "deposit", "gold"],
                "value": ["300", "20", "5", "bad"],
            }
        ),
        "clients": pd.DataFrame({"client_id": ["c3", "c1"], "risk_band": ["balanced", ""], "age": [40, None]}),
        "debts": pd.DataFrame(
            {"client_id": ["c1", "c2", "c5"], "value": [100, 7, 1], "secured_by": ["home", "home", ""]}
        ),
        "overrides": pd.DataFrame(
            {"client_id": ["*", "c2"], "asset_id": ["cash", "cash"], "asset_class": ["gold", "gold"]}
        ),
    }


def same(a: Book, b: Book) -> bool:
    names = [f.name for f in dataclasses.fields(Book) if f.name != "given"]
    for name in names:
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name))
    return a.given == b.given


def test_every_table_is_a_field() -> None:
    assert set(TABLES) <= {f.name for f in dataclasses.fields(Book)}


def test_clients_seen_elsewhere_are_added(parts: dict[str, pd.DataFrame]) -> None:
    book = read_book(parts)
    assert list(book.clients["client_id"]) == ["c3", "c1", "c2", "c5", "c4"]
    assert list(book.clients["row"]) == [2, 3, 0, 0, 0]
    added = book.clients.iloc[2]
    assert (added["risk_band"], added["guarantees"], added["cash_flow"]) == ("", 0.0, 0.0)
    assert "clients.risk_band" in book.given
    assert "clients.income" not in book.given
    assert "*" not in set(book.clients["client_id"])


def test_a_client_whose_rows_were_all_set_aside_stays(parts: dict[str, pd.DataFrame]) -> None:
    book = read_book(parts)
    assert "c4" not in set(book.holdings["client_id"])
    assert "c4" in set(book.clients["client_id"])
    assert list(book.client("c4").issues["code"]) == ["not_a_number"]


def test_a_debt_on_nothing_held_is_unsecured(parts: dict[str, pd.DataFrame]) -> None:
    book = read_book(parts)
    assert list(book.debts["secured_by"]) == ["home", "", ""]
    found = book.issues[book.issues["code"] == "unsecured_reference"]
    assert list(found[["client_id", "row", "value", "severity"]].iloc[0]) == ["c2", 3, "home", "warning"]


def test_counts_reconcile(parts: dict[str, pd.DataFrame]) -> None:
    counts = read_book(parts).counts
    assert (counts["read"] == counts[["used", "set_aside", "ignored"]].sum(axis=1)).all()
    assert list(counts["table"]) == ["holdings", "clients", "debts", "overrides"]


def test_one_client_is_a_book(parts: dict[str, pd.DataFrame]) -> None:
    one = read_book(parts).client("c2")
    assert list(one.clients["client_id"]) == ["c2"]
    assert (len(one.holdings), len(one.debts), len(one.overrides)) == (1, 1, 2)
    assert set(one.issues["client_id"]) == {"c2"}
    both = read_book(parts).select(["c2", "c1", "c2"])
    assert list(both.clients["client_id"]) == ["c1", "c2"]


def test_an_unknown_client_names_the_option_and_no_client(parts: dict[str, pd.DataFrame]) -> None:
    book = read_book(parts)
    with pytest.raises(InputError, match="--client") as error:
        book.client("secret-7")
    assert "secret" not in str(error.value)
    with pytest.raises(InputError, match="1 of 2"):
        book.select(["c1", "nobody"])


def test_repr_counts_and_names_nobody(parts: dict[str, pd.DataFrame]) -> None:
    book = read_book(parts)
    assert repr(book) == (
        "Book(3 holdings, 5 clients, 3 debts, 2 overrides; rows: 11 read, 10 used, 1 set aside, 0 ignored; "
        "issues: 1 error, 1 warning)"
    )
    assert "c4" not in repr(book) + book._repr_html_()


def test_ids_of_one_family_under_two_spellings() -> None:
    frame = pd.DataFrame(
        {"client_id": ["00123", "123", "ab", "AB", "z"], "name": "n", "asset_class": "gold", "value": 1}
    )
    found = read_book(frame).issues
    assert list(found["code"]) == ["similar_id"] * 4
    assert list(found["client_id"]) == ["00123", "123", "ab", "AB"]
    assert list(found["mend"]) == ["123", "00123", "AB", "ab"]


def test_minimal_file_works_and_reads_equal_twice(tmp_path: Path) -> None:
    file = tmp_path / "book.csv"
    file.write_text("client_id,name,asset_class,value\nc1,Gold,gold,1\nc1,Cash,deposit,x\n", encoding="utf-8")
    first, second = read_book(file), read_book(str(file))
    assert same(first, second)
    assert first.given == {"holdings.client_id", "holdings.name", "holdings.asset_class", "holdings.value"}
    assert first.fx.empty
    assert list(first.fx.columns) == ["currency", "rate", "base", "date", "row", "file"]


def test_permuted_rows_hold_the_same_money(parts: dict[str, pd.DataFrame]) -> None:
    turned = {name: frame.iloc[::-1] for name, frame in parts.items()}
    a, b = read_book(parts), read_book(turned)
    assert a.holdings.groupby("client_id")["value"].sum().equals(b.holdings.groupby("client_id")["value"].sum())


def test_inputs_are_never_changed(parts: dict[str, pd.DataFrame]) -> None:
    before = {name: frame.copy(deep=True) for name, frame in parts.items()}
    read_book(parts)
    for name, frame in parts.items():
        pd.testing.assert_frame_equal(frame, before[name])


def test_keyword_tables_win(parts: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    fx = tmp_path / "rates.csv"
    fx.write_text("currency,rate\nUSD,7.1\n", encoding="utf-8")
    book = read_book(parts, clients=parts["clients"].iloc[:1], fx=fx, products=None)
    assert len(book.counts) == 5
    assert book.fx["rate"].item() == 7.1
    assert list(book.clients["row"]) == [2, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda f: read_book(f, format="excel"), ConfigError, ["excel", "auto, tables, scf"]),
        (lambda f: read_book(f, client=f), InputError, ["'client'", "clients"]),
        (lambda f: read_book({"holding": f}), InputError, ["holding", "holdings"]),
        (lambda f: read_book({"clients": f[["client_id"]]}), InputError, ["no holdings"]),
        (lambda f: read_book(f.iloc[:0]), InputError, ["no rows"]),
        (lambda _: read_book(3), InputError, ["int"]),
        (lambda _: read_book("n" * 5000), InputError, ["file name"]),
        (lambda f: build_book({"gold": RawTable(f)}), InputError, ["gold"]),
    ],
)
def test_misuse_names_the_mend(parts: dict[str, pd.DataFrame], call, error, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error) as caught:
        call(parts["holdings"])
    assert all(word in str(caught.value) for word in words)


def test_client_in_the_index_is_found(parts: dict[str, pd.DataFrame]) -> None:
    book = read_book(parts["holdings"].set_index("client_id"))
    assert list(book.holdings["client_id"]) == ["c1", "c1", "c2"]


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "客户号,名称,资产类别,市值\nc1,黄金,gold,5\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode("gb18030")), encoding="ascii"))
    book = read_book("-")
    assert (book.holdings["file"].item(), book.holdings["name"].item()) == ("stdin", "黄金")


def test_module_offers_what_it_says() -> None:
    assert all(hasattr(allocator.book, name) for name in allocator.book.__all__)
