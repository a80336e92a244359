"""``allocator ledger`` at a terminal: what is said in both languages, JSON, exit codes, no names in errors."""

from __future__ import annotations

import json
import re
import shutil
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import SAMPLE

import allocator as al
from allocator.cli import main
from allocator.i18n import LANGUAGES, words
from allocator.ledger import finding, kinds
from allocator.ledger.diff import NOTICES, STATES
from allocator.ledger.reviews import SOURCES
from allocator.ledger.reviews import STATES as REVIEW_STATES
from allocator.ledger_commands import STATES as CLI_STATES

Capture = pytest.CaptureFixture[str]
JUNE, SEPTEMBER = "2026-06-30", "2026-09-30"


pytestmark = pytest.mark.usefixtures("english")


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ALLOCATOR_LEDGER", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clients, and what became of them a quarter later."""
    folder = tmp_path_factory.mktemp("books")
    rows = [
        ("secret-a", "cash", "deposit", 3_000_000),
        ("secret-a", "firm", "private_business", 1_000_000),
        ("secret-b", "cash", "deposit", 50_000),
        ("secret-b", "shares", "listed_equity", 300_000),
    ]
    frame = pd.DataFrame(rows, columns=["client_id", "name", "asset_class", "value"])
    frame.to_csv(folder / "june.csv", index=False)
    frame.assign(value=[1_000_000, 1_500_000, 50_000, 320_000]).to_csv(folder / "september.csv", index=False)
    return folder


def run(capsys: Capture, *args: str, code: int = 0) -> tuple[str, str]:
    assert main(["ledger", *args]) == code
    told = capsys.readouterr()
    return told.out, told.err


def told(capsys: Capture, *args: str) -> dict[str, Any]:
    out: dict[str, Any] = json.loads(run(capsys, *args, "--json")[0])
    assert out["schema"] == "allocator-ledger/1"
    return out


@pytest.fixture(scope="module")
def two(books: Path) -> Path:
    """A ledger of both quarters."""
    at = books / "two"
    for name, day, more in (("june", JUNE, ["--plan"]), ("september", SEPTEMBER, [])):
        file = str(books / f"{name}.csv")
        assert main(["ledger", "add", file, "--ledger", str(at), "--date", day, "--band", "balanced", *more]) == 0
    return at


@pytest.fixture
def filled(two: Path, tmp_path: Path, capsys: Capture) -> None:
    """The same in the place where it is looked for."""
    shutil.copytree(two, tmp_path / "ledger")
    capsys.readouterr()


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_moved_is_told_with_the_numbers_of_the_json(lang: str, capsys: Capture) -> None:
    said = words(lang)
    page, _ = run(capsys, "diff", "--lang", lang)
    found = told(capsys, "diff", "--lang", lang)
    assert (found["before"], found["after"], found["previous"], found["notices"]) == (JUNE, SEPTEMBER, None, [])
    assert found["findings"]
    for row in found["findings"]:
        cells = [line.split("\t") for line in page.splitlines() if line.endswith(f"\t{row['says']}")]
        assert [row["client_id"], said.text(f"ledger.state_{row['state']}"), row["since"]] in [
            [c[0], c[2], c[3]] for c in cells
        ]
    (flow,) = [r for r in found["findings"] if r["finding"] == "outflow"]
    assert (flow["client_id"], flow["amount"], flow["before"], flow["after"]) == ("secret-a", 2e6, 3e6, 1e6)
    assert said.money(2e6, "CNY") in flow["says"]
    counted = {r["finding"]: sum(r[s] for s in STATES) for r in found["counts"]}
    assert sum(counted.values()) == len(found["findings"])
    assert not re.search(r"\bnan\b|\{|\}", page.lower())


