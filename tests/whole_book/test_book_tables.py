"""Facts from the tables that a run leaves: what they tell is what the analysis tells; the rest is not judged."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import random_analysis
from conftest import ON, SAMPLE

import allocator as al
from allocator.cli import main
from allocator.errors import InputError
from allocator.whole_book.calls import call_list
from allocator.whole_book.facts import BookFacts, facts
from allocator.whole_book.tables import _sheets, facts_of_tables, read_tables
from allocator.whole_book.view import book_view


def left(result: al.Analysis | al.Plan) -> dict[str, pd.DataFrame]:
    """Tables as a run leaves them: one row per client, limits before and after, trades, issues."""
    before = result if isinstance(result, al.Analysis) else result.before
    b = facts(result)
    limits = before.limits
    tables = {"summary": b.clients.drop(columns=["over", "segment"]), "limits": limits, "issues": before.issues}
    if isinstance(result, al.Plan):
        then = result.after.summary[before.framework.bucket_codes].add_suffix("_after")
        other = {"limits_after": "limits_exceeded_after"}
        tables["summary"] = tables["summary"].rename(columns=other).join(then)
        t = result.after.limit_table
        wide = {k: pd.DataFrame(getattr(t, k)).stack(future_stack=True).to_numpy() for k in ("value", "excess")}
        applies = pd.DataFrame(t.bound).notna().stack(future_stack=True).to_numpy()
        exceeded = t.exceeded.reshape(-1)[applies]
        after = {f"{k}_after": v[applies] for k, v in wide.items()}
        tables["limits"] = limits.assign(**after, exceeded_after=exceeded)
        tables["trades"] = result.trades
    return tables


def again(result: al.Analysis | al.Plan, tables: dict[str, pd.DataFrame]) -> BookFacts:
    before = result if isinstance(result, al.Analysis) else result.before
    return facts_of_tables(tables, before.framework, on=before.on, rates=before.positions.rates)


@pytest.fixture(scope="module")
def plan(sample: al.Book) -> al.Plan:
    return al.rebalance(al.analyze(sample, on=ON), explain=False)


@pytest.mark.parametrize("parts", [1, 3])
def test_pages_from_parquet_are_pages_from_the_plan(plan: al.Plan, parts: int, tmp_path: Path) -> None:
    for name, table in left(plan).items():
        if parts == 1:
            table.to_parquet(tmp_path / f"{name}.parquet")
            continue
        (tmp_path / name).mkdir()
        size = -(-len(table) // parts)
        for k in range(parts):
            table.iloc[k * size : (k + 1) * size].to_parquet(tmp_path / name / f"part-{k}.parquet")
    b = again(plan, read_tables(tmp_path))
    one, two = book_view(plan), book_view(b)
    for name in ("statuses", "limits", "segments", "pareto", "advisors", "plans", "products", "flows", "unrated"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name), check_dtype=False, obj=name)
    money = ["money", "share", "money_after", "share_after"]
    pd.testing.assert_frame_equal(one.buckets[money].iloc[:3], two.buckets[money].iloc[:3])
    assert two.classes.empty
    first, second = call_list(plan), call_list(b)
    assert first.not_judged == second.not_judged == ("review",)
    pd.testing.assert_frame_equal(first.calls, second.calls, check_dtype=False)
    pd.testing.assert_frame_equal(first.why, second.why, check_dtype=False)


def test_what_a_batch_leaves_tells_what_its_plan_tells(sample: al.Book, tmp_path: Path) -> None:
    """Partitions of a few clients each, several currencies: the same page and the same call list, reviews apart."""
    folder = tmp_path / "book"
    shutil.copytree(SAMPLE, folder)
    al.batch(folder, tmp_path / "out", on=ON, plan=False, partition_size=5, workers=1)
    a = al.analyze(sample, on=ON)
    b = al.facts_of_run(tmp_path / "out")
    assert (b.base, b.framework.name, b.on) == ("CNY", "classic", ON)
    one, two = book_view(a), book_view(b)
    for name in ("statuses", "limits", "segments", "pareto", "advisors", "unrated"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name), check_dtype=False, obj=name)
    first, second = call_list(a), call_list(b)
    assert first.not_judged == second.not_judged
    pd.testing.assert_frame_equal(first.calls, second.calls, check_dtype=False)


def test_locks_of_another_horizon_are_not_judged(plan: al.Plan, tmp_path: Path) -> None:
    file = tmp_path / "calls.toml"
    file.write_text('extends = "standard"\n[reasons.lock_ends]\nhorizon = 30\n', "utf-8")
    b = again(plan.before, left(plan.before))
    assert "lock_ends" not in call_list(b).not_judged
    assert "lock_ends" in call_list(b, rules=file).not_judged


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_run_on_the_command_line(
    lang: str, plan: al.Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, table in left(plan).items():
        (tmp_path / name).mkdir()
        table.to_parquet(tmp_path / name / "part-00000.parquet")
    told = {"framework": "classic", "assumptions": "long_run", "options": {"on": ON.isoformat()}}
    (tmp_path / "manifest.json").write_text(json.dumps(told), "utf-8")
    assert main(["book", str(tmp_path), "--lang", lang, "--json"]) == 4
    out = json.loads(capsys.readouterr().out)
    assert (out["date"], out["assumptions"]) == (ON.isoformat(), "long_run")
    view = book_view(plan)
    assert out["book"]["total"] == round(view.total, 2)
    assert len(out["book"]["products"]) == len(view.products)
    assert main(["calls", str(tmp_path), "--lang", lang, "--framework", "chhabra", "--top", "1"]) == 4
    assert "chhabra" not in capsys.readouterr().err
    assert main(["book", str(tmp_path), "--lang", lang, "--plan"]) == 2
    assert "allocator batch" in capsys.readouterr().err
    (tmp_path / "manifest.json").write_text("[1]", "utf-8")
    assert main(["book", str(tmp_path), "--lang", "en"]) == 5
    assert "no manifest of a run" in capsys.readouterr().err


def test_what_a_bare_summary_does_not_tell_is_not_judged() -> None:
    a = random_analysis(0)
    b = again(a, {"summary": a.summary, "limits": a.limits})
    found = call_list(b)
    assert {"withdrawal", "guarantees", "firm_failure", "lock_ends", "data", "plan"} <= set(found.not_judged)
    assert {"reserve", "risk", "concentration", "band", "insolvent"}.isdisjoint(found.not_judged)
    whole = call_list(a)
    for reason in ("reserve", "risk", "concentration", "band"):
        one, two = (x.why[x.why["reason"] == reason].set_index("client_id")["severity"] for x in (whole, found))
        assert two.sort_index().to_dict() == pytest.approx(one.sort_index().to_dict())
    assert len(al.compare(a, b)) == len(a)


def test_limits_of_ones_own_are_kept() -> None:
    book = random_analysis(1)
    row = {"client_id": book.client_ids[0], "limit": "mine", "sense": "<=", "value": 0.5, "bound": 0.2}
    own = pd.DataFrame([row | {"excess": 0.3, "exceeded": True}])
    tables = {"summary": book.summary, "limits": pd.concat([book.limits.astype({"limit": "str", "sense": "str"}), own])}
    view = book_view(again(book, tables))
    mine = view.limits[view.limits["limit"] == "mine"].iloc[0]
    assert (mine["judged"], mine["clients"]) == (1, 1)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    a = random_analysis(0)
    with pytest.raises(InputError, match="summary: no column total"):
        again(a, {"summary": a.summary.drop(columns="total"), "limits": a.limits})
    with pytest.raises(InputError, match="limits: no column client_id"):
        again(a, {"summary": a.summary})
    with pytest.raises(InputError, match="twice"):
        again(a, {"summary": pd.concat([a.summary, a.summary]), "limits": a.limits})
    with pytest.raises(InputError, match="not in the summary"):
        again(a, {"summary": a.summary[a.summary["client_id"] != a.limits["client_id"].iloc[0]], "limits": a.limits})
    with pytest.raises(InputError, match="as Parquet"):
        read_tables(tmp_path)


def same_facts(one: BookFacts, two: BookFacts) -> None:
    assert one.limits == two.limits
    pd.testing.assert_frame_equal(one.clients, two.clients)
    pd.testing.assert_frame_equal(one.trades, two.trades)
    for a, b in ((one.now, two.now), (one.after, two.after)):
        assert (a is None) == (b is None)
        for part in ("value", "bound", "over", "exceeded") if a is not None else ():
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part), part)


@pytest.mark.parametrize("parts", [1, 2, 7, 60])
@pytest.mark.parametrize("with_plan", [True, False])
def test_a_run_in_parts_is_the_run_as_a_whole(with_plan: bool, parts: int, plan: al.Plan, tmp_path: Path) -> None:
    """Limits are read part by part, cut anywhere, also through a client; a limit of one's own comes up in the last."""
    tables = left(plan if with_plan else plan.before)
    own = tables["limits"].drop_duplicates("client_id").tail(3).assign(limit="my_own")
    tables["limits"] = pd.concat([tables["limits"], own], ignore_index=True)
    for name, table in tables.items():
        (tmp_path / name).mkdir()
        size = -(-len(table) // parts)
        for k in range(parts):
            table.iloc[k * size : (k + 1) * size].to_parquet(tmp_path / name / f"part-{k:02}.parquet")
    whole = facts_of_tables(read_tables(tmp_path), plan.before.framework, on=ON)
    same_facts(al.facts_of_run(tmp_path, plan.before.framework, on=ON), whole)
    assert whole.limits[-1].name == "my_own"
    assert np.isfinite(whole.now.value[:, -1]).sum() == 3


def test_parts_of_limits_are_let_go(plan: al.Plan) -> None:
    """Never more than two parts are held: memory grows with the clients, not with the rows of limits."""
    tables = left(plan)
    alive: list[weakref.ref[pd.DataFrame]] = []

    def parts() -> Iterator[pd.DataFrame]:
        for k in range(0, len(tables["limits"]), 50):
            gc.collect()
            assert sum(r() is not None for r in alive) <= 1
            part = tables["limits"].iloc[k : k + 50].copy()
            alive.append(weakref.ref(part))
            yield part
            del part

    _sheets(parts(), tables["summary"], plan.before.framework)
    assert len(alive) > 5


def test_parts_that_do_not_fit_are_refused(plan: al.Plan, tmp_path: Path) -> None:
    tables = left(plan.before)
    tables["summary"].to_parquet(tmp_path / "summary.parquet")
    with pytest.raises(InputError, match="table limits: no column client_id"):
        al.facts_of_run(tmp_path, on=ON)
    (tmp_path / "limits").mkdir()
    tables["limits"].to_parquet(tmp_path / "limits" / "a.parquet")
    tables["limits"].drop(columns="bound").to_parquet(tmp_path / "limits" / "b.parquet")
    with pytest.raises(InputError, match="table limits: no column bound"):
        al.facts_of_run(tmp_path, on=ON)
    tables["limits"].assign(client_id="nobody").to_parquet(tmp_path / "limits" / "b.parquet")
    with pytest.raises(InputError, match="not in the summary"):
        al.facts_of_run(tmp_path, on=ON)
