"""Speed of option margin: `options.portfolio_100_us`, `options.remark_ms`.

A book of 1,000 options on two underlyings, ten expiries each; accounts with random legs, long and
short, and a perpetual. What is timed is what follows every update of prices and volatilities: each
option's volatility and mark from its expiry's smile, the table of all series in all scenarios, then
the portfolio margin of every account.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from quorate.cli.benches.figures import Figure, median, seconds, spread
from quorate.instruments.margin import kernels
from quorate.instruments.margin import layout as at
from quorate.instruments.margin.parameters import DERIVE
from quorate.instruments.surface import kernels as surface
from quorate.instruments.surface import smile as curve
from quorate.instruments.surface import steps
from quorate.types.limits import DAY_MS, PPM

SERIES = 1_000
UNDERLYINGS = 2
EXPIRIES_EACH = 10
INDEX = 7_000_000  # ticks of a hundredth
ACCOUNTS = 10_000
LEGS = 20  # of each account of the re-scan
RUNS = 15


class Book:
    """The arrays of a book of options, and scratch."""

    def __init__(self) -> None:
        """Draw the book by a seed."""
        rng = np.random.default_rng(7)
        dated = UNDERLYINGS * EXPIRIES_EACH
        self.expiries = np.zeros((dated + UNDERLYINGS, at.EXPIRY_FIELDS), dtype=np.int64)
        self.expiries[:, at.FORWARD] = INDEX
        self.expiries[:, at.VARIABLE_PPM] = PPM
        self.expiries[:dated, at.TIME_MS] = rng.integers(1, 400, dated) * DAY_MS
        self.series = np.zeros((SERIES + UNDERLYINGS, at.SERIES_FIELDS), dtype=np.int64)
        options = self.series[:SERIES]
        options[:, at.KIND] = rng.choice([at.CALL, at.PUT], SERIES)
        options[:, at.EXPIRY] = rng.integers(0, dated, SERIES)
        options[:, at.UNDERLYING] = options[:, at.EXPIRY] % UNDERLYINGS
        options[:, at.STRIKE] = INDEX * rng.integers(50, 200, SERIES) // 100
        self.smiles = np.zeros((dated, curve.SMILE_FIELDS), dtype=np.int64)
        self.smiles[:, curve.UNIT_VOL_E9] = rng.integers(400_000_000, 1_200_000_000, dated)
        self.smiles[:, curve.ALPHA] = curve.UNIT * 3 // 4
        self.smiles[:, curve.LEFT] = curve.UNIT * 2 // 5
        self.smiles[:, curve.RIGHT] = curve.UNIT // 5
        self.smiles[:, curve.WIDTH] = curve.UNIT
        self.smiles[:, curve.FIT_TIME_MS] = self.expiries[:dated, at.TIME_MS]
        self.curves = np.zeros((SERIES, steps.SERIES_FIELDS), dtype=np.int64)
        self.curves[:, steps.SERIES_STRIKE] = options[:, at.STRIKE]
        self.curves[:, steps.SERIES_CALL] = options[:, at.KIND] == at.CALL
        self.curves[:, steps.SERIES_EXPIRY] = options[:, at.EXPIRY]
        self.roots = np.zeros(dated, dtype=np.int64)
        self.vols, self.marks = np.zeros((2, SERIES), dtype=np.int64)
        self.series[SERIES:, at.KIND] = at.PERPETUAL
        self.series[SERIES:, at.UNDERLYING] = np.arange(UNDERLYINGS)
        self.series[SERIES:, at.EXPIRY] = dated + np.arange(UNDERLYINGS)
        self.series[SERIES:, at.MARK] = INDEX
        self.series[:, at.QUANTUM_E6] = 100
        self.series[:, at.PAYOFF_MAX] = 16 * INDEX
        self.series[:, at.CONFIDENCE_PPM] = PPM
        self.underlyings = np.array([(INDEX, 0)] * UNDERLYINGS, dtype=np.int64)
        self.worths = np.zeros((len(self.series), at.COLUMNS), dtype=np.int64)
        self.groups = np.array([500_000], dtype=np.int64)
        self.parameters = np.array(DERIVE, dtype=np.int64)
        count = len(self.expiries)
        self.scratch: tuple[Any, ...] = (
            np.zeros((count, at.COLUMNS), dtype=np.int64),
            np.zeros((UNDERLYINGS + 1, at.OUTCOMES), dtype=np.int64),
            np.zeros(count, dtype=np.int64),
            np.zeros(count + UNDERLYINGS, dtype=np.int64),
        )

    def accounts(self, count: int, legs: int) -> tuple[Any, Any]:
        """Legs and starts of accounts with `legs` options and a perpetual each."""
        rng = np.random.default_rng(8)
        found = np.zeros((count, legs + 1, at.LEG_FIELDS), dtype=np.int64)
        for k in range(count):
            found[k, :legs, at.ROW] = rng.choice(SERIES, legs, replace=False)
            found[k, legs, at.ROW] = SERIES + k % UNDERLYINGS
        found[:, :, at.LOTS] = rng.integers(-50, 51, (count, legs + 1))
        starts = np.arange(0, count * (legs + 1) + 1, legs + 1, dtype=np.int64)
        return found.reshape(-1, at.LEG_FIELDS), starts

    def remark(self) -> None:
        """Write volatilities, marks and the table of worths."""
        count = len(self.smiles)
        forwards = self.expiries[:count, at.FORWARD].copy()
        left_ms = self.expiries[:count, at.TIME_MS].copy()
        surface.remark(
            self.curves, forwards, left_ms, self.smiles, self.roots, self.vols, self.marks
        )
        self.series[:SERIES, at.VOL_E9] = self.vols
        self.series[:SERIES, at.MARK] = self.marks
        kernels.remark(self.series, len(self.series), self.expiries, self.worths)

    def scan(self, legs: Any, starts: Any, results: Any) -> None:
        """Write the portfolio margin of all accounts."""
        kernels.scanned_many(
            legs, starts, self.series, self.underlyings, self.expiries, self.worths, self.groups,
            self.parameters, *self.scratch, results,
        )  # fmt: skip


def margin() -> Iterator[Figure]:
    """One account with 100 options, and a re-mark with the re-scan of all accounts."""
    book = Book()
    book.remark()
    large, starts = book.accounts(1_000, 100)
    results = np.zeros((1_000, at.RESULTS), dtype=np.int64)
    spent = [1_000 * seconds(lambda: book.scan(large, starts, results)) for _ in range(RUNS)]
    yield Figure(
        "options.portfolio_100_us",
        median(spent[1:]),
        "us",
        f"100 options and a perpetual, {at.OUTCOMES} outcomes, of 1,000 accounts in a row;"
        f" {spread(spent[1:])}",
    )
    legs, starts = book.accounts(ACCOUNTS, LEGS)
    results = np.zeros((ACCOUNTS, at.RESULTS), dtype=np.int64)
    marked, spent = [], []
    for _ in range(RUNS):
        marked.append(1_000 * seconds(book.remark))
        spent.append(marked[-1] + 1_000 * seconds(lambda: book.scan(legs, starts, results)))
    yield Figure(
        "options.remark_ms",
        median(spent[1:]),
        "ms",
        f"{SERIES:,} options by smile and in {at.COLUMNS} columns"
        f" ({median(marked[1:]):.1f} ms), then {ACCOUNTS:,} accounts of {LEGS} options and a"
        f" perpetual, one core; {spread(spent[1:])}",
    )
