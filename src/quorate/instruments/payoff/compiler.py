"""The compiler of the payoff language: from text to code, in one pass, without recursion.

    value   := number | name | ( formula ) | min ( formula , ... ) | max ( ... ) | abs ( formula )
    formula := if formula then formula else formula
             | operators over values, from weakest to strongest:
               or | and | not | < <= > >= == != | + - | * // | - (sign)

Operators of one strength bind from the left; comparisons do not chain; `else` reaches as far as it
can; an `if` stands where a formula begins. Behind // stands a number.

Operators and brackets that wait stand on the stack `opened`, values on the stack `waiting`, as
places in the code (E. W. Dijkstra's shunting yard). A word that is already in the code is not
written twice, so equal parts of the text are one value, and the checker can see that they are.
Kernel subset; the spec runs this source as it stands.
"""

from quorate.instruments.payoff.code import Ints, IntsOut
from quorate.instruments.payoff.lexer import (
    ABS_WORD,
    AND_WORD,
    CLOSE_SIGN,
    CODE_COUNT,
    COMMA_SIGN,
    DIVIDE_SIGN,
    ELSE_WORD,
    END,
    EQUAL_SIGN,
    FAULT,
    FAULT_PLACE,
    GREATER_EQUAL_SIGN,
    GREATER_SIGN,
    IF_WORD,
    INPUT_TOKEN,
    LESS_EQUAL_SIGN,
    LESS_SIGN,
    MAX_WORD,
    MIN_WORD,
    MINUS_SIGN,
    NOT_WORD,
    NUMBER_TOKEN,
    OPEN_SIGN,
    OPENED_COUNT,
    OR_WORD,
    PLUS_SIGN,
    STATE_SIZE,
    THEN_WORD,
    TIMES_SIGN,
    TOKEN,
    TOKEN_START,
    TOKEN_VALUE,
    UNEQUAL_SIGN,
    VALUES_COUNT,
    fail,
    next_token,
)
from quorate.instruments.payoff.rules import (
    ABS,
    ADD,
    AND,
    B_PLACE,
    C_PLACE,
    CONST,
    DIV,
    EQ,
    FIELD,
    INPUT,
    LE,
    LT,
    MAX,
    MIN,
    MUL,
    NOT,
    OR,
    SELECT,
    SUB,
)
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_DEPTH_MAX, PAYOFF_TEXT_BYTES_MAX
from quorate.types.payoff_codes import Refusal

TEXT_EMPTY = int(Refusal.TEXT_EMPTY)
TEXT_TOO_LONG = int(Refusal.TEXT_TOO_LONG)
VALUE_EXPECTED = int(Refusal.VALUE_EXPECTED)
OPERATOR_EXPECTED = int(Refusal.OPERATOR_EXPECTED)
BRACKET_EXPECTED = int(Refusal.BRACKET_EXPECTED)
BRACKET_OPEN = int(Refusal.BRACKET_OPEN)
BRACKET_UNMATCHED = int(Refusal.BRACKET_UNMATCHED)
COMMA_OUTSIDE_CALL = int(Refusal.COMMA_OUTSIDE_CALL)
ARGUMENTS_TOO_FEW = int(Refusal.ARGUMENTS_TOO_FEW)
ARGUMENTS_TOO_MANY = int(Refusal.ARGUMENTS_TOO_MANY)
THEN_EXPECTED = int(Refusal.THEN_EXPECTED)
ELSE_EXPECTED = int(Refusal.ELSE_EXPECTED)
THEN_WITHOUT_IF = int(Refusal.THEN_WITHOUT_IF)
ELSE_WITHOUT_THEN = int(Refusal.ELSE_WITHOUT_THEN)
COMPARISON_CHAINED = int(Refusal.COMPARISON_CHAINED)
BRACKETS_NEEDED = int(Refusal.BRACKETS_NEEDED)
DIVISOR_NOT_CONSTANT = int(Refusal.DIVISOR_NOT_CONSTANT)
DIVISOR_ZERO = int(Refusal.DIVISOR_ZERO)
NESTED_TOO_DEEP = int(Refusal.NESTED_TOO_DEEP)
CODE_TOO_LONG = int(Refusal.CODE_TOO_LONG)

