"""Where a run keeps what in its directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class Places:
    """Paths in the directory of a run.

    Results lie in a directory for each table; everything that a finished run needs no more lies below ``work``.
    """

    out: Path

    @property
    def manifest(self) -> Path:
        """Written last: a run without it is not finished."""
        return self.out / MANIFEST

    @property
    def work(self) -> Path:
        """What only an unfinished run needs."""
        return self.out / ".work"

    @property
    def run(self) -> Path:
        """What this run is of."""
        return self.work / "run.json"

    @property
    def setting(self) -> Path:
        """How partitions are worked on."""
        return self.work / "setting.json"

    @property
    def split(self) -> Path:
        """What the split has put where; written when it is finished."""
        return self.work / "split.json"

    @property
    def raw(self) -> Path:
        """The raw tables of the partitions."""
        return self.work / "in"

    def done(self, p: int) -> Path:
        """Record of a finished partition; written after its files."""
        return self.work / "done" / f"{p:05d}.json"

    def issues(self, p: int) -> Path:
        """Issues of a partition."""
        return self.work / "issues" / f"{p:05d}.parquet"

    def part(self, table: str, p: int) -> Path:
        """Results of a partition."""
        return self.out / table / f"part-{p:05d}.parquet"
