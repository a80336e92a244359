"""How long a person waits at a terminal, and what is loaded meanwhile. Each run is a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median
from typing import Any

import pytest
from conftest import ROOT, SAMPLE
from test_bench_analysis import Clock, tell

RUNS = 5
HELP_SECONDS = 0.5
"""The longest that ``--help`` may take, as the median of five runs."""


def run(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command line in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, *python, "-m", "allocator", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )
    assert done.returncode in (0, 3, 4), done.stderr
    assert done.stdout
    return done


def modules(*arguments: str) -> dict[str, float]:
    """Top-level packages that a run imports, with the milliseconds spent in each package's own modules."""
    spent: dict[str, float] = {}
    for line in run(*arguments, python=("-X", "importtime")).stderr.splitlines():
        own, _, name = (*line.removeprefix("import time:").split("|"), "", "")[:3]
        if line.startswith("import time:") and own.strip().isdigit():
            package = name.strip().partition(".")[0]
            spent[package] = spent.get(package, 0.0) + int(own) / 1000
    return spent


def measure(benchmark: Any, *arguments: str) -> float:
    run(*arguments)  # byte code is written once
    benchmark.pedantic(lambda: run(*arguments), rounds=RUNS)
    return median(benchmark.stats.stats.data)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help(benchmark: Any, language: str, request: pytest.FixtureRequest) -> None:
    nothing = Clock()
    for _ in range(RUNS):
        nothing(lambda: subprocess.run([sys.executable, "-c", ""], check=True))
    bare = min(nothing.wall)
    seconds = measure(benchmark, "--help", "--lang", language)
    loaded = modules("--help", "--lang", language)
    benchmark.extra_info |= {"median_s": round(seconds, 3), "interpreter_s": round(bare, 3), "packages": len(loaded)}
    tell(
        request,
        f"--help --lang {language}: {seconds:.3f} s (the interpreter alone {bare:.3f} s), {len(loaded)} packages",
    )
    assert seconds < HELP_SECONDS
    assert not loaded.keys() & {"numpy", "pandas", "cvxpy", "matplotlib", "scipy", "pydantic"}


@pytest.mark.parametrize(
    "arguments",
    [("check", str(SAMPLE)), ("check", str(SAMPLE), "--json"), ("rebalance", str(SAMPLE), "--json")],
    ids=["check", "check-json", "rebalance-json"],
)
def test_sample_book(benchmark: Any, arguments: tuple[str, ...], request: pytest.FixtureRequest) -> None:
    seconds = measure(benchmark, *arguments)
    loaded = modules(*arguments)
    dearest = sorted(loaded, key=lambda p: -loaded[p])[:6]
    text = ", ".join(f"{p} {loaded[p]:.0f}" for p in dearest)
    benchmark.extra_info |= {
        "median_s": round(seconds, 3),
        "packages": len(loaded),
        "import_ms": {p: round(loaded[p], 1) for p in dearest},
    }
    tell(request, f"{' '.join(arguments[::2])} on the sample book: {seconds:.2f} s; imports in ms: {text}")
    heavy = loaded.keys() & {"cvxpy", "matplotlib", "scipy", "clarabel"}
    assert not heavy if arguments[0] == "check" else "matplotlib" not in heavy
