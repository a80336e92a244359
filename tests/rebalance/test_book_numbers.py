"""Arrays of the book engine against the planner of single clients: the same instruments, starts, limits, amounts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from book_analyses import programme, sample_analysis, singles, survey_analysis, world_analysis

from allocator.analysis import Analysis
from allocator.limits import TOLERANCE
from allocator.rebalance.book import judge
from allocator.rebalance.book.active_set import SOLVED
from allocator.rebalance.book.cents import cost_cents, to_cents
from allocator.rebalance.book.flat import Flat, flat_of
from allocator.rebalance.book.groups import groups_of
from allocator.rebalance.book.labels import Labels
from allocator.rebalance.book.motives import motives, reason_list
from allocator.rebalance.book.numbers import Batch, batch_of
from allocator.rebalance.book.starts import Starts, starts_of
from allocator.rebalance.book.sweep import allowed_of, solve_batch
from allocator.rebalance.conic import DUAL, PRIMAL
from allocator.rebalance.model import constant, padded
from allocator.rebalance.optimise import Trades
from allocator.rebalance.planner import Planner
from allocator.rebalance.reasons import reasons
from allocator.rebalance.rounding import to_money
from allocator.rebalance.solve import solve
from allocator.rebalance.start import shortfall
from allocator.rebalance.whole import choices

SEEDS = (0, 1, 2, 3, 4)
COLUMNS = (
    "holding", "debt", "klass", "mix", "risk", "w0", "sellable", "buyable", "most", "buy_cost", "sell_cost", "tax",
    "minimum", "lot", "named", "reserve", "at_par", "locked", "indivisible", "sell_first", "service", "inside",
    "counts", "leaving",
)  # fmt: skip


@cache
def world(seed: int) -> tuple[Analysis, Planner, Flat, Starts, Any, list[Any]]:
    analysis = sample_analysis() if seed < 0 else world_analysis(seed)
    planner = Planner(analysis, True, False)
    one_by_one = list(singles(analysis))
    who = np.array([i for i, _, _ in one_by_one], dtype="intp")
    flat = flat_of(who, planner.context)
    flow = analysis.positions.cash_flow[who] / analysis.exposures.total[who]
    starts = starts_of(flat, flow, Labels(flat, planner.context).asset_id(np.arange(len(flat))))
    return analysis, planner, flat, starts, flow, one_by_one


def batches(seed: int) -> list[Batch]:
    _, planner, flat, starts, flow, _ = world(seed)
    among = np.flatnonzero(~starts.unfunded)
    return [batch_of(g, starts, flow) for g in groups_of(flat, among, planner.context)]


@pytest.mark.parametrize("seed", [-1, *SEEDS])
def test_instruments(seed: int) -> None:
    _, planner, flat, _, _, one_by_one = world(seed)
    labels = Labels(flat, planner.context)
    for k, (_, x, _) in enumerate(one_by_one):
        mine = slice(flat.start[k], flat.start[k + 1])
        assert len(x) == mine.stop - mine.start
        for name in COLUMNS:
            assert np.array_equal(getattr(x, name), getattr(flat, name)[mine], equal_nan=True), name
        assert flat.cash[k] - mine.start == x.cash
        place = flat.secures[mine]
        assert set(x.secures) == {(int(j), int(place[j] - mine.start)) for j in np.flatnonzero(place >= 0)}
        for code in ("issuer", "asset"):
            theirs, ours = getattr(x, code), getattr(flat, code)[mine]
            assert np.array_equal(theirs[:, None] == theirs, ours[:, None] == ours), code
        rows = np.arange(mine.start, mine.stop)
        assert labels.asset_id(rows).tolist() == list(x.asset_id)
        assert labels.name(rows).tolist() == list(x.name)
        assert labels.product_id(rows).tolist() == list(x.product_id)
        assert labels.issuer(rows).tolist() == list(x.issuer_name)


@pytest.mark.parametrize("seed", [-1, *SEEDS])
def test_starting_points(seed: int) -> None:
    _, _, flat, starts, flow, one_by_one = world(seed)
    for k, (_, x, start) in enumerate(one_by_one):
        mine = slice(flat.start[k], flat.start[k + 1])
        assert bool(starts.unfunded[k]) == (start is None)
        if start is None:
            assert starts.missing[k] == pytest.approx(shortfall(x, float(flow[k])), abs=1e-14)
            continue
        for name in ("buy", "sell", "weights"):
            assert np.allclose(getattr(starts, name)[mine], getattr(start, name), atol=1e-14)
        assert starts.total[k] == pytest.approx(start.total, abs=1e-14)


def canonical(values: dict[str, Any]) -> Any:
    """Limit rows in an order of their own: issuers may come in any."""
    names = ("rows", "bound", "row_most", "row_allowance", "row_price")
    table = np.column_stack([values[c] for c in names])
    return table[np.lexsort(np.round(table.T, 9))]


@pytest.mark.parametrize("seed", [-1, *SEEDS])
def test_parameters_of_the_programme(seed: int) -> None:
    analysis, planner, _, _, _, one_by_one = world(seed)
    by = {i: (x, start) for i, x, start in one_by_one}
    for batch in batches(seed):
        allowed = allowed_of(batch)
        for k, i in enumerate(batch.group.place.tolist()):
            x, start = by[i]
            problem = programme(i, x, start, planner)
            expected = padded(problem, batch.group.shape)
            found = {name: values[k] for name, values in batch.values.items()}
            assert set(found) == set(expected)
            assert np.allclose(canonical(found), canonical(expected), atol=1e-12)
            for name in set(found) - {"rows", "bound", "row_most", "row_allowance", "row_price"}:
                assert np.allclose(found[name], expected[name], atol=1e-12), name
            assert batch.offset[k] == pytest.approx(constant(problem), abs=1e-12)
            may = choices(problem, x, float(analysis.exposures.total[i]))
            n = len(x)
            assert np.allclose(allowed.least[k, :, :n], [may.buy_least, may.sell_least], atol=1e-15)
            assert np.allclose(allowed.step[k, :n], may.buy_step, atol=1e-15)


@pytest.mark.parametrize("seed", [-1, *SEEDS])
def test_trades_are_judged_rounded_and_explained_alike(seed: int) -> None:
    """Random trades within their bounds: the same objective, excess, cents and reasons."""
    analysis, planner, _, _, _, one_by_one = world(seed)
    by = {i: (x, start) for i, x, start in one_by_one}
    rng = np.random.default_rng([seed + 1, 3])
    known = reason_list(planner.context)
    for batch in batches(seed):
        g = batch.group
        shape = g.w0.shape
        sell = batch.values["most_sell"] * rng.random(shape) * (rng.random(shape) < 0.4)
        buy = np.minimum(batch.values["most_buy"], 0.1) * rng.random(shape) * (rng.random(shape) < 0.3)
        worth, amounts = judge.objective(batch, buy, sell), to_cents(batch, buy, sell)
        after = g.w0 + (amounts.buy - amounts.sell) / (g.total[:, None] * 100)
        why, over = motives(batch, after), judge.excess(batch, after)
        calm = judge.in_order(batch, judge.excess(batch, batch.start[0]), TOLERANCE)
        for k, i in enumerate(g.place.tolist()):
            x, start = by[i]
            n = len(x)
            problem = programme(i, x, start, planner)
            assert worth[k] == pytest.approx(problem.objective(buy[k, :n], sell[k, :n]), abs=1e-9)
            value = np.array([analysis.positions.value[h] if h >= 0 else 0.0 for h in x.holding])
            trades = Trades(buy[k, :n], sell[k, :n], 0.0, 0.0, 0.0, "")
            money = to_money(trades, x, value, float(g.total[k]), float(analysis.positions.cash_flow[i]))
            for side in ("buy", "sell", "buy_cost", "sell_cost", "tax"):
                assert np.array_equal(getattr(amounts, side)[k, :n], getattr(money, side)), side
            assert over.worst[k] == pytest.approx(problem.excess(after[k, :n]).worst, abs=1e-12)
            assert planner._in_order(i, problem) == calm[k]
            expected = reasons(problem, x, planner.context, after[k, :n])
            for j in np.flatnonzero((money.buy > 0) | (money.sell > 0)):
                assert known[why[k, j]] == expected[j]


@pytest.mark.parametrize("seed", [-1, *SEEDS])
def test_the_optimum_without_whole_amounts(seed: int) -> None:
    """Every answer proves itself, and is that of the other solver within a millionth."""
    _, planner, _, _, _, one_by_one = world(seed)
    by = {i: (x, start) for i, x, start in one_by_one}
    for batch in batches(seed):
        answers = solve_batch(batch, np.zeros(len(batch.offset), dtype=bool))
        assert (answers.status == SOLVED).all()
        assert answers.proof[:, 0].max() <= PRIMAL
        assert answers.proof[:, 1:].max() <= DUAL
        for k, i in enumerate(batch.group.place.tolist()):
            found = solve(programme(i, *by[i], planner))
            assert found is not None
            assert answers.relaxed[k] == pytest.approx(found.objective, abs=1e-6, rel=1e-6)


def test_half_cents_go_to_the_even_one() -> None:
    cents = np.array([50, 150, 250, 10**15 + 50, 3])
    rate = np.array([0.01, 0.01, 0.01, 0.01, 0.5])
    assert cost_cents(cents, rate).tolist() == [0, 2, 2, 10**13, 2]


def test_survey(shared: Callable[[str], Path]) -> None:
    """The instruments of the real families: nobody is left out, and every client has a cash account."""
    analysis = survey_analysis(shared)
    planner = Planner(analysis, True, False)
    flat = flat_of(np.arange(len(analysis)), planner.context)
    assert len(flat.cash) == 467
    assert (flat.client[flat.cash] == np.arange(467)).all()
