"""The kernel that runs a block's bundles.

`run_block` can stop at any command boundary when an array could run short for one command's worst
case; it returns what must be seen to and is called again with the same cursor.
"""

import numba
import numpy as np

from quorate.compiled import helper, kernel
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
from quorate.execution.kernels.book import order_cancel
from quorate.execution.kernels.changes import schedule_tier, set_global, set_risk
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
from quorate.execution.kernels.insurance import donate
from quorate.execution.kernels.isolation import isolate
from quorate.execution.kernels.maps import find_client, find_order
from quorate.execution.kernels.match import take
from quorate.execution.kernels.options_listing import set_listing
from quorate.execution.kernels.options_mode import margin_mode
from quorate.execution.kernels.options_products import list_product
from quorate.execution.kernels.options_series import set_series
from quorate.execution.kernels.oracle import vote_price
from quorate.execution.kernels.orders import cancel, cancel_all, modify, place, prepare
from quorate.execution.kernels.protection import set_group
from quorate.execution.kernels.quotes import quote
from quorate.execution.kernels.room import events_of_command, shortage
from quorate.execution.kernels.rows import (
    emit,
)
from quorate.execution.kernels.signatures import (
    BUNDLES,
    COMMANDS,
    INT64S,
    LEDGER_COMMANDS,
    LISTINGS,
    PRODUCT_PARTS_READ,
    RECORD,
    VALIDATOR_COMMANDS,
)
from quorate.execution.kernels.signers import begin_bundle
from quorate.execution.kernels.smiles import vote_smile
from quorate.execution.kernels.state import DONE
from quorate.execution.kernels.switches import set_band, set_feed, set_switch, set_voter
from quorate.execution.kernels.trigger_rows import children_moved
from quorate.execution.kernels.triggers import cancel_trigger, set_trigger
from quorate.types.codes import End, EventKind, Op, Reject
from quorate.types.limits import PRODUCT_PARTS

i8 = np.int64
OK = int(Reject.OK)
END_REPLACED = int(End.REPLACED)
RECEIPT, BUNDLE = int(EventKind.RECEIPT), int(EventKind.BUNDLE)
OP_PLACE, OP_CANCEL, OP_CANCEL_CLIENT = int(Op.PLACE), int(Op.CANCEL), int(Op.CANCEL_CLIENT)
OP_CANCEL_ALL, OP_MODIFY = int(Op.CANCEL_ALL), int(Op.MODIFY)
OP_DEADMAN, OP_ISOLATE = int(Op.DEADMAN), int(Op.ISOLATE)
OP_MODE = int(Op.SET_MARGIN_MODE)
OP_TRIGGER, OP_CANCEL_TRIGGER = int(Op.TRIGGER), int(Op.CANCEL_TRIGGER)
OP_QUOTE, OP_GROUP = int(Op.QUOTE), int(Op.SET_GROUP)
OP_APPROVE, OP_REVOKE = int(Op.APPROVE_AGENT), int(Op.REVOKE_AGENT)
OP_WITHDRAW, OP_TRANSFER = int(Op.WITHDRAW), int(Op.TRANSFER)
OP_OPEN, OP_FAUCET, OP_DEPOSIT = int(Op.OPEN_SUBACCOUNT), int(Op.FAUCET), int(Op.DEPOSIT)
OP_DONATE = int(Op.DONATE)
OP_LIST, OP_STATUS = int(Op.LIST_MARKET), int(Op.SET_STATUS)
OP_FEE, OP_MARGIN = int(Op.SET_FEE_TIER), int(Op.SET_MARGIN_TIER)
OP_ASSET, OP_UPGRADE, OP_MARK = int(Op.ADD_ASSET), int(Op.UPGRADE), int(Op.SET_MARK)
OP_VALIDATOR, OP_VOTE = int(Op.SET_VALIDATOR), int(Op.VOTE_PRICE)
OP_VOTE_SMILE = int(Op.VOTE_SMILE)
OP_RISK, OP_BAND, OP_FEED = int(Op.SET_RISK), int(Op.SET_BAND), int(Op.SET_FEED)
OP_VOTER, OP_SWITCH, OP_GLOBAL = int(Op.SET_VOTER), int(Op.SET_SWITCH), int(Op.SET_GLOBAL)
OP_TIER = int(Op.SCHEDULE_TIER)
OP_PRODUCT, OP_SERIES = int(Op.LIST_PRODUCT), int(Op.SET_SERIES)
OP_LISTING = int(Op.SET_LISTING)


@helper
def run_order_op(s, op, command):
    """Commands on orders; those that trade go through the one call of `take`."""
    taker = s.taker[0]
    taker["active"] = 0
    if op == OP_PLACE:
        code = place(s, command)
        if code == OK:
            code = prepare(s)
        s.now[0]["last_order"] = 0
        s.now[0]["last_filled"] = 0
    elif op == OP_CANCEL:
        code = cancel(s, find_order(s, command["order_id"]))
    elif op == OP_CANCEL_CLIENT:
        account = s.now[0]["account"]
        code = cancel(s, find_client(s, account, command["cloid_hi"], command["cloid_lo"]))
    elif op == OP_CANCEL_ALL:
        code = cancel_all(s, i8(command["market"]))
    else:
        if op == OP_MODIFY:
            slot = find_order(s, command["order_id"])
        else:
            account = s.now[0]["account"]
            slot = find_client(s, account, command["cloid_hi"], command["cloid_lo"])
        code = modify(s, slot, command)
    if code == OK and taker["active"]:
        if taker["replaced"]:
            order_cancel(s, taker["replaced"], END_REPLACED)
        take(s)
        now = s.now[0]
        if taker["kept"]:
            account = now["account"]
            children_moved(s, account, taker["kept_id"], taker["order_id"], taker["filled"])
        now["receipt_end"] = taker["end"]
        now["receipt_side"] = taker["side"]
        now["receipt_market"] = taker["market"]
        now["receipt_order"] = taker["order_id"]
        now["receipt_price"] = taker["price"]
        now["receipt_filled"] = taker["filled"]
        now["receipt_remaining"] = taker["remaining"]
        if op == OP_PLACE:
            now["last_order"] = taker["order_id"]
            now["last_filled"] = taker["filled"]
            now["last_market"] = taker["market"]
            now["last_side"] = taker["side"]
    return code


