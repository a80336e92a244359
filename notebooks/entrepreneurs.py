# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Are entrepreneurs as lopsided as the article says? · 企业主的资产真有那么失衡吗？
#
# A private bank's rule of three buckets (defensive, asset-growth, offensive) rests on a claim: entrepreneurs keep
# nearly everything in the own firm and in property, and almost nothing for a rainy day. The claim can be checked. The
# US Survey of Consumer Finances asks families for their whole balance sheet, and asks rich ones on purpose.
#
# “三类资产”的说法基于一个判断：企业主几乎把全部身家放在自己的企业和房产里，几乎没有应急的钱。这个判断可以检验：
# 美国消费者金融调查（SCF）询问家庭的全部资产负债，并特意多抽取富裕家庭。
#
# **Data.** *Summary Extract Public Data* (`SCFP2022.csv`) from the Federal Reserve Board's page of the survey; say
# where it is by the environment variable `ALLOCATOR_SCF`. The output below is of every second family in one of the five
# implicates; with the full file the same cells use all of both. Only figures of the population are shown, never a
# family.
#
# **数据。** 美联储 SCF 页面上的 *Summary Extract Public Data*（`SCFP2022.csv`），用环境变量 `ALLOCATOR_SCF` 指明位置。
# 下面的输出只用了一半家庭、五套插补数据中的一套；换成完整文件，同样的代码会用上全部。只展示总体数字，不展示任何一户。

# %%
import datetime as dt
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import allocator as al
from allocator.drawing import AFTER, TARGET, TODAY, cjk_font
from allocator.surveys import Figure, survey_figures, weighted_quantile

pd.options.display.float_format = "{:,.3f}".format
file = Path(os.environ.get("ALLOCATOR_SCF", "../../shared/data/scf/scf2022_even_imp1.csv.gz"))
if not file.is_file():
    raise FileNotFoundError(
        "no survey here: download 'Summary Extract Public Data' (SCFP2022.csv) from the Federal Reserve Board's page "
        "of the Survey of Consumer Finances and set ALLOCATOR_SCF to its path"
    )
survey = pd.read_csv(file).rename(columns=str.upper)
survey = survey.assign(client_id=survey["Y1"].astype(str), implicate=survey["Y1"] - 10 * survey["YY1"])
# WGT is a fifth of a family's weight, because the public file has every family five times
survey = survey.assign(weight=survey["WGT"] * 5 / survey["implicate"].nunique())
counts = {"rows": len(survey), "families": survey["YY1"].nunique(), "implicates": survey["implicate"].nunique()}
pd.Series(counts | {"million families they stand for": survey["weight"].sum() / 1e6}, name="the file").to_frame()

# %% [markdown]
# ## Who · 对象
#
# Families with more than USD 1m of net worth, with a business of their own and without. Every weight says how many
# families of the country a row stands for.
#
# 净资产超过 100 万美元的家庭，分为有自有企业的和没有的。权重表示每一行代表全国多少户家庭。

# %%
rich = survey[survey["NETWORTH"] > 1e6].reset_index(drop=True)
analysis = al.analyze(al.read_book(rich, format="scf"), on=dt.date(2026, 9, 30))
limits = analysis.limits.pivot_table(index="client_id", columns=["limit", "sense"], values="value", observed=True)
table = (
    rich[["client_id", "implicate", "BUS", "weight"]]
    .merge(analysis.summary, on="client_id")
    .join(limits.xs("<=", axis=1, level="sense")[["business", "property", "single_holding"]], on="client_id")
)
table = table[table["total"] > 0].assign(
    over_35=lambda t: t["offensive"] > 0.35,
    under_5=lambda t: t["defensive"] < 0.05,
    mostly_business=lambda t: t["business"] > 0.5,
    business_30=lambda t: t["business"] > 0.3,
    property_30=lambda t: t["property"] > 0.3,
    both=lambda t: (t["business"] > 0.1) & (t["property"] > 0.1) & (t["offensive"] > 0.7),
    thin=lambda t: t["reserve_months"] < 12,
    extreme=lambda t: t["grade"] == "extreme",
    insolvent=lambda t: t["status"] == "insolvent",
)
owners, others = table[table["BUS"] > 0], table[table["BUS"] <= 0]
kind = np.where(table["BUS"] > 0, "entrepreneurs", "others")
table.groupby(kind)["weight"].agg(["size", "sum"]).rename(columns={"size": "rows", "sum": "families they stand for"})

# %% [markdown]
# ## The answer · 结果
#
# Shares are of the three buckets, own home left out. Standard errors: families drawn anew, and the spread between the
# implicates where there are several (Rubin's rule). They know nothing of the survey's strata.
#
# 占比以三类资产为分母，不含自住房。标准误来自对家庭的重抽样；有多套插补数据时，再加上各套之间的差异（Rubin 规则）。

