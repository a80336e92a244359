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
# # A limit of one's own · 自定义限额
#
# The house wants what no framework file can say: a cap on one sector, on the loss in its own two crashes, and a client
# who is attached to her shares. Each is a few lines; the optimiser plans for it, the verifier checks it, the report
# explains it like a built-in. The clients are invented. **Not investment advice.**
#
# 机构常有框架文件写不出的要求：限制某个行业、限制两种自定危机下的损失、照顾舍不得股票的客户。每项只需几行代码，
# 优化、核验与说明都与内置限额一视同仁。客户均为虚构，**不构成投资建议**。

# %%
import datetime as dt

import cvxpy as cp
import pandas as pd

import allocator as al

pd.options.display.float_format = "{:,.3f}".format
book = al.read_book(al.sample_path())
on = dt.date(2026, 9, 30)

# %% [markdown]
# ## A share · 占比限额
#
# `counts` says how much of each holding counts, from 0 to 1. It sees one row per holding, or per product that could be
# bought: `asset_id, name, asset_class, bucket, product_id, issuer, sector, country, currency, own_company`. Ratings,
# carbon, anything of your own comes in by a mapping on one of these columns.
#
# `counts` 给出每项持仓计入多少（0 至 1）。评级、碳排放等自有数据，按上述任一列映射即可。

# %%
cyclical = {"machinery": 1.0, "transport": 1.0, "energy": 1.0, "consumer goods": 0.5}
sectors = al.limit(
    "cyclical",
    {"conservative": 0.10, "balanced": 0.25, "aggressive": 0.40},
    counts=lambda facts: facts["sector"].map(cyclical).fillna(0.0),
    words=("Cyclical sectors", "周期性行业"),
)

# %% [markdown]
# ## A convex measure · 凸度量
#
# `term` is any convex cvxpy expression of the money in each holding that doubles when the money doubles. Here: the
# larger loss of two crashes, at most a quarter of the family's own money.
#
# `term` 可以是任何凸的 cvxpy 表达式（金额翻倍时其值也翻倍）。这里是两种危机中较大的损失，不得超过自有资金的四分之一。

# %%
shares_fall = {"listed_equity": 0.45, "equity_fund": 0.40, "mixed_fund": 0.25, "private_business": 0.60, "reit": 0.35}
rates_rise = {"government_bond": 0.10, "bond_fund": 0.06, "corporate_bond": 0.10, "investment_property": 0.35}


def worst_crash(money, facts):
    """The larger of two losses."""
    losses = [facts["asset_class"].map(fall).fillna(0.0).to_numpy() for fall in (shares_fall, rates_rise)]
    return cp.maximum(*(loss @ money for loss in losses))


crash = al.limit("crash", 0.25, term=worst_crash, base="equity", family="risk", words=("Worst crash", "危机损失"))

# %% [markdown]
# ## Measured like the others · 与内置限额一样衡量

# %%
analysis = al.analyze(book, on=on, limits=[sectors, crash])
own = analysis.limits[analysis.limits["limit"].isin(["cyclical", "crash"])]
own.loc[own["exceeded"], ["client_id", "limit", "value", "bound", "excess"]].head(10)

# %% [markdown]
# ## Planned and verified like the others · 与内置限额一样规划与核验

# %%
plan = al.rebalance(analysis)
plan

# %%
checks = plan.checks[plan.checks["check"].isin(["cyclical", "crash"])]
checks.loc[checks["excess_before"] > 0, ["client_id", "check", "before", "bound", "after", "verdict"]].head(10)

# %% [markdown]
# Which trades does it make, and what would one point more room be worth? · 因此产生哪些交易？放宽一个百分点值多少？

# %%
columns = ["client_id", "name", "side", "amount", "because", "share_before", "share_after", "bound"]
plan.trades.loc[plan.trades["because"].isin(["cyclical", "crash"]), columns].head(6)

# %%
plan.prices[plan.prices["name"].isin(["cyclical", "crash"])].head(6)

# %% [markdown]
# ## An objective · 自定目标
#
# What is no limit but a wish goes into the objective: each unit of listed shares sold has a price. `term` sees the
# weights, what is bought and what is sold of each holding, as fractions of the total.
#
# 不是限额而是心愿的，放进目标函数：每卖出一份股票都有代价。


# %%
def shares_sold(_weights, _bought, sold, facts):
    """What is sold of listed shares."""
    return (facts["asset_class"] == "listed_equity").to_numpy(dtype=float) @ sold


attached = al.Objective("attached to shares", 2.0, shares_sold)
wish = al.rebalance(analysis, objectives=[attached], explain=False)


def sold(result):
    """Listed shares sold, by client."""
    trades = result.trades.query("asset_class == 'listed_equity' and side == 'sell'")
    return trades.groupby("client_id")["amount"].sum()


pd.DataFrame({"without the wish": sold(plan), "with it": sold(wish)}).fillna(0.0)

# %% [markdown]
# ## What a wrong one says · 写错时的提示

# %%
try:
    al.limit("both", 0.2, counts=lambda facts: facts["own_company"], term=worst_crash)
except al.ConfigError as error:
    message = str(error)
message
