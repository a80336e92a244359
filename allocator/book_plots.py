"""Pictures of a whole book: every client a point, money against score; and the buckets of the book, tier by tier."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from allocator.drawing import (
    BUCKETS,
    SMALL,
    axes,
    beside,
    beside_head,
    cjk_font,
    drawable,
    legend,
    log_money,
    nothing,
    score_scale,
    share_rows,
    title,
)
from allocator.errors import ConfigError
from allocator.i18n import Words, words
from allocator.reporting.call_page import tier_name
from allocator.reporting.sentences import grade_name
from allocator.reporting.sheet import CHECK_TONES
from allocator.typing import AnyArray, FloatArray
from allocator.whole_book.facts import BookFacts, Source, facts
from allocator.whole_book.segments import BELOW, tiers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Final = ("#0072B2", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
"""Okabe and Ito's palette, apart for every kind of colour vision; buckets and grades take them in their order."""
STATUS_COLOURS: Final = {
    "in_band": "#009E73",
    "exceeded": "#E69F00",
    "insolvent": "#D55E00",
    "no_band": "#CC79A7",
    "empty": "#9A9A9A",
}
CROWD: Final = 3000
"""Clients from which on points are small and pale, and drawn as one image in vector files."""


def plot_book(
    source: Source,
    *,
    by: Literal["status", "grade"] = "status",
    advisor: str | None = None,
    ax: Axes | None = None,
    lang: str = "en",
) -> Axes:
    """Draw the map of a book: every client a point, money in the buckets (logarithmic) against the score.

    Parameters
    ----------
    source
        An analysis, a plan (today), or facts of a book.
    by
        What colours the points.
    advisor
        Only this advisor's clients are coloured; the others stay as pale points behind.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        No client is named. Those with nothing in the buckets, without a score or without a rate to the base currency
        cannot be placed; the line below says how many.

    Raises
    ------
    ConfigError
        No such language or colouring.
    InputError
        Nobody has that advisor.
    """
    from matplotlib.lines import Line2D

    said, b = words(lang), facts(source)
    if by not in ("status", "grade"):
        raise ConfigError(f"unknown colouring '{by}'; allowed: status, grade")
    mine = np.ones(len(b), dtype=bool)
    if advisor is not None:
        b.only(advisor=advisor)  # an advisor whom nobody has is refused
        mine = (b.clients["advisor"] == advisor).to_numpy(bool)
    total, score = b.money("total"), b.column("score")
    drawn = np.isfinite(total) & (total > 0) & np.isfinite(score)
    ax = axes(ax, (7.8, 4.8))
    if not drawn.any():
        return nothing(ax, said.text("bookmap.nothing"))
    look: dict[str, Any] = {"s": 26.0, "alpha": 0.75, "linewidths": 0.0}
    if drawn.sum() >= CROWD:
        look = {"s": 5.0, "alpha": 0.35, "linewidths": 0.0, "rasterized": True}
    if not mine.all():
        ax.scatter(total[drawn & ~mine], score[drawn & ~mine], color="#D0D0D0", zorder=1, **look)
    handles = []
    for name, colour, hit in _kinds(b, by, said):
        at = drawn & mine & hit
        if (mine & hit).any():
            ax.scatter(total[at], score[at], color=colour, zorder=2, **look)
            label = said.text("bookmap.kind", name=name, count=f"{int((mine & hit).sum()):,}")
            handles.append(Line2D([], [], marker="o", linestyle="", color=colour, label=drawable(label)))
    log_money(ax, total[drawn], said)
    score_scale(ax, said)
    missing = int((mine & ~drawn).sum())
    note = said.text("bookmap.missing", count=f"{missing:,}") if missing else ""
    label = said.text("bookmap.x", base=b.base) + (f" · {note}" if note else "")
    ax.set_xlabel(drawable(label), fontproperties=cjk_font(SMALL), parse_math=False)
    ax.set_ylabel(drawable(said.text("bookmap.y")), fontproperties=cjk_font(SMALL), parse_math=False)
    whole = said.money(float(np.nansum(np.where(mine, total, 0.0))), b.base)
    title(ax, said.tight(said.text("book.title", clients=f"{int(mine.sum()):,}", total=whole)))
    legend(ax, handles)
    return ax


def plot_book_buckets(source: Source, *, advisor: str | None = None, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw the buckets of a book as shares: the whole book, after the plans where there are some, and tier by tier.

    Parameters
    ----------
    source
        An analysis, a plan, or facts of a book that tell classes.
    advisor
        Only this advisor's clients.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        Beside each row stands its money in the base currency. Clients without a rate are in no row.

    Raises
    ------
    ConfigError
        No such language.
    InputError
        Nobody has that advisor.
    """
    from matplotlib.patches import Patch

    said, b = words(lang), facts(source).only(advisor=advisor)
    rows = _rows(b, said)
    ax = axes(ax, (7.8, 1.2 + 0.5 * len(rows)))
    if not rows:
        return nothing(ax, said.text("bookmap.nothing"))
    names = [said.name(x) for x in b.framework.buckets.values()]
    shares = np.array([money / money.sum() for _, money in rows])
    share_rows(ax, [label for label, _ in rows], shares, said)
    for place, (_, money) in enumerate(rows):
        beside(ax, place, said.money(float(money.sum()), short=True))
    beside_head(ax, b.base)
    title(ax, said.text("bookmap.title_buckets", clients=f"{len(b):,}"))
    legend(ax, [Patch(facecolor=c, label=drawable(n)) for n, (c, _) in zip(names, cycle(BUCKETS))])
    return ax


def _kinds(b: BookFacts, by: str, said: Words) -> list[tuple[str, str, AnyArray]]:
    """Name, colour and clients of each status or grade, in the order of the legend."""
    if by == "status":
        status = b.clients["status"].to_numpy(object)
        return [(said.text(f"status.{c}"), STATUS_COLOURS[c], status == c) for c in CHECK_TONES]
    grade = b.clients["grade"].astype("object").to_numpy()
    codes = list(b.framework.grades)
    return [(grade_name(c, said), COLOURS[k % len(COLOURS)], grade == c) for k, c in enumerate(codes)]


def _rows(b: BookFacts, said: Words) -> list[tuple[str, FloatArray]]:
    """Label and money per bucket of each row; rows without money are left out."""
    if not b.now.classes.size:
        return []
    weight = np.nan_to_num(b.rate)
    inside = b.now.classes @ b.framework.in_bucket
    rows = [(said.text("bookmap.whole"), weight @ inside)]
    if b.after is not None:
        rows.append((said.text("bookmap.after"), weight @ (b.after.classes @ b.framework.in_bucket)))
    segment = b.clients["segment"].to_numpy(object)
    codes = [*reversed(tiers(b.framework)), BELOW]
    rows += [(tier_name(c, said), (weight * (segment == c)) @ inside) for c in codes if (segment == c).any()]
    return [(label, money) for label, money in rows if money.sum() > 0]
