"""The payoff checker is proved sound, and every product; a fault in either is refuted."""

import inspect
import random
from types import ModuleType

import pytest

from quorate.formal import payoff_claims, product_claims
from quorate.formal.claims import Claim, examined
from quorate.formal.hints import Vacuous
from quorate.formal.solve import corners, picked
from quorate.formal.terms import Terms
from quorate.instruments.payoff import catalogue, checker, code, machine, rules
from tests.formal.mutants import mutant

CLAIMS = payoff_claims.CLAIMS
SLOW_WORDS = ("instruction mul", "word mul")
QUICK_PROGRAMS = ("program 0", "program 6")


def is_quick(claim: Claim) -> bool:
    """Leave products of open intervals and long programs to `make prove`."""
    if claim.name.startswith("program"):
        return claim.name in QUICK_PROGRAMS
    if claim.name.startswith("narrowing"):
        return claim.name.startswith("narrowing 2")
    return not claim.name.startswith(SLOW_WORDS)


QUICK = [claim for claim in CLAIMS if is_quick(claim)]


@pytest.mark.parametrize("claim", QUICK, ids=lambda claim: claim.name)
def test_checker_is_sound(claim: Claim) -> None:
    found = examined(claim)
    assert found.proved, found.failures


@pytest.mark.parametrize("name", product_claims.PRODUCTS)
def test_product_is_proved(name: str) -> None:
    for claim in product_claims.product_claims(name):
        found = examined(claim)
        assert found.proved, found.failures


def test_settlement_is_zero_sum() -> None:
    for claim in product_claims.SETTLEMENT:
        assert examined(claim).proved


@pytest.mark.parametrize(
    "claim",
    [*CLAIMS, *(product_claims.product_claims("variance_swap"))],
    ids=lambda claim: claim.name,
)
def test_claim_as_plain_python_never_fails(claim: Claim) -> None:
    """The statement itself, with the checker and the machine as they run."""
    draw = random.Random(claim.name)
    terms = Terms()
    variables = {name: terms.variable(name, *ends) for name, ends in claim.ranges.items()}
    for _ in range(30):
        given = {name: picked(draw, each, corners(each)) for name, each in variables.items()}
        given |= {name: draw.choice(list(cases)) for name, cases in claim.cases.items()}
        if "a_low" in given:
            # Random ends are rarely in order.
            for each in ("a", "b", "c"):
                if each in given and f"{each}_low" in given:
                    ends = sorted((given[f"{each}_low"], given[each], given[f"{each}_high"]))
                    given[f"{each}_low"], given[each], given[f"{each}_high"] = ends
        try:
            assert claim.statement(**given), given
        except Vacuous:
            continue


# (module, what stands there, the fault, the claim)
FAULTS: list[tuple[ModuleType, str, str, str]] = [
    (rules, "if op == SUB:\n        return a_low - b_high",
     "if op == SUB:\n        return a_low - b_low", "instruction sub"),
    (rules, "if op == MIN:\n        return min(a_high, b_high)",
     "if op == MIN:\n        return max(a_high, b_high) - 1", "instruction min"),
    (rules, "if a_high < 0:\n        return -a_high", "if a_high < 0:\n        return -a_low",
     "instruction abs"),
    (rules, "return a_high // b_low", "return (a_high - 1) // b_low", "instruction div"),
    (rules, "return size_a <= PAYOFF_VALUE_MAX // size_b",
     "return size_a <= PAYOFF_VALUE_MAX // size_b * 4", "instruction mul"),
    (rules, "return -PAYOFF_VALUE_MAX <= total and total <= PAYOFF_VALUE_MAX",
     "return total <= PAYOFF_VALUE_MAX", "instruction sub"),
    (rules, "return truth(a_low <= b_high and b_low <= a_high)",
     "return truth(a_low <= b_high and b_low < a_high)", "instruction eq"),
    (rules, "return min(b_low, c_low)", "return b_low", "instruction select"),
    (rules, "return min(high, -gap)", "return min(high, gap - 1)", "narrowing 2 of 0o10004: 0 + 0"),
    (rules, "return max(y_low, x_low + gap)", "return max(y_low, x_low + gap + 1)",
     "narrowing 1 of 0o10004: 0 + 0"),
    (checker, "return a == b or part_of(code[a], MAX, b) or part_of(code[b], MIN, a)",
     "return a == b or part_of(code[a], MAX, b) or part_of(code[a], MIN, b)",
     "word sub 0o304 after 0o10007"),
    (checker, "return note_fact(work, facts, b, a, 1)", "return note_fact(work, facts, a, b, 0)",
     "facts of le"),
    (checker, "elif op == EQ and held == HELD_TRUE:", "elif op == EQ:", "facts of eq"),
    (checker, "(op == OR and held == HELD_FALSE)", "(op == OR and held == HELD_TRUE)",
     "facts of or"),
    (checker, "if not operands_fit(code[place], work):", "if place == 0:", "program 0"),
    (checker, "out[OUT_HIGH] > bound_high", "out[OUT_HIGH] > bound_high + 1", "program 2"),
    (checker, "high = max(high, work[NEAR_HIGH + c_of(code[select])])\n", "high = high + 0\n",
     "program 23"),
    (code, "if arity >= 1 and a_of(word) >= place:", "if arity >= 1 and a_of(word) > place:",
     "operands_are_earlier"),
    (machine, "return min(max(value, low), high)", "return max(value, low)", "program 2"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault[3]}: {fault[2][:40]}" for fault in FAULTS])
def test_fault_is_refuted(fault: tuple[ModuleType, str, str, str]) -> None:
    module, old, new, name = fault
    claim = next(claim for claim in CLAIMS if claim.name.startswith(name))
    found = examined(claim, mutant(module, old, new), failures_max=1)
    assert "refuted" in {answer.verdict for _, answer in found.failures}, found


@pytest.mark.parametrize(
    ("module", "old", "new", "name"),
    [
        (machine, "return min(max(value, low), high)", "return value", "dated_future"),
        (rules, "if op == DIV:\n        return a // b", "if op == DIV:\n        return a",
         "power_perpetual"),
        (rules, "if op == MAX:\n        return max(a, b)", "if op == MAX:\n        return a",
         "european_call"),
    ],
)  # fmt: skip
def test_fault_in_the_machine_breaks_a_product(
    module: ModuleType, old: str, new: str, name: str
) -> None:
    claim = product_claims.product_claims(name)[0]
    found = examined(claim, mutant(module, old, new), failures_max=1)
    assert "refuted" in {answer.verdict for _, answer in found.failures}, found


def test_settlement_that_rounds_is_refuted() -> None:
    """Halving both sides of a settlement mints or burns a unit."""
    from quorate.execution import rules as execution_rules

    claim = product_claims.product_claims("european_call")[1]
    fault = mutant(
        execution_rules,
        "return price * size * quantum_e6\n",
        "return price * size * quantum_e6 // 2\n",
    )
    found = examined(claim, fault)
    assert "refuted" in {answer.verdict for _, answer in found.failures}


def test_every_product_of_the_catalogue_is_claimed() -> None:
    assert [product.name for product in catalogue.CATALOGUE] == product_claims.PRODUCTS
    parameters = list(inspect.signature(product_claims.product_holds).parameters)[1:]
    assert parameters == [each.name.lower() for each in product_claims.Input]
