"""Every way of tampering with a plan breaks its own check; misuse raises, hostile moves never do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Context, localcontext
from typing import Any

import pytest
from sheets import CHHABRA, CLASSIC, FAMILY, LONG_RUN, PLAN, TRADES, D, failed, item, owing, plan_of, row, run, sheet_of

import allocator.verify as verify_module
from allocator.verify import Move, Verifier, after, starting_point, verify


def test_the_plan_before_tampering_holds() -> None:
    c = run(FAMILY, *PLAN)
    assert not failed(c)
    assert [x.check for x in c.checks[:6]] == ["money", "costs", "tax", "amounts", "lots", "suitability"]
    assert PLAN[-1] == Move("cash", "sell", D("90330.00"), D(0))
    assert (row(c, "money").before, row(c, "money").after) == (D("200200.00"), D("200200.00"))
    assert {x.verdict for x in c.checks} == {"holds"}
    assert (row(c, "suitability").bound, row(c, "suitability").after) == (3, 1)
    assert (row(c, "costs").bound, row(c, "costs").after) == (330, 330)


def edit(k: int, **more: Any) -> list[Move]:
    """The plan with one move changed."""
    return [replace(m, **more) if j == k else m for j, m in enumerate(PLAN)]


TAMPERED: dict[str, tuple[Sequence[Move], set[str]]] = {
    "one cent more sold": (edit(0, amount=D("130000.01")), {"money"}),
    "one cent more bought": (edit(1, amount=D("200000.01")), {"money"}),
    "one cent of cost hidden": (edit(0, cost=D("129.99")), {"money"}),
    "two cents of cost hidden": (edit(0, cost=D("129.98")), {"money", "costs"}),
    "two cents of cost too many": (edit(1, cost=D("200.02")), {"money", "costs"}),
    "negative cost": (edit(2, cost=D("-0.01"), amount=D("90329.99")), {"costs"}),
    "half a cent": (
        [*edit(0, amount=D("130000.005"))[:2], replace(PLAN[2], amount=D("90329.995"))],
        {"money"},
    ),
    "a move left out": (PLAN[:2], {"money"}),
    "the withdrawal kept": ((), {"money"}),
    "a locked firm sold": (plan_of(FAMILY, *TRADES, ("firm", "sell", 1_000)), {"amounts"}),
    "a home that may not be sold": (plan_of(FAMILY, *TRADES, ("home", "sell", D("0.01"))), {"amounts"}),
    "half a flat sold": (plan_of(FAMILY, *TRADES, ("flat", "sell", 60_000)), {"amounts"}),
    "a flat but for a cent": (plan_of(FAMILY, *TRADES, ("flat", "sell", D("119999.99"))), {"amounts"}),
    "sold more than there is": (plan_of(FAMILY, *TRADES, ("fund", "sell", D("130000.01"))), {"amounts"}),
    "short sale of a product": (plan_of(FAMILY, *TRADES, ("coin", "sell", 100)), {"amounts"}),
    "bought and sold": (plan_of(FAMILY, *TRADES, ("fund", "sell", 100), ("fund", "buy", 100)), {"amounts"}),
    "sold twice": (
        plan_of(FAMILY, ("stock", "sell", 65_000), ("stock", "sell", 65_000), ("bond", "buy", 200_000)),
        {"amounts"},
    ),
    "nothing sold": ([*PLAN, Move("fund", "sell", D(0), D(0))], {"amounts"}),
    "an asset nobody knows": (
        [*edit(2, amount=D("90230.00")), Move("ghost", "sell", D(100), D(0))],
        {"amounts"},
    ),
    "too risky": (plan_of(FAMILY, *TRADES, ("coin", "buy", 1_000)), {"suitability"}),
    "not on the shelf": (plan_of(FAMILY, *TRADES, ("shut", "buy", 1_000)), {"suitability"}),
    "a cap breached": (plan_of(FAMILY, TRADES[0], ("share", "buy", 150_000)), {"single_holding"}),
    "the reserve spent": (plan_of(FAMILY, TRADES[0], ("bond", "buy", 220_000)), {"reserve_months"}),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_each_tampering_breaks_its_own_check(name: str) -> None:
    moves, expected = TAMPERED[name]
    assert failed(run(FAMILY, *moves)) == expected


def test_what_is_allowed_is_not_mistaken_for_tampering() -> None:
    assert not failed(run(FAMILY, *plan_of(FAMILY, *TRADES, ("flat", "sell", 120_000))))  # whole
    assert not failed(run(FAMILY, *edit(0, cost=D("130.01"))[:2], replace(PLAN[2], amount=D("90330.01"))))
    risky = plan_of(FAMILY, *TRADES, ("coin", "buy", 1_000))
    assert not failed(run(FAMILY, *risky, portfolio_mode=True))
    shut = plan_of(FAMILY, *TRADES, ("shut", "buy", 1_000))
    assert failed(run(FAMILY, *shut, portfolio_mode=True)) == {"suitability"}
    cash = replace(FAMILY.items[0], buyable=False, risk=5)  # the cash item may always be bought
    sheet = replace(FAMILY, items=(cash, *FAMILY.items[1:]))
    assert not failed(run(sheet, *plan_of(sheet, ("stock", "sell", 130_000), ("bond", "buy", 100_000))))


def test_part_of_a_cent_that_may_be_sold_is_rounded_up_but_never_beyond_the_value() -> None:
    a = item("a", "100.005", "gold", sellable=D("0.5"), sell_cost=D(0))
    sheet = sheet_of(item("cash", 100, "deposit"), a)
    assert "amounts" not in failed(run(sheet, *plan_of(sheet, ("a", "sell", "50.01"))))  # 50.0025 rounded up
    assert "amounts" in failed(run(sheet, *plan_of(sheet, ("a", "sell", "50.02"))))
    whole = replace(sheet, items=(sheet.items[0], replace(a, sellable=D(1), indivisible=True)))
    assert "amounts" not in failed(run(whole, *plan_of(whole, ("a", "sell", "100.00"))))
    assert "amounts" in failed(run(whole, *plan_of(whole, ("a", "sell", "100.01"))))
    assert "amounts" in failed(run(whole, *plan_of(whole, ("a", "sell", "99.99"))))


def test_faults_add_up_and_never_cancel() -> None:
    unreadable = Move("fund", "sell", D("NaN"), D(0))
    got = failed(run(FAMILY, *edit(0, cost=D("100.00")), unreadable))
    assert got == {"money", "costs", "tax", "amounts", "lots"}


def test_costs_round_half_to_even() -> None:
    free = item("a", 100, "gold", sell_cost=D("0.005"))
    sheet = sheet_of(item("cash", 100, "deposit"), free)
    for amount, owed in (("1", "0.00"), ("3", "0.02"), ("5", "0.02")):  # 0.005, 0.015, 0.025
        c = run(sheet, Move("a", "sell", D(amount), D(owed)))
        assert row(c, "costs").bound == D(owed)


HOSTILE = [
    Move("stock", "sell", D("NaN"), D(0)),
    Move("stock", "sell", D("sNaN"), D(0)),
    Move("stock", "sell", D("Infinity"), D(0)),
    Move("stock", "sell", D(100), D("NaN")),
    Move("stock", "sell", D(100), D("-Infinity")),
    Move("stock", "sell", D("1E+999999"), D(0)),
    Move("stock", "buy", D(-100), D(0)),
    Move("stock", "sell", D("-1E-999999"), D(0)),
    Move("stock", "hold", D(100), D(0)),  # type: ignore[arg-type]
    Move("stock", "sell", 100.0, D(0)),  # type: ignore[arg-type]
    Move("stock", "sell", "100", D(0)),  # type: ignore[arg-type]
    Move("stock", "sell", None, None),  # type: ignore[arg-type]
    Move(["stock"], "sell", D(100), D(0)),  # type: ignore[arg-type]
    Move("", "sell", D(100), D(0)),
]


@pytest.mark.parametrize("k", range(len(HOSTILE)))
def test_hostile_moves_are_broken_never_an_exception(k: int) -> None:
    move = HOSTILE[k]
    for moves in ([move], [move, move], [*PLAN, move]):
        assert "amounts" in failed(run(FAMILY, *moves))
        assert after(FAMILY, moves).keys() == {x.asset_id for x in FAMILY.items}


def test_a_cent_cannot_hide_behind_astronomical_money() -> None:
    huge = D("1E+60")
    sheet = sheet_of(item("cash", huge, "deposit"), item("a", huge, "gold", sell_cost=D(0)))
    ok = [Move("a", "sell", huge, D(0)), Move("cash", "buy", huge, D(0))]
    assert row(run(sheet, *ok), "money").verdict == "holds"
    forged = [Move("a", "sell", huge, D(0)), Move("cash", "buy", D("1" + 60 * "0" + ".01"), D(0))]
    assert row(run(sheet, *forged), "money").verdict == "broken"


def test_an_id_that_two_items_share_cannot_be_traded_but_stops_nothing() -> None:
    twice = replace(FAMILY, items=(*FAMILY.items, item("fund", 1_000, "bond_fund")))
    assert not failed(run(twice, *PLAN))
    assert failed(run(twice, *plan_of(twice, *TRADES, ("fund", "sell", 100)))) == {"amounts"}
    assert after(twice, PLAN)["fund"] == 131_000


@pytest.mark.parametrize(
    "misuse",
    [
        {"band": "C3"},
        {"loans": owing(900_000)},
        {"loans": owing("NaN")},
        {"loans": owing(-1)},
        {"loans": owing(1, "Infinity")},
        {"spending": D("NaN")},
        {"spending": D(-1)},
        {"cash_flow": D("Infinity")},
        {"cash_id": "nobody"},
        {"items": ()},
        {"items": (item("cash", 1_000_000, "deposit", mix=()),)},
        {"items": (item("cash", 1_000_000, "deposit", mix=(("deposit", D("0.5")),)),)},
        {"items": (item("cash", 1_000_000, "deposit", mix=(("nothing", D(1)),)),)},
        {"items": (item("cash", 1_000_000, "deposit", asset_class="nothing"),)},
        {"items": (item("cash", 1_000_000, "deposit", asset_class="unclassified"),)},
        {"items": (item("cash", 1_000_000, "deposit", sellable=D("1.5")),)},
        {"items": (item("cash", -1, "deposit"), item("a", 1_000_000, "gold"))},
        {"items": (item("cash", "NaN", "deposit"), item("a", 1_000_000, "gold"))},
    ],
)
def test_misuse_raises_and_names_nobody(misuse: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as error:
        run(replace(FAMILY, **misuse), *PLAN)
    assert "cash'" not in str(error.value)
    assert "1000000" not in str(error.value)


def test_starting_point_refuses_what_it_cannot_know() -> None:
    with pytest.raises(ValueError, match="cash_id"):
        starting_point(replace(FAMILY, cash_id="nobody"), CLASSIC)
    with pytest.raises(ValueError, match="class"):
        starting_point(sheet_of(item("cash", 1, "concentrated_stock")), CLASSIC)


def test_assumptions_must_cover_the_framework() -> None:
    fewer = LONG_RUN.model_copy(update={"classes": {k: v for k, v in LONG_RUN.classes.items() if k != "gold"}})
    with pytest.raises(ValueError, match="gold"):
        Verifier(CLASSIC, fewer)


def test_verifiers_are_kept_but_never_mixed_up() -> None:
    kept = verify_module._verifier
    kept.cache_clear()
    calm = LONG_RUN.model_copy(
        update={
            "name": "calm",
            "factors": {k: f.model_copy(update={"volatility": f.volatility / 2}) for k, f in LONG_RUN.factors.items()},
        }
    )
    seen = [row(verify(FAMILY, PLAN, f, a), "volatility").after for f in (CLASSIC, CHHABRA) for a in (LONG_RUN, calm)]
    assert len(set(seen)) == 4
    assert kept.cache_info().hits == 0
    assert row(verify(FAMILY, PLAN, CLASSIC, calm), "volatility").after == seen[1]
    assert kept.cache_info().hits == 1


def test_the_caller_s_decimal_context_changes_nothing() -> None:
    with localcontext(Context(prec=3, traps=[])):
        rough = run(FAMILY, *PLAN)
    assert rough == run(FAMILY, *PLAN) == verify(FAMILY, PLAN, CLASSIC, LONG_RUN)
