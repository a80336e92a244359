"""The tables of a plan in stages, each against a plain recount; books in other orders; families of the survey."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from test_staging import CASH, CLIENT, check, of

import allocator as al
from allocator.book import read_book
from allocator.errors import InputError
from allocator.limits import TOLERANCE
from allocator.pipeline import analyze
from allocator.plan import STATUSES
from allocator.staging import NOT_PLANNED, PER_CLIENT, Stages, _only, _reached, _undone, stages


@pytest.fixture(scope="module")
def whole(sample: Any) -> Stages:
    return stages(analyze(sample, on=ON))


def test_the_table_is_what_the_plans_say(whole: Stages) -> None:
    total = dict(zip(whole.plans[0].before.client_ids, whole.plans[0].before.exposures.total, strict=True))
    expected = []
    for client in whole.plans[0].before.client_ids:
        sides = [(0, whole.plans[0].before, None, None)]
        sides += [(k, p.after, p, p.before) for k, p in enumerate(whole.plans, 1)]
        for k, a, plan, unit_of in sides:
            s = a.summary[a.summary["client_id"] == client].iloc[0]
            limits = a.limits[a.limits["client_id"] == client]
            unit = float((unit_of or a).summary.loc[lambda t, c=client: t["client_id"] == c, "total"].iloc[0])
            row = [client, k, s["score"], s["limits_exceeded"], limits["excess"].sum() * unit / total[client]]
            row.append(s["volatility"])
            if plan is None:
                row += [None, *[np.nan] * 5]
            else:
                own = plan.trades[plan.trades["client_id"] == client]
                row.append(plan.summary.loc[plan.summary["client_id"] == client, "status"].iloc[0])
                row += [own.loc[own["side"] == side, "amount"].sum() for side in ("buy", "sell", "repay")]
                row += [own["cost"].sum(), own["tax"].sum()]
            expected.append(row)
    columns = ["client_id", "stage", "score", "limits_exceeded", "excess", "volatility", "status"]
    recount = pd.DataFrame(expected, columns=[*columns, "buys", "sells", "repaid", "cost", "tax"])
    assert whole.table["client_id"].tolist() == recount["client_id"].tolist()
    assert whole.table["stage"].tolist() == recount["stage"].tolist()
    assert whole.table["status"].fillna("").tolist() == recount["status"].fillna("").tolist()
    numbers = ["score", "limits_exceeded", "excess", "volatility", "buys", "sells", "repaid", "cost", "tax"]
    assert np.allclose(whole.table[numbers].astype(float), recount[numbers].astype(float), equal_nan=True)
    assert whole.table["certificate"].isna().equals(whole.table["stage"] == 0)
    assert whole.table["certificate"].dropna().all()


def test_excess_is_measured_against_today_in_every_stage() -> None:
    """New money doubles the total of the second stage; its excess is still said as a part of the first one's."""
    rows = [CASH, {"name": "firm", "asset_class": "private_business", "value": 900_000.0}]
    result = stages(of(rows, {"cash_flow": 1_200_000.0}))
    plan, last = result.plans[1], result.table[result.table["stage"] == 2].iloc[0]
    money = (plan.after.limits["excess"] * plan.before.exposures.total[0]).sum()
    assert plan.before.exposures.total[0] > 1.9 * result.plans[0].before.exposures.total[0]
    assert last["excess"] == pytest.approx(money / 1_200_000.0)
    assert money > 10_000


@pytest.mark.parametrize("picks", [(0, 1, 2, 3), (3, 0, 3)])
def test_a_limit_is_reached_when_it_holds_for_good(whole: Stages, picks: tuple[int, ...]) -> None:
    """Read out of order as well: then limits hold, are exceeded and hold again, which no run of stages may show."""
    plans = [whole.plans[k] for k in picks]
    reached = _reached(plans)
    over: dict[tuple[str, str, str], list[bool]] = {}
    for a in [plans[0].before, *(p.after for p in plans)]:
        judged = a.limits[a.limits["excess"].notna()]
        for row in judged.itertuples():
            over.setdefault((row.client_id, row.limit, row.sense), []).append(bool(row.excess > TOLERANCE))
    recount = {}
    for key, seen in over.items():
        if len(seen) == len(plans) + 1:
            recount[key] = next((k for k in range(len(seen)) if not any(seen[k:])), None)
    got = {(r.client_id, r.limit, r.sense): None if np.isnan(r.stage) else int(r.stage) for r in reached.itertuples()}
    assert got == recount
    assert reached["exceeded"].tolist() == [over[k][0] for k in got]
    assert {0, None} <= set(got.values())
    if len(picks) == 4:
        pd.testing.assert_frame_equal(whole.reached, reached)
        assert {1, 2} <= set(got.values())


