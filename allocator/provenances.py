"""Every figure of a table of assumptions with its source, as one table."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from allocator.assumptions import Assumptions, ClassAssumption
from allocator.framework import Framework

COLUMNS: Final = ("part", "name", "figure", "value", "source")


def provenance(assumptions: Assumptions, framework: Framework | None = None) -> pd.DataFrame:
    """List every figure with its source and method.

    Parameters
    ----------
    assumptions
        From `load_assumptions`, or `Estimate.assumptions`.
    framework
        Adds how liquid each of its classes is, and what part of a holding can be sold in one plan.

    Returns
    -------
    pandas.DataFrame
        Columns ``part`` (``whole``, ``factor``, ``correlation``, ``class``, ``liquidity``, ``reference``), ``name`` (of
        the factor, the pair, the class or the mark), ``figure``, ``value`` (a number; a word for the liquidity, empty
        for a reference) and ``source``, where marks such as ``[H]`` stand for the rows of part ``reference``.
    """
    a = assumptions
    rows: list[tuple[str, str, str, Any, str]] = [
        ("whole", a.name, "borrowing_rate", a.borrowing_rate, a.borrowing_source),
        ("whole", a.name, "years", a.years, a.years_source),
        ("whole", a.name, "tail_degrees", a.tails.degrees, a.tails.source),
        ("whole", a.name, "scenarios", float(a.scenarios.count), a.scenarios.source),
    ]
    for name, f in a.factors.items():
        rows.append(("factor", name, "mean", f.mean, f.mean_source or f.source))
        rows.append(("factor", name, "volatility", f.volatility, f.volatility_source or f.source))
    order, repaired = a.correlation.order, a.correlation.repaired
    how = a.correlation.source + (f"; repaired: {repaired}" if repaired else "")
    for i, one in enumerate(order):
        for j in range(i):
            two = order[j]
            told = a.correlation.pairs.get(f"{two}, {one}") or a.correlation.pairs.get(f"{one}, {two}") or how
            rows.append(("correlation", f"{two}, {one}", "correlation", a.correlation.rows[i][j], told))
    for code, c in a.classes.items():
        rows += [("class", code, *figure) for figure in _of_class(a, c)]
    if framework is not None:
        for code, k in framework.classes.items():
            rows.append(("liquidity", code, "liquidity", k.liquidity, k.source))
            rows.append(("liquidity", code, "sellable", k.sellable, k.source))
    rows += [("reference", mark, "", "", text) for mark, text in a.references.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def class_mean(a: Assumptions, c: ClassAssumption) -> float:
    """Expected return of a class: its own, or what follows from its factors."""
    if c.expected_return is not None:
        return c.expected_return
    return float(sum(beta * a.factors[f].mean for f, beta in c.loadings.items()))


def class_volatility(a: Assumptions, c: ClassAssumption) -> float:
    """Volatility of a class as its factors move it, without the part that a single holding adds."""
    at = {f: i for i, f in enumerate(a.correlation.order)}
    own = {f: beta * a.factors[f].volatility for f, beta in c.loadings.items()}
    variance = sum(x * y * a.correlation.rows[at[f]][at[g]] for f, x in own.items() for g, y in own.items())
    return float(max(variance, 0.0) ** 0.5)


def _of_class(a: Assumptions, c: ClassAssumption) -> list[tuple[str, float, str]]:
    follows = "follows from its factors and loadings"
    out = [(f"loading on {f}", beta, c.source) for f, beta in c.loadings.items()]
    told = follows if c.expected_return is None else c.expected_return_source or c.source
    return [
        *out,
        ("expected_return", class_mean(a, c), told),
        ("volatility", class_volatility(a, c), follows if c.loadings else c.source),
        ("idiosyncratic", c.idiosyncratic, c.idiosyncratic_source or c.source),
    ]
