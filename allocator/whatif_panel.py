"""A what-if panel for notebooks: controls on the left, the plan as it would be on the right.

Every control sets one field of a `Choice`; `changed` and `planned` are the plain functions behind them.
"""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from allocator.assumptions import Assumptions, load_assumptions
from allocator.book import Book
from allocator.errors import AllocatorError, ConfigError
from allocator.framework import load_framework
from allocator.i18n import Words, environment_language, words
from allocator.pipeline import GOALS, analyze, rebalance
from allocator.plan import Plan
from allocator.plots import plot_buckets
from allocator.reporting.changed import changed_blocks, failed_blocks
from allocator.reporting.notebook import brief, fragment
from allocator.reporting.sentences import clean
from allocator.schema import RESTRICTIONS
from allocator.whatif import with_band, with_cash_flow, with_purchase, with_restriction, with_spending, with_view

if TYPE_CHECKING:
    from ipywidgets import VBox

FRAMEWORKS: Final = ("classic", "chhabra")
ASSUMPTIONS: Final = ("", "long_run", "us", "china")
"""House views to choose from; the empty one is that which the framework names."""
SHARES: Final = "equity"
"""The factor whose expected return the panel can change."""
STEP: Final = 1_000.0


@dataclass(frozen=True)
class Choice:
    """What is chosen on the panel; the defaults change nothing.

    Attributes
    ----------
    band, cash_flow, spending
        Of the client; None as in the book.
    asset_id, restriction
        A holding and its instruction; an empty id changes none.
    product_id, amount, paid_from
        A purchase, see `with_purchase`; an empty id buys nothing.
    framework, assumptions, view
        Framework; assumptions, empty for those that the framework names; and the expected return of shares, None as in
        the assumptions.
    goal
        Aim of the plan, as for `allocator.rebalance`.
    """

    band: str | None = None
    cash_flow: float | None = None
    spending: float | None = None
    asset_id: str = ""
    restriction: str = ""
    product_id: str = ""
    amount: float = 0.0
    paid_from: str = ""
    framework: str = "classic"
    assumptions: str = ""
    view: float | None = None
    goal: str = "target"


def changed(book: Book, client_id: str, choice: Choice) -> Book:
    """The book of one client with what is chosen.

    Raises
    ------
    InputError
        Something that cannot be: see the functions of `allocator.whatif`.
    ConfigError
        A restriction that there is not.
    """
    book = book.client(client_id)
    if choice.band is not None:
        book = with_band(book, client_id, choice.band)
    if choice.spending is not None:
        book = with_spending(book, client_id, choice.spending)
    if choice.cash_flow is not None:
        book = with_cash_flow(book, client_id, choice.cash_flow)
    if choice.asset_id:
        book = with_restriction(book, client_id, choice.asset_id, choice.restriction)
    if choice.product_id and choice.amount:
        book = with_purchase(book, client_id, choice.product_id, choice.amount, paid_from=choice.paid_from)
    return book


def planned(book: Book, client_id: str, choice: Choice, on: dt.date | None = None) -> Plan:
    """The plan of one client with what is chosen.

    Raises
    ------
    AllocatorError
        Something that cannot be; the message says what to change.
    """
    if choice.goal not in GOALS:
        raise ConfigError(f"unknown goal '{choice.goal}'; allowed: {', '.join(GOALS)}")
    framework = load_framework(choice.framework)
    views: Assumptions = load_assumptions(choice.assumptions or framework.assumptions)
    if choice.view is not None:
        views = with_view(views, SHARES, choice.view)
    analysis = analyze(changed(book, client_id, choice), framework, assumptions=views, on=on)
    return rebalance(analysis, explain=False, goal="return" if choice.goal == "return" else "target")


def page(base: Plan, plan: Plan, client_id: str, said: Words) -> str:
    """HTML of both plans side by side."""
    return fragment(brief(changed_blocks(base, plan, client_id, said), said, tables=2, rows=20), said)


