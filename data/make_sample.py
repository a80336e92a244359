"""Write the bundled sample book: 24 invented clients of a Chinese private bank; see README.md beside this file.

``python data/make_sample.py [FOLDER]`` writes holdings, clients, debts, products and fx as CSV into ``data/sample`` (or
FOLDER), byte for byte the same every time. Banks, firms, funds, houses and people are invented.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

SEED = 20260930
AS_OF = "2026-09-30"

FX = "currency,rate\nCNY,1\nUSD,7.12\nHKD,0.914\n"

SHELF = """
product_id,name,asset_class,risk,issuer,sector,country,currency,buy_cost,sell_cost,minimum,lot,status,on_house_shelf
P01,活期存款 Demand Deposit,deposit,1,JC,banks,CN,CNY,0,0,50,0.01,open,true
P02,稳盈货币基金 Steady Cash Fund,money_market,1,JC,,CN,CNY,0,0,1,0.01,open,true
P03,一年期国债 One-Year Treasury Bills,treasury_bill,1,,,CN,CNY,0.0005,0.0005,100,100,open,true
P04,黄金积存 Gold Savings,gold,3,JC,,,CNY,0.005,0.005,1000,100,open,true
P05,十年期国债 Ten-Year Government Bonds,government_bond,1,,,CN,CNY,0.001,0.001,100,100,open,true
P06,恒利债券基金 Everyield Bond Fund,bond_fund,2,YH,,CN,CNY,0.004,0.001,10,0.01,open,true
P07,安享90天理财 Serenity 90-Day Wealth,bank_wealth_product,2,JC,banks,CN,CNY,0,0.001,10000,1000,open,true
P08,宽基指数基金 Broad Market Index Fund,equity_fund,3,YH,,CN,CNY,0.0012,0.005,10,0.01,open,true
P09,远航均衡混合基金 Voyage Balanced Fund,mixed_fund,3,YH,,CN,CNY,0.006,0.003,10,0.01,open,true
P10,仓储物流REIT Logistics Warehouse REIT,reit,3,KS,logistics,CN,CNY,0.001,0.001,1000,100,open,true
P11,多策略私募基金 Multi-Strategy Hedge Fund,hedge_fund,4,ZY,,CN,CNY,0.01,0.01,1000000,100000,open,true
P12,成长三期私募股权 Growth III Private Equity,private_equity,5,KS,,CN,CNY,0.02,0.1,5000000,1000000,open,true
P13,红利股票基金 Dividend Equity Fund,equity_fund,3,ZY,,CN,CNY,0.008,0.005,10,0.01,pending,true
P14,尊享365天理财 Privilege 365-Day Wealth,bank_wealth_product,3,JC,banks,CN,CNY,0,0.002,300000,10000,closed,true
P15,环球股票基金 World Equity Fund,equity_fund,4,MB,,US,USD,0.003,0.003,1000,0.01,open,false
P16,低费债券指数基金 Low-Cost Bond Index Fund,bond_fund,2,MB,,CN,CNY,0.0005,0.0005,10,0.01,open,false
"""
"""The house's shelf; the issuer is a key of `ISSUERS`, a name has its Chinese form before the first space."""

BANKS = ("JC", "YK", "XH", "LY", "PW", "HM")
"""Keys of `ISSUERS`; the first is the house. An account number begins with the key of the bank."""

