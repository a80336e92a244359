from __future__ import annotations

import io
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from conftest import ON, make_book
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from allocator import analyze, load_framework, rebalance
from allocator.drawing import AFTER, ALLOWED, MISSING, TODAY, cjk_font
from allocator.errors import ConfigError, InputError
from allocator.plots import plot_buckets, plot_concentration

PLOTS = (plot_buckets, plot_concentration)
ROWS = [("c1", "Cash", "deposit", 50_000), ("c1", "Flat", "investment_property", 950_000)]
CLIENT = {"client_id": "c1", "risk_band": "balanced", "monthly_spending": 10_000}


def one(rows: Any = ROWS, framework: Any = "classic", **client: Any) -> Any:
    return rebalance(analyze(make_book(rows, [CLIENT | client]), framework, on=ON))


@pytest.fixture(scope="module")
def plan() -> Any:
    return one()


def bars(ax: Any, colour: str) -> list[float]:
    """Lengths of the bars of one colour, from top to bottom."""
    wanted = mpl.colors.to_rgba(colour)
    found = [p for c in ax.containers for p in c.patches if p.get_facecolor() == wanted]
    return [p.get_width() for p in sorted(found, key=lambda p: p.get_y())]


def shown(ax: Any) -> list[Any]:
    """Every text that somebody sees."""
    title, label, legend = ax.title, ax.xaxis.label, ax.get_legend().get_texts()
    left = [t for t in ax.get_children() if isinstance(t, Text) and t is not title]
    every = [*left, *ax.get_yticklabels(), *ax.get_xticklabels(), *legend, title, label]
    return [t for t in every if t.get_text()]


def texts(ax: Any) -> list[str]:
    return [t.get_text() for t in shown(ax)]


def pixels(ax: Any) -> bytes:
    out = io.BytesIO()
    ax.figure.savefig(out, dpi=50, metadata={"Software": None})
    return out.getvalue()


def test_bars_are_the_shares_before_and_after(plan: Any) -> None:
    ax = plot_buckets(plan, "c1")
    assert bars(ax, TODAY) == pytest.approx(plan.before.buckets["share"].tolist())
    assert bars(ax, AFTER) == pytest.approx(plan.after.buckets["share"].tolist())
    assert any("5.0% →" in t for t in texts(ax))


def test_allowed_band_and_target_come_from_the_framework(plan: Any) -> None:
    ax = plot_buckets(plan, "c1")
    band = load_framework().bands["balanced"].buckets.values()
    spans = [
        (p.get_x(), p.get_x() + p.get_width())
        for p in ax.patches
        if isinstance(p, Rectangle) and p.get_facecolor() == mpl.colors.to_rgba(ALLOWED)
    ]
    assert spans == [pytest.approx((s.low, s.high)) for s in band]
    targets = [line.get_segments()[0][0][0] for line in ax.collections]
    assert targets == pytest.approx([s.target for s in band])


def test_severities_and_what_was_measured(plan: Any) -> None:
    ax = plot_concentration(plan, "c1")
    assert bars(ax, TODAY) == pytest.approx(plan.before.rules["severity"].tolist())
    assert bars(ax, AFTER) == pytest.approx(plan.after.rules["severity"].tolist())
    assert "5.0 →" in next(t for t in texts(ax) if t.endswith("months"))
    before, after = plan.summary.loc[0, ["score_before", "score_after"]]
    assert f"{before:.0f} → {after:.0f}" in ax.get_title(loc="left")


@pytest.mark.parametrize("plot", PLOTS)
def test_an_analysis_and_a_client_without_trades_show_today_alone(plot: Any, plan: Any) -> None:
    still = one(
        [("c1", "Cash", "deposit", 300), ("c1", "Fund", "mixed_fund", 500), ("c1", "PE", "private_equity", 200)]
    )
    quiet = rebalance(still.after)
    assert quiet.summary["trades"].tolist() == [0]
    for result in (plan.before, quiet):
        ax = plot(result, "c1")
        assert bars(ax, AFTER) == []
        assert len(bars(ax, TODAY)) == len(ax.get_yticks())
        assert not any("→" in t for t in texts(ax))


@pytest.mark.parametrize("plot", PLOTS)
def test_an_axes_that_is_given_is_drawn_on_and_returned(plot: Any, plan: Any) -> None:
    ax = Figure().subplots()
    assert plot(plan, "c1", ax=ax) is ax
    assert ax.containers


@pytest.mark.parametrize("plot", PLOTS)
def test_chinese_is_chinese_and_every_character_has_a_glyph(plot: Any, plan: Any) -> None:
    framework = load_framework()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        english, chinese = (plot(plan, "c1", lang=lang) for lang in ("en", "zh"))
        pixels(english)
        pixels(chinese)
    named = framework.buckets if plot is plot_buckets else framework.rules
    assert [t.get_text() for t in chinese.get_yticklabels()] == [x.zh for x in named.values()]
    assert [t.get_text() for t in english.get_yticklabels()] == [x.en for x in named.values()]
    assert {bar.get_width() for c in english.containers for bar in c} == {
        bar.get_width() for c in chinese.containers for bar in c
    }


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_text_is_set_in_a_font_that_has_its_glyphs(plot: Any, plan: Any, lang: str) -> None:
    for text in shown(plot(plan, "c1", lang=lang)):
        font = text.get_fontproperties().get_file()
        assert font is not None, f"{text.get_text()} is in the user's font"
        assert {ord(c) for c in text.get_text()} <= set(FT2Font(font).get_charmap())


