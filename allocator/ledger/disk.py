"""Files that are whole or absent, and one writer at a time."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from allocator.errors import InputError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 so that it is there as a whole or not at all, also after a loss of power."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync(path.parent)


@contextlib.contextmanager
def one_writer(folder: Path, wait: float) -> Iterator[None]:
    """Hold the lock of a folder; it falls with the process."""
    import fcntl

    until = time.monotonic() + wait
    with open(os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600), "wb") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    raise InputError("another process writes here; wait until it is done and run again") from None
                time.sleep(0.05)
        yield


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
