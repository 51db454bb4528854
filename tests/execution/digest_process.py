"""Run a few worlds in lockstep and print one digest over every event and state.

python tests/execution/digest_process.py SEED...
"""

import hashlib
import random
import sys

import numpy as np

from quorate.execution.machine import genesis_image
from quorate.sim.execution_fuzz import Lockstep
from quorate.sim.execution_world import World

BLOCKS = 14


def digest(seed: int) -> str:
    """Digest of a world's first blocks; both machines have agreed on each."""
    world = World(seed)
    lockstep = Lockstep(genesis_image(world.genesis), random.Random(seed))
    total = hashlib.sha256()
    for _ in range(BLOCKS):
        lockstep.vary()
        events = lockstep.step(world.block(lockstep.spec.tables))
        total.update(events.tobytes())
        for part in lockstep.before:
            total.update(part.rows.tobytes() + part.tail)
    return total.hexdigest()


if __name__ == "__main__":
    # Without machine code an int64 that overflows is an error, not a silent wrap.
    np.seterr(over="raise")
    for argument in sys.argv[1:]:
        print(digest(int(argument)))
