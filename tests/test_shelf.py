"""What can be bought: the products table, or one generic product per class."""

from __future__ import annotations

from typing import Any

import pytest
from small import USD, book_of, holding, numbers, told

from allocator.framework import load_framework


def product(**cells: Any) -> dict[str, Any]:
    return {"product_id": "P", "name": "P", "asset_class": "gold"} | cells


def test_what_a_product_leaves_open_is_its_class_s() -> None:
    gold = load_framework().classes["gold"]
    products = [product(), product(product_id="Q", risk=5, buy_cost=0.03, sell_cost=0.0, minimum=100, lot=10)]
    shelf = numbers(book_of(holding(), products=products))[0].shelf.set_index("product_id")
    columns = ["risk", "buy_cost", "sell_cost", "minimum", "lot"]
    assert shelf.loc["P", columns].tolist() == [gold.risk, gold.buy_cost, gold.sell_cost, 0, 0]
    assert shelf.loc["Q", columns].tolist() == [5, 0.03, 0, 100, 10]


@pytest.mark.parametrize(
    ("cells", "available"),
    [
        ({}, True),
        ({"status": "open"}, True),
        ({"status": "OPEN"}, True),
        ({"status": "pending"}, False),
        ({"status": "closed"}, False),
        ({"on_house_shelf": False}, False),
        ({"status": "open", "on_house_shelf": True}, True),
    ],
)
def test_only_open_products_of_the_house_are_available(cells: dict[str, Any], available: bool) -> None:
    assert numbers(book_of(holding(), products=[product(**cells)]))[0].shelf["available"].tolist() == [available]


def test_minimum_and_lot_of_a_foreign_product_are_in_the_base_currency() -> None:
    shelf = numbers(book_of(holding(), products=[product(currency="USD", minimum=100, lot=10)], fx=USD))[0].shelf
    assert shelf[["minimum", "lot"]].to_numpy().tolist() == [[700.0, 70.0]]


def test_a_product_whose_currency_has_no_rate_is_not_sold_as_if_it_were_in_the_base_currency() -> None:
    """100 euros of minimum are not 100 yuan: the product stays out, and the issue names its row."""
    p, issues = numbers(book_of(holding(), products=[product(), product(product_id="Q", currency="EUR", minimum=100)]))
    assert told(issues, "missing_rate")[["table", "row", "value"]].to_numpy().tolist() == [["products", 3, "EUR"]]
    assert p.shelf.loc[p.shelf["available"], "product_id"].tolist() == ["P"]


@pytest.mark.parametrize("framework", ["classic", "chhabra"])
def test_default_shelf_is_one_open_product_per_listed_class(framework: str) -> None:
    f = load_framework(framework)
    shelf = numbers(book_of(holding()), framework)[0].shelf
    assert shelf["product_id"].tolist() == list(f.products)
    assert [f.class_codes[k] for k in shelf["klass"]] == [p.asset_class for p in f.products.values()]
    assert shelf["available"].all()
    assert shelf["buy_cost"].tolist() == [f.classes[p.asset_class].buy_cost for p in f.products.values()]
    assert all(
        f.products[p].en in n and f.products[p].zh in n for p, n in zip(shelf["product_id"], shelf["name"], strict=True)
    )
