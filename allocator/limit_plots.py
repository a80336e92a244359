"""The picture of the limits: what each measures against its bound, today and after the plan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.analysis import Analysis
from allocator.drawing import (
    AFTER,
    ALLOWED,
    TARGET,
    TODAY,
    axes,
    beside,
    change,
    drawable,
    legend,
    multiple_scale,
    nothing,
    title,
)
from allocator.i18n import Words, words
from allocator.plan import Plan
from allocator.reporting.sentences import amount_of, bound_of, heading, limit_name
from allocator.reporting.tables import Row, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST: Final = 2.5
"""Times its bound that a limit is drawn to; what measures more has an arrow at the edge."""
EDGE: Final = MOST - 0.04
"""Where the arrow of such a limit stands."""
QUIET: Final = 5
"""Limits that are drawn where every one holds: those nearest to their bound."""


class _Limit(NamedTuple):
    """A limit with what it measures on each side."""

    name: str
    sense: str
    bound: float
    values: list[float]

    def at(self, value: float) -> float:
        """Times the bound that a value is; a bound of nothing has no multiples: nothing is at it, all else far off."""
        if self.bound > 0:
            return value / self.bound
        return 1.0 if value <= 0 else math.inf

    @property
    def tight(self) -> float:
        """How near to its bound a limit is, or how far beyond: 0 at the bound, above it when exceeded."""
        first = self.at(self.values[0])
        return first - 1 if self.sense == "<=" else 1 - first


def plot_limits(
    result: Analysis | Plan, client_id: str, *, every: bool = False, ax: Axes | None = None, lang: str = "en"
) -> Axes:
    """Draw each limit as a multiple of its bound, so that months, shares and volatilities share one scale.

    Parameters
    ----------
    result
        An analysis (today alone), or a plan (today and after; today alone for a client who has no trades).
    client_id
        The client; the picture itself carries neither id nor name.
    every
        All limits that apply; without, those exceeded today or after, and where every one holds the tightest.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        The pale side of each row is where the limit holds. Values and bounds stand beside it, a dash for what cannot be
        measured. A client without a band has no limits and an empty picture that says so.

    Raises
    ------
    InputError
        No such client in the result.
    ConfigError
        No such language.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, Rectangle

    said = words(lang)
    today, after = _sides(result, client_id)
    found = _shown(today, after, client_id, every)
    ax = axes(ax, (7.4, 1.4 + 0.38 * max(len(found), 2)))
    if not found:
        return nothing(ax, said.text("say.no_limits"))
    for row, lim in enumerate(found):
        span = (0.0, 1.0) if lim.sense == "<=" else (1.0, MOST - 1.0)
        ax.add_patch(Rectangle((span[0], row - 0.42), span[1], 0.84, facecolor=ALLOWED, zorder=0))
        known = [
            (min(lim.at(x), EDGE), c) for x, c in zip(lim.values, (TODAY, AFTER), strict=False) if math.isfinite(x)
        ]
        if len(known) > 1:
            ax.plot([x for x, _ in known], [row, row], color="#606060", linewidth=1.2, zorder=2)
        for x, colour in known:
            look: dict[str, Any] = {"color": colour, "zorder": 4, "clip_on": False, "markeredgecolor": "white"}
            ax.plot(x, row, marker=">" if x >= EDGE else "o", markersize=9, linestyle="none", **look)
        values = change([amount_of(lim.name, x, said) for x in lim.values], said)
        beside(ax, row, f"{values}  {bound_of(lim.name, lim.bound, lim.sense, said)}")
    f, own = today.framework, today.own
    names = [heading(limit_name(lim.name, f, said, own)) for lim in found]
    multiple_scale(ax, names, MOST, said)
    ax.tick_params(axis="y", pad=8)  # a dot at 0 stands half outside
    ax.axvline(1.0, color=TARGET, linewidth=2.0, zorder=3)
    title(ax, _title(today, after, client_id, said))
    handles: list[Any] = [_dot(TODAY, "head.today", said)]
    if after is not None:
        handles.append(_dot(AFTER, "head.after", said))
    handles.append(Patch(facecolor=ALLOWED, label=drawable(said.text("pictures.holds"))))
    handles.append(Line2D([], [], color=TARGET, linewidth=2.0, label=drawable(said.text("head.bound"))))
    legend(ax, handles)
    return ax


def _sides(result: Analysis | Plan, client_id: str) -> tuple[Analysis, Analysis | None]:
    if isinstance(result, Analysis):
        return result, None
    i = result.before.index(client_id)
    return result.before, result.after if int(result.summary["trades"].iloc[i]) else None


def _shown(today: Analysis, after: Analysis | None, client_id: str, every: bool) -> list[_Limit]:
    """Limits to draw, in their order."""
    sides = [rows_of(a.select(client_id)["limits"]) for a in (today, after) if a is not None]
    later: list[dict[tuple[str, str], Row]] = [{(str(r["limit"]), str(r["sense"])): r for r in s} for s in sides[1:]]
    out: list[tuple[bool, _Limit]] = []
    for r in sides[0]:
        key = (str(r["limit"]), str(r["sense"]))
        rows = [r, *(s[key] for s in later if key in s)]
        over = any(bool(x["exceeded"]) for x in rows)
        out.append((over, _Limit(*key, float(rows[-1]["bound"]), [float(x["value"]) for x in rows])))
    if every:
        return [lim for _, lim in out]
    if not any(over for over, _ in out):
        ranked = sorted((lim for _, lim in out if math.isfinite(lim.tight)), key=lambda lim: -lim.tight)[:QUIET]
        return [lim for _, lim in out if any(lim is x for x in ranked)]
    return [lim for over, lim in out if over]


def _dot(colour: str, key: str, said: Words) -> Any:
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 8, "linestyle": "none"}
    return Line2D([], [], label=drawable(said.text(key)), **look)


def _title(today: Analysis, after: Analysis | None, client_id: str, said: Words) -> str:
    i = today.index(client_id)
    counts = [str(int(a.limit_table.exceeded[i].sum())) for a in (today, after) if a is not None]
    return said.text("pictures.limits", counts=change(counts, said))
