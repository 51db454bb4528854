"""Kernels of their own for payoffs: to compile, to check and to run one.

They work on the payoff scratch of the state. The kernel of a block calls their machine code, so
that the compiler of payoffs is not compiled a second time in it.
"""

import numba

from quorate.compiled import kernel
from quorate.execution.kernels.signatures import RECORD
from quorate.instruments.payoff.kernels import check, compile_text, payoff_ticks

INT64 = numba.types.int64


@kernel(INT64(RECORD, INT64))
def text_compiled(s, text_bytes):
    """Compile `payoff_text` into `payoff_code` and `payoff_places`; see `compile_text`."""
    work = s.payoff_work
    return compile_text(s.payoff_text, text_bytes, s.payoff_code, s.payoff_places, work)


@kernel(INT64(RECORD, INT64, INT64, INT64))
def code_checked(s, count, low, high):
    """Check `payoff_code` under the declared ranges and bounds; see `check`."""
    lows, highs = s.payoff_lows, s.payoff_highs
    return check(s.payoff_code, count, lows, highs, low, high, s.payoff_work, s.payoff_out)


@kernel(INT64(RECORD, INT64))
def payoff_paid(s, product):
    """Run a product's code on `payoff_inputs` within the ranges beside it; see `payoff_ticks`."""
    row = s.products[product]
    lows, highs = s.payoff_lows, s.payoff_highs
    return payoff_ticks(row["code"], row["words"], s.payoff_inputs, lows, highs, s.payoff_values)
