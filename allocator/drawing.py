"""What all pictures share: axes, fonts with Chinese glyphs, colours, titles and legends. Nothing global is changed."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable
from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from allocator.i18n import Words
from allocator.reporting.sentences import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontProperties

TODAY: Final = "#9A9A9A"
AFTER: Final = "#0072B2"
ALLOWED: Final = "#CBE0F2"
TARGET: Final = "#D55E00"
"""Blue and vermilion of Okabe and Ito's palette, a grey and a pale blue: apart for every kind of colour vision."""

LEFT: Final = "#E69F00"
"""Orange of the same palette: what has to be left behind or paid for."""

BUCKETS: Final = (("#0072B2", "white"), ("#A6CEE3", "black"), ("#E69F00", "black"), ("#CC79A7", "black"))
"""Of each bucket, with that of the letters on it: apart for every kind of colour vision, and in grey."""

MISSING: Final = "□"
"""Drawn for a character that the font has no glyph for."""
SMALL: Final = 9.0
LARGE: Final = 11.0
NAME: Final = 30
"""Places of a name beside a row, where a Chinese character takes two; a longer one is cut."""
BAR: Final = 0.34
"""Height of a bar where the rows are 1 apart and two bars share one."""
_ZEROS: Final = re.compile(r"(\.\d*?)0+(?=\D*$)")


def cjk_font(size: float = SMALL) -> FontProperties:
    """Noto Sans SC, Latin and Chinese, for titles of your own: ``ax.set_title("…", fontproperties=cjk_font(12))``."""
    from matplotlib.font_manager import FontProperties
    from pylopdf_fonts_zh_cn import sans_path

    return FontProperties(fname=str(sans_path()), size=size)


def axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The caller's axes, or those of a new figure that belongs to nobody."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    figure: Figure = Figure(figsize=size, layout="constrained")
    return figure.subplots()


def scale(ax: Axes, names: list[str], said: Words) -> None:
    """Rows from top to bottom with their names, and 0 to 100% below."""
    shares = [0.0, 0.25, 0.5, 0.75, 1.0]
    _rows(ax, names)
    _below(ax, shares, [said.percent(x, 0) for x in shares])
    ax.set_xlim(0, 1.005)


def money_scale(ax: Axes, names: list[str], amounts: Iterable[float], said: Words) -> None:
    """Rows from top to bottom with their names, and amounts of money below, 0 and all ``amounts`` among them."""
    from matplotlib.ticker import MaxNLocator

    known = [0.0, *(x for x in amounts if math.isfinite(x))]
    low, high = min(known), max(known)
    high = high if high > low else 1.0
    room = 0.02 * (high - low)
    ticks = [float(x) for x in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    shown = [x for x in ticks if low - room <= x <= high + room]
    _rows(ax, names)
    _below(ax, shown, [_tick(x, said) for x in shown])
    ax.set_xlim(low - room if low < 0 else 0.0, high + room)
    if low < 0:
        ax.axvline(0.0, color="#606060", linewidth=0.8, zorder=3)


def multiple_scale(ax: Axes, names: list[str], most: float, said: Words) -> None:
    """Rows from top to bottom with their names, and multiples of 100% below, up to ``most``."""
    parts = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    shown = [x for x in parts if x <= most]
    _rows(ax, names)
    _below(ax, shown, [said.percent(x, 0) for x in shown])
    ax.set_xlim(0.0, most)


def shortened(text: str, places: int = NAME) -> str:
    """A name of any length in a row's width, cut with an ellipsis; a Chinese character takes two places."""
    from rich.cells import cell_len, set_cell_size

    shown = clean(text)
    return shown if cell_len(shown) <= places else set_cell_size(shown, places - 1).rstrip() + "…"


def nothing(ax: Axes, text: str) -> Axes:
    """Say in an empty picture why there is nothing to draw."""
    ax.set(xticks=[], yticks=[])
    ax.spines[["top", "right", "bottom", "left"]].set_visible(False)
    title(ax, text)
    return ax


def _rows(ax: Axes, names: list[str]) -> None:
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), [drawable(name) for name in names], **_plain())
    ax.tick_params(axis="both", length=0)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.grid(axis="x", color="#E6E6E6", linewidth=0.8)
    ax.set_axisbelow(True)


def _below(ax: Axes, places: list[float], labels: list[str]) -> None:
    ax.set_xticks(places, labels, **_plain())


def _plain() -> dict[str, Any]:
    """How text is drawn: in the font that has the glyphs, never as a formula."""
    return {"fontproperties": cjk_font(SMALL), "parse_math": False}


