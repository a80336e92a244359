"""Every input that was a finding once stays none, and a few more at random; run.py goes on for as long as wanted."""

from __future__ import annotations

import zlib
from random import Random

import pytest
from fuzzing import CORPUS, Finding, Target, attempt
from loop import fresh
from registry import TARGETS

FEW = 2
"""Inputs made at random for each target, the same in every run."""
LARGEST = 32 << 10
"""Bytes of a file of the corpus."""


def sound(target: Target, data: bytes) -> str:
    found = attempt(target, data)
    assert not isinstance(found, Finding), f"{found.where}\n{found.story}"
    return found


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_corpus_holds_no_finding(target: Target) -> None:
    """All that is kept for a target; of it at least one input is read and not refused."""
    came = {path.name: sound(target, path.read_bytes()) for path in target.kept()}
    came |= {path.name: sound(target, path.read_bytes()) for path in target.more[:1] if path.is_file()}
    if target.make is not None:
        came["made"] = sound(target, target.make(Random(1)))
    assert came, f"no corpus for {target.name}"


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_few_inputs_at_random(target: Target) -> None:
    draw, pool = Random(zlib.crc32(target.name.encode())), target.seeds()
    for _ in range(FEW):
        sound(target, fresh(target, pool, draw))


def test_the_corpus_is_small_and_all_of_it_is_used() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} <= set(TARGETS)
    assert all(path.stat().st_size <= LARGEST for path in files)
    assert sum(path.stat().st_size for path in files) < 1 << 19
