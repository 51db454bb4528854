"""The hedge of a liquidation: a trade in a perpetual that lowers what portfolio margin requires.

It comes before positions are sold: an option's book is thin, a perpetual's is not. Perpetuals of
the feeds on which the bucket has options are tried by number, the first that helps is traded.
"""

import numpy as np

from quorate.execution import risk_rules
from quorate.execution.spec.closing import Closing, market_waits
from quorate.execution.spec.context import Context
from quorate.execution.spec.margin import CROSS, bucket_of, bucket_worth, leg_worth
from quorate.execution.spec.options_margin import (
    NO_OFFSETS,
    PARAMETERS,
    Leg,
    is_margined,
    is_scanned,
    legs_of,
    tables_of,
)
from quorate.execution.spec.positions import position_code, position_of
from quorate.execution.spec.rows import Account
from quorate.execution.spec.tables import Tables
from quorate.instruments.margin import layout as m
from quorate.instruments.margin.hedging import hedge_lots
from quorate.instruments.margin.liquidation import HEDGE_STEPS
from quorate.types.clearing_codes import Mode, Phase, Standing
from quorate.types.codes import MarketKind
from quorate.types.options_codes import MarginMode
from quorate.types.records import Table


def hedge_of(c: Context, account: int, bucket: int) -> tuple[Closing, int] | None:
    """The hedge, as the closing of a position of so many lots, and its zero price; or None."""
    t = c.t
    row = t.row(Table.ACCOUNTS, account)
    if bucket != CROSS or row.margin_mode != MarginMode.PORTFOLIO:
        return None
    legs = legs_of(row, bucket, None)
    series = [leg for leg in legs if is_margined(t, leg)]
    if not series:
        return None
    feeds = {t.row(Table.RISK, leg.market).feed: True for leg in series}
    legs = [*series, *(leg for leg in legs if is_scanned(t, leg, feeds))]
    for market in range(1, t.row(Table.LEDGER, 0).risk_high):
        if not usable(t, row, market, feeds):
            continue
        position = position_of(row, market)
        size = position.size if position else 0
        lots = bounded(t, market, size, best_lots(t, legs, market))
        before = leg_worth(t, row, bucket, Leg(market, size)).maintenance
        freed = before - leg_worth(t, row, bucket, Leg(market, size + lots)).maintenance
        if lots and freed > 0:
            worth = bucket_worth(t, row, bucket)
            sign = 1 if lots < 0 else -1
            closing = Closing(account, bucket, market, Standing.PARTIAL, worth, -lots, sign)
            terms = t.row(Table.MARKETS, market)
            price = risk_rules.zero_price(
                sign,
                terms.mark_ticks,
                abs(lots),
                terms.quantum_e6,
                worth.equity,
                worth.maintenance,
                freed,
                terms.price_max_ticks,
            )
            return closing, price
    return None


def usable(t: Tables, account: Account, market: int, feeds: dict[int, bool]) -> bool:
    """Whether a market is a perpetual in which the account could be hedged now."""
    risk = t.row(Table.RISK, market)
    if t.row(Table.MARKETS, market).kind != MarketKind.PERPETUAL or risk.mode == Mode.OFF:
        return False
    if risk.feed not in feeds or risk.phase == Phase.QUARANTINE or market_waits(t, market):
        return False
    if position_code(t, account, market):
        return False
    return bucket_of(account, market) == CROSS


def best_lots(t: Tables, legs: list[Leg], market: int) -> int:
    """Lots of a perpetual, bought above 0, that lower maintenance most, orders aside."""
    markets = [leg.market for leg in legs]
    every = legs if market in markets else [*legs, Leg(market, 1)]
    tables = tables_of(t, every, True)
    underlyings, expiries = len(tables[1]), len(tables[2])
    rows = np.zeros((len(legs) + 1, m.LEG_FIELDS), dtype=np.int64)
    for k, leg in enumerate(legs):
        rows[k] = k, leg.size
    lots = hedge_lots(
        rows, len(legs), [leg.market for leg in every].index(market), tables, NO_OFFSETS,
        PARAMETERS,
        np.zeros((expiries, m.COLUMNS), dtype=np.int64),
        np.zeros((underlyings + 1, m.OUTCOMES), dtype=np.int64),
        np.zeros(expiries, dtype=np.int64),
        np.zeros(expiries + 2 * underlyings, dtype=np.int64),
        np.zeros(m.RESULTS, dtype=np.int64),
        np.zeros(HEDGE_STEPS + 1, dtype=np.int64),
    )  # fmt: skip
    return int(lots)


def bounded(t: Tables, market: int, size: int, lots: int) -> int:
    """Lots within the market's largest position and in whole steps, towards zero."""
    terms = t.row(Table.MARKETS, market)
    room = terms.position_max_lots - (size if lots > 0 else -size)
    most = max(min(abs(lots), room), 0) // terms.lot_step * terms.lot_step
    return int(most if lots > 0 else -most)
