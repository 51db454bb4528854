"""Margin of options is proved, its scalar rules and whole accounts; a fault in it is refuted."""

import random
from types import ModuleType

import numpy as np
import pytest

from quorate.formal import margin_accounts, margin_claims
from quorate.formal.claims import Claim, examined
from quorate.formal.hints import Vacuous
from quorate.instruments.margin import portfolio, rules, standard
from quorate.instruments.margin.layout import COLUMNS
from tests.formal.mutants import mutant

CLAIMS = [*margin_claims.CLAIMS, *margin_accounts.CLAIMS]
SCANS = [claim for claim in CLAIMS if claim.arrays]


@pytest.mark.parametrize(
    "claim", [claim for claim in CLAIMS if claim not in SCANS], ids=lambda claim: claim.name
)
def test_claim_is_proved(claim: Claim) -> None:
    found = examined(claim)
    assert found.proved, found.failures


@pytest.mark.slow
@pytest.mark.parametrize("claim", SCANS[:1], ids=lambda claim: claim.name)
def test_account_is_proved(claim: Claim) -> None:
    found = examined(claim)
    assert found.proved, found.failures


@pytest.mark.parametrize("claim", SCANS, ids=lambda claim: claim.name)
def test_account_as_plain_python(claim: Claim) -> None:
    """The statement itself, with worths that options could have."""
    draw = random.Random(claim.name)
    held = 0
    for _ in range(12):
        most = draw.choice((1_000, 10**9, 10**16))
        given = {name: draw.randint(0, most) for name in claim.ranges}
        given |= {name: most for name in claim.ranges if name.startswith("most")}
        given |= {name: draw.choice(list(cases)) for name, cases in claim.cases.items()}
        arrays = {
            name: np.array([draw.randint(0, most) for _ in range(COLUMNS)], dtype=object)
            for name in claim.arrays
        }
        try:
            assert claim.statement(**given, **arrays), given
            held += 1
        except Vacuous:
            continue
    assert held


# (module, what stands there, the fault, the claim)
FAULTS: list[tuple[ModuleType, str, str, str]] = [
    (rules, "return amount // PPM * rate_ppm - (-(amount % PPM * rate_ppm)) // PPM",
     "return amount // PPM * rate_ppm + amount % PPM * rate_ppm // PPM", "share_is_exact"),
    (rules, "    return share_down(value_e6, markup_ppm)",
     "    return share_down(value_e6, discount_ppm)", "discount_is_concave"),
    (rules, "worse = up_e6 if up_e6 < down_e6 else down_e6",
     "worse = down_e6 if up_e6 < down_e6 else up_e6", "pair_is_concave"),
    (rules, "return share_up(-result_e6, dampening_ppm)",
     "return share_down(-result_e6, dampening_ppm)", "loss_is_convex"),
    (rules, "return apart_e6 - share_down(apart_e6 - together_e6, offset_ppm)",
     "return together_e6 - share_down(apart_e6 - together_e6, offset_ppm)", "group_is_between"),
    (rules, "if capped < two:\n        capped = two\n", "\n", "orders_are_between"),
    (rules, "loss = mark_e6 - share_down(worth_e6, discount_ppm)",
     "loss = mark_e6 - share_up(worth_e6, PPM + discount_ppm)", "lot_losses_hold"),
    (rules, "return isolated_e6 if isolated_e6 < loss_e6 else loss_e6",
     "return loss_e6 if isolated_e6 < loss_e6 else isolated_e6", "offset_is_between"),
    (rules, "return initial if initial > least else least", "return initial",
     "short_options_are_ordered"),
    (standard, "least = min(least, settled(merged, total, series, expiry, strike))",
     "least = min(least, 0)", "offset of calls -1 +1, puts +0 +0"),
    (standard, "isolated_e6 -= lots * quantum", "isolated_e6 += lots * quantum",
     "standard margin of puts -1 -1"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault[3]}: {fault[2][:40]}" for fault in FAULTS])
def test_fault_is_refuted(fault: tuple[ModuleType, str, str, str]) -> None:
    module, old, new, name = fault
    claim = next(claim for claim in CLAIMS if claim.name.startswith(name))
    found = examined(claim, mutant(module, old, new), failures_max=1)
    assert "refuted" in {answer.verdict for _, answer in found.failures}, found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("outcomes[underlying, s] += values[expiry, s] - mark_e6",
         "outcomes[underlying, s] += values[expiry, s] + mark_e6"),
    ],
)  # fmt: skip
def test_fault_in_the_scan_is_refuted(old: str, new: str) -> None:
    claim = SCANS[0]
    found = examined(claim, mutant(portfolio, old, new), timeout_ms=6_000, failures_max=60)
    assert "refuted" in {answer.verdict for _, answer in found.failures}, found