ISSUERS = {
    "JC": ("霁川银行 Jichuan Bank", "banks", "CN"), "YK": ("云堃银行 Yunkun Bank", "banks", "CN"),
    "XH": ("汐和银行 Xihe Bank", "banks", "CN"), "LY": ("栎原银行 Liyuan Bank", "banks", "CN"),
    "PW": ("Pellworth Trust Bank", "banks", "US"), "HM": ("Harrowmere Bank", "banks", "HK"),
    "YH": ("玥衡基金 Yueheng Funds", "", "CN"), "ZY": ("喆远资产 Zheyuan Asset Management", "", "CN"),
    "KS": ("堃实资本 Kunshi Capital", "", "CN"), "MB": ("Merrowby Funds", "", "US"),
    "BW": ("Brackenwold Macro LLP", "", "HK"), "FH": ("Fernhollow Partners", "", "US"),
    "KF": ("堃实期货 Kunshi Futures", "", "CN"), "QX": ("青筱人寿 Qingxiao Life", "", "CN"),
    "CY": ("澄曜科技 Chengyao Technology", "technology", "CN"),
    "ZD": ("喆鼎半导体 Zheding Semiconductor", "technology", "CN"),
    "LT": ("霖桐电力 Lintong Power", "utilities", "CN"), "CJ": ("川稷食品 Chuanji Foods", "consumer goods", "CN"),
    "BY": ("柏屿医药 Baiyu Pharma", "health care", "CN"), "DL": ("叠浪新能源 Dielang New Energy", "energy", "CN"),
    "MY": ("沐屿集团 Muyu Group", "consumer goods", "HK"), "QS": ("Quillhaven Software Inc", "technology", "US"),
    "QD": ("栖渡轨道交通 Qidu Transit", "transport", "CN"),
    "YJ": ("玥堃精密制造 Yuekun Precision", "machinery", "CN"), "ZT": ("喆禾工具 Zhehe Tools", "machinery", "CN"),
    "JD": ("桨灯小厨 Jiangdeng Kitchens", "restaurants", "CN"), "YB": ("砚北传媒 Yanbei Media", "media", "CN"),
    "CL": ("川稷冷链 Chuanji Cold Chain", "logistics", "CN"), "YS": ("云玥生物 Yunyue Biotech", "health care", "CN"),
    "JR": ("霁堃机器人 Jikun Robotics", "machinery", "CN"), "VY": ("松玥酒庄 Songyue Vineyard", "agriculture", "CN"),
    "DA": ("玥光数字艺术 Yueguang Digital Art", "art", "CN"),
}
"""Name, sector and country of every issuer, all invented; one spelling over the whole book, so that issuers add up."""

LABELS = {
    "deposit": "存款", "money_market": "货币基金", "treasury_bill": "短期国债", "savings_bond": "储蓄国债",
    "gold": "黄金", "government_bond": "国债", "bond_fund": "债券基金", "bank_wealth_product": "银行理财",
    "listed_equity": "上市股票", "equity_fund": "股票基金", "retirement_account": "养老金账户", "own_home": "自住房",
    "investment_property": "投资性房产", "collectible": "收藏品",
}
"""What clients with ``labels`` have in the asset_class column instead of the code."""

FLAT, HOME, SHARE, CASH, FIRM = "investment_property", "own_home", "listed_equity", "deposit", "private_business"
APPRAISED = (FLAT, HOME, FIRM, "vehicle", "shareholder_loan", "collectible")
"""Valued by hand, in round amounts."""
NO_ACCOUNT = (*APPRAISED, "insurance_cash_value", "crypto")
FUNDS = ("bond_fund", "equity_fund", "mixed_fund", "hedge_fund")
GOLD_GRAM = 806.50
"""Invented price, CNY."""

GAINS = {
    "gold": (0.1, 0.6), "government_bond": (-0.01, 0.04), "corporate_bond": (-0.02, 0.03), "bond_fund": (0.0, 0.08),
    "bank_wealth_product": (0.0, 0.02), "listed_equity": (-0.25, 0.9), "equity_fund": (-0.15, 0.35),
    "reit": (-0.15, 0.1), "mixed_fund": (-0.1, 0.25), "investment_property": (-0.1, 0.8), "own_home": (0.1, 1.2),
    "private_business": (2.0, 9.0), "private_equity": (-0.05, 0.4), "hedge_fund": (0.0, 0.25),
    "structured_product": (-0.1, 0.05), "crypto": (-0.5, 1.5), "derivative": (-0.3, 0.3), "collectible": (0.0, 0.5),
}
"""Range of value / cost − 1; classes that are not here have no cost basis."""


@dataclass(frozen=True)
class H:
    """One holding: name, class code, amount in millions of its currency, issuer; the rest is seldom given.

    ``label`` stands in the asset_class column instead of the code; "" leaves it to the CFI code or the product.
    ``whole`` is the column indivisible; property is, unless it says "false".
    """

    name: str
    kind: str
    amount: float
    issuer: str = ""
    sector: str = ""
    country: str = ""
    currency: str = ""
    product: str = ""
    cfi: str = ""
    label: str | None = None
    risk: str = ""
    locked: str = ""
    sellable: str = ""
    whole: str = ""
    pledged: str = ""
    own: str = ""
    restriction: str = ""


