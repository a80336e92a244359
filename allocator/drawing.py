"""What all pictures share: axes, fonts with Chinese glyphs, colours, titles and legends. Nothing global is changed."""

from __future__ import annotations

import warnings
from functools import cache
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

MISSING: Final = "□"
"""Drawn for a character that the font has no glyph for."""
SMALL: Final = 9.0
LARGE: Final = 11.0


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
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(0, 1.005)
    plain: dict[str, Any] = {"fontproperties": cjk_font(SMALL), "parse_math": False}
    shares = [0.0, 0.25, 0.5, 0.75, 1.0]
    ax.set_yticks(range(len(names)), [drawable(name) for name in names], **plain)
    ax.set_xticks(shares, [said.percent(x, 0) for x in shares], **plain)
    ax.tick_params(axis="both", length=0)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.grid(axis="x", color="#E6E6E6", linewidth=0.8)
    ax.set_axisbelow(True)


def beside(ax: Axes, row: int, text: str) -> None:
    """Write to the right of the axes, on the line of a row: nothing drawn can lie under it."""
    place = ax.get_yaxis_transform()
    ax.text(1.015, row, drawable(text), transform=place, va="center", fontproperties=cjk_font(SMALL), parse_math=False)


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
        "change the name in the framework",
        stacklevel=3,
    )
    return "".join(c if ord(c) in glyphs() else MISSING for c in shown)


@cache
def glyphs() -> frozenset[int]:
    """Code points that Noto Sans SC has a glyph for."""
    from matplotlib.ft2font import FT2Font
    from pylopdf_fonts_zh_cn import sans_path

    return frozenset(FT2Font(str(sans_path())).get_charmap())
