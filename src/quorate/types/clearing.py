"""Row layouts of the clearing house: price feeds, market risk, triggers, protection groups.

As in `types.records`, of which this is a part: explicit little-endian dtypes without padding, rows
of zeros when free, links that are slots. A market without a RISK row (its `mode` is 0) has no
clearing house: the oracle key sets its mark, it has no funding and nobody is liquidated in it.

Units: `_e6` 1e-6 of the quote, `_e9` and `_ppm` plain ratios, `_fp` ticks times 2**16, `_ms`
milliseconds. A funding index counts 1e-6 quote per lot, times 2**funding_shift.
"""

from typing import Final

import numpy as np


def words(text: str) -> tuple[str, ...]:
    """Names from a text."""
    return tuple(text.split())


def int64_fields(names: str) -> list[tuple[str, str]]:
    """Fields of int64 from their names."""
    return [(name, "<i8") for name in names.split()]


# One index price, in ticks of the markets that follow it.
FEED = np.dtype(
    [
        ("name", "u1", (16,)),
        *int64_fields(
            "price_ticks external_ticks time_ms spread_ppm participation_ppm confidence_ppm"
            " state votes_count"
        ),
    ]
)
# Who may vote on prices, with the weight of its stake.
VOTER = np.dtype(
    [
        ("address", "u1", (20,)),
        ("zero", "u1", (4,)),
        ("weight", "<i8"),
        ("votes_count", "<i8"),
        ("reserved", "<i8"),
    ]
)
# The last vote of one voter on one feed; slot = feed * VOTERS_MAX + voter.
VOTE = np.dtype(int64_fields("price_ticks external_ticks time_ms votes_count"))

# What governance sets for a market by number (SET_RISK), in this order, and what the rules keep.
RISK_PARAMETERS: Final = words(
    "mode feed mark_clamp_ppm basis_ema_ms book_ema_ms impact_notional_e6 premium_interval_ms"
    " funding_interval_ms interest_e9 funding_clamp_e9 funding_cap_e9 price_far_ppm"
    " oi_cap_lots oi_rise_lots oi_window_ms oi_lower_e6 oi_upper_e6 close_ppm"
    " liquidation_fee_ppm slice_ppm slice_min_e6 vault_notional_max_e6 insurance_draw_max_e6"
    " confidence_ppm disposal_interval_ms disposal_full_lots disposal_part_ppm"
    " disposal_share_ppm disposal_range_ppm tier_max_e6"
)
RISK_STATE: Final = words(
    "guard phase auction_kind auction_begin_ms auction_end_ms auction_bands auction_ticks"
    " auction_lots band_low_ticks band_high_ticks band_auction_ms basis_ema_fp book_ema_fp"
    " ema_ms premium_sum_e9 premium_count premium_next_ms funding_next_ms funding_rate_e9"
    " funding_shift funding_index funding_pool_e6 oi_window_begin_ms oi_window_lots"
    " insurance_e6 insurance_drawn_e6 bad_debt_e6 disposal_next_ms liquidations_count"
    " deleveraged_lots external_ticks"
)
RISK = np.dtype(
    [*int64_fields(" ".join([*RISK_PARAMETERS, *RISK_STATE])), ("reserved", "<i8", (3,))]
)

# One price band of a market and the marks that it compares with; slot = market * BANDS + band. The
# samples form a ring: `next` is where the next one goes, `count` how many there are.
BAND_SAMPLES: Final = 8
BAND = np.dtype(
    int64_fields("tau_ms up_ppm down_ppm auction_ms count next sample_ms")
    + [(f"price_{k}", "<i8") for k in range(BAND_SAMPLES)]
    + [(f"time_{k}_ms", "<i8") for k in range(BAND_SAMPLES)]
)

# A conditional order. `size` 0 follows the position; `limit_ticks` 0 fires a market order. `flags`
# are REDUCE_ONLY and TRIGGER_FOLLOWS; `peak_ticks` is the best watched price since it was armed.
TRIGGER = np.dtype(
    [
        *int64_fields(
            "trigger_id trigger_ticks limit_ticks size trail_ppm peak_ticks parent_id pair_id"
        ),
        ("account", "<u4"),
        ("market", "<u4"),
        ("account_prev", "<u4"),
        ("account_next", "<u4"),
        ("free_next", "<u4"),
        ("side", "u1"),
        ("kind", "u1"),
        ("watch", "u1"),
        ("flags", "u1"),
        ("state", "u1"),
        ("zero", "u1", (7,)),
        ("placed_ms", "<i8"),
    ]
)
# A group of quotes under market-maker protection: limits, and what its orders have traded in this
# half window (`half` is its number), in the one before, and in the one before that: together at
# least a window, at most one and a half.
GROUP = np.dtype(
    [
        ("account", "<u4"),
        ("number", "<u4"),
        ("account_next", "<u4"),
        ("free_next", "<u4"),
        *int64_fields(
            "window_ms lots_max delta_max_e6 vega_max_e6 freeze_ms half lots_now lots_before"
            " lots_old delta_now_e6 delta_before_e6 delta_old_e6 vega_now_e6 vega_before_e6"
            " vega_old_e6 frozen_until_ms hits_count"
        ),
    ]
)
# A parameter that changes at a height.
CHANGE = np.dtype(int64_fields("height kind market parameter value announced_height"))

