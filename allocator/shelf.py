"""What can be bought: the products table, or the framework's default shelf."""

from __future__ import annotations

import numpy as np
import pandas as pd

from allocator.book import Book
from allocator.classify import match_words
from allocator.framework import Framework
from allocator.issues import ERROR, issue_table

TEXTS = ("product_id", "name", "issuer", "sector", "country")


def build_shelf(book: Book, framework: Framework, rates: dict[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Build the shelf: the products table, or the framework's one generic product per class.

    Returns
    -------
    (shelf, issues)
        ``product_id, name, issuer, sector, country, currency, klass, risk, buy_cost, sell_cost, minimum, lot,
        available``; what a product leaves open is its class's; minimum and lot in the base currency; available: open
        and sold by the house. A product whose currency has no rate is set aside: not available, with an issue. The
        currency of a generic product is empty: everyone buys it in their own.
    """
    classes, issues = list(framework.classes.values()), issue_table()
    if len(book.products):
        t = book.products
        klass = match_words(t["asset_class"], framework)
        t, klass = t[klass >= 0], klass[klass >= 0]
        currency = t["currency"].where(t["currency"] != "", framework.currency)
        rate = currency.map(rates).to_numpy("float64", na_value=np.nan)
        columns = {c: t[c].to_numpy() for c in (*TEXTS, "risk", "buy_cost", "sell_cost")}
        columns["currency"] = currency.to_numpy()
        columns |= {c: t[c].to_numpy("float64") * np.nan_to_num(rate, nan=0.0) for c in ("minimum", "lot")}
        known = np.isfinite(rate)
        available = ((t["status"].str.casefold() == "open") & t["on_house_shelf"]).to_numpy(bool) & known
        issues = issue_table(
            {
                "file": t["file"].iloc[i],
                "table": "products",
                "row": t["row"].iloc[i],
                "column": "currency",
                "code": "missing_rate",
                "value": t["currency"].iloc[i],
                "severity": ERROR,
                "mend": t["currency"].iloc[i],
            }
            for i in np.flatnonzero(~known)
        )
    else:
        items = framework.products
        klass = np.array([framework.class_codes.index(x.asset_class) for x in items.values()], dtype="intp")
        columns = {"product_id": np.array(list(items)), "name": np.array([f"{x.zh} {x.en}" for x in items.values()])}
        columns |= {
            c: np.array([getattr(x, c) for x in items.values()], dtype="float64")
            for c in ("risk", "buy_cost", "sell_cost")
        }
        columns |= {c: np.zeros(len(items)) for c in ("minimum", "lot")}
        available = np.ones(len(items), dtype=bool)
        columns |= {c: np.full(len(items), "", dtype=object) for c in ("issuer", "sector", "country", "currency")}
    out = pd.DataFrame({**columns, "klass": klass, "available": available})
    out = out.astype(dict.fromkeys((*TEXTS, "currency"), "str"))
    for c in ("risk", "buy_cost", "sell_cost"):
        usual = np.array([getattr(classes[k], c) for k in klass], dtype="float64")
        out[c] = np.where(out[c].isna(), usual, out[c]).astype("float64")
    return out, issues
