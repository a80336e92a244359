"""The workbook to work on: filters and sums lie where the tables are, and the numbers are those of the result."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from made import sample_plan
from python_calamine import CalamineWorkbook

import allocator as al
from allocator.i18n import LANGUAGES


def opened(client: str, lang: str) -> tuple[bytes, dict[str, list[list[object]]]]:
    data = al.report(sample_plan(), client, lang=lang).xlsx()
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return data, {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("client", ["C001", "C008", "C012"])
def test_trades_and_holdings_are_those_of_the_plan_to_the_cent(client: str, lang: str) -> None:
    _, sheets = opened(client, lang)
    plan = sample_plan()
    numbers = {round(c, 2) for rows in sheets.values() for row in rows for c in row if isinstance(c, float)}
    trades, holdings = plan.select(client)["trades"], plan.before.select(client)["holdings"]
    for amount in (*trades["amount"], *trades["cost"], *trades["tax"], *holdings["value"]):
        assert round(float(amount), 2) in numbers
    assert any(abs(x - holdings["value"].sum()) < 0.01 * len(holdings) for x in numbers)


def test_every_filter_covers_a_table_with_its_heads() -> None:
    data, sheets = opened("C008", "en")
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        pages = [parts.read(f"xl/worksheets/sheet{i + 1}.xml").decode() for i in range(len(sheets))]
        properties = parts.read("docProps/core.xml").decode()
    assert "C008" not in properties
    found = [re.search(r'<autoFilter ref="A(\d+):([A-Z])(\d+)"', page) for page in pages]
    assert sum(f is not None for f in found) >= 4
    for match, rows in zip(found, sheets.values(), strict=True):
        if match is not None:
            first, last, wide = int(match[1]) - 1, int(match[3]) - 1, ord(match[2]) - ord("A") + 1
            assert all(isinstance(c, str) and c for c in rows[first][:wide])
            assert all(row[0] != "" for row in rows[first : last + 1])
