"""What the transition asks before a product is listed: do text and code agree, is the code safe."""

from quorate.instruments.payoff.checker import (
    CHECK_OUT,
    OUT_HIGH,
    OUT_LOW,
    OUT_PLACE,
    check,
)
from quorate.instruments.payoff.code import Ints, IntsOut, first_difference
from quorate.instruments.payoff.compiler import compile_text
from quorate.instruments.payoff.lexer import CODE_COUNT, FAULT_PLACE
from quorate.types.payoff_codes import Refusal

CODE_NOT_OF_TEXT = int(Refusal.CODE_NOT_OF_TEXT)

# What `admit` writes to `out`: what `check` writes, and then the place in the text.
OUT_TEXT_PLACE = CHECK_OUT
ADMISSION_OUT = CHECK_OUT + 1


def admit(
    text: Ints,
    length: int,
    code: Ints,
    count: int,
    lows: Ints,
    highs: Ints,
    bound_low: int,
    bound_high: int,
    own_code: IntsOut,
    places: IntsOut,
    compile_work: IntsOut,
    check_work: IntsOut,
    out: IntsOut,
) -> int:
    """Return a Refusal, or 0 for a payoff that may be listed.

    The text is compiled into `own_code` and `places` (PAYOFF_CODE_MAX numbers each) with
    `compile_work` (COMPILE_WORK) and compared with `code`, which is then checked with `check_work`
    (CHECK_WORK). `out` (ADMISSION_OUT) gets the place in the code, the interval as of
    `checker.check`, and the place in the text. The place in the code is -1 where only the text is
    at fault.
    """
    out[OUT_PLACE] = -1
    out[OUT_LOW] = 0
    out[OUT_HIGH] = 0
    refusal = compile_text(text, length, own_code, places, compile_work)
    out[OUT_TEXT_PLACE] = compile_work[FAULT_PLACE]
    if refusal != 0:
        return refusal
    own_count = compile_work[CODE_COUNT]
    differing = first_difference(code, count, own_code, own_count)
    if differing >= 0:
        out[OUT_PLACE] = differing
        if differing < own_count:
            out[OUT_TEXT_PLACE] = places[differing]
        return CODE_NOT_OF_TEXT
    refusal = check(own_code, count, lows, highs, bound_low, bound_high, check_work, out)
    if out[OUT_PLACE] >= 0:
        out[OUT_TEXT_PLACE] = places[out[OUT_PLACE]]
    return refusal
