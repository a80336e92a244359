"""Which class a holding gets, from which source, and what is said when nothing matches."""

from __future__ import annotations

import dataclasses
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from hypothesis import given
from hypothesis import strategies as st

from allocator.analysis import Analysis
from allocator.book import Book
from allocator.classify import classify, match_cfi, match_words, mixes
from allocator.framework import Framework, load_framework
from allocator.pipeline import analyze

PRESETS = ("classic", "chhabra")


@pytest.fixture(params=PRESETS)
def framework(request: pytest.FixtureRequest) -> Framework:
    return load_framework(request.param)


def holding(**cells: Any) -> dict[str, Any]:
    """One holding with nothing that could classify it, unless given."""
    return {
        "client_id": "a",
        "asset_id": "x",
        "name": "x",
        "value": 100.0,
        "asset_class": "",
        "cfi": "",
        "product_id": "",
    } | cells


def book_of(*rows: dict[str, Any], **tables: Any) -> Book:
    return make_book(pd.DataFrame(list(rows)), **tables)


def found(book: Book, framework: Framework | str = "classic") -> list[tuple[str, str]]:
    """Class and source of each holding."""
    h = analyze(book, framework, on=ON).holdings
    return list(zip(h["asset_class"], h["rule"], strict=True))


def issue(analysis: Analysis, code: str) -> pd.Series:
    rows = analysis.issues[analysis.issues["code"] == code]
    assert len(rows) == 1, analysis.issues
    return rows.iloc[0]


# ---- words


def spellings(word: str) -> list[str]:
    """The ways in which people write a label: capitals, blanks at the ends, hyphens and underscores for blanks."""
    return [
        word,
        word.upper(),
        word.lower(),
        f"  {word} ",
        word.replace(" ", "_"),
        word.replace(" ", "-"),
        word.replace(" ", "  "),
    ]


def test_every_code_label_and_alias_names_its_own_class(framework: Framework) -> None:
    words = [
        (code, text)
        for code, c in framework.classes.items()
        for w in (code, c.en, c.zh, *c.aliases)
        for text in spellings(w)
    ]
    assert len(words) > 7 * 3 * len(framework.classes)
    ix = match_words(pd.Series([t for _, t in words], dtype="str"), framework)
    wrong = [(text, code) for (code, text), i in zip(words, ix, strict=True) if framework.class_codes[i] != code]
    assert not wrong


def test_every_word_is_found_through_the_whole_pipeline(framework: Framework) -> None:
    words = [(code, w) for code, c in framework.classes.items() for w in (code, c.en, c.zh, *c.aliases)]
    book = book_of(*(holding(asset_id=f"x{i}", name=f"x{i}", asset_class=w) for i, (_, w) in enumerate(words)))
    assert found(book, framework) == [(code, "asset_class") for code, _ in words]


def test_full_width_letters_are_letters() -> None:
    assert found(book_of(holding(asset_class="Ａ股"), holding(asset_id="y", name="y", asset_class="ＥＴＦ"))) == [
        ("listed_equity", "asset_class"),
        ("equity_fund", "asset_class"),
    ]


@given(st.text(max_size=20))
def test_nothing_else_is_taken_for_a_word(text: str) -> None:
    f = load_framework()
    known = {w for code, c in f.classes.items() for w in (code, c.en, c.zh, *c.aliases)}

    def letters(word: str) -> str:
        return " ".join(unicodedata.normalize("NFKC", word).replace("_", " ").replace("-", " ").split()).casefold()

    expected = letters(text) in {letters(w) for w in known}
    assert (match_words(pd.Series([text], dtype="str"), f)[0] >= 0) == expected


# ---- CFI codes


