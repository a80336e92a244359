"""Workbooks, Parquet files and data frames out of cases: trees of JSON that say what is in which cell."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any, Final

import numpy as np
import pandas as pd
from mutations import DATES, NUMBERS, TEXTS

from allocator.schema import TABLES

HEADERS: Final = (
    "client_id", "name", "asset_id", "asset_class", "value", "currency", "as_of", "sellable", "indivisible",
    "pledged", "restriction",
    "locked_until", "quantity", "price", "cost_basis", "isin", "product_risk", "客户号", "资产名称", "资产类别",
    "市值(万元)", "币种", "备注", "",
)  # fmt: skip
SHEETS: Final = ("holdings", "持仓", "clients", "客户", "debts", "Sheet1", "产品", "汇率", "x" * 31)
CLASSES: Final = ("deposit", "gold", "equity_fund", "存款", "股票基金", "信托", "mystery", "")
CLIENTS: Final = ("a", "b", "K1", "00123", "a ", "Ａ")


def rows_of_cells(draw: Random) -> list[list[Any]]:
    """A header and rows, mostly as they should be."""
    head = ["client_id", "name", "asset_class", "value", *draw.sample(HEADERS, draw.randrange(5))]
    if draw.random() < 0.3:
        head = [
            "客户号",
            "资产名称",
            "资产类别",
            draw.choice(("市值(万元)", "市值", "金额")),
            *draw.sample(HEADERS, draw.randrange(3)),
        ]
    rows: list[list[Any]] = [list(head)]
    for i in range(draw.randrange(9)):
        row: list[Any] = [
            draw.choice(CLIENTS),
            f"Zephyrine {i}",
            draw.choice(CLASSES),
            round(draw.lognormvariate(9, 3), 2),
        ]
        row += [draw.choice((*NUMBERS, *DATES, *TEXTS)) if draw.random() < 0.4 else _typed(draw) for _ in head[4:]]
        if draw.random() < 0.2:
            row[draw.randrange(len(row))] = _typed(draw)
        rows.append(row)
    if draw.random() < 0.3:
        rows.append(["合计", "", "", sum(r[3] for r in rows[1:] if isinstance(r[3], float))])
    if draw.random() < 0.2:
        rows.insert(0, [draw.choice(("客户资产明细表", "单位：万元", "as of 2026-09-30"))])
    return rows


def _typed(draw: Random) -> Any:
    """A cell of any type, those that JSON has not as ``{kind: text}``."""
    return draw.choice(
        (None, True, False, 0, -1, 1.5, 1e300, -0.0, 7391846, 46346, 46346.5, "", draw.choice(NUMBERS),
        draw.choice(TEXTS),
         {"date": "2026-09-30"}, {"date": "1899-12-31"}, {"date": "9999-12-31"},
         {"decimal": "12.345678901234567890"}, {"decimal": "NaN"},
         {"formula": "=1+1"}, {"formula": "=NA()"}, {"float": "nan"}, {"float": "inf"}, {"bytes": "FTSECRET"},
         {"list": "1"}, {"int": "9" * 25})
    )  # fmt: skip


def value_of(cell: Any) -> Any:
    """The Python value of a cell."""
    if isinstance(cell, list):
        return tuple(map(str, cell))
    if not isinstance(cell, dict):
        return cell
    kind, text = next(iter(cell.items()), ("", ""))
    text = str(text)
    try:
        return {
            "date": lambda: dt.datetime.fromisoformat(text),
            "decimal": lambda: Decimal(text),
            "float": lambda: float(text),
            "np": lambda: np.float32(text),
            "bytes": lambda: text.encode(),
            "list": lambda: [text],
            "int": lambda: int(text),
            "stamp": lambda: pd.Timestamp(text),
            "nat": lambda: pd.NaT,
        }.get(str(kind), lambda: text)()
    except (ValueError, InvalidOperation, OverflowError):
        return text


def _table(rows: Any) -> list[list[Any]]:
    found = [r if isinstance(r, list) else [r] for r in rows] if isinstance(rows, list) else []
    return found[:60]


def csv_of(draw: Random, table: str) -> bytes:
    """A table as CSV whose header is right and whose cells are nearly so."""
    columns = TABLES[table]
    needed = [c for c in columns if c.required or c.name in ("name", "asset_class")]
    picked = needed + draw.sample(
        [c for c in columns if c not in needed], draw.randrange(min(7, len(columns) - len(needed) + 1))
    )
    draw.shuffle(picked)
    head = [draw.choice((c.name, c.name, *c.headers)) for c in picked]
    rows = [head]
    for _ in range(draw.randrange(1, 8)):
        rows.append([_nearly(c.kind, c.name, draw) for c in picked])
        if draw.random() < 0.05:
            rows[-1] = rows[-1][:-1]
    if draw.random() < 0.1:
        rows.append([draw.choice(("合计", "Total", "小计", "")) for _ in picked])
    comma = draw.choice((",", ",", ";", "\t"))
    out = io.StringIO()
    csv.writer(out, delimiter=comma, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "replace")


def _nearly(kind: str, name: str, draw: Random) -> str:
    """A cell as it should be, or one that is odd for its column."""
    if draw.random() < 0.15:
        return draw.choice(draw.choice((NUMBERS, DATES, TEXTS)))
    usual: dict[str, tuple[str, ...]] = {
        "money": ("100", "12.5万", "1,234.56", "7391846", "0", draw.choice(NUMBERS)), "number": ("1", "0.5",
        draw.choice(NUMBERS)),
        "fraction": ("0.5", "25%", "1", "0", draw.choice(NUMBERS)), "int": ("3", "R3", "3.0", "",
        draw.choice(NUMBERS)),
        "bool": ("yes", "否", "1", "", "TRUE"), "date": ("2026-09-30", "2026年9月30日", "", draw.choice(DATES)),
    }  # fmt: skip
    named: dict[str, tuple[str, ...]] = {
        "client_id": (*CLIENTS, "*"), "asset_class": CLASSES, "currency": ("CNY", "人民币", "USD", "", "XXX"),
        "asset_id": ("x", "y", "00x", ""),
        "restriction": ("never_sell", "禁止买入;优先卖出", "", "x"), "isin": ("US0378331005", "US0378331006", "F1",
        ""), "cfi": ("ESVUFR", "", "X"),
        "fund_id": ("F1", "F2"), "product_id": ("P1", "P2", ""), "risk_band": ("C3", "稳健型", "balanced", "", "x"),
        "status": ("open", "closed", ""),
        "secured_by": ("x", "", "q"), "base": ("CNY", "USD", ""),
    }  # fmt: skip
    return draw.choice(named.get(name) or usual.get(kind) or ("Zephyrine", "金镶玉", "", "a b"))


# ---- workbooks


def workbook_case(draw: Random) -> dict[str, Any]:
    names = draw.sample(SHEETS, draw.choice((1, 1, 2, 3)))
    if draw.random() < 0.7:
        names[0] = "holdings"
    sheets = []
    for name in dict.fromkeys(names):
        rows = rows_of_cells(draw)
        merged = [
            [draw.randrange(10), draw.randrange(5), draw.randrange(4), draw.randrange(2)]
            for _ in range(draw.choice((0, 0, 1, 2)))
        ]
        sheets.append({
            "name": name, "rows": rows, "merged": merged, "hidden": draw.random() < 0.1,
            "hidden_rows": [draw.randrange(8)] if draw.random() < 0.15 else [], "at": [draw.choice((0, 0, 0, 3)),
            draw.choice((0, 0, 0, 2))],
        })  # fmt: skip
    return {"sheets": sheets, "1904": draw.random() < 0.1}


def workbook_of(case: Any) -> bytes:
    """Write the case with xlsxwriter; what it does not take is left out."""
    import xlsxwriter
    from xlsxwriter.exceptions import XlsxWriterException

    out = io.BytesIO()
    case = case if isinstance(case, dict) else {}
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "date_1904": case.get("1904") is True, "nan_inf_to_errors": True}
    )
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheets = (
        [s for s in case.get("sheets") or [] if isinstance(s, dict)] if isinstance(case.get("sheets"), list) else []
    )
    visible = False
    for s in sheets[:5]:
        try:
            sheet = book.add_worksheet(str(s.get("name"))[:31])
        except XlsxWriterException:
            continue
        top, left = (_small(s.get("at"), k) for k in (0, 1))
        for m in _table(s.get("merged"))[:4]:
            r, c, down, right = (_small(m, k) for k in range(4))
            if not down and not right:
                continue
            try:
                sheet.merge_range(top + r, left + c, top + r + down, left + c + right, "")
            except XlsxWriterException:
                continue
        for i, row in enumerate(_table(s.get("rows"))):
            for j, cell in enumerate(row[:30]):
                _write(sheet, (top + i, left + j), cell, day)
        for r in s["hidden_rows"] if isinstance(s.get("hidden_rows"), list) else []:
            sheet.set_row(top + _small([r], 0), None, None, {"hidden": True})
        if s.get("hidden") is True and visible:
            sheet.hide()
        visible = True
    if not sheets:
        book.add_worksheet("holdings")
    book.close()
    return out.getvalue()


def _small(values: Any, k: int) -> int:
    found = values[k] if isinstance(values, list) and k < len(values) else 0
    return max(0, min(int(found), 50)) if isinstance(found, int | float) and found == found and abs(found) < 1e6 else 0


def _write(sheet: Any, at: tuple[int, int], cell: Any, day: Any) -> None:
    if isinstance(cell, dict) and "formula" in cell:
        sheet.write_formula(*at, "=" + str(cell["formula"]).lstrip("=")[:50], None, cell.get("value", ""))
        return
    value = value_of(cell)
    if isinstance(value, dt.datetime):
        if value.year >= 1904 and value.tzinfo is None:
            sheet.write_datetime(*at, value, day)
    elif isinstance(value, bool):
        sheet.write_boolean(*at, value)
    elif isinstance(value, int | float | Decimal):
        sheet.write_number(*at, min(max(float(value), -1e308), 1e308))
    elif value is not None:
        sheet.write_string(*at, str(value)[:300])


# ---- Parquet and data frames

TYPES: Final = (
    "string", "large_string", "float64", "float32", "int64", "int8", "uint64", "bool", "date32", "timestamp[ns]",
    "timestamp[us, UTC]",
    "decimal", "dictionary", "list", "struct", "null", "binary", "time", "duration", "as found",
)  # fmt: skip


def parquet_case(draw: Random) -> dict[str, Any]:
    rows = rows_of_cells(draw)
    width = len(rows[0])
    types = [draw.choice(TYPES) if draw.random() < 0.3 else "as found" for _ in range(width)]
    return {"rows": rows, "types": types}


def parquet_of(case: Any) -> bytes:
    """Write the case with pyarrow; a column that does not fit its type is text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    case = case if isinstance(case, dict) else {}
    rows = _table(case.get("rows")) or [["client_id"]]
    head, body = [str(c) for c in rows[0]], rows[1:]
    types = case.get("types") if isinstance(case.get("types"), list) else []
    arrays = []
    for j in range(len(head)):
        cells = [value_of(r[j]) if j < len(r) else None for r in body]
        arrays.append(_array(pa, cells, str(types[j]) if j < len(types) else ""))
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=head), out)
    return out.getvalue()


