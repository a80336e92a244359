"""Why each trade is made, as data: the limit it mends, or the target it approaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from allocator.limits import TOLERANCE
from allocator.rebalance.context import Context
from allocator.rebalance.instruments import Instruments
from allocator.rebalance.problem import Problem
from allocator.typing import FloatArray

CASH: Final = "cash"
CASH_FLOW: Final = "cash_flow"
SECURED: Final = "secured"
REPAY: Final = "repay"

SPECIFIC: Final = ("property", "business", "single_holding", "issuer", "illiquid")
"""Within a family, the limits that say most come first."""

SELL_ORDER: Final = ("concentration", "band", "risk", "reserve")
BUY_ORDER: Final = ("reserve", "band", "risk", "concentration")
"""Which family of limits explains a trade best: a sale, what it takes away from; a purchase, what it fills."""


@dataclass(frozen=True)
class Reason:
    """What a trade is for.

    ``because`` names a limit, ``target:BUCKET``, `CASH`, `CASH_FLOW`, `SECURED` or `REPAY`; ``sense`` tells caps from
    floors.
    """

    because: str
    sense: str = ""


@dataclass(frozen=True)
class _Offer:
    """A limit that got better, and by how much; ``helps`` is what each instrument's trade does for it."""

    family: str
    gain: float
    reason: Reason
    helps: FloatArray

    @property
    def one_class(self) -> bool:
        """Whether it is about one class alone: nothing says more of a trade in that class."""
        return self.reason.because.startswith("class:")

    @property
    def rank(self) -> int:
        """Place among the limits of its family."""
        name = self.reason.because
        return SPECIFIC.index(name) if name in SPECIFIC else len(SPECIFIC)


def reasons(problem: Problem, x: Instruments, context: Context, after: FloatArray) -> list[Reason]:
    """Give each instrument the reason for which it would be traded.

    Parameters
    ----------
    problem, x, context
        The client's programme.
    after
        Weights after the plan, as fractions of the total today.

    Returns
    -------
    list of Reason
        One per instrument: of the limits that got better and to which the trade contributes, the first in the order
        that
        explains it best, then the one mended most; without one, the bucket whose share moves toward its target.
    """
    change = after - problem.w0
    offers = _offers(problem, change, after)
    secured = dict(x.secures)
    codes = context.analysis.framework.bucket_codes
    out = []
    for j in range(len(x)):
        order = SELL_ORDER if change[j] < 0 else BUY_ORDER
        fitting = [o for o in offers if o.helps[j] > TOLERANCE]
        bucket = context.buckets[x.mix[j]]
        flow = (problem.flow < 0 and problem.start.sell[j] > 0) or (j == x.cash and problem.flow > 0 and change[j] > 0)
        if j in secured and change[secured[j]] < 0:
            out.append(Reason(SECURED))
        elif fitting:
            out.append(min(fitting, key=lambda o: (not o.one_class, order.index(o.family), o.rank, -o.gain)).reason)
        elif x.debt[j] >= 0:
            out.append(Reason(REPAY))
        elif flow:
            out.append(Reason(CASH_FLOW))
        else:
            out.append(
                Reason(f"target:{codes[int(bucket.argmax())]}") if bucket.any() and j != x.cash else Reason(CASH)
            )
    return out


def _offers(problem: Problem, change: FloatArray, after: FloatArray) -> list[_Offer]:
    start = problem.start.weights
    before, then = problem.excess(start), problem.excess(after)
    out = []
    for k, row in enumerate(problem.limit_rows):
        if row.limit is not None and before.rows[k] - then.rows[k] > TOLERANCE:
            reason = Reason(row.limit.name, row.limit.sense)
            out.append(_Offer(row.family, float(before.rows[k] - then.rows[k]), reason, row.helps(change)))
    gain = before.names - then.names
    if (gain > TOLERANCE).any():
        helps = np.where(gain > TOLERANCE, np.maximum(-change, 0.0), 0.0)
        out.append(_Offer("concentration", float(gain.max()), Reason("single_holding", "<="), helps))
    for part, over, less in zip(problem.convex, before.convex, then.convex, strict=True):
        if over - less > TOLERANCE:
            slope = part.slope(start, problem.inside)
            calm = (change > 0) & (slope <= slope.mean()) & (problem.counts > 0)
            helps = np.where(calm, change, np.maximum(-change * slope, 0.0))
            reason = Reason(part.limit.name, part.limit.sense)
            out.append(_Offer(part.limit.family, float(over - less), reason, helps))
    return out