@dataclass(frozen=True)
class D:
    """One debt, amounts in millions; ``secured`` is the name of a holding."""

    kind: str
    amount: float
    payment: float
    secured: str = ""


@dataclass(frozen=True)
class C:
    """One client; money in the client's currency. ``labels``: classes by their Chinese labels."""

    client_id: str
    band: str
    tier: str
    advisor: str
    age: int
    dependants: int
    income: int
    spending: int | None
    cover: int
    holdings: tuple[H, ...]
    debts: tuple[D, ...] = ()
    guarantees: int = 0
    cash_flow: int = 0
    currency: str = "CNY"
    labels: bool = False


PRODUCTS = {row["product_id"]: row for row in csv.DictReader(SHELF.strip().splitlines())}


def zh(product: str, amount: float, label: str | None = None) -> H:
    """Hold a product of the shelf under its Chinese name."""
    p = PRODUCTS[product]
    return H(p["name"].split(" ")[0], p["asset_class"], amount, p["issuer"], product=product, label=label)


def en(product: str, amount: float, label: str | None = None, risk: str = "") -> H:
    """Hold a product of the shelf under its English name; ``risk`` is the issuer's own grade."""
    p = PRODUCTS[product]
    return H(p["name"].split(" ", 1)[1], p["asset_class"], amount, p["issuer"], product=product, label=label, risk=risk)


