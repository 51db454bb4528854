"""The payoff language for people: parse, verify and evaluate a text, with errors that point.

    payoff = parse("max(fix - strike, 0)")
    verify(payoff, {"fix": (1, 10**6), "strike": (1, 10**6)}, (0, 10**6))
    evaluate(payoff, {"fix": 1700, "strike": 1500}, ranges)

Everything here calls the rules that the transition calls: `compiler`, `checker`, `machine`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from quorate.instruments.payoff import checker, compiler, lexer, machine
from quorate.instruments.payoff.code import (
    ARITY,
    a_of,
    b_of,
    c_of,
    constant_of,
    divisor_of,
    is_input,
    op_of,
)
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_INPUTS
from quorate.types.payoff_codes import REMEDIES, Input, Op, Refusal

Ranges = Mapping[str, tuple[int, int]]


class PayoffError(ValueError):
    """A text that is refused. `place` counts bytes from 0, `line` and `column` from 1.

    `instruction` is the place in the code, or -1 where the text has none. `interval` is what the
    checker found the value to lie in, where it looked.
    """

    def __init__(
        self,
        refusal: Refusal,
        text: str,
        place: int,
        instruction: int = -1,
        interval: tuple[int, int] | None = None,
        detail: str = "",
    ) -> None:
        self.refusal = refusal
        self.place = place
        self.instruction = instruction
        self.interval = interval
        before = text[:place]
        self.line = before.count("\n") + 1
        self.column = place - (before.rfind("\n") + 1) + 1
        shown = text.split("\n")[self.line - 1]
        said = REMEDIES[refusal] + (f" ({detail})" if detail else "")
        caret = " " * (self.column - 1) + "^"
        super().__init__(f"line {self.line}, column {self.column}: {said}\n{shown}\n{caret}")


@dataclass(frozen=True)
class Payoff:
    """A text and what it compiles to; `places` says for each word where it stands in the text."""

    text: str
    code: tuple[int, ...]
    places: tuple[int, ...]

    def inputs(self) -> list[Input]:
        """List what the payoff names, by number."""
        named = {a_of(word) for word in self.code if op_of(word) == Op.INPUT}
        return [number for number in Input if number in named]


@dataclass(frozen=True)
class Verdict:
    """What the checker found: between which values each word lies, and so the payoff, the last."""

    intervals: tuple[tuple[int, int], ...]

    @property
    def low(self) -> int:
        """The least that the payoff can be, as far as the checker can see."""
        return self.intervals[-1][0]

    @property
    def high(self) -> int:
        """The most that the payoff can be, as far as the checker can see."""
        return self.intervals[-1][1]


def parse(text: str) -> Payoff:
    """Compile a text. Raises PayoffError with the place and the reason."""
    # A character beyond ASCII is one byte of no meaning here, so that places count characters.
    content = [min(ord(letter), 255) for letter in text]
    code = [0] * PAYOFF_CODE_MAX
    places = [0] * PAYOFF_CODE_MAX
    work = [0] * compiler.COMPILE_WORK
    refusal = compiler.compile_text(content, len(content), code, places, work)
    if refusal != 0:
        place = work[lexer.FAULT_PLACE]
        raise PayoffError(Refusal(refusal), text, place, detail=hint(text, place, refusal))
    count = work[lexer.CODE_COUNT]
    return Payoff(text, tuple(code[:count]), tuple(places[:count]))


def hint(text: str, place: int, refusal: int) -> str:
    """Say more about a refusal of a text where there is more to say."""
    if refusal == Refusal.SYMBOL_UNKNOWN and text[place] == "/":
        return "division is written //, and rounds down"
    if refusal == Refusal.SYMBOL_UNKNOWN and text[place] == "=":
        return "equality is written =="
    if refusal == Refusal.NAME_UNKNOWN:
        return "known: " + ", ".join(number.name.lower() for number in Input)
    return ""


def declared(ranges: Ranges) -> tuple[list[int], list[int]]:
    """Return ranges by name as lows and highs by input; KeyError names what is no input."""
    lows = [0] * PAYOFF_INPUTS
    highs = [0] * PAYOFF_INPUTS
    for name, (low, high) in ranges.items():
        number = Input[name.upper()]
        lows[number] = low
        highs[number] = high
    return lows, highs


def verify(payoff: Payoff, ranges: Ranges, bounds: tuple[int, int]) -> Verdict:
    """Check a payoff as the chain does before it lists one. Raises PayoffError.

    `ranges` are what is declared of each observation and parameter, `bounds` of the payoff itself.
    """
    lows, highs = declared(ranges)
    work = [0] * checker.CHECK_WORK
    out = [0] * checker.CHECK_OUT
    count = len(payoff.code)
    refusal = checker.check(payoff.code, count, lows, highs, *bounds, work, out)
    if refusal != 0:
        instruction = out[checker.OUT_PLACE]
        place = payoff.places[instruction] if instruction >= 0 else 0
        low, high = out[checker.OUT_LOW], out[checker.OUT_HIGH]
        detail = ""
        if refusal == Refusal.BOUNDS_BROKEN:
            detail = f"it lies in {low} to {high}, declared are {bounds[0]} to {bounds[1]}"
        elif refusal == Refusal.RANGE_OUTSIDE_NATURE and high > 0:
            detail = f"this one lies in {low} to {high}"
        elif refusal == Refusal.RANGE_WITHOUT_USE:
            detail = Input(low).name.lower() if is_input(low) else f"input {low}"
        found = (low, high) if refusal == Refusal.BOUNDS_BROKEN else None
        raise PayoffError(Refusal(refusal), payoff.text, place, instruction, found, detail)
    spans = zip(work[checker.LOW :], work[checker.HIGH :], strict=False)
    return Verdict(tuple(span for span, _ in zip(spans, payoff.code, strict=False)))


def evaluate(payoff: Payoff, observed: Mapping[str, int], ranges: Ranges) -> int:
    """Return what the payoff pays, in ticks. Raises ArithmeticError where the machine faults."""
    lows, highs = declared(ranges)
    inputs = [0] * PAYOFF_INPUTS
    for name, value in observed.items():
        inputs[Input[name.upper()]] = value
    values = [0] * PAYOFF_CODE_MAX
    fault = machine.run(payoff.code, len(payoff.code), inputs, lows, highs, values)
    if fault != 0:
        raise ArithmeticError(f"instruction {fault - 1} has no value: {listing(payoff)[fault - 1]}")
    return values[len(payoff.code) - 1]


def listing(payoff: Payoff) -> list[str]:
    """Return the code as lines: the place, the op, and its operands as places or constants."""
    lines = []
    for place, word in enumerate(payoff.code):
        op = Op(op_of(word))
        parts = [f"#{operand(word)}" for operand in (a_of, b_of, c_of)[: ARITY[op]]]
        if op == Op.CONST:
            parts.append(str(constant_of(word)))
        elif op == Op.INPUT:
            parts.append(Input(a_of(word)).name.lower())
        elif op == Op.DIV:
            parts.append(str(divisor_of(word)))
        lines.append(f"#{place} {op.name.lower()} {' '.join(parts)}")
    return lines