@helper
def run_conditional_op(s, op, commands, at):
    """Triggers, mass quotes, groups of quotes."""
    command = commands[at]
    if op == OP_TRIGGER:
        return set_trigger(s, command)
    if op == OP_CANCEL_TRIGGER:
        return cancel_trigger(s, command["order_id"])
    if op == OP_QUOTE:
        return quote(s, commands, at)
    return set_group(s, command)


@helper
def run_account_op(s, op, signer, command, expiry_ms):
    """Commands on accounts, keys and money."""
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


@helper
def run_clearing_op(s, op, signer, command, ledger_command):
    """Commands by which governance moves the clearing house."""
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


@helper
def run_options_op(s, op, signer, commands, parts, at):
    """Commands by which governance lists products and series."""
    if op == OP_PRODUCT:
        return list_product(s, signer, commands[at], parts, at)
    if op == OP_SERIES:
        return set_series(s, signer, commands[at])
    return set_listing(s, signer, commands[at])


@helper
def run_governance_op(s, op, signer, command, listings, validators, at):
    """Commands of governance and oracle."""
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
        return set_validator(s, signer, validators[at])
    return list_market(s, signer, command, listings[at + 1])


@helper
def run_command(s, signer, commands, ledger_commands, listings, validators, parts, at):
    """Execute one command and close it with its receipt."""
    now = s.now[0]
    now["receipt_end"] = 0
    now["receipt_side"] = 0
    now["receipt_market"] = 0
    now["receipt_order"] = 0
    now["receipt_price"] = 0
    now["receipt_filled"] = 0
    now["receipt_remaining"] = 0
    command = commands[at]
    op = i8(command["op"])
    if op < OP_DEADMAN:
        code = run_order_op(s, op, command)
    elif op == OP_ISOLATE:
        code = isolate(s, i8(command["market"]), command["price"])
    elif op == OP_MODE:
        code = margin_mode(s, i8(command["side"]))
    elif op >= OP_TRIGGER and op <= OP_GROUP:
        code = run_conditional_op(s, op, commands, at)
    elif op <= OP_DEPOSIT:
        code = run_account_op(s, op, signer, ledger_commands[at], command["expiry_ms"])
    elif OP_RISK <= op <= OP_TIER:
        code = run_clearing_op(s, op, signer, command, ledger_commands[at])
    elif op in (OP_PRODUCT, OP_SERIES, OP_LISTING):
        code = run_options_op(s, op, signer, commands, parts, at)
    else:
        code = run_governance_op(s, op, signer, command, listings, validators, at)
    event = s.events[emit(s, RECEIPT)]
    event["end"] = now["receipt_end"]
    event["code"] = code
    event["side"] = now["receipt_side"]
    event["market"] = now["receipt_market"]
    event["account"] = now["account"]
    event["order_id"] = now["receipt_order"]
    event["price"] = now["receipt_price"]
    event["size"] = now["receipt_filled"]
    event["remaining"] = now["receipt_remaining"]


@helper
def records(command):
    """How many records a command has."""
    if command["op"] == OP_LIST:
        return i8(2)
    if command["op"] == OP_PRODUCT:
        return i8(1 + PRODUCT_PARTS)
    if command["op"] == OP_QUOTE:
        return 1 + command["size"]
    return i8(1)


@kernel(
    numba.types.int64(
        RECORD, BUNDLES, COMMANDS, LEDGER_COMMANDS, LISTINGS, VALIDATOR_COMMANDS,
        PRODUCT_PARTS_READ, INT64S, INT64S,
    )
)
def run_block(s, bundles, commands, ledger_commands, listings, validators, parts, order, cursor):
    """Run a block from `cursor` on; DONE at its end, else what must be seen to before going on.

    order, int64[n]: the bundles as they execute. cursor, int64[2]: place in `order`, command in
    bundle.
    """
    now = s.now[0]
    while cursor[0] < order.shape[0]:
        index = order[cursor[0]]
        bundle = bundles[index]
        now["bundle"] = index
        while cursor[1] < bundle["count"]:
            short = shortage(s, events_of_command(s))
            if short != DONE:
                return short
            now["command"] = cursor[1]
            if cursor[1] == 0:
                now["last_order"] = 0
                now["last_filled"] = 0
                now["last_trigger"] = 0
                code = begin_bundle(s, bundle)
                if code != OK:
                    event = s.events[emit(s, BUNDLE)]
                    event["code"] = code
                    event["account"] = now["account"]
                    break
            at = bundle["first"] + cursor[1]
            signer = bundle["signer"]
            run_command(s, signer, commands, ledger_commands, listings, validators, parts, at)
            cursor[1] += records(commands[at])
        cursor[0] += 1
        cursor[1] = 0
    return DONE
