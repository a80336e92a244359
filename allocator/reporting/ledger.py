"""The ledger as blocks: its snapshots, what moved, and which reviews are due."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from allocator.i18n import DASH, Words
from allocator.ledger.diff import STATES, Diff
from allocator.ledger.finding import Finding
from allocator.ledger.reviews import Reviews
from allocator.ledger.snapshots import Snapshot
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Heading, Kind, Line, Table, Tone
from allocator.reporting.sentences import band_name, bound_of, clean, limit_name, with_unit
from allocator.reporting.tables import Row, rows_of

SHOWN: Final = 60
"""Findings that are drawn on a terminal."""
MOVED: Final = 20
"""Clients that moved most, in the table."""
TONES: Final[Mapping[str, Tone]] = {"new": "bad", "persistent": "warn", "resolved": "good"}
DUE_TONES: Final[Mapping[str, Tone]] = {"never": "warn", "overdue": "bad", "due": "warn", "later": "dim"}


def snapshots_blocks(snapshots: pd.DataFrame, words: Words) -> Blocks:
    """Every snapshot of a ledger; ``snapshots`` is `Ledger.snapshots`."""
    rows = tuple(
        (
            _day(r["as_of"]),
            f"{r['clients']:,}",
            f"{r['holdings']:,}",
            words.text("ledger.yes" if r["plan"] else "ledger.no"),
            clean(r["framework"]),
            _kilobytes(r["bytes"], words),
            r["input_hash"][:12] or DASH,
        )
        for r in rows_of(snapshots)
    )
    heads = _heads(
        words, date="label", clients="number", holdings="number", plan="label", framework="text", size="number",
        hash="label",
    )  # fmt: skip
    return (Table(words.text("ledger.title_snapshots"), heads, rows),)


def snapshot_blocks(snapshot: Snapshot, words: Words) -> Blocks:
    """One snapshot: what it rests on, and a row per client."""
    m, clients = snapshot.manifest, rows_of(snapshot.clients)
    head = words.text(
        "ledger.say_snapshot",
        clients=f"{m['clients']:,}",
        holdings=f"{m['holdings']:,}",
        framework=clean(m["framework"]["name"]),
        plan=words.text("ledger.with_plan" if snapshot.planned else "ledger.without_plan"),
        hash=m["input_hash"][:12] or DASH,
    )
    table = Table(
        "", _client_heads(words, "client"), tuple(_client_row(r, clean(r["client_id"]), words) for r in clients)
    )
    return (Heading(words.text("ledger.title_snapshot", date=snapshot.on)), Line(head, "dim"), table)


def client_blocks(snapshots: Sequence[Snapshot], client_id: str, words: Words) -> Blocks:
    """One client in every snapshot that has them."""
    rows = []
    for snapshot in snapshots:
        at = snapshot.ids.get_indexer(pd.Index([client_id]))[0]
        if at >= 0:
            rows.append(_client_row(rows_of(snapshot.clients.iloc[[at]])[0], str(snapshot.on), words))
    title = words.text("ledger.title_client", client=clean(client_id))
    return (Heading(title), Table("", _client_heads(words, "date"), tuple(rows)))


def diff_blocks(diff: Diff, words: Words, client_id: str | None = None) -> Blocks:
    """What moved: counts, findings in the order in which an advisor reads, and the clients that moved most.

    Raises
    ------
    InputError
        ``client_id`` is in neither snapshot.
    """
    found, clients = diff.findings, diff.clients
    if client_id is not None:
        tables = diff.select(client_id)
        found, clients = tables["findings"], tables["clients"]
    return (
        *head_of(diff, words),
        *_counts(diff, found, words),
        *_findings(diff, found, words),
        *_moved(clients, words),
        *rests_on(diff, words),
    )


def head_of(diff: Diff, words: Words) -> list[Block]:
    """Title, and what limits the comparison."""
    key = "ledger.title_first" if diff.before is None else "ledger.title_diff"
    title = words.text(key, **({} if diff.before is None else {"before": diff.before}), after=diff.after)
    return [Heading(title), *(Line(words.text(f"ledger.notice_{n}"), "warn") for n in diff.notices)]


def due_blocks(reviews: Reviews, words: Words) -> Blocks:
    """Whose review is due, the longest overdue first."""
    policy = reviews.policy.review
    tiers = [
        words.text("ledger.say_tier", tier=words.name(t), months=t.months)
        for t in sorted(policy.tiers.values(), key=lambda t: -t.least)
    ]
    said = words.text(
        "ledger.say_due",
        due=f"{len(reviews.due):,}",
        clients=f"{len(reviews.table):,}",
        date=reviews.snapshot,
        tiers=words.text("say.list").join([*tiers, words.text("ledger.say_no_tier", months=policy.months)]),
    )
    rows = tuple(
        (
            clean(r["client_id"]),
            clean(r["advisor"]) or DASH,
            words.name(policy.tiers[r["tier"]]) if r["tier"] else DASH,
            _day(r["last_review"]),
            words.text(f"ledger.source_{r['source']}") if r["source"] else DASH,
            _day(r["due"]),
            f"{int(r['days']):,}" if r["state"] == "overdue" else DASH,
            Cell(words.text(f"ledger.review_{r['state']}"), DUE_TONES[r["state"]]),
            words.money(r["total"], r["currency"], short=True),
        )
        for r in rows_of(reviews.due)
    )
    heads = _heads(
        words, client="label", advisor="label", tier="label", last_review="label", source="label", due="label",
        days="number", status="label", total="number",
    )  # fmt: skip
    title = words.text("ledger.title_due", date=reviews.on)
    if not rows:
        return (Heading(title), Line(words.text("ledger.say_nothing_due"), "good"), Line(said, "dim"))
    return (_table(title, heads, rows, words), Line(said, "dim", apart=True))


def says(row: Row, diff: Diff, words: Words) -> str:
    """One finding as a sentence."""
    kind = diff.kinds[row["finding"]]
    subject = _subject(row, kind, diff, words)
    before, after = (_amount(row[c], row, kind, words) for c in ("before", "after"))
    if row["state"] == "resolved":
        key = "ledger.say_resolved" if math.isfinite(row["after"]) else "ledger.say_resolved_bare"
        text = words.text(key, subject=subject, before=before, after=after).strip()
    else:
        points = kind.unit == "points"
        data = {
            "amount": words.number(row["amount"], 0) if points else words.money(row["amount"], row["currency"]),
            "bound": _bound(row, kind, words),
        }
        text = kind.says[words.lang].format(subject=subject, before=before, after=after, **data)
    if not math.isfinite(row["before"]):
        text = text.replace(f"{DASH} → ", "")
    note = words.text(f"ledger.note_{row['note']}") if row["note"] else ""
    text = words.tight(text)
    return text if not note else f"{text} ({note})" if words.lang == "en" else f"{text}（{note}）"


def _subject(row: Row, kind: Finding, diff: Diff, words: Words) -> str:
    f, name = diff.framework, str(row["name"])
    if kind.subject == "bucket":
        return words.name(f.buckets[name]) if name in f.buckets else clean(name)
    if kind.subject == "limit":
        if name in diff.own:
            return clean(diff.own[name][words.lang == "zh"]) or clean(name)
        return limit_name(name, f, words)
    if kind.subject == "class":
        return words.name(f.classes[name]) if name in f.classes else clean(name)
    if kind.subject == "rule":
        return words.name(f.rules[name]) if name in f.rules else name or DASH
    if kind.subject == "band":
        return " → ".join(band_name(b, f, words) for b in name.split(">"))
    if kind.subject == "change":
        return clean(name).replace(">", " → ")
    return clean(name or row["subject"])


def _amount(value: float, row: Row, kind: Finding, words: Words) -> str:
    if kind.unit == "share":
        return words.percent(value)
    if kind.unit == "limit":
        return with_unit(str(row["name"]), value, words)
    if kind.unit == "points":
        return words.number(value, 0)
    return words.money(value, row["currency"])


def _bound(row: Row, kind: Finding, words: Words) -> str:
    if kind.unit == "limit":
        sense = str(row["subject"])[-2:]
        return bound_of(str(row["name"]), row["bound"], sense, words)
    return _amount(row["bound"], row, kind, words)


def _counts(diff: Diff, found: pd.DataFrame, words: Words) -> list[Block]:
    if found.empty:
        return [Line(words.text("ledger.say_nothing"), "good")]
    sizes = found.groupby(["finding", "state"]).size()
    rows = tuple(
        (words.name(kind), *(f"{int(sizes.get((code, s), 0)):,}" for s in STATES))
        for code, kind in diff.kinds.items()
        if code in sizes.index.get_level_values(0)
    )
    heads = _heads(words, finding="text", new="number", persistent="number", resolved="number")
    return [Table(words.text("ledger.title_counts"), heads, rows)]


def _findings(diff: Diff, found: pd.DataFrame, words: Words) -> list[Block]:
    if found.empty:
        return []
    rows = tuple(
        (
            clean(r["client_id"]),
            clean(r["advisor"]) or DASH,
            Cell(words.text(f"ledger.state_{r['state']}"), TONES[r["state"]]),
            _day(r["since"]),
            words.name(diff.kinds[r["finding"]]),
            says(r, diff, words),
        )
        for r in rows_of(found)
    )
    heads = (
        *_heads(words, client="label"),
        Column(words.text("ledger.head_advisor"), "label", spare=2),
        *_heads(words, state="label"),
        Column(words.text("ledger.head_since"), "label", spare=1),
        *_heads(words, finding="text", says="sentence"),
    )
    return [_table(words.text("ledger.title_findings"), heads, rows, words)]


def _moved(clients: pd.DataFrame, words: Words) -> list[Block]:
    order = clients["change"].abs().sort_values(ascending=False, kind="stable").index
    moved = clients.loc[order]
    moved = moved[moved["change"].abs() > 0].head(MOVED)
    if moved.empty:
        return []
    rows = tuple(
        (
            clean(r["client_id"]),
            words.money(r["total_after"], r["currency"], short=True),
            f"{words.signed(100 * r['change'])}%",
            *(words.money(r[c], short=True) for c in ("flow", "revaluation", "untold")),
            _step(words.number(r["score_before"], 0), words.number(r["score_after"], 0)),
            _step(words.number(r["limits_before"], 0), words.number(r["limits_after"], 0)),
        )
        for r in rows_of(moved)
    )
    heads = _heads(
        words, client="label", total="number", change="number", flow="number", revaluation="number", untold="number",
        score="number", limits="number",
    )  # fmt: skip
    return [Table(words.text("ledger.title_clients"), heads, rows), Line(words.text("ledger.say_flow"), "dim")]


def rests_on(diff: Diff, words: Words) -> list[Block]:
    """What new, persistent and resolved are told against, and the version."""
    from allocator import __version__

    if diff.before is None:
        said = []
    elif diff.previous is None:
        said = [words.text("ledger.say_no_previous")]
    else:
        said = [words.text("ledger.say_previous", previous=diff.previous, before=diff.before)]
    return [*(Line(s, "dim") for s in said), Line(f"allocator {__version__}", "dim")]


def _table(title: str, heads: tuple[Column, ...], rows: tuple[tuple[Cell | str, ...], ...], words: Words) -> Table:
    more = words.text("ledger.say_more", count=f"{len(rows) - SHOWN:,}") if len(rows) > SHOWN else ""
    return Table(title, heads, rows, shown=SHOWN if more else None, more=more)


def _client_heads(words: Words, first: str) -> tuple[Column, ...]:
    return (
        Column(words.text(f"ledger.head_{first}"), "label"),
        *_heads(words, total="number", score="number", limits="number", status="label", plan="label"),
    )


def _client_row(r: Row, first: str, words: Words) -> tuple[Cell | str, ...]:
    plan = words.text(f"status.{r['plan_status']}") if r["plan_status"] else DASH
    return (
        first,
        words.money(r["total"], r["currency"], short=True),
        words.number(r["score"], 0),
        str(int(r["limits_exceeded"])),
        words.text(f"status.{r['status']}"),
        plan,
    )


def _heads(words: Words, **heads: Kind) -> tuple[Column, ...]:
    return tuple(Column(words.text(f"ledger.head_{h}"), kind) for h, kind in heads.items())


def _step(before: str, after: str) -> str:
    return after if before in (after, DASH) else f"{before}→{after}"


def _day(day: pd.Timestamp) -> str:
    return DASH if pd.isna(day) else day.date().isoformat()


def _kilobytes(size: int, words: Words) -> str:
    return words.number(size / 1000, 0)
