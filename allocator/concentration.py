"""The concentration score: graded rules, combined so that each one's part can be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from allocator.exposures import Exposures, largest
from allocator.framework import Framework
from allocator.positions import Positions
from allocator.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Concentration:
    """Rules × clients; arrays are n × rules in the order of the framework.

    Attributes
    ----------
    exposure, lo, hi, severity
        Measured value, the levels that apply to the client, and clip((x − lo) / (hi − lo), 0, 1). A NaN exposure
        (unknown spending, no assets) has severity 0.
    weight
        Weight of each rule.
    score
        100 · (1 − Π(1 − weight · severity)), per client.
    grade, grades
        Place of the client's grade in the names of the grades, lowest first.
    hhi_holding, hhi_class
        Sums of squared shares (Herfindahl–Hirschman), NaN where there is nothing to share. Beside the score, never
        inside it.
    """

    exposure: FloatArray
    lo: FloatArray
    hi: FloatArray
    severity: FloatArray
    weight: FloatArray
    score: FloatArray
    grade: IntArray
    grades: tuple[str, ...]
    hhi_holding: FloatArray
    hhi_class: FloatArray


def severity(exposure: FloatArray, lo: FloatArray, hi: FloatArray) -> FloatArray:
    """clip((x − lo) / (hi − lo), 0, 1); with hi < lo the rule is reversed. NaN exposure gives 0."""
    s = np.clip((exposure - lo) / (hi - lo), 0.0, 1.0)
    return np.where(np.isnan(s), 0.0, s)


def score(severities: FloatArray, weights: FloatArray) -> FloatArray:
    """Combine severities (n × rules) into 100 · (1 − Π(1 − w·s)).

    It is 0 exactly when no rule is touched, never falls when a rule is added or an exposure grows, and splits over
    the rules as log(1 − w·s).
    """
    # log1p/expm1 keep exact zeros and tiny severities apart; a full weight with a full severity gives -inf and so 100
    with np.errstate(divide="ignore"):
        logs = np.log1p(-weights * severities).sum(axis=1)
    return np.asarray(-100.0 * np.expm1(logs) + 0.0, dtype="float64")


def concentrate(p: Positions, e: Exposures, framework: Framework) -> Concentration:
    """Measure every rule of the framework for every client."""
    rules = framework.rules.values()
    n = len(p)
    exposure = (
        np.stack([rule_exposure(name, p, e, framework) for name in framework.rules], axis=1)
        if rules
        else np.zeros((n, 0))
    )
    owner = p.owner[:, None]
    lo = np.where(owner, [r.lo if r.lo_owner is None else r.lo_owner for r in rules], [r.lo for r in rules])
    hi = np.where(owner, [r.hi if r.hi_owner is None else r.hi_owner for r in rules], [r.hi for r in rules])
    weight = np.array([r.weight for r in rules])
    s = severity(exposure, lo, hi)
    total = score(s, weight)
    names = sorted(framework.grades, key=lambda g: framework.grades[g])
    steps = np.array([framework.grades[g] for g in names])
    grade = np.maximum(np.searchsorted(steps, total, side="right") - 1, 0)
    shares = e.of_total(e.classes[:, framework.flag("inside") > 0].T).T
    hhi = np.where(e.total > 0, p.per_client(np.nan_to_num(e.weight) ** 2), np.nan)
    return Concentration(exposure, lo, hi, s, weight, total, grade, tuple(names), hhi, (shares**2).sum(axis=1))


def rule_exposure(name: str, p: Positions, e: Exposures, framework: Framework) -> FloatArray:
    """Exposure that a rule looks at, one per client: a share of T, or months."""
    special: dict[str, Callable[[], FloatArray]] = {
        "single_holding": lambda: e.of_total(largest(p, e.by_asset)),
        "issuer": lambda: e.of_total(largest(p, e.by_issuer)),
        "leverage": lambda: e.of_total(e.debt),
        "reserve_months": lambda: e.months,
        "own_company": lambda: e.of_total(e.own_company),
    }
    if name in special:
        return special[name]()
    return e.of_total(e.classes @ framework.share(name))
