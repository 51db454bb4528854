"""The simulator's own test: one condition removed at a time must be noticed.

Each `Broken` names the condition, how the rules or the driver are without it, the scenario that
leads there, and `seeds`: within so many it is noticed. Those marked eager run the core of eager.py,
because in the product's core a second lock would hide the missing one.
"""

from dataclasses import replace
from typing import Any, Final, NamedTuple

from quorate.ordering.rules import (
    RULES,
    SETTLED,
    Ancestry,
    Ballot,
    Ballots,
    Certify,
    Rules,
    Standing,
    Status,
    may_sign,
)
from quorate.ordering.simplex import Simplex
from quorate.ordering.timing import Times
from quorate.sim.cluster.config import Config
from quorate.sim.cluster.failure import Outcome, Property
from quorate.sim.cluster.run import simulate
from quorate.sim.scenarios.eager import Eager
from quorate.types.consensus import Proposal, VoteKind

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
BRISK: Final = Times(30, 30, 600, 90, 500, 600)


class Broken(NamedTuple):
    """One condition removed. seeds: within so many it is noticed."""

    name: str
    seeds: int
    config: Config
    rules: Rules = RULES
    eager: bool = False


def blind(kind: int, **hidden: Any) -> Rules:
    """Hide fields of the own ballot from one guard."""

    def unseeing(
        asked: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, settled: bool
    ) -> bool:
        seen = ballot._replace(**hidden) if asked == kind else ballot
        return may_sign(asked, proposal, seen, standing, settled)

    return RULES._replace(may_sign=unseeing)


def unsettled(
    kind: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, settled: bool
) -> bool:
    """Notarize whatever the verdict on the ancestry."""
    return may_sign(kind, proposal, ballot, standing, settled or kind == NOTARIZE)


def nullify_finalized(
    kind: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, settled: bool
) -> bool:
    """Nullify also where a finalize was cast: such a view is never the present one."""
    if kind == NULLIFY and ballot.my_finalize is not None:
        return True
    return may_sign(kind, proposal, ballot, standing, settled)


def nullify_gone(
    kind: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, settled: bool
) -> bool:
    """Nullify in views that were left."""
    here = Standing(ballot.view, standing.last_finalized) if kind == NULLIFY else standing
    return may_sign(kind, proposal, ballot, here, settled)


def any_ancestry(proposal: Proposal, ballots: Ballots, last_finalized: int) -> Ancestry:
    """Take every parent for settled."""
    return SETTLED


def majority(total: int) -> int:
    """Take 2f + 1 for a quorum, which it is only where n = 3f + 1."""
    return 2 * ((total - 1) // 3) + 1


LOSSY: Final = Config(
    0, "broken", loss_e3=150, spike_e3=60, spike_ms=120, delay_span_ms=20, times=BRISK,
    faults_ms=4_000, steps_max=8_000,
)  # fmt: skip
CRASHING: Final = replace(LOSSY, faults=("crash", "crash_all"), every_ms=250)
TWO_STORIES: Final = replace(LOSSY, liars=((1, "equivocator"),))
SKIPPING: Final = replace(LOSSY, liars=((1, "skipper"),))

EACH: Final = (
    Broken("notarize twice", 3, LOSSY, blind(NOTARIZE, my_notarize=None), True),
    Broken(
        "notarize unverified", 5, LOSSY,
        blind(NOTARIZE, status=Status.VERIFIED), True,
    ),
    Broken(
        "notarize unsettled", 5, SKIPPING,
        RULES._replace(may_sign=unsettled), True,
    ),
    Broken(
        "nullify after finalize", 3, LOSSY,
        RULES._replace(may_sign=nullify_finalized), True,
    ),
    Broken(
        "nullify a view that is over", 15, LOSSY,
        RULES._replace(may_sign=nullify_gone), True,
    ),
    Broken(
        "finalize after nullify", 3, LOSSY, blind(FINALIZE, my_nullify=False)
    ),
    Broken("finalize twice", 3, LOSSY, blind(FINALIZE, my_finalize=None), True),
    Broken(
        "finalize uncertified", 5, LOSSY, blind(FINALIZE, certify=Certify.TRUE)
    ),
    Broken(
        "finalize after equivocation", 15, TWO_STORIES,
        blind(FINALIZE, status=Status.VERIFIED),
    ),
    Broken(
        "no ancestry check", 5, SKIPPING,
        RULES._replace(ancestry=any_ancestry),
    ),
    Broken(
        "quorum 2f + 1 at n = 5", 3,
        replace(LOSSY, weights=(1,) * 5), RULES._replace(quorum=majority),
    ),
    Broken("vote before sync", 20, replace(CRASHING, hasty=True)),
    Broken(
        "lost journal keeps voting", 10,
        replace(LOSSY, faults=("lose",), every_ms=120, victims=(2,), forgetful=True),
    ),
)  # fmt: skip


class Noticed(NamedTuple):
    """How a broken guard fared. after: seeds that it took; 0: not noticed."""

    broken: Broken
    after: int
    outcome: Outcome | None


def run_broken(broken: Broken, seed: int) -> Outcome:
    """Run one seed without the condition."""
    config = replace(broken.config, seed=seed, scenario=f"broken: {broken.name}")
    return simulate(config, broken.rules, Eager if broken.eager else Simplex, heals=False)


def hunt(broken: Broken, first_seed: int = 1) -> Noticed:
    """Run seeds until it is noticed, `seeds` at most."""
    for tried in range(1, broken.seeds + 1):
        outcome = run_broken(broken, first_seed + tried - 1)
        if outcome.broken and outcome.broken != Property.RAISED:
            return Noticed(broken, tried, outcome)
    return Noticed(broken, 0, None)


def run_whole(broken: Broken, seed: int) -> Outcome:
    """Run the same scenario with nothing removed: it must be clean."""
    config = replace(broken.config, seed=seed, hasty=False, forgetful=False)
    return simulate(config, RULES, Eager if broken.eager else Simplex, heals=False)
