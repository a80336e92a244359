"""A Chinese custodian's workbook as analysts get it, made up from a seed; and its twin as GB18030 CSV."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import xlsxwriter

HEADER = ("客户号", "资产名称", "资产类别", "市值(万元)", "币种", "估值日", "锁定至")
CLASSES = ("存款", "国债", "股票基金", "黄金")
WAN = Decimal(10_000)


@dataclass(frozen=True)
class Custodian:
    """What the files hold: rows of (client, name, class, cents exact value) and where they are."""

    workbook: Path
    twin: Path
    rows: tuple[tuple[str, str, str, Decimal], ...]

    @property
    def total(self) -> Decimal:
        """Sum of all values in yuan."""
        return sum((r[3] for r in self.rows), Decimal(0))


def make(folder: Path, seed: int = 7, clients: int = 5) -> Custodian:
    """Write both files."""
    draw = random.Random(seed)
    rows = [
        (f"{100 + c:06d}", f"{CLASSES[k]}{c}-{k}号", CLASSES[k], Decimal(draw.randrange(100, 10**10)) / 100)
        for c in range(clients)
        for k in range(draw.randrange(2, 5))
    ]
    out = Custodian(folder / "托管.xlsx", folder / "托管.csv", tuple(rows))
    _workbook(out)
    _twin(out)
    return out


def _workbook(made: Custodian) -> None:
    book = xlsxwriter.Workbook(made.workbook)
    middle = book.add_format({"valign": "vcenter"})
    sheet = book.add_worksheet("持仓明细")
    sheet.merge_range(0, 0, 0, 6, "某某银行私人银行部 客户持仓明细表", middle)
    sheet.write_row(1, 0, ["截至2026年9月30日", "", "", "单位：万元"])
    sheet.write_row(3, 0, HEADER)
    at = 4
    for client in dict.fromkeys(r[0] for r in made.rows):
        mine = [r for r in made.rows if r[0] == client]
        if len(mine) > 1:
            sheet.merge_range(at, 0, at + len(mine) - 1, 0, client, middle)
        else:
            sheet.write_string(at, 0, client)
        for i, (_, name, kind, value) in enumerate(mine):
            # every second amount is a formula with its cached value
            wan = float(value / WAN)
            sheet.write_row(at + i, 1, [name, kind])
            if i % 2:
                sheet.write_formula(at + i, 3, f"={wan!r}+0", None, wan)
            else:
                sheet.write_number(at + i, 3, wan)
            sheet.write_row(at + i, 4, ["人民币", "2026年9月30日", 46388])
        at += len(mine)
        part = sum((r[3] for r in mine), Decimal(0))
        sheet.write(at, 1, "小计")
        sheet.write_formula(at, 3, f"=SUM(D{at - len(mine) + 1}:D{at})", None, float(part / WAN))
        at += 1
    sheet.write(at, 0, "合计")
    sheet.write_number(at, 3, float(made.total / WAN))
    people = book.add_worksheet("客户信息")
    people.write_row(0, 0, ["客户号", "风险类型"])
    for i, client in enumerate(dict.fromkeys(r[0] for r in made.rows)):
        people.write_row(i + 1, 0, [client, "稳健型"])
        people.write_string(i + 1, 0, client)
    people.set_row(2, None, None, {"hidden": True})
    old = book.add_worksheet("产品")
    old.write_row(0, 0, ["旧表"])
    old.hide()
    book.close()


def _twin(made: Custodian) -> None:
    lines = ["某某银行私人银行部 客户持仓明细表,,,,,,", "截至2026年9月30日,,,单位：万元,,,", ",,,,,,", ",".join(HEADER)]
    for client in dict.fromkeys(r[0] for r in made.rows):
        mine = [r for r in made.rows if r[0] == client]
        lines += [
            f'{client},{name},{kind},"{value / WAN:,}",人民币,2026/9/30,２０２７年1月1日'
            for _, name, kind, value in mine
        ]
        lines.append(f'{client},小计,,"{sum((r[3] for r in mine), Decimal(0)) / WAN:,}",,,')
    lines.append(f'合计,,,"{made.total / WAN:,}",,,')
    made.twin.write_bytes(("\r\n".join(lines) + "\r\n").encode("gb18030"))