def what_if_panel(
    book: Book, client_id: str, *, framework: str = "classic", on: dt.date | None = None, lang: str = ""
) -> VBox:
    """Build the panel; a notebook shows it. Needs ipywidgets: ``pip install "allocator[notebook]"``.

    Parameters
    ----------
    book
        From `allocator.read_book`. It is not changed.
    client_id
        The client.
    framework
        Where the panel begins: ``classic`` or ``chhabra``.
    on
        Day of the analysis, default today.
    lang
        ``en`` or ``zh``; default that of the user's locale.

    Returns
    -------
    ipywidgets.VBox

    Raises
    ------
    InputError
        No such client.
    ConfigError
        ipywidgets is not installed, or an unknown language.
    """
    try:
        import ipywidgets
    except ImportError as error:
        raise ConfigError('the what-if panel needs ipywidgets: pip install "allocator[notebook]"') from error
    said = words(lang or environment_language())
    start = Choice(framework=framework)
    one = book.client(client_id)
    base = planned(book, client_id, start, on)
    controls = _controls(ipywidgets, one, base, start, said)
    table, picture = ipywidgets.HTML(), ipywidgets.Image(format="png", layout={"max_width": "46em"})

    def show(_: Any = None) -> None:
        choice = _choice(controls, first, start)
        try:
            plan = planned(book, client_id, choice, on)
        except AllocatorError as error:
            table.value, picture.value = fragment(failed_blocks(str(error)), said), b""
            return
        table.value = page(base, plan, client_id, said)
        picture.value = _png(plan, client_id, said.lang)

    def instruction(_: Any) -> None:
        """Begin with what the chosen holding has already."""
        mine = one.holdings.loc[one.holdings["asset_id"] == controls["asset_id"].value, "restriction"]
        controls["restriction"].value = next(iter(mine), "")

    def reset(_: Any) -> None:
        for name, value in first.items():
            controls[name].value = value

    first = {name: c.value for name, c in controls.items()}
    button = ipywidgets.Button(description=said.text("whatif.reset"))
    button.on_click(reset)
    controls["asset_id"].observe(instruction, names="value")
    for control in controls.values():
        control.observe(show, names="value")
    show()
    left = ipywidgets.VBox([*controls.values(), button], layout={"min_width": "24em"})
    return ipywidgets.VBox([ipywidgets.HBox([left, ipywidgets.VBox([table, picture])])])


def _controls(w: Any, one: Book, base: Plan, start: Choice, said: Words) -> dict[str, Any]:
    """Controls by the field of `Choice` that each sets, as things are."""
    style, layout = {"description_width": "11em"}, {"width": "28em"}

    def dropdown(key: str, options: list[tuple[str, str]], value: str) -> Any:
        options = options if any(v == value for _, v in options) else [("–", value), *options]
        return w.Dropdown(description=said.text(key), options=options, value=value, style=style, layout=layout)

    def number(key: str, value: float) -> Any:
        text = {"description": said.text(key), "style": style, "layout": layout, "continuous_update": False}
        return w.FloatText(value=value, step=STEP, **text)

    bands = [(said.name(b), code) for code, b in base.before.framework.bands.items()]
    row = one.clients.iloc[0]
    names = dict(zip(one.holdings["asset_id"], one.holdings["name"], strict=True))
    held = [(f"{clean(name)} ({clean(code)})", code) for code, name in names.items()]
    products = zip(one.products["product_id"], one.products["name"], strict=True)
    shelf = [(f"{clean(name)} ({clean(code)})", code) for code, name in products]
    rules = [(_rule(r, said), r) for r in dict.fromkeys(["", *RESTRICTIONS, *one.holdings["restriction"]])]
    frameworks = [(said.name(load_framework(f)), f) for f in FRAMEWORKS]
    views = [(said.text("whatif.own") if not a else said.name(load_assumptions(a)), a) for a in ASSUMPTIONS]
    none = [(said.text("whatif.nothing"), "")]
    spending = float(row["monthly_spending"])
    return {
        "band": dropdown("head.band", bands, str(base.before.summary["band"].iloc[0])),
        "framework": dropdown("whatif.framework", frameworks, start.framework),
        "assumptions": dropdown("whatif.assumptions", views, ""),
        "view": w.FloatText(
            value=round(100 * base.before.assumptions.factors[SHARES].mean, 2), step=0.5,
            description=f"{said.text('whatif.view')} %", style=style, layout=layout, continuous_update=False,
        ),
        "goal": dropdown("whatif.goal", [(said.text(f"whatif.goal_{g}"), g) for g in GOALS], "target"),
        "cash_flow": number("whatif.cash_flow", float(row["cash_flow"])),
        "spending": number("whatif.spending", 0.0 if spending != spending else spending),
        "asset_id": dropdown("whatif.holding", [("–", ""), *held], ""),
        "restriction": dropdown("whatif.restriction", rules, ""),
        "product_id": dropdown("whatif.product", [*none, *shelf], ""),
        "amount": number("whatif.amount", 0.0),
        "paid_from": dropdown("whatif.paid_from", [(said.text("whatif.outside"), ""), *held], ""),
    }  # fmt: skip


def _rule(restriction: str, said: Words) -> str:
    """Words for an instruction, or for several."""
    return said.text("say.list").join(said.text(f"whatif.restriction_{r or 'none'}") for r in restriction.split("|"))


def _choice(controls: dict[str, Any], first: dict[str, Any], start: Choice) -> Choice:
    """What the controls say; what stands as it stood at first is left to the book and the assumptions."""
    now = {name: c.value for name, c in controls.items()}
    if now["view"] != first["view"]:
        now["view"] /= 100
    moved = {name: value for name, value in now.items() if now[name] != first[name]}
    if now["asset_id"]:
        moved["restriction"] = now["restriction"]
    return replace(start, **moved)


def _png(plan: Plan, client_id: str, lang: str) -> bytes:
    from matplotlib.figure import Figure

    out = io.BytesIO()
    figure = Figure(figsize=(7.4, 3.6), layout="constrained")
    plot_buckets(plan, client_id, ax=figure.subplots(), lang=lang)
    figure.savefig(out, format="png", dpi=80, metadata={"Software": None})
    return out.getvalue()
