"""Products: a payoff is compiled, compared and checked before it is listed.

The transition compiles the text itself, so that nobody has to believe that bytecode does what a
text says. What the compiler or the checker refuses is rejected, and the receipt says why: `price`
is the payoff_codes.Refusal, `size` the place in the text, `remaining` the word of the code; -1
where there is none.
"""

import struct

from quorate.execution import options_rules
from quorate.execution.european import CALL, PUT
from quorate.execution.spec.context import Context, Receipt
from quorate.execution.spec.governance import governs
from quorate.execution.spec.options_rows import Product
from quorate.instruments.payoff import checker, compiler, lexer
from quorate.instruments.payoff.code import first_difference
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_INPUTS, PRODUCTS_MAX
from quorate.types.payoff_codes import Refusal
from quorate.types.records import Table

CODE = struct.Struct(f"<{PAYOFF_CODE_MAX}q")
RANGES = struct.Struct(f"<{2 * PAYOFF_INPUTS}q")


def list_product(
    c: Context, slot: int, product: Product, unused: bytes, receipt: Receipt
) -> Reject:
    """List a payoff under the next free number. `unused`: what follows it in the last record."""
    if not governs(c):
        return Reject.GOVERNANCE_KEY_REQUIRED
    ledger = c.t.row(Table.LEDGER, 0)
    if slot != ledger.products_high or slot >= PRODUCTS_MAX:
        return Reject.PRODUCT_MUST_EXIST
    if any(unused) or any(product.text[product.text_bytes :]):
        return Reject.UNUSED_FIELDS_MUST_BE_ZERO
    if not options_rules.sampling_sound(product.rule, product.sample_ms):
        return Reject.PARAMETER_OUT_OF_RANGE
    code = product_code(product, receipt)
    if code:
        return code
    if not options_rules.observation_sound(product.rule, product.reach):
        return Reject.PARAMETER_OUT_OF_RANGE
    ledger.products_high = slot + 1
    c.t.put(Table.LEDGER, 0, ledger)
    c.emit_words(
        EventKind.PRODUCT_LISTED,
        product.payoff_low,
        product.payoff_high,
        product.rule,
        product.sample_ms,
        product.text_bytes,
        market=slot,
    )
    c.t.put(Table.PRODUCTS, slot, product)
    return Reject.OK


def product_code(product: Product, receipt: Receipt) -> Reject:
    """Compile, compare and check a payoff; write what is known of its code into the row."""
    words, places = [0] * PAYOFF_CODE_MAX, [0] * PAYOFF_CODE_MAX
    work = [0] * max(compiler.COMPILE_WORK, checker.CHECK_WORK)
    refusal = compiler.compile_text(list(product.text), product.text_bytes, words, places, work)
    if refusal:
        receipt.price, receipt.filled, receipt.remaining = refusal, work[lexer.FAULT_PLACE], -1
        return Reject.PAYOFF_REFUSED
    count = work[lexer.CODE_COUNT]
    given = CODE.unpack(product.code)
    for place in range(PAYOFF_CODE_MAX):
        if given[place] != (words[place] if place < count else 0):
            receipt.price = int(Refusal.CODE_NOT_OF_TEXT)
            receipt.filled = places[place] if place < count else -1
            receipt.remaining = place
            return Reject.PAYOFF_TEXT_AND_CODE_DIFFER
    ranges, out = RANGES.unpack(product.ranges), [0] * checker.CHECK_OUT
    bounds = product.payoff_low, product.payoff_high
    refusal = checker.check(words, count, ranges[::2], ranges[1::2], *bounds, work, out)
    if refusal:
        word = out[checker.OUT_PLACE]
        receipt.price, receipt.remaining = refusal, word
        receipt.filled = places[word] if word >= 0 else -1
        return Reject.PAYOFF_REFUSED
    product.words, product.reach = count, options_rules.reach_of(words, count)
    if first_difference(words, count, CALL, len(CALL)) < 0:
        product.european = 1
    elif first_difference(words, count, PUT, len(PUT)) < 0:
        product.european = 2
    return Reject.OK


def range_of(product: Product, number: int) -> tuple[int, int]:
    """The declared range of an input."""
    low, high = RANGES.unpack(product.ranges)[2 * number : 2 * number + 2]
    return int(low), int(high)
