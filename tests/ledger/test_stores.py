"""Every place that a ledger can be kept in behaves alike: what goes in comes out, whole or not at all."""

from __future__ import annotations

import datetime as dt
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from histories import DAYS, PLACES, analyses, one, place

import allocator as al
from allocator.errors import ConfigError, InputError
from allocator.ledger.snapshots import TABLES, snapshot_tables
from allocator.ledger.store import open_store
from allocator.plan import Plan

CASH = {"name": "cash", "asset_class": "deposit", "value": 1e6}
ODD = '=cmd|"x", \n\t{braces} 楼\u202e\\N'
"""Text that breaks what quotes badly."""


@pytest.fixture(params=PLACES)
def at(request: pytest.FixtureRequest) -> Iterator[str]:
    with place(request.param, request) as found:
        yield found


@pytest.fixture(scope="module")
def plan() -> Plan:
    found = analyses(3, clients=4)[0]
    return al.rebalance(found, explain=False)


def same(one_: pd.DataFrame, other: pd.DataFrame) -> None:
    """Equal tables whatever the order within a client, and whether text is coded."""
    frames = []
    for frame in (one_, other):
        plain = frame.astype({c: "str" for c in frame if isinstance(frame[c].dtype, pd.CategoricalDtype)})
        frames.append(plain.sort_values(list(plain.columns), ignore_index=True))
    pd.testing.assert_frame_equal(*frames, check_dtype=False, check_exact=True)


def test_what_goes_in_comes_out(at: str, plan: Plan) -> None:
    ledger = al.Ledger(at)
    kept = ledger.add(plan)
    tables = snapshot_tables(plan.before, plan)
    for name, columns in TABLES.items():
        found = kept.columns(name, *columns)
        assert len(found) == len(tables[name]), name
        same(found, tables[name])
        assert (np.diff(found["client"]) >= 0).all(), "rows of a client lie together"
    assert kept.planned
    assert len(kept.table("trades")) == len(plan.trades) > 0
    assert set(kept.table("holdings")["client_id"]) == set(plan.before.client_ids)
    assert kept.framework == plan.before.framework
    assert ledger.dates == [DAYS[0]]


def test_odd_texts_and_numbers_survive(at: str) -> None:
    rows = [
        CASH,
        {"name": ODD, "asset_class": "gold", "value": 0.1 + 0.2},
        {"name": "NULL", "asset_class": "", "value": 5.0},
    ]
    a = one(rows, client={"advisor": ODD, "monthly_spending": 0.0})
    kept = al.Ledger(at).add(a)
    held = kept.table("holdings")
    assert set(held["name"]) == set(a.positions.holdings["name"])
    assert held["value"].sum() == a.positions.value.sum()
    assert kept.clients["reserve_months"].tolist() == [np.inf], "infinite months come back"
    assert kept.clients["advisor"].astype("str").tolist() == a.positions.clients["advisor"].tolist()


def test_the_same_day_twice_is_refused_or_replaced(at: str) -> None:
    ledger = al.Ledger(at)
    ledger.add(one([CASH]))
    with pytest.raises(InputError, match="with the same data; use --replace"):
        ledger.add(one([CASH]))
    with pytest.raises(InputError, match="with other data; use --replace"):
        ledger.add(one([{**CASH, "value": 2e6}]))
    assert ledger.show().clients["total"].tolist() == [1e6]
    ledger.add(one([{**CASH, "value": 2e6}]), replace=True)
    assert ledger.show().clients["total"].tolist() == [2e6]
    assert len(ledger.snapshots) == 1


def test_a_snapshot_that_was_replaced_while_it_is_read_is_said_never_mixed(at: str) -> None:
    ledger = al.Ledger(at)
    old = ledger.add(one([CASH]))
    stale = ledger.show(old.on)
    assert len(stale.columns("clients", "client_id")) == 1
    ledger.add(one([CASH, {**CASH, "name": "more"}]), replace=True)
    with pytest.raises(InputError, match="replaced or purged while it was read"):
        stale.columns("holdings", "client", "value")


def test_there_is_no_ledger_where_none_was_begun(at: str) -> None:
    ledger = al.Ledger(at)
    for ask in (lambda: ledger.dates, ledger.diff, ledger.due, ledger.show, lambda: ledger.purge(client="a")):
        with pytest.raises(InputError, match=r"no ledger at this place|ledger is empty"):
            ask()