# id, band, tier, advisor, age, dependants, income a year, spending a month, insurance cover
CLIENTS = (
    # 1: everything in the own firm, no reserve
    C("C001", "C5", "platinum", "RM-01", 46, 3, 3_600_000, 85_000, 2_000_000, (
        H("玥堃精密制造 98% 股权", FIRM, 96, "YJ", own="true"),
        H("借给玥堃精密的股东借款", "shareholder_loan", 6.5, "YJ", own="true"), H("活期存款", CASH, 0.21, "JC"),
        H("自住房 听澜府", HOME, 14), H("家用轿车", "vehicle", 0.9))),
    # 2: property collector
    C("C002", "稳健型", "platinum", "RM-02", 53, 2, 1_150_000, 45_000, 1_000_000, (
        H("梧桐里公寓 3-1201", FLAT, 7.8, whole="false"), H("滨河苑 8-602", FLAT, 5.2, whole="false"),
        H("滨河苑 8-603", FLAT, 5.1, whole="false"), H("学府家园 2-1503", FLAT, 6.6, label="出租房", whole="false"),
        H("云栖台 1-301", FLAT, 9.4), H("临街商铺 12 号", FLAT, 6.0, sector="retail", label="商铺", whole="false"),
        H("活期存款", CASH, 0.42, "YK"), zh("P02", 0.25), H("自住房 梧桐里 5-901", HOME, 11)), labels=True),
    # 3: firm and property together; the restaurant is somebody else's firm
    C("C003", "积极型", "platinum", "RM-03", 50, 4, 5_200_000, 120_000, 5_000_000, (
        H("Zhehe Tools, 70% stake", FIRM, 42, "ZT", own="true"),
        H("Jiangdeng Kitchens, 8% stake", FIRM, 3, "JD", own="false"),
        H("Office floor, Tower C, level 11", FLAT, 18, sector="office"), H("Flat, Willow Court 2-1802", FLAT, 9.5),
        H("Flat, Willow Court 6-304", FLAT, 7.2), H("Current account", CASH, 1.6, "JC"), en("P09", 2.2),
        H("Baiyu Pharma A shares", SHARE, 1.4, "BY", cfi="ESVUFR"), H("Family home", HOME, 16)),
        (D("business credit line", 4.0, 0.36),)),
    # 4: retiree with deposits only
    C("C004", "保守型", "platinum", "RM-04", 71, 1, 168_000, 14_000, 100_000, (
        H("三年定期存款", CASH, 1.9, "JC", label="定期存款"), H("活期存款", CASH, 0.15, "JC"),
        H("一年定期存款", CASH, 0.9, "YK", label="定期存款"), H("大额存单", CASH, 0.32, "XH"),
        H("自住房 清河小区", HOME, 4.2)), labels=True),
    # 5: well balanced, balanced band
    C("C005", "C3", "platinum", "RM-01", 48, 2, 1_900_000, 55_000, 3_000_000, (
        H("Current account", CASH, 0.48, "JC"), H("Savings account", CASH, 0.47, "YK"), en("P02", 3.65),
        en("P03", 1.85), en("P04", 1.15), en("P05", 2.2), en("P06", 2.2), en("P07", 1.6), en("P08", 2.7),
        H("Lintong Power A shares", SHARE, 0.9, "LT"), H("Chuanji Foods A shares", SHARE, 0.8, "CJ"),
        H("Personal pension account", "retirement_account", 0.6, "JC"), en("P10", 0.4),
        H("Flat, Maple Garden 1-702", FLAT, 3.1),
        H("Growth I Private Equity", "private_equity", 1.2, "KS", risk="5", locked="2030-06-30"), en("P11", 0.7),
        H("Family home", HOME, 9))),
    # 5: well balanced, conservative band
    C("C006", "C1", "platinum", "RM-02", 61, 1, 420_000, 22_000, 500_000, (
        H("活期存款", CASH, 0.46, "JC"), H("定期存款", CASH, 0.47, "XH"), H("电子式储蓄国债", "savings_bond", 0.9),
        zh("P02", 1.6), zh("P03", 0.87), zh("P04", 0.4), zh("P05", 0.9), zh("P06", 0.9), zh("P07", 0.85),
        zh("P08", 0.65), H("个人养老金", "retirement_account", 0.2, "JC"), H("松风里 4-203", FLAT, 0.8),
        H("紫砂壶与字画", "collectible", 0.1, restriction="禁止卖出"),
        H("自住房 松风里 1-1102", HOME, 3.6)), labels=True),
    # 6: founder with 60% in the own listed company
    C("C007", "进取型", "platinum", "RM-03", 55, 3, 8_000_000, 260_000, 10_000_000, (
        H("Chengyao Technology, founder's shares", SHARE, 90, "CY", own="true", restriction="never_buy"),
        H("Current account", CASH, 3.4, "JC"), H("Savings account", CASH, 2.6, "XH"), en("P02", 9),
        H("Gold bars", "gold", 2, "XH"), en("P06", 8), en("P07", 4), en("P08", 7),
        H("Seaside villa, let", FLAT, 14),
        H("Growth I Private Equity", "private_equity", 10, "KS", risk="5", locked="2030-06-30"),
        H("Family home", HOME, 32), H("Two cars", "vehicle", 2.4))),
    # 7: leveraged property
    C("C008", "平衡型", "platinum", "RM-04", 42, 3, 1_600_000, 48_000, 3_000_000, (
        H("锦绣湾 3-2201", FLAT, 8.0), H("锦绣湾 5-1702", FLAT, 6.5), H("创智公寓 1-1508", FLAT, 7.2),
        H("江南里 9-401", FLAT, 5.8), H("活期存款", CASH, 0.35, "YK"), zh("P09", 0.5),
        H("自住房 锦绣湾 3-901", HOME, 6.8)),
        (D("按揭贷款", 5.2, 0.354, "锦绣湾 3-2201"), D("按揭贷款", 4.4, 0.299, "锦绣湾 5-1702"),
         D("按揭贷款", 4.6, 0.313, "创智公寓 1-1508"), D("按揭贷款", 3.5, 0.238, "江南里 9-401"))),
    # 8: the family has guaranteed the firm's debts
    C("C009", "激进型", "platinum", "RM-01", 57, 2, 4_500_000, 110_000, 4_000_000, (
        H("Yanbei Media, 85% stake", FIRM, 38, "YB", sellable="0.1", own="true"),
        H("Current account", CASH, 2.4, "JC"), en("P02", 3), en("P06", 2), en("P08", 6),
        H("Dielang New Energy A shares", SHARE, 2.5, "DL", cfi="ESVUFR"),
        H("Print works, let to the firm", FLAT, 8, sector="industrial", restriction="never_sell"),
        H("Family home", HOME, 20)),
        (D("bank loan", 1.5, 0.21),), guarantees=25_000_000),
    # 9: holdings in USD and HKD, reported in CNY
    C("C010", "C4", "platinum", "RM-02", 44, 2, 2_400_000, 60_000, 4_000_000, (
        H("活期存款", CASH, 0.8, "JC"), H("美元存款", CASH, 0.35, "PW", currency="USD"),
        H("港元存款", CASH, 1.8, "HM", currency="HKD"),
        H("Quillhaven Software 股票", SHARE, 0.42, "QS", currency="USD"),
        H("沐屿集团 H 股", SHARE, 3.6, "MY", currency="HKD", cfi="ESVUFR"),
        H("环球指数基金", "equity_fund", 0.30, "MB", currency="USD", cfi="CIOGES", risk="4"), zh("P06", 2.0),
        zh("P04", 0.6), H("云璟台 2-1605", FLAT, 4.2), zh("P11", 1.5), H("自住房 云璟台 2-801", HOME, 8.5))),
    # 9: reported in USD
    C("C011", "balanced", "platinum", "RM-03", 39, 1, 380_000, 14_000, 1_500_000, (
        H("Checking account", CASH, 0.62, "PW"), H("US treasury bills", "treasury_bill", 0.9, country="US"),
        H("Merrowby World Index Fund", "equity_fund", 1.6, "MB"),
        H("Qidu Transit 4.1% 2031", "corporate_bond", 0.5, "QD", cfi="DBFUFB"),
        H("Muyu Group H shares", SHARE, 2.1, "MY", currency="HKD"),
        H("Flat, Harbour Steps 14C", FLAT, 6.0, country="HK", currency="HKD"),
        H("Everyield Bond Fund", "bond_fund", 4.0, "YH", currency="CNY", product="P06"),
        H("Vaulted gold", "gold", 0.25, "PW"), H("Family car", "vehicle", 0.06, country="US")), currency="USD"),
    # 10: insolvent
    C("C012", "aggressive", "platinum", "RM-04", 49, 3, 600_000, 38_000, 1_000_000, (
        H("川稷冷链 60% 股权", FIRM, 5.5, "CL", own="true"), H("叠浪新能源 A 股", SHARE, 1.1, "DL", cfi="ESVUFR"),
        H("活期存款", CASH, 0.08, "LY"), H("站前公寓 6-1103", FLAT, 3.2), H("自住房 站前公寓 2-502", HOME, 4.5)),
        (D("经营性贷款", 7.8, 0.72), D("按揭贷款", 2.4, 0.17, "站前公寓 6-1103"), D("民间借款", 1.6, 0.24),
         D("按揭贷款", 2.0, 0.14, "自住房 站前公寓 2-502")), guarantees=3_000_000),
    # 11: a withdrawal that can be paid; one row with a product id only, one fund graded higher by its issuer
    C("C013", "稳健", "platinum", "RM-01", 52, 2, 1_100_000, 40_000, 2_000_000, (
        H("Current account", CASH, 0.9, "JC"), en("P02", 1.5), en("P06", 3, label=""), en("P08", 4, risk="4"),
        H("Lintong Power A shares", SHARE, 1.6, "LT", cfi="ESVUFR", restriction="sell_first"),
        H("Gold bars", "gold", 0.5, "JC"), en("P07", 2),
        H("Flat, Maple Garden 3-1204", FLAT, 1.7), H("Family home", HOME, 7.2)), cash_flow=-2_400_000),
    # 11: a withdrawal that nothing sellable can pay
    C("C014", "积极", "platinum", "RM-02", 47, 2, 2_000_000, 60_000, 3_000_000, (
        H("云玥生物 40% 股权", FIRM, 46, "YS", locked="2030-12-31", sellable="0", own="true"),
        H("借给云玥生物的股东借款", "shareholder_loan", 3, "YS", own="true"),
        H("成长二期私募股权", "private_equity", 6, "KS", risk="5", locked="2032-12-31"),
        H("终身寿险现金价值", "insurance_cash_value", 1.8, "QX"),
        H("澄曜科技 A 股", SHARE, 2.2, "CY", pledged="true"), H("活期存款", CASH, 0.09, "JC"),
        H("自住房 澜庭", HOME, 9)), (D("股票质押贷款", 1.0, 0.06, "澄曜科技 A 股"),), cash_flow=-3_000_000),
    # 12: new money; one row with a product id only
    C("C015", "C2", "platinum", "RM-03", 58, 1, 360_000, 20_000, 500_000, (
        H("活期存款", CASH, 1.1, "JC"), zh("P07", 2.2), zh("P06", 0.8, label=""),
        H("凭证式储蓄国债", "savings_bond", 0.6), zh("P02", 0.5), H("自住房 竹影园", HOME, 4)),
        cash_flow=6_000_000, labels=True),
    # 13: a class that nothing matches
    C("C016", "保守", "platinum", "RM-04", 36, 0, 540_000, 18_000, 800_000, (
        H("活期存款", CASH, 1.2, "JC"), zh("P07", 1.5), zh("P06", 0.8), zh("P08", 0.3),
        H("《潮汐》限量藏品", "collectible", 0.6, "DA", label="数字艺术凭证"), H("自住房 蓝湾 7-1001", HOME, 5))),
    # 14: the firm is locked, what is free is misplaced
    C("C017", "成长型", "platinum", "RM-01", 45, 2, 3_000_000, 90_000, 2_000_000, (
        H("Jikun Robotics, 51% stake", FIRM, 60, "JR", locked="2031-01-01", own="true"),
        H("Zheding Semiconductor A shares", SHARE, 9, "ZD"),
        H("Bitcoin, hardware wallet", "crypto", 6, label="bitcoin"),
        H("Index futures account", "derivative", 4, "KF", label="futures"),
        H("Flat, Riverside Lofts 9-2001", FLAT, 8), H("Ink paintings", "collectible", 3, label="art"),
        H("Current account", CASH, 0.7, "YK"), H("Family home", HOME, 13))),
    # 15: pledged shares; spending is unknown, so the reserve cannot be judged
    C("C018", "C4", "platinum", "RM-02", 51, 2, 2_800_000, None, 3_000_000, (
        H("叠浪新能源 A 股", SHARE, 24, "DL", pledged="true", own="false"), H("活期存款", CASH, 1.5, "JC"),
        zh("P08", 5), H("栖渡轨交 3.2% 2030", "corporate_bond", 3, "QD", cfi="DBFUFB"), zh("P02", 2), zh("P10", 1),
        H("观山台 2-1203", FLAT, 6), H("自住房 观山台 8-601", HOME, 10)),
        (D("股票质押贷款", 10, 0.55, "叠浪新能源 A 股"),)),
    # 16: speculator in a conservative band
    C("C019", "conservative", "platinum", "RM-03", 33, 0, 700_000, 25_000, 500_000, (
        H("Bitcoin, exchange account", "crypto", 1.8, risk="5"),
        H("Commodity futures", "derivative", 0.9, "KF", risk="5"),
        H("Index options", "derivative", 0.35, "KF", risk="5", label="options"),
        H("Snowball note 2027", "structured_product", 0.5, "ZY", risk="4", label="structured note"),
        H("Current account", CASH, 0.4, "XH"), en("P02", 0.25),
        H("Technology Index Fund", "equity_fund", 1, "YH", cfi="CIOGES"))),
    # 17: home with a mortgage beside a modest portfolio
    C("C020", "C3", "gold", "RM-04", 37, 2, 520_000, 18_000, 2_000_000, (
        H("Family home", HOME, 7.5), H("Family car", "vehicle", 0.22), H("Current account", CASH, 0.26, "LY"),
        en("P02", 0.14), en("P07", 0.3), en("P09", 0.12),
        H("Personal pension account", "retirement_account", 0.1, "JC")), (D("mortgage", 3.9, 0.228, "Family home"),)),
    # 18: everything at one bank, far above the insured amount
    C("C021", "谨慎型", "platinum", "RM-01", 64, 1, 300_000, 24_000, 300_000, (
        H("栎原稳健一号理财", "bank_wealth_product", 1.6, "LY", risk="2"),
        H("栎原稳健二号理财", "bank_wealth_product", 1.4, "LY", risk="2"),
        H("栎原月月盈理财", "bank_wealth_product", 1.2, "LY", risk="2", label="净值型理财"),
        H("栎原添利理财", "bank_wealth_product", 0.8, "LY", risk="3"), H("大额存单", CASH, 2.1, "LY"),
        H("栎原银行二级资本债", "corporate_bond", 0.78, "LY", cfi="DBFUFB"), H("栎原银行 A 股", SHARE, 0.7, "LY"),
        H("自住房 文澜苑", HOME, 4.8)), labels=True),
    # 19: young professional, first tier
    C("C022", "积极型", "vip", "RM-02", 27, 0, 264_000, 8_500, 500_000, (
        H("Current account", CASH, 0.075, "JC"), en("P02", 0.06), en("P08", 0.14),
        H("Personal pension account", "retirement_account", 0.07, "JC"),
        H("Quillhaven Software shares", SHARE, 0.008, "QS", currency="USD", cfi="ESVUFR"))),
    # 20: a large family with everything
    C("C023", "C5", "platinum", "RM-03", 66, 5, 12_000_000, 600_000, 20_000_000, (
        H("Current account", CASH, 8, "JC"), H("Savings account", CASH, 4, "YK"),
        H("US dollar account", CASH, 0.42, "HM", currency="USD"), en("P02", 12), en("P03", 8),
        H("Gold bars", "gold", 10, "XH"), H("Whole life policy, cash value", "insurance_cash_value", 7, "QX"),
        en("P06", 15), en("P05", 15), H("Qidu Transit 3.2% 2030", "corporate_bond", 8, "QD", cfi="DBFUFB"),
        en("P08", 24), H("Merrowby World Index Fund", "equity_fund", 2.2, "MB", currency="USD", cfi="CIOGES"),
        H("Lintong Power A shares", SHARE, 10, "LT"), H("Baiyu Pharma A shares", SHARE, 8, "BY"),
        H("Muyu Group H shares", SHARE, 7.6, "MY", currency="HKD"), en("P10", 9),
        H("Growth II Private Equity", "private_equity", 22, "KS", risk="5", locked="2032-12-31"),
        H("Fernhollow Buyout Fund IV", "private_equity", 18, "FH", risk="5", locked="2033-06-30"), en("P11", 18),
        H("Brackenwold Macro Fund", "hedge_fund", 12, "BW", risk="5"),
        H("Office floors, Jade Centre", FLAT, 36, sector="office"),
        H("Songyue Vineyard, 30% stake", FIRM, 16, "VY", own="false"),
        H("Porcelain and jade", "collectible", 14, label="art", restriction="never_sell; never_buy"),
        H("Family residence", HOME, 65)),
        (D("Lombard loan", 6, 0.24),)),
    # 21: nearly right, one share slightly too large
    C("C024", "balanced", "platinum", "RM-04", 54, 2, 980_000, 42_000, 2_000_000, (
        H("Current account", CASH, 0.48, "JC"), H("Savings account", CASH, 0.45, "XH"), en("P02", 2.2),
        en("P03", 0.7), en("P04", 0.67), H("Lintong Power A shares", SHARE, 2.45, "LT"), en("P08", 1.0),
        en("P06", 1.9), en("P05", 1.15), en("P07", 1.0), H("Flat, Orchard Row 5-402", FLAT, 2.0), en("P11", 1.0),
        H("Family home", HOME, 6.4))),
)


