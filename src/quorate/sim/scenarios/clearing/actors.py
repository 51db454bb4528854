"""Who acts in a block: voters on prices, makers of the book, takers, and the actors of the script.

They see what everybody sees: the index path (as traders see other venues), the state before the
block, and the clock of the chain. They draw from generators of their own, by name and seed.
"""

import random
from typing import Final

import numpy as np

from quorate.admission.structure import bundle_checked
from quorate.codec.commands import CancelAll, Place, Withdraw, command_rows
from quorate.sim.scenarios.clearing.description import Act, Flow, Lie, Maker, Scenario
from quorate.sim.scenarios.clearing.driver import Driver, Records
from quorate.sim.scenarios.clearing.population import (
    CHAIN_ID,
    USD_E6,
    address_of_name,
    size_drawn,
    voter_address,
)
from quorate.sim.scenarios.clearing.prices import Prices
from quorate.types.codes import Kind, Op, Side, Tif
from quorate.types.limits import PPM, PRICE_TICKS_MAX, SIGNATURE_BYTES
from quorate.types.records import BUNDLE_HEADER

TIFS: Final = {"gtc": int(Tif.GTC), "ioc": int(Tif.IOC)}
SIDES: Final = {"buy": int(Side.BUY), "sell": int(Side.SELL)}


