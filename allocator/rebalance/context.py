"""What every client of a book shares when plans are made: limits, mixes, factors and trading data, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.assumptions import RiskTable, risk_table
from allocator.limits import Budget, Limit, budgets
from allocator.typing import AnyArray, FloatArray, IntArray


@dataclass(frozen=True)
class Context:
    """Tables that every client of a book shares: one row per mix of `Positions.mix_table`, or per class."""

    analysis: Analysis
    own_terms: bool = False
    """A user's own objective looks at facts of the holdings."""

    @cached_property
    def _models(self) -> dict[int, dict[Any, Any]]:
        return {}

    def models(self, i: int) -> dict[Any, Any]:
        """Compiled models of client ``i`` with a user's own terms, by shape; another client's are let go."""
        if i not in self._models:
            self._models.clear()
            self._models[i] = {}
        return self._models[i]

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """Limits of the framework, then the user's own."""
        return self.analysis.limit_table.limits

    @cached_property
    def budgets(self) -> tuple[Budget, ...]:
        """Limits on the plan itself."""
        return budgets(self.analysis.framework)

    @cached_property
    def risk(self) -> RiskTable:
        """Assumptions over the classes of the framework."""
        return risk_table(self.analysis.framework, self.analysis.assumptions)

    @cached_property
    def inside(self) -> FloatArray:
        """Per mix: the part inside the buckets."""
        return self._mix @ self.analysis.framework.flag("inside")

    @cached_property
    def shares(self) -> dict[str, FloatArray]:
        """Per mix: how much counts to each share that a limit names."""
        f = self.analysis.framework
        return {x.name: self._mix @ f.share(x.name) for x in self.limits if x.kind == "share"}

    @cached_property
    def buckets(self) -> FloatArray:
        """Mixes × buckets."""
        return self._mix @ self.analysis.framework.in_bucket

    @cached_property
    def groups(self) -> FloatArray:
        """Mixes × groups, inside the buckets."""
        f = self.analysis.framework
        return self._mix @ (f.in_group * f.flag("inside")[:, None])

    @cached_property
    def loadings(self) -> FloatArray:
        """Mixes × factors, scaled to volatility."""
        f = self.analysis.framework
        return self._mix @ (self.risk.loadings * f.flag("inside")[:, None])

    @cached_property
    def idiosyncratic(self) -> FloatArray:
        """Per class, and 0 for what is unclassified."""
        f = self.analysis.framework
        return np.append(self.risk.idiosyncratic * f.flag("inside"), 0.0)

    @cached_property
    def mean(self) -> FloatArray:
        """Per mix: expected yearly return of what is inside the buckets."""
        return self._mix @ (self.risk.mean * self.analysis.framework.flag("inside"))

    @cached_property
    def scenarios(self) -> FloatArray:
        """Scenarios × mixes: yearly return of what is inside the buckets."""
        return (self.risk.scenarios * self.analysis.framework.flag("inside")) @ self._mix.T

    @cached_property
    def model(self) -> FloatArray:
        """Bands × classes: the model portfolio that tracking is measured against; 0 where a band has none."""
        f = self.analysis.framework
        return np.array([[b.model.get(c, 0.0) for c in f.classes] for b in f.bands.values()])

    @cached_property
    def by_class(self) -> pd.DataFrame:
        """Per class, and a last row for what is unclassified: trading data and flags."""
        f = self.analysis.framework
        frame = pd.DataFrame(
            {
                "sell_cost": [c.sell_cost for c in f.classes.values()],
                "buy_cost": [c.buy_cost for c in f.classes.values()],
                "risk": [float(c.risk) for c in f.classes.values()],
                "named": f.flag("name"),
                "reserve": f.flag("reserve"),
                "cash": f.flag("cash"),
            }
        )
        frame.loc[len(frame)] = 0.0
        return frame

    @cached_property
    def cash_class(self) -> int:
        """The class that leftovers end in: the first that is available within days, at par and without costs."""
        return int(self.by_class["cash"].to_numpy().argmax())

    @cached_property
    def products(self) -> AnyArray:
        """Product id of each holding."""
        return self.analysis.positions.holdings["product_id"].to_numpy(dtype=object)

    @cached_property
    def shelf_places(self) -> dict[str, int]:
        """Row of the shelf by product id."""
        return {code: j for j, code in enumerate(self.analysis.positions.shelf["product_id"])}

    @cached_property
    def labelled(self) -> bool:
        """Whether some limit looks at labels or facts of the single holding."""
        return self.own_terms or any(x.kind in ("label", "counted", "term") for x in self.limits)

    @cached_property
    def holdings(self) -> dict[str, AnyArray]:
        """Labels of the holdings, as arrays."""
        h = self.analysis.positions.holdings
        return {c: h[c].to_numpy(dtype=object) for c in ("sector", "country", "currency")}

    @property
    def _mix(self) -> FloatArray:
        return self.analysis.positions.mix_table

    @cached_property
    def class_columns(self) -> dict[str, FloatArray]:
        """`by_class` as arrays."""
        return {str(c): self.by_class[c].to_numpy("float64") for c in self.by_class}

    @cached_property
    def match(self) -> IntArray:
        """Row of the shelf that each holding is, −1 for none."""
        codes, words = pd.factorize(self.analysis.positions.holdings["product_id"])
        places = np.array([self.shelf_places.get(str(w), -1) for w in words] + [-1], dtype="intp")
        return places[codes]

    @cached_property
    def asset_ids(self) -> list[str]:
        """Id of each holding."""
        ids: list[str] = self.analysis.positions.holdings["asset_id"].tolist()
        return ids

    def issuer_codes(self, codes: dict[str, int]) -> IntArray:
        """Code of each holding's issuer out of some names in small letters, −1 for others."""
        found, words = pd.factorize(self.analysis.positions.holdings["issuer"])
        return np.array([codes.get(str(w).casefold(), -1) for w in words] + [-1], dtype="intp")[found]
