"""What readers of other tools' exports share: the rows they find, what they leave out and why, and sums to compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.errors import InputError
from allocator.issues import ERROR, INFO, WARNING, concat, issue_table
from allocator.schema import TABLES
from allocator.validate import RawTable

Cell = Decimal | str | bool | None
"""A cell for validation: a number that was read, the text as found where none could be, or nothing."""
MINOR: Final[Mapping[str, str]] = {"GBX": "GBP", "GBp": "GBP", "ZAc": "ZAR", "ZAC": "ZAR", "ILA": "ILS"}
"""Hundredths of a currency, in which some exchanges quote."""
LARGEST: Final = Decimal("1e15")
"""Largest amount that validation takes."""
CENT: Final = Decimal("0.01")
HALF: Final = Decimal("0.00499")
"""Largest part of a cent that rounding takes away or adds."""
STEEPEST: Final = Decimal(1_000_000)
"""No currency is worth more than this many units of another one."""
MOST_DIGITS: Final = 12
"""Decimals of a rate, at most."""
HALVINGS: Final = 60
NEAR: Final = Decimal("0.006")
"""How far value and quantity × price may be apart, as a fraction, to agree (prices are rounded)."""
SHOWN: Final = 12
"""Ids that a sentence lists at most."""
MONEY: Final = frozenset({"value", "price", "cost_basis"})
ALWAYS: Final = ("client_id", "name", "asset_id", "asset_class", "value", "currency")


class Export:
    """Collects what one file holds; `tables` gives the raw tables.

    Every record of the file is added (`holding`, `debt`, `position`), left out with a reason (`leave_out`), or set
    aside with an error (`set_aside`): none is lost.

    Parameters
    ----------
    file
        Base name of the file.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._cells: dict[str, list[Mapping[str, Cell]]] = {t: [] for t in TABLES}
        self._rows: dict[str, list[int]] = {t: [] for t in TABLES}
        self._notes: list[dict[str, Any]] = []
        self._sections: dict[tuple[str, str], int] = {}
        self._ignored = self._lost = 0
        self.who = ""
        """Client whose part of the file is being read: whom issues concern that name nobody."""

    def holding(self, row: int, **cells: Cell) -> None:
        """Add a holding."""
        self._add("holdings", row, cells)

    def debt(self, row: int, **cells: Cell) -> None:
        """Add a debt."""
        self._add("debts", row, cells)

    def client(self, client_id: str, currency: str) -> None:
        """Add a client with the currency of their report."""
        if client_id not in [c["client_id"] for c in self._cells["clients"]]:
            self._add("clients", 0, {"client_id": client_id, "currency": currency})

    def looked_through(self, fund_id: str, parts: Iterable[tuple[str, Decimal]]) -> None:
        """Add what a fund holds, once: asset class and weight, summing to 1."""
        if fund_id not in [r["fund_id"] for r in self._cells["lookthrough"]]:
            for klass, weight in parts:
                self._add("lookthrough", 0, {"fund_id": fund_id, "asset_class": klass, "weight": weight})

    def rate(self, currency: str, rate: Decimal | None, base: str) -> None:
        """Add a rate that the file states, once for each currency; ``base`` per one ``currency``."""
        if currency in MINOR and rate is not None:
            currency, rate = MINOR[currency], rate * 100
        known = [r["currency"] for r in self._cells["fx"]]
        if currency and base and currency not in (*known, base) and rate is not None and rate > 0:
            self._add("fx", 0, {"currency": currency, "rate": rate, "base": base})

    def amounts_in_two(self, pairs: Mapping[str, list[tuple[Decimal, Decimal]]], base: str) -> None:
        """Add the rates behind amounts given in their own currency (the key) and in ``base``."""
        for currency, both in pairs.items():
            rate, off = rate_of(both) if currency != base else (None, Decimal(0))
            self.rate(currency, rate, base)
            if off >= CENT / 2:
                self.say(code="rates_differ", value=currency, mend=f"{off:.2f}")

    def rates(self, base: str) -> dict[str, Decimal]:
        """Rates known so far into ``base``."""
        found = {r["currency"]: r["rate"] for r in self._cells["fx"] if r["base"] == base}
        return {str(c): x for c, x in found.items() if isinstance(x, Decimal)} | {base: Decimal(1)}

    def position(self, row: int, cells: Mapping[str, Cell], owed: str = "") -> None:
        """Add what may be worth less than nothing: that part is a debt.

        Parameters
        ----------
        row
            Row or line in the file.
        cells
            Of the holdings table.
        owed
            Kind of debt that a negative value is. Empty: a short position, whose debt is what buying it back costs.
        """
        value = cells.get("value")
        if not isinstance(value, Decimal) or value >= 0:
            self._add("holdings", row, cells)
            return
        name = str(cells.get("name") or cells.get("asset_id") or "")
        kind = owed or f"short position: {name}"
        self.debt(row, client_id=cells["client_id"], value=-value, kind=kind, currency=cells.get("currency"))
        if owed:
            self.say(code="overdrawn_as_debt", row=row, value=name, table="debts")
        else:
            self.say(code="short_as_debt", row=row, value=name, severity=WARNING, table="debts")

    def say(self, *, code: str, **more: Any) -> None:
        """Add an issue (INFO unless said otherwise): its cells by name, as in `issues.COLUMNS`."""
        known = {"client_id": self.who, "file": self.file, "table": "holdings", "severity": INFO, "code": code}
        self._notes.append(known | more)

    def leave_out(self, count: int = 1, *, code: str, **more: Any) -> None:
        """Leave records out, with the reason as an issue."""
        if count:
            self._ignored += count
            self.say(code=code, **more)

    def leave_section(self, name: str, count: int) -> None:
        """Leave out a kind of records that say nothing of what is held; all kinds together make one issue."""
        self._ignored += count
        if count:
            self._sections[(self.who, name)] = self._sections.get((self.who, name), 0) + count

    def set_aside(self, *, code: str, **more: Any) -> None:
        """Set one record aside, with an error."""
        self._lost += 1
        self.say(code=code, severity=ERROR, **more)

    def compare(self, what: str, stated: Cell, read: Decimal, row: int = 0) -> None:
        """Hold a total that the file states against what was read; a difference of half a cent or more is a warning."""
        if isinstance(stated, Decimal) and abs(stated - read) >= CENT / 2:
            figures = {"value": f"{stated:,.2f}", "mend": f"{read:,.2f}"}
            self.say(code="stated_total", severity=WARNING, column=what, row=row, **figures)

    def total(self, base: str, client_id: str | None = None) -> Decimal | None:
        """Sum holdings less debts in ``base``; None where a rate or a value is unknown."""
        rates, out = self.rates(base), Decimal(0)
        for table, sign in (("holdings", 1), ("debts", -1)):
            for cells in self._cells[table]:
                if client_id is not None and cells["client_id"] != client_id:
                    continue
                value, rate = cells.get("value"), rates.get(str(cells.get("currency")))
                if not isinstance(value, Decimal) or rate is None:
                    return None
                out += sign * value * rate
        return out

    def tables(self) -> dict[str, RawTable]:
        """Give the raw tables.

        Raises
        ------
        InputError
            Nobody holds or owes anything.
        """
        if not self._cells["holdings"] and not self._cells["debts"] and not self._lost:
            raise InputError(
                f"{self.file}: there is no position in this export; export it again with the positions in it"
            )
        held = self._cells["holdings"]
        _unique_accounts(held)
        self._sum_up()
        out = {"holdings": self._raw("holdings", held)}
        out |= {t: self._raw(t, rows) for t, rows in self._cells.items() if t != "holdings" and rows}
        issues = concat([issue_table(self._notes)])
        out["holdings"] = replace(out["holdings"], issues=issues, lost=self._lost, ignored=self._ignored)
        return out

    def _add(self, table: str, row: int, cells: Mapping[str, Cell]) -> None:
        major = MINOR.get(str(cells.get("currency")))
        if major and table != "fx":
            money = {k: v / 100 for k, v in cells.items() if k in MONEY and isinstance(v, Decimal)}
            cells = {**cells, **money, "currency": major}
        self._cells[table].append({k: v for k, v in cells.items() if v is not None and v != ""})
        self._rows[table].append(row)

    def _sum_up(self) -> None:
        """Say what concerns the whole file, and give issues of a file with one client to that client."""
        rows = [*self._cells["holdings"], *self._cells["debts"], *self._cells["clients"]]
        clients = list(dict.fromkeys(str(r["client_id"]) for r in rows))
        for who in dict.fromkeys(w for w, _ in self._sections):
            parts = [f"{name} ({count})" for (w, name), count in self._sections.items() if w == who]
            self.say(code="export_section", client_id=who, mend=", ".join(parts))
        unclear = [h for h in self._cells["holdings"] if not h.get("asset_class") and not h.get("cfi")]
        for who in dict.fromkeys(str(h["client_id"]) for h in unclear):
            ids = list(dict.fromkeys(str(h.get("asset_id") or h.get("name")) for h in unclear if h["client_id"] == who))
            shown = ", ".join(ids[:SHOWN]) + (" …" if len(ids) > SHOWN else "")
            self.say(code="class_open", client_id=who, mend=shown)
        if len(clients) > 1:
            self.say(code="accounts_apart", client_id="", mend=str(len(clients)))
        elif clients:
            self._notes = [n | {"client_id": n["client_id"] or clients[0]} for n in self._notes]

    def _raw(self, table: str, rows: list[Mapping[str, Cell]]) -> RawTable:
        names = [c.name for c in TABLES[table]]
        used = [n for n in names if any(n in r for r in rows) or (table == "holdings" and n in ALWAYS)]
        frame = pd.DataFrame({n: pd.Series([_plain(r.get(n)) for r in rows], dtype=object) for n in used})
        return RawTable(frame, self.file, rows=np.array(self._rows[table], dtype=np.int64))


