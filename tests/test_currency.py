"""Rates into one currency: a wrong rate is worse than none."""

from __future__ import annotations

import pandas as pd
import pytest

from allocator.currency import known_rates


def table(*rows: tuple[str, float, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["currency", "rate", "base"])


def test_plain_rates_are_in_the_base_currency() -> None:
    assert known_rates(table(("USD", 7.2, ""), ("EUR", 7.8, "")), "CNY") == {"CNY": 1.0, "USD": 7.2, "EUR": 7.8}
    assert known_rates(table(), "CNY") == {"CNY": 1.0}
    assert known_rates(table(("CNY", 1.0, "")), "CNY") == {"CNY": 1.0}


def test_a_rate_of_the_base_currency_itself_says_what_the_others_are_in() -> None:
    dollars = table(("USD", 1.0, ""), ("CNY", 0.125, ""), ("EUR", 1.25, ""))
    assert known_rates(dollars, "CNY") == {"CNY": 1.0, "USD": 8.0, "EUR": 10.0}
    mixed = table(("EUR", 1.25, ""), ("JPY", 0.5, "CHF"), ("CNY", 0.125, ""), ("CHF", 2.0, ""))
    assert known_rates(mixed, "CNY") == {"CNY": 1.0, "EUR": 10.0, "CHF": 16.0, "JPY": 8.0}


def test_rates_in_another_currency_that_lead_home_are_carried_over() -> None:
    found = known_rates(table(("USD", 0.8, "CHF"), ("CNY", 0.1, "CHF")), "CNY")
    assert found == pytest.approx({"CNY": 1.0, "CHF": 10.0, "USD": 8.0})
    assert known_rates(table(("USD", 0.8, "CHF"), ("CHF", 9.0, "")), "CNY") == pytest.approx(
        {"CNY": 1.0, "CHF": 9.0, "USD": 7.2}
    )


def test_rates_that_do_not_lead_home_never_pass_for_rates_in_the_base_currency() -> None:
    assert known_rates(table(("USD", 0.8, "CHF"), ("EUR", 0.93, "CHF")), "CNY") == {"CHF": 1.0, "USD": 0.8, "EUR": 0.93}
    assert known_rates(table(("USD", 0.8, "CHF"), ("JPY", 0.05, "")), "CNY") == {"CNY": 1.0, "JPY": 0.05}
