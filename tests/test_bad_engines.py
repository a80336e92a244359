"""Engines that break, on one client or all: the other one steps in, nobody else is touched, nothing unproved shown."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
from conftest import ON, ROOT
from judged import ANSWERED
from small import CLASSIC, LONG_RUN, client, holding

import allocator as al
from allocator.rebalance.book import compiled, plans, sweep
from allocator.rebalance.book.active_set import INFEASIBLE, LOST
from allocator.rebalance.conic import Cone
from allocator.rebalance.solve import UNPROVED

WHO = ("a", "b", "c", "d")


def analysis(assumptions: Any = LONG_RUN) -> al.Analysis:
    """Four families of one shape who all need a plan."""
    rows = [
        row
        for k, who in enumerate(WHO)
        for row in (
            holding(client_id=who, asset_id="cash", value=1e5 * (k + 1)),
            holding(client_id=who, asset_id="bonds", asset_class="government_bond", value=2e5),
            holding(client_id=who, asset_id="index", asset_class="equity_fund", value=9e5),
            holding(client_id=who, asset_id="flat", asset_class="investment_property", value=8e5 + 1e5 * k),
        )
    ]
    people = [client(client_id=who, monthly_spending=100.0) for who in WHO]
    book = al.read_book(pd.DataFrame(rows), clients=pd.DataFrame(people))
    return al.analyze(book, CLASSIC, assumptions=assumptions, on=ON)


def plan(engine: Any, of: al.Analysis | None = None) -> al.Plan:
    found = al.rebalance(analysis() if of is None else of, explain=False, engine=engine)
    assert found.summary["certificate"].all()
    assert set(found.trades["client_id"]) <= set(found.summary.loc[found.summary["status"] != "invalid", "client_id"])
    return found


def of(table: pd.DataFrame, *who: str) -> pd.DataFrame:
    return table[table["client_id"].isin(who)].reset_index(drop=True)


def spoil_trades(answers: sweep.Answers, batch: Any, at: int) -> None:
    rng = np.random.default_rng(7)
    answers.buy[at] = rng.uniform(0, 0.3, answers.buy.shape[1])
    answers.sell[at] = rng.uniform(0, 1, answers.sell.shape[1]) * batch.values["most_sell"][at]


def all_sold(answers: sweep.Answers, batch: Any, at: int) -> None:
    """It also says that this is worth a great deal."""
    answers.sell[at], answers.buy[at] = batch.values["most_sell"][at], 0.0
    answers.objective[at] = answers.relaxed[at] = answers.bound[at] = -1e9


def no_number(answers: sweep.Answers, batch: Any, at: int) -> None:  # noqa: ARG001
    answers.buy[at] = answers.sell[at] = answers.objective[at] = np.nan


def endless(answers: sweep.Answers, batch: Any, at: int) -> None:  # noqa: ARG001
    answers.buy[at, 0] = np.inf


def untouched(answers: sweep.Answers, batch: Any, at: int) -> None:  # noqa: ARG001
    """What it says of its own worth is another answer's."""
    answers.buy[at] = answers.sell[at] = 0.0


def gives_up(answers: sweep.Answers, batch: Any, at: int) -> None:  # noqa: ARG001
    answers.status[at], answers.found[at] = LOST, False


def refuses(answers: sweep.Answers, batch: Any, at: int) -> None:  # noqa: ARG001
    answers.status[at], answers.found[at] = INFEASIBLE, False


SPOILT: dict[str, Callable[[sweep.Answers, Any, int], None]] = {
    "book-random-trades": spoil_trades,
    "book-everything-sold": all_sold,
    "book-nan": no_number,
    "book-inf": endless,
    "book-nothing-done": untouched,
    "book-gives-up": gives_up,
    "book-says-infeasible": refuses,
}


