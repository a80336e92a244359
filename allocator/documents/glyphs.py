"""Which characters the font of a PDF can draw: checked first, for typst says nothing of a missing glyph."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from allocator.documents.drawn import MISSING
from allocator.i18n import Words


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
    known = glyphs()
    if text.isascii() or all(ord(c) in known or c == "\n" for c in text):
        return text
    return "".join(c if ord(c) in known or c == "\n" else MISSING for c in text)


def missing(texts: Iterable[str]) -> list[str]:
    """Code points without a glyph, as ``U+2A6D6``, each once."""
    known = glyphs()
    return [f"U+{x:04X}" for x in sorted({ord(c) for text in texts for c in text if c != "\n"} - known)]


def missing_note(texts: Iterable[str], words: Words) -> str:
    """Say which characters are drawn as `MISSING`; empty where none is."""
    codes = missing(texts)
    return words.text("report.glyphs", sign=MISSING, codes=words.text("say.list").join(codes)) if codes else ""
