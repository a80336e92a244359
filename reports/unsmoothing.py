"""What smoothed prices do to an optimiser: ``python reports/unsmoothing.py`` draws it in both languages.

The same expected returns, twice: with the risk of houses and private firms as published (appraised, smoothed, and an
index in the place of one house or one firm), and with the risk that the assumptions say. Needs Damodaran's yearly
returns and the balance sheets of the Survey of Consumer Finances, which are not part of this project (another folder
can be named on the command line); without them nothing is drawn.
"""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import allocator as al
from allocator.assumptions import Assumptions, risk_table
from allocator.drawing import AFTER, TARGET, TODAY, cjk_font
from allocator.framework import Framework
from allocator.pipeline import measure
from allocator.shrinkage import first_autocorrelation

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
SERIES, FAMILIES = "returns/us_annual_1928_2015.csv", "scf/scf2022_even_entrepreneurs.csv"
DAY = dt.date(2026, 9, 30)
FILES = {"en": HERE / "unsmoothing.png", "zh": HERE / "unsmoothing.zh.png"}

REPORTED: Final = {"volatility": 0.097, "with_shares": 0.30}
"""Private equity as its index reports it (PitchBook Private Capital index, quoted by ALPS Advisors 2025, who find 19%
and 0.9 once it is unsmoothed; PIMCO, Journal of Portfolio Management 2022: close to 30% in the place of 10%)."""
LIMITS: Final = (0.05, 0.12, 0.20)
"""Volatilities that the bands allow."""
PARTS: Final = {
    "safe": ("deposit", "government_bond", "corporate_bond"),
    "shares": ("equity_fund", "hedge_fund", "gold"),
    "property": ("investment_property",),
    "private": ("private_equity",),
}
COLOURS: Final = {"safe": "#D9D9D9", "shares": "#9AC5E3", "property": TARGET, "private": AFTER}
WORDS: Final = {
    "en": {
        "title": "What smoothed prices do to an optimiser",
        "before": "as published",
        "after": "unsmoothed",
        "one": "one house or firm",
        "property": "Property",
        "private": "Private equity",
        "volatility": "Volatility a year",
        "mix": "Best mix for a volatility of at most …",
        "naive": "published",
        "ours": "ours",
        "safe": "Cash and bonds",
        "shares": "Shares, hedge funds, gold",
        "families": "Of 467 families, over their volatility limit",
        "today": "today",
        "planned": "after a plan made with\npublished figures",
        "planned_ours": "after a plan made\nwith ours",
        "seen": "judged by published figures",
        "true": "judged by ours",
    },
    "zh": {
        "title": "平滑的价格如何误导优化",
        "before": "公布数据",
        "after": "去平滑",
        "one": "单套房或单个企业",
        "property": "房产",
        "private": "私募股权",
        "volatility": "年波动率",
        "mix": "波动率上限下的最优组合",
        "naive": "公布",
        "ours": "本假设",
        "safe": "现金与债券",
        "shares": "股票、对冲基金、黄金",
        "families": "467 个家庭中超出波动率上限的户数",
        "today": "当前",
        "planned": "按公布数据\n规划之后",
        "planned_ours": "按本假设\n规划之后",
        "seen": "按公布数据判断",
        "true": "按本假设判断",
    },
}


def smoothed(base: Assumptions, years: pd.DataFrame) -> Assumptions:
    """The assumptions of somebody who takes published series as they are.

    Property has the volatility of the published house prices, and correlations lower by as much as those of house
    prices with shares are; private equity those of its index; one house or firm moves like the index.
    """
    tree = base.model_dump(by_alias=True)
    order, r = list(base.correlation.order), np.array(base.correlation.rows)
    at = {name: order.index(name) for name in ("equity", "property", "private_equity")}
    scale = np.ones(len(order))
    scale[at["property"]] = years["real_estate"].corr(years["sp500"]) / r[at["property"], at["equity"]]
    scale[at["private_equity"]] = REPORTED["with_shares"] / r[at["private_equity"], at["equity"]]
    rows = r * np.outer(scale, scale)
    np.fill_diagonal(rows, 1.0)
    tree["correlation"]["rows"] = rows.tolist()
    tree["factors"]["property"]["volatility"] = float(years["real_estate"].std())
    tree["factors"]["private_equity"]["volatility"] = REPORTED["volatility"]
    for code in ("investment_property", "private_business", "private_equity"):
        tree["classes"][code]["idiosyncratic"] = 0.0
    return Assumptions.model_validate(tree)