@pytest.mark.parametrize(
    ("cfi", "code"),
    [
        ("ESVUFR", "listed_equity"),
        ("EPNNFR", "listed_equity"),
        ("EDSNFR", "listed_equity"),
        ("esvufr", "listed_equity"),
        ("ELNUFR", "private_equity"),
        ("DBFUFB", "corporate_bond"),
        ("DCFUFR", "corporate_bond"),
        ("DNFTFB", "government_bond"),
        ("DYFUXB", "money_market"),
        ("DEXXXX", "structured_product"),
        ("CIOIES", "equity_fund"),
        ("CIOIBS", "bond_fund"),
        ("CIOILS", "mixed_fund"),
        ("CEOGBS", "bond_fund"),
        ("CEOGLS", "mixed_fund"),
        ("CEOGES", "equity_fund"),
        ("CBCIXS", "reit"),
        ("CHOXXX", "hedge_fund"),
        ("CPOXXX", "private_equity"),
        ("OCASPS", "derivative"),
        ("FFSCSX", "derivative"),
        ("RWSTCA", "derivative"),
        ("MMPXXX", "gold"),
        ("MMRXXX", "investment_property"),
        ("MMIXXX", "insurance_cash_value"),
        ("", ""),
        ("CIOIB", "equity_fund"),  # five letters: the pattern of bond funds wants six, the one of funds does not
        ("XXXXXX", ""),
        ("D", ""),
    ],
)
def test_cfi(cfi: str, code: str) -> None:
    f = load_framework()
    i = match_cfi(pd.Series([cfi], dtype="str"), f)[0]
    assert ("" if i < 0 else f.class_codes[i]) == code


@pytest.mark.parametrize(
    ("cfi", "code", "why"),
    [
        ("DBFTFB", "government_bond", "fourth letter T: guaranteed by a state; German federal bonds"),
        ("DBFTFR", "government_bond", "the same, registered; US treasury notes and bonds"),
        ("CSOGXB", "retirement_account", "ISO 10962:2015 and later: C-S is pension funds"),
    ],
)
def test_cfi_means_what_the_standard_says(cfi: str, code: str, why: str) -> None:
    """A government bond is no single name; taken for a company's, it counts in the limits and in the score."""
    f = load_framework()
    i = match_cfi(pd.Series([cfi], dtype="str"), f)[0]
    assert ("" if i < 0 else f.class_codes[i]) == code, why


def test_longest_cfi_pattern_wins_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    text = 'extends = "classic"\n'
    text += '[classes.crypto]\ncfi = ["E*", "ESVUFR"]\n[classes.collectible]\ncfi = ["ESV*", "DBF???"]\n'
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    f = load_framework(path)
    codes = ["ESVUFR", "ESVTFR", "ESNUFR", "EMXXXX", "DBFUFB", "DBVUFB"]
    expected = ["crypto", "collectible", "listed_equity", "crypto", "collectible", "corporate_bond"]
    assert [f.class_codes[i] for i in match_cfi(pd.Series(codes, dtype="str"), f)] == expected


def test_question_mark_is_one_letter_and_star_any_number() -> None:
    f = load_framework()
    for code, c in f.classes.items():
        for pattern in c.cfi:
            text = pattern.replace("?", "X").replace("*", "XXXX")[:6]
            i = match_cfi(pd.Series([text], dtype="str"), f)[0]
            assert f.class_codes[i] == code, pattern


# ---- the four sources, and their order


EVIDENCE = {
    "override": "gold",
    "asset_class": "deposit",
    "cfi": "listed_equity",
    "product": "reit",
}


@pytest.mark.parametrize("given_", [tuple(s for i, s in enumerate(EVIDENCE) if bits >> i & 1) for bits in range(16)])
def test_first_source_that_hits_wins_and_is_kept(given_: tuple[str, ...]) -> None:
    """All 16 combinations of the four sources, each of which says something else."""
    row = holding(
        asset_class="存款" if "asset_class" in given_ else "",
        cfi="ESVUFR" if "cfi" in given_ else "",
        product_id="P" if "product" in given_ else "",
    )
    tables: dict[str, Any] = {"products": [{"product_id": "P", "name": "P", "asset_class": "公募REITs"}]}
    if "override" in given_:
        tables["overrides"] = [{"client_id": "a", "asset_id": "x", "asset_class": "黄金"}]
    expected = (EVIDENCE[given_[0]], given_[0]) if given_ else ("unclassified", "")
    assert found(book_of(row, holding(asset_id="z", name="z", asset_class="gold"), **tables))[0] == expected


def test_a_source_that_says_nothing_known_is_passed_over_with_a_warning() -> None:
    book = book_of(holding(asset_class="mystery", cfi="ESVUFR"))
    a = analyze(book, on=ON)
    assert found(book) == [("listed_equity", "cfi")]
    told = issue(a, "class_from_elsewhere")
    assert (told["severity"], told["value"], told["row"], told["column"]) == ("warning", "mystery", 2, "asset_class")


