"""Picture of where a client's risk comes from: share of the money against share of the volatility, by class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from allocator.drawing import AFTER, TODAY, axes, beside, drawable, legend, scale, title
from allocator.i18n import words
from allocator.reporting.tables import rows_of
from allocator.risk_measures import RiskMeasures

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_risk(measures: RiskMeasures, client_id: str, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw what share of the money is in each class, funds looked through, and what share of the volatility it brings.

    Parameters
    ----------
    measures
        From `allocator.measure_risk`.
    client_id
        The client; the picture itself carries neither id nor name.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        A class that brings less than nothing (a hedge) has a bar to the left. A client without own money, or whose
        money does not move, has bars for the money alone, and dashes.

    Raises
    ------
    InputError
        No such client in the result.
    ConfigError
        No such language.
    """
    from matplotlib.patches import Patch

    said, framework = words(lang), measures.analysis.framework
    rows = rows_of(measures.select(client_id)["classes"])
    rows.sort(key=lambda r: (-r["contribution"] if math.isfinite(r["contribution"]) else 0.0, -r["value"]))
    ax = axes(ax, (7.4, 1.3 + 0.5 * max(len(rows), 2)))
    lowest, highest = 0.0, 0.0
    for place, r in enumerate(rows):
        shares = [x if math.isfinite(x) else 0.0 for x in (r["weight"], r["risk_share"])]
        ax.barh([place - 0.19, place + 0.19], shares, height=0.34, color=[TODAY, AFTER], zorder=2)
        beside(ax, place, f"{said.percent(r['weight'], 0)} · {said.percent(r['risk_share'], 0)}")
        lowest, highest = min(lowest, *shares), max(highest, *shares)
    scale(ax, [said.name(framework.classes[r["asset_class"]]) for r in rows], said)
    ax.set_xlim(lowest * 1.02, max(1.005, highest * 1.02))
    title(ax, said.text("risk.title_classes"))
    named = ((TODAY, "risk.legend_money"), (AFTER, "risk.legend_risk"))
    legend(ax, [Patch(facecolor=colour, label=drawable(said.text(key))) for colour, key in named])
    return ax
