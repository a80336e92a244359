"""Both catalogues say the same things, everything the package can say has words, and numbers read well."""

from __future__ import annotations

import ast
import math
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator import classify, framework, issues, plan, schema, verify, verify_sheet
from allocator.errors import ConfigError
from allocator.framework import load_framework
from allocator.i18n import DASH, LANGUAGES, environment_language, words
from allocator.rebalance import obstacles, reasons
from allocator.reporting.issue_words import issue_message
from allocator.reporting.sentences import PLAIN_REASONS
from allocator.reporting.sheet import CHECK_TONES, PLAN_TONES

PACKAGE = Path(framework.__file__).parent
VERDICTS = ("holds", "no_worse", "untouched", "worse", "broken")
CHECKS = ("money", "costs", "tax", "amounts", "lots", "suitability", "satellite")
"""Checks of a certificate that are neither a limit nor a budget."""


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def code_literals() -> set[str]:
    """Issue codes as they stand in the source: ``"code": ...``, ``code=...``, findings, notes, faults and refusals."""
    found: set[str] = set()
    place = {"Finding": 1, "Note": 2, "_note": 2, "ClientPlan": 1, "Fault": 2}

    def constants(node: ast.AST) -> set[str]:
        if isinstance(node, ast.IfExp):
            return constants(node.body) | constants(node.orelse)
        return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()

    for file in PACKAGE.rglob("*.py"):
        if "reporting" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "code":
                        found |= constants(value)
            elif isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in place and len(node.args) > place[name]:
                    found |= constants(node.args[place[name]])
                found |= {c for k in node.keywords if k.arg in ("code", "reason") for c in constants(k.value)}
            elif isinstance(node, ast.For | ast.comprehension):
                found |= looped(node)
    return found - {""}


def looped(node: ast.For | ast.comprehension) -> set[str]:
    """Codes in ``for code in (...)`` and ``for x, code, y in ((...), ...)``."""
    if isinstance(node.target, ast.Name) and node.target.id == "code" and isinstance(node.iter, ast.Tuple):
        return {e.value for e in node.iter.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)}
    if isinstance(node.target, ast.Tuple) and isinstance(node.iter, ast.Tuple):
        at = [i for i, t in enumerate(node.target.elts) if isinstance(t, ast.Name) and t.id == "code"]
        rows = [e for e in node.iter.elts if isinstance(e, ast.Tuple)]
        cells = [row.elts[i] for row in rows for i in at if i < len(row.elts)]
        return {c.value for c in cells if isinstance(c, ast.Constant) and isinstance(c.value, str)}
    return set()


def test_both_catalogues_have_the_same_keys_and_placeholders() -> None:
    en, zh = (words(lang).table for lang in LANGUAGES)
    assert set(en) == set(zh)
    assert {k: placeholders(v) for k, v in en.items()} == {k: placeholders(v) for k, v in zh.items()}
    assert all(v.strip() for table in (en, zh) for v in table.values())


def test_chinese_sentences_are_chinese() -> None:
    en, zh = (words(lang).table for lang in LANGUAGES)
    same = {k for k in en if en[k] == zh[k]}
    assert all(not re.search(r"[A-Za-z]{4,} [a-z]{2,}", zh[k]) for k in same), same


def test_a_missing_key_or_placeholder_raises() -> None:
    with pytest.raises(KeyError):
        words("en").text("no.such.key")
    with pytest.raises(KeyError):
        words("zh").text("title.client")
    with pytest.raises(ConfigError, match="allowed: en, zh"):
        words("fr")


def test_every_code_of_the_package_has_words() -> None:
    presets = [load_framework(p) for p in ("classic", "chhabra")]
    limits = {*framework.LIMITS, *framework.RULES, "reserve_months", "volatility"} - {"own_company"}
    needed = {
        *(f"status.{s}" for s in (*plan.STATUSES, *CHECK_TONES)),
        *(f"verdict.{v}" for v in (*VERDICTS, *verify.BAD)),
        *(f"check.{c}" for c in CHECKS),
        *(f"limit.{name}" for name in limits),
        *(f"{part}.{name}" for name in framework.LABELS for part in ("inline", "label")),
        *(f"say.price_{kind}" for kind in ("cap", "floor", "bare", "holding", "product", "grade", "closed")),
        *(f"obstacle.{name}" for name in obstacles.OBSTACLES),
        *(f"side.{side}" for side in verify_sheet.SIDES),
        *(f"source.{source or 'none'}" for source in classify.SOURCES),
        *(f"severity.{s}" for s in issues.SEVERITIES),
        *(f"table.{t}" for t in schema.TABLES),
        *(f"outside.{b}" for b in framework.OUTSIDE),
        *(f"grade.{g}" for f in presets for g in f.grades),
        *(f"liquidity.{c.liquidity}" for f in presets for c in f.classes.values()),
        *(f"reason.{r}" for r in (reasons.CASH, reasons.CASH_FLOW, reasons.SECURED, reasons.REPAY)),
        *PLAIN_REASONS,
    }
    assert not needed - set(words("en").table)
    assert set(PLAN_TONES) == set(plan.STATUSES)


