"""The code of the two payoffs that have a price in closed form: European call and put."""

from quorate.instruments.payoff.language import parse

CALL = parse("max(fix - strike, 0)").code
PUT = parse("max(strike - fix, 0)").code
