"""Products; the same functions as `spec.options_products`."""

import numpy as np

from quorate.compiled import helper
from quorate.execution.european import CALL, PUT
from quorate.execution.kernels.governance import governs
from quorate.execution.kernels.payoffs import code_checked, text_compiled
from quorate.execution.kernels.rows import T_PRODUCTS, emit_words
from quorate.execution.kernels.scalars import observation_sound, reach_of, sampling_sound
from quorate.instruments.payoff.checker import OUT_PLACE
from quorate.instruments.payoff.lexer import CODE_COUNT, FAULT_PLACE
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import (
    PAYOFF_CODE_MAX,
    PAYOFF_INPUTS,
    PAYOFF_TEXT_BYTES_MAX,
    PRODUCT_PARTS,
    PRODUCT_WORDS,
    PRODUCTS_MAX,
)
from quorate.types.payoff_codes import Refusal

i8 = np.int64
R = Reject
OK, GOVERNANCE_KEY = int(R.OK), int(R.GOVERNANCE_KEY_REQUIRED)
PRODUCT_MUST_EXIST, UNUSED = int(R.PRODUCT_MUST_EXIST), int(R.UNUSED_FIELDS_MUST_BE_ZERO)
OUT_OF_RANGE, PAYOFF_REFUSED = int(R.PARAMETER_OUT_OF_RANGE), int(R.PAYOFF_REFUSED)
CODES_DIFFER, CODE_NOT_OF_TEXT = int(R.PAYOFF_TEXT_AND_CODE_DIFFER), int(Refusal.CODE_NOT_OF_TEXT)
PRODUCT_LISTED = int(EventKind.PRODUCT_LISTED)
WORDS_OF_PART = 7
TEXT_WORDS = PAYOFF_TEXT_BYTES_MAX // 8
RANGES_AT = TEXT_WORDS + PAYOFF_CODE_MAX
# Numba freezes these into the machine code, and the code's cache is keyed by all sources.
CODE_OF_CALL, CODE_OF_PUT = np.array(CALL, np.int64), np.array(PUT, np.int64)


@helper
def list_product(s, signer, head, parts, at):
    """List a payoff under the next free number; the records behind `at` carry it."""
    slot, rule = i8(head["market"]), i8(head["side"])
    sample_ms, text_bytes = head["expiry_ms"], head["order_id"]
    s.now[0]["receipt_market"] = slot
    if not governs(s, signer):
        return GOVERNANCE_KEY
    if slot != s.ledger[0]["products_high"] or slot >= PRODUCTS_MAX:
        return PRODUCT_MUST_EXIST
    if not unused_zero(parts, at, text_bytes):
        return UNUSED
    if not sampling_sound(rule, sample_ms):
        return OUT_OF_RANGE
    low, high = head["price"], head["size"]
    code = product_code(s, parts, at, text_bytes, low, high)
    if code != OK:
        return code
    words = s.payoff_work[CODE_COUNT]
    reach = reach_of(s.payoff_code, words)
    if not observation_sound(rule, reach):
        return OUT_OF_RANGE
    s.ledger[0]["products_high"] = slot + 1
    row = s.products[slot]
    row["rule"] = rule
    row["sample_ms"] = sample_ms
    row["payoff_low"] = low
    row["payoff_high"] = high
    row["text_bytes"] = text_bytes
    row["words"] = words
    row["reach"] = reach
    row["european"] = european_of(s, words)
    product_copy(row, head, parts, at)
    s.small_dirty[T_PRODUCTS] = 1
    zero = i8(0)
    emit_words(
        s, PRODUCT_LISTED, zero, zero, zero, slot, zero, zero,
        low, high, rule, sample_ms, text_bytes, zero, zero, zero, zero, zero, zero,
    )  # fmt: skip
    return OK


@helper
def word_of(parts, at, number):
    """A word of what the records behind `at` carry."""
    part = number // WORDS_OF_PART
    return i8(parts[at + 1 + part]["words"][number - WORDS_OF_PART * part])


