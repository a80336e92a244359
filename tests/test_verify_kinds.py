"""Limits on labels, tail losses, distance from a model, cash, and users' own: by hand, mutated, and excused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Context, Decimal
from typing import Any

import pytest
from sheets import CLASSIC, EVERY, LONG_RUN, MINE, D, failed, item, over, owing, plan_of, root_of_squares, row, run
from sheets import sheet_of as plain_sheet

import allocator.verify_kinds as kinds_module
from allocator.assumptions import risk_table
from allocator.framework import Framework
from allocator.limits import limit, limit_list
from allocator.verify import Item, Move, Sheet, Verifier

SAYS_NOTHING = (("tech", D(0)), ("spendable", D(0)))


def sheet_of(*items: Item, **more: Any) -> Sheet:
    """A balanced client at home in China, of whose holdings users' own limits count nothing unless they say so."""
    filled = [x if x.counted else replace(x, counted=SAYS_NOTHING) for x in items]
    facts = {"home_currency": "CNY", "home_country": "CN", "terms": (("spread", lambda _: D(0)),)}
    return plain_sheet(*filled, **facts | more)


def bounded(**limits: Any) -> Framework:
    """The classic framework with these limits in each band; ``floors`` and ``model`` as they are."""
    parts = {k: limits.pop(k) for k in ("floors", "model") if k in limits}
    return CLASSIC.model_copy(
        update={
            "bands": {k: b.model_copy(update={"limits": b.limits | limits, **parts}) for k, b in CLASSIC.bands.items()}
        }
    )


# -------------------------------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("name", "labels", "value", "bound", "excess"),
    [
        ("sector", ("Tech", " TECH ", "steel"), "0.35", "0.20", "0.20"),  # 150 and 50
        ("sector", ("", "", ""), "0", "0.20", "0"),
        ("sector", ("a", "b", "c"), "0.25", "0.20", "0.05"),
        ("country", ("US", "us", "CN"), "0.35", "0.2", "0.15"),
        ("country", ("cn", "CN ", ""), "0", "0.2", "0"),
        ("country", ("US", "HK", "US"), "0.45", "0.2", "0.25"),
        ("currency", ("USD", "CNY", "usd "), "0.45", "0.15", "0.30"),
        ("currency", ("USD", "EUR", "EUR"), "0.4", "0.15", "0.30"),  # 50 of the one and 250 of the other
    ],
)
def test_labels_by_hand(name: str, labels: tuple[str, ...], value: str, bound: str, excess: str) -> None:
    items = [
        item(f"a{k}", v, "listed_equity", **{name: text})
        for k, (v, text) in enumerate(zip((200, 150, 250), labels, strict=True))
    ]
    r = row(run(sheet_of(item("cash", 400, "deposit"), *items), framework=EVERY), name)
    assert (r.sense, r.before, r.bound, r.excess_before) == ("<=", D(value), D(bound), D(excess))
    assert r.verdict == ("holds" if excess == "0" else "no_worse")


def test_a_currency_without_a_home_country_makes_every_country_foreign() -> None:
    sheet = sheet_of(item("cash", 700, "deposit"), item("a", 300, "bond_fund", country="CN"), home_country="")
    assert row(run(sheet, framework=EVERY), "country").before == D("0.3")


def test_labels_count_what_is_inside_the_buckets() -> None:
    mix = (("listed_equity", D("0.6")), ("own_home", D("0.4")))
    half = item("half", 500, "equity_fund", mix=mix, sector="tech")
    home = item("home", 900, "own_home", sector="tech", country="US", currency="USD")
    c = run(sheet_of(item("cash", 700, "deposit"), half, home), framework=EVERY)
    assert row(c, "sector").before == D("0.3")
    assert row(c, "country").before == row(c, "currency").before == 0


def test_a_label_in_another_case_is_the_same_label() -> None:
    old = item("old", 200, "listed_equity", sector="Technology", buy_cost=D(0))
    for text, verdict in (("TECHNOLOGY  ", "worse"), ("technology", "worse"), ("steel", "holds"), ("", "holds")):
        new = item("new", 0, "listed_equity", sector=text, buy_cost=D(0))
        sheet = sheet_of(item("cash", 800, "deposit"), old, new)
        c = run(sheet, *plan_of(sheet, ("new", "buy", 1)), framework=EVERY)
        assert row(c, "sector").verdict == verdict


def test_labels_are_judged_one_by_one() -> None:
    free = {"buy_cost": D(0), "sell_cost": D(0)}
    items = [item(n, 400, "equity_fund", sector=n, **free) for n in "ab"]
    sheet = sheet_of(item("cash", 200, "deposit"), *items)
    r = row(run(sheet, *plan_of(sheet, ("a", "sell", 50), ("b", "buy", 50)), framework=EVERY), "sector")
    assert r.excess_before == r.excess_after
    assert r.verdict == "worse"


