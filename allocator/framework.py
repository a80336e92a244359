"""The framework as frozen data: buckets, asset classes, risk bands, rules, shelf, and the words for them."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from allocator.config import Strict, build, load_tree
from allocator.errors import ConfigError
from allocator.shown import Shown
from allocator.typing import FloatArray

OWN_USE = "own_use"
UNCLASSIFIED = "unclassified"
OUTSIDE = (OWN_USE, UNCLASSIFIED)
"""Buckets that every framework has and that are no part of the total."""

Share = Annotated[float, Field(ge=0, le=1)]
Cost = Annotated[float, Field(ge=0, le=0.5)]
"""Of a purchase or sale, as for products."""
Tax = Annotated[float, Field(ge=0, lt=0.5)]
"""With the cost of a sale it is less than all that the sale brings."""
Grade = Annotated[int, Field(ge=1, le=5)]
Liquidity = Literal["cash", "liquid", "restricted", "illiquid"]
Family = Literal["reserve", "risk", "concentration", "band"]
"""Families of limits, in the order in which they are mended."""


SHARES = ("property", "business", "illiquid", "cash")
"""Shares of the total that a limit or a rule may name, besides ``bucket:X``, ``group:X`` and ``class:X``."""
LABELS = ("sector", "country", "currency")
"""Texts of a holding that a limit may name: it holds for each sector, foreign country or foreign currency."""
RISKS = ("cvar", "tracking")
"""Risks that a limit may name besides the volatility, which every band has."""
BUDGETS = ("turnover", "cost")
"""Limits on the trades of a plan, not on a balance sheet."""
LIMITS = ("single_holding", "issuer", "leverage", *SHARES, *LABELS, *RISKS, *BUDGETS)
"""Names allowed under ``limits`` of a band."""
RULES = ("single_holding", "issuer", "leverage", "reserve_months", "own_company", *SHARES)
"""Names allowed under ``rules``."""


def fold_label(text: str) -> str:
    """Compare labels without regard to width, capitals and outer blanks."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


class Words(Strict):
    """A name in both languages."""

    en: str
    zh: str


class Bucket(Words):
    """One of the three buckets."""

    purpose_en: str = ""
    purpose_zh: str = ""


class AssetClass(Words):
    """One asset class: where it belongs, how it trades, what it is called.

    ``tax`` is the fraction of a realised gain that goes in tax, where the cost basis is known. ``kind`` says what
    counts as investment ``property``, the ``home`` one lives in, and own ``business``.
    """

    bucket: str
    liquidity: Liquidity
    risk: Grade
    buy_cost: Cost
    sell_cost: Cost
    sellable: Share = 1.0
    group: str | dict[str, Share] = {}
    name_limits: bool = True
    kind: Literal["property", "home", "business", ""] = ""
    aliases: tuple[str, ...] = ()
    cfi: tuple[str, ...] = ()
    assumption: str = ""
    tax: Tax = 0.0
    source: str

    @property
    def groups(self) -> dict[str, float]:
        """Shares of the groups this class belongs to; they sum to 1, or there are none."""
        return {self.group: 1.0} if isinstance(self.group, str) else dict(self.group)

    @field_validator("group")
    @classmethod
    def _whole(cls, value: str | dict[str, float]) -> str | dict[str, float]:
        if isinstance(value, dict) and value and abs(sum(value.values()) - 1) > 1e-9:
            raise ValueError("the shares of the groups must sum to 1")
        return value


class Span(Strict):
    """Target share with the lowest and highest share allowed; None is no bound."""

    target: Share = 0.0
    low: Share | None = None
    high: Share | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Span:
        low, high = self.low or 0.0, 1.0 if self.high is None else self.high
        if not low <= self.target <= high and not (self.target == 0.0 and low <= high):
            raise ValueError("must have low <= target <= high")
        return self


class Band(Words):
    """One risk band.

    ``limits`` are caps (see `LIMITS`), ``floors`` least shares (see `SHARES`); ``model`` is the portfolio, as shares of
    classes, that a limit on ``tracking`` measures the distance from.
    """

    buckets: dict[str, Span]
    groups: dict[str, Span] = {}
    limits: dict[str, Share] = {}
    floors: dict[str, Share] = {}
    model: dict[str, Share] = {}
    volatility: Annotated[float, Field(gt=0, le=2)]
    product_risk: Grade
    satellite: Share
    source: str


class Rule(Words):
    """One rule of the concentration score: exposure where it begins to count (lo) and where it is extreme (hi)."""

    lo: float
    hi: float
    lo_owner: float | None = None
    hi_owner: float | None = None
    weight: Share
    source: str

    @model_validator(mode="after")
    def _apart(self) -> Rule:
        if self.lo == self.hi or (self.lo_owner is not None and self.lo_owner == self.hi_owner):
            raise ValueError("lo and hi must differ")
        if (self.lo_owner is None) != (self.hi_owner is None):
            raise ValueError("lo_owner and hi_owner go together")
        return self


