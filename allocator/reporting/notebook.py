"""Blocks as a short piece of HTML for a notebook: readable on white and on black, whoever's notebook it is.

Colours come from the page (``currentColor``), tones are bars of a colour that shows on both, never coloured text. Every
text is escaped; nothing is loaded, nothing runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from html import escape
from typing import Final

from allocator.i18n import Words
from allocator.reporting.blocks import Block, Blocks, Cell, Heading, Line, Table, Tone, cell

TONES: Final[dict[Tone, str]] = {"good": "#2e8b57", "bad": "#d1495b", "warn": "#c77700"}
"""Colours of the bars: contrast above 3 to 1 against white and against a black page."""
STYLE: Final = (
    "<style>.al-page{font-family:inherit;font-size:13px;line-height:1.45;max-width:64em}"
    ".al-page p{margin:.25em 0}.al-page .al-h{font-weight:600;font-size:1.1em;margin:.1em 0 .4em}"
    ".al-page table{border-collapse:collapse;margin:.5em 0;font-size:inherit;color:inherit;border:0}"
    ".al-page caption{text-align:left;font-weight:600;padding:.2em 0;color:inherit;caption-side:top}"
    ".al-page tr,.al-page tbody tr:nth-child(n){background:none}"
    ".al-page th,.al-page td{padding:.2em .7em .2em .4em;text-align:left;vertical-align:top;color:inherit;"
    "border:0;border-bottom:1px solid rgba(128,128,128,.35);max-width:34em;white-space:normal;overflow-wrap:anywhere}"
    ".al-page .al-s{overflow-x:auto;max-width:100%}.al-page .al-x{min-width:8em}.al-page .al-w{min-width:16em}"
    ".al-page th{font-weight:600;white-space:nowrap}.al-page .al-n{text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}.al-page .al-l{white-space:nowrap}.al-page .al-b{font-weight:600}"
    ".al-page .al-d{opacity:.75}.al-page .al-t{border-left:4px solid;padding-left:.5em}"
    # on a phone a row with a sentence is a card: its labels beside each other, the sentence below them
    "@media screen and (max-width:40em){.al-page tr:has(.al-w){display:block;padding:.3em 0;"
    "border-bottom:1px solid rgba(128,128,128,.35)}.al-page tr:has(.al-w)>*{display:inline-block;border-bottom:0;"
    "padding:.1em .7em .1em .3em}.al-page tr:has(.al-w)>.al-w{display:block;min-width:0;max-width:none}"
    ".al-page thead tr:has(.al-w){position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}"
    ".al-page .al-s:has(.al-w){position:relative}}</style>"
)
PLAIN: Final = "tex2jax_ignore mathjax_ignore"
"""Classes that keep notebooks from reading a formula into a name with dollar signs."""
CLASSES: Final = {"number": "al-n", "label": "al-l", "text": "al-x", "sentence": "al-w"}


def fragment(blocks: Iterable[Block], words: Words) -> str:
    """Render blocks; parts that only a terminal draws (bars of letters) are left out.

    Parameters
    ----------
    blocks
        Finished text.
    words
        The language of the text, which is marked on the page.
    """
    parts = "".join(_block(b) for b in blocks)
    lang = "zh-CN" if words.lang == "zh" else words.lang
    return f'{STYLE}<div class="al-page {PLAIN}" lang="{lang}">{parts}</div>'


def brief(blocks: Blocks, words: Words, *, tables: int, rows: int) -> Blocks:
    """Cut what is long: so many tables, so many rows of each, and a line that says what was left out."""
    foot = blocks[-1:] if isinstance(blocks[-1], Line) else ()
    out: list[Block] = []
    seen = 0
    for block in blocks[: len(blocks) - len(foot)]:
        seen += isinstance(block, Table)
        if isinstance(block, Table) and seen <= tables:
            out.append(_cut(block, words, rows))
        elif not isinstance(block, Table) and seen < tables:
            out.append(block)
    left = seen - tables
    more = (Line(words.text("notebook.more_tables", count=left), "dim"),) if left > 0 else ()
    return (*out, *more, *foot)


def _cut(table: Table, words: Words, rows: int) -> Table:
    left = len(table.rows) - rows
    if left <= 1:  # the line that says so takes as much room as the row
        return replace(table, more="" if table.shown else table.more)
    return replace(table, rows=table.rows[:rows], more=words.text("say.more_rows", count=f"{left:,}"))


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Heading):
        return f'<p class="al-h">{escape(block.text)}</p>'
    return f"<p{_look(block.tone)}>{escape(block.text)}</p>"


def _table(table: Table) -> str:
    kept = [j for j, c in enumerate(table.columns) if c.kind != "picture"]
    heads = "".join(
        f'<th scope="col"{_class(CLASSES.get(table.columns[j].kind, ""))}>{escape(table.columns[j].head)}</th>'
        for j in kept
    )
    body = "".join(
        f"<tr>{''.join(_cell(cell(row[j]), CLASSES.get(table.columns[j].kind, '')) for j in kept)}</tr>"
        for row in table.rows
    )
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    more = f'<p class="al-d">{escape(table.more)}</p>' if table.more else ""
    inner = f"{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="al-s" tabindex="0"><table>{inner}</table></div>{more}'


def _cell(content: Cell, kind: str) -> str:
    text = escape(content.text).replace("\n", "<br>")
    return f"<td{_look(content.tone, kind)}>{text}</td>"


def _look(tone: Tone, kind: str = "") -> str:
    """Class and colour of a tone; what is bad, good or to be watched has a bar and bold letters."""
    if tone in TONES:
        names = " ".join(x for x in (kind, "al-t", "al-b" if kind else "") if x)
        return f'{_class(names)} style="border-left-color:{TONES[tone]}"'
    extra = {"dim": "al-d", "strong": "al-b"}.get(tone, "")
    return _class(" ".join(x for x in (kind, extra) if x))


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""