def money(amount: float) -> str:
    """Write an amount to the cent."""
    return f"{amount:.2f}"


def priced(h: H, currency: str, rng: Random) -> dict[str, str]:
    """Value, with quantity and price where the class has them; only appraisals are round."""
    amount = h.amount * 1e6
    if h.kind in APPRAISED:
        return {"value": money(amount)}
    amount *= 0.996 + 0.008 * rng.random()
    if h.kind in (SHARE, "reit"):
        low, span = (6.0, 60.0) if h.kind == SHARE else (2.0, 3.0)
        price, digits, lot = round(low + span * rng.random(), 2), 2, 100.0
    elif h.kind in FUNDS:
        price, digits, lot = round(0.8 + 1.8 * rng.random(), 4), 4, 0.01
    elif h.kind == "gold" and currency == "CNY":
        price, digits, lot = GOLD_GRAM, 2, 1.0
    else:
        return {"value": money(amount)}
    quantity = round(amount / price / lot) * lot
    units = f"{quantity:.{2 if lot < 1 else 0}f}"
    return {"value": money(quantity * price), "quantity": units, "price": f"{price:.{digits}f}"}


def paid(h: H, value: str, rng: Random) -> str:
    """Draw what was paid; empty for what has no price of its own."""
    if h.kind not in GAINS:
        return ""
    low, high = GAINS[h.kind]
    cost = float(value) / (1.0 + low + (high - low) * rng.random())
    return money(round(cost, -4) if h.kind in APPRAISED else cost)


