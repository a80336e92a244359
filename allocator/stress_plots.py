"""The picture of stress: what each named scenario would take from a family, today and after the plan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from allocator.drawing import (
    AFTER,
    BAR,
    TARGET,
    TODAY,
    axes,
    beside,
    beside_head,
    change,
    drawable,
    legend,
    money_scale,
    title,
)
from allocator.errors import InputError
from allocator.i18n import DASH, Words, words
from allocator.reporting.tables import rows_of
from allocator.stresses import Stress

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_stress(
    stress: Stress, client_id: str, *, after: Stress | None = None, ax: Axes | None = None, lang: str = "en"
) -> Axes:
    """Draw the money that each scenario takes, the worst first; a scenario that brings money has a bar to the left.

    Parameters
    ----------
    stress
        From `allocator.stress`: today.
    client_id
        The client; the picture itself carries neither id nor name.
    after
        The same scenarios after the plan, ``al.stress(plan.after)``; left out where it changes nothing.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        Losses are those of the three buckets, with guarantees that are called. A line marks the family's own money
        today where a loss comes near it: what lies beyond is lost to debts. Beside each row stands the share of the own
        money that is lost, a dash for a family without any.

    Raises
    ------
    InputError
        No such client, or other scenarios after than today.
    ConfigError
        No such language.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    said = words(lang)
    if after is not None and after.names != stress.names:
        raise InputError("today and after must be stressed by the same scenarios; give both the same `scenarios`")
    sides = [rows_of(s.select(client_id)["summary"]) for s in (stress, after) if s is not None]
    if len(sides) > 1 and all(a["loss"] == b["loss"] for a, b in zip(*sides, strict=True)):
        sides.pop()  # a plan without trades changes nothing
    order = sorted(range(len(stress.names)), key=lambda k: -max(0.0, float(sides[0][k]["loss"])))
    ax = axes(ax, (7.4, 1.3 + 0.44 * max(len(order), 2)))
    height = BAR if len(sides) > 1 else 1.4 * BAR
    for place, (side, colour) in enumerate(zip(sides, (TODAY, AFTER), strict=False)):
        ys = [row + (place - (len(sides) - 1) / 2) * (height + 0.04) for row in range(len(order))]
        ax.barh(ys, [side[k]["loss"] for k in order], height=height, color=colour, zorder=2)
    for row, k in enumerate(order):
        beside(ax, row, change([_share(side[k]["loss_equity"], said) for side in sides], said))
    losses = [float(side[k]["loss"]) for side in sides for k in order]
    i = stress.analysis.index(client_id)
    own = float(stress.analysis.exposures.equity[i])
    near = 0 < own <= 1.25 * max(losses)
    names = [said.name(stress.scenarios.scenarios[stress.names[k]]) for k in order]
    money_scale(ax, names, [*losses, own * near], said)
    beside_head(ax, said.text("pictures.of_own_money"))
    currency = str(stress.analysis.summary["currency"].iloc[i])
    title(ax, said.tight(said.text("pictures.stress", equity=said.money(own, currency))))
    named = zip((TODAY, AFTER), ("head.today", "head.after"), sides, strict=False)
    handles: list[Any] = [Patch(facecolor=colour, label=drawable(said.text(key))) for colour, key, _ in named]
    if near:
        ax.axvline(own, color=TARGET, linewidth=2.0, zorder=3)
        handles.append(Line2D([], [], color=TARGET, linewidth=2.0, label=drawable(said.text("pictures.own_money"))))
    legend(ax, handles)
    return ax


def _share(lost: float, said: Words) -> str:
    """Share of the own money that is lost; a gain with its plus."""
    if not math.isfinite(lost):
        return DASH
    return f"+{said.percent(-lost, 0)}" if round(lost, 2) < 0 else said.percent(abs(lost), 0)
