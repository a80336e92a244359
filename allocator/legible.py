"""Text that can be written down."""

from __future__ import annotations

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
