"""A system whose Nth call fails, to put in the place of `storage.CALLS`."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, BinaryIO

from allocator import storage


class KilledError(BaseException):
    """The process is gone: nothing in it runs any more, no cleaning up either."""


class Failing(storage.Calls):
    """Counts calls, and lets one of them fail; ``write`` counts too.

    Parameters
    ----------
    at
        The call that fails, from 1.
    number
        The error of the system.
    short
        Half of what a write was given reaches the disk before it fails.
    killed
        The process ends there: that call and all after it do nothing.
    """

    def __init__(self, at: int, number: int = errno.ENOSPC, *, short: bool = False, killed: bool = False) -> None:
        self.at, self.number, self.count = at, number, 0
        self.short, self.killed = short, killed

    @property
    def failing(self) -> bool:
        """Whether the next call fails."""
        return self.count + 1 == self.at or (self.killed and self.count + 1 > self.at)

    def step(self) -> None:
        failing, self.count = self.failing, self.count + 1
        if failing and self.killed:
            raise KilledError
        if failing:
            raise OSError(self.number, os.strerror(self.number))

    def create(self, path: Path, mode: int) -> BinaryIO:
        self.step()
        return Handle(super().create(path, mode), self)  # type: ignore[return-value]

    def sync(self, file: BinaryIO) -> None:
        self.step()
        super().sync(file)

    def replace(self, old: Path, new: Path) -> None:
        self.step()
        super().replace(old, new)

    def sync_directory(self, path: Path) -> None:
        self.step()
        super().sync_directory(path)

    def make_directory(self, path: Path) -> None:
        self.step()
        super().make_directory(path)

    def remove(self, path: Path) -> None:
        self.step()
        super().remove(path)

    def remove_directory(self, path: Path) -> None:
        self.step()
        super().remove_directory(path)


class Handle:
    """A file whose writes count."""

    def __init__(self, file: BinaryIO, calls: Failing) -> None:
        self.file, self.calls = file, calls

    def write(self, data: bytes) -> int:
        if self.calls.failing and self.calls.short:
            self.file.write(data[: len(data) // 2])
        self.calls.step()
        return self.file.write(data)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *found: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
