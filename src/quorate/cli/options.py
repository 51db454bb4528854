"""`quorate options`: what can be asked about options."""

from typing import Final

from quorate.cli.groups import Table

COMMANDS: Final[Table] = {
    "demo": (
        "quorate.cli.options_demo",
        "List, trade, fix and settle three options on four validators, in about a minute.",
    ),
    "payoff": (
        "quorate.cli.options_payoff",
        "Check a payoff's text as the chain does, and take it apart.",
    ),
    "products": ("quorate.cli.options_products", "List the catalogue of products."),
    "reprice": (
        "quorate.cli.options_reprice",
        "Price recorded options from their recorded volatilities, and compare.",
    ),
    "fit": (
        "quorate.cli.options_fit",
        "Fit the volatility surface to recorded options, and show what is left.",
    ),
    "replay": (
        "quorate.cli.options_replay",
        "Hold margins through recorded chains; say who would have been liquidated, and when.",
    ),
}