@pytest.mark.usefixtures("filled")
def test_one_client_one_state_one_advisor(capsys: Capture) -> None:
    everything = told(capsys, "diff")["findings"]
    for state in STATES:
        mine = told(capsys, "diff", "--state", state)["findings"]
        assert mine == [r for r in everything if r["state"] == state]
    mine = told(capsys, "diff", "--client", "secret-b")
    assert mine["findings"] == [r for r in everything if r["client_id"] == "secret-b"]
    assert [c["client_id"] for c in mine["clients"]] == ["secret-b"]
    assert told(capsys, "diff", "--advisor", "nobody")["findings"] == []
    assert "no finding" in run(capsys, "diff", "--advisor", "nobody")[0]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_snapshots_and_clients_are_shown(lang: str, capsys: Capture) -> None:
    out, _ = run(capsys, "show", "--lang", lang)
    assert [line.split("\t")[0] for line in out.splitlines()[2:]] == [JUNE, SEPTEMBER]
    assert [s["clients"] for s in told(capsys, "show")["snapshots"]] == [2, 2]
    one, _ = run(capsys, "show", JUNE, "--lang", lang)
    assert "secret-a" in one
    page = told(capsys, "show", JUNE)
    assert [c["client_id"] for c in page["clients"]] == ["secret-a", "secret-b"]
    assert {"buckets", "limits", "rules", "holdings", "trades"} <= set(page["clients"][0])
    over, _ = run(capsys, "show", "--client", "secret-a", "--lang", lang)
    assert [line.split("\t")[0] for line in over.splitlines()[3:]] == [JUNE, SEPTEMBER]
    assert told(capsys, "show", "--client", "secret-a")["clients"][0]["total"] == 2.5e6


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_reviews_due(lang: str, capsys: Capture) -> None:
    page, _ = run(capsys, "due", "--date", "2026-10-01", "--lang", lang)
    assert re.search(r"^secret-a\t.*\t2026-06-30\t.*\t2026-09-30\t1\t", page, re.M)
    found = told(capsys, "due", "--date", "2026-10-01")
    assert [(r["client_id"], r["state"]) for r in found["reviews"]] == [("secret-a", "overdue"), ("secret-b", "later")]
    run(capsys, "review", "secret-a", "--date", "2026-09-30")
    assert told(capsys, "due", "--date", "2026-10-01")["due"] == 0
    assert words(lang).text("ledger.say_nothing_due") in run(capsys, "due", "--date", "2026-10-01", "--lang", lang)[0]


@pytest.mark.usefixtures("filled")
def test_purge_asks_first(capsys: Capture) -> None:
    assert "Nothing is done yet" in run(capsys, "purge", "--client", "secret-a")[0]
    assert len(told(capsys, "show", JUNE)["clients"]) == 2
    assert "snapshots concerned: 2" in run(capsys, "purge", "--client", "secret-a", "--yes")[0]
    assert [c["client_id"] for c in told(capsys, "show", JUNE)["clients"]] == ["secret-b"]
    run(capsys, "purge", "--date", JUNE, "--yes")
    assert [s["as_of"] for s in told(capsys, "show")["snapshots"]] == [SEPTEMBER]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("add", "{june}", "--date", JUNE), 5, "use --replace"),
        (("add", "{june}", "--date", "2999-01-01"), 5, "in the future"),
        (("add", "{june}", "--date", "tomorrow"), 2, "YYYY-MM-DD"),
        (("add", "nothing.csv"), 5, "nothing.csv"),
        (("show", "2026-07-01"), 5, f"the nearest are {JUNE}, {SEPTEMBER}"),
        (("show", "--client", "who"), 2, "no client with this id"),
        (("show", "--ledger", "elsewhere"), 5, "no ledger at this place"),
        (("diff", SEPTEMBER, JUNE), 5, "is not before"),
        (("diff", "--state", "old"), 2, "allowed: new, persistent, resolved"),
        (("diff", "--policy", "none"), 2, "presets: standard"),
        (("diff", "--client", "who"), 5, "no such client"),
        (("review", "who"), 5, "no such client"),
        (("review",), 2, "CLIENT"),
        (("purge",), 2, "purge needs"),
        (("purge", "--client", "who", "--yes"), 5, "no such client"),
        (("due", "--date", "2020-01-01"), 5, "no snapshot up to"),
        (("show", "--ledger", "oracle://x"), 2, "postgresql or sqlite"),
    ],
)
def test_what_is_wrong_is_said_with_the_mend(
    args: tuple[str, ...], code: int, says: str, books: Path, capsys: Capture
) -> None:
    out, err = run(capsys, *(a.format(june=books / "june.csv") for a in args), code=code)
    assert says in err
    assert not out
    assert "secret-" not in err
    assert "who" not in err.split("allocator ledger")[0].replace("whose", "")


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_for_the_advisor_is_whole_escaped_and_loads_nothing(
    lang: str, tmp_path: Path, capsys: Capture
) -> None:
    page = tmp_path / "page.html"
    _, err = run(capsys, "diff", "--html", str(page), "--lang", lang)
    assert "page.html" in err
    assert page.stat().st_mode & 0o777 == 0o600
    text = page.read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert f'lang="{"zh-CN" if lang == "zh" else "en"}"' in text
    assert "default-src 'none'" in text
    assert not re.search(r"<script|<img|<link|https?:|url\(", text)
    for row in told(capsys, "diff", "--lang", lang)["findings"]:
        assert escape(row["says"]) in text
    assert text.count("2026-09-30") >= 1


