"""Rules over whole rows: ids, repeats, sums that must hold."""

from __future__ import annotations

import pandas as pd

from allocator.schema import RESTRICTIONS
from allocator.validate import RawTable, type_table


def holdings(*rows: dict[str, object], **more: object) -> RawTable:
    """Rows over a good holding."""
    good = {"client_id": "c1", "name": "Gold", "asset_class": "gold", "value": "100"}
    return RawTable(pd.DataFrame([good | more | row for row in rows], dtype="str").fillna(""), "h.csv")


def test_names_and_ids_fill_each_other() -> None:
    rows = holdings(
        {"name": "Gold", "asset_id": ""}, {"name": "", "asset_id": "Ａ1"}, {"name": "", "asset_id": ""}, asset_id="x"
    )
    typed = type_table("holdings", rows)
    assert list(typed.frame["asset_id"]) == ["Gold", "A1"]
    assert list(typed.frame["name"]) == ["Gold", "A1"]
    assert list(typed.issues["code"]) == ["missing_value"]
    assert typed.issues["row"].item() == 4


def test_same_name_gets_the_next_free_id() -> None:
    rows = [
        {"value": "1"},
        {"value": "2"},
        {"value": "3"},
        {"value": "4", "name": "Gold (2)"},
        {"value": "5", "client_id": "c2"},
    ]
    typed = type_table("holdings", holdings(*rows))
    assert list(typed.frame["asset_id"]) == ["Gold", "Gold (3)", "Gold (4)", "Gold (2)", "Gold"]
    assert set(typed.issues["code"]) == {"same_name"}
    assert set(typed.issues["severity"]) == {"info"}
    assert typed.frame["value"].sum() == 15.0


def test_equal_rows_without_id_are_duplicates() -> None:
    typed = type_table("holdings", holdings({}, {}, {"value": "7"}, {"value": "7"}))
    assert list(typed.frame["value"]) == [100.0, 7.0]
    assert sorted(typed.issues["code"]) == ["duplicate", "duplicate", "same_name"]
    assert sorted(typed.issues.loc[typed.issues["code"] == "duplicate", "row"]) == [3, 5]


def test_given_ids_repeat_only_over_accounts() -> None:
    rows = [{"account": "a"}, {"account": "b"}, {"account": "a", "value": "9"}]
    typed = type_table("holdings", holdings(*rows, asset_id="G"))
    assert list(typed.frame["account"]) == ["a", "b"]
    issue = typed.issues.iloc[0]
    assert (issue["code"], issue["row"], issue["mend"]) == ("duplicate", 4, "2")


def test_a_derived_id_gives_way_to_a_given_one() -> None:
    typed = type_table("holdings", holdings({"asset_id": "", "value": "1"}, {"asset_id": "Gold", "value": "2"}))
    assert dict(zip(typed.frame["asset_id"], typed.frame["value"], strict=True)) == {"Gold (2)": 1.0, "Gold": 2.0}


def test_ids_in_other_capitals_are_pointed_out() -> None:
    rows = [{"asset_id": "abc"}, {"asset_id": "ABC"}, {"asset_id": "Abc", "client_id": "c2"}]
    typed = type_table("holdings", holdings(*rows))
    assert len(typed.frame) == 3
    assert list(typed.issues["code"]) == ["similar_id"] * 2
    assert list(typed.issues["mend"]) == ["ABC", "abc"]


def test_value_against_quantity_times_price() -> None:
    fine = {"quantity": "10", "price": "10.05"}
    off = {"quantity": "10", "price": "11", "name": "b"}
    typed = type_table("holdings", holdings(fine, off, {"quantity": "", "price": "3", "name": "c"}))
    assert len(typed.frame) == 3
    assert list(typed.issues[["row", "code", "mend"]].iloc[0]) == [3, "value_mismatch", "110.00"]
    assert len(typed.issues) == 1


def test_rates_and_fund_weights() -> None:
    fx = type_table(
        "fx", RawTable(pd.DataFrame({"币种": ["usd", "EUR", "GBP", "USD"], "汇率": ["7.1", "0", "-1", "7"]}))
    )
    assert list(fx.frame["currency"]) == ["USD"]
    assert sorted(fx.issues["code"]) == ["duplicate", "out_of_range", "out_of_range"]
    funds = pd.DataFrame({"fund_id": list("aabbc"), "asset_class": list("xyxyx"), "weight": [0.5, 0.5, 0.5, 0.4, 1.0]})
    typed = type_table("lookthrough", RawTable(funds))
    assert list(typed.frame["fund_id"]) == ["a", "a", "c"]
    assert list(typed.issues["code"]) == ["weights_sum"] * 2
    assert list(typed.issues["value"]) == ["0.9"] * 2


def test_restrictions_are_read_in_both_languages_and_what_is_not_understood_is_not_traded_against() -> None:
    cells = ["", "禁止卖出", "Never Buy, sell-first", "优先卖出；禁止买入", "never_sell|never_sell"]
    cells += ["keep", " ; ", "hold|禁止买入"]
    typed = type_table("holdings", holdings(*({"restriction": c, "name": f"n{i}"} for i, c in enumerate(cells))))
    assert list(typed.frame["restriction"]) == [
        "",
        "never_sell",
        "never_buy|sell_first",
        "never_buy|sell_first",
        "never_sell",
        "never_sell|never_buy",
        "",
        "never_sell|never_buy",
    ]
    odd = typed.issues
    assert odd[["row", "column", "code", "severity", "value"]].to_numpy().tolist() == [
        [7, "restriction", "unknown_restriction", "warning", "keep"],
        [9, "restriction", "unknown_restriction", "warning", "hold|禁止买入"],
    ]


def test_every_word_for_a_restriction_means_it_alone() -> None:
    words = [(code, w) for code, also in RESTRICTIONS.items() for w in (code, *also, code.replace("_", " ").upper())]
    typed = type_table("holdings", holdings(*({"restriction": w, "name": f"n{i}"} for i, (_, w) in enumerate(words))))
    assert list(typed.frame["restriction"]) == [code for code, _ in words]
    assert typed.issues.empty
