"""What is committed in ``reports/sample`` is what the code gives: pages to the letter, other files in what they say.

Bytes of a PDF depend on the release of typst; its text, and the number of its pages, do not.
"""

from __future__ import annotations

import importlib.util
import io
from functools import cache
from pathlib import Path
from typing import Any

from conftest import ROOT
from made import numbers, pdf_text
from python_calamine import CalamineWorkbook

SAMPLES = ROOT / "reports" / "sample"
AGAIN = "write them again: python reports/make_reports.py"


@cache
def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_reports", ROOT / "reports" / "make_reports.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def solved_alike(page: str) -> str:
    """The page without lines that tell a solver's last digits."""
    return "\n".join(x for x in page.splitlines() if "e-" not in x)


def test_the_committed_reports_are_those_of_the_code(tmp_path: Path) -> None:
    made = maker().reports()
    wanted = {f"{name}.{kind}" for name in made for kind in maker().KINDS}
    assert {p.name for p in SAMPLES.iterdir()} == wanted, AGAIN
    for name, report in made.items():
        page = (SAMPLES / f"{name}.html").read_text("utf-8")
        assert solved_alike(page) == solved_alike(report.html()), AGAIN
    for name in ("owner.en", "landlord.zh"):
        old = pdf_text((SAMPLES / f"{name}.pdf").read_bytes(), tmp_path / "old.pdf")
        new = pdf_text(made[name].pdf(), tmp_path / "new.pdf")
        assert solved_alike(old) == solved_alike(new), AGAIN
        assert numbers(old)
    for name, report in made.items():
        old_cells, new_cells = (cells(x) for x in ((SAMPLES / f"{name}.xlsx").read_bytes(), report.xlsx()))
        assert old_cells.keys() == new_cells.keys(), AGAIN
        for sheet, rows in old_cells.items():
            assert rows == new_cells[sheet] or "e-" in str(rows), (AGAIN, sheet)


def cells(data: bytes) -> dict[str, list[list[object]]]:
    """Cells by sheet, numbers to eight digits."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return {
        name: [
            [float(f"{c:.8g}") if isinstance(c, float) else c for c in row]
            for row in book.get_sheet_by_name(name).to_python()
        ]
        for name in book.sheet_names
    }


def test_they_are_small() -> None:
    assert sum(p.stat().st_size for p in SAMPLES.iterdir()) < 3e6
