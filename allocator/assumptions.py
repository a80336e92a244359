"""Means, volatilities and correlations, with a source for every number."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from allocator.config import Strict, build, load_tree
from allocator.errors import ConfigError
from allocator.framework import Framework
from allocator.psd import Repair, nearest_correlation
from allocator.shown import Shown
from allocator.typing import FloatArray

MOST: Final = {"return": 1.0, "volatility": 2.0, "own volatility": 3.0, "loading": 10.0, "correlation": 1.0 + 1e-12}
"""No such figure reaches this; one that does was written in percent."""


def _below(kind: str) -> AfterValidator:
    """Refuse what was written in percent, and say what it would be as a fraction."""

    def check(value: float) -> float:
        if abs(value) < MOST[kind]:
            return value
        if kind == "correlation" and abs(value) < 2:
            raise ValueError(f"a correlation of {value:g} lies beyond 1")
        raise ValueError(f"a {kind} of {value:g} looks like percent; write {value / 100:g}, fractions are expected")

    return AfterValidator(check)


Fraction = Annotated[float, Field(gt=-1), _below("return")]


class Factor(Strict):
    """A risk factor; yearly mean and volatility as fractions. ``source`` is that of both where they name none."""

    mean: Fraction
    volatility: Annotated[float, Field(gt=0), _below("volatility")]
    source: str
    mean_source: str = ""
    volatility_source: str = ""


class Correlation(Strict):
    """Correlations of the factors.

    ``pairs`` has the sources of single ones that are not the ``source`` of all, by their factors: ``"bond, equity"``.
    ``repair`` lets `load_assumptions` put the nearest correlations that can hold together in the place of some that
    cannot; ``repaired`` then says what it changed.
    """

    order: tuple[str, ...]
    rows: tuple[tuple[Annotated[float, _below("correlation")], ...], ...]
    source: str
    pairs: dict[str, str] = {}
    repair: bool = False
    repaired: str = ""


class ClassAssumption(Strict):
    """How a class is made of factors; its mean follows from them unless given."""

    loadings: dict[str, Annotated[float, _below("loading")]] = {}
    idiosyncratic: Annotated[float, Field(ge=0), _below("own volatility")] = 0.0
    expected_return: Fraction | None = None
    source: str
    idiosyncratic_source: str = ""
    expected_return_source: str = ""


class Scenarios(Strict):
    """Draws of the factors behind the loss limits (CVaR): how bad the worst years are, and how many are drawn.

    Half of the ``count`` scenarios mirror the other half, so that their mean is that of the classes; one
    ``seed`` gives the same scenarios every time.
    """

    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    count: Annotated[int, Field(ge=20, le=100_000, multiple_of=2)] = 200
    seed: Annotated[int, Field(ge=0)] = 20260930
    source: str = "house judgement: the mean of the worst 5% of 200 years"


class Tails(Strict):
    """How fat the tails of a Student-t loss are; fewer degrees of freedom are fatter."""

    degrees: Annotated[float, Field(gt=2, le=1000)] = 4.0
    source: str = (
        "Platen and Rendek 2008: log returns of diversified share indices are Student-t with about 4 degrees of "
        "freedom; of daily returns, so on the safe side for yearly ones (house judgement)"
    )


class Assumptions(Shown, Strict):
    """A table of assumptions. Build it with `load_assumptions`.

    ``years`` is the length of the record that the means rest on: their standard errors are volatilities over its root.
    ``references`` says what the marks in the sources, ``[H]``, stand for.
    """

    schema_: Literal["allocator-assumptions/1"] = Field(alias="schema")
    name: str
    en: str
    zh: str
    borrowing_rate: Fraction
    borrowing_source: str
    factors: dict[str, Factor]
    correlation: Correlation
    classes: dict[str, ClassAssumption]
    scenarios: Scenarios = Scenarios()
    years: Annotated[float, Field(gt=0, le=1000)] = 88.0
    years_source: str = (
        "1928-2015, the yearly record behind [D]; house judgement for what has a shorter one or none, whose means are "
        "less certain than this says"
    )
    tails: Tails = Tails()
    references: dict[str, str] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Assumptions:
        names = list(self.factors)
        if list(self.correlation.order) != names:
            raise ValueError(f"correlation.order must name the factors in their order: {', '.join(names)}")
        if any(len(r) != len(names) for r in self.correlation.rows) or len(self.correlation.rows) != len(names):
            raise ValueError(f"correlation.rows must be {len(names)} rows of {len(names)} numbers")
        problem = _cannot_be(np.array(self.correlation.rows), names)
        if problem:
            raise ValueError(problem)
        for pair in self.correlation.pairs:
            for f in pair.split(", "):
                if f not in names:
                    raise ValueError(f"correlation.pairs: unknown factor '{f}'; write two of: {', '.join(names)}")
        for code, c in self.classes.items():
            for f in c.loadings:
                if f not in names:
                    raise ValueError(f"classes.{code}.loadings: unknown factor '{f}'; allowed: {', '.join(names)}")
        return self


@dataclass(frozen=True)
class RiskTable:
    """Assumptions as arrays over the classes of one framework.

    Attributes
    ----------
    mean
        Expected yearly return, one per class.
    loadings
        Classes × factors, already times the factor volatility and a root of the correlation, so that the covariance
        of classes is ``loadings @ loadings.T``.
    idiosyncratic
        Volatility of a single holding's own part, one per class.
    borrowing_rate
        Yearly cost of debt.
    scenarios
        Scenarios × classes: yearly returns, normal, of the factors alone. The part that each single holding adds of its
        own is not in them: it belongs to the volatility and to the limits on single names.
    level
        CVaR is the mean loss of the worst ``1 − level`` of the scenarios.
    """

    mean: FloatArray
    loadings: FloatArray
    idiosyncratic: FloatArray
    borrowing_rate: float
    scenarios: FloatArray
    level: float

    @property
    def covariance(self) -> FloatArray:
        """Covariance of the classes."""
        return self.loadings @ self.loadings.T


def load_assumptions(source: str | os.PathLike[str] | Assumptions = "long_run", *, repair: bool = False) -> Assumptions:
    """Load assumptions by preset name, path or as they are.

    Parameters
    ----------
    source
        ``long_run``, ``us``, ``china``, the path of a TOML file (which may say ``extends = "us"`` and then only what
        differs), or assumptions, which are returned as they are.
    repair
        Correlations that cannot hold together are replaced by the nearest that can (see `psd.nearest_correlation`), and
        those that differ above and below the diagonal by their mean. What was changed is said in a warning and kept in
        ``correlation.repaired``. A file may ask for it itself: ``repair = true`` under ``[correlation]``.

    Returns
    -------
    Assumptions
        Checked, with what they extend merged in.

    Raises
    ------
    ConfigError
        With file, key and allowed values, one line per mistake.
    """
    if isinstance(source, Assumptions):
        return source
    tree, origin = load_tree(source, "assumptions")
    return build(Assumptions, _repaired(tree, origin, repair), origin)


def _cannot_be(r: FloatArray, names: list[str]) -> str:
    """Why this is no correlation matrix, with the pair to change; empty where it is one."""
    if not np.isfinite(r).all():
        i, j = (int(k) for k in np.argwhere(~np.isfinite(r))[0])
        return f"correlation.rows must hold finite numbers; {names[i]} with {names[j]} is {r[i, j]:g}"
    skew = np.abs(r - r.T)
    if skew.max() > 1e-12:
        i, j = (int(k) for k in np.unravel_index(skew.argmax(), r.shape))
        return (
            f"correlation.rows must be symmetric: {names[i]} with {names[j]} is {r[i, j]:g} in one place and "
            f"{r[j, i]:g} in the other; make them equal"
        )
    off = np.abs(np.diag(r) - 1)
    if off.max() > 1e-12:
        i = int(off.argmax())
        return f"correlation.rows must have 1 on the diagonal; {names[i]} has {r[i, i]:g}"
    lowest = float(np.linalg.eigvalsh(r).min())
    if lowest >= -1e-12:
        return ""
    near = nearest_correlation(r)
    i, j = near.pair
    return (
        f"correlation.rows is not positive semidefinite (lowest eigenvalue {lowest:.3g}): these correlations cannot "
        f"hold together. Change {names[i]} with {names[j]} first: {near.before:.2f} would have to be near "
        f"{near.after:.2f}; or write repair = true under [correlation] to take the nearest that can"
    )


def _repaired(tree: dict[str, Any], origin: str, repair: bool) -> Mapping[str, Any]:
    """Put the nearest correlations that can hold together in the tree, where that is asked for and needed.

    What is no square of numbers stays as it is: the model says what is wrong with it.
    """
    told = tree.get("correlation")
    if not isinstance(told, dict) or not (repair or told.get("repair") is True):
        return tree
    try:
        given = np.array(told.get("rows"), dtype="float64")
    except (TypeError, ValueError):
        return tree
    square = given.ndim == 2 and given.shape[0] == given.shape[1] and np.isfinite(given).all()
    if not square or np.abs(given).max() > 1 or len(given) != len(told.get("order", ())):
        return tree
    near = nearest_correlation(given)
    if not near.changed:
        return tree
    said = say_repair(near, list(map(str, told["order"])))
    warnings.warn(f"{origin}: correlations were repaired: {said}", stacklevel=3)
    return tree | {"correlation": told | {"rows": near.matrix.tolist(), "repair": True, "repaired": said}}


def say_repair(near: Repair, names: list[str]) -> str:
    """What a repair changed, in a line."""
    i, j = near.pair
    return (
        f"lowest eigenvalue {near.lowest_before:.3g} before, {near.lowest_after:.3g} after; the largest change is "
        f"{names[i]} with {names[j]}, from {near.before:.3f} to {near.after:.3f}"
    )


def risk_table(framework: Framework, assumptions: Assumptions) -> RiskTable:
    """Line the assumptions up with the classes of a framework.

    Raises
    ------
    ConfigError
        A class of the framework has no assumptions, or the correlations cannot hold together.
    """
    names = [c.assumption or code for code, c in framework.classes.items()]
    missing = sorted({n for n in names if n not in assumptions.classes})
    if missing:
        raise ConfigError(
            f"assumptions '{assumptions.name}' say nothing on: {', '.join(missing)}; add [classes.NAME] there, or "
            "'assumption' to the class in the framework"
        )
    factors = list(assumptions.factors)
    rows = [assumptions.classes[n] for n in names]
    beta = np.array([[r.loadings.get(f, 0.0) for f in factors] for r in rows])
    factor_mean = np.array([f.mean for f in assumptions.factors.values()])
    mean = np.array(
        [b @ factor_mean if r.expected_return is None else r.expected_return for r, b in zip(rows, beta, strict=True)]
    )
    correlation = np.array(assumptions.correlation.rows)
    wrong = _cannot_be(correlation, factors)  # also for assumptions that were changed after their file was read
    if wrong:
        raise ConfigError(f"assumptions '{assumptions.name}': {wrong}")
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    vol = np.array([f.volatility for f in assumptions.factors.values()])
    loadings = beta @ (vol[:, None] * root)
    drawn = assumptions.scenarios
    half = np.random.Generator(np.random.PCG64(drawn.seed)).standard_normal((drawn.count // 2, len(factors)))
    moves = np.vstack([half, -half]) @ loadings.T
    own = np.array([r.idiosyncratic for r in rows])
    return RiskTable(mean, loadings, own, assumptions.borrowing_rate, mean + moves, drawn.level)
