"""Portfolio and standard margin again, in floats, with QuantLib's prices.

Written from FORMULAS 11 and 12 and the two stated deviations (basis beyond a weight of 1 shocks
further; skew is priced both ways), not from the code: dictionaries, one function per term.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field

import QuantLib

YEAR_DAYS = 365.0
REGULAR = [(-0.18, "up"), (0.18, "up")] + [
    (step * 0.045, vol) for step in range(-3, 4) for vol in ("up", "same", "down")
]
TAILS = {-0.66: 0.21, -0.33: 0.42, 0.5: 0.277, 1: 0.139, 2: 0.069, 3: 0.046, 4: 0.035, 5: 0.028}


@dataclass(frozen=True)
class Option:
    """A European option; `expiry` names an expiry of the underlying."""

    underlying: str
    expiry: str
    strike: float
    call: bool
    vol: float


@dataclass(frozen=True)
class Linear:
    """A perpetual, or a spot balance."""

    underlying: str
    spot: bool = False


@dataclass
class Market:
    """Index by underlying; forward and days by expiry; the offset between underlyings."""

    index: dict[str, float]
    forward: dict[str, float]
    days: dict[str, float]
    offset: float = 0.5
    haircuts: tuple[float, float] = (0.10, 0.065)
    perpetual: dict[str, float] = field(default_factory=dict)  # where it is not the index

    def linear(self, underlying: str) -> float:
        """Price of a perpetual or spot."""
        return self.perpetual.get(underlying, self.index[underlying])


def price(option: Option, forward: float, vol: float, days: float) -> float:
    """Undiscounted Black-76 by QuantLib."""
    kind = QuantLib.Option.Call if option.call else QuantLib.Option.Put
    deviation = vol * math.sqrt(days / YEAR_DAYS)
    return float(QuantLib.blackFormula(kind, option.strike, forward, deviation, 1.0))


def moved_vol(vol: float, days: float, mode: str) -> float:
    """Volatility after a move of the scan."""
    if mode == "same":
        return vol
    horizon = math.pow(30 / max(days, 1), 0.3 if days <= 30 else 0.13)
    return max(vol * (1 + 0.5 * horizon), 0.4) if mode == "up" else vol * (1 - 0.275 * horizon)


def skew(strike: float, forward: float, days: float) -> float:
    """Relative shift of a volatility by its log-moneyness."""
    root = math.sqrt(days / YEAR_DAYS)
    cap = 0.25 - 0.1 * root
    shift = math.log(strike / forward) * cap / max(0.01, 4 * 0.6 * root)
    return max(-cap, min(cap, shift))


def discounted(value: float, days: float) -> float:
    """Static discount of an expiry's value."""
    years = days / YEAR_DAYS
    discount = 0.98 * math.exp(-0.1 * years)
    if value > 0:
        return value * discount
    return value * min(1 / discount, 1.02 * math.exp(0.1 * years))


Legs = list[tuple[Option | Linear, float]]


def outcomes(legs: Legs, market: Market, underlying: str) -> list[float]:
    """Result of one underlying in each of the 34 outcomes, tails dampened."""
    options: dict[str, list[tuple[Option, float]]] = defaultdict(list)
    linear = 0.0
    for what, lots in legs:
        if what.underlying == underlying and isinstance(what, Option):
            options[what.expiry].append((what, lots))
        elif what.underlying == underlying:
            linear += lots * market.linear(underlying)

    def worth(expiry: str, shock: float, mode: str) -> float:
        days, forward = market.days[expiry], market.forward[expiry] * (1 + shock)
        return sum(
            lots * price(o, forward, moved_vol(o.vol, days, mode), days)
            for o, lots in options[expiry]
        )

    def tilted(expiry: str, sign: float, wings: bool) -> float:
        days, forward = market.days[expiry], market.forward[expiry]
        total = 0.0
        for o, lots in options[expiry]:
            shift = skew(o.strike, forward, days)
            shift = sign * (abs(shift) if wings else shift)
            total += lots * price(o, forward, o.vol * (1 + shift), days)
        return total

    marks = {e: worth(e, 0, "same") for e in options}

    def scan(shock: float, mode: str) -> float:
        return linear * shock + sum(
            discounted(worth(e, shock, mode), market.days[e]) - marks[e] for e in options
        )

    found = [scan(*scenario) for scenario in REGULAR]
    found += [scan(shock, "up") * part for shock, part in TAILS.items()]
    for wings in (False, True):
        found.append(
            sum(min(0.0, *(tilted(e, sign, wings) - marks[e] for sign in (1, -1))) for e in options)
        )
    basis = 0.0
    for e in options:
        weight = 0.5 + 2 * market.days[e] / YEAR_DAYS
        shock = 0.045 * max(weight, 1)
        worst = min(0.0, *(worth(e, sign * shock, "same") - marks[e] for sign in (1, -1)))
        basis += worst * min(weight, 1)
    return [*found, basis]


