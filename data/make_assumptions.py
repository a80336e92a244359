"""Write the presets ``us`` and ``china`` of the assumptions: ``python data/make_assumptions.py``.

What can be computed is computed from two published tables, which are not part of this project: Damodaran's yearly
returns and Horizon's survey (see `SERIES` and `SURVEY`; another folder can be named on the command line). Everything
else is a published figure or a judgement, written down below with its source. Also shows what unsmoothing does to house
prices.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from allocator.assumptions import load_assumptions
from allocator.psd import nearest_correlation
from allocator.replacement import carried
from allocator.shrinkage import first_autocorrelation, unsmooth

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
OUT = ROOT / "allocator" / "resources" / "assumptions"
SERIES = "returns/us_annual_1928_2015.csv"
SURVEY = "cma/horizon2017_er_sd.csv"
YIELD, PREMIUM = 0.0188, 0.0918 - (2.43 ** (1 / 20) - 1)

HEAD = """# Written by data/make_assumptions.py: change it there. Only what differs from the base stands here.

extends = "long_run"
schema = "allocator-assumptions/1"
"""

REFERENCES: dict[str, dict[str, str]] = {
    "us": {},
    "china": {
        "S": "Peng Chen, Youzhi Youxing and R. G. Ibbotson, China SBBI yearbook 2024 (中国大类资产投资2024年报), "
        "2005-2024, as quoted in the press: large shares 9.18% a year compound, long government bonds from 1 to 2.43 "
        "in 20 years",
        "Y": "as quoted in the press: yield of ten-year Chinese government bonds 1.88% on 2026-01-07; loan prime rate "
        "3.0% for one year and 3.5% for five years since May 2025",
        "R": "Linping housing research institute (麟评居住大数据研究院): rent over price in 50 cities, 2024, 2.06%",
        "V": "Chinese investor education page on asset allocation: CSI 300 from 2004-12-31 to 2023-06-30 has a "
        "volatility of 26%, and over ten years a correlation of -0.09 with the ChinaBond New Composite index",
        "J": "J.P. Morgan Asset Management, Long-Term Capital Market Assumptions 2022: onshore shares and government "
        "bonds correlate by 0.08",
        "B": "S&P China Bond Index, 2014 and 2015: modified duration of 4.15, volatility of 2.13% over one year in CNY",
    },
}
AT_PAR = ("deposit", "money_market", "treasury_bill", "savings_bond", "insurance_cash_value")
EACH = "mean and volatility have a source of their own"
Table = dict[str, object]


def load(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The two tables; leaves with a word where they are not here."""
    for name in (SERIES, SURVEY):
        if not (folder / name).is_file():
            sys.exit(f"{name} is not in {folder}: nothing is written")
    return pd.read_csv(folder / SERIES, index_col="year"), pd.read_csv(folder / SURVEY, index_col="class")


def number(value: float) -> float:
    """To four decimals, as figures are written down."""
    return round(float(value), 4)


def smoothing(years: pd.DataFrame) -> dict[str, float]:
    """House prices before and after unsmoothing."""
    s = years["real_estate"]
    return {
        "autocorrelation": first_autocorrelation(s.to_numpy()),
        "before": float(s.std()),
        "after": float(unsmooth(s).std()),
    }


def correlations(bond_equity: float) -> list[list[float]]:
    """Those of the base, with another one between bonds and shares, and what follows from it for the rest."""
    base = load_assumptions("long_run").correlation
    order, r = list(base.order), np.array(base.rows)
    new = [order.index("bond"), order.index("equity")]
    stay = [i for i in range(len(order)) if i not in new]
    joined = carried(r, np.eye(len(order))[new], stay, np.array([[1.0, bond_equity], [bond_equity, 1.0]]))
    out = np.empty_like(joined)
    out[np.ix_(stay + new, stay + new)] = joined
    out = np.round(out, 2) + 0.0
    assert not nearest_correlation(out).changed, "rounded correlations must hold together"
    return [[float(x) for x in row] for row in out]


def factor(why_mean: str, why_volatility: str, /, **figures: float) -> Table:
    """A factor: its figures that differ from the base, and the sources of both."""
    return {**figures, "source": EACH, "mean_source": why_mean, "volatility_source": why_volatility}


def linked(bond_equity: str, place: str) -> str:
    """Source of the correlations."""
    return (
        f"[H], with bonds and shares at {bond_equity}, {place}, in the place of 0.13; the others keep their regression "
        "on these two (Pearson and Lawley); gold: 0 (house judgement, see long_run)"
    )


def us(years: pd.DataFrame, survey: pd.DataFrame) -> dict[str, Table]:
    """US dollars: means of the survey, volatilities and the correlation of shares and bonds of 88 years."""
    equity, bond = number(years["sp500"].std()), number(years["tbond_10y"].std())
    ratio = survey.loc["pe", "sd"] / survey.loc["equity.us.large", "sd"]
    both = round(float(years["tbond_10y"].corr(years["sp500"])), 2)
    how = "[D] standard deviation of yearly returns 1928-2015"
    times = f"volatility of shares times {ratio:.2f}, the ratio of the two in [H]"
    return {
        "factors.bond": factor("[H] US corporate bonds, core", f"{how}, ten-year Treasury bonds", volatility=bond),
        "factors.equity": factor("[H] US equity, large cap", f"{how}, S&P 500", volatility=equity),
        "factors.private_equity": factor("[H] private equity", times, volatility=number(equity * ratio)),
        "correlation": {"rows": correlations(both), "source": linked(f"{both:.2f}", "as in [D] 1928-2015")},
    }


