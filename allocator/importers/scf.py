"""The US Survey of Consumer Finances, summary extract (SCFP….csv): one household a row → a book.

Every asset and debt component becomes a holding or debt under its codebook name. The extract holds private business
(BUS) and other non-residential property (NNRESRE) net of their debts, houses gross; a negative net value becomes a
debt, so that holdings less these debts are the survey's ASSET, and debts without them its DEBT. Gold is inside OTHNFIN
and cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.cells import as_text, read_cells
from allocator.errors import InputError
from allocator.importers.delimited import existing_file, parse, read_bytes
from allocator.importers.heads import Head
from allocator.issues import INFO, concat, issue_table
from allocator.schema import Column
from allocator.validate import RawTable

ASSETS: Final[Mapping[str, tuple[str, str]]] = {
    "LIQ": ("deposit", "Transaction accounts"),
    "CDS": ("deposit", "Certificates of deposit"),
    "SAVBND": ("savings_bond", "Savings bonds"),
    "GOVTBND": ("government_bond", "US government bonds"),
    "NOTXBND": ("government_bond", "Tax-exempt municipal bonds"),
    "MORTBND": ("corporate_bond", "Mortgage-backed bonds"),
    "OBND": ("corporate_bond", "Corporate and foreign bonds"),
    "TFBMUTF": ("bond_fund", "Tax-free bond funds"),
    "GBMUTF": ("bond_fund", "Government bond funds"),
    "OBMUTF": ("bond_fund", "Other bond funds"),
    "STOCKS": ("listed_equity", "Listed shares"),
    "STMUTF": ("equity_fund", "Stock funds"),
    "OMUTF": ("equity_fund", "Other funds"),
    "COMUTF": ("mixed_fund", "Combination funds"),
    "OTHMA": ("mixed_fund", "Annuities, trusts and managed accounts"),
    "RETQLIQ": ("retirement_account", "Retirement accounts"),
    "CASHLI": ("insurance_cash_value", "Cash value of life insurance"),
    "OTHFIN": ("other_financial", "Other financial assets"),
    "ORESRE": ("investment_property", "Other residential property"),
    "NNRESRE": ("investment_property", "Non-residential property, net"),
    "ACTBUS": ("private_business", "Own business, actively managed, net"),
    "NONACTBUS": ("private_business", "Business shares, not actively managed, net"),
    "BUS": ("private_business", "Private business, net"),
    "OTHNFIN": ("collectible", "Collectibles, gold and other"),
    "HOUSES": ("own_home", "Own home"),
    "VEHIC": ("vehicle", "Vehicles"),
}
"""Codebook name → asset class, label."""
OWN: Final = frozenset({"ACTBUS", "BUS"})
"""Components that are the family's own company."""
DEBTS: Final[Mapping[str, tuple[str, str]]] = {
    "MRTHEL": ("mortgage on the home", "HOUSES"),
    "RESDBT": ("mortgage on other property", "ORESRE"),
    "OTHLOC": ("other lines of credit", ""),
    "CCBAL": ("credit card balances", ""),
    "INSTALL": ("instalment loans", ""),
    "ODEBT": ("other debt", ""),
}
"""Codebook name → kind of debt, component that secures it."""
NEGATIVE: Final[Mapping[str, str]] = {
    "NNRESRE": "negative net investment property",
    "BUS": "negative net private business",
    "ACTBUS": "negative net private business",
    "NONACTBUS": "negative net private business",
}
"""Components that are net of debts, and the debt that a negative amount stands for."""
ESSENTIAL: Final = (
    "Y1",
    "INCOME",
    "AGE",
    "KIDS",
    "YESFINRISK",
    "NOFINRISK",
    *(name for name in ASSETS if name not in ("ACTBUS", "NONACTBUS")),
    *DEBTS,
)
SIGNATURE: Final = frozenset(name.casefold() for name in ("Y1", "YESFINRISK", "NOFINRISK", "NNRESRE", "MRTHEL", "BUS"))
"""Folded headers by which the file is known."""
SPENDING: Final = 0.7
"""Spending as a fraction of income: the survey does not ask for it. House judgement."""
_USED: Final = (*ESSENTIAL, "ACTBUS", "NONACTBUS")
_HALF_UNIT: Final = 0.5
_AMOUNT: Final = Column("amount", "number", "a component, in US dollars")


