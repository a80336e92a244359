"""The book's own page as tables: what the whole book holds, breaks and would trade, in the base currency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.framework import OWN_USE
from allocator.shown import Shown
from allocator.typing import AnyArray, FloatArray
from allocator.whole_book.facts import BookFacts, Sheet, Source, facts
from allocator.whole_book.segments import BELOW, grouped, pareto, tiers

UNCLASSIFIED: Final = "unclassified"
DEBTS: Final = "debts"
SIDES: Final = ("buy", "sell", "repay")
FLOWS: Final = ("clients", "trades", "bought", "sold", "repaid", "net", "cost", "tax")
TABLES: Final = (
    "statuses",
    "buckets",
    "classes",
    "limits",
    "segments",
    "pareto",
    "advisors",
    "plans",
    "products",
    "flows",
    "unrated",
)


@dataclass(frozen=True)
class BookView(Shown):
    """Result of `allocator.book_view`.

    Money is in the base currency, of the clients who have a rate; shares are fractions.

    Attributes
    ----------
    facts
        What it was made of, one row per client.
    statuses
        ``status``, ``clients`` and their ``money`` in the buckets.
    buckets
        ``bucket`` (those of the framework, then ``own_use``, ``unclassified`` and ``debts``, which are no part of the
        total: share NaN), ``money``, ``share`` of the total, and with plans ``money_after`` and ``share_after``. Debts
        are those that count against the buckets.
    classes
        The same for asset classes that anybody has; empty where a batch's tables do not tell classes.
    limits
        One row per limit: ``limit``, ``sense``, ``judged`` (clients whom it applies to and who can be judged),
        ``clients`` over it, their ``money`` beyond the bound, and with plans ``clients_after``, ``money_after``.
    segments, advisors
        By tier of assets, the richest first, and by advisor: see `allocator.whole_book.segments.grouped`.
    pareto
        See `allocator.whole_book.segments.pareto`.
    plans
        By status of the plan: ``status``, ``clients``, ``trades``, ``bought``, ``sold``, ``repaid``, ``cost``, ``tax``,
        ``missing``.
    products, flows
        What the whole book would buy and sell, by product and by class, the largest turnover first: ``clients``,
        ``trades``, ``bought``, ``sold``, ``repaid``, ``net`` (bought less sold), ``cost``, ``tax``. A product is its
        ``product_id``; holdings without one go by their ``name`` within the class.
    unrated
        Clients whose currency has no rate, by ``currency``: they are in the counts of clients, in no amount.
    """

    facts: BookFacts
    statuses: pd.DataFrame
    buckets: pd.DataFrame
    classes: pd.DataFrame
    limits: pd.DataFrame
    segments: pd.DataFrame
    pareto: pd.DataFrame
    advisors: pd.DataFrame
    plans: pd.DataFrame
    products: pd.DataFrame
    flows: pd.DataFrame
    unrated: pd.DataFrame

    def __len__(self) -> int:
        return len(self.facts)

    @property
    def planned(self) -> bool:
        """Whether there are plans."""
        return self.facts.knows("plan_status")

    @property
    def total(self) -> float:
        """Money in the buckets of all clients with a rate."""
        return float(np.nansum(self.facts.money("total")))

    def __repr__(self) -> str:
        counts = ", ".join(f"{r['status']} {r['clients']:,}" for r in self.statuses.to_dict("records"))
        lines = [f"Book of {len(self):,} clients, {self.facts.base} {self.total:,.0f} in the buckets", f"  {counts}"]
        if self.planned:
            p = self.plans[["bought", "sold", "cost", "tax"]].sum()
            lines.append(
                f"  plans: buy {p['bought']:,.0f}, sell {p['sold']:,.0f}, cost {p['cost']:,.0f}, tax {p['tax']:,.0f}"
            )
        if len(self.unrated):
            lines.append(f"  without a rate, in no amount: {int(self.unrated['clients'].sum()):,} clients")
        lines.append(f"  tables: {', '.join(t for t in TABLES if len(getattr(self, t)))}")
        return "\n".join(lines)


def book_view(source: Source, *, advisor: str | None = None, tier: str | None = None) -> BookView:
    """Sum up a whole book, or the part of it that one advisor looks after.

    Parameters
    ----------
    source
        An analysis, a plan (adds what the whole book would buy and sell), or
        `allocator.whole_book.facts.BookFacts`.
    advisor, tier
        Only this advisor's clients; only this tier.

    Returns
    -------
    BookView

    Raises
    ------
    InputError
        Nobody has that advisor or tier.
    """
    b = facts(source).only(advisor=advisor, tier=tier)
    clients = b.clients.assign(total=b.money("total"))
    products, flows = _trades(b)
    return BookView(
        facts=b,
        statuses=_counted(clients, "status"),
        buckets=_buckets(b),
        classes=_classes(b),
        limits=_limits(b),
        segments=_segments(clients, b),
        pareto=pareto(b.money("total")),
        advisors=grouped(clients, "advisor"),
        plans=_plans(b),
        products=products,
        flows=flows,
        unrated=_unrated(b),
    )


def _counted(clients: pd.DataFrame, by: str) -> pd.DataFrame:
    found = clients.groupby(by, sort=True, observed=True)["total"]
    return pd.DataFrame({"clients": found.size(), "money": found.sum()}).reset_index().rename(columns={by: "status"})


def _sum(money: FloatArray, rate: FloatArray) -> FloatArray:
    """Columns of money of every client, added up in the base currency; clients without a rate are left out."""
    return np.asarray(np.nan_to_num(rate) @ np.nan_to_num(money))


def _buckets(b: BookFacts) -> pd.DataFrame:
    codes = b.framework.bucket_codes
    sheets = {"": b.now} | ({} if b.after is None else {"_after": b.after})
    out: dict[str, Any] = {"bucket": pd.array([*codes, OWN_USE, UNCLASSIFIED, DEBTS], dtype="str")}
    for end, s in sheets.items():
        total = "total_after" if end else "total"
        inside = _bucket_money(b, s, total)
        outside = _sum(s.classes, b.rate) @ (1.0 - b.framework.flag("inside")) if s.classes.size else np.nan
        # plans do not touch what nobody can classify
        lost, debts = (float(np.nansum(b.money(c))) if b.knows(c) else np.nan for c in ("unclassified", f"debt{end}"))
        money = np.array([*inside, outside, lost, debts])
        whole = inside.sum()
        share = np.where(np.arange(len(money)) < len(codes), money / whole if whole > 0 else np.nan, np.nan)
        out |= {f"money{end}": money, f"share{end}": share}
    return pd.DataFrame(out)


def _bucket_money(b: BookFacts, s: Sheet, total: str) -> FloatArray:
    """Money per bucket: from the classes, or else from the shares that a summary tells."""
    codes = b.framework.bucket_codes
    if s.classes.size:
        return np.asarray(_sum(s.classes, b.rate) @ b.framework.in_bucket)
    shares = [f"{c}{total.removeprefix('total')}" for c in codes]
    if b.knows(*shares, total):
        return np.array([np.nansum(b.column(c) * b.money(total)) for c in shares])
    return np.full(len(codes), np.nan)


def _classes(b: BookFacts) -> pd.DataFrame:
    f = b.framework
    shape = {"asset_class": f.class_codes, "bucket": [c.bucket for c in f.classes.values()]}
    if not b.now.classes.size:
        return pd.DataFrame({k: pd.Series(dtype="str") for k in shape} | {"money": pd.Series(dtype="float64")})
    money: dict[str, FloatArray] = {"money": _sum(b.now.classes, b.rate)}
    if b.after is not None:
        money["money_after"] = _sum(b.after.classes, b.rate)
    out = pd.DataFrame({k: pd.array(v, dtype="str") for k, v in shape.items()} | money)
    some = np.any([m != 0 for m in money.values()], axis=0)
    for end in ("", *(["_after"] if b.after is not None else [])):
        inside = out[f"money{end}"] * f.flag("inside")
        out[f"share{end}"] = (inside / inside.sum()).where(f.flag("inside") > 0) if inside.sum() > 0 else np.nan
    return out[some].reset_index(drop=True)


def _limits(b: BookFacts) -> pd.DataFrame:
    def over(s: Sheet, end: str) -> dict[str, AnyArray]:
        beyond = np.where(s.exceeded, s.over, 0.0)
        return {f"clients{end}": s.exceeded.sum(axis=0), f"money{end}": _sum(beyond, b.rate)}

    columns: dict[str, Any] = {
        "limit": pd.array([x.name for x in b.limits], dtype="str"),
        "sense": pd.array([x.sense for x in b.limits], dtype="str"),
        "family": pd.array([x.family for x in b.limits], dtype="str"),
        "judged": (~np.isnan(b.now.over)).sum(axis=0),
        **over(b.now, ""),
    }
    if b.after is not None:
        columns |= over(b.after, "_after")
    return pd.DataFrame(columns)


def _segments(clients: pd.DataFrame, b: BookFacts) -> pd.DataFrame:
    """By tier of assets, the richest first; those without a rate last."""
    found = grouped(clients, "segment")
    order = {code: k for k, code in enumerate([*reversed(tiers(b.framework)), BELOW, ""])}
    return found.sort_values("segment", key=lambda c: c.map(order), ignore_index=True)


def _plans(b: BookFacts) -> pd.DataFrame:
    sums = {"trades": "trades", "bought": "buys", "sold": "sells", "repaid": "repaid", "cost": "cost", "tax": "tax",
            "missing": "missing"}  # fmt: skip
    if not b.knows("plan_status"):
        return pd.DataFrame({c: pd.Series(dtype="float64") for c in ("status", "clients", *sums)})
    columns = {new: b.column(old) if old == "trades" else b.money(old) for new, old in sums.items() if b.knows(old)}
    found = pd.DataFrame({"status": b.clients["plan_status"], **columns}).groupby("status", sort=True)
    out = found.sum()
    out.insert(0, "clients", found.size())
    return out.reset_index().astype({"trades": "int64"} if "trades" in columns else {})


def _trades(b: BookFacts) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the book would trade, by product and by class."""
    t = b.trades
    rate = np.append(b.rate, np.nan)[t["place"].to_numpy("int64")]
    money = {c: t[c].to_numpy("float64") * rate for c in ("amount", "cost", "tax")}
    sides = {name: np.where(t["side"] == side, money["amount"], 0.0)
             for name, side in zip(("bought", "sold", "repaid"), SIDES, strict=True)}  # fmt: skip
    # a debt repaid is no product: it stands in the line of debts
    product = t["product_id"].where(t["side"] != "repay", "")
    name = t["name"].where(t["side"] != "repay", "")
    first = t.assign(product_id=product, name=name, **sides, cost=money["cost"], tax=money["tax"])
    key = product.where(product != "", "\0" + name)
    frame = first.assign(key=key)[["asset_class", "key", "product_id", "name", "place", *sides, "cost", "tax"]]
    by_class = _flows(frame, ["asset_class"])
    # what is bought bears the name of the shelf, what is held whatever the client calls it
    shelf = frame.sort_values("bought", ascending=False, kind="stable")
    names = shelf.drop_duplicates(["asset_class", "key"])[["asset_class", "key", "product_id", "name"]]
    by_product = _flows(frame, ["asset_class", "key"]).merge(names, on=["asset_class", "key"], how="left")
    return by_product[["asset_class", "product_id", "name", *FLOWS]], by_class[["asset_class", *FLOWS]]


def _flows(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    found = frame.groupby(by, sort=False)
    out = found[["bought", "sold", "repaid", "cost", "tax"]].sum()
    out = out.assign(clients=found["place"].nunique(), trades=found.size(), net=out["bought"] - out["sold"])
    moved = out["bought"] + out["sold"] + out["repaid"]
    return out.assign(moved=moved).reset_index().sort_values(["moved", *by], ascending=[False, *[True] * len(by)],
                                                             ignore_index=True)  # fmt: skip


def _unrated(b: BookFacts) -> pd.DataFrame:
    at = np.isnan(b.rate)
    found = b.clients[at].groupby("currency", sort=True).size()
    return found.rename("clients").rename_axis("currency").reset_index()
