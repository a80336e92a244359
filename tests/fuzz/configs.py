"""Targets that configure: TOML files of every kind, key files, and what runs and ledgers have left to be read again."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import pandas as pd
from conftest import ON
from fuzzing import Target, folder, put
from mutations import NUMBERS, change_json, dumped, loaded, shrink_json

import allocator
from allocator.assumptions import load_assumptions
from allocator.batch.result import read_batch
from allocator.batch.runner import batch
from allocator.book import read_book
from allocator.errors import ConfigError
from allocator.framework import load_framework
from allocator.households import load_needs
from allocator.ledger.ledger import Ledger
from allocator.ledger.policy import load_policy
from allocator.past_years import load_past
from allocator.pipeline import analyze, rebalance
from allocator.pseudonyms import file_stem, load_key, pseudonym
from allocator.reporting.house_style import load_style
from allocator.scenarios import load_scenarios
from allocator.staging import stages
from allocator.stresses import stress
from allocator.verify import Item, Move, Sheet, verify
from allocator.whole_book.calls import load_call_rules
from allocator.whole_book.tables import facts_of_run

RESOURCES: Final = Path(allocator.__file__).parent / "resources"
ROWS: Final = pd.DataFrame({
    "client_id": ["a", "a", "b", "b"], "name": ["Zephyrine", "金镶玉", "x", "y"], "asset_class": ["deposit",
    "equity_fund", "gold", "private_business"],
    "value": [7391846.0, 5e6, 1e6, 2e6],
})  # fmt: skip
PEOPLE: Final = pd.DataFrame({"client_id": ["a", "b"], "risk_band": ["balanced", "C5"], "monthly_spending": [1e4, 2e4]})
WORDS: Final = (
    b"extends = ", b'"classic"', b'"../x.toml"', b"[classes.", b"]\n", b" = 0\n", b" = -1\n", b" = 1e308\n",
    b" = nan\n", b" = inf\n", b" = true\n",
    b' = ""\n', b" = []\n", b" = {}\n", b"[[", b"'''", b"[bands.balanced]\n", b"limits = {}\n", b"schema = 1\n",
    b"[plan]\n", b"1979-05-27",
)  # fmt: skip


def book() -> Any:
    return read_book(ROWS, clients=PEOPLE)


def framework(data: bytes) -> str:
    """A framework that is taken can be analysed and planned with."""
    found = load_framework(put("f.toml", data))
    if "bands" not in data.decode("utf-8", "replace") or "balanced" not in found.bands:
        return "loaded"
    analysis = analyze(book(), found, assumptions="long_run", on=ON, band="balanced")
    plan = rebalance(analysis, explain=False)
    assert plan.summary["certificate"].all(), "a plan that does not hold"
    return "planned"


def assumed(data: bytes) -> str:
    """Assumptions that are taken give risks that are numbers."""
    found = load_assumptions(put("a.toml", data))
    analysis = analyze(book(), assumptions=found, on=ON)
    assert not analysis.summary["volatility"].isna().any(), "a volatility that is none"
    assert (analysis.summary["volatility"] >= 0).all(), "a volatility below zero"
    return "measured"


def shaken(data: bytes) -> str:
    """Scenarios that are taken can be applied."""
    found = stress(analyze(book(), on=ON), load_scenarios(put("s.toml", data)))
    assert not found.summary["loss"].isna().any(), "a loss that is none"
    return "stressed"


def _loads(load: Callable[[Any], object]) -> Callable[[bytes], str]:
    def check(data: bytes) -> str:
        load(put("c.toml", data))
        return "loaded"

    return check


def key(data: bytes) -> str:
    """A key that is taken makes pseudonyms; two texts have two of them."""
    found = load_key(put("key", data))
    names = {pseudonym(found, text) for text in ("a", "b", "Zephyrine", "")}
    assert len(names) == 4
    assert file_stem("../../x", found) == pseudonym(found, "../../x").lower()
    return "loaded"


@cache
def kept() -> tuple[Path, Path]:
    """A ledger of two days, and a run, of the same small book."""
    place, out = folder() / "ledger", folder() / "run"
    for day in (dt.date(2026, 6, 30), dt.date(2026, 9, 30)):
        Ledger(place).add(rebalance(analyze(book(), on=day), explain=False))
    source = put("run.csv", ROWS.to_csv(index=False).encode())
    people = put("people.csv", PEOPLE.to_csv(index=False).encode())
    batch(source, out, tables={"clients": people}, on=ON, workers=1)
    return place, out


def ledger(data: bytes) -> str:
    """A ledger whose last manifest is changed is read, or refused as damaged."""
    place = folder() / "ledger-changed"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(kept()[0], place)
    (place / "manifests" / "2026-09-30.json").write_bytes(data)
    found = Ledger(place)
    assert len(found.snapshots) == len(found.dates)
    repr(found.show())
    found.diff()
    found.due(ON)
    return "read"


def run(data: bytes) -> str:
    """A run whose manifest is changed is read, or refused."""
    place = folder() / "run-changed"
    if not place.exists():
        shutil.copytree(kept()[1], place)
    (place / "manifest.json").write_bytes(data)
    found = read_batch(place)
    repr(found)
    assert found.tables
    found.client("a")
    facts_of_run(place)
    return "read"


def manifest_of(which: str) -> Callable[[Random], bytes]:
    def made(draw: Random) -> bytes:
        del draw
        place, out = kept()
        return dumped(
            loaded(
                (place / "manifests" / "2026-09-30.json" if which == "ledger" else out / "manifest.json").read_bytes()
            )
        )

    return made


def moves_case(draw: Random) -> dict[str, Any]:
    """A trade list, from the possible to the absurd."""

    def amount() -> str:
        return draw.choice(
            (draw.choice(NUMBERS), "100", "0.01", "250000", "-0.01", "1e999", "NaN", "-Infinity", "sNaN", "1e-9")
        )

    names = ("cash", "stock", "bond", "", "nobody", "loan")
    moves = [
        {"asset": draw.choice(names), "side": draw.choice(("buy", "sell", "repay", "swap", "")), "amount": amount(),
        "cost": draw.choice(("0", amount())),
         "tax": draw.choice(("0", amount()))}
        for _ in range(draw.randrange(6))
    ]  # fmt: skip
    return {"moves": moves, "hard": draw.random() < 0.3, "portfolio": draw.random() < 0.3}


def verdict(data: bytes) -> str:
    """Whatever a trade list holds ends in a verdict, and money from nowhere in one that does not hold."""
    case = loaded(data)
    if not isinstance(case, dict) or not isinstance(case.get("moves"), list):
        return "no case"
    rows = [m for m in case["moves"] if isinstance(m, dict)]
    moves = [
        Move(*(_text(m, k) for k in ("asset", "side")), *(_number(m, k) for k in ("amount", "cost", "tax")))
        for m in rows
    ]
    sheet = _sheet()
    f, a = load_framework(), load_assumptions()
    found = verify(sheet, moves, f, a, hard=case.get("hard") is True, portfolio_mode=case.get("portfolio") is True)
    broken = [c for c in found.checks if c.verdict in ("worse", "broken")]
    assert found.holds == (not broken), "the certificate is not its checks"
    if found.holds:
        money = sum((m.amount if m.side == "sell" else -m.amount) - m.cost - m.tax for m in moves)
        assert money == 0, "money from nowhere"
    return "holds" if found.holds else "broken"


def _text(move: dict[str, Any], name: str) -> Any:
    return str(move.get(name, ""))


def _number(move: dict[str, Any], name: str) -> Any:
    try:
        return Decimal(str(move.get(name, "0")))
    except ArithmeticError:
        return Decimal("NaN")


@cache
def _sheet() -> Sheet:
    def item(name: str, value: str, kind: str) -> Item:
        c = load_framework().classes[kind]
        return Item(
            name, Decimal(value), kind, ((kind, Decimal(1)),), "", True, Decimal(1), False, False, True, c.risk,
            Decimal(str(c.buy_cost)),
            Decimal(str(c.sell_cost)),
        )  # fmt: skip

    items = (
        item("cash", "300000", "deposit"),
        item("stock", "500000", "equity_fund"),
        item("bond", "0", "government_bond"),
    )
    return Sheet("balanced", False, (), None, Decimal(0), Decimal(0), items, "cash")


def staged(data: bytes) -> str:
    """Stages of any number and length, or a refusal."""
    case = loaded(data)
    case = case if isinstance(case, dict) else {}
    given = {k: case.get(k, d) for k, d in (("periods", 2), ("months", 3))}
    if any(isinstance(v, bool) or not isinstance(v, int) for v in given.values()):
        raise ConfigError("no case")
    repr(stages(analyze(book(), on=ON), **given))
    return "staged"


def targets() -> list[Target]:
    """Configuration by kind, and what was written before."""
    kinds: dict[str, tuple[Callable[[bytes], str], str]] = {
        "framework": (framework, "frameworks/classic.toml"),
        "assumptions": (assumed, "assumptions/long_run.toml"),
        "scenarios": (shaken, "stress/standard.toml"),
        "needs": (_loads(load_needs), "household/standard.toml"),
        "policy": (_loads(load_policy), "ledger/standard.toml"),
        "calls": (_loads(load_call_rules), "calls/standard.toml"),
        "style": (_loads(load_style), "style/plain.toml"),
    }
    found = [Target(f"toml_{n}", c, words=WORDS, more=(RESOURCES / file,)) for n, (c, file) in kinds.items()]
    found += [
        Target("toml_past", _loads(load_past), words=WORDS),
        Target("key", key),
        Target("ledger", ledger, manifest_of("ledger"), change_json, warm=kept),
        Target("run", run, manifest_of("run"), change_json, warm=kept),
        Target("moves", verdict, lambda draw: dumped(moves_case(draw)), change_json, shrink_json),
        Target(
            "stages",
            staged,
            lambda draw: dumped({"periods": draw.choice((1, 2, 3, 0, -1)), "months": draw.choice((1, 3, 0, 12))}),
            change_json,
        ),
    ]
    return found
