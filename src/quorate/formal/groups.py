"""All claims about rules, by what they are about; those about products are made by name."""

from collections.abc import Iterator
from typing import Final

from quorate.formal import (
    account_claims,
    margin_accounts,
    margin_claims,
    payoff_claims,
    product_claims,
    risk_bounds,
    risk_claims,
    rule_bounds,
    wide_claims,
)
from quorate.formal.claims import Claim

GROUPS: Final[dict[str, tuple[str, list[Claim]]]] = {
    "wide": ("Wide products and quotients are exact", wide_claims.CLAIMS),
    "rules": ("The rules of orders pass no int64", rule_bounds.CLAIMS),
    "bounds": ("The rules of the clearing house pass no int64", risk_bounds.CLAIMS),
    "risk": ("Zero price, loss room, fillable price, funding", risk_claims.CLAIMS),
    "accounts": ("Tiers, margin, standing, insurance", account_claims.CLAIMS),
    "payoffs": ("What the payoff checker admits keeps its bounds", payoff_claims.CLAIMS),
    "margin": ("Margin of options: its rules", margin_claims.CLAIMS),
    "spreads": ("Margin of accounts of two and four legs", margin_accounts.CLAIMS),
    "settlement": ("What longs receive is what shorts pay", product_claims.SETTLEMENT),
}


def claims_of(names: list[str]) -> Iterator[tuple[str, Claim]]:
    """Give each claim of some groups with its group's name; of all where none is named."""
    for name in names or list(GROUPS):
        for claim in GROUPS[name][1]:
            yield name, claim
