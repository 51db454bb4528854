"""Instructions, inputs and refusals of payoffs. Part of the state: never renumbered."""

from enum import IntEnum


class Op(IntEnum):
    """What an instruction makes of the values of earlier ones (a, b, c), or of nothing."""

    CONST = 1  # the constant in the word
    INPUT = 2  # an observation or a parameter
    ADD = 3
    SUB = 4
    MUL = 5
    DIV = 6  # a // the constant in the word, rounded down
    MIN = 7
    MAX = 8
    ABS = 9
    LT = 10
    LE = 11
    EQ = 12
    NOT = 13
    AND = 14
    OR = 15
    SELECT = 16  # b where a holds, else c


class Input(IntEnum):
    """What a payoff may name. Prices are index prices in ticks of the series.

    The observation rule of the product (each block, each sample, or the close of each period) says
    which index prices are observed.
    """

    FIX = 0  # the settlement fixing
    SPOT = 1  # the last index price
    FIRST = 2  # the first observation
    AVG = 3  # the mean of all observations, rounded down
    LOW = 4  # the least observation
    HIGH = 5  # the greatest observation
    COUNT = 6  # how many observations there were
    INSIDE = 7  # how many of them lay in [lower, upper]
    REALIZED = 8  # the sum of squared returns between them, in ppm squared
    TOUCHED_UP = 9  # whether one of them was at or above `upper`
    TOUCHED_DOWN = 10  # whether one of them was at or below `lower`
    TOUCHED = 11  # whether either happened, of the barriers that the product declares
    STRIKE = 16
    UPPER = 17
    LOWER = 18
    REBATE = 19  # ticks
    CAP = 20  # ticks
    RATE = 21  # a factor


class Observation(IntEnum):
    """When an index price becomes an observation of a product."""

    NONE = 0  # the payoff names nothing that is observed along the way
    BLOCK = 1  # every block in which the index is fresh
    SAMPLED = 2  # the first such block of each interval
    CLOSE = 3  # the last such block of each interval


class Life(IntEnum):
    """How a series ends."""

    EXPIRING = 0  # it pays at its expiry
    EVERLASTING = 1  # it never does; holders pay the mark less the payoff each day


class Refusal(IntEnum):
    """Why a payoff is not listed. The first half is found in its text, the second in its code."""

    NONE = 0
    TEXT_EMPTY = 1
    TEXT_TOO_LONG = 2
    SYMBOL_UNKNOWN = 3
    NUMBER_MALFORMED = 4
    NUMBER_TOO_LARGE = 5
    NAME_UNKNOWN = 6
    VALUE_EXPECTED = 7
    OPERATOR_EXPECTED = 8
    BRACKET_EXPECTED = 9
    BRACKET_OPEN = 10
    BRACKET_UNMATCHED = 11
    COMMA_OUTSIDE_CALL = 12
    ARGUMENTS_TOO_FEW = 13
    ARGUMENTS_TOO_MANY = 14
    THEN_EXPECTED = 15
    ELSE_EXPECTED = 16
    THEN_WITHOUT_IF = 17
    ELSE_WITHOUT_THEN = 18
    COMPARISON_CHAINED = 19
    BRACKETS_NEEDED = 20
    DIVISOR_NOT_CONSTANT = 21
    DIVISOR_ZERO = 22
    NESTED_TOO_DEEP = 23
    CODE_TOO_LONG = 24

    CODE_EMPTY = 32
    INSTRUCTION_UNKNOWN = 33
    OPERAND_NOT_EARLIER = 34
    OPERAND_UNUSED_NOT_ZERO = 35
    CONSTANT_TOO_LARGE = 36
    INPUT_UNKNOWN = 37
    RANGE_OUTSIDE_NATURE = 38
    RANGE_WITHOUT_USE = 39
    NUMBER_EXPECTED = 40
    CONDITION_EXPECTED = 41
    OVERFLOW_POSSIBLE = 42
    BOUNDS_INADMISSIBLE = 43
    BOUNDS_BROKEN = 44
    CODE_NOT_OF_TEXT = 45


REMEDIES: dict[Refusal, str] = {
    Refusal.TEXT_EMPTY: "the text is empty: write an expression",
    Refusal.TEXT_TOO_LONG: "the text is longer than 256 bytes: shorten it",
    Refusal.SYMBOL_UNKNOWN: "this character has no meaning here: use a-z, 0-9, _, spaces and "
    "+ - * // ( ) , < <= > >= == !=",
    Refusal.NUMBER_MALFORMED: "not a whole number: write digits, with single _ between them, "
    "without a leading zero",
    Refusal.NUMBER_TOO_LARGE: "the number is too large: at most 2**50 - 1",
    Refusal.NAME_UNKNOWN: "no observation or parameter has this name",
    Refusal.VALUE_EXPECTED: "a number, a name, a call or ( is expected here",
    Refusal.OPERATOR_EXPECTED: "an operator or the end is expected here",
    Refusal.BRACKET_EXPECTED: "min, max and abs are followed by (",
    Refusal.BRACKET_OPEN: "this ( is never closed",
    Refusal.BRACKET_UNMATCHED: "this ) closes nothing",
    Refusal.COMMA_OUTSIDE_CALL: "a comma stands only between the arguments of min and max",
    Refusal.ARGUMENTS_TOO_FEW: "min and max take two arguments or more",
    Refusal.ARGUMENTS_TOO_MANY: "abs takes one argument",
    Refusal.THEN_EXPECTED: "this if has no then",
    Refusal.ELSE_EXPECTED: "this then has no else",
    Refusal.THEN_WITHOUT_IF: "this then belongs to no if",
    Refusal.ELSE_WITHOUT_THEN: "this else belongs to no then",
    Refusal.COMPARISON_CHAINED: "comparisons are not chained: join two of them with and",
    Refusal.BRACKETS_NEEDED: "put this in brackets: it binds less than the operator before it",
    Refusal.DIVISOR_NOT_CONSTANT: "only a whole number may follow //",
    Refusal.DIVISOR_ZERO: "division by zero",
    Refusal.NESTED_TOO_DEEP: "too deep: at most 32 operators and brackets may be open at once",
    Refusal.CODE_TOO_LONG: "too long: at most 64 instructions",
    Refusal.CODE_EMPTY: "the code has no instruction, or more than 64",
    Refusal.INSTRUCTION_UNKNOWN: "not an instruction",
    Refusal.OPERAND_NOT_EARLIER: "an operand is not an earlier instruction",
    Refusal.OPERAND_UNUSED_NOT_ZERO: "an operand that is not used is not zero",
    Refusal.CONSTANT_TOO_LARGE: "the constant is larger than 2**50 - 1",
    Refusal.INPUT_UNKNOWN: "not an observation or a parameter",
    Refusal.RANGE_OUTSIDE_NATURE: "the declared range is empty or passes what can be observed",
    Refusal.RANGE_WITHOUT_USE: "a range is declared for what the payoff does not name",
    Refusal.NUMBER_EXPECTED: "a number is expected, and this is a condition",
    Refusal.CONDITION_EXPECTED: "a condition is expected, and this is a number",
    Refusal.OVERFLOW_POSSIBLE: "the value could pass 2**62: narrow a range or divide earlier",
    Refusal.BOUNDS_INADMISSIBLE: "declared bounds are 0 <= low <= high <= 2**40 - 1",
    Refusal.BOUNDS_BROKEN: "the payoff could leave its declared bounds",
    Refusal.CODE_NOT_OF_TEXT: "the code is not what the text compiles to",
}
