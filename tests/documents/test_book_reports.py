"""A book of reports: per advisor, resumed, side by side, a wrong client costs nobody else; and the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ON, ROOT, SAMPLE

import allocator as al
from allocator.cli import main
from allocator.documents import book_reports
from allocator.documents.book_reports import STATE, Settings, write_reports
from allocator.errors import ConfigError, InputError, OutputError, SolveError
from allocator.reporting.report_facts import Options

BOOK = al.read_book(SAMPLE).select(["C004", "C005", "C011", "C016"])
QUICK = Settings(Options(lang="en"), ("html",), on=ON, plan=False, short=True)
DAY = ("--date", "2026-09-30", "--lang", "en")


def files(folder: Path) -> set[str]:
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return {f for f in found if not f.startswith(f"{STATE}/")}


def test_a_file_for_every_client_and_an_index(tmp_path: Path) -> None:
    found = write_reports(BOOK, tmp_path, QUICK)
    assert [r["client"] for r in found.rows][-1] == "C005"
    assert files(tmp_path) == {"index.html", *(name for r in found.rows for name in r["files"].values())}
    page = found.index.read_text("utf-8")
    assert all(f'href="{name}"' in page for r in found.rows for name in r["files"].values())
    assert {name.partition("/")[0].rpartition("-")[0] for r in found.rows for name in r["files"].values()} <= {
        "rm-01", "rm-02", "rm-03", "rm-04", "rm-05", "rm-06",
    }  # fmt: skip
    assert not found.failed
    assert not [p for p in tmp_path.rglob("*.html") if p.stat().st_mode & 0o077]


def test_what_is_there_and_still_fits_is_kept(tmp_path: Path) -> None:
    first = write_reports(BOOK, tmp_path, QUICK)
    gone = tmp_path / first.rows[0]["files"]["html"]
    gone.unlink()
    again = write_reports(BOOK, tmp_path, QUICK, resume=True)
    assert again.kept == 3
    assert gone.is_file()
    assert again.rows == first.rows
    other = Settings(Options(lang="zh"), ("html",), on=ON, plan=False, short=True)
    assert write_reports(BOOK, tmp_path, other, resume=True).kept == 0
    richer = al.read_book(SAMPLE).select(BOOK.client_ids)
    assert write_reports(richer, tmp_path, other, resume=True).kept == 4
    richer.holdings.loc[richer.holdings["client_id"] == "C005", "value"] *= 2
    assert write_reports(richer, tmp_path, other, resume=True).kept == 3


def test_side_by_side_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_reports, "CHUNK", 2)
    for workers in (1, 2):
        write_reports(BOOK, tmp_path / str(workers), QUICK, workers=workers)
    one, two = (tmp_path / "1", tmp_path / "2")
    assert files(one) == files(two)
    assert all((one / f).read_bytes() == (two / f).read_bytes() for f in files(one))


def test_a_client_that_fails_costs_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = book_reports.analyze

    def failing(book: al.Book, *args: object, **kwargs: object) -> al.Analysis:
        if "C011" in book.client_ids:
            raise SolveError("no answer")
        return whole(book, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(book_reports, "analyze", failing)
    found = write_reports(BOOK, tmp_path, QUICK)
    assert found.failed == {"SolveError": 1}
    assert {r["client"] for r in found.rows} == {"C004", "C005", "C016"}


def test_nothing_names_anybody(tmp_path: Path) -> None:
    key = b"0123456789abcdef"
    write_reports(BOOK, tmp_path, Settings(Options("en", key=key), ("html", "xlsx"), on=ON, plan=False, short=True))
    names = " ".join(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")).lower()
    assert "c0" not in names
    assert "rm-" not in names
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix in (".html", ".json"):
            text = path.read_text("utf-8")
            assert not [c for c in BOOK.client_ids if c in text]
            assert "RM-" not in text


def test_misuse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="html, pdf, xlsx"):
        Settings(formats=("docx",))
    with pytest.raises(InputError, match="advisor"):
        write_reports(BOOK, tmp_path, QUICK, advisor="nobody")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        write_reports(BOOK, tmp_path / "file" / "x", QUICK)


# ---- the command line


def test_one_report_by_its_ending(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, magic in (("html", b"<!DOCTYPE html>"), ("pdf", b"%PDF-"), ("xlsx", b"PK")):
        path = tmp_path / f"x.{kind}"
        assert main(["report", str(SAMPLE), "--client", "C005", "-o", str(path), "--short", *DAY]) == 0
        assert path.read_bytes().startswith(magic)
    assert "x.pdf written" in capsys.readouterr().err


def test_without_a_file_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(SAMPLE), "--client", "C005", "--no-plan", *DAY]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Wealth review · C005\n")
    assert "no investment advice" in out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("-o", "x.doc", "--client", "C005"), ".html, .pdf or .xlsx"),
        (("-o", "x.pdf"), "add --client ID"),
        (("-o", "x.pdf", "--out", "y"), "do not go together"),
        (("--pseudonymise", "--client", "C005"), "needs --key"),
        (("--resume", "--client", "C005"), "needs --out"),
        (("--out", "y", "--formats", "html,doc"), "doc"),
        (("--client", "C005", "--style", "nowhere"), "neither a preset nor a file"),
    ],
)
def test_wrong_usage_names_the_mend(
    options: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(SAMPLE), *options, *DAY]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_book_on_the_command_line(tmp_path: Path) -> None:
    more = ("--formats", "pdf", "--advisor", "RM-03", "--short", "--no-plan", "--workers", "1")
    done = subprocess.run(
        [sys.executable, "-m", "allocator", "report", str(SAMPLE), "--out", str(tmp_path / "out"), *more, *DAY],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode in (3, 4), done.stderr
    assert "reports written to out" in done.stderr
    assert done.stdout == ""
    assert {p.parent.name.rpartition("-")[0] for p in (tmp_path / "out").rglob("*.pdf")} == {"rm-03"}


def test_processes_run_nothing_of_the_script_that_starts_them(tmp_path: Path) -> None:
    """A script without ``if __name__ == "__main__"``, as the entry points of some installers are."""
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "import allocator as al\n"
        "from allocator.documents import book_reports\n"
        "from allocator.reporting.report_facts import Options\n"
        "book_reports.CHUNK = 2\n"
        f"book = al.read_book({str(SAMPLE)!r}).select({BOOK.client_ids!r})\n"
        "how = book_reports.Settings(Options(lang='en'), ('html',), plan=False, short=True)\n"
        f"print(len(book_reports.write_reports(book, Path({str(tmp_path / 'out')!r}), how, workers=2).rows))\n",
        "utf-8",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr
