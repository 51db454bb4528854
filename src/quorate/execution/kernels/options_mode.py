"""An account chooses how its options are margined; the same as `spec.options_mode`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.margin import bucket_entry
from quorate.types.codes import Reject
from quorate.types.records import POSITION_ISOLATED

i8 = np.int64
CROSS = 0
OK, OWNER_ONLY = int(Reject.OK), int(Reject.OWNER_KEY_REQUIRED)
MORE_MARGIN = int(Reject.MARGIN_MODE_NEEDS_MORE_MARGIN)


@helper
def margin_mode(s, mode):
    """Change the way of margin where every bucket meets its initial margin then; see the spec."""
    now = s.now[0]
    if now["session"]:
        return OWNER_ONLY
    account = now["account"]
    row = s.accounts[account]
    before = i8(row["margin_mode"])
    row["margin_mode"] = mode
    met = initial_met(s, account, i8(CROSS))
    first = i8(s.positions_first[account])
    for cell in range(first, first + i8(row["positions_count"])):
        if met and i8(s.positions[cell]["flags"]) & POSITION_ISOLATED:
            met = initial_met(s, account, i8(s.positions[cell]["key"]))
    if not met:
        row["margin_mode"] = before
        return MORE_MARGIN
    now["receipt_filled"] = before
    s.accounts_dirty[account] = 1
    return OK


@helper
def initial_met(s, account, bucket):
    """Whether a bucket requires nothing, or has its initial margin."""
    zero = i8(0)
    bucket_entry(s, account, bucket, zero, zero, zero, zero, i8(-1))
    initial = s.now[0]["margin"]
    return initial == 0 or s.now[0]["equity"] >= initial