# Chain-wide numbers of the clearing house that governance sets by number (SET_GLOBAL).
GLOBALS: Final = words(
    "tick_ms fresh_ms reduce_ms halt_ms quorum_ppm outlier_ppm liquidations_max notice_blocks"
    " gap_auctions gate_ms fixing_window_ms fixing_sample_ms listing_least_ms"
)

# --- events ------------------------------------------------------------------------------------
# The first 24 bytes are those of every event; eleven int64 follow, read by the kind.
EVENT_HEAD: Final = [
    ("kind", "u1"),
    ("end", "u1"),
    ("code", "<u2"),
    ("bundle", "<u4"),
    ("command", "<u2"),
    ("side", "u1"),
    ("zero", "u1"),
    ("market", "<u4"),
    ("account", "<u4"),
    ("counter_account", "<u4"),
]
EVENT_WORDS: Final = 11
# The names of the eleven words, kind by kind (codes.EventKind); "-" is unused and zero.
#   INDEXED     market = feed; what the votes gave: counts are of fresh votes
#   MARKED      a tick's new mark with its three candidates (0 = missing) and the index
#   FUNDED      one funding payment of a market
#   LIQUIDATED  one step of a liquidation; end = Standing before, side = of the position, code =
#               LiquidationStep, counter_account = vault or 0; the bucket's worth before and after;
#               position before; cash_e6 is what the bucket received. Of CANCELLED_ORDERS: market =
#               the bucket, lots = how many orders
#   DELEVERAGED one counterparty of a deleveraging: account = who is wound up; both positions and
#               the unhedged lots before; code = 1 where a hedge was taken from
#   TRIGGERED   a conditional order fired; order_id is the new order's, 0 if it was refused (code);
#               end = why what did not fill does not rest; trigger_ticks = the level it had
#   TRIGGER_ENDED  end says why
#   AUCTION_BEGUN  code = AuctionKind; also when one is extended; band -1: no band was left
#   AUCTION_ENDED  code = AuctionKind; lots of the whole auction, fills of its last block
#   PROTECTED   a group of quotes was frozen
#   CHANGED     a parameter took effect; market, code = ChangeKind; of a tier: market = its slot,
#               parameter = leverage, value = lower bound; end 1: dropped, its place was lost
#   SWITCHED    a switch, a market's phase or guard moved; code = Switch; GATE: state 1 is gated
#   INSURED     money moved into or out of an insurance fund; code = InsuranceFlow
EVENT_WORDS_OF: Final = {
    "INDEXED": "price_ticks external_ticks votes_count weight_fresh weight_total spread_ppm"
    " confidence_ppm outliers_count state weight_present -",
    "MARKED": "mark_ticks mark_before_ticks index_ticks basis_candidate_ticks book_candidate_ticks"
    " external_candidate_ticks basis_ema_fp book_ema_fp band_low_ticks band_high_ticks"
    " candidate_ticks",
    "FUNDED": "rate_e9 premium_e9 index_ticks funding_index funding_index_before samples_count"
    " interval_ms pool_e6 open_interest_lots funding_shift -",
    "LIQUIDATED": "mark_ticks price_ticks lots position equity_before_e6 maintenance_before_e6"
    " equity_after_e6 maintenance_after_e6 fee_e6 fund_e6 cash_e6",
    "DELEVERAGED": "mark_ticks price_ticks lots position counter_position unhedged_lots"
    " counter_equity_before_e6 counter_equity_after_e6 cash_e6 lots_needed score_e9",
    "TRIGGERED": "trigger_id order_id trigger_ticks watched_ticks size limit_ticks filled"
    " remaining - - -",
    "TRIGGER_ENDED": "trigger_id - - - - - - - - - -",
    "AUCTION_BEGUN": "end_ms reference_ticks price_ticks band_low_ticks band_high_ticks band - - -"
    " - -",
    "AUCTION_ENDED": "price_ticks lots surplus_lots fills_count begin_ms - - - - - -",
    "PROTECTED": "group lots delta_e6 vega_e6 frozen_until_ms cancelled_count - - - - -",
    "CHANGED": "parameter value value_before height - - - - - - -",
    "SWITCHED": "state state_before until_ms - - - - - - - -",
    "INSURED": "amount_e6 fund_after_e6 - - - - - - - - -",
}
assert all(len(words(text)) == EVENT_WORDS for text in EVENT_WORDS_OF.values())


def event_reading(text: str) -> "np.dtype[np.void]":
    """The reading of an event of the clearing house; unused words are called word_N."""
    named = [
        (f"word_{k}" if name == "-" else name, "<i8") for k, name in enumerate(words(text))
    ]
    return np.dtype(EVENT_HEAD + named)


EVENT_READINGS: Final = {name: event_reading(text) for name, text in EVENT_WORDS_OF.items()}
