"""A book as a scenario leaves it, as an analysis like any other: it can be planned, listed and compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.assumptions import risk_table
from allocator.debts import Debts
from allocator.errors import ConfigError
from allocator.names import unique_within
from allocator.pipeline import measure
from allocator.positions import class_tax, gain_tax
from allocator.scenarios import Given, load_scenarios, moves
from allocator.shocks import apply
from allocator.typing import FloatArray

OWED: Final = "情景缺口 scenario shortfall"
"""Name of the debt that called guarantees and unpaid bills leave, in both languages, as products on the shelf have."""


def shocked(analysis: Analysis, scenario: str, scenarios: Given = "standard") -> Analysis:
    """Let one scenario happen to every client and measure what is left.

    Parameters
    ----------
    analysis
        The book as it is. It is not changed.
    scenario
        Name of the scenario.
    scenarios
        Where it is defined; see `allocator.stress`.

    Returns
    -------
    Analysis
        The same numbers as `allocator.stress` gives, as an analysis: prices after the shock, to the cent, what was sold
        to pay guarantees and living costs gone, and what could not be paid an unsecured debt without payments. Excesses
        are fractions of what is left. Where the scenario asks for a spending that is unknown, nothing has been spent.

    Raises
    ------
    ConfigError
        No such scenario, or a wrong file.
    """
    found = load_scenarios(scenarios)
    if scenario not in found.scenarios:
        raise ConfigError(f"unknown scenario '{scenario}'; allowed: {', '.join(found.scenarios)}")
    one, f = found.scenarios[scenario], analysis.framework
    table = risk_table(f, analysis.assumptions)
    after = apply(analysis, table, one, moves(f, analysis.assumptions, one))
    p = after.positions
    value = np.round(p.value, 2)
    then = replace(
        p,
        value=value,
        tax=gain_tax(class_tax(f)[p.klass], value, p.basis),
        debts=_owing(
            p.debts, np.asarray(np.round(np.nan_to_num(after.short), 2), dtype="float64"), analysis.client_ids
        ),
    )
    kept = {"on": analysis.on, "issues": analysis.issues, "own": analysis.own}
    return measure(then, f, analysis.assumptions, **kept)  # type: ignore[arg-type]


def _owing(d: Debts, owed: FloatArray, ids: list[str]) -> Debts:
    """Debts with one more for every client who owes what a scenario left unpaid."""
    who = np.flatnonzero(owed > 0)
    if not len(who):
        return d
    client = np.concatenate([d.client, who])
    order = np.argsort(client, kind="stable")
    texts = [[*d.debt_id, *[OWED] * len(who)], [*d.kind, *[OWED] * len(who)], [*d.secured_by, *[""] * len(who)]]
    names, kinds, secured = ([column[k] for k in order.tolist()] for column in texts)
    client = client[order]
    holders = pd.Series([ids[i] for i in client.tolist()], dtype="str")
    return Debts(
        client=client,
        start=np.searchsorted(client, np.arange(len(ids) + 1)),
        debt_id=unique_within(holders, pd.Series(names, dtype="str")).tolist(),
        kind=kinds,
        value=np.concatenate([d.value, owed[who]])[order],
        service=np.concatenate([d.service, np.zeros(len(who))])[order],
        own_use=np.concatenate([d.own_use, np.zeros(len(who), dtype=bool)])[order],
        secured_by=secured,
    )
