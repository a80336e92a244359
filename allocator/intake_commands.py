"""``allocator import``: what a file was understood as, every conversion, a mapping to keep, and a clean book."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from allocator.cli_words import Spoken, command, one_of
from allocator.command_tools import (
    EXTRA_TABLES,
    INTAKE,
    OK,
    SET_ASIDE,
    intake_of,
    print_blocks,
    print_json,
    progress,
    tables_of,
)
from allocator.errors import InputError
from allocator.i18n import Words
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Content, Heading, Line, Table
from allocator.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd

    from allocator.book import Book

KINDS: Final = ("csv", "parquet")
SHOWN: Final[Mapping[str, int]] = {"error": 3, "warning": 3, "info": 1}
"""Issues of one kind that are shown; JSON has the number of each."""
READING: Final = frozenset({"file", *INTAKE, *EXTRA_TABLES})
"""Options of commands that read a book which this one has too."""


def import_command(said: Words, book: Sequence[click.Parameter], both: Sequence[click.Parameter]) -> Spoken:
    """Make the command.

    Parameters
    ----------
    said
        The language.
    book, both
        Options of commands that read a book, and those of all commands.
    """
    params = [
        *(o for o in book if o.name in READING),
        click.Option(["-o", "--output"], metavar="FOLDER", help=said.text("help.intake.output")),
        click.Option(["--learn"], metavar="FILE", help=said.text("help.intake.learn")),
        click.Option(
            ["--kind"],
            metavar=f"[{'|'.join(KINDS)}]",
            callback=one_of(KINDS, said),
            default="csv",
            help=said.text("help.intake.kind"),
        ),
        click.Option(["--json"], is_flag=True, help=said.text("help.json")),
        *both,
    ]
    return command(said, "import", partial(import_file, said), params, "help.intake.import")


def import_file(said: Words, output: str | None, learn: str | None, kind: str, **options: Any) -> int:
    """``allocator import``: read, show what was understood, write a mapping and a clean book."""
    from allocator import storage
    from allocator.book import build_book
    from allocator.importers.intake import Intake
    from allocator.importers.mapping import learn as learned
    from allocator.importers.reading import read_raw
    from allocator.issues import issue_table

    with progress(said, "reading"):
        raw = read_raw(options["file"], Intake(**intake_of(options)), tables_of(options))
    try:
        book = build_book(raw)
    except InputError:
        if learn is not None:  # what is missing can be said in it
            storage.write_text(Path(learn), learned(raw, issue_table()))
        raise
    text = "" if learn is None else learned(raw, book.issues)
    if learn is not None:
        storage.write_text(Path(learn), text)
    files = [] if output is None else write_book(book, Path(output), kind)
    if options["json"]:
        print_json(import_json(book, said) | {"files": files})
    else:
        notes = (
            [] if learn is None else [said.text("intake.learned", file=Path(learn).name, doubts=text.count("\n# ? "))]
        )
        notes += [said.text("intake.written", files=", ".join(files))] if files else []
        print_blocks((*import_blocks(book, said), *(Line(n, "good") for n in notes)))
    return SET_ASIDE if int(book.counts["set_aside"].sum()) else OK


def write_book(book: Book, folder: Path, kind: str = "csv") -> list[str]:
    """Write a book as one file a table, which `read_book` reads back equal.

    Parameters
    ----------
    book
        Tables without a row are left out, columns that were not given too.
    folder
        Made where it is absent; files in it are replaced whole.
    kind
        ``csv`` (UTF-8 with its mark) or ``parquet``.

    Returns
    -------
    list
        Names of the files.
    """
    from allocator import storage

    names = []
    for table, columns in TABLES.items():
        frame: pd.DataFrame = getattr(book, table)
        frame = frame[frame["row"] > 0]
        names_kept = [
            c.name for c in columns if f"{table}.{c.name}" in book.given or c.name in ("asset_id", "currency")
        ]
        if frame.empty:
            continue
        name = f"{table}.{kind}"
        storage.write_whole(folder / name, partial(_write, frame[names_kept], kind), private=True)
        names.append(name)
    return names


def _write(frame: pd.DataFrame, kind: str, file: BinaryIO) -> None:
    import pyarrow as pa

    from allocator.tables_out import write_parquet

    if kind == "parquet":
        write_parquet(file, pa.Table.from_pandas(frame, preserve_index=False))
        return
    text = io.StringIO()
    frame.to_csv(text, index=False, date_format="%Y-%m-%d", lineterminator="\n")
    file.write(text.getvalue().encode("utf-8-sig"))


def import_json(book: Book, said: Words) -> dict[str, Any]:
    """Counts, conversions, issues by code, and sums by currency, as one object for programs."""
    return {
        "schema": "allocator.import/1",
        "lang": said.lang,
        "counts": book.counts.to_dict("records"),
        "totals": _totals(book),
        "conversions": book.conversions.to_dict("records"),
        "issues": [{"table": t, "code": c, "severity": s, "count": int(n)} for (t, c, s), n in _codes(book).items()],
    }


def import_blocks(book: Book, said: Words) -> Blocks:
    """What was understood: tables, sums by currency, conversions, and what to look at."""
    from allocator.reporting.sentences import clean

    word = {k.removeprefix("intake."): v for k, v in said.table.items() if k.startswith("intake.")}
    rows = tuple(
        (_table(str(r["table"]), said), *(f"{r[k]:,}" for k in ("read", "used", "set_aside", "ignored")))
        for r in book.counts.to_dict("records")
    )
    heads = (
        Column(word["table"], "label"),
        *(Column(word[k], "number") for k in ("read", "used", "set_aside", "ignored")),
    )
    sums = tuple((_table(t, said), c, said.exact(v)) for t, by in _totals(book).items() for c, v in by.items())
    conversions = book.conversions.to_dict("records")
    known = tuple(
        (_where(r, said, ""), clean(r["header"]), str(r["read_as"]), f"{r['count']:,}")
        for r in conversions
        if r["what"] == "header"
    )
    heads_known = (Column(word["table"], "label"), Column(word["header"], "text"), Column(word["read_as"], "label"),
                   Column(word["count"], "number"))  # fmt: skip
    out: list[Block] = [
        Heading(word["title"]),
        Table(word["tables"], heads, rows),
        Table(word["totals"], (Column(word["table"], "label"), Column(word["currency"], "label"),
                               Column(word["total"], "number")), sums),
        *([Table(word["columns"], heads_known, known)] if known else []),
    ]  # fmt: skip
    text = (
        Column(word["what"], "sentence"),
        Column(word["where"], "text"),
        Column(word["count"], "number"),
        Column(word["form"], "label"),
        Column(word["read_as"], "label"),
    )
    for title, doubtful in ((word["doubts"], True), (word["conversions"], False)):
        changed = tuple(
            (
                Cell(said.text(f"conversion.{r['what']}"), "warn" if doubtful else ""),
                _where(r, said, str(r["header"] or r["column"])),
                f"{r['count']:,}",
                str(r["form"]),
                _read_as(str(r["read_as"]), word["power"]),
            )
            for r in conversions
            if r["what"] != "header" and r["doubtful"] is doubtful
        )
        out += [Table(title, text, changed)] if changed else []
    if not conversions:
        out.append(Line(word["nothing"]))
    return (*out, *_found(book, said, word["issues"]))


def _where(conversion: Mapping[Any, Any], said: Words, column: str) -> str:
    """Table, sheet and column of a conversion, as far as it has them."""
    from allocator.reporting.sentences import clean

    table = _table(str(conversion["table"]), said)
    return " · ".join(clean(x) for x in (table, conversion["sheet"], column) if x)


def _table(name: str, said: Words) -> str:
    return said.get(f"table.{name}", name)


def _found(book: Book, said: Words, title: str) -> list[Block]:
    """What to look at, in sentences: a few of each kind, the rest counted."""
    from allocator.framework import load_framework
    from allocator.issues import ERROR, SEVERITIES
    from allocator.reporting.issue_words import issue_message
    from allocator.reporting.tables import rows_of

    framework = load_framework("classic")
    rows: list[tuple[Content, ...]] = []
    order = book.issues["severity"].map({s: i for i, s in enumerate(SEVERITIES)})
    for _, part in book.issues.assign(order=order).groupby(["order", "code"], sort=True):
        severity = str(part["severity"].iloc[0])
        label = said.text("say.issue_count", severity=said.text(f"severity.{severity}"), count=f"{len(part):,}")
        head: Content = Cell(label, "bad" if severity == ERROR else "dim")
        for issue in rows_of(part.head(SHOWN[severity])):
            rows.append((head, issue_message(issue, framework, said)))
            head = ""
        if len(part) > SHOWN[severity]:
            count = f"{len(part) - SHOWN[severity]:,}"
            rows.append(("", Cell(said.text("say.more_issues", count=count), "dim")))
    heads = (Column(said.text("head.status"), "label"), Column(said.text("head.issue"), "sentence"))
    return [Table(title, heads, tuple(rows))] if rows else []


def _totals(book: Book) -> dict[str, dict[str, float]]:
    import math

    out: dict[str, dict[str, float]] = {}
    for table in ("holdings", "debts"):
        frame = getattr(book, table)
        if len(frame):
            by = frame.groupby("currency", sort=True)["value"].agg(lambda v: math.fsum(v.dropna()))
            out[table] = {str(c) or "–": round(float(v), 4) for c, v in by.items()}
    return out


def _codes(book: Book) -> Mapping[tuple[str, str, str], int]:
    found = book.issues.groupby(["table", "code", "severity"], sort=False).size()
    return {(str(t), str(c), str(s)): int(n) for (t, c, s), n in found.items()}  # type: ignore[misc,has-type]


def _read_as(text: str, power: str) -> str:
    return power.format(factor=f"{float(text):,.10g}") if text.startswith("1e") else text
