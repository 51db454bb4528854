"""An account's position rows: one for each perpetual market or asset, in no particular order."""

from quorate.execution.spec.rows import Account, Position
from quorate.execution.spec.tables import Tables
from quorate.types.codes import Reject
from quorate.types.limits import POSITIONS_MAX, POSITIONS_PER_ACCOUNT_MAX
from quorate.types.records import Table


def position_of(account: Account, key: int) -> Position | None:
    """The account's position row of that key (a market, or ASSET_KEY + asset)."""
    for position in account.positions:
        if position.key == key:
            return position
    return None


def position_code(t: Tables, account: Account, key: int) -> Reject:
    """Whether the account has that position row or may get it."""
    if position_of(account, key) is not None:
        return Reject.OK
    if len(account.positions) >= POSITIONS_PER_ACCOUNT_MAX:
        return Reject.POSITIONS_TOO_MANY_CLOSE_ONE
    if t.row(Table.LEDGER, 0).positions_live >= POSITIONS_MAX:
        return Reject.TABLE_FULL_SEND_LATER
    return Reject.OK


def position_open(account: Account, key: int) -> Position:
    """The position row of that key, appended if it is missing."""
    position = position_of(account, key)
    if position is None:
        position = Position(key=key)
        account.positions.append(position)
    return position


def position_close_if_empty(account: Account, key: int, traded: bool = False) -> None:
    """Drop a position row that holds nothing; the last row takes its place.

    An isolated one keeps its margin until a trade has ended the position (`traded`): then what is
    left returns to cash. Less than nothing does not: the row stays for the funds to cover.
    """
    for k, position in enumerate(account.positions):
        if position.key == key:
            if position.size or position.orders_count:
                return
            if position.isolated_e6:
                if not traded or position.isolated_e6 < 0:
                    return
                account.cash_e6 += position.isolated_e6
            last = account.positions.pop()
            if k < len(account.positions):
                account.positions[k] = last
            return
