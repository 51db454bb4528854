"""The words of a payoff's text: one at a time, with its kind, its value and its place.

Kernel subset; the text is an array of byte values. Spaces and newlines separate and say nothing.
"""

from quorate.instruments.payoff.code import Ints, IntsOut
from quorate.types.limits import PAYOFF_CONSTANT_MAX
from quorate.types.payoff_codes import Input, Refusal

SYMBOL_UNKNOWN = int(Refusal.SYMBOL_UNKNOWN)
NUMBER_MALFORMED = int(Refusal.NUMBER_MALFORMED)
NUMBER_TOO_LARGE = int(Refusal.NUMBER_TOO_LARGE)
NAME_UNKNOWN = int(Refusal.NAME_UNKNOWN)

# Kinds of tokens. END is also what an empty text begins with.
END = 0
NUMBER_TOKEN = 1
INPUT_TOKEN = 2  # its value is the number of the input
MIN_WORD = 3
MAX_WORD = 4
ABS_WORD = 5
IF_WORD = 6
THEN_WORD = 7
ELSE_WORD = 8
AND_WORD = 9
OR_WORD = 10
NOT_WORD = 11
OPEN_SIGN = 12
CLOSE_SIGN = 13
COMMA_SIGN = 14
PLUS_SIGN = 15
MINUS_SIGN = 16
TIMES_SIGN = 17
DIVIDE_SIGN = 18
LESS_SIGN = 19
LESS_EQUAL_SIGN = 20
GREATER_SIGN = 21
GREATER_EQUAL_SIGN = 22
EQUAL_SIGN = 23
UNEQUAL_SIGN = 24

# The state of a compilation, in the array `state`.
POSITION = 0  # of the next byte
TOKEN = 1
TOKEN_VALUE = 2
TOKEN_START = 3
FAULT = 4
FAULT_PLACE = 5
CODE_COUNT = 6
OPENED_COUNT = 7  # operators and brackets that are open
VALUES_COUNT = 8  # values that wait for their operator
STATE_SIZE = 9

NAME_LETTERS_MAX = 12
LETTER_BASE = 32


def name_key(name: str) -> int:
    """Return a name of at most 12 letters a-z and _ as one number, as `read_name` forms it."""
    key = 0
    for letter in name:
        key = key * LETTER_BASE + (27 if letter == "_" else ord(letter) - 96)
    return key


_RESERVED = {
    "min": MIN_WORD,
    "max": MAX_WORD,
    "abs": ABS_WORD,
    "if": IF_WORD,
    "then": THEN_WORD,
    "else": ELSE_WORD,
    "and": AND_WORD,
    "or": OR_WORD,
    "not": NOT_WORD,
}
_NAMES = [*_RESERVED, *(number.name.lower() for number in Input)]
assert max(map(len, _NAMES)) <= NAME_LETTERS_MAX and len({*_NAMES}) == len(_NAMES)
NAME_KEYS = tuple(name_key(name) for name in _NAMES)
NAME_TOKENS = (*_RESERVED.values(), *(INPUT_TOKEN for _ in Input))
NAME_VALUES = (*(0 for _ in _RESERVED), *(int(number) for number in Input))

# One-byte signs, and what they are when a second byte follows: first, second (0: none), token.
SIGN_FIRST = tuple(map(ord, "/<>=!<>()+-*,"))
SIGN_SECOND = (*map(ord, "/===="), 0, 0, 0, 0, 0, 0, 0, 0)
SIGN_TOKENS = (
    DIVIDE_SIGN,
    LESS_EQUAL_SIGN,
    GREATER_EQUAL_SIGN,
    EQUAL_SIGN,
    UNEQUAL_SIGN,
    LESS_SIGN,
    GREATER_SIGN,
    OPEN_SIGN,
    CLOSE_SIGN,
    PLUS_SIGN,
    MINUS_SIGN,
    TIMES_SIGN,
    COMMA_SIGN,
)
assert len(SIGN_FIRST) == len(SIGN_SECOND) == len(SIGN_TOKENS)