def fits(head: Head) -> bool:
    """Say whether this is the extract: it has headers that nothing else has."""
    return head.headers >= SIGNATURE


def read(source: Any) -> dict[str, RawTable]:
    """Read the extract from a CSV file (also .csv.gz, or ``"-"`` for stdin) or a DataFrame.

    Returns
    -------
    dict
        Raw tables ``holdings``, ``clients``, ``debts`` in US dollars; ``client_id`` is Y1 and ``row`` the row of the
        household. Amounts that are no numbers are handed on as found, for validation to name.

    Raises
    ------
    InputError
        A column is absent, or the file cannot be read.
    """
    raw = _load(source)
    wide = raw.frame.rename(columns=lambda name: str(name).strip().upper())
    missing = [name for name in ESSENTIAL if name not in wide.columns]
    if missing:
        raise InputError(
            f"{raw.file}: not the survey's summary extract, without the columns {', '.join(missing)}; "
            "download 'Summary Extract Public Data' (SCFP2022.csv)"
        )
    twice = sorted({name for name in (*_USED, "YY1") if list(wide.columns).count(name) > 1})
    if twice:
        raise InputError(f"{raw.file}: the header has several columns named {', '.join(twice)}; keep one of each")
    if not len(wide):
        raise InputError(f"{raw.file}: a header but no rows; download the file again")
    ids, _ = as_text(wide["Y1"])
    base = wide.assign(client_id=ids, row=np.arange(len(wide)) + raw.first_row if raw.rows is None else raw.rows)
    used = [name for name in _USED[1:] if name in wide]
    amounts = pd.DataFrame({name: read_cells(_AMOUNT, wide[name]).values for name in used})
    amounts = _split_business(amounts)
    holdings = _long([name for name in ASSETS if name in amounts], amounts, base)
    below = holdings["asset_id"].isin(list(NEGATIVE)) & (holdings["amount"] < 0.0)
    debts = _long(list(DEBTS), amounts, base)
    return {
        "holdings": _holdings(holdings[~below], raw.file),
        "clients": _clients(amounts, base, raw),
        "debts": _debts(debts, holdings[below], raw.file),
    }


def _load(source: Any) -> RawTable:
    if isinstance(source, pd.DataFrame):
        return RawTable(source.reset_index(drop=True), "DataFrame")
    if isinstance(source, str) and source == "-":
        return parse(read_bytes("-"), "stdin", "clients", ("Y1",))
    path = existing_file(source)
    if path.is_dir():
        raise InputError(f"{path.name}: a directory; give the survey's CSV file")
    return parse(read_bytes(path), path.name, "clients", ("Y1",))


def _split_business(amounts: pd.DataFrame) -> pd.DataFrame:
    """Use the two parts of BUS where they are there and add up to it, else BUS."""
    if not {"ACTBUS", "NONACTBUS"} <= set(amounts.columns):
        return amounts.drop(columns=["ACTBUS", "NONACTBUS"], errors="ignore")
    split = (amounts["ACTBUS"] + amounts["NONACTBUS"] - amounts["BUS"]).abs() <= _HALF_UNIT
    return amounts.assign(
        ACTBUS=amounts["ACTBUS"].where(split, 0.0),
        NONACTBUS=amounts["NONACTBUS"].where(split, 0.0),
        BUS=amounts["BUS"].mask(split, 0.0),
    )


