"""Every claim about the rules is proved; a fault in a rule, or a wider bound, refutes it."""

from dataclasses import replace
from types import ModuleType

import pytest

from quorate.execution import entry_rules, risk_rules, rules, wide
from quorate.formal import account_claims, risk_bounds, risk_claims, rule_bounds, wide_claims
from quorate.formal.claims import Claim, examined
from quorate.formal.groups import claims_of
from quorate.formal.hints import assume
from quorate.types.limits import FUNDING_SHIFT_MAX, PRICE_TICKS_MAX
from tests.formal.mutants import mutant

ROOMS = ("wide", "rules", "bounds", "risk", "accounts")
QUICK = [
    claim
    for _, claim in claims_of(list(ROOMS))
    if not claim.name.startswith("quotient_is_exact")
]
# Divisors of three lengths for the long division; `make prove` does all 63.
DIGITS = [
    claim for claim in wide_claims.CLAIMS if claim.name.split()[-2:-1] in (["1"], ["31"], ["63"])
]


def proved(claim: Claim) -> None:
    found = examined(claim)
    assert found.proved, found.failures
    assert found.goals


def some_shifts(claim: Claim) -> Claim:
    """Leave four of the 31 shifts of a funding index; `make prove` does all."""
    if len(claim.cases.get("shift", ())) < 4:
        return claim
    return replace(claim, cases={**claim.cases, "shift": (0, 1, 13, FUNDING_SHIFT_MAX)})


@pytest.mark.parametrize("claim", QUICK + DIGITS, ids=lambda claim: claim.name)
def test_claim_is_proved(claim: Claim) -> None:
    proved(some_shifts(claim))


def named(module: ModuleType, name: str) -> Claim:
    """Find a claim of a module by its name."""
    return next(claim for claim in module.CLAIMS if claim.name.startswith(name))


# (module, what stands there, the fault, where the claim is, the claim)
FAULTS: list[tuple[ModuleType, str, str, ModuleType, str]] = [
    # a sign
    (risk_rules, "price -= side_sign * (share", "price += side_sign * (share", risk_claims,
     "zero_price_ends_at_zero"),
    (risk_rules, "if size < 0:\n        move = -move", "if size > 0:\n        move = -move",
     risk_claims, "funding_owes_its_share"),
    (risk_rules, "improvement = fill_e6 - bankruptcy_e6", "improvement = bankruptcy_e6 - fill_e6",
     account_claims, "insurance_leaves"),
    (risk_rules, "return premium if gap > 0 else -premium", "return premium", risk_claims,
     "premium_is_odd"),
    # a rounding
    (risk_rules, "return mul_div_ceil(move, abs(size), power_of_two(shift))",
     "return mul_div_floor(move, abs(size), power_of_two(shift))", risk_claims,
     "funding_owes_its_share"),
    (risk_rules, "share_e6 = mul_div_floor(equity_e6, freed_e6, requirement_e6)",
     "share_e6 = mul_div_ceil(equity_e6, freed_e6, requirement_e6)", risk_claims,
     "zero_price_keeps_ratio"),
    (rules, "return whole * rate_ppm - (-(rest * rate_ppm)) // PPM",
     "return whole * rate_ppm + rest * rate_ppm // PPM", account_claims, "ppm_ceil_is_the_least"),
    (rules, "lower_e6 // PPM * step + lower_e6 % PPM * step // PPM",
     "lower_e6 // PPM * step - (-(lower_e6 % PPM * step)) // PPM", account_claims,
     "tiers_are_continuous"),
    (entry_rules, "least = mul_div_ceil(worth - room_e6 + 1, PPM, PPM - fee_ppm)",
     "least = mul_div_ceil(worth - room_e6, PPM, PPM - fee_ppm) - 1", risk_claims,
     "narrowed_price_holds"),
    # a bound
    (risk_rules, "if price > price_max:\n        return price_max\n    return price\n\n\ndef fill",
     "return price\n\n\ndef fill", risk_bounds, "zero_price_bounds"),
    (risk_rules, "if after > FUNDING_INDEX_MAX:\n        return FUNDING_INDEX_MAX\n", "\n",
     risk_bounds, "funding_pay_bounds"),
    (risk_rules, "if reach_ppm > MARK_REACH_MAX_PPM:\n        reach_ppm = MARK_REACH_MAX_PPM\n",
     "\n", risk_bounds, "near_index_bounds"),
    (risk_rules, "return fee if fee < improvement else improvement", "return fee", account_claims,
     "insurance_leaves"),
    (risk_rules, "return reference + reference // PPM * up_ppm + reference % PPM * up_ppm // PPM",
     "return reference + reference * up_ppm * 10 // PPM // 10", risk_bounds, "band_bounds"),
    (entry_rules, "return min(room, kept)", "return max(room, kept)", risk_claims,
     "loss_room_keeps_ratio"),
    # an order
    (risk_rules, "if equity_e6 >= maintenance_e6:\n", "if equity_e6 > maintenance_e6:\n",
     account_claims, "health_is_ordered"),
    (risk_rules, "equity_before_e6, required_after_e6, equity_after_e6, required_before_e6\n    )",
     "equity_before_e6, required_before_e6, equity_after_e6, required_after_e6\n    )",
     risk_bounds, "ratio_bounds"),
    # the wide arithmetic
    (wide, "guess -= 1", "guess -= 2", wide_claims, "quotient_is_exact of 63"),
    (wide, "if (a < 0) != up:", "if a < 0:", wide_claims, "mul_div_is_exact"),
    (wide, "return a_top * b_top + left // LIMB + right // LIMB",
     "return a_top * b_top + left // LIMB", wide_claims, "product_is_exact"),
    (wide, "return (a == 0 or b == 0) and d == 0", "return b == 0 and d == 0", wide_claims,
     "order_is_exact"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault[4]}: {fault[2][:40]}" for fault in FAULTS])
def test_fault_is_refuted(fault: tuple[ModuleType, str, str, ModuleType, str]) -> None:
    module, old, new, claims, name = fault
    claim = some_shifts(named(claims, name))
    found = examined(claim, mutant(module, old, new), timeout_ms=6_000)
    assert "refuted" in {answer.verdict for _, answer in found.failures}, found


def test_wider_bounds_are_refuted() -> None:
    """A price of one more bit breaks what the limits promise; the example is one."""
    wider = [
        (risk_bounds, "mark_bounds", "a", (0, 2 * PRICE_TICKS_MAX)),
        (risk_bounds, "band_bounds", "up_ppm", (0, 10**13)),
        (risk_bounds, "funding_rate_bounds", "cap_e9", (0, 2**60)),
        (rule_bounds, "ppm_ceil_bounds", "rate_ppm", (0, 2**30)),
        (rule_bounds, "entry_closed_bounds", "size", (1, 2**40)),
        (risk_claims, "zero_price_keeps_ratio", "equity_e6", (-100, 100)),
    ]
    for module, name, parameter, bounds in wider:
        claim = named(module, name)
        assert parameter in claim.ranges
        found = examined(replace(claim, ranges={**claim.ranges, parameter: bounds}), failures_max=1)
        assert "refuted" in {answer.verdict for _, answer in found.failures}, (name, found)


def vacuous(n: int) -> bool:
    """A claim about nothing."""
    assume(n > 5)
    assume(n < 3)
    return n == 100


def test_premises_that_nothing_meets_fail() -> None:
    found = examined(Claim(vacuous, {"n": (0, 10)}))
    assert [place for place, _ in found.failures] == ["vacuous: premises"]
