"""On Dask: the same bytes, and a worker that is killed loses nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from batches import CHECK, content
from conftest import SAMPLE

import allocator as al
from allocator.errors import ConfigError

distributed = pytest.importorskip("distributed", reason="Dask is not installed")


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_worker_killed_loses_nothing(tmp_path: Path) -> None:
    al.batch(SAMPLE, tmp_path / "here", **{**CHECK, "partition_size": 1})
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    out, killed = tmp_path / "out", []

    def kill() -> None:
        while not list(out.glob(".work/done/0000*.json")):
            time.sleep(0.01)
        pid = next(iter(cluster.workers.values())).pid
        os.kill(pid, signal.SIGKILL)
        killed.append(len(list(out.glob(".work/done/*.json"))))

    thread = threading.Thread(target=kill)
    with cluster:
        thread.start()
        options = {**CHECK, "partition_size": 1}
        al.batch(SAMPLE, out, **options, engine="dask", scheduler=cluster.scheduler_address)
        thread.join()
    assert killed[0] < 24, "killed too late to prove anything"
    assert content(out) == content(tmp_path / "here")


def test_no_scheduler_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError("Timed out")

    monkeypatch.setattr("dask.distributed.Client", refuses)
    with pytest.raises(ConfigError, match="no Dask scheduler answers"):
        al.batch(SAMPLE, tmp_path / "out", **CHECK, engine="dask", scheduler="tcp://127.0.0.1:1")
