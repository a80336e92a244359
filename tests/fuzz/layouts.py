"""The same holdings written in every way that a bank's program writes them, and read: nothing may be otherwise."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import pandas as pd
from fuzzing import REFUSED, folder, put
from mutations import loaded
from promises import examined

from allocator.book import read_book
from allocator.errors import InputError
from allocator.importers.streamed import pieces
from allocator.importers.tables import read_one
from allocator.issues import concat

PIECE: Final = 700
"""Bytes of a piece of a file that is read in pieces."""
HEADS: Final = {
    "client_id": ("client_id", "客户号", "客户编号", "Client ID", "CLIENT-ID"),
    "name": ("name", "资产名称", "名称", " Name "),
    "asset_class": ("asset_class", "资产类别", "类别", "Asset class"),
    "value": ("value", "市值", "金额"),
    "currency": ("currency", "币种"),
    "as_of": ("as_of", "估值日", "日期"),
    "sellable": ("sellable", "可售比例"),
}
UNITS: Final = {"": 0, "万元": 4, "千元": 3, "百万元": 6, "亿元": 8, "元": 0}
NUMBERS: Final = ("plain", "grouped", "wan", "wide", "sign", "trailing", "exponent")
DATES: Final = ("iso", "slash", "chinese", "compact", "wide")
CURRENCIES: Final = {"CNY": ("CNY", "人民币", "RMB", "cny"), "USD": ("USD", "美元", "usd"), "HKD": ("HKD", "港币")}
NAMES: Final = ("Zephyrine", "金镶玉", "x, y", 'say "so"', "two blanks", "多行\n名称")
PARTS: Final = ("plain", "percent")


def layout_case(draw: Random) -> dict[str, Any]:
    """What is written and how; money in cents as a whole number."""
    rows = []
    for i in range(draw.randrange(1, 8)):
        cents = draw.choice((0, 1, 99, 100, draw.randrange(10**12), draw.randrange(10**7), 739184600, 10**13))
        rows.append([
            draw.choice(("a", "K1", "00123", "1e5", "王")), f"{draw.choice(NAMES)} {i}",
            draw.choice(("deposit", "gold", "equity_fund", "government_bond")), cents, draw.choice(tuple(CURRENCIES)),
            dt.date(2020 + draw.randrange(6), 1 + draw.randrange(12), 1 + draw.randrange(28)).isoformat(),
            draw.choice((0, 25, 50, 100)),
        ])  # fmt: skip
    return {
        "rows": rows, "heads": {k: draw.randrange(len(v)) for k, v in HEADS.items()}, "order": draw.sample(range(7),
        7),
        "unit": draw.choice(tuple(UNITS)), "unit_in": draw.choice(("header", "title", "below")),
        "number": draw.choice(NUMBERS),
        "date": draw.choice(DATES), "part": draw.choice(PARTS), "currency": draw.randrange(4),
        "delimiter": draw.choice(",;\t"),
        "encoding": draw.choice(("utf-8", "utf-8-sig", "gb18030", "utf-16")), "end": draw.choice(("\n", "\r\n", "\r")),
        "titles": draw.choice((0, 0, 1, 2)), "total": draw.random() < 0.4, "subtotals": draw.random() < 0.2,
        "blank": draw.random() < 0.3,
        "quoted": draw.random() < 0.3, "last": draw.random() < 0.8, "sep": draw.random() < 0.1,
    }  # fmt: skip


def same_as_written(data: bytes) -> str:
    """Write the case, read it, and compare every cell with what was meant."""
    case = loaded(data)
    try:
        text, encoding, wanted = written(case)
        content = text.encode(encoding)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, LookupError):
        return REFUSED  # a case that was changed into none
    path = put("layout.csv", content)
    book = read_book(path)
    same_in_pieces(path)
    h = book.holdings
    assert h["client_id"].tolist() == [w[0] for w in wanted], "client ids"
    assert h["name"].tolist() == [" ".join(w[1].split()) for w in wanted], "names"
    assert h["asset_class"].tolist() == [w[2] for w in wanted], "classes"
    assert np.array_equal(h["value"].to_numpy(), np.array([float(w[3]) for w in wanted])), "money"
    assert h["currency"].tolist() == [w[4] for w in wanted], "currencies"
    assert [d.date().isoformat() for d in h["as_of"]] == [w[5] for w in wanted], "dates"
    assert np.array_equal(h["sellable"].to_numpy(), np.array([w[6] for w in wanted])), "fractions"
    assert not (book.counts["set_aside"] > 0).any(), "set aside"
    return examined(book, measure=False)


def same_in_pieces(path: Path) -> None:
    """A file in pieces is the file: the same rows with the same numbers, units and issues.

    A record with quotes may be longer than a piece, which is refused.
    """
    whole = read_one(path, "holdings")
    try:
        found = list(pieces(path, "holdings", folder() / "scratch", small=0, piece=PIECE))
    except InputError as error:
        if b'"' in path.read_bytes() or max(map(len, path.read_bytes().splitlines())) > PIECE // 2:
            return
        raise AssertionError("pieces: refused, and the whole is not") from error
    frame = pd.concat([raw.frame for raw in found], ignore_index=True)
    assert frame.to_numpy().tolist() == whole.frame.to_numpy().tolist(), "pieces: cells"
    rows = [int(r) for raw in found if raw.rows is not None for r in raw.rows]
    assert whole.rows is None or rows == [int(r) for r in whole.rows], "pieces: rows"
    assert sum(r.lost for r in found) == whole.lost, "pieces: set aside"
    assert sum(r.ignored for r in found) == whole.ignored, "pieces: ignored"
    assert all(r.ways == whole.ways for r in found[:-1]), "pieces: units"
    pd.testing.assert_frame_equal(concat([r.issues for r in found]), whole.issues)


def written(case: Any) -> tuple[str, str, list[tuple[Any, ...]]]:
    """The text of a file, its encoding, and the rows that are meant."""
    power, wanted, lines = UNITS[case["unit"]], [], []
    rows = sorted(((str(r[0]).strip(), *r[1:]) for r in case["rows"]), key=lambda r: r[0])
    if not rows or any(not 0 <= int(r[3]) <= 10**14 or not r[0] or not str(r[1]).strip() for r in rows):
        raise ValueError
    if len({(r[0], " ".join(str(r[1]).split())) for r in rows}) < len(rows):
        raise ValueError
    percent = case["part"] == "percent"
    for client, name, kind, cents, currency, day, part in rows:
        if kind not in ("deposit", "gold", "equity_fund", "government_bond") or part not in (0, 25, 50, 100):
            raise ValueError
        money = Decimal(int(cents)) / 100
        spellings = CURRENCIES[currency]
        cells = [client, name, kind, number(money, power, case["number"]), spellings[case["currency"] % len(spellings)]]
        cells += [date(dt.date.fromisoformat(day), case["date"]), f"{part}%" if percent else f"{part / 100:g}"]
        lines.append(cells)
        wanted.append((client, name, kind, money, currency, dt.date.fromisoformat(day).isoformat(), part / 100))
    heads = [HEADS[k][case["heads"][k]] for k in HEADS]
    place = case["unit_in"] if case["unit"] else ""
    if place == "header":
        heads[3] = f"{heads[3].strip()}({case['unit']})"
    order = [int(k) for k in case["order"]]
    if sorted(order) != list(range(7)):
        raise ValueError
    total = sum((w[3] for w in wanted), Decimal(0))
    sums = (
        [["合计", "", "", number(total, power, "plain"), "", "", ""]] if case["total"] and case["unit"] != "元" else []
    )
    out = [[c[k] for k in order] for c in (heads, *lines, *sums)]
    if place == "below":
        out.insert(1, [f"({case['unit']})" if k == 3 else "" for k in order])
    if case["blank"]:
        out.insert(len(out) - 1, [""] * 7)
    titles = [["某某银行 客户持仓明细表"], ["截至2026年9月30日"]][: int(case["titles"])]
    if place == "title":
        titles = [*titles, [f"单位：{case['unit']}"]]
    out = [[*t, *[""] * 6] for t in titles] + out
    end, delimiter = case["end"], case["delimiter"]
    if end not in ("\n", "\r\n", "\r") or delimiter not in (",", ";", "\t"):
        raise ValueError
    text = end.join(delimiter.join(_quoted(str(c), case, i) for c in row) for i, row in enumerate(out))
    return text + (end if case["last"] else ""), str(case["encoding"]), wanted


def number(money: Decimal, power: int, how: str) -> str:
    """An amount as text, in a unit of ten to a power; ways that the unit forbids fall back to the plain one."""
    scaled = money.scaleb(-power)
    plain = f"{scaled.normalize():f}" if scaled else "0"
    if how == "grouped":
        return f"{Decimal(plain):,}"
    if how == "wan" and not power:
        return f"{(money.scaleb(-4)).normalize():f}万" if money else "0"
    if how == "wide":
        return plain.translate({ord(c): chr(ord(c) + 0xFEE0) for c in "0123456789"})
    if how == "sign":
        return f"+{plain}"
    if how == "trailing":
        return f" {plain} "
    if how == "exponent":
        return f"{Decimal(plain).normalize():E}" if scaled else "0E0"
    return plain


def date(day: dt.date, how: str) -> str:
    """A date as text."""
    return {
        "iso": day.isoformat(), "slash": f"{day.year}/{day.month}/{day.day}",
        "chinese": f"{day.year}年{day.month}月{day.day}日",
        "compact": f"{day:%Y%m%d}",
        "wide": f"{day.year}年{day.month}月{day.day}日".translate({ord(c): chr(ord(c) + 0xFEE0) for c in "0123456789"}),
    }[how]  # fmt: skip


def _quoted(cell: str, case: Any, row: int) -> str:
    if (case["quoted"] and row) or any(c in cell for c in (case["delimiter"], '"', "\n", "\r")):
        return '"' + cell.replace('"', '""') + '"'
    return cell
