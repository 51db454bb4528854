"""`quorate options`: what can be asked about options."""

from typing import Final

from quorate.cli.groups import Table

COMMANDS: Final[Table] = {
    "reprice": (
        "quorate.cli.options_reprice",
        "Price recorded options from their recorded volatilities, and compare.",
    ),
    "replay": (
        "quorate.cli.options_replay",
        "Hold margins through recorded chains; say who would have been liquidated, and when.",
    ),
}