@pytest.mark.parametrize("how", list(SPOILT))
def test_one_answer_of_the_book_engine(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Client ``b`` is planned by the other engine, the three others as if nothing had been."""
    whole, alone = plan("book"), plan("client")
    assert set(whole.summary["solver"]) == {plans.SOLVER}
    real = plans.solve_batch

    def spoilt(batch: Any, skip: Any) -> sweep.Answers:
        answers = real(batch, skip)
        for at in np.flatnonzero(batch.group.place == WHO.index("b")):
            SPOILT[how](answers, batch, int(at))
        return answers

    monkeypatch.setattr(plans, "solve_batch", spoilt)
    found = plan("book")
    for name in ("summary", "trades", "checks"):
        table = getattr(found, name)
        pd.testing.assert_frame_equal(of(table, "b"), of(getattr(alone, name), "b"), obj=name)
        pd.testing.assert_frame_equal(of(table, "a", "c", "d"), of(getattr(whole, name), "a", "c", "d"), obj=name)
    ANSWERED.add(how)


RAISED: dict[str, Exception] = {
    "book-raises": ValueError("broken"),
    "book-divides": ZeroDivisionError(),
    "book-no-memory": MemoryError(),
}


@pytest.mark.parametrize("how", list(RAISED))
def test_a_book_engine_that_raises(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody is planned one by one, and it is said."""
    alone = plan("client")

    def broken(*_: Any) -> Any:
        raise RAISED[how]

    monkeypatch.setattr(plans, "solve_batch", broken)
    with pytest.warns(RuntimeWarning, match=rf"broke \({type(RAISED[how]).__name__}\) on 4 clients"):
        found = plan("book")
    pd.testing.assert_frame_equal(found.summary, alone.summary)
    pd.testing.assert_frame_equal(found.trades, alone.trades)
    ANSWERED.add(how)


BROKEN: dict[str, Any] = {
    "both-raise": RuntimeError("broken"),
    "both-nan": "optimal",
    "both-say-infeasible": "infeasible",
    "both-say-unbounded": "unbounded",
}


@pytest.mark.parametrize("how", list(BROKEN))
def test_both_engines_broken(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has a plan, and nobody is told one: not even that none can be had."""
    told = BROKEN[how]

    def general(self: cp.Problem, *_: Any, **__: Any) -> None:
        if isinstance(told, Exception):
            raise told
        for variable in self.variables():
            variable.save_value(np.full(variable.shape, np.nan))
        self._status, self._value = told, np.nan

    def fast(*_: Any) -> Any:
        raise told if isinstance(told, Exception) else FloatingPointError

    monkeypatch.setattr(plans, "solve_batch", fast)
    monkeypatch.setattr(Cone, "solve", fast)
    monkeypatch.setattr(Cone, "proof", lambda *_: UNPROVED)
    monkeypatch.setattr(cp.Problem, "solve", general)
    for engine in ("client", "book"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            found = plan(engine)
        assert set(found.summary["status"]) == {"invalid"}
        assert set(found.summary["reason"]) == {"no_verified_plan"}
        assert found.trades.empty
    ANSWERED.add(how)


def correlated(change: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Assumptions with a matrix that no file could bring in: the checks of the file are passed by."""
    usual = LONG_RUN.correlation
    rows = change(np.array(usual.rows, dtype=float))
    return LONG_RUN.model_copy(
        update={"correlation": usual.model_copy(update={"rows": tuple(tuple(map(float, r)) for r in rows)})}
    )


def indefinite(c: np.ndarray) -> np.ndarray:
    c[0, 1] = c[1, 0] = c[0, 3] = c[3, 0] = 0.99
    c[1, 3] = c[3, 1] = -0.9
    return c


def lopsided(c: np.ndarray) -> np.ndarray:
    c[0, 1] += 0.3
    return c


def holed(c: np.ndarray) -> np.ndarray:
    c[1, 2] = c[2, 1] = np.nan
    return c


COVARIANCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "past-the-file-indefinite": indefinite,
    "past-the-file-asymmetric": lopsided,
    "past-the-file-nan": holed,
    "past-the-file-singular": np.ones_like,
    "past-the-file-endless": lambda c: c + np.inf,
}


@pytest.mark.parametrize("how", list(COVARIANCES))
def test_correlations_past_the_file(how: str) -> None:
    """Refused by name; those that can hold are planned by both engines alike."""
    assumptions = correlated(COVARIANCES[how])
    if how == "past-the-file-singular":
        one, two = (plan(engine, analysis(assumptions)) for engine in ("client", "book"))
        assert one.summary["status"].tolist() == two.summary["status"].tolist()
    else:
        with pytest.raises(al.ConfigError, match=r"assumptions 'long_run': correlation\.rows (must|is not)"):
            analysis(assumptions)
    ANSWERED.add(how)


@pytest.mark.parametrize("scale", [pytest.param(s, id=f"volatility-{s:g}") for s in (1e-12, 1e-6, 1e3, 1e6)])
def test_scales(scale: float) -> None:
    """All volatilities times something: a certified plan or none, the same status from both engines."""
    factors = {k: f.model_copy(update={"volatility": f.volatility * scale}) for k, f in LONG_RUN.factors.items()}
    today = analysis(LONG_RUN.model_copy(update={"factors": factors}))
    one, two = plan("client", today), plan("book", today)
    assert one.summary["status"].tolist() == two.summary["status"].tolist()
    assert not set(one.summary["status"]) & {"infeasible"}
    ANSWERED.add(f"volatility-{scale:g}")


# ---- what the compiler keeps

KEPT = """
import sys, numpy as np
sys.path.insert(0, sys.argv[1])
from allocator.rebalance.book.compiled import folder
import tiny
print(tiny.twice(21.0), folder())
"""
TINY = """
from allocator.rebalance.book.compiled import compiled

@compiled
def twice(x):
    return 2 * x
"""


def kept(place: Path, **env: str | None) -> str:
    given = {k: v for k, v in (os.environ | {"PYTHONPATH": str(ROOT)} | env).items() if v is not None}
    args = [sys.executable, "-c", KEPT, str(place)]
    done = subprocess.run(args, capture_output=True, text=True, env=given, check=False)
    assert done.returncode == 0, done.stderr
    value, _, folder = done.stdout.strip().partition(" ")
    assert value == "42.0"
    return folder


def test_what_the_compiler_keeps(tmp_path: Path) -> None:
    """Cut off, emptied, of another version, nowhere to be kept: compiled again, and right."""
    (tmp_path / "tiny.py").write_text(TINY, "utf-8")
    home = tmp_path / "cache"
    folder = Path(kept(tmp_path, XDG_CACHE_HOME=str(home)))
    assert home in folder.parents
    for ending, data in ((".nbi", b"garbage"), (".nbc", b"\x80\x05"), (".nbi", b""), (".nbc", b"")):
        [file] = folder.rglob(f"tiny.*{ending}")
        file.write_bytes(data)
        assert kept(tmp_path, XDG_CACHE_HOME=str(home)) == str(folder)
        assert [f.stat().st_size for f in folder.rglob(f"tiny.*{ending}")] > [100]  # what was spoilt is whole again
    (index,) = folder.rglob("tiny.*.nbi")
    index.write_bytes(index.read_bytes().replace(b"0.", b"9.", 1))
    kept(tmp_path, XDG_CACHE_HOME=str(home))
    ANSWERED.update({"cache-spoilt", "cache-of-another-version"})
    (tmp_path / "file").write_bytes(b"")
    elsewhere = kept(tmp_path, XDG_CACHE_HOME=str(tmp_path / "file"), TMPDIR=str(tmp_path))
    assert elsewhere.startswith(str(tmp_path / "allocator-"))
    ANSWERED.add("cache-unwritable")
    assert kept(tmp_path, XDG_CACHE_HOME=None, HOME=None, TMPDIR=str(tmp_path))
    ANSWERED.add("cache-without-a-home")


def test_a_full_disk_keeps_nothing() -> None:
    class Full:
        def save_overload(self, *_: Any) -> None:
            raise OSError(28, "No space left on device")

        flush = save_overload

    assert compiled.Kept(Full()).save_overload(None, None) is None  # type: ignore[func-returns-value]
    ANSWERED.add("cache-on-a-full-disk")


ITEMS = (
    *(*SPOILT, *RAISED, *BROKEN, *COVARIANCES),
    *(f"volatility-{s:g}" for s in (1e-12, 1e-6, 1e3, 1e6)),
    *("cache-spoilt", "cache-of-another-version", "cache-unwritable", "cache-without-a-home", "cache-on-a-full-disk"),
)
