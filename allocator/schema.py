"""The tables that a book is made of, as data: columns, kinds, defaults, Chinese and English headers.

A new column is one line here; reading, validation and the documentation follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["id", "text", "money", "number", "fraction", "int", "bool", "date"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an input table.

    Attributes
    ----------
    name
        Name in code, files and JSON.
    kind
        ``id`` and ``text`` stay text (``00123`` keeps its zeros), ``money`` and ``number`` are float64, ``fraction`` is
        0–1, ``int`` a whole number, ``bool`` yes/no, ``date`` ISO 8601.
    required
        A file without the column is refused; an empty cell sets the row aside.
    default
        What an empty or absent cell means. None is "unknown" (NaN, NaT or empty text).
    low, high
        Allowed range, both ends included.
    headers
        Other headers taken for this column, Chinese first.
    note
        What it holds, with its unit, for the documentation.
    """

    name: str
    kind: Kind
    note: str
    required: bool = False
    default: float | bool | str | None = None
    low: float | None = None
    high: float | None = None
    headers: tuple[str, ...] = ()


def _c(name: str, kind: Kind, headers: str, note: str, **more: float | bool | str | None) -> Column:
    return Column(name, kind, note, headers=tuple(h for h in headers.split("|") if h), **more)  # type: ignore[arg-type]


