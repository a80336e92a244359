"""Files that are whole or absent: written beside their place, synced, then renamed; one writer to a directory.

Every call to the operating system goes through `CALLS`, so that a test can let the Nth one fail.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from allocator.errors import ConfigError, InputError, OutputError

PART: Final = ".part"
"""Ending of a file that is being written; what a killed run leaves behind has it, see `remove_parts`."""
LOCK: Final = ".lock"
PRIVATE: Final = 0o600
SHARED: Final = 0o666
"""Modes of new files, before the user's umask."""
PIECE: Final = 1 << 22
_ROOM, _RIGHTS = "make room", "check the permissions, or give another directory,"
MENDS: Final[Mapping[int, str]] = {
    errno.ENOSPC: _ROOM,
    errno.EFBIG: _ROOM,
    getattr(errno, "EDQUOT", errno.ENOSPC): _ROOM,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
}
"""What to do about an error of the system."""


class Calls:
    """The operating system, as far as writing needs it."""

    def create(self, path: Path, mode: int) -> BinaryIO:
        """Open a new file for writing; one that is there already is an error."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        return cast("BinaryIO", os.fdopen(os.open(path, flags, mode), "wb"))

    def sync(self, file: BinaryIO) -> None:
        """Bring what was written to the disk."""
        file.flush()
        os.fsync(file.fileno())

    def replace(self, old: Path, new: Path) -> None:
        """Give a file its name, in one step."""
        os.replace(old, new)

    def sync_directory(self, path: Path) -> None:
        """Bring a directory's list of names to the disk, where the system can."""
        if os.name == "nt":
            return
        found = os.open(path, os.O_RDONLY)
        try:
            os.fsync(found)
        finally:
            os.close(found)

    def make_directory(self, path: Path) -> None:
        """Make a directory and those above it; one that is there is no error."""
        path.mkdir(parents=True, exist_ok=True)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone is no error."""
        path.unlink(missing_ok=True)

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        path.rmdir()


CALLS: Calls = Calls()
"""What is called; a test puts something else here."""


def write_whole(path: Path, write: Callable[[BinaryIO], object], *, private: bool = False) -> None:
    """Write a file so that it is there whole or not at all, whatever happens meanwhile.

    Parameters
    ----------
    path
        The file; one of this name is replaced in one step. Directories above it are made.
    write
        Writes everything to the open binary file it is given.
    private
        Only the owner may read it (mode 0600).

    Raises
    ------
    OutputError
        The system refuses, say because the disk is full; nothing new is there then. Errors of ``write`` itself that
        are no `OSError` pass unchanged, and leave nothing either.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}{PART}")
    try:
        CALLS.make_directory(path.parent)
        try:
            with CALLS.create(part, PRIVATE if private else SHARED) as file:
                write(file)
                CALLS.sync(file)
            CALLS.replace(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                CALLS.remove(part)
            raise
        CALLS.sync_directory(path.parent)
    except OSError as error:
        raise _refused(path, error) from error


def write_bytes(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write bytes as `write_whole` does."""
    write_whole(path, lambda file: file.write(data), private=private)


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Write text as UTF-8, line ends as they are, as `write_whole` does."""
    write_bytes(path, text.encode("utf-8"), private=private)


def write_json(path: Path, content: Mapping[str, Any], *, private: bool = False) -> None:
    """Write a small JSON object: keys in the order given, the same bytes for the same content.

    Raises
    ------
    ValueError
        NaN or infinity, which JSON has not.
    OutputError
        As for `write_whole`.
    """
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    write_text(path, text, private=private)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no such file.

    Raises
    ------
    InputError
        It cannot be read, or is no JSON object.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: cannot be read as a JSON object; remove it, or give another directory")
    return content


def remove_parts(directory: Path) -> int:
    """Remove what killed runs left half written, in a directory and below; only its one writer may.

    Returns
    -------
    int
        Number of files removed.
    """
    found = sorted(Path(directory).rglob(f".*{PART}"))
    try:
        for path in found:
            CALLS.remove(path)
    except OSError as error:
        raise _refused(Path(directory), error) from error
    return len(found)


def remove_tree(directory: Path) -> None:
    """Remove a directory and all below it; one that is gone is no error.

    Raises
    ------
    OutputError
        The system refuses.
    """
    directory = Path(directory)
    try:
        for path in sorted(directory.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                CALLS.remove_directory(path)
            else:
                CALLS.remove(path)
        if directory.exists():
            CALLS.remove_directory(directory)
    except OSError as error:
        raise _refused(directory, error) from error


def fingerprint(*parts: bytes | str | os.PathLike[str]) -> str:
    """SHA-256 of bytes and files, as hexadecimal text.

    Parameters
    ----------
    *parts
        Bytes as they are; paths stand for what the files hold, their names do not count. One part alone gives its own
        SHA-256, as ``sha256sum`` prints it; of several, the digest of their digests in this order.

    Raises
    ------
    InputError
        A file cannot be read.
    """
    digests = [_digest(part) for part in parts]
    return digests[0].hex() if len(digests) == 1 else hashlib.sha256(b"".join(digests)).hexdigest()


def _digest(part: bytes | str | os.PathLike[str]) -> bytes:
    if isinstance(part, bytes):
        return hashlib.sha256(part).digest()
    path = Path(part)
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                total.update(piece)
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read; check that it is there, and the permissions") from error
    return total.digest()


@contextlib.contextmanager
def one_writer(directory: Path) -> Iterator[None]:
    """Keep every other writer out of a directory, which is made if need be.

    The lock is the operating system's: it goes when the process goes, however it ends.

    Raises
    ------
    ConfigError
        Somebody else is writing there.
    OutputError
        The directory cannot be made or written to.
    """
    directory = Path(directory)
    path = directory / LOCK
    try:
        CALLS.make_directory(directory)
        held = _locked(path)
    except OSError as error:
        raise _refused(directory, error) from error
    if held is None:
        raise ConfigError(
            f"{directory.name}: another run is writing to this directory; wait until it ends, or give another one"
        )
    try:
        yield
    finally:
        if os.name != "nt":  # there an open file cannot be removed, and stays for the next run
            path.unlink(missing_ok=True)
        os.close(held)


def _refused(path: Path, error: OSError) -> OutputError:
    mend = MENDS.get(error.errno or 0, "check the disk")
    return OutputError(f"{path.name}: {error.strerror or type(error).__name__}; {mend} and run it again")


def _locked(path: Path) -> int | None:
    """Open and lock a file; None when somebody else has it."""
    while True:
        found = os.open(path, os.O_CREAT | os.O_RDWR, SHARED)
        if not _try_lock(found):
            os.close(found)
            return None
        if _same_file(found, path):
            return found
        os.close(found)  # the one before us removed it between our two steps: what we hold has no name any more


def _same_file(found: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(found), os.stat(path))
    except FileNotFoundError:
        return False


def _try_lock(found: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        lock: Any = msvcrt
        try:
            lock.locking(found, lock.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