def _long(names: list[str], amounts: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """One row per household and component that is not zero; ``value`` is the amount, or the text that is none."""
    matrix = amounts[names].to_numpy()
    household, component = np.nonzero(matrix != 0.0)  # NaN, a bad cell, is kept
    amount = matrix[household, component]
    value: pd.Series[Any] = pd.Series(amount)
    bad = np.flatnonzero(np.isnan(amount))
    if len(bad):
        value = value.astype(object)
        value.iloc[bad] = [base[names[c]].iloc[h] for h, c in zip(household[bad], component[bad], strict=True)]
    return pd.DataFrame(
        {
            "client_id": base["client_id"].to_numpy()[household],
            "row": base["row"].to_numpy()[household],
            "asset_id": np.array(names, dtype=object)[component],
            "amount": amount,
            "value": value,
        }
    )


def _holdings(long: pd.DataFrame, file: str) -> RawTable:
    code = long["asset_id"]
    frame = pd.DataFrame(
        {
            "client_id": long["client_id"],
            "asset_id": code,
            "name": code.map({k: v[1] for k, v in ASSETS.items()}),
            "asset_class": code.map({k: v[0] for k, v in ASSETS.items()}),
            "value": long["value"],
            "currency": "USD",
            "own_company": code.isin(list(OWN)),
        }
    ).reset_index(drop=True)
    note = issue_table(
        [
            {
                "file": file,
                "table": "holdings",
                "column": "value",
                "code": "scf_business_net",
                "severity": INFO,
                "mend": ", ".join(sorted(NEGATIVE)),
            }
        ]
    )
    return RawTable(frame, file, rows=long["row"].to_numpy(), issues=note)


def _debts(long: pd.DataFrame, below: pd.DataFrame, file: str) -> RawTable:
    code = long["asset_id"]
    frame = pd.DataFrame(
        {
            "client_id": long["client_id"],
            "value": long["value"],
            "kind": code.map({k: v[0] for k, v in DEBTS.items()}),
            "currency": "USD",
            "secured_by": code.map({k: v[1] for k, v in DEBTS.items()}),
        }
    )
    extra = pd.DataFrame(
        {
            "client_id": below["client_id"],
            "value": -below["amount"],
            "kind": below["asset_id"].map(dict(NEGATIVE)),
            "currency": "USD",
            "secured_by": "",
        }
    )
    rows = np.concatenate([long["row"].to_numpy(), below["row"].to_numpy()])
    return RawTable(pd.concat([frame, extra], ignore_index=True) if len(extra) else frame, file, rows=rows)


def _clients(amounts: pd.DataFrame, base: pd.DataFrame, raw: RawTable) -> RawTable:
    income = amounts["INCOME"].where(amounts["INCOME"] > 0.0)  # nothing, or a loss, says nothing of what they spend
    band = np.select(
        [
            amounts["NOFINRISK"] == 1.0,
            amounts["YESFINRISK"] == 1.0,
            amounts["NOFINRISK"].notna() & amounts["YESFINRISK"].notna(),
        ],
        ["conservative", "aggressive", "balanced"],
        default="",
    )
    frame = pd.DataFrame(
        {
            "client_id": base["client_id"],
            "risk_band": band,
            "currency": "USD",
            "monthly_spending": SPENDING * income / 12.0,
            "income": _or_text(income, amounts["INCOME"], base["INCOME"]),
            "dependants": base["KIDS"],
            "age": base["AGE"],
        }
    )
    notes = [
        {
            "file": raw.file,
            "table": "clients",
            "column": "monthly_spending",
            "code": "scf_spending_assumed",
            "severity": INFO,
            "mend": f"{SPENDING:g}",
        }
    ]
    if "YY1" in base and base["YY1"].duplicated().any():
        notes.append(
            {
                "file": raw.file,
                "table": "clients",
                "column": "client_id",
                "code": "scf_implicates",
                "severity": INFO,
                "mend": "YY1",
            }
        )
    return RawTable(
        frame,
        raw.file,
        rows=base["row"].to_numpy(),
        issues=concat([raw.issues, issue_table(notes)]),
        lost=raw.lost,
        ignored=raw.ignored,
    )


def _or_text(values: pd.Series[Any], read: pd.Series[Any], found: pd.Series[Any]) -> pd.Series[Any]:
    """Give values, but the cells as found where they could not be read."""
    return values.astype(object).where(read.notna(), found) if read.isna().any() else values
