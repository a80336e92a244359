"""Text that can be written down, and names that the system can be given, whatever letters the locale has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

AnyT = TypeVar("AnyT")


def readable(value: AnyT) -> AnyT:
    """Give text without what cannot be written down; anything else as it is.

    Where the locale knows no Chinese (``LC_ALL=C``), Python has the bytes of a file's name as lone surrogates: they are
    its name in UTF-8. Any other lone surrogate becomes ``?``.
    """
    if not isinstance(value, str) or value.isascii():
        return value
    for way in ("surrogateescape", "replace"):
        try:
            return value.encode("utf-8", way).decode("utf-8", "replace")  # type: ignore[return-value]
        except UnicodeEncodeError:
            continue
    return value


def nameable(path: Path) -> Path:
    """Where the locale has no letters for a name (``LC_ALL=C``): its bytes in UTF-8, as Python takes an argument."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return Path(os.fsdecode(str(path).encode("utf-8", "surrogatepass")))
    return path