def _array(pa: Any, cells: list[Any], kind: str) -> Any:
    texts = [None if c is None else str(c).encode("utf-8", "replace").decode() for c in cells]
    simple = {
        "large_string": pa.large_string(), "float64": pa.float64(), "float32": pa.float32(), "int64": pa.int64(),
        "int8": pa.int8(),
        "uint64": pa.uint64(), "bool": pa.bool_(), "date32": pa.date32(), "timestamp[ns]": pa.timestamp("ns"),
        "time": pa.time64("us"),
        "timestamp[us, UTC]": pa.timestamp("us", "UTC"), "decimal": pa.decimal128(30, 10),
        "duration": pa.duration("s"), "null": pa.null(),
    }  # fmt: skip
    try:
        if kind in simple:
            return pa.array(cells, type=simple[kind], from_pandas=True)
        if kind == "dictionary":
            return pa.array(texts).dictionary_encode()
        if kind == "list":
            return pa.array([[t] for t in texts])
        if kind == "struct":
            return pa.array([{"a": t} for t in texts])
        if kind == "binary":
            return pa.array([None if t is None else t.encode() for t in texts])
        if kind == "as found":
            return pa.array(cells)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        pass
    return pa.array(texts, type=pa.string())


def frame_case(draw: Random) -> dict[str, Any]:
    rows = rows_of_cells(draw)
    for row in rows[1:]:
        if draw.random() < 0.3:
            row[draw.randrange(len(row))] = draw.choice(
                ({"stamp": "2026-09-30T00:00:00+08:00"}, {"nat": ""}, {"np": "1.5"}, {"np": "nan"}, ["x"])
            )
    kinds = [draw.choice(("", "", "", "category", "string", "Float64", "int64")) for _ in rows[0]]
    return {"rows": rows, "kinds": kinds, "index": draw.choice(("", "", "client_id", "odd"))}


def frame_of(case: Any) -> pd.DataFrame:
    """The data frame of a case; a column that does not take its type stays as it is."""
    case = case if isinstance(case, dict) else {}
    rows = _table(case.get("rows")) or [["client_id"]]
    head: list[Any] = [value_of(c) if not isinstance(c, list) else str(c) for c in rows[0]]
    head = [c if isinstance(c, str | int | float) else str(c) for c in head]
    body = [[value_of(r[j]) if j < len(r) else None for j in range(len(head))] for r in rows[1:]]
    columns = {j: pd.Series([r[j] for r in body], dtype=object) for j in range(len(head))}
    kinds = case.get("kinds") if isinstance(case.get("kinds"), list) else []
    for j, kind in enumerate(kinds[: len(head)]):
        try:
            columns[j] = columns[j].astype(str(kind)) if kind else columns[j]
        except (TypeError, ValueError, OverflowError, InvalidOperation, SyntaxError, Warning):
            continue
    frame = pd.DataFrame(columns)
    frame.columns = pd.Index(head, dtype=object)
    index = case.get("index")
    if index == "client_id" and head.count("client_id") == 1:
        return frame.set_index("client_id")
    if index == "odd":
        frame.index = pd.Index([7] * len(frame))
    return frame