def best_mix(assumptions: Assumptions, framework: Framework, volatility: float) -> dict[str, float]:
    """The mix of the highest expected return with a volatility of at most so much: shares of the parts."""
    import cvxpy as cp

    codes = [c for part in PARTS.values() for c in part]
    at = [framework.class_codes.index(c) for c in codes]
    table = risk_table(framework, assumptions)
    w = cp.Variable(len(at), nonneg=True)
    risk = cp.norm(cp.hstack([table.loadings[at].T @ w, cp.multiply(table.idiosyncratic[at], w)]))
    problem = cp.Problem(cp.Maximize(table.mean[at] @ w), [cp.sum(w) == 1, risk <= volatility])
    problem.solve(solver=cp.CLARABEL)
    assert problem.status == "optimal"
    found = dict(zip(codes, np.maximum(w.value, 0.0), strict=True))
    return {part: float(sum(found[c] for c in inside)) for part, inside in PARTS.items()}


def over(analysis: al.Analysis) -> int:
    """Families over the volatility that their band allows."""
    limits = analysis.limits
    return int(limits.loc[limits["limit"] == "volatility", "exceeded"].sum())


def families(book: al.Book, naive: Assumptions, ours: Assumptions, framework: Framework) -> dict[str, tuple[int, int]]:
    """Families over their volatility limit, judged by published figures and by ours: today, and after each plan.

    The plans aim for the highest expected return inside the band.
    """
    out = {}
    seen, true = (al.analyze(book, framework, assumptions=a, on=DAY) for a in (naive, ours))
    out["today"] = (over(seen), over(true))
    for name, start in (("planned", seen), ("planned_ours", true)):
        after = al.rebalance(start, goal="return", explain=False).after
        judged = [measure(after.positions, framework, a, on=DAY, issues=after.issues) for a in (naive, ours)]
        out[name] = (over(judged[0]), over(judged[1]))
    return out