def portfolio(legs: Legs, market: Market) -> tuple[float, float]:
    """Initial and maintenance requirement against equity at marks, all underlyings one group."""
    names = sorted({what.underlying for what, _ in legs})
    each = [outcomes(legs, market, name) for name in names]
    apart = sum(max(0.0, -min(results)) for results in each)
    together = max(0.0, *(-sum(column) for column in zip(*each, strict=True)))
    worst = apart - market.offset * (apart - together)
    initial, kept = worst, 0.8 * worst
    for what, lots in legs:
        index = market.index[what.underlying]
        if isinstance(what, Option):
            initial += 0.003 * index * max(0.0, -lots)
            kept += 0.003 * index * max(0.0, -lots)
        else:
            rates = market.haircuts if what.spot else (0.04, 0.03)
            initial += rates[0] * market.linear(what.underlying) * abs(lots)
            kept += rates[1] * market.linear(what.underlying) * abs(lots)
    return initial, kept


def marks(legs: Legs, market: Market) -> float:
    """Worth of all legs at their marks."""
    total = 0.0
    for what, lots in legs:
        if isinstance(what, Option):
            forward, days = market.forward[what.expiry], market.days[what.expiry]
            total += lots * price(what, forward, what.vol, days)
        else:
            total += lots * market.linear(what.underlying)
    return total


def short_needs(option: Option, index: float, mark: float, initial: bool) -> float:
    """Cash one short option needs (FORMULAS 11)."""
    kept = max(0.09 * index, 0.0 if option.call else 0.09 * mark) + mark
    if not initial:
        return kept
    away = max(0.0, (option.strike - index) * (1 if option.call else -1))
    first = max(0.15 * index - away, 0.13 * index) + mark
    return first if option.call else max(first, 1.05 * kept)


def standard(legs: Legs, market: Market) -> tuple[float, float]:
    """Initial and maintenance requirement of the standard margin, against equity at marks."""
    found = []
    for initial in (True, False):
        total = 0.0
        expiries: dict[str, list[tuple[Option, float]]] = defaultdict(list)
        for what, lots in legs:
            if isinstance(what, Option):
                expiries[what.expiry].append((what, lots))
            else:
                total += abs(lots) * market.linear(what.underlying) * (0.1 if initial else 0.065)
        for expiry, options in expiries.items():
            days, forward = market.days[expiry], market.forward[expiry]
            alone = shorts = calls = 0.0
            for o, lots in options:
                mark = price(o, forward, o.vol, days)
                total += lots * mark
                alone += max(0.0, -lots) * short_needs(o, market.index[o.underlying], mark, initial)
                calls += lots if o.call else 0.0
            shorts = max(
                -sum(
                    lots * max(0.0, (at - o.strike) * (1 if o.call else -1)) for o, lots in options
                )
                for at in [0.0, *(o.strike for o, _ in options)]
            )
            shorts = max(shorts, 0.0) + (1.2 if initial else 1.1) * forward * max(0.0, -calls)
            total += min(alone, shorts)
        found.append(total)
    return found[0], found[1]
