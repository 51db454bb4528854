"""Limits of a session key; the same functions as `spec.sessions`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.kernels.book import position_key
from quorate.execution.kernels.rows import position_of
from quorate.execution.kernels.scalars import leverage_holds
from quorate.types.codes import Reject

i8 = np.int64
R = Reject
OK = int(R.OK)
SESSION_ORDER, SESSION_POSITION = int(R.SESSION_ORDER_SIZE_LIMIT), int(R.SESSION_POSITION_LIMIT)
SESSION_LEVERAGE = int(R.SESSION_LEVERAGE_LIMIT)


@helper
def session_order_code(s, value):
    """A session key's limit on the worth of one order."""
    session = s.now[0]["session"]
    if session:
        most = s.sessions[session]["order_notional_max_e6"]
        if most and value > most:
            return SESSION_ORDER
    return OK


@helper
def session_spot_code(s, account, value):
    """A session key's position limit in spot: base held, at the order's price, and open bids."""
    session = s.now[0]["session"]
    most = s.sessions[session]["position_notional_max_e6"] if session else i8(0)
    if not most:
        return OK
    taker = s.taker[0]
    market = s.markets[taker["market"]]
    cell = position_of(s, account, position_key(s, taker["market"]))
    lots = s.positions[cell]["size"] // market["lot_units"] if cell >= 0 else i8(0)
    room = most - value - s.accounts[account]["held_e6"]
    # By division: a balance may be worth more than fits.
    if room < 0 or lots > room // (taker["price"] * market["quantum_e6"]):
        return SESSION_POSITION
    return OK


@helper
def session_position_code(s, worst, equity):
    """A session key's limits on one position and on the account's leverage."""
    session = s.now[0]["session"]
    if session:
        row = s.sessions[session]
        if row["position_notional_max_e6"] and worst > row["position_notional_max_e6"]:
            return SESSION_POSITION
        leverage = row["leverage_max_e2"]
        if leverage and not leverage_holds(s.now[0]["value"], equity, leverage):
            return SESSION_LEVERAGE
    return OK
