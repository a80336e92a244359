"""Fidelity (US): the statement (``Statement….csv``) and the positions page (``Portfolio_Positions….csv``).

The statement lists each account's positions in sections with subtotals; the positions page is one table. Both are in US
dollars. The section "Stocks" holds shares and exchange-traded funds alike, so it is no evidence of a class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from allocator.errors import InputError
from allocator.importers.exports import Cell, Export, unit_price
from allocator.importers.files import amount, load, records, text_of
from allocator.importers.heads import Head
from allocator.validate import RawTable, header_key

TITLE: Final = "Fidelity statement or positions (CSV)"
STATEMENT: Final = frozenset({"account_type", "account", "beginning_mkt_value", "ending_net_value"})
POSITIONS: Final = frozenset(
    {"account_number", "account_name", "symbol", "description", "quantity", "last_price", "current_value"}
)
LINKED: Final = "brokeragelink"
"""A plan's row for a brokerage account inside it, whose positions are listed as an account of this name."""
SECTIONS: Final[Mapping[str, str]] = {"options": "derivative"}
"""Section of the statement → class, where it leaves no doubt."""
CORE: Final = (
    ("FDIC INSURED DEPOSIT", "deposit"),
    ("HELD IN FCASH", "deposit"),
    ("MONEY MARKET", "money_market"),
    ("TREASURY ONLY MMKT", "money_market"),
)
"""What the description of a core position says → class."""
_BANK: Final = re.compile(r"FDIC INSURED DEPOSIT\s+AT (.+?)(?: NOT COVERED.*)?$")
_OPTION: Final = re.compile(r"-?[A-Z.]{1,6}\d{6}[CP]\d+(?:\.\d+)?")
_NAMED: Final = re.compile(r"Statement(\d{8})\.csv(?:\.gz)?$", re.IGNORECASE)
_DOWNLOADED: Final = re.compile(r"Date downloaded\s+([A-Za-z]{3}-\d{1,2}-\d{4}|\d{1,2}/\d{1,2}/\d{4})")
_SUBTOTAL: Final = "subtotal of "
_WIDTH: Final = 6
"""Cells that a position of the statement has at least: up to its ending value."""


def fits(head: Head) -> bool:
    """Say whether this is one of the two files, by its headers."""
    return head.headers >= STATEMENT or head.headers >= POSITIONS


def read(source: Any) -> dict[str, RawTable]:
    """Read a statement or the positions from a CSV file (also .csv.gz, or ``"-"`` for stdin).

    Returns
    -------
    dict
        Raw tables ``holdings``, ``clients``, ``debts``; ``client_id`` is the account number. Short positions and
        written options are debts.

    Raises
    ------
    InputError
        It is neither file, or cannot be read.
    """
    data, file = load(source, TITLE)
    text, encoding = text_of(data, file)
    lines = list(records(text, file))
    headers = {header_key(c) for c in lines[0][1]}
    out = Export(file)
    if encoding == "windows-1252":
        out.say(code="encoding", value=encoding.upper(), mend="UTF-8")
    if headers >= STATEMENT:
        _Statement(out, lines).read()
    elif headers >= POSITIONS:
        _positions(lines, out)
    else:
        raise InputError(
            f"{file}: neither Fidelity's statement nor its positions page as CSV; the first line must be their header "
            "(for positions: Account Number, Symbol, Description, Quantity, Last Price, Current Value …)"
        )
    return out.tables()


class _Statement:
    """The statement, line by line: which account and section it is in decides what a line is."""

    def __init__(self, out: Export, lines: list[tuple[int, list[str]]]) -> None:
        self.out, self.lines = out, lines
        named = _NAMED.search(out.file)
        self.day = f"{named[1][4:]}-{named[1][:2]}-{named[1][2:4]}" if named else ""
        self.accounts: dict[str, tuple[int, Cell]] = {}
        self.account = self.section = ""
        self.sums: dict[str, Decimal] = {}
        self.part = Decimal(0)

    def read(self) -> None:
        """Read all lines, and hold the file's totals against what they give."""
        at = next((i for i, (_, c) in enumerate(self.lines) if header_key(c[0]).startswith("symbol")), len(self.lines))
        self._accounts(at)
        headings = min(at + 1, len(self.lines)) - len(self.accounts)
        for line, cells in self.lines[at + 1 :]:
            filled = [c for c in cells if c]
            if filled[0].casefold().startswith(_SUBTOTAL):
                self.out.leave_out(code="export_total", row=line, value=filled[0])
                self.out.compare(filled[0], amount(cells[5] if len(cells) > 5 else ""), self.part, line)
                self.part = Decimal(0)
            elif len(filled) == 1 and len(cells) < _WIDTH:
                headings += 1
                self._heading(filled[0])
            elif len(cells) < _WIDTH:
                self.out.set_aside(code="ragged_row", row=line, mend=f"{_WIDTH}/{len(cells)}")
            else:
                self._position(line, cells)
        self.out.leave_out(headings, code="export_text", mend=str(headings))
        for account, (line, stated) in self.accounts.items():
            self.out.who = account
            self.out.compare("Ending Net Value", stated, self.sums.get(account, Decimal(0)), line)

    def _accounts(self, until: int) -> None:
        keys = [header_key(c) for c in self.lines[0][1]]
        for line, cells in self.lines[1:until]:
            row = dict(zip(keys, cells, strict=False))
            account = row.get("account", "")
            if account:
                stated = amount(row.get("ending_net_value"))
                market = amount(row.get("ending_mkt_value"))
                self.accounts[account] = (line, stated if stated != "" else market)
                self.out.client(account, "USD")
        self.account = next(iter(self.accounts), "fidelity")

    def _heading(self, text: str) -> None:
        if text in self.accounts:
            self.account = self.out.who = text
            self.part = Decimal(0)
        else:
            self.section, self.part = text, Decimal(0)

    def _position(self, line: int, cells: list[str]) -> None:
        symbol, name = cells[0], cells[1]
        quantity, price, value = amount(cells[2]), amount(cells[3]), amount(cells[5])
        klass = SECTIONS.get(self.section.casefold(), "") or _core(name, self.section.casefold() == "core account")
        cost = amount(cells[6]) if len(cells) > _WIDTH else ""
        _add(
            self.out,
            line,
            _cells(self.account, symbol, name, klass) | {"value": value, "as_of": self.day},
            (quantity, price, cost),
        )
        if isinstance(value, Decimal):
            self.part += value
            self.sums[self.account] = self.sums.get(self.account, Decimal(0)) + value


