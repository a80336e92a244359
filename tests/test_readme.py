from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import click
import pytest

from allocator import cli, command_tools
from allocator.framework import load_framework
from allocator.i18n import words
from allocator.plan import STATUSES
from allocator.schema import KEYS, TABLES

ROOT = Path(__file__).resolve().parents[1]
FILES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh.md"}
TEXTS = {lang: file.read_text("utf-8") for lang, file in FILES.items()}
RUN = (ROOT / ".ci" / "run") if (ROOT / ".ci").exists() else None
LANGS = sorted(FILES)
REWRITE = "run: python reports/readme_tables.py"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme_tables", ROOT / "reports" / "readme_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part(lang: str, name: str) -> str:
    found = re.search(rf"<!-- begin {name} -->\n(.*?)\n<!-- end {name} -->", TEXTS[lang], re.S)
    assert found, f"no part {name} in {FILES[lang].name}"
    return found[1]


def blocks(lang: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXTS[lang], re.S | re.M)


def every_command(group: click.Command, name: str = "") -> dict[str, click.Command]:
    """Commands by name, as click knows them; written again, so that the generator is not tested with itself."""
    if not isinstance(group, click.Group):
        return {name: group}
    out: dict[str, click.Command] = {}
    for key, one in group.commands.items():
        out |= every_command(one, f"{name} {key}".strip())
    return out


@pytest.mark.parametrize("lang", LANGS)
def test_generated_parts_are_those_of_the_code(lang: str, generator: ModuleType) -> None:
    assert generator.render(TEXTS[lang], lang) == TEXTS[lang], REWRITE


def test_a_part_without_an_end_is_an_error(generator: ModuleType) -> None:
    with pytest.raises(ValueError, match="end bands"):
        generator.render("<!-- begin bands -->\nall the rest\n", "en")


@pytest.mark.parametrize("lang", LANGS)
def test_every_command_and_option_is_there_and_no_other(lang: str) -> None:
    group = cli.build(words(lang))
    known = every_command(group)
    written = re.findall(r"^\| `allocator ([a-z ]+?)(?: [\[A-Z][^`]*)?` \|", part(lang, "commands"), re.M)
    assert sorted(written) == sorted(known), REWRITE
    every = (p for c in (group, *known.values()) for p in c.params if isinstance(p, click.Option))
    options = {o for p in every for o in p.opts if o.startswith("--")}
    assert set(re.findall(r"^\| `(--[a-z-]+)", part(lang, "commands"), re.M)) == options, REWRITE
    # outside of the tables as well: no option of `allocator` that does not exist
    prose = re.sub(r"`(?:pip|uv) [^`\n]*`|^(?:pip|uv) .*$", "", TEXTS[lang], flags=re.M)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose)) <= options


@pytest.mark.parametrize("lang", LANGS)
def test_commands_in_prose_exist(lang: str) -> None:
    known = every_command(cli.build(words(lang)))
    used = re.findall(r"`allocator ((?:framework |assumptions |ledger )?[a-z]+)\b", TEXTS[lang])
    assert used
    assert set(used) <= set(known)


@pytest.mark.parametrize("lang", LANGS)
def test_every_column_is_there_and_no_other(lang: str) -> None:
    tables = re.split(r"^`(\w+)` – ", part(lang, "columns"), flags=re.M)[1:]
    written = {
        name: re.findall(r"^\| (\*\*)?`(\w+)`", text, re.M)
        for name, text in zip(tables[::2], tables[1::2], strict=True)
    }
    assert written == {t: [("**" * c.required, c.name) for c in columns] for t, columns in TABLES.items()}, REWRITE
    for columns in TABLES.values():
        for column in columns:
            assert all(h in part(lang, "columns") for h in column.headers)


def test_every_column_is_used() -> None:
    """The READMEs say so; what is only carried along to the results counts as used."""
    reading = {"schema.py", "scf.py"}
    code = "".join(p.read_text("utf-8") for p in (ROOT / "allocator").rglob("*.py") if p.name not in reading)
    columns = {c.name for t, found in TABLES.items() for c in found if c.name not in KEYS[t]}
    assert not {c for c in columns if not re.search(rf"""["'.]{c}\b""", code)}


