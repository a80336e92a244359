"""What Spark's ``mapInPandas`` would call: frames in pieces in, frames out; the same results as the batch."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from conftest import ON, SAMPLE

import allocator as al
from allocator.assumptions import load_assumptions
from allocator.batch.frames import LONG, LONG_SCHEMA, long_form, over_frames
from allocator.batch.setting import Setting
from allocator.errors import ConfigError
from allocator.framework import load_framework
from allocator.importers.tables import read_one


def setting() -> Setting:
    framework = load_framework("classic")
    return Setting(framework, load_assumptions(framework.assumptions), ON, plan=False)


def rows_of_clients() -> pd.DataFrame:
    tables = ("holdings", "clients", "debts")
    return pd.concat([long_form(t, read_one(SAMPLE / f"{t}.csv", t).frame) for t in tables])


def test_pieces_in_any_order_give_the_analysis(tmp_path: object) -> None:  # noqa: ARG001
    rows = rows_of_clients().sample(frac=1.0, random_state=7)
    shared = {t: read_one(SAMPLE / f"{t}.csv", t) for t in ("products", "fx")}
    run = over_frames(setting(), shared)
    out = pd.concat(run([rows.iloc[:50], rows.iloc[:0], rows.iloc[50:]]))
    assert tuple(out.columns) == LONG
    assert [c.split()[0] for c in LONG_SCHEMA.split(", ")] == list(LONG)
    want = al.analyze(al.read_book(SAMPLE), on=ON)
    summary = pd.DataFrame([json.loads(r) for r in out.loc[out["table"] == "summary", "record"]]).set_index("client_id")
    expected = want.summary.set_index("client_id").loc[summary.index]
    assert summary["score"].to_numpy() == pytest.approx(expected["score"].to_numpy(), rel=1e-9)
    assert summary["status"].tolist() == expected["status"].tolist()
    assert (out["table"] == "limits").sum() == len(want.limits)
    issues = pd.DataFrame([json.loads(r) for r in out.loc[out["table"] == "issues", "record"]])
    assert sorted(issues["row"]) == sorted(want.issues["row"])


def test_partitions_give_the_same_as_all_at_once() -> None:
    rows = rows_of_clients()
    shared = {t: read_one(SAMPLE / f"{t}.csv", t) for t in ("products", "fx")}
    run = over_frames(setting(), shared)
    ids = rows["client_id"].unique()
    parts = [pd.concat(run([rows[rows["client_id"].isin(some)]])) for some in (ids[:9], ids[9:])]
    got = pd.concat(parts)
    whole = pd.concat(run([rows]))
    for table in ("summary", "limits"):
        assert (
            got.loc[got["table"] == table, "record"].tolist() == whole.loc[whole["table"] == table, "record"].tolist()
        )


def test_nothing_gives_nothing_and_other_rows_are_refused() -> None:
    run = over_frames(setting(), {})
    assert list(run([])) == []
    assert list(run([rows_of_clients().iloc[:0]])) == []
    strange = pd.DataFrame({"table": ["holdings"], "client_id": ["A"], "record": ['{"client_id": "A"}']})
    with pytest.raises(ConfigError, match="long form"):
        list(run([strange]))
