"""What an obstacle costs is never less than nothing: the plan as it is stays open without the obstacle."""

from __future__ import annotations

import pytest
from conftest import ON

from allocator.book import Book
from allocator.pipeline import analyze, rebalance


@pytest.mark.parametrize("client", ["C002", "C004", "C008", "C011", "C019", "C021"])
def test_suitability_by_portfolio_is_no_worse_than_by_product(client: str, sample: Book) -> None:
    """C008 has four flats that sell whole: a short search alone ended at selling none of them."""
    plan = rebalance(analyze(sample.client(client), on=ON))
    modes = plan.suitability.set_index("mode")
    assert modes.loc["portfolio", "excess"] <= modes.loc["product", "excess"] + 1e-6
    assert modes["certificate"].all()
    gone = plan.obstacles.set_index("obstacle")
    assert (gone["excess"] <= 1e-4).all()
