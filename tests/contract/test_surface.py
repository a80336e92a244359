"""What `import allocator as al` offers: names, documentation, frozen results that show themselves, wide help pages."""

from __future__ import annotations

import dataclasses
import inspect
import re
import unicodedata
from typing import Any

import click
import pytest

import allocator as al
from allocator.cli import build
from allocator.i18n import LANGUAGES, words

PUBLIC = [n for n in al.__all__ if n != "__version__"]
FUNCTIONS = [n for n in PUBLIC if inspect.isfunction(getattr(al, n))]
RESULTS = [
    "Analysis", "BatchResult", "Book", "BookFacts", "BookView", "CallList", "Comparison", "Estimate", "Frontier",
    "Household", "Plan", "Report", "RiskMeasures", "Stages", "Stress",
]  # fmt: skip


def documented(one: Any) -> str:
    return inspect.getdoc(one) or ""


def test_the_names_are_those_and_tab_finds_them() -> None:
    assert sorted(al.__all__) == list(al.__all__)
    assert set(al.__all__) <= set(dir(al))
    assert {"read_book", "analyze", "rebalance", "load_framework", "Book", "Analysis", "Plan"} <= set(al.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = al.nothing


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_say_what_goes_in_and_comes_out(name: str) -> None:
    one = getattr(al, name)
    text, signature = documented(one), inspect.signature(one)
    assert text.splitlines()[0].endswith(".")
    if signature.parameters:
        assert re.search(r"^Parameters\n-+$", text, re.M), "no section Parameters"
    for parameter in signature.parameters:
        assert re.search(rf"\b{parameter}\b", text), f"nothing on {parameter}"
    assert re.search(r"^Returns\n-+$", text, re.M), "no section Returns"
    assert len(signature.parameters) <= 6 or name == "read_book"
    assert signature.return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("name", [n for n in PUBLIC if inspect.isclass(getattr(al, n))])
def test_classes_and_what_they_offer_are_documented(name: str) -> None:
    one = getattr(al, name)
    assert documented(one)
    for key, member in vars(one).items():
        if not key.startswith("_") and (callable(member) or isinstance(member, property) or hasattr(member, "func")):
            assert documented(member), key


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_frozen_and_show_themselves(name: str) -> None:
    one = getattr(al, name)
    assert dataclasses.is_dataclass(one)
    assert one.__dataclass_params__.frozen
    assert hasattr(one, "_repr_html_")
    assert "__repr__" in {k for c in one.__mro__[:-1] for k in vars(c)}


def test_plots_take_axes_and_a_language_and_return_axes() -> None:
    plots = [n for n in FUNCTIONS if n.startswith("plot_")]
    assert len(plots) >= 10
    for name in plots:
        signature = inspect.signature(getattr(al, name))
        assert {"ax", "lang"} <= set(signature.parameters), name
        assert signature.return_annotation in ("Axes", "'Axes'"), name


def every(command: click.Command) -> list[click.Command]:
    if not isinstance(command, click.Group):
        return [command]
    return [command, *(c for one in command.commands.values() for c in every(one))]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help_fits_eighty_columns(lang: str) -> None:
    for command in every(build(words(lang))):
        with click.Context(command, info_name=f"allocator {command.name}") as context:
            for line in command.get_help(context).splitlines():
                width = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
                assert width <= 80, line
