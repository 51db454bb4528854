"""Bad input of products and series: its part of tests/execution/bad_input.py.

`desk` is a venue on which market 4 is a European call at 100 000, two days before its expiry, and
market 5 a market of kind SERIES without a series.
"""

from collections.abc import Callable
from dataclasses import replace

from quorate.codec import commands as c
from quorate.codec.options_commands import SetMarginMode, SetSeries, VoteSmile
from quorate.sim.execution_world import Row
from quorate.types.codes import MarketStatus, Reject
from quorate.types.options_codes import MarginMode
from quorate.types.records import Table
from tests.execution.bad_input_clearing import Case, says
from tests.execution.exchange import PERP, USD, Exchange
from tests.execution.options_exchange import HOUR_MS, SERIES, Desk, code_of, product

R = Reject
UNBOUND = 5


def desk() -> Exchange:
    """The venue as above."""
    x = Desk()
    x.fund("bob")
    x.listed()
    x.market_made(UNBOUND)
    return x


def governs(command: c.Command) -> Callable[[Exchange], Row]:
    return says("governance", command)


def margin_short(x: Exchange) -> Row:
    """Bob is long five units with 1 USD of equity, and would choose another way of margin."""
    x.fund("carol")
    x.ok("carol", c.Place(PERP, 1, 100_000, 5))
    x.ok("bob", c.Place(PERP, 0, 100_000, 5))
    x.doctor(Table.ACCOUNTS, x.account("bob"), cash_e6=USD - 500_000 * USD)
    return says("bob", SetMarginMode(MarginMode.PORTFOLIO))(x)


SOUND = product(1)
SERIES_SOON = SetSeries(UNBOUND, 0, HOUR_MS, strike=100_000)
OF_OPTIONS: tuple[Case, ...] = (
    (R.SERIES_NOT_LIVE, "opening a market whose series has expired, or that has none",
     governs(c.SetStatus(UNBOUND, int(MarketStatus.OPEN)))),
    (R.PRODUCT_MUST_EXIST, "a product under a number that is not the next, or a series of one "
     "that is not listed", governs(product(7))),
    (R.PAYOFF_REFUSED, "a payoff that does not compile, could overflow or divide by zero, or "
     "leaves its declared bounds", governs(product(1, "fix - strike"))),
    (R.PAYOFF_TEXT_AND_CODE_DIFFER, "bytecode that is not what the text compiles to",
     governs(replace(SOUND, code=code_of("fix + strike")))),
    (R.SERIES_ALREADY_SET, "a second series for a market, or one for a market of another kind",
     governs(replace(SERIES_SOON, market=SERIES))),
    (R.EXPIRY_OUT_OF_RANGE, "a series that expires within the hour or in more than three years, "
     "or never though its payoff needs a fixing", governs(SERIES_SOON)),
    (R.SERIES_PARAMETER_OUT_OF_RANGE, "a strike or another parameter outside what its product "
     "declares", governs(replace(SERIES_SOON, strike=0))),
    (R.VOLATILITY_MUST_BE_IN_RANGE, "a volatility outside 1 % to 500 %, in a vote or a quote",
     says("vera", VoteSmile(0, 100_000, (1_000_000,) * 9))),
    (R.MARGIN_MODE_NEEDS_MORE_MARGIN, "choosing a way of margin under which initial margin is not "
     "covered", margin_short),
)  # fmt: skip
