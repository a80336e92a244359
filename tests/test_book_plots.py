"""The picture of a book: what is drawn is what the tables say, nobody is named, nothing global is changed."""

from __future__ import annotations

import warnings

import matplotlib as mpl
import numpy as np
import pytest
from books import random_analysis
from conftest import ON, make_book
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import allocator as al
from allocator.errors import ConfigError, InputError
from allocator.i18n import words


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("by", ["status", "grade"])
def test_every_client_with_money_is_a_point(lang: str, by: str) -> None:
    a = random_analysis(8)
    before = dict(mpl.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = al.plot_book(a, by=by, lang=lang)
        ax.figure.canvas.draw()
    assert dict(mpl.rcParams) == before
    s = a.summary
    rate = s["currency"].map(a.positions.rates).to_numpy("float64")
    there = np.isfinite(rate) & (s["total"] > 0).to_numpy() & s["score"].notna().to_numpy()
    drawn = np.vstack([c.get_offsets().data for c in ax.collections if isinstance(c, PathCollection)])
    wanted = np.column_stack([s["total"] * rate, s["score"]])[there]
    assert np.allclose(drawn[np.lexsort(drawn.T)], wanted[np.lexsort(wanted.T)])
    said = words(lang)
    left = int((~there).sum())
    assert said.text("bookmap.missing", count=str(left)) in ax.get_xlabel()
    shown = [t.get_text() for t in ax.get_legend().get_texts()]
    column = "status" if by == "status" else "grade"
    for code, count in s[column].astype(str).value_counts().items():
        if code != "nan":
            name = said.text(f"{column}.{code}")
            assert said.text("bookmap.kind", name=name, count=str(count)) in shown
    assert not any("K0" in t.get_text() for t in ax.findobj(mpl.text.Text))


def test_an_advisor_stands_out() -> None:
    a = random_analysis(9)
    ax = al.plot_book(a, advisor="RM-01")
    grey, *coloured = (c for c in ax.collections if isinstance(c, PathCollection))
    whole = sum(len(c.get_offsets()) for c in (grey, *coloured))
    everyone = al.plot_book(a)
    assert whole == sum(len(c.get_offsets()) for c in everyone.collections)
    assert len(grey.get_offsets()) > 0
    with pytest.raises(InputError, match="advisor"):
        al.plot_book(a, advisor="nobody")
    with pytest.raises(ConfigError, match="status, grade"):
        al.plot_book(a, by="size")  # type: ignore[arg-type]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_buckets_of_the_book(lang: str, sample: al.Book) -> None:
    plan = al.rebalance(al.analyze(sample.select(["C003", "C010", "C020"]), on=ON), explain=False)
    figure = Figure()
    ax = figure.subplots()
    assert al.plot_book_buckets(plan, ax=ax, lang=lang) is ax
    view = al.book_view(plan)
    labels = [t.get_text() for t in ax.get_yticklabels()]
    said = words(lang)
    assert labels[:2] == [said.text("bookmap.whole"), said.text("bookmap.after")]
    assert len(labels) == 2 + len(view.segments)
    shares = view.buckets.iloc[: len(plan.before.framework.buckets)]
    bars = [b.get_width() for c in ax.containers for b in c][: len(labels) * len(shares)]
    widths = np.array(bars).reshape(len(shares), len(labels)).T
    assert np.allclose(widths[0], shares["share"])
    assert np.allclose(widths[1], shares["share_after"])
    assert np.allclose(widths.sum(axis=1), 1.0)


def test_a_crowd_is_drawn_small_and_a_book_without_money_says_so() -> None:
    rows = [(f"c{k}", "x", "deposit", 1000.0 + k) for k in range(3100)]
    a = al.analyze(make_book(rows), on=ON)
    points = next(c for c in al.plot_book(a).collections if isinstance(c, PathCollection))
    assert points.get_rasterized()
    assert len(points.get_offsets()) == 3100
    poor = al.analyze(make_book([("a", "x", "deposit", 0.0)]), on=ON)
    for draw in (al.plot_book, al.plot_book_buckets):
        assert "Nobody" in draw(poor).get_title(loc="left")
