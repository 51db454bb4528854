"""The commands of governance and oracle, linked as those of accounts are."""

import numpy as np

from quorate.compiled import linked
from quorate.execution.kernels.governance import (
    add_asset,
    list_market,
    set_fee_tier,
    set_margin_tier,
    set_mark,
    set_status,
    set_validator,
    upgrade,
)
from quorate.execution.kernels.oracle import vote_price
from quorate.execution.kernels.signatures import (
    BUNDLE_ROW,
    COMMAND_ROW,
    INT64,
    LISTING_ROW,
    RECORD,
    VALIDATOR_ROW,
)
from quorate.execution.kernels.smiles import vote_smile
from quorate.types.codes import Op

i8 = np.int64
OP_STATUS = int(Op.SET_STATUS)
OP_FEE, OP_MARGIN = int(Op.SET_FEE_TIER), int(Op.SET_MARGIN_TIER)
OP_ASSET, OP_UPGRADE, OP_MARK = int(Op.ADD_ASSET), int(Op.UPGRADE), int(Op.SET_MARK)
OP_VALIDATOR, OP_VOTE = int(Op.SET_VALIDATOR), int(Op.VOTE_PRICE)
OP_VOTE_SMILE = int(Op.VOTE_SMILE)


@linked(INT64(RECORD, INT64, BUNDLE_ROW, COMMAND_ROW, LISTING_ROW, VALIDATOR_ROW))
def run_governance_op(s, op, bundle, command, more, validator):
    """Commands of governance and oracle; `more`: the record behind the command, if there is one."""
    signer = bundle["signer"]
    market = i8(command["market"])
    if op == OP_MARK:
        return set_mark(s, signer, market, command["price"])
    if op == OP_VOTE:
        return vote_price(s, signer, market, command["price"], command["size"])
    if op == OP_VOTE_SMILE:
        return vote_smile(s, signer, command)
    if op == OP_STATUS:
        return set_status(s, signer, market, i8(command["side"]))
    if op == OP_FEE:
        return set_fee_tier(
            s, signer, market, command["price"], command["size"], command["order_id"]
        )
    if op == OP_MARGIN:
        return set_margin_tier(s, signer, market, command["price"], command["size"])
    if op == OP_ASSET:
        return add_asset(
            s, signer, market, command["price"], command["cloid_hi"], command["cloid_lo"]
        )
    if op == OP_UPGRADE:
        return upgrade(s, signer, command["price"], command["size"])
    if op == OP_VALIDATOR:
        return set_validator(s, signer, validator)
    return list_market(s, signer, command, more)
