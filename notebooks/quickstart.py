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
from allocator.plots import plot_buckets, plot_concentration

pd.options.display.float_format = "{:,.3f}".format

# %% [markdown]
# ## Read · 读取
#
# A CSV, Excel or Parquet file, a folder, or a DataFrame. Every row is used, set aside, or ignored with a reason.
#
# 可读 CSV、Excel、Parquet 文件、文件夹或 DataFrame。每一行都有去向：采用、未采用，或注明原因后忽略。

# %%
book = al.read_book(al.sample_path())
book.counts

# %% [markdown]
# ## Measure · 衡量
#
# One row per client. One client is a book with one client: the same tables, the same code.
#
# 每位客户一行；一位客户就是只有一位客户的客户群，表与代码相同。

# %%
analysis = al.analyze(book, on=dt.date(2026, 9, 30))
analysis

# %%
columns = ["client_id", "band", "defensive", "growth", "offensive", "score", "grade", "limits_exceeded", "status"]
analysis.summary[columns].head(8)

# %% [markdown]
# What nothing could classify is listed, never dropped · 无法归类的持仓会列出，不会丢失：

# %%
analysis.set_aside[["client_id", "row", "column", "code", "value"]]

# %% [markdown]
# Which limits does the property collector C002 exceed? · 囤房的客户 C002 超出哪些限额？

# %%
limits = analysis.select("C002")["limits"]
limits.loc[limits["exceeded"], ["limit", "value", "bound", "sense"]]

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
plan.select("C002")["trades"][["side", "name", "amount", "cost", "because", "share_before", "share_after"]]

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
plot_buckets(plan, "C002", ax=left)
_ = plot_concentration(plan, "C002", ax=right)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
plot_buckets(plan, "C002", ax=left, lang="zh")
_ = plot_concentration(plan, "C002", ax=right, lang="zh")

# %% [markdown]
# The certificate: what the verifier recomputed from the trade list alone · 核验结果，仅凭交易清单重新计算：

# %%
checks = plan.select("C002")["checks"]
checks[["check", "sense", "before", "bound", "after", "verdict"]].head(12)

# %% [markdown]
# What holds the founder C001 back? Each line is the plan without one obstacle: what cannot be sold now costs most.
#
# 什么拖住了创始人 C001？每行是去掉一个障碍后的变化，最大的障碍是目前不能卖出的资产。

# %%
plan.select("C001")["obstacles"]

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
one = al.rebalance(al.analyze(al.read_book(mine), band="稳健型", on=dt.date(2026, 9, 30)))
one.trades[["side", "name", "amount", "cost", "because"]]

# %% [markdown]
# ## Another framework · 换一个框架
#
# The framework is data. In `chhabra` the home counts, as a protective asset: who has little beside it is concentrated.
#
# 框架是数据。`chhabra` 把自住房计入保护性资产：除自住房外资产不多的家庭，集中度随之升高。

# %%
other = al.analyze(book, "chhabra", on=dt.date(2026, 9, 30))
both = {"classic": analysis.summary["score"], "chhabra": other.summary["score"]}
pd.DataFrame({"client_id": analysis.summary["client_id"], **both}).head(8)
