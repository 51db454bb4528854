"""The surface fitted to recorded option chains, and what is left of their volatilities.

One voter votes what was recorded: at each pillar the volatility between the two strikes beside it,
none where the chain does not reach. The rule of the surface makes smiles of that; a residual is a
smile's volatility less the recorded one, at each strike on the side out of the money. Whether the
smiles admit arbitrage is asked again in floats, on grids finer than the cells of the rule's test.

With the book the recorded quotes pull as the rule lets them. The chains tell no sizes: each side of
a quote counts QUOTE_WORTH_E6, a tenth of the depth from which a quote weighs fully.
"""

import itertools
import math
import time
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from quorate.instruments.pricing.black76 import (
    TIME_MAX_MS,
    TIME_MIN_MS,
    YEAR_MS,
    deviation_fp,
    implied_vol_e9,
)
from quorate.instruments.pricing.fixed import ONE
from quorate.instruments.surface import steps, vol_index, votes
from quorate.instruments.surface.fit import PILLAR_Z, PILLARS
from quorate.instruments.surface.kernels import remark, renew
from quorate.instruments.surface.kernels import vol_index as vol_index_kernel
from quorate.instruments.surface.smile import SMILE_FIELDS, UNIT, UNIT_VOL_E9
from quorate.sim.options.snapshots import RecordedOption, Snapshot

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PPM: Final = 1_000_000
QUORUM_PPM: Final = 666_666
OUTLIER_PPM: Final = 150_000
DEPTH_E6: Final = 10**12
QUOTE_WORTH_E6: Final = DEPTH_E6 // 10
PILLAR_REACH: Final = 0.3  # beyond the last strike a pillar takes its volatility up to here
Z_MAX: Final = 3.0  # beyond the pillars nothing was voted
BUCKETS: Final = (-3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0)
GRID: Final = 4_001
GRID_REACH: Final = 30.0  # deviations to either side


