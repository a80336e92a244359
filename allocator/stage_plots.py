"""The picture of a plan in stages: what a client's buckets become, period by period."""

from __future__ import annotations

import math
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from allocator.drawing import BUCKETS, axes, beside, beside_head, drawable, legend, share_rows, title
from allocator.i18n import words
from allocator.staging import Stages

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_stages(stages: Stages, client_id: str, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw the share of each bucket today and after each stage, above the target; score and limits exceeded beside it.

    Parameters
    ----------
    stages
        From `allocator.stages`.
    client_id
        The client; the picture itself carries neither id nor name.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        A row per stage, named by the day of its plan. A client with nothing in the buckets has empty rows; one without
        a risk band has no target.

    Raises
    ------
    InputError
        No such client in the result.
    ConfigError
        No such language.
    """
    from matplotlib.patches import Patch

    said = words(lang)
    table = stages.select(client_id)["table"]
    ends = [stages.plans[0].before, *(plan.after for plan in stages.plans)]
    buckets = [a.select(client_id)["buckets"] for a in ends]
    rows = [b["share"].tolist() for b in buckets]
    names = [said.text("head.today"), *(date.isoformat() for date in stages.dates[1:])]
    if math.isfinite(buckets[0]["target"].iloc[0]):
        rows.append(buckets[0]["target"].tolist())
        names.append(said.text("head.target"))
    ax = axes(ax, (7.4, 1.5 + 0.36 * len(rows)))
    framework = ends[0].framework
    labels = [said.name(framework.buckets[code]) for code in buckets[0]["bucket"]]
    share_rows(ax, names, np.nan_to_num(np.array(rows, dtype="float64")), said)
    if len(rows) > len(ends):
        ax.axhline(len(ends) - 0.5, color="#9A9A9A", linewidth=0.8)
    beside_head(ax, f"{said.text('head.score')} · {said.text('head.limits')}")
    for k, (score, over) in enumerate(table[["score", "limits_exceeded"]].itertuples(index=False)):
        beside(ax, k, f"{said.number(float(score), 0)} · {int(over)}")
    i = ends[0].index(client_id)
    currency = str(ends[0].positions.clients["currency"].iloc[i])
    total = said.money(float(ends[0].exposures.total[i]), currency)
    title(ax, said.tight(said.text("title.buckets", total=total)))
    legend(ax, [Patch(facecolor=c, label=drawable(name)) for name, (c, _) in zip(labels, cycle(BUCKETS))])
    return ax