def _positions(lines: list[tuple[int, list[str]]], out: Export) -> None:
    keys = [header_key(c) for c in lines[0][1]]
    rows = [(line, dict(zip(keys, cells, strict=False))) for line, cells in lines[1:]]
    day, text = "", 0
    for _, cells in lines[1:]:
        found = _DOWNLOADED.search(cells[0])
        day = _date(found[1]) if found else day
    read = Decimal(0)
    inside = {r.get("account_number", "") for _, r in rows if r.get("account_name", "").casefold().startswith(LINKED)}
    for line, row in rows:
        account, symbol, name = row.get("account_number", ""), row.get("symbol", ""), row.get("description", "")
        value = amount(row.get("current_value"))
        label = (symbol or name).casefold()
        if "positions total" in (symbol.casefold(), name.casefold()):
            out.leave_out(code="export_total", row=line, value=symbol or name)
            stated = next(
                (
                    x
                    for x in map(amount, (row.get("current_value"), row.get("last_price_change")))
                    if isinstance(x, Decimal)
                ),
                "",
            )
            out.compare("Positions Total", stated, read, line)
            continue
        if not account or not label or "current_value" not in row:
            text += 1
            continue
        out.client(account, "USD")
        out.who = account
        if label == LINKED and inside and account not in inside:
            out.leave_out(code="export_total", row=line, value=name)
            continue
        if isinstance(value, Decimal):
            read += value
        if label == "pending activity":
            pending = _cells(account, "pending activity", "Pending activity", "deposit")
            out.position(line, pending | {"value": value, "issuer": "Fidelity"}, "pending activity, Fidelity")
            continue
        symbol = symbol.rstrip("*").strip()
        klass = "derivative" if _OPTION.fullmatch(symbol) else _core(name, row.get("symbol", "").endswith("**"))
        held = _cells(account, symbol.lstrip("-"), name, klass) | {"value": value, "as_of": day}
        if row.get("type", "").casefold() == "margin":
            held["account"] = f"{account} margin"
        cost = amount(row.get("cost_basis_total") or row.get("cost_basis"))
        _add(out, line, held, (amount(row.get("quantity")), amount(row.get("last_price")), cost))
    out.who = ""
    out.leave_out(text, code="export_text", mend=str(text))


def _cells(account: str, symbol: str, name: str, klass: str) -> dict[str, Cell]:
    bank = _BANK.search(name.upper())
    return {
        "client_id": account,
        "asset_id": symbol or name,
        "name": name or symbol,
        "asset_class": klass,
        "currency": "USD",
        "account": account,
        "issuer": bank[1].strip().title() if bank else "Fidelity" if klass == "deposit" else "",
        "product_id": symbol if klass != "deposit" else "",
    }


def _add(out: Export, line: int, cells: dict[str, Cell], traded: tuple[Cell, Cell, Cell]) -> None:
    """Add a position with its quantity, price and cost."""
    quantity, price, cost = traded
    value = cells["value"]
    long = isinstance(value, Decimal) and value >= 0
    more = {
        "quantity": quantity if long else None,
        "price": unit_price(value, quantity, price) if price != 0 else None,
        "cost_basis": cost if not isinstance(cost, Decimal) or cost >= 0 else None,
    }
    out.position(line, cells | more)


def _core(name: str, core: bool) -> str:
    return next((klass for words, klass in CORE if core and words in name.upper()), "")


def _date(text: str) -> str:
    for form in ("%b-%d-%Y", "%m/%d/%Y"):
        try:
            return datetime.strptime(text, form).date().isoformat()
        except ValueError:
            continue
    return ""
