"""Two snapshots side by side: clients matched by id, amounts in one currency, holdings matched, flows told apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from allocator.exposures import ratio
from allocator.ledger.snapshots import Snapshot
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray

HELD: Final = ("client", "asset_id", "name", "asset_class", "currency", "value", "weight", "quantity")
"""Columns of the holdings that a comparison needs."""
CENT: Final = 0.005
"""Amounts smaller than this are none."""


@dataclass(frozen=True, eq=False)
class Change:
    """From one snapshot to a later one; ``before`` is None where there is nothing to compare with.

    Clients of both have one place each: those of ``after`` keep theirs, those who are gone come behind. Arrays are one
    entry per client by that place; amounts of ``before`` are in the currency that the client has in ``after``.
    """

    before: Snapshot | None
    after: Snapshot
    measured: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    """What was measured already, by kind of finding."""

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def ids(self) -> pd.Index:
        """Client ids."""
        if self.before is None:
            return self.after.ids
        return self.after.ids.append(self.before.ids[self._found < 0])

    @cached_property
    def _found(self) -> IntArray:
        """Place in ``after`` of each client of ``before``; −1 gone."""
        assert self.before is not None
        return self.after.ids.get_indexer(self.before.ids).astype("intp")

    @cached_property
    def place_of(self) -> IntArray:
        """Place here of each client of ``before``."""
        if self.before is None:
            return np.zeros(0, dtype="intp")
        gone = self._found < 0
        return np.where(gone, len(self.after) + np.cumsum(gone) - 1, self._found).astype("intp")

    @cached_property
    def at(self) -> IntArray:
        """Place in ``before`` of each client; −1 new."""
        out = np.full(len(self), -1, dtype="intp")
        out[self.place_of] = np.arange(len(self.place_of))
        return out

    @cached_property
    def was(self) -> BoolArray:
        """In ``before``."""
        return np.asarray(self.at >= 0)

    @cached_property
    def now(self) -> BoolArray:
        """In ``after``."""
        return np.asarray(np.arange(len(self)) < len(self.after))

    @property
    def both(self) -> BoolArray:
        """In both."""
        return self.was & self.now

    def old(self, column: str, *, money: bool = False) -> FloatArray:
        """Return a number per client as it was; NaN for the new, and for money whose rate is unknown."""
        out = np.full(len(self), np.nan)
        if self.before is not None:
            out[self.place_of] = self.before.clients[column].to_numpy("float64")
        return out * self.rate if money else out

    def new(self, column: str) -> FloatArray:
        """Return a number per client as it is; NaN for who is gone."""
        out = np.full(len(self), np.nan)
        out[: len(self.after)] = self.after.clients[column].to_numpy("float64")
        return out

    def old_text(self, column: str) -> AnyArray:
        """Return a text per client as it was; empty for the new."""
        out = np.full(len(self), "", dtype=object)
        if self.before is not None:
            out[self.place_of] = self.before.clients[column].to_numpy(dtype=object)
        return out

    def new_text(self, column: str) -> AnyArray:
        """Return a text per client as it is; empty for who is gone."""
        out = np.full(len(self), "", dtype=object)
        out[: len(self.after)] = self.after.clients[column].to_numpy(dtype=object)
        return out

    @cached_property
    def currency(self) -> AnyArray:
        """Currency of each client: that of ``after``, or of ``before`` for who is gone."""
        return np.where(self.now, self.new_text("currency"), self.old_text("currency"))

    @cached_property
    def rate(self) -> FloatArray:
        """What one unit of a client's old currency is in the new one, at the rates of ``before``, or else ``after``.

        1 where the currency is the same, NaN where no rate is known.
        """
        out = np.ones(len(self))
        if self.before is None:
            return out
        was, now = self.old_text("currency"), self.new_text("currency")
        for k in np.flatnonzero(self.both & (was != now)):
            found = (
                r[was[k]] / r[now[k]] for r in (self.before.rates, self.after.rates) if {was[k], now[k]} <= r.keys()
            )
            out[k] = next(found, np.nan)
        return out

    def forget(self) -> None:
        """Let go of everything that was read of ``after`` and measured: a long history does not fit into memory."""
        self.measured.clear()
        self.after.forget()
        for name in ("held", "ids", "place_of", "at", "_found"):
            self.__dict__.pop(name, None)

    @cached_property
    def held(self) -> Held:
        """Every holding of either snapshot."""
        return match(self)

    @cached_property
    def cash_classes(self) -> list[str]:
        """Classes of deposits and money market funds."""
        f = self.after.framework
        return [c for c, is_cash in zip(f.class_codes, f.flag("cash") > 0, strict=True) if is_cash]


@dataclass(frozen=True)
class Held:
    """Holdings matched by client and ``asset_id``: one entry per holding of either snapshot.

    Attributes
    ----------
    client
        Place in the change.
    asset, name, klass
        Texts, as coded words: of ``after``, or of ``before`` for what is gone.
    old, new
        Value in the client's present currency; 0 where it was not or is no longer held.
    was, now
        In each snapshot.
    weight_old, weight_new
        Fraction of the total; 0 where it is not held.
    flow
        Money that came (+) or went (−): units bought or sold at the present price where units are known at both ends;
        all of it for what is new or gone; else the change of value.
    counted
        It is no revaluation: units are known, or the holding is new or gone.
    """

    client: IntArray
    asset: pd.Categorical
    name: pd.Categorical
    klass: pd.Categorical
    old: FloatArray
    new: FloatArray
    was: BoolArray
    now: BoolArray
    weight_old: FloatArray
    weight_new: FloatArray
    flow: FloatArray
    counted: BoolArray


def match(change: Change) -> Held:
    """Match the holdings of two snapshots, and tell flows from revaluations."""
    after = change.after.columns("holdings", *HELD)
    before = after.iloc[:0] if change.before is None else change.before.columns("holdings", *HELD)
    place = change.place_of[before["client"].to_numpy("intp")] if len(before) else np.zeros(0, dtype="intp")
    assets, code_old, code_new = _joint(before["asset_id"], after["asset_id"])
    size = max(len(assets), 1)
    key_old = place.astype("int64") * size + code_old
    key_new = after["client"].to_numpy("int64") * size + code_new
    keys = _union(key_old, key_new)
    at_old, at_new = np.searchsorted(keys, key_old), np.searchsorted(keys, key_new)
    client = (keys // size).astype("intp")

    def numbers(column: str) -> tuple[FloatArray, FloatArray]:
        old, new = np.zeros(len(keys)), np.zeros(len(keys))
        old[at_old], new[at_new] = before[column].to_numpy("float64"), after[column].to_numpy("float64")
        return old, new

    def words(column: str) -> tuple[pd.Categorical, IntArray, IntArray]:
        texts, old_codes, new_codes = _joint(before[column], after[column])
        old, new = (np.full(len(keys), -1, dtype="intp") for _ in range(2))
        old[at_old], new[at_new] = old_codes, new_codes
        latest = np.where(new >= 0, new, old)
        return pd.Categorical.from_codes(latest, categories=texts), old, new

    was, now = np.zeros(len(keys), dtype=bool), np.zeros(len(keys), dtype=bool)
    was[at_old], now[at_new] = True, True
    old, new = numbers("value")
    old = np.where(was, old * change.rate[client], 0.0)
    units_old, units_new = numbers("quantity")
    _, money_old, money_new = words("currency")
    same = money_old == money_new
    price = np.where(new > 0, ratio(new, units_new), ratio(old, units_old))
    with np.errstate(invalid="ignore"):
        flow = (units_new - units_old) * price
    counted = (np.isfinite(flow) & same) | (was != now)
    weights = [np.nan_to_num(w) for w in numbers("weight")]
    return Held(
        client=client,
        asset=pd.Categorical.from_codes((keys % size).astype("intp"), categories=assets),
        name=words("name")[0],
        klass=words("asset_class")[0],
        old=old,
        new=new,
        was=was,
        now=now,
        weight_old=weights[0],
        weight_new=weights[1],
        flow=np.where(counted & was & now, flow, new - old),
        counted=counted,
    )


def _union(one: IntArray, two: IntArray) -> IntArray:
    """Sorted keys of either; both come nearly sorted, which a stable sort makes use of."""
    keys = np.concatenate([one, two])
    keys.sort(kind="stable")
    return keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys


def _joint(old: pd.Series, new: pd.Series) -> tuple[pd.Index, IntArray, IntArray]:
    """Words of two coded columns, and the codes of both."""
    words_old, words_new = (pd.Index(x.cat.categories, dtype="str") for x in (old, new))
    words = words_new.append(words_old.difference(words_new, sort=False))
    to = words.get_indexer(words_old).astype("intp")
    codes = old.cat.codes.to_numpy("intp")
    return words, np.asarray(to[codes] if len(to) else codes), np.asarray(new.cat.codes.to_numpy("intp"))


def sums(change: Change, amount: FloatArray) -> FloatArray:
    """Sum amounts of holdings per client."""
    return np.bincount(change.held.client, weights=amount, minlength=len(change)).astype("float64")


def class_is(held: Held, codes: list[str]) -> BoolArray:
    """Where a holding is of one of the classes."""
    hit = np.array([str(c) in codes for c in held.klass.categories], dtype=bool)
    return hit[held.klass.codes] if len(hit) else np.zeros(len(held.client), dtype=bool)
