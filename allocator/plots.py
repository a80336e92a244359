"""Pictures of one client: each takes a result and draws on an Axes, in either language. Nothing global is changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from allocator.analysis import Analysis
from allocator.drawing import (
    AFTER,
    ALLOWED,
    BAR,
    SMALL,
    TARGET,
    TODAY,
    axes,
    beside,
    change,
    cjk_font,
    drawable,
    legend,
    scale,
    title,
)
from allocator.i18n import Words, words
from allocator.plan import Plan
from allocator.reporting.sentences import MONTHS, amount_of, grade_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class _Sides(NamedTuple):
    """Today, and the end of the plan where the client has one."""

    today: Analysis
    after: Analysis | None

    @property
    def all(self) -> list[Analysis]:
        """What there is to draw, today first."""
        return [self.today] if self.after is None else [self.today, self.after]


def plot_buckets(result: Analysis | Plan, client_id: str, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw the share of each bucket, today and after the plan, with its allowed band and its target.

    Parameters
    ----------
    result
        An analysis (today alone), or a plan (today and after; today alone for a client who has no trades).
    client_id
        The client; the picture itself carries neither id nor name.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        A client with nothing in the buckets has empty bars and dashes; one without a risk band has no band and target.

    Raises
    ------
    InputError
        No such client in the result.
    ConfigError
        No such language.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, Rectangle

    sides, said = _sides(result, client_id), words(lang)
    i = sides.today.index(client_id)
    tables = [a.select(client_id)["buckets"] for a in sides.all]
    ax = axes(ax, (7.4, 3.6))
    framework = sides.today.framework
    names = [said.name(framework.buckets[code]) for code in tables[0]["bucket"]]
    for row, (low, high, target) in enumerate(tables[0][["low", "high", "target"]].itertuples(index=False)):
        if math.isfinite(target):
            ax.add_patch(Rectangle((low, row - 0.44), high - low, 0.88, facecolor=ALLOWED, zorder=0))
            ax.vlines(target, row - 0.44, row + 0.44, color=TARGET, linewidth=2.2, zorder=3)
    _rows(ax, [table["share"].tolist() for table in tables])
    for row, shares in enumerate(zip(*(table["share"] for table in tables), strict=True)):
        beside(ax, row, change([said.percent(x) for x in shares], said))
    scale(ax, names, said)
    total = said.money(float(sides.today.exposures.total[i]), str(sides.today.summary["currency"].iloc[i]))
    title(ax, said.tight(said.text("title.buckets", total=total)))
    handles = _side_patches(sides, said)
    if math.isfinite(tables[0]["target"].iloc[0]):
        handles.append(Patch(facecolor=ALLOWED, label=drawable(said.text("head.allowed"))))
        handles.append(Line2D([], [], color=TARGET, linewidth=2.2, label=drawable(said.text("head.target"))))
    legend(ax, handles)
    return ax


def plot_concentration(result: Analysis | Plan, client_id: str, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw how severe each rule of the concentration score is, today and after the plan; the title has the score.

    Parameters
    ----------
    result
        An analysis (today alone), or a plan (today and after; today alone for a client who has no trades).
    client_id
        The client; the picture itself carries neither id nor name.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        Bars are severities from 0 to 100%; beside them stands what the rule measured, a dash where it is unknown.

    Raises
    ------
    InputError
        No such client in the result.
    ConfigError
        No such language.
    """
    sides, said = _sides(result, client_id), words(lang)
    tables = [a.select(client_id)["rules"] for a in sides.all]
    codes = [str(code) for code in tables[0]["rule"]]
    ax = axes(ax, (7.4, 0.9 + 0.5 * max(len(codes), 2)))
    _rows(ax, [table["severity"].tolist() for table in tables])
    for row, exposures in enumerate(zip(*(table["exposure"] for table in tables), strict=True)):
        beside(ax, row, _measured(codes[row], exposures, said))
    scale(ax, [said.name(sides.today.framework.rules[code]) for code in codes], said)
    ax.set_xlabel(drawable(said.text("head.severity")), fontproperties=cjk_font(SMALL), parse_math=False)
    title(ax, _score(sides, client_id, said))
    legend(ax, _side_patches(sides, said))
    return ax


def _sides(result: Analysis | Plan, client_id: str) -> _Sides:
    if isinstance(result, Analysis):
        return _Sides(result, None)
    i = result.before.index(client_id)
    return _Sides(result.before, result.after if int(result.summary["trades"].iloc[i]) else None)


def _rows(ax: Axes, sides: list[list[float]]) -> None:
    """Draw the bars of each row: today above, after below."""
    height = BAR if len(sides) > 1 else 1.4 * BAR
    for place, (lengths, colour) in enumerate(zip(sides, (TODAY, AFTER), strict=False)):
        ys = [row + (place - (len(sides) - 1) / 2) * (height + 0.04) for row in range(len(lengths))]
        ax.barh(ys, [x if math.isfinite(x) else 0.0 for x in lengths], height=height, color=colour, zorder=2)


def _measured(rule: str, exposures: tuple[float, ...], said: Words) -> str:
    """What a rule measured, today and after: a share, or months with their unit."""
    text = change([amount_of(rule, float(x), said) for x in exposures], said)
    months = rule == MONTHS and not all(math.isnan(x) for x in exposures)
    return said.text("number.months", months=text) if months else text


def _score(sides: _Sides, client_id: str, said: Words) -> str:
    last = sides.all[-1].select(client_id)["summary"].iloc[0]
    grade, score = grade_name(str(last["grade"]), said), said.number(float(last["score"]), 0)
    if sides.after is None:
        return said.text("title.concentration", score=score, grade=grade)
    first = said.number(float(sides.today.summary["score"].iloc[sides.today.index(client_id)]), 0)
    return said.text("title.concentration_change", before=first, after=score, grade=grade)


def _side_patches(sides: _Sides, said: Words) -> list[Any]:
    from matplotlib.patches import Patch

    named = zip((TODAY, AFTER), ("head.today", "head.after"), sides.all, strict=False)
    return [Patch(facecolor=colour, label=drawable(said.text(key))) for colour, key, _ in named]
