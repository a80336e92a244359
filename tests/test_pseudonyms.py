"""Pseudonyms and file names: stable, apart, harmless, and nothing without the key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.errors import ConfigError
from allocator.pseudonyms import LEAST_KEY, file_stem, load_key, pseudonym

KEY = b"0123456789abcdef"
HOSTILE = [
    "../../etc/passwd",
    "CON",
    "nul",
    "a\x00b",
    "<script>",
    "張" * 90,
    "",
    " ",
    "..",
    "=cmd|' /C calc'!A0",
    "\ud800",
]


def test_a_pseudonym_is_an_hmac_of_kind_and_text() -> None:
    digest = hmac.new(KEY, b"client\0" + "王喆".encode(), hashlib.sha256).digest()
    assert pseudonym(KEY, "王喆") == f"P-{base64.b32encode(digest).decode()[:12]}"
    assert pseudonym(KEY, "C001") != pseudonym(KEY, "C001", "advisor")
    assert pseudonym(KEY, "C001") != pseudonym(KEY + b"x", "C001")


def test_pseudonyms_do_not_meet() -> None:
    assert len({pseudonym(KEY, f"C{i}") for i in range(20_000)}) == 20_000


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("key", [None, KEY])
def test_a_file_name_is_harmless(text: str, key: bytes | None) -> None:
    stem = file_stem(text, key)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{5,40}", stem)
    assert not re.fullmatch(r"(?i)con|nul|aux|prn", stem)


@given(st.text(max_size=40), st.text(max_size=40))
def test_file_names_are_apart(one: str, two: str) -> None:
    assert (file_stem(one) == file_stem(two)) == (one == two)


def test_with_a_key_nothing_of_the_text_is_in_the_name() -> None:
    assert "zhang" in file_stem("Zhang San")
    assert "zhang" not in file_stem("Zhang San", KEY)


def test_key_files(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"  " + KEY + b"\n")
    assert load_key(path) == KEY
    path.write_bytes(b"secret")
    with pytest.raises(ConfigError, match=f"at least {LEAST_KEY}") as caught:
        load_key(path)
    assert "secret'" not in str(caught.value).replace("secrets", "")
    with pytest.raises(ConfigError, match="No such file"):
        load_key(tmp_path / "none")
