"""Kinds of findings: every module here lists its own in ``FINDINGS``; a new module needs no line anywhere else."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from allocator.ledger.finding import Finding


@cache
def findings() -> Mapping[str, Finding]:
    """Every kind of finding by code, in the order in which an advisor reads."""
    found: list[Finding] = []
    for module in pkgutil.iter_modules(__path__):
        found += importlib.import_module(f"{__name__}.{module.name}").FINDINGS
    return MappingProxyType({f.code: f for f in sorted(found, key=lambda f: (f.rank, f.code))})
