"""The passes over a chain: machine code against Python, extremes, and marks."""

import hashlib
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.pricing.black76 import deviation_fp, price_ticks
from quorate.instruments.surface import steps
from quorate.instruments.surface.fit import PILLARS
from quorate.instruments.surface.kernels import remark, renew
from quorate.instruments.surface.smile import SMILE_FIELDS, UNIT, vol_e9_at
from quorate.types.limits import POSITION_NOTIONAL_MAX_E6, VOTER_WEIGHT_MAX
from tests.instruments.surface.surface_world import (
    DAY_MS,
    SHAPE,
    chain_args,
    one_voter,
    smiles_of,
)

vols = st.one_of(
    st.just(0),
    st.sampled_from([10_000_000, 5_000_000_000]),
    st.integers(10_000_000, 5_000_000_000),
)
rows = st.lists(vols, min_size=PILLARS, max_size=PILLARS)
any_int = st.integers(-(2**62), 2**62)


@settings(deadline=None, max_examples=25)
@given(
    st.data(),
    st.lists(
        st.integers(3_600_000, 1095 * DAY_MS), min_size=1, max_size=3, unique=True
    ).map(sorted),
    st.integers(1, 6),
)
def test_machine_code_and_python_agree_on_anything(
    data: st.DataObject, times_ms: list[int], voters: int
) -> None:
    # Python's integers do not overflow; so where both agree, nothing did.
    votes = [[data.draw(rows) for _ in range(voters)] for _ in times_ms]
    weights = [data.draw(st.integers(1, VOTER_WEIGHT_MAX)) for _ in range(voters)]
    quotes = data.draw(
        st.lists(
            st.tuples(
                st.integers(-4 * UNIT, 4 * UNIT), any_int, any_int,
                st.integers(-1, POSITION_NOTIONAL_MAX_E6),
            ),
            max_size=6,
        )
    )  # fmt: skip
    book = np.array(quotes, np.int64).reshape(-1, 4)
    compiled = chain_args(votes, weights, times_ms, book)
    plain = chain_args(votes, weights, times_ms, book)
    renew(*compiled)
    steps.surface_into(*plain)
    assert smiles_of(compiled).tolist() == smiles_of(plain).tolist()
    assert compiled[10].tolist() == plain[10].tolist()
    assert not np.any(smiles_of(compiled)[-1])


def test_a_renewal_is_the_same_for_ever() -> None:
    # A change of the rule changes this digest: it is a change of protocol.
    votes = np.array([[[int(3e8 * (e + 2) * p) for p in SHAPE]] for e in range(4)], np.int64)
    args = chain_args(votes, [1], [DAY_MS * 4**e for e in range(4)])
    renew(*args)
    digest = hashlib.sha256(smiles_of(args).astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "87c951514ea19d78"


def test_an_expiry_without_votes_has_no_smile_and_is_passed_over() -> None:
    votes = [[int(6e8 * p) for p in SHAPE], [0] * PILLARS, [int(6e8 * p) for p in SHAPE]]
    args = one_voter(votes, [DAY_MS, 2 * DAY_MS, 3 * DAY_MS])
    renew(*args)
    assert args[10].tolist() == [1_000_000, 0, 1_000_000]
    assert not np.any(smiles_of(args)[1])


def marked(series: Any, forwards: list[int], args: tuple[Any, ...]) -> tuple[Any, Any]:
    """Volatilities and marks by machine code, after comparing them with Python's."""
    table = np.array(series, np.int64)
    found = []
    for rule in (remark, steps.marks_into):
        vols_e9, marks = np.zeros((2, len(table)), np.int64)
        roots = np.zeros(len(forwards), np.int64)
        rule(table, np.array(forwards), args[8], smiles_of(args), roots, vols_e9, marks)
        found.append((vols_e9.tolist(), marks.tolist()))
    assert found[0] == found[1]
    return found[0]


def test_marks_are_prices_at_the_smiles_volatilities() -> None:
    votes = [[int(6e8 * p) for p in SHAPE], [0] * PILLARS]
    args = one_voter(votes, [30 * DAY_MS, 60 * DAY_MS])
    renew(*args)
    series = [(strike, call, 0) for strike in (70_000, 100_000, 130_000) for call in (0, 1)]
    vols_e9, marks = marked([*series, (100_000, 1, 1), (800_000, 1, 0)], [100_000] * 2, args)
    row = [int(value) for value in smiles_of(args)[0]]
    for (strike, call, _), vol_e9, mark in zip(series, vols_e9, marks, strict=False):
        assert vol_e9 == vol_e9_at(*row[:6], 100_000, strike, row[6])
        deviation = deviation_fp(vol_e9, 30 * DAY_MS)
        assert mark == price_ticks(100_000, strike, deviation, call == 1, False)
    assert (vols_e9[6], marks[6]) == (0, 0)  # no smile
    assert marks[7] == 1  # worth less than a tick


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(1, 2**40 - 1), st.integers(0, 1), st.integers(0, 1)),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 2**40 - 1),
    rows,
    rows,
)
def test_marks_of_anything_agree_and_keep_their_bounds(
    series: list[tuple[int, int, int]], forward: int, first: list[int], second: list[int]
) -> None:
    args = one_voter([first, second], [3_600_000, 1095 * DAY_MS])
    renew(*args)
    _, marks = marked(series, [forward, forward], args)
    for (strike, call, at), mark in zip(series, marks, strict=True):
        least = max(0, forward - strike if call else strike - forward)
        bound = forward if call else strike
        assert mark == 0 if args[10][at] == 0 else least <= mark <= max(bound, 1)


def test_the_rooms_are_as_large_as_their_rules_need() -> None:
    assert SMILE_FIELDS <= PILLARS and steps.SURFACE_ROOMS == 12