# %%
figures = {
    "offensive share, mean · 进攻性占比均值": Figure("offensive"),
    "offensive share, median · 进攻性占比中位数": Figure("offensive", "quantile"),
    "offensive share, upper quartile · 上四分位": Figure("offensive", "quantile", 0.75),
    "defensive share, median · 防御性占比中位数": Figure("defensive", "quantile"),
    "over 35% offensive · 进攻性超过 35%": Figure("over_35"),
    "under 5% defensive · 防御性低于 5%": Figure("under_5"),
    "own and other firms over 30% · 企业股权超过 30%": Figure("business_30"),
    "firms over half · 企业股权过半": Figure("mostly_business"),
    "investment property over 30% · 投资性房产超过 30%": Figure("property_30"),
    "both, and 70% offensive · 两者兼有且进攻性超过 70%": Figure("both"),
    "reserve under 12 months · 备用金不足 12 个月": Figure("thin"),
    "score, median · 集中度得分中位数": Figure("score", "quantile"),
    "grade extreme · 集中度极高": Figure("extreme"),
}
answers = {name: survey_figures(part, figures) for name, part in (("entrepreneurs", owners), ("others", others))}
pd.concat(answers, axis=1)

# %% [markdown]
# Nobody has to take a median on trust: here is every share at once · 不必只看中位数，下图是完整分布：


# %%
def curve(ax, part, column, colour, label):
    """Part of the families (by weight) with at most this share."""
    grid = np.linspace(0, 1, 201)
    below = [part.loc[part[column] <= x, "weight"].sum() / part["weight"].sum() for x in grid]
    ax.plot(grid, below, color=colour, linewidth=2, label=label)


fig, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained", sharey=True)
panels = (
    ("offensive", "Offensive share · 进攻性资产占比", 0.35),
    ("defensive", "Defensive share · 防御性资产占比", 0.20),
)
for ax, (column, name, bound) in zip(axes, panels, strict=True):
    curve(ax, owners, column, AFTER, "entrepreneurs · 企业主")
    curve(ax, others, column, TODAY, "others as rich · 其他富裕家庭")
    ax.axvline(bound, color=TARGET, linewidth=1.5, label="bound of the balanced band · 稳健型界限")
    ax.set_title(name, fontproperties=cjk_font(11), loc="left")
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.yaxis.set_major_formatter("{x:.0%}")
    ax.grid(color="#E6E6E6")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("families with at most this share · 不超过该占比的家庭", fontproperties=cjk_font(9))
_ = axes[1].legend(prop=cjk_font(9), frameon=False, loc="lower right")

# %% [markdown]
# Is it wealth, or the firm? The same shares by net worth · 是因为富，还是因为有企业？按净资产分组：

# %%
edges = [1e6, 2e6, 5e6, 1e7, 1e12]
names = ["USD 1–2m", "2–5m", "5–10m", "over 10m"]
group = pd.cut(table["net_worth"], edges, labels=names)
by_wealth = table.groupby([group, kind], observed=True)
medians = by_wealth.apply(
    lambda part: pd.Series(
        {
            c: weighted_quantile(part[c].to_numpy(), part["weight"].to_numpy())[0]
            for c in ("offensive", "defensive", "score")
        }
        | {"families": part["client_id"].str[:-1].nunique()}
    ),
    include_groups=False,
)
medians.unstack()

# %% [markdown]
# ## Could it be mended? · 能改善吗？
#
# One plan for every entrepreneur of the first implicate, under the classic framework with its default shelf: what can
# be sold now is sold only as far as it helps, and no limit gets worse.
#
# 对第一套数据中的每位企业主做一份方案（classic 框架与默认货架）：能卖的只在有帮助时才卖，没有一项限额变差。

# %%
first = owners[owners["implicate"] == owners["implicate"].min()]
book = al.read_book(rich[rich["client_id"].isin(first["client_id"])], format="scf")
plan = al.rebalance(al.analyze(book, on=dt.date(2026, 9, 30)), explain=False)
done = plan.summary.merge(first[["client_id", "weight", "total", "volatility"]], on="client_id").assign(
    implicate=1,
    fees=lambda t: (t["cost"] + t["tax"]) / t["total"],
    sold=lambda t: t["sells"] / t["total"],
    volatility_after=plan.after.summary["volatility"].to_numpy(),
    in_band=lambda t: t["status"].isin(["in_band", "no_trade"]),
    better=lambda t: t["status"] == "improved",
    stuck=lambda t: t["status"] == "stuck",
)
told = {
    "reach their band in one plan · 一次方案即达标": Figure("in_band"),
    "improve · 有改善": Figure("better"),
    "nothing can improve · 无法改善": Figure("stuck"),
    "score before, median · 方案前得分中位数": Figure("score_before", "quantile"),
    "score after, median · 方案后得分中位数": Figure("score_after", "quantile"),
    "volatility before, median · 方案前波动率": Figure("volatility", "quantile"),
    "volatility after, median · 方案后波动率": Figure("volatility_after", "quantile"),
    "sold, of the total, median · 卖出占总额": Figure("sold", "quantile"),
    "costs and taxes, of the total, median · 费用与税占总额": Figure("fees", "quantile"),
}
pd.concat({"entrepreneurs": survey_figures(done, told)}, axis=1)

# %% [markdown]
# Every one of these plans was recomputed by the independent verifier · 每份方案均经独立核验：

# %%
bool(plan.summary["certificate"].all())

# %% [markdown]
# ## What it does not say · 局限
#
# The survey nets the debts of a business and of commercial property off its value, hides gold among collectibles, and
# does not ask for spending (70% of income is taken here, house judgement). Retirement accounts count as growth assets
# whatever is in them. It is one country, and one year.
#
# 调查把企业和商业地产的负债从其价值中扣除，黄金混在收藏品里，也不问支出（这里取收入的 70%，为机构判断）。
# 退休账户不论投向都计入资产性资产。只是一个国家、一年的数据。
