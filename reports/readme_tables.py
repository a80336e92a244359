"""Write the generated parts of the READMEs out of the code: ``python reports/readme_tables.py``.

A part stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; a test compares it with what this file gives.
"""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

import allocator as al
from allocator.cli import build
from allocator.framework import Span, load_framework
from allocator.i18n import Words, words
from allocator.importers.scf import SPENDING
from allocator.limits import TOLERANCE, limit_list
from allocator.rebalance.problem import STILL
from allocator.rebalance.solve import TIGHT
from allocator.rebalance.whole import GAP, NODES
from allocator.reporting.jsonout import rebalance_json
from allocator.reporting.sentences import MONTHS, heading, limit_name
from allocator.schema import TABLES, Column

ROOT: Final = Path(__file__).resolve().parents[1]
READMES: Final = {"en": ROOT / "README.md", "zh": ROOT / "README.zh.md"}
DAY: Final = dt.date(2026, 9, 30)
CLIENT: Final = "C008"
"""A sample client with trades, debts and obstacles: every list of its JSON has something in it."""
WIDTH: Final = 110

ABOUT: Final[dict[str, dict[str, str]]] = {
    "en": {
        "holdings": "what clients own; the only table that must be there",
        "clients": "who they are; without it every client is taken for the default band",
        "debts": "what they owe",
        "products": "the shelf, what may be bought; without it one generic product per class",
        "fx": "exchange rates",
        "lookthrough": "what is inside funds",
        "overrides": "your own classifications, stronger than everything else",
    },
    "zh": {
        "holdings": "持仓，唯一必需的表",
        "clients": "客户；没有此表时全部按默认风险类型处理",
        "debts": "负债",
        "products": "产品货架；没有此表时每类一只通用产品",
        "fx": "汇率",
        "lookthrough": "基金穿透",
        "overrides": "您自己的改类，优先于其他依据",
    },
}


def columns(lang: str) -> str:
    """Every column of every input table."""
    out = []
    for table, fields in TABLES.items():
        names = [f"**`{c.name}`**" if c.required else f"`{c.name}`" for c in fields]
        also = [", ".join(h for h in c.headers if h != c.name) for c in fields]
        if lang == "zh":
            lines = _table(("列", "也可写作"), zip(names, also, strict=True))
        else:
            meaning = [_meaning(c) for c in fields]
            heads = ("column", "kind", "what it holds", "also read")
            lines = _table(heads, zip(names, [c.kind for c in fields], meaning, also, strict=True))
        out.append("\n".join([f"`{table}` – {ABOUT[lang][table]}", "", *lines]))
    return "\n\n".join(out)


def commands(lang: str) -> str:
    """Every command with its arguments, and every option with the commands that take it."""
    every = list(leaves(build(words(lang))))
    lines = [(_code(name, *_arguments(c)), c.help or "") for name, c in every if not isinstance(c, click.Group)]
    options: dict[str, list[str]] = {}
    meaning: dict[str, str] = {}
    for name, command in every:
        for option in command.params:
            if isinstance(option, click.Option):
                shown = _code(*option.opts, *_value(option))
                options.setdefault(shown, []).append(name.removeprefix("allocator").strip() or name)
                meaning.setdefault(shown, option.help or "")
    everywhere = {"en": "all", "zh": "全部"}[lang]
    who = {o: everywhere if len(at) == len(every) else ", ".join(map(_code, at)) for o, at in options.items()}
    heads = {"en": ("option", "commands", "meaning"), "zh": ("选项", "命令", "说明")}[lang]
    first = {"en": ("command", "what it does"), "zh": ("命令", "用途")}[lang]
    return "\n".join([*_table(first, lines), "", *_table(heads, [(o, who[o], meaning[o]) for o in options])])


def leaves(group: click.Command, name: str = "allocator") -> Iterator[tuple[str, click.Command]]:
    """Every command by its full name, groups before what is in them."""
    yield name, group
    for key, one in getattr(group, "commands", {}).items():
        yield from leaves(one, f"{name} {key}")


