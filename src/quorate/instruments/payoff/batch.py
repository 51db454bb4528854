"""The admission of many products by the compiled rules, for benches and for `prove-products`."""

from collections.abc import Callable, Sequence

import numpy as np

from quorate.instruments.payoff import admission, checker, compiler, kernels
from quorate.instruments.payoff.catalogue import Product
from quorate.instruments.payoff.language import declared
from quorate.types.limits import PAYOFF_CODE_MAX


def integers(values: Sequence[int]) -> kernels.Ints:
    """Return values as the kernels take them."""
    return np.array(values, dtype=np.int64)


def admissions(products: Sequence[Product]) -> Callable[[], int]:
    """Prepare listings of products; each call judges all of them and returns how many it admits.

    A listing is judged whole, as the transition does: its text is compiled, compared with its code
    and checked.
    """
    listings = []
    for product in products:
        text = integers(list(product.text.encode()))
        code = integers(product.payoff().code)
        lows, highs = map(integers, declared(product.ranges))
        listings.append((text, len(text), code, len(code), lows, highs, *product.bounds))
    sizes = (
        PAYOFF_CODE_MAX,
        PAYOFF_CODE_MAX,
        compiler.COMPILE_WORK,
        checker.CHECK_WORK,
        admission.ADMISSION_OUT,
    )
    arrays = [integers([0] * size) for size in sizes]

    def judged() -> int:
        admitted = 0
        for listing in listings:
            if kernels.admit_now(*listing, *arrays) == 0:
                admitted += 1
        return admitted

    return judged
