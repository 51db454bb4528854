"""Runners of the commands by which governance moves the clearing house; see `block`."""

import struct
from collections.abc import Callable

from quorate.execution.spec import changes, switches
from quorate.execution.spec.clearing_rows import Band
from quorate.execution.spec.context import Context, Receipt
from quorate.types.codes import Op, Reject

_COMMAND = struct.Struct("<BBBBI7q")
_LEDGER = struct.Struct("<B3xI20sI4q")


def run_risk(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    receipt.market = fields[4]
    return changes.set_risk(c, fields[4], fields[5], fields[6], fields[8])


def run_global(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    return changes.set_global(c, fields[5], fields[6], fields[8])


def run_tier(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    return changes.schedule_tier(c, fields[4], fields[5], fields[6], fields[8])


def run_band(c: Context, command: bytes, receipt: Receipt) -> Reject:
    _, band, _, _, market, tau, up, down, auction, _, _, _ = _COMMAND.unpack(command)
    receipt.market = market
    return switches.set_band(c, market, band, Band(tau, up, down, auction))


def run_feed(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    return switches.set_feed(c, fields[4], command[40:56], fields[5])


def run_voter(c: Context, command: bytes, receipt: Receipt) -> Reject:
    _, _, address, _, weight, _, _, _ = _LEDGER.unpack(command)
    return switches.set_voter(c, address, weight)


def run_switch(c: Context, command: bytes, receipt: Receipt) -> Reject:
    fields = _COMMAND.unpack(command)
    return switches.set_switch(c, fields[4], fields[1])


HANDLERS: dict[Op, Callable[[Context, bytes, Receipt], Reject]] = {
    Op.SET_RISK: run_risk,
    Op.SET_GLOBAL: run_global,
    Op.SCHEDULE_TIER: run_tier,
    Op.SET_BAND: run_band,
    Op.SET_FEED: run_feed,
    Op.SET_VOTER: run_voter,
    Op.SET_SWITCH: run_switch,
}
