"""Recorded options priced from their recorded volatilities, and the errors against their marks.

An error is relative to the mark, and no row with a mark above 0 is left out, however small the
mark: one of a single unit of its last place is off by up to a half of itself. So each row is also
held against the rounding of what was recorded: half a last place of the mark, and of the volatility
(four places) times vega. Prices are held against the same formula in floats.

The recorded forward is not of the moment of the marks: it differs from the forward that calls and
puts of one strike imply, F = K / (1 - (C - P)). The report has the errors with either.
"""

import math
import statistics
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from quorate.instruments.pricing.black76 import YEAR_MS
from quorate.instruments.pricing.fixed import ONE
from quorate.instruments.pricing.greeks import COLUMNS, PRICE, VEGA
from quorate.instruments.pricing.kernels import greeks_many
from quorate.sim.options.snapshots import RecordedOption, Snapshot

VOL_HALF_PLACE: Final = 0.00005  # recorded to 0.01 % of volatility
MARK_PLACES: Final = {"BTC": 8}  # decimals of a coin that marks are recorded to; else 6
PARITY_MARK_MIN: Final = Decimal("0.005")
MARKS_FROM: Final = (0.0, 0.0001, 0.001, 0.01, 0.1, 1.0)


def priced(options: list[RecordedOption]) -> npt.NDArray[np.float64]:
    """Price and vega of each option, over its forward."""
    columns = [
        np.array(column, np.int64)
        for column in zip(
            *(
                (each.forward_e6, each.strike_e6, each.vol_e9, each.time_ms, int(each.call))
                for each in options
            ),
            strict=True,
        )
    ]
    rows = np.zeros((len(options), COLUMNS), np.int64)
    greeks_many(*columns, rows)
    return rows[:, [PRICE, VEGA]] / ONE


def float_price(option: RecordedOption) -> float:
    """The same formula in floats."""
    deviation = option.vol_e9 / 1e9 * math.sqrt(option.time_ms / YEAR_MS)
    ratio = option.strike_e6 / option.forward_e6
    d1 = -math.log(ratio) / deviation + deviation / 2
    side = 1 if option.call else -1

    def distribution(z: float) -> float:
        return math.erfc(-z / math.sqrt(2)) / 2

    return side * (distribution(side * d1) - ratio * distribution(side * (d1 - deviation)))


def usable(option: RecordedOption) -> bool:
    """Whether an option has a price at all: time, volatility and a forward."""
    return option.time_ms > 0 and option.vol_e9 > 0 and option.forward_e6 > 0


def rounding(option: RecordedOption, vega: float) -> float:
    """How far a price may be from its mark for rounding alone."""
    return 0.5 * 10.0 ** -MARK_PLACES.get(option.currency, 6) + vega * VOL_HALF_PLACE


def summary(errors: list[float]) -> dict[str, Any]:
    """Number of rows, median and 90th percentile."""
    ordered = sorted(errors)
    return {
        "rows": len(ordered),
        "median_rel_error": statistics.median(ordered),
        "p90_rel_error": ordered[len(ordered) * 9 // 10],
    }


def by_mark(marks: list[float], errors: list[float]) -> list[dict[str, Any]]:
    """The errors by the size of the mark."""
    found = []
    for low, high in zip(MARKS_FROM, (*MARKS_FROM[1:], math.inf), strict=True):
        chosen = [e for mark, e in zip(marks, errors, strict=True) if low <= mark < high]
        if chosen:
            found.append({"mark_from": low, **summary(chosen)})
    return found


def with_parity_forwards(options: list[RecordedOption]) -> list[RecordedOption]:
    """Give options the median forward that the calls and puts of their expiry imply.

    Both marks must be PARITY_MARK_MIN or more; options of an expiry without such a pair are left
    out.
    """
    sides: dict[tuple[str, int, int], list[Decimal | None]] = {}
    for each in options:
        pair = sides.setdefault((each.currency, each.expiry_ms, each.strike_e6), [None, None])
        pair[each.call] = each.mark
    implied: dict[tuple[str, int], list[Decimal]] = {}
    for (currency, expiry_ms, strike_e6), (put, call) in sides.items():
        if put is not None and call is not None and min(put, call) >= PARITY_MARK_MIN:
            forwards = implied.setdefault((currency, expiry_ms), [])
            forwards.append(strike_e6 / (1 - (call - put)))
    medians = {key: round(statistics.median(found)) for key, found in implied.items()}
    return [
        replace(each, forward_e6=medians[each.currency, each.expiry_ms])
        for each in options
        if (each.currency, each.expiry_ms) in medians
    ]


@dataclass
class Errors:
    """Errors of rows with a mark above 0, and the largest price where the mark is 0."""

    marks: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    explained: int = 0
    zero_prices: list[float] = field(default_factory=list)
    float_difference_max: float = 0.0

    def add(self, options: list[RecordedOption]) -> list[float]:
        """Price options and take in their errors; give these."""
        first = len(self.errors)
        if not options:
            return []
        for option, (price, vega) in zip(options, priced(options).tolist(), strict=True):
            difference = abs(price - float_price(option))
            self.float_difference_max = max(self.float_difference_max, difference)
            if option.mark == 0:
                self.zero_prices.append(price)
                continue
            mark = float(option.mark)
            self.marks.append(mark)
            self.errors.append(abs(price - mark) / mark)
            self.explained += abs(price - mark) <= rounding(option, vega)
        return self.errors[first:]

    def summary(self) -> dict[str, Any]:
        """Rows, median and 90th percentile, and the share that rounding explains."""
        share = self.explained / len(self.errors)
        return {**summary(self.errors), "explained_by_rounding": share}


def repriced(snapshots: list[Snapshot]) -> dict[str, Any]:
    """The report over all snapshots. Each must have an option with a mark above 0."""
    recorded, parity = Errors(), Errors()
    each_snapshot = []
    rows = 0
    for snapshot in snapshots:
        rows += len(snapshot.options)
        options = [option for option in snapshot.options if usable(option)]
        found = recorded.add(options)
        each_snapshot.append({"stamp": snapshot.stamp, **summary(found)})
        parity.add(with_parity_forwards(options))
    return {
        **recorded.summary(),
        "rows_mark_zero": len(recorded.zero_prices),
        "price_at_mark_zero_max": max(recorded.zero_prices, default=0.0),
        "rows_unusable": rows - len(recorded.errors) - len(recorded.zero_prices),
        "float_difference_max": recorded.float_difference_max,
        "with_parity_forward": parity.summary() if parity.errors else None,
        "by_mark": by_mark(recorded.marks, recorded.errors),
        "snapshots": each_snapshot,
    }
