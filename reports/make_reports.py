"""Write the sample reports, three clients in two languages: ``python reports/make_reports.py``."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import allocator as al
from allocator.documents.pdf import pictures
from allocator.documents.report import Report
from allocator.i18n import LANGUAGES
from allocator.reporting.content import content_of
from allocator.reporting.report_facts import Options, Source

HERE = Path(__file__).resolve().parent / "sample"
DAY = dt.date(2026, 9, 30)
CLIENTS = {"C001": "owner", "C008": "landlord", "C023": "diversified"}
"""Everything in the own firm; everything in flats; a well spread family that only drifts."""
KINDS = ("html", "pdf", "xlsx")
PICTURES = {"landlord.en": "report.png", "landlord.zh": "report.zh.png"}
"""First pages that the READMEs show."""


def reports() -> dict[str, Report]:
    """The reports by the name of their files, without ending."""
    plan = al.rebalance(al.analyze(al.read_book(al.sample_path()).select(CLIENTS), on=DAY))
    out = {}
    for lang in LANGUAGES:
        source = Source.of(plan, Options(lang))
        out |= {f"{name}.{lang}": Report(content_of(source, client)) for client, name in CLIENTS.items()}
    return out


def main() -> None:
    """Write every report in every kind of file."""
    HERE.mkdir(exist_ok=True)
    for name, report in reports().items():
        for kind in KINDS:
            path = HERE / f"{name}.{kind}"
            path.write_bytes(report.bytes(kind))
            print(path.name, file=sys.stderr)
        if name in PICTURES:
            (HERE.parent / PICTURES[name]).write_bytes(pictures(report.document)[0])


if __name__ == "__main__":
    main()
