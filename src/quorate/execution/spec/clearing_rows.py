"""Rows of the clearing house as dataclasses; names and units are those of `types.clearing`."""

from dataclasses import dataclass

ZERO_ADDRESS = bytes(20)


@dataclass(slots=True)
class Feed:
    name: bytes = bytes(16)
    price_ticks: int = 0
    external_ticks: int = 0
    time_ms: int = 0
    spread_ppm: int = 0
    participation_ppm: int = 0
    confidence_ppm: int = 0
    state: int = 0
    votes_count: int = 0


@dataclass(slots=True)
class Voter:
    address: bytes = ZERO_ADDRESS
    weight: int = 0
    votes_count: int = 0


@dataclass(slots=True)
class Vote:
    price_ticks: int = 0
    external_ticks: int = 0
    time_ms: int = 0
    votes_count: int = 0


@dataclass(slots=True)
class Risk:
    mode: int = 0
    feed: int = 0
    mark_clamp_ppm: int = 0
    basis_ema_ms: int = 0
    book_ema_ms: int = 0
    impact_notional_e6: int = 0
    premium_interval_ms: int = 0
    funding_interval_ms: int = 0
    interest_e9: int = 0
    funding_clamp_e9: int = 0
    funding_cap_e9: int = 0
    price_far_ppm: int = 0
    oi_cap_lots: int = 0
    oi_rise_lots: int = 0
    oi_window_ms: int = 0
    oi_lower_e6: int = 0
    oi_upper_e6: int = 0
    close_ppm: int = 0
    liquidation_fee_ppm: int = 0
    slice_ppm: int = 0
    slice_min_e6: int = 0
    vault_notional_max_e6: int = 0
    insurance_draw_max_e6: int = 0
    confidence_ppm: int = 0
    disposal_interval_ms: int = 0
    disposal_full_lots: int = 0
    disposal_part_ppm: int = 0
    disposal_share_ppm: int = 0
    disposal_range_ppm: int = 0
    tier_max_e6: int = 0
    guard: int = 0
    phase: int = 0
    auction_kind: int = 0
    auction_begin_ms: int = 0
    auction_end_ms: int = 0
    auction_bands: int = 0
    auction_ticks: int = 0
    auction_lots: int = 0
    band_low_ticks: int = 0
    band_high_ticks: int = 0
    band_auction_ms: int = 0
    basis_ema_fp: int = 0
    book_ema_fp: int = 0
    ema_ms: int = 0
    premium_sum_e9: int = 0
    premium_count: int = 0
    premium_next_ms: int = 0
    funding_next_ms: int = 0
    funding_rate_e9: int = 0
    funding_shift: int = 0
    funding_index: int = 0
    funding_pool_e6: int = 0
    oi_window_begin_ms: int = 0
    oi_window_lots: int = 0
    insurance_e6: int = 0
    insurance_drawn_e6: int = 0
    bad_debt_e6: int = 0
    disposal_next_ms: int = 0
    liquidations_count: int = 0
    deleveraged_lots: int = 0
    external_ticks: int = 0


@dataclass(slots=True)
class Band:
    tau_ms: int = 0
    up_ppm: int = 0
    down_ppm: int = 0
    auction_ms: int = 0
    count: int = 0
    next: int = 0
    sample_ms: int = 0
    price_0: int = 0
    price_1: int = 0
    price_2: int = 0
    price_3: int = 0
    price_4: int = 0
    price_5: int = 0
    price_6: int = 0
    price_7: int = 0
    time_0_ms: int = 0
    time_1_ms: int = 0
    time_2_ms: int = 0
    time_3_ms: int = 0
    time_4_ms: int = 0
    time_5_ms: int = 0
    time_6_ms: int = 0
    time_7_ms: int = 0


@dataclass(slots=True)
class Trigger:
    trigger_id: int = 0
    trigger_ticks: int = 0
    limit_ticks: int = 0
    size: int = 0
    trail_ppm: int = 0
    peak_ticks: int = 0
    parent_id: int = 0
    pair_id: int = 0
    account: int = 0
    market: int = 0
    account_prev: int = 0
    account_next: int = 0
    free_next: int = 0
    side: int = 0
    kind: int = 0
    watch: int = 0
    flags: int = 0
    state: int = 0
    placed_ms: int = 0


@dataclass(slots=True)
class Group:
    account: int = 0
    number: int = 0
    account_next: int = 0
    free_next: int = 0
    window_ms: int = 0
    lots_max: int = 0
    delta_max_e6: int = 0
    vega_max_e6: int = 0
    freeze_ms: int = 0
    half: int = 0
    lots_now: int = 0
    lots_before: int = 0
    lots_old: int = 0
    delta_now_e6: int = 0
    delta_before_e6: int = 0
    delta_old_e6: int = 0
    vega_now_e6: int = 0
    vega_before_e6: int = 0
    vega_old_e6: int = 0
    frozen_until_ms: int = 0
    hits_count: int = 0


@dataclass(slots=True)
class Change:
    height: int = 0
    kind: int = 0
    market: int = 0
    parameter: int = 0
    value: int = 0
    announced_height: int = 0
