"""Options of ``allocator rebalance``: hard mode, goal, stages, and what does not go together."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from conftest import SAMPLE

from allocator.cli import main
from allocator.i18n import LANGUAGES, words

DAY = ("--date", "2026-09-30")


pytestmark = pytest.mark.usefixtures("english")


def test_hard_mode_is_three_where_limits_cannot_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rebalance", str(SAMPLE), "--client", "C003", "--hard", *DAY]) == 3
    assert "This limit cannot hold: private business" in capsys.readouterr().out
    assert main(["rebalance", str(SAMPLE), "--client", "C008", "--hard", "--json", *DAY]) == 0
    assert json.loads(capsys.readouterr().out)["clients"][0]["plan"]["conflicts"] == []


def test_the_goal_is_handed_on(capsys: pytest.CaptureFixture[str]) -> None:
    def expected(goal: str) -> float:
        assert main(["rebalance", str(SAMPLE), "--client", "C005", "--goal", goal, "--json", *DAY]) == 0
        after = json.loads(capsys.readouterr().out)["clients"][0]["plan"]["after"]
        return float(after["risk"]["expected_return"])

    assert expected("return") > expected("target")
    assert main(["rebalance", str(SAMPLE), "--client", "C005", "--goal", "return", "--lang", "zh", *DAY]) == 0
    assert words("zh").text("say.goal_return", years="5") in capsys.readouterr().out


def test_stages_decide_the_exit_code_by_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    one = ["rebalance", str(SAMPLE), "--client", "C003", *DAY]
    assert main(one) == 3
    capsys.readouterr()
    assert main([*one, "--stages", "3", "--months", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [r["date"] for r in found["clients"][0]["stages"]["table"]][1:] == ["2026-09-30", "2026-11-30", "2027-01-30"]
    assert len(found["stages"]) == 4
    assert main([*one, "--stages", "3"]) == 0
    assert "The plan in 3 stages, 3 months apart" in capsys.readouterr().out


def test_a_book_in_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("A", "cash", "deposit", 1e5), ("A", "firm", "private_business", 9e5), ("B", "cash", "deposit", 1e5)]
    frame = pd.DataFrame(rows, columns=["client_id", "name", "asset_class", "value"])
    frame.to_csv(tmp_path / "holdings.csv", index=False)
    assert main(["rebalance", str(tmp_path / "holdings.csv"), "--stages", "2", "--lang", "zh"]) == 3
    assert words("zh").text("title.stages_book") in capsys.readouterr().out


@pytest.mark.parametrize("lang", LANGUAGES)
def test_options_that_do_not_go_together_are_named(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    for args, named in (
        (["--stages", "2", "--hard"], ["--stages", "--hard"]),
        (["--stages", "2", "--goal", "return"], ["--stages", "--goal return"]),
        (["--months", "2"], ["--months", "--stages"]),
        (["--stages", "1000"], ["--stages", "1000", "40"]),
    ):
        assert main(["rebalance", str(SAMPLE), *args, "--lang", lang]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert all(name in err for name in named)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_frontier_says_the_same_numbers_as_its_json(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["frontier", str(SAMPLE), "--client", "C010", "--points", "4", "--date", "2026-09-30", "--lang", lang]
    assert main(args) == 0
    page = capsys.readouterr().out
    assert main([*args, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [p["point"] for p in found["points"]] == [0, 1, 2, 3]
    for point in [*found["points"], *found["marks"]]:
        assert f"{point['volatility']:.1%}" in page
        assert f"{point['expected_return']:.1%}" in page
    assert all(abs(sum(w["weight"] for w in p["weights"]) - 1) < 1e-3 for p in found["points"])


def test_the_frontier_is_for_one_client(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frontier", str(SAMPLE)]) == 2
    assert "--client" in capsys.readouterr().err