def test_overrides_for_one_client_for_everyone_and_which_is_nearer() -> None:
    rows = [holding(client_id=c, asset_class="deposit") for c in ("a", "b", "c")]
    rows += [holding(client_id="a", asset_id="y", name="y", asset_class="deposit")]
    o = [
        {"client_id": "*", "asset_id": "x", "asset_class": "gold"},
        {"client_id": "b", "asset_id": "x", "asset_class": "reit"},
        {"client_id": "c", "asset_id": "y", "asset_class": "reit"},  # c has no y
    ]
    for turn in (o, o[::-1]):
        got = found(book_of(*rows, overrides=turn))
        assert got == [("gold", "override"), ("deposit", "asset_class"), ("reit", "override"), ("gold", "override")]


def test_an_override_of_another_client_never_leaks() -> None:
    rows = [
        holding(client_id="a", asset_id="bx", name="1", asset_class="deposit"),
        holding(client_id="ab", asset_id="x", name="2", asset_class="deposit"),
    ]
    got = found(book_of(*rows, overrides=[{"client_id": "ab", "asset_id": "x", "asset_class": "gold"}]))
    assert got == [("deposit", "asset_class"), ("gold", "override")]


def test_an_override_to_nothing_known_is_an_error_and_the_next_source_answers() -> None:
    book = book_of(
        holding(asset_class="deposit"), overrides=[{"client_id": "a", "asset_id": "x", "asset_class": "mystery"}]
    )
    a = analyze(book, on=ON)
    assert found(book) == [("deposit", "asset_class")]
    told = issue(a, "unknown_class")
    assert (told["table"], told["row"], told["value"], told["severity"]) == ("overrides", 2, "mystery", "error")


def test_products_of_the_default_shelf_classify_as_well(framework: Framework) -> None:
    rows = [holding(asset_id=p, name=p, product_id=p) for p in framework.products]
    expected = [(p.asset_class, "product") for p in framework.products.values()]
    assert found(book_of(*rows), framework) == expected


# ---- what nothing matches


def test_unknown_class_is_counted_listed_and_said_with_the_nearest_class() -> None:
    rows = [
        holding(asset_class="depositt", value=30.0),
        holding(asset_id="y", name="y", asset_class="gold", value=70.0),
    ]
    a = analyze(book_of(*rows), on=ON)
    assert a.holdings.loc[0, ["asset_class", "bucket", "rule", "value", "weight"]].tolist() == [
        "unclassified",
        "unclassified",
        "",
        30.0,
        0.0,
    ]
    assert a.exposures.unclassified.tolist() == [30.0]
    assert a.summary["total"][0] == 70.0
    assert a.summary["net_worth"][0] == 100.0
    assert "unclassified holdings 1" in repr(a)
    told = issue(a, "unknown_class")
    assert (told["severity"], told["mend"], told["value"], told["row"]) == ("error", "deposit", "depositt", 2)
    assert (told["client_id"], told["table"], told["column"]) == ("a", "holdings", "asset_class")


@pytest.mark.parametrize(
    ("typo", "nearest"),
    [
        ("listed equty", "listed_equity"),
        ("Private_busines", "private_business"),
        ("上市股", "listed_equity"),
        ("货币市场基", "money_market"),
        ("qqqqqq", ""),
        ("", ""),
    ],
)
def test_nearest_class(typo: str, nearest: str) -> None:
    a = analyze(book_of(holding(asset_class=typo, cfi="QQQQQQ")), on=ON)
    assert issue(a, "unknown_class")["mend"] == nearest


def test_unknown_class_of_a_product_or_a_fund_names_its_row() -> None:
    a = analyze(
        book_of(
            holding(asset_class="deposit"),
            products=[
                {"product_id": "P", "name": "P", "asset_class": "gold"},
                {"product_id": "Q", "name": "Q", "asset_class": "??"},
            ],
            lookthrough=[{"fund_id": "F", "asset_class": "nothing", "weight": 1.0}],
        ),
        on=ON,
    )
    rows = a.issues[a.issues["code"] == "unknown_class"]
    assert list(zip(rows["table"], rows["row"], rows["value"], strict=True)) == [
        ("products", 3, "??"),
        ("lookthrough", 2, "nothing"),
    ]
    assert a.positions.shelf["product_id"].tolist() == ["P"]


# ---- the own company


