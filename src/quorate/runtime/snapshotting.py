"""The snapshot process seen from the event loop: one at a time, killed when the node stops."""

import asyncio
import subprocess
from collections.abc import Callable

from quorate.runtime.home import Home
from quorate.runtime.snapshotter import COMMAND, Made, made_read


class Snapshotting:
    """Starts the process and hands on what it found."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.task: asyncio.Task[None] | None = None

    def begin(self, height: int, done: Callable[[int, Made], None]) -> None:
        """Start the process for a height, unless one is at work."""
        if self.task is None or self.task.done():
            self.task = asyncio.ensure_future(self.made(height, done))

    async def made(self, height: int, done: Callable[[int, Made], None]) -> None:
        """Wait for the process."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND, str(self.home.path), str(height),
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            raise
        done(height, made_read(output, process.returncode or 0))

    def stop(self) -> None:
        """Kill the process if it is at work."""
        if self.task is not None:
            self.task.cancel()