def test_what_is_bought_and_sold_again_is_listed(whole: Stages) -> None:
    cash = {c for c, k in whole.plans[0].before.framework.classes.items() if k.liquidity == "cash" and not k.buy_cost}
    left: dict[tuple[str, str], float] = {}
    back: dict[tuple[str, str], float] = {}
    for plan in whole.plans:
        for row in plan.trades[~plan.trades["asset_class"].isin(cash)].itertuples():
            key = (row.client_id, row.asset_id)
            if row.side == "sell":
                now = min(left.get(key, 0.0), row.amount)
                left[key] = left.get(key, 0.0) - now
                back[key] = back.get(key, 0.0) + now
            elif row.side == "buy":
                left[key] = left.get(key, 0.0) + row.amount
    found = {(r.client_id, r.asset_id): r.amount for r in whole.undone.itertuples()}
    assert found == pytest.approx({k: v for k, v in back.items() if v > 0.005}, abs=0.01)
    assert found
    assert (whole.undone["cost"] <= 0.2 * whole.undone["amount"]).all()
    assert whole.undone["cost"].sum() > 0


def test_the_cost_of_what_is_undone_is_both_fees() -> None:
    """The first stage reaches for calm bonds, the next ones, with more of the firm sold, give them back."""
    rows = [CASH | {"value": 5_000.0}, {"name": "firm", "asset_class": "private_business", "value": 995_000.0}]
    result = stages(of(rows, {"risk_band": "aggressive"}))
    assert len(result.undone)
    for row in result.undone.itertuples():
        own = pd.concat([p.trades.assign(k=k) for k, p in enumerate(result.plans)])
        own = own[own["asset_id"] == row.asset_id]
        fee = own["cost"] + own["tax"]
        rates = (fee / own["amount"]).groupby(own["side"]).agg(["min", "max"])
        assert rates["min"].sum() - 1e-6 <= row.cost / row.amount <= rates["max"].sum() + 1e-6


def test_taxes_belong_to_the_cost_of_what_is_undone(whole: Stages) -> None:
    taxed = [replace(plan, trades=plan.trades.assign(tax=plan.trades["amount"] / 100)) for plan in whole.plans]
    more = _undone(taxed)["cost"] - whole.undone["cost"]
    assert np.allclose(more, whole.undone["amount"] * 0.02, atol=0.011)


def test_the_summary_counts_clients(whole: Stages) -> None:
    t, s = whole.table, whole.summary
    assert s["stage"].tolist() == list(range(5))
    planned = set(t[(t["stage"] == 1) & ~t["status"].isin(NOT_PLANNED)]["client_id"])
    rate = whole.plans[0].before.positions.rates
    currency = dict(whole.plans[0].before.positions.clients[["client_id", "currency"]].itertuples(index=False))
    for k in range(5):
        own = t[t["stage"] == k]
        assert {x: int(s.loc[k, x]) for x in STATUSES} == {x: int((own["status"] == x).sum()) for x in STATUSES}
        fine = own[own["client_id"].isin(planned) & (own["limits_exceeded"] == 0) & (own["status"] != "unfunded")]
        assert s.loc[k, "share_in_band"] == pytest.approx(len(fine) / len(planned))
        so_far = t[(t["stage"] <= k) & (t["stage"] > 0)]
        assert s.loc[k, "cost"] == pytest.approx(
            sum(c * rate[currency[i]] for i, c in zip(so_far["client_id"], so_far["cost"] + so_far["tax"], strict=True))
        )
    assert s["cost_share"].is_monotonic_increasing
    assert len(planned) == 22


def test_costs_without_a_rate_are_unknown_not_zero() -> None:
    rows = [CASH, {"name": "firm", "asset_class": "private_business", "value": 900_000.0}]
    result = stages(of(rows, {"currency": "USD"}), periods=1)
    if result.table["status"].iloc[1] == "invalid":
        pytest.skip("a client without a rate is not planned")
    assert result.table["cost"].iloc[1] > 0
    assert result.summary["cost"].isna().all()


def test_one_client(whole: Stages) -> None:
    own = whole.select("C001")
    assert set(own) == {"plans", "table", "reached", "undone"}
    assert own["table"]["stage"].tolist() == [0, 1, 2, 3, 4]
    assert [set(p["summary"]["client_id"]) for p in own["plans"]] == [{"C001"}] * 4
    assert len(own["undone"]) == (whole.undone["client_id"] == "C001").sum()
    with pytest.raises(InputError, match="no such client"):
        whole.select("nobody")


