"""Files that are whole or absent, also when the Nth call to the system fails or the process is killed."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest
from conftest import ROOT
from faults import Failing, names

from allocator import storage
from allocator.errors import ConfigError, InputError, OutputError


def test_a_file_is_written(tmp_path: Path) -> None:
    storage.write_text(tmp_path / "a" / "b.txt", "金\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "金\n".encode()
    assert names(tmp_path) == ["a/b.txt"]


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_private_files_are_their_owners(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        storage.write_bytes(tmp_path / "open", b"1")
        storage.write_bytes(tmp_path / "closed", b"1", private=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "closed").stat().st_mode) == 0o600


def test_every_call_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever fails: the old file, or the new one, and nothing else."""
    reached = 0
    for at in range(1, 100):
        folder = tmp_path / str(at)
        folder.mkdir()
        (folder / "kept").write_bytes(b"old")
        failing = Failing(at)
        monkeypatch.setattr(storage, "CALLS", failing)
        message = ""
        try:
            storage.write_bytes(folder / "kept", b"new")
        except OutputError as error:
            message = str(error)
        monkeypatch.undo()
        assert names(folder) == ["kept"]
        if failing.count < at:
            break
        assert message.startswith("kept: ")
        assert "make room" in message
        reached = at
        assert (folder / "kept").read_bytes() in (b"old", b"new")
        storage.write_bytes(folder / "kept", b"again")
        assert (folder / "kept").read_bytes() == b"again"
    assert reached >= 5


def test_an_error_of_the_writer_passes_and_leaves_nothing(tmp_path: Path) -> None:
    def write(file: BinaryIO) -> None:
        file.write(b"half")
        raise KeyError("bug")

    with pytest.raises(KeyError):
        storage.write_whole(tmp_path / "x", write)
    assert names(tmp_path) == []


def test_a_missing_right_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "CALLS", Failing(2, errno.EACCES))
    with pytest.raises(OutputError, match="check the permissions"):
        storage.write_text(tmp_path / "x", "")


def test_json_there_and_back(tmp_path: Path) -> None:
    content = {"b": 1, "a": ["金", None]}
    storage.write_json(tmp_path / "m.json", content)
    assert storage.read_json(tmp_path / "m.json") == content
    assert storage.read_json(tmp_path / "none.json") is None
    for wrong in ("[1]", "{", "\udc80"):
        (tmp_path / "wrong.json").write_bytes(wrong.encode("utf-8", "surrogateescape"))
        with pytest.raises(InputError, match=r"wrong\.json"):
            storage.read_json(tmp_path / "wrong.json")
    with pytest.raises(ValueError, match="JSON"):
        storage.write_json(tmp_path / "nan.json", {"x": float("nan")})
    assert names(tmp_path) == ["m.json", "wrong.json"]


def test_fingerprints(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert storage.fingerprint(b"abc") == storage.fingerprint(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
    assert storage.fingerprint(b"ab", b"c") != storage.fingerprint(b"a", b"bc")
    with pytest.raises(InputError, match="none"):
        storage.fingerprint(tmp_path / "none")


def test_leftovers_of_killed_runs_go(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / f".x.parquet.0a{storage.PART}").write_bytes(b"half")
    (tmp_path / "deep" / "x.parquet").write_bytes(b"whole")
    assert storage.remove_parts(tmp_path) == 1
    assert names(tmp_path) == ["deep/x.parquet"]


# ---- one writer

HOLD = (
    "import sys, pathlib; from allocator.storage import one_writer\n"
    "with one_writer(pathlib.Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
)


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    other = holder(tmp_path / "out")
    try:
        with pytest.raises(ConfigError, match="out: another run"), storage.one_writer(tmp_path / "out"):
            pytest.fail("two writers")
    finally:
        other.communicate("")
    with storage.one_writer(tmp_path / "out"):
        pass
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_writer_holds_nothing(tmp_path: Path) -> None:
    other = holder(tmp_path)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with storage.one_writer(tmp_path):
        pass
    with storage.one_writer(tmp_path):
        pass


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="file"), storage.one_writer(tmp_path / "file"):
        pass
