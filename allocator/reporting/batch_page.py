"""What a batch has done, as blocks: for a terminal, and for a notebook."""

from __future__ import annotations

from allocator.batch.result import BatchResult
from allocator.i18n import DASH, Words
from allocator.reporting.blocks import Block, Blocks, Column, Line, Table


def batch_blocks(result: BatchResult, said: Words) -> Blocks:
    """What was done: clients by status, what was planned, where the rows went."""
    c = result.counts
    today, planned = c["clients"]["status"], c["clients"].get("plan_status")
    found = [*today, *(s for s in planned or {} if s not in today)]
    columns = [Column(said.text("batch.head_status"), "label"), Column(said.text("batch.head_today"), "number")]
    rows = [[said.get(f"status.{s}", s), _count(today.get(s, 0), said)] for s in found]
    if planned is not None:
        columns.append(Column(said.text("batch.head_planned"), "number"))
        rows = [[*row, _count(planned.get(s, 0), said)] for row, s in zip(rows, found, strict=True)]
    title = said.text("batch.title", clients=said.number(c["clients"]["in"], 0), day=result.manifest["options"]["on"])
    out: list[Block] = [Table(title, tuple(columns), tuple(tuple(r) for r in rows))]
    if planned is None:
        out.append(Line(said.text("batch.exceeded", today=said.number(c["limits_exceeded"], 0)), apart=True))
    else:
        told = {"trades": "trades", "today": "limits_exceeded", "after": "limits_exceeded_after"}
        figures = {k: said.number(c[v], 0) for k, v in told.items()}
        out.append(Line(said.text("batch.planned", **figures), apart=True))
        doubtful = c["clients"]["uncertified"]
        key = "uncertified" if doubtful else "certified"
        out.append(Line(said.text(f"batch.{key}", count=said.number(doubtful, 0)), "bad" if doubtful else ""))
    sums = {k: sum(t[k] for t in c["rows"].values()) for k in ("read", "used", "set_aside", "ignored")}
    out.append(Line(said.text("batch.rows", **{k: said.number(v, 0) for k, v in sums.items()})))
    out.append(Line(said.text("batch.issues", **{k: said.number(v, 0) for k, v in c["issues"].items()})))
    key = "batch.money" if planned is not None else "batch.money_today"
    for currency, money in c["money"].items():
        amounts = {k: said.money(v / 100, currency, short=True) for k, v in money.items()}
        out.append(Line(said.text(key, **amounts)))
    out.append(Line(said.text("batch.written", folder=result.out.name, tables=", ".join(result.tables)), apart=True))
    return tuple(out)


def _count(count: int, said: Words) -> str:
    return said.number(count, 0) if count else DASH
