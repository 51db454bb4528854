"""Votes on smiles: who may, what is admitted, medians, quorum, confidence, order of expiries."""

import pytest

from quorate.codec import commands as c
from quorate.codec.options_commands import SetSeries, VoteSmile
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import SMILE_PILLARS
from quorate.types.options import PILLARS
from tests.execution.clearing_exchange import VOTERS, readings
from tests.execution.exchange import address
from tests.execution.options_exchange import SERIES
from tests.execution.series_desk import SMILE, SeriesDesk

FLAT = (800_000_000,) * SMILE_PILLARS


@pytest.fixture
def desk() -> SeriesDesk:
    made = SeriesDesk()
    made.opened()
    return made


def pillars(desk: SeriesDesk, slot: int = 0) -> tuple[int, ...]:
    return tuple(getattr(desk.expiry(slot), name) for name in PILLARS)


def test_who_may_vote_and_on_what(desk: SeriesDesk) -> None:
    sound = VoteSmile(0, 100_000, FLAT)
    assert desk.code("vera", sound) == Reject.OK
    assert desk.code("alice", sound) == Reject.VOTER_KEY_REQUIRED
    assert desk.code("vera", VoteSmile(1, 100_000, FLAT)) == Reject.SERIES_NOT_LIVE
    assert desk.code("vera", VoteSmile(300, 100_000, FLAT)) == Reject.SERIES_NOT_LIVE
    for forward in (0, 49_999, 200_001, 2**40):
        vote = VoteSmile(0, forward, FLAT)
        assert desk.code("vera", vote) == Reject.PRICE_MUST_BE_IN_RANGE
    for at in range(SMILE_PILLARS):
        for vol in (0, 9_999_000, 5_000_001_000):
            vols = (*FLAT[:at], vol, *FLAT[at + 1 :])
            vote = VoteSmile(0, 100_000, vols)
            assert desk.code("vera", vote) == Reject.VOLATILITY_MUST_BE_IN_RANGE
    bounds = VoteSmile(0, 50_000, (10_000_000, 5_000_000_000) * 4 + (10_000_000,))
    assert desk.code("vera", bounds) == Reject.OK
    desk.to(desk.series().expiry_ms + 60_000)
    desk.sampled(100_000)
    desk.until_settled()
    assert desk.code("vera", sound) == Reject.SERIES_NOT_LIVE


def test_a_revoked_voter_votes_no_more(desk: SeriesDesk) -> None:
    desk.ok("governance", c.SetVoter(address("vera"), 0))
    assert desk.code("vera", VoteSmile(0, 100_000, FLAT)) == Reject.VOTER_KEY_REQUIRED


def test_pillars_are_weighted_medians(desk: SeriesDesk) -> None:
    """Weights 1 to 4; the least vote that reaches half of the weight counts, pillar by pillar."""
    shifts = (0, 10_000_000, 20_000_000, 30_000_000)
    votes = [
        desk.row(address(name), VoteSmile(0, 100_000 + shift // 10_000_000, shifted(shift)))
        for name, shift in zip(VOTERS, shifts, strict=True)
    ]
    desk.rows(*desk.vote_rows(0, *[100_000] * 4), *votes, step_ms=4_000)
    events = desk.beat(100_000, smiles=0)
    assert pillars(desk) == shifted(20_000_000)
    assert desk.expiry(0).forward_ticks == 100_002
    assert desk.expiry(0).smile_unit_e9 == 820_000_000
    (smiled,) = readings(events, EventKind.SMILED)
    assert (smiled["forward_ticks"], smiled["votes_count"]) == (100_002, 4)


def shifted(by: int) -> tuple[int, ...]:
    """The smile with every volatility higher by so much."""
    return tuple(vol + by for vol in SMILE)


def test_a_liar_moves_nothing_beyond_the_honest(desk: SeriesDesk) -> None:
    liar = desk.row(address("vito"), VoteSmile(0, 199_999, (5_000_000_000,) * SMILE_PILLARS))
    honest = [desk.row(address(n), VoteSmile(0, 100_000, SMILE)) for n in VOTERS if n != "vito"]
    desk.rows(*desk.vote_rows(0, *[100_000] * 4), liar, *honest, step_ms=4_000)
    desk.beat(100_000, smiles=0)
    assert pillars(desk) == SMILE and desk.expiry(0).forward_ticks == 100_000


def test_without_a_quorum_the_smile_stays_and_confidence_falls(desk: SeriesDesk) -> None:
    before = desk.expiry(0)
    assert before.confidence_ppm == 1_000_000
    seen = []
    for _ in range(12):
        desk.beat(101_000, smiles=0)
        row = desk.expiry(0)
        seen.append(row.confidence_ppm)
    assert pillars(desk) == SMILE and row.smile_unit_e9 == before.smile_unit_e9
    assert row.forward_ticks == 101_000  # the index
    assert seen == sorted(seen, reverse=True) and seen[-1] < seen[0]
    halt_ms = desk.at(2, 0).halt_ms  # Table.PARAMETERS
    assert seen[-1] == 1_000_000 * (halt_ms - (desk.time_ms - row.smile_ms)) // halt_ms
    desk.beat(101_000)
    desk.beat(101_000)
    assert desk.expiry(0).confidence_ppm == 1_000_000


def test_a_later_expiry_lies_above_the_nearer_one(desk: SeriesDesk) -> None:
    """Votes with a calendar spread: the later smile is lifted and loses confidence."""
    desk.market_made(SERIES + 1)
    desk.ok("governance", SetSeries(SERIES + 1, 0, desk.ahead(49), strike=100_000))
    low = (100_000_000,) * SMILE_PILLARS
    rows = desk.smile_rows(0, 100_000, FLAT) + desk.smile_rows(1, 100_000, low)
    desk.rows(*desk.vote_rows(0, *[100_000] * 4), *rows, step_ms=4_000)
    desk.beat(100_000, smiles=0)
    near, later = desk.expiry(0), desk.expiry(1)
    assert pillars(desk, 1) == low
    assert later.smile_unit_e9 > 700_000_000
    left = [row.expiry_ms - desk.time_ms for row in (near, later)]
    variances = [row.smile_unit_e9**2 * ms for row, ms in zip((near, later), left, strict=True)]
    assert variances[1] >= variances[0] * 999_999 // 1_000_000
    assert desk.series(SERIES + 1).model_ticks >= desk.series(SERIES).model_ticks