# What may be open: a token of the lexer, or one of these, which the lexer does not make.
SIGN_OPENED = 32  # the sign of a value
CALL_MIN = 33
CALL_MAX = 34
CALL_ABS = 35
# `work`: the state of the lexer, then the two stacks. An opened entry has the place of its token
# and the arguments that its call has had.
OPENED = STATE_SIZE
OPENED_PLACE = OPENED + PAYOFF_DEPTH_MAX
OPENED_ARGUMENTS = OPENED_PLACE + PAYOFF_DEPTH_MAX
WAITING = OPENED_ARGUMENTS + PAYOFF_DEPTH_MAX
# An opened entry leaves at most two values behind it: the condition and the first side of an if.
COMPILE_WORK = WAITING + 2 * PAYOFF_DEPTH_MAX + 2

# How strong an operator binds, by token; 0 for what is no binary operator.
STRENGTH_OR = 1
STRENGTH_AND = 2
STRENGTH_NOT = 3
STRENGTH_COMPARISON = 4
STRENGTH_SUM = 5
STRENGTH_PRODUCT = 6
STRENGTH_SIGN = 7


def strength(token: int) -> int:
    """Return how strong a token binds; 0 for what is no operator."""
    if token == OR_WORD:
        return STRENGTH_OR
    if token == AND_WORD:
        return STRENGTH_AND
    if token == NOT_WORD:
        return STRENGTH_NOT
    if LESS_SIGN <= token and token <= UNEQUAL_SIGN:
        return STRENGTH_COMPARISON
    if token in (PLUS_SIGN, MINUS_SIGN):
        return STRENGTH_SUM
    if token in (TIMES_SIGN, DIVIDE_SIGN):
        return STRENGTH_PRODUCT
    if token == SIGN_OPENED:
        return STRENGTH_SIGN
    return 0


def top_of(work: Ints) -> int:
    """Return what was opened last, or END."""
    if work[OPENED_COUNT] == 0:
        return END
    return work[OPENED + work[OPENED_COUNT] - 1]


def open_entry(work: IntsOut, entry: int, place: int) -> None:
    """Open an operator or a bracket that stands at a place of the text."""
    top = work[OPENED_COUNT]
    if top >= PAYOFF_DEPTH_MAX:
        fail(work, NESTED_TOO_DEEP, place)
        return
    work[OPENED + top] = entry
    work[OPENED_PLACE + top] = place
    work[OPENED_ARGUMENTS + top] = 1
    work[OPENED_COUNT] = top + 1


def push(work: IntsOut, value: int) -> None:
    """Let a value wait, given as its place in the code."""
    work[WAITING + work[VALUES_COUNT]] = value
    work[VALUES_COUNT] += 1


def pop(work: IntsOut) -> int:
    """Take the value that waits for the shortest time."""
    work[VALUES_COUNT] -= 1
    return work[WAITING + work[VALUES_COUNT]]


def emit(work: IntsOut, code: IntsOut, places: IntsOut, word: int, place: int) -> int:
    """Write a word, unless the code has it; return where it stands. `place` is in the text."""
    count = work[CODE_COUNT]
    for earlier in range(count):
        if code[earlier] == word:
            return earlier
    if count >= PAYOFF_CODE_MAX:
        fail(work, CODE_TOO_LONG, place)
        return 0
    code[count] = word
    places[count] = place
    work[CODE_COUNT] = count + 1
    return count


def emit_negation(work: IntsOut, code: IntsOut, places: IntsOut, place: int) -> None:
    """Negate the last value: 0 - a, or not a."""
    a = pop(work)
    zero = emit(work, code, places, CONST, place)
    push(work, emit(work, code, places, SUB + FIELD * zero + B_PLACE * a, place))


def emit_binary(
    work: IntsOut, code: IntsOut, places: IntsOut, op: int, turned: bool, place: int
) -> None:
    """Make one of the last two values; of the second and the first where `turned`."""
    b = pop(work)
    a = pop(work)
    if turned:
        a, b = b, a
    push(work, emit(work, code, places, op + FIELD * a + B_PLACE * b, place))


def emit_not(work: IntsOut, code: IntsOut, places: IntsOut, place: int) -> None:
    """Make `not` of the last value."""
    push(work, emit(work, code, places, NOT + FIELD * pop(work), place))


