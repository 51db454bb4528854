"""One block: the phases in their fixed order, and the table of handlers.

Phases (ARCHITECTURE, *A block*): (1) time, parameters, oracle; (2) expiries and dead-man switches;
(3) marks and funding; (4) triggers; (5) liquidation; (6) user bundles; (7) auctions; (8)
conservation, the chain row and the root, which the caller sees to, because it hashes and holds the
whole state. Those around the bundles stand in `phases`.
"""

import struct
from collections.abc import Callable, Sequence

from quorate.execution.spec import (
    accounts,
    block_clearing,
    block_options,
    governance,
    insurance,
    oracle,
    orders,
    phases,
)
from quorate.execution.spec.block_governance import HANDLERS as GOVERNANCE_HANDLERS
from quorate.execution.spec.context import Context, Last, Receipt
from quorate.execution.spec.isolation import isolate
from quorate.execution.spec.options_mode import margin_mode
from quorate.execution.spec.rows import Market
from quorate.execution.spec.signers import begin_bundle
from quorate.execution.spec.tables import Tables
from quorate.execution.spec.takers import Taker
from quorate.types.blocks import Admitted
from quorate.types.codes import EventKind, Flag, Op, OrderRule, Reject
from quorate.types.limits import COMMAND_BYTES, PRODUCT_PARTS
from quorate.types.records import Table

_COMMAND = struct.Struct("<BBBBI7q")
_LEDGER = struct.Struct("<B3xI20sI4q")
_LISTING = struct.Struct("<B3xI16sqIIq16x")
_VALIDATOR = struct.Struct("<BB5x33sq16x")
assert _COMMAND.size == _LEDGER.size == _LISTING.size == _VALIDATOR.size == COMMAND_BYTES


def execute(
    t: Tables,
    height: int,
    time_ms: int,
    bundles: Sequence[Admitted],
) -> list[bytes]:
    """Apply phases 1 to 7 of a valid block; return its events, 112 bytes each, in order.

    The caller then hashes the events and writes the chain row (phase 8).
    """
    c = Context(t, height, time_ms)
    phases.begin(c)
    for index in bundle_order(t, bundles):
        c.bundle, c.command = index, 0
        run_bundle(c, bundles[index])
    phases.end(c)
    return c.events


# --- order of bundles ----------------------------------------------------------------------------
def bundle_order(t: Tables, bundles: Sequence[Admitted]) -> list[int]:
    """Indexes of the bundles as they execute: by arrival, or by class and then arrival."""
    indexes = list(range(len(bundles)))
    if t.row(Table.PARAMETERS, 0).order_rule == OrderRule.MAKERS_FIRST:
        indexes.sort(key=lambda index: bundle_class(bundles[index]))
    return indexes


def bundle_class(bundle: Admitted) -> int:
    """Highest class of a bundle's commands."""
    return max(command_class(command) for command in bundle.commands)


def command_class(command: bytes) -> int:
    """0 touches no book, 1 cancels, 2 can only rest, 3 may take."""
    op, flags = command[0], command[3]
    if op in (Op.PLACE, Op.MODIFY, Op.MODIFY_CLIENT):
        return 2 if flags & Flag.POST_ONLY else 3
    if op == Op.QUOTE:
        return 2
    return 1 if op in (Op.CANCEL, Op.CANCEL_CLIENT, Op.CANCEL_ALL, Op.SET_GROUP) else 0


