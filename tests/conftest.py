"""Small books for tests, and where the real data lie."""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from allocator.book import Book, read_book
from allocator.past_years import PastYears, load_past

ON = dt.date(2026, 9, 30)
ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "data" / "sample"
RECORD = "returns/us_annual_1928_2015.csv"
SMOOTHING = 0.687
"""How much of a house price index is that of the year before; as in the long-run assumptions."""

Rows = Iterable[tuple[str, str, str, float]]


def make_book(holdings: Any, clients: Any = None, **tables: Any) -> Book:
    """Build a book of (client_id, name, asset_class, value) tuples or a DataFrame, and client rows as dicts."""
    if not isinstance(holdings, pd.DataFrame):
        holdings = pd.DataFrame(list(holdings), columns=["client_id", "name", "asset_class", "value"])
    if clients is not None and not isinstance(clients, pd.DataFrame):
        clients = pd.DataFrame(list(clients))
    made = {k: v if isinstance(v, pd.DataFrame) else pd.DataFrame(list(v)) for k, v in tables.items()}
    return read_book(holdings, **({} if clients is None else {"clients": clients}), **made)


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that speaks English, whatever the one that tests run on speaks."""
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a real data file, or a skip with the reason."""

    def path(name: str) -> Path:
        found = SHARED / name
        if not found.exists():
            pytest.skip(f"real data not here: shared/data/{name}")
        return found

    return path


@pytest.fixture(scope="session")
def record(shared: Callable[[str], Path]) -> pd.DataFrame:
    """Yearly returns of US markets since 1929 as their owner publishes them, and houses unsmoothed (``property``)."""
    d = pd.read_csv(shared(RECORD), index_col="year")
    houses = d["real_estate"]
    return d.assign(property=(houses - SMOOTHING * houses.shift()) / (1 - SMOOTHING)).loc[1929:]


@pytest.fixture(scope="session")
def past(record: pd.DataFrame) -> PastYears:
    """The record as years of one's own: six classes, 1929 to 2015."""
    d = record
    return load_past(
        pd.DataFrame(
            {
                "equity_fund": d["sp500"],
                "government_bond": d["tbond_10y"],
                "corporate_bond": d["baa_corp"],
                "bond_fund": (d["tbond_10y"] + d["baa_corp"]) / 2,
                "investment_property": d["property"],
                "gold": d["gold"],
            }
        )
    )


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """URL of an empty database of this test's own on a real PostgreSQL server, or a skip with the reason.

    ``.ci/postgres start DIR`` prints what ``ALLOCATOR_TEST_POSTGRES`` must hold.
    """
    server = os.environ.get("ALLOCATOR_TEST_POSTGRES", "")
    if not server:
        pytest.skip("no PostgreSQL server: ALLOCATOR_TEST_POSTGRES is not set (see .ci/postgres)")
    import sqlalchemy as sa

    # a name that needs no quotes
    name = f"test_{secrets.token_hex(8)}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def sample() -> Book:
    """The bundled sample book."""
    return read_book(SAMPLE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many items of the house's list of bad inputs were tried, and how many answered well."""
    from judged import ANSWERED, tried

    if ANSWERED:
        terminalreporter.write_line(f"bad inputs and faults: {len(tried())} tried, {len(ANSWERED)} answered well here")