@pytest.mark.parametrize(("more", "verdict"), [({"tradable": False}, "untouched"), ({"sellable": D("0.1")}, "worse")])
def test_costs_may_raise_the_label_only_of_what_cannot_be_sold(more: dict[str, Any], verdict: str) -> None:
    firm = item("firm", 300, "equity_fund", sector="steel", country="US", currency="USD", **more)
    other = item("other", 0, "bond_fund", buy_cost=D("0.01"), sector="tech", country="CN", currency="CNY")
    sheet = sheet_of(item("cash", 700, "deposit"), firm, other)
    c = run(sheet, *plan_of(sheet, ("other", "buy", 100)), framework=EVERY)
    assert {row(c, n).verdict for n in ("sector", "country", "currency")} == {verdict}


# ---------------------------------------------------------------------------------------------------------------- cvar


def minimum_of_rockafellar_uryasev(losses: list[Decimal], tail: Decimal) -> Decimal:
    """Least t + Σ (loss − t)⁺ / tail; a convex function of t that bends at the losses only."""
    return min(t + sum((max(x - t, D(0)) for x in losses), D(0)) / tail for t in losses)


@pytest.mark.parametrize(("level", "count"), [(0.95, 200), (0.97, 50), (0.99, 60), (0.5, 20)])
def test_cvar_is_the_mean_of_the_worst_scenarios_the_last_in_part(level: float, count: int) -> None:
    drawn = LONG_RUN.scenarios.model_copy(update={"level": level, "count": count})
    assumed = LONG_RUN.model_copy(update={"scenarios": drawn})
    sheet = sheet_of(
        item("cash", 200, "deposit"), item("gold", 300, "gold"), item("fund", 500, "equity_fund"), loans=owing(200)
    )
    table, codes = risk_table(EVERY, assumed), list(EVERY.classes)
    columns = {c: [D(repr(x)) for x in table.scenarios[:, codes.index(c)].tolist()] for c in codes}
    losses = [
        -(200 * a + 300 * b + 500 * c)
        for a, b, c in zip(columns["deposit"], columns["gold"], columns["equity_fund"], strict=True)
    ]
    loss = minimum_of_rockafellar_uryasev(losses, (1 - D(str(level))) * count)
    r = row(Verifier(EVERY, assumed).verify(sheet, []), "cvar")
    assert abs(r.before - loss / 800) < D("1e-25")
    assert r.bound == D("0.1")
    assert abs(r.excess_before - max(loss - 80, D(0)) / 1000) < D("1e-25")


def test_scenarios_belong_to_their_classes() -> None:
    """Their mean is that of the class, which comes from loadings and factors without any draw."""
    y = kinds_module.Scenarios(CLASSIC, LONG_RUN)
    means = {f: D(str(x.mean)) for f, x in LONG_RUN.factors.items()}
    assert y.count == 200
    assert y.tail == 10
    for code, c in CLASSIC.classes.items():
        a = LONG_RUN.classes[c.assumption or code]
        mean = sum((D(str(b)) * means[f] for f, b in a.loadings.items()), D(0))
        mean = mean if a.expected_return is None else D(str(a.expected_return))
        assert abs(sum(y.returns[code], D(0)) / 200 - mean) < D("1e-12"), code


def test_one_scenario_breaks_a_cvar_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = sheet_of(item("cash", 0, "deposit"), item("gold", 1_000_000, "gold"))
    loss = row(run(sheet, framework=EVERY), "cvar").before
    framework = bounded(cvar=float(loss) + 1e-9)
    assert row(Verifier(framework, LONG_RUN).verify(sheet, [], hard=True), "cvar").verdict == "holds"
    table = risk_table(framework, LONG_RUN)
    gold = list(framework.classes).index("gold")
    worst = int(table.scenarios[:, gold].argmin())
    table.scenarios[worst, gold] -= 1e-4  # one in the tail of ten: the mean loss grows by 1e-5

    def changed(*_: object) -> Any:
        return table

    monkeypatch.setattr(kinds_module, "risk_table", changed)
    c = Verifier(framework, LONG_RUN).verify(sheet, [], hard=True)
    assert row(c, "cvar").verdict == "broken"
    assert abs(row(c, "cvar").excess_after - D("0.000009999")) < D("1e-9")
    table.scenarios[worst, gold] += 1e-4
    best = int(table.scenarios[:, gold].argmax())
    table.scenarios[best, gold] -= 1e-4  # outside the tail nothing changes
    assert row(Verifier(framework, LONG_RUN).verify(sheet, [], hard=True), "cvar").verdict == "holds"