def test_a_failing_writer_changes_nothing(at: str) -> None:
    ledger = al.Ledger(at)
    ledger.add(one([CASH]))
    store = open_store(at)
    kept = ledger.show()
    tables = {name: kept.columns(name, *columns) for name, columns in TABLES.items()}
    broken = dict(tables, trades=None)
    with pytest.raises(Exception), store.writing() as writer:  # noqa: B017  whatever it is, nothing may change
        writer.put(DAYS[0], broken, kept.manifest)
    assert ledger.show().clients["total"].tolist() == [1e6]
    ledger.add(one([CASH], DAYS[1]))
    assert ledger.dates == DAYS[:2]


@pytest.mark.parametrize("days", [1, 0])
def test_a_day_ahead_is_tomorrow_at_most(at: str, days: int) -> None:
    ledger = al.Ledger(at)
    today = dt.date.today()
    with pytest.raises(InputError, match="in the future; check --date and the clock"):
        ledger.add(one([CASH]), on=today + dt.timedelta(days=2))
    ledger.add(one([CASH]), on=today + dt.timedelta(days=days))
    with pytest.raises(InputError, match="in the future"):
        ledger.review("a", today + dt.timedelta(days=2))


def test_reviews_are_noted_once_and_only_for_clients(at: str) -> None:
    ledger = al.Ledger(at)
    ledger.add(one([CASH]))
    for _ in range(2):
        ledger.review("a", DAYS[1])
    assert open_store(at).reviews().to_dict("records") == [{"client_id": "a", "on": "2026-03-31"}]
    with pytest.raises(InputError, match="no such client") as raised:
        ledger.review("secret-id", DAYS[1])
    assert "secret-id" not in str(raised.value)


def test_purge_takes_a_client_out_of_every_snapshot(at: str, tmp_path: Path) -> None:
    ledger = al.Ledger(at)
    history = analyses(5)
    for a in history[:3]:
        ledger.add(a)
    gone = next(c for c in history[0].client_ids if all(c in a.client_ids for a in history[:3]))
    ledger.review(gone, DAYS[1])
    before = {d: ledger.show(d).table("holdings") for d in DAYS[:3]}
    assert ledger.holding(client=gone) == DAYS[:3]
    assert ledger.purge(client=gone) == 3
    for day, old in before.items():
        kept = ledger.show(day)
        same(kept.table("holdings"), old[old["client_id"] != gone])
        assert kept.manifest["purged"]
        assert kept.manifest["input_hash"] == ""
        assert len(kept) == len(kept.clients)
    assert open_store(at).reviews().empty
    with pytest.raises(InputError, match="no such client"):
        ledger.purge(client=gone)
    assert not [p.name for p in tmp_path.rglob("*") if p.is_file() and gone.encode() in p.read_bytes()]
    assert len(ledger.diff().clients) > 0


def test_purge_of_a_day_and_of_a_client_on_a_day(at: str) -> None:
    ledger = al.Ledger(at)
    for day in DAYS[:3]:
        ledger.add(one([CASH], day))
    assert ledger.purge(on=DAYS[1]) == 1
    assert ledger.dates == [DAYS[0], DAYS[2]]
    assert ledger.purge(client="a", on=DAYS[2]) == 1
    assert ledger.dates == [DAYS[0]], "a snapshot of nobody goes as a whole"
    with pytest.raises(InputError, match="no snapshot of 2026-03-31; the nearest are 2025-12-31"):
        ledger.purge(on=DAYS[1])
    with pytest.raises(InputError, match="say what to purge"):
        ledger.purge()


def test_files_and_folders_are_nobody_elses(tmp_path: Path) -> None:
    for where in (str(tmp_path / "deep" / "ledger"), f"sqlite:///{tmp_path}/ledger.db"):
        ledger = al.Ledger(where)
        ledger.add(one([CASH]))
        ledger.review("a", DAYS[0])
    for path in [p for p in tmp_path.rglob("*") if p.name != "deep"]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path.name} has {mode:o}"


def test_wrong_places_are_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="is a file; give a folder"):
        al.Ledger(tmp_path / "file").add(one([CASH]))
    with pytest.raises(ConfigError, match="not empty and no ledger"):
        al.Ledger(tmp_path).add(one([CASH]))
    with pytest.raises(ConfigError, match="postgresql or sqlite"):
        al.Ledger("mysql://me:secret@host/x")
    for bad in ("://", "postgresql://me:secret@:port/x"):
        with pytest.raises(ConfigError, match="cannot be read") as raised:
            al.Ledger(bad)
        assert "secret" not in str(raised.value)


