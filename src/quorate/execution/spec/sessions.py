"""Limits that an owner sets for a session key: worth of an order, of a position, leverage."""

from quorate.execution import rules
from quorate.execution.spec.book import position_key
from quorate.execution.spec.context import Context
from quorate.execution.spec.positions import position_of
from quorate.execution.spec.rows import Account, Market
from quorate.execution.spec.takers import Taker
from quorate.types.codes import Reject
from quorate.types.records import Table


def session_order_code(c: Context, value_e6: int) -> Reject:
    """A session key's limit on the worth of one order."""
    if not c.session:
        return Reject.OK
    most = c.t.row(Table.SESSIONS, c.session).order_notional_max_e6
    if most and value_e6 > most:
        return Reject.SESSION_ORDER_SIZE_LIMIT
    return Reject.OK


def session_spot_code(
    c: Context, account: Account, market: Market, taker: Taker, value_e6: int
) -> Reject:
    """A session key's position limit in spot: base held, at the order's price, and all open bids.

    Leverage is of perpetuals alone; what is bought here is paid in full.
    """
    most = c.t.row(Table.SESSIONS, c.session).position_notional_max_e6 if c.session else 0
    if not most:
        return Reject.OK
    position = position_of(account, position_key(taker.market, market))
    lots = position.size // market.lot_units if position else 0
    room = most - value_e6 - account.held_e6
    # By division: a balance may be worth more than fits.
    if room < 0 or lots > room // (taker.price * market.quantum_e6):
        return Reject.SESSION_POSITION_LIMIT
    return Reject.OK


def session_position_code(c: Context, worst_e6: int, total_e6: int, equity_e6: int) -> Reject:
    """A session key's limits on one position and on the account's leverage."""
    if not c.session:
        return Reject.OK
    session = c.t.row(Table.SESSIONS, c.session)
    if session.position_notional_max_e6 and worst_e6 > session.position_notional_max_e6:
        return Reject.SESSION_POSITION_LIMIT
    if session.leverage_max_e2 and not rules.leverage_holds(
        total_e6, equity_e6, session.leverage_max_e2
    ):
        return Reject.SESSION_LEVERAGE_LIMIT
    return Reject.OK