# --- one bundle, one command ---------------------------------------------------------------------
def run_bundle(c: Context, bundle: Admitted) -> None:
    """Judge the bundle, then run its commands one after the other, each for itself."""
    code, _ = begin_bundle(c, bundle.signer, bundle.account, bundle.nonce, bundle.expiry_ms)
    if code:
        c.emit(EventKind.BUNDLE, code=code, account=c.account)
        return
    c.last = Last()
    index = 0
    while index < len(bundle.commands):
        c.command = index
        command = bundle.commands[index]
        receipt = Receipt()
        if command[0] == Op.LIST_MARKET:
            index += 1
            code = run_listing(c, command, bundle.commands[index], receipt)
        elif command[0] == Op.QUOTE:
            levels = _COMMAND.unpack(command)[6]
            tails = bundle.commands[index + 1 : index + 1 + levels]
            index += levels
            code = block_clearing.run_quote(c, command, tails, receipt)
        elif command[0] == Op.LIST_PRODUCT:
            parts = bundle.commands[index + 1 : index + 1 + PRODUCT_PARTS]
            index += PRODUCT_PARTS
            code = block_options.run_product(c, command, parts, receipt)
        else:
            code = HANDLERS[Op(command[0])](c, command, receipt)
        c.emit(
            EventKind.RECEIPT,
            end=receipt.end,
            code=code,
            side=receipt.side,
            market=receipt.market,
            account=c.account,
            order_id=receipt.order_id,
            price=receipt.price,
            size=receipt.filled,
            remaining=receipt.remaining,
        )
        index += 1


