"""Beancount ledger: balances of assets and liabilities at the ledger's own prices → holdings and debts.

A reader of its own, because beancount is under the GPL and would have to be installed; what it cannot read it refuses
with the line. The ledger proves the result: every ``balance`` assertion in it is held against what was read. Accounts
and commodities may name their class in their metadata (``asset-class``, ``isin``, ``cfi``, ``name``; ``institution``
for a bank). Plug-ins are not run.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from allocator.errors import InputError
from allocator.importers.exports import Cell, Export
from allocator.importers.files import load, text_of
from allocator.importers.heads import Head
from allocator.importers.ledger_text import Directive, Posting, directives, read_amount, texts
from allocator.issues import WARNING
from allocator.validate import RawTable

TITLE: Final = "beancount ledger"
CLIENT: Final = "beancount"
CASH: Final = frozenset(
    {
        "cash",
        "checking",
        "savings",
        "current",
        "giro",
        "deposit",
        "deposits",
        "bank",
        "bargeld",
        "konto",
        "wallet",
        "活期",
        "存款",
        "现金",
    }
)
"""Last parts of account names that leave no doubt that money in them is a deposit; others say it in ``asset-class``."""
HISTORY: Final = frozenset({"event", "note", "document", "query", "custom"})
"""Directives that move nothing."""
QUIET: Final = (
    "auto_accounts",
    "implicit_prices",
    "check_",
    "noduplicates",
    "unique_prices",
    "leafonly",
    "coherent_cost",
    "sellgains",
    "commodity_attr",
    "pedantic",
    "currency_accounts_",
)
"""Plug-ins that only check or add prices."""
MOST_FILES: Final = 1000
CHAIN: Final = 5
"""Prices that are followed from one commodity to the next."""
_KINDS: Final = re.compile(
    r"^\d{4}[-/]\d\d?[-/]\d\d?\s+(open\s+[A-Z]\w+:|commodity\s+[A-Z]|balance\s+[A-Z]\w+:|[*!]\s+\")", re.MULTILINE
)
_TOLERANCE: Final = re.compile(r"(.*?)~\s*([\d.,]+)(.*)", re.DOTALL)


def fits(head: Head) -> bool:
    """Say whether this is a ledger: at least two kinds of its directives begin a line."""
    return len({m[1].split()[0] for m in _KINDS.finditer(head.text)}) > 1 or (
        head.name.lower().endswith((".beancount", ".bean")) and _KINDS.search(head.text) is not None
    )


def read(source: Any) -> dict[str, RawTable]:
    """Read a ledger from a file with all it includes, or from stdin (``"-"``).

    Returns
    -------
    dict
        Raw tables ``holdings``, ``clients``, ``debts``, ``fx``, all of one client, in the first operating currency;
        ``row`` is the line of the account's last posting.

    Raises
    ------
    InputError
        A line is not understood, an included file is absent, or a transaction needs beancount's own booking of lots.
    """
    data, file = load(source, TITLE)
    out = Export(file)
    folder = Path(source).resolve().parent if not (isinstance(source, str) and source == "-") else None
    found = _all(data, file, folder, out)
    ledger = _Ledger(out)
    today = date.today().isoformat()
    planned = sum(d.kind == "transaction" and d.day > today for d in found)
    out.leave_out(planned, code="draft_activity", mend=str(planned))
    for d in sorted(found, key=Directive.order):
        if d.day <= today:
            ledger.take(d)
    if not any(d.kind in ("transaction", "balance", "open") for d in found):
        raise InputError(f"{file}: not a beancount ledger; it has neither accounts nor transactions")
    ledger.hold()
    return out.tables()


def _all(data: bytes, file: str, folder: Path | None, out: Export) -> list[Directive]:
    """Directives of a file and of all that it includes."""
    found: list[Directive] = []
    waiting, seen = [(data, file, folder)], {None if folder is None else folder / file}
    while waiting:
        body, name, place = waiting.pop()
        for d in directives(text_of(body, name)[0], name):
            if d.kind != "include":
                found.append(d)
                continue
            if place is None:
                raise InputError(f"{name}: line {d.line} includes a file, which stdin cannot; give the ledger's file")
            for path in _included(d, place):
                if path in seen:
                    continue
                seen.add(path)
                if len(seen) > MOST_FILES:
                    raise InputError(f"{file}: includes more than {MOST_FILES} files")
                waiting.append((*load(path, TITLE), path.parent))
    if len(seen) > 1:
        out.say(code="file_includes", mend=str(len(seen) - 1))
    return found


def _included(d: Directive, folder: Path) -> list[Path]:
    pattern = (texts(d.rest) or [""])[0]
    many = any(c in pattern for c in "*?[") and not Path(pattern).is_absolute()
    try:
        paths = sorted(folder.glob(pattern)) if many else [folder / pattern]
        there = bool(pattern and paths) and all(p.is_file() for p in paths)
    except (OSError, ValueError, NotImplementedError):  # a name too long, a pattern that is none
        there = False
    if not there:
        raise InputError(f"{d.file}: line {d.line} includes a file that is not there; check its path")
    return [p.resolve() for p in paths]


@dataclass
class _Held:
    """One commodity in one account."""

    units: Decimal = Decimal(0)
    line: int = 0
    cost: Decimal = Decimal(0)
    money: str = ""
    known: bool = True


@dataclass
class _Ledger:
    """The ledger as it is after each directive, in the order of time."""

    out: Export
    roots: dict[str, str] = field(default_factory=lambda: {"name_assets": "Assets", "name_liabilities": "Liabilities"})
    operating: list[str] = field(default_factory=list)
    held: dict[tuple[str, str], _Held] = field(default_factory=lambda: defaultdict(_Held))
    accounts: dict[str, dict[str, str]] = field(default_factory=dict)
    commodities: dict[str, dict[str, str]] = field(default_factory=dict)
    prices: dict[str, tuple[str, Decimal, str]] = field(default_factory=dict)
    traded: dict[str, tuple[str, Decimal, str]] = field(default_factory=dict)
    at_cost: set[str] = field(default_factory=set)
    pads: dict[str, str] = field(default_factory=dict)
    asserted: int = 0
    history: Counter[str] = field(default_factory=Counter)

    def take(self, d: Directive) -> None:
        """Take one directive in."""
        if d.kind == "option":
            name, value = [*texts(d.rest), "", ""][:2]
            if name == "operating_currency":
                self.operating.append(value)
            elif name in self.roots:
                self.roots[name] = value
        elif d.kind == "plugin":
            name = (texts(d.rest) or [""])[0]
            if not any(quiet in name for quiet in QUIET):
                self.out.say(code="plugin_not_run", row=d.line, value=name, severity=WARNING)
        elif d.kind == "open":
            self.accounts[(d.rest.split() or [""])[0]] = d.meta
        elif d.kind == "commodity":
            self.commodities[d.rest.strip()] = d.meta
        elif d.kind == "price":
            self._price(d)
        elif d.kind == "pad":
            account, source = [*d.rest.split(), "", ""][:2]
            self.pads[account] = source
        elif d.kind == "balance":
            self._assert(d)
        elif d.kind == "transaction":
            self._book(d)
        elif d.kind in HISTORY:
            self.history[d.kind] += 1
        elif d.kind not in ("close", "pushtag", "poptag", "pushmeta", "popmeta"):
            raise InputError(f"{d.file}: line {d.line} is no directive of a beancount ledger")

    def hold(self) -> None:
        """Turn the balances into holdings and debts."""
        base = self.operating[0] if self.operating else ""
        self.out.client(CLIENT, base)
        for kind, count in sorted(self.history.items()):
            self.out.leave_section(kind, count)
        money = self._money()
        for currency in sorted(money):
            day_rate = self._worth(currency, {base})
            self.out.rate(currency, day_rate[1] if day_rate else None, base)
        for (account, commodity), one in sorted(self.held.items()):
            if one.units and self._on_sheet(account):
                self._one(account, commodity, one, money)

    def _on_sheet(self, account: str) -> bool:
        return account.partition(":")[0] in self.roots.values()

    def _price(self, d: Directive) -> None:
        commodity, _, rest = d.rest.partition(" ")
        try:
            number, currency = read_amount(rest)
        except (ValueError, ArithmeticError):
            number, currency = None, ""
        if number is None or not currency:
            raise InputError(f"{d.file}: line {d.line} is no price that is understood")
        self.prices[commodity.strip()] = (d.day, number, currency)

    def _book(self, d: Directive) -> None:
        """Book a transaction; a leg without an amount takes what the others leave."""
        open_legs = [p for p in d.postings if p.units is None or not p.currency]
        for p in d.postings:
            if p.price is not None and p.currency:
                self.traded[p.currency] = (d.day, *p.price)
            if p.units is not None and p.currency:
                self._move(p.account, p.currency, p.units, d.line, p)
        for p in open_legs:
            if self._on_sheet(p.account):
                self._left_over(d, p, open_legs)

    def _left_over(self, d: Directive, leg: Posting, open_legs: list[Posting]) -> None:
        weights = [p.weight for p in d.postings if p not in open_legs]
        if len(open_legs) > 1 or leg.units is not None or leg.cost or leg.price is not None or None in weights:
            raise InputError(
                f"{d.file}: the transaction in line {d.line} leaves an amount to beancount's booking of lots; write "
                "the amount of the account, or print the ledger with bean-query and give that"
            )
        rest: dict[str, Decimal] = defaultdict(Decimal)
        for w in weights:
            if w is not None:
                rest[w[1]] += w[0]
        for currency, sum_ in rest.items():
            if sum_ and leg.currency in ("", currency):
                self._move(leg.account, currency, -sum_, d.line, None)

    def _move(self, account: str, commodity: str, units: Decimal, line: int, p: Posting | None) -> None:
        one = self.held[(account, commodity)]
        one.units += units
        one.line = line
        if p is not None and p.cost:
            self.at_cost.add(commodity)
            one.known &= p.weight is not None and one.money in ("", p.weight[1])
            if p.weight is not None:
                one.cost, one.money = one.cost + p.weight[0], p.weight[1]

    def _assert(self, d: Directive) -> None:
        """Hold an assertion against the balance, filling it up first where a pad asks for it."""
        account, _, rest = d.rest.partition(" ")
        loose = _TOLERANCE.fullmatch(rest)
        try:
            number, currency = read_amount(f"{loose[1]} {loose[3]}" if loose else rest)
        except (ValueError, ArithmeticError):
            number, currency = None, ""
        if number is None or not currency:
            raise InputError(f"{d.file}: line {d.line} is no balance that is understood")
        exponent = number.as_tuple().exponent
        digits = exponent if isinstance(exponent, int) else 0
        allowed = (
            Decimal(loose[2].replace(",", "")) if loose else Decimal(1).scaleb(digits) if digits < 0 else Decimal(0)
        )
        read = sum(
            (
                h.units
                for (a, c), h in self.held.items()
                if c == currency and (a == account or a.startswith(f"{account}:"))
            ),
            Decimal(0),
        )
        if account in self.pads and abs(number - read) > allowed:
            self._move(account, currency, number - read, d.line, None)
            self._move(self.pads[account], currency, read - number, d.line, None)
            read = number
        self.asserted += 1
        if abs(number - read) > allowed:
            self.out.say(
                code="stated_total",
                severity=WARNING,
                column=f"balance {account}",
                row=d.line,
                value=f"{number:,} {currency}",
                mend=f"{read:,} {currency}",
            )

    def _money(self) -> set[str]:
        """Commodities that are currencies: the ledger's own, and those of ISO 4217 that are never held at a cost."""
        from babel.numbers import list_currencies

        iso = list_currencies()
        return {c for _, c in self.held if c in self.operating or (c in iso and c not in self.at_cost)}

    def _worth(self, commodity: str, until: set[str]) -> tuple[str, Decimal, str] | None:
        """Last price of a commodity, followed until it is in one of these currencies."""
        found = self.prices.get(commodity)
        for _ in range(CHAIN):
            if found is None or found[2] in until or found[2] not in self.prices:
                break
            day, each, other = self.prices[found[2]]
            found = (min(found[0], day), found[1] * each, other)
        return found

    def _one(self, account: str, commodity: str, one: _Held, money: set[str]) -> None:
        meta = self.commodities.get(commodity, {})
        asset = account.partition(":")[0] == self.roots["name_assets"]
        cells: dict[str, Cell] = {"client_id": CLIENT, "account": account}
        if meta.get("export") == "IGNORE":
            self.out.leave_out(code="ledger_ignored", row=one.line, value=commodity)
            return
        if commodity in money:
            name = account.partition(":")[2].replace(":", " ")
            klass = self._said(account, "asset-class", "asset_class") or (
                ("deposit" if account.rsplit(":", 1)[1].casefold() in CASH else "") if asset else "other_financial"
            )
            cells |= {"asset_id": f"{account} {commodity}", "name": f"{name} {commodity}", "asset_class": klass}
            cells |= {"value": one.units, "currency": commodity}
            cells["issuer"] = self._said(account, "institution") if klass == "deposit" else ""
            self.out.position(one.line, cells, f"{'overdrawn ' if asset else ''}{name}")
            return
        name = meta.get("name", commodity)
        price = self._worth(commodity, money)
        if price is None and commodity in self.traded:
            price = self.traded[commodity]
            self.out.say(code="price_of_trade", row=one.line, value=name, mend=price[0], severity=WARNING)
        if price is None:
            self.out.set_aside(code="no_price", row=one.line, value=name)
            return
        isin = meta.get("isin", meta.get("ISIN", ""))
        klass = meta.get("asset-class", meta.get("asset_class", "")) or self._said(
            account, "asset-class", "asset_class"
        )
        cells |= {
            "asset_id": isin or commodity,
            "name": name,
            "asset_class": klass,
            "cfi": meta.get("cfi", ""),
            "value": one.units * price[1],
            "currency": price[2],
            "as_of": price[0],
            "isin": isin,
            "product_id": isin or commodity,
        }
        if one.units > 0:
            known = one.known and one.money == price[2] and one.cost >= 0
            cells |= {"quantity": one.units, "price": price[1], "cost_basis": one.cost if known else None}
        self.out.position(one.line, cells)

    def _said(self, account: str, *keys: str) -> str:
        """What the account's own metadata or that of the nearest one above it says."""
        parts = account.split(":")
        for end in range(len(parts), 0, -1):
            meta: Mapping[str, str] = self.accounts.get(":".join(parts[:end]), {})
            for key in keys:
                if meta.get(key):
                    return meta[key]
        return ""
