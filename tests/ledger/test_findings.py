"""What moved: hand-made books, and a recount of random histories with plain loops; both back ends find the same."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from histories import DAYS, RATES, analysed, analyses, one
from told import POLICY, codes, deposit, kept, shares, told

import allocator as al
from allocator.analysis import Analysis
from allocator.errors import InputError
from allocator.i18n import LANGUAGES
from allocator.ledger.change import Change
from allocator.ledger.finding import COLUMNS, NOTES
from allocator.ledger.kinds import findings

# ---- one by one


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (6e6, 5.5e6, "outflow"),  # exactly the amount
        (6e6, 5.5e6 + 0.01, ""),  # 5% of 10m, and a cent below the amount
        (1e6, 6e5, "outflow"),  # a tenth of what there was, which is less than the amount
        (1e6, 1.4e6, "inflow"),
        (1e6, 6.01e5, ""),
    ],
)
def test_a_flow_is_large_by_amount_or_by_share(before: float, after: float, code: str, tmp_path: Path) -> None:
    rest = shares(1e4, (1e7 if before == 6e6 else 4e6) / 1e4 - before / 1e4)
    diff = kept(tmp_path, one([deposit(before), rest]), one([deposit(after), rest], DAYS[1])).diff()
    assert codes(diff) & {"outflow", "inflow"} == ({code} if code else set())
    for row in told(diff, code):
        assert row["amount"] == abs(after - before)
        assert (row["before"], row["after"], row["state"], row["note"]) == (before, after, "new", "")
        assert row["bound"] == min(5e5, 0.1 * (1e7 if before == 6e6 else 4e6))


def test_an_exchange_rate_that_moved_is_no_flow(tmp_path: Path) -> None:
    """A deposit in dollars is so many dollars: worth more yuan without a cent having come in."""
    dollars = deposit(1e6, currency="USD")
    a, b = one([dollars]), one([dollars], DAYS[1])
    frame = pd.DataFrame([{"client_id": "a"} | dollars])
    dear = RATES.assign(rate=[1.0, 14.0, 0.9])
    from conftest import make_book

    b = al.analyze(make_book(frame, a.positions.clients.rename(columns={"band": "risk_band"}), fx=dear), on=DAYS[1])
    diff = kept(tmp_path, a, b).diff()
    assert not codes(diff) & {"outflow", "inflow"}
    (row,) = diff.clients.to_dict("records")
    assert (row["flow"], row["revaluation"], row["untold"]) == (0.0, 7e6, 0.0)


def test_price_and_units_are_told_apart_and_without_units_nothing_is_claimed(tmp_path: Path) -> None:
    house = {"name": "flat", "asset_class": "investment_property"}
    a = one([deposit(1e6), shares(100, 10.0), house | {"value": 5e5}])
    b = one([deposit(1e6), shares(150, 12.0), house | {"value": 6e5}], DAYS[1])
    (row,) = kept(tmp_path, a, b).diff().clients.to_dict("records")
    assert row["flow"] == 50 * 12.0
    assert row["revaluation"] == 100 * 2.0
    assert row["untold"] == 1e5
    assert row["total_after"] - row["total_before"] == row["flow"] + row["revaluation"] + row["untold"]


def test_a_money_market_fund_without_units_that_are_known_at_both_ends_is_marked(tmp_path: Path) -> None:
    fund = {"name": "mm", "asset_class": "money_market"}
    a = one([fund | {"value": 3e6, "quantity": 3e6}, deposit(1e6)])
    b = one([fund | {"value": 1e6, "currency": "USD"}, deposit(1e6)], DAYS[1])
    (row,) = told(kept(tmp_path, a, b).diff(), "inflow")
    assert row["note"] == "value_only", "another currency: its units are not those of before"
    assert row["amount"] == 7e6 - 3e6


def test_breaches_and_drift_are_new_persistent_and_resolved_with_since_when(tmp_path: Path) -> None:
    def mix(cash: float, firm: float, on: Any) -> Analysis:
        return one([deposit(cash), {"name": "firm", "asset_class": "private_business", "value": firm}], on)

    wild = [mix(c, f, d) for (c, f), d in zip([(9, 1), (4, 6), (3, 7), (9, 1)], DAYS, strict=True)]
    ledger = kept(tmp_path, *wild)
    states = {}
    for day in DAYS[1:]:
        diff = ledger.diff(after=day)
        (row,) = [r for r in told(diff, "breach") if r["subject"] == "business<="]
        states[day] = (row["state"], row["since"].date(), row["before"], row["after"])
    assert states[DAYS[1]] == ("new", DAYS[1], 0.1, 0.6)
    assert states[DAYS[2]] == ("persistent", DAYS[1], 0.6, 0.7)
    assert states[DAYS[3]] == ("resolved", DAYS[1], 0.7, 0.1)
    drift = told(ledger.diff(after=DAYS[2]), "drift")
    assert {r["subject"]: r["state"] for r in drift} == {"offensive": "persistent", "growth": "persistent"}
    whole = ledger.diff(DAYS[0], DAYS[3])
    assert not [r for r in told(whole, "breach") if r["subject"] == "business<="], "it came and went in between"


def test_a_missing_quarter_is_no_gap(tmp_path: Path) -> None:
    ledger = al.Ledger(tmp_path / "ledger")
    for k in (0, 3):
        ledger.add(one([deposit(1e6 - 2e5 * k), shares(100, 10)]), on=DAYS[k])
    diff = ledger.diff()
    assert (diff.before, diff.after, diff.previous) == (DAYS[0], DAYS[3], None)
    assert told(diff, "outflow")[0]["amount"] == 6e5
    with pytest.raises(InputError, match="no snapshot of 2026-06-30; the nearest are 2025-12-31, 2026-09-30"):
        ledger.diff(DAYS[2])


def test_snapshots_that_come_late_fall_into_their_place(tmp_path: Path) -> None:
    """A clock that ran ahead, or a quarter brought in afterwards: what moved is told by the day."""
    books = [one([deposit(1e6 + 6e5 * k), shares(100, 10)]) for k in range(3)]
    straight, late = al.Ledger(tmp_path / "a"), al.Ledger(tmp_path / "b")
    for k in (0, 1, 2):
        straight.add(books[k], on=DAYS[k])
    for k in (2, 0, 1):
        late.add(books[k], on=DAYS[k])
    assert late.dates == DAYS[:3]
    pd.testing.assert_frame_equal(straight.diff().findings, late.diff().findings)
    (row,) = told(late.diff(), "inflow")
    assert (row["state"], row["since"].date()) == ("persistent", DAYS[1])


def test_the_first_snapshot_tells_only_what_holds(tmp_path: Path) -> None:
    diff = kept(tmp_path, one([{"name": "firm", "asset_class": "private_business", "value": 1e6}])).diff()
    assert diff.before is None
    assert diff.notices == ("first",)
    assert set(diff.findings["state"]) == {"new"}
    assert {"breach", "drift"} <= codes(diff) <= {c for c, k in findings().items() if k.lasting}
    assert diff.clients["flow"].isna().all()
    assert "from the beginning" in repr(diff)


def test_a_client_whose_id_changed_type_is_said_never_joined(tmp_path: Path) -> None:
    def named(ids: list[str], on: Any) -> Analysis:
        return analysed(pd.DataFrame([{"client_id": i} | deposit(1e6) for i in ids]), on=on)

    a, b = named(["00123", "7", "gone", "Lee"], DAYS[0]), named(["123", "7.0", "fresh", "lee"], DAYS[1])
    diff = kept(tmp_path, a, b).diff()
    assert {(r["client_id"], r["subject"]) for r in told(diff, "client_renamed")} == {
        ("123", "00123"), ("7.0", "7"), ("lee", "Lee"),
    }  # fmt: skip
    assert [r["client_id"] for r in told(diff, "client_new")] == ["fresh"]
    assert [r["client_id"] for r in told(diff, "client_gone")] == ["gone"]
    assert not codes(diff) & {"inflow", "outflow"}, "who came with money is no inflow"
    assert len(diff.clients) == 8


def test_a_client_whose_currency_changed_is_compared_at_the_rates_of_before(tmp_path: Path) -> None:
    a = one([deposit(7e6, currency="CNY")], client={"currency": "CNY"})
    b = one([deposit(7e6, currency="CNY")], DAYS[1], client={"currency": "USD"})
    diff = kept(tmp_path, a, b).diff()
    (row,) = told(diff, "currency_changed")
    assert (row["subject"], row["before"], row["after"], row["currency"]) == ("CNY>USD", 1e6, 1e6, "USD")
    assert not codes(diff) & {"inflow", "outflow"}
    (client,) = diff.clients.to_dict("records")
    assert (client["total_before"], client["flow"]) == (1e6, 0.0)


def test_a_currency_without_a_rate_is_not_compared(tmp_path: Path) -> None:
    frame = pd.DataFrame([{"client_id": "a"} | deposit(7e6)])
    a = al.analyze(al.read_book(frame, clients=pd.DataFrame([{"client_id": "a", "currency": "CNY"}])), on=DAYS[0])
    b = al.analyze(al.read_book(frame, clients=pd.DataFrame([{"client_id": "a", "currency": "XAF"}])), on=DAYS[1])
    diff = kept(tmp_path, a, b).diff()
    (row,) = told(diff, "currency_changed")
    assert row["note"] == "no_rate"
    assert math.isnan(row["before"])
    assert not codes(diff) & {"inflow", "outflow"}


def test_bands_statuses_and_weighty_holdings(tmp_path: Path) -> None:
    a = one([deposit(1e6), shares(100, 6e3, "old")])
    b = one(
        [deposit(1e6), shares(10, 100.0, "dust"), shares(10, 1e5, "big")], DAYS[1], client={"risk_band": "aggressive"}
    )
    diff = kept(tmp_path, a, b).diff()
    assert [r["subject"] for r in told(diff, "band_changed")] == ["balanced>aggressive"]
    assert [(r["subject"], r["after"]) for r in told(diff, "holding_new")] == [("big", 1e6)]
    assert [(r["subject"], r["before"]) for r in told(diff, "holding_gone")] == [("old", 6e5)]
    owing = one([deposit(1e6)], DAYS[1], debts=pd.DataFrame([{"client_id": "a", "value": 2e6}]))
    (row,) = told(kept(tmp_path / "b", a, owing).diff(), "insolvent")
    assert (row["after"], row["amount"], row["state"]) == (-1e6, 1e6, "new")


def test_a_score_that_jumps_names_the_rule(tmp_path: Path) -> None:
    flat = {"name": "flat", "asset_class": "investment_property"}
    a = one([deposit(9e5), *(shares(10, 900.0, f"s{k}") for k in range(10)), flat | {"value": 1e4}])
    b = one([deposit(1e5), *(shares(10, 900.0, f"s{k}") for k in range(10)), flat | {"value": 8e5}], DAYS[1])
    ledger = kept(tmp_path, a, b, a)
    (row,) = told(ledger.diff(after=DAYS[1]), "score_rise")
    assert row["amount"] == row["after"] - row["before"] >= POLICY.score.points
    parts = {}
    for x in (a, b):
        r = x.rules
        parts[x.on] = dict(zip(r["rule"].astype(str), -np.log1p(-r["severity"] * r["weight"]), strict=True))
    assert row["name"] == max(parts[DAYS[1]], key=lambda k: parts[DAYS[1]][k] - parts[DAYS[0]][k])
    assert [r["name"] for r in told(ledger.diff(), "score_fall")] == [row["name"]]


# ---- the registry


def test_every_kind_of_finding_can_be_told() -> None:
    kinds = findings()
    assert len(kinds) == len({k.code for k in kinds.values()})
    fill = {"subject": "S", "before": "B", "after": "A", "amount": "M", "bound": "L"}
    for code, kind in kinds.items():
        assert code == kind.code
        assert set(kind.says) == set(LANGUAGES)
        for lang in LANGUAGES:
            text = kind.says[lang].format(**fill)
            assert text.strip()
            assert "{" not in text
        used = [{name for name in fill if f"{{{name}}}" in kind.says[lang]} for lang in LANGUAGES]
        assert used[0] == used[1], code
        assert ("{subject}" in kind.says["en"]) == (kind.subject != "none"), code
        assert any("\u4e00" <= c <= "\u9fff" for c in kind.zh)
        assert kind.rank >= 1
        assert kind.measure.__doc__


def test_every_kind_gives_rows_of_one_shape_and_unique_subjects(tmp_path: Path) -> None:
    ledger = kept(tmp_path, *analyses(7))
    snapshots = [ledger.show(d) for d in DAYS]
    for a, b in zip([None, *snapshots], snapshots, strict=False):
        change = Change(a, b)
        for kind in findings().values():
            found = kind.measure(change, POLICY)
            assert list(found.columns) == list(COLUMNS)
            assert found["client"].between(0, len(change) - 1).all()
            assert not found.duplicated(["client", "subject"]).any(), kind.code
            assert set(found["note"]) <= set(NOTES)
            assert a is not None or kind.lasting or found.empty, f"{kind.code}: an event needs two snapshots"


def test_a_new_kind_needs_one_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from allocator.ledger import kinds

    (tmp_path / "mine.py").write_text(
        "from allocator.ledger.finding import Finding, rows\n"
        "def measure(change, policy):\n"
        "    '''Everybody.'''\n"
        "    return rows(range(len(change.after)))\n"
        "FINDINGS = (Finding('mine', en='Mine', zh='我的', says={'en': 'x', 'zh': '某'}, subject='none',\n"
        "    unit='money', rank=1, lasting=True, measure=measure),)\n"
    )
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    kinds.findings.cache_clear()
    try:
        assert "mine" in codes(kept(tmp_path, one([deposit(1.0)])).diff())
    finally:
        kinds.findings.cache_clear()
