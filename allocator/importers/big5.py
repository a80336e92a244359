"""Tell Big5 and Windows-1252 from GB18030: nearly every such text is GB18030 text too, of other names."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from typing import Final

from allocator.errors import InputError

BLOCK: Final = 1 << 22
"""Bytes that are looked at."""
FEWEST: Final = 4
"""Chinese characters from which on a text can be told."""
USUAL: Final = 0.95
"""Share of Big5 text that are its 5,401 usual characters (rows A4 to C6) and signs."""
STRANGE: Final = 0.85
"""Below this share of the 3,755 usual characters (rows B0 to D7) and signs a text is hardly GB18030."""


def refuse_big5(data: bytes, line: int, file: str) -> None:
    """Refuse a block of text that is no UTF-8 and sooner Big5 than GB18030.

    Raises
    ------
    InputError
        Read as GB18030 it would have other names in it.
    """
    if _share(data, "big5", (0xA1, 0xC6)) >= USUAL and _share(data, "gb18030", (0xA1, 0xA9), (0xB0, 0xD7)) < STRANGE:
        raise InputError(
            f"{file}: line {line} looks like Big5 (traditional Chinese), which could be mistaken for GB18030; "
            "save it as CSV UTF-8"
        )


def _share(data: bytes, encoding: str, *rows: tuple[int, int]) -> float:
    """Share of what is beyond ASCII whose first byte of two is in one of the rows; 0 for what is no such text."""
    try:
        text = codecs.getincrementaldecoder(encoding)("strict").decode(data)
    except UnicodeDecodeError:
        return 0.0
    found = {c.encode(encoding): n for c, n in Counter(text).items() if not c.isascii()}
    usual = sum(n for c, n in found.items() if len(c) == 2 and _is_usual(c, rows))
    return usual / sum(found.values()) if sum(found.values()) >= FEWEST else 0.0


def _is_usual(code: bytes, rows: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code[0] <= high for low, high in rows) and (len(rows) == 1 or code[1] >= 0xA1)


_ALONE: Final = re.compile(r"(?<![^\x00-\x7f])[^\x00-\x7f](?![^\x00-\x7f])")
_IN_WORD: Final = re.compile(r"[a-z][^\x00-\x7f](?![^\x00-\x7f])|(?<![^\x00-\x7f])[^\x00-\x7f][a-z]")


def refuse_western(block: bytes, line: int, file: str) -> None:
    """Refuse western European text, whose accented letters swallow the next one when read as GB18030.

    Chinese stands in words of its own; what looks Chinese one character at a time, inside words of small Latin letters,
    is an accent.

    Parameters
    ----------
    block
        Bytes around the first that is no UTF-8.
    line, file
        Where it stands, for the message.

    Raises
    ------
    InputError
        It looks western.
    """
    text = block.decode("gb18030", "ignore")
    strange = sum(1 for c in text if c > "\x7f")
    if strange and len(_ALONE.findall(text)) > strange / 2 and len(_IN_WORD.findall(text)) > strange / 2:
        raise InputError(
            f"{file}: line {line} looks like Windows-1252 (western European), which could be mistaken for GB18030; "
            "save it as CSV UTF-8"
        )