def unit_price(value: Cell, quantity: Cell, price: Cell) -> Cell:
    """Give the price of one unit, where the file quotes one share of a contract of 100, or percent of face value."""
    if isinstance(value, Decimal) and isinstance(quantity, Decimal) and isinstance(price, Decimal) and value:
        for size in (Decimal(1), Decimal(100), Decimal("0.01")):
            if abs(quantity * price * size - value) <= abs(value) * NEAR:
                return price * size
    return price


def rate_of(pairs: Iterable[tuple[Decimal, Decimal]]) -> tuple[Decimal | None, Decimal]:
    """Find the exchange rate behind amounts that a file gives in two currencies, each rounded to the cent.

    Parameters
    ----------
    pairs
        Amount in the one currency, and the same in the other.

    Returns
    -------
    (rate, off)
        The shortest decimal with which every amount comes out to the cent; where there is none, one with which the
        rounded amounts add up to the file's. ``off`` is the largest difference that it leaves. None without an amount
        that is not zero, or where two amounts cannot be one in two currencies.
    """
    known = [(abs(a), abs(b)) for a, b in pairs if a and b and max(abs(a), abs(b)) <= LARGEST]
    if not known or not all(1 / STEEPEST < b / a < STEEPEST for a, b in known if a >= 1):
        return None, Decimal(0)
    low = max((b - HALF) / a for a, b in known)
    high = min((b + HALF) / a for a, b in known)
    for digits in range(1, MOST_DIGITS):
        rate = low.quantize(Decimal(1).scaleb(-digits), ROUND_CEILING)
        if 0 < rate <= high:
            return rate, Decimal(0)
    # No rate serves every row: take one with which the rounded amounts add up, which grow with the rate.
    total = sum((b for _, b in known), Decimal(0))
    low, high = (min(b / a for a, b in known), max(b / a for a, b in known))
    for _ in range(HALVINGS):
        rate = ((low + high) / 2).quantize(Decimal(1).scaleb(-MOST_DIGITS))
        found = sum(((a * rate).quantize(CENT) for a, _ in known), Decimal(0))
        if found == total:
            break
        low, high = (rate, high) if found < total else (low, rate)
    return rate, max(abs(a * rate - b) for a, b in known)


