"""Votes and quotes: medians by their definition, liars, quorum, and the book's bounded say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.surface import votes as rules
from quorate.instruments.surface.fit import PILLAR_Z, PILLARS
from quorate.instruments.surface.smile import (
    SMILE_VOL_MAX_E9,
    SMILE_VOL_MIN_E9,
    UNIT,
)

PPM = 1_000_000
vols = st.integers(SMILE_VOL_MIN_E9, SMILE_VOL_MAX_E9)
honest_vols = st.integers(580_000_000, 620_000_000)


def pillars_of(
    votes: list[list[int]], weights: list[int], total: int = 0, outlier_ppm: int = 9 * PPM
) -> tuple[list[int], int]:
    pillars = np.zeros(PILLARS, np.int64)
    confidence = rules.pillars_into(
        np.array(votes, np.int64),
        np.array(weights, np.int64),
        total or sum(weights),
        666_666,
        outlier_ppm,
        pillars,
    )
    return pillars.tolist(), confidence


def quantile_plain(pairs: list[tuple[int, int]], part: int, parts: int) -> int:
    """The least value at which the rising sum of weights reaches the part."""
    total, reached = sum(weight for _, weight in pairs), 0
    for value, weight in sorted(pairs):
        reached += weight
        if reached * parts >= total * part:
            return value
    return 0


votes_weighed = st.tuples(st.one_of(st.just(0), vols), st.integers(1, 2**32))


@given(
    st.lists(votes_weighed, min_size=1, max_size=32),
    st.sampled_from([(1, 2), (1, 4), (3, 4)]),
)
def test_quantiles_against_the_definition(
    pairs: list[tuple[int, int]], part: tuple[int, int]
) -> None:
    votes = np.array([[vol] * PILLARS for vol, _ in pairs], np.int64)
    weights = np.array([weight for _, weight in pairs], np.int64)
    found = rules.vote_quantile(votes, weights, 3, SMILE_VOL_MIN_E9, SMILE_VOL_MAX_E9, *part)
    present = [pair for pair in pairs if pair[0]]
    assert found == quantile_plain(present, *part)


@settings(deadline=None)
@given(
    st.lists(st.tuples(honest_vols, st.integers(1, 1000)), min_size=2, max_size=20),
    st.lists(
        st.tuples(st.lists(st.one_of(st.just(0), vols), min_size=PILLARS, max_size=PILLARS),
                  st.integers(1, 1000)),
        max_size=8,
    ),
    st.sampled_from([50_000, 150_000, 9 * PPM]),
)  # fmt: skip
def test_liars_below_a_third_move_no_pillar_beyond_the_honest(
    honest: list[tuple[int, int]], liars: list[tuple[list[int], int]], outlier_ppm: int
) -> None:
    weight = sum(w for _, w in honest)
    lying: list[tuple[list[int], int]] = []
    for said, share in liars:
        if 3 * (sum(w for _, w in lying) + share) < weight + sum(w for _, w in lying) + share:
            lying.append((said, share))
    rows = [[vol] * PILLARS for vol, _ in honest] + [said for said, _ in lying]
    pillars, confidence = pillars_of(
        rows, [w for _, w in honest] + [w for _, w in lying], outlier_ppm=outlier_ppm
    )
    low, high = min(vol for vol, _ in honest), max(vol for vol, _ in honest)
    for found in pillars:
        # An honest quorum is always there: at 5 % every honest vote lies near the median.
        if outlier_ppm >= 150_000:
            assert low <= found <= high
        assert found == 0 or low <= found <= high
    assert 0 <= confidence <= PPM


def test_extreme_liars_do_not_take_the_confidence_away() -> None:
    rows = [[600_000_000] * PILLARS] * 7 + [[SMILE_VOL_MAX_E9] * PILLARS] * 3
    pillars, confidence = pillars_of(rows, [1] * 10, outlier_ppm=150_000)
    assert pillars == [600_000_000] * PILLARS and confidence == 700_000


def test_without_a_quorum_a_pillar_is_missing() -> None:
    full = [600_000_000] * PILLARS
    thin = [0, *full[1:]]
    assert pillars_of([full, full, thin], [1, 1, 1])[0] == full
    assert pillars_of([full, thin, thin], [1, 1, 1])[0] == thin
    assert pillars_of([full], [66], total=100) == ([0] * PILLARS, 0)
    assert pillars_of([full], [67], total=100) == (full, 670_000)
    assert pillars_of([[0] * PILLARS], [1]) == ([0] * PILLARS, 0)
    assert pillars_of([full], [0], total=100) == ([0] * PILLARS, 0)


def test_votes_that_differ_lower_the_confidence() -> None:
    apart = [[int(600_000_000 * (1 + step / 100))] * PILLARS for step in range(5)]
    # Quartiles at steps 1 and 3 of the median at step 2: 2 / 102, ten times that is the doubt.
    assert pillars_of(apart, [1] * 5)[1] == PPM - 10 * 19_608


def test_votes_outside_what_pricing_admits_are_none() -> None:
    for vol in (-1, 0, SMILE_VOL_MIN_E9 - 1, SMILE_VOL_MAX_E9 + 1, 2**62, -(2**62)):
        assert pillars_of([[vol] * PILLARS], [1]) == ([0] * PILLARS, 0)


# --- the book


def pulled(quotes: list[tuple[int, int, int, int]], pillars: list[int]) -> list[int]:
    found = np.array(pillars, np.int64)
    rows = np.array(quotes, np.int64).reshape(-1, rules.QUOTE_FIELDS)
    rules.pulled_into(rows, 10**10, found, np.zeros((2, PILLARS), np.int64))
    return list(found.tolist())


VOTED = [600_000_000] * PILLARS
DEEP = 10**12


def test_quotes_at_the_voted_volatility_change_nothing() -> None:
    assert pulled([(UNIT // 3, 599_000_000, 601_000_000, DEEP)], VOTED) == VOTED
    assert pulled([], VOTED) == VOTED


def test_a_quote_pulls_the_two_pillars_beside_it() -> None:
    found = pulled([(UNIT // 10, 601_000_000, 603_000_000, DEEP)], VOTED)
    assert [at for at in range(PILLARS) if found[at] != VOTED[at]] == [4, 5]
    assert 0 < found[5] - VOTED[5] < found[4] - VOTED[4] < 2_000_000 // 3


def test_a_pull_is_a_third_of_the_way_at_most_and_clamped() -> None:
    near = pulled([(0, 600_900_000, 600_900_000, DEEP)] * 50, VOTED)
    assert near[4] - VOTED[4] == 300_000
    far = pulled([(0, 900_000_000, 900_000_000, DEEP)] * 50, VOTED)
    assert far[4] - VOTED[4] == VOTED[4] // 50


def test_a_thin_book_pulls_little() -> None:
    thin = pulled([(0, 630_000_000, 630_000_000, 10**8)], VOTED)  # a hundredth of the depth
    assert 0 < thin[4] - VOTED[4] <= 30_000_000 // 200


@pytest.mark.parametrize(
    "quote",
    [
        (0, 0, 700_000_000, DEEP),
        (0, 700_000_000, 690_000_000, DEEP),
        (0, 600_000_000, 670_000_000, DEEP),
        (0, 700_000_000, 700_000_000, 0),
        (0, 700_000_000, SMILE_VOL_MAX_E9 + 1, DEEP),
        (4 * UNIT, 700_000_000, 700_000_000, DEEP),
        (-4 * UNIT, 700_000_000, 700_000_000, DEEP),
    ],
    ids=["one-sided", "crossed", "wide", "empty", "beyond", "above", "below"],
)
def test_a_quote_that_says_nothing_is_left_out(quote: tuple[int, int, int, int]) -> None:
    assert pulled([quote], VOTED) == VOTED


def test_a_pillar_without_votes_stays_missing() -> None:
    missing = [*VOTED[:5], 0, *VOTED[6:]]
    assert pulled([(UNIT // 10, 610_000_000, 610_000_000, DEEP)], missing) == missing


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(-5 * UNIT, 5 * UNIT), vols, st.integers(0, 400_000_000),
            st.integers(0, 2**52),
        ),
        max_size=60,
    ),
    st.lists(st.one_of(st.just(0), vols), min_size=PILLARS, max_size=PILLARS),
)  # fmt: skip
def test_no_book_moves_a_pillar_beyond_its_bound(
    quotes: list[tuple[int, int, int, int]], pillars: list[int]
) -> None:
    rows = [(place, bid, bid + width, worth) for place, bid, width, worth in quotes]
    for before, after in zip(pillars, pulled(rows, pillars), strict=True):
        assert abs(after - before) <= before // 50


def test_the_pillars_stand_in_order_around_the_money() -> None:
    assert PILLAR_Z[4] == 0 and np.all(np.diff(PILLAR_Z) > 0)
    assert PILLAR_Z.tolist() == (-PILLAR_Z[::-1]).tolist()
