"""The loop of fuzzing: targets in turn, inputs made or changed, findings kept small; `run.py` starts it."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random

from fuzzing import Finding, Target, attempt, minimised
from mutations import mutated
from registry import TARGETS

KEPT = 400
"""Inputs of a target that are changed further, beside the corpus."""


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fresh(target: Target, pool: list[bytes], draw: Random) -> bytes:
    """The next input: made new, or one that is there changed."""
    if target.make is not None and (not pool or draw.random() < 0.7):
        data = target.make(draw)
        if draw.random() < 0.8:
            return data
    else:
        data = draw.choice(pool or [b""])
    if target.change is not None and draw.random() < 0.85:
        return target.change(data, draw)
    return mutated(data, pool, target.words, draw)


def chosen(patterns: list[str]) -> list[Target]:
    """Targets whose names fit one of the patterns; all where there is none."""
    found = [t for t in TARGETS.values() if not patterns or any(fnmatchcase(t.name, p) for p in patterns)]
    if not found:
        raise SystemExit(f"no such target; there are: {', '.join(TARGETS)}")
    return found


def guided(target: Target, minutes: float, out: Path) -> int:
    """Let atheris choose: inputs that reach new lines of the product are kept and changed further.

    It ends at the first finding, which is made small and written down.
    """
    import atheris

    pool = Path(tempfile.mkdtemp(prefix="pool-"))
    for i, data in enumerate(target.seeds()):
        (pool / str(i)).write_bytes(data)

    def once(data: bytes) -> None:
        found = attempt(target, data)
        if isinstance(found, Finding):
            _kept(found, target, out, set())
            raise RuntimeError(found.where)

    options = [f"-max_total_time={round(60 * minutes)}", "-max_len=16384", "-timeout=60", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(pool), *options], once)
    atheris.Fuzz()
    return 0


def main() -> int:
    """Run targets in turn, a quarter of a second each, and say what came of them."""
    parser = argparse.ArgumentParser(description="Fuzz readers and programme.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--target", action="append", default=[], help="name or pattern; repeat for several")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for findings; default a new one")
    parser.add_argument("--engine", choices=("random", "atheris"), default="random", help="atheris: one target")
    parser.add_argument("--list", action="store_true", help="name the targets")
    given = parser.parse_args()
    targets = chosen(given.target)
    if given.list:
        say("\n".join(t.name for t in targets))
        return 0
    logging.disable(logging.CRITICAL)
    out = given.out or Path(tempfile.mkdtemp(prefix="findings-"))
    out.mkdir(parents=True, exist_ok=True)
    if given.engine == "atheris":
        return guided(targets[0], given.minutes, out)
    draw = Random(given.seed)
    pools = {t.name: t.seeds() for t in targets}
    came: dict[str, Counter[str]] = {t.name: Counter() for t in targets}
    spent: Counter[str] = Counter()
    seen: set[str] = set()
    began, end = time.monotonic(), time.monotonic() + given.minutes * 60
    while time.monotonic() < end:
        for target in targets:
            turn = time.monotonic()
            while time.monotonic() < min(turn + 0.25, end):
                data = fresh(target, pools[target.name], draw)
                found = attempt(target, data)
                if isinstance(found, Finding):
                    came[target.name]["FINDING"] += 1
                    _kept(found, target, out, seen)
                    continue
                came[target.name][found] += 1
                if came[target.name][found] < 30 or draw.random() < 0.01:
                    pools[target.name] = (
                        [*pools[target.name], data][-KEPT:] if len(data) < 20_000 else pools[target.name]
                    )
            spent[target.name] += round((time.monotonic() - turn) * 1000)
    for name, counts in came.items():
        runs, seconds = sum(counts.values()), spent[name] / 1000
        say(f"{name:24} {runs:8} in {seconds:7.1f} s, {runs / max(seconds, 1e-9):7.1f} a second  {dict(counts)}")
    say(f"{sum(sum(c.values()) for c in came.values())} executions in {(time.monotonic() - began) / 60:.1f} minutes, "
          f"seed {given.seed}, {len(seen)} findings{f' in {out}' if seen else ''}")  # fmt: skip
    return 1 if seen else 0


def _kept(found: Finding, target: Target, out: Path, seen: set[str]) -> None:
    key = f"{found.target} {found.where}"
    if key in seen:
        return
    seen.add(key)
    small = minimised(target, found)
    name = f"{found.target}-{len(seen):03d}"
    (out / name).write_bytes(small)
    (out / f"{name}.txt").write_text(f"{found.where}\n\n{found.story}", "utf-8")
    say(f"FINDING {key}\n  {small[:300]!r}\n  {found.story.strip().splitlines()[-1][:300]}")
