"""Means, volatilities and correlations, with a source for every number."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from allocator.config import Strict, build, load_tree
from allocator.errors import ConfigError
from allocator.framework import Framework
from allocator.typing import FloatArray

Fraction = Annotated[float, Field(gt=-1, lt=2)]


class Factor(Strict):
    """A risk factor; yearly mean and volatility as fractions."""

    mean: Fraction
    volatility: Annotated[float, Field(gt=0, lt=2)]
    source: str


class Correlation(Strict):
    """Correlations of the factors."""

    order: tuple[str, ...]
    rows: tuple[tuple[Annotated[float, Field(ge=-1, le=1)], ...], ...]
    source: str


class ClassAssumption(Strict):
    """How a class is made of factors; its mean follows from them unless given."""

    loadings: dict[str, float] = {}
    idiosyncratic: Annotated[float, Field(ge=0, lt=3)] = 0.0
    expected_return: Fraction | None = None
    source: str


class Scenarios(Strict):
    """Draws of the factors behind the loss limits (CVaR): how bad the worst years are, and how many are drawn.

    Half of the ``count`` scenarios mirror the other half, so that their mean is that of the classes; one
    ``seed`` gives the same scenarios every time.
    """

    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    count: Annotated[int, Field(ge=20, le=100_000, multiple_of=2)] = 200
    seed: Annotated[int, Field(ge=0)] = 20260930
    source: str = "house judgement: the mean of the worst 5% of 200 years"


class Assumptions(Strict):
    """A table of assumptions. Build it with `load_assumptions`."""

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

    @model_validator(mode="after")
    def _consistent(self) -> Assumptions:
        names = list(self.factors)
        if list(self.correlation.order) != names:
            raise ValueError(f"correlation.order must name the factors in their order: {', '.join(names)}")
        if any(len(r) != len(names) for r in self.correlation.rows) or len(self.correlation.rows) != len(names):
            raise ValueError(f"correlation.rows must be {len(names)} rows of {len(names)} numbers")
        r = np.array(self.correlation.rows)
        if np.abs(r - r.T).max() > 1e-12 or np.abs(np.diag(r) - 1).max() > 1e-12:
            i, j = np.unravel_index(np.abs(r - r.T).argmax(), r.shape)
            raise ValueError(
                f"correlation.rows must be symmetric with 1 on the diagonal; see {names[i]} and {names[j]}"
            )
        if np.linalg.eigvalsh(r).min() < -1e-12:
            raise ValueError("correlation.rows is not positive semidefinite: these correlations cannot hold together")
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


def load_assumptions(source: str | os.PathLike[str] | Assumptions = "long_run") -> Assumptions:
    """Load assumptions by preset name, path or as they are.

    Raises
    ------
    ConfigError
        With file, key and allowed values, one line per mistake.
    """
    if isinstance(source, Assumptions):
        return source
    tree, origin = load_tree(source, "assumptions")
    return build(Assumptions, tree, origin)


def risk_table(framework: Framework, assumptions: Assumptions) -> RiskTable:
    """Line the assumptions up with the classes of a framework.

    Raises
    ------
    ConfigError
        A class of the framework has no assumptions.
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
    values, vectors = np.linalg.eigh(np.array(assumptions.correlation.rows))
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    vol = np.array([f.volatility for f in assumptions.factors.values()])
    loadings = beta @ (vol[:, None] * root)
    drawn = assumptions.scenarios
    half = np.random.Generator(np.random.PCG64(drawn.seed)).standard_normal((drawn.count // 2, len(factors)))
    moves = np.vstack([half, -half]) @ loadings.T
    own = np.array([r.idiosyncratic for r in rows])
    return RiskTable(mean, loadings, own, assumptions.borrowing_rate, mean + moves, drawn.level)