class Reserve(Strict):
    """Months of spending and debt service that liquid defensive assets should cover."""

    months: Annotated[float, Field(ge=0)]
    months_owner: Annotated[float, Field(ge=0)]
    source: str


class Drift(Strict):
    """Off-target by this much, in points or as a fraction of the target, before a client in order is traded."""

    absolute: Share
    relative: Annotated[float, Field(ge=0)]
    source: str


class PlanWeights(Strict):
    """Weights of the objective of a plan; see the README for the programme they stand in."""

    group_weight: Annotated[float, Field(ge=0)]
    cost_weight: Annotated[float, Field(ge=0)]
    wash_weight: Annotated[float, Field(gt=0)]
    spread_weight: Annotated[float, Field(gt=0)]
    sell_first_weight: Annotated[float, Field(ge=0)] = 0.1
    return_years: Annotated[float, Field(gt=0)] = 5.0
    min_trade: Share
    priorities: dict[Family, Annotated[float, Field(gt=0)]]
    scales: dict[Family, Annotated[float, Field(gt=0)]]
    source: str


class Rates(Strict):
    """What rates of a book are held against: units of each currency for one of ``currency``, on a day long known.

    A rate ``factor`` times too high or too low, or more than ``stale_days`` old, is pointed out and used as it stands.
    """

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    date: str
    factor: Annotated[float, Field(gt=1)]
    stale_days: Annotated[int, Field(ge=0)]
    units: dict[Annotated[str, Field(pattern="^[A-Z]{3}$")], Annotated[float, Field(gt=0)]]
    source: str

    def value(self, currency: str, base: str) -> float:
        """What one unit of a currency was worth in another; NaN where one of them is not known."""
        units = self.units | {self.currency: 1.0}
        return units.get(base, math.nan) / units.get(currency, math.nan)


class Product(Words):
    """A product of the default shelf."""

    asset_class: str
    risk: Grade | None = None
    buy_cost: Cost | None = None
    sell_cost: Cost | None = None


def _band_problems(where: str, b: Band) -> list[str]:
    """Mistakes in the floors, the model portfolio and what measures the distance from it."""
    out = []
    for name, low in b.floors.items():
        kind, _, code = name.partition(":")
        span = {"bucket": b.buckets, "group": b.groups}.get(kind, {}).get(code)
        high = min(b.limits.get(name, 1.0), 1.0 if span is None or span.high is None else span.high)
        if low > high:
            out.append(f"{where}.floors: '{name}' must be at least {low:g}, but at most {high:g}; change one of them")
    if b.model and abs(sum(b.model.values()) - 1) > 1e-9:
        out.append(f"{where}.model: the shares sum to {sum(b.model.values()):.4g}, they must sum to 1")
    if "tracking" in b.limits and not b.model:
        out.append(
            f"{where}.limits: 'tracking' needs a portfolio to track; add {where}.model with shares of classes that sum "
            "to 1, or take 'tracking' out"
        )
    return out


_PLURAL = {"bucket": "buckets", "group": "groups", "class": "classes"}