def test_a_server_that_does_not_answer_is_said_without_what_it_was_told() -> None:
    with pytest.raises(InputError, match=r"refused.*check its URL") as raised:
        _ = al.Ledger("postgresql://me:secret@127.0.0.1:1/x").dates
    assert "secret" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_damaged_files_are_named(tmp_path: Path) -> None:
    ledger = al.Ledger(tmp_path / "ledger")
    ledger.add(one([CASH]))
    (part,) = (tmp_path / "ledger" / "clients").rglob("*.parquet")
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 1
    part.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"clients/as_of=2025-12-31/\w+.parquet is damaged"):
        _ = ledger.show().clients
    manifest = tmp_path / "ledger" / "manifests" / "2025-12-31.json"
    whole = json.loads(manifest.read_text())
    for less in (whole | {"clients": 2}, whole | {"as_of": "x"}, {"schema": whole["schema"]}, whole | {"rows": {}}):
        manifest.write_text(json.dumps(less))
        with pytest.raises(InputError, match=r"manifests/2025-12-31.json is damaged"):
            _ = ledger.dates
    manifest.write_text(json.dumps(whole)[:50])
    with pytest.raises(InputError, match=r"manifests/2025-12-31.json is damaged"):
        _ = ledger.dates


def test_a_ledger_of_another_version_is_refused(tmp_path: Path) -> None:
    ledger = al.Ledger(tmp_path / "ledger")
    ledger.add(one([CASH]))
    (tmp_path / "ledger" / "ledger.json").write_text(json.dumps({"schema": "allocator-ledger/9"}))
    with pytest.raises(InputError, match="of another version"):
        _ = ledger.dates


def test_a_folder_is_a_dataset_that_others_can_read(tmp_path: Path) -> None:
    ledger = al.Ledger(tmp_path / "ledger")
    for a in analyses(2)[:2]:
        ledger.add(a)
    found = pd.read_parquet(tmp_path / "ledger" / "holdings")
    assert set(found["as_of"].astype("str")) == {d.isoformat() for d in DAYS[:2]}
    assert len(found) == int(ledger.snapshots["holdings"].sum())


def test_the_order_of_the_book_makes_no_difference(tmp_path: Path) -> None:
    from histories import analysed, history

    holdings, people = history(11)[0]
    a = analysed(holdings, people)
    b = analysed(holdings.sample(frac=1, random_state=1), people.sample(frac=1, random_state=2))
    first, second = al.Ledger(tmp_path / "a").add(a), al.Ledger(tmp_path / "b").add(b)
    assert first.manifest["input_hash"] == second.manifest["input_hash"]
    same(first.table("holdings"), second.table("holdings"))
    assert first.ids.tolist() == second.ids.tolist() == sorted(a.client_ids)


# ---- pseudonyms


def test_with_a_key_no_id_and_no_name_is_kept(at: str, plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef" * 2)
    ledger = al.Ledger(at, key=tmp_path / "key")
    ledger.add(plan)
    who = plan.before.client_ids[0]
    ledger.review(who, DAYS[0])
    kept = ledger.show()
    assert set(kept.ids) == {ledger.client_id(c) for c in plan.before.client_ids}
    assert all(i.startswith("P-") for i in kept.ids)
    held = kept.table("holdings")
    assert set(held["name"].astype("str")) == {""}
    assert held["asset_id"].astype("str").str.startswith("P-").all()
    assert open_store(at).reviews()["client_id"].tolist() == [ledger.client_id(who)]
    ledger.add(plan.before, on=DAYS[1])
    undone = ledger.diff().findings.query("finding == 'sale_undone'")
    assert len(undone) == (plan.trades["side"] == "sell").sum(), "trades and holdings have the same pseudonyms"
    assert ledger.purge(client=who) == 2
    texts = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "key"]
    assert not [p for p in texts if who.encode() in p.read_bytes()]


def test_a_ledger_keeps_to_one_key(at: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"{name:*>32}")
    al.Ledger(at, key=tmp_path / "one").add(one([CASH]))
    for other in ({}, {"key": tmp_path / "two"}):
        with pytest.raises(InputError, match="pseudonyms made with another key"):
            al.Ledger(at, **other).add(one([CASH]), on=DAYS[1])
    assert al.Ledger(at).dates == [DAYS[0]], "reading needs no key"


def test_a_ledger_of_plain_ids_takes_no_pseudonyms(at: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef" * 2)
    al.Ledger(at).add(one([CASH]))
    with pytest.raises(InputError, match="begin another one"):
        al.Ledger(at, key=tmp_path / "key").add(one([CASH]), on=DAYS[1])
