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
from allocator.drawing import AFTER, TODAY, cjk_font

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
# Worst first: what lies beyond the limits today, in money, and what one plan would mend of it.
#
# 从最需要的开始：目前超出限额的金额，以及一次方案能改善多少。

# %%
clients = analysis.positions.clients.set_index("client_id")


def beyond(one):
    """What lies beyond the limits, in the client's currency."""
    total = analysis.summary.set_index("client_id")["total"]
    return one.limits.groupby("client_id", sort=False)["excess"].sum() * total


calls = plan.summary.set_index("client_id")[["status", "limits_before", "limits_after", "trades", "cost", "tax"]]
calls = calls.assign(
    advisor=clients["advisor"],
    beyond_today=beyond(plan.before),
    beyond_after=beyond(plan.after),
)
calls.sort_values("beyond_today", ascending=False).head(8)

# %% [markdown]
# ## In all, in yuan · 合计（人民币）

# %%
rate = clients["currency"].map(analysis.positions.rates)
money = plan.summary.set_index("client_id")[["sells", "buys", "repaid", "cost", "tax"]].mul(rate, axis=0)
by_advisor = money.assign(clients=1).groupby(clients["advisor"]).sum()
pd.concat([by_advisor, by_advisor.sum().rename("all").to_frame().T])

# %% [markdown]
# ## The map of the book · 全貌
#
# Every client is a dot: how concentrated today, and after the plan · 每位客户一个点：当前与方案后的集中度：

# %%
scores = plan.summary.dropna(subset=["score_before"]).sort_values("score_before", ignore_index=True)
fig, ax = plt.subplots(figsize=(9, 4), layout="constrained")
ax.vlines(scores.index, scores["score_after"], scores["score_before"], color="#CCCCCC", zorder=1)
ax.scatter(scores.index, scores["score_before"], color=TODAY, label="today · 当前", zorder=2)
ax.scatter(scores.index, scores["score_after"], color=AFTER, label="after the plan · 方案后", zorder=2)
ax.set_xticks(scores.index, scores["client_id"], rotation=60, fontsize=8)
ax.set_title("Concentration score of every client · 每位客户的集中度得分", fontproperties=cjk_font(11), loc="left")
ax.spines[["top", "right"]].set_visible(False)
_ = ax.legend(prop=cjk_font(9), frameon=False)

# %% [markdown]
# ## A crisis · 危机
#
# What each scenario would do to the whole book, today and after the plans · 各情景对整批客户的影响：

# %%
today, then = al.stress(plan.before), al.stress(plan.after)
columns = ["scenario", "hit", "loss_equity", "insolvent", "broken", "worst"]
today.book[columns].merge(then.book[columns], on="scenario", suffixes=("", "_after"))

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
