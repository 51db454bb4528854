"""Replay of margin through recorded chains: who would have been liquidated, and when.

Accounts are drawn at the first chain and hold what they have; each has its equity twice, once sized
by the standard margin's initial requirement and once by the portfolio margin's. At each later chain
every option is priced from its recorded volatility and forward by the integer rules, and equity is
held against maintenance. Between two chains hours pass: what is reported is the first chain at
which an account is below its maintenance. Nothing is traded at that point: whether a hedge in the
perpetual would have been enough, and what was lost until the last chain, is told beside it.

One tick is a hundredth of the quote, one lot a hundredth of a coin. Nothing here is of the state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from quorate.instruments.margin import kernels
from quorate.instruments.margin import layout as at
from quorate.instruments.margin.liquidation import HEDGE_STEPS
from quorate.instruments.margin.parameters import DERIVE
from quorate.sim.options.accounts import PERPETUAL, Account, drawn
from quorate.sim.options.chains import Chain
from quorate.types.limits import LEGS_MAX, PPM

COINS: Final = ("BTC", "ETH")
TICK_E6: Final = 10_000  # of the quote
QUANTUM_E6: Final = 100  # a tick times a lot, in 1e-6 of the quote
PAYOFFS_REACH: Final = 16  # the highest payoff, in indexes of the first chain
GROUP_OFFSET_PPM: Final = 500_000
REGIMES: Final = ("standard", "portfolio")


@dataclass(frozen=True)
class Standing:
    """One account at one chain under one margin, in e6."""

    marks_e6: int
    initial_e6: int
    maintenance_e6: int


def ticks(amount_e6: int) -> int:
    """A price in ticks, rounded to the nearest."""
    return round(amount_e6 / TICK_E6)


class Venue:
    """The margin arrays of one chain, for the instruments that all chains have."""

    def __init__(self, chain: Chain, names: Sequence[str], payoffs_max: dict[str, int]) -> None:
        quotes = [chain.quotes[name] for name in names]
        dated = sorted({(quote.currency, quote.expiry_ms) for quote in quotes})
        number = {key: k for k, key in enumerate(dated)}
        count = len(names)
        self.rows = {name: row for row, name in enumerate(names)}
        self.rows |= {PERPETUAL.format(coin=coin): count + u for u, coin in enumerate(COINS)}
        self.series = np.zeros((count + len(COINS), at.SERIES_FIELDS), dtype=np.int64)
        self.expiries = np.zeros((len(dated) + len(COINS), at.EXPIRY_FIELDS), dtype=np.int64)
        self.series[:, at.QUANTUM_E6] = QUANTUM_E6
        self.series[:, at.CONFIDENCE_PPM] = PPM
        self.expiries[:, at.VARIABLE_PPM] = PPM
        for row, quote in enumerate(quotes):
            expiry = number[quote.currency, quote.expiry_ms]
            own = self.series[row]
            own[at.KIND] = at.CALL if quote.call else at.PUT
            own[at.UNDERLYING] = COINS.index(quote.currency)
            own[at.EXPIRY] = expiry
            own[at.STRIKE] = ticks(quote.strike_e6)
            own[at.PAYOFF_MAX] = payoffs_max[quote.currency]
            own[at.VOL_E9] = quote.vol_e9
            self.expiries[expiry, at.FORWARD] = ticks(quote.forward_e6)
            self.expiries[expiry, at.TIME_MS] = quote.expiry_ms - chain.time_ms
        indexes = [ticks(chain.index_e6[coin]) for coin in COINS]
        for u, coin in enumerate(COINS):
            own = self.series[count + u]
            own[at.KIND], own[at.UNDERLYING], own[at.EXPIRY] = at.PERPETUAL, u, len(dated) + u
            own[at.MARK] = ticks(chain.perpetual_e6[coin])
            own[at.INITIAL_PPM], own[at.MAINTENANCE_PPM] = 100_000, 65_000
            self.expiries[len(dated) + u, at.FORWARD] = indexes[u]
        self.underlyings = np.array([(index, 0) for index in indexes], dtype=np.int64)
        self.worths = np.zeros((len(self.series), at.COLUMNS), dtype=np.int64)
        self.groups = np.array([GROUP_OFFSET_PPM], dtype=np.int64)
        self.parameters = np.array(DERIVE, dtype=np.int64)
        kernels.mark(self.series, len(self.series), self.expiries)
        kernels.remark(self.series, len(self.series), self.expiries, self.worths)

    @property
    def tables(self) -> tuple[Any, ...]:
        """The four tables as the kernels take them."""
        return (self.series, self.underlyings, self.expiries, self.worths)

    @property
    def scratch(self) -> tuple[Any, ...]:
        """Scratch arrays of the scan."""
        return (
            np.zeros((len(self.expiries), at.COLUMNS), dtype=np.int64),
            np.zeros((len(COINS) + 1, at.OUTCOMES), dtype=np.int64),
            np.zeros(len(self.expiries), dtype=np.int64),
            np.zeros(len(self.expiries) + len(COINS), dtype=np.int64),
        )

    def legs(self, account: Account) -> Any:
        """Legs of an account as an array with room for one more."""
        found = np.zeros((len(account.legs) + 1, at.LEG_FIELDS), dtype=np.int64)
        for k, (name, lots) in enumerate(account.legs.items()):
            found[k] = (self.rows[name], lots)
        return found

    def standing(self, account: Account, regime: str) -> Standing:
        """Marks and requirements of an account under one margin."""
        legs, count = self.legs(account), len(account.legs)
        results = np.zeros(at.RESULTS, dtype=np.int64)
        none = np.zeros((1, at.ORDER_FIELDS), dtype=np.int64)
        if regime == "standard":
            merged = np.zeros((LEGS_MAX, at.LEG_FIELDS), dtype=np.int64)
            kernels.by_leg(legs, count, none, 0, *self.tables, self.parameters, merged, results)
        else:
            kernels.scanned(
                legs, count, none, 0, *self.tables, self.groups, self.parameters, *self.scratch,
                results,
            )  # fmt: skip
        return Standing(
            int(results[at.MARKS_E6]),
            int(results[at.INITIAL_E6]),
            int(results[at.MAINTENANCE_E6]),
        )

    def hedged_e6(self, account: Account) -> int:
        """Maintenance by portfolio margin after the best hedge in one perpetual."""
        best = None
        for coin in COINS:
            results = np.zeros(at.RESULTS, dtype=np.int64)
            requirements = np.zeros(HEDGE_STEPS + 1, dtype=np.int64)
            kernels.hedge(
                self.legs(account), len(account.legs), self.rows[PERPETUAL.format(coin=coin)],
                *self.tables, self.groups, self.parameters, *self.scratch, results, requirements,
            )  # fmt: skip
            least = int(requirements.min())
            best = least if best is None or least < best else best
        return int(best or 0)


def venues(chains: Sequence[Chain]) -> tuple[list[Venue], list[str]]:
    """The venues of all chains, and the instruments that every chain has."""
    shared = set(chains[0].quotes).intersection(*(chain.quotes for chain in chains[1:]))
    names = sorted(name for name in shared if chains[0].quotes[name].currency in COINS)
    most = {coin: PAYOFFS_REACH * ticks(chains[0].index_e6[coin]) for coin in COINS}
    return [Venue(chain, names, most) for chain in chains], names


def followed(
    account: Account, regime: str, chains: Sequence[Chain], places: Sequence[Venue]
) -> dict[str, Any]:
    """Follow one account under one margin; where it was first below maintenance, or None."""
    first = places[0].standing(account, regime)
    cash_e6 = round(first.initial_e6 * account.equity_ratio) - first.marks_e6
    found: dict[str, Any] = {
        "account": account.number,
        "style": account.style,
        "margin": regime,
        "legs": account.legs,
        "cash_e6": cash_e6,
        "initial_e6": first.initial_e6,
        "liquidated_at": None,
    }
    equity_e6 = 0
    for chain, place in zip(chains, places, strict=True):
        now = place.standing(account, regime)
        equity_e6 = cash_e6 + now.marks_e6
        if found["liquidated_at"] is None and equity_e6 < now.maintenance_e6:
            found["liquidated_at"] = chain.stamp
            found["time_ms"] = chain.time_ms
            found["equity_e6"] = equity_e6
            found["maintenance_e6"] = now.maintenance_e6
            if regime == "portfolio":
                found["hedge_would_do"] = equity_e6 >= place.hedged_e6(account)
    found["equity_last_e6"] = equity_e6
    return found


def summary(
    rows: Sequence[dict[str, Any]], chains: Sequence[Chain], styles: Sequence[str]
) -> dict[str, Any]:
    """Count what was found, by margin, by chain and by style."""
    found: dict[str, Any] = {}
    for regime in REGIMES:
        own = [row for row in rows if row["margin"] == regime]
        hit = [row for row in own if row["liquidated_at"] is not None]
        found[regime] = {
            "accounts": len(own),
            "liquidated": len(hit),
            "below_zero_when_found": sum(row["equity_e6"] < 0 for row in hit),
            "below_zero_at_the_end": sum(row["equity_last_e6"] < 0 for row in own),
            "by_chain": {
                chain.stamp: sum(row["liquidated_at"] == chain.stamp for row in hit)
                for chain in chains
            },
            "by_style": {style: sum(row["style"] == style for row in hit) for style in styles},
            "initial_e6": sum(row["initial_e6"] for row in own),
        }
    found["portfolio"]["hedge_would_do"] = sum(row.get("hedge_would_do", False) for row in rows)
    return found


def replay(chains: Sequence[Chain], count: int, seed: int) -> dict[str, Any]:
    """Follow `count` accounts drawn by a seed under both margins through all chains."""
    places, names = venues(chains)
    accounts = drawn(chains[0], names, count, seed)
    rows = [followed(account, regime, chains, places) for regime in REGIMES for account in accounts]
    styles = sorted({account.style for account in accounts})
    return {
        "chains": [
            {"stamp": chain.stamp, "time_ms": chain.time_ms, "index_e6": dict(chain.index_e6)}
            for chain in chains
        ],
        "instruments": len(names),
        "seed": seed,
        "summary": summary(rows, chains, styles),
        "rows": rows,
    }