HOLDINGS: Final = (
    _c("client_id", "id", "客户号|客户编号|客户ID", "whose it is", required=True),
    _c("name", "text", "名称|资产名称|产品名称", "what the client calls it; this or asset_id"),
    _c("asset_id", "id", "资产编号|资产代码|代码", "unique within the client; default: the name"),
    _c("asset_class", "text", "资产类别|资产类型|类别", "code or label of the class; this, cfi or product_id"),
    _c(
        "value",
        "money",
        "市值|金额|价值|余额",
        "market value in the row's currency, zero or more",
        required=True,
        low=0.0,
    ),
    _c("product_id", "id", "产品编号|产品代码", "row of the products table this holding is"),
    _c("currency", "id", "币种|货币", "ISO 4217; default: the client's currency"),
    _c("quantity", "number", "数量|份额", "units held", low=0.0),
    _c("price", "number", "价格|单价|净值", "per unit, in the row's currency", low=0.0),
    _c("as_of", "date", "日期|估值日|截至日期", "date of the value"),
    _c("account", "text", "账户|账号", "where it is held"),
    _c("issuer", "text", "发行人|发行机构|机构", "who owes or issued it; default: nobody else's"),
    _c("sector", "text", "行业", "industry"),
    _c("country", "text", "国家|地区", "country of risk, ISO 3166 (CN, US)"),
    _c("isin", "id", "ISIN|国际证券代码", "ISO 6166"),
    _c("cfi", "id", "CFI", "ISO 10962 code, used when asset_class is empty"),
    _c("product_risk", "int", "风险等级|产品风险等级", "1–5; default: the class's grade", low=1, high=5),
    _c("cost_basis", "money", "成本|买入成本", "what was paid, in the row's currency", low=0.0),
    _c("locked_until", "date", "锁定至|到期日", "not sellable before this date"),
    _c(
        "sellable",
        "fraction",
        "可售比例|可变现比例",
        "fraction that can be sold in this plan; default: the class's",
        low=0.0,
        high=1.0,
    ),
    _c("indivisible", "bool", "不可分割|整体出售", "sold whole or not at all", default=False),
    _c("pledged", "bool", "已质押|质押", "pledged as collateral: neither sold nor counted as liquid", default=False),
    _c("own_company", "bool", "自有企业|本人企业", "issued by or lent to the client's own company", default=False),
    _c(
        "restriction",
        "text",
        "限制|交易限制",
        "never_sell, never_buy, sell_first (禁止卖出, 禁止买入, 优先卖出); several separated by | or ; or ,",
    ),
)
RESTRICTIONS: Final[dict[str, tuple[str, ...]]] = {
    "never_sell": ("禁止卖出",),
    "never_buy": ("禁止买入",),
    "sell_first": ("优先卖出",),
}
"""Words of the column ``restriction``, each with what else it may be called."""
CLIENTS: Final = (
    _c("client_id", "id", "客户号|客户编号|客户ID", "unique", required=True),
    _c(
        "risk_band",
        "text",
        "风险类型|风险承受能力|风险等级",
        "conservative, balanced, aggressive, C1–C5 or a Chinese label",
    ),
    _c("currency", "id", "币种|货币", "ISO 4217, of the client's report; default: the base currency"),
    _c(
        "monthly_spending",
        "money",
        "月支出|每月支出|月开支",
        "living costs a month; unknown: the reserve cannot be judged",
        low=0.0,
    ),
    _c("income", "money", "年收入|收入", "a year", low=0.0),
    _c("dependants", "int", "受抚养人|抚养人数", "number of people", low=0.0),
    _c("age", "int", "年龄", "years", low=0.0, high=130.0),
    _c("insurance_cover", "money", "保额|保险保额", "sum paid on death", low=0.0),
    _c(
        "guarantees",
        "money",
        "担保|对外担保|企业担保",
        "business debts the family has guaranteed",
        default=0.0,
        low=0.0,
    ),
    _c("cash_flow", "money", "现金流|资金进出", "due now: new money +, withdrawal −", default=0.0),
    _c("tier", "text", "客户等级|客户层级", "the bank's own tier"),
    _c("advisor", "text", "客户经理|理财经理|顾问", "who looks after the client"),
)
DEBTS: Final = (
    _c("client_id", "id", "客户号|客户编号|客户ID", "who owes it", required=True),
    _c(
        "value",
        "money",
        "金额|余额|负债金额",
        "outstanding, a positive amount in the row's currency",
        required=True,
        low=0.0,
    ),
    _c("kind", "text", "种类|负债类型|贷款类型", "mortgage, credit line, ..."),
    _c("currency", "id", "币种|货币", "ISO 4217; default: the client's currency"),
    _c("secured_by", "id", "抵押物|抵押资产", "asset_id of the client's holding that secures it"),
    _c("annual_payment", "money", "年还款额|年供", "interest and principal a year", default=0.0, low=0.0),
)
PRODUCTS: Final = (
    _c("product_id", "id", "产品编号|产品代码", "unique", required=True),
    _c("name", "text", "名称|产品名称", "shown in trades", required=True),
    _c("asset_class", "text", "资产类别|资产类型|类别", "code or label of the class", required=True),
    _c("risk", "int", "风险等级|产品风险等级", "1–5; default: the class's grade", low=1, high=5),
    _c("issuer", "text", "发行人|发行机构|机构", "who issues it"),
    _c("sector", "text", "行业", "industry; for holdings of it that name none"),
    _c("country", "text", "国家|地区", "country of risk, ISO 3166 (CN, US); for holdings of it that name none"),
    _c("currency", "id", "币种|货币", "ISO 4217; default: the base currency"),
    _c("buy_cost", "fraction", "申购费率|买入费率", "fraction of the amount; default: the class's", low=0.0, high=0.5),
    _c("sell_cost", "fraction", "赎回费率|卖出费率", "fraction of the amount; default: the class's", low=0.0, high=0.5),
    _c("minimum", "money", "起购金额|最低金额", "smallest first purchase", default=0.0, low=0.0),
    _c("lot", "money", "递增金额", "amounts are multiples of this", default=0.0, low=0.0),
    _c("status", "text", "状态", "open, pending or closed", default="open"),
    _c("on_house_shelf", "bool", "本行代销|在架", "sold by the house", default=True),
)
FX: Final = (
    _c("currency", "id", "币种|货币", "ISO 4217", required=True),
    _c("rate", "number", "汇率|折算率", "base currency per one unit, above zero", required=True, low=1e-12),
    _c("base", "text", "基准货币|折算货币", "ISO 4217, what the rate is in; default: the base currency"),
    _c("date", "date", "日期|汇率日期", "day of the rate; an old one is pointed out"),
)
LOOKTHROUGH: Final = (
    _c("fund_id", "id", "基金代码|产品代码", "asset_id, product_id or isin of a fund", required=True),
    _c("asset_class", "text", "资产类别|资产类型|类别", "code or label of the class", required=True),
    _c(
        "weight",
        "fraction",
        "权重|占比",
        "fraction of the fund; a fund's rows sum to 1",
        required=True,
        low=0.0,
        high=1.0,
    ),
)
OVERRIDES: Final = (
    _c("client_id", "id", "客户号|客户编号|客户ID", "whose holding; * for every client", required=True),
    _c("asset_id", "id", "资产编号|资产代码|代码", "which holding", required=True),
    _c("asset_class", "text", "资产类别|资产类型|类别", "code or label of the class to use", required=True),
)

TABLES: Final[dict[str, tuple[Column, ...]]] = {
    "holdings": HOLDINGS,
    "clients": CLIENTS,
    "debts": DEBTS,
    "products": PRODUCTS,
    "fx": FX,
    "lookthrough": LOOKTHROUGH,
    "overrides": OVERRIDES,
}
"""Every table by name; only ``holdings`` must be there."""

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "holdings": ("client_id", "asset_id", "account"),
    "clients": ("client_id",),
    "debts": (),
    "products": ("product_id",),
    "fx": ("currency",),
    "lookthrough": ("fund_id", "asset_class"),
    "overrides": ("client_id", "asset_id"),
}
"""Columns that together may occur once in a table; a second row with the same key is set aside."""