def emit_operator(
    work: IntsOut, code: IntsOut, places: IntsOut, entry: int, place: int
) -> None:
    """Write what an opened operator, or one more argument of an opened call, makes."""
    if entry == SIGN_OPENED:
        emit_negation(work, code, places, place)
    elif entry == NOT_WORD:
        emit_not(work, code, places, place)
    elif entry == PLUS_SIGN:
        emit_binary(work, code, places, ADD, False, place)
    elif entry == MINUS_SIGN:
        emit_binary(work, code, places, SUB, False, place)
    elif entry == TIMES_SIGN:
        emit_binary(work, code, places, MUL, False, place)
    elif entry == AND_WORD:
        emit_binary(work, code, places, AND, False, place)
    elif entry == OR_WORD:
        emit_binary(work, code, places, OR, False, place)
    elif entry in (LESS_SIGN, GREATER_SIGN):
        emit_binary(work, code, places, LT, entry == GREATER_SIGN, place)
    elif entry in (LESS_EQUAL_SIGN, GREATER_EQUAL_SIGN):
        emit_binary(work, code, places, LE, entry == GREATER_EQUAL_SIGN, place)
    elif entry in (EQUAL_SIGN, UNEQUAL_SIGN):
        emit_binary(work, code, places, EQ, False, place)
        if entry == UNEQUAL_SIGN:
            emit_not(work, code, places, place)
    elif entry == CALL_MIN:
        emit_binary(work, code, places, MIN, False, place)
    elif entry == CALL_MAX:
        emit_binary(work, code, places, MAX, False, place)


def close_top(work: IntsOut, code: IntsOut, places: IntsOut) -> None:
    """Write what was opened last, an operator or an if with both sides, and close it."""
    top = work[OPENED_COUNT] - 1
    entry = work[OPENED + top]
    place = work[OPENED_PLACE + top]
    work[OPENED_COUNT] = top
    if entry != ELSE_WORD:
        emit_operator(work, code, places, entry, place)
        return
    c = pop(work)
    b = pop(work)
    a = pop(work)
    word = SELECT + FIELD * a + B_PLACE * b + C_PLACE * c
    push(work, emit(work, code, places, word, place))


def close_operators(work: IntsOut, code: IntsOut, places: IntsOut, weakest: int) -> None:
    """Close opened operators that bind at least as strong as `weakest`."""
    while strength(top_of(work)) >= weakest:
        close_top(work, code, places)


def close_formula(work: IntsOut, code: IntsOut, places: IntsOut) -> None:
    """Close all operators and finished ifs back to a bracket, a call or an unfinished if."""
    while strength(top_of(work)) >= 1 or top_of(work) == ELSE_WORD:
        close_top(work, code, places)


def top_place(work: Ints) -> int:
    """Return the place in the text of what was opened last."""
    return work[OPENED_PLACE + work[OPENED_COUNT] - 1]


def fail_unfinished(work: IntsOut, otherwise: int, place: int) -> None:
    """Say which opened if, bracket or call is not finished; `otherwise` when there is none."""
    top = top_of(work)
    if top == IF_WORD:
        fail(work, THEN_EXPECTED, top_place(work))
    elif top == THEN_WORD:
        fail(work, ELSE_EXPECTED, top_place(work))
    elif top != END and otherwise == 0:
        fail(work, BRACKET_OPEN, top_place(work))
    elif otherwise != 0:
        fail(work, otherwise, place)


def take_value(
    text: Ints, length: int, work: IntsOut, code: IntsOut, places: IntsOut
) -> bool:
    """Take a token where a value is expected; return whether the value is complete with it."""
    token = work[TOKEN]
    place = work[TOKEN_START]
    if token == NUMBER_TOKEN:
        push(work, emit(work, code, places, CONST + FIELD * work[TOKEN_VALUE], place))
        return True
    if token == INPUT_TOKEN:
        push(work, emit(work, code, places, INPUT + FIELD * work[TOKEN_VALUE], place))
        return True
    above = strength(top_of(work))
    if token == OPEN_SIGN:
        open_entry(work, OPEN_SIGN, place)
    elif token == MINUS_SIGN:
        open_entry(work, SIGN_OPENED, place)
    elif token in (IF_WORD, NOT_WORD):
        if above > (STRENGTH_NOT if token == NOT_WORD else 0):
            fail(work, BRACKETS_NEEDED, place)
        open_entry(work, token, place)
    elif token in (MIN_WORD, MAX_WORD, ABS_WORD):
        open_entry(work, token - MIN_WORD + CALL_MIN, place)
        next_token(text, length, work)
        if work[TOKEN] != OPEN_SIGN:
            fail(work, BRACKET_EXPECTED, work[TOKEN_START])
    else:
        fail(work, VALUE_EXPECTED, place)
    return False


def take_divisor(
    text: Ints, length: int, work: IntsOut, code: IntsOut, places: IntsOut
) -> None:
    """Take // and the number behind it."""
    place = work[TOKEN_START]
    next_token(text, length, work)
    if work[TOKEN] != NUMBER_TOKEN:
        fail(work, DIVISOR_NOT_CONSTANT, work[TOKEN_START])
        return
    divisor = work[TOKEN_VALUE]
    if divisor == 0:
        fail(work, DIVISOR_ZERO, work[TOKEN_START])
        return
    push(work, emit(work, code, places, DIV + FIELD * pop(work) + B_PLACE * divisor, place))


