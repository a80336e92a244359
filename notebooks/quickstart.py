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
# # allocator in ten minutes · 十分钟上手
#
# A family's whole balance sheet: sorted into three buckets, scored, planned and verified.
# The clients here are invented. **Not investment advice.**
#
# 一个家庭的全部资产负债：归入三类资产、评分、制定方案并核验。客户均为虚构，**不构成投资建议**。

# %%
import datetime as dt

import matplotlib.pyplot as plt
import pandas as pd

import allocator as al

pd.options.display.float_format = "{:,.3f}".format
on = dt.date(2026, 9, 30)

# %% [markdown]
# ## Read · 读取
#
# A CSV, Excel or Parquet file, a folder, or a DataFrame. Every row is used, set aside, or ignored with a reason.
#
# 可读 CSV、Excel、Parquet 文件、文件夹或 DataFrame。每一行都有去向：采用、未采用，或注明原因后忽略。

# %%
book = al.read_book(al.sample_path())
book

# %% [markdown]
# ## Measure · 衡量
#
# One row per client. One client is a book with one client: the same tables, the same code.
#
# 每位客户一行；一位客户就是只有一位客户的客户群，表与代码相同。

# %%
analysis = al.analyze(book, on=on)
analysis

# %% [markdown]
# What is shown is a page; what is inside are plain tables · 显示的是页面，里面是普通的表：

# %%
columns = ["client_id", "band", "defensive", "growth", "offensive", "score", "grade", "limits_exceeded", "status"]
analysis.summary[columns].head(8)

# %% [markdown]
# What nothing could classify is listed, never dropped · 无法归类的持仓会列出，不会丢失：

# %%
analysis.set_aside[["client_id", "row", "column", "code", "value"]]

# %% [markdown]
# One client by id (Tab completes it): the property collector C002 · 按编号取一位客户（Tab 可补全）：囤房的 C002

# %%
analysis["C002"]

# %% [markdown]
# ## Plan · 方案
#
# Trades toward the client's band. No limit gets worse, and an independent verifier recomputes every plan.
#
# 向客户的风险类型调整。没有一项限额变差，每份方案都经独立核验。

# %%
plan = al.rebalance(analysis)
plan

# %%
plan["C002"]

# %% [markdown]
# The same in sentences, in either language · 用句子说明，两种语言均可：

# %%
plan.explain("C002")

# %%
plan.explain("C002", lang="zh")

# %% [markdown]
# The certificate: what the verifier recomputed from the trade list alone · 核验结果，仅凭交易清单重新计算：

# %%
checks = plan["C002"].checks
checks[["check", "sense", "before", "bound", "after", "verdict"]].head(12)

# %% [markdown]
# ## Pictures · 图
#
# Each takes `ax=` and returns the Axes, and changes nothing global · 每张图接受 `ax=` 并返回 Axes，不改动任何全局设置：

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(14, 4), layout="constrained")
al.plot_buckets(plan, "C002", ax=left)
_ = al.plot_trades(plan, "C002", ax=right)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(14, 4), layout="constrained")
al.plot_buckets(plan, "C002", ax=left, lang="zh")
_ = al.plot_concentration(plan, "C002", ax=right, lang="zh")

# %% [markdown]
# Or every picture that the results at hand allow, on one page: the entrepreneur C003, with what crises would cost today
# and after the plan, and what is left if the firm fails.
#
# 也可把手头结果能画的图放在一页：企业主 C003，包括各种危机在当前与方案后的损失，以及企业失败后还剩什么。

# %%
today, then = al.stress(plan.before), al.stress(plan.after)
family, risk = al.household(analysis), al.measure_risk(analysis)
al.pictures("C003", plan, today, then, family, risk)

# %% [markdown]
# What holds the founder C001 back? What cannot be sold now · 什么拖住了创始人 C001？目前不能卖出的资产：

# %%
plan["C001"].obstacles

# %% [markdown]
# ## What if · 假设
#
# One thing changed, everything else as it is: plain functions from a book to a book. `al.what_if_panel(book, "C003")`
# puts controls over them (`pip install "allocator[notebook]"`).
#
# 只改一处，其余不变：都是从客户群到客户群的普通函数。`al.what_if_panel(book, "C003")` 提供可操作的面板。

# %%
asset = plan["C003"].trades.query("side == 'sell'")["asset_id"].iloc[0]
attached = al.with_restriction(book, "C003", asset, "never_sell")
milder = al.with_band(attached, "C003", "balanced")
what_if = al.rebalance(al.analyze(milder["C003"], on=on))
al.rebalance(al.analyze(book["C003"], on=on)).compare(what_if).T

# %% [markdown]
# ## Your own data · 自己的数据
#
# Four columns are enough; `band` says the risk band where there is no table of clients.
#
# 四列即可；没有客户表时用 `band` 指定风险类型。

# %%
mine = pd.DataFrame(
    {
        "client_id": ["me"] * 4,
        "name": ["活期存款", "Index fund", "Flat to let", "Own firm"],
        "asset_class": ["存款", "equity_fund", "投资性房产", "企业股权"],
        "value": [200_000, 600_000, 2_500_000, 4_000_000],
    }
)
one = al.rebalance(al.analyze(al.read_book(mine), band="稳健型", on=on))
one.trades[["side", "name", "amount", "cost", "because"]]

# %% [markdown]
# ## Another framework · 换一个框架
#
# The framework is data. In `chhabra` the home counts, as a protective asset: who has little beside it is concentrated.
#
# 框架是数据。`chhabra` 把自住房计入保护性资产：除自住房外资产不多的家庭，集中度随之升高。

# %%
analysis.compare(al.analyze(book, "chhabra", on=on))[["total", "score", "limits_exceeded"]].head(8)
