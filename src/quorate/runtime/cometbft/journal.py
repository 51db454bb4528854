"""The log thread of a node under CometBFT: append, one sync, then let what stands behind it go.

A list of effects is one committed block's, in its order of durability. What waits is taken
together: records are appended, synced once, and then everything else is released in its order.
"""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quorate.replica.messages import Append, Halt, Stop, Sync
from quorate.runtime.errors import NodeHalted, NodeStopped
from quorate.runtime.files import LogFiles
from quorate.runtime.halt import Halt as HaltMarker
from quorate.runtime.halt import write_halt
from quorate.runtime.home import Home
from quorate.runtime.snapshotter import prune_plan
from quorate.storage.recovery import SnapshotFound
from quorate.storage.writer import Entry


@dataclass(frozen=True, slots=True)
class Last:
    """Nothing follows in the queue."""


@dataclass(frozen=True, slots=True)
class Prune:
    """Snapshots were made; what they make superfluous may go."""

    snapshots: tuple[SnapshotFound, ...]


class Journal:
    """The thread. released: called on it with what a sync has let go."""

    def __init__(
        self, home: Home, files: LogFiles, released: Callable[[list[Any]], None]
    ) -> None:
        self.home = home
        self.files = files
        self.released = released
        self.queue: queue.SimpleQueue[list[Any] | Prune | Last] = queue.SimpleQueue()
        self.cpu_ns = 0

    def run(self) -> None:
        """Carry lists out until Last. Raises StorageFailed, NodeHalted or NodeStopped."""
        last = False
        while not last:
            waiting = [self.queue.get()]
            while not self.queue.empty():
                waiting.append(self.queue.get())
            effects: list[Any] = []
            for part in waiting:
                if isinstance(part, Last):
                    last = True
                elif isinstance(part, Prune):
                    plan = prune_plan(self.home, part.snapshots)
                    self.files.prune(plan, self.home.config.archive)
                else:
                    effects += part
            self.carry_out(effects)
            self.cpu_ns = time.thread_time_ns()
        self.files.close()

    def carry_out(self, effects: list[Any]) -> None:
        """Append everything, sync once, then release the rest; a halt comes last."""
        entries = [Entry(e.kind, e.height, e.payload) for e in effects if isinstance(e, Append)]
        if entries:
            self.files.append(entries)
            self.files.sync()
        ends = [effect for effect in effects if isinstance(effect, Halt | Stop)]
        free = [it for it in effects if not isinstance(it, Append | Sync | Halt | Stop)]
        if free:
            self.released(free)
        for effect in ends:
            if isinstance(effect, Halt):
                marker = HaltMarker(effect.height, effect.digest, effect.reason)
                write_halt(self.home.path, marker)
                raise NodeHalted(f"Halted at height {effect.height}: {effect.reason}.")
            raise NodeStopped(f"Stopped: {effect.reason}.")
