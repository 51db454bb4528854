"""The bytes that rivals replicate: commands of our own mixed flow, unsigned.

They compress well (ten to one), which favours a rival that compresses what it sends: on random
bytes PySyncObj gives an eighth of its records.
"""

import numpy as np

from quorate.sim.flow import Flow
from quorate.types.limits import COMMAND_BYTES

RECORD_BYTES = COMMAND_BYTES
BUNDLES = 160
BUNDLE = 50
MARKETS = 8


def pool() -> bytes:
    """8,000 records in a row, the same on every call; more than a deflate window holds."""
    addresses = np.zeros((BUNDLES, 20), np.uint8)
    commands = Flow(1, addresses, MARKETS, 1).block(BUNDLES, BUNDLE).commands
    return bytes(commands.tobytes())
