"""A system whose Nth call fails, to put in the place of `storage.CALLS`."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, BinaryIO

from allocator import storage


class Failing(storage.Calls):
    """Counts calls, and lets one of them fail; ``write`` counts too."""

    def __init__(self, at: int, number: int = errno.ENOSPC) -> None:
        self.at, self.number, self.count = at, number, 0

    def step(self) -> None:
        self.count += 1
        if self.count == self.at:
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
