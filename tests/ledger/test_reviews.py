"""Which reviews are due: tiers, intervals, plans and noted reviews, days that do not exist."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from histories import DAYS, analysed, analyses
from hypothesis import given
from hypothesis import strategies as st

import allocator as al
from allocator.errors import ConfigError, InputError
from allocator.ledger.policy import load_policy
from allocator.ledger.reviews import STATES, _later, _months_on

MARCH, JUNE, SEPTEMBER = DAYS[1:]


def people(**tiers: tuple[float, str]) -> al.Analysis:
    """Clients by id with a deposit and a tier each."""
    rows = [(c, "cash", "deposit", v) for c, (v, _) in tiers.items()]
    frame = pd.DataFrame(rows, columns=["client_id", "name", "asset_class", "value"])
    clients = pd.DataFrame([{"client_id": c, "tier": t, "risk_band": "balanced"} for c, (_, t) in tiers.items()])
    return analysed(frame, clients)


FOUR = people(big=(2e6, ""), gold=(10.0, "黄金客户"), small=(10.0, ""), odd=(6e5, "unheard of"))


@pytest.fixture
def ledger(tmp_path: Path) -> al.Ledger:
    found = al.Ledger(tmp_path / "ledger")
    found.add(al.rebalance(FOUR, explain=False), on=MARCH)
    return found


def rows(ledger: al.Ledger, on: dt.date) -> dict[str, dict[str, object]]:
    return {r["client_id"]: r for r in ledger.due(on).table.to_dict("records")}


def test_tiers_are_as_stated_or_by_assets(ledger: al.Ledger) -> None:
    found = rows(ledger, MARCH)
    assert {c: (r["tier"], r["tier_source"], r["months"]) for c, r in found.items()} == {
        "big": ("platinum", "assets", 3),
        "gold": ("gold", "stated", 6),
        "odd": ("gold", "assets", 6),
        "small": ("", "assets", 12),
    }


def test_the_last_plan_is_the_last_review(ledger: al.Ledger) -> None:
    ledger.add(FOUR, on=JUNE)  # without plans: no review
    found = rows(ledger, dt.date(2026, 6, 30))
    assert {r["source"] for r in found.values()} == {"plan"}
    assert found["big"]["due"] == pd.Timestamp("2026-06-30"), "three months on there is no 31st"
    assert (found["big"]["state"], found["big"]["days"]) == ("due", 0)
    assert (found["gold"]["due"], found["gold"]["days"]) == (pd.Timestamp("2026-09-30"), -92)
    late = ledger.due(dt.date(2026, 10, 1))
    assert late.due["client_id"].tolist() == ["big", "odd", "gold"], "the longest overdue first, then the larger"
    assert late.snapshot == JUNE
    assert "1 later" in repr(late)


def test_a_noted_review_counts_until_its_day_only(ledger: al.Ledger) -> None:
    ledger.review("big", dt.date(2026, 5, 15))
    ledger.review("big", dt.date(2026, 1, 15))
    assert rows(ledger, dt.date(2026, 5, 14))["big"]["source"] == "plan"
    found = rows(ledger, dt.date(2026, 8, 16))["big"]
    assert (found["source"], found["due"], found["state"], found["days"]) == (
        "review", pd.Timestamp("2026-08-15"), "overdue", 1,
    )  # fmt: skip


def test_who_was_never_reviewed_is_due_at_once(tmp_path: Path) -> None:
    ledger = al.Ledger(tmp_path / "ledger")
    ledger.add(FOUR, on=MARCH)
    found = ledger.due(JUNE)
    assert set(found.table["state"]) == {"never"}
    assert found.table["last_review"].isna().all()
    assert (found.table["due"] == pd.Timestamp(JUNE)).all()
    assert len(found.due) == 4


def test_a_day_before_the_first_snapshot_has_no_clients(ledger: al.Ledger) -> None:
    with pytest.raises(InputError, match="no snapshot up to 2026-03-30"):
        ledger.due(dt.date(2026, 3, 30))


def test_assets_in_another_currency_count_at_the_rate(tmp_path: Path) -> None:
    frame = pd.DataFrame([("a", "cash", "deposit", 2e5)], columns=["client_id", "name", "asset_class", "value"])
    a = analysed(frame, pd.DataFrame([{"client_id": "a", "currency": "USD"}]))
    ledger = al.Ledger(tmp_path / "ledger")
    ledger.add(a, on=MARCH)
    assert rows(ledger, MARCH)["a"]["tier"] == "platinum", "1.4m yuan"


def test_a_book_of_one_currency_needs_no_rate_and_one_of_two_does(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [(c, "cash", "deposit", 2e6) for c in "ab"], columns=["client_id", "name", "asset_class", "value"]
    )
    found = []
    for k, other in enumerate(("USD", "CNY")):
        people = pd.DataFrame([{"client_id": "a", "currency": "USD"}, {"client_id": "b", "currency": other}])
        ledger = al.Ledger(tmp_path / str(k))
        ledger.add(al.analyze(al.read_book(frame, clients=people), on=MARCH))
        found.append({c: (r["tier"], r["tier_source"]) for c, r in rows(ledger, MARCH).items()})
    assert found[0] == {"a": ("platinum", "assets"), "b": ("platinum", "assets")}
    assert found[1] == {"a": ("", ""), "b": ("platinum", "assets")}


@pytest.mark.usefixtures("ledger")
def test_intervals_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('extends = "standard"\n[review.tiers.gold]\nmonths = 1\n[flow.absolute]\nCNY = 5\n', "utf-8")
    own = al.Ledger(tmp_path / "ledger", policy=file)
    assert rows(own, MARCH)["gold"]["months"] == 1
    assert own.policy.flow.absolute["CNY"] == 5
    file.write_text('extends = "standard"\n[review]\nmonthz = 1\n', "utf-8")
    with pytest.raises(ConfigError, match=r"own.toml: unknown key 'review.monthz': did you mean 'months'"):
        al.Ledger(tmp_path / "ledger", policy=file)


def test_every_figure_of_the_policy_has_a_source() -> None:
    policy = load_policy()
    for part in (policy.flow, policy.score, policy.holding, policy.plan, policy.review, *policy.review.tiers.values()):
        assert len(part.source) > 10
    names = [n for t, tier in policy.review.tiers.items() for n in (t, tier.en, tier.zh, *tier.aliases)]
    assert len(policy.review.by_name) == len({n.casefold() for n in names})


@given(st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1)), st.integers(1, 120))
def test_months_on_is_the_same_day_or_the_last_of_the_month(day: dt.date, months: int) -> None:
    found = _months_on(day, months)
    assert (found.year * 12 + found.month) - (day.year * 12 + day.month) == months
    assert found.day == day.day or (found.day < day.day and (found + dt.timedelta(days=1)).day == 1)
    many = _later(np.array([day, "NaT"], dtype="datetime64[D]"), np.array([months, 3]))
    assert many[0] == np.datetime64(found)
    assert np.isnat(many[1])


def test_the_states_are_those_that_are_told(ledger: al.Ledger) -> None:
    assert set(ledger.due(SEPTEMBER).table["state"]) <= set(STATES)
    assert len(analyses(1, clients=3)[0]) == 3
