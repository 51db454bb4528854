"""Runners of the commands of products and series; see `block`."""

import struct
from collections.abc import Callable, Sequence

from quorate.execution.spec import options_listing, options_products, options_series
from quorate.execution.spec.context import Context, Receipt
from quorate.execution.spec.options_rows import Listing, Product, Series
from quorate.types.codes import Op, Reject
from quorate.types.limits import (
    COMMAND_BYTES,
    PAYOFF_CODE_MAX,
    PAYOFF_TEXT_BYTES_MAX,
    PRODUCT_WORDS,
)

_COMMAND = struct.Struct("<BBBBI7q")
_PRODUCT = struct.Struct("<BBBBI4q16s8x")
assert _COMMAND.size == _PRODUCT.size == COMMAND_BYTES
CODE_AT = PAYOFF_TEXT_BYTES_MAX
RANGES_AT = CODE_AT + 8 * PAYOFF_CODE_MAX
UNUSED_AT = 8 * PRODUCT_WORDS
PART_WORDS_AT = 8


def run_product(
    c: Context, head: bytes, parts: Sequence[bytes], receipt: Receipt
) -> Reject:
    """Read a product's head and the records behind it."""
    _, rule, _, _, slot, low, high, sample_ms, text_bytes, name = _PRODUCT.unpack(head)
    receipt.market = slot
    raw = b"".join(part[PART_WORDS_AT:] for part in parts)
    product = Product(
        name=name,
        rule=rule,
        sample_ms=sample_ms,
        payoff_low=low,
        payoff_high=high,
        text_bytes=text_bytes,
        text=raw[:CODE_AT],
        code=raw[CODE_AT:RANGES_AT],
        ranges=raw[RANGES_AT:UNUSED_AT],
    )
    return options_products.list_product(c, slot, product, raw[UNUSED_AT:], receipt)


def run_series(c: Context, command: bytes, receipt: Receipt) -> Reject:
    (_, product, _, _, slot, strike, upper, expiry_ms, lower, rebate, cap, rate) = (
        _COMMAND.unpack(command)
    )
    receipt.market = slot
    series = Series(
        product=product,
        expiry_ms=expiry_ms,
        strike=strike,
        upper=upper,
        lower=lower,
        rebate=rebate,
        cap=cap,
        rate=rate,
    )
    return options_series.set_series(c, slot, series)


def run_listing(c: Context, command: bytes, receipt: Receipt) -> Reject:
    (_, _, _, _, slot, template, period, offset, ahead, step, each_side, _) = _COMMAND.unpack(
        command
    )
    receipt.market = slot
    listing = Listing(template, period, offset, ahead, step, each_side)
    return options_listing.set_listing(c, slot, listing)


HANDLERS: dict[Op, Callable[[Context, bytes, Receipt], Reject]] = {
    Op.SET_SERIES: run_series,
    Op.SET_LISTING: run_listing,
}
