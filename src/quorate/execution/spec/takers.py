"""An order on its way into the book, and what its command knows of the makers that it meets."""

from dataclasses import dataclass, field

from quorate.execution.spec.margin import Worth
from quorate.types.codes import End


@dataclass(slots=True)
class Maker:
    """A maker's bucket as the command found it, and what the command has done to it since.

    `size` and `own`: its position in the command's market, and what that alone requires.
    `tentative`: signed lots that a dry run has taken from its orders.
    """

    worth: Worth
    size: int
    own: Worth
    spent_e6: int = 0
    tentative: int = 0


@dataclass(slots=True)
class Taker:
    """An order on its way into the book. Price in ticks, sizes in lots.

    `interest_lots`: the market's open interest before the command's fills, by which makers are
    judged, so that a dry run finds what comes true; -1: as it stands. `kept`: ORDER_HAS_CHILDREN
    if it takes the place of an order that has. `hits`: groups of quotes that it has frozen.
    """

    market: int
    side: int
    tif: int
    flags: int
    price: int
    size: int
    expiry_ms: int = 0
    cloid_hi: int = 0
    cloid_lo: int = 0
    hold_ppm: int = 0
    order_id: int = 0
    remaining: int = 0
    filled: int = 0
    end: End = End.NONE
    fee_ppm: int = 0
    value_e6: int = 0
    fee_e6: int = 0
    interest_lots: int = -1
    makers: dict[int, Maker] = field(default_factory=dict)
    group: int = 0
    group_slot: int = 0
    kept: int = 0
    hits: int = 0
