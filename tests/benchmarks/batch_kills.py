"""Kill -9 at twenty random moments, gone on with each time, equal bytes: ``python tests/benchmarks/batch_kills.py``."""

from __future__ import annotations

import hashlib
import importlib.util
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KILLS, CLIENTS, SEED = 20, 2_000, 20260930
RUN = """
import sys, datetime as dt
import allocator as al
al.batch(sys.argv[1], sys.argv[2], on=dt.date(2026, 9, 30), plan=False, workers=2, partition_size=40, csv=True,
         resume="resume" in sys.argv)
"""


def content(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that is neither below the work folder nor half written."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and ".work" not in p.parts]
    names = {p.relative_to(folder).as_posix(): p for p in files if p.name != ".lock" and not p.name.endswith(".part")}
    return {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in names.items()}


def start(book: Path, out: Path) -> subprocess.Popen[bytes]:
    """Begin a run, or go on with it."""
    resume = ["resume"] if (out / ".work" / "run.json").exists() else []
    return subprocess.Popen([sys.executable, "-c", RUN, str(book), str(out), *resume], cwd=ROOT)


def main() -> int:
    """Make a book, run it undisturbed, then with kills, and compare."""
    spec = importlib.util.spec_from_file_location("make_big_book", ROOT / "data" / "make_big_book.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = maker
    spec.loader.exec_module(maker)
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as place:
        book, out = Path(place) / "book", Path(place) / "out"
        maker.write(book, CLIENTS)
        began = time.perf_counter()
        assert start(book, Path(place) / "whole").wait() == 0
        whole, seconds = content(Path(place) / "whole"), time.perf_counter() - began
        kills, moments = 0, []
        while kills < KILLS:
            process, began = start(book, out), time.perf_counter()
            wait = rng.uniform(0.3, 1.1) * min(seconds, 8)
            while process.poll() is None and time.perf_counter() - began < wait:
                time.sleep(0.002)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                moments.append(len(list(out.glob(".work/done/*.json"))))
                torn = {n for n, h in content(out).items() if whole.get(n) != h}
                assert not torn, f"torn: {torn}"
            elif (out / "manifest.json").exists():  # it came to its end: compare, and begin anew
                assert content(out) == whole
                out = out.with_name(f"{out.name}x")
        assert start(book, out).wait() == 0
        assert content(out) == whole
    sys.stdout.write(
        f"{kills} kills with {moments} partitions done; {len(whole)} files equal; undisturbed {seconds:.1f} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
