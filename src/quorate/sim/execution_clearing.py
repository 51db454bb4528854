"""The clearing house of a fuzzed world: small numbers, so that all of it happens within 60 blocks.

Half of the seeds have one. Every block most voters vote, on a price that walks, and now and then
jumps far enough to bankrupt somebody; bands are narrow, auctions short, funding is paid every
second or two. It draws from a source of its own, so that the other half stays as it was.
"""

import random
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Final

from quorate.codec import commands as c
from quorate.execution.spec.tables import Tables
from quorate.types import limits
from quorate.types.blocks import Genesis, MarketSpec
from quorate.types.clearing import GLOBALS, RISK_PARAMETERS
from quorate.types.clearing_codes import TriggerFlag, TriggerKind
from quorate.types.clearing_spec import (
    BandSpec,
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
from quorate.types.codes import MarketKind, MarketStatus, Tif
from quorate.types.limits import DAY_MS, INT64_MAX
from quorate.types.records import Table

USD: Final = 10**6
HOUR_MS: Final = 3_600_000
FLAGS: Final = (0, 0, 0, *TriggerFlag, TriggerFlag.WATCH_INDEX | TriggerFlag.WATCH_LAST)


# --- a genesis -----------------------------------------------------------------------------------
def numbers_drawn(rng: random.Random) -> GlobalSpec:
    """Numbers of a venue that ticks in almost every block."""
    fresh = rng.choice([2_000, 60_000, DAY_MS, DAY_MS, DAY_MS])
    return GlobalSpec(
        tick_ms=rng.choice([0, 1, 1, 1, 500, 2_000]),
        fresh_ms=fresh,
        reduce_ms=min(DAY_MS, fresh * rng.choice([1, 2, 3])),
        halt_ms=fresh * rng.choice([3, 10, 30]),
        quorum_ppm=rng.choice([1, 1, 500_000, 500_000, 666_667, 1_000_000]),
        outlier_ppm=rng.choice([20_000, 100_000, 500_000]),
        liquidations_max=rng.choice([1, 2, 8, 64]),
        notice_blocks=rng.choice([0, 1, 3]),
        gap_auctions=rng.choice([0, 0, 0, 0, 0, 1]),
        gate_ms=rng.choice([0, 1, 1_000, 5_000]),
    )


def bands_drawn(rng: random.Random) -> tuple[BandSpec, ...]:
    """None to three bands, the longer the wider; sometimes so narrow that each tick leaves them."""
    made, width = [], rng.choice([20_000, 100_000, 300_000])
    for k in range(rng.choice([0, 0, 0, 0, 1, 2, 4])):
        tau_ms = rng.choice([1, 500, 2_000, 20_000]) * (k + 1)
        up, down = width * (k + 1), min(990_000, width * (k + 1) * rng.choice([8, 10, 12]) // 10)
        made.append(BandSpec(tau_ms, up, down, rng.choice([1, 1, 200, 1_000])))
    return tuple(made)


def risk_drawn(rng: random.Random, number: int, market: MarketSpec, feed: int) -> RiskSpec:
    """Parameters of which each is sometimes off, sometimes tight."""
    lots = market.size_max_lots
    worth_e6 = max(1, market.quantum_e6 * market.price_max_ticks // 4)  # of a lot, about
    some_e6 = min(limits.POSITION_NOTIONAL_MAX_E6, worth_e6 * market.lot_step * 8)
    return RiskSpec(
        market=number,
        mode=rng.choice([1, 1, 1, 1, 1, 2]),
        feed=feed,
        mark_clamp_ppm=rng.choice([0, 10_000, 300_000, *[1_000_000] * 4]),
        basis_ema_ms=rng.choice([1, 1_000, 150_000]),
        book_ema_ms=rng.choice([1, 1_000, 30_000]),
        impact_notional_e6=rng.choice([0, some_e6 // 4, some_e6]),
        premium_interval_ms=rng.choice([100, 100, 1_000]),
        funding_interval_ms=rng.choice([1_000, 1_000, 2_000, 60_000]),
        interest_e9=rng.choice([100_000, 10_000_000, -10_000_000, 0]),
        funding_clamp_e9=rng.choice([0, 500_000, 100_000_000]),
        funding_cap_e9=rng.choice([0, 40_000_000, 40_000_000]),
        price_far_ppm=rng.choice([0, 0, 100_000, 500_000]),
        oi_cap_lots=rng.choice([0, 0, 0, lots // 2, 3 * lots]),
        oi_rise_lots=rng.choice([0, 0, 0, lots // 3, lots]),
        oi_window_ms=rng.choice([1, 1_000, 10_000]),
        oi_lower_e6=rng.choice([0, some_e6, 4 * some_e6]),
        oi_upper_e6=rng.choice([0, some_e6 * 8, some_e6 * 40]),
        close_ppm=rng.choice([1, 333_333, 666_667, 1_000_000]),
        liquidation_fee_ppm=rng.choice([0, 10_000, 100_000]),
        slice_ppm=rng.choice([1, 200_000, 500_000, 1_000_000]),
        slice_min_e6=rng.choice([0, some_e6 // 8, some_e6]),
        vault_notional_max_e6=rng.choice([0, some_e6, 20 * USD, 10_000 * USD]),
        insurance_draw_max_e6=rng.choice([0, USD, 100 * USD]),
        confidence_ppm=rng.choice([0, 50_000, 1_000_000]),
        disposal_interval_ms=rng.choice([100, 1_000, 5_000]),
        disposal_full_lots=rng.choice([0, market.lot_step, lots]),
        disposal_part_ppm=rng.choice([0, 100_000, 500_000, 1_000_000]),
        disposal_share_ppm=rng.choice([0, 100_000, 1_000_000]),
        disposal_range_ppm=rng.choice([0, 10_000, 100_000]),
        tier_max_e6=rng.choice([0, 0, 0, some_e6 * 4]),
        bands=bands_drawn(rng),
    )


def with_clearing(rng: random.Random, genesis: Genesis) -> Genesis:
    """Give a genesis a clearing house; its second perpetual may follow the feed of the first."""
    markets = list(genesis.markets)
    perpetuals = [n for n, each in enumerate(markets, 1) if each.kind == MarketKind.PERPETUAL]
    feeds: list[FeedSpec] = []
    risks: list[RiskSpec] = []
    for number in perpetuals:
        market, feed = markets[number - 1], len(feeds)
        if number > 1 and rng.random() < 0.4:
            first = markets[0]
            market = markets[number - 1] = replace(first, name=market.name)
            feed = 0
        elif number > 1 and rng.random() < 0.2:
            continue  # a market as of before
        else:
            now = market.mark_ticks or market.price_max_ticks // 3
            feeds.append(FeedSpec(f"F{feed}", rng.choice([0, now])))
        risks.append(risk_drawn(rng, number, market, feed))
    voters = [VoterSpec(rng.randbytes(20), rng.choice([1, 1, 2, 5])) for _ in range(4)]
    voters = voters[: rng.choice([1, 3, 4])] + [VoterSpec(genesis.oracle, 1)]
    spec = ClearingSpec(
        rng.randbytes(20), tuple(feeds), tuple(voters), numbers_drawn(rng), tuple(risks)
    )
    return replace(genesis, markets=tuple(markets), clearing=spec)


# --- what people say -----------------------------------------------------------------------------
class ClearingAuthor:
    """Writes the commands of the clearing house; `look` shows it the state before each block."""

    def __init__(self, rng: random.Random, genesis: Genesis) -> None:
        assert genesis.clearing is not None
        self.rng, self.genesis, self.spec = rng, genesis, genesis.clearing
        self.prices = [0] * len(self.spec.feeds)
        for risk in self.spec.markets:
            market = genesis.markets[risk.market - 1]
            self.prices[risk.feed] = market.mark_ticks or market.price_max_ticks // 3
        self.ceilings = [0] * len(self.spec.feeds)
        for risk in self.spec.markets:
            self.ceilings[risk.feed] = genesis.markets[risk.market - 1].price_max_ticks
        self.time_ms = self.height = 0
        self.triggers: dict[int, list[int]] = {}
        self.groups: dict[int, list[int]] = {}
        self.auction_ends: list[int] = []
        self.markets: list[Any] = []
        self.cash: dict[int, int] = {}
        self.held: dict[tuple[int, int], Any] = {}

    def look(self, t: Tables, time_ms: int, height: int) -> None:
        """Take note of the state, and let prices move."""
        self.time_ms, self.height = time_ms, height
        self.triggers, self.groups = {}, {}
        for row in t.rows[Table.TRIGGERS].values():
            if row.trigger_id:
                self.triggers.setdefault(row.account, []).append(int(row.trigger_id))
        for row in t.rows[Table.GROUPS].values():
            if row.account:
                self.groups.setdefault(row.account, []).append(int(row.number))
        markets, accounts = t.rows[Table.MARKETS], t.rows[Table.ACCOUNTS]
        self.markets = [markets[slot] for slot in sorted(markets) if slot]
        self.cash = {slot: int(row.cash_e6) for slot, row in accounts.items()}
        self.held = {(slot, p.key): p for slot, row in accounts.items() for p in row.positions}
        self.auction_ends = [int(row.auction_end_ms) for row in t.rows[Table.RISK].values()]
        for feed, price in enumerate(self.prices):
            self.prices[feed] = self.moved(price, self.ceilings[feed])

    def time_step(self) -> int:
        """Milliseconds to the next block: a moment, or to the end of an auction, seldom hours.

        A long gap makes an index stale, and what follows is an auction of hours.
        """
        rng, ends = self.rng, [end for end in self.auction_ends if end > self.time_ms]
        draw = rng.random()
        if draw < 0.5 and ends:
            return rng.choice(ends) - self.time_ms
        if draw < 0.97:
            return rng.choice([0, 1, 200, 200, 1_000, 2_500])
        return rng.choice([9_000, 61_000, 61_000, HOUR_MS, DAY_MS + 1])

    def moved(self, price: int, ceiling: int) -> int:
        """A price a block later: mostly near, one time in twelve far away."""
        rng = self.rng
        if rng.random() < 0.12:
            price = price * rng.choice([70, 85, 92, 96, 104, 108, 115, 130]) // 100
        else:
            price += rng.choice([-2, -1, 0, 0, 0, 1, 2]) * max(1, price // 200)
        return max(2, min(price, ceiling))

    # --- voters -----------------------------------------------------------------------------
    def votes(self) -> list[tuple[bytes, list[bytes]]]:
        """What each voter says in a block, by its address. Once in a while nobody says anything."""
        rng = self.rng
        said: list[tuple[bytes, list[bytes]]] = []
        if rng.random() < 0.06:
            return said
        for voter in self.spec.voters:
            if rng.random() < 0.8:
                feeds = range(len(self.prices))
                said.append((voter.address, [c.encode_command(self.vote(feed)) for feed in feeds]))
        return said

    def vote(self, feed: int) -> c.Command:
        """A price near the true one; one in twenty is an outlier, or no price at all."""
        rng, price = self.rng, self.prices[feed]
        draw = rng.random()
        if draw < 0.04:
            price = price * rng.choice([10, 50, 200, 1_000]) // 100
        elif draw < 0.05:
            price = rng.choice([0, 1, limits.PRICE_TICKS_MAX, limits.PRICE_TICKS_MAX + 1])
        elif draw < 0.4:
            price += rng.choice([-1, 1]) * max(1, price // 1_000)
        external = rng.choice([0, price, price, price, price + price // 100])
        if rng.random() < 0.01:
            external, feed = INT64_MAX, rng.choice([feed, len(self.prices), 2**32 - 1])
        return c.VotePrice(feed, price, external)

    # --- people -----------------------------------------------------------------------------
    def commands(self, account: int) -> list[bytes]:
        """Some commands that belong together, in records."""
        draw = self.rng.random() * 100
        for share, make in self.choices():
            draw -= share
            if draw < 0:
                return records(*make(account))
        return records(self.vote(0))

    def choices(self) -> tuple[tuple[int, Callable[[int], list[c.Command]]], ...]:
        """What is said how often, of a hundred."""
        return (
            (15, self.trigger),
            (8, self.bracket),
            (6, self.cancel_trigger),
            (18, self.quote),
            (7, self.set_group),
            (12, self.isolate),
            (30, self.lever),
            (2, self.donate),
            (2, self.role),
        )

    def market_drawn(self) -> int:
        """Mostly a market with a clearing house."""
        if self.rng.random() < 0.06:
            return self.rng.randrange(len(self.markets) + 2)
        return self.rng.choice(self.spec.markets).market

    def row(self, slot: int) -> Any:
        return self.markets[slot - 1] if 0 < slot <= len(self.markets) else self.markets[0]

    def price(self, slot: int, ticks_away: int) -> int:
        """A price of the market so many steps from its mark."""
        market = self.row(slot)
        if self.rng.random() < 0.02:
            return int(self.rng.choice([0, 1, market.price_max_ticks + 1, INT64_MAX]))
        mid = market.mark_ticks or market.price_max_ticks // 3
        return int(max(0, (mid // market.tick_step + ticks_away) * market.tick_step))

    def size(self, slot: int) -> int:
        market, rng = self.row(slot), self.rng
        if rng.random() < 0.03:
            return int(rng.choice([0, 1, market.size_max_lots + 1, INT64_MAX]))
        return int(rng.choice([1, 1, 2, 3, 8]) * market.lot_step)

    def trigger(self, account: int) -> list[c.Command]:
        return [self.trigger_drawn(account, self.market_drawn(), int(self.rng.choice(FLAGS)))]

    def trigger_drawn(self, account: int, slot: int, flags: int) -> c.Trigger:
        """A conditional order on the side that closes what is held, more often than not."""
        rng, held = self.rng, self.held.get((account, slot))
        side = rng.randrange(2)
        if held is not None and held.size and rng.random() < 0.8:
            side = int(held.size > 0)
        kind = int(rng.choice(list(TriggerKind)))
        above = side == int(kind == TriggerKind.TAKE_PROFIT)
        away = rng.choice([1, 1, 2, 3, 6]) * (1 if above else -1)
        trail = rng.choice([0, 1, 10_000, 50_000, 10**6]) if kind == TriggerKind.TRAILING else 0
        if rng.random() < 0.03:
            away, trail = -away, rng.choice([1, INT64_MAX])
        limit = self.price(slot, away + rng.choice([-3, 0, 3])) if rng.random() < 0.4 else 0
        size = 0 if rng.random() < 0.4 else self.size(slot)
        parent = rng.randrange(1, 400) if rng.random() < 0.05 else 0
        price = self.price(slot, away)
        return c.Trigger(slot, side, kind, price, size, flags, limit, parent, trail)

    def bracket(self, account: int) -> list[c.Command]:
        """An order with a take-profit and a stop that cancel one another."""
        rng, slot = self.rng, self.market_drawn()
        side = rng.randrange(2)
        tif = rng.choice([Tif.GTC, Tif.GTC, Tif.IOC])
        price = self.price(slot, rng.choice([-1, 0, 1, 3]) * (1 if side == 0 else -1))
        size = 0 if rng.random() < 0.7 else self.size(slot)
        child = int(TriggerFlag.CHILD_LAST | TriggerFlag.REDUCE_ONLY)
        pair = child | int(TriggerFlag.PAIR_LAST)
        up, down = self.price(slot, 3), self.price(slot, -3)
        gain, loss = (up, down) if side == 0 else (down, up)
        profit, stop = int(TriggerKind.TAKE_PROFIT), int(TriggerKind.STOP)
        return [
            c.Place(slot, side, price, self.size(slot), int(tif), 0, 0, 0),
            c.Trigger(slot, 1 - side, profit, gain, size, child),
            c.Trigger(slot, 1 - side, stop, loss, size, pair),
        ]

    def lever(self, account: int) -> list[c.Command]:
        """An order for most of what the account can carry, which a move of the price then ruins."""
        rng, slot = self.rng, self.market_drawn()
        market, held = self.row(slot), self.held.get((account, slot))
        money = max(0, self.cash.get(account, 0))
        if held is not None and held.isolated_e6:
            money = max(0, int(held.isolated_e6))
        lot_e6 = max(1, market.quantum_e6 * (market.mark_ticks or 1))
        most = self.genesis.margin_schedules[market.margin_schedule][0].leverage_max
        steps = money * most * rng.choice([30, 60, 80, 95]) // (100 * lot_e6 * market.lot_step)
        size = min(steps * market.lot_step, market.size_max_lots)
        side, tif = rng.randrange(2), rng.choice([Tif.GTC, Tif.GTC, Tif.IOC])
        away = rng.choice([0, 0, 1]) if tif == Tif.GTC else rng.choice([-3, -1])
        price = self.price(slot, -away if side == 0 else away)
        return [c.Place(slot, side, price, int(size), int(tif), 0, 0, 0)]

    def cancel_trigger(self, account: int) -> list[c.Command]:
        own = self.triggers.get(account, []) if self.rng.random() < 0.9 else []
        return [c.CancelTrigger(self.rng.choice(own or [0, 1, 77, INT64_MAX]))]

    def group_drawn(self, account: int) -> int:
        own = self.groups.get(account, []) if self.rng.random() < 0.9 else []
        return self.rng.choice(own or [0, 1, 2, 255, 256, INT64_MAX])

    def quote(self, account: int) -> list[c.Command]:
        """A ladder around the mark, after a group where there is none yet."""
        rng, slot = self.rng, self.market_drawn()
        made: list[c.Command] = []
        if account not in self.groups and rng.random() < 0.8:
            made = self.set_group(account)
        group = self.group_drawn(account) if not made else int(getattr(made[0], "group", 0))
        levels, shift = [], rng.choice([-2, 0, 0, 0, 2])
        for k in range(rng.choice([1, 1, 2, 3, 5])):
            bid, ask = self.price(slot, shift - 1 - k), self.price(slot, shift + 1 + k)
            bids, asks = self.size(slot), self.size(slot)
            if rng.random() < 0.2:
                bid = bids = 0
            elif rng.random() < 0.2:
                ask = asks = 0
            levels.append(c.QuoteLevel(bid, bids, ask, asks))
        return [*made, c.Quote(slot, group, tuple(levels))]

    def place_group(self, account: int) -> int:
        """A group for an order, mostly none."""
        return self.group_drawn(account) if self.rng.random() < 0.06 else 0

    def set_group(self, account: int) -> list[c.Command]:
        rng = self.rng
        if rng.random() < 0.03:
            return [c.SetGroup(1 + k, 1_000, 9) for k in range(limits.GROUPS_PER_ACCOUNT_MAX + 2)]
        number = rng.choice([1, 2, 3])
        if rng.random() < 0.1:
            number = rng.choice([0, 255, 256, 2**32 - 1])
        return [
            c.SetGroup(
                number,
                rng.choice([0, 1, 1_000, 1_000, 60_000, INT64_MAX]),
                rng.choice([0, 1, 5, 20]),
                rng.choice([0, USD, 5 * USD]),
                rng.choice([0, 0, 1]),
                rng.choice([0, 1, 1_000, INT64_MAX]),
            )
        ]

    def isolate(self, account: int) -> list[c.Command]:
        """Money into a market of its own, or out of it."""
        rng, slot = self.rng, self.market_drawn()
        cash, held = max(0, self.cash.get(account, 0)), self.held.get((account, slot))
        within = int(held.isolated_e6) if held is not None else 0
        amounts = [cash // 3, cash // 3, cash // 10, cash, cash + 1, 1, 0, -(within // 3)]
        amounts += [-within, -within // 2, -(within + 1), -1, INT64_MAX, -INT64_MAX - 1]
        return [c.Isolate(slot, rng.choice(amounts[:10] if rng.random() < 0.9 else amounts))]

    def donate(self, account: int) -> list[c.Command]:
        cash = max(0, self.cash.get(account, 0))
        amount = self.rng.choice([cash // 20, cash // 5, 1, 0, cash + 1, INT64_MAX])
        return [c.Donate(self.rng.choice([0, self.market_drawn()]), amount)]

    def role(self, account: int) -> list[c.Command]:
        """What only a voter or governance may say, said by anybody."""
        return [self.rng.choice([self.vote(0), *self.governance()])]

    # --- governance -------------------------------------------------------------------------
    def governance(self) -> list[c.Command]:
        """One change of the rules; switches and statuses that hold everything up do not stay."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.3:
            return [self.set_risk()]
        if draw < 0.4:
            number = rng.choice([*range(len(GLOBALS)), len(GLOBALS), INT64_MAX])
            drawn = numbers_drawn(rng)
            value = getattr(drawn, GLOBALS[number]) if number < len(GLOBALS) else 5
            if rng.random() < 0.05:
                value = INT64_MAX
            return [c.SetGlobal(number, value, self.height_drawn())]
        if draw < 0.55:
            band = rng.choice(bands_drawn(rng) or (BandSpec(1, 1, 1, 0), BandSpec(0, 0, 0, 0)))
            values = [getattr(band, each.name) for each in fields(band)]
            if rng.random() < 0.2:
                values[rng.randrange(4)] = rng.choice([0, 10**6, INT64_MAX])
            return [c.SetBand(self.market_drawn(), rng.randrange(4), *values)]
        if draw < 0.62:
            number, price = rng.choice([0, len(self.prices), 300]), rng.choice([0, 2**40])
            return [c.SetFeed(number, "NEW", price)]
        if draw < 0.7:
            voter = rng.choice([*self.spec.voters, VoterSpec(rng.randbytes(20), 1)])
            return [c.SetVoter(voter.address, rng.choice([0, 1, 1, 2, 5, 2**32 + 1]))]
        if draw < 0.85:
            account = rng.choice([0, 0, rng.randrange(12), 10**6])
            return [c.SetSwitch(account, int(rng.choice(list(MarketStatus))))]
        lower = rng.choice([0, USD, 8 * USD, 150 * USD, INT64_MAX])
        slot = rng.choice([0, 1, 2, 8, 9, 10, 16, 17, 512])
        return [c.ScheduleTier(slot, lower, rng.choice([0, 1, 5, 20, 40]), self.height_drawn())]

    def height_drawn(self) -> int:
        """A height for a change: none, now, at the notice, after it, far away."""
        notice = self.spec.numbers.notice_blocks
        ahead = self.rng.choice([0, 1, notice - 1, notice, notice + 1, notice + 4, 1_000])
        return self.rng.choice([0, max(0, self.height + ahead)])

    def set_risk(self) -> c.Command:
        rng, slot = self.rng, self.market_drawn()
        known = next((each for each in self.spec.markets if each.market == slot), None)
        drawn = risk_drawn(rng, slot, self.spec_of(slot), known.feed if known else 0)
        number = rng.randrange(len(RISK_PARAMETERS))
        value = getattr(drawn, RISK_PARAMETERS[number])
        if rng.random() < 0.1:
            low, high = limits.RISK_BOUNDS[number]
            value = rng.choice([low - 1, low, high, high + 1])
        if rng.random() < 0.05:
            number = rng.choice([len(RISK_PARAMETERS), INT64_MAX])
        return c.SetRisk(slot, number, value, self.height_drawn())

    def spec_of(self, slot: int) -> MarketSpec:
        markets = self.genesis.markets
        return markets[slot - 1] if 0 < slot <= len(markets) else markets[0]

    def governance_records(self) -> list[bytes]:
        """Records of a block's changes; what was switched is often switched back."""
        rng = self.rng
        if rng.random() < 0.6:
            return []
        made = self.governance()
        if rng.random() < 0.6:
            made += [c.SetSwitch(0, int(MarketStatus.OPEN))]
            made += [c.SetSwitch(account, int(MarketStatus.OPEN)) for account in range(1, 8)]
            numbers = range(1, len(self.markets) + 1)
            made += [c.SetStatus(number, int(MarketStatus.OPEN)) for number in numbers]
        return records(*made)


def records(*commands: c.Command) -> list[bytes]:
    """Commands as records of 64 bytes."""
    data, size = c.encode_commands(commands), limits.COMMAND_BYTES
    return [data[at : at + size] for at in range(0, len(data), size)]


