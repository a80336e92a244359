"""The picture of a plan's trades: what is sold on the left, what is bought on the right, to one scale of money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from allocator.drawing import (
    AFTER,
    LEFT,
    TARGET,
    TODAY,
    axes,
    beside,
    drawable,
    legend,
    money_scale,
    nothing,
    shortened,
    title,
)
from allocator.i18n import Words, words
from allocator.plan import Plan
from allocator.reporting.tables import Row, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Final = {"sell": TARGET, "repay": "#56B4E9", "buy": AFTER, "cost": LEFT, "flow": TODAY}
"""By what a bar is."""
MOST: Final = 8
"""Sales, and purchases, that have a bar of their own; the rest share one."""
NOTHING: Final = 0.005
"""An amount below this is none: half a cent."""


class _Bar(NamedTuple):
    name: str
    amount: float
    kind: str


def plot_trades(plan: Plan, client_id: str, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw where the money of a plan comes from (to the left) and where it goes (to the right).

    Parameters
    ----------
    plan
        From `allocator.rebalance`.
    client_id
        The client; holdings are named as in the book, long names are cut.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        Both sides have the same length in all, to the cent: sales and new money on the left; purchases, debts repaid,
        costs, taxes and a withdrawal on the right. A client without trades has an empty picture that says so.

    Raises
    ------
    InputError
        No such client in the plan.
    ConfigError
        No such language.
    """
    from matplotlib.patches import Patch

    said = words(lang)
    tables = plan.select(client_id)
    i = plan.before.index(client_id)
    summary = rows_of(tables["summary"])[0]
    bars = _bars(rows_of(tables["trades"]), summary, float(plan.before.positions.cash_flow[i]), said)
    currency = str(plan.before.summary["currency"].iloc[i])
    ax = axes(ax, (7.4, 1.4 + 0.34 * max(len(bars), 2)))
    if not bars:
        return nothing(ax, said.text("say.no_trades"))
    for row, b in enumerate(bars):
        ax.barh(row, b.amount, height=0.66, color=COLOURS[b.kind], zorder=2)
        beside(ax, row, said.money(abs(b.amount), short=True))
    money_scale(ax, [shortened(b.name) for b in bars], [b.amount for b in bars], said)
    sold, bought = (said.money(float(summary[k]), currency) for k in ("sells", "buys"))
    title(ax, said.tight(said.text("pictures.trades", sold=sold, bought=bought)))
    kinds = [kind for kind in COLOURS if any(b.kind == kind for b in bars)]
    legend(ax, [Patch(facecolor=COLOURS[k], label=drawable(said.text(f"pictures.{k}"))) for k in kinds])
    return ax


def _bars(trades: list[Row], summary: Row, flow: float, said: Words) -> list[_Bar]:
    """Sales first and the largest first; costs and money in or out where there is any, so that both sides agree."""
    if not trades:
        return []
    out: list[_Bar] = []
    for kind, sign in (("sell", -1.0), ("buy", 1.0), ("repay", 1.0)):
        mine = sorted((t for t in trades if t["side"] == kind), key=lambda t: -float(t["amount"]))
        out += [_Bar(str(t["name"] or t["asset_id"]), sign * float(t["amount"]), kind) for t in mine[:MOST]]
        rest = mine[MOST:]
        if rest:
            more = said.text("pictures.more", count=len(rest))
            out.append(_Bar(more, sign * sum(float(t["amount"]) for t in rest), kind))
        if kind == "sell" and flow > NOTHING:
            out.append(_Bar(said.text("pictures.money_in"), -flow, "flow"))
    for key in ("cost", "tax"):
        if float(summary[key]) > NOTHING:
            out.append(_Bar(said.text(f"pictures.{key}_row"), float(summary[key]), "cost"))
    if flow < -NOTHING:
        out.append(_Bar(said.text("pictures.money_out"), -flow, "flow"))
    return out
