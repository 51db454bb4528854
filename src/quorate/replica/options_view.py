"""What a node tells of options: products, series and greeks, expiries, and accounts by expiry.

Integers stay integers; `shown` says the same for people, as text. Money of a lot is in 1e-6 of the
quote: `delta_e6` is the worth of what a lot moves with, `gamma_e6` by how much that changes when
the forward is 1 % higher, `vega_e6` is per volatility point, `theta_e6` per day, `rho_e6` per
percentage point of interest. What a model does not tell (theta and rho of exotics) is null.
"""

from typing import Any, Final

import numpy as np

from quorate.replica.views import Answer, Tables, fields, positions
from quorate.types.codes import MarketKind
from quorate.types.options_codes import ExpiryState, ObservationRule, SeriesState
from quorate.types.payoff_codes import Input
from quorate.types.records import Table

ONE_FP: Final = 2**40
CENT: Final = 100
PILLAR_AT_MONEY: Final = "vol_4_e9"
LIVING: Final = (int(SeriesState.LIVE), int(SeriesState.EXPIRED), int(SeriesState.SETTLING))


def decimal(value: int, unit: int, places: int) -> str:
    """Write value / unit with so many places, rounded towards zero."""
    scaled = abs(value) * 10**places // unit
    sign = "-" if value < 0 and scaled else ""
    whole, part = divmod(scaled, 10**places)
    return f"{sign}{whole:,}.{part:0{places}d}" if places else f"{sign}{whole:,}"


def dollars(value_e6: int) -> str:
    """Write money of 1e-6 quote with four places."""
    return decimal(value_e6, 10**6, 4)


# --- products ------------------------------------------------------------------------------------
def products(tables: Tables) -> list[Answer]:
    """List the products: text as text, code as words, ranges by what they are of."""
    return [product(slot, row) for slot, row in enumerate(tables.rows(Table.PRODUCTS))]


def product(slot: int, row: Any) -> Answer:
    """Give a product."""
    found: Answer = {"product": slot, **fields(row)}
    size, words = int(row["text_bytes"]), int(row["words"])
    found["text"] = row["text"].tobytes()[:size].decode("ascii")
    found["code"] = row["code"][:words].tolist()
    ranges = row["ranges"].reshape(-1, 2).tolist()
    found["ranges"] = {each.name.lower(): ranges[each] for each in Input if ranges[each][1]}
    found["rule_name"] = ObservationRule(int(row["rule"])).name
    return found


# --- series --------------------------------------------------------------------------------------
def listed_series(tables: Tables, time_ms: int) -> list[Answer]:
    """List the series, by market."""
    states = tables.rows(Table.SERIES)["state"]
    return [series(tables, int(market), time_ms) for market in np.flatnonzero(states)]


def series(tables: Tables, market: int, time_ms: int) -> Answer:
    """Give a series with its mark, its forward and its greeks."""
    row, listed = tables.rows(Table.SERIES)[market], tables.rows(Table.MARKETS)[market]
    of = tables.rows(Table.PRODUCTS)[int(row["product"])]
    forward = forward_of(tables, market)
    left_ms = max(int(row["expiry_ms"]) - time_ms, 0) if row["expiry_ms"] else None
    return {
        "market": market,
        "name": name_of(listed),
        "product_name": name_of(of),
        "state_name": SeriesState(int(row["state"])).name,
        **fields(row),
        "left_ms": left_ms,
        "mark_ticks": int(listed["mark_ticks"]),
        "forward_ticks": forward,
        "quantum_e6": int(listed["quantum_e6"]),
        "open_interest_lots": int(listed["open_interest_lots"]),
        **greeks(row, listed, of, forward),
    }


def name_of(row: Any) -> str:
    """Give a row's name as text."""
    return str(row["name"].tobytes().rstrip(b"\0").decode("ascii"))


