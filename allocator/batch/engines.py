"""Who works on the partitions: this process, several processes, or Dask. What goes there and back is small.

Light on purpose: a new process loads this before anything else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, Final, Protocol, TypeVar

from allocator.errors import ConfigError, SolveError

Task = Callable[..., dict[str, Any]]
T = TypeVar("T")
ENGINES: Final = ("local", "dask")
TRIES: Final = 3
"""How often a partition is begun before one whose process dies is given up."""
ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What keeps numerical libraries from starting threads of their own in every process."""


class Engine(Protocol):
    """Does one task, or one for each partition."""

    def once(self, task: Task, *args: Any) -> dict[str, Any]:
        """Do one task."""

    def each(self, task: Task, args: Sequence[Any], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Do a task for every number, ``task(*args, number)``; records come as they are done."""


class Here:
    """One after the other, in this process."""

    def once(self, task: Task, *args: Any) -> dict[str, Any]:
        """Do it."""
        return task(*args)

    def each(self, task: Task, args: Sequence[Any], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Do them in turn."""
        for number in numbers:
            yield task(*args, number)


class Processes(Here):
    """Several processes on this machine; they end with this one, however it ends."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def each(self, task: Task, args: Sequence[Any], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Do them side by side; when a process dies, what it had is begun again.

        Raises
        ------
        SolveError
            A process died every time.
        """
        from concurrent.futures.process import BrokenProcessPool

        left, deaths = list(numbers), 0
        while left:
            try:
                for record in self._round(task, args, tuple(left)):
                    left.remove(int(record["partition"]))
                    yield record
            except BrokenProcessPool as error:
                deaths += 1
                if deaths == TRIES:
                    raise SolveError(
                        f"a process ended {TRIES} times, probably for want of memory; what is done is kept: go on with "
                        "--resume and fewer --workers, or begin anew with a smaller --partition-size"
                    ) from error

    def _round(self, task: Task, args: Sequence[Any], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        yield from side_by_side(self.workers, task, [(*args, n) for n in numbers])


def side_by_side(workers: int, task: Callable[..., T], jobs: Sequence[Sequence[Any]]) -> Iterator[T]:
    """Do ``task(*job)`` for every job in processes of their own; results come as they are done.

    Raises
    ------
    concurrent.futures.process.BrokenProcessPool
        A process died.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # never fork: solvers and Arrow have threads of their own
    context = multiprocessing.get_context("spawn")
    watched, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context, initializer=_begin, initargs=(watched,))
    try:
        with _nameless_main():
            futures = [pool.submit(task, *job) for job in jobs]
        for future in as_completed(futures):
            yield future.result()
        pool.shutdown()
    finally:
        held.close()  # processes that still work end at this
        pool.shutdown(cancel_futures=True)
        watched.close()


@contextlib.contextmanager
def _nameless_main() -> Iterator[None]:
    """Keep new processes from running the user's script once more: they need nothing of it."""
    usual = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = usual


def _begin(watched: Any) -> None:
    """Begin a process: no threads of libraries, Ctrl-C is for the first process, and the end when that one is gone."""
    os.environ |= dict.fromkeys(ONE_THREAD, "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        with contextlib.suppress(EOFError, OSError):
            watched.recv()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Dask:
    """A Dask cluster: its workers read and write storage themselves.

    Parameters
    ----------
    client
        A `dask.distributed.Client`.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def once(self, task: Task, *args: Any) -> dict[str, Any]:
        """Do it on a worker."""
        done: dict[str, Any] = self.client.submit(task, *args, pure=False, retries=TRIES - 1).result()
        return done

    def each(self, task: Task, args: Sequence[Any], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Do them on all workers; what a dead worker had, another one does."""
        from dask import distributed

        dask: Any = distributed  # without types of its own
        futures = [self.client.submit(task, *args, n, pure=False) for n in numbers]
        try:
            for future in dask.as_completed(futures):
                yield future.result()
        except dask.KilledWorker as error:
            raise SolveError(
                "a worker of the cluster ended again and again, probably for want of memory; what is done is kept: "
                "go on with --resume, or begin anew with a smaller --partition-size"
            ) from error
        finally:
            self.client.cancel(futures)


def check(name: str, scheduler: str | None) -> None:
    """Refuse an unknown engine, and a scheduler without Dask, with a `ConfigError`."""
    if name not in ENGINES:
        raise ConfigError(f"unknown engine '{name}'; allowed: {', '.join(ENGINES)}")
    if name == "local" and scheduler is not None:
        raise ConfigError("a scheduler goes with engine dask (--engine dask)")


@contextlib.contextmanager
def engine_of(name: str, workers: int, scheduler: str | None) -> Iterator[Engine]:
    """Open an engine.

    Parameters
    ----------
    name
        ``local`` or ``dask``.
    workers
        Processes on this machine; not used with a scheduler.
    scheduler
        Address of a Dask scheduler; None makes a cluster of this machine.

    Raises
    ------
    ConfigError
        An unknown engine, a scheduler without Dask, or Dask is not installed.
    """
    check(name, scheduler)
    if name == "local":
        yield Processes(workers) if workers > 1 else Here()
        return
    try:
        from dask import distributed
    except ImportError:
        raise ConfigError("Dask is not installed; pip install 'allocator[dask]'") from None
    dask: Any = distributed  # without types of its own
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            cluster = dask.LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)
            scheduler = stack.enter_context(cluster)
        try:
            client = stack.enter_context(dask.Client(scheduler, timeout=20))
        except OSError as error:
            raise ConfigError(f"no Dask scheduler answers at {scheduler}; check the address") from error
        yield Dask(client)
