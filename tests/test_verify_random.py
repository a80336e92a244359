"""Random balance sheets: agreement with the float measures, and properties of every certificate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sheets import (
    CHHABRA,
    CLASSIC,
    EVERY,
    FAMILY,
    LONG_RUN,
    MINE,
    OWN,
    D,
    debt_of,
    failed,
    item,
    root_of_squares,
    run,
    sheet_of,
    trade,
)

from allocator.debts import Debts
from allocator.framework import Framework
from allocator.issues import issue_table
from allocator.limits import limit_list
from allocator.pipeline import measure
from allocator.positions import Positions
from allocator.verify import Loan, Move, Sheet, after, starting_point

CLASSES = tuple(CHHABRA.classes)
NAMES = ("", "", "acme", "bolt")
LABELS = {
    "sector": ("", "tech", " Tech", "TECH", "steel"),
    "country": ("", "CN", "cn ", "US", " us", "HK"),
    "currency": ("CNY", "cny", "USD", "usd ", "EUR"),
}
TRADE_CHECKS = ("amounts", "lots", "suitability", "turnover", "cost")


def random_sheet(rng: np.random.Generator, framework: Framework, *, flow: bool = False, taxed: bool = True) -> Sheet:
    """A client of a framework with values in cents, some locks, some funds looked through, sometimes debts."""
    codes = list(framework.classes)
    items = [item("cash", round(rng.uniform(0, 2e5), 2), "deposit", sell_cost=D(str(rng.choice([0.0, 0.01]))))]
    for k in range(int(rng.integers(1, 12))):
        code = str(rng.choice([*codes, "unclassified"]))
        more: dict[str, Any] = {
            "issuer": str(rng.choice(NAMES)),
            "tradable": bool(rng.random() < 0.8),
            "sellable": D(str(rng.choice([0.0, 0.25, 1.0]))),
            "indivisible": bool(rng.random() < 0.2),
            "own_company": code == "private_business",
            "sell_first": bool(rng.random() < 0.2),
        }
        more |= {name: str(rng.choice(labels)) for name, labels in LABELS.items()}
        value = D(str(round(float(rng.lognormal(11, 1.5)), 2)))
        if taxed and rng.random() < 0.5:
            more |= {"basis": (value * D(str(rng.choice([0.0, 0.3, 1.2])))), "tax_rate": D(str(rng.choice([0.0, 0.2])))}
        if code != "unclassified" and rng.random() < 0.3:
            inner = rng.choice(codes, size=3, replace=False)
            more["mix"] = tuple((str(c), D(w)) for c, w in zip(inner, ("0.5", "0.3", "0.2"), strict=True))
        items.append(item(f"a{k}", value, code, **more))
    items = [
        replace(
            x,
            counted=(
                ("tech", D(x.sector.strip().casefold() == "tech")),
                ("spendable", D("0.5") * (x.asset_class == "deposit")),
            ),
        )
        for x in items
    ]
    facts: dict[str, Any] = {
        "band": str(rng.choice(list(framework.bands))),
        "owner": bool(rng.random() < 0.5),
        "spending": D(str(round(rng.uniform(0, 2e4), 2))) if rng.random() < 0.8 else None,
        "home_currency": "CNY",
        "home_country": "CN",
        "terms": (("spread", root_of_squares),),
    }
    sheet = sheet_of(*items, **facts)
    total = total_of(sheet, framework)
    if rng.random() < 0.5:
        owed = (total * D(str(round(rng.uniform(0, 0.9), 3)))).quantize(D("0.01"))
        part = (owed * D("0.3")).quantize(D("0.01"))
        secured = str(rng.choice([x.asset_id for x in items])) if rng.random() < 0.5 else ""
        service = [D(str(round(rng.uniform(0, 1e5), 2))) for _ in range(3)]
        loans = (
            Loan("l0", part, service[0]),
            Loan("l1", owed - part, service[1], secured),
            Loan("l2", D(300_000), service[2], own_use=True),
        )
        sheet = replace(sheet, loans=loans)
    if flow:
        sheet = replace(sheet, cash_flow=(total * D(str(round(rng.uniform(-0.4, 0.4), 3)))).quantize(D("0.01")))
    return sheet


def total_of(sheet: Sheet, framework: Framework) -> Decimal:
    inside = {c for c, k in framework.classes.items() if k.bucket != "own_use"}
    return sum((x.value * w for x in sheet.items for c, w in x.mix if c in inside), D(0))


def random_moves(rng: np.random.Generator, sheet: Sheet) -> list[Move]:
    """Sells, buys and repayments without regard to the balance of money."""
    out = []
    for x in sheet.items:
        part = (x.value * D(str(round(rng.uniform(0.01, 0.5), 3)))).quantize(D("0.01"))
        if rng.random() < 0.4 and part > 0:
            out.append(Move(x.asset_id, "sell" if rng.random() < 0.6 else "buy", part, D(0)))
    for loan in sheet.loans:
        part = (loan.value * D(str(round(rng.uniform(0.01, 1), 3)))).quantize(D("0.01"))
        if rng.random() < 0.4 and part > 0:
            out.append(Move(loan.loan_id, "repay", part, D(0)))
    return out


def positions_of(sheet: Sheet, framework: Framework, moves: Sequence[Move]) -> Positions:
    """The same client, after moves, as the float side keeps it."""
    values = after(sheet, moves).values()
    paid = {m.asset_id: m.amount for m in moves if m.side == "repay"}
    n = len(sheet.loans)
    codes, m = list(framework.classes), len(sheet.items)
    klass = np.array([codes.index(x.asset_class) if x.asset_class in codes else -1 for x in sheet.items], dtype="intp")
    mixes = np.zeros((m, len(codes)))
    for k, x in enumerate(sheet.items):
        for code, w in x.mix:
            mixes[k, codes.index(code)] = float(w)
    issuers = {n: j for j, n in enumerate(sorted({x.issuer for x in sheet.items if x.issuer}))}
    issuer = [issuers[x.issuer] if x.issuer else len(issuers) + k for k, x in enumerate(sheet.items)]

    def each(name: str, dtype: str) -> Any:
        return np.array([getattr(x, name) for x in sheet.items]).astype(dtype)

    def one(number: Any) -> Any:
        return np.array([np.nan if number is None else float(number)])

    return Positions(
        clients=pd.DataFrame(
            {"client_id": ["x"], "band": [sheet.band], "currency": ["CNY"], "advisor": "", "tier": ""}
        ),
        holdings=pd.DataFrame(
            {"client_id": ["x"] * m, "name": [""] * m, "bucket": [""] * m, "product_id": [""] * m}
            | {c: [getattr(x, c) for x in sheet.items] for c in ("asset_id", "asset_class", "issuer", *LABELS)}
        ).astype("str"),
        band=np.array([framework.band_codes.index(sheet.band)], dtype="intp"),
        spending=one(sheet.spending),
        guarantees=one(sheet.guarantees),
        cash_flow=one(sheet.cash_flow),
        debts=Debts(
            client=np.zeros(n, dtype="intp"),
            start=np.array([0, n], dtype="intp"),
            debt_id=[x.loan_id for x in sheet.loans],
            kind=[""] * n,
            value=np.array([float(x.value - paid.get(x.loan_id, D(0))) for x in sheet.loans]),
            service=np.array(
                [float(x.service * (1 - paid.get(x.loan_id, D(0)) / (x.value or 1))) for x in sheet.loans]
            ),
            own_use=np.array([x.own_use for x in sheet.loans], dtype=bool),
            secured_by=[x.secured_by for x in sheet.loans],
        ),
        owner=np.array([sheet.owner]),
        client=np.zeros(m, dtype="intp"),
        start=np.array([0, m], dtype="intp"),
        klass=klass,
        mix=np.arange(m, dtype="intp") + len(codes) + 1,
        mix_table=np.vstack([np.eye(len(codes)), np.zeros((1, len(codes))), mixes]),
        value=np.array([float(v) for v in values]),
        quantity=np.full(m, np.nan),
        issuer=np.array(issuer, dtype="intp"),
        asset=np.arange(m, dtype="intp"),
        grade=np.full(m, np.nan),
        own=each("own_company", "bool"),
        tradable=each("tradable", "bool"),
        locked=~each("tradable", "bool"),
        pace=each("sellable", "float64"),
        sellable=each("sellable", "float64"),
        until=np.full(m, np.datetime64("NaT"), dtype="datetime64[ns]"),
        pledged=np.zeros(m, dtype=bool),
        never_buy=each("never_buy", "bool"),
        sell_first=each("sell_first", "bool"),
        basis=np.array([np.nan if x.basis is None else float(x.basis) for x in sheet.items]),
        tax=np.array([float(x.tax(D(1))) for x in sheet.items]),
        indivisible=each("indivisible", "bool"),
        shelf=pd.DataFrame(),
        rates={},
    )


@pytest.mark.parametrize("preset", ["classic", "chhabra", "own", "every"])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_floats_and_decimals_agree(preset: str, seed: int) -> None:
    framework = {f.name: f for f in (CLASSIC, CHHABRA, OWN, EVERY)}[preset]
    own = limit_list(EVERY, MINE)[-len(MINE) :] if framework is EVERY else ()
    rng = np.random.default_rng(seed)
    sheet = random_sheet(rng, framework)
    total = float(total_of(sheet, framework))
    if total <= float(debt_of(sheet)):
        return
    moves = random_moves(rng, sheet)
    checks = [c for c in run(sheet, *moves, framework=framework).checks if c.sense != "==" and c.bound is not None]
    checks = [c for c in checks if c.check not in TRADE_CHECKS]
    for done, value_of, excess_of in (([], "before", "excess_before"), (moves, "after", "excess_after")):
        a = measure(
            positions_of(sheet, framework, done),
            framework,
            LONG_RUN,
            on=dt.date(2026, 1, 1),
            issues=issue_table(),
            unit=np.array([total]),
            own=own,
        )
        t = a.limit_table
        judged = [j for j in range(len(t.limits)) if np.isfinite(t.bound[0, j]) and not np.isnan(t.excess[0, j])]
        assert [(t.limits[j].name, t.limits[j].sense) for j in judged] == [(c.check, c.sense) for c in checks]
        for j, c in zip(judged, checks, strict=True):
            assert float(c.bound) == pytest.approx(t.bound[0, j], rel=1e-12)
            assert float(getattr(c, excess_of)) == pytest.approx(t.excess[0, j], rel=1e-9, abs=1e-9), c.check
            mine = getattr(c, value_of)
            assert float("nan" if mine is None else mine) == pytest.approx(
                t.value[0, j], rel=1e-9, abs=1e-9, nan_ok=True
            ), c.check


@given(seed=st.integers(0, 2**32 - 1), power=st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_order_and_currency_unit_do_not_matter(seed: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    sheet = random_sheet(rng, EVERY, flow=True, taxed=False)
    if total_of(sheet, EVERY) <= debt_of(sheet):
        return
    # whole thousands, so that costs are exact before and after scaling
    some = [replace(m, amount=(m.amount // 1000 + 1) * 1000) for m in random_moves(rng, sheet)]
    moves = [m if m.side == "repay" else trade(sheet, m.asset_id, m.side, m.amount) for m in some]
    base = run(sheet, *moves, framework=EVERY)
    mixed = replace(sheet, items=tuple(sheet.items[k] for k in rng.permutation(len(sheet.items))))
    permuted = run(mixed, *[moves[k] for k in rng.permutation(len(moves))], framework=EVERY)
    assert [(c.check, c.verdict) for c in permuted.checks] == [(c.check, c.verdict) for c in base.checks]

    def up(x: Decimal) -> Decimal:
        return x.scaleb(power)

    scaled = replace(
        sheet,
        items=tuple(replace(x, value=up(x.value)) for x in sheet.items),
        spending=None if sheet.spending is None else up(sheet.spending),
        loans=tuple(replace(x, value=up(x.value), service=up(x.service)) for x in sheet.loans),
        **{n: up(getattr(sheet, n)) for n in ("cash_flow", "guarantees")},
    )
    bigger = run(scaled, *[replace(m, amount=up(m.amount), cost=up(m.cost)) for m in moves], framework=EVERY)
    assert [(c.check, c.verdict) for c in bigger.checks] == [(c.check, c.verdict) for c in base.checks]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_the_starting_point_pays_sells_no_more_than_it_may_and_harms_nothing(seed: int) -> None:
    sheet = random_sheet(np.random.default_rng(seed), EVERY, flow=True)
    if total_of(sheet, EVERY) <= debt_of(sheet):
        return
    moves = starting_point(sheet, EVERY)
    inside = {c for c, k in EVERY.classes.items() if k.bucket != "own_use"}
    lent_on = {x.secured_by for x in sheet.loans if x.value > 0}
    sellable = [x for x in sheet.items if any(c in inside for c, _ in x.mix) and x.asset_id not in lent_on]

    def taxed(x: Any) -> Decimal:
        """Tax on a unit sold."""
        return D(0) if x.basis is None or x.value == 0 else x.tax_rate * max(x.value - x.basis, D(0)) / x.value

    most = sum((x.available * (1 - x.sell_cost - taxed(x)) for x in sellable), D(0))
    if moves is None:
        assert most + sheet.cash_flow < 0
        return
    came = sum((m.amount - m.cost - m.tax for m in moves if m.side == "sell"), D(0))
    went = sum((m.amount + m.cost for m in moves if m.side == "buy"), D(0))
    with localcontext(Context(prec=60)):
        assert abs(came + sheet.cash_flow - went) <= D("1e-20") * max(abs(sheet.cash_flow), D(1))
    by_id = {x.asset_id: x for x in sheet.items}
    for m in moves:
        if m.side == "sell":
            x = by_id[m.asset_id]
            assert m.amount <= x.available
            assert m.asset_id not in lent_on
            assert not x.indivisible or m.amount == x.value
            assert abs(m.tax - m.amount * taxed(x)) <= D("1e-20") * m.amount
    assert len({m.asset_id for m in moves}) == len(moves)
    checks = [c for c in run(sheet, *moves, framework=EVERY).checks if c.sense != "=="]
    verdicts = {c.check: c.verdict for c in checks if c.check not in ("amounts", "lots", "suitability")}
    assert set(verdicts.values()) <= {"holds", "no_worse"}
    assert {"turnover", "cost", "sector", "cvar", "tracking", "tech"} <= set(verdicts)


@given(
    st.lists(
        st.builds(
            Move,
            asset_id=st.sampled_from(["cash", "stock", "flat", "coin", "ghost", "loan"]),
            side=st.sampled_from(["buy", "sell", "repay"]),
            amount=st.decimals(),
            cost=st.decimals(),
        ),
        max_size=6,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_moves_get_a_verdict(moves: list[Move]) -> None:
    c = run(FAMILY, *moves)
    assert len(c.checks) == len(run(FAMILY).checks)
    if any(not (m.amount.is_finite() and m.amount > 0) or m.asset_id == "ghost" for m in moves):
        assert "amounts" in failed(c)
