"""States, kinds and steps of the clearing house. Part of the state: never renumbered."""

from enum import IntEnum
from typing import Final


class Mode(IntEnum):
    """How a market trades; OFF means that it has no clearing house."""

    OFF = 0
    CONTINUOUS = 1
    BATCH = 2


class FeedState(IntEnum):
    """Whether an index rests on a fresh quorum of votes."""

    NONE = 0
    FRESH = 1
    STALE = 2


class Guard(IntEnum):
    """What a market may still do without a fresh index. Rises with the index's age."""

    NONE = 0
    NO_LIQUIDATION = 1
    REDUCE_ONLY = 2
    HALT = 3


class Phase(IntEnum):
    """Of a market: continuous trading (or batches), a call auction, cut off from the rest."""

    TRADING = 0
    AUCTION = 1
    QUARANTINE = 2


class AuctionKind(IntEnum):
    """Why a market is in an auction."""

    NONE = 0
    BAND_TRADE = 1
    BAND_MARK = 2
    GAP = 3
    BATCH = 4


class Standing(IntEnum):
    """Five states of a margin account, from its worth and its requirements (FORMULAS 5)."""

    HEALTHY = 0
    PRE_LIQUIDATION = 1
    PARTIAL = 2
    FULL = 3
    BANKRUPT = 4


class LiquidationStep(IntEnum):
    """What one step of a liquidation did."""

    CANCELLED_ORDERS = 1
    SOLD_ON_BOOK = 2
    TAKEN_BY_VAULT = 3
    PAID_BY_INSURANCE = 4
    DELEVERAGED = 5
    LEFT_OPEN = 6
    HEDGED = 7


class TriggerKind(IntEnum):
    """STOP fires when the watched price moves against the order's holder, TAKE_PROFIT when for."""

    STOP = 0
    TAKE_PROFIT = 1
    TRAILING = 2


class Watch(IntEnum):
    """Which price a trigger looks at."""

    MARK = 0
    INDEX = 1
    LAST = 2


class TriggerFlag(IntEnum):
    """Bits of a trigger command's `flags`, and of the row's."""

    REDUCE_ONLY = 0x01
    WATCH_INDEX = 0x02
    WATCH_LAST = 0x04
    PAIR_LAST = 0x08
    CHILD_LAST = 0x10


# Bit of a trigger row's flags: its size is what its parent order has filled.
TRIGGER_FOLLOWS: Final = 0x80
# Another: it has fired and found nobody, which it says once; it fires again when somebody is there.
TRIGGER_TRIED: Final = 0x40
# Bit of an order row's flags: triggers wait for it, or follow what it fills.
ORDER_HAS_CHILDREN: Final = 0x80


class TriggerState(IntEnum):
    """WAITING for its parent order, or ARMED."""

    FREE = 0
    WAITING = 1
    ARMED = 2


class TriggerEnd(IntEnum):
    """Why a trigger ended without firing."""

    USER = 1
    PAIR = 2
    PARENT = 3
    NO_POSITION = 4
    LIQUIDATION = 5
    EXPIRY = 6


class Switch(IntEnum):
    """What a SWITCHED event speaks of."""

    CHAIN = 1
    ACCOUNT = 2
    GUARD = 3
    PHASE = 4
    GATE = 5
    STATUS = 6


class InsuranceFlow(IntEnum):
    """Why money moved into or out of an insurance fund."""

    DONATED = 1
    FEE = 2
    PAID = 3
    RESIDUE = 4


class ChangeKind(IntEnum):
    """What a scheduled change touches."""

    RISK = 1
    GLOBAL = 2
    TIER = 3
