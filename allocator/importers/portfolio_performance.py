"""Portfolio Performance (XML file): transactions and prices → holdings and cash; taxonomies → asset classes.

The file is XStream's picture of the program's memory (EPL; the format only, no code): an element is written where it is
first met, and ``reference`` points to it from elsewhere, by relative path or by id. Amounts are hundredths, shares and
prices whole numbers whose decimals depend on the file's version. A classification is taken for a class where its name
leaves no doubt; "Equity" may be a share or a fund, so it is left open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from allocator.errors import InputError
from allocator.importers.exports import Cell, Export
from allocator.importers.files import Node, load, read_xml
from allocator.importers.heads import Head
from allocator.issues import WARNING
from allocator.validate import RawTable

TITLE: Final = "Portfolio Performance (XML)"
CLIENT: Final = "portfolio_performance"
OLDEST: Final = 29
"""Version that brought currencies; older files are opened and saved again."""
DIGITS: Final = ((49, 8, 8), (30, 6, 4), (OLDEST, 6, 2))
"""From this version on: decimals of shares, decimals of prices."""
CASH: Final[Mapping[str, int]] = {
    **dict.fromkeys(("DEPOSIT", "INTEREST", "DIVIDENDS", "TAX_REFUND", "FEES_REFUND", "SELL", "TRANSFER_IN"), 1),
    **dict.fromkeys(("REMOVAL", "INTEREST_CHARGE", "FEES", "TAXES", "BUY", "TRANSFER_OUT"), -1),
}
SHARES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("BUY", "TRANSFER_IN", "DELIVERY_INBOUND"), 1),
    **dict.fromkeys(("SELL", "TRANSFER_OUT", "DELIVERY_OUTBOUND"), -1),
}
TAXONOMIES: Final = (
    "allocator",
    "asset classes",
    "asset classes (kommer)",
    "assetklassen",
    "anlageklassen",
    "vermögensklassen",
    "classes d'actifs",
    "资产类别",
)
"""Names of the taxonomy that is read, the first found wins."""
WORDS: Final[Mapping[str, str]] = {
    "aktienfonds": "equity_fund",
    "aktien-etf": "equity_fund",
    "rentenfonds": "bond_fund",
    "mischfonds": "mixed_fund",
    "geldmarkt": "money_market",
    "geldmarktfonds": "money_market",
    "staatsanleihen": "government_bond",
    "unternehmensanleihen": "corporate_bond",
    "kryptowährungen": "crypto",
    "derivate": "derivative",
}
"""German names of classifications; others are looked up among the framework's classes, names and aliases."""
DOUBTFUL: Final = frozenset(
    {"cash", "barvermögen", "liquidität", "equity", "equities", "eigenkapital", "aktien", "debt", "fremdkapital"}
    | {"anleihen", "renten", "real estate", "immobilien", "commodities", "commodity", "rohstoffe", "alternative"}
    | {"actions", "obligations", "immobilier", "alternatives"}
)
"""Names of the program's own templates that fit several classes: left open."""
WHOLE: Final = 10_000
"""Weight of an assignment that is all of it."""
_STEP: Final = re.compile(r"([^\[\]]+)(?:\[(\d{1,9})\])?")
_FOLLOWED: Final = 50


def fits(head: Head) -> bool:
    """Say whether this is such a file: root ``client`` with a version and a base currency."""
    text = "".join(head.text[:2000].split())
    return "<client" in text and "<version>" in text and "<baseCurrency>" in text


def read(source: Any) -> dict[str, RawTable]:
    """Read the file, saved as XML (also .xml.gz, or ``"-"`` for stdin).

    Returns
    -------
    dict
        Raw tables ``holdings``, ``clients``, ``debts``, ``fx``, ``lookthrough``, all of one client; ``row`` is the
        line of the security or account. Overdrawn accounts are debts.

    Raises
    ------
    InputError
        It is something else, in a form that is not read (binary, encrypted, bookings in the new ledger), or broken.
    """
    data, file = load(source, TITLE)
    if data[:9] == b"PORTFOLIO" or data[:4] == b"PPPB":
        raise InputError(f"{file}: the binary or encrypted form; in the program, save it as XML without a password")
    root = read_xml(data, file)
    if root.tag != "client" or not re.fullmatch("[0-9]{1,4}", root.value("version")):
        raise InputError(f"{file}: not a Portfolio Performance file (its first element is not client with a version)")
    ledger = root.child("ledger")
    if ledger is not None and any(part.children for part in ledger.children):
        raise InputError(
            f"{file}: its bookings are in the new ledger form, which is not read; nothing was read by halves"
        )
    version = int(root.value("version"))
    if version < OLDEST:
        raise InputError(f"{file}: version {version} is too old; open it in a present version and save it again")
    return _Reader(root, version, file).read()