def test_repr_and_length(whole: Stages) -> None:
    assert len(whole) == 24
    text = repr(whole)
    assert text.startswith("Stages for 24 clients: 4 plans, 2026-09-30 to 2027-06-30")
    assert text.count("→") == 4
    assert "C001" not in text


def test_results_are_frozen_and_the_analysis_stays(sample: Any) -> None:
    analysis = analyze(sample.select(["C001", "C008"]), on=ON)
    before = {
        f.name: np.copy(v)
        for f in fields(analysis.positions)
        if isinstance(v := getattr(analysis.positions, f.name), np.ndarray)
    }
    result = stages(analysis, periods=2)
    for name, value in before.items():
        assert np.array_equal(getattr(analysis.positions, name), value, equal_nan=value.dtype.kind in "fM")
    assert result.plans[0].before is analysis
    with pytest.raises(FrozenInstanceError):
        result.plans = ()  # type: ignore[misc]


def test_every_array_of_holdings_is_cut_alike(sample: Any) -> None:
    """Numbers of holdings, clients, debts and classes all differ here, so a length tells what an array is about."""
    p = analyze(sample, on=ON).positions
    m = len(p.value)
    assert len({m, len(p), len(p) + 1, len(p.debts.value), len(p.mix_table)}) == 5
    arrays = {f.name: getattr(p, f.name) for f in fields(p) if isinstance(getattr(p, f.name), np.ndarray)}
    assert {name for name, x in arrays.items() if len(x) != m} == set(PER_CLIENT)
    keep = np.arange(m) % 3 > 0
    cut = _only(p, keep)
    for name, x in arrays.items():
        if name not in PER_CLIENT:
            kind = x.dtype.kind in "fM"
            assert np.array_equal(getattr(cut, name), x[keep], equal_nan=kind)
    assert cut.holdings["asset_id"].tolist() == p.holdings["asset_id"][keep].tolist()
    assert [cut.client[s:e].tolist() for s, e in zip(cut.start[:-1], cut.start[1:], strict=True)] == [
        [i] * int((cut.client == i).sum()) for i in range(len(p))
    ]


def test_what_was_sold_whole_is_gone_from_the_next_stage(whole: Stages) -> None:
    seen = 0
    for plan, following in zip(whole.plans, whole.plans[1:], strict=False):
        end, begin = plan.after.holdings, following.before.holdings
        left = end[end["value"] > 0].reset_index(drop=True)
        pd.testing.assert_frame_equal(left.drop(columns="weight"), begin.drop(columns="weight"))
        assert not begin.duplicated(["client_id", "asset_id"]).any()
        seen += len(end) - len(begin)
    assert seen > 0


def test_a_product_that_was_sold_whole_is_bought_and_sold_again() -> None:
    """The client had P1 once: a row of 0. Stages buy it, and give part of it back as more of the firm is sold."""
    rows = [CASH, {"name": "firm", "asset_class": "private_business", "value": 9_700_000.0}]
    rows += [{"name": "bonds", "asset_id": "P1", "asset_class": "bond_fund", "product_id": "P1", "value": 0.0}]
    names = (("P1", "bond_fund"), ("P2", "equity_fund"), ("P3", "hedge_fund"))
    shelf = [{"product_id": i, "name": i, "asset_class": c, "risk": 1} for i, c in names]
    result = stages(of([*rows], {"risk_band": "aggressive"}, products=shelf))
    check(result)
    assert "invalid" not in set(result.table["status"].dropna())
    assert "P1" in set(result.undone["asset_id"])


def test_the_order_of_clients_does_not_matter(sample: Any, whole: Stages) -> None:
    some = ["C018", "C001", "C016", "C008", "C012"]
    part = stages(analyze(sample.select(some), on=ON))
    assert part.plans[0].before.client_ids != some or len(part) == 5
    numbers = ["score", "excess", "volatility"]
    for client in some:
        a, b = (r.table[r.table["client_id"] == client].reset_index(drop=True) for r in (whole, part))
        assert a["status"].fillna("").tolist() == b["status"].fillna("").tolist()
        assert np.allclose(a[numbers], b[numbers], rtol=1e-3, atol=1e-4, equal_nan=True)


