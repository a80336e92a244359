"""Ghostfolio export (JSON): activities, cash accounts and asset profiles → holdings.

Fields as in Ghostfolio's ``ExportResponse`` (AGPL; the format only, no code). Quantities follow from the activities.
The export has market prices only for assets that the user prices by hand; for all others the price of the last trade is
used and said. It has no exchange rates. What a dividend, fee or interest did to cash is already in the accounts'
balances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from allocator.errors import InputError
from allocator.importers.exports import Cell, Export
from allocator.importers.files import load, number, read_json
from allocator.importers.heads import Head
from allocator.issues import WARNING
from allocator.validate import RawTable

TITLE: Final = "Ghostfolio export (JSON)"
CLIENT: Final = "ghostfolio"
CLASSES: Final[Mapping[tuple[str, str], str]] = {
    ("", "STOCK"): "listed_equity",
    ("EQUITY", "ETF"): "equity_fund",
    ("EQUITY", "MUTUALFUND"): "equity_fund",
    ("FIXED_INCOME", "ETF"): "bond_fund",
    ("FIXED_INCOME", "MUTUALFUND"): "bond_fund",
    ("", "CRYPTOCURRENCY"): "crypto",
    ("", "PRIVATE_EQUITY"): "private_equity",
    ("", "COLLECTIBLE"): "collectible",
    ("", "CASH"): "deposit",
}
"""assetClass (empty: any), assetSubClass → class, where there is no doubt: a bond may be a government's or a firm's,
precious metal gold or silver, real estate a home or an investment."""
SIGNS: Final[Mapping[str, int]] = {"BUY": 1, "ITEM": 1, "SELL": -1, "LIABILITY": 1}
"""What an activity does to the quantity; all other kinds (dividend, fee, interest) do nothing to it."""
MARKS: Final = ('"activities":[', '"assetProfiles":[')


def fits(head: Head) -> bool:
    """Say whether this is an export: one object, ``meta`` first, with lists that nothing else has."""
    text = "".join(head.text.split())
    return text.startswith('{"meta":{') and (MARKS[0] in text or MARKS[1] in text)


def read(source: Any) -> dict[str, RawTable]:
    """Read an export from a JSON file (also .json.gz, or ``"-"`` for stdin).

    Returns
    -------
    dict
        Raw tables ``holdings``, ``clients``, ``debts``, all of one client; ``row`` is the place, from 1, of the first
        activity of a holding, or of the account.

    Raises
    ------
    InputError
        It is something else, or cannot be read.
    """
    data, file = load(source, TITLE)
    found = read_json(data, file)
    if not isinstance(found, dict) or not isinstance(found.get("activities"), list):
        raise InputError(f"{file}: not a Ghostfolio export; it must be an object with a list of activities")
    out = Export(file)
    out.client(CLIENT, str(_dict(_dict(found.get("user")).get("settings")).get("currency") or ""))
    accounts = {str(a.get("id")): a for a in _list(found.get("accounts"))}
    profiles = {(str(a.get("dataSource")), str(a.get("symbol"))): a for a in _list(found.get("assetProfiles"))}
    names = {str(p.get("id")): str(p.get("name") or "") for p in _list(found.get("platforms"))}
    for key, held in _held(found, accounts, out).items():
        _holding(held, profiles.get(key[:2], {}), out)
    for row, account in enumerate(accounts.values(), start=1):
        _balance(row, account, names.get(str(account.get("platformId")), ""), out)
    return out.tables()


@dataclass
class _Held:
    """What the activities of one asset in one account come to."""

    row: int
    account: str
    symbol: str
    currency: str
    owed: bool = False
    quantity: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    price: Decimal | None = None
    day: str = ""
    odd: list[str] = field(default_factory=list)


def _held(
    found: dict[str, Any], accounts: Mapping[str, dict[str, Any]], out: Export
) -> dict[tuple[str, str, str], _Held]:
    """Add up the activities in the order of their days."""
    exported = str(_dict(found.get("meta")).get("date") or "")[:10]
    kinds: dict[str, int] = {}
    excluded: dict[str, int] = {}
    planned = 0
    held: dict[tuple[str, str, str], _Held] = {}
    numbered = sorted(enumerate(_list(found["activities"]), start=1), key=lambda a: (str(a[1].get("date")), a[0]))
    for row, a in numbered:
        kind, day = str(a.get("type")), str(a.get("date") or "")[:10]
        account = accounts.get(str(a.get("accountId")), {})
        if a.get("isDraft") or (exported and day > exported):
            planned += 1
        elif account.get("isExcluded"):
            excluded[str(account.get("name"))] = excluded.get(str(account.get("name")), 0) + 1
        elif kind not in SIGNS:
            kinds[kind] = kinds.get(kind, 0) + 1
        else:
            key = (str(a.get("dataSource")), str(a.get("symbol")), str(a.get("accountId")))
            one = held.setdefault(
                key,
                _Held(row, str(account.get("name") or ""), key[1], str(a.get("currency") or ""), kind == "LIABILITY"),
            )
            _book(one, a, day, SIGNS[kind])
    out.leave_out(planned, code="draft_activity", mend=str(planned))
    for name, count in excluded.items():
        out.leave_out(count, code="account_excluded", value=name, mend=str(count), severity=WARNING)
    for kind, count in kinds.items():
        out.leave_section(kind, count)
    return held


def _book(one: _Held, a: dict[str, Any], day: str, sign: int) -> None:
    quantity, price = number(a.get("quantity")), number(a.get("unitPrice"))
    if not isinstance(quantity, Decimal) or not isinstance(price, Decimal):
        one.odd.append(str(a.get("quantity") if not isinstance(quantity, Decimal) else a.get("unitPrice")))
        return
    if sign > 0:
        one.cost += quantity * price
    elif one.quantity > 0:
        one.cost *= max(Decimal(0), 1 - quantity / one.quantity)
    one.quantity += sign * quantity
    if quantity:
        one.price, one.day = price, day


def _holding(one: _Held, profile: dict[str, Any], out: Export) -> None:
    name = str(profile.get("name") or one.symbol)
    prices = {str(m.get("date"))[:10]: number(m.get("marketPrice")) for m in _list(profile.get("marketData"))}
    known = {day: p for day, p in prices.items() if isinstance(p, Decimal)}
    price, day = one.price, one.day
    if known:
        day = max(known)
        price = known[day]
    if one.odd:
        out.set_aside(code="not_a_number", row=one.row, column="quantity", value=one.odd[0], mend="1234.50")
        return
    if one.quantity == 0:
        out.leave_out(code="zero_left_out", row=one.row, value=name)
        return
    if price is None:
        out.set_aside(code="no_price", row=one.row, value=name)
        return
    if not known and not one.owed:
        out.say(code="price_of_trade", row=one.row, value=name, mend=day, severity=WARNING)
    value = one.quantity * price
    if one.owed:
        out.debt(one.row, client_id=CLIENT, value=value, kind=name, currency=one.currency)
        return
    klass, sub = str(profile.get("assetClass") or ""), str(profile.get("assetSubClass") or "")
    isin = str(profile.get("isin") or "")
    cells: dict[str, Cell] = {
        "client_id": CLIENT,
        "asset_id": isin or one.symbol,
        "name": name,
        "asset_class": CLASSES.get((klass, sub)) or CLASSES.get(("", sub), ""),
        "value": value,
        "currency": str(profile.get("currency") or "") if known else one.currency,
        "account": one.account,
        "as_of": day,
        "isin": isin,
        "product_id": isin,
    }
    if value > 0:
        cells |= {"quantity": one.quantity, "price": price, "cost_basis": one.cost}
    out.position(one.row, cells)


def _balance(row: int, account: dict[str, Any], platform: str, out: Export) -> None:
    name, currency = str(account.get("name") or f"account {row}"), str(account.get("currency") or "")
    balance = number(account.get("balance"))
    if account.get("isExcluded"):
        out.leave_out(code="account_excluded", row=row, value=name, mend="1", severity=WARNING)
    elif balance == 0:
        out.leave_out(code="zero_left_out", row=row, value=name)
    else:
        cells: dict[str, Cell] = {
            "client_id": CLIENT,
            "asset_id": f"cash {account.get('id') or name}",
            "name": f"{name} {currency}".strip(),
            "asset_class": "deposit",
            "value": balance,
            "currency": currency,
            "account": name,
            "issuer": platform,
        }
        out.position(row, cells, f"overdrawn account {name}")


def _list(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
