"""The plan of one client, before it becomes rows of tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from allocator.certify import Order
from allocator.rebalance.conflicts import Conflict
from allocator.rebalance.conic import Proof
from allocator.rebalance.instruments import Instruments
from allocator.rebalance.obstacles import Price
from allocator.rebalance.reasons import Reason
from allocator.rebalance.shadow import Shadow
from allocator.rebalance.solve import UNPROVED
from allocator.verify import Certificate, Check


@dataclass(frozen=True)
class Line:
    """One trade with its reason: the order, and the instrument it is about."""

    order: Order
    place: int
    instruments: Instruments
    reason: Reason

    @property
    def name(self) -> str:
        """What the client calls it."""
        return self.instruments.name[self.place]

    @property
    def product_id(self) -> str:
        """Product, where it is one."""
        return self.instruments.product_id[self.place]

    @property
    def issuer(self) -> int:
        """Code of the issuer; below 0 for one that the client does not hold."""
        return int(self.instruments.issuer[self.place])

    @property
    def issuer_name(self) -> str:
        """Issuer of a product."""
        return self.instruments.issuer_name[self.place]

    @property
    def klass(self) -> int:
        """Class; the one after the last for a debt."""
        return int(self.instruments.klass[self.place])

    @property
    def holding(self) -> int:
        """Row of the holding, −1 for what is new."""
        return int(self.instruments.holding[self.place])

    @property
    def debt(self) -> int:
        """Row of the debt, −1 for an asset."""
        return int(self.instruments.debt[self.place])


NOTHING_MOVES = Certificate(True, (Check("money", "==", None, None, None, None, None, "holds"),))
"""Certificate of a client who is not planned: no trade, so nothing that could be wrong."""


@dataclass(frozen=True)
class Mode:
    """What one mode of suitability reaches: ``product`` or ``portfolio``.

    Attributes
    ----------
    excess, distance, cost, above
        Excess over the limits, distance to the target, costs and taxes, and what is bought above the client's grade, as
        fractions of the total today (``above``: of the total after).
    holds
        Whether its certificate holds.
    bought
        Asset id, name, grade and amount in cents of each purchase above the client's grade.
    """

    mode: str
    excess: float
    distance: float
    volatility: float
    cost: float
    above: float
    satellite: float
    holds: bool
    bought: tuple[tuple[str, str, int, int], ...] = ()


UNKNOWN_MODE: Final = Mode("portfolio", *(float("nan"),) * 6, holds=False)
"""What is known of the portfolio mode where no solver found its plan."""


@dataclass(frozen=True)
class ClientPlan:
    """The plan of one client, before it becomes rows of tables."""

    status: str
    reason: str = ""
    reason_row: int = 0
    objective: float = float("nan")
    gap: float = float("nan")
    missing: float = 0.0
    lines: tuple[Line, ...] = ()
    certificate: Certificate = NOTHING_MOVES
    solver: str = "none"
    proof: Proof = UNPROVED
    best_whole: float = float("nan")
    obstacles: tuple[Price, ...] = ()
    shadows: tuple[Shadow, ...] = ()
    modes: tuple[Mode, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