def _tick(amount: float, said: Words) -> str:
    """An amount on an axis, without the zeros after the point: ``5m``, ``2,500万``."""
    trimmed = _ZEROS.sub(r"\1", said.money(amount, short=True))
    return re.sub(r"\.(?=\D*$)", "", trimmed)


def beside(ax: Axes, row: int, text: str) -> None:
    """Write to the right of the axes, on the line of a row: nothing drawn can lie under it."""
    place = ax.get_yaxis_transform()
    ax.text(1.015, row, drawable(text), transform=place, va="center", fontproperties=cjk_font(SMALL), parse_math=False)


def beside_head(ax: Axes, text: str) -> None:
    """Write what stands beside the rows, on the line of the title."""
    place: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (0, 10), "textcoords": "offset points"}
    ax.annotate(drawable(text), (1.015, 1.0), fontproperties=cjk_font(SMALL), parse_math=False, **place)


def change(texts: list[str], said: Words) -> str:
    """Two values as a change, one or two equal ones as they are."""
    return texts[0] if texts[0] == texts[-1] else said.text("number.change", before=texts[0], after=texts[-1])


def title(ax: Axes, text: str) -> None:
    """Write a title on the left."""
    ax.set_title(drawable(text), loc="left", fontproperties=cjk_font(LARGE), parse_math=False, pad=10)


def legend(ax: Axes, handles: list[Any]) -> None:
    """Put the legend below what stands under the axes; counted in lines of text, it fits every size."""
    lines = 4.0 if ax.get_xlabel() else 2.4
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "borderaxespad": lines}
    box = ax.legend(handles=handles, ncols=len(handles), frameon=False, prop=cjk_font(SMALL), **place)
    for text in box.get_texts():
        text.set_parse_math(False)


def drawable(text: str) -> str:
    """Put `MISSING` where the font has no glyph, and say how often: a box that nobody mentions would look like data."""
    shown = clean(text)
    lost = sum(ord(c) not in glyphs() for c in shown)
    if not lost:
        return shown
    # the characters themselves stay out of the message: they may be part of a name
    warnings.warn(
        f"{lost} characters of a label have no glyph in Noto Sans SC and are drawn as {MISSING}; "
        "change the name in the framework or the book",
        stacklevel=3,
    )
    return "".join(c if ord(c) in glyphs() else MISSING for c in shown)


@cache
def glyphs() -> frozenset[int]:
    """Code points that Noto Sans SC has a glyph for."""
    from matplotlib.ft2font import FT2Font
    from pylopdf_fonts_zh_cn import sans_path

    return frozenset(FT2Font(str(sans_path())).get_charmap())


def log_money(ax: Axes, amounts: Any, said: Words) -> None:
    """Amounts of money below on a logarithmic scale, powers of ten or, where few fit, their halves as well."""
    low, high = float(min(amounts)), float(max(amounts))
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    ticks = [10.0**k for k in range(first, last + 1)]
    if len(ticks) <= 3:
        ticks = sorted([*ticks, *(x * m for x in ticks[:-1] for m in (2.0, 5.0))])
    step = max(1, math.ceil(len(ticks) / 9))
    ax.set_xscale("log")
    ax.minorticks_off()
    _below(ax, ticks[::step], [_tick(x, said) for x in ticks[::step]])
    # points at the edges are drawn whole
    ax.set_xlim(10.0**first * 0.8, 10.0**last * 1.25)


def score_scale(ax: Axes, said: Words) -> None:
    """Scores from 0 to 100 on the left, with the levels of the grades."""
    levels = [0.0, 25.0, 50.0, 75.0, 100.0]
    ax.set_ylim(-3.0, 103.0)
    ax.set_yticks(levels, [said.number(x, 0) for x in levels], **_plain())
    ax.tick_params(axis="both", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#E6E6E6", linewidth=0.8)
    ax.set_axisbelow(True)


def share_rows(ax: Axes, names: list[str], shares: Any, said: Words) -> None:
    """Rows of bars that are parts of 100% in the colours of the buckets, each with its share where it has room."""
    scale(ax, names, said)
    ax.grid(visible=False)
    left = [0.0] * len(names)
    for part, (colour, ink) in zip(range(shares.shape[1]), cycle(BUCKETS)):
        widths = [float(x) for x in shares[:, part]]
        ax.barh(range(len(names)), widths, left=left, height=2 * BAR, color=colour, edgecolor="white", zorder=2)
        for row, (start, width) in enumerate(zip(left, widths, strict=True)):
            if width >= 0.06:
                text = drawable(said.percent(width, 0))
                middle: dict[str, Any] = {"ha": "center", "va": "center", "color": ink, "zorder": 3}
                ax.text(start + width / 2, row, text, fontproperties=cjk_font(SMALL), parse_math=False, **middle)
        left = [start + width for start, width in zip(left, widths, strict=True)]
