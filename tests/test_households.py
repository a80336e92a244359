"""The family behind the portfolio: hand-computed sheets, what must always hold, the sample book and real families."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, SAMPLE, make_book
from worlds import random_world

import allocator as al
from allocator.cli import main
from allocator.errors import ConfigError
from allocator.framework import load_framework
from allocator.households import STATUSES, Household, household, load_needs
from allocator.i18n import words
from allocator.reporting.household import household_json, household_overview, household_sheet

NEEDS = load_needs()
FACTS = {"client_id": "a", "risk_band": "balanced", "monthly_spending": 100.0, "insurance_cover": 500.0}


def family(rows: list[dict[str, Any]], debts: list[dict[str, Any]] | None = None, **facts: Any) -> Household:
    """One family of holdings given as dicts, in CNY."""
    frame = pd.DataFrame([{"client_id": "a", "name": f"n{k}", "own_company": False} | r for k, r in enumerate(rows)])
    more = {} if debts is None else {"debts": [{"client_id": "a"} | d for d in debts]}
    return household(al.analyze(make_book(frame, [FACTS | {"dependants": 0} | facts], **more), on=ON))


FIRM = {"asset_class": "private_business", "value": 9000.0, "own_company": True, "sector": "tech"}
CASH = {"asset_class": "deposit", "value": 1000.0}


def test_guarantees_take_the_pledged_first_then_what_is_liquid() -> None:
    pledged = {"asset_class": "listed_equity", "value": 400.0, "pledged": True}
    home = {"asset_class": "own_home", "value": 5000.0}
    found = family(
        [FIRM, CASH, pledged, home], [{"value": 300.0, "kind": "loan", "annual_payment": 0.0}], guarantees=900
    )
    f = found.firewall.iloc[0]
    assert (f["company"], f["guarantees"], f["paid_pledged"], f["paid_liquid"], f["owed"]) == (9000, 900, 400, 500, 0)
    assert (f["total"], f["debt"], f["home"], f["net_worth"], f["liquid"]) == (500, 300, 5000, 5200, 500)
    assert f["months"] == 5
    assert f["status"] == "survives"


@pytest.mark.parametrize(
    ("cash", "guarantees", "home", "status"),
    [
        (300.0, 0.0, 0.0, "survives"),  # exactly three months
        (299.0, 0.0, 0.0, "short_of_cash"),
        (1000.0, 1001.0, 0.0, "insolvent_after"),
        (1000.0, 1001.0, 50.0, "short_of_cash"),  # the home keeps net worth above 0, and pays no bill
    ],
)
def test_what_the_firewall_test_says(cash: float, guarantees: float, home: float, status: str) -> None:
    rows = [FIRM, CASH | {"value": cash}, *([{"asset_class": "own_home", "value": home}] if home else [])]
    assert family(rows, guarantees=guarantees).firewall["status"].tolist() == [status]


def test_who_has_no_firm_and_whose_spending_is_unknown() -> None:
    assert family([CASH]).firewall["status"].tolist() == ["not_applicable"]
    found = family([FIRM, CASH], monthly_spending=np.nan)
    assert found.firewall["status"].tolist() == ["unknown"]
    assert np.isnan(found.firewall["months"].iloc[0])
    assert np.isnan(found.reserve["short"].iloc[0])


def test_a_loan_that_the_firm_secured_stays_with_the_family() -> None:
    firm = FIRM | {"asset_id": "F"}
    found = family([firm, CASH], [{"value": 700.0, "kind": "loan", "secured_by": "F"}])
    assert found.firewall["debt"].tolist() == [700.0]
    assert found.firewall["net_worth"].tolist() == [300.0]


def test_the_protection_gap_by_hand() -> None:
    shares = {"asset_class": "listed_equity", "value": 200.0}
    found = family([FIRM, CASH, shares], [{"value": 300.0, "kind": "loan"}], dependants=2)
    p = found.protection.iloc[0]
    support = 100.0 * 12 * NEEDS.support_years * NEEDS.support_share
    education = 2 * float(NEEDS.education["CNY"])
    assert (p["debts"], p["support"], p["education"]) == (300, support, education)
    assert p["liquid"] == 1200
    assert p["gap"] == pytest.approx(300 + support + education - 500 - 1200)
    alone = family([CASH]).protection.iloc[0]
    assert (alone["support"], alone["education"]) == (0, 0)
    assert alone["gap"] == -1500


@pytest.mark.parametrize(
    ("facts", "unknown"),
    [
        ({"dependants": np.nan, "income": 1.0}, "dependants"),
        ({"insurance_cover": np.nan}, "insurance_cover"),
        ({"dependants": 1, "monthly_spending": np.nan, "income": 1.0}, "monthly_spending"),
        ({"dependants": 1, "currency": "THB", "income": 1.0}, "education"),
        ({"dependants": 2, "insurance_cover": np.nan}, "insurance_cover, income"),
    ],
)
def test_what_is_unknown_is_said_and_never_taken_for_nothing(facts: dict[str, Any], unknown: str) -> None:
    p = family([CASH], **facts).protection.iloc[0]
    assert np.isnan(p["gap"])
    assert p["unknown"] == unknown


def test_the_own_industry_is_counted_twice() -> None:
    rows = [FIRM, CASH, {"asset_class": "listed_equity", "value": 500.0, "sector": " Tech "}]
    rows.append({"asset_class": "listed_equity", "value": 100.0, "sector": "energy"})
    i = family(rows).industry
    assert i[["own", "other", "others"]].to_numpy().tolist() == [[9000, 500, 1]]
    assert i["share"].iloc[0] == pytest.approx(9500 / 10600)
    assert not len(family([CASH]).industry)


@pytest.mark.parametrize("seed", range(4))
def test_more_guarantees_never_help_and_money_only_scales(seed: int) -> None:
    a = al.analyze(random_world(seed, load_framework()).book(), on=ON)
    one = household(a).firewall
    p = a.positions
    worse = household(replace(a, positions=replace(p, guarantees=p.guarantees + 1e5))).firewall
    assert (worse["net_worth"] <= one["net_worth"] + 0.01).all()
    assert (worse["liquid"] <= one["liquid"] + 0.01).all()
    paid = one["paid_pledged"] + one["paid_liquid"] + one["paid_rest"] + one["owed"]
    assert np.allclose(paid, one["guarantees"])
    assert (one[["paid_pledged", "paid_liquid", "paid_rest", "owed", "liquid"]] >= 0).all(axis=None)
    assert set(one["status"]) <= set(STATUSES)


def test_a_book_is_each_client_alone(sample: al.Book) -> None:
    whole = household(al.analyze(sample, on=ON))
    for client in whole.analysis.client_ids[::4]:
        alone = household(al.analyze(sample.client(client), on=ON))
        for name, table in whole.select(client).items():
            pd.testing.assert_frame_equal(table, alone.select(client)[name], check_dtype=False, rtol=1e-12)


def test_the_guarantee_case_and_the_leveraged_property_case(sample: al.Book) -> None:
    found = household(al.analyze(sample, on=ON))
    fire = found.firewall.set_index("client_id")
    assert fire.loc["C009", "status"] == "short_of_cash"
    assert fire.loc["C009", "owed"] > 0
    assert fire.loc["C008", "status"] == "not_applicable"
    assert found.protection.set_index("client_id").loc["C008", "gap"] > 1e7
    told = al.stress(found.analysis).select("C009")["summary"].set_index("scenario")
    fails = told[told["loss"] == told["loss"].max()].iloc[0]
    assert fails["net_worth"] == pytest.approx(float(fire["net_worth"]["C009"]), abs=0.01)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_both_faces_and_the_json_carry_the_same(lang: str, sample: al.Book, capsys: Any) -> None:
    said = words(lang)
    found = household(al.analyze(sample, on=ON))
    assert household_overview(found, said)
    for client in found.analysis.client_ids:
        assert household_sheet(found, client, said)
    out = household_json(found, said, client="C009")
    assert out["clients"][0]["household"]["firewall"]["net_worth"] == 17373567.33
    args = ["household", str(SAMPLE), "--client", "C009", "--lang", lang, "--date", "2026-09-30"]
    assert main(args) == 0
    page = capsys.readouterr().out
    assert ("17,373,567" if lang == "en" else "1,737.36万") in page
    assert main([*args, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clients"][0]["household"] == out["clients"][0]["household"]


def test_wrong_needs_are_named(tmp_path: Path) -> None:
    file = tmp_path / "n.toml"
    file.write_text('extends = "standard"\nsupport_share = 70\n', "utf-8")
    with pytest.raises(ConfigError, match="support_share"):
        household(al.analyze(make_book([("a", "x", "deposit", 1.0)]), on=ON), needs=file)


def test_real_families(shared: Callable[[str], Path]) -> None:
    """Nobody is lost; without guarantees in the survey a family falls for want of cash, or of net worth."""
    book = al.read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf")
    found = household(al.analyze(book, on=ON))
    counts = found.firewall["status"].value_counts()
    assert counts.sum() == 467
    applies = found.firewall[found.firewall["status"].isin(["survives", "short_of_cash", "insolvent_after"])]
    assert 0.2 < (applies["status"] == "survives").mean() < 0.9
