"""Names that nobody can turn back without the key: HMAC-SHA256 (RFC 2104) under a key file of the user's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import unicodedata
from pathlib import Path
from typing import Final

from allocator.errors import ConfigError

LEAST_KEY: Final = 16
"""Bytes that a key has at least: 128 bits, the least that NIST SP 800-107 asks of an HMAC key."""
LETTERS: Final = 12
"""Letters of a pseudonym: 60 bits. Among a million clients two meet with a chance of one in two million."""
SLUG: Final = 24
_OPEN: Final = b"allocator: no key"
"""Key of file names where nothing is to be hidden: it keeps names apart, nothing more."""
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def load_key(path: str | os.PathLike[str]) -> bytes:
    """Read a key file; blank space around the key is no part of it.

    Parameters
    ----------
    path
        A file of at least `LEAST_KEY` bytes that nobody else has, such as one made with
        ``python -c "import secrets; print(secrets.token_hex(32))" > key``.

    Returns
    -------
    bytes
        The key.

    Raises
    ------
    ConfigError
        There is no such file, or the key in it is too short. The key itself is in no message.
    """
    try:
        key = Path(path).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"key file {os.fspath(path)!r}: {error.strerror or 'cannot be read'}") from None
    if len(key) < LEAST_KEY:
        raise ConfigError(
            f"key file {os.fspath(path)!r}: {len(key)} bytes, at least {LEAST_KEY} are needed; make one with "
            '`python -c "import secrets; print(secrets.token_hex(32))" > FILE` and keep it to yourself'
        )
    return key


def pseudonym(key: bytes, text: str, kind: str = "client") -> str:
    """Make the pseudonym of a text: the same for the same key, kind and text, such as ``P-4K2M7QXW3ABC``.

    Parameters
    ----------
    key
        From `load_key`.
    text
        What is hidden: a client's id, say.
    kind
        What it is. The same text as a ``client`` and as an ``advisor`` has two pseudonyms, which do not meet.
    """
    return f"P-{_letters(key, kind, text)[:LETTERS]}"


def file_stem(text: str, key: bytes | None = None, kind: str = "client") -> str:
    """Make the name of a file, without suffix, for whatever a client is called.

    Parameters
    ----------
    text
        A client's id or an advisor's name: ``../../x``, ``CON`` or 90 Chinese characters do no harm.
    key
        With one the name is the pseudonym alone; without, a slug of the text (small ASCII letters and digits, if any)
        and a hash that keeps names apart.
    kind
        As in `pseudonym`.
    """
    if key is not None:
        return pseudonym(key, text, kind).lower()
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:SLUG].strip("-")
    slug = kind if not slug or _RESERVED.fullmatch(slug) else slug
    return f"{slug}-{_letters(_OPEN, kind, text)[:8].lower()}"


def _letters(key: bytes, kind: str, text: str) -> str:
    message = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
    return base64.b32encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