def expiry_slot(tables: Tables, row: Any) -> int | None:
    """Give the row of EXPIRIES that a series still uses; one that it has left may be another's."""
    slot = int(row["expiry"])
    if not row["expiry_ms"] or int(row["state"]) not in LIVING:
        return None
    return slot


def forward_of(tables: Tables, market: int) -> int:
    """Give the price that a series' greeks are fractions of: its forward, else its index."""
    slot = expiry_slot(tables, tables.rows(Table.SERIES)[market])
    if slot is not None and tables.rows(Table.EXPIRIES)[slot]["forward_ticks"]:
        return int(tables.rows(Table.EXPIRIES)[slot]["forward_ticks"])
    feed = int(tables.rows(Table.RISK)[market]["feed"])
    return int(tables.rows(Table.FEEDS)[feed]["price_ticks"])


def tells_decay(row: Any, of: Any) -> bool:
    """Say whether theta and rho of a series are told: of a call or put that expires."""
    return bool(of["european"] and row["strike"] and row["expiry_ms"])


def money_e6(greek_fp: int, forward: int, quantum_e6: int, lots: int = 1) -> int:
    """Give what a fraction of the forward is worth, of so many lots; floored."""
    return greek_fp * forward * quantum_e6 * lots // ONE_FP


def greeks(row: Any, listed: Any, of: Any, forward: int) -> Answer:
    """Give the greeks of a lot in money, and all of them as text."""
    quantum_e6, decay = int(listed["quantum_e6"]), tells_decay(row, of)
    value = {name: int(row[f"{name}_fp"]) for name in ("delta", "gamma", "vega", "theta", "rho")}

    def money(name: str, part: int = 1) -> int:
        return money_e6(value[name], forward, quantum_e6) // part

    lot = {
        "mark_e6": int(listed["mark_ticks"]) * quantum_e6,
        "delta_e6": money("delta"),
        "gamma_e6": money("gamma", CENT),
        "vega_e6": money("vega", CENT),
        "theta_e6": money("theta") if decay else None,
        "rho_e6": money("rho", CENT) if decay else None,
    }
    ticks = {name: value[name] * forward for name in ("vega", "theta", "rho")}
    shown = {
        "vol": decimal(int(row["vol_e9"]), 10**7, 2) + " %",
        "delta": decimal(value["delta"], ONE_FP, 4),
        "gamma": decimal(value["gamma"], ONE_FP * CENT, 4) + " per 1 %",
        "vega": decimal(ticks["vega"], ONE_FP * CENT, 2) + " ticks per point",
        "theta": decimal(ticks["theta"], ONE_FP, 2) + " ticks per day" if decay else "not told",
        "rho": decimal(ticks["rho"], ONE_FP * CENT, 2) + " ticks per 1 %" if decay else "not told",
    }
    return {"lot": lot, "shown": shown}


# --- expiries ------------------------------------------------------------------------------------
def calendar(tables: Tables, time_ms: int) -> list[Answer]:
    """List the expiries in the order of time: feed, series, forward, fixing as far as it is."""
    rows = tables.rows(Table.EXPIRIES)
    used = [(int(row["expiry_ms"]), slot) for slot, row in enumerate(rows) if row["expiry_ms"]]
    return [expiry(tables, slot, time_ms) for _, slot in sorted(used) if rows[slot]["state"]]