@dataclass
class Expiry:
    """One expiry of one currency: the options out of the money, by rising strike."""

    time_ms: int
    forward_e2: int
    options: list[RecordedOption]

    def points(self) -> tuple[Floats, Floats]:
        """Log-moneyness over the own deviation, and volatility, by rising moneyness."""
        years = math.sqrt(self.time_ms / YEAR_MS)
        vol = np.array([option.vol_e9 / 1e9 for option in self.options])
        strike = np.array([option.strike_e6 for option in self.options])
        forward = np.array([option.forward_e6 for option in self.options])
        return np.log(strike / forward) / (vol * years), vol

    def pillars(self) -> list[int]:
        """The vote: a volatility in 1e-9 for each pillar, 0 where the chain does not reach."""
        z, vol = self.points()
        order = np.argsort(z, kind="stable")
        z, vol = z[order], vol[order]
        found = []
        for pillar in (PILLAR_Z / UNIT).tolist():
            within = z[0] - PILLAR_REACH <= pillar <= z[-1] + PILLAR_REACH
            found.append(round(float(np.interp(pillar, z, vol)) * 1e9) if within else 0)
        return found

    def quotes(self) -> list[tuple[int, int, int, int]]:
        """Recorded quotes of both sides, as the rule takes them."""
        found = []
        for option in self.options:
            if option.bid is None or option.ask is None:
                continue
            bid, ask = (self.implied_e9(option, float(side)) for side in (option.bid, option.ask))
            if bid and ask:
                middle = deviation_fp((bid + ask) // 2, self.time_ms) / ONE
                z = math.log(option.strike_e6 / option.forward_e6) / middle
                found.append((round(z * UNIT), bid, ask, QUOTE_WORTH_E6))
        return found[: votes.QUOTES_MAX]

    def implied_e9(self, option: RecordedOption, price: float) -> int:
        """Volatility of a price in coin, 0 for none."""
        return implied_vol_e9(
            round(price * ONE),
            self.forward_e2,
            option.strike_e6 // 10**4,
            self.time_ms,
            option.call,
        )


def expiries_of(snapshot: Snapshot, currency: str) -> list[Expiry]:
    """The expiries of a currency whose options pricing admits, nearest first."""
    by_time: dict[int, list[RecordedOption]] = {}
    for option in snapshot.options:
        out = option.call == (option.strike_e6 >= option.forward_e6)
        timely = TIME_MIN_MS <= option.time_ms <= TIME_MAX_MS
        if option.currency == currency and out and timely and option.vol_e9 >= 10_000_000:
            by_time.setdefault(option.time_ms, []).append(option)
    found = []
    for time_ms, options in sorted(by_time.items()):
        options.sort(key=lambda option: option.strike_e6)
        found.append(Expiry(time_ms, round(options[0].forward_e6 / 10**4), options))
    return found


@dataclass
class Surface:
    """The fitted smiles of one currency at one moment."""

    expiries: list[Expiry]
    smiles: Ints
    confidence_ppm: Ints
    seconds: float

    def smiled(self, at: int) -> bool:
        """Whether an expiry has a smile."""
        return int(self.smiles[at, UNIT_VOL_E9]) > 0

    def times_ms(self) -> Ints:
        """Time to each expiry."""
        return np.array([each.time_ms for each in self.expiries], np.int64)

    def vols(self, at: int) -> tuple[Floats, Floats]:
        """Volatilities of the options of an expiry, and their prices over the forward."""
        expiry = self.expiries[at]
        series = np.array(
            [(o.strike_e6 // 10**4, int(o.call), at) for o in expiry.options], np.int64
        )
        vols_e9, marks = np.zeros((2, len(series)), np.int64)
        forwards = np.array([each.forward_e2 for each in self.expiries], np.int64)
        roots = np.zeros(len(self.expiries), np.int64)
        remark(series, forwards, self.times_ms(), self.smiles, roots, vols_e9, marks)
        return vols_e9 / 1e9, marks / expiry.forward_e2

    def index(self) -> float | None:
        """The volatility index in percent, None where an expiry is missing."""
        strikes, prices = np.zeros((2, vol_index.STRIP), np.int64)
        found = vol_index_kernel(
            self.smiles, self.times_ms(), self.confidence_ppm, strikes, prices
        )
        return found / 1e7 if found else None


def fitted(expiries: list[Expiry], with_book: bool) -> Surface:
    """Run the rule on the vote, and on the quotes if they are to pull."""
    count = len(expiries)
    voted = np.array([[each.pillars()] for each in expiries], np.int64)
    quotes = [each.quotes() if with_book else [] for each in expiries]
    rows = np.array([row for part in quotes for row in part], np.int64)
    ends = np.cumsum([len(part) for part in quotes], dtype=np.int64)
    smiles = np.zeros((count + 1, SMILE_FIELDS), np.int64)
    confidence_ppm = np.zeros(count, np.int64)
    room = np.zeros((steps.SURFACE_ROOMS, PILLARS), np.int64)
    start = time.perf_counter()
    renew(
        voted,
        np.ones(1, np.int64),
        1,
        QUORUM_PPM,
        OUTLIER_PPM,
        rows.reshape(-1, votes.QUOTE_FIELDS),
        ends,
        DEPTH_E6,
        np.array([each.time_ms for each in expiries], np.int64),
        smiles,
        confidence_ppm,
        room,
    )
    return Surface(expiries, smiles, confidence_ppm, time.perf_counter() - start)


# --- arbitrage, asked again in floats -------------------------------------------------------------
def shape(smile: Ints, k: Floats) -> tuple[Floats, Floats, Floats]:
    """Total variance and its two derivatives, at log-moneyness k."""
    unit = deviation_fp(int(smile[UNIT_VOL_E9]), int(smile[6])) / ONE
    alpha, left, right, middle, width = (float(value) / UNIT for value in smile[1:6])
    away = k / unit - middle
    root = np.hypot(away, width)
    total = unit * unit * (alpha + ((right - left) * away + (right + left) * root) / 2)
    slope = unit * ((right - left) + (right + left) * away / root) / 2
    return total, slope, (right + left) / 2 * width * width / root**3


def butterfly_found(smile: Ints) -> bool:
    """Whether Durrleman's g is negative anywhere on the grid."""
    unit = deviation_fp(int(smile[UNIT_VOL_E9]), int(smile[6])) / ONE
    k = np.linspace(-GRID_REACH, GRID_REACH, GRID) * unit
    w, slope, bend = shape(smile, k)
    g = (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + bend / 2
    return bool(np.min(g) < 0)


def calendar_found(near: Ints, later: Ints) -> bool:
    """Whether total variance falls from one expiry to the next, between K / F of 1/16 and 16."""
    k = np.sinh(np.linspace(-5, 5, GRID)) / math.sinh(5) * math.log(16)
    first, second = shape(near, k)[0], shape(later, k)[0]
    return bool(np.min(second / first) < 1 - 1e-7)


# --- the report -----------------------------------------------------------------------------------
@dataclass
class Findings:
    """What was found over all snapshots, of one kind of fit."""

    z: list[float] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)
    quoted: int = 0
    inside: int = 0
    expiries: int = 0
    repaired: int = 0
    missing: int = 0
    butterflies: int = 0
    calendars: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, surface: Surface) -> None:
        """Take in one surface."""
        self.seconds.append(surface.seconds)
        before: Ints | None = None
        for at, expiry in enumerate(surface.expiries):
            self.expiries += 1
            if not surface.smiled(at):
                self.missing += 1
                continue
            smile = surface.smiles[at]
            self.repaired += int(surface.confidence_ppm[at]) < PPM
            self.butterflies += butterfly_found(smile)
            self.calendars += before is not None and calendar_found(before, smile)
            before = smile
            self.add_expiry(expiry, *surface.vols(at))

    def add_expiry(self, expiry: Expiry, vols: Floats, prices: Floats) -> None:
        """Take in the residuals of one expiry within the pillars, in volatility points."""
        z, recorded = expiry.points()
        for at, option in enumerate(expiry.options):
            if abs(z[at]) > Z_MAX:
                continue
            self.z.append(float(z[at]))
            self.residuals.append(abs(float(vols[at] - recorded[at])) * 100)
            if option.bid is not None and option.ask is not None and option.bid > 0:
                self.quoted += 1
                self.inside += bool(float(option.bid) <= prices[at] <= float(option.ask))

    def report(self) -> dict[str, Any]:
        """The findings for machines and people."""
        z, residuals = np.array(self.z), np.array(self.residuals)
        buckets = []
        for low, high in itertools.pairwise(BUCKETS):
            chosen = residuals[(z >= low) & (z < high)]
            if len(chosen):
                buckets.append({"z_from": low, "z_to": high, **spread(chosen)})
        return {
            **spread(residuals),
            "inside_quotes_share": self.inside / self.quoted if self.quoted else None,
            "by_moneyness": buckets,
            "expiries": self.expiries,
            "expiries_repaired": self.repaired,
            "expiries_without_smile": self.missing,
            "butterfly_violations": self.butterflies,
            "calendar_violations": self.calendars,
            "renewal_seconds_max": max(self.seconds),
            "renewal_seconds_total": sum(self.seconds),
        }


def spread(residuals: Floats) -> dict[str, Any]:
    """Rows, median, 90th percentile and maximum, in volatility points."""
    return {
        "rows": len(residuals),
        "median_vol_points": float(np.median(residuals)),
        "p90_vol_points": float(np.quantile(residuals, 0.9)),
        "max_vol_points": float(np.max(residuals)),
    }


def fits(snapshots: list[Snapshot]) -> dict[str, Any]:
    """The report over all snapshots: fits to the votes alone, and to votes and book."""
    votes_only, with_book = Findings(), Findings()
    moments = []
    for snapshot in snapshots:
        indexes: dict[str, float | None] = {}
        for currency in sorted({option.currency for option in snapshot.options}):
            expiries = expiries_of(snapshot, currency)
            if not expiries:
                continue
            surface = fitted(expiries, with_book=False)
            votes_only.add(surface)
            with_book.add(fitted(expiries, with_book=True))
            indexes[currency] = surface.index()
        moments.append({"stamp": snapshot.stamp, "vol_index": indexes})
    return {
        "snapshots": len(snapshots),
        **votes_only.report(),
        "with_book": with_book.report(),
        "moments": moments,
    }
