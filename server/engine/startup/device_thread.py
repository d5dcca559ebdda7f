"""DeviceThread: the only thread of an engine on which PyTorch computes.

A second thread that computes makes libgomp start a second team of threads. From then on every barrier is slow: a
forward pass on a CPU takes two to three times as long, until the process ends.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class DeviceThread:
    """One thread, and the `lock` that engines on the same cores share. `call` holds the lock, `run` does not."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="device")
        self.lock: AbstractContextManager[object] = nullcontext()

    async def run(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a step on the thread, without the lock. For the event loop."""
        return await asyncio.wrap_future(self.pool.submit(step, *args, **kwargs))

    def call(self, step: Callable[[], Any]) -> Any:
        """Run a step on the thread, under the lock, and wait for its result. For other threads."""
        return self.pool.submit(self._locked, step).result()

    def _locked(self, step: Callable[[], Any]) -> Any:
        with self.lock:
            return step()
