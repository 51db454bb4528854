"""The development chain, with and without a clearing house."""

from quorate.codec import commands as c
from quorate.codec.genesis import decode_genesis, encode_genesis
from quorate.execution.machine import genesis_image
from quorate.runtime import development
from quorate.sim.execution_checker import faults
from quorate.types.clearing_codes import Guard, Mode, Phase
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import DAY_MS
from quorate.types.records import Table
from tests.execution.exchange import USD, Exchange, bought, fills, sold


def test_the_clearing_house_of_the_development_chain_is_admitted() -> None:
    genesis = development.cleared_genesis()
    assert decode_genesis(encode_genesis(genesis)) == genesis
    image = genesis_image(genesis)
    assert faults(image, genesis.time_ms) == []
    modes = image[Table.RISK].rows["mode"].tolist()
    assert modes == [Mode.OFF, Mode.CONTINUOUS, Mode.CONTINUOUS]
    voters = image[Table.VOTERS].rows["address"]
    assert [each.tobytes() for each in voters] == [genesis.oracle]


def test_without_one_the_chain_is_as_it_was() -> None:
    assert development.genesis().clearing is None
    assert development.cleared_genesis().markets == development.genesis().markets


def mark(x: Exchange) -> int:
    """BTC-PERP's mark."""
    return int(x.image()[Table.MARKETS].rows["mark_ticks"][development.BTC_PERP])


def guard(x: Exchange) -> int:
    """What BTC-PERP may do."""
    return int(x.image()[Table.RISK].rows["guard"][development.BTC_PERP])


def test_a_newcomer_needs_no_oracle_for_thirty_days() -> None:
    x = Exchange(development.cleared_genesis())
    for name in ("ann", "bob"):
        x.ok(name, c.Faucet(10_000 * USD))
    x.ok("ann", bought(590_000, 20))
    assert fills(x.ok("bob", sold(590_000, 20))) == [(1, 20, 590_000)]
    assert (mark(x), guard(x)) == (600_000, Guard.NO_LIQUIDATION)
    x.rows(step_ms=29 * DAY_MS)
    x.ok("ann", bought(590_000, 20))
    assert fills(x.ok("bob", sold(590_000, 20)))
    assert (mark(x), guard(x)) == (600_000, Guard.NO_LIQUIDATION)
    x.rows(step_ms=DAY_MS)
    assert x.code("ann", bought(590_000, 20)) == Reject.INDEX_MISSING_MARKET_HALTED


def test_the_oracles_vote_moves_the_mark_without_an_auction() -> None:
    genesis = development.cleared_genesis()
    x = Exchange(genesis)
    x.ok("ann", c.Faucet(10_000 * USD))
    x.rows(step_ms=DAY_MS)
    x.ok("ann", bought(590_000, 20))
    vote = c.VotePrice(0, 603_000, 603_000)
    x.rows(x.row(genesis.oracle, vote))
    events = x.rows()
    assert (mark(x), guard(x)) == (603_000, Guard.NONE)
    assert EventKind.AUCTION_BEGUN not in events["kind"].tolist()
    assert x.image()[Table.RISK].rows["phase"][development.BTC_PERP] == Phase.TRADING
    assert x.rows(x.row(genesis.oracle, c.SetMark(1, 5)))["code"].tolist()[-1] == (
        Reject.MARK_FOLLOWS_ITS_FEED
    )