@dataclass
class _Position:
    shares: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    known: bool = True
    price: Decimal | None = None
    day: str = ""
    currencies: set[str] = field(default_factory=set)


class _Reader:
    """The tree, with references followed."""

    def __init__(self, root: Node, version: int, file: str) -> None:
        self.root, self.file = root, file
        _, self.share, self.quote = next(d for d in DIGITS if version >= d[0])
        self.ids = {n.attrs["id"]: n for n in _walk(root) if "id" in n.attrs}
        self.out = Export(file)
        self.base = root.value("baseCurrency")
        self.today = date.today().isoformat()
        self.planned = 0

    def read(self) -> dict[str, RawTable]:
        self.out.client(CLIENT, self.base)
        securities = self._listed("securities", "security")
        for s in securities:
            price = self._price(s)
            if s.value("targetCurrencyCode") == self.base and price is not None:
                self.out.rate(s.value("currencyCode"), price[0], self.base)
        classes = self._classes()
        for portfolio in self._listed("portfolios", "portfolio"):
            self._portfolio(portfolio, classes)
        for account in self._listed("accounts", "account"):
            self._account(account)
        if self.planned:
            self.out.leave_out(self.planned, code="draft_activity", mend=str(self.planned))
        return self.out.tables()

    def _listed(self, group: str, tag: str) -> list[Node]:
        part = self.root.child(group)
        return [] if part is None else [self._real(n) for n in part.all(tag)]

    def _real(self, node: Node) -> Node:
        """Follow references."""
        for _ in range(_FOLLOWED):
            target = node.attrs.get("reference")
            if target is None:
                return node
            found = self.ids.get(target) if target in self.ids else self._walked(node, target)
            if found is None:
                break
            node = found
        raise InputError(f"{self.file}: line {node.line} points to something that is not there; save the file again")

    def _walked(self, node: Node, path: str) -> Node | None:
        here: Node | None = self.root if path.startswith("/") else node
        for step in path.strip("/").split("/")[1 if path.startswith("/") else 0 :]:
            match = _STEP.fullmatch(step)
            if here is None or match is None:
                return None
            if step == "..":
                here = here.parent
            else:
                same = here.all(match[1])
                place = int(match[2] or 1) - 1
                here = same[place] if place < len(same) else None
        return here

    def _text(self, node: Node, tag: str) -> str:
        found = node.child(tag)
        return "" if found is None else self._real(found).text

    def _number(self, node: Node, tag: str, digits: int) -> Decimal:
        text = self._text(node, tag)
        return self._scaled(text or "0", digits, node)

    def _scaled(self, text: str, digits: int, node: Node) -> Decimal:
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise InputError(
                f"{self.file}: line {node.line} has an amount that is no whole number; save the file again"
            )
        return Decimal(text).scaleb(-digits)

    def _booked(self, owner: Node, tag: str) -> Iterator[Node]:
        """Transactions of an account or portfolio up to today, in the order of their days."""
        part = owner.child("transactions")
        rows = [] if part is None else [self._real(n) for n in part.all(tag)]
        for t in sorted(rows, key=lambda t: self._text(t, "date")):
            if self._text(t, "date")[:10] > self.today:
                self.planned += 1
            else:
                yield t

    def _price(self, security: Node) -> tuple[Decimal, str] | None:
        """Last price and its day."""
        found = []
        prices = security.child("prices")
        rows = [] if prices is None else prices.all("price")
        latest = security.child("latest")
        for p in [*map(self._real, rows), *([] if latest is None else [self._real(latest)])]:
            if p.get("t") and p.get("v"):
                found.append((p.get("t")[:10], self._scaled(p.get("v"), self.quote, p)))
        past = [f for f in found if f[0] <= self.today]
        return (max(past)[1], max(past)[0]) if past else None

    def _portfolio(self, portfolio: Node, classes: Mapping[int, list[tuple[str, int]]]) -> None:
        held: dict[int, tuple[Node, _Position]] = {}
        for t in self._booked(portfolio, "portfolio-transaction"):
            kind, thing = self._text(t, "type"), t.child("security")
            if kind not in SHARES or thing is None:
                self.out.leave_section(kind or t.tag, 1)
                continue
            security = self._real(thing)
            one = held.setdefault(id(security), (security, _Position()))[1]
            shares, paid = self._number(t, "shares", self.share), self._number(t, "amount", 2)
            one.currencies.add(self._text(t, "currencyCode"))
            one.known &= not kind.startswith("TRANSFER")
            if SHARES[kind] > 0:
                one.cost += paid
            elif one.shares > 0:
                one.cost *= max(Decimal(0), 1 - shares / one.shares)
            one.shares += SHARES[kind] * shares
            if shares:
                one.price, one.day = paid / abs(shares), self._text(t, "date")[:10]
        for security, one in held.values():
            self._holding(security, one, portfolio.value("name"), classes.get(id(security), []))

    def _holding(self, security: Node, one: _Position, account: str, parts: list[tuple[str, int]]) -> None:
        name = security.value("name") or security.value("isin") or security.value("tickerSymbol")
        if one.shares == 0:
            self.out.leave_out(code="zero_left_out", row=security.line, value=name)
            return
        currency, quoted = security.value("currencyCode"), self._price(security)
        if quoted is None and one.price is not None and len(one.currencies) == 1:
            quoted, currency = (one.price, one.day), next(iter(one.currencies))
            self.out.say(code="price_of_trade", row=security.line, value=name, mend=one.day, severity=WARNING)
        if quoted is None:
            self.out.set_aside(code="no_price", row=security.line, value=name)
            return
        isin = security.value("isin")
        asset_id = isin or security.value("tickerSymbol") or security.value("wkn") or name
        cells: dict[str, Cell] = {
            "client_id": CLIENT,
            "asset_id": asset_id,
            "name": name,
            "asset_class": self._class_of(asset_id, name, parts, security.line),
            "value": (one.shares * quoted[0]).quantize(Decimal("0.01")),
            "currency": currency,
            "account": account,
            "as_of": quoted[1],
            "isin": isin,
            "product_id": isin,
        }
        if one.shares > 0:
            known = one.known and one.currencies == {currency}
            cells |= {"quantity": one.shares, "price": quoted[0], "cost_basis": one.cost if known else None}
        self.out.position(security.line, cells)

    def _class_of(self, asset_id: str, name: str, parts: list[tuple[str, int]], row: int) -> str:
        """Class of a security; what is split over several classes completely is looked through."""
        codes = [WORDS.get(label.casefold(), label) for label, _ in parts]
        doubt = any(label.casefold() in DOUBTFUL for label, _ in parts)
        whole = sum(weight for _, weight in parts) == WHOLE
        if not parts or doubt or not whole:
            return ""
        if len(parts) == 1:
            return codes[0]
        self.out.looked_through(asset_id, [(c, Decimal(w) / WHOLE) for c, (_, w) in zip(codes, parts, strict=True)])
        self.out.say(code="mixed_parts", row=row, value=name)
        return "mixed_fund"

    def _account(self, account: Node) -> None:
        name, currency, balance = account.value("name"), account.value("currencyCode"), Decimal(0)
        for t in self._booked(account, "account-transaction"):
            kind = self._text(t, "type")
            if kind not in CASH:
                raise InputError(
                    f"{self.file}: line {t.line} has a kind of booking that is not known, so the balance would be wrong"
                )
            balance += CASH[kind] * self._number(t, "amount", 2)
        if balance == 0:
            self.out.leave_out(code="zero_left_out", row=account.line, value=name)
            return
        cells: dict[str, Cell] = {
            "client_id": CLIENT,
            "asset_id": f"cash {account.value('uuid') or name}",
            "name": name,
            "asset_class": "deposit",
            "value": balance,
            "currency": currency,
            "account": name,
        }
        self.out.position(account.line, cells, f"overdrawn account {name}")

    def _classes(self) -> dict[int, list[tuple[str, int]]]:
        """Classifications of each security in the taxonomy of asset classes, with their weights."""
        named = {t.value("name").casefold(): t for t in self._listed("taxonomies", "taxonomy")}
        chosen = next((named[n] for n in TAXONOMIES if n in named), None)
        out: dict[int, list[tuple[str, int]]] = {}
        if chosen is None:
            return out
        for node in _walk(chosen):
            vehicle = node.child("investmentVehicle") if node.tag == "assignment" else None
            owner = node.parent.parent if node.parent is not None else None
            if vehicle is None or owner is None:
                continue
            weight = self._text(node, "weight")
            if owner.value("name") and re.fullmatch("[0-9]{1,5}", weight):
                out.setdefault(id(self._real(vehicle)), []).append((owner.value("name"), int(weight)))
        return out


def _walk(root: Node) -> Iterator[Node]:
    """All elements, in the order of the file."""
    rest = [root]
    while rest:
        node = rest.pop()
        yield node
        rest += reversed(node.children)
