"""Draw the pictures of the README from the sample book: ``python reports/make_picture.py``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from matplotlib.figure import Figure

import allocator as al
from allocator.drawing import cjk_font

HERE = Path(__file__).resolve().parent
CLIENT = "C002"
DAY = dt.date(2026, 9, 30)
TITLES = {
    "en": "A family with five flats and a shop: today, and after the plan",
    "zh": "拥有五套住宅和一间商铺的家庭：当前与调整后",
}
FILES = {"en": HERE / "sample-client.png", "zh": HERE / "sample-client.zh.png"}


def draw(lang: str) -> Figure:
    """Buckets, trades, limits and stress of one sample client, today and after the plan."""
    plan = al.rebalance(al.analyze(al.read_book(al.sample_path()), on=DAY), explain=False)
    figure = Figure(figsize=(13.2, 8.2), layout="constrained")
    figure.get_layout_engine().set(wspace=0.05, hspace=0.06)
    (buckets, trades), (limits, stress) = figure.subplots(2, 2)
    al.plot_buckets(plan, CLIENT, ax=buckets, lang=lang)
    al.plot_trades(plan, CLIENT, ax=trades, lang=lang)
    al.plot_limits(plan, CLIENT, ax=limits, lang=lang)
    al.plot_stress(al.stress(plan.before), CLIENT, after=al.stress(plan.after), ax=stress, lang=lang)
    figure.suptitle(TITLES[lang], fontproperties=cjk_font(14), x=0.01, ha="left")
    return figure


if __name__ == "__main__":
    for lang, file in FILES.items():
        # without the version of matplotlib in it, equal pictures are equal files
        draw(lang).savefig(file, dpi=110, metadata={"Software": None})
        print(file.name)