def volatilities(base: Assumptions, years: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Property and private equity: as published, unsmoothed, and a single house or firm."""
    own = {"property": "investment_property", "private": "private_business"}
    market = {"property": base.factors["property"].volatility, "private": base.factors["private_equity"].volatility}
    published = {"property": float(years["real_estate"].std()), "private": REPORTED["volatility"]}
    return {k: (published[k], market[k], math.hypot(market[k], base.classes[own[k]].idiosyncratic)) for k in own}


def _plain(ax: Axes, title: str) -> None:
    ax.set_title(title, loc="left", fontproperties=cjk_font(10.5), pad=8)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_yticks([])
    ax.tick_params(length=0)


def _legend(ax: Axes, count: int) -> None:
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=count, frameon=False, prop=cjk_font(8.5))


def _ticks(ax: Axes, places: Iterable[float], names: list[str]) -> None:
    ax.set_xticks(list(places), names, fontproperties=cjk_font(9))


def _bars(ax: Axes, said: dict[str, str], found: dict[str, tuple[float, float, float]]) -> None:
    for k, (key, colour) in enumerate(zip(("before", "after", "one"), (TODAY, AFTER, TARGET), strict=True)):
        heights = [found[name][k] for name in found]
        bars = ax.bar([i + 0.27 * (k - 1) for i in range(len(found))], heights, 0.25, color=colour, label=said[key])
        ax.bar_label(bars, [f"{h:.1%}" for h in heights], fontproperties=cjk_font(9), padding=2)
    _ticks(ax, range(len(found)), [said[name] for name in found])
    _plain(ax, said["volatility"])
    _legend(ax, 3)


def _mixes(ax: Axes, said: dict[str, str], mixes: dict[str, list[dict[str, float]]]) -> None:
    places = [g + d for g in range(len(LIMITS)) for d in (-0.2, 0.2)]
    stacks = [mixes[who][g] for g in range(len(LIMITS)) for who in ("naive", "ours")]
    bottom = np.zeros(len(places))
    for part in PARTS:
        heights = np.array([s[part] for s in stacks])
        ax.bar(places, heights, 0.36, bottom=bottom, color=COLOURS[part], label=said[part])
        for x, h, b in zip(places, heights, bottom, strict=True):
            if h > 0.06:
                dark = part in ("property", "private")
                text = {"ha": "center", "va": "center", "color": "white" if dark else "#333333"}
                ax.text(x, b + h / 2, f"{h:.0%}", fontproperties=cjk_font(8.5), **text)
        bottom += heights
    names = [said[who] for _ in LIMITS for who in ("naive", "ours")]
    _ticks(ax, places, [f"{n}\n{LIMITS[i // 2]:.0%}" for i, n in enumerate(names)])
    _plain(ax, said["mix"])
    _legend(ax, 2)


def _counts(ax: Axes, said: dict[str, str], counts: dict[str, tuple[int, int]]) -> None:
    for k, (key, colour) in enumerate(zip(("seen", "true"), (TODAY, AFTER), strict=True)):
        heights = [counts[name][k] for name in counts]
        bars = ax.bar([i + 0.36 * (k - 0.5) for i in range(len(counts))], heights, 0.34, color=colour, label=said[key])
        ax.bar_label(bars, fontproperties=cjk_font(9), padding=2)
    _ticks(ax, range(len(counts)), [said[name] for name in counts])
    _plain(ax, said["families"])
    _legend(ax, 2)


def draw(
    lang: str,
    found: dict[str, tuple[float, float, float]],
    mixes: dict[str, list[dict[str, float]]],
    counts: dict[str, tuple[int, int]],
) -> Figure:
    """Volatilities before and after, the mixes that follow, and the families."""
    said = WORDS[lang]
    figure = Figure(figsize=(14.5, 4.8), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr]
    left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1.35, 1.25])
    _bars(left, said, found)
    _mixes(middle, said, mixes)
    _counts(right, said, counts)
    figure.suptitle(said["title"], fontproperties=cjk_font(14), x=0.01, ha="left")
    return figure


def main(data: Path = DATA) -> None:
    """Compute, print the figures, and draw both pictures."""
    for name in (SERIES, FAMILIES):
        if not (data / name).is_file():
            sys.exit(f"{name} is not in {data}: nothing is drawn")
    years = pd.read_csv(data / SERIES, index_col="year")
    base, framework = al.load_assumptions("long_run"), al.load_framework("classic")
    naive = smoothed(base, years)
    found = volatilities(base, years)
    tables = {"naive": naive, "ours": base}
    mixes = {k: [best_mix(a, framework, s) for s in LIMITS] for k, a in tables.items()}
    counts = families(al.read_book(data / FAMILIES, format="scf"), naive, base, framework)
    a = first_autocorrelation(years["real_estate"].to_numpy())
    print(f"first autocorrelation of house prices {a:.3f}; volatilities {found}")
    for k, rows in mixes.items():
        for s, row in zip(LIMITS, rows, strict=True):
            print(k, f"{s:.0%}", {part: f"{x:.0%}" for part, x in row.items()})
    print(counts)
    for lang, file in FILES.items():
        # without the version of matplotlib in it, equal pictures are equal files
        draw(lang, found, mixes, counts).savefig(file, dpi=110, metadata={"Software": None})
        print(file.name)


if __name__ == "__main__":
    main(*(Path(p) for p in sys.argv[1:2]))
