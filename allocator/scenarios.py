"""Named scenarios as data, and what each of them does to every class of a framework."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from allocator.assumptions import Assumptions
from allocator.config import Strict, build, load_tree, merge
from allocator.errors import ConfigError
from allocator.framework import Framework, Words
from allocator.typing import FloatArray

NAMED: Final = "named"
INFERRED: Final = "inferred"
"""How a class came to its shock: the scenario names it, or it follows from the classes that it names."""
MOST: Final = 5.0
"""A gain beyond this (500%) is taken for percent."""
SCHEMA: Final = "allocator-stress/1"

Part = Annotated[float, Field(ge=0, le=1)]
Months = Annotated[float, Field(ge=0, le=600)]


def _fraction(value: float) -> float:
    if value < -1:
        raise ValueError("nothing can lose more than all of its value (-1); write a loss of 30% as -0.3")
    if value > MOST:
        raise ValueError(f"a gain of more than {MOST:g} looks like percent; write a gain of 30% as 0.3")
    return value


class Shock(Strict):
    """What becomes of a class: a fraction of its value, -0.3 for a loss of 30%."""

    value: float
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _number(cls, given: Any) -> Any:
        return {"value": given} if isinstance(given, (int, float)) and not isinstance(given, bool) else given

    _checked = field_validator("value")(_fraction)


class Scenario(Words):
    """One scenario.

    Attributes
    ----------
    source
        Where it comes from; the source of every shock that names none of its own.
    months
        How long it lasts.
    shocks
        By class: a fraction of its value, with a source. Every other class follows, see `moves`.
    gains
        Whether a class that is not named may gain.
    own_company, own_sector
        What becomes of the own company in all forms, over its classes; and of single names in the sector of the own
        company, where that is worse for them.
    guarantees
        The part of the guarantees that is called: pledged assets pay first, then what is liquid; the rest is owed.
    debt_rate
        How much more every debt costs a year.
    frozen
        Only what is liquid can be sold.
    spending_months
        Months of living costs and debt payments that are paid meanwhile from what can be sold; default ``months`` where
        markets are frozen, else none.
    """

    source: Annotated[str, Field(min_length=1)]
    months: Months = 0.0
    shocks: dict[str, Shock] = {}
    gains: bool = True
    own_company: float | None = None
    own_sector: float | None = None
    guarantees: Part = 0.0
    debt_rate: Part = 0.0
    frozen: bool = False
    spending_months: Months | None = None

    @field_validator("own_company", "own_sector")
    @classmethod
    def _part(cls, value: float | None) -> float | None:
        return None if value is None else _fraction(value)

    @model_validator(mode="after")
    def _does_something(self) -> Scenario:
        switches = (self.own_company, self.own_sector, self.guarantees, self.debt_rate, self.spending)
        if not self.shocks and not any(switches):
            raise ValueError("the scenario does nothing: give it shocks, or months where markets are frozen")
        return self

    @property
    def spending(self) -> float:
        """Months of living costs and debt payments that are paid meanwhile."""
        usual = self.months if self.frozen else 0.0
        return usual if self.spending_months is None else self.spending_months


class Scenarios(Words):
    """A list of scenarios, by name."""

    schema_: Literal["allocator-stress/1"] = Field(alias="schema")
    name: str
    scenarios: Annotated[dict[str, Scenario], Field(min_length=1)]


Given = str | os.PathLike[str] | Mapping[str, Any] | Scenarios


def load_scenarios(source: Given = "standard") -> Scenarios:
    """Load scenarios.

    Parameters
    ----------
    source
        Name of a preset, path of a TOML file (which may say ``extends = "standard"`` and then only what it adds), or a
        mapping of names to scenarios: `Scenario` objects, or mappings of what a file would say, in which ``en``, ``zh``
        and ``source`` may be left out.

    Raises
    ------
    ConfigError
        With file, key and allowed values, one line per mistake.
    """
    if isinstance(source, Scenarios):
        return source
    if isinstance(source, Mapping):
        tree = {"schema": SCHEMA, "name": "own", "en": "Own scenarios", "zh": "自定义情景"}
        return build(
            Scenarios, tree | {"scenarios": {str(k): _told(str(k), v) for k, v in source.items()}}, "scenarios"
        )
    tree, origin = load_tree(source, "stress")
    return build(Scenarios, tree, origin)


def _told(name: str, given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    en = given.get("en", name)
    return merge({"en": en, "zh": given.get("zh", en), "source": "given by the caller"}, given)


@dataclass(frozen=True)
class Moves:
    """What a scenario does to each class of a framework: the shock, how it came to it, and its source."""

    shock: FloatArray
    how: tuple[str, ...]
    source: tuple[str, ...]


def moves(framework: Framework, assumptions: Assumptions, scenario: Scenario) -> Moves:
    """Shock of every class.

    A class that the scenario names has its shock. Every other one has the shock that is expected of it given those that
    are named (Kupiec 1998, "Stress testing in a value at risk framework"): the factors move in the least unlikely way
    that brings the named shocks about, and the class moves with its loadings on them. So a class with the loadings of
    a named one moves as it does, and one without loadings (deposits) stays. What single holdings add of their own
    (idiosyncratic) stays at its mean, 0: a scenario says what markets do, not what one house or firm does.
    Nothing loses more than its value.

    Parameters
    ----------
    framework, assumptions
        The classes and their loadings. A scenario may name a class of the framework or of the assumptions; the latter
        is that of every class that takes its assumptions from there.
    scenario
        Where ``gains`` is false, what is inferred is 0 at most.

    Raises
    ------
    ConfigError
        The scenario names an unknown class; the message says which are known.
    """
    kinds = {code: c.assumption or code for code, c in framework.classes.items()}
    known = {**kinds, **{name: name for name in assumptions.classes}}
    for name in scenario.shocks:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise ConfigError(f"scenario '{scenario.en}': unknown class '{name}': {hint}allowed: {', '.join(known)}")
    named = list(scenario.shocks)
    given = np.array([scenario.shocks[n].value for n in named], dtype="float64")
    found = given @ follow(assumptions, [known[n] for n in named], list(kinds.values()))
    shock = np.clip(found, -1.0, None if scenario.gains else 0.0)
    how, source = [INFERRED] * len(kinds), [f"follows from: {', '.join(named)}" if named else ""] * len(kinds)
    for j, (code, kind) in enumerate(kinds.items()):
        told = scenario.shocks.get(code) or scenario.shocks.get(kind)
        if told is not None:
            shock[j], how[j], source[j] = told.value, NAMED, told.source or scenario.source
    return Moves(shock, tuple(how), tuple(source))


def follow(assumptions: Assumptions, named: Sequence[str], wanted: Sequence[str]) -> FloatArray:
    """How classes follow from others, by their loadings alone: ``moves of named @ weights`` are those of wanted.

    With loadings L on uncorrelated factors of variance 1 it is L_wanted L_named⁺: the conditional expectation of normal
    returns; where named classes with the same loadings contradict each other, it takes their mean (least squares).

    Parameters
    ----------
    assumptions
        With every class of ``named`` and ``wanted``.
    named, wanted
        Classes of the assumptions.

    Returns
    -------
    numpy.ndarray
        Named × wanted.
    """
    values, vectors = np.linalg.eigh(np.array(assumptions.correlation.rows))
    volatility = np.array([f.volatility for f in assumptions.factors.values()])
    root = volatility[:, None] * (vectors * np.sqrt(np.clip(values, 0.0, None)))

    def loadings(names: Sequence[str]) -> FloatArray:
        rows = [[assumptions.classes[n].loadings.get(f, 0.0) for f in assumptions.factors] for n in names]
        return np.asarray(np.array(rows).reshape(len(names), len(root)) @ root)

    # two classes with one and the same loadings are one direction, whatever the last digits say
    return np.asarray(np.linalg.pinv(loadings(named).T, rcond=1e-9) @ loadings(wanted).T)
