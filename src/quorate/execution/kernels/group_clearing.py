"""The commands by which governance moves the clearing house, linked as those of accounts are."""

import numpy as np

from quorate.compiled import linked
from quorate.execution.kernels.changes import schedule_tier, set_global, set_risk
from quorate.execution.kernels.signatures import (
    BUNDLE_ROW,
    COMMAND_ROW,
    INT64,
    LEDGER_ROW,
    RECORD,
)
from quorate.execution.kernels.switches import set_band, set_feed, set_switch, set_voter
from quorate.types.codes import Op

i8 = np.int64
OP_RISK, OP_BAND, OP_FEED = int(Op.SET_RISK), int(Op.SET_BAND), int(Op.SET_FEED)
OP_VOTER, OP_SWITCH, OP_GLOBAL = int(Op.SET_VOTER), int(Op.SET_SWITCH), int(Op.SET_GLOBAL)


@linked(INT64(RECORD, INT64, BUNDLE_ROW, COMMAND_ROW, LEDGER_ROW))
def run_clearing_op(s, op, bundle, command, ledger_command):
    """Commands by which governance moves the clearing house."""
    signer = bundle["signer"]
    market = i8(command["market"])
    first, second = command["price"], command["size"]
    if op == OP_RISK:
        return set_risk(s, signer, market, first, second, command["order_id"])
    if op == OP_BAND:
        return set_band(
            s, signer, market, i8(command["side"]), first, second, command["expiry_ms"],
            command["order_id"],
        )  # fmt: skip
    if op == OP_FEED:
        return set_feed(s, signer, market, first, command["cloid_hi"], command["cloid_lo"])
    if op == OP_VOTER:
        return set_voter(s, signer, ledger_command["address"], ledger_command["amount"])
    if op == OP_SWITCH:
        return set_switch(s, signer, market, i8(command["side"]))
    if op == OP_GLOBAL:
        return set_global(s, signer, first, second, command["order_id"])
    return schedule_tier(s, signer, market, first, second, command["order_id"])
