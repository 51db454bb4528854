"""Signed market traffic for a cluster: every trader's bundles are made and signed before the run.

A bundle of 50 rests 24 orders near the mid, cancels 16 and modifies 4 of the trader's bundle
before, and takes with 6. Orders are named by client ids, so that the traffic means the same in
whatever order the validators put the bundles. A bundle of one command is one of these orders.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from quorate.admission import Chain, sign_bundle
from quorate.codec.commands import command_rows
from quorate.crypto import key_from_seed
from quorate.types.blocks import Item
from quorate.types.codes import Op, Side, Tif
from quorate.types.limits import COMMAND_BYTES

MID: Final = 600_000  # near the index: further away orders are refused, or begin an auction
MARKET: Final = 1  # BTC-PERP of the development chain, tick 0.1 USD
FUNDS_E6: Final = 10**12
PLACES, CANCELS, MODIFIES, TAKES = 24, 16, 4, 6
BUNDLE: Final = PLACES + CANCELS + MODIFIES + TAKES
CLOID_STEP: Final = 64
COUNT_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Trader:
    """A trader's key and its bundles, in the order of their nonces."""

    key: bytes
    funding: Item
    items: tuple[Item, ...]


def rested(rng: Any, cloids: Any, spread: int) -> Any:
    """Orders that rest: uint8[n, 64]. cloids: int64[n]."""
    count = len(cloids)
    sides = rng.integers(0, 2, count)
    away = rng.integers(1, spread, count)
    prices = np.where(sides == Side.BUY, MID - away, MID + away)
    return command_rows(
        Op.PLACE, count, market=MARKET, side=sides, price=prices,
        size=rng.integers(1, 20, count), tif=int(Tif.GTC), cloid_lo=cloids,
    )  # fmt: skip


def bundle_rows(rng: Any, bundles: int) -> Any:
    """Write a trader's bundles of BUNDLE commands: uint8[bundles, BUNDLE, 64]."""
    first = np.arange(1, bundles + 1, dtype=np.int64) * CLOID_STEP
    rows = np.zeros((bundles, BUNDLE, COMMAND_BYTES), np.uint8)
    at = 0
    for offset in range(PLACES):
        rows[:, at] = rested(rng, first + offset, 200)
        at += 1
    for offset in range(CANCELS):
        rows[:, at] = command_rows(
            Op.CANCEL_CLIENT, bundles, cloid_lo=first - CLOID_STEP + offset
        )
        at += 1
    for offset in range(CANCELS, CANCELS + MODIFIES):
        rows[:, at] = command_rows(
            Op.MODIFY_CLIENT, bundles, cloid_lo=first - CLOID_STEP + offset,
            price=MID - rng.integers(1, 200, bundles), size=rng.integers(1, 20, bundles),
        )  # fmt: skip
        at += 1
    for offset in range(TAKES):
        sides = rng.integers(0, 2, bundles)
        prices = np.where(sides == Side.BUY, MID + 100, MID - 100)
        rows[:, at] = command_rows(
            Op.PLACE, bundles, market=MARKET, side=sides, price=prices,
            size=rng.integers(1, 10, bundles), tif=int(Tif.IOC),
            cloid_lo=first + PLACES + offset,
        )  # fmt: skip
        at += 1
    return rows


def traders(
    chain: Chain, seed: int, count: int, bundles: int, size: int, nonce_ms: int
) -> list[Trader]:
    """Make `count` traders of `bundles` bundles each; size: commands in one, BUNDLE or 1."""
    assert bundles < COUNT_MAX and size in (1, BUNDLE)
    rng = np.random.default_rng(seed)
    made: list[Trader] = []
    for index in range(count):
        key = key_from_seed(f"bench {seed} {index}")
        if size == BUNDLE:
            rows = bundle_rows(rng, bundles)
        else:
            cloids = np.arange(1, bundles + 1, dtype=np.int64)
            rows = rested(rng, cloids, 200).reshape(bundles, 1, COMMAND_BYTES)
        items = tuple(
            sign_bundle(key, chain, 0, nonce_ms + at, rows[at].tobytes())
            for at in range(bundles)
        )
        fund = command_rows(Op.FAUCET, 1, amount=FUNDS_E6).tobytes()
        made.append(Trader(key, sign_bundle(key, chain, 0, nonce_ms - 1, fund), items))
    return made