def run_place(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    (_, side, tif, flags, market, price, size, expiry_ms, _, hi, lo, group) = fields
    taker = Taker(market, side, tif, flags, price, size, expiry_ms, hi, lo, group=group)
    code = orders.place(c, taker, receipt)
    c.last.order_id, c.last.filled = receipt.order_id, receipt.filled
    c.last.market, c.last.side = receipt.market, receipt.side
    return code


def run_cancel(c: Context, command: bytes, receipt: Receipt) -> Reject:
    return orders.cancel(c, c.t.find_order(_COMMAND.unpack(command)[8]), receipt)


def run_cancel_client(c: Context, command: bytes, receipt: Receipt) -> Reject:
    hi, lo = _COMMAND.unpack(command)[9:11]
    return orders.cancel(c, c.t.find_client(c.account, hi, lo), receipt)


def run_cancel_all(c: Context, command: bytes, receipt: Receipt) -> Reject:
    return orders.cancel_all(c, _COMMAND.unpack(command)[4], receipt)


def run_modify(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    slot = c.t.find_order(fields[8])
    return orders.modify(c, slot, fields[5], fields[6], fields[3], receipt)


def run_modify_client(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    slot = c.t.find_client(c.account, fields[9], fields[10])
    return orders.modify(c, slot, fields[5], fields[6], fields[3], receipt)


def run_deadman(c: Context, command: bytes, receipt: Receipt) -> Reject:
    return accounts.deadman(c, _COMMAND.unpack(command)[7])


def run_isolate(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    return isolate(c, fields[4], fields[5], receipt)


def run_margin_mode(c: Context, command: bytes, receipt: Receipt) -> Reject:
    return margin_mode(c, _COMMAND.unpack(command)[1], receipt)


def run_approve(c: Context, command: bytes, receipt: Receipt) -> Reject:
    _, _, agent, _, order_max, expiry_ms, position_max, leverage = _LEDGER.unpack(command)
    return accounts.approve_agent(c, agent, expiry_ms, order_max, position_max, leverage)


def run_revoke(c: Context, command: bytes, receipt: Receipt) -> Reject:
    return accounts.revoke_agent(c, _LEDGER.unpack(command)[2])


def run_withdraw(c: Context, command: bytes, receipt: Receipt) -> Reject:
    _, asset, destination, _, amount, _, _, _ = _LEDGER.unpack(command)
    return accounts.withdraw(c, asset, destination, amount)


def run_transfer(c: Context, command: bytes, receipt: Receipt) -> Reject:
    _, asset, address, sub, amount, _, _, _ = _LEDGER.unpack(command)
    return accounts.transfer(c, asset, address, sub, amount)


def run_open_subaccount(c: Context, command: bytes, receipt: Receipt) -> Reject:
    return accounts.open_subaccount(c, _LEDGER.unpack(command)[3], receipt)


def run_faucet(c: Context, command: bytes, receipt: Receipt) -> Reject:
    return accounts.faucet(c, _LEDGER.unpack(command)[4])


def run_donate(c: Context, command: bytes, receipt: Receipt) -> Reject:
    _, receipt.market, _, _, amount, _, _, _ = _LEDGER.unpack(command)
    return insurance.donate(c, receipt.market, amount)


def run_deposit(c: Context, command: bytes, receipt: Receipt) -> Reject:
    _, asset, address, sub, amount, _, reference, _ = _LEDGER.unpack(command)
    return accounts.deposit(c, asset, address, sub, amount, reference)


def run_listing(c: Context, head: bytes, more: bytes, receipt: Receipt) -> Reject:
    (_, kind, _, _, slot, tick, lot, quantum, price_max, size_max, position_max, mark) = (
        _COMMAND.unpack(head)
    )
    _, base, name, lot_units, margin, fees, slippage = _LISTING.unpack(more)
    receipt.market = slot
    market = Market(
        kind=kind,
        tick_step=tick,
        lot_step=lot,
        quantum_e6=quantum,
        price_max_ticks=price_max,
        size_max_lots=size_max,
        position_max_lots=position_max,
        base_asset=base,
        lot_units=lot_units,
        margin_schedule=margin,
        fee_schedule=fees,
        slippage_max_ppm=slippage,
        mark_ticks=mark,
        name=name,
    )
    return governance.list_market(c, slot, market)


def run_status(c: Context, command: bytes, receipt: Receipt) -> Reject:
    receipt.market = _COMMAND.unpack(command)[4]
    return governance.set_status(c, receipt.market, command[1])


def run_fee_tier(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    return governance.set_fee_tier(c, fields[4], fields[5], fields[6], fields[8])


def run_margin_tier(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    return governance.set_margin_tier(c, fields[4], fields[5], fields[6])


def run_asset(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    return governance.add_asset(c, fields[4], fields[5], command[40:56])


def run_upgrade(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    return governance.upgrade(c, fields[5], fields[6])


def run_validator(c: Context, command: bytes, receipt: Receipt) -> Reject:
    _, key_type, key, power = _VALIDATOR.unpack(command)
    return governance.set_validator(c, key_type, key, power)


def run_mark(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    receipt.market, receipt.price = fields[4], fields[5]
    return governance.set_mark(c, fields[4], fields[5])


def run_vote(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    receipt.market, receipt.price = fields[4], fields[5]
    return oracle.vote_price(c, fields[4], fields[5], fields[6])


HANDLERS: dict[Op, Callable[[Context, bytes, Receipt], Reject]] = {
    Op.PLACE: run_place,
    Op.CANCEL: run_cancel,
    Op.CANCEL_CLIENT: run_cancel_client,
    Op.CANCEL_ALL: run_cancel_all,
    Op.MODIFY: run_modify,
    Op.MODIFY_CLIENT: run_modify_client,
    Op.DEADMAN: run_deadman,
    Op.ISOLATE: run_isolate,
    Op.SET_MARGIN_MODE: run_margin_mode,
    Op.APPROVE_AGENT: run_approve,
    Op.REVOKE_AGENT: run_revoke,
    Op.WITHDRAW: run_withdraw,
    Op.TRANSFER: run_transfer,
    Op.OPEN_SUBACCOUNT: run_open_subaccount,
    Op.FAUCET: run_faucet,
    Op.DONATE: run_donate,
    Op.DEPOSIT: run_deposit,
    Op.SET_STATUS: run_status,
    Op.SET_FEE_TIER: run_fee_tier,
    Op.SET_MARGIN_TIER: run_margin_tier,
    Op.ADD_ASSET: run_asset,
    Op.UPGRADE: run_upgrade,
    Op.SET_VALIDATOR: run_validator,
    Op.SET_MARK: run_mark,
    Op.VOTE_PRICE: run_vote,
    **GOVERNANCE_HANDLERS,
    **block_clearing.HANDLERS,
    **block_options.HANDLERS,
}