def take_close(work: IntsOut, code: IntsOut, places: IntsOut, place: int) -> None:
    """Take a closing bracket."""
    top = top_of(work)
    if top != OPEN_SIGN and top != CALL_MIN and top != CALL_MAX and top != CALL_ABS:
        fail_unfinished(work, BRACKET_UNMATCHED, place)
        return
    call_place = top_place(work)
    work[OPENED_COUNT] -= 1
    if top == CALL_ABS:
        push(work, emit(work, code, places, ABS + FIELD * pop(work), call_place))
    elif top != OPEN_SIGN:
        if work[OPENED_ARGUMENTS + work[OPENED_COUNT]] < 2:
            fail(work, ARGUMENTS_TOO_FEW, call_place)
        else:
            emit_operator(work, code, places, top, call_place)


def take_comma(work: IntsOut, code: IntsOut, places: IntsOut, place: int) -> None:
    """Take a comma: from the second on, an argument is joined to those before it."""
    top = top_of(work)
    if top == CALL_ABS:
        fail(work, ARGUMENTS_TOO_MANY, place)
    elif top != CALL_MIN and top != CALL_MAX:
        fail_unfinished(work, COMMA_OUTSIDE_CALL, place)
    else:
        arguments = OPENED_ARGUMENTS + work[OPENED_COUNT] - 1
        if work[arguments] >= 2:
            emit_operator(work, code, places, top, top_place(work))
        work[arguments] += 1


def take_operator(
    text: Ints, length: int, work: IntsOut, code: IntsOut, places: IntsOut
) -> bool:
    """Take a token where an operator is expected; return whether a value is expected next."""
    token = work[TOKEN]
    place = work[TOKEN_START]
    bond = strength(token)
    if bond != 0 and bond != STRENGTH_NOT:
        close_operators(work, code, places, bond + 1)
        if bond == STRENGTH_COMPARISON and strength(top_of(work)) == bond:
            fail(work, COMPARISON_CHAINED, place)
        close_operators(work, code, places, bond)
        if token == DIVIDE_SIGN:
            take_divisor(text, length, work, code, places)
            return False
        open_entry(work, token, place)
        return True
    if token != CLOSE_SIGN and token != COMMA_SIGN and token != THEN_WORD and token != ELSE_WORD:
        fail(work, OPERATOR_EXPECTED, place)
        return False
    close_formula(work, code, places)
    if token == CLOSE_SIGN:
        take_close(work, code, places, place)
        return False
    if token == COMMA_SIGN:
        take_comma(work, code, places, place)
    elif token == THEN_WORD:
        if top_of(work) == IF_WORD:
            work[OPENED + work[OPENED_COUNT] - 1] = THEN_WORD
        else:
            fail(work, THEN_WITHOUT_IF, place)
    elif top_of(work) == THEN_WORD:
        work[OPENED + work[OPENED_COUNT] - 1] = ELSE_WORD
    elif top_of(work) == IF_WORD:
        fail(work, THEN_EXPECTED, top_place(work))
    else:
        fail(work, ELSE_WITHOUT_THEN, place)
    return True


def compile_text(
    text: Ints, length: int, code: IntsOut, places: IntsOut, work: IntsOut
) -> int:
    """Compile the first `length` bytes of a text; return a Refusal, or 0.

    `code` and `places` have room for PAYOFF_CODE_MAX numbers, `work` for COMPILE_WORK. Upon success
    work[CODE_COUNT] words are written, each with the place in the text that it stands for; upon a
    refusal work[FAULT_PLACE] is the place of what is wrong. Places count bytes from 0.
    """
    for index in range(STATE_SIZE):
        work[index] = 0
    if length > PAYOFF_TEXT_BYTES_MAX:
        work[FAULT_PLACE] = PAYOFF_TEXT_BYTES_MAX
        return TEXT_TOO_LONG
    next_token(text, length, work)
    if work[FAULT] == 0 and work[TOKEN] == END:
        return TEXT_EMPTY
    value_expected = True
    while work[FAULT] == 0 and (value_expected or work[TOKEN] != END):
        if value_expected:
            value_expected = not take_value(text, length, work, code, places)
        else:
            value_expected = take_operator(text, length, work, code, places)
        if work[FAULT] == 0:
            next_token(text, length, work)
    if work[FAULT] == 0:
        close_formula(work, code, places)
        fail_unfinished(work, 0, length)
    return work[FAULT]
