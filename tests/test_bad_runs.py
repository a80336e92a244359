"""What the house's list names for the optimiser and for the machine around it: refused, survived, or gone on with.

Killed processes, dead disks and the network are in test_bad_machine.py and test_bad_writers.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
from conftest import ON, ROOT
from faults import Failing, names
from judged import ANSWERED, GOOD, NEIGHBOURS, TOTAL, ids_of
from small import client, holding

import allocator as al
from allocator import commands, storage
from allocator.cli import main
from allocator.rebalance.conic import Cone
from allocator.rebalance.solve import UNPROVED


def config(folder: Path, kind: str, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(f'extends = "{"classic" if kind == "framework" else "long_run"}"\n{text}\n', "utf-8")
    return path


# id, file, its text, and words of the refusal
WRONG: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("low-above-high", "framework", "[bands.balanced.buckets.growth]\nlow = 0.6\nhigh = 0.4", ("low <= target",)),
    ("nan-bound", "framework", "[bands.balanced.buckets.growth]\nhigh = nan", ("buckets.growth",)),
    ("inf-bound", "framework", "[bands.balanced]\nvolatility = inf", ("volatility", "finite")),
    ("nan-limit", "framework", "[bands.balanced]\nlimits = { property = nan }", ("property",)),
    (
        "minima-over-100",
        "framework",
        "[bands.balanced.buckets]\n"
        + "\n".join(
            f"{b} = {{ low = 0.4, target = {t}, high = 0.6 }}" for b, t in zip("dgo", (0.4, 0.4, 0.4), strict=True)
        )
        .replace("d =", "defensive =")
        .replace("g =", "growth =")
        .replace("o =", "offensive ="),
        ("bands.balanced.buckets",),
    ),
    (
        "maxima-under-100",
        "framework",
        "[bands.balanced.buckets]\n"
        + "\n".join(f"{b} = {{ low = 0.1, target = 0.3, high = 0.3 }}" for b in ("defensive", "growth", "offensive")),
        ("bands.balanced.buckets",),
    ),
    ("nan-covariance", "assumptions", "[factors.equity]\nvolatility = nan", ("factors.equity.volatility", "finite")),
    ("inf-covariance", "assumptions", "[factors.equity]\nvolatility = inf", ("factors.equity.volatility", "finite")),
    ("inf-mean", "assumptions", "[factors.equity]\nmean = inf", ("factors.equity.mean", "finite")),
    ("negative-volatility", "assumptions", "[factors.equity]\nvolatility = -0.1", ("greater than 0",)),
)


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in WRONG])
def test_wrong_numbers_of_the_house(case: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A framework or assumptions that cannot be are refused by name of file and key, before any client is judged."""
    name, kind, text, words = case
    path = config(tmp_path, kind, text)
    pd.DataFrame(NEIGHBOURS).to_csv(tmp_path / "h.csv", index=False)
    assert main(["rebalance", str(tmp_path / "h.csv"), "--band", "C3", f"--{kind}", str(path), "--lang", "en"]) in (
        2,
        5,
    )
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert all(w in err for w in ("mine.toml", *words)), err
    ANSWERED.add(name)


def planned(*rows: dict[str, Any], framework: Any = "classic", assumptions: Any = "long_run", **how: Any) -> al.Plan:
    people = [client(), client(client_id=GOOD, monthly_spending=100.0)]
    book = al.read_book(pd.DataFrame([*rows, *NEIGHBOURS], dtype=object), clients=pd.DataFrame(people, dtype=object))
    return al.rebalance(
        al.analyze(book, framework, assumptions=assumptions, on=ON), explain=False, engine="client", **how
    )


def status(plan: al.Plan) -> dict[str, str]:
    assert plan.summary["certificate"].all()
    return dict(zip(plan.summary["client_id"], plan.summary["status"], strict=True))


CORRELATIONS: tuple[tuple[str, tuple[tuple[int, int, float], ...], str], ...] = (
    ("nan-correlation", ((1, 2, float("nan")), (2, 1, float("nan"))), "finite number"),
    ("asymmetric", ((1, 2, 0.1),), "symmetric"),
    (
        "indefinite",
        ((0, 1, 0.99), (1, 0, 0.99), (0, 3, 0.99), (3, 0, 0.99), (1, 3, -0.9), (3, 1, -0.9)),
        "semidefinite",
    ),
)