def test_what_clients_wrote_stays_text_on_the_page(tmp_path: Path, capsys: Capture) -> None:
    bad = "<script>alert(1)</script>"
    frame = pd.DataFrame([(bad, bad, "private_business", 5e6)], columns=["client_id", "name", "asset_class", "value"])
    frame.to_csv(tmp_path / "bad.csv", index=False)
    run(capsys, "add", "bad.csv", "--band", "balanced")
    run(capsys, "diff", "--html", "page.html")
    assert "<script" not in (tmp_path / "page.html").read_text("utf-8")


def test_with_a_key_the_ledger_keeps_pseudonyms(books: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "key").write_text("k" * 32)
    run(capsys, "add", str(books / "june.csv"), "--date", JUNE, "--key", "key")
    out, _ = run(capsys, "show", JUNE)
    assert "P-" in out
    assert "secret-a" not in out
    assert told(capsys, "show", "--client", "secret-a", "--key", "key")["clients"][0]["total"] == 4e6
    run(capsys, "review", "secret-a", "--key", "key", "--date", JUNE)
    _, err = run(capsys, "add", str(books / "september.csv"), "--date", SEPTEMBER, code=5)
    assert "--key" in err
    run(capsys, "purge", "--client", "secret-a", "--key", "key", "--yes")
    assert len(told(capsys, "show", JUNE)["clients"]) == 1


def test_the_place_comes_from_the_environment(
    books: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOCATOR_LEDGER", str(tmp_path / "there"))
    run(capsys, "add", str(books / "june.csv"), "--date", JUNE)
    assert al.Ledger(tmp_path / "there").dates
    assert not (tmp_path / "ledger").exists()
    out, _ = run(capsys, "add", str(books / "june.csv"), "--date", "2026-03-31", "--lang", "zh")
    assert "早于最近一期" in out


def test_rows_that_are_set_aside_show_in_the_exit_code(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "bad.csv").write_text("client_id,name,asset_class,value\na,x,deposit,5\na,y,deposit,many\n")
    run(capsys, "add", "bad.csv", code=4)


def test_the_sample_book_can_be_kept(capsys: Capture) -> None:
    run(capsys, "add", str(SAMPLE), "--date", JUNE, code=4)
    assert len(told(capsys, "diff")["clients"]) == 24
    assert told(capsys, "diff")["notices"] == ["first"]


def test_everything_that_can_be_told_has_words() -> None:
    assert CLI_STATES == STATES
    needed = {
        *(f"ledger.state_{s}" for s in STATES),
        *(f"ledger.notice_{n}" for n in NOTICES),
        *(f"ledger.note_{n}" for n in finding.NOTES if n),
        *(f"ledger.review_{s}" for s in REVIEW_STATES),
        *(f"ledger.source_{s}" for s in SOURCES if s),
    }
    for lang in LANGUAGES:
        assert needed <= set(words(lang).table)
        assert all(words(lang).name(k) for k in kinds.findings().values())
