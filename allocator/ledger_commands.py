"""``allocator ledger``: add, show, diff, due, review, purge; every one returns its exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from allocator.cli_words import SpokenGroup, a_day, command, group, one_of
from allocator.command_tools import OK, SET_ASIDE, analysed, print_blocks, print_json, progress, tell
from allocator.i18n import Words
from allocator.reporting.blocks import Line

if TYPE_CHECKING:
    from allocator.ledger.diff import Diff
    from allocator.ledger.ledger import Ledger
    from allocator.ledger.reviews import Reviews

PLACE: Final = "ledger"
VARIABLE: Final = "ALLOCATOR_LEDGER"
STATES: Final = ("new", "persistent", "resolved")
"""States of findings; a test holds them to those of the ledger."""

Params = Sequence[click.Parameter]


def ledger_group(said: Words, book: Params, both: Params) -> SpokenGroup:
    """Make the group of commands.

    Parameters
    ----------
    said
        The language.
    book, both
        Options of commands that read a book, and those of all commands.
    """
    place = _option(said, "--ledger", "place", metavar="FOLDER|URL", envvar=VARIABLE)
    key = _option(said, "--key", metavar="FILE")
    policy = _option(said, "--policy", metavar="NAME|FILE", default="standard")
    client = _option(said, "--client", metavar="ID")
    json = click.Option(["--json"], is_flag=True, help=said.text("help.json"))
    day = _option(said, "--date", "date", "day", metavar="YYYY-MM-DD", callback=a_day(said))
    purged = _option(said, "--date", "purge_date", "day", metavar="YYYY-MM-DD", callback=a_day(said))
    advisor = _option(said, "--advisor", metavar="NAME")
    page = _option(said, "--html", metavar="FILE")
    state = _option(said, "--state", metavar=f"[{'|'.join(STATES)}]", callback=one_of(STATES, said))
    flags = [click.Option([f"--{f}"], is_flag=True, help=said.text(f"ledger.help_{f}")) for f in ("plan", "replace")]
    yes = click.Option(["--yes"], is_flag=True, help=said.text("ledger.help_yes"))

    def a(name: str, metavar: str, needed: bool = False) -> click.Argument:
        callback = None if name == "client" else a_day(said)
        return click.Argument([name], required=needed, metavar=metavar, callback=callback)

    made: dict[str, tuple[Callable[..., int], Params]] = {
        "add": (add, [*(o for o in book if o.name != "client"), place, key, *flags]),
        "show": (show, [a("day", "[DATE]"), place, key, client, json, *both]),
        "diff": (
            diff,
            [
                a("before", "[BEFORE]"),
                a("after", "[AFTER]"),
                place,
                key,
                client,
                advisor,
                state,
                policy,
                page,
                json,
                *both,
            ],
        ),
        "due": (due, [place, key, day, client, advisor, policy, json, *both]),
        "review": (review, [a("client", "CLIENT", True), place, key, day, json, *both]),
        "purge": (purge, [place, key, client, purged, yes, json, *both]),
    }
    commands = [command(said, n, partial(f, said), params, f"ledger.help_{n}") for n, (f, params) in made.items()]
    return group(said, "ledger", both, "ledger.help", commands)


def add(said: Words, ledger: str | None, key: str | None, plan: bool, replace: bool, **options: Any) -> int:
    """``allocator ledger add``: keep a snapshot."""
    from allocator import pipeline

    book = _open(ledger, key=key)
    _, analysis = analysed(said, {**options, "client": None})
    result = analysis
    if plan:
        with progress(said, "planning"):
            result = pipeline.rebalance(analysis, explain=False)  # type: ignore[assignment]
    kept = book.add(result, replace=replace)
    last = max(book.dates)
    if options["json"]:
        from allocator.reporting.jsonledger import snapshots_json

        snapshots = book.snapshots
        print_json(snapshots_json(snapshots[snapshots["as_of"].dt.date == kept.on]))
    else:
        m = kept.manifest
        text = said.text(
            "ledger.added",
            date=kept.on,
            clients=f"{m['clients']:,}",
            holdings=f"{m['holdings']:,}",
            plan=said.text("ledger.with_plan" if plan else "ledger.without_plan"),
            size=said.number(m["bytes"] / 1000, 0),
        )
        before = [Line(said.text("ledger.added_before", last=last), "warn")] if last > kept.on else []
        print_blocks((Line(text, "good"), *before))
    return SET_ASIDE if len(analysis.set_aside) else OK


def show(said: Words, ledger: str | None, day: date | None, client: str | None, **options: Any) -> int:
    """``allocator ledger show``: the snapshots, one of them, or one client over time."""
    from allocator.reporting.jsonledger import snapshot_json, snapshots_json
    from allocator.reporting.ledger import client_blocks, snapshot_blocks, snapshots_blocks

    book, json = _open(ledger, key=options["key"]), options["json"]
    if client is not None:
        client = book.client_id(client)
        kept = [book.show(d) for d in (book.dates if day is None else [day])]
        kept = [s for s in kept if (s.ids == client).any()]
        if not kept:
            raise click.UsageError(said.text("error.no_client"))
        if json:
            print_json(snapshot_json(kept[-1], client))
        else:
            print_blocks(client_blocks(kept, client, said))
    elif day is None:
        print_json(snapshots_json(book.snapshots)) if json else print_blocks(snapshots_blocks(book.snapshots, said))
    else:
        snapshot = book.show(day)
        print_json(snapshot_json(snapshot)) if json else print_blocks(snapshot_blocks(snapshot, said))
    return OK


def diff(said: Words, ledger: str | None, before: date | None, after: date | None, **options: Any) -> int:
    """``allocator ledger diff``: what moved."""
    from allocator.reporting.jsonledger import diff_json
    from allocator.reporting.ledger import diff_blocks

    book = _open(ledger, options["policy"], options["key"])
    with progress(said, "analysing"):
        found = _chosen(book.diff(before, after), options["advisor"], options["state"])
    if options["html"] is not None:
        _page(book, found, options, said)
    client = None if options["client"] is None else book.client_id(options["client"])
    if options["json"]:
        print_json(diff_json(found, said, client))
    else:
        print_blocks(diff_blocks(found, said, client))
    return OK


def due(said: Words, ledger: str | None, day: date | None, **options: Any) -> int:
    """``allocator ledger due``: whose review is due."""
    from allocator.reporting.jsonledger import due_json
    from allocator.reporting.ledger import due_blocks

    book = _open(ledger, options["policy"], options["key"])
    found = _of_advisor(book.due(day), options["advisor"])
    if options["client"] is not None:
        found = _of_client(said, found, book.client_id(options["client"]))
    print_json(due_json(found)) if options["json"] else print_blocks(due_blocks(found, said))
    return OK


def review(said: Words, ledger: str | None, client: str, day: date | None, **options: Any) -> int:
    """``allocator ledger review``: note a review."""
    when = date.today() if day is None else day
    _open(ledger, key=options["key"]).review(client, when)
    if options["json"]:
        _print_done(reviewed=when.isoformat())
    else:
        print_blocks((Line(said.text("ledger.reviewed", date=when), "good"),))
    return OK


def purge(said: Words, ledger: str | None, client: str | None, day: date | None, **options: Any) -> int:
    """``allocator ledger purge``: take data out for good."""
    if client is None and day is None:
        raise click.UsageError(said.text("ledger.purge_what"))
    book = _open(ledger, key=options["key"])
    done = options["yes"]
    count = book.purge(client=client, on=day) if done else len(book.holding(client=client, on=day))
    if options["json"]:
        _print_done(purged=done, snapshots=count)
    elif done:
        print_blocks((Line(said.text("ledger.purged", count=count), "good"),))
    else:
        print_blocks((Line(said.text("ledger.would_purge", count=count), "warn"),))
    return OK


def _print_done(**content: Any) -> None:
    """Say as JSON what was done; no client is named."""
    from allocator.reporting.jsonledger import SCHEMA

    print_json({"schema": SCHEMA, **content})


def _page(book: Ledger, found: Diff, options: dict[str, Any], said: Words) -> None:
    """Write the page for the advisor."""
    from pathlib import Path

    from allocator.reporting.advisor import advisor_page
    from allocator.storage import write_text

    due = _of_advisor(book.due(max(date.today(), found.after)), options["advisor"])
    file = Path(options["html"])
    write_text(file, advisor_page(found, due, said), private=True)
    tell(said.text("ledger.written", file=file.name))


def _of_advisor(found: Reviews, advisor: str | None) -> Reviews:
    from dataclasses import replace

    if advisor is None:
        return found
    return replace(found, table=found.table[found.table["advisor"] == advisor].reset_index(drop=True))


def _of_client(said: Words, found: Reviews, client: str) -> Reviews:
    from dataclasses import replace

    table = found.table[found.table["client_id"] == client].reset_index(drop=True)
    if table.empty:
        raise click.UsageError(said.text("error.no_client"))
    return replace(found, table=table)


def _open(place: str | None, policy: str = "standard", key: str | None = None) -> Ledger:
    from allocator.ledger.ledger import Ledger

    return Ledger(place or os.environ.get(VARIABLE) or PLACE, policy=policy, key=key)


def _chosen(found: Diff, advisor: str | None, state: str | None) -> Diff:
    """Only what one advisor, or who looks for one state, wants to read."""
    from dataclasses import replace

    findings, clients = found.findings, found.clients
    if advisor is not None:
        findings, clients = (t[t["advisor"] == advisor] for t in (findings, clients))
    if state is not None:
        findings = findings[findings["state"] == state]
    return replace(found, findings=findings.reset_index(drop=True), clients=clients.reset_index(drop=True))


def _option(said: Words, name: str, key: str = "", target: str = "", **more: Any) -> click.Option:
    key = key or name.removeprefix("--")
    return click.Option([name, target] if target else [name], help=said.text(f"ledger.help_{key}"), **more)