SPACE, NEWLINE, UNDERSCORE = 32, 10, 95
DIGIT_0, DIGIT_9, LETTER_A, LETTER_Z = 48, 57, 97, 122


def fail(state: IntsOut, refusal: int, place: int) -> None:
    """Note the first thing that is wrong with the text, and where."""
    if state[FAULT] == 0:
        state[FAULT] = refusal
        state[FAULT_PLACE] = place


def is_digit(byte: int) -> bool:
    """Whether a byte is 0-9."""
    return DIGIT_0 <= byte and byte <= DIGIT_9


def is_letter(byte: int) -> bool:
    """Whether a byte can stand in a name: a-z or _."""
    return (LETTER_A <= byte and byte <= LETTER_Z) or byte == UNDERSCORE


def read_number(text: Ints, length: int, state: IntsOut) -> None:
    """Read a whole number: digits with single _ between them, and no leading zero."""
    start = state[POSITION]
    place = start
    value = 0
    parted = False
    while place < length and (is_digit(text[place]) or is_letter(text[place])):
        byte = text[place]
        if is_digit(byte):
            if place == start + 1 and text[start] == DIGIT_0:
                fail(state, NUMBER_MALFORMED, start)
                return
            value = value * 10 + byte - DIGIT_0
            if value > PAYOFF_CONSTANT_MAX:
                fail(state, NUMBER_TOO_LARGE, start)
                return
            parted = False
        else:
            if byte != UNDERSCORE or parted or text[start] == DIGIT_0:
                fail(state, NUMBER_MALFORMED, start)
                return
            parted = True
        place += 1
    if parted:
        fail(state, NUMBER_MALFORMED, start)
        return
    state[TOKEN] = NUMBER_TOKEN
    state[TOKEN_VALUE] = value
    state[POSITION] = place


def read_name(text: Ints, length: int, state: IntsOut) -> None:
    """Read a word of the language, or the name of an observation or a parameter."""
    start = state[POSITION]
    place = start
    key = 0
    while place < length and (is_letter(text[place]) or is_digit(text[place])):
        byte = text[place]
        if is_digit(byte) or place - start >= NAME_LETTERS_MAX:
            fail(state, NAME_UNKNOWN, start)
            return
        letter = 27 if byte == UNDERSCORE else byte - LETTER_A + 1
        key = key * LETTER_BASE + letter
        place += 1
    state[POSITION] = place
    for known in range(len(NAME_KEYS)):
        if NAME_KEYS[known] == key:
            state[TOKEN] = NAME_TOKENS[known]
            state[TOKEN_VALUE] = NAME_VALUES[known]
            return
    fail(state, NAME_UNKNOWN, start)


def read_sign(text: Ints, length: int, state: IntsOut) -> None:
    """Read a sign of one or two bytes; the longer one where both fit."""
    start = state[POSITION]
    second = text[start + 1] if start + 1 < length else 0
    for known in range(len(SIGN_FIRST)):
        if SIGN_FIRST[known] == text[start]:
            wanted = SIGN_SECOND[known]
            if wanted == 0 or wanted == second:
                state[TOKEN] = SIGN_TOKENS[known]
                state[POSITION] = start + 1 if wanted == 0 else start + 2
                return
    fail(state, SYMBOL_UNKNOWN, start)


def next_token(text: Ints, length: int, state: IntsOut) -> None:
    """Read the next token of the text into the state; END behind the last."""
    place = state[POSITION]
    while place < length and (text[place] == SPACE or text[place] == NEWLINE):
        place += 1
    state[POSITION] = place
    state[TOKEN_START] = place
    state[TOKEN_VALUE] = 0
    state[TOKEN] = END
    if place >= length:
        return
    byte = text[place]
    if is_digit(byte):
        read_number(text, length, state)
    elif is_letter(byte):
        read_name(text, length, state)
    else:
        read_sign(text, length, state)
