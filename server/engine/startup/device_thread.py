"""DeviceThread: the one thread of an engine on which PyTorch computes.

With libgomp every barrier becomes slow once a second thread has brought a team of threads of its own: a forward pass on
a CPU then takes two to three times as long, and stays slow.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class DeviceThread:
    """The thread, and the `lock` that engines on the same cores share: each step of `call` holds it."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="device")
        self.lock: AbstractContextManager[object] = nullcontext()

    async def run(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a step on the thread without the lock, from the event loop."""
        return await asyncio.wrap_future(self.pool.submit(step, *args, **kwargs))

    def call(self, step: Callable[[], Any]) -> Any:
        """Run a step on the thread while it holds the lock, and wait for it; for other threads."""
        return self.pool.submit(self._locked, step).result()

    def _locked(self, step: Callable[[], Any]) -> Any:
        with self.lock:
            return step()
