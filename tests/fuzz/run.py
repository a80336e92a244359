"""Fuzz for some minutes: ``python tests/fuzz/run.py --minutes 10 --target csv --target "export_*" --seed 1``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path[:0] = [str(here), str(here.parent)]
    raise SystemExit(import_module("loop").main())