class Framework(Shown, Strict):
    """The whole framework. Build it with `load_framework`; see ``allocator framework show`` for its content."""

    schema_: Literal["allocator-framework/1"] = Field(alias="schema")
    name: str
    en: str
    zh: str
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    assumptions: str
    default_band: str
    buckets: dict[str, Bucket]
    groups: dict[str, Words]
    classes: dict[str, AssetClass]
    bands: dict[str, Band]
    labels: dict[str, str] = {}
    home_country: dict[Annotated[str, Field(pattern="^[A-Z]{3}$")], Annotated[str, Field(pattern="^[A-Z]{2}$")]] = {}
    own_company_class: dict[str, str] = {}
    reserve: Reserve
    drift: Drift
    insured_deposit: dict[str, float | str]
    rates: Rates | None = None
    tiers: dict[str, float | str]
    rules: dict[str, Rule]
    grades: dict[str, float]
    plan: PlanWeights
    products: dict[str, Product]

    @model_validator(mode="after")
    def _consistent(self) -> Framework:
        problems: list[str] = []

        def known(where: str, names: Any, allowed: Any) -> None:
            for n in names:
                if n not in allowed:
                    problems.append(f"{where}: unknown '{n}'; allowed: {', '.join(allowed)}")

        bands, classes, groups = list(self.bands), list(self.classes), list(self.groups)
        known("default_band", [self.default_band], bands)
        known("labels", self.labels.values(), bands)
        known("own_company_class", [*self.own_company_class, *self.own_company_class.values()], classes)
        for code, c in self.classes.items():
            known(f"classes.{code}.bucket", [c.bucket], [*self.buckets, OWN_USE])
            known(f"classes.{code}.group", c.groups, groups)
        for code, p in self.products.items():
            known(f"products.{code}.asset_class", [p.asset_class], classes)
        parts = [f"{kind}:{n}" for kind in ("bucket", "group", "class") for n in getattr(self, _PLURAL[kind])]
        known("rules", self.rules, [*RULES, *parts])
        for code, b in self.bands.items():
            known(f"bands.{code}.limits", b.limits, [*LIMITS, *parts])
            known(f"bands.{code}.floors", b.floors, [*SHARES, *parts])
            known(f"bands.{code}.model", b.model, [k for k, c in self.classes.items() if c.bucket != OWN_USE])
            problems += _band_problems(f"bands.{code}", b)
            known(f"bands.{code}.buckets", b.buckets, self.buckets)
            known(f"bands.{code}.groups", b.groups, groups)
            problems += [f"bands.{code}.buckets: '{n}' is missing" for n in self.buckets if n not in b.buckets]
            for part, spans in (("buckets", b.buckets), ("groups", b.groups)):
                if spans and abs(sum(s.target for s in spans.values()) - 1) > 1e-9:
                    problems.append(
                        f"bands.{code}.{part}: the targets sum to "
                        f"{sum(s.target for s in spans.values()):.4g}, they must sum to 1"
                    )
                if sum(s.low or 0.0 for s in spans.values()) > 1 + 1e-9:
                    problems.append(f"bands.{code}.{part}: the lows together exceed 1, no mix can meet them")
            if sum(1.0 if s.high is None else s.high for s in b.buckets.values()) < 1 - 1e-9:
                problems.append(f"bands.{code}.buckets: the highs together stay under 1, no mix can meet them")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    # ---- arrays for vectorised code; rows follow the order of the file

    @cached_property
    def class_codes(self) -> list[str]:
        """Codes of the classes, in order."""
        return list(self.classes)

    @cached_property
    def bucket_codes(self) -> list[str]:
        """Codes of the buckets inside the total, in order."""
        return list(self.buckets)

    @cached_property
    def group_codes(self) -> list[str]:
        """Codes of the groups, in order."""
        return list(self.groups)

    @cached_property
    def band_codes(self) -> list[str]:
        """Codes of the bands, in order."""
        return list(self.bands)

    @cached_property
    def in_bucket(self) -> FloatArray:
        """Classes × buckets, 1 where the class belongs to the bucket; rows of own-use classes are 0."""
        return np.array([[float(c.bucket == b) for b in self.buckets] for c in self.classes.values()])

    @cached_property
    def in_group(self) -> FloatArray:
        """Classes × groups: share of the class that counts to the group."""
        return np.array([[c.groups.get(g, 0.0) for g in self.groups] for c in self.classes.values()])

    def share(self, name: str) -> FloatArray:
        """Vector over classes: how much of each counts to a share such as ``property`` or ``group:equity``."""
        kind, _, code = name.partition(":")
        if kind == "bucket":
            return self.in_bucket[:, self.bucket_codes.index(code)]
        if kind == "group":
            return self.in_group[:, self.group_codes.index(code)] * self.flag("inside")
        if kind == "class":
            return np.array([float(c == code) for c in self.classes]) * self.flag("inside")
        return self.flag(name) * self.flag("inside")

    def flag(self, name: str) -> FloatArray:
        """Vector over classes, 1 where the class has a property: ``property``, ``business``, ``illiquid``, ..."""
        tests: Mapping[str, Any] = {
            "inside": lambda c: c.bucket != OWN_USE,
            "property": lambda c: c.kind == "property",
            "business": lambda c: c.kind == "business",
            "illiquid": lambda c: c.liquidity == "illiquid",
            "reserve": lambda c: c.bucket == "defensive" and c.liquidity in ("cash", "liquid"),
            "cash": lambda c: c.liquidity == "cash" and c.buy_cost == 0 and c.sell_cost == 0,
            "name": lambda c: c.name_limits,
        }
        if name not in tests:
            raise ConfigError(f"unknown class property '{name}'; allowed: {', '.join(tests)}")
        return np.array([float(bool(tests[name](c))) for c in self.classes.values()])

    @cached_property
    def band_aliases(self) -> dict[str, str]:
        """Every word that names a band, folded to lower case."""
        words = {code: code for code in self.bands}
        for code, band in self.bands.items():
            words |= {band.en: code, band.zh: code}
        words |= self.labels
        return {fold_label(w): code for w, code in words.items()}


def load_framework(source: str | os.PathLike[str] | Framework = "classic") -> Framework:
    """Load a framework.

    Parameters
    ----------
    source
        Name of a preset (``classic``, ``chhabra``), path of a TOML file (which may say ``extends = "classic"`` and then
        only what differs), or a framework, which is returned as it is.

    Returns
    -------
    Framework
        Checked, with what it extends merged in.

    Raises
    ------
    ConfigError
        With file, key and allowed values, one line per mistake.
    """
    if isinstance(source, Framework):
        return source
    tree, origin = load_tree(source, "frameworks")
    return build(Framework, tree, origin)
