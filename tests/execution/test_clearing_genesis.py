"""The clearing house of a genesis: what it writes, and one sentence for everything it refuses."""

import random
from dataclasses import fields, replace
from typing import Any

import pytest

from quorate.execution.image import Image, same
from quorate.execution.machine import KernelMachine, genesis_image
from quorate.execution.spec.genesis import GenesisRefused
from quorate.sim.execution_checker import faults
from quorate.sim.execution_fuzz import secrets_drawn
from quorate.types import limits
from quorate.types.blocks import Genesis
from quorate.types.clearing import GLOBALS, RISK_PARAMETERS
from quorate.types.clearing_spec import (
    BandSpec,
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
from quorate.types.records import Table
from tests.execution.exchange import GENESIS, PERP, SPOT, address

BANDS = (BandSpec(60_000, 50_000, 40_000, 5_000), BandSpec(600_000, 100_000, 90_000, 60_000))
RISK = RiskSpec(PERP, feed=1, bands=BANDS)
CLEARING = ClearingSpec(
    vault=address("vault"),
    feeds=(FeedSpec("ETH"), FeedSpec("BTC", 100_000)),
    voters=(VoterSpec(address("vera"), 3), VoterSpec(address("oracle"), 4)),
    numbers=GlobalSpec(),
    markets=(RISK,),
)
CLEARED = replace(GENESIS, clearing=CLEARING)
CLEARING_TABLES = [table for table in Table if table >= Table.FEEDS]


def cleared(**changes: Any) -> Genesis:
    return replace(GENESIS, clearing=replace(CLEARING, **changes))


def with_risk(**changes: Any) -> Genesis:
    return cleared(markets=(replace(RISK, **changes),))


def with_band(**changes: int) -> Genesis:
    return with_risk(bands=(replace(BANDS[0], **changes),))


def with_numbers(**changes: int) -> Genesis:
    return cleared(numbers=replace(CLEARING.numbers, **changes))


def rows(image: Image, table: Table) -> Any:
    return image[table].rows


def test_without_it_the_new_tables_have_no_rows() -> None:
    image = genesis_image(GENESIS)
    assert not any(len(rows(image, table)) for table in CLEARING_TABLES)
    ledger = rows(image, Table.LEDGER)[0]
    assert not any(ledger[name] for name in ledger.dtype.names if name.startswith("tick"))
    assert not ledger["vault"] and not ledger["insurance_e6"]


def test_every_field_reaches_its_row() -> None:
    image = genesis_image(CLEARED)
    assert faults(image, GENESIS.time_ms) == []
    feeds = rows(image, Table.FEEDS)
    assert [name.tobytes().rstrip(b"\0") for name in feeds["name"]] == [b"ETH", b"BTC"]
    assert feeds["price_ticks"].tolist() == [0, 100_000] and not feeds["state"].any()
    voters = rows(image, Table.VOTERS)
    assert [each.tobytes() for each in voters["address"]] == [address("vera"), address("oracle")]
    assert voters["weight"].tolist() == [3, 4]
    assert len(rows(image, Table.VOTES)) == 2 * limits.VOTERS_MAX
    risk = rows(image, Table.RISK)
    assert len(risk) == PERP + 1 and not risk[0]["mode"]
    for name in RISK_PARAMETERS:
        assert risk[PERP][name] == getattr(RISK, name), name
    bands = rows(image, Table.BANDS)[PERP * limits.BANDS_PER_MARKET :]
    assert len(bands) == limits.BANDS_PER_MARKET
    for row, band in zip(bands, (*BANDS, BandSpec(0, 0, 0, 0), BandSpec(0, 0, 0, 0)), strict=True):
        assert [row[each.name] for each in fields(band)] == [
            getattr(band, each.name) for each in fields(band)
        ]
        assert not row["count"]
    parameters = rows(image, Table.PARAMETERS)[0]
    for name in GLOBALS:
        assert parameters[name] == getattr(CLEARING.numbers, name), name
    assert parameters["vault"].tobytes() == address("vault")


def test_the_vault_and_every_voter_get_an_account() -> None:
    image = genesis_image(CLEARED)
    owners = [each.tobytes() for each in rows(image, Table.ACCOUNTS)["address"]]
    assert owners[rows(image, Table.LEDGER)[0]["vault"]] == address("vault")
    assert owners.count(address("vera")) == owners.count(address("oracle")) == 1


def test_a_lot_that_is_worth_little_gets_a_fine_index() -> None:
    """The most that a lot can be worth, times 2**shift, is within the bound, and no finer is."""
    row = rows(genesis_image(CLEARED), Table.RISK)[PERP]
    market = GENESIS.markets[PERP - 1]
    worth, shift = market.price_max_ticks * market.quantum_e6, int(row["funding_shift"])
    assert worth << shift <= limits.FUNDING_WORTH_MAX_E6 < worth << shift + 1


def test_the_kernels_load_it() -> None:
    image = genesis_image(CLEARED)
    kernel = KernelMachine(image, secrets_drawn(random.Random(0)))
    assert same(image, kernel.image())


def test_a_voter_named_twice_has_the_last_weight() -> None:
    twice = (VoterSpec(address("vera"), 3), VoterSpec(address("vera"), 9))
    voters = rows(genesis_image(cleared(voters=twice)), Table.VOTERS)
    assert voters["weight"].tolist() == [9]


@pytest.mark.parametrize(
    ("genesis", "said"),
    [
        (cleared(vault=bytes(20)), "the vault must not be the zero address"),
        (cleared(vault=address("bridge")), "the vault must be a key of its own"),
        (cleared(vault=address("governance")), "the vault must be a key of its own"),
        (cleared(vault=address("oracle")), "the vault must be a key of its own"),
        (cleared(vault=address("vera")), "the vault must be a key of its own"),
        (cleared(feeds=(FeedSpec("X", 2**40),)), "X: PRICE_MUST_BE_IN_RANGE"),
        (cleared(feeds=tuple(FeedSpec(f"F{n}") for n in range(257))), "F256: FEED_MUST_EXIST"),
        (cleared(voters=(VoterSpec(bytes(20), 1),)), "0x" + "00" * 20 + ": PARAMETER_OUT_OF_RANGE"),
        (cleared(voters=(VoterSpec(address("v"), 2**32 + 1),)), "PARAMETER_OUT_OF_RANGE"),
        (
            cleared(voters=tuple(VoterSpec(address(f"v{n}"), 1) for n in range(33))),
            "TABLE_FULL_SEND_LATER",
        ),
        (with_risk(market=0), "market 0: mode: MARKET_MUST_EXIST"),
        (with_risk(market=3), "market 3: mode: MARKET_MUST_EXIST"),
        (with_risk(market=SPOT), f"market {SPOT}: mode: MARKET_HAS_NO_CLEARING"),
        (with_risk(feed=2), "market 1: feed: FEED_MUST_EXIST"),
        (with_risk(mode=0), "market 1: band 0: MARKET_HAS_NO_CLEARING"),
        (with_band(tau_ms=0), "market 1: band 0: PARAMETER_OUT_OF_RANGE"),
        (with_band(tau_ms=limits.TIME_MS_MAX), "market 1: band 0: PARAMETER_OUT_OF_RANGE"),
        (with_band(up_ppm=0), "market 1: band 0: PARAMETER_OUT_OF_RANGE"),
        (with_band(up_ppm=9_000_001), "market 1: band 0: PARAMETER_OUT_OF_RANGE"),
        (with_band(down_ppm=0), "market 1: band 0: PARAMETER_OUT_OF_RANGE"),
        (with_band(down_ppm=1_000_000), "market 1: band 0: PARAMETER_OUT_OF_RANGE"),
        (with_band(auction_ms=limits.TIME_MS_MAX), "market 1: band 0: PARAMETER_OUT_OF_RANGE"),
        (with_risk(bands=BANDS * 3), "market 1: band 4: PARAMETER_OUT_OF_RANGE"),
    ],
)
def test_what_is_refused(genesis: Genesis, said: str) -> None:
    with pytest.raises(GenesisRefused) as caught:
        genesis_image(genesis)
    assert str(caught.value).startswith("clearing: ") and str(caught.value).endswith(said)


@pytest.mark.parametrize(("number", "name"), list(enumerate(RISK_PARAMETERS)))
def test_a_risk_parameter_is_held_to_its_bounds(number: int, name: str) -> None:
    low, high = limits.RISK_BOUNDS[number]
    for wrong in (low - 1, high + 1):
        with pytest.raises(GenesisRefused, match=f"market 1: {name}: PARAMETER_OUT_OF_RANGE"):
            genesis_image(with_risk(**{name: wrong}))
    # The last feed of the bound is not there, and without a mode there are no bands.
    bands = () if name == "mode" else BANDS
    for right in (low, 1 if name == "feed" else high):
        row = rows(genesis_image(with_risk(**{name: right, "bands": bands})), Table.RISK)[PERP]
        assert row[name] == right


@pytest.mark.parametrize(("number", "name"), list(enumerate(GLOBALS)))
def test_a_number_of_the_venue_is_held_to_its_bounds(number: int, name: str) -> None:
    low, high = limits.GLOBAL_BOUNDS[number]
    for wrong in (low - 1, high + 1):
        with pytest.raises(GenesisRefused, match=f"numbers.{name}: PARAMETER_OUT_OF_RANGE"):
            genesis_image(with_numbers(**{name: wrong}))
    for right in (low, high):
        row = rows(genesis_image(with_numbers(**{name: right})), Table.PARAMETERS)[0]
        assert row[name] == right