class Voters:
    """Votes of all voters on all feeds, with the lies of the script."""

    def __init__(self, scenario: Scenario, paths: list[Prices]) -> None:
        self.scenario, self.paths = scenario, paths
        self.addresses = [voter_address(k) for k in range(len(scenario.voters))]
        self.refused = 0  # votes that admission does not let pass

    def act(self, driver: Driver, now_ms: int) -> None:
        """Send everybody's votes at a time of the path."""
        for voter, address in enumerate(self.addresses):
            votes = [self.vote(voter, feed, now_ms) for feed in range(len(self.paths))]
            records = [each for each in votes if each is not None]
            if records:
                driver.send_records(address, np.concatenate(records))

    def vote(self, voter: int, feed: int, now_ms: int) -> Records | None:
        """One vote, or None of a voter that is silent."""
        price = self.paths[feed].at(now_ms)
        for lie in self.scenario.lies:
            if lie.feed == feed and voter in lie.voters and lie.from_ms <= now_ms < lie.until_ms:
                if lie.kind == "silent":
                    return None
                price = self.lie_price(lie, feed, price)
        external = max(0, price) if self.scenario.feeds[feed].external else 0
        records = command_rows(Op.VOTE_PRICE, 1, market=feed, price=price, size=external)
        if price < 0:
            assert admission_code(records), "a negative price is not admitted"
            self.refused += 1
            return None
        return records

    def lie_price(self, lie: Lie, feed: int, price: int) -> int:
        """What a liar says."""
        if lie.kind == "stale":
            return self.paths[feed].at(lie.from_ms)
        if lie.kind == "zero":
            return 0
        if lie.kind == "negative":
            return -price
        assert lie.kind == "factor", f"a lie of kind {lie.kind}"
        return min(price * lie.factor_ppm // PPM, PRICE_TICKS_MAX)


def admission_code(records: Records) -> int:
    """What admission says of a bundle of these records; it looks at the signature only later."""
    header = np.zeros(1, BUNDLE_HEADER)
    header["chain_id"], header["count"] = CHAIN_ID, len(records)
    parts = (header.view(np.uint8), records.reshape(-1), np.zeros(SIGNATURE_BYTES, np.uint8))
    return int(bundle_checked(np.concatenate(parts), int(Kind.NATIVE), CHAIN_ID))


class Makers:
    """The book of one market."""

    def __init__(self, scenario: Scenario, number: int, path: Prices) -> None:
        self.maker: Maker = scenario.makers[number]
        self.market = scenario.markets[self.maker.market - 1]
        self.path = path
        self.addresses = [
            address_of_name(f"{scenario.name} maker {number} {k}")
            for k in range(self.maker.accounts)
        ]
        self.slots: list[int] = []
        self.blocks = 0
        self.quoting = False

    def stressed(self, now_ms: int) -> bool:
        """Whether the index has moved so much that makers step back."""
        now = self.path.at(now_ms)
        then = self.path.at(max(0, now_ms - self.maker.stress_ms))
        return abs(now - then) * PPM > then * self.maker.stress_move_ppm

    def act(self, driver: Driver, now_ms: int) -> None:
        """Take the old ladder back and show a new one."""
        maker = self.maker
        if not maker.from_ms <= now_ms < maker.until_ms:
            if self.quoting:
                self.leave(driver)
            return
        self.blocks += 1
        if (self.blocks - 1) % maker.every_blocks:
            return
        self.quoting = True
        step, lots = maker.step_ppm, maker.lots
        if self.stressed(now_ms):
            lots = lots * maker.stress_lots_ppm // PPM
            step = maker.stress_step_ppm or step
        index = self.path.at(now_ms)
        most = maker.position_usd * USD_E6 // (index * self.market.quantum_e6)
        for slot, address in zip(self.slots, self.addresses, strict=True):
            driver.send(address, CancelAll(maker.market))
            held = driver.look.position(slot, maker.market)
            records = self.ladder(index, step, lots, most - held, most + held)
            if len(records):
                driver.send_records(address, records)

    def leave(self, driver: Driver) -> None:
        """Take all quotes back."""
        self.quoting = False
        for address in self.addresses:
            driver.send(address, CancelAll(self.maker.market))

    def ladder(
        self, index: int, step_ppm: int, lots: int, buy_most: int, sell_most: int
    ) -> Records:
        """Orders of one maker: at most so many lots on each side."""
        side, price, size = [], [], []
        for sign, code, room in ((-1, Side.BUY, buy_most), (1, Side.SELL, sell_most)):
            for level in range(1, self.maker.levels + 1):
                away = max(level, index * level * step_ppm // PPM)
                at, wanted = index + sign * away, min(lots * level, room)
                if wanted <= 0 or not 0 < at <= self.market.price_max_ticks:
                    continue
                room -= wanted
                side.append(int(code))
                price.append(at)
                size.append(wanted)
        return command_rows(
            Op.PLACE, len(side), market=self.maker.market, side=side, price=price, size=size
        )


class Takers:
    """Accounts that trade at random."""

    def __init__(self, scenario: Scenario, number: int, path: Prices) -> None:
        self.flow: Flow = scenario.flows[number]
        self.market = scenario.markets[self.flow.market - 1]
        self.path = path
        self.rng = random.Random(f"scenario {scenario.name} {scenario.seed} flow {number}")
        self.addresses = [
            address_of_name(f"{scenario.name} taker {number} {k}")
            for k in range(self.flow.accounts)
        ]
        self.last = path.at(0)

    def act(self, driver: Driver, now_ms: int) -> None:
        """Send a few immediate orders."""
        flow, rng, index = self.flow, self.rng, self.path.at(now_ms)
        rising, self.last = index >= self.last, index
        for _ in range(flow.orders_per_block):
            with_move = rng.randrange(PPM) < flow.chase_ppm
            side = Side.BUY if rising == with_move else Side.SELL
            reach = index * flow.reach_ppm // PPM
            price = index + reach if side == Side.BUY else index - reach
            usd = size_drawn(rng, flow.size_usd)
            lots = max(1, usd * USD_E6 // (index * self.market.quantum_e6))
            price = max(1, min(price, self.market.price_max_ticks))
            order = Place(flow.market, int(side), price, lots, tif=int(Tif.IOC))
            driver.send(self.addresses[rng.randrange(len(self.addresses))], order)


class Script:
    """What single accounts do at their times."""

    def __init__(self, scenario: Scenario, paths: list[Prices]) -> None:
        self.scenario, self.paths = scenario, paths
        self.addresses = {
            actor.name: address_of_name(f"{scenario.name} actor {actor.name}")
            for actor in scenario.actors
        }
        self.waiting = sorted(
            (act.at_ms + k * act.every_ms, number)
            for number, act in enumerate(scenario.acts)
            for k in range(act.repeat)
        )

    def act(self, driver: Driver, now_ms: int) -> None:
        """Send what is due."""
        while self.waiting and self.waiting[0][0] <= now_ms:
            _, number = self.waiting.pop(0)
            act = self.scenario.acts[number]
            self.send(driver, act, now_ms)

    def send(self, driver: Driver, act: Act, now_ms: int) -> None:
        """Send one act."""
        address = self.addresses[act.actor]
        market = self.scenario.markets[act.market - 1]
        if act.do == "cancel":
            driver.send(address, CancelAll(act.market))
            return
        if act.do == "withdraw":
            driver.send(address, Withdraw(0, address, act.usd * USD_E6))
            return
        index = self.paths[market.feed].at(now_ms)
        price = act.price_ticks or index + index * act.offset_ppm // PPM
        price = max(1, min(price, market.price_max_ticks))
        lots = max(1, act.usd * USD_E6 // (index * market.quantum_e6))
        driver.send(address, Place(act.market, SIDES[act.do], price, lots, tif=TIFS[act.tif]))


