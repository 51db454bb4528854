"""The kernel that runs a block's bundles.

`run_block` can stop at any command boundary when an array could run short for one command's worst
case; it returns what must be seen to and is called again with the same cursor.
"""

import numba
import numpy as np

from quorate.compiled import helper, kernel
from quorate.execution.kernels.book import order_cancel
from quorate.execution.kernels.group_accounts import run_account_op
from quorate.execution.kernels.group_clearing import run_clearing_op
from quorate.execution.kernels.group_governance import run_governance_op
from quorate.execution.kernels.group_options import WORDS_OF_PART, run_options_op
from quorate.execution.kernels.isolation import isolate
from quorate.execution.kernels.maps import find_client, find_order
from quorate.execution.kernels.match import take
from quorate.execution.kernels.options_mode import margin_mode
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
from quorate.execution.kernels.state import DONE
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
OP_DEPOSIT = int(Op.DEPOSIT)
OP_LIST = int(Op.LIST_MARKET)
OP_RISK = int(Op.SET_RISK)
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
def run_command(s, bundle, commands, ledger_commands, listings, validators, parts, at):
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
        code = run_account_op(s, op, bundle, ledger_commands[at], command["expiry_ms"])
    elif OP_RISK <= op <= OP_TIER:
        code = run_clearing_op(s, op, bundle, command, ledger_commands[at])
    elif op in (OP_PRODUCT, OP_SERIES, OP_LISTING):
        if op == OP_PRODUCT:
            for k in range(PRODUCT_PARTS):
                for j in range(WORDS_OF_PART):
                    s.payoff_words[WORDS_OF_PART * k + j] = parts[at + 1 + k]["words"][j]
        code = run_options_op(s, op, bundle, command)
    else:
        more = listings[min(at + 1, listings.shape[0] - 1)]
        code = run_governance_op(s, op, bundle, command, more, validators[at])
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
            run_command(s, bundle, commands, ledger_commands, listings, validators, parts, at)
            cursor[1] += records(commands[at])
        cursor[0] += 1
        cursor[1] = 0
    return DONE