def as_one_client(raw: Mapping[str, RawTable], client_id: str) -> dict[str, RawTable]:
    """Take all accounts of an export as those of one client.

    Raises
    ------
    InputError
        The id is blank.
    """
    if not client_id.strip():
        raise InputError("the id of the one client is blank; give one")
    out = dict(raw)
    for name, table in raw.items():
        if "client_id" in table.frame:
            frame = table.frame.assign(client_id=pd.Series([client_id] * len(table.frame), dtype=object))
            issues = table.issues[table.issues["code"] != "accounts_apart"].reset_index(drop=True)
            issues = issues.assign(client_id=issues["client_id"].mask(issues["client_id"] != "", client_id))
            out[name] = replace(table, frame=frame, issues=issues)
    clients = out.get("clients")
    if clients is not None and len(clients.frame) > 1:  # several accounts, one family: its currency is the first one's
        rest = len(clients.frame) - 1
        out["clients"] = replace(clients, frame=clients.frame.iloc[:1], rows=clients.rows[:1], ignored=rest)  # type: ignore[index]
    return out


def _unique_accounts(rows: list[Mapping[str, Cell]]) -> None:
    """Keep apart what the file lists several times in one account (lots, cash and margin), as accounts ``A (2)``."""
    seen: dict[tuple[Cell, ...], int] = {}
    for i, r in enumerate(rows):
        key = (r["client_id"], r.get("asset_id", r.get("name")), r.get("account"))
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > 1:
            rows[i] = {**r, "account": f"{r.get('account') or ''} ({seen[key]})".strip()}


def _plain(cell: Cell) -> float | str | bool:
    return float(cell) if isinstance(cell, Decimal) else "" if cell is None else cell
