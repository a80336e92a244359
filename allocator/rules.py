"""Rules over the typed rows of one table: each takes the rows and who is still in, and says what it found.

A rule is a function ``(rows, alive) -> (rows, notes)``; `RULES` says which table has which, in order. A note that
drops takes its rows out before the next rule runs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allocator.cells import Positions, clean_text
from allocator.issues import ERROR, INFO, WARNING
from allocator.schema import KEYS, RESTRICTIONS, TABLES

MISMATCH: Final = 0.01
"""Value and quantity × price may differ by this fraction of the value before it is worth a word."""
WHOLE: Final = 1e-6
"""How far the weights of a fund may be from 1."""

_ISIN: Final = re.compile("[A-Z]{2}[A-Z0-9]{9}[0-9]")

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Note:
    """An issue to be, by position in the table.

    Attributes
    ----------
    at
        Positions of the rows.
    column
        Schema column (or the header as found).
    code, severity, mend
        As in the issue table; ``mend`` one text for all or one per position.
    value
        What to show, one per position; None shows the cell as found.
    drops
        True when the rows are set aside.
    whole
        True when it is about the table: no client, row 0.
    """

    at: Positions
    column: str
    code: str
    severity: str = ERROR
    mend: str | list[str] = ""
    value: list[str] | None = None
    drops: bool = False
    whole: bool = False


Rule = Callable[[pd.DataFrame, Mask], tuple[pd.DataFrame, list[Note]]]


def fill_ids(rows: pd.DataFrame, alive: Mask) -> tuple[pd.DataFrame, list[Note]]:
    """Give every holding an id and a name: what is absent is taken from the other; a row with neither is set aside.

    Rows of one client that only have a name, the same one, are kept apart: the later ones get the id ``name (2)``,
    ``name (3)`` … — unless every cell is equal, then the later ones are duplicates.
    """
    derived = (rows["asset_id"] == "").to_numpy(dtype=bool)
    nameless = derived & (rows["name"] == "").to_numpy(dtype=bool)
    ids = rows["asset_id"].mask(derived, clean_text(rows["name"], fold=True)[0])
    rows = rows.assign(asset_id=ids.astype("str"), name=rows["name"].mask(rows["name"] == "", rows["asset_id"]))
    notes = _note(alive & nameless, "name", "missing_value", "name, asset_id", drops=True)
    keys = list(KEYS["holdings"])
    inside = np.flatnonzero(alive & ~nameless)
    twins = inside[rows.iloc[inside].duplicated(keys, keep=False).to_numpy()]
    if not derived[twins].any():
        return rows, notes
    twins = twins[np.argsort(derived[twins], kind="stable")]  # given ids come first: a derived one gives way
    part = rows.iloc[twins]
    same = part.duplicated([c.name for c in TABLES["holdings"]]).to_numpy() & derived[twins]
    notes += _note(_mask(twins[same], len(rows)), "asset_id", "duplicate", drops=True)
    part, twins = part[~same], twins[~same]
    turn = part.groupby(keys, sort=False).cumcount().to_numpy()
    late = (turn > 0) & derived[twins]
    moved, number = twins[late], turn[late] + 1
    name = ids.iloc[moved]
    ids = ids.copy()
    while True:  # a new id may itself be taken ("gold (2)" was there): count on until it is free
        ids.iloc[moved] = name + " (" + pd.Series(number, index=name.index).astype("str") + ")"
        others = inside[~_mask(moved, len(rows))[inside]]
        order = np.concatenate([others, moved])
        clash = rows.assign(asset_id=ids).iloc[order].duplicated(keys).to_numpy()[len(others) :]
        if not clash.any():
            break
        number = number + clash
    renamed = list(ids.iloc[moved])
    notes.append(Note(moved, "asset_id", "same_name", INFO, renamed, list(name)))
    return rows.assign(asset_id=ids.astype("str")), notes


def no_repeats(table: str) -> Rule:
    """Build the rule that sets aside a second row with the same key."""
    keys = list(KEYS[table])

    def rule(rows: pd.DataFrame, alive: Mask) -> tuple[pd.DataFrame, list[Note]]:
        inside = np.flatnonzero(alive)
        again = inside[rows.iloc[inside].duplicated(keys).to_numpy()]
        if not len(again):
            return rows, []
        first = rows.iloc[inside].drop_duplicates(keys).set_index(keys)["row"]
        wanted = pd.MultiIndex.from_frame(rows.iloc[again][keys]) if len(keys) > 1 else rows.iloc[again][keys[0]]
        where = [str(row) for row in first.reindex(wanted).to_numpy()]
        return rows, [Note(again, keys[-1] if table != "holdings" else "asset_id", "duplicate", mend=where, drops=True)]

    return rule


def value_agrees(rows: pd.DataFrame, alive: Mask) -> tuple[pd.DataFrame, list[Note]]:
    """Point out holdings whose quantity times price is not their value; the value is used."""
    product = (rows["quantity"] * rows["price"]).to_numpy()
    value = rows["value"].to_numpy()
    with np.errstate(invalid="ignore"):
        off = alive & (np.abs(product - value) > MISMATCH * np.abs(value))
    return rows, _note(off, "value", "value_mismatch", [f"{p:.2f}" for p in product[off]], severity=WARNING)


def isin_checks(rows: pd.DataFrame, alive: Mask) -> tuple[pd.DataFrame, list[Note]]:
    """Point out ISINs that are none, by length or check digit (ISO 6166, annex A); they are used as they stand."""
    codes, words = pd.factorize(rows["isin"])
    wrong = np.array([word != "" and not is_isin(str(word)) for word in words], dtype=bool)[codes]
    return rows, _note(alive & wrong, "isin", "bad_isin", severity=WARNING)


def isin_classes(rows: pd.DataFrame, alive: Mask) -> tuple[pd.DataFrame, list[Note]]:
    """Point out holdings of a client whose class is written otherwise than that of the same ISIN before it."""
    inside = np.flatnonzero(alive & ((rows["isin"] != "") & (rows["asset_class"] != "")).to_numpy(dtype=bool))
    part = rows.iloc[inside]
    first = part.groupby(["client_id", "isin"])["asset_class"].transform("first")
    other = (part["asset_class"].str.casefold() != first.str.casefold()).to_numpy(dtype=bool)
    if not other.any():
        return rows, []
    note = Note(inside[other], "isin", "isin_classes", WARNING, list(first[other]), list(part["isin"][other]))
    return rows, [note]


def is_isin(word: str) -> bool:
    """Whether a text is an ISIN: two letters, nine letters or digits, and a check digit by Luhn's rule.

    Letters count as two digits, A as 10 to Z as 35 (ISO 6166, annex A).
    """
    if not _ISIN.fullmatch(word.upper()):
        return False
    digits = [int(d) for c in word.upper() for d in str(int(c, 36))]
    total = sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(reversed(digits)))
    return total % 10 == 0


def not_future(rows: pd.DataFrame, alive: Mask) -> tuple[pd.DataFrame, list[Note]]:
    """Point out values dated after today."""
    late = alive & (rows["as_of"] > pd.Timestamp(date.today())).to_numpy()
    return rows, _note(late, "as_of", "future_date", date.today().isoformat(), severity=WARNING)


def not_zero(rows: pd.DataFrame, alive: Mask) -> tuple[pd.DataFrame, list[Note]]:
    """Point out rows without money in them; they are used."""
    return rows, _note(alive & (rows["value"] == 0.0).to_numpy(), "value", "zero_value", severity=INFO)


def ids_differ(rows: pd.DataFrame, alive: Mask) -> tuple[pd.DataFrame, list[Note]]:
    """Point out assets of one client whose ids differ in capitals only."""
    inside = np.flatnonzero(alive)
    words = pd.factorize(rows["asset_id"].iloc[inside])[1]
    if pd.Series(words).str.casefold().is_unique:  # cheap test first: no two spellings anywhere in the book
        return rows, []
    part = pd.DataFrame({"client": rows["client_id"].iloc[inside], "id": rows["asset_id"].iloc[inside], "at": inside})
    part = part.drop_duplicates(["client", "id"])
    part["low"] = part["id"].str.casefold()
    twins = part[part.duplicated(["client", "low"], keep=False)]
    if twins.empty:
        return rows, []
    spellings = twins.groupby(["client", "low"])["id"]
    other = spellings.shift(1).fillna(spellings.transform("last"))  # each one is shown beside another one
    return rows, [Note(twins["at"].to_numpy(), "asset_id", "similar_id", WARNING, list(other), list(twins["id"]))]


def restricted(rows: pd.DataFrame, alive: Mask) -> tuple[pd.DataFrame, list[Note]]:
    """Write restrictions in the words of the schema, several joined by ``|`` in its order.

    An instruction that is not understood, or that contradicts itself (never sell, and sell first), is not traded
    against: the holding is neither sold nor bought, and the row gets a warning.
    """
    found, cells = pd.factorize(rows["restriction"])
    known = {_folded(w): code for code, also in RESTRICTIONS.items() for w in (code, *also)}
    told, clear = [], []
    for cell in cells:
        words = {_folded(w) for w in re.split("[|;,、/]", unicodedata.normalize("NFKC", str(cell)))} - {""}
        codes = {known.get(w, "") for w in words}
        clear.append("" not in codes and not codes >= {"never_sell", "sell_first"})
        told.append("|".join(c for c in RESTRICTIONS if c in (codes if clear[-1] else ("never_sell", "never_buy"))))
    if told == [str(c) for c in cells]:
        return rows, []
    odd = alive & ~np.array(clear, dtype=bool)[found]
    plain = pd.Series(pd.array(told, dtype="str").take(found), index=rows.index)
    return rows.assign(restriction=plain), _note(
        odd, "restriction", "unknown_restriction", ", ".join(RESTRICTIONS), severity=WARNING
    )


def _folded(word: str) -> str:
    """Compare instructions without regard to capitals, blanks and hyphens."""
    return re.sub(r"[\s_\-]+", "_", word.strip()).strip("_").casefold()


def weights_add_up(rows: pd.DataFrame, alive: Mask) -> tuple[pd.DataFrame, list[Note]]:
    """Set aside every row of a fund whose weights, as far as they could be read, do not sum to 1."""
    inside = np.flatnonzero(alive)
    total = rows.iloc[inside].groupby("fund_id")["weight"].transform("sum").to_numpy()
    off = np.abs(total - 1.0) > WHOLE
    note = Note(inside[off], "weight", "weights_sum", mend="1", value=[f"{t:.6g}" for t in total[off]], drops=True)
    return rows, [note] if off.any() else []


RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "holdings": (
        fill_ids,
        no_repeats("holdings"),
        ids_differ,
        isin_checks,
        isin_classes,
        value_agrees,
        not_future,
        not_zero,
        restricted,
    ),
    "clients": (no_repeats("clients"),),
    "debts": (not_zero,),
    "products": (no_repeats("products"),),
    "fx": (no_repeats("fx"),),
    "lookthrough": (no_repeats("lookthrough"), weights_add_up),
    "overrides": (no_repeats("overrides"),),
}
"""Rules of each table, in the order in which they run."""


def _note(
    where: Mask, column: str, code: str, mend: str | list[str] = "", *, severity: str = ERROR, drops: bool = False
) -> list[Note]:
    return [Note(np.flatnonzero(where), column, code, severity, mend, drops=drops)] if where.any() else []


def _mask(at: Positions, count: int) -> Mask:
    out = np.zeros(count, dtype=bool)
    out[at] = True
    return out
