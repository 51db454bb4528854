"""Seeded portfolios of options and perpetuals, as people hold them, drawn from one chain."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quorate.sim.options.chains import Chain
from quorate.sim.options.snapshots import RecordedOption

LOTS_MAX: Final = 500  # hundredths of a coin
PERPETUAL: Final = "{coin}-PERPETUAL"


@dataclass(frozen=True)
class Account:
    """Legs by instrument, in lots of a hundredth of a coin, and how its owner sizes its equity.

    `equity_ratio`: equity at the start over the initial requirement of its own margin.
    """

    number: int
    style: str
    legs: dict[str, int]
    equity_ratio: float


class Chooser:
    """Picks options of one coin by expiry and moneyness among those listed throughout."""

    def __init__(self, chain: Chain, names: Sequence[str], rng: random.Random) -> None:
        self.chain = chain
        self.rng = rng
        self.by_expiry: dict[tuple[str, int], list[RecordedOption]] = {}
        for name in names:
            quote = chain.quotes[name]
            self.by_expiry.setdefault((quote.currency, quote.expiry_ms), []).append(quote)
        self.keys = sorted(key for key, quotes in self.by_expiry.items() if len(quotes) >= 8)

    def expiry(self, coin: str) -> tuple[str, int]:
        """Draw an expiry of a coin."""
        return self.rng.choice([key for key in self.keys if key[0] == coin])

    def near(self, key: tuple[str, int], moneyness: float, call: bool) -> str:
        """Name of the option whose strike is nearest to moneyness * forward."""
        quotes = [quote for quote in self.by_expiry[key] if quote.call == call]
        best = min(quotes, key=lambda quote: abs(quote.strike_e6 - moneyness * quote.forward_e6))
        return best.name


def legs_of(style: str, choose: Chooser, coin: str, lots: int) -> dict[str, int]:
    """Legs of one style."""
    rng, key = choose.rng, choose.expiry(coin)
    wide = rng.uniform(0.06, 0.2)
    legs: dict[str, int] = {}

    def add(name: str, signed: int) -> None:
        legs[name] = legs.get(name, 0) + signed

    perpetual = PERPETUAL.format(coin=coin)
    if style in ("short strangle", "hedged short straddle"):
        wide = 0.0 if "straddle" in style else wide
        add(choose.near(key, 1 - wide, False), -lots)
        add(choose.near(key, 1 + wide, True), -lots)
        if "straddle" in style:
            add(perpetual, rng.randint(-lots // 5, lots // 5))
    elif style == "naked short put":
        add(choose.near(key, 1 - wide, False), -lots)
    elif style == "short put hedged":
        add(choose.near(key, 1 - wide, False), -lots)
        add(perpetual, -lots // 3)
    elif style == "covered call":
        add(perpetual, lots)
        add(choose.near(key, 1 + wide, True), -lots)
    elif style == "put spread sold":
        add(choose.near(key, 1 - wide / 2, False), -lots)
        add(choose.near(key, 0.9 - wide, False), lots)
    elif style == "call spread sold":
        add(choose.near(key, 1 + wide / 2, True), -lots)
        add(choose.near(key, 1.1 + wide, True), lots)
    elif style == "iron condor":
        for moneyness, call in ((1 - wide, False), (1 + wide, True)):
            add(choose.near(key, moneyness, call), -lots)
            add(choose.near(key, moneyness + (0.1 if call else -0.1), call), lots)
    elif style == "calendar":
        other = choose.expiry(coin)
        add(choose.near(min(key, other), 1, True), -lots)
        add(choose.near(max(key, other), 1, True), lots)
    elif style == "collar":
        add(perpetual, lots)
        add(choose.near(key, 1 - wide, False), lots)
        add(choose.near(key, 1 + wide, True), -lots)
    elif style == "long straddle":
        add(choose.near(key, 1, False), lots)
        add(choose.near(key, 1, True), lots)
    else:  # relative value: the same short put in one coin against a long one in the other
        other_coin = "ETH" if coin == "BTC" else "BTC"
        ratio = choose.chain.index_e6[coin] / choose.chain.index_e6[other_coin]
        add(choose.near(key, 1 - wide, False), -lots)
        add(choose.near(choose.expiry(other_coin), 1 - wide, False), max(1, round(lots * ratio)))
    return {name: signed for name, signed in legs.items() if signed}


STYLES: Final = (
    "naked short put", "short strangle", "hedged short straddle", "short put hedged",
    "covered call", "put spread sold", "call spread sold", "iron condor", "calendar", "collar",
    "long straddle", "relative value",
)  # fmt: skip


def drawn(chain: Chain, names: Sequence[str], count: int, seed: int) -> list[Account]:
    """Draw accounts by a seed; each of one style, equity from 1.05 to 2.5 times what it needs."""
    rng = random.Random(seed)
    choose = Chooser(chain, names, rng)
    found = []
    for number in range(count):
        style = STYLES[number % len(STYLES)]
        coin = rng.choice(["BTC", "ETH"])
        lots = rng.randint(10, LOTS_MAX) * (1 if coin == "BTC" else 20)
        legs = legs_of(style, choose, coin, lots)
        while not legs:  # the legs that were drawn are one option, bought and sold
            legs = legs_of(style, choose, coin, lots)
        ratio = round(1.05 + 1.45 * rng.random() ** 2, 3)
        found.append(Account(number, style, legs, ratio))
    return found
