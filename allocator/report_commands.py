"""``allocator report``: one client's report as a file or on the screen, or the reports of a whole book."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from allocator.cli_words import Spoken, a_count, command
from allocator.command_tools import (
    NOTHING,
    SET_ASIDE,
    analysed,
    exit_code,
    only,
    print_blocks,
    print_json,
    progress,
    status_code,
    tell,
)
from allocator.i18n import Words

if TYPE_CHECKING:
    import pandas as pd

    from allocator.analysis import Analysis
    from allocator.plan import Plan
    from allocator.reporting.report_facts import Options

SCHEMA: Final = "allocator/1"
KINDS: Final = ("html", "pdf", "xlsx")
MOST: Final = 64
"""Processes at most."""


def report_command(said: Words, book: Sequence[click.Parameter]) -> Spoken:
    """Make the command; ``book`` are the options of commands that read a book."""
    own = [
        click.Option(["--output", "-o"], metavar="FILE", help=_help(said, "output")),
        _option(said, "out", metavar="DIR"),
        click.Option(["--formats"], metavar="LIST", default="html,pdf", help=_help(said, "formats")),
        _option(said, "advisor", metavar="NAME"),
        click.Option(["--workers"], metavar="N", callback=a_count(said, MOST), help=_help(said, "workers")),
        _flag(said, "resume"),
        click.Option(["--style"], metavar="NAME|FILE", default="plain", help=_help(said, "style")),
        _flag(said, "pseudonymise"),
        _option(said, "key", metavar="FILE"),
        _flag(said, "hide_amounts"),
        _flag(said, "short"),
        _flag(said, "no_plan"),
    ]
    return command(said, "report", partial(show_report, said), [*book, *own], "help.reports.main")


def show_report(said: Words, **options: Any) -> int:
    """``allocator report``."""
    kind = _fit_together(said, options)
    made = _options(said, options)
    if options["out"] is not None:
        return _book(said, made, options)
    from allocator.documents.report import report
    from allocator.reporting.report_facts import options_id

    book, analysis = analysed(said, options)
    one = only(analysis)
    if one is None and len(analysis):
        raise click.UsageError(said.text("error.reports.one_client", count=len(analysis)))
    result: Any = analysis
    if not options["no_plan"] and len(analysis):
        from allocator.pipeline import rebalance

        with progress(said, "planning"):
            result = rebalance(analysis)
    if options["json"] and (one is None or not kind):
        print_json(_numbers(result, said, book.counts))
        return exit_code(analysis, None if result is analysis else result)
    done = report(result, one, short=options["short"], **{k: getattr(made, k) for k in made.__dataclass_fields__})
    if kind:
        path = done.save(options["output"])
        tell(said.text("reports.one", file=path.name))
        if options["json"]:
            print_json({"schema": SCHEMA, "reports": [_told(result, options_id(made, one or ""), {kind: path.name})]})
    else:
        print_blocks(done.document.blocks())
    return exit_code(analysis, None if result is analysis else result)


def _book(said: Words, made: Options, options: dict[str, Any]) -> int:
    from allocator.documents.book_reports import Settings, write_reports

    book, analysis = analysed(said, options)
    formats = tuple(dict.fromkeys(k.strip().lower() for k in options["formats"].split(",") if k.strip()))
    settings = Settings(
        options=made,
        formats=formats,
        framework=analysis.framework,
        assumptions=options["assumptions"],
        band=options["band"],
        on=analysis.on,
        plan=not options["no_plan"],
        short=options["short"],
    )
    workers = options["workers"] or min(os.cpu_count() or 1, MOST)
    with progress(said, "reporting"):
        found = write_reports(
            book, Path(options["out"]), settings, advisor=options["advisor"], workers=workers, resume=options["resume"]
        )
    folder, failed = Path(options["out"]).name, sum(found.failed.values())
    count = len(found.rows) - found.kept
    tell(said.text("reports.written", count=count, kept=found.kept, folder=folder, index=found.index.name))
    if failed:
        kinds = ", ".join(f"{kind} {n}" for kind, n in found.failed.items())
        tell(said.text("reports.failed", count=failed, kinds=kinds))
    if options["json"]:
        counts = {"written": count, "kept": found.kept, "failed": dict(found.failed)}
        print_json({"schema": SCHEMA, "index": found.index.name, **counts, "reports": [_listed(r) for r in found.rows]})
    if not found.rows:
        return NOTHING
    aside = any(r["aside"] for r in found.rows)
    return SET_ASIDE if failed else status_code({str(r["status"]) for r in found.rows}, aside=aside)


def _numbers(result: Analysis | Plan, said: Words, counts: pd.DataFrame) -> dict[str, Any]:
    """The numbers of a report that nobody asked a file of: those of ``check`` and ``rebalance``."""
    from allocator.plan import Plan
    from allocator.reporting.jsonout import check_json, rebalance_json

    if isinstance(result, Plan):
        return rebalance_json(result, said, counts=counts)
    return check_json(result, said, counts=counts)


def _told(result: Analysis | Plan, shown: str, files: dict[str, str]) -> dict[str, Any]:
    """One report that was written; a client goes by the name that the report has."""
    from allocator.analysis import Analysis

    analysis = result if isinstance(result, Analysis) else result.before
    now = analysis.summary.iloc[0]
    status = str(result.summary["status"].iloc[0])
    return _entry(shown, status, float(now["score"]), int(now["limits_exceeded"]), files)


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    """One report of a book that was written."""
    return _entry(row["client"], row["status"], row["score_now"], row["limits"], row["files"])


def _entry(client: str, status: str, score: float, limits: int, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "client_id": client,
        "status": status,
        "score": score if score >= 0 else None,  # unknown: NaN, or −1 in the list of a book
        "limits_exceeded": limits,
        "files": dict(files),
    }


def _fit_together(said: Words, options: dict[str, Any]) -> str:
    """Refuse options that do not go together; the kind of file that is to be written, empty for none."""
    if options["output"] is not None and options["out"] is not None:
        raise click.UsageError(said.text("error.reports.both"))
    if options["pseudonymise"] and options["key"] is None:
        raise click.UsageError(said.text("error.reports.needs_key"))
    hidden = [k for k in ("pseudonymise", "hide_amounts") if options[k]]
    if options["json"] and hidden and options["output"] is None and options["out"] is None:
        other = f"--{hidden[0].replace('_', '-')}"
        raise click.UsageError(said.text("error.not_together", option="--json", other=other))
    for name in ("advisor", "workers", "resume"):
        if options[name] and options["out"] is None:
            raise click.UsageError(said.text("error.reports.needs_out", option=f"--{name}"))
    for kind in options["formats"].split(","):
        if kind.strip().lower() not in KINDS:
            raise click.UsageError(said.text("error.reports.formats", kind=kind.strip()))
    kind = "" if options["output"] is None else Path(options["output"]).suffix.lstrip(".").lower()
    if options["output"] is not None and kind not in KINDS:
        raise click.UsageError(said.text("error.reports.ending"))
    return kind


def _options(said: Words, options: dict[str, Any]) -> Options:
    from allocator.pseudonyms import load_key
    from allocator.reporting.house_style import load_style
    from allocator.reporting.report_facts import Options

    return Options(
        lang=said.lang,
        style=load_style(options["style"]),
        key=load_key(options["key"]) if options["pseudonymise"] else None,
        hide_amounts=options["hide_amounts"],
    )


def _help(said: Words, key: str) -> str:
    return said.text(f"help.reports.{key}")


def _option(said: Words, key: str, **more: Any) -> click.Option:
    return click.Option([f"--{key}"], help=_help(said, key), **more)


def _flag(said: Words, key: str) -> click.Option:
    return click.Option([f"--{key.replace('_', '-')}", key], is_flag=True, help=_help(said, key))
