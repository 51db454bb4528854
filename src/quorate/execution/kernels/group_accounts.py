"""The commands on accounts, keys and money, linked: compiled beside the kernel that runs them."""

import numpy as np

from quorate.compiled import linked
from quorate.execution.kernels.accounts import (
    approve_agent,
    deadman,
    deposit,
    faucet,
    open_subaccount,
    revoke_agent,
    transfer,
    withdraw,
)
from quorate.execution.kernels.insurance import donate
from quorate.execution.kernels.signatures import BUNDLE_ROW, INT64, LEDGER_ROW, RECORD
from quorate.types.codes import Op

i8 = np.int64
OP_DEADMAN = int(Op.DEADMAN)
OP_APPROVE, OP_REVOKE = int(Op.APPROVE_AGENT), int(Op.REVOKE_AGENT)
OP_WITHDRAW, OP_TRANSFER = int(Op.WITHDRAW), int(Op.TRANSFER)
OP_OPEN, OP_FAUCET = int(Op.OPEN_SUBACCOUNT), int(Op.FAUCET)
OP_DONATE = int(Op.DONATE)


@linked(INT64(RECORD, INT64, BUNDLE_ROW, LEDGER_ROW, INT64))
def run_account_op(s, op, bundle, command, expiry_ms):
    """Commands on accounts, keys and money."""
    signer = bundle["signer"]
    if op == OP_DEADMAN:
        return deadman(s, expiry_ms)
    if op == OP_APPROVE:
        return approve_agent(s, signer, command)
    if op == OP_REVOKE:
        return revoke_agent(s, signer, command["address"])
    if op == OP_WITHDRAW:
        return withdraw(s, command)
    if op == OP_TRANSFER:
        return transfer(s, command)
    if op == OP_OPEN:
        return open_subaccount(s, signer, i8(command["sub"]))
    if op == OP_FAUCET:
        return faucet(s, command["amount"])
    if op == OP_DONATE:
        s.now[0]["receipt_market"] = i8(command["asset"])
        return donate(s, i8(command["asset"]), command["amount"])
    return deposit(s, signer, command)