def china(years: pd.DataFrame, survey: pd.DataFrame) -> dict[str, Table]:
    """Renminbi: published figures where there are some, and judgement that says so."""
    ratio = survey.loc["pe", "sd"] / survey.loc["equity.us.large", "sd"]
    above = survey.loc["pe", "er"] - survey.loc["equity.us.large", "er"]
    hedge = survey.loc["hedge", "er"] - survey.loc["cash", "er"]
    cash, equity, spread, inflation = 0.012, 0.08, 0.26, 0.02
    times = f"volatility of shares times {ratio:.2f}, the ratio of the two in [H]"
    shares = (
        f"house judgement: shares brought {PREMIUM:.1%} a year more than long bonds in [S]; on top of [Y] that is "
        f"{YIELD + PREMIUM:.1%} compound, {YIELD + PREMIUM + spread**2 / 2:.1%} on average, but twenty years tell it "
        f"only to {spread / 20**0.5:.0%}: less is assumed"
    )
    houses = "as the US: [D] house prices unsmoothed; Chinese indices of appraised prices are smoothed alike"
    return {
        "factors.cash": factor(
            "house judgement: deposits of a year, under the ten-year yield [Y]",
            "house judgement",
            mean=cash,
            volatility=0.01,
        ),
        "factors.bond": factor(
            "[Y]: a bond brings its yield if it is held",
            "house judgement: [B] has 2.1% at a duration of 4, ten-year bonds have twice that duration",
            mean=YIELD,
            volatility=0.03,
        ),
        "factors.credit": factor(
            "[Y] plus 1.6% for defaults and illiquidity (house judgement)",
            "house judgement: above bonds, under the 10.6% of high yield in [H]",
            mean=0.035,
            volatility=0.08,
        ),
        "factors.equity": factor(shares, "[V]", mean=equity, volatility=spread),
        "factors.property": factor(
            "rent [R] less 0.5% of costs, and prices that rise by 1% a year (house judgement)",
            houses,
            mean=0.025,
            volatility=number(smoothing(years)["after"]),
        ),
        "factors.private_equity": factor(
            f"shares plus {above:.1%}, the difference of the two in [H]",
            times,
            mean=number(equity + above),
            volatility=number(spread * ratio),
        ),
        "factors.hedge": factor(
            f"cash plus {hedge:.1%}, the difference of the two in [H]", "[H] hedge funds", mean=number(cash + hedge)
        ),
        "factors.gold": factor(
            "gold keeps its purchasing power; prices rise by 2% a year (house judgement)",
            "[D] gold 1972-2015; priced worldwide, the exchange rate adds little (house judgement)",
            mean=inflation,
        ),
        "correlation": {"rows": correlations(0.0), "source": linked("0", "between -0.09 [V] and 0.08 [J]")},
        **{
            f"classes.{c}": {
                "expected_return": cash,
                "source": "mean of cash; no volatility: a claim at par or redeemed at par",
            }
            for c in AT_PAR
        },
        "classes.bank_wealth_product": {
            "expected_return": number((cash + YIELD) / 2 + 0.004),
            "source": "half the bond factor; mean between cash and bonds, plus 0.4% of credit (house judgement)",
        },
        "classes.reit": {
            "expected_return": 0.04,
            "source": "listed property moves with both; mean: house judgement, above the rents of homes [R]",
        },
        "classes.derivative": {"expected_return": cash, "source": "house judgement: geared, no reward of its own"},
        "classes.crypto": {
            "expected_return": inflation,
            "source": "house judgement: no cash flow, so inflation; volatility near 70%",
        },
        "classes.collectible": {"expected_return": inflation, "source": "house judgement: inflation, hard to sell"},
    }


TOP: dict[str, Table] = {
    "us": {
        "name": "us",
        "en": "US dollar: means of a survey, volatilities of 1928–2015",
        "zh": "美元：机构调查预期收益，1928–2015年波动率",
    },
    "china": {
        "name": "china",
        "en": "Renminbi: China 2026",
        "zh": "人民币：中国2026年",
        "borrowing_rate": 0.035,
        "borrowing_source": "[Y]: five-year loan prime rate, which mortgages go by",
        "years": 20.0,
        "years_source": "[S]: twenty years of Chinese returns",
    },
}


def value(x: object) -> str:
    """A value in TOML."""
    if isinstance(x, str):
        return '"' + x.replace('"', '\\"') + '"'
    if isinstance(x, list):
        rows = [", ".join(f"{v: .2f}" for v in row) for row in x]
        return "[\n" + "".join(f"  [{row}],\n" for row in rows) + "]"
    return repr(x)


def toml(name: str, tables: dict[str, Table]) -> str:
    """The whole file."""
    parts = [HEAD, *(f"{k} = {value(v)}\n" for k, v in TOP[name].items())]
    if REFERENCES[name]:
        parts.append("\n[references]\n" + "".join(f"{k} = {value(v)}\n" for k, v in REFERENCES[name].items()))
    for table, cells in tables.items():
        parts.append(f"\n[{table}]\n" + "".join(f"{k} = {value(v)}\n" for k, v in cells.items()))
    return "".join(parts)


def main(data: Path = DATA, out: Path = OUT) -> None:
    """Compute, write, and show what unsmoothing does."""
    years, survey = load(data)
    for name, tables in (("us", us(years, survey)), ("china", china(years, survey))):
        (out / f"{name}.toml").write_text(toml(name, tables), "utf-8")
        print(f"{name}.toml")
    found = smoothing(years)
    print(
        f"house prices 1928-2015: volatility {found['before']:.1%} as published, first autocorrelation "
        f"{found['autocorrelation']:.3f}, {found['after']:.1%} unsmoothed"
    )


if __name__ == "__main__":
    main(*(Path(p) for p in sys.argv[1:3]))
