"""What a run is to do, as plain data that any process can be given."""

from __future__ import annotations

import datetime as dt
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from allocator import __version__
from allocator.assumptions import Assumptions
from allocator.errors import ConfigError
from allocator.framework import Framework
from allocator.storage import fingerprint

PARTITION: Final = 10_000
"""Clients in a partition."""
MADE_WITH: Final = ("numpy", "pandas", "pyarrow", "scipy", "clarabel")
"""Packages whose versions may change a last digit or a byte."""
TOLD: Final = ("band", "plan", "explain", "allow_unclassified")


@dataclass(frozen=True)
class Setting:
    """How every partition is worked on.

    Attributes
    ----------
    framework, assumptions
        As `allocator.analyze` takes them, loaded.
    on
        Day of the analysis.
    band
        One risk band for every client, over what the book says.
    plan
        Plan trades, not only check.
    explain
        Price what holds each plan back.
    allow_unclassified
        As for `allocator.rebalance`.
    """

    framework: Framework
    assumptions: Assumptions
    on: dt.date
    band: str | None = None
    plan: bool = True
    explain: bool = False
    allow_unclassified: bool = False

    def __post_init__(self) -> None:
        if self.explain and not self.plan:
            raise ConfigError("explain needs plans; leave out check_only (--check-only), or explain (--explain)")

    def told(self) -> dict[str, Any]:
        """Everything but framework and assumptions, as plain words."""
        return {"on": self.on.isoformat()} | {name: getattr(self, name) for name in TOLD}

    def to_json(self) -> dict[str, Any]:
        """Write it down; `from_json` gives the same back."""
        parts = {k: json.loads(getattr(self, k).model_dump_json(by_alias=True)) for k in ("framework", "assumptions")}
        return parts | self.told()

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Setting:
        """Read what `to_json` wrote."""
        return cls(
            **dict(content)
            | {
                "framework": Framework.model_validate_json(json.dumps(content["framework"])),
                "assumptions": Assumptions.model_validate_json(json.dumps(content["assumptions"])),
                "on": dt.date.fromisoformat(content["on"]),
            }
        )


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    found = {"allocator": __version__, "python": platform.python_version()}
    return found | {name: version(name) for name in MADE_WITH}


def prints(setting: Setting) -> dict[str, str]:
    """Fingerprints of framework and assumptions."""
    parts = setting.to_json()
    return {
        name: fingerprint(json.dumps(parts[name], sort_keys=True, ensure_ascii=False).encode())
        for name in ("framework", "assumptions")
    }
