"""What-if: plain functions that change one thing of one client, and the panel that calls them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ON, make_book
from hypothesis import given, settings
from hypothesis import strategies as st

import allocator as al
from allocator import whatif
from allocator.book import Book
from allocator.errors import ConfigError, InputError
from allocator.schema import TABLES
from allocator.whatif_panel import Choice, changed, page, planned, what_if_panel

ROWS = [("a", "Cash", "deposit", 100.0), ("a", "Fund", "equity_fund", 50.0), ("b", "Cash", "deposit", 70.0)]
CLIENTS = [
    {"client_id": "a", "risk_band": "balanced", "monthly_spending": 1.0},
    {"client_id": "b", "risk_band": "aggressive", "monthly_spending": 2.0},
]
PRODUCTS = [{"product_id": "P1", "name": "Gold", "asset_class": "gold", "currency": "CNY"}]
CHANGES: dict[str, Any] = {
    "with_band": lambda b: al.with_band(b, "a", "conservative"),
    "with_spending": lambda b: al.with_spending(b, "a", 5.0),
    "with_cash_flow": lambda b: al.with_cash_flow(b, "a", -20.0),
    "with_restriction": lambda b: al.with_restriction(b, "a", asset(b, "Fund"), "never_sell"),
    "with_purchase": lambda b: al.with_purchase(b, "a", "P1", 30.0, paid_from=asset(b, "Cash")),
}


def asset(book: Book, name: str, client: str = "a") -> str:
    h = book.holdings
    return str(h.loc[(h["client_id"] == client) & (h["name"] == name), "asset_id"].iloc[0])


@pytest.fixture
def book() -> Book:
    return make_book(ROWS, CLIENTS, products=PRODUCTS)


def tables(book: Book) -> dict[str, pd.DataFrame]:
    return {name: getattr(book, name).copy() for name in TABLES}


def test_every_function_is_listed_here() -> None:
    named = {n for n in vars(whatif) if n.startswith("with_")}
    assert named == {*CHANGES, "with_view"}
    assert named <= set(al.__all__)


@pytest.mark.parametrize("name", CHANGES)
def test_the_book_itself_and_everybody_else_stay_as_they_were(name: str, book: Book) -> None:
    before = tables(book)
    after = CHANGES[name](book)
    for table, frame in tables(book).items():
        pd.testing.assert_frame_equal(frame, before[table])
        assert getattr(after, table).dtypes.equals(frame.dtypes)
        if "client_id" in frame:
            mine = getattr(after, table)
            rest = mine[mine["client_id"] == "b"].reset_index(drop=True)
            pd.testing.assert_frame_equal(rest, frame[frame["client_id"] == "b"].reset_index(drop=True))
    assert after.client("a") is not None
    assert al.analyze(after, on=ON).summary["client_id"].tolist() == ["a", "b"]


def test_each_does_what_it_says(book: Book) -> None:
    def summary(b: Book) -> Any:
        return al.analyze(b, on=ON).summary.set_index("client_id").loc["a"]

    was = summary(book)
    assert summary(CHANGES["with_band"](book))["band"] == "conservative"
    assert summary(CHANGES["with_spending"](book))["reserve_months"] == pytest.approx(was["reserve_months"] / 5)
    bought = al.analyze(CHANGES["with_purchase"](book), on=ON)
    assert bought.select("a")["holdings"].set_index("asset_class")["value"].to_dict() == {
        "deposit": 70.0, "equity_fund": 50.0, "gold": 30.0
    }  # fmt: skip
    assert bought.summary["total"].iloc[0] == was["total"]
    kept = al.rebalance(al.analyze(CHANGES["with_restriction"](book), on=ON, band="conservative"), explain=False)
    assert not ((kept.trades["name"] == "Fund") & (kept.trades["side"] == "sell")).any()
    paid = al.rebalance(al.analyze(CHANGES["with_cash_flow"](book), on=ON), explain=False)
    assert paid.after.summary["total"].iloc[0] <= was["total"] - 20.0 + 1e-6


def test_more_of_what_is_held_and_something_new(book: Book) -> None:
    fund = asset(book, "Fund")
    more = al.with_purchase(book, "a", fund, 10.0)
    assert more.holdings.query("name == 'Fund'")["value"].tolist() == [60.0]
    new = al.with_purchase(book, "a", "A second flat", 80.0, asset_class="investment_property")
    row = new.holdings.iloc[-1]
    assert (row["name"], row["value"], row["row"], row["file"]) == ("A second flat", 80.0, 0, "what-if")
    assert al.analyze(new, on=ON).holdings["bucket"].iloc[-1] in ("offensive", "defensive")


@given(st.floats(0, 100), st.floats(0, 50))
@settings(max_examples=25, deadline=None)
def test_a_purchase_moves_money_and_makes_none(one: float, two: float) -> None:
    book = make_book(ROWS, CLIENTS, products=PRODUCTS)
    cash, fund = asset(book, "Cash"), asset(book, "Fund")
    after = al.with_purchase(al.with_purchase(book, "a", "P1", one, paid_from=cash), "a", "P1", two, paid_from=fund)
    assert after.holdings["value"].sum() == pytest.approx(book.holdings["value"].sum())
    assert after.holdings["value"].min() >= 0
    assert after.holdings.query("product_id == 'P1'")["value"].tolist() == pytest.approx([one + two])


def test_what_cannot_be_says_how_to_mend_it(book: Book) -> None:
    cash = asset(book, "Cash")
    wrong: list[tuple[Any, str]] = [
        (lambda: al.with_band(book, "nobody", "balanced"), "no such client"),
        (lambda: al.with_spending(book, "a", -1.0), "zero or more"),
        (lambda: al.with_spending(book, "a", float("nan")), "zero or more"),
        (lambda: al.with_cash_flow(book, "a", float("inf")), "finite"),
        (lambda: al.with_restriction(book, "a", "nothing", "never_sell"), "no such holding"),
        (lambda: al.with_purchase(book, "a", "P1", 1e9, paid_from=cash), "worth less"),
        (lambda: al.with_purchase(book, "a", "P9", 1.0), "asset_class"),
        (lambda: al.with_purchase(book, "nobody", "P1", 1.0), "no such client"),
        (lambda: al.with_band(make_book(ROWS), "a", "balanced"), "risk_band"),
    ]
    for call, message in wrong:
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "nobody" not in str(caught.value)
        assert "nothing" not in str(caught.value)
    with pytest.raises(ConfigError, match="never_sell, never_buy, sell_first"):
        al.with_restriction(book, "a", cash, "hold")
    assert al.with_band(make_book(ROWS[:2]), "a", "balanced").clients["risk_band"].tolist() == ["balanced"]


def test_two_currencies_are_not_mixed() -> None:
    frame = pd.DataFrame(
        {
            "client_id": ["a", "a"], "name": ["Cash", "Fund"], "asset_class": ["deposit", "equity_fund"],
            "value": [10.0, 5.0], "currency": ["CNY", "USD"],
        }
    )  # fmt: skip
    book = make_book(frame, fx=[{"currency": "USD", "rate": 7.0}])
    with pytest.raises(InputError, match="different currencies"):
        al.with_purchase(book, "a", asset(book, "Fund"), 1.0, paid_from=asset(book, "Cash"))


def test_a_view_moves_the_expected_return_and_nothing_else(book: Book) -> None:
    base = al.load_assumptions("long_run")
    mine = al.with_view(base, "equity", 0.10)
    assert mine.factors["equity"].mean == 0.10
    assert base.factors["equity"].mean != 0.10
    was, now = (al.analyze(book, assumptions=a, on=ON).summary.iloc[0] for a in (base, mine))
    assert now["volatility"] == was["volatility"]
    assert now["expected_return"] > was["expected_return"]
    with pytest.raises(ConfigError, match="allowed: cash, bond"):
        al.with_view(base, "shares", 0.1)
    with pytest.raises(ConfigError, match="fraction"):
        al.with_view(base, "equity", -2.0)


# ---- the panel


def test_no_choice_changes_nothing(sample: Book) -> None:
    plan = planned(sample, "C003", Choice(), ON)
    plain = al.rebalance(al.analyze(sample.client("C003"), on=ON), explain=False)
    assert plan.compare(plain).empty


def test_every_field_of_a_choice_is_used(sample: Book) -> None:
    one = sample.client("C003")
    holding = str(one.holdings["asset_id"].iloc[2])
    cash = one.holdings.loc[one.holdings["asset_class"] == "deposit", "asset_id"].iloc[0]
    choices: dict[str, Any] = {
        "band": {"band": "conservative"},
        "cash_flow": {"cash_flow": 2e6},
        "spending": {"spending": 1e6},
        "asset_id": {"asset_id": holding, "restriction": "never_sell"},
        "restriction": {"asset_id": holding, "restriction": "never_sell"},
        "product_id": {"product_id": "P04", "amount": 3e6},
        "amount": {"product_id": "P04", "amount": 3e6},
        "paid_from": {"product_id": "P04", "amount": 1e6, "paid_from": cash},
        "framework": {"framework": "chhabra"},
        "assumptions": {"assumptions": "us"},
        "view": {"view": 0.10},
        "goal": {"goal": "return"},
    }
    assert {f.name for f in fields(Choice)} == set(choices)
    base = planned(sample, "C003", Choice(), ON)
    for name, fields_ in choices.items():
        assert not planned(sample, "C003", Choice(**fields_), ON).compare(base).empty, name
    assert len(changed(sample, "C003", Choice()).clients) == 1
    with pytest.raises(ConfigError, match="target, return"):
        planned(sample, "C003", Choice(goal="moon"), ON)


def test_the_page_has_both_plans_and_hostile_names_as_text() -> None:
    rows = [("a", "<script>x</script>", "investment_property", 9e6), ("a", "Cash", "deposit", 1e5)]
    book = make_book(rows, [{"client_id": "a", "risk_band": "balanced"}])
    one, two = (planned(book, "a", Choice(band=b), ON) for b in ("balanced", "conservative"))
    for lang in ("en", "zh"):
        html = page(one, two, "a", al_words(lang))
        assert "<script" not in html
        assert "&lt;script&gt;" in html
    assert "Balanced" in page(one, two, "a", al_words("en"))
    assert "保守型" in page(one, two, "a", al_words("zh"))


def al_words(lang: str) -> Any:
    from allocator.i18n import words

    return words(lang)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_control_does_what_its_function_does(sample: Book, lang: str) -> None:
    pytest.importorskip("ipywidgets")
    panel = what_if_panel(sample, "C003", on=ON, lang=lang)
    left, right = panel.children[0].children
    *controls, button = left.children
    names = [f.name for f in fields(Choice)]
    shown, picture = right.children
    assert len(controls) == len(names)
    first = shown.value
    assert bytes(picture.value).startswith(b"\x89PNG")
    said, base = al_words(lang), planned(sample, "C003", Choice(), ON)
    controls[0].value = "conservative"
    assert shown.value == page(base, planned(sample, "C003", Choice(band="conservative"), ON), "C003", said)
    button.click()
    assert shown.value == first
    by_label = {c.description: c for c in controls}
    flow = by_label[said.text("whatif.cash_flow")]
    flow.value = -1e9
    assert shown.value != first
    button.click()
    spending = by_label[said.text("whatif.spending")]
    spending.value = -5.0
    assert "zero or more" in shown.value
    assert bytes(picture.value) == b""
    button.click()
    assert shown.value == first


def test_a_holding_begins_with_the_instruction_that_it_has(sample: Book) -> None:
    pytest.importorskip("ipywidgets")
    asset_id = str(sample.client("C003").holdings["asset_id"].iloc[2])
    book = al.with_restriction(sample, "C003", asset_id, "never_sell|never_buy")
    panel = what_if_panel(book, "C003", on=ON, lang="en")
    *controls, _ = panel.children[0].children[0].children
    by_label = {c.description: c for c in controls}
    first = panel.children[0].children[1].children[0].value
    by_label["Holding"].value = asset_id
    assert by_label["Instruction"].value == "never_sell|never_buy"
    assert panel.children[0].children[1].children[0].value == first, "choosing a holding changes nothing yet"


def test_without_ipywidgets_the_panel_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "import allocator as al\n"
        "try:\n    al.what_if_panel(al.read_book(al.sample_path()), 'C003')\n"
        "except al.ConfigError as e:\n    assert 'allocator[notebook]' in str(e)\nelse:\n    raise SystemExit(1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
