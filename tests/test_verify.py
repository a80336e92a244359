"""The verifier shares nothing with what it verifies, and is fast."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sheets import CLASSIC, D, item, owing, plan_of, run, sheet_of

import allocator.verify as verify_module
from allocator.verify import Certificate

FILES = sorted(Path(verify_module.__file__).parent.glob("verify*.py"))
ALLOWED = {
    "allocator.framework": {"Framework", "AssetClass", "OWN_USE", "UNCLASSIFIED"},
    "allocator.assumptions": {"Assumptions", "risk_table"},
    "allocator.limits": {"Limit", "limit_list", "budgets", "TOLERANCE"},
}
"""What the verifier may know of the rest of the package: definitions, as data."""


def test_it_imports_nothing_from_the_optimiser_nor_any_float_measure() -> None:
    assert len(FILES) >= 5
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                assert all(not n.name.startswith(("allocator", "numpy", "pandas", "cvxpy")) for n in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                assert not module.startswith(("numpy", "pandas", "cvxpy", "scipy"))
                if module.startswith("allocator") and not module.startswith("allocator.verify"):
                    assert {n.name for n in node.names} <= ALLOWED[module], file.name
        # arrays of the framework are the float side's
        assert not any(word in text for word in (".flag(", ".share(", ".in_bucket", ".in_group", ".covariance"))


def test_of_the_float_risk_table_only_the_draws_are_taken() -> None:
    taken: set[str] = set()
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = [
            node.targets[0].id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Call)
            and getattr(node.value.func, "id", "") == "risk_table"
        ]
        named = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "risk_table"]
        assert len(named) == len(calls), f"{file.name}: a risk table that is not kept under one name"
        taken |= {
            n.attr
            for n in ast.walk(tree)
            if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in calls
        }
    assert taken == {"scenarios", "level"}


def test_benchmark_thirty_items(benchmark: Callable[..., Certificate]) -> None:
    rng = np.random.default_rng(7)
    codes = [c for c in CLASSIC.classes if CLASSIC.classes[c].bucket != "own_use"]
    issuers = ("", "", "acme", "bolt")
    items = [item("cash", 100_000, "deposit")]
    items += [
        item(f"a{k}", round(rng.uniform(1e3, 1e6), 2), codes[k % len(codes)], issuer=issuers[k % 4]) for k in range(29)
    ]
    sheet = sheet_of(*items, spending=D(10_000), loans=owing(100_000), cash_flow=D(-50_000))
    moves = plan_of(sheet, ("a1", "sell", 100), ("a2", "buy", 100))
    assert benchmark(run, sheet, *moves).checks
