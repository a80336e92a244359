"""The picture of what holds a plan back: how far it gets, and how far it would get without each obstacle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from allocator.drawing import AFTER, TODAY, axes, beside, beside_head, drawable, legend, money_scale, nothing, title
from allocator.i18n import DASH, Words, words
from allocator.plan import Plan
from allocator.reporting.explain import FELT
from allocator.reporting.tables import Row, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS: Final = 100.0
"""Distances and volatilities are shown in points, hundredths."""


def plot_obstacles(plan: Plan, client_id: str, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw what lies beyond the limits after the plan, and what would without each obstacle: the gap is its price.

    Where every limit holds after the plan, the distance to the target mix is drawn instead, in points.

    Parameters
    ----------
    plan
        From `allocator.rebalance` with ``explain=True``.
    client_id
        The client; the picture itself carries neither id nor name.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        Beside each row stands the change of the volatility, in points. An obstacle whose price no solver found has no
        bar and a dash; a client whose plan was not explained has an empty picture that says so.

    Raises
    ------
    InputError
        No such client in the plan.
    ConfigError
        No such language.
    """
    from matplotlib.patches import Patch

    said = words(lang)
    tables = plan.select(client_id)
    reached = next((r for r in rows_of(tables["suitability"]) if r["mode"] == "product"), None)
    found = rows_of(tables["obstacles"]) if reached is not None else []
    ax = axes(ax, (7.4, 1.5 + 0.46 * max(len(found) + 1, 2)))
    if reached is None or not found:
        return nothing(ax, said.text("pictures.obstacles_none"))
    i = plan.before.index(client_id)
    measure = "excess" if float(reached["excess"]) > FELT else "distance"
    unit = float(plan.before.exposures.total[i]) if measure == "excess" else POINTS
    base = float(reached[measure]) * unit
    without = [base + float(r[measure]) * unit for r in found]
    ax.barh(0, base, height=0.6, color=TODAY, zorder=2)
    # what is left of the optimiser's tolerance is nothing
    drawn = [x if math.isfinite(x) and x > FELT * unit else 0.0 for x in without]
    ax.barh(range(1, len(found) + 1), drawn, height=0.6, color=AFTER, zorder=2)
    for row, r in enumerate(found, start=1):
        beside(ax, row, _beside(r, drawn[row - 1], measure, said))
    beside(ax, 0, _amount(base, measure, said))
    names = [said.text("pictures.with_all"), *(said.text(f"pictures.without_{r['obstacle']}") for r in found)]
    money_scale(ax, names, [base, *drawn], said)
    beside_head(ax, said.text("pictures.head_obstacles"))
    currency = str(plan.before.summary["currency"].iloc[i])
    amount = said.money(base, currency) if measure == "excess" else said.number(base)
    title(ax, said.tight(said.text(f"pictures.obstacles_{measure}", amount=amount)))
    named = ((TODAY, "pictures.with_all"), (AFTER, "pictures.without_one"))
    legend(ax, [Patch(facecolor=colour, label=drawable(said.text(key))) for colour, key in named])
    return ax


def _amount(value: float, measure: str, said: Words) -> str:
    return said.money(value, short=True) if measure == "excess" else said.number(value)


def _beside(r: Row, left: float, measure: str, said: Words) -> str:
    """What would be left, and the change of the volatility."""
    if not math.isfinite(float(r[measure])):
        return DASH
    return f"{_amount(left, measure, said)} · {said.signed(float(r['volatility']) * POINTS)}"
