"""Which characters the font of a PDF can draw: checked first, for typst says nothing of a missing glyph."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from allocator.documents.drawn import MISSING
from allocator.i18n import Words


@cache
def _drawn() -> frozenset[str]:
    """Characters that can be drawn, and the line break."""
    return frozenset(map(chr, glyphs())) | {"\n"}


@cache
def glyphs() -> frozenset[int]:
    """Code points that both bundled fonts, Noto Sans SC and Noto Serif SC, have a glyph for."""
    from fontTools.ttLib import TTFont
    from pylopdf_fonts_zh_cn import sans_path, serif_path

    found = []
    for path in (sans_path(), serif_path()):
        with TTFont(path, lazy=True) as font:
            found.append(frozenset(font.getBestCmap()))
    return found[0] & found[1]


def drawable(text: str) -> str:
    """Put `MISSING` where the fonts have no glyph."""
    if text.isascii() or _drawn().issuperset(text):
        return text
    return "".join(c if c in _drawn() else MISSING for c in text)


def missing(texts: Iterable[str]) -> list[str]:
    """Code points without a glyph, as ``U+2A6D6``, each once."""
    return [f"U+{ord(c):04X}" for c in sorted(set().union(*texts) - _drawn())]


def missing_note(texts: Iterable[str], words: Words) -> str:
    """Say which characters are drawn as `MISSING`; empty where none is."""
    codes = missing(texts)
    return words.text("report.glyphs", sign=MISSING, codes=words.text("say.list").join(codes)) if codes else ""
