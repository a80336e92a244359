"""What is worth a word, and how often a client is reviewed: a file of thresholds, each with its source."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from allocator.config import Strict, build, load_tree

Share = Annotated[float, Field(gt=0, le=1)]
Money = Annotated[float, Field(gt=0)]
Months = Annotated[int, Field(ge=1, le=120)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class FlowPolicy(Strict):
    """When money into or out of deposits is large: an amount per currency, or a share of the total before."""

    absolute: dict[Currency, Money]
    relative: Share
    relative_source: str
    source: str


class ScorePolicy(Strict):
    """Points by which a concentration score must move."""

    points: Annotated[float, Field(gt=0, le=100)]
    source: str


class HoldingPolicy(Strict):
    """Share of the total from which a holding that came or went is told."""

    share: Share
    source: str


class PlanPolicy(Strict):
    """Part of a proposed trade that must be seen for it to count as carried out."""

    done: Share
    source: str


class Tier(Strict):
    """A tier of clients: names, months between reviews, assets from which a client without a tier belongs to it."""

    en: str
    zh: str
    months: Months
    least: Annotated[float, Field(ge=0)]
    aliases: list[str] = []
    source: str


class ReviewPolicy(Strict):
    """Months between reviews, by tier; ``months`` for who is in none."""

    months: Months
    source: str
    tiers: dict[str, Tier]

    @cached_property
    def by_name(self) -> dict[str, str]:
        """Code of each tier by whatever it is called, in lower case."""
        named = {code: [code, t.en, t.zh, *t.aliases] for code, t in self.tiers.items()}
        return {str(n).strip().casefold(): code for code, names in named.items() for n in names}


class Policy(Strict):
    """Thresholds of findings and intervals of reviews."""

    schema_: Literal["allocator-ledger-policy/1"] = Field(alias="schema")
    name: str
    en: str
    zh: str
    flow: FlowPolicy
    score: ScorePolicy
    holding: HoldingPolicy
    plan: PlanPolicy
    review: ReviewPolicy


def load_policy(source: str | os.PathLike[str] | Policy = "standard") -> Policy:
    """Load what findings and reviews go by.

    Parameters
    ----------
    source
        ``standard``, the path of a TOML file (which may say ``extends = "standard"`` and then only what differs), or a
        policy, which is returned as it is.

    Raises
    ------
    ConfigError
        With file, key and allowed values.
    """
    if isinstance(source, Policy):
        return source
    tree, origin = load_tree(source, "ledger")
    return build(Policy, tree, origin)
