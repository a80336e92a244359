"""Portfolio allocation analyser for private banking.

>>> import allocator as al
>>> book = al.read_book("holdings.csv")
>>> analysis = al.analyze(book)
>>> plan = al.rebalance(analysis)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allocator.analysis import Analysis
    from allocator.assumptions import load_assumptions
    from allocator.batch.result import BatchResult, read_batch
    from allocator.batch.runner import batch
    from allocator.book import Book, read_book
    from allocator.book_plots import plot_book, plot_book_buckets
    from allocator.documents.report import Report, report
    from allocator.errors import AllocatorError, ConfigError, InputError, OutputError, SolveError
    from allocator.estimation import Estimate, estimate
    from allocator.firewall_plots import plot_firewall
    from allocator.framework import Framework, load_framework
    from allocator.frontier_plots import plot_frontier
    from allocator.frontiers import Frontier, frontier
    from allocator.gallery import pictures
    from allocator.households import Household, household
    from allocator.ledger.ledger import Ledger
    from allocator.limit_plots import plot_limits
    from allocator.limits import limit
    from allocator.obstacle_plots import plot_obstacles
    from allocator.pipeline import analyze, rebalance
    from allocator.plan import Objective, Plan
    from allocator.plots import plot_buckets, plot_concentration
    from allocator.provenances import provenance
    from allocator.pseudonyms import load_key
    from allocator.reporting.house_style import load_style
    from allocator.risk_measures import RiskMeasures, measure_risk
    from allocator.risk_plots import plot_risk
    from allocator.sample import sample_path
    from allocator.shrinkage import unsmooth
    from allocator.stage_plots import plot_stages
    from allocator.staging import Stages, stages
    from allocator.stress_plots import plot_stress
    from allocator.stresses import Stress, stress
    from allocator.trade_plots import plot_trades
    from allocator.whatif import with_band, with_cash_flow, with_purchase, with_restriction, with_spending, with_view
    from allocator.whatif_panel import what_if_panel
    from allocator.whole_book.calls import CallList, call_list
    from allocator.whole_book.compare import Comparison, compare
    from allocator.whole_book.facts import BookFacts
    from allocator.whole_book.reasons import OwnReason
    from allocator.whole_book.shocked import shocked
    from allocator.whole_book.tables import facts_of_run, facts_of_tables, read_tables
    from allocator.whole_book.view import BookView, book_view

__version__ = "0.1.0"

# Loaded when first asked for: `import allocator` stays fast, and the command line shows its help without pandas.
_HOMES = {
    "BatchResult": "batch.result",
    "AllocatorError": "errors",
    "Analysis": "analysis",
    "Book": "book",
    "BookFacts": "whole_book.facts",
    "BookView": "whole_book.view",
    "CallList": "whole_book.calls",
    "Comparison": "whole_book.compare",
    "ConfigError": "errors",
    "Estimate": "estimation",
    "Framework": "framework",
    "Frontier": "frontiers",
    "Household": "households",
    "InputError": "errors",
    "Ledger": "ledger.ledger",
    "Objective": "plan",
    "OutputError": "errors",
    "OwnReason": "whole_book.reasons",
    "Plan": "plan",
    "Report": "documents.report",
    "RiskMeasures": "risk_measures",
    "SolveError": "errors",
    "Stages": "staging",
    "Stress": "stresses",
    "analyze": "pipeline",
    "batch": "batch.runner",
    "book_view": "whole_book.view",
    "call_list": "whole_book.calls",
    "compare": "whole_book.compare",
    "estimate": "estimation",
    "facts_of_run": "whole_book.tables",
    "facts_of_tables": "whole_book.tables",
    "frontier": "frontiers",
    "household": "households",
    "limit": "limits",
    "load_assumptions": "assumptions",
    "load_framework": "framework",
    "load_key": "pseudonyms",
    "load_style": "reporting.house_style",
    "measure_risk": "risk_measures",
    "pictures": "gallery",
    "plot_book": "book_plots",
    "plot_book_buckets": "book_plots",
    "plot_buckets": "plots",
    "plot_concentration": "plots",
    "plot_firewall": "firewall_plots",
    "plot_frontier": "frontier_plots",
    "plot_limits": "limit_plots",
    "plot_obstacles": "obstacle_plots",
    "plot_risk": "risk_plots",
    "plot_stages": "stage_plots",
    "plot_stress": "stress_plots",
    "plot_trades": "trade_plots",
    "provenance": "provenances",
    "read_batch": "batch.result",
    "read_book": "book",
    "read_tables": "whole_book.tables",
    "rebalance": "pipeline",
    "report": "documents.report",
    "sample_path": "sample",
    "shocked": "whole_book.shocked",
    "stages": "staging",
    "stress": "stresses",
    "unsmooth": "shrinkage",
    "what_if_panel": "whatif_panel",
    "with_band": "whatif",
    "with_cash_flow": "whatif",
    "with_purchase": "whatif",
    "with_restriction": "whatif",
    "with_spending": "whatif",
    "with_view": "whatif",
}

__all__ = [
    "AllocatorError",
    "Analysis",
    "BatchResult",
    "Book",
    "BookFacts",
    "BookView",
    "CallList",
    "Comparison",
    "ConfigError",
    "Estimate",
    "Framework",
    "Frontier",
    "Household",
    "InputError",
    "Ledger",
    "Objective",
    "OutputError",
    "OwnReason",
    "Plan",
    "Report",
    "RiskMeasures",
    "SolveError",
    "Stages",
    "Stress",
    "__version__",
    "analyze",
    "batch",
    "book_view",
    "call_list",
    "compare",
    "estimate",
    "facts_of_run",
    "facts_of_tables",
    "frontier",
    "household",
    "limit",
    "load_assumptions",
    "load_framework",
    "load_key",
    "load_style",
    "measure_risk",
    "pictures",
    "plot_book",
    "plot_book_buckets",
    "plot_buckets",
    "plot_concentration",
    "plot_firewall",
    "plot_frontier",
    "plot_limits",
    "plot_obstacles",
    "plot_risk",
    "plot_stages",
    "plot_stress",
    "plot_trades",
    "provenance",
    "read_batch",
    "read_book",
    "read_tables",
    "rebalance",
    "report",
    "sample_path",
    "shocked",
    "stages",
    "stress",
    "unsmooth",
    "what_if_panel",
    "with_band",
    "with_cash_flow",
    "with_purchase",
    "with_restriction",
    "with_spending",
    "with_view",
]

# The packages allocator.batch and allocator.rebalance have the names of functions. Loaded here (they are empty) and
# taken away again, no later import of their modules can put them in the functions' place.
for _package in ("batch", "rebalance"):
    importlib.import_module(f"allocator.{_package}")
    del globals()[_package]
del _package


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'allocator' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"allocator.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
