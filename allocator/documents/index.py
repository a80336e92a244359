"""The index page of a book's reports: a plain table with links, the most severe first, that sorts when asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from allocator.documents.html import environment, house, policy, resource
from allocator.i18n import environment_language
from allocator.i18n import words as load_words
from allocator.reporting.house_style import load_style
from allocator.reporting.report_facts import Options


def index_page(rows: Sequence[Mapping[str, Any]], options: Options, on: dt.date | None) -> str:
    """Render the index.

    Parameters
    ----------
    rows
        One for each client, in the order in which they stand.
    options
        Language, style, and whether amounts are hidden.
    on
        The day; None leaves it out.
    """
    words = load_words(options.lang or environment_language())
    style = load_style(options.style)
    css, script = f"{resource('report.css')}\n{house(style)}", resource("index.js")
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            rows=rows,
            words=words,
            lang="zh-CN" if words.lang == "zh" else words.lang,
            style=style,
            css=css,
            script=script,
            policy=policy(css, script),
            amounts=not options.hide_amounts,
            day="" if on is None else words.text("report.day", day=on.isoformat()),
        )
    )