def expiry(tables: Tables, slot: int, time_ms: int) -> Answer:
    """Give one expiry."""
    row, numbers = tables.rows(Table.EXPIRIES)[slot], tables.rows(Table.PARAMETERS)[0]
    feed, all_series = tables.rows(Table.FEEDS)[int(row["feed"])], tables.rows(Table.SERIES)
    mine = (all_series["expiry"] == slot) & (all_series["expiry_ms"] == row["expiry_ms"])
    mine &= np.isin(all_series["state"], LIVING)
    window_ms, sample_ms = int(numbers["fixing_window_ms"]), int(numbers["fixing_sample_ms"])
    count = int(row["fix_count"])
    return {
        "expiry": slot,
        "expiry_ms": int(row["expiry_ms"]),
        "left_ms": max(int(row["expiry_ms"]) - time_ms, 0),
        "state_name": ExpiryState(int(row["state"])).name,
        "feed": int(row["feed"]),
        "feed_name": name_of(feed),
        "index_ticks": int(feed["price_ticks"]),
        "forward_ticks": int(row["forward_ticks"]),
        "confidence_ppm": int(row["confidence_ppm"]),
        "vol_at_money_e9": int(row[PILLAR_AT_MONEY]),
        "votes_count": int(row["votes_count"]),
        "series": np.flatnonzero(mine).tolist(),
        "fixing": {
            "samples_count": count,
            "samples_missing": int(row["fix_missing"]),
            "samples_wanted": max(window_ms // sample_ms, 1),
            "window_ms": window_ms,
            "sample_ms": sample_ms,
            "mean_ticks": int(row["fix_sum"]) // count if count else None,
            "fix_ticks": int(row["fix_ticks"]) if row["state"] == ExpiryState.FIXED else None,
        },
        "shown": {
            "vol_at_money": decimal(int(row[PILLAR_AT_MONEY]), 10**7, 2) + " %",
            "confidence": decimal(int(row["confidence_ppm"]), 10**4, 2) + " %",
        },
    }


# --- an account ----------------------------------------------------------------------------------
def account_calendar(tables: Tables, account: int, time_ms: int) -> Answer:
    """Give what an account holds in series, by expiry in the order of time, and its theta.

    Series without expiry come last, with `expiry_ms` 0. theta_e6 sums what is told; `theta_untold`
    names the markets that are not in it.
    """
    entries: dict[int, list[Answer]] = {}
    for position in positions(tables, [account])[0]:
        market, lots = int(position["key"]), int(position["size"])
        if lots and tables.rows(Table.MARKETS)[market]["kind"] == MarketKind.SERIES:
            entry = held(tables, market, lots)
            entries.setdefault(entry["expiry_ms"], []).append(entry)
    days = [
        {
            "expiry_ms": expiry_ms,
            "left_ms": max(expiry_ms - time_ms, 0) if expiry_ms else None,
            **summed(entries[expiry_ms]),
            "positions": entries[expiry_ms],
        }
        for expiry_ms in sorted(entries, key=lambda at: (at == 0, at))
    ]
    everything = [entry for found in entries.values() for entry in found]
    total = summed(everything)
    untold = sorted(entry["market"] for entry in everything if entry["theta_e6"] is None)
    shown = {"theta": f"{dollars(total['theta_e6'])} per day", "worth": dollars(total["worth_e6"])}
    return {"account": account, **total, "theta_untold": untold, "shown": shown, "expiries": days}


def summed(entries: list[Answer]) -> Answer:
    """Add up worth, delta and what is told of theta."""
    return {
        name: sum(entry[name] or 0 for entry in entries)
        for name in ("worth_e6", "delta_e6", "theta_e6")
    }


def held(tables: Tables, market: int, lots: int) -> Answer:
    """Give a position in a series; money is that of all its lots, negative where it is short."""
    row, listed = tables.rows(Table.SERIES)[market], tables.rows(Table.MARKETS)[market]
    of = tables.rows(Table.PRODUCTS)[int(row["product"])]
    forward, quantum_e6 = forward_of(tables, market), int(listed["quantum_e6"])
    decay = tells_decay(row, of)
    return {
        "market": market,
        "name": name_of(listed),
        "expiry_ms": int(row["expiry_ms"]),
        "state_name": SeriesState(int(row["state"])).name,
        "lots": lots,
        "mark_ticks": int(listed["mark_ticks"]),
        "worth_e6": int(listed["mark_ticks"]) * lots * quantum_e6,
        "delta_e6": money_e6(int(row["delta_fp"]), forward, quantum_e6, lots),
        "theta_e6": money_e6(int(row["theta_fp"]), forward, quantum_e6, lots) if decay else None,
    }
