"""Fuzz for some minutes: ``python tests/fuzz/run.py --minutes 10 --target csv --target "export_*" --seed 1``."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

READING = (
    "cells",
    "columns",
    "config",
    "importers",
    "notation",
    "raw_tables",
    "remarks",
    "rules",
    "totals",
    "validate",
    "ways",
)
"""Modules whose lines atheris watches; those that are compiled must not be touched."""


def watched() -> AbstractContextManager[None]:
    """Watch the readers' lines where atheris is asked for."""
    if "atheris" not in sys.argv:
        return nullcontext()
    import atheris

    found: AbstractContextManager[None] = atheris.instrument_imports(include=[f"allocator.{m}" for m in READING])
    return found


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path[:0] = [str(here), str(here.parent)]
    with watched():
        for module in iter_modules(import_module("allocator.importers").__path__):
            import_module(f"allocator.importers.{module.name}")
        loop = import_module("loop")
    raise SystemExit(loop.main())