@helper
def unused_zero(parts, at, text_bytes):
    """Whether all bytes behind the text and all words behind the ranges are zero."""
    found = i8(0)
    for number in range(PRODUCT_WORDS, WORDS_OF_PART * PRODUCT_PARTS):
        found |= word_of(parts, at, number)
    for j in range(min(text_bytes, PAYOFF_TEXT_BYTES_MAX), PAYOFF_TEXT_BYTES_MAX):
        found |= (word_of(parts, at, j // 8) >> (8 * (j % 8))) & 255
    return found == 0


@helper
def product_copy(row, head, parts, at):
    """Write name, text, code and ranges into the row."""
    hi, lo = head["cloid_hi"], head["cloid_lo"]
    for j in range(8):
        row["name"][j] = (hi >> (8 * j)) & 255
        row["name"][8 + j] = (lo >> (8 * j)) & 255
    for j in range(PAYOFF_TEXT_BYTES_MAX):
        row["text"][j] = (word_of(parts, at, j // 8) >> (8 * (j % 8))) & 255
    for k in range(PAYOFF_CODE_MAX):
        row["code"][k] = word_of(parts, at, TEXT_WORDS + k)
    for k in range(2 * PAYOFF_INPUTS):
        row["ranges"][k] = word_of(parts, at, RANGES_AT + k)


@helper
def product_code(s, parts, at, text_bytes, low, high):
    """Compile, compare and check a payoff; its code is then in `payoff_code`."""
    now = s.now[0]
    for j in range(PAYOFF_TEXT_BYTES_MAX):
        s.payoff_text[j] = (word_of(parts, at, j // 8) >> (8 * (j % 8))) & 255
    work, out = s.payoff_work, s.payoff_out
    refusal = text_compiled(s, text_bytes)
    if refusal != 0:
        now["receipt_price"] = refusal
        now["receipt_filled"] = work[FAULT_PLACE]
        now["receipt_remaining"] = -1
        return PAYOFF_REFUSED
    count = i8(work[CODE_COUNT])
    for place in range(PAYOFF_CODE_MAX):
        expected = s.payoff_code[place] if place < count else i8(0)
        if word_of(parts, at, TEXT_WORDS + place) != expected:
            now["receipt_price"] = CODE_NOT_OF_TEXT
            now["receipt_filled"] = s.payoff_places[place] if place < count else i8(-1)
            now["receipt_remaining"] = place
            return CODES_DIFFER
    for k in range(PAYOFF_INPUTS):
        s.payoff_lows[k] = word_of(parts, at, RANGES_AT + 2 * k)
        s.payoff_highs[k] = word_of(parts, at, RANGES_AT + 2 * k + 1)
    refusal = code_checked(s, count, low, high)
    work[CODE_COUNT] = count  # the checker works in the same array
    if refusal != 0:
        word = out[OUT_PLACE]
        now["receipt_price"] = refusal
        now["receipt_filled"] = s.payoff_places[word] if word >= 0 else i8(-1)
        now["receipt_remaining"] = word
        return PAYOFF_REFUSED
    return OK


@helper
def european_of(s, words):
    """1 for the code of a European call, 2 for that of a put, else 0."""
    if code_is(s, words, CODE_OF_CALL):
        return i8(1)
    return i8(2) if code_is(s, words, CODE_OF_PUT) else i8(0)


@helper
def code_is(s, words, code):
    """Whether `payoff_code` holds that code."""
    if words != code.shape[0]:
        return False
    differs = i8(0)
    for place in range(code.shape[0]):
        differs |= s.payoff_code[place] ^ code[place]
    return differs == 0


@helper
def range_low(s, product, number):
    """The least declared value of an input."""
    return i8(s.products[product]["ranges"][2 * number])


@helper
def range_high(s, product, number):
    """The greatest declared value of an input."""
    return i8(s.products[product]["ranges"][2 * number + 1])
