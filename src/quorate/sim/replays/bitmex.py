"""BitMEX minutes: recorded prices as marks, and a seeded population that trades around them.

A line is: unix seconds, open, high, low, close, volume in USD. The price of a minute goes open,
then the nearer extreme, then the other, then close, less what lies within MOVE_PPM of the step
before. At each step, in one block:

* the oracle sets the mark;
* makers quote a ladder of post-only orders on both sides of the mark, shifted against what they
  hold, by one bundle that cancels the old ladder first; each in his turn, and at once where the
  mark has left his last one by more than STALE_PPM;
* takers send immediate-or-cancel orders: with the move, against it, or to reduce what they hold.
  Their sizes rise with the minute's volume and their deposits are small, so that margin refuses.

Prices are real and the flow is not: what is checked is that the exchange keeps its books through
real moves. Nobody is liquidated.
"""

import random
from collections.abc import Sequence
from typing import Any, Final

from quorate.codec.commands import CancelAll, Place, SetMark
from quorate.sim.replays import crowd
from quorate.sim.replays.chain import MARKET
from quorate.sim.replays.crowd import CLIENT_SHIFT
from quorate.sim.replays.formats import Bar
from quorate.sim.replays.venue import World
from quorate.types.codes import Flag, Side, Tif
from quorate.types.limits import PPM

MAKERS: Final = 8
TAKERS: Final = 24
MAKER_USD: Final = 50_000_000
TAKER_USD: Final = 3_000
LADDER: Final = 3
STALE_PPM: Final = 4_000
SKEW_LOTS: Final = 2_000  # holding so much shifts a maker's quotes by his whole half-spread
STEP_MS: Final = 15_000
MOVE_PPM: Final = 500
PASSIVE: Final = int(Flag.POST_ONLY | Flag.SLIDE)
TAKE_REACH_PPM: Final = 5_000


class Population:
    """Makers and takers, their holdings, and the numbers of their orders."""

    def __init__(self, seed: int, world: World, first: Bar) -> None:
        self.rng = random.Random(seed)
        traders = {f"replay maker {index}": MAKER_USD for index in range(MAKERS)}
        traders.update((f"replay taker {index}", TAKER_USD) for index in range(TAKERS))
        name = "Replay of BitMEX XBTUSD"
        self.venue = crowd.opened(name, traders, first.time_ms, first.open, world)
        self.meter = crowd.SpreadMeter()
        self.counts = [0] * len(traders)
        self.holdings = [0] * len(traders)
        self.quoted = [0] * MAKERS
        self.turn = 0
        self.mark = first.open

    def client(self, trader: int) -> int:
        """Give the trader's next client id."""
        self.counts[trader] += 1
        return trader + 1 << CLIENT_SHIFT | self.counts[trader]

    def step(self, time_ms: int, mark: int, volume_usd: int) -> None:
        """Go to the next price."""
        venue, rising = self.venue, mark >= self.mark
        self.mark = mark
        venue.send(venue.oracle, SetMark(MARKET, mark))
        self.turn = (self.turn + 1) % MAKERS
        for maker in range(MAKERS):
            if maker == self.turn or abs(mark - self.quoted[maker]) * PPM > mark * STALE_PPM:
                self.quote(maker, mark)
        takes = 1 + (volume_usd > 5_000_000) + (volume_usd > 20_000_000)
        for _ in range(takes):
            self.take(mark, rising, volume_usd)
        for fill in venue.flush(time_ms).fills:
            signed = fill.lots if fill.side == Side.BUY else -fill.lots
            self.holdings[(fill.taker >> CLIENT_SHIFT) - 1] += signed
            self.holdings[(fill.maker >> CLIENT_SHIFT) - 1] -= signed
        self.meter.read(venue)

    def quote(self, maker: int, mark: int) -> None:
        """Replace a maker's ladder."""
        self.quoted[maker] = mark
        half = max(2, mark * (2 + maker) // 10_000)  # 2 to 9 basis points
        skew = max(-half, min(half, half * self.holdings[maker] // SKEW_LOTS))
        self.venue.send(maker, CancelAll(MARKET))
        for rung in range(1, LADDER + 1):
            for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
                price = mark - skew + sign * half * rung
                lots = self.rng.randrange(50, 400) * rung
                client = self.client(maker)
                order = Place(MARKET, int(side), price, lots, flags=PASSIVE, cloid=client)
                self.venue.send(maker, order, client)

    def take(self, mark: int, rising: bool, volume_usd: int) -> None:
        """Send one taker's order."""
        rng = self.rng
        taker = MAKERS + rng.randrange(TAKERS)
        draw = rng.randrange(100)
        flags = 0
        if draw < 35 and self.holdings[taker]:
            side = Side.SELL if self.holdings[taker] > 0 else Side.BUY
            flags = int(Flag.REDUCE_ONLY)
        else:
            side = Side.BUY if rising == (draw < 80) else Side.SELL
        reach = mark * TAKE_REACH_PPM // PPM
        price = mark + reach if side == Side.BUY else mark - reach
        lots = 1 + rng.randrange(100 + min(2_000, volume_usd // 20_000))
        client = self.client(taker)
        order = Place(
            MARKET, int(side), price, lots, tif=int(Tif.IOC), flags=flags, cloid=client
        )
        self.venue.send(taker, order, client)


def replay(bars: Sequence[Bar], world: World, seed: int = 1) -> dict[str, Any]:
    """Replay a file's minutes."""
    population = Population(seed, world, bars[0])
    marks = 0
    for index, bar in enumerate(bars):
        for number, mark in enumerate(bar.path()):
            if marks and abs(mark - population.mark) * PPM <= population.mark * MOVE_PPM:
                continue
            population.step(bar.time_ms + number * STEP_MS, mark, bar.volume_usd)
            marks += 1
        if index % 64 == 0:
            world.progress(index, len(bars))
    found = crowd.report("bitmex", len(bars), population.venue, population.meter)
    return {**found, "marks": marks, "seed": seed}