def correlated(folder: Path, *cells: tuple[int, int, float], volatility: str = "") -> Path:
    """Long-run assumptions with some correlations put in the place of theirs."""
    usual = al.load_assumptions().correlation
    rows = [list(row) for row in usual.rows]
    for i, j, value in cells:
        rows[i][j] = value
    text = "[correlation]\norder = " + str(list(usual.order)) + "\nrows = " + str(rows)
    return config(folder, "assumptions", f"{text}\n{volatility}")


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in CORRELATIONS])
def test_correlations_that_cannot_be(case: Any, tmp_path: Path) -> None:
    name, cells, word = case
    with pytest.raises(al.ConfigError, match=rf"mine\.toml.*{word}"):
        planned(holding(value=1e6), assumptions=correlated(tmp_path, *cells))
    ANSWERED.add(name)


def test_singular(tmp_path: Path) -> None:
    """Two factors that move as one: the covariance of the factors has no inverse, and none is needed."""
    usual = al.load_assumptions().correlation
    n = len(usual.order)
    twin = [(2, j, usual.rows[1][j]) for j in range(n)] + [(j, 2, usual.rows[1][j]) for j in range(n)]
    path = correlated(tmp_path, *twin, (2, 2, 1.0), (1, 2, 1.0), (2, 1, 1.0))
    assert abs(np.linalg.det(np.array(al.load_assumptions(path).correlation.rows))) < 1e-12
    assert status(planned(holding(value=1e6), assumptions=path)) == {"a": "in_band", GOOD: "in_band"}
    ANSWERED.add("singular")


def test_badly_scaled(tmp_path: Path) -> None:
    """One factor a million times as volatile as another: a certified plan, or none; never a wrong one."""
    path = correlated(tmp_path, volatility="[factors.bond]\nvolatility = 1e-6\n[factors.property]\nvolatility = 1.0")
    assert set(status(planned(holding(value=1e6), assumptions=path)).values()) <= {"in_band", "improved", "stuck"}
    ANSWERED.add("badly-scaled")


SHEETS: tuple[tuple[str, list[dict[str, Any]], str], ...] = (
    ("one-asset", [holding(value=1e6)], "in_band"),
    ("nothing-eligible", [holding(value=1e6, asset_class="own_home")], "invalid"),
    (
        "locked-beyond-the-band",
        [holding(value=1e6, asset_class="private_business", locked_until="2031-01-01")],
        "stuck",
    ),
    ("a-trillion-and-a-cent", [holding(value=1e12), holding(asset_id="y", value=0.01)], "in_band"),
    (
        "band-at-the-edge",
        [
            holding(asset_id="cash", value=250_000),
            holding(asset_id="gold", asset_class="gold", value=50_000),
            holding(asset_id="bonds", asset_class="bond_fund", value=250_000),
            holding(asset_id="index", asset_class="equity_fund", value=250_000),
            holding(asset_id="flat", asset_class="investment_property", value=100_000),
            holding(asset_id="hedge", asset_class="hedge_fund", value=100_000),
        ],
        "no_trade",
    ),
)


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in SHEETS])
def test_sheets_at_the_end_of_what_can_be_planned(case: Any, tmp_path: Path) -> None:
    """At the edge: the offensive bucket may be 20% at most and is 20% to the cent."""
    name, rows, want = case
    framework: Any = "classic"
    if name == "band-at-the-edge":
        framework = config(tmp_path, "framework", "[bands.balanced.buckets.offensive]\nhigh = 0.2")
    found = status(planned(*rows, framework=framework))
    assert found["a"] == want
    ANSWERED.add(name)


ANSWERS = {
    "solver-exception": cp.error.SolverError("broken"),
    "user-limit": "user_limit",
    "optimal-inaccurate": "optimal_inaccurate",
    "solver-nan": float("nan"),
}


