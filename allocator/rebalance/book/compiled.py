"""Compilation of the fast route's functions, kept on disk from one run to the next.

The compiler looks at a function's own file alone when it asks whether what it kept still fits. These functions call
each other over several files, so what is kept lies in a folder that the text of all of them names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


SPOILT: Final = (
    *(OSError, EOFError, pickle.PickleError, AttributeError, ImportError, LookupError),
    *(TypeError, ValueError, ArithmeticError, RuntimeError, MemoryError),
)
"""What reading a file of the cache may raise that was cut off or is none; see the documentation of pickle."""


class Kept:
    """The compiler's cache of one function; what is spoilt in it is compiled again, and a full disk keeps nothing."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Give what is kept for a signature; None where there is nothing that can be used."""
        try:
            return self._cache.load_overload(signature, target)
        except SPOILT:
            with contextlib.suppress(OSError):
                self._cache.flush()
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep what was compiled, where there is room."""
        with contextlib.suppress(OSError):
            try:
                self._cache.save_overload(signature, data)
            except SPOILT:
                self._cache.flush()
                self._cache.save_overload(signature, data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)


@cache
def folder() -> str:
    """Where compiled functions are kept: the user's cache, or else a temporary folder of the user's own."""
    import numba

    text = hashlib.sha256(numba.__version__.encode())
    here = Path(__file__).parent
    beside = (here.parent / name for name in ("conic.py", "whole.py"))  # their tolerances are compiled in
    for file in (*sorted(here.glob("*.py")), *beside):
        text.update(file.read_bytes())
    name = f"allocator-{text.hexdigest()[:16]}"
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    user = getattr(os, "getuid", lambda: 0)()
    for place in (os.path.join(home, "allocator"), os.path.join(tempfile.gettempdir(), f"allocator-{user}")):
        out = os.path.join(place, name)
        try:
            os.makedirs(out, mode=0o700, exist_ok=True)
        except OSError:
            continue
        owner = os.stat(out).st_uid if hasattr(os, "getuid") else user
        if owner == user and os.access(out, os.W_OK):
            return out
    return ""


def compiled(function: Function) -> Function:
    """Compile a function of numbers and arrays; it lets other threads run."""
    import numba

    settings: Any = numba.config
    before, settings.CACHE_DIR = settings.CACHE_DIR, folder()
    try:
        made: Any = numba.njit(function, nogil=True, cache=bool(folder()), error_model="numpy")
    finally:
        settings.CACHE_DIR = before
    if folder():
        made._cache = Kept(made._cache)  # the compiler has no other way in
    out: Function = made
    return out
