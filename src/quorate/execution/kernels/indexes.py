"""Kernels around a block: the order of its bundles, and the derived indexes of the tables."""

import numba
import numpy as np

from quorate.compiled import kernel
from quorate.execution.kernels.maps import order_index
from quorate.execution.kernels.rows import (
    account_index,
    level_index,
    nonces_index,
    session_index,
)
from quorate.execution.kernels.signatures import BUNDLES, COMMANDS, INT64S, RECORD
from quorate.types.codes import Flag, Op

i8 = np.int64
POST_ONLY = int(Flag.POST_ONLY)
OP_PLACE, OP_CANCEL, OP_CANCEL_CLIENT = int(Op.PLACE), int(Op.CANCEL), int(Op.CANCEL_CLIENT)
OP_CANCEL_ALL, OP_MODIFY = int(Op.CANCEL_ALL), int(Op.MODIFY)
OP_MODIFY_CLIENT = int(Op.MODIFY_CLIENT)
OP_QUOTE, OP_GROUP = int(Op.QUOTE), int(Op.SET_GROUP)


@kernel(numba.types.void(BUNDLES, COMMANDS, INT64S))
def bundle_classes(bundles, commands, classes):
    """Highest class of each bundle: 0 touches no book, 1 cancels, 2 can only rest, 3 the rest."""
    for index in range(bundles.shape[0]):
        bundle = bundles[index]
        highest = i8(0)
        for at in range(bundle["first"], bundle["first"] + bundle["count"]):
            op = i8(commands[at]["op"])
            own = i8(0)
            if op in (OP_PLACE, OP_MODIFY, OP_MODIFY_CLIENT):
                own = i8(2) if commands[at]["flags"] & POST_ONLY else i8(3)
            elif op == OP_QUOTE:
                own = i8(2)
            elif op in (OP_CANCEL, OP_CANCEL_CLIENT, OP_CANCEL_ALL, OP_GROUP):
                own = i8(1)
            if own > highest:
                highest = own
        classes[index] = highest


@kernel(numba.types.void(RECORD))
def maps_grow(s):
    """Double the used part of the order maps and fill it again."""
    mask = 2 * s.core[0]["map_mask"] + 1
    s.core[0]["map_mask"] = mask
    for at in range(mask + 1):
        s.id_map[at] = 0
        s.client_map[at] = 0
    for slot in range(1, s.ledger[0]["orders_high"]):
        if s.orders[slot]["order_id"]:
            order_index(s, slot)


@kernel(numba.types.void(RECORD))
def rebuild(s):
    """Build every derived index of freshly loaded tables; the order maps have room already."""
    ledger = s.ledger[0]
    for slot in range(1, ledger["orders_high"]):
        if s.orders[slot]["order_id"]:
            order_index(s, slot)
    for slot in range(1, ledger["levels_high"]):
        if s.levels[slot]["head"]:
            level_index(s, slot)
    for slot in range(ledger["accounts_high"]):
        account_index(s, slot)
    for slot in range(ledger["sessions_high"]):
        if slot == 0 or s.sessions[slot]["live"]:
            session_index(s, slot)
    for slot in range(ledger["nonces_high"]):
        if slot == 0 or s.nonces[slot]["count"]:
            nonces_index(s, slot)
