"""Every picture of one client in one list, each with the result that it is drawn from; and several on one page."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from allocator.analysis import Analysis
from allocator.errors import InputError
from allocator.firewall_plots import plot_firewall
from allocator.frontier_plots import plot_frontier
from allocator.frontiers import Frontier
from allocator.households import Household
from allocator.limit_plots import plot_limits
from allocator.obstacle_plots import plot_obstacles
from allocator.plan import Plan
from allocator.plots import plot_buckets, plot_concentration
from allocator.risk_measures import RiskMeasures
from allocator.risk_plots import plot_risk
from allocator.stage_plots import plot_stages
from allocator.staging import Stages
from allocator.stress_plots import plot_stress
from allocator.stresses import Stress
from allocator.trade_plots import plot_trades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL: Final = (8.2, 4.2)
"""Width and height of one picture on a page, in inches."""
DPI: Final = 72
"""Dots per inch of a page in a notebook."""


@dataclass(frozen=True)
class Picture:
    """A picture of one client.

    Attributes
    ----------
    draw
        The function: ``draw(result, client_id, ax=, lang=)`` → the Axes; without ``client_id`` for a result that is of
        one client (a frontier).
    of
        Results that it is drawn from.
    names_holdings
        Whether names out of the book are written on it; no other picture names anybody or anything.
    """

    draw: Callable[..., Axes]
    of: tuple[type, ...]
    names_holdings: bool = False


PICTURES: Final[dict[str, Picture]] = {
    "buckets": Picture(plot_buckets, (Plan, Analysis)),
    "trades": Picture(plot_trades, (Plan,), names_holdings=True),
    "limits": Picture(plot_limits, (Plan, Analysis)),
    "concentration": Picture(plot_concentration, (Plan, Analysis)),
    "obstacles": Picture(plot_obstacles, (Plan,)),
    "risk": Picture(plot_risk, (RiskMeasures,)),
    "stress": Picture(plot_stress, (Stress,)),
    "firewall": Picture(plot_firewall, (Household,)),
    "frontier": Picture(plot_frontier, (Frontier,)),
    "stages": Picture(plot_stages, (Stages,)),
}
"""By name, in the order of a page. What is in here is drawn by `pictures` and held to the same rules by the tests."""


def draw(name: str, result: Any, client_id: str, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw a picture by its name.

    Parameters
    ----------
    name
        A key of `PICTURES`.
    result
        What it is drawn from.
    client_id, ax, lang
        As for every picture.

    Raises
    ------
    InputError
        No such client in the result, or a frontier of another one.
    ConfigError
        No such language.
    """
    if not isinstance(result, Frontier):
        return PICTURES[name].draw(result, client_id, ax=ax, lang=lang)
    if result.client_id != client_id:
        raise InputError("this frontier is of another client; make one with al.frontier(analysis, client_id)")
    return PICTURES[name].draw(result, ax=ax, lang=lang)


def pictures(client_id: str, *results: Any, columns: int = 2, lang: str = "en") -> Figure:
    """Draw every picture of one client that the results at hand allow, on one page.

    Parameters
    ----------
    client_id
        The client.
    *results
        Any of a plan (or an analysis), risk measures, stress, household, frontier and stages; of two stresses the first
        is today and the second after the plan, in one picture.
    columns
        Pictures beside each other.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.figure.Figure
        One that belongs to nobody: a notebook shows it, ``savefig`` keeps it.

    Raises
    ------
    InputError
        No such client in a result, or nothing to draw.
    ConfigError
        No such language.

    Examples
    --------
    >>> import allocator as al
    >>> plan = al.rebalance(al.analyze(al.read_book(al.sample_path())))
    >>> page = al.pictures("C003", plan, al.stress(plan.before), al.stress(plan.after), al.household(plan.before))
    >>> len(page.axes)
    7
    """
    stresses = [r for r in results if isinstance(r, Stress)]
    todo: list[Callable[..., Axes]] = []
    for name, picture in PICTURES.items():
        for result in results:
            if isinstance(result, picture.of):
                todo.append(_bound(name, result, client_id, stresses[1:2]))
                break
    if not todo:
        raise InputError("nothing to draw: give a plan, or any other result of this client")
    rows = math.ceil(len(todo) / columns)
    width, height = PANEL
    figure = _page()(figsize=(width * min(columns, len(todo)), height * rows), layout="constrained")
    grid = figure.subplots(rows, min(columns, len(todo)), squeeze=False).ravel()
    for one, ax in zip(todo, grid, strict=False):
        one(ax=ax, lang=lang)
    for ax in grid[len(todo) :]:
        ax.remove()
    return figure


@cache
def _page() -> type[Figure]:
    """A figure that shows itself in a notebook without pyplot."""
    from matplotlib.figure import Figure

    class Page(Figure):
        def _repr_png_(self) -> bytes:
            out = io.BytesIO()
            self.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
            return out.getvalue()

    return Page


def _bound(name: str, result: Any, client_id: str, after: list[Stress]) -> Callable[..., Axes]:
    """The picture of a result, with nothing left to say but where and in which language."""
    if isinstance(result, Stress):
        return lambda ax, lang: plot_stress(result, client_id, after=after[0] if after else None, ax=ax, lang=lang)
    return lambda ax, lang: draw(name, result, client_id, ax, lang)
