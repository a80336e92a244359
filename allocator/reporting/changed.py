"""Two plans of one client side by side: as things are, and as they would be."""

from __future__ import annotations

from allocator.i18n import DASH, Words
from allocator.plan import Plan
from allocator.reporting.blocks import Blocks, Cell, Column, Content, Heading, Line, Table
from allocator.reporting.explained import sentences
from allocator.reporting.lists import trades
from allocator.reporting.sentences import band_name, clean, grade_name
from allocator.reporting.sheet import PLAN_TONES, footer
from allocator.reporting.tables import Client


def changed_blocks(base: Plan, changed: Plan, client_id: str, words: Words) -> Blocks:
    """Today and the plan as things are; today and the plan with what is changed; then the trades of the latter.

    Raises
    ------
    InputError
        No such client in one of the plans.
    """
    sides = [Client.of(a, client_id, words) for p in (base, changed) for a in (p.before, p.after)]
    shown = [_figures(side) for side in sides]
    rows: tuple[tuple[Content, ...], ...] = tuple(
        (label, *(Cell(x, "strong") if k % 2 and x != line[k - 1] else x for k, x in enumerate(line)))
        for label, line in ((label, [s[label] for s in shown]) for label in shown[0])
    )
    plans = [p.part(client_id).rows("summary")[0] for p in (base, changed)]
    cells = [Cell(words.text(f"status.{p['status']}"), PLAN_TONES[p["status"]]) for p in plans]
    outcome: tuple[tuple[Content, ...], ...] = (
        (words.text("head.status"), "", cells[0], "", cells[1]),
        *(
            (words.text(f"head.{head}"), "", said[0], "", said[1])
            for head, said in (
                ("trades", [str(int(p["trades"])) for p in plans]),
                ("spent", [words.money(p["cost"] + p["tax"], sides[0].currency) for p in plans]),
            )
        ),
    )
    heads = [words.text(k) for k in ("whatif.as_is", "head.after", "whatif.changed", "head.after")]
    columns = (Column(words.text("head.figure")), *(Column(h, "number") for h in heads))
    me = sides[2]
    return (
        Heading(words.text("whatif.title", client=clean(client_id))),
        Line(sentences(changed, client_id, words)[0], PLAN_TONES[plans[1]["status"]]),
        Table("", columns, (*outcome, *rows)),
        *trades(me, changed, changed.part(client_id).rows("trades")),
        footer(changed.before, words),
    )


def _figures(side: Client) -> dict[str, str]:
    """Figures of one side, by their label."""
    s, words = side.summary, side.words
    out = {words.text("head.band"): band_name(str(s["band"]), side.framework, words)}
    out[words.text("head.total")] = side.money(s["total"])
    for code, bucket in side.framework.buckets.items():
        out[words.name(bucket)] = words.percent(s[code])
    grade = grade_name(str(s["grade"]), words)
    out[words.text("head.score")] = words.text("whatif.score", score=words.number(s["score"], 0), grade=grade)
    out[words.text("title.limits")] = str(int(s["limits_exceeded"])) if s["status"] != "no_band" else DASH
    out[words.text("figure.volatility")] = words.percent(s["volatility"])
    out[words.text("figure.expected_return")] = words.percent(s["expected_return"])
    out[words.text("figure.reserve")] = words.number(s["reserve_months"])
    return out


def failed_blocks(message: str) -> Blocks:
    """What cannot be, and the mend."""
    return (Line(message, "bad"),)
