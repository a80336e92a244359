"""The picture of the wall between family and firm: what is owned, what falls with the firm, and what is left."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from allocator.drawing import AFTER, LEFT, TARGET, TODAY, axes, beside, drawable, legend, money_scale, title
from allocator.households import Household
from allocator.i18n import Words, words
from allocator.reporting.tables import Row, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Final = {"whole": TODAY, "lost": TARGET, "owed": LEFT, "left": AFTER}
"""By what a bar is: owned today, lost with the firm, owed, and left."""


HIGH: Final = 0.62
"""Height of a bar where the rows are 1 apart."""


class _Bar(NamedTuple):
    """From where to where a bar goes, in money."""

    key: str
    begin: float
    end: float
    kind: str


def plot_firewall(household: Household, client_id: str, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw, step by step, what a family keeps when the firm fails and its guarantees are called.

    Parameters
    ----------
    household
        From `allocator.household`.
    client_id
        The client; the picture itself carries neither id nor name.
    ax
        Where to draw; default a new figure that belongs to nobody, see ``ax.figure``.
    lang
        ``en`` or ``zh``.

    Returns
    -------
    matplotlib.axes.Axes
        Everything owned, home included; less the own firm in all forms; less guarantees; less debts: the net worth that
        is left, and of it the reserve that pays bills at once. The title says how many months that lasts. Steps of
        nothing are left out.

    Raises
    ------
    InputError
        No such client in the result.
    ConfigError
        No such language.
    """
    from matplotlib.patches import Patch

    said = words(lang)
    fire = rows_of(household.select(client_id)["firewall"])[0]
    bars = _steps(fire)
    i = household.analysis.index(client_id)
    currency = str(household.analysis.summary["currency"].iloc[i])
    ax = axes(ax, (7.4, 1.4 + 0.42 * max(len(bars), 2)))
    for row, b in enumerate(bars):
        ax.barh(row, b.end - b.begin, left=b.begin, height=HIGH, color=COLOURS[b.kind], zorder=2)
        beside(ax, row, said.money(b.end - b.begin, short=True))
    for row, (here, then) in enumerate(pairwise(bars)):
        if then.kind != "left" or then.key == "net_worth":
            ax.plot([here.end] * 2, [row + HIGH / 2, row + 1 - HIGH / 2], color="#606060", linewidth=0.8, zorder=1)
    names = [said.text(f"pictures.firewall_{b.key}") for b in bars]
    money_scale(ax, names, [x for b in bars for x in (b.begin, b.end)], said)
    title(ax, _title(fire, currency, said))
    kinds = [k for k in COLOURS if any(b.kind == k for b in bars)]
    legend(ax, [Patch(facecolor=COLOURS[k], label=drawable(said.text(f"pictures.firewall_is_{k}"))) for k in kinds])
    return ax


def _steps(r: Row) -> list[_Bar]:
    """Bars from everything owned to what is left; they add up to the net worth that the firewall test leaves."""
    company, called = float(r["company"]), float(r["guarantees"])
    debt, left = float(r["debt"]) - float(r["owed"]), float(r["net_worth"])
    owned = left + debt + called + company
    steps = [("company", company, "lost"), ("guarantees", called, "lost"), ("debt", debt, "owed")]
    bars, at = [_Bar("owned", 0.0, owned, "whole")], owned
    for key, amount, kind in steps:
        if amount > 0:
            bars.append(_Bar(key, at, at - amount, kind))
            at -= amount
    return [*bars, _Bar("net_worth", 0.0, left, "left"), _Bar("liquid", 0.0, float(r["liquid"]), "left")]


def _title(r: Row, currency: str, said: Words) -> str:
    status, months = str(r["status"]), float(r["months"])
    if status == "not_applicable":
        return said.text("pictures.firewall_none")
    left = said.money(float(r["net_worth"]), currency)
    key = "pictures.firewall_unknown" if status == "unknown" or months != months else "pictures.firewall"
    return said.tight(said.text(key, left=left, months=said.number(months)))
