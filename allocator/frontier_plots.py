"""The picture of a frontier: the best expected return for each volatility, with today and the plan on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allocator.drawing import AFTER, ALLOWED, SMALL, TARGET, TODAY, axes, cjk_font, drawable, legend, title
from allocator.frontiers import Frontier
from allocator.i18n import Words, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

MARKS: Final = {"today": ("head.today", TODAY, "s"), "plan": ("head.after", TARGET, "o")}
"""Words, colour and shape of each mark."""

MARGIN: Final = 0.01
"""Room around what is drawn, in volatility."""


def plot_frontier(frontier: Frontier, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw the frontier of one client, the volatility that the band allows, and where the family is and would be.

    Parameters
    ----------
    frontier
        From `allocator.frontier`.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ConfigError
        No such language.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    said = words(lang)
    ax = axes(ax, (7.4, 4.2))
    p, marks = frontier.points, frontier.marks.set_index("mark")
    right = max(p["volatility"].max(), marks["volatility"].max(), frontier.limit) + MARGIN
    left = max(0.0, min(p["volatility"].min(), marks["volatility"].min(), frontier.limit) - MARGIN)
    ax.axvspan(0.0, frontier.limit, facecolor=ALLOWED, alpha=0.6, zorder=0)
    ax.plot(p["volatility"], p["expected_return"], color=AFTER, linewidth=2.2, marker=".", zorder=2)
    handles: list[Any] = [Line2D([], [], color=AFTER, linewidth=2.2, label=drawable(said.text("head.frontier")))]
    for mark, (key, colour, shape) in MARKS.items():
        at = (float(marks["volatility"][mark]), float(marks["expected_return"][mark]))
        ax.plot(*at, color=colour, marker=shape, markersize=8, linestyle="none", zorder=3)
        label = f"{said.text(key)}  {said.percent(at[0])} / {said.percent(at[1])}"
        look: dict[str, Any] = {"color": colour, "marker": shape, "linestyle": "none"}
        handles.append(Line2D([], [], label=drawable(label), **look))
    handles.append(Patch(facecolor=ALLOWED, label=drawable(said.text("head.frontier_limit"))))
    returns = [*p["expected_return"], *marks["expected_return"]]
    low, high = min(returns) - MARGIN / 4, max(returns) + MARGIN / 4
    _percents(ax.xaxis, (left, right), said)
    _percents(ax.yaxis, (low, high), said)
    ax.set(xlim=(left, right), ylim=(low, high))
    for axis, key in ((ax.xaxis, "head.frontier_volatility"), (ax.yaxis, "head.frontier_return")):
        axis.set_label_text(drawable(said.text(key)), fontproperties=cjk_font(SMALL), parse_math=False)
    ax.tick_params(axis="both", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#E6E6E6", linewidth=0.8)
    ax.set_axisbelow(True)
    title(ax, said.text("title.frontier"))
    legend(ax, handles)
    return ax


def _percents(axis: Axis, span: tuple[float, float], said: Words) -> None:
    """Write round percentages along an axis, with as many digits as their step needs."""
    from matplotlib.ticker import MaxNLocator

    low, high = span
    ticks = [float(x) for x in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low * 100, high * 100)]
    digits = 0 if ticks[1] - ticks[0] >= 1 else 1 if ticks[1] - ticks[0] >= 0.1 else 2
    shown = [x / 100 for x in ticks if low * 100 <= x <= high * 100]
    axis.set_ticks(shown, [said.percent(x, digits) for x in shown], fontproperties=cjk_font(SMALL), parse_math=False)
