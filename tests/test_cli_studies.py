"""``allocator risk`` at a terminal: numbers as in its JSON, files of one's own, exit codes, options that are wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, SAMPLE

from allocator.book import Book
from allocator.cli import MOST, main
from allocator.framework import load_framework
from allocator.i18n import LANGUAGES, words
from allocator.pipeline import analyze
from allocator.risk_measures import LONGEST, measure_risk

RISK = ("risk", str(SAMPLE), "--date", ON.isoformat())
Capture = pytest.CaptureFixture[str]
YEARS = pd.DataFrame(
    np.random.default_rng(7).normal([0.08, 0.03, 0.01], [0.2, 0.08, 0.15], (40, 3)).clip(-0.9),
    index=range(1951, 1991),
    columns=["equity_fund", "government_bond", "gold"],
)
"""Made up."""
GOALS = """client_id,goal,amount,years,monthly,start
C009,education,3000000,8,20000,500000
 Ｃ009 ,备用金,,1,,
,,,,,
C010,boat,4e8,15.5,,
C009,odd,much,1,,
c009,lost,1,1,,
"""


pytestmark = pytest.mark.usefixtures("english")


@pytest.fixture
def goals(tmp_path: Path) -> str:
    (tmp_path / "goals.csv").write_text(GOALS, "utf-8-sig")
    return str(tmp_path / "goals.csv")


@pytest.fixture
def past_file(tmp_path: Path) -> str:
    YEARS.to_csv(tmp_path / "past.csv", index_label="year")
    return str(tmp_path / "past.csv")


def told(capsys: Capture, *args: str, code: int = 0) -> tuple[str, dict[str, Any]]:
    """The page and the JSON of the same command."""
    assert main([*RISK, *args]) == code
    page = capsys.readouterr().out
    assert main([*RISK, *args, "--json"]) == code
    return page, json.loads(capsys.readouterr().out)


def row_of(page: str, label: str) -> list[str]:
    """Cells of the one row that begins with these words."""
    found = [line.split("\t") for line in page.splitlines() if line.split("\t")[0] == label and "\t" in line]
    assert len(found) == 1, label
    return found[0][1:]


# ---- numbers


@pytest.mark.parametrize("lang", LANGUAGES)
def test_one_client_has_the_numbers_of_the_json(lang: str, past_file: str, goals: str, capsys: Capture) -> None:
    said = words(lang)
    page, found = told(capsys, "--client", "C009", "--past", past_file, "--goals", goals, "--lang", lang)
    (client,) = found["clients"]
    risk, equity = client["risk"], client["equity"]
    assert (found["horizon"], found["level"], found["goals_of_nobody"]) == (1.0, 0.95, 0)
    assert found["rests_on"]["past"]["years"] == list(range(1951, 1991))
    for way in ("normal", "t", "history"):
        var, cvar = risk[f"var_{way}"], risk[f"cvar_{way}"]
        cells = row_of(page, said.text(f"risk.way_{way}"))
        assert [cells[0], cells[2]] == [f"{var:.1%}", f"{cvar:.1%}"]
        assert [cells[1], cells[3]] == [said.money(var * equity), said.money(cvar * equity)]
    assert row_of(page, said.text("risk.figure_volatility"))[0] == f"{risk['volatility']:.1%}"
    assert row_of(page, said.text("risk.figure_drawdown"))[0] == f"{risk['drawdown']:.1%}"
    assert row_of(page, said.text("risk.figure_bets"))[0] == f"{risk['bets']:.1f}"
    for part in risk["contributions"]["classes"]:
        points = f"{100 * part['contribution']:.1f}"
        assert any(line.endswith(f"\t{part['risk_share']:.1%}\t{points}") for line in page.splitlines())
    assert [g["goal"] for g in risk["goals"]] == ["education", "reserve", "odd"]
    assert [g["reason"] for g in risk["goals"]] == [None, None, "bad_figure"]
    school = row_of(page, said.text("risk.goal_education"))
    assert school[1] == said.money(risk["goals"][0]["amount"])
    assert school[-1] == f"{risk['goals'][0]['probability']:.0%}"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_book_has_the_numbers_of_the_json(lang: str, past_file: str, goals: str, capsys: Capture) -> None:
    said = words(lang)
    page, found = told(capsys, "--past", past_file, "--goals", goals, "--lang", lang, code=4)
    risks = pd.DataFrame(
        [{"band": c["band"], **c["risk"]} for c in found["clients"]], index=[c["client_id"] for c in found["clients"]]
    )
    bands = load_framework().bands
    assert len(risks) == 24
    ways = [f"cvar_{way}" for way in ("normal", "t", "history")]
    for band, part in risks.groupby("band"):
        cells = row_of(page, said.name(bands[str(band)]))
        shown = [f"{part[c].median():.1%}" for c in ("volatility", *ways, "drawdown")]
        assert [cells[1], *cells[3:7]] == shown
        assert cells[0] == str(len(part))
    worst = risks[ways].max(axis=1).nlargest(8)
    for client, loss in worst.items():
        assert row_of(page, str(client))[0] == f"{loss:.1%}"
    assert row_of(page, "boat")[0] == "1"
    assert found["goals_of_nobody"] == 1
    assert said.text("risk.note_nobody", count=1) in page


def test_the_numbers_do_not_depend_on_the_language(past_file: str, goals: str, capsys: Capture) -> None:
    one, two = (told(capsys, "--past", past_file, "--goals", goals, "--lang", lang, code=4)[1] for lang in LANGUAGES)
    assert [c["risk"] for c in one["clients"]] == [c["risk"] for c in two["clients"]]


def test_it_is_what_the_library_says(sample: Book, past_file: str, capsys: Capture) -> None:
    args = ("--past", past_file, "--horizon", "2.5", "--level", ".99")
    page, found = told(capsys, *args, code=4)
    s = measure_risk(analyze(sample, on=ON), horizon=2.5, level=0.99, past=YEARS).summary.set_index("client_id")
    for client in found["clients"]:
        for name in ("var_history", "cvar_t", "drawdown", "bets"):
            value = client["risk"][name]
            assert (float("nan") if value is None else value) == pytest.approx(
                s.loc[client["client_id"], name], rel=1e-9, nan_ok=True
            )
    assert "within 2.5 years in the worst of 100 cases" in page


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_files_the_reserve_is_judged_and_past_years_are_not(lang: str, capsys: Capture) -> None:
    page, found = told(capsys, "--client", "C009", "--lang", lang)
    risk = found["clients"][0]["risk"]
    assert (risk["var_history"], risk["cvar_history"], found["rests_on"]["past"]) == (None, None, None)
    assert [g["goal"] for g in risk["goals"]] == ["reserve"]
    assert words(lang).text("risk.way_history") not in page
    assert words(lang).text("risk.goal_reserve") in page


def test_years_of_the_past_may_be_toml(tmp_path: Path, capsys: Capture) -> None:
    toml, table = tmp_path / "y.toml", tmp_path / "y.csv"
    toml.write_text(
        'schema = "allocator-history/1"\nname = "mine"\nen = "My [red]years"\nzh = "我的年份"\nsource = "s"\n'
        'years = [2007, 2008]\n[series.equity_fund]\nsource = "s"\nreturns = [0.05, -0.4]\n', "utf-8"
    )  # fmt: skip
    table.write_text("年份;equity_fund\r\n2008;-0.4\r\n\r\n2007;0.05\r\n", "gb18030")
    page, one = told(capsys, "--client", "C005", "--past", str(toml))
    _, two = told(capsys, "--client", "C005", "--past", str(table))
    assert one["clients"] == two["clients"]
    assert one["clients"][0]["risk"]["cvar_history"] > 0.05
    assert "Past years (My [red]years, 2007 to 2008)" in page
    assert one["rests_on"]["past"] == {"name": "mine", "source": "s", "years": [2007, 2008]}


# ---- exit codes and what is wrong


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--horizon", x) for x in ("0", "-1", "1e1", "nan", "inf", "100.5", "１", "1_0", "", "a year")),
        *(("--level", x) for x in ("95", "1", "0.49", "95%", "nan", "", "-0.9")),
    ],
)
def test_wrong_numbers_are_named(option: str, value: str, lang: str, capsys: Capture) -> None:
    assert main([*RISK, option, value, "--lang", lang]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert option in err
    assert value in err
    assert words(lang).text(f"error.allowed_{option[2:]}") in err
    assert "allocator risk --help" in err


def test_the_longest_horizon_is_that_of_the_library(capsys: Capture) -> None:
    assert MOST["horizon"] == LONGEST
    assert main([*RISK, "--horizon", "100", "--level", "0.5", "--client", "C004"]) == 0
    assert "within 100 years" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "text", "code", "mend"),
    [
        ("--goals", None, 5, "file.csv: no such file"),
        ("--goals", "", 5, "file.csv: the file is empty"),
        (
            "--goals",
            "client,goal,years\nC001,a,1\n",
            5,
            "file.csv: no column client_id, amount; needed: client_id, goal",
        ),
        ("--goals", "client_id,goal,amount,years,sum\nC001,a,1,1,1\n", 5, "the column sum is not known"),
        ("--goals", "client_id,goal,amount,years,years\nC001,a,1,1,1\n", 5, "the column years comes twice"),
        ("--goals", "client_id,goal,amount,years,Years\nC001,a,1,1,1\n", 5, "the column Years comes twice"),
        ("--goals", "client_id,goal,amount,years\nC001,a,1,1\nC001,b,2,000,1\n", 5, "cells in row 3;"),
        ("--past", None, 2, "file.csv: no such file"),
        ("--past", "", 5, "file.csv: the file is empty"),
        ("--past", "year,gld\n2000,0.1\n", 2, "unknown class 'gld': did you mean 'gold'?"),
        ("--past", "year,gold\n2000,0.1\n2001,\n", 2, "column 'gold', year 2001"),
        ("--past", "year,gold\n2000,12%\n", 2, "5% is 0.05"),
        ("--past", "year,gold\n2000,4.4\n2001,-0.9\n", 2, "look like percent"),
        ("--past", "gold,year\n0.1,2000\n", 2, "the index must be years"),
        ("--past", "year,gold\n2000,0.1,0.2\n", 5, "cells in row 2;"),
    ],
)
def test_wrong_files_are_named(
    option: str, text: str | None, code: int, mend: str, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "file.csv"
    if text is not None:
        file.write_text(text, "utf-8")
    assert main([*RISK, option, str(file)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert mend in err


@pytest.mark.parametrize("json_too", [False, True])
def test_a_book_without_clients_is_five(json_too: bool, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "book.csv").write_text("client_id,name,asset_class,value\n,b,deposit,1\n", "utf-8")
    assert main(["risk", str(tmp_path / "book.csv"), *(["--json"] if json_too else [])]) == 5
    assert "missing_value" in capsys.readouterr().out or not json_too


def test_unknown_clients_are_two(capsys: Capture) -> None:
    assert main([*RISK, "--client", "nobody"]) == 2
    assert "client_id" in capsys.readouterr().err


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_help_names_every_option(lang: str, capsys: Capture) -> None:
    assert main(["risk", "--help", "--lang", lang]) == 0
    page = capsys.readouterr().out
    for name in ("horizon", "level", "goals", "past"):
        assert f"--{name}" in page
        assert re.sub(r"\s", "", words(lang).text(f"help.{name}")) in re.sub(r"\s", "", page)


@pytest.mark.parametrize("study", ["stress", "household", "risk"])
def test_a_book_in_which_nobody_is_left_says_so(study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "book.csv"
    file.write_text("client_id,name,asset_class,value\n,cash,deposit,1\n", "utf-8")
    assert main([study, str(file), "--json"]) == 5
    found = json.loads(capsys.readouterr().out)
    assert found["clients"] == []
    assert found["issues"]
    assert main([study, str(file)]) == 5