def bands(lang: str) -> str:
    """Targets, bands and limits of the risk bands."""
    said, f = words(lang), load_framework()
    every = list(f.bands.values())
    rows: list[tuple[str, ...]] = []
    for part in ("buckets", "groups"):
        for code, named in getattr(f, part).items():
            spans = [getattr(b, part).get(code) for b in every]
            if any(spans):
                rows.append((said.name(named), *(_span(s, said) for s in spans)))
    for limit in limit_list(f):
        if limit.family == "concentration" or limit.kind == "volatility":
            rows.append((f"{heading(limit_name(limit.name, f, said))} ≤", *map(_share, limit.bounds)))
    rows.append((said.text("head.product_risk"), *(f"R{b.product_risk}" for b in every)))
    rows.append((said.text("head.satellite"), *(_share(b.satellite) for b in every)))
    return "\n".join(_table(("", *(f"{said.name(b)} `{code}`" for code, b in f.bands.items())), rows))


def numbers(lang: str) -> str:
    """Where the numbers of the bands come from, the rules of the score, and what is the same for every band."""
    said, f = words(lang), load_framework()
    sources = "; ".join(dict.fromkeys(b.source for b in f.bands.values()))
    rules = [
        (
            said.name(rule),
            _level(name, rule.lo, rule.lo_owner),
            _level(name, rule.hi, rule.hi_owner),
            f"{rule.weight:g}",
            rule.source,
        )
        for name, rule in f.rules.items()
    ]
    p, judged = f.plan, "house judgement"
    every = [
        (
            "months of reserve",
            f"{f.reserve.months:g}, {f.reserve.months_owner:g} for a business owner",
            f.reserve.source,
        ),
        ("drift", f"{_share(f.drift.absolute)} or {_share(f.drift.relative)} of the target", f.drift.source),
        ("insured deposit per bank", _amounts(f.insured_deposit), str(f.insured_deposit["source"])),
        ("tiers", _amounts(f.tiers), str(f.tiers["source"])),
        ("grades of the score, from", _amounts(f.grades), judged),
        ("base currency, default band", f"{f.currency}, `{f.default_band}`", judged),
        ("priorities p", _amounts(p.priorities), p.source),
        ("scales", ", ".join(f"{k} {v:g}" for k, v in p.scales.items()), p.source),
        ("price of squared trades in what lies at par", f"{STILL:g}", judged),
        ("η, γ, ε, δ", f"{p.group_weight:g}, {p.cost_weight:g}, {p.wash_weight:g}, {p.spread_weight:g}", p.source),
        ("price of keeping what is to be sold first", f"{p.sell_first_weight:g}", judged),
        ("costs of the highest return, spread over", f"{p.return_years:g} years", judged),
        ("smallest trade", f"{_share(p.min_trade)} of the total", p.source),
        ("excess that counts as none", f"{TOLERANCE:g} of the total", "house judgement, above the solver's precision"),
        ("solver's tolerances", f"{TIGHT['tol_gap_abs']:g}", judged),
        ("programmes solved for one plan in whole amounts, at most", f"{NODES}", judged),
        ("gap at which that search ends", f"{GAP:g} of the objective", "usual default of MIP solvers"),
        ("spending, in the survey format alone", f"{_share(SPENDING)} of income", judged),
    ]
    parts = [
        [f"Bands: {sources}."],
        _table(("rule of the score", "counts from", "extreme at", "weight", "source"), rules),
        _table(("for every band", "default", "source"), every),
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def classes(lang: str) -> str:
    """Defaults of every asset class: how it trades, and what is assumed of its return and risk."""
    said, f = words(lang), load_framework()
    a = al.load_assumptions(f.assumptions)
    names = {"own_use": said.text("outside.own_use")} | {code: said.name(b) for code, b in f.buckets.items()}
    traded, assumed = [], []
    for code, c in f.classes.items():
        costs = f"{_share(c.buy_cost)} / {_share(c.sell_cost)}"
        traded.append((_code(code), names[c.bucket], c.liquidity, _share(c.sellable), costs, f"R{c.risk}", c.source))
        x = a.classes[c.assumption or code]
        mix = " + ".join(f"{b:g} {name}" for name, b in x.loadings.items()) or "–"
        mean = "–" if x.expected_return is None else _share(x.expected_return)
        assumed.append((_code(code), mix, mean, _share(x.idiosyncratic), x.source))
    factors = [(name, _share(x.mean), _share(x.volatility), x.source) for name, x in a.factors.items()]
    factors.append(("borrowing rate", _share(a.borrowing_rate), "–", a.borrowing_source))
    parts = [
        _table(
            ("class", "bucket", "liquidity", "sellable in one plan", "cost to buy / sell", "risk", "source"), traded
        ),
        _table(("factor", "mean", "volatility", "source"), factors),
        [f"Correlations of the factors: {a.correlation.source}."],
        _table(("class", "factors", "mean, where not the factors'", "own volatility", "source"), assumed),
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def outline(lang: str) -> str:
    """Keys of the JSON object, from a plan of the sample book; ``{…}`` stands for what is written out above."""
    book = al.read_book(al.sample_path())
    plan = al.rebalance(al.analyze(book, on=DAY))
    whole = rebalance_json(plan, words(lang), counts=book.counts)
    whole["clients"] = [c for c in whole["clients"] if c["client_id"] == CLIENT]
    return "\n".join(["```text", *_lines("", whole, set()), "```"])


PARTS: Final[dict[str, Callable[[str], str]]] = {
    "commands": commands,
    "columns": columns,
    "bands": bands,
    "numbers": numbers,
    "classes": classes,
    "json": outline,
}
"""Generated parts by name."""


def render(text: str, lang: str) -> str:
    """Put the generated parts into the text of a README; a part without its marks is left out.

    Raises
    ------
    ValueError
        A part begins and does not end: what follows it would be lost.
    """
    for name, part in PARTS.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        if begin in text:
            before, _, rest = text.partition(begin)
            if end not in rest:
                raise ValueError(f"'{begin.strip()}' has no '{end}' after it")
            text = f"{before}{begin}{part(lang)}\n{end}{rest.partition(end)[2]}"
    return text


def _span(s: Span | None, said: Words) -> str:
    if s is None:
        return "–"
    low, high = s.low or 0.0, 1.0 if s.high is None else s.high
    if high < 1:
        return f"{_share(s.target)} ({said.span(low, high)})"
    return f"{_share(s.target)} (≥ {_share(low)})" if low else _share(s.target)


def _level(rule: str, usual: float, owner: float | None) -> str:
    def show(x: float) -> str:
        return f"{x:g}" if rule == MONTHS else _share(x)

    return show(usual) if owner is None else f"{show(usual)}, owner {show(owner)}"


def _amounts(table: Any) -> str:
    return ", ".join(f"{k} {v:,.0f}" for k, v in table.items() if not isinstance(v, str))


def _meaning(c: Column) -> str:
    out = c.note
    if c.default is not None:
        default = (
            str(c.default).lower() if isinstance(c.default, bool) else f"{c.default:g}" if c.default == 0 else c.default
        )
        out += f"; default {default}"
    return out if c.high is None else f"{out}; {c.low:g} to {c.high:g}"


def _arguments(command: click.Command) -> list[str]:
    return [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]


def _value(option: click.Option) -> list[str]:
    return [] if option.is_flag else [option.make_metavar(click.Context(click.Command("x"))).strip("[]")]


def _lines(name: str, value: Any, seen: set[tuple[str, ...]], indent: str = "") -> list[str]:
    """Keys of an object, or of the first object in a list: on one line where they fit, else one line per inner one."""
    inner = next((x for x in value if isinstance(x, dict)), None) if isinstance(value, list) else value
    if not isinstance(inner, dict):
        return [indent + name]
    opened, closed = ("[{", "}]") if isinstance(value, list) else ("{", "}")
    head = f"{indent}{name}: {opened}" if name else indent + opened
    if tuple(inner) in seen:
        return [f"{head}…{closed}"]
    seen.add(tuple(inner))
    plain = ", ".join(k for k, x in inner.items() if not _has_keys(x))
    below = [_lines(k, x, seen, indent + "  ") for k, x in inner.items() if _has_keys(x)]
    flat = ", ".join([plain] * bool(plain) + [" ".join(line.strip() for line in lines) for lines in below])
    if len(head + flat + closed) <= WIDTH:
        return [head + flat + closed]
    wrapped = textwrap.wrap(plain, WIDTH, initial_indent=indent + "  ", subsequent_indent=indent + "  ")
    return [head, *wrapped, *(line for lines in below for line in lines), indent + closed]


def _has_keys(x: Any) -> bool:
    return isinstance(x, dict) or (isinstance(x, list) and any(isinstance(y, dict) for y in x))


def _share(x: float) -> str:
    return f"{round(x * 100, 4):g}%"


def _code(*parts: str) -> str:
    return f"`{' '.join(parts)}`"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]


if __name__ == "__main__":
    for lang, file in READMES.items():
        file.write_text(render(file.read_text("utf-8"), lang), "utf-8")
        print(file.name)
