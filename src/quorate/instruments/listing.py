"""From a text to the command that lists it, checked as the chain will check it."""

from collections.abc import Mapping

from quorate.codec.options_commands import ListProduct
from quorate.instruments.payoff.catalogue import Product
from quorate.instruments.payoff.language import declared, parse, verify
from quorate.types.limits import PAYOFF_CODE_MAX
from quorate.types.options_codes import ObservationRule

NAME_BYTES = 16


def product_command(
    number: int,
    name: str,
    text: str,
    ranges: Mapping[str, tuple[int, int]],
    bounds: tuple[int, int],
    rule: ObservationRule = ObservationRule.NONE,
    sample_ms: int = 0,
) -> ListProduct:
    """Build the command that lists a payoff as product `number`, in ticks.

    Raises PayoffError, with the place and the reason, for what the chain would refuse.
    """
    payoff = parse(text)
    verify(payoff, ranges, bounds)
    code = (*payoff.code, *[0] * (PAYOFF_CODE_MAX - len(payoff.code)))
    declarations = tuple(bound for pair in zip(*declared(ranges), strict=True) for bound in pair)
    low, high = bounds
    return ListProduct(number, name, int(rule), low, high, sample_ms, text, code, declarations)


def catalogue_command(number: int, product: Product) -> ListProduct:
    """Build the command that lists a product of the catalogue; its name is cut to 16 letters."""
    rule = ObservationRule[product.observation.name]
    sample_ms = product.interval_ms if rule == ObservationRule.SAMPLED else 0
    name = product.name[:NAME_BYTES]
    return product_command(
        number, name, product.text, product.ranges, product.bounds, rule, sample_ms
    )
