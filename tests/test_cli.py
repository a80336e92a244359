"""The command line: exit codes, languages, streams, errors that name the mend, and a quick start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
from conftest import ROOT, SAMPLE

import allocator
from allocator import commands, pipeline
from allocator.cli import GOALS, build, main
from allocator.command_tools import FORMATS
from allocator.errors import SolveError
from allocator.i18n import LANGUAGES, words
from allocator.importers import FORMATS as IMPORTERS
from allocator.sample import sample_path

DAY = ("--date", "2026-09-30")
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def run(*args: str, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own, as a user has it."""
    return subprocess.run(
        [sys.executable, "-m", "allocator", *args], input=stdin, capture_output=True, env=ENV | env, cwd=ROOT
    )


pytestmark = pytest.mark.usefixtures("english")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A book of three: in band, concentrated, and with a row that nothing classifies."""
    balanced = [
        ("cash", "deposit", 25.0),
        ("gold", "gold", 5.0),
        ("bonds", "government_bond", 25.0),
        ("fund", "equity_fund", 25.0),
        ("flat", "investment_property", 10.0),
        ("hedge", "hedge_fund", 10.0),
    ]
    rows = [("ok", n, c, v * 1e4) for n, c, v in balanced]
    rows += [("firm", "own firm", "private_business", 9e6), ("firm", "cash", "deposit", 1e6)]
    rows += [("odd", "cash", "deposit", 1e5), ("odd", "token", "no such thing", 1e4)]
    pd.DataFrame(rows, columns=["client_id", "name", "asset_class", "value"]).to_csv(
        tmp_path / "holdings.csv", index=False
    )
    clients = [(c, "balanced", 2000.0) for c in ("ok", "firm", "odd")]
    pd.DataFrame(clients, columns=["client_id", "risk_band", "monthly_spending"]).to_csv(
        tmp_path / "clients.csv", index=False
    )
    return tmp_path


# ---- exit codes


@pytest.mark.parametrize("command", ["check", "rebalance"])
@pytest.mark.parametrize(("client", "code"), [("ok", 0), ("firm", 3), ("odd", 4)])
def test_one_client_alone_decides_the_exit_code(command: str, client: str, code: int, folder: Path) -> None:
    assert main([command, str(folder), "--client", client]) == code


def test_set_aside_goes_before_exceeded(folder: Path) -> None:
    assert main(["check", str(folder)]) == 4


def test_insolvent_counts_as_exceeded() -> None:
    assert main(["check", str(SAMPLE), "--client", "C012", *DAY]) == 3
    assert main(["rebalance", str(SAMPLE), "--client", "C012", *DAY]) == 3


def test_a_plan_that_brings_everything_in_band_is_zero() -> None:
    assert main(["check", str(SAMPLE), "--client", "C008", *DAY]) == 3
    assert main(["rebalance", str(SAMPLE), "--client", "C008", *DAY]) == 0


def test_allow_unclassified_plans_the_client(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rebalance", str(folder), "--client", "odd", "--allow-unclassified", "--json"]) == 4
    plan = json.loads(capsys.readouterr().out)["clients"][0]["plan"]
    assert plan["status"] != "invalid"


@pytest.mark.parametrize(
    "args",
    [
        ["chek"],
        ["check"],
        ["check", "x", "y"],
        ["check", "x", "--nope"],
        ["check", "x", "--lang", "fr"],
        ["check", "x", "--client"],
        ["check", "x", "--format", "pdf"],
        ["check", "x", "--date", "tomorrow"],
        ["check", "x", "--hard"],
        ["rebalance", "x", "--goal", "riches"],
        *(["rebalance", "x", "--stages", n] for n in ("0", "-1", "1.5", "x", "", "４", "1e3")),
        ["rebalance", "x", "--stages", "2", "--months", "0"],
        ["framework", "shw"],
        [],
        ["framework"],
        ["check", str(SAMPLE), "--client", "nobody"],
        ["check", str(SAMPLE), "--band", "wild"],
        ["check", str(SAMPLE), "--framework", "nope"],
        ["check", str(SAMPLE), "--assumptions", "nope"],
    ],
)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_wrong_usage_is_two_and_says_what_to_do(args: list[str], lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*args, "--lang", lang] if "--lang" not in args and args and args[-1] != "--client" else args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"allowed|--help|可选|presets", err)


@pytest.mark.parametrize("make", ["absent", "empty", "header", "no_value", "binary", "only_bad"])
@pytest.mark.parametrize("json_too", [False, True])
def test_nothing_to_produce_is_five(
    make: str, json_too: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "book.csv"
    text = {
        "empty": "",
        "header": "client_id,name,asset_class,value\n",
        "no_value": "client_id,name,asset_class\nA,b,deposit\n",
        "binary": "PK\x03\x04zip",
        "only_bad": "client_id,name,asset_class,value\n,b,deposit,1\n",
    }
    if make in text:
        file.write_text(text[make])
    assert main(["check", str(file), *(["--json"] if json_too else [])]) == 5
    out, err = capsys.readouterr()
    if make == "only_bad":
        assert "missing_value" in out or "the cell is empty" in out
    else:
        assert out == ""
        assert "book.csv" in err
        assert "\n" not in err.strip()
    assert str(tmp_path) not in err


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "analysed", stop)
    assert main(["check", str(SAMPLE)]) == 130
    assert "Interrupted" in capsys.readouterr().err


def test_a_bug_is_one_and_tells_nothing_of_the_client(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("Mr Secret owns 12 flats")

    monkeypatch.setattr(commands, "analysed", broken)
    assert main(["check", str(SAMPLE)]) == 1
    err = capsys.readouterr().err
    assert "--debug" in err
    assert "ValueError" in err
    assert "Secret" not in err
    assert "Traceback" not in err
    assert main(["check", str(SAMPLE), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_no_solver_is_five(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def failed(*_: Any, **__: Any) -> None:
        raise SolveError("no solver reached an optimum")

    monkeypatch.setattr(commands, "analysed", failed)
    assert main(["rebalance", str(SAMPLE), "--lang", "zh"]) == 5
    assert "未能作出方案" in capsys.readouterr().err


# ---- streams


def test_results_on_stdout_messages_on_stderr() -> None:
    done = run("check", str(SAMPLE), "--json", *DAY)
    assert done.returncode == 4
    assert done.stderr == b""
    assert len(json.loads(done.stdout)["clients"]) == 24


def test_stdin_is_read_as_csv() -> None:
    text = "客户号,名称,资产类别,市值\nA,活期,存款,100\n".encode()
    done = run("check", "-", "--json", "--band", "稳健型", stdin=text)
    assert json.loads(done.stdout)["clients"][0]["buckets"]["defensive"]["value"] == 100.0
    assert done.returncode == 3


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break differently there")
def test_a_reader_who_leaves_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "allocator", "check", str(SAMPLE)], stdout=gone, stderr=subprocess.PIPE, env=ENV
        )
    assert done.returncode == 4
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_said() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "allocator", "check", str(SAMPLE), "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENV,
        )
    assert done.returncode == 5
    assert b"could not be written" in done.stderr


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "gbk"},
    ],
)
def test_no_locale_breaks_it(lang: str, env: dict[str, str]) -> None:
    done = run("check", str(SAMPLE), "--lang", lang, **env)
    assert done.returncode == 4, done.stderr
    assert done.stderr == b""
    out = run("check", str(SAMPLE), "--json", "--lang", lang, **env).stdout
    assert json.loads(out.decode("utf-8"))["clients"][0]["holdings"][0]["name"].endswith("98% 股权")


def test_piped_output_has_neither_colour_nor_boxes() -> None:
    out = run("rebalance", str(SAMPLE), "--client", "C003", *DAY, FORCE_COLOR="1").stdout.decode()
    assert "\x1b" not in out
    assert "─" not in out
    assert "\t" in out


# ---- languages


def test_the_locale_chooses_and_lang_overrules(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    main(["check", str(SAMPLE), "--client", "C005"])
    assert capsys.readouterr().out.startswith("客户 C005")
    main(["check", str(SAMPLE), "--client", "C005", "--lang=en"])
    assert capsys.readouterr().out.startswith("Client C005")
    main(["--lang", "en", "check", str(SAMPLE), "--client", "C005"])
    assert capsys.readouterr().out.startswith("Client C005")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_command_and_option_has_help(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = words(lang)

    def visit(command: Any, path: list[str]) -> None:
        assert main([*path, "--help", "--lang", lang]) == 0
        page = capsys.readouterr().out
        assert page.startswith(said.text("help.usage"))
        for option in (p for p in command.params if isinstance(p, click.Option)):
            assert option.help
            assert option.opts[0] in page
        for name, below in getattr(command, "commands", {}).items():
            assert below.short_help
            assert name in page
            visit(below, [*path, name])

    visit(build(said), [])


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"allocator {allocator.__version__}\n"
    assert f'version = "{allocator.__version__}"' in (ROOT / "pyproject.toml").read_text()


# ---- commands


@pytest.mark.parametrize("lang", LANGUAGES)
def test_check_shows_the_book_in_its_order(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", str(SAMPLE), *DAY, "--lang", lang])
    out = capsys.readouterr().out
    assert re.findall(r"^C\d{3}(?=\t)", out, re.M) == [f"C{i:03}" for i in range(1, 25)]


def test_issues_of_other_clients_stay_away(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", str(SAMPLE), "--client", "C004", "--json"])
    assert {i["client_id"] for i in json.loads(capsys.readouterr().out)["issues"]} == {"C004"}


def test_band_and_framework_are_handed_on(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", str(SAMPLE), "--client", "C005", "--band", "C1", "--framework", "chhabra", "--json"])
    out = json.loads(capsys.readouterr().out)
    assert out["framework"] == "chhabra"
    assert out["clients"][0]["band"] == "conservative"


def test_further_tables_win(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.read_csv(SAMPLE / "clients.csv", dtype=str).assign(risk_band="保守型")
    rows.to_csv(tmp_path / "c.csv", index=False)
    main(["check", str(SAMPLE), "--clients", str(tmp_path / "c.csv"), "--json"])
    assert {c["band"] for c in json.loads(capsys.readouterr().out)["clients"]} == {"conservative"}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_demo(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--lang", lang, "--client", "C003"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert words(lang).text("title.client", client="C003") in out
    assert str(sample_path()) in out
    assert "allocator framework show" in out
    assert "2026-09-30" in out


def test_demo_without_a_sample_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("allocator.sample.resources.files", lambda _: tmp_path / "allocator")
    assert main(["demo"]) == 5
    assert "install allocator again" in capsys.readouterr().err


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", ["classic", "chhabra"])
def test_framework_show(lang: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from allocator.framework import load_framework

    f = load_framework(name)
    assert main(["framework", "show", name, "--lang", lang]) == 0
    out = capsys.readouterr().out
    for part in (f.bands, f.rules, f.classes, f.buckets):
        assert all(words(lang).name(x) in out for x in part.values())
    assert all(x.source in out for part in (f.bands, f.rules, f.classes) for x in part.values())
    assert main(["framework", "show", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bands"]["balanced"]["volatility"] == 0.12


def test_framework_validate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('extends = "classic"\nname = "mine"\n[bands.balanced]\nvolatility = 0.1\n')
    bad.write_text('extends = "classic"\n[bands.balanced]\nvolatilty = 0.1\n[classes.deposit]\nrisk = 9\n')
    assert main(["framework", "validate", str(good)]) == 0
    assert "OK. Framework mine" in capsys.readouterr().out
    assert main(["framework", "validate", str(bad)]) == 2
    out = capsys.readouterr().out
    assert "bad.toml" in out
    assert "did you mean 'volatility'" in out
    assert "classes.deposit.risk" in out
    assert main(["framework", "validate", str(tmp_path / "none.toml")]) == 2


def test_the_choices_are_those_of_the_library() -> None:
    assert set(FORMATS) == {"auto", *IMPORTERS}
    assert GOALS == pipeline.GOALS


# ---- start


def test_import_and_help_load_nothing_heavy() -> None:
    heavy = "{'numpy', 'pandas', 'pydantic', 'cvxpy', 'scipy', 'matplotlib', 'pyarrow'}"
    code = (
        f"import sys, allocator as al; from allocator import cli; cli.main(['--help']); cli.main(['check', '--help']);"
        f"assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=ENV)
    assert done.returncode == 0, done.stderr.decode()


def test_help_comes_at_once() -> None:
    """Processor time, so that a busy machine does not matter."""
    before = os.times()
    assert run("--help").returncode == 0
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    assert 0 < spent < 0.5


def test_analysis_does_not_load_the_solver() -> None:
    code = (
        "import sys, allocator as al; al.analyze(al.read_book(al.sample_path()));"
        "assert not {'cvxpy', 'matplotlib', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=ENV)
    assert done.returncode == 0, done.stderr.decode()


def test_the_public_names_are_there() -> None:
    for name in allocator.__all__:
        assert getattr(allocator, name) is not None
    assert set(allocator.__all__) <= set(dir(allocator))
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        allocator.nope  # noqa: B018


def test_rebalance_is_the_function_whatever_is_imported_first() -> None:
    code = (
        "from allocator.rebalance import terms; import allocator.rebalance.model, allocator as al;"
        "assert callable(al.rebalance); from allocator import rebalance; assert rebalance is al.rebalance;"
        "from allocator.rebalance import solve; assert callable(al.rebalance)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=ENV)
    assert done.returncode == 0, done.stderr.decode()
