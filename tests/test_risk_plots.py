"""The picture of money against risk: bars as long as the shares, both languages, every kind of client."""

from __future__ import annotations

import io

import pytest
from conftest import ON, make_book
from matplotlib.figure import Figure

import allocator as al
from allocator.book import Book
from allocator.errors import InputError
from allocator.pipeline import analyze
from allocator.risk_measures import RiskMeasures


@pytest.fixture(scope="module")
def measures(sample: Book) -> RiskMeasures:
    return al.measure_risk(analyze(sample, on=ON))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_bars_are_the_shares(measures: RiskMeasures, lang: str) -> None:
    ax = al.plot_risk(measures, "C010", lang=lang)
    rows = measures.select("C010")["classes"].sort_values("contribution", ascending=False)
    money, risk = [b.get_width() for b in ax.patches][::2], [b.get_width() for b in ax.patches][1::2]
    assert risk == pytest.approx(sorted(rows["risk_share"], reverse=True))
    assert sum(money) == pytest.approx(1)
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert names[0] == ("Listed shares" if lang == "en" else "上市股票")
    assert ax.get_title(loc="left")


def test_clients_without_risk_are_drawn_as_far_as_can_be(measures: RiskMeasures) -> None:
    for client in ("C004", "C012"):
        ax = al.plot_risk(measures, client)
        assert sum(b.get_width() for b in ax.patches) == pytest.approx(1)
    empty = al.measure_risk(analyze(make_book([("a", "home", "own_home", 5.0)]), on=ON))
    al.plot_risk(empty, "a").figure.savefig(io.BytesIO())


def test_it_draws_where_it_is_told(measures: RiskMeasures) -> None:
    ax = Figure().subplots()
    assert al.plot_risk(measures, "C001", ax=ax) is ax
    with pytest.raises(InputError):
        al.plot_risk(measures, "nobody")
