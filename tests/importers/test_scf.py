"""The Survey of Consumer Finances: every mapped amount reconciles with the survey's own totals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allocator.book import read_book
from allocator.errors import InputError
from allocator.importers import recognise
from allocator.importers.scf import ASSETS, DEBTS, ESSENTIAL, NEGATIVE

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "scf"


def survey(**columns: list[object]) -> pd.DataFrame:
    """Households with nothing but what is named."""
    count = len(next(iter(columns.values())))
    base = {name: [0.0] * count for name in (*ESSENTIAL, "ACTBUS", "NONACTBUS")}
    base |= {"Y1": [str(11 + 10 * i) for i in range(count)], "INCOME": [120_000.0] * count, "AGE": [50] * count}
    return pd.DataFrame(base | columns)


@pytest.mark.parametrize("name", ["scf2022_even_imp1.csv.gz", "scf2022_even_entrepreneurs.csv"])
def test_every_household_reconciles(name: str) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"real data {name} not beside the project")
    wide = pd.read_csv(DATA / name, dtype={"Y1": str}).set_index("Y1")
    book = read_book(DATA / name)
    assert len(book.clients) == len(wide)
    extra = book.debts["kind"].isin(set(NEGATIVE.values()))

    def total(frame: pd.DataFrame) -> pd.Series:
        return frame.groupby("client_id")["value"].sum().reindex(wide.index, fill_value=0.0)

    below = total(book.debts[extra])
    assert np.allclose(total(book.holdings) - below, wide["ASSET"], rtol=0, atol=0.01)
    assert np.allclose(total(book.debts[~extra]), wide["DEBT"], rtol=0, atol=0.01)
    assert np.allclose(total(book.holdings) - total(book.debts), wide["NETWORTH"], rtol=0, atol=0.01)
    assert below.sum() == -wide["NNRESRE"].clip(upper=0).sum()
    assert (book.counts["read"] == book.counts["used"]).all()
    assert set(book.issues["code"]) == {"scf_spending_assumed", "scf_business_net"}
    assert set(book.holdings["asset_class"]) <= {code for code, _ in ASSETS.values()}
    assert (book.clients["risk_band"] == "conservative").sum() == (wide["NOFINRISK"] == 1).sum()
    assert book.clients["income"].isna().sum() == (wide["INCOME"] <= 0).sum()
    assert np.array_equal(wide.index, book.clients["client_id"])
    owner = book.holdings.loc[book.holdings["own_company"], "client_id"].nunique()
    assert owner == (wide["ACTBUS"] > 0).sum()


def test_mapping_of_one_household() -> None:
    frame = survey(LIQ=[10.0], HOUSES=[500.0], MRTHEL=[200.0], RESDBT=[5.0], ORESRE=[90.0], CCBAL=[1.5], KIDS=[2])
    book = read_book(frame)
    assert book.holdings[["asset_id", "name", "asset_class", "value", "currency"]].to_numpy().tolist() == [
        ["LIQ", "Transaction accounts", "deposit", 10.0, "USD"],
        ["ORESRE", "Other residential property", "investment_property", 90.0, "USD"],
        ["HOUSES", "Own home", "own_home", 500.0, "USD"],
    ]
    assert book.debts[["kind", "value", "secured_by"]].to_numpy().tolist() == [
        ["mortgage on the home", 200.0, "HOUSES"],
        ["mortgage on other property", 5.0, "ORESRE"],
        ["credit card balances", 1.5, ""],
    ]
    client = book.clients.iloc[0]
    assert (
        client["client_id"],
        client["monthly_spending"],
        client["dependants"],
        client["age"],
        client["cash_flow"],
    ) == ("11", 7000.0, 2.0, 50.0, 0.0)
    assert {"holdings.own_company", "clients.risk_band"} <= book.given


def test_attitude_to_risk_and_income() -> None:
    book = read_book(survey(NOFINRISK=[1, 0, 0, 1], YESFINRISK=[0, 1, 0, 1], INCOME=[0.0, -5.0, 12.0, 1.2]))
    assert list(book.clients["risk_band"]) == ["conservative", "aggressive", "balanced", "conservative"]
    assert list(book.clients["monthly_spending"].isna()) == [True, True, False, False]
    assert book.clients["monthly_spending"].iloc[2] == pytest.approx(0.7)


def test_business_is_split_where_its_parts_add_up() -> None:
    book = read_book(survey(BUS=[100.0, 100.0, 60.0], ACTBUS=[70.0, 70.0, 60.0], NONACTBUS=[30.0, 10.0, 0.0]))
    assert book.holdings[["client_id", "asset_id", "value", "own_company"]].to_numpy().tolist() == [
        ["11", "ACTBUS", 70.0, True],
        ["11", "NONACTBUS", 30.0, False],
        ["21", "BUS", 100.0, True],
        ["31", "ACTBUS", 60.0, True],
    ]
    whole = read_book(survey(BUS=[100.0]).drop(columns=["ACTBUS", "NONACTBUS"]))
    assert whole.holdings[["asset_id", "own_company"]].to_numpy().tolist() == [["BUS", True]]


def test_negative_net_values_become_debts() -> None:
    book = read_book(survey(NNRESRE=[-40.0, 5.0], BUS=[-7.0, 0.0], ACTBUS=[-7.0, 0.0], LIQ=[1.0, 1.0]))
    assert book.debts[["client_id", "value", "kind", "row"]].to_numpy().tolist() == [
        ["11", 40.0, "negative net investment property", 2],
        ["11", 7.0, "negative net private business", 2],
    ]
    assert list(book.holdings["asset_id"]) == ["LIQ", "LIQ", "NNRESRE"]


def test_bad_cells_are_issues_of_their_household(tmp_path: Path) -> None:
    frame = survey(LIQ=[1.0, 2.0, 3.0]).astype(object)
    frame.loc[0, "LIQ"] = "lots"
    frame.loc[1, "INCOME"] = "?"
    frame.loc[2, "CDS"] = ""
    frame.loc[2, "STOCKS"] = -5
    frame.to_csv(tmp_path / "SCFP2022.csv", index=False)
    book = read_book(tmp_path / "SCFP2022.csv")
    errors = book.issues[book.issues["severity"] == "error"]
    assert sorted(
        zip(errors["client_id"], errors["table"], errors["column"], errors["code"], errors["row"], strict=True)
    ) == [
        ("11", "holdings", "value", "not_a_number", 2),
        ("21", "clients", "income", "not_a_number", 3),
        ("31", "holdings", "value", "missing_value", 4),
        ("31", "holdings", "value", "negative_value", 4),
    ]
    assert list(book.clients["client_id"]) == ["11", "21", "31"]


def test_five_implicates_are_pointed_out() -> None:
    book = read_book(survey(LIQ=[1.0, 2.0], YY1=["1", "1"]))
    assert "scf_implicates" in set(book.issues["code"])


def test_recognised_by_its_headers_in_any_case(tmp_path: Path) -> None:
    frame = survey(LIQ=[1.0]).rename(columns=str.lower)
    frame.to_csv(tmp_path / "x.csv", index=False)
    assert recognise(frame) == recognise(tmp_path / "x.csv") == "scf"
    assert len(read_book(tmp_path / "x.csv", format="scf").holdings) == 1
    assert read_book(frame, fx=pd.DataFrame({"currency": ["CNY"], "rate": [0.14]})).fx["rate"].item() == 0.14


def test_absent_columns_and_rows() -> None:
    with pytest.raises(InputError, match=r"MRTHEL.*SCFP2022"):
        read_book(survey(LIQ=[1.0]).drop(columns="MRTHEL"), format="scf")
    with pytest.raises(InputError, match="no rows"):
        read_book(survey(LIQ=[1.0]).iloc[:0])


def test_codebook_tables_hold_together() -> None:
    assert {secured for _, secured in DEBTS.values() if secured} <= set(ASSETS)
    assert set(NEGATIVE) <= set(ASSETS)


@pytest.mark.parametrize("name", ["CDS", "YY1"])
def test_a_column_that_is_there_twice(name: str) -> None:
    """Found by fuzzing: it ended in an error of pandas."""
    frame = survey(LIQ=[10.0], YY1=[1])
    with pytest.raises(InputError, match=f"several columns named {name}"):
        read_book(pd.concat([frame, frame[[name]]], axis=1), format="scf")
