"""The JSON that others rely on: its shape, its numbers against the result's own tables, both languages, speed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ON, make_book

from allocator.analysis import Analysis
from allocator.book import Book, read_book
from allocator.errors import InputError
from allocator.i18n import words
from allocator.pipeline import analyze, rebalance
from allocator.plan import Plan
from allocator.reporting.jsonout import check_json, dumps, rebalance_json

CLIENT = {
    "client_id",
    "band",
    "currency",
    "total",
    "net_worth",
    "equity",
    "buckets",
    "concentration",
    "risk",
    "reserve",
    "limits",
    "holdings",
}
OBSTACLE = {"obstacle", "excess", "excess_amount", "distance", "volatility", "cost", "trades"}
PLAN = {
    "status",
    "objective",
    "gap",
    "gap_whole",
    "proof",
    "solver",
    "cost",
    "tax",
    "turnover",
    "trades",
    "after",
    "obstacles",
    "prices",
    "suitability",
    "conflicts",
    "certificate",
}
WORDS = ("message", "reason", "language", "note")
AFTER = {"buckets", "concentration", "risk", "reserve", "limits", "holdings"}


@pytest.fixture(scope="module")
def analysis(sample: Book) -> Analysis:
    return analyze(sample, on=ON)


@pytest.fixture(scope="module")
def plan(sample: Book) -> Plan:
    few = ["C001", "C003", "C005", "C008", "C012", "C014", "C016", "C018"]
    return rebalance(analyze(sample.select(few), on=ON))


def leaves(content: Any) -> Iterator[Any]:
    if isinstance(content, dict):
        for value in content.values():
            yield from leaves(value)
    elif isinstance(content, list):
        for value in content:
            yield from leaves(value)
    else:
        yield content


def assert_state(state: dict[str, Any]) -> None:
    """The part that a client and an ``after`` have in common."""
    assert list(state["buckets"]) == ["defensive", "growth", "offensive"]
    for bucket in state["buckets"].values():
        assert {"value", "share", "target", "low", "high"} <= set(bucket)
    assert {"score", "grade", "rules"} <= set(state["concentration"])
    for rule in state["concentration"]["rules"]:
        assert {"rule", "exposure", "lo", "hi", "severity", "weight"} == set(rule)
    assert {"volatility", "limit", "expected_return", "leverage"} == set(state["risk"])
    assert {"months", "needed"} == set(state["reserve"])
    for limit in state["limits"]:
        assert {"limit", "value", "bound", "sense", "excess"} <= set(limit)
        assert limit["sense"] in ("<=", ">=")
    for holding in state["holdings"]:
        assert {"asset_id", "name", "asset_class", "bucket", "value", "weight", "rule"} == set(holding)


def test_a_check_has_the_promised_shape(analysis: Analysis, sample: Book) -> None:
    out = json.loads(dumps(check_json(analysis, words("en"), counts=sample.counts)))
    assert out["schema"] == "allocator/1"
    assert len(out["clients"]) == len(analysis) == 24
    for client in out["clients"]:
        assert set(client) >= CLIENT
        assert_state(client)
    assert len(out["issues"]) == len(analysis.issues)
    assert set(out["issues"][0]) == {*analysis.issues.columns, "message"}
    assert (
        sum(r["read"] for r in out["rows"])
        == sum(r["used"] + r["set_aside"] + r["ignored"] for r in out["rows"])
        == int(sample.counts["read"].sum())
    )


def test_a_plan_has_the_promised_shape(plan: Plan) -> None:
    out = json.loads(dumps(rebalance_json(plan, words("en"))))
    seen = set()
    for client in out["clients"]:
        p = client["plan"]
        assert set(p) >= PLAN
        assert set(p["proof"]) == {"primal", "dual", "duality_gap"}
        assert set(p["after"]) >= AFTER
        assert_state(p["after"])
        for trade in p["trades"]:
            assert {"asset_id", "name", "side", "amount", "cost", "tax", "reason"} <= set(trade)
            assert trade["amount"] == round(trade["amount"], 2) > 0
        for obstacle in p["obstacles"]:
            assert set(obstacle) == OBSTACLE
        for check in p["certificate"]["checks"]:
            assert set(check) == {
                "check",
                "sense",
                "before",
                "bound",
                "after",
                "excess_before",
                "excess_after",
                "verdict",
            }
        seen.add(p["status"])
    assert {"improved", "in_band", "no_trade", "insolvent", "unfunded", "invalid"} <= seen


def test_money_in_equals_money_out_in_the_printed_numbers(plan: Plan) -> None:
    for client in rebalance_json(plan, words("en"))["clients"]:
        p = client["plan"]
        if not p["trades"]:
            continue
        side = {s: sum(t["amount"] for t in p["trades"] if t["side"] == s) for s in ("sell", "repay", "buy")}
        cash_flow = float(plan.before.positions.cash_flow[plan.before.index(client["client_id"])])
        assert side["sell"] + cash_flow == pytest.approx(side["buy"] + side["repay"] + p["cost"] + p["tax"], abs=0.006)
        spent = side["repay"] + p["cost"] + p["tax"]
        assert p["after"]["total"] == pytest.approx(client["total"] + cash_flow - spent, abs=0.02)
        for what in ("cost", "tax"):
            assert p[what] == pytest.approx(sum(t[what] for t in p["trades"]), abs=0.006)


def test_numbers_are_those_of_the_tables_client_by_client(analysis: Analysis) -> None:
    out = check_json(analysis, words("en"))
    for client in out["clients"]:
        t = analysis.select(client["client_id"])
        s = t["summary"].iloc[0]
        assert client["total"] == pytest.approx(s["total"], abs=0.005)
        for row in t["buckets"].to_dict("records"):
            bucket = client["buckets"][row["bucket"]]
            assert bucket["share"] == row["share"]
            assert (bucket["target"], bucket["low"], bucket["high"]) == (row["target"], row["low"], row["high"])
        for printed, row in zip(client["limits"], t["limits"].to_dict("records"), strict=True):
            assert (printed["limit"], printed["sense"]) == (row["limit"], row["sense"])
            for key in ("value", "bound", "excess"):
                same = printed[key] == row[key] if printed[key] is not None else math.isnan(row[key])
                assert same, (client["client_id"], row["limit"], key)
            assert printed["exceeded"] == row["exceeded"]
        for printed, row in zip(client["holdings"], t["holdings"].to_dict("records"), strict=True):
            assert (printed["asset_id"], printed["name"], printed["rule"] or "") == (
                row["asset_id"],
                row["name"],
                row["rule"],
            )
        for printed, row in zip(client["concentration"]["rules"], t["rules"].to_dict("records"), strict=True):
            assert (printed["rule"], printed["severity"], printed["weight"]) == (
                row["rule"],
                row["severity"],
                row["weight"],
            )
        inside = sum(h["value"] for h in client["holdings"] if h["bucket"] in client["buckets"])
        assert inside == pytest.approx(client["total"], abs=0.05)


def test_excess_in_money_is_the_fraction_of_the_total_before(plan: Plan) -> None:
    for client in rebalance_json(plan, words("en"))["clients"]:
        for state in (client, client["plan"]["after"]):
            for limit in state["limits"]:
                if limit["excess"] is not None:
                    assert limit["excess_amount"] == pytest.approx(limit["excess"] * client["total"], abs=0.02)


@pytest.mark.parametrize("kind", ["check", "rebalance"])
def test_both_languages_carry_equal_numbers(kind: str, analysis: Analysis, plan: Plan) -> None:
    def bare(content: Any) -> Any:
        if isinstance(content, dict):
            # the gap of suitability is a sentence, that of a plan a number
            return {
                k: bare(v) for k, v in content.items() if k not in WORDS and not (k == "gap" and isinstance(v, str))
            }
        return [bare(v) for v in content] if isinstance(content, list) else content

    made = [check_json(analysis, words(x)) if kind == "check" else rebalance_json(plan, words(x)) for x in ("en", "zh")]
    assert bare(made[0]) == bare(made[1])
    assert made[0] != made[1]


def test_what_is_no_number_is_null() -> None:
    book = make_book(
        [("A", "cash", "deposit", 100.0), ("B", "cash", "deposit", 100.0), ("C", "odd", "nonsense", 5.0)],
        [
            {"client_id": "A", "risk_band": "balanced", "monthly_spending": 0.0},
            {"client_id": "B", "risk_band": "no such", "monthly_spending": None},
            {"client_id": "C", "risk_band": "C3", "monthly_spending": 1.0},
        ],
    )
    a, b, c = check_json(analyze(book, on=ON), words("en"))["clients"]
    assert a["reserve"]["months"] is None  # nothing is needed: the months are infinite
    assert b["band"] is None
    assert b["limits"] == []
    assert b["risk"]["limit"] is None
    assert b["buckets"]["growth"] == {
        "value": 0.0,
        "share": 0.0,
        "target": None,
        "low": None,
        "high": None,
        "drift": None,
    }
    assert c["buckets"]["growth"]["share"] is None
    assert c["holdings"][0]["rule"] is None
    assert c["unclassified"] == 5.0
    assert all(not isinstance(x, float) or math.isfinite(x) for x in leaves([a, b, c]))


def test_one_client_is_one_client(analysis: Analysis) -> None:
    whole = check_json(analysis, words("zh"))
    one = check_json(analysis, words("zh"), client="C016")
    assert one["clients"] == [c for c in whole["clients"] if c["client_id"] == "C016"]
    assert {i["client_id"] for i in one["issues"]} == {"C016"}
    assert len(one["issues"]) == sum(i["client_id"] == "C016" for i in whole["issues"]) > 0
    with pytest.raises(InputError):
        check_json(analysis, words("zh"), client="nobody")


def test_an_invalid_client_says_why_in_words(plan: Plan) -> None:
    invalid = next(c for c in rebalance_json(plan, words("zh"))["clients"] if c["client_id"] == "C016")["plan"]
    assert invalid["status"] == "invalid"
    assert invalid["reason_code"] == "unknown_class"
    assert f"第 {invalid['reason_row']} 行" in invalid["reason"]
    assert invalid["trades"] == []


def test_text_survives_as_it_is() -> None:
    hostile = 'a"b\\c\n[red]\x1b[31m</script>‮𝔘'
    book = make_book([("A", hostile, "deposit", 1.0)], [{"client_id": "A", "risk_band": "C3"}])
    out = check_json(analyze(book, on=ON), words("en"))
    for ascii_only in (True, False):
        text = dumps(out, ascii_only=ascii_only)
        assert json.loads(text) == out
        assert "\x1b" not in text
    assert dumps(out, ascii_only=True).isascii()


def test_a_nan_that_slipped_in_is_a_bug() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        dumps({"x": math.nan})


def test_a_book_without_clients() -> None:
    book = make_book([("", "cash", "deposit", 1.0)])
    out = check_json(analyze(book, on=ON), words("en"), counts=book.counts)
    assert out["clients"] == []
    assert out["issues"][0]["code"] == "missing_value"
    assert out["rows"][0]["set_aside"] == 1


def test_four_hundred_families_are_quick(shared: Callable[[str], Path]) -> None:
    book = read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf")
    analysis = analyze(book, on=ON)
    start = time.process_time()
    text = dumps(check_json(analysis, words("zh"), counts=book.counts))
    assert time.process_time() - start < 2.0
    assert len(json.loads(text)["clients"]) == 467
