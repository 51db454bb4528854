"""What must be seen to before a piece of work could run an array short.

Every kernel that emits much asks `shortage` before each piece and stops with its answer; the
machine sees to it and calls again (`machine._through`).
"""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.pools import nonces_used, positions_used
from quorate.execution.kernels.state import (
    COMPACT_NONCES,
    COMPACT_POSITIONS,
    DONE,
    DRAIN_EVENTS,
    EVENT_ROWS,
    GROW_MAPS,
    NONCE_CELLS,
    POSITION_CELLS,
)
from quorate.types.limits import (
    ORDERS_EXAMINED_PER_COMMAND_MAX,
    ORDERS_MAX,
    ORDERS_PER_ACCOUNT_MAX,
    PROTECTIONS_PER_COMMAND_MAX,
    QUOTE_LEVELS_MAX,
    TRIGGERS_PER_ACCOUNT_MAX,
)

i8 = np.int64
# Position cells that one command can take: two accounts, each moving to its largest extent.
CELLS_OF_COMMAND = 128
NONCE_CELLS_OF_BUNDLE = 16
# Orders that one command can rest: both sides of a mass quote's levels.
ORDERS_OF_COMMAND = 2 * QUOTE_LEVELS_MAX
# Events of a command besides those of the resting orders it looks at.
EVENTS_BESIDES = 8 + TRIGGERS_PER_ACCOUNT_MAX
assert EVENT_ROWS > EVENTS_BESIDES + ORDERS_EXAMINED_PER_COMMAND_MAX + (
    PROTECTIONS_PER_COMMAND_MAX * (ORDERS_PER_ACCOUNT_MAX + 1)
)


@helper
def events_of_command(s):
    """Most events of one command: an end for each order it looks at, and what protection pulls."""
    events = s.parameters[0]["orders_examined_per_command_max"] + EVENTS_BESIDES
    if s.ledger[0]["groups_high"]:
        of_account = i8(s.parameters[0]["orders_per_account_max"]) + 1
        events += PROTECTIONS_PER_COMMAND_MAX * of_account
    return events


@helper
def shortage(s, events):
    """What must be seen to before a command that emits up to `events`, or DONE."""
    if s.now[0]["events"] + events > EVENT_ROWS:
        return DRAIN_EVENTS
    orders = min(s.ledger[0]["orders_live"] + ORDERS_OF_COMMAND, ORDERS_MAX - 1)
    if 2 * orders > s.core[0]["map_mask"]:
        return GROW_MAPS
    if positions_used(s) + CELLS_OF_COMMAND > POSITION_CELLS:
        return COMPACT_POSITIONS
    if nonces_used(s) + NONCE_CELLS_OF_BUNDLE > NONCE_CELLS:
        return COMPACT_NONCES
    return DONE