@pytest.mark.parametrize("lang", LANGS)
def test_the_table_of_defaults_mentions_each_band_with_its_numbers(lang: str) -> None:
    framework = load_framework()
    head, _, *rows = [line.strip("| ").split(" | ") for line in part(lang, "bands").splitlines()]
    assert [h.split("`")[1] for h in head] == list(framework.bands)
    said = words(lang)
    for column, band in enumerate(framework.bands.values(), start=1):
        cells = {row[0]: row[column] for row in rows}
        assert said.name(band) in head[column - 1]
        for code, span in band.buckets.items():
            shown = cells[said.name(framework.buckets[code])]
            assert shown.startswith(f"{span.target:.0%}")
            assert said.span(span.low or 0.0, 1.0 if span.high is None else span.high) in shown
        for name, bound in band.limits.items():
            label = said.get(f"limit.{name}", name)
            assert cells[f"{label[:1].upper()}{label[1:]} ≤"] == f"{bound:.0%}"


def test_every_rule_class_and_source_of_the_framework_is_in_the_tables() -> None:
    framework = load_framework()
    numbers, classes = part("en", "numbers"), part("en", "classes")
    for rule in framework.rules.values():
        assert f"| {rule.en} |" in numbers
        assert rule.source in numbers
    for band in framework.bands.values():
        assert band.source in numbers
    for code, c in framework.classes.items():
        assert classes.count(f"| `{code}` |") == 2
        assert c.source in classes


@pytest.mark.parametrize("lang", LANGS)
def test_every_status_and_exit_code_is_explained(lang: str) -> None:
    assert tuple(re.findall(r"^\| `(\w+)` \| .*\|$", TEXTS[lang], re.M)[4:12]) == STATUSES
    names = {"OK", "BUG", "USAGE", "EXCEEDED", "SET_ASIDE", "NOTHING", "INTERRUPTED"}
    codes = {k: v for module in (cli, command_tools) for k, v in vars(module).items() if k in names}
    assert codes.keys() == names
    assert re.findall(r"^\| (\d+) \| [^|]+ \|$", TEXTS[lang], re.M) == [str(c) for c in sorted(codes.values())]


@pytest.mark.parametrize("lang", LANGS)
def test_the_ten_lines_run(lang: str, tmp_path: Path) -> None:
    (code,) = blocks(lang, "python")
    assert len(code.splitlines()) == 10
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Plan for 24 clients" in done.stdout
    assert (tmp_path / "c002.png").read_bytes().startswith(b"\x89PNG")


def test_the_framework_of_ones_own_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("en", "toml")
    file = tmp_path / "ours.toml"
    file.write_text(text, "utf-8")
    framework = load_framework(file)
    changes = tomllib.loads(text)["bands"]["balanced"]
    assert framework.bands["balanced"].volatility == changes["volatility"]
    assert framework.bands["balanced"].limits["single_holding"] == changes["limits"]["single_holding"]
    assert framework.bands["balanced"].limits["issuer"] == load_framework().bands["balanced"].limits["issuer"]


def test_both_languages_say_the_same_commands() -> None:
    assert blocks("en", "sh")[:2] == blocks("zh", "sh")[:2]


def test_the_ci_runs_what_the_readme_says() -> None:
    if RUN is None:
        pytest.skip("no .ci beside the tests: not a checkout")
    text = RUN.read_text("utf-8")
    for line in blocks("en", "sh")[0].splitlines():
        assert line in text
    assert text.rstrip().endswith("\npytest"), "pytest's closing line is the last one"


@pytest.mark.parametrize("lang", LANGS)
def test_links_and_pictures_are_there(lang: str) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(#[^)]*)?\)", TEXTS[lang])
    local = [t for t, _ in targets if not t.startswith("http")]
    assert "reports/sample-client.png" in local or "reports/sample-client.zh.png" in local
    assert [t for t in local if not (ROOT / t).exists()] == []
    headings = {
        re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", TEXTS["en"], re.M)
    }
    assert {a.removeprefix("#") for _, a in targets if a} <= headings


@pytest.mark.parametrize("lang", LANGS)
def test_it_says_that_it_is_no_advice(lang: str) -> None:
    said = {"en": "not investment advice", "zh": "不构成投资建议"}[lang]
    assert TEXTS[lang].lower().count(said) >= 2


def test_the_changelog_names_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
