"""The catalogue: each product is a payoff, what is declared of its inputs, and when one observes.

All payoffs are in ticks of the series and are never negative: who sells one owes what its holder
receives, and a price is the premium. A product says what its series have in common; a series adds
an index, an expiry and the parameters. The rules of listing stand in `language.verify`, which
`verified` applies to a product as the chain does.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from quorate.instruments.payoff.language import Payoff, Verdict, parse, verify
from quorate.types.limits import DAY_MS, PRICE_TICKS_MAX
from quorate.types.payoff_codes import Life, Observation

Range = tuple[int, int]

PRICE: Range = (1, PRICE_TICKS_MAX)
AMOUNT: Range = (0, PRICE_TICKS_MAX)
FLAG: Range = (0, 1)
MINUTE_MS = 60_000


@dataclass(frozen=True)
class Product:
    """What a listing declares. `ranges` are of the inputs that `text` names, `bounds` of its value.

    `interval_ms` is the interval of observations, counted from the Unix epoch plus `offset_ms`; 0
    for the rules NONE and BLOCK.
    """

    name: str
    text: str
    ranges: Mapping[str, Range]
    bounds: Range
    observation: Observation = Observation.NONE
    interval_ms: int = 0
    offset_ms: int = 0
    life: Life = Life.EXPIRING

    def payoff(self) -> Payoff:
        """Compile the text."""
        return parse(self.text)

    def verified(self) -> Verdict:
        """Check the product as the chain does before it lists one. Raises PayoffError."""
        return verify(self.payoff(), self.ranges, self.bounds)


def at_expiry(name: str, text: str, bounds: Range, *names: str) -> Product:
    """Declare a product that looks at its fixing alone; `names` are its parameters."""
    ranges = {"fix": PRICE} | {name: PRICE for name in names if name != "rebate"}
    if "rebate" in names:
        ranges["rebate"] = AMOUNT
    return Product(name, text, ranges, bounds)


def barrier(name: str, text: str, flag: str, strike: bool = True) -> Product:
    """Declare a product that looks at every block for a touch of its barrier."""
    ranges = {flag: FLAG, "upper" if flag == "touched_up" else "lower": PRICE, "rebate": AMOUNT}
    if strike:
        ranges |= {"fix": PRICE, "strike": PRICE}
    return Product(name, text, ranges, AMOUNT, Observation.BLOCK)


def sampled(name: str, text: str, bounds: Range, **ranges: Range) -> Product:
    """Declare a product that looks at its index once a minute."""
    return Product(name, text, ranges, bounds, Observation.SAMPLED, MINUTE_MS)


CALL = "max(fix - strike, 0)"
PUT = "max(strike - fix, 0)"
# A difference of two prices.
GAP: Range = (0, PRICE_TICKS_MAX - 1)

CATALOGUE: tuple[Product, ...] = (
    at_expiry("dated_future", "fix", PRICE),
    at_expiry("european_call", CALL, GAP, "strike"),
    at_expiry("european_put", PUT, GAP, "strike"),
    at_expiry("straddle", "abs(fix - strike)", GAP, "strike"),
    at_expiry("call_spread", "max(min(fix, upper) - strike, 0)", GAP, "strike", "upper"),
    at_expiry("put_spread", "max(strike - max(fix, lower), 0)", GAP, "strike", "lower"),
    at_expiry(
        "digital_call", "if fix > strike then rebate else 0", AMOUNT, "strike", "rebate"
    ),
    at_expiry(
        "digital_put", "if fix < strike then rebate else 0", AMOUNT, "strike", "rebate"
    ),
    barrier("one_touch_up", "if touched_up then rebate else 0", "touched_up", False),
    barrier("one_touch_down", "if touched_down then rebate else 0", "touched_down", False),
    barrier("no_touch_up", "if touched_up then 0 else rebate", "touched_up", False),
    barrier("no_touch_down", "if touched_down then 0 else rebate", "touched_down", False),
    Product(
        "no_touch_double",
        "if touched_up or touched_down then 0 else rebate",
        {"touched_up": FLAG, "touched_down": FLAG, "upper": PRICE, "lower": PRICE}
        | {"rebate": AMOUNT},
        AMOUNT,
        Observation.BLOCK,
    ),
    barrier("up_and_out_call", f"if touched_up then rebate else {CALL}", "touched_up"),
    barrier("up_and_in_call", f"if touched_up then {CALL} else rebate", "touched_up"),
    barrier("down_and_out_call", f"if touched_down then rebate else {CALL}", "touched_down"),
    barrier("down_and_in_call", f"if touched_down then {CALL} else rebate", "touched_down"),
    barrier("up_and_out_put", f"if touched_up then rebate else {PUT}", "touched_up"),
    barrier("up_and_in_put", f"if touched_up then {PUT} else rebate", "touched_up"),
    barrier("down_and_out_put", f"if touched_down then rebate else {PUT}", "touched_down"),
    barrier("down_and_in_put", f"if touched_down then {PUT} else rebate", "touched_down"),
    sampled("asian_call", "max(avg - strike, 0)", GAP, avg=PRICE, strike=PRICE),
    sampled("asian_put", "max(strike - avg, 0)", GAP, avg=PRICE, strike=PRICE),
    sampled("lookback_call", "max(high - strike, 0)", GAP, high=PRICE, strike=PRICE),
    sampled("lookback_put", "max(strike - low, 0)", GAP, low=PRICE, strike=PRICE),
    # `rate` is what one sample inside the range pays.
    sampled(
        "range_accrual",
        "rate * inside",
        AMOUNT,
        inside=(0, 2**20),
        rate=(0, 2**20 - 1),
        upper=PRICE,
        lower=PRICE,
    ),
    # `rate` is what a realized variance of 1, 100 % of volatility for one year, pays; it is
    # observed at each daily close and counts up to 16.
    Product(
        "variance_swap",
        "min(realized // 1_000 * rate // 1_000_000_000, cap)",
        {"realized": (0, 16 * 10**12), "rate": (1, 250_000_000), "cap": PRICE},
        (0, 4_000_000_000),
        Observation.CLOSE,
        DAY_MS,
        8 * 60 * MINUTE_MS,
    ),
    # The square of a price, in millions of ticks.
    Product(
        "power_perpetual",
        "spot * spot // 1_000_000",
        {"spot": (1, 10**9)},
        (0, 10**12),
        life=Life.EVERLASTING,
    ),
    Product(
        "everlasting_call",
        "max(spot - strike, 0)",
        {"spot": PRICE, "strike": PRICE},
        GAP,
        life=Life.EVERLASTING,
    ),
    Product(
        "everlasting_put",
        "max(strike - spot, 0)",
        {"spot": PRICE, "strike": PRICE},
        GAP,
        life=Life.EVERLASTING,
    ),
)
PRODUCTS: dict[str, Product] = {product.name: product for product in CATALOGUE}
