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
# # The shelf and suitability · 货架与适当性
#
# What a plan may buy is decided by others: which products the house sells (the shelf), and which of them suit the
# client. Both have a price. Here it is measured: the same programme is solved again with an open shelf, and with
# suitability judged for the whole portfolio. The clients are invented. **Not investment advice.**
#
# 方案能买什么，由别人决定：机构代销哪些产品（货架），其中哪些适合客户。两者都有代价，这里把代价算出来：
# 同一个优化问题，分别在货架全部开放、按整个组合判断适当性的情况下再解一次。客户均为虚构，**不构成投资建议**。

# %%
import datetime as dt

import matplotlib.pyplot as plt
import pandas as pd

import allocator as al

pd.options.display.float_format = "{:,.3f}".format
on = dt.date(2026, 9, 30)
book = al.read_book(al.sample_path())

# %% [markdown]
# ## The shelf · 货架
#
# A product is bought only if it is open and the house sells it. Risk grades go from R1 to R5; each band has a highest.
#
# 只有在售（`open`）且本行代销的产品才能买入。风险等级从 R1 到 R5，每个风险类型有最高等级。

# %%
book.products[["product_id", "name", "asset_class", "risk", "minimum", "lot", "status", "on_house_shelf"]]

# %%
plan = al.rebalance(al.analyze(book, on=on))
plan

# %% [markdown]
# ## What a closed shelf costs · 货架不全的代价
#
# Without the obstacle: change of what lies beyond the limits and of the distance to the target mix (fractions of the
# total), and of volatility. Only clients who would feel it.
#
# 去掉这一障碍后的变化：超出限额的部分、与目标配置的距离（均占总额）、波动率。只列出有感觉的客户。


# %%
def felt(obstacle):
    """Clients for whom an obstacle changes something."""
    rows = plan.obstacles[plan.obstacles["obstacle"] == obstacle].set_index("client_id")
    figures = rows[["excess", "distance", "volatility", "cost"]]
    return figures[(figures.abs() > 5e-4).any(axis=1)]


felt("shelf")

# %% [markdown]
# What would be bought from an open shelf that cannot be bought now? · 若货架全部开放，还会买入什么？

# %%
elsewhere = plan.alternatives.query("obstacle == 'shelf' and side == 'buy'")
bought = plan.trades.query("side == 'buy'").groupby("client_id")["asset_id"].agg(set)
new = elsewhere[[r.asset_id not in bought.get(r.client_id, set()) for r in elsewhere.itertuples()]]
new.groupby(["asset_id", "name"])["amount"].agg(["size", "sum"]).rename(columns={"size": "clients"}).astype("int64")

# %% [markdown]
# The shelf also has minimums and lots, and they weigh on the smallest client most. The same, tried out for C022: every
# product on offer, in any amount.
#
# 货架还包括起购与递增金额，资产最少的客户受影响最大。以 C022 验证：全部产品开放、金额不限。

# %%
open_shelf = book.products.assign(status="open", on_house_shelf=True, minimum=0.0, lot=0.0)
parts = {name: getattr(book, name) for name in ("holdings", "clients", "debts", "fx")}
wide = al.read_book({**parts, "products": open_shelf})
opened = al.rebalance(al.analyze(wide["C022"], on=on))
closed = al.rebalance(al.analyze(book["C022"], on=on))
closed.compare(opened).T

# %% [markdown]
# ## Both modes of suitability · 适当性的两种判断方式
#
# *By product*: nothing riskier than the client's grade may be bought. *By portfolio*: riskier products may be bought
# within a satellite share, while the whole portfolio stays within the band. In mainland China the second is analysis
# only, never permission.
#
# *按产品*：不得买入高于客户等级的产品。*按组合*：整个组合留在风险类型之内时，可在卫星仓比例内买入更高等级的产品。
# 在中国内地，后者只供分析，绝不代表可以销售。

# %%
modes = plan.suitability.pivot(index="client_id", columns="mode", values=["excess", "distance", "volatility", "above"])
differ = modes[modes["above"]["portfolio"] > 0]
differ

# %%
plan.riskier[plan.riskier["client_id"].isin(differ.index)].head(8)

# %% [markdown]
# ## All obstacles of one client · 一位客户的全部障碍
#
# The founder C001 is held back by the lock on the firm, not by the shelf. What the sentences say, the picture shows.
#
# 创始人 C001 受限于不能卖出的企业股权，而不是货架。文字与图一致：

# %%
plan.explain("C001")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(14, 3.6), layout="constrained")
al.plot_obstacles(plan, "C001", ax=left)
_ = al.plot_obstacles(plan, "C001", ax=right, lang="zh")
