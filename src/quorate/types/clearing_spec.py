"""The clearing house as a genesis describes it: feeds, voters, numbers of the venue, market risk.

Units as in `types.clearing`. A genesis without it has markets of which the oracle key sets the mark
and in which nobody is liquidated.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """An index price in ticks of the markets that follow it; `price_ticks` 0: none before votes."""

    name: str
    price_ticks: int = 0


@dataclass(frozen=True, slots=True)
class VoterSpec:
    """Who may vote on prices (20 bytes), and the weight of its stake."""

    address: bytes
    weight: int


@dataclass(frozen=True, slots=True)
class BandSpec:
    """A price more than this away from the mark of `tau_ms` ago begins an auction (FORMULAS 7)."""

    tau_ms: int
    up_ppm: int
    down_ppm: int
    auction_ms: int


@dataclass(frozen=True, slots=True)
class GlobalSpec:
    """The numbers of `clearing.GLOBALS`, in that order."""

    tick_ms: int = 1_000
    fresh_ms: int = 10_000
    reduce_ms: int = 30_000
    halt_ms: int = 300_000
    quorum_ppm: int = 666_667
    outlier_ppm: int = 100_000
    liquidations_max: int = 64
    notice_blocks: int = 100
    gap_auctions: int = 0
    gate_ms: int = 60_000
    fixing_window_ms: int = 1_800_000
    fixing_sample_ms: int = 4_000
    listing_least_ms: int = 3_600_000


@dataclass(frozen=True, slots=True)
class RiskSpec:
    """The parameters of `clearing.RISK_PARAMETERS`, in that order, and up to four price bands.

    The defaults are those of a deep market: 5 s premium samples and hourly funding as FORMULAS 3,
    close-out at two thirds of maintenance as FORMULAS 6, fees and slices as FORMULAS 4.
    """

    market: int
    mode: int = 1
    feed: int = 0
    mark_clamp_ppm: int = 10_000
    basis_ema_ms: int = 150_000
    book_ema_ms: int = 30_000
    impact_notional_e6: int = 20_000_000_000
    premium_interval_ms: int = 5_000
    funding_interval_ms: int = 3_600_000
    interest_e9: int = 100_000
    funding_clamp_e9: int = 500_000
    funding_cap_e9: int = 40_000_000
    price_far_ppm: int = 500_000
    oi_cap_lots: int = 0
    oi_rise_lots: int = 0
    oi_window_ms: int = 60_000
    oi_lower_e6: int = 0
    oi_upper_e6: int = 0
    close_ppm: int = 666_667
    liquidation_fee_ppm: int = 10_000
    slice_ppm: int = 200_000
    slice_min_e6: int = 10_000_000_000
    vault_notional_max_e6: int = 0
    insurance_draw_max_e6: int = 0
    confidence_ppm: int = 0
    disposal_interval_ms: int = 10_000
    disposal_full_lots: int = 0
    disposal_part_ppm: int = 100_000
    disposal_share_ppm: int = 100_000
    disposal_range_ppm: int = 10_000
    tier_max_e6: int = 0
    bands: tuple[BandSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class ClearingSpec:
    """`vault`: 20 bytes, whose account takes over what is liquidated and runs the backstop."""

    vault: bytes
    feeds: tuple[FeedSpec, ...]
    voters: tuple[VoterSpec, ...]
    numbers: GlobalSpec
    markets: tuple[RiskSpec, ...]
