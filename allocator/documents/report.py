"""``al.report``: one client's report, in every format."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, Final

from allocator.documents.html import html
from allocator.documents.pdf import pdf
from allocator.documents.xlsx import xlsx
from allocator.errors import ConfigError
from allocator.reporting.content import Content, content_of
from allocator.reporting.report_facts import Options, Result, Source
from allocator.reporting.terminal import plain
from allocator.storage import write_bytes

FORMATS: Final[Mapping[str, Callable[[Content], bytes]]] = {
    "html": lambda d: html(d).encode("utf-8"),
    "pdf": pdf,
    "xlsx": xlsx,
}
"""What makes the bytes of each kind of file, by its ending."""


@dataclass(frozen=True)
class Report:
    """One client's report.

    Attributes
    ----------
    document
        Its content: sections of finished text, tables and pictures, in one language.
    """

    document: Content

    def html(self) -> str:
        """The report as one HTML file that loads nothing; it prints on A4, and follows a dark or light screen."""
        return html(self.document)

    def pdf(self) -> bytes:
        """The report as PDF, tagged for screen readers (PDF/UA-1); fonts are inside."""
        return pdf(self.document)

    def xlsx(self) -> bytes:
        """The report as an Excel workbook: numbers are numbers."""
        return xlsx(self.document)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report; the ending of the file decides the format. The file is there whole or not at all.

        Raises
        ------
        ConfigError
            Another ending than .html, .pdf or .xlsx.
        OutputError
            The system refuses to write.
        """
        path = Path(path)
        write_bytes(path, self.bytes(path.suffix.lstrip(".").lower()), private=True)
        return path

    def bytes(self, kind: str) -> bytes:
        """The bytes of a file of this kind: ``html``, ``pdf`` or ``xlsx``.

        Raises
        ------
        ConfigError
            Another kind.
        """
        if kind not in FORMATS:
            raise ConfigError(
                f"a report cannot be written as '.{kind}'; allowed: {', '.join('.' + k for k in FORMATS)}"
            )
        return FORMATS[kind](self.document)

    def __str__(self) -> str:
        return plain(self.document.blocks())

    def __repr__(self) -> str:
        d = self.document
        return f"Report ({d.lang}): {d.title}, {len(d.sections)} sections; .html(), .pdf(), .xlsx(), .save(path)"

    def _repr_html_(self) -> str:
        title = escape(self.document.title)
        return (
            f'<iframe title="{title}" sandbox="" width="100%" height="900" frameborder="0" '
            f'srcdoc="{escape(self.html())}"></iframe>'
        )


def report(result: Result, client_id: str | None = None, **options: Any) -> Report:
    """Make one client's report.

    Parameters
    ----------
    result
        From `allocator.rebalance`, or from `allocator.analyze` for a report without a plan.
    client_id
        The client; may be left out where there is one alone.
    **options
        ``lang`` (``en``, ``zh``; default that of the locale), ``style`` (preset, TOML file or style of the house),
        ``key`` (from `allocator.pseudonyms.load_key`: names appear as pseudonyms), ``hide_amounts`` (amounts appear as
        shares of the total), ``short`` (the first page only).

    Returns
    -------
    Report

    Raises
    ------
    ConfigError
        An option that is not known or wrong.
    InputError
        No such client in the result.
    """
    allowed = [*Options.__dataclass_fields__, "short"]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise ConfigError(f"unknown option {', '.join(unknown)}; allowed: {', '.join(allowed)}")
    if client_id is None:
        if len(result) != 1:
            raise ConfigError(f"the result has {len(result)} clients: name one, report(result, client_id)")
        client_id = result.client_ids[0]
    short = bool(options.pop("short", False))
    found = content_of(Source.of(result, Options(**options)), client_id)
    return Report(first_page(found) if short else found)


def first_page(content: Content) -> Content:
    """Only what stands on the first page, with the footer."""
    return replace(content, details=())
