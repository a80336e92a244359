"""The numbers of the contract, typed in from its text: buckets, bands, limits, rules."""

from __future__ import annotations

from dataclasses import dataclass

DEFENSIVE = ("deposit", "money_market", "treasury_bill", "savings_bond", "gold", "insurance_cash_value")
GROWTH = (
    "government_bond", "corporate_bond", "bank_wealth_product", "listed_equity", "equity_fund", "bond_fund",
    "mixed_fund", "reit", "retirement_account",
)  # fmt: skip
OFFENSIVE = (
    "investment_property", "private_business", "private_equity", "hedge_fund", "derivative", "crypto", "collectible",
)  # fmt: skip
OWN_USE = ("own_home", "vehicle")
CLASSES = {
    **dict.fromkeys(DEFENSIVE, "defensive"),
    **dict.fromkeys(GROWTH, "growth"),
    **dict.fromkeys(OFFENSIVE, "offensive"),
    **dict.fromkeys(OWN_USE, "own_use"),
}
BUCKETS = ("defensive", "growth", "offensive")
NO_NAME = (
    "deposit", "money_market", "treasury_bill", "savings_bond", "government_bond", "equity_fund", "bond_fund",
    "mixed_fund", "gold", "insurance_cash_value", "retirement_account", "private_equity", "hedge_fund",
)  # fmt: skip
"""Deposits, government debt, diversified funds, and what the READMEs name beside them."""


@dataclass(frozen=True)
class Band:
    """One row of the table of bands, and its limits."""

    target: tuple[float, float, float]
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    volatility: float
    grade: int
    equity: float
    single_holding: float
    issuer: float
    property: float
    business: float
    illiquid: float
    leverage: float


BANDS = {
    "conservative": Band(
        (0.5, 0.4, 0.1), (0.35, 0.25, 0), (0.75, 0.55, 0.2), 0.05, 2, 0.05, 0.10, 0.15, 0.2, 0.1, 0.3, 0.2
    ),
    "balanced": Band(
        (0.3, 0.5, 0.2), (0.2, 0.35, 0), (0.5, 0.65, 0.35), 0.12, 3, 0.12, 0.15, 0.20, 0.3, 0.2, 0.5, 0.35
    ),
    "aggressive": Band(
        (0.15, 0.5, 0.35), (0.1, 0.35, 0.1), (0.35, 0.7, 0.5), 0.20, 5, 0.20, 0.20, 0.30, 0.4, 0.3, 0.65, 0.5
    ),
}
LABELS = {
    "conservative": "conservative", "保守型": "conservative", "C1": "conservative",
    "balanced": "balanced", "稳健型": "balanced", "C3": "balanced",
    "aggressive": "aggressive", "积极型": "aggressive", "C5": "aggressive",
}  # fmt: skip
LEVELS = {
    "single_holding": (0.10, 0.50), "issuer": (0.20, 0.60), "property": (0.30, 0.70), "business": (0.30, 0.70),
    "illiquid": (0.40, 0.85), "leverage": (0.40, 0.80),
}  # fmt: skip
RESERVE = {True: (12.0, 3.0), False: (6.0, 1.0)}
"""Months from which the reserve counts and is extreme, for a business owner and for others."""


def grade(score: float) -> str:
    return "low" if score < 25 else "moderate" if score < 50 else "high" if score < 75 else "extreme"


def bound(band: Band, limit: str, sense: str) -> float | None:
    """The bound of a limit, None where the contract has none."""
    kind, _, code = limit.partition(":")
    if kind == "bucket":
        return (band.low if sense == ">=" else band.high)[BUCKETS.index(code)]
    if limit == "group:equity":
        return band.equity
    return getattr(band, limit, None)
