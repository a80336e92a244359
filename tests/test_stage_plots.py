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
from matplotlib.text import Text

from allocator import analyze, load_framework, stages
from allocator.drawing import BUCKETS
from allocator.errors import ConfigError, InputError
from allocator.stage_plots import plot_stages

ROWS = [("王小明", "Secret cash", "deposit", 50_000), ("王小明", "Secret firm", "private_business", 950_000)]
CLIENT = {"client_id": "王小明", "risk_band": "balanced", "monthly_spending": 1_000}


@pytest.fixture(scope="module")
def result() -> Any:
    return stages(analyze(make_book(ROWS, [CLIENT]), on=ON))


def bars(ax: Any, j: int) -> list[tuple[float, float]]:
    """Begin and length of the bars of bucket j, from top to bottom."""
    wanted = mpl.colors.to_rgba(BUCKETS[j][0])
    found = [p for c in ax.containers for p in c.patches if p.get_facecolor() == wanted]
    return [(p.get_x(), p.get_width()) for p in sorted(found, key=lambda p: p.get_y())]


def shown(ax: Any) -> list[Any]:
    own = [t for t in ax.get_children() if isinstance(t, Text)]
    every = [*own, *ax.get_yticklabels(), *ax.get_xticklabels(), *ax.get_legend().get_texts()]
    return [t for t in every if t.get_text()]


def texts(ax: Any) -> list[str]:
    return [t.get_text() for t in shown(ax)]


def pixels(ax: Any) -> bytes:
    out = io.BytesIO()
    ax.figure.savefig(out, dpi=50, metadata={"Software": None})
    return out.getvalue()


def test_bars_are_the_shares_of_every_stage_and_the_target(result: Any) -> None:
    ax = plot_stages(result, "王小明")
    ends = [result.plans[0].before, *(p.after for p in result.plans)]
    band = load_framework().bands["balanced"].buckets.values()
    begin = [0.0] * 6
    for j, span in enumerate(band):
        lengths = [a.buckets["share"][j] for a in ends] + [span.target]
        assert [length for _, length in bars(ax, j)] == pytest.approx(lengths)
        assert [start for start, _ in bars(ax, j)] == pytest.approx(begin)
        begin = [a + b for a, b in zip(begin, lengths, strict=True)]
    assert begin == pytest.approx([1.0] * 6)


def test_each_row_has_its_day_score_and_limits(result: Any) -> None:
    ax = plot_stages(result, "王小明")
    days = ["2026-09-30", "2026-12-30", "2027-03-30", "2027-06-30"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Today", *days, "Target"]
    said = texts(ax)
    for row in result.table.itertuples():
        assert f"{row.score:.0f} · {row.limits_exceeded}" in said
    assert "Score · Over" in said


def test_an_axes_that_is_given_is_drawn_on_and_returned(result: Any) -> None:
    ax = Figure().subplots()
    assert plot_stages(result, "王小明", ax=ax) is ax
    assert ax.containers


def test_chinese_is_chinese(result: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = plot_stages(result, "王小明", lang="zh")
        pixels(ax)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [b.zh for b in load_framework().buckets.values()]
    assert "得分 · 超限" in texts(ax)
    assert not any(c.isascii() and c.isalpha() for t in texts(ax) for c in t)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_text_is_set_in_a_font_that_has_its_glyphs(result: Any, lang: str) -> None:
    for text in shown(plot_stages(result, "王小明", lang=lang)):
        font = text.get_fontproperties().get_file()
        assert font is not None, f"{text.get_text()} is in the user's font"
        assert {ord(c) for c in text.get_text()} <= set(FT2Font(font).get_charmap())


def test_the_picture_names_nobody(result: Any) -> None:
    assert not any("王" in t or "Secret" in t for t in texts(plot_stages(result, "王小明")))


@pytest.mark.parametrize("size", [None, (5.5, 3.0), (12, 8)])
@pytest.mark.parametrize("periods", [1, 4, 12])
def test_labels_do_not_overlap(size: Any, periods: int) -> None:
    made = stages(analyze(make_book(ROWS, [CLIENT]), on=ON), periods=periods)
    if size == (5.5, 3.0) and periods == 12:
        size = (5.5, 5.0)
    for lang in ("en", "zh"):
        ax = plot_stages(made, "王小明", ax=size and Figure(figsize=size, layout="constrained").subplots(), lang=lang)
        canvas = FigureCanvasAgg(ax.figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        boxes = [t.get_window_extent(renderer) for t in shown(ax)]
        clashes = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
        assert not clashes
        assert all(ax.figure.bbox.x0 <= b.x0 and b.x1 <= ax.figure.bbox.x1 for b in boxes)


def test_a_client_with_nothing_to_draw_is_drawn() -> None:
    rows = [("c1", "Home", "own_home", 5.0)]
    made = stages(analyze(make_book(rows, [CLIENT | {"client_id": "c1", "risk_band": "?"}]), on=ON), periods=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = plot_stages(made, "c1")
        pixels(ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Today", "2026-09-30", "2026-12-30"]
    assert all(length == 0 for j in range(3) for _, length in bars(ax, j))


def test_nothing_global_changes_and_results_stay(result: Any) -> None:
    before, table = dict(mpl.rcParams), result.table.copy()
    one, two = (pixels(plot_stages(result, "王小明", lang="zh")) for _ in range(2))
    assert one == two
    assert dict(mpl.rcParams) == before
    pd.testing.assert_frame_equal(result.table, table)


def test_pyplot_is_never_loaded() -> None:
    code = (
        "import sys, pandas as pd, allocator as al\n"
        "from allocator.stage_plots import plot_stages\n"
        "from allocator.staging import Stages\n"
        "assert 'matplotlib' not in sys.modules\n"
        "rows = pd.DataFrame({'client_id': ['a'], 'name': ['x'], 'asset_class': ['deposit'], 'value': [1.0]})\n"
        "s = al.stages(al.analyze(al.read_book(rows)), periods=1)\n"
        "assert isinstance(s, Stages) and al.plot_stages is plot_stages\n"
        "plot_stages(s, 'a')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_misuse_says_what_is_wrong(result: Any) -> None:
    with pytest.raises(InputError, match="no such client"):
        plot_stages(result, "nobody")
    with pytest.raises(ConfigError, match="allowed: en, zh"):
        plot_stages(result, "王小明", lang="fr")
