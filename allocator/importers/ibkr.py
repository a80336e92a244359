"""Interactive Brokers flex statement (XML): open positions, cash, accruals → a book.

Sections and attributes as in the flex queries reference of Interactive Brokers ("Activity Flex Query"). What is held is
``OpenPositions``, ``CashReport`` and the accruals of ``EquitySummaryInBase``; every other section is movements, history
or a second view, and is left out by name. Rates are the file's own (``fxRateToBase``, ``ConversionRates``).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from allocator.errors import InputError
from allocator.importers.exports import Cell, Export
from allocator.importers.files import Node, amount, load, read_xml
from allocator.importers.heads import Head
from allocator.issues import WARNING
from allocator.validate import RawTable

TITLE: Final = "Interactive Brokers flex statement (XML)"
BROKER: Final = "Interactive Brokers"
CLASSES: Final[Mapping[tuple[str, str], str]] = {
    ("STK", "COMMON"): "listed_equity",
    ("STK", "ADR"): "listed_equity",
    ("STK", "GDR"): "listed_equity",
    ("STK", "PREFERRED"): "listed_equity",
    ("STK", "PREFERENCE"): "listed_equity",
    ("STK", "REIT"): "reit",
    ("BOND", "CORP"): "corporate_bond",
    ("BOND", "GOVT"): "government_bond",
    ("BOND", "MUNI"): "government_bond",
    ("BILL", ""): "treasury_bill",
    ("OPT", ""): "derivative",
    ("FOP", ""): "derivative",
    ("FSFOP", ""): "derivative",
    ("WAR", ""): "derivative",
    ("IOPT", ""): "derivative",
    ("CRYPTO", ""): "crypto",
}
"""assetCategory, subCategory (empty: any) → asset class, where there is no doubt; an ETF may hold shares or bonds."""
SETTLED: Final = frozenset({"FUT", "FSFUT", "CFD"})
"""What is settled into cash every day: it has a size, and no value of its own."""
PERCENT: Final = frozenset({"BOND", "BILL"})
"""What is quoted in percent of its face value."""
DOMICILE: Final = frozenset({"ETF", "CLOSED-END FUND", "FUND", "ETN"})
"""Funds: the country of their issuer is where they are registered and not where the risk is."""
READ: Final = frozenset({"AccountInformation", "CashReport", "OpenPositions", "EquitySummaryInBase", "ConversionRates"})
SUMMARY: Final = "BASE_SUMMARY"


def fits(head: Head) -> bool:
    """Say whether this is a flex statement: its root element is named so."""
    return any(line.lstrip().startswith("<FlexQueryResponse") for line in head.lines(3)) or (
        "<FlexQueryResponse " in head.text[:500]
    )


def read(source: Any) -> dict[str, RawTable]:
    """Read a flex statement from an XML file (also .xml.gz, or ``"-"`` for stdin).

    Returns
    -------
    dict
        Raw tables ``holdings``, ``clients``, ``debts``, ``fx``; ``client_id`` is the account number, ``row`` the line
        of the element. Short positions, written options and overdrawn cash are debts.

    Raises
    ------
    InputError
        It is no flex statement, or cannot be read.
    """
    data, file = load(source, TITLE)
    root = read_xml(data, file)
    if root.tag == "FlexStatementResponse":
        raise InputError(f"{file}: an answer of the flex service without the statement; download the statement again")
    if root.tag != "FlexQueryResponse":
        raise InputError(f"{file}: not a flex statement (its first element is not FlexQueryResponse)")
    out = Export(file)
    for statement in _latest(root, out):
        _statement(statement, out)
    return out.tables()


def _latest(root: Node, out: Export) -> list[Node]:
    """Give the last statement of each account."""
    statements = [s for part in root.all("FlexStatements") for s in part.all("FlexStatement")]
    last: dict[str, Node] = {}
    for s in statements:
        known = last.get(s.get("accountId"))
        if known is None or _day(s.get("toDate")) >= _day(known.get("toDate")):
            last[s.get("accountId")] = s
    for s in statements:
        if last[s.get("accountId")] is not s:
            count = sum(len(part.children) for part in s.children)
            out.leave_out(max(count, 1), code="older_record", row=s.line, value=s.get("toDate"), mend="toDate")
    return list(last.values())


def _statement(statement: Node, out: Export) -> None:
    client = statement.get("accountId") or "ibkr"
    out.who = client
    sections = {part.tag: part for part in statement.children}
    for name, part in sections.items():
        if name not in READ:
            out.leave_section(name, len(part.children))
    positions = _last_day(sections.get("OpenPositions"), out)
    base = _base(sections, positions)
    out.client(client, base)
    for p in positions:
        out.rate(p.get("currency"), _decimal(p.get("fxRateToBase")), base)
    _conversion_rates(sections.get("ConversionRates"), base, out)
    for p in positions:
        _position(p, client, out)
        if "EquitySummaryInBase" not in sections:  # which has it in its interest accruals
            _accrued(p, client, out)
    _cash(sections.get("CashReport"), client, base, out)
    _equity(sections.get("EquitySummaryInBase"), client, base, out)


def _last_day(section: Node | None, out: Export) -> list[Node]:
    """Give the positions of the last day, summed rather than by lot where both are there."""
    rows = [] if section is None else section.all("OpenPosition")
    day = max((_day(p.get("reportDate")) for p in rows), default="")
    older = [p for p in rows if _day(p.get("reportDate")) != day]
    if older:
        out.leave_out(len(older), code="older_record", row=older[0].line, value=older[0].get("reportDate"), mend=day)
    rows = [p for p in rows if _day(p.get("reportDate")) == day]
    summed = {_key(p) for p in rows if p.get("levelOfDetail").upper() == "SUMMARY"}
    lots = [p for p in rows if p.get("levelOfDetail").upper() == "LOT" and _key(p) in summed]
    if lots:
        out.leave_out(len(lots), code="lots_summed", row=lots[0].line, mend=str(len(lots)))
    gone = set(map(id, lots))
    return [p for p in rows if id(p) not in gone]


def _position(p: Node, client: str, out: Export) -> None:
    category = p.get("assetCategory").upper()
    quantity, mark = amount(p.get("position")), amount(p.get("markPrice"))
    size = _decimal(p.get("multiplier")) or Decimal(1)
    if category in PERCENT:
        size = Decimal("0.01")
    price: Cell = mark * size if isinstance(mark, Decimal) else mark
    value: Cell = amount(p.get("positionValue"))
    if value == "" and isinstance(quantity, Decimal) and isinstance(price, Decimal):
        value = quantity * price
    name = p.get("description") or p.get("symbol")
    if category in SETTLED:
        out.leave_out(code="settled_daily", row=p.line, value=name, mend=p.get("positionValue"), severity=WARNING)
        return
    cells = _instrument(p, client)
    cost = amount(p.get("costBasisMoney"))
    long = isinstance(value, Decimal) and value >= 0
    more: dict[str, Cell] = {
        "value": value,
        "quantity": quantity if long else None,
        "price": price,
        "cost_basis": cost if isinstance(cost, Decimal) and cost >= 0 else None,
    }
    out.position(p.line, cells | more)


def _accrued(p: Node, client: str, out: Export) -> None:
    """Add interest that a bond has earned since its last coupon; its price is without it."""
    accrued = _decimal(p.get("accruedInt") or p.get("accruedInterest"))
    if accrued:
        cells = _instrument(p, client)
        name = f"{cells['name']}: accrued interest"
        out.position(p.line, cells | {"asset_id": f"{cells['asset_id']} accrued", "name": name, "value": accrued})
        out.say(code="accrued_apart", row=p.line, value=cells["name"])


def _instrument(p: Node, client: str) -> dict[str, Cell]:
    """Say what a position is, without its amounts."""
    category, sub = p.get("assetCategory").upper(), p.get("subCategory").upper()
    klass = CLASSES.get((category, sub)) or CLASSES.get((category, ""), "")
    isin = p.get("isin") or (p.get("securityID") if p.get("securityIDType") == "ISIN" else "")
    return {
        "client_id": client,
        "asset_id": isin or " ".join(p.get("symbol").split()) or p.get("conid"),
        "name": p.get("description") or p.get("symbol"),
        "asset_class": klass,
        "currency": p.get("currency"),
        "account": p.get("accountId") or client,
        "as_of": p.get("reportDate"),
        "isin": isin,
        "product_id": isin,
        "issuer": p.get("issuer"),
        "country": "" if sub in DOMICILE or not klass else p.get("issuerCountryCode"),
    }


def _cash(section: Node | None, client: str, base: str, out: Export) -> None:
    rows = [] if section is None else section.all("CashReportCurrency")
    single = [r for r in rows if r.get("currency") != SUMMARY]
    summary = next((r for r in rows if r.get("currency") == SUMMARY), None)
    if not rows:
        out.say(code="no_cash_section", severity=WARNING, client_id=client, value="CashReport")
    rates, read = out.rates(base), Decimal(0)
    for r in single or rows:
        currency = base if r.get("currency") == SUMMARY else r.get("currency")
        ending = amount(r.get("endingCash"))
        if ending == 0:
            out.leave_out(code="zero_left_out", row=r.line, value=currency)
            continue
        cells: dict[str, Cell] = {
            "client_id": client,
            "asset_id": f"cash {currency}",
            "name": f"{BROKER} cash {currency}",
            "asset_class": "deposit",
            "value": ending,
            "currency": currency,
            "account": client,
            "issuer": BROKER,
            "as_of": r.get("toDate"),
        }
        out.position(r.line, cells, f"overdrawn cash {currency}, {BROKER}")
        if isinstance(ending, Decimal):
            read = read + ending * rates[currency] if currency in rates else Decimal("NaN")
    if summary is not None and single:
        out.leave_out(code="export_total", row=summary.line, value=SUMMARY)
        if not read.is_nan():
            out.compare(f"CashReport {SUMMARY}", amount(summary.get("endingCash")), read, summary.line)


def _equity(section: Node | None, client: str, base: str, out: Export) -> None:
    """Add what is earned and not yet paid, and hold the whole against the net asset value that the file states."""
    rows = [] if section is None else section.all("EquitySummaryByReportDateInBase")
    if not rows:
        return
    last = max(rows, key=lambda r: _day(r.get("reportDate")))
    out.leave_out(
        len(rows) - 1,
        code="older_record",
        row=rows[0].line,
        value="EquitySummaryInBase",
        mend=_day(last.get("reportDate")),
    )
    for name, what in (("interestAccruals", "interest"), ("dividendAccruals", "dividends")):
        owed = _decimal(last.get(name))
        if owed:
            cells: dict[str, Cell] = {
                "client_id": client,
                "asset_id": name,
                "name": f"accrued {what}",
                "asset_class": "other_financial",
                "value": owed,
                "currency": base,
                "account": client,
                "issuer": BROKER,
                "as_of": last.get("reportDate"),
            }
            out.position(last.line, cells, f"accrued {what}, {BROKER}")
    read = out.total(base, client)
    if read is not None:
        out.compare("EquitySummaryInBase total", amount(last.get("total")), read, last.line)


def _base(sections: Mapping[str, Node], positions: list[Node]) -> str:
    """Say in which currency the account is kept."""
    account = sections.get("AccountInformation")
    if account is not None and account.get("currency"):
        return account.get("currency")
    at_par = {p.get("currency") for p in positions if _decimal(p.get("fxRateToBase")) == 1}
    return at_par.pop() if len(at_par) == 1 else ""


def _conversion_rates(section: Node | None, base: str, out: Export) -> None:
    rows = [] if section is None else section.all("ConversionRate")
    for r in sorted(rows, key=lambda r: _day(r.get("reportDate")), reverse=True):
        if r.get("toCurrency") == base:
            out.rate(r.get("fromCurrency"), _decimal(r.get("rate")), base)


def _key(p: Node) -> tuple[str, str]:
    return p.get("conid") or p.get("symbol"), p.get("accountId")


def _day(text: str) -> str:
    return text.replace("-", "")[:8]


def _decimal(text: str) -> Decimal | None:
    found = amount(text)
    return found if isinstance(found, Decimal) else None