def holding_rows(c: C) -> list[dict[str, str]]:
    """Write the holdings of one client; with a seed of its own, so that a change here moves no other client."""
    rng = Random(f"{SEED}:{c.client_id}")
    accounts = {bank: f"{bank}-{1000 + int(9000 * rng.random())}" for bank in BANKS}
    rows = []
    for i, h in enumerate(c.holdings, 1):
        issuer, sector, country = ISSUERS.get(h.issuer, ("", "residential" if h.kind in (FLAT, HOME) else "", "CN"))
        code = "" if h.cfi else LABELS[h.kind] if c.labels else h.kind
        currency = h.currency or c.currency
        figures = priced(h, currency, rng)
        rows.append({
            "client_id": c.client_id, "name": h.name, "asset_id": f"A{i:02d}",
            "asset_class": code if h.label is None else h.label, "value": figures["value"], "product_id": h.product,
            "currency": currency, "quantity": figures.get("quantity", ""), "price": figures.get("price", ""),
            "as_of": AS_OF, "account": "" if h.kind in NO_ACCOUNT else accounts.get(h.issuer, accounts["JC"]),
            "issuer": issuer, "sector": h.sector or sector, "country": h.country or country, "cfi": h.cfi,
            "product_risk": h.risk, "cost_basis": paid(h, figures["value"], rng), "locked_until": h.locked,
            "sellable": h.sellable, "indivisible": h.whole or ("true" if h.kind == FLAT else ""), "pledged": h.pledged,
            "own_company": h.own, "restriction": h.restriction,
        })
    return rows


