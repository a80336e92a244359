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
# # A book · 一批客户
#
# Whom to call first, what the plans come to, and what a crisis would do to the book. One table with a row per client:
# the same code for 24 clients and for a hundred thousand. The clients are invented. **Not investment advice.**
#
# 先联系谁？全部方案合计如何？危机对整批客户有何影响？每位客户一行：24 位与十万位客户用同样的代码。
# 客户均为虚构，**不构成投资建议**。

# %%
import datetime as dt

import matplotlib.pyplot as plt
import pandas as pd

import allocator as al

pd.options.display.float_format = "{:,.3f}".format
on = dt.date(2026, 9, 30)
book = al.read_book(al.sample_path())
book

# %%
analysis = al.analyze(book, on=on)
analysis

# %% [markdown]
# What nothing could classify, and everything else that was wrong, is a table as well · 数据问题也是一张表：

# %%
analysis.issues[["severity", "client_id", "row", "column", "code", "mend"]]

# %% [markdown]
# ## The plans · 方案
#
# One line for the whole book. A client who cannot be planned stops nobody: the status says why.
#
# 一行代码完成全部客户。无法制定方案的客户不影响其他人，状态说明原因。

# %%
plan = al.rebalance(analysis)
plan

# %% [markdown]
# ## Whom to call · 先联系谁
#
# Every reason to call a client has points, by how bad it is, how much money it is about and how soon it is due; one
# more reason never makes a client less urgent. Weights are a file of the house.
#
# 每个联系理由按严重程度、涉及金额和紧迫程度计分；多一个理由只会更急。权重是机构自己的文件。

# %%
calls = al.call_list(plan)
calls

# %% [markdown]
# Why the first one is first · 第一位为何排第一：

# %%
calls.select(calls.calls["client_id"].iloc[0])[["reason", "severity", "money", "days", "points", "part"]]

# %%
calls.by_advisor

# %% [markdown]
# ## The whole book, in yuan · 全部客户（人民币）
#
# What the book holds, today and after the plans; what it would trade; where the money is.
#
# 当前与方案后持有什么、将交易什么、钱在谁手里。

# %%
view = al.book_view(plan)
view

# %% [markdown]
# Inside are tables · 里面是表：

# %%
view.buckets

# %%
view.plans

# %%
view.flows[["asset_class", "clients", "bought", "sold", "repaid", "net", "cost", "tax"]].head(8)

# %%
view.pareto

# %% [markdown]
# Which limits are exceeded by how many, today and after · 各项限额的超限人数与金额，当前与方案后：

# %%
view.limits[view.limits["clients"] > 0].drop(columns="family")

# %% [markdown]
# ## The map of the book · 全貌
#
# Every client is a dot: money against concentration. On the right the buckets, today, after the plans, and by tier.
#
# 每位客户一个点：金额与集中度。右图为三类资产：当前、方案后、按客户层级。

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(15, 4.6), layout="constrained")
al.plot_book(plan, ax=left)
_ = al.plot_book_buckets(plan, ax=right)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(15, 4.6), layout="constrained")
al.plot_book(plan, ax=left, lang="zh")
_ = al.plot_book_buckets(plan, ax=right, lang="zh")

# %% [markdown]
# ## A crisis · 危机
#
# What each scenario would do to the whole book, today and after the plans · 各情景对整批客户的影响：

# %%
today, then = al.stress(plan.before), al.stress(plan.after)
columns = ["scenario", "hit", "loss_equity", "insolvent", "broken", "worst"]
today.book[columns].merge(then.book[columns], on="scenario", suffixes=("", "_after"))

# %% [markdown]
# The day after a crisis like that of 2008: for whom does what change? · 若明天发生 2008 年那样的危机：谁的什么会变？

# %%
crisis = al.compare(analysis, al.shocked(analysis, "crash_2008"))
crisis.effects[crisis.effects["clients"] > 0]

# %%
al.household(analysis)

# %% [markdown]
# ## One of them · 其中一位

# %%
plan["C003"]

# %%
plan.explain("C003", "zh")

# %% [markdown]
# ## Two plans compared · 比较两份方案
#
# The same book for the highest expected return inside the band: what differs, client by client.
#
# 改为在风险类型内追求最高预期收益：逐一比较差异。

# %%
other = al.rebalance(analysis, goal="return", explain=False)
plan.compare(other)[["cost", "volatility", "expected_return"]].head(6)
