"""What changes for whom: the same clients under another framework, other assumptions, another band or other prices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.errors import InputError
from allocator.limits import Limit
from allocator.shown import Shown
from allocator.typing import AnyArray, BoolArray, FloatArray
from allocator.whole_book.facts import BookFacts, Sheet, Source, facts
from allocator.whole_book.view import book_view

SAME: Final = 1e-9
"""Scores, shares and volatilities that differ by less are the same."""
CENT: Final = 0.005
"""Amounts that differ by less are the same."""
FIGURES: Final = ("band", "status", "score", "volatility", "limits_exceeded", "total", "over_money")
"""Figures of each side in ``clients``, as ``_before`` and ``_after``."""
PLAN_FIGURES: Final = ("plan_status", "trades", "turnover", "buys", "sells", "repaid", "cost", "tax", "limits_after")
"""The same of plans, where both sides have them."""
EFFECTS: Final = (
    "changed",
    "band",
    "status",
    "score_up",
    "score_down",
    "volatility_up",
    "volatility_down",
    "broken",
    "mended",
    "plan_status",
    "trades",
)
TOTALS: Final = {"buys": "bought", "sells": "sold", "repaid": "repaid", "cost": "cost", "tax": "tax"}


@dataclass(frozen=True)
class Comparison(Shown):
    """Result of `allocator.compare`; money in the base currency, NaN for a client without a rate.

    Attributes
    ----------
    before, after
        What is compared, the clients of both only and in the same order.
    clients
        One row per client, in the order of ``before``: ``client_id``, ``advisor``, ``tier``, `FIGURES` (and
        `PLAN_FIGURES` where both are plans) before and after, ``changed`` (any of them differs), ``broken`` and
        ``mended`` (numbers of limits) and ``broken_limits``, ``mended_limits`` (name and sense, ``leverage<=``, joined
        by ``, ``).
        ``over_money`` is the most beyond any one limit.
    limits
        One row per client and limit that broke or was mended: ``client_id``, ``limit``, ``sense``, ``change``
        (``broken``, ``mended``), ``value``, ``bound`` and ``money`` beyond it, before and after. A limit that one side
        does not have, or that does not apply there, has NaN there; it counts as held.
    by_limit
        One row per limit of either side: clients over it and money beyond it before and after, ``broken``, ``mended``.
    statuses
        ``status_before``, ``status_after``, ``clients``, ``money`` (in the buckets, before).
    effects
        One row per effect of `EFFECTS`: ``clients`` whom it concerns, and their ``money`` in the buckets before.
    totals
        Of plans, one row per figure: ``before``, ``after``, ``change``; empty where one side has none.
    flows
        Of plans, net purchases by class: ``asset_class``, ``before``, ``after``, ``change``.
    only_before, only_after
        Clients that the other side does not have.
    """

    before: BookFacts
    after: BookFacts
    clients: pd.DataFrame
    limits: pd.DataFrame
    by_limit: pd.DataFrame
    statuses: pd.DataFrame
    effects: pd.DataFrame
    totals: pd.DataFrame
    flows: pd.DataFrame
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.clients)

    @property
    def planned(self) -> bool:
        """Whether both sides are plans."""
        return self.before.knows("plan_status") and self.after.knows("plan_status")

    @cached_property
    def changed(self) -> pd.DataFrame:
        """Rows of ``clients`` with a change: most limits broken first, then most mended, most money, client id."""
        rows = self.clients[self.clients["changed"]]
        return rows.sort_values(
            ["broken", "mended", "total_before", "client_id"], ascending=[False, False, False, True], ignore_index=True
        )

    def __repr__(self) -> str:
        e = self.effects.set_index("effect")["clients"]
        lines = [
            f"Comparison of {len(self):,} clients: {e['changed']:,} change",
            f"  status of {e['status']:,}; limits break for {e['broken']:,}, are mended for {e['mended']:,}; "
            f"score rises for {e['score_up']:,}, falls for {e['score_down']:,}",
        ]
        if self.only_before or self.only_after:
            lines.append(f"  left out: {len(self.only_before):,} only before, {len(self.only_after):,} only after")
        lines.append("  tables: clients, changed, limits, by_limit, statuses, effects, totals, flows")
        return "\n".join(lines)


def compare(before: Source, after: Source) -> Comparison:
    """Say what changes for whom between two analyses, or two plans, of the same clients.

    Parameters
    ----------
    before, after
        Two results of the same book: under another framework or other assumptions, with another band, or after a
        scenario (`allocator.whole_book.shocked.shocked`). Where one is a plan and the other an analysis, only today is
        compared.

    Returns
    -------
    Comparison
        Clients that one side does not have are left out, and named in ``only_before`` and ``only_after``.

    Raises
    ------
    InputError
        The two are told in different base currencies, or no client is in both.
    """
    first, second = facts(before), facts(after)
    if first.base != second.base:
        raise InputError(
            f"the two are told in different currencies, {first.base} and {second.base}; "
            "give the other framework the same currency"
        )
    ids = [pd.Index(x.clients["client_id"]) for x in (first, second)]
    place = ids[1].get_indexer(ids[0])
    both = np.flatnonzero(place >= 0)
    if not len(both) and (len(first) or len(second)):
        raise InputError("no client is in both; compare results of the same book")
    one, two = first.take(both), second.take(place[both])
    keys: list[tuple[str, str]] = list(dict.fromkeys((x.name, x.sense) for x in (*one.limits, *two.limits)))
    sheets = _aligned(one.now, one.limits, keys), _aligned(two.now, two.limits, keys)
    clients = _clients(one, two, sheets, [name + sense for name, sense in keys])
    planned = one.knows("plan_status") and two.knows("plan_status")
    nothing = pd.Series(dtype="float64")
    flows = [book_view(b).flows.set_index("asset_class")["net"] if planned else nothing for b in (one, two)]
    return Comparison(
        before=one,
        after=two,
        clients=clients,
        limits=_changes(one, two, sheets, keys),
        by_limit=_by_limit(one, two, sheets, keys),
        statuses=_statuses(clients),
        effects=_effects(clients),
        totals=_totals(one, two) if planned else _sides([], [], "figure"),
        flows=_flows(flows[0], flows[1]),
        only_before=tuple(ids[0][place < 0]),
        only_after=tuple(ids[1][ids[0].get_indexer(ids[1]) < 0]),
    )


def _aligned(s: Sheet, limits: tuple[Limit, ...], keys: list[tuple[str, str]]) -> Sheet:
    """Limits in the order of ``keys``; one that this side does not have is NaN and never exceeded."""
    at: dict[tuple[str, str], int] = {(x.name, x.sense): j for j, x in enumerate(limits)}
    place = np.array([at.get(k, len(limits)) for k in keys], dtype="intp")

    def lined(array: AnyArray, blank: Any) -> AnyArray:
        return np.hstack([array, np.full((len(array), 1), blank)])[:, place]

    nan = np.float64("nan")
    exceeded = lined(s.exceeded, np.bool_(False))
    return Sheet(lined(s.value, nan), lined(s.bound, nan), lined(s.over, nan), exceeded, s.classes)


def _beyond(s: Sheet, rate: FloatArray) -> FloatArray:
    """N × limits: money beyond each bound in the base currency, 0 where it holds or does not apply."""
    return np.asarray(np.where(s.exceeded, s.over, 0.0) * rate[:, None])


def _clients(one: BookFacts, two: BookFacts, sheets: tuple[Sheet, Sheet], names: list[str]) -> pd.DataFrame:
    out: dict[str, Any] = {c: one.clients[c] for c in ("client_id", "advisor", "tier", "currency")}
    changed = np.zeros(len(one), dtype=bool)
    plans = [c for c in PLAN_FIGURES if one.knows(c) and two.knows(c)] if one.knows("plan_status") else []
    amounts = {"total", "over_money", "buys", "sells", "repaid", "cost", "tax"}
    for name in (*FIGURES, *plans):
        sides: list[AnyArray] = []
        for b, s in zip((one, two), sheets, strict=True):
            if name == "over_money":
                sides.append(_beyond(s, b.rate).max(axis=1, initial=0.0))
            elif name in amounts:
                sides.append(b.money(name))
            else:
                column = b.clients[name]
                sides.append(column.to_numpy("float64" if pd.api.types.is_numeric_dtype(column) else object))
        out |= {f"{name}_before": sides[0], f"{name}_after": sides[1]}
        changed |= _differs(sides[0], sides[1], CENT if name in amounts else SAME)
    broken, mended = _flips(sheets)
    out |= {
        "broken": broken.sum(axis=1),
        "mended": mended.sum(axis=1),
        "broken_limits": pd.array(_named(broken, names), dtype="str"),
        "mended_limits": pd.array(_named(mended, names), dtype="str"),
        "changed": changed | broken.any(axis=1) | mended.any(axis=1),
    }
    texts = [c for c in out if c.startswith(("band_", "status_", "plan_status_"))]
    return pd.DataFrame(out).astype(dict.fromkeys(texts, "str"))


def _flips(sheets: tuple[Sheet, Sheet]) -> tuple[BoolArray, BoolArray]:
    first, second = sheets
    return second.exceeded & ~first.exceeded, first.exceeded & ~second.exceeded


def _differs(a: AnyArray, b: AnyArray, least: float) -> BoolArray:
    """Where two columns differ; NaN and infinity are equal to themselves."""
    if a.dtype == object:
        return np.asarray(a != b, dtype=bool)
    with np.errstate(invalid="ignore"):
        apart = ~(np.abs(a - b) <= least)
    return np.asarray(apart & ~((a == b) | (np.isnan(a) & np.isnan(b))))


def _named(hit: BoolArray, names: list[str]) -> list[str]:
    """Names of the limits of each row, as one text; few combinations exist, so each is joined once."""
    if not names:
        return [""] * len(hit)
    packed = np.packbits(hit, axis=1)
    rows = np.ascontiguousarray(packed).view(f"S{packed.shape[1]}").reshape(-1)
    _, first, place = np.unique(rows, return_index=True, return_inverse=True)
    texts = [", ".join(n for n, x in zip(names, row, strict=True) if x) for row in hit[first].tolist()]
    return [texts[k] for k in place.reshape(-1).tolist()]


def _changes(one: BookFacts, two: BookFacts, sheets: tuple[Sheet, Sheet], keys: list[tuple[str, str]]) -> pd.DataFrame:
    broken, mended = _flips(sheets)
    who, what = np.nonzero(broken | mended)
    names, senses = (pd.array([k[i] for k in keys], dtype="str").take(what) for i in (0, 1))
    columns: dict[str, Any] = {
        "client_id": one.clients["client_id"].iloc[who].reset_index(drop=True),
        "limit": names,
        "sense": senses,
        "change": pd.array(np.where(broken[who, what], "broken", "mended"), dtype="str"),
    }
    for end, b, s in zip(("before", "after"), (one, two), sheets, strict=True):
        columns |= {f"value_{end}": s.value[who, what], f"bound_{end}": s.bound[who, what]}
        columns[f"money_{end}"] = _beyond(s, b.rate)[who, what]
    return pd.DataFrame(columns)


def _by_limit(one: BookFacts, two: BookFacts, sheets: tuple[Sheet, Sheet], keys: list[tuple[str, str]]) -> pd.DataFrame:
    broken, mended = _flips(sheets)
    columns: dict[str, Any] = {
        "limit": pd.array([name for name, _ in keys], dtype="str"),
        "sense": pd.array([sense for _, sense in keys], dtype="str"),
    }
    for end, b, s in zip(("before", "after"), (one, two), sheets, strict=True):
        columns |= {
            f"clients_{end}": s.exceeded.sum(axis=0),
            f"money_{end}": np.nansum(_beyond(s, b.rate), axis=0),
        }
    return pd.DataFrame(columns | {"broken": broken.sum(axis=0), "mended": mended.sum(axis=0)})


def _statuses(clients: pd.DataFrame) -> pd.DataFrame:
    found = clients.groupby(["status_before", "status_after"], sort=True)["total_before"]
    return pd.DataFrame({"clients": found.size(), "money": found.sum()}).reset_index()


def _effects(c: pd.DataFrame) -> pd.DataFrame:
    def moved(name: str) -> AnyArray:
        return (c[f"{name}_after"] - c[f"{name}_before"]).to_numpy("float64")

    with np.errstate(invalid="ignore"):
        hits: dict[str, AnyArray] = {
            "changed": c["changed"].to_numpy(bool),
            **{k: (c[f"{k}_before"] != c[f"{k}_after"]).to_numpy(bool) for k in ("band", "status")},
            **{f"{k}_up": moved(k) > SAME for k in ("score", "volatility")},
            **{f"{k}_down": moved(k) < -SAME for k in ("score", "volatility")},
            **{k: c[k].to_numpy("int64") > 0 for k in ("broken", "mended")},
        }
        if "plan_status_before" in c:
            hits["plan_status"] = (c["plan_status_before"] != c["plan_status_after"]).to_numpy(bool)
            sides = [c[[f"{k}_{e}" for k in TOTALS]].to_numpy("float64") for e in ("before", "after")]
            hits["trades"] = np.asarray(_differs(sides[0], sides[1], CENT).any(axis=1))
    told = [e for e in EFFECTS if e in hits]
    money = c["total_before"].to_numpy("float64")
    return pd.DataFrame(
        {
            "effect": pd.array(told, dtype="str"),
            "clients": [int(hits[e].sum()) for e in told],
            "money": [float(np.nansum(money[hits[e]])) for e in told],
        }
    )


def _totals(one: BookFacts, two: BookFacts) -> pd.DataFrame:
    sums = [[float(np.nansum(b.money(c))) for c in TOTALS] for b in (one, two)]
    for side, b in zip(sums, (one, two), strict=True):
        side += [float((b.column("trades") > 0).sum()), float(b.column("trades").sum())]
    out = _sides(sums[0], sums[1], "figure")
    return out.assign(figure=pd.array([*TOTALS.values(), "clients", "trades"], dtype="str"))


def _sides(before: list[float], after: list[float], label: str) -> pd.DataFrame:
    first, second = np.array(before, dtype="float64"), np.array(after, dtype="float64")
    blank = pd.Series([""] * len(first), dtype="str")
    return pd.DataFrame({label: blank, "before": first, "after": second, "change": second - first})


def _flows(before: pd.Series, after: pd.Series) -> pd.DataFrame:
    codes = before.index.union(after.index, sort=True).difference(["debt"])  # repaid, neither bought nor sold
    sides = [s.reindex(codes).fillna(0.0).tolist() for s in (before, after)]
    return _sides(sides[0], sides[1], "asset_class").assign(asset_class=pd.Series(codes.tolist(), dtype="str"))
