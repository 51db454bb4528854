"""The translation says what Python computes, and refuses what it does not know."""

import inspect
import random
from collections.abc import Callable

import pytest

from quorate.execution import entry_rules, risk_rules, rules, wide
from quorate.execution.kernels import scalars
from quorate.formal.claims import Claim, translated
from quorate.formal.frames import Cells, Unsupported
from quorate.formal.groups import claims_of
from quorate.formal.hints import Vacuous
from quorate.formal.solve import corners, picked
from quorate.formal.terms import Terms, values
from quorate.formal.translate import Translator

ROUNDS = 60
EVERY_CLAIM = [
    claim
    for name, claim in claims_of([])
    if name not in {"payoffs", "spreads", "settlement"}  # they have tests of their own
]
# One of each kind is enough where claims differ in their ranges only.
CLAIMS = list({claim.statement.__name__: claim for claim in EVERY_CLAIM}.values())


def drawn(claim: Claim, draw: random.Random) -> dict[str, int]:
    """Draw arguments for a claim, corners among them."""
    terms = Terms()
    given = {}
    for name, (low, high) in claim.ranges.items():
        if name in inspect.signature(claim.statement).parameters:
            variable = terms.variable(name, low, high)
            given[name] = picked(draw, variable, corners(variable))
    for name, cases in claim.cases.items():
        given[name] = draw.choice(list(cases))
    return given


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.statement.__name__)
def test_claim_as_plain_python_never_fails(claim: Claim) -> None:
    """The statement itself, called with the rules as they run."""
    draw = random.Random(claim.name)
    for _ in range(10 * ROUNDS):
        given = drawn(claim, draw)
        try:
            assert claim.statement(**given), given
        except Vacuous:
            continue


RULES = [
    (module, name)
    for module in (rules, risk_rules, entry_rules, wide)
    for name, rule in vars(module).items()
    if inspect.isfunction(rule) and rule.__module__ == module.__name__
]
RANGES = {
    "side": (0, 1),
    "sign": (-1, 1),
    "side_sign": (-1, 1),
    "lots": (0, 2**12),
    "quantum_e6": (0, 2**10),
    "fee_ppm": (0, 10**5),
    "rate_ppm": (0, 5 * 10**5),
    "exponent": (0, 62),
    "shift": (0, 30),
    "divisor": (1, 2**62),
    "c": (1, 2**62),
    "dt_ms": (1, 40_000),
    "tau_ms": (1_000, 40_000),
}


@pytest.mark.parametrize(("module", "name"), RULES, ids=[name for _, name in RULES])
@pytest.mark.parametrize("bits", [3, 20, 40])
def test_translated_rule_gives_what_python_gives(module: object, name: str, bits: int) -> None:
    rule = getattr(module, name)
    terms = Terms()
    low, high = 1 - 2**bits, 2**bits - 1
    if module is wide or name in {"loss_room", "narrowed_price"}:
        low = 0
    parameters = list(inspect.signature(rule).parameters)
    args = [terms.variable(each, *RANGES.get(each, (low, high))) for each in parameters]
    found = Translator(terms).call(rule, args)
    draw = random.Random(f"{name} {bits}")
    compared = 0
    for _ in range(ROUNDS):
        given = {each.value: draw.randint(each.low, each.high) for each in args}
        if name == "wide_quotient" and given["high"] >= given["divisor"]:
            given["high"] %= given["divisor"]
        try:
            wanted = rule(**given)
        except ZeroDivisionError:
            continue
        if is_out_of_wide_bounds(name, given):
            continue
        computed = values([found], given)[found.number]
        assert computed == wanted, given
        assert found.low <= computed <= found.high
        compared += 1
    assert compared


def is_out_of_wide_bounds(name: str, given: dict[str, int]) -> bool:
    """Whether a rule is given what its docstring excludes, and divides by it or multiplies it."""
    if name in {"mul_div", "mul_div_floor", "mul_div_ceil"}:
        return given["b"] < 0
    if name in {"sizes_in_order", "products_in_order"}:
        return min(given["b"], given["d"]) < 0
    if name == "zero_price":
        return min(given["freed_e6"], given["requirement_e6"], given["quantum_e6"]) <= 0
    if name == "oi_scaled_initial":
        return given["lower_e6"] > given["upper_e6"]
    if name == "ratio_kept":
        return min(given["required_after_e6"], given["required_before_e6"]) < 0
    if name == "confidence_addon":
        return given["most_ppm"] < 0
    if name == "fillable_price":
        return min(given["rate_ppm"], given["spread_ppm"], given["adjust_ppm"]) < 0
    if name in {"loss_room", "narrowed_price"}:
        return min(value for each, value in given.items() if each != "side") <= 0
    return False


