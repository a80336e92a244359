"""Own figures for some classes in the place of what a table of assumptions says, and how they go with the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from allocator.assumptions import Assumptions
from allocator.config import build
from allocator.errors import ConfigError
from allocator.psd import nearest_correlation
from allocator.typing import FloatArray

FACTOR: Final = "factor:"
"""Marks an asset that is a factor of the base, not a class."""
STILL: Final = 1e-9
"""A volatility below this is none."""
SMALL: Final = 0.005
"""A correlation that moves by less is not worth a word."""


class Figures(NamedTuple):
    """What replaces: yearly figures of some assets, each with its source.

    ``assets`` are classes of the base, or ``factor:NAME``; ``mean`` None keeps the expected returns of the base.
    """

    assets: Sequence[str]
    mean: FloatArray | None
    volatility: FloatArray
    correlation: FloatArray
    years: float
    sources: Sequence[str]


class _Old(NamedTuple):
    """The base as arrays: every factor, and where each replaced asset points among them."""

    names: list[str]
    correlation: FloatArray
    toward: FloatArray


def replaced(base: Assumptions, new: Figures) -> Assumptions:
    """Put figures in the place of those of a base; how, is told at `Estimate.assumptions`.

    Raises
    ------
    ConfigError
        An asset that the base has no class or factor for, or a factor that does not move.
    """
    _known(base, new)
    moving = np.flatnonzero(new.volatility > STILL).tolist()
    old = _old(base, [new.assets[i] for i in moving])
    used = _used(base, new)
    keep = [f for f in old.names if f in used]
    own = _names(keep, new)
    correlation, said = _joined(old, keep, new.correlation[np.ix_(moving, moving)])
    order = [*keep, *(own[i] for i in moving)]
    tree = base.model_dump(by_alias=True)
    factors = {f: tree["factors"][f] for f in keep}
    for i in moving:
        mean = _base_mean(base, new.assets[i]) if new.mean is None else float(new.mean[i])
        told = {"mean_source": f"as in {base.name}"} if new.mean is None else {}
        factors[own[i]] = {"mean": mean, "volatility": float(new.volatility[i]), "source": new.sources[i], **told}
    tree["classes"] |= {a: _class(base, new, i, own[i]) for i, a in enumerate(new.assets) if not a.startswith(FACTOR)}
    pairs = {p: s for p, s in base.correlation.pairs.items() if set(p.split(", ")) <= set(keep)}
    tree |= {
        "name": f"{base.name} with own figures",
        "en": f"{base.en}, with own figures for {len(new.assets)} classes",
        "zh": f"{base.zh}，其中 {len(new.assets)} 类采用自有数据",
        "factors": factors,
        "correlation": {
            "order": order,
            "rows": correlation.tolist(),
            "source": f"{new.sources[0].partition(':')[0]}; {said}; all others: {base.correlation.source}",
            "pairs": pairs,
        },
    }
    if new.mean is not None and new.years < base.years:
        tree |= {"years": new.years, "years_source": "the own price histories, the shorter record"}
    return build(Assumptions, tree, "own figures")


def _known(base: Assumptions, new: Figures) -> None:
    for i, asset in enumerate(new.assets):
        if asset.startswith(FACTOR):
            if asset.removeprefix(FACTOR) not in base.factors:
                raise ConfigError(f"no factor '{asset}'; the factors of {base.name} are: {', '.join(base.factors)}")
            if not new.volatility[i] > STILL:
                raise ConfigError(f"'{asset}' does not move: a factor needs a volatility; leave it out")
        elif asset not in base.classes:
            raise ConfigError(
                f"no class '{asset}' in the assumptions '{base.name}'; name the columns by: {', '.join(base.classes)}, "
                f"or factor:NAME with one of: {', '.join(base.factors)}"
            )


def _old(base: Assumptions, assets: Sequence[str]) -> _Old:
    names = list(base.factors)
    correlation = np.array(base.correlation.rows)
    spread = np.array([f.volatility for f in base.factors.values()])
    toward = np.zeros((len(assets), len(names)))
    for row, asset in zip(toward, assets, strict=True):
        if asset.startswith(FACTOR):
            row[names.index(asset.removeprefix(FACTOR))] = 1.0
            continue
        for f, beta in base.classes[asset].loadings.items():
            row[names.index(f)] = beta * spread[names.index(f)]
        length = np.sqrt(row @ correlation @ row)
        row /= length if length > STILL else 1.0
    return _Old(names, correlation, toward)


def _names(keep: list[str], new: Figures) -> list[str]:
    """Name of each asset's factor, apart from those that stay."""
    out = [a.removeprefix(FACTOR) if a.startswith(FACTOR) else f"{a}_estimated" for a in new.assets]
    return [f"{name}_again" if name in keep else name for name in out]


