"""OpenWealth custody positions (JSON): the answer of ``/customers/{id}/positions`` or ``/accounts/{id}/positions``.

Fields as in the public specification, Custody Services API 3.0 (swissfintechinnovations/ca-wealth, Apache 2.0),
``ValuatedPosition``. A position's type is evidence of its class only for cash, deposits, derivatives and crypto assets;
shares, bonds and funds are classified by their CFI code. Loans and what is worth less than nothing are debts.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from allocator.errors import InputError
from allocator.importers.exports import Cell, Export
from allocator.importers.files import load, number, read_json
from allocator.importers.heads import Head
from allocator.issues import WARNING
from allocator.validate import RawTable

TITLE: Final = "OpenWealth custody positions (JSON)"
CLIENT: Final = "openwealth"
CLASSES: Final[Mapping[str, str]] = {
    "cash": "deposit",
    "fixedDeposit": "deposit",
    "callableDeposit": "deposit",
    "cryptoAsset": "crypto",
    **dict.fromkeys(
        (
            "option",
            "future",
            "fxForward",
            "fxSwap",
            "fxOption",
            "interestRateSwap",
            "totalReturnSwap",
            "creditDefaultSwap",
        ),
        "derivative",
    ),
}
"""FinancialInstrumentType → class, where it leaves no doubt."""
LOANS: Final = frozenset({"mortgage", "credit", "fixedLoan", "callableLoan"})
MARKS: Final = ('"financialInstrument"', '"valuation"', '"valueInPositionCurrency"')


def fits(head: Head) -> bool:
    """Say whether these are positions, by names that the specification alone uses together."""
    return head.text.lstrip()[:1] in ("[", "{") and all(mark in head.text for mark in MARKS)


def read(source: Any) -> dict[str, RawTable]:
    """Read positions from a JSON file (also .json.gz, or ``"-"`` for stdin).

    Parameters
    ----------
    source
        The list of positions, one position, or an object with the list under ``positions`` or ``items``.

    Returns
    -------
    dict
        Raw tables ``holdings``, ``clients``, ``debts``, ``fx``. All positions are one client's (the answer is for one
        customer or account, and does not name it); ``row`` is the position's place in the list, from 1.

    Raises
    ------
    InputError
        It is something else, or cannot be read.
    """
    data, file = load(source, TITLE)
    found = read_json(data, file)
    if isinstance(found, dict):
        found = next((found[k] for k in ("positions", "items") if k in found), [found])
    items = found if isinstance(found, list) else []
    if not items or not all(isinstance(p, dict) and "financialInstrument" in p and "valuation" in p for p in items):
        raise InputError(f"{file}: not OpenWealth positions; each must have a financialInstrument and a valuation")
    out = Export(file)
    latest = _latest(items)
    pairs: dict[str, list[tuple[Decimal, Decimal]]] = {}
    base = ""
    for row, p in enumerate(items, start=1):
        value, reference = (_part(p, "valuation", k) for k in ("valueInPositionCurrency", "valueInReferenceCurrency"))
        if latest[_id(p)] != row:
            out.leave_out(
                code="older_record",
                row=row,
                value=_text(p, "positionDate"),
                mend=_text(items[latest[_id(p)] - 1], "positionDate"),
            )
            continue
        base = (
            base
            or _text(reference, "currency")
            or _text(_part(p, "account", "portfolioInformation"), "referenceCurrency")
        )
        a, b = number(value.get("amount")), number(reference.get("amount"))
        if isinstance(a, Decimal) and isinstance(b, Decimal) and _text(reference, "currency") == base:
            pairs.setdefault(_text(value, "currency"), []).append((a, b))
        _position(row, p, out)
    out.client(CLIENT, base)
    out.amounts_in_two(pairs, base)
    for p in items:
        rate = _dict(p.get("foreignExchangeRate"))
        if rate.get("targetCurrency") == base:
            found_rate = number(rate.get("value"))
            out.rate(_text(rate, "sourceCurrency"), found_rate if isinstance(found_rate, Decimal) else None, base)
    return out.tables()


def _position(row: int, p: dict[str, Any], out: Export) -> None:
    thing, account = _dict(p.get("financialInstrument")), _dict(p.get("account"))
    kind, value = _text(thing, "type"), _part(p, "valuation", "valueInPositionCurrency")
    ids = {
        _text(i, "type"): _text(i, "identifier") for i in thing.get("identificationList") or [] if isinstance(i, dict)
    }
    isin = ids.get("isin", "")
    name = _text(thing, "name") or _text(p, "name")
    worth = number(value.get("amount"))
    currency = _text(value, "currency") or _text(p, "currency")
    if kind in LOANS:
        if isinstance(worth, Decimal) and worth > 0:
            out.say(code="loan_positive", row=row, value=name, severity=WARNING, table="debts")
        owed = abs(worth) if isinstance(worth, Decimal) else worth
        out.debt(row, client_id=CLIENT, value=owed, kind=kind if not name else f"{kind}: {name}", currency=currency)
        return
    account_id = _text(account, "id")
    cells: dict[str, Cell] = {
        "client_id": CLIENT,
        "asset_id": isin or (f"cash {currency}" if kind == "cash" else next(iter(ids.values()), "") or _text(p, "id")),
        "name": name,
        "asset_class": CLASSES.get(kind, ""),
        "value": worth,
        "currency": currency,
        "account": account_id,
        "as_of": _text(_dict(p.get("valuation")), "valuationDate") or _text(p, "positionDate"),
        "isin": isin,
        "product_id": isin,
        "cfi": _text(thing, "cfiCode"),
        "issuer": _text(account, "name") if kind == "cash" else "",
    }
    if isinstance(worth, Decimal) and worth >= 0:
        cells |= _traded(p, currency)
    out.position(row, cells, f"overdrawn account {account_id}".strip() if kind == "cash" else "")
    accrued = _dict(p.get("accruedInterest"))
    if number(accrued.get("amount")) not in ("", 0):
        out.say(
            code="accrued_not_added",
            row=row,
            value=name,
            mend=f"{number(accrued.get('amount'))} {_text(accrued, 'currency')}".strip(),
            severity=WARNING,
        )


def _traded(p: dict[str, Any], currency: str) -> dict[str, Cell]:
    """Quantity, price, cost and the part that is free to sell."""
    amount, price, cost = _dict(p.get("quantity")), _dict(p.get("price")), _dict(p.get("costPrice"))
    quantity, paid = number(amount.get("value")), number(cost.get("value"))
    mark, blocked = number(price.get("value")), number(_dict(p.get("blockedQuantity")).get("value"))
    out: dict[str, Cell] = {}
    if isinstance(quantity, Decimal) and quantity > 0:
        out["quantity"] = quantity
        if isinstance(blocked, Decimal) and blocked > 0:
            out["sellable"] = max(Decimal(0), 1 - blocked / quantity)
        if isinstance(paid, Decimal) and paid >= 0 and _text(cost, "currency") in ("", currency):
            out["cost_basis"] = quantity * _unit(paid, cost)
    if isinstance(mark, Decimal) and _text(price, "currency") in ("", currency):
        out["price"] = _unit(mark, price)
    return out


def _unit(value: Decimal, price: dict[str, Any]) -> Decimal:
    return value / 100 if price.get("type") == "percentage" else value


def _latest(items: list[dict[str, Any]]) -> dict[str, int]:
    """Place of the last record of each position."""
    out: dict[str, int] = {}
    for row, p in enumerate(items, start=1):
        known = out.get(_id(p))
        if known is None or _text(p, "positionDate") >= _text(items[known - 1], "positionDate"):
            out[_id(p)] = row
    return out


def _id(p: dict[str, Any]) -> str:
    return _text(p, "id") or str(id(p))


def _part(p: dict[str, Any], *path: str) -> dict[str, Any]:
    for key in path:
        p = _dict(p.get(key))
    return p


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(p: dict[str, Any], key: str) -> str:
    value = p.get(key)
    return value.strip() if isinstance(value, str) else str(value) if isinstance(value, Decimal) else ""
