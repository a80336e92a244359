"""Do no harm, where it is hardest: what is over a limit cannot be sold, and debts can be repaid or costs be paid."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from conftest import ON, make_book
from worlds import random_world

import allocator as al
from allocator.framework import load_framework

LOCKED = {"client_id": "a", "asset_id": "coins", "name": "coins", "asset_class": "crypto", "locked_until": "2030-01-01"}
Rows = list[dict[str, Any]]


def planned(rows: Rows, debts: Rows, engine: str) -> Any:
    clients = [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 12000}]
    book = make_book(pd.DataFrame(rows), clients, **({"debts": debts} if debts else {}))
    return al.rebalance(al.analyze(book, on=ON), explain=False, engine=engine)


@pytest.mark.parametrize("engine", ["client", "book"])
@pytest.mark.parametrize("debt", [0.0, 50_000.0, 300_000.0])
def test_what_repaying_takes_from_the_total_gives_no_room_for_risk(engine: str, debt: float) -> None:
    """The volatility is over its limit, and nothing that moves can be sold: nothing that moves may be bought either."""
    rows = [LOCKED | {"value": 1.6e6}, {"client_id": "a", "asset_id": "c", "asset_class": "deposit", "value": 0.5e6}]
    debts = [{"client_id": "a", "value": debt, "annual_payment": 0.9 * debt}] if debt else []
    plan = planned(rows, debts, engine)
    (row,) = plan.checks[plan.checks["check"] == "volatility"].to_dict("records")
    assert row["excess_before"] > 0.3
    assert row["excess_after"] <= row["excess_before"] + 1e-6 or row["verdict"] == "untouched"
    assert plan.summary["certificate"].all()
    assert plan.summary["status"].isin(["improved", "stuck"]).all()


@pytest.mark.parametrize("engine", ["client", "book"])
@pytest.mark.parametrize("part", [0.001, 0.002, 0.004, 0.006])
def test_one_issuer_of_one_share_that_hardly_sells(engine: str, part: float) -> None:
    """The bound of the issuer is wider than that of the share: what costs take from the total weighs more in it."""
    share = {"client_id": "a", "asset_id": "s", "asset_class": "listed_equity", "issuer": "Z", "sellable": part}
    flats = [
        {"client_id": "a", "asset_id": f"f{i}", "asset_class": "investment_property", "value": 1e6} for i in "abcde"
    ]
    plan = planned([share | {"value": 5e6}, *flats], [], engine)
    assert plan.summary["status"].tolist() == ["improved"]
    checks = plan.checks.set_index("check").loc[["single_holding", "issuer"]]
    assert (checks["excess_after"] <= checks["excess_before"] + 1e-6).all()


def test_a_plan_that_fails_its_certificate_is_not_called_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the plan was not certified is not that nothing can improve: `invalid` says so, `stuck` would not."""
    from dataclasses import replace

    from allocator.rebalance.planner import Planner

    whole = Planner._certify

    def doubtful(self: Planner, i: int, x: Any, lines: Any) -> Any:
        found = whole(self, i, x, lines)
        return replace(found, holds=False) if lines else found

    rows = [
        {"client_id": "a", "asset_id": "f", "asset_class": "investment_property", "value": 9e6},
        {"client_id": "a", "asset_id": "c", "asset_class": "deposit", "value": 1e6},
    ]
    assert planned(rows, [], "client").summary["status"].tolist() == ["in_band"]
    monkeypatch.setattr(Planner, "_certify", doubtful)
    (row,) = planned(rows, [], "client").summary.to_dict("records")
    assert (row["status"], row["reason"], row["trades"]) == ("invalid", "no_verified_plan", 0)


@pytest.mark.parametrize("engine", ["client", "book"])
@pytest.mark.parametrize(("seed", "client"), [(108, "K021"), (110, "K018")])
def test_a_loan_that_the_cash_account_secures_gets_its_part_to_the_cent(engine: Any, seed: int, client: str) -> None:
    """Of one family it is seven times what lies there, of the other a part: rounding takes some cents more from it."""
    book = random_world(seed, load_framework(), clients=25).book().client(client)
    plan = al.rebalance(al.analyze(book, on=ON), explain=False, engine=engine)
    assert plan.summary["status"].tolist() == ["improved"]
    assert plan.summary["certificate"].all()
    assert (plan.trades["side"] == "repay").any()


@pytest.mark.parametrize("engine", ["client", "book"])
@pytest.mark.parametrize("times", [5, 21, 1000])
def test_new_money_may_be_many_times_what_is_there(engine: str, times: int) -> None:
    """A client who begins with a little and brings the rest: planned, and never `infeasible`."""
    row = {"client_id": "a", "asset_id": "s", "name": "s", "asset_class": "listed_equity", "value": 5000.0}
    client = {"client_id": "a", "risk_band": "balanced", "monthly_spending": 100, "cash_flow": 5000.0 * times}
    plan = al.rebalance(al.analyze(make_book(pd.DataFrame([row]), [client]), on=ON), explain=False, engine=engine)
    (summary,) = plan.summary.to_dict("records")
    assert summary["status"] in ("in_band", "improved")
    assert plan.after.summary["total"].iloc[0] == pytest.approx(5000.0 * (times + 1), rel=0.01)


@pytest.mark.parametrize("engine", ["client", "book"])
def test_own_use_of_the_same_issuer_is_no_part_of_its_limit(engine: str) -> None:
    """A flat that is locked, and the home from the same builder, of which a sliver could be sold."""
    rows = [
        {"client_id": "a", "asset_id": "g", "asset_class": "gold", "value": 9e4, "locked_until": "2030-01-01"},
        {"client_id": "a", "asset_id": "h", "asset_class": "own_home", "value": 3e5, "sellable": 0.0005, "issuer": "I"},
        {"client_id": "a", "asset_id": "f", "asset_class": "investment_property", "value": 5.7e4, "issuer": "I"},
    ]
    rows[2]["locked_until"] = "2030-01-01"
    client = {"client_id": "a", "risk_band": "balanced", "monthly_spending": 100, "cash_flow": 1e5}
    plan = al.rebalance(al.analyze(make_book(pd.DataFrame(rows), [client]), on=ON), explain=False, engine=engine)
    assert plan.summary["status"].tolist() == ["improved"]
    assert plan.summary["certificate"].all()