def _used(base: Assumptions, new: Figures) -> set[str]:
    """Old factors that a class which stays loads on, and that are not replaced themselves."""
    out = {f for code, c in base.classes.items() if code not in new.assets for f in c.loadings}
    return out - {a.removeprefix(FACTOR) for a in new.assets if a.startswith(FACTOR)}


def carried(correlation: FloatArray, toward: FloatArray, stay: list[int], estimated: FloatArray) -> FloatArray:
    """Correlations of the factors that stay, then of new ones: the regression of the former on the latter stays.

    Parameters
    ----------
    correlation
        Of all old factors.
    toward
        New × old factors: what each new one was before, of length 1 in ``correlation``; 0 where it was nothing.
    stay
        Places of the old factors that stay.
    estimated
        New × new.

    Returns
    -------
    numpy.ndarray
        Positive semidefinite; the new block is ``estimated``, or the nearest that can be.
    """
    cross = correlation[stay] @ toward.T
    among = toward @ correlation @ toward.T
    np.fill_diagonal(among, 1.0)  # what pointed nowhere (deposits) is a direction of its own
    # two assets with one direction (a share and a share fund) share its part: the pseudoinverse halves it
    slope = cross @ np.linalg.pinv(among, rcond=1e-9, hermitian=True)
    now = correlation[np.ix_(stay, stay)] + slope @ (estimated - among) @ slope.T
    scale = 1 / np.sqrt(np.diag(now))
    block = slope @ estimated * scale[:, None]
    joined = np.block([[now * np.outer(scale, scale), block], [block.T, estimated]])
    return nearest_correlation((joined + joined.T) / 2).matrix


def _joined(old: _Old, keep: list[str], estimated: FloatArray) -> tuple[FloatArray, str]:
    """The correlations, and how far they moved those of the factors that stay."""
    at = [old.names.index(f) for f in keep]
    joined = carried(old.correlation, old.toward, at, estimated)
    before, after = old.correlation[np.ix_(at, at)], joined[: len(at), : len(at)]
    moved = np.abs(after - before)
    if not keep or moved.max() < SMALL:
        return joined, "the factors that stay keep their regression on them"
    i, j = (int(k) for k in np.unravel_index(moved.argmax(), moved.shape))
    change = f"{keep[min(i, j)]} with {keep[max(i, j)]} from {before[i, j]:.2f} to {after[i, j]:.2f}"
    return joined, f"the factors that stay keep their regression on them, which moves {change} and others less"


def _base_mean(base: Assumptions, asset: str) -> float:
    if asset.startswith(FACTOR):
        return base.factors[asset.removeprefix(FACTOR)].mean
    c = base.classes[asset]
    if c.expected_return is not None:
        return c.expected_return
    return float(sum(beta * base.factors[f].mean for f, beta in c.loadings.items()))


def _class(base: Assumptions, new: Figures, i: int, factor: str) -> dict[str, Any]:
    """A class on a factor of its own, or without one where it does not move."""
    was = base.classes[new.assets[i]]
    out: dict[str, Any] = {
        "idiosyncratic": was.idiosyncratic,
        "source": new.sources[i],
        "idiosyncratic_source": f"as in {base.name}: {was.idiosyncratic_source or was.source}",
    }
    if new.volatility[i] > STILL:
        return out | {"loadings": {factor: 1.0}}
    mean = _base_mean(base, new.assets[i]) if new.mean is None else float(new.mean[i])
    return out | {"expected_return": mean}
