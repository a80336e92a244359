"""Stress tables: what named scenarios cost each client, what they leave, and which limits break."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.assumptions import risk_table
from allocator.exposures import ratio
from allocator.scenarios import Given, Moves, Scenarios, load_scenarios, moves
from allocator.shocks import After, apply
from allocator.shown import Clients, Part
from allocator.typing import AnyArray


@dataclass(frozen=True)
class Stress(Clients):
    """Result of `allocator.stress`.

    Read the tables: ``summary`` (a row per client and scenario), ``limits`` (what breaks), ``holdings`` (who loses
    what), ``worst`` (a row per client), ``book`` (a row per scenario) and ``shocks`` (what each scenario does to each
    class, with its source). Shares are fractions; money is in the client's currency.

    Attributes
    ----------
    analysis
        The book as it is.
    scenarios
        As loaded.
    moves
        By scenario: the shock of every class.
    summary
        Clients × scenarios, in this order:

        - ``loss``: what the shock takes from the three buckets, and guarantees that are called; below 0 is a gain.
          Losses on own-use assets are in ``net_worth`` alone.
        - ``loss_share``, ``loss_equity``: the same as fractions of T and E; NaN where T is 0, where E ≤ 0.
        - ``spent``: living costs and debt payments paid meanwhile; 0 in scenarios without spending, NaN where the
          spending is unknown.
        - ``short``: what of these, and of guarantees that are called, cannot be paid from what sells; it is owed. NaN
          where ``spent`` is.
        - ``equity``, ``net_worth``: what is left of the family's own money, without and with own-use assets; NaN where
          ``spent`` is.
        - ``insolvent``: true where no own money is left, or where there was none before.
        - ``reserve_months``: months that the reserve lasts then; infinite where nothing is needed, NaN where the
          spending is unknown.
        - ``limits_exceeded``, ``limits_new``: limits that do not hold then, and those of them that hold today; NaN
          where ``spent`` is.
    limits
        A row for every limit newly exceeded: ``client_id, scenario, limit, sense, today, after, bound, excess``;
        the excess as a fraction of T before.
    """

    analysis: Analysis
    scenarios: Scenarios
    moves: Mapping[str, Moves]
    summary: pd.DataFrame
    limits: pd.DataFrame

    def __len__(self) -> int:
        return len(self.analysis)

    @property
    def client_ids(self) -> list[str]:
        """Clients in the order of the book."""
        return self.analysis.client_ids

    @property
    def names(self) -> list[str]:
        """Names of the scenarios, in their order."""
        return list(self.scenarios.scenarios)

    @cached_property
    def worst(self) -> pd.DataFrame:
        """The scenario that costs each client most, one row per client.

        ``scenario`` is empty, and the other columns NaN, for a client whom none of them costs anything; of scenarios
        that cost the same it is the first.
        """
        loss = self.summary["loss"].to_numpy("float64").reshape(len(self), -1)
        place = loss.argmax(axis=1)
        rows = self.summary.iloc[np.arange(len(self)) * loss.shape[1] + place].reset_index(drop=True)
        rows = rows.astype({"scenario": "str"})
        costs = (rows["loss"] > 0).to_numpy()
        columns = ["loss", "loss_share", "loss_equity", "equity", "reserve_months", "limits_new"]
        out: pd.DataFrame = rows[["client_id", "scenario", *columns]]
        return out.assign(
            scenario=rows["scenario"].where(costs, ""), **{c: rows[c].astype("float64").where(costs) for c in columns}
        )

    @cached_property
    def holdings(self) -> pd.DataFrame:
        """Holdings × scenarios: value today, loss, and value after, before anything is sold to live on."""
        p, h = self.analysis.positions, self.analysis.positions.holdings
        table = risk_table(self.analysis.framework, self.analysis.assumptions)
        todo = self.scenarios.scenarios.items()
        held = np.stack([apply(self.analysis, table, s, self.moves[name]).held for name, s in todo], axis=1)
        count = held.shape[1]
        value = np.repeat(p.value, count)
        labels = h[["client_id", "asset_id", "name", "asset_class", "bucket"]]
        return labels.loc[labels.index.repeat(count)].reset_index(drop=True).assign(
            scenario=_which(self.names, len(h)), value=value, loss=value - held.reshape(-1), after=held.reshape(-1)
        )  # fmt: skip

    @cached_property
    def book(self) -> pd.DataFrame:
        """The whole book, one row per scenario.

        ``clients``: those with anything in the buckets; ``hit``: those of them who lose; ``loss_share``,
        ``loss_equity``: medians over them (E > 0 for the latter); ``insolvent``: clients who lose all of their own
        money; ``short``: who cannot pay what falls due; ``broken``: with a limit newly exceeded; ``worst``: for how
        many it is the worst.
        """
        s = self.summary.assign(
            some=np.repeat(self.analysis.exposures.total > 0, len(self.names)),
            fallen=self.summary["insolvent"] & np.repeat(self.analysis.exposures.equity > 0, len(self.names)),
            loses=self.summary["loss"] > 0,
            unpaid=self.summary["short"] > 0,
            breaks=self.summary["limits_new"] > 0,
        )
        by = s[s["some"]].groupby("scenario", observed=False, sort=False)
        worst = self.worst["scenario"].value_counts()
        out = pd.DataFrame(
            {
                "clients": by.size(),
                "hit": by["loses"].sum(),
                "loss_share": by["loss_share"].median(),
                "loss_equity": by["loss_equity"].median(),
                "insolvent": by["fallen"].sum(),
                "short": by["unpaid"].sum(),
                "broken": by["breaks"].sum(),
            }
        ).reindex(self.names)
        counted = [int(worst.get(n, 0)) for n in self.names]
        return out.assign(worst=counted).rename_axis("scenario").reset_index().astype({"scenario": "str"})

    @cached_property
    def shocks(self) -> pd.DataFrame:
        """Scenarios × classes: shock, how it came about (``named`` or ``inferred``), and its source."""
        codes = self.analysis.framework.class_codes
        rows = [
            (name, code, float(x), how, source)
            for name, m in self.moves.items()
            for code, x, how, source in zip(codes, m.shock, m.how, m.source, strict=True)
        ]
        return pd.DataFrame(rows, columns=["scenario", "asset_class", "shock", "how", "source"])

    def part(self, client_id: str) -> Part:
        """``summary``, ``limits``, ``holdings`` and ``worst`` of one client, by name.

        Raises
        ------
        InputError
            No such client in this result.
        """
        self.analysis.index(client_id)
        return Part(self, client_id, ("summary", "limits", "holdings", "worst"))

    def __repr__(self) -> str:
        lines = [f"Stress of {len(self):,} clients in {len(self.names)} scenarios ({self.scenarios.name})"]
        for r in self.book.to_dict("records"):
            lines.append(
                f"  {r['scenario']}: median loss {r['loss_equity']:.1%} of own money, "
                f"{r['insolvent']:,} lose all of it, limits break for {r['broken']:,}"
            )
        lines.append("  tables: summary, limits, holdings, worst, book, shocks")
        return "\n".join(lines)


def stress(analysis: Analysis, scenarios: Given = "standard") -> Stress:
    """Let named scenarios happen to every client.

    Parameters
    ----------
    analysis
        From `analyze`, or ``plan.before`` and ``plan.after``. It is not changed.
    scenarios
        Name of a preset, path of a TOML file (which may say ``extends = "standard"``), or a mapping such as
        ``{"crash": {"shocks": {"equity_fund": -0.3}}}``; see `allocator.scenarios.Scenario` for what may be in it.

    Returns
    -------
    Stress

    Raises
    ------
    ConfigError
        The scenarios are wrong; the message names file, key and what is allowed.
    """
    found = load_scenarios(scenarios)
    table = risk_table(analysis.framework, analysis.assumptions)
    by = {name: moves(analysis.framework, analysis.assumptions, s) for name, s in found.scenarios.items()}
    rows: list[dict[str, AnyArray]] = []
    breaks: list[pd.DataFrame] = []
    for place, (name, s) in enumerate(found.scenarios.items()):
        after = apply(analysis, table, s, by[name])
        new = after.limits.exceeded & ~analysis.limit_table.exceeded & after.known[:, None]
        rows.append(_row(analysis, after, new))
        breaks.append(_breaks(analysis, after, new).assign(scenario=name, place=place))
    columns = {c: np.stack([r[c] for r in rows], axis=1).reshape(-1) for c in rows[0]}
    names = list(found.scenarios)
    who = analysis.positions.clients["client_id"].repeat(len(names)).reset_index(drop=True)
    summary = pd.DataFrame({"client_id": who, "scenario": _which(names, len(analysis)), **columns})
    limits = pd.concat(breaks, ignore_index=True).sort_values(["client", "place"], kind="stable", ignore_index=True)
    order = ["client_id", "scenario", "limit", "sense", "today", "after", "bound", "excess"]
    ids = analysis.positions.clients["client_id"]
    limits = limits.assign(client_id=ids.iloc[limits["client"].to_numpy()].reset_index(drop=True))[order]
    return Stress(analysis, found, by, summary, limits)


def _which(names: list[str], count: int) -> pd.Categorical[str]:
    """Every scenario in turn, ``count`` times."""
    return pd.Categorical.from_codes(np.tile(np.arange(len(names)), count).tolist(), categories=pd.Index(names))


def _row(a: Analysis, after: After, new: AnyArray) -> dict[str, AnyArray]:
    """Columns of the summary for one scenario, one entry per client."""
    before, left, known = a.exposures, after.exposures, after.known
    there = (before.total > 0) | (before.debt > 0)
    unknown = np.where(known, 0.0, np.nan)
    return {
        "loss": after.loss,
        "loss_share": before.of_total(after.loss),
        "loss_equity": ratio(after.loss, np.where(before.equity > 0, before.equity, np.nan)),
        "spent": after.spent,
        "short": after.short,
        "equity": left.equity + unknown,
        "net_worth": left.net_worth + unknown,
        "insolvent": there & (left.equity <= 0),
        "reserve_months": left.months,
        "limits_exceeded": after.limits.exceeded.sum(axis=1) + unknown,
        "limits_new": new.sum(axis=1) + unknown,
    }


def _breaks(a: Analysis, after: After, new: AnyArray) -> pd.DataFrame:
    """Limits that one scenario breaks, by place of the client."""
    who, what = np.nonzero(new)
    limits, table = a.limit_table.limits, after.limits
    return pd.DataFrame(
        {
            "client": who,
            "limit": pd.Series([limits[j].name for j in what], dtype="str"),
            "sense": pd.Series([limits[j].sense for j in what], dtype="str"),
            "today": a.limit_table.value[who, what],
            "after": table.value[who, what],
            "bound": table.bound[who, what],
            "excess": table.excess[who, what],
        }
    )