def test_the_verdicts_are_those_of_the_verifier() -> None:
    source = "".join(f.read_text("utf-8") for f in PACKAGE.glob("verify*.py"))
    returned = set(re.findall(r'return "([a-z_]+)"', source)) | set(re.findall(r'"(broken|holds)"', source))
    assert returned == set(VERDICTS)


def test_every_issue_code_in_the_source_has_a_sentence() -> None:
    codes = code_literals()
    assert {
        "unknown_class",
        "not_a_number",
        "ragged_row",
        "formula_error",
        "duplicate",
        "no_verified_plan",
        "not_whole",
        "unit_converted",
        "band_missing",
        "scf_business_net",
        "nothing_in_buckets",
    } <= codes
    known = {k.removeprefix("issue.") for k in words("en").table if k.startswith("issue.")}
    assert not codes - known
    variants = {k for k in known if k.endswith(("_bare", "_fraction"))} | {"other"}
    assert not known - variants - codes, "words for issues that nothing raises"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_issue_sentence_can_be_said(lang: str) -> None:
    said, classic = words(lang), load_framework()
    for code in sorted(code_literals()):
        for mend in ("", "5/4", "0..1", "balanced, savings_bond", "client_id"):
            row = {
                "client_id": "A",
                "file": "h.csv",
                "table": "holdings",
                "row": 7,
                "column": "value",
                "code": code,
                "value": "{value} 12",
                "severity": "error",
                "mend": mend,
            }
            text = issue_message(row, classic, said)
            assert text.startswith("h.csv")
            assert "7" in text
            assert not placeholders(text.replace("{value}", "")), text
            assert code not in text
            assert text.endswith("。" if lang == "zh" else ".")


@pytest.mark.parametrize(
    ("amount", "en", "zh"),
    [
        (12_345_678.0, "CNY 12,345,678", "1,234.57万元"),
        (8_500.4, "CNY 8,500", "8,500元"),
        (123_456_789.0, "CNY 123,456,789", "1.23亿元"),
        (-1_922_560.0, "CNY -1,922,560", "-192.26万元"),
        (99_999_999.0, "CNY 99,999,999", "1.00亿元"),
        (9_999.6, "CNY 10,000", "1.00万元"),
        (-0.2, "CNY 0", "0元"),
        (math.nan, DASH, DASH),
        (math.inf, DASH, DASH),
    ],
)
def test_money(amount: float, en: str, zh: str) -> None:
    assert words("en").money(amount, "CNY") == en
    assert words("zh").money(amount, "CNY") == zh


def test_money_without_and_with_other_currencies() -> None:
    assert words("en").money(12_345_678.0) == "12,345,678"
    assert words("en").money(12_345_678.0, "USD", short=True) == "USD 12.3m"
    assert words("zh").money(12_345_678.0, "USD") == "1,234.57万美元"
    assert words("zh").money(50_000.0, "SGD") == "5.00万SGD"
    assert words("en").exact(1234567.895) == "1,234,567.90"


def test_shares_and_months() -> None:
    en = words("en")
    assert en.percent(0.12345) == "12.3%"
    assert en.percent(-0.0001) == "0.0%"
    assert en.percent(math.nan) == DASH
    assert en.number(math.inf) == "∞"
    assert en.span(0.2, 0.5) == "20–50%"
    assert en.span(math.nan, 0.5) == DASH


@given(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(LANGUAGES), st.booleans())
def test_no_figure_is_ever_nan_or_minus_zero(value: float, lang: str, short: bool) -> None:
    said = words(lang)
    for text in (said.money(value, short=short), said.percent(value), said.number(value), said.exact(value)):
        assert "nan" not in text.lower()
        assert "inf" not in text.lower()
        assert not re.fullmatch(r"-[0.,]+[%万亿kmbn]*", text)


@pytest.mark.parametrize(
    ("environ", "lang"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_TW.UTF-8"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh"}, "zh"),
        ({"LANG": "de_CH.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_CN", "LANG": "en_US"}, "zh"),
    ],
)
def test_the_locale_decides_the_language(environ: dict[str, str], lang: str) -> None:
    assert environment_language(environ) == lang
