"""Formats of spreadsheets for figures: the number is a number, the words around it are in its format."""

from __future__ import annotations

from allocator.i18n import Figure


def number_format(figure: Figure) -> str:
    """Format code of a figure: ``0.0%``, ``"≤ "0.0%``, ``"CNY "#,##0``, ``+#,##0;-#,##0``.

    A gain among losses is a number below zero whose text has no minus: its words are those of numbers below zero.
    """
    places = "." + "0" * figure.digits if figure.digits else ""
    plain = f"0{places}%" if figure.unit == "share" else f"#,##0{places}"
    before, behind = (_quoted(words) for words in figure.around)
    if figure.change:
        return f"{before}+{plain}{behind};{before}-{plain}{behind}"
    if figure.value < 0 and "-" not in figure:
        return f"{plain};{before}{plain}{behind}"
    return f"{before}{plain}{behind}"


def shown(figure: Figure) -> str:
    """What a spreadsheet shows of a figure: for the width of its column."""
    value = figure.value * 100 if figure.unit == "share" else figure.value
    end = "%" if figure.unit == "share" else ""
    return f"{figure.around[0]}{value:,.{figure.digits}f}{end}{figure.around[1]}"


def _quoted(words: str) -> str:
    """Words as a format takes them; a quotation mark would end them."""
    plain = words.replace('"', "")
    return f'"{plain}"' if plain else ""
