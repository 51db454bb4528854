"""Row layouts of products, series, expiries, smiles, listing rules (docs/decisions/014).

As in `types.records`, of which this is a part: explicit little-endian dtypes without padding, rows
of zeros when free. A series' slot is its market's number; a vote's slot is expiry * VOTERS_MAX +
voter.

Units: `_ticks` of the series, `_e9` plain ratios, `_fp` in 2**-40, `_ms` milliseconds. A volatility
of 1e9 is 100 % a year of 365 days.
"""

from typing import Final

import numpy as np

from quorate.types import limits
from quorate.types.clearing import EVENT_WORDS, event_reading, int64_fields, words

# `code` has `words` words; `reach` has the bit 2**k where the payoff names input k
# (payoff_codes.Input); `european` is 1 for max(fix - strike, 0), 2 for max(strike - fix, 0).
PRODUCT = np.dtype(
    [
        ("name", "u1", (16,)),
        *int64_fields("rule sample_ms payoff_low payoff_high text_bytes words reach european"),
        ("text", "u1", (limits.PAYOFF_TEXT_BYTES_MAX,)),
        ("code", "<i8", (limits.PAYOFF_CODE_MAX,)),
        ("ranges", "<i8", (2 * limits.PAYOFF_INPUTS,)),
    ]
)
PARAMETERS: Final = words("strike upper lower rebate cap rate")
# What is observed of a path, and the sums that it is kept in.
OBSERVED: Final = words("first last sum count low high inside realized")
GREEKS: Final = words("vol_e9 delta_fp gamma_fp vega_fp theta_fp rho_fp")
SERIES = np.dtype(
    int64_fields(
        " ".join(
            [
                "product state expiry expiry_ms",
                *PARAMETERS,
                *(f"seen_{name}" for name in OBSERVED),
                "seen_next_ms settle_ticks model_ticks",
                *GREEKS,
                "listed_ms template",
            ]
        )
    )
)
PILLARS: Final = tuple(f"vol_{k}_e9" for k in range(limits.SMILE_PILLARS))
# The smile that was fitted to the pillars: the columns of a row of the surface, in its order.
SMILE: Final = words(
    "smile_unit_e9 smile_alpha smile_left smile_right smile_middle smile_width smile_time_ms"
)
EXPIRY = np.dtype(
    int64_fields(
        " ".join(
            [
                "feed expiry_ms state series_count",
                "fix_sum fix_count fix_missing fix_next_ms fix_ticks",
                "forward_ticks smile_ms votes_count spread_ppm participation_ppm confidence_ppm",
                *PILLARS,
                *SMILE,
                "smile_moved votes_ppm",
            ]
        )
    )
)
SMILE_VOTE = np.dtype(int64_fields(" ".join(["time_ms forward_ticks", *PILLARS])))
# `done_`: the first expiry and the middle strike for which everything is listed.
LISTING = np.dtype(
    int64_fields(
        "template period_ms offset_ms expiries_ahead step_ticks strikes_each_side used"
        " done_expiry_ms done_strike"
    )
)

# --- events ------------------------------------------------------------------------------------
#   PRODUCT_LISTED  market = product; code = the checker's
#   SERIES_LISTED   by a command or by a rule (code 1)
#   SMILED          market = expiry; a tick's smile after repair
#   FIXED           market = expiry; the fixing of an expiry
#   SERIES_MOVED    a series' state; code = the new one
#   SETTLED         one position paid
EVENT_WORDS_OF: Final = {
    "PRODUCT_LISTED": "payoff_low payoff_high rule sample_ms text_bytes - - - - - -",
    "SERIES_LISTED": "product expiry expiry_ms strike upper lower rebate cap rate template -",
    "SMILED": "forward_ticks index_ticks confidence_ppm votes_count state vol_low_e9 vol_mid_e9"
    " vol_high_e9 spread_ppm participation_ppm -",
    "FIXED": "fix_ticks samples_count missing_count sum expiry_ms feed - - - - -",
    "SERIES_MOVED": "state_before settle_ticks open_interest_lots mark_ticks - - - - - - -",
    "SETTLED": "settle_ticks lots cash_e6 isolated_e6 - - - - - - -",
}
assert all(len(words(text)) == EVENT_WORDS for text in EVENT_WORDS_OF.values())
EVENT_READINGS: Final = {name: event_reading(text) for name, text in EVENT_WORDS_OF.items()}