def test_cvar_is_untouched_when_nothing_risky_can_be_sold_and_none_is_bought() -> None:
    free = {"buy_cost": D(0), "sell_cost": D(0)}
    firm = item("firm", 600_000, "private_business", tradable=False)
    sheet = sheet_of(item("cash", 400_000, "deposit"), firm, item("gold", 0, "gold", **free))
    framework = bounded(cvar=0.05)
    # what the costs of 40 would have earned in a year is less than the tolerance, their share of the bound is not
    term = replace(sheet, items=(*sheet.items, item("term", 0, "deposit", buy_cost=D("0.0004"))))
    judge = Verifier(framework, LONG_RUN)
    r = row(judge.verify(term, plan_of(term, ("term", "buy", 100_000))), "cvar")
    assert D("0.000002") < r.excess_after - r.excess_before < D("0.000003")
    assert r.verdict == "untouched"
    assert row(judge.verify(sheet, plan_of(sheet, ("gold", "buy", 100_000))), "cvar").verdict == "worse"


# ------------------------------------------------------------------------------------------------------------ tracking


def test_distance_from_a_model_by_hand() -> None:
    judge = Verifier(bounded(tracking=0.05, model={"gold": 1.0}), LONG_RUN)
    r = row(judge.verify(sheet_of(item("cash", 400, "deposit"), item("gold", 600, "gold")), []), "tracking")
    assert (r.before, r.bound) == (over("115.04", 1000), D("0.05"))  # 400 of gold are missing, at 28.76%
    assert r.excess_before == (D("115.04") - 50) / 1000
    # nothing to miss where the holdings are the model
    same = sheet_of(item("cash", 0, "deposit"), item("gold", 600, "gold"), item("more", 400, "gold"))
    assert row(judge.verify(same, []), "tracking").before == 0


def test_what_the_model_has_and_the_client_lacks_counts_too() -> None:
    judge = Verifier(bounded(tracking=0.05, model={"government_bond": 0.5, "deposit": 0.5}), LONG_RUN)
    sheet = sheet_of(item("cash", 500, "deposit"), item("gold", 500, "gold"))
    x, y = 500 * D("0.2876"), 500 * D("0.055")
    assert row(judge.verify(sheet, []), "tracking").before == over((x * x + y * y).sqrt(Context(prec=50)), 1000)


def test_single_names_keep_their_own_risk_beside_the_model_and_accounts_of_one_add_up() -> None:
    judge = Verifier(bounded(tracking=0.05, model={"listed_equity": 1.0}), LONG_RUN)
    two = [item(n, 500, "listed_equity") for n in "ab"]
    r = row(judge.verify(sheet_of(item("cash", 0, "deposit"), *two), []), "tracking")
    assert r.before == over((2 * D(150) ** 2).sqrt(Context(prec=50)), 1000)  # 500 at 30% each
    one = [replace(x, asset="same") for x in two]
    assert row(judge.verify(sheet_of(item("cash", 0, "deposit"), *one), []), "tracking").before == D("0.3")


# ------------------------------------------------------------------------------------------------------ cash, floors


def test_cash_is_capped_and_floored() -> None:
    framework = bounded(cash=0.3, floors={"cash": 0.1, "class:gold": 0.05})
    judge = Verifier(framework, LONG_RUN)
    for cash, cap, floor in ((400, "0.1", "0"), (50, "0", "0.05"), (200, "0", "0")):
        c = judge.verify(sheet_of(item("cash", cash, "deposit"), item("fund", 1000 - cash, "bond_fund")), [])
        assert (row(c, "cash", "<=").bound, row(c, "cash", ">=").bound) == (D("0.3"), D("0.1"))
        assert (row(c, "cash", "<=").excess_before, row(c, "cash", ">=").excess_before) == (D(cap), D(floor))
        assert (row(c, "class:gold").sense, row(c, "class:gold").excess_before) == (">=", D("0.05"))
    sheet = sheet_of(item("cash", 100, "deposit"), item("fund", 900, "bond_fund", buy_cost=D(0)))
    assert row(judge.verify(sheet, plan_of(sheet, ("fund", "buy", 1))), "cash", ">=").verdict == "worse"


# --------------------------------------------------------------------------------------------------------- users' own


