"""What holds for every picture in the list: a new one is tested unasked."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from conftest import ON
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

import allocator as al
from allocator.errors import ConfigError, InputError
from allocator.frontiers import Frontier
from allocator.gallery import PICTURES, draw
from allocator.trade_plots import MOST

NAMES = sorted(PICTURES)
LANGS = ("en", "zh")
HOSTILE = (
    "<script>alert(1)</script> $\\frac{$ =cmd|' /C calc'!A0 [/x] #read(\"x\") \u202eevil\u202c\x1b[31m" + "长" * 90
)
RARE = "喆堃玥𫖮䶮"
CLIENT = "王小明"


def holdings() -> pd.DataFrame:
    rows = [
        (CLIENT, f"{RARE}工厂", "private_business", 6e6, 0.4),
        (CLIENT, HOSTILE, "investment_property", 4e6, None),
        (CLIENT, "Secret account", "deposit", 2e5, None),
        (CLIENT, "Secret shares", "listed_equity", 8e5, None),
        ("empty", "Home", "own_home", 5e6, None),
        ("quiet", "Fund", "mixed_fund", 5e5, None),
        ("quiet", "Cash", "deposit", 5e5, None),
        ("broke", "Firm", "private_business", 1e6, None),
    ]
    frame = pd.DataFrame(rows, columns=["client_id", "name", "asset_class", "value", "sellable"])
    return frame.assign(own_company=frame["asset_class"] == "private_business")


@pytest.fixture(scope="module")
def results() -> dict[type, Any]:
    """One result of each kind, of a book with every kind of client."""
    clients = pd.DataFrame(
        {
            "client_id": [CLIENT, "empty", "quiet", "broke"],
            "risk_band": ["balanced", "?", "conservative", "aggressive"],
            "monthly_spending": [20_000.0, None, 1_000.0, 5_000.0],
            "guarantees": [3e5, 0.0, 0.0, 5e5],
        }
    )
    debts = pd.DataFrame({"client_id": ["broke"], "value": [2e6]})
    analysis = al.analyze(al.read_book(holdings(), clients=clients, debts=debts), on=ON)
    plan = al.rebalance(analysis)
    made = [
        plan,
        al.measure_risk(analysis),
        al.stress(analysis),
        al.household(analysis),
        al.frontier(analysis, CLIENT, points=4),
        al.stages(analysis, periods=2),
    ]
    return {type(r): r for r in made}


def drawn(name: str, results: dict[type, Any], client_id: str = CLIENT, ax: Any = None, lang: str = "en") -> Any:
    return draw(name, next(results[t] for t in PICTURES[name].of if t in results), client_id, ax, lang)


def shown(ax: Any) -> list[Any]:
    """Every text that somebody sees."""
    legend = ax.get_legend()
    own = [t for t in ax.get_children() if isinstance(t, Text)]
    labels = [*ax.get_yticklabels(), *ax.get_xticklabels(), ax.xaxis.label, ax.yaxis.label]
    return [t for t in [*own, *labels, *([] if legend is None else legend.get_texts())] if t.get_text()]


def svg(ax: Any) -> bytes:
    out = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "allocator"}):
        ax.figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def test_the_list_has_every_picture_of_the_package() -> None:
    public = {name for name in al.__all__ if name.startswith("plot_")}
    listed = {p.draw.__name__ for p in PICTURES.values()}
    # pictures of a whole book are of no client
    assert {n for n in public if "client_id" in inspect.signature(getattr(al, n)).parameters} <= listed
    assert listed <= public


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lang", LANGS)
def test_it_draws_where_it_is_told_and_changes_nothing_else(name: str, lang: str, results: dict[type, Any]) -> None:
    state, fonts = dict(mpl.rcParams), len(mpl.font_manager.fontManager.ttflist)
    ax = Figure(layout="constrained").subplots()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing glyph warns
        assert drawn(name, results, ax=ax, lang=lang) is ax
        FigureCanvasAgg(ax.figure).draw()
    assert dict(mpl.rcParams) == state
    assert len(mpl.font_manager.fontManager.ttflist) == fonts
    assert ax.get_title(loc="left")
    assert ax.containers or ax.lines


@pytest.mark.parametrize("name", NAMES)
def test_without_an_axes_it_makes_a_figure_of_its_own(name: str, results: dict[type, Any]) -> None:
    one, two = drawn(name, results), drawn(name, results)
    assert one.figure is not two.figure


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lang", LANGS)
def test_every_text_is_plain_and_in_a_font_that_has_its_glyphs(name: str, lang: str, results: dict[type, Any]) -> None:
    for text in shown(drawn(name, results, lang=lang)):
        font = text.get_fontproperties().get_file()
        assert font is not None, f"{text.get_text()} is in the user's font"
        assert {ord(c) for c in text.get_text()} <= set(FT2Font(font).get_charmap())
        assert not text.get_parse_math(), text.get_text()
        assert text.get_text().isprintable()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lang", LANGS)
def test_equal_calls_give_equal_bytes(name: str, lang: str, results: dict[type, Any]) -> None:
    first, second = (svg(drawn(name, results, lang=lang)) for _ in range(2))
    assert first == second
    assert b"<script" not in first


@pytest.mark.parametrize("name", NAMES)
def test_chinese_is_chinese(name: str, results: dict[type, Any]) -> None:
    said = [t.get_text() for t in shown(drawn(name, results, lang="zh"))]
    own = set(results[al.Plan].trades["name"]) if PICTURES[name].names_holdings else set()
    foreign = [t for t in said if any(c.isascii() and c.isalpha() for c in t) and not any(t[:4] in n for n in own)]
    assert not foreign
    english = [t.get_text() for t in shown(drawn(name, results, lang="en"))]
    assert not [t for t in english if any("\u4e00" <= c <= "\u9fff" for c in t) and not any(t[:2] in n for n in own)]


@pytest.mark.parametrize("name", NAMES)
def test_only_what_says_so_names_anything(name: str, results: dict[type, Any]) -> None:
    said = " ".join(t.get_text() for t in shown(drawn(name, results)))
    assert CLIENT not in said
    if PICTURES[name].names_holdings:
        assert RARE in said
        assert "<script>" in said, "a hostile name is shown as it is, as text"
    else:
        assert not any(x in said for x in ("Secret", RARE, "script"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [None, (5.8, 4.2)])
@pytest.mark.parametrize("lang", LANGS)
def test_labels_do_not_overlap(name: str, size: Any, lang: str, results: dict[type, Any]) -> None:
    ax = drawn(name, results, ax=size and Figure(figsize=size, layout="constrained").subplots(), lang=lang)
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in shown(ax)]
    clashes = [(a, b) for i, (a, x) in enumerate(boxes) for b, y in boxes[:i] if x.overlaps(y)]
    assert not clashes
    if size is None:
        assert all(ax.figure.bbox.x0 <= b.x0 and b.x1 <= ax.figure.bbox.x1 for _, b in boxes)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"frontier"}))
@pytest.mark.parametrize("client", ["empty", "quiet", "broke"])
def test_clients_with_little_to_draw_are_drawn(name: str, client: str, results: dict[type, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for lang in LANGS:
            ax = drawn(name, results, client, lang=lang)
            FigureCanvasAgg(ax.figure).draw()
            assert ax.get_title(loc="left")


@pytest.mark.parametrize("name", NAMES)
def test_results_stay_as_they_were(name: str, results: dict[type, Any]) -> None:
    plan = results[al.Plan]
    before = plan.trades.copy(), plan.before.limits.copy()
    drawn(name, results)
    pd.testing.assert_frame_equal(plan.trades, before[0])
    pd.testing.assert_frame_equal(plan.before.limits, before[1])


@pytest.mark.parametrize("name", NAMES)
def test_misuse_says_what_is_wrong(name: str, results: dict[type, Any]) -> None:
    with pytest.raises(InputError):
        drawn(name, results, "nobody")
    with pytest.raises(ConfigError, match="allowed: en, zh"):
        drawn(name, results, lang="fr")


def test_pyplot_is_never_loaded() -> None:
    code = (
        "import sys, pandas as pd, allocator as al\n"
        "from allocator.gallery import PICTURES\n"
        "assert 'matplotlib' not in sys.modules\n"
        "rows = pd.DataFrame({'client_id': ['a'], 'name': ['x'], 'asset_class': ['deposit'], 'value': [1.0]})\n"
        "a = al.analyze(al.read_book(rows))\n"
        "al.pictures('a', a, al.stress(a), al.household(a), al.measure_risk(a))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- a page of them


def test_a_page_has_every_picture_that_the_results_allow(results: dict[type, Any]) -> None:
    page = al.pictures(CLIENT, *results.values())
    assert len(page.axes) == len(PICTURES)
    assert page._repr_png_().startswith(b"\x89PNG")
    titles = [ax.get_title(loc="left") for ax in page.axes]
    assert len(set(titles)) >= len(PICTURES) - 1
    assert len(al.pictures("quiet", results[al.Plan].before).axes) == 3


def test_two_stresses_are_today_and_after_in_one_picture(results: dict[type, Any]) -> None:
    page = al.pictures(CLIENT, results[al.Stress], al.stress(results[al.Plan].after))
    (ax,) = page.axes
    assert [t.get_text() for t in ax.get_legend().get_texts()][:2] == ["Today", "After"]


def test_nothing_to_draw_and_somebody_elses_frontier_are_refused(results: dict[type, Any]) -> None:
    with pytest.raises(InputError, match="give a plan"):
        al.pictures(CLIENT, "plan")
    with pytest.raises(InputError, match="another"):
        al.pictures("quiet", results[Frontier])


# ---- what single pictures say


def widths(ax: Any) -> list[float]:
    return [p.get_width() for c in ax.containers for p in c.patches]


def test_both_sides_of_the_trades_have_the_same_length(results: dict[type, Any]) -> None:
    ax = drawn("trades", results)
    assert sum(widths(ax)) == pytest.approx(0.0, abs=0.02)
    plan, summary = results[al.Plan], results[al.Plan].select(CLIENT)["summary"].iloc[0]
    assert -sum(w for w in widths(ax) if w < 0) == pytest.approx(summary["sells"], abs=0.02)
    assert len(plan.select(CLIENT)["trades"]) <= len(widths(ax))


@pytest.mark.parametrize("client", ["C013", "C014", "C015", "C003", "C009"])
def test_money_in_and_out_is_part_of_the_balance(client: str, sample: Any) -> None:
    plan = al.rebalance(al.analyze(sample.client(client), on=ON), explain=False)
    assert sum(widths(al.plot_trades(plan, client))) == pytest.approx(0.0, abs=0.02)


def test_the_steps_of_the_firewall_lead_to_what_is_left(results: dict[type, Any]) -> None:
    for client in (CLIENT, "broke", "empty", "quiet"):
        ax = drawn("firewall", results, client)
        fire = results[al.Household].select(client)["firewall"].iloc[0]
        ends = [(p.get_x(), p.get_x() + p.get_width()) for c in ax.containers for p in c.patches]
        whole, *steps = ends[:-2]
        p = results[al.Household].analysis.positions
        i = results[al.Household].analysis.index(client)
        assert whole[1] == pytest.approx(float(p.value[p.client == i].sum()), abs=0.01)
        left = whole[1] + sum(b - a for a, b in steps)
        assert left == pytest.approx(fire["net_worth"], abs=0.01)
        assert ends[-2][1] == pytest.approx(fire["net_worth"])
        assert ends[-1][1] == pytest.approx(fire["liquid"])


def test_the_worst_scenario_is_first(results: dict[type, Any]) -> None:
    stress = results[al.Stress]
    ax = drawn("stress", results)
    loss = stress.select(CLIENT)["summary"].set_index("scenario")["loss"]
    assert widths(ax) == pytest.approx(sorted(loss.clip(lower=0.0), reverse=True))
    worst = stress.scenarios.scenarios[loss.idxmax()]
    assert ax.get_yticklabels()[0].get_text() == worst.en


def test_other_scenarios_after_than_today_are_refused(results: dict[type, Any]) -> None:
    other = al.stress(results[al.Plan].after, {"crash": {"shocks": {"equity_fund": -0.3}}})
    with pytest.raises(InputError, match="same scenarios"):
        al.plot_stress(results[al.Stress], CLIENT, after=other)


def test_the_price_of_an_obstacle_is_the_gap_between_two_bars(results: dict[type, Any]) -> None:
    plan = results[al.Plan]
    ax = drawn("obstacles", results)
    tables, total = plan.select(CLIENT), float(plan.before.select(CLIENT)["summary"]["total"].iloc[0])
    base, *without = widths(ax)
    reached = tables["suitability"].set_index("mode").loc["product"]
    assert base == pytest.approx(reached["excess"] * total)
    after = plan.after.limits
    mine = after[(after["client_id"] == CLIENT) & after["exceeded"]]
    # an issuer with one holding is one limit to the programme and two in the table
    assert mine["excess"].max() * total < base < mine["excess"].sum() * total * 1.001
    gaps = [base + x * total for x in tables["obstacles"]["excess"]]
    assert without == pytest.approx([max(0.0, x) for x in gaps], abs=1e-3 * total)


def test_a_price_that_nobody_found_is_a_dash(results: dict[type, Any]) -> None:
    plan = results[al.Plan]
    figures = ["excess", "distance", "volatility", "cost"]
    unknown = plan.obstacles.assign(
        **{c: plan.obstacles[c].where(plan.obstacles["obstacle"] != "locks") for c in figures}
    )
    ax = al.plot_obstacles(replace(plan, obstacles=unknown), CLIENT)
    assert "–" in [t.get_text() for t in shown(ax)]
    assert widths(ax)[1] == 0.0
    assert not [s for s in replace(plan, obstacles=unknown).explain(CLIENT, "en") if "could be sold now" in s]


def test_many_trades_share_a_bar_and_none_is_lost(results: dict[type, Any]) -> None:
    plan = results[al.Plan]
    mine = plan.trades[(plan.trades["client_id"] == CLIENT) & (plan.trades["side"] == "buy")]
    other = plan.trades[(plan.trades["client_id"] == CLIENT) & (plan.trades["side"] != "buy")]
    parts = pd.concat([mine.assign(amount=mine["amount"] / 12, name=f"Part {k}") for k in range(12)])
    ax = al.plot_trades(replace(plan, trades=pd.concat([other, parts], ignore_index=True)), CLIENT)
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert f"… and {12 * len(mine) - MOST} more" in labels
    assert sum(widths(ax)) == pytest.approx(0.0, abs=0.02)


def test_limits_are_multiples_of_their_bounds(results: dict[type, Any]) -> None:
    plan = results[al.Plan]
    ax = al.plot_limits(plan, CLIENT, every=True)
    assert len(ax.get_yticklabels()) == len(plan.before.select(CLIENT)["limits"])
    few = al.plot_limits(plan, CLIENT)
    over = [a.select(CLIENT)["limits"].query("exceeded")[["limit", "sense"]] for a in (plan.before, plan.after)]
    assert len(few.get_yticklabels()) == len(pd.concat(over).drop_duplicates())
    dots = [line for line in few.lines if line.get_marker() in ("o", ">")]
    first = plan.before.select(CLIENT)["limits"].query("exceeded").iloc[0]
    assert dots[0].get_xdata()[0] == pytest.approx(min(first["value"] / first["bound"], 2.46))
