"""What a finding is: a kind of thing worth telling about a client, and the rows in which it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from allocator.ledger.change import Change
from allocator.ledger.policy import Policy

Subject = Literal["none", "bucket", "limit", "asset", "class", "rule", "band", "change", "text"]
Unit = Literal["money", "share", "limit", "points", "text"]

COLUMNS: Final = ("client", "subject", "name", "before", "after", "amount", "bound", "note", "found")
NOTES: Final = ("", "value_only", "no_rate", "client_gone")
"""``value_only``: units are unknown for some of it, so that it may be a revaluation; ``no_rate``: the currency changed
and no rate is known; ``client_gone``: no longer in the book."""

Measure: TypeAlias = Callable[[Change, Policy], pd.DataFrame]


@dataclass(frozen=True)
class Finding:
    """A kind of finding. A new one is a function in a module of `allocator.ledger.kinds`, listed in its ``FINDINGS``.

    Attributes
    ----------
    code
        Name in tables and JSON.
    en, zh
        What it is called.
    says
        A sentence in each language; ``{subject}``, ``{before}``, ``{after}``, ``{amount}`` and ``{bound}`` stand for
        what the row says, written as ``subject`` and ``unit`` tell.
    subject, unit
        What a row's ``subject`` names, and what its ``before``, ``after`` and ``bound`` are; ``amount`` is money, or
        points for ``points``.
    rank
        Order in which an advisor reads, 1 first.
    lasting
        It holds until it is mended, and is ``resolved`` then. Otherwise it is an event: it happens, and may go on.
    measure
        From a change and a policy to rows (see `rows`).
    """

    code: str
    en: str
    zh: str
    says: Mapping[str, str]
    subject: Subject
    unit: Unit
    rank: int
    lasting: bool
    measure: Measure


def rows(client: Any, **columns: Any) -> pd.DataFrame:
    """Rows of a finding.

    Parameters
    ----------
    client
        Places of the clients in the change.
    **columns
        ``subject`` and ``name`` (texts; a subject is unique within the client), ``before``, ``after``, ``amount``,
        ``bound`` (numbers; NaN not known), ``note`` (one of `NOTES`), ``found``: False for what is only measured, so
        that a resolved finding can say how it is now (default True).
    """
    n = len(client)
    usual: dict[str, Any] = {"subject": "", "name": "", "note": "", "found": True}
    made = {c: columns.get(c, usual.get(c, np.nan)) for c in COLUMNS if c != "client"}
    frame = pd.DataFrame({"client": np.asarray(client, dtype="int64"), **made}, index=range(n), columns=list(COLUMNS))
    texts = {c: frame[c].astype("str") for c in ("subject", "name", "note")}
    figures = {c: frame[c].astype("float64") for c in ("before", "after", "amount", "bound")}
    return frame.assign(**texts, **figures, found=frame["found"].astype(bool))
