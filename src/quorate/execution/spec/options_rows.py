"""Rows of products, series and expiries as dataclasses; names and units: `types.options`."""

from dataclasses import dataclass

from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_INPUTS, PAYOFF_TEXT_BYTES_MAX


@dataclass(slots=True)
class Product:
    """`text`, `code` and `ranges` are the bytes of the row: ASCII, int64, int64 pairs."""

    name: bytes = bytes(16)
    rule: int = 0
    sample_ms: int = 0
    payoff_low: int = 0
    payoff_high: int = 0
    text_bytes: int = 0
    words: int = 0
    reach: int = 0
    european: int = 0
    text: bytes = bytes(PAYOFF_TEXT_BYTES_MAX)
    code: bytes = bytes(8 * PAYOFF_CODE_MAX)
    ranges: bytes = bytes(16 * PAYOFF_INPUTS)


@dataclass(slots=True)
class Series:
    product: int = 0
    state: int = 0
    expiry: int = 0
    expiry_ms: int = 0
    strike: int = 0
    upper: int = 0
    lower: int = 0
    rebate: int = 0
    cap: int = 0
    rate: int = 0
    seen_first: int = 0
    seen_last: int = 0
    seen_sum: int = 0
    seen_count: int = 0
    seen_low: int = 0
    seen_high: int = 0
    seen_inside: int = 0
    seen_realized: int = 0
    seen_next_ms: int = 0
    settle_ticks: int = 0
    model_ticks: int = 0
    vol_e9: int = 0
    delta_fp: int = 0
    gamma_fp: int = 0
    vega_fp: int = 0
    theta_fp: int = 0
    rho_fp: int = 0
    listed_ms: int = 0
    template: int = 0


@dataclass(slots=True)
class Expiry:
    feed: int = 0
    expiry_ms: int = 0
    state: int = 0
    series_count: int = 0
    fix_sum: int = 0
    fix_count: int = 0
    fix_missing: int = 0
    fix_next_ms: int = 0
    fix_ticks: int = 0
    forward_ticks: int = 0
    smile_ms: int = 0
    votes_count: int = 0
    spread_ppm: int = 0
    participation_ppm: int = 0
    confidence_ppm: int = 0
    vol_0_e9: int = 0
    vol_1_e9: int = 0
    vol_2_e9: int = 0
    vol_3_e9: int = 0
    vol_4_e9: int = 0
    vol_5_e9: int = 0
    vol_6_e9: int = 0
    vol_7_e9: int = 0
    vol_8_e9: int = 0
    smile_unit_e9: int = 0
    smile_alpha: int = 0
    smile_left: int = 0
    smile_right: int = 0
    smile_middle: int = 0
    smile_width: int = 0
    smile_time_ms: int = 0
    smile_moved: int = 0
    votes_ppm: int = 0


@dataclass(slots=True)
class SmileVote:
    time_ms: int = 0
    forward_ticks: int = 0
    vol_0_e9: int = 0
    vol_1_e9: int = 0
    vol_2_e9: int = 0
    vol_3_e9: int = 0
    vol_4_e9: int = 0
    vol_5_e9: int = 0
    vol_6_e9: int = 0
    vol_7_e9: int = 0
    vol_8_e9: int = 0


@dataclass(slots=True)
class Listing:
    template: int = 0
    period_ms: int = 0
    offset_ms: int = 0
    expiries_ahead: int = 0
    step_ticks: int = 0
    strikes_each_side: int = 0
    used: int = 0
    done_expiry_ms: int = 0
    done_strike: int = 0