def client_row(c: C) -> dict[str, str]:
    """Write one client."""
    return {
        "client_id": c.client_id, "risk_band": c.band, "currency": c.currency,
        "monthly_spending": "" if c.spending is None else money(c.spending), "income": money(c.income),
        "dependants": str(c.dependants), "age": str(c.age), "insurance_cover": money(c.cover),
        "guarantees": money(c.guarantees), "cash_flow": money(c.cash_flow), "tier": c.tier, "advisor": c.advisor,
    }


def debt_rows(c: C) -> list[dict[str, str]]:
    """Write the debts of one client."""
    ids = {h.name: f"A{i:02d}" for i, h in enumerate(c.holdings, 1)} | {"": ""}
    return [{"client_id": c.client_id, "value": money(d.amount * 1e6), "kind": d.kind, "currency": c.currency,
             "secured_by": ids[d.secured], "annual_payment": money(d.payment * 1e6)} for d in c.debts]


def tables() -> dict[str, list[dict[str, str]]]:
    """Every table as rows of text, in the order of the files."""
    return {
        "holdings": [row for c in CLIENTS for row in holding_rows(c)],
        "clients": [client_row(c) for c in CLIENTS],
        "debts": [row for c in CLIENTS for row in debt_rows(c)],
        "products": [p | {"issuer": ISSUERS[p["issuer"]][0] if p["issuer"] else ""} for p in PRODUCTS.values()],
        "fx": list(csv.DictReader(FX.splitlines())),
    }


def write(folder: Path) -> None:
    """Write the five files: UTF-8 without a mark, LF, one header row."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables().items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "sample")
