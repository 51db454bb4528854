"""Handlers of the commands of the clearing house; `block` runs them among its own."""

import struct
from collections.abc import Callable, Sequence

from quorate.execution.spec import protection, quotes, smiles, triggers
from quorate.execution.spec.clearing_rows import Group, Trigger
from quorate.execution.spec.context import Context, Receipt
from quorate.types.codes import Op, Reject
from quorate.types.limits import COMMAND_BYTES

_COMMAND = struct.Struct("<BBBBI7q")
assert _COMMAND.size == COMMAND_BYTES


def run_trigger(c: Context, command: bytes, receipt: Receipt) -> Reject:
    (_, side, kind, flags, market, price, size, limit, parent, _, _, trail) = _COMMAND.unpack(
        command
    )
    row = Trigger(
        trigger_ticks=price,
        limit_ticks=limit,
        size=size,
        trail_ppm=trail,
        parent_id=parent,
        market=market,
        side=side,
        kind=kind,
        flags=flags,
    )
    return triggers.set_trigger(c, row, receipt)


def run_cancel_trigger(c: Context, command: bytes, receipt: Receipt) -> Reject:
    return triggers.cancel_trigger(c, _COMMAND.unpack(command)[8], receipt)


def run_group(c: Context, command: bytes, receipt: Receipt) -> Reject:
    (_, _, _, _, number, window_ms, lots, delta, vega, _, _, freeze_ms) = _COMMAND.unpack(command)
    limits = Group(
        number=number,
        window_ms=window_ms,
        lots_max=lots,
        delta_max_e6=delta,
        vega_max_e6=vega,
        freeze_ms=freeze_ms,
    )
    code, receipt.filled = protection.set_group(c, limits)
    return code


def run_quote(c: Context, head: bytes, tails: Sequence[bytes], receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(head)
    levels = [_COMMAND.unpack(tail)[5:9] for tail in tails]
    return quotes.quote(c, fields[4], fields[11], levels, fields[1], receipt)


def run_vote_smile(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    receipt.market, receipt.price = fields[4], fields[5]
    return smiles.vote_smile(c, fields[4], fields[5], fields[6:11])


HANDLERS: dict[Op, Callable[[Context, bytes, Receipt], Reject]] = {
    Op.TRIGGER: run_trigger,
    Op.CANCEL_TRIGGER: run_cancel_trigger,
    Op.SET_GROUP: run_group,
    Op.VOTE_SMILE: run_vote_smile,
}
