"""Builders of the commands of products, series and smiles; a part of commands.py."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quorate.types.codes import Op
from quorate.types.limits import (
    COMMAND_BYTES,
    PAYOFF_CODE_MAX,
    PAYOFF_INPUTS,
    PAYOFF_TEXT_BYTES_MAX,
    PRODUCT_PARTS,
    PRODUCT_WORDS,
    SMILE_PILLARS,
    SMILE_VOL_UNIT_E9,
)

PART_WORDS = 7
HALF = 2**31  # two volatilities share a word of a vote


@dataclass(frozen=True, slots=True)
class SetMarginMode:
    """How the account's options are margined; `mode`: options_codes.MarginMode."""

    op: ClassVar[Op] = Op.SET_MARGIN_MODE
    mode: int


@dataclass(frozen=True, slots=True)
class ListProduct:
    """A payoff as text and as bytecode, what it may read, and what it pays at least and at most.

    `text`: ASCII. `code`: PAYOFF_CODE_MAX int64. `ranges`: low and high of each of PAYOFF_INPUTS.
    """

    op: ClassVar[Op] = Op.LIST_PRODUCT
    product: int
    name: str
    rule: int
    payoff_low: int
    payoff_high: int
    sample_ms: int
    text: str
    code: tuple[int, ...]
    ranges: tuple[int, ...]

    @property
    def text_bytes(self) -> int:
        """Length of the text."""
        return len(self.text)


@dataclass(frozen=True, slots=True)
class SetSeries:
    """Bind a market of kind SERIES to a product, an expiry (0: none) and its parameters."""

    op: ClassVar[Op] = Op.SET_SERIES
    market: int
    product: int
    expiry_ms: int
    strike: int = 0
    upper: int = 0
    lower: int = 0
    rebate: int = 0
    cap: int = 0
    rate: int = 0


@dataclass(frozen=True, slots=True)
class SetListing:
    """List series like a template by a rule; a `period_ms` of 0 ends it."""

    op: ClassVar[Op] = Op.SET_LISTING
    listing: int
    template: int
    period_ms: int
    offset_ms: int
    expiries_ahead: int
    step_ticks: int
    strikes_each_side: int


@dataclass(frozen=True, slots=True)
class VoteSmile:
    """A voter's forward and smile of an expiry; `vols_e9`: SMILE_PILLARS, multiples of 1e-6."""

    op: ClassVar[Op] = Op.VOTE_SMILE
    expiry: int
    forward_ticks: int
    vols_e9: tuple[int, ...]

    @property
    def vols_0_1(self) -> int:
        """The first two volatilities."""
        return pair(self.vols_e9, 0)

    @property
    def vols_2_3(self) -> int:
        """The next two."""
        return pair(self.vols_e9, 2)

    @property
    def vols_4_5(self) -> int:
        """The next two."""
        return pair(self.vols_e9, 4)

    @property
    def vols_6_7(self) -> int:
        """The next two."""
        return pair(self.vols_e9, 6)

    @property
    def vols_8(self) -> int:
        """The last one."""
        return pair(self.vols_e9, 8)


def pair(vols_e9: tuple[int, ...], at: int) -> int:
    """Two volatilities in one word, the first one low; each in 1e-6, below 2**31."""
    assert len(vols_e9) == SMILE_PILLARS
    units = [vol // SMILE_VOL_UNIT_E9 for vol in vols_e9[at : at + 2]]
    assert all(0 <= unit < HALF for unit in units)
    return units[0] + (units[1] * HALF if len(units) == 2 else 0)


def vols_of(words: tuple[int, ...]) -> tuple[int, ...]:
    """The volatilities of a vote's five words, in 1e-9."""
    units = [half for word in words for half in (word % HALF, word // HALF)]
    return tuple(unit * SMILE_VOL_UNIT_E9 for unit in units[:SMILE_PILLARS])


def product_parts(command: ListProduct) -> bytes:
    """Write the records that follow a product's head: text, bytecode, ranges."""
    assert len(command.code) == PAYOFF_CODE_MAX and len(command.ranges) == 2 * PAYOFF_INPUTS
    text = command.text.encode("ascii").ljust(PAYOFF_TEXT_BYTES_MAX, b"\0")
    assert len(text) == PAYOFF_TEXT_BYTES_MAX
    tail = np.array([*command.code, *command.ranges], "<i8").tobytes()
    words = (text + tail).ljust(8 * PART_WORDS * PRODUCT_PARTS, b"\0")
    step = 8 * PART_WORDS
    head = bytes([Op.PRODUCT_PART]).ljust(COMMAND_BYTES - step, b"\0")
    return b"".join(head + words[at : at + step] for at in range(0, len(words), step))


def product_of(values: dict[str, int | bytes | str], parts: list[bytes]) -> ListProduct:
    """Read a product from its head's fields and the records that follow."""
    raw = b"".join(part[COMMAND_BYTES - 8 * PART_WORDS :] for part in parts)
    size = int(values["text_bytes"])
    words = np.frombuffer(raw[: 8 * PRODUCT_WORDS], "<i8")[PAYOFF_TEXT_BYTES_MAX // 8 :]
    return ListProduct(
        product=int(values["product"]),
        name=str(values["name"]),
        rule=int(values["rule"]),
        payoff_low=int(values["payoff_low"]),
        payoff_high=int(values["payoff_high"]),
        sample_ms=int(values["sample_ms"]),
        text=raw[: min(size, PAYOFF_TEXT_BYTES_MAX)].decode("ascii", "replace"),
        code=tuple(int(word) for word in words[:PAYOFF_CODE_MAX]),
        ranges=tuple(int(word) for word in words[PAYOFF_CODE_MAX:]),
    )