def test_kernels_run_the_code_that_is_proved() -> None:
    """The compiled rules are made of the very code objects that the translator reads."""
    for module, name in RULES:
        if hasattr(scalars, name):
            compiled = inspect.unwrap(getattr(scalars, name))
            assert compiled.__code__ is getattr(module, name).__code__


# --- control flow --------------------------------------------------------------------------------
def loop_with_break(n: int, limit: int) -> int:
    total = 0
    for each in range(8):
        if each == n:
            continue
        total += each
        if total > limit:
            total += 100
            break
    return total


def loop_of_loops(n: int, limit: int) -> int:
    total = 0
    for i in range(4):
        if i == n:
            continue
        for j in range(3):
            if j == limit:
                break
            if i + j == limit:
                return -total
            total += i * j + 1
    return total


def array_writer(cells: list[int], n: int, limit: int) -> None:
    if n > limit:
        return
    cells[0] = n
    if n == limit:
        cells[1] = limit


def array_reader(n: int, limit: int, cells: list[int]) -> int:
    cells[0] = 7
    cells[1] = 9
    if limit > 5:
        return cells[0]
    array_writer(cells, n, limit)
    return cells[0] * 10 + cells[1] + cells[n % 2]


def chained(n: int, limit: int) -> int:
    low = high = n if 0 <= n <= limit else limit
    while low < 3 and high < 100:
        low += 1
    return low * 1000 + (high if low or not high else -1)


@pytest.mark.parametrize("function", [loop_with_break, loop_of_loops, array_reader, chained])
def test_control_flow(function: Callable[..., int]) -> None:
    for n in range(-1, 9):
        for limit in range(-1, 12):
            terms = Terms()
            translator = Translator(terms)
            args = [terms.variable("n", -1, 8), terms.variable("limit", -1, 11)]
            if function is chained:
                args = [terms.constant(n), terms.constant(limit)]
            if function is array_reader:
                cells = translator.array([terms.constant(0), terms.constant(0)])
                found = translator.call(function, [*args, cells])
                wanted = function(n, limit, [0, 0])
            else:
                found = translator.call(function, args)
                wanted = function(n, limit)
            assert values([found], {"n": n, "limit": limit})[found.number] == wanted


# --- refusals ------------------------------------------------------------------------------------
def floats(n: int) -> float:
    return n * 0.5


def true_division(n: int) -> float:
    return n / 2


def unbounded(n: int) -> int:
    total = 0
    for _ in range(n):
        total += 1
    return total


def text(n: int) -> str:
    return "n"


def outside(n: int, cells: list[int]) -> int:
    return cells[3]


@pytest.mark.parametrize(
    ("function", "matter"),
    [
        (floats, "only integers and booleans"),
        (true_division, "Div is outside"),
        (unbounded, "a loop needs a bound"),
        (text, "only integers and booleans"),
        (outside, "index 3 is out of range"),
    ],
)
def test_what_is_outside_of_the_subset_is_refused(
    function: Callable[..., object], matter: str
) -> None:
    terms = Terms()
    translator = Translator(terms)
    args: list[object] = [terms.variable("n")]
    if function is outside:
        args.append(Cells([terms.constant(1)]))
    with pytest.raises(Unsupported, match=matter) as refused:
        translator.call(function, args)
    assert f"{function.__name__}, line {function.__code__.co_firstlineno + 1}" in str(
        refused.value
    ) or function is unbounded


def test_claim_translates_to_what_it_says() -> None:
    """The goals of a claim, evaluated, hold wherever its premises do."""
    for claim in CLAIMS:
        draw = random.Random(claim.name)
        for _ in range(20):
            given = drawn(claim, draw)
            chosen = {name: given[name] for name in claim.cases}
            terms, goals, _settled = translated(claim, chosen, {})
            found = values(
                [*terms.premises, *(goal.holds for goal in goals)],
                {**dict.fromkeys(terms.variables, 0), **given},
            )
            if claim.contracts or not all(found[each.number] for each in terms.premises):
                continue
            assert all(found[goal.holds.number] for goal in goals if not goal.facts)