def test_rows_in_another_order_give_the_same_stages() -> None:
    rows = [
        (c, name, klass, value * k)
        for k, c in enumerate("abcd", 1)
        for name, klass, value in (
            ("cash", "deposit", 50_000.0),
            ("firm", "private_business", 600_000.0),
            ("flat", "investment_property", 300_000.0),
        )
    ]
    people = [
        CLIENT | {"client_id": c, "risk_band": b} for c, b in zip("abcd", ["balanced", "aggressive"] * 2, strict=True)
    ]
    one = stages(analyze(make_book(rows, people), on=ON), periods=3)
    other = stages(analyze(make_book(rows[::-1], people[::-1]), on=ON), periods=3)
    assert other.plans[0].before.client_ids != one.plans[0].before.client_ids
    order = ["client_id", "stage"]
    x, y = (r.table.sort_values(order, ignore_index=True) for r in (one, other))
    assert x["status"].fillna("").tolist() == y["status"].fillna("").tolist()
    for column in ("score", "excess", "volatility", "sells"):
        assert np.allclose(x[column], y[column], rtol=1e-3, atol=1e-3 * 950_000, equal_nan=True)
    assert one.summary["share_in_band"].tolist() == other.summary["share_in_band"].tolist()


def test_users_own_limits_hold_in_every_stage() -> None:
    gold = al.limit("no_gold", 0.05, counts=lambda f: (f["asset_class"] == "gold").astype(float))
    rows = [CASH, {"name": "firm", "asset_class": "private_business", "value": 900_000.0}]
    rows += [{"name": "gold", "asset_class": "gold", "value": 200_000.0}]
    people = [CLIENT]
    book = make_book(pd.DataFrame([{"client_id": "a"} | r for r in rows]), people)
    result = stages(analyze(book, on=ON, limits=[gold]), periods=3)
    assert "no_gold" in set(result.reached["limit"])
    for plan in result.plans:
        assert "no_gold" in set(plan.before.limits["limit"])
        assert "no_gold" in set(plan.checks["check"])
    assert result.reached.set_index("limit").loc["no_gold", "stage"] == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_books(seed: int) -> None:
    """Twelve made-up families: locks, pledges, whole assets, debts, money due; every property holds."""
    rng = np.random.default_rng(seed)
    classes = ["deposit", "gold", "listed_equity", "bond_fund", "investment_property", "private_business", "hedge_fund"]
    classes += ["crypto", "retirement_account", "corporate_bond", "own_home", "collectible"]
    rows, people, debts = [], [], []
    for i in range(12):
        people.append(
            {
                "client_id": f"k{i}",
                "risk_band": str(rng.choice(["conservative", "balanced", "aggressive"])),
                "monthly_spending": float(rng.choice([1e3, 1e4])),
                "cash_flow": float(rng.choice([0.0, 0.0, 50_000.0, -20_000.0, -9e6])),
            }
        )
        for k in range(int(rng.integers(2, 9))):
            klass = str(rng.choice(classes))
            rows.append(
                {
                    "client_id": f"k{i}",
                    "asset_id": f"x{k}",
                    "name": klass,
                    "asset_class": klass,
                    "value": round(float(10 ** rng.uniform(3, 7)), 2),
                    "sellable": float(rng.choice([np.nan, np.nan, 0.0, 0.1, 1 / 3, 1.0])),
                    "locked_until": str(rng.choice(["", "", "2026-12-30", "2027-02-01", "2040-01-01"])),
                    "pledged": bool(rng.random() < 0.1),
                    "indivisible": bool(rng.random() < 0.2),
                }
            )
        if rng.random() < 0.5:
            debts.append({"client_id": f"k{i}", "value": round(float(10 ** rng.uniform(3, 6)), 2), "secured_by": "x0"})
    result = stages(analyze(make_book(pd.DataFrame(rows), people, debts=debts), on=ON))
    check(result)
    assert set(result.table["status"].dropna()) <= set(STATUSES)
    assert (result.table["sells"].fillna(0) > 0).sum() > 5


def test_families_of_the_survey(shared: Any) -> None:
    """A sample of 25: each quarter brings more of them into their band, none gets worse, every plan is certified."""
    book = read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf")
    some = sorted(book.clients["client_id"])[::19][:25]
    result = stages(analyze(book.select(some), on=ON))
    check(result)
    shares = result.summary["share_in_band"]
    assert shares.is_monotonic_increasing
    assert shares[1] < 0.6 < shares[4]
    score = result.table[result.table["stage"] > 0].groupby("client_id")["score"].diff()
    assert score.max() < 1.0