def renamed(name: str) -> Any:
    framework = load_framework()
    bucket = framework.buckets["growth"].model_copy(update={"zh": name})
    return framework.model_copy(update={"buckets": framework.buckets | {"growth": bucket}})


def test_a_character_without_a_glyph_is_marked_and_counted_but_not_repeated() -> None:
    result = analyze(make_book(ROWS, [CLIENT]), renamed("秘密😀😀"), on=ON)
    with pytest.warns(UserWarning, match="2 characters") as caught:
        ax = plot_buckets(result, "c1", lang="zh")
    assert f"秘密{MISSING}{MISSING}" in texts(ax)
    assert not any(c in str(w.message) for w in caught for c in "秘密😀")


def test_names_are_no_formulas_and_hide_no_control_characters() -> None:
    result = analyze(make_book(ROWS, [CLIENT]), renamed("$\\frac{$ a\u202eb\n\x1b[31m"), on=ON)
    ax = plot_buckets(result, "c1", lang="zh")
    pixels(ax)
    label = ax.get_yticklabels()[1].get_text()
    assert label.startswith("$\\frac{$")
    assert label.isprintable()


@pytest.mark.parametrize("plot", PLOTS)
def test_the_picture_names_nobody(plot: Any) -> None:
    rows = [("王小明", "Secret flat", "investment_property", 9.0), ("王小明", "Secret cash", "deposit", 1.0)]
    plan = rebalance(analyze(make_book(rows, [CLIENT | {"client_id": "王小明"}]), on=ON))
    assert not any("王" in t or "Secret" in t for t in texts(plot(plan, "王小明")))


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_clients_with_little_to_draw_are_drawn(plot: Any, lang: str) -> None:
    home = [("c1", "Home", "own_home", 5.0)]
    result = analyze(make_book(home, [CLIENT | {"monthly_spending": None, "risk_band": "?"}]), on=ON)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = plot(result, "c1", lang=lang)
        pixels(ax)
    assert all(width == 0 for width in bars(ax, TODAY))
    assert "–" in texts(ax)
    assert len(ax.get_legend().get_texts()) == 1


@pytest.mark.parametrize("plot", PLOTS)
def test_nothing_global_changes(plot: Any, plan: Any) -> None:
    before = dict(mpl.rcParams)
    fonts = len(mpl.font_manager.fontManager.ttflist)
    plot(plan, "c1", lang="zh")
    assert dict(mpl.rcParams) == before
    assert len(mpl.font_manager.fontManager.ttflist) == fonts


def test_pyplot_is_never_loaded() -> None:
    code = (
        "import sys, datetime as dt, pandas as pd, allocator as al\n"
        "from allocator.plots import plot_buckets, plot_concentration\n"
        "assert 'matplotlib' not in sys.modules\n"
        "rows = pd.DataFrame({'client_id': ['a'], 'name': ['x'], 'asset_class': ['deposit'], 'value': [1.0]})\n"
        "a = al.analyze(al.read_book(rows))\n"
        "plot_buckets(a, 'a'), plot_concentration(a, 'a', lang='zh')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("plot", PLOTS)
def test_results_stay_as_they_were(plot: Any, plan: Any) -> None:
    before = plan.before.buckets.copy(), plan.before.rules.copy()
    plot(plan, "c1")
    pd.testing.assert_frame_equal(plan.before.buckets, before[0])
    pd.testing.assert_frame_equal(plan.before.rules, before[1])


@pytest.mark.parametrize("plot", PLOTS)
def test_equal_calls_give_equal_pictures(plot: Any, plan: Any) -> None:
    assert pixels(plot(plan, "c1", lang="zh")) == pixels(plot(plan, "c1", lang="zh"))


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("format", ["svg", "pdf"])
def test_vector_formats_work(plot: Any, plan: Any, format: str) -> None:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot(plan, "c1", lang="zh").figure.savefig(out, format=format)
    assert len(out.getvalue()) > 1000


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("size", [None, (5.5, 2.6), (12, 8)])
def test_labels_do_not_overlap(plot: Any, plan: Any, size: Any) -> None:
    for lang in ("en", "zh"):
        ax = plot(plan, "c1", ax=size and Figure(figsize=size, layout="constrained").subplots(), lang=lang)
        canvas = FigureCanvasAgg(ax.figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        boxes = [t.get_window_extent(renderer) for t in shown(ax)]
        clashes = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
        assert not clashes
        assert all(ax.figure.bbox.x0 <= b.x0 and b.x1 <= ax.figure.bbox.x1 for b in boxes)


@pytest.mark.parametrize("plot", PLOTS)
def test_misuse_says_what_is_wrong(plot: Any, plan: Any) -> None:
    with pytest.raises(InputError, match="no such client"):
        plot(plan, "nobody")
    with pytest.raises(ConfigError, match="allowed: en, zh"):
        plot(plan, "c1", lang="fr")


def test_the_font_is_for_titles_of_ones_own() -> None:
    figure = Figure()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.suptitle("王女士 2026", fontproperties=cjk_font(14))
        figure.savefig(io.BytesIO())
    assert cjk_font(14).get_size() == 14