def test_what_a_user_counts() -> None:
    a = item("a", 300, "listed_equity", counted=(("tech", D(1)), ("spendable", D(0))))
    b = item("b", 200, "bond_fund", counted=(("tech", D("0.5")), ("spendable", D(0))))
    cash = item("cash", 500, "deposit", counted=(("tech", D(0)), ("spendable", D("0.5"))))
    sheet = sheet_of(cash, a, b, loans=owing(200))
    c = run(sheet, framework=EVERY)
    r, s = row(c, "tech"), row(c, "spendable")
    assert (r.sense, r.before, r.bound, r.excess_before) == ("<=", D("0.4"), D("0.1"), D("0.3"))
    assert (s.sense, s.before, s.bound, s.excess_before) == (">=", over(250, 800), D("0.5"), D("0.15"))
    moved = run(sheet, *plan_of(sheet, ("b", "buy", 10)), framework=EVERY)
    assert {"tech", "spendable"} <= failed(moved)


def test_what_a_user_counts_is_untouched_where_it_is_locked() -> None:
    for more, verdict in (({"tradable": False}, "untouched"), ({}, "worse")):
        a = item("a", 300, "listed_equity", counted=(("tech", D(1)), ("spendable", D(0))), **more)
        sheet = sheet_of(item("cash", 700, "deposit"), a, item("fund", 0, "bond_fund", buy_cost=D("0.01")))
        c = run(sheet, *plan_of(sheet, ("fund", "buy", 100)), framework=EVERY)
        assert row(c, "tech").verdict == verdict


def test_a_term_of_a_user_is_called_with_the_money_inside_the_buckets() -> None:
    seen: list[list[Decimal]] = []

    def spread(money: Any) -> Decimal:
        seen.append(list(money))
        return root_of_squares(money)

    items = (item("cash", 300, "deposit"), item("a", 400, "equity_fund"), item("home", 900, "own_home"))
    sheet = sheet_of(*items, loans=owing(200), terms=(("spread", spread),))
    c = run(sheet, *plan_of(sheet, ("a", "sell", 400)), framework=EVERY)
    r = row(c, "spread")
    assert (r.before, r.bound, r.excess_before) == (D(1), D("0.4"), over(300, 700))  # 500 of an equity of 500
    assert [300, 400, 0] in seen
    assert r.verdict == "worse"  # all in one place now
    assert row(run(sheet, framework=EVERY), "spread").verdict == "no_worse"
    # a band that the limit does not name
    assert not [x for x in run(replace(sheet, band="conservative"), framework=EVERY).checks if x.check == "spread"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"terms": ()}, "spread"),
        ({"terms": (("spread", lambda _: D("NaN")),)}, "spread"),
        ({"items": (item("cash", 100, "deposit", counted=(("tech", D(0)),)),)}, "spendable"),
        ({"items": (item("cash", 100, "deposit", counted=(("tech", D(2)),)),)}, "0 to 1"),
    ],
)
def test_a_sheet_that_says_nothing_on_a_user_s_limit_is_misuse(change: dict[str, Any], named: str) -> None:
    sheet = sheet_of(item("cash", 100, "deposit"))
    with pytest.raises(ValueError, match=named):
        run(replace(sheet, **change), framework=EVERY)


def test_only_the_limits_that_a_verifier_was_given() -> None:
    sheet = plain_sheet(item("cash", 100, "deposit"))
    assert not {"tech", "spread"} & {c.check for c in Verifier(EVERY, LONG_RUN).verify(sheet, []).checks}
    mine = limit_list(CLASSIC, [limit("bank", 0.4, counts=lambda f: f["asset_class"] == "deposit")])
    sheet = replace(sheet, items=(replace(sheet.items[0], counted=(("bank", D(1)),)),))
    r = row(Verifier(CLASSIC, LONG_RUN, mine).verify(sheet, []), "bank")
    assert (r.before, r.excess_before) == (1, D("0.6"))
    assert [x.name for x in MINE] == ["tech", "spendable", "spread"]


# ---------------------------------------------------------------------------------------------------------- hard mode


def test_hard_mode_takes_no_excuse() -> None:
    firm = item("firm", 600, "private_business", tradable=False)
    sheet = sheet_of(item("cash", 400, "deposit"), firm)
    move = Move("cash", "sell", D("0.01"), D(0))
    soft, hard = run(sheet), run(sheet, hard=True)
    assert soft.holds
    exceeded = {c.check for c in soft.checks if c.verdict != "holds"}
    assert {"business", "single_holding", "illiquid"} <= exceeded
    assert failed(hard) == exceeded
    assert {c.verdict for c in hard.checks} == {"holds", "broken"}
    assert "money" in failed(run(sheet, move, hard=True))
    fine = sheet_of(
        item("cash", 250, "deposit"), item("bond", 250, "bond_fund"), item("fund", 350, "equity_fund"),
        item("bill", 150, "treasury_bill"),
    )  # fmt: skip
    assert run(fine, hard=True).holds
