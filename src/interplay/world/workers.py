"""Work done by several processes, its results handed out in order: who takes them cannot tell how many there were."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from interplay.core.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

# So many results per process may wait for their turn; more would fill the memory when taking them is slow.
_AHEAD = 2


def in_order(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Generator[Result, None, None]:
    """``work`` of every item in the order of ``items``, done by ``workers`` processes (1: by this one).

    ``work`` is pickled by its name: a function of a module, or a partial of one. Close the generator when it is left
    early; then nothing more is begun, and what was begun is waited for.
    """
    if workers == 1:
        yield from map(work, items)
        return
    # Fresh processes: a fork of this one would take along locks that its other threads hold.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        cure = "run the same command again with fewer; finished work is kept"
        problem = "a process was killed, most likely because the memory is full"
        raise InputError(problem, where=f"--workers {workers}", cure=cure) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Set up a worker: Ctrl-C is for the process that takes the results, and when that one is gone so is this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
