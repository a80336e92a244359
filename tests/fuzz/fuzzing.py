"""Targets of fuzzing, one guarded execution of a target, and what a finding is; inputs are always bytes."""

from __future__ import annotations

import gc
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

from allocator.errors import AllocatorError

CORPUS: Final = Path(__file__).parent / "corpus"
"""One folder per target: its seeds, and every input that was a finding once."""
SLOW: Final = 10.0
"""Seconds of processor time after which a small input hangs."""
HUNGRY: Final = 1 << 30
"""Bytes by which one small input may raise the largest memory of the process."""
SECRETS: Final = ("Zephyrine", "金镶玉", "7391846", "FTSECRET")
"""Names and amounts of the seeds that must be in no message."""
REFUSED: Final = "refused"


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes
    ----------
    name
        As on the command line, and the folder of its corpus.
    check
        Runs the product on an input; returns what came of it (``read``, ``refused``, …), raises AssertionError where a
        promise is broken. Errors of the house's own count as a refusal where `refuses` is true.
    make
        A fresh input at random; None: only what the corpus has is changed.
    change
        Another way to change an input, beside bytes.
    shrink
        Smaller inputs of the same kind, beside pieces of bytes left out.
    words
        Pieces that are put in.
    refuses
        Whether the house's own errors are an answer.
    warm
        What is done once before the clock counts: compiling, say.
    more
        Files elsewhere that are seeds too, where they are there.
    """

    name: str
    check: Callable[[bytes], str]
    make: Callable[[Random], bytes] | None = None
    change: Callable[[bytes, Random], bytes] | None = None
    shrink: Callable[[bytes], Iterator[bytes]] | None = None
    words: tuple[bytes, ...] = ()
    refuses: bool = True
    warm: Callable[[], object] | None = None
    more: tuple[Path, ...] = ()

    def seeds(self) -> list[bytes]:
        """Inputs that are kept."""
        return [p.read_bytes() for p in (*self.kept(), *self.more) if p.is_file()]

    def kept(self) -> list[Path]:
        """Files of the corpus."""
        return sorted((CORPUS / self.name).glob("*"))


@cache
def folder() -> Path:
    """A folder of this process for the file that is read."""
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


def put(name: str, data: bytes) -> Path:
    path = folder() / name
    path.write_bytes(data)
    return path


@dataclass(frozen=True)
class Finding:
    """A broken promise: where, what, and the input."""

    target: str
    where: str
    story: str
    data: bytes


class _HangError(BaseException):
    """Not an Exception, so that no handler of the product takes it for its own."""


def attempt(target: Target, data: bytes) -> str | Finding:
    """Run a target once: what came of it, or the finding that it is.

    A finding is an exception that is not the house's own, a broken promise, a warning (it would stand on a user's
    terminal), a private word in the printed error, more than `SLOW` seconds or `HUNGRY` bytes.
    """
    if target.warm is not None:
        target.warm()
    before = _most_memory()
    try:
        with warnings.catch_warnings(), _no_longer_than(SLOW):
            warnings.simplefilter("error")
            came = target.check(data)
    except AllocatorError as error:
        if not target.refuses:
            return _finding(target, data, error)
        told = private(error)
        if told:
            return Finding(target.name, f"private: {_place(error)}", told, data)
        came = REFUSED
    except (Exception, _HangError, RecursionError) as error:  # noqa: BLE001
        return _finding(target, data, error)
    if _most_memory() - before > HUNGRY:
        gc.collect()
        return Finding(target.name, "memory", f"{_most_memory() - before} bytes more", data)
    return came


def private(error: AllocatorError) -> str:
    """Why the printed error is wrong: it holds a private word, or nothing; empty where it is right.

    Words of the header line may be quoted: they are no client's.
    """
    message = str(error)
    if not message.strip():
        return "an error without a message"
    if any(known in message for known in ("headers found", "both mean", "columns named")):
        return ""
    shown = "".join(traceback.format_exception(error))
    found = [word for word in SECRETS if word in shown]
    return f"{', '.join(found)} in: {shown}" if found else ""


def _finding(target: Target, data: bytes, error: BaseException) -> Finding:
    story = "".join(traceback.format_exception(error))
    return Finding(target.name, f"{type(error).__name__}: {_place(error)}", story, data)


def _place(error: BaseException) -> str:
    """The last line of the product in the traceback, else the last line at all: what makes two findings the same."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/allocator/" in f.filename.replace("\\", "/") and "/tests/" not in f.filename]
    last = [*frames[-1:], *own[-1:]][-1:]
    found = f"{Path(last[0].filename).name}:{last[0].name}" if last else "?"
    broken = f" ({frames[-1].name}:{frames[-1].lineno})" if isinstance(error, AssertionError) and frames else ""
    return found + broken


def _most_memory() -> int:
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


@contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    """Stop what takes longer: processor time, so that other work on the machine does not count, or waits ten times."""

    def stop(_: int, __: FrameType | None) -> None:
        raise _HangError(f"more than {seconds} seconds")

    clocks = ((signal.SIGPROF, signal.ITIMER_PROF, seconds), (signal.SIGALRM, signal.ITIMER_REAL, 10 * seconds))
    usual = [signal.signal(number, stop) for number, _, _ in clocks]
    for _, timer, limit in clocks:
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for (number, timer, _), handler in zip(clocks, usual, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def minimised(target: Target, finding: Finding, tries: int = 400) -> bytes:
    """Find a smaller input that is the same finding: pieces are left out while that can be done."""
    best, left = finding.data, tries

    def same(data: bytes) -> bool:
        found = attempt(target, data)
        return isinstance(found, Finding) and found.where == finding.where

    progress = True
    while progress and left > 0:
        progress = False
        for smaller in _smaller(target, best):
            left -= 1
            if len(smaller) < len(best) and same(smaller):
                best, progress = smaller, True
                break
            if left <= 0:
                break
    return best


def _smaller(target: Target, data: bytes) -> Iterator[bytes]:
    if target.shrink is not None:
        yield from target.shrink(data)
        return
    lines = data.splitlines(keepends=True)
    for i in range(len(lines)):
        yield b"".join(lines[:i] + lines[i + 1 :])
    size = len(data) // 2
    while size >= 1:
        for at in range(0, len(data), size):
            yield data[:at] + data[at + size :]
        size //= 2
