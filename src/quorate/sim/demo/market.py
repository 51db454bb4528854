"""A seeded synthetic market: forty accounts, three perpetuals, some mistakes on purpose.

`Market` writes drafts: who signs, which commands, and what is done wrong on the way. Contents
follow from the seed alone; nonces, times and the pace come from whoever signs and sends the drafts.

    makers    quote ladders around a mid that walks at random; they sign with session keys
    takers    cross the spread, rest an order now and then, close what they hold
    oracle    votes on prices after the mid; sets the mark where there is no feed
    levered   buys for 36 times its money, some moments before the price slides
    careless  expired, replayed, off the tick, without margin, with a key that may not
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Final

from quorate.codec.commands import (
    ApproveAgent,
    CancelAll,
    CancelClient,
    Command,
    Deposit,
    Faucet,
    ListMarket,
    Place,
    SetMark,
    VotePrice,
    Withdraw,
    encode_commands,
)
from quorate.crypto import address_of, key_from_seed, public_key
from quorate.types.blocks import Genesis, MarketSpec
from quorate.types.codes import Flag, MarketKind, Side, Tif
from quorate.types.limits import PPM

USD_E6: Final = 1_000_000
MAKERS_PER_MARKET: Final = 4
TAKERS: Final = 24
CARELESS: Final = 4
LADDER: Final = 8  # prices on each side
MAKER_USD: Final = 5_000_000
TAKER_USD: Final = 200_000
CARELESS_USD: Final = 20
SESSION_ORDER_USD: Final = 100_000
ORDER_USD: Final = 6_000  # the usual size
WALK_BOUND: Final = 20  # the mid stays within 1/20 of where it began
UNKNOWN_MARKET: Final = 99
LEVERED: Final = "levered"
LEVERED_USD: Final = 2_000
LEVERAGE: Final = 36  # of at most 40
LEVERED_ROUND: Final = 10  # when it buys
SLIDE_ROUNDS: Final = range(20, 60)
SLIDE_PPM: Final = 17_000  # through maintenance (1.25 %), not through the close-out (0.83 %)
VAULT: Final = "vault"
VAULT_USD: Final = 1_000_000
MAKERS_PERCENT, TAKERS_PERCENT, CARELESS_PERCENT = 80, 35, 30  # who acts in a round

# A third perpetual, listed by governance while the chain runs: its tick step is 5, its lot step 10.
SOL_PERP: Final = MarketSpec(
    "SOL-PERP", int(MarketKind.PERPETUAL), 5, 10, 10, 10_000_000, 10_000_000, 40_000_000, 0, 0,
    1, 0, 50_000, 150_000,
)  # fmt: skip


class Fault(IntEnum):
    """What the sender of a draft does wrong after its commands are written."""

    NONE = 0
    EXPIRED = 1  # the bundle's expiry lies in the past
    STALE = 2  # the nonce is three days old
    UNSIGNED = 3  # the signature is no signature
    REPEATED = 4  # sent twice


@dataclass(frozen=True, slots=True)
class Draft:
    """A bundle to be. wallet: one owner command, signed as an EIP-712 message."""

    signer: str
    commands: bytes
    wallet: bool = False
    fault: Fault = Fault.NONE


@cache
def signing_key(name: str) -> bytes:
    """Give the secret key of a participant: anyone can derive it."""
    return key_from_seed(name)


@cache
def address(name: str) -> bytes:
    """Give the address of a participant."""
    found = address_of(public_key(signing_key(name)))
    assert found is not None
    return found


def draft(signer: str, *commands: Command, fault: Fault = Fault.NONE) -> Draft:
    """Write a draft of a native bundle."""
    return Draft(signer, encode_commands(commands), fault=fault)


@dataclass(slots=True)
class Venue:
    """One market as its traders see it. grid: their price step; lots: the usual size."""

    number: int
    spec: MarketSpec
    mid: int
    grid: int
    lots: int


def venue_of(number: int, spec: MarketSpec) -> Venue:
    """Derive price step and sizes from a market's parameters."""
    grid = max(1, spec.mark_ticks // 120_000 // spec.tick_step) * spec.tick_step
    lots = ORDER_USD * USD_E6 // (spec.mark_ticks * spec.quantum_e6)
    return Venue(number, spec, spec.mark_ticks, grid, max(1, lots // spec.lot_step) * spec.lot_step)


def market_of(genesis: Genesis, seed: int) -> "Market":
    """Give the participants of a chain, in its perpetuals."""
    markets = dict(enumerate(genesis.markets, 1))
    perpetuals = {n: spec for n, spec in markets.items() if spec.kind == MarketKind.PERPETUAL}
    risks = genesis.clearing.markets if genesis.clearing is not None else ()
    return Market(seed, perpetuals, len(markets), {risk.market: risk.feed for risk in risks})


class Market:
    """The participants.

    `perpetuals`: listed markets by number; `listed`: how many there are; `feeds`: the price feed of
    a market that has a clearing house.
    """

    def __init__(
        self,
        seed: int,
        perpetuals: dict[int, MarketSpec],
        listed: int,
        feeds: Mapping[int, int] | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.feeds = dict(feeds or {})
        venues = {**perpetuals, listed + 1: SOL_PERP}
        self.venues = [venue_of(number, spec) for number, spec in venues.items()]
        self.makers = [
            (f"maker {venue.spec.name} {n}", venue)
            for venue in self.venues
            for n in range(MAKERS_PER_MARKET)
        ]
        self.takers = [f"taker {n}" for n in range(TAKERS)]
        self.careless = [f"careless {n}" for n in range(CARELESS)]
        self.resting: dict[str, int] = {}
        self.leaning: dict[tuple[str, int], int] = {}
        self.rounds = 0
        self.mistakes = 0

    # --- the beginning -----------------------------------------------------------------------
    def openings(self) -> list[tuple[str, list[Draft]]]:
        """Write what comes before the first quote, in stages: what is done, and the drafts."""
        funded = [(name, MAKER_USD) for name, _ in self.makers]
        funded += [(name, TAKER_USD) for name in self.takers]
        funded += [(LEVERED, LEVERED_USD), (VAULT, VAULT_USD)]
        deposits = [Deposit(0, address(name), 0, usd * USD_E6, 1) for name, usd in funded]
        faucets = [draft(name, Faucet(CARELESS_USD * USD_E6)) for name in self.careless]
        sol = self.venues[-1]
        return [
            (
                f"the bridge funds {len(funded)} accounts, the faucet {len(faucets)}",
                [draft("bridge", *deposits), *faucets],
            ),
            (
                f"governance lists {sol.spec.name}, the oracle votes on {len(self.feeds)} prices",
                [draft("governance", ListMarket(sol.number, sol.spec)), self.marks()],
            ),
            (
                f"{len(self.makers)} wallets approve session keys by EIP-712 messages",
                [self.approval(name) for name, _ in self.makers],
            ),
        ]

    def approval(self, maker: str) -> Draft:
        """Let a maker's session key trade, within limits."""
        most = SESSION_ORDER_USD * USD_E6
        command = ApproveAgent(address(f"session {maker}"), order_notional_max_e6=most)
        return Draft(maker, encode_commands([command]), wallet=True)

    def marks(self) -> Draft:
        """Vote for the mid, here and elsewhere; set the mark of a market without a feed to it."""
        feeds = self.feeds
        return draft(
            "oracle",
            *(
                VotePrice(feeds[venue.number], venue.mid, venue.mid)
                if venue.number in feeds
                else SetMark(venue.number, venue.mid)
                for venue in self.venues
            ),
        )

    # --- one round ---------------------------------------------------------------------------
    def round(self) -> list[Draft]:
        """Write what everybody does in the next fraction of a second."""
        self.rounds += 1
        for venue in self.venues:
            self.walk(venue)
        if self.rounds in SLIDE_ROUNDS:
            first = self.venues[0]
            first.mid -= first.spec.mark_ticks * SLIDE_PPM // PPM // len(SLIDE_ROUNDS)
        drafts = [self.marks()] if self.rounds % 5 == 0 else []
        drafts += [
            self.quotes(name, venue)
            for name, venue in self.makers
            if self.percent(MAKERS_PERCENT) or self.rounds == 1
        ]
        drafts += [self.taking(name) for name in self.takers if self.percent(TAKERS_PERCENT)]
        if self.percent(CARELESS_PERCENT):
            drafts.append(self.mistake())
        if self.rounds == LEVERED_ROUND:
            drafts.append(self.levering())
        return drafts

    def percent(self, chance: int) -> bool:
        """Draw an event that happens with this chance."""
        return self.rng.randrange(100) < chance

    def walk(self, venue: Venue) -> None:
        """Move the mid: small steps, now and then a jump that catches the makers' quotes."""
        stride = 100 * venue.grid if self.percent(2) else 4 * venue.grid
        mark = venue.spec.mark_ticks
        moved = venue.mid + self.rng.randint(-stride, stride)
        bound = mark // WALK_BOUND
        venue.mid = min(max(moved, mark - bound), mark + bound)

    def priced(self, venue: Venue, side: int, away: int) -> int:
        """Give a price `away` grid steps behind the mid (before it, if negative), on the grid."""
        step = venue.grid if side == Side.SELL else -venue.grid
        at = venue.mid // venue.grid * venue.grid + away * step
        return at + venue.grid if side == Side.SELL else at

    def size(self, venue: Venue) -> int:
        """Draw a size around the usual one."""
        step = venue.spec.lot_step
        return max(1, venue.lots * self.rng.randint(20, 200) // 100 // step) * step

    def quotes(self, maker: str, venue: Venue) -> Draft:
        """Replace a maker's ladder: one bundle, so that it is never seen half."""
        passive = int(Flag.POST_ONLY | Flag.SLIDE)
        near = self.rng.randint(0, 2)
        commands: list[Command] = [CancelAll(venue.number)]
        for level in range(LADDER):
            away = near + level * (1 + level // 3)
            for side in (int(Side.BUY), int(Side.SELL)):
                price, size = self.priced(venue, side, away), self.size(venue) * (2 + level) // 2
                size -= size % venue.spec.lot_step
                commands.append(Place(venue.number, side, price, size, flags=passive))
        return draft(f"session {maker}", *commands)

    def taking(self, taker: str) -> Draft:
        """Let a taker act: one to three commands."""
        venue = self.rng.choice(self.venues)
        commands = [self.rng.choice(self.TAKING)(self, taker, venue)]
        while len(commands) < 3 and self.percent(40):
            commands.append(self.rng.choice(self.TAKING)(self, taker, venue))
        return draft(taker, *commands)

    def crossing(self, taker: str, venue: Venue) -> Command:
        """Cross the spread with a limit."""
        side = self.rng.randrange(2)
        price, size = self.priced(venue, side, -8), self.size(venue)
        self.lean(taker, venue, side, size)
        return Place(venue.number, side, price, size, tif=int(Tif.IOC))

    def at_market(self, taker: str, venue: Venue) -> Command:
        """Take whatever rests."""
        side, size = self.rng.randrange(2), self.size(venue)
        self.lean(taker, venue, side, size)
        return Place(venue.number, side, 0, size, tif=int(Tif.IOC), flags=int(Flag.MARKET))

    def levering(self) -> Draft:
        """Buy for many times what the account holds; the slide will be too much for it."""
        venue = self.venues[0]
        price = self.priced(venue, int(Side.BUY), -40)
        lots = LEVERAGE * LEVERED_USD * USD_E6 // (price * venue.spec.quantum_e6)
        lots -= lots % venue.spec.lot_step
        return draft(LEVERED, Place(venue.number, int(Side.BUY), price, lots, tif=int(Tif.IOC)))

    def lean(self, taker: str, venue: Venue, side: int, size: int) -> None:
        """Remember what a taker should hold by now, if all he sent has filled."""
        held = self.leaning.get((taker, venue.number), 0)
        self.leaning[taker, venue.number] = held + (size if side == Side.BUY else -size)

    def closing(self, taker: str, venue: Venue) -> Command:
        """Close some of what should be held; at times it is not."""
        held = self.leaning.get((taker, venue.number), 0)
        if not held:
            return self.crossing(taker, venue)
        side, size = int(held > 0), min(self.size(venue), abs(held))
        self.lean(taker, venue, side, size)
        flags = Flag.MARKET | Flag.REDUCE_ONLY
        return Place(venue.number, side, 0, size, tif=int(Tif.IOC), flags=int(flags))

    def resting_order(self, taker: str, venue: Venue) -> Command:
        """Rest an order under a client's id; next time, cancel it, unless it has filled."""
        open_id = self.resting.pop(taker, 0)
        if open_id:
            return CancelClient(open_id)
        self.resting[taker] = self.rounds
        side, away = self.rng.randrange(2), self.rng.randint(1, 6)
        price, size = self.priced(venue, side, away), self.size(venue)
        return Place(venue.number, side, price, size, cloid=self.rounds)

    TAKING = (crossing, crossing, crossing, at_market, at_market, closing, resting_order)

    # --- mistakes ----------------------------------------------------------------------------
    def mistake(self) -> Draft:
        """Make the next mistake of the list, by the next careless account."""
        self.mistakes += 1
        name = self.careless[self.mistakes % CARELESS]
        return self.MISTAKES[self.mistakes % len(self.MISTAKES)](self, name)

    def plain(self, name: str, fault: Fault) -> Draft:
        """Do something harmless, wrongly signed or sent."""
        return draft(name, CancelAll(self.venues[0].number), fault=fault)

    def off(self, name: str, ticks: int, lots: int) -> Draft:
        """Miss the tick or the lot."""
        venue = self.venues[-1]
        price, size = self.priced(venue, int(Side.BUY), 5) + ticks, venue.spec.lot_step + lots
        return draft(name, Place(venue.number, int(Side.BUY), price, size))

    def without_margin(self, name: str) -> Draft:
        """Buy what twenty dollars cannot carry."""
        venue = self.venues[0]
        price = self.priced(venue, int(Side.BUY), 5)
        return draft(name, Place(venue.number, int(Side.BUY), price, 10 * venue.lots))

    def not_passive(self, name: str) -> Draft:
        """Price a post-only order through the book."""
        venue = self.venues[0]
        price = self.priced(venue, int(Side.BUY), -50)
        return draft(name, Place(venue.number, 0, price, 1, flags=int(Flag.POST_ONLY)))

    def session_too_large(self, name: str) -> Draft:
        """Order more with a session key than its owner allowed."""
        maker, venue = self.makers[0]
        lots = venue.lots * 2 * SESSION_ORDER_USD // ORDER_USD
        price = self.priced(venue, int(Side.BUY), 5)
        return draft(f"session {maker}", Place(venue.number, int(Side.BUY), price, lots))

    def session_withdraws(self, name: str) -> Draft:
        """Try to take money out with a session key."""
        maker, _ = self.makers[0]
        return draft(f"session {maker}", Withdraw(0, address(name), USD_E6))

    MISTAKES: tuple[Callable[["Market", str], Draft], ...] = (
        lambda self, name: self.plain(name, Fault.EXPIRED),
        lambda self, name: self.off(name, 1, 0),
        without_margin,
        lambda self, name: self.plain(name, Fault.UNSIGNED),
        lambda self, name: self.plain(name, Fault.REPEATED),
        lambda self, name: self.off(name, 0, 1),
        not_passive,
        lambda self, name: self.plain(name, Fault.STALE),
        session_too_large,
        session_withdraws,
        lambda self, name: draft(name, SetMark(self.venues[0].number, 1)),
        lambda self, name: draft(name, Place(UNKNOWN_MARKET, 0, 1, 1)),
    )