def test_own_listed_company_moves_only_where_the_framework_says_so() -> None:
    row, other = (
        holding(asset_class="listed_equity", own_company=True),
        holding(asset_id="y", name="y", asset_class="listed_equity"),
    )
    assert [c for c, _ in found(book_of(row, other))] == ["listed_equity", "listed_equity"]
    assert [c for c, _ in found(book_of(row, other), "chhabra")] == ["concentrated_stock", "listed_equity"]
    assert [s for _, s in found(book_of(row, other), "chhabra")] == ["asset_class", "asset_class"]


# ---- funds that are looked through


FUND = [
    {"fund_id": "F", "asset_class": "股票", "weight": 0.6},
    {"fund_id": "F", "asset_class": "gold", "weight": 0.3},
    {"fund_id": "F", "asset_class": "private equity", "weight": 0.1},
]


@pytest.mark.parametrize("column", ["isin", "product_id", "asset_id"])
def test_a_fund_is_found_by_each_of_its_names(column: str) -> None:
    f = load_framework()
    b = book_of(holding(asset_class="mixed_fund", **{column: "F"}), lookthrough=FUND)
    ix, _, _ = classify(b, f)
    table, mix = mixes(b, f, ix)
    weights = dict(zip(f.class_codes, table[mix[0]], strict=True))
    assert {c: w for c, w in weights.items() if w} == pytest.approx(
        {"listed_equity": 0.6, "gold": 0.3, "private_equity": 0.1}
    )
    assert f.class_codes[ix[0]] == "mixed_fund"


def test_own_asset_id_wins_over_product_and_product_over_isin() -> None:
    f = load_framework()
    funds = [
        {"fund_id": n, "asset_class": c, "weight": 1.0} for n, c in (("I", "gold"), ("P", "reit"), ("A", "crypto"))
    ]
    rows = [
        holding(asset_id="A", name="1", asset_class="mixed_fund", isin="I", product_id="P"),
        holding(asset_id="B", name="2", asset_class="mixed_fund", isin="I", product_id="P"),
        holding(asset_id="C", name="3", asset_class="mixed_fund", isin="I"),
        holding(asset_id="D", name="4", asset_class="mixed_fund"),
    ]
    b = book_of(*rows, lookthrough=funds)
    table, mix = mixes(b, f, classify(b, f)[0])
    assert [f.class_codes[int(table[m].argmax())] for m in mix] == ["crypto", "reit", "gold", "mixed_fund"]


def test_mix_table_is_the_classes_then_nothing_then_funds() -> None:
    f = load_framework()
    b = book_of(holding(asset_class="mystery", asset_id="F"), lookthrough=FUND)
    table, mix = mixes(b, f, classify(b, f)[0])
    k = len(f.classes)
    assert np.array_equal(table[:k], np.eye(k))
    assert not table[k].any()
    assert table[k + 1].sum() == pytest.approx(1)
    assert mix.tolist() == [k]  # what is unclassified stays so, fund or not


def test_a_fund_with_an_unknown_part_is_not_looked_through_at_all() -> None:
    f = load_framework()
    funds = [
        {"fund_id": "F", "asset_class": "gold", "weight": 0.5},
        {"fund_id": "F", "asset_class": "???", "weight": 0.5},
    ]
    b = book_of(holding(asset_id="F", name="F", asset_class="mixed_fund"), lookthrough=funds)
    table, mix = mixes(b, f, classify(b, f)[0])
    assert f.class_codes[int(table[mix[0]].argmax())] == "mixed_fund"
    assert table[mix[0]].sum() == 1


def test_two_words_for_one_class_add_up() -> None:
    f = load_framework()
    funds = [{"fund_id": "F", "asset_class": w, "weight": 0.5} for w in ("股票", "listed_equity")]
    b = book_of(holding(asset_id="F", name="F", asset_class="mixed_fund"), lookthrough=funds)
    table, mix = mixes(b, f, classify(b, f)[0])
    assert table[mix[0], f.class_codes.index("listed_equity")] == 1


def test_an_empty_book_classifies_to_nothing() -> None:
    f, b = load_framework(), book_of(holding(asset_class="deposit"))
    empty = dataclasses.replace(b, holdings=b.holdings.iloc[:0])
    ix, source, issues = classify(empty, f)
    table, mix = mixes(empty, f, ix)
    assert (len(ix), len(source), len(issues), len(mix)) == (0, 0, 0, 0)
    assert table.shape == (len(f.classes) + 1, len(f.classes))