@pytest.mark.parametrize("answer", list(ANSWERS))
def test_a_solver_that_breaks(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not proved is no plan: every fast answer is spoiled, and the general solver gives the answer named."""
    told = ANSWERS[answer]
    tried: list[str] = []

    def unproved(*_: Any) -> Any:
        return UNPROVED

    def general(self: cp.Problem, *_: Any, **__: Any) -> None:
        tried.append(answer)
        if isinstance(told, Exception):
            raise told
        for variable in self.variables():
            variable.save_value(np.full(variable.shape, told if isinstance(told, float) else 0.5))
        self._status = told if isinstance(told, str) else "optimal_inaccurate"
        self._value = told if isinstance(told, float) else 0.5

    monkeypatch.setattr(Cone, "proof", unproved)
    monkeypatch.setattr(Cone, "refuted", lambda *_: False)
    monkeypatch.setattr(cp.Problem, "solve", general)
    plan = planned(holding(value=1e6))
    assert tried
    assert set(status(plan).values()) == {"invalid"}
    assert set(plan.summary["reason"]) == {"no_verified_plan"}
    assert plan.trades.empty
    ANSWERED.add(answer)


# ---- the machine


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The third call to the disk fails: a sentence, no partial file, the old report as it was."""
    pd.DataFrame(NEIGHBOURS).to_csv(tmp_path / "h.csv", index=False)
    page = tmp_path / "out" / "page.html"
    args = ["report", str(tmp_path / "h.csv"), "--client", GOOD, "--band", "C3", "-o", str(page), "--lang", "en"]
    page.parent.mkdir()
    assert main(args) in (0, 3, 4)
    before = page.read_bytes()
    monkeypatch.setattr(storage, "CALLS", Failing(2))
    capsys.readouterr()
    assert main([*args, "--date", "2026-09-30"]) == 5
    err = capsys.readouterr().err
    assert "make room" in err
    assert "Traceback" not in err
    assert names(page.parent) == ["page.html"]
    assert page.read_bytes() == before
    ANSWERED.add("disk-full")


def test_two_runs_on_one_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame(NEIGHBOURS).to_csv(tmp_path / "h.csv", index=False)
    args = ["batch", str(tmp_path / "h.csv"), "--out", str(tmp_path / "out"), "--check-only", "--workers", "1"]
    with storage.one_writer(tmp_path / "out"):
        assert main([*args, "--lang", "en"]) == 2
    assert "another run is writing" in capsys.readouterr().err
    ANSWERED.add("two-runs")


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    pd.DataFrame(NEIGHBOURS).to_csv(tmp_path / "h.csv", index=False)
    monkeypatch.setattr(commands, "analysed", stop)
    assert main(["check", str(tmp_path / "h.csv"), "--lang", "en"]) == 130
    assert "Interrupted" in capsys.readouterr().err
    ANSWERED.add("ctrl-c")


PLACES: dict[str, dict[str, str]] = {
    "lc-all-c": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "gbk-console": {"PYTHONIOENCODING": "gbk"},
    "other-time-zone": {"TZ": "Pacific/Kiritimati"},
    "no-home-no-network": {"HOME": "", "USERPROFILE": "", "https_proxy": "http://127.0.0.1:9", "no_proxy": ""},
}


@pytest.mark.parametrize("place", list(PLACES))
def test_other_places(place: str, tmp_path: Path) -> None:
    """In a process of its own, from a folder with a Chinese name: the same JSON as here."""
    folder = tmp_path / "客户 资料"
    folder.mkdir()
    pd.DataFrame(NEIGHBOURS).to_csv(folder / "持仓.csv", index=False)
    args = [
        sys.executable,
        "-m",
        "allocator",
        "check",
        str(folder / "持仓.csv"),
        "--lang",
        "zh",
        "--date",
        "2026-09-30",
    ]
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    env = plain | {"PYTHONPATH": str(ROOT)} | PLACES[place]
    if place.startswith("no-home"):
        del env["HOME"]
    done = subprocess.run([*args, "--band", "C3", "--json"], capture_output=True, env=env, cwd=folder, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stderr == b""
    found = json.loads(done.stdout.decode("utf-8"))["clients"][0]
    assert sum(b["value"] for b in found["buckets"].values()) == TOTAL
    ANSWERED.update({place, "chinese-path"})


def test_a_clock_that_jumps(tmp_path: Path) -> None:
    """The day of the analysis is part of the book's setting: another day is another run, not a mixture."""
    frame = pd.DataFrame(NEIGHBOURS)
    few: dict[str, Any] = {"plan": False, "workers": 1, "band": "C3"}
    al.batch(frame, tmp_path / "out", on=ON, **few)
    with pytest.raises(al.ConfigError, match="on"):
        al.batch(frame, tmp_path / "out", on=ON.replace(year=2020), **few, resume=True)
    ANSWERED.add("clock-jump")


ITEMS = (
    *ids_of(WRONG, CORRELATIONS, SHEETS),
    *(*ANSWERS, *PLACES),
    *("chinese-path", "singular", "badly-scaled", "clock-jump", "disk-full", "two-runs", "ctrl-c"),
)
