"""A process that writes to a ledger: ``python writer.py PLACE MODE ...``; says what it has done, line by line."""

from __future__ import annotations

import datetime as dt
import sys
from itertools import count

import pandas as pd

import allocator as al
from allocator.errors import InputError

DAYS = [dt.date(2020 + k // 4, 3 * (k % 4) + 1, 1) for k in range(8)]


def numbered(value: int) -> al.Analysis:
    """A book whose every figure says which one it is: two clients with two holdings each."""
    rows = [(c, n, "deposit", float(value)) for c in ("a", "b") for n in ("x", "y")]
    frame = pd.DataFrame(rows, columns=["client_id", "name", "asset_class", "value"])
    return al.analyze(al.read_book(frame), on=DAYS[0])


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  the other process listens


def main(place: str, mode: str, first: int = 0) -> None:
    """``days``: every second day from ``first`` on; ``same``: one day, once; ``forever``: until killed."""
    ledger = al.Ledger(place)
    numbered(1)
    say("ready")
    sys.stdin.readline()
    if mode == "days":
        for k in range(first, len(DAYS), 2):
            ledger.add(numbered(k + 1), on=DAYS[k])
        ledger.review("a", DAYS[first])
    elif mode == "same":
        try:
            ledger.add(numbered(first + 1), on=DAYS[0])
            say("kept")
        except InputError:
            say("refused")
    else:
        for k in count(first):
            ledger.add(numbered(k + 1), on=DAYS[k % 3], replace=True)
            say(k % 3, k + 1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
