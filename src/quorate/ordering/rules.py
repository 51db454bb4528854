"""The voting rules: pure functions over small immutable records.

The core asks them before it signs, and the model checker drives them through every schedule of a
small world; neither has rules of its own. Sections are those of docs/CONSENSUS.md.

    may_sign     the three signing guards, in one function
    ancestry     whether a proposal's parent and the views between are settled
    parent_for   what a leader builds on
    conflict     whether two votes of one signer prove it malicious
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from quorate.types.consensus import Proposal, Subject, VoteKind, quorum_weight


class Status(IntEnum):
    """What a replica thinks of the proposal of a view."""

    NONE = 0
    UNVERIFIED = 1
    VERIFIED = 2
    EQUIVOCATED = 3


class Certify(IntEnum):
    """Whether the payload of a notarized proposal is at hand and valid."""

    READY = 0
    RUNNING = 1
    TRUE = 2
    FALSE = 3
    ABORTED = 4


class Ballot(NamedTuple):
    """What one replica has signed and knows in one view.

    slot: the proposal voted on. my_*: its own votes, for ever once cast. notarization,
    nullification, finalization: certificates that it holds.
    """

    view: int
    slot: Proposal | None = None
    status: Status = Status.NONE
    my_notarize: Proposal | None = None
    my_nullify: bool = False
    my_finalize: Proposal | None = None
    notarization: Proposal | None = None
    nullification: bool = False
    finalization: Proposal | None = None
    certify: Certify = Certify.READY


class Standing(NamedTuple):
    """Where a replica stands. last_finalized: view of the newest finalized proposal it knows."""

    view: int
    last_finalized: int


class Verdict(IntEnum):
    """What is known of a proposal's ancestry."""

    SETTLED = 0
    INVALID = 1  # for ever
    WAITING = 2  # the parent is notarized and being certified
    MISSING = 3  # a certificate that somebody must have


class Ancestry(NamedTuple):
    """A verdict, and with MISSING the view of which a certificate is wanted."""

    verdict: Verdict
    view: int = 0


SETTLED: Final = Ancestry(Verdict.SETTLED)
INVALID: Final = Ancestry(Verdict.INVALID)
WAITING: Final = Ancestry(Verdict.WAITING)

Ballots = Mapping[int, Ballot]


def may_sign(
    kind: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, settled: bool
) -> bool:
    """Say whether a replica may sign: the only three guards there are.

    proposal: of a notarize or finalize, in the ballot's view. settled: whether its ancestry is.
    A notarize may follow a nullify: the model checker finds no harm, and without it a block that
    comes after the timeout could leave a view without any certificate.
    """
    if kind == VoteKind.NOTARIZE:
        return (
            ballot.my_notarize is None
            and ballot.status == Status.VERIFIED
            and proposal is not None
            and ballot.slot == proposal
            and settled
        )
    if kind == VoteKind.NULLIFY:
        return ballot.view == standing.view and ballot.my_finalize is None
    assert kind == VoteKind.FINALIZE
    return (
        ballot.view > standing.last_finalized
        and ballot.my_finalize is None
        and not ballot.my_nullify
        and proposal is not None
        and ballot.notarization == proposal
        and ballot.certify == Certify.TRUE
        and ballot.status != Status.EQUIVOCATED
    )


def is_settled(ballot: Ballot | None) -> bool:
    """Say whether a view's proposal can be built on."""
    if ballot is None:
        return False
    certified = ballot.notarization is not None and ballot.certify == Certify.TRUE
    return certified or ballot.finalization is not None


def ancestry(proposal: Proposal, ballots: Ballots, last_finalized: int) -> Ancestry:
    """Judge the parent of a proposal and the views between."""
    parent, view = proposal.parent_view, proposal.view
    if not last_finalized <= parent < view:
        return INVALID
    if parent > last_finalized:
        ballot = ballots.get(parent)
        if not is_settled(ballot):
            if ballot is None or ballot.notarization is None:
                return Ancestry(Verdict.MISSING, parent)
            return INVALID if ballot.certify == Certify.FALSE else WAITING
    for between in range(parent + 1, view):
        skipped = ballots.get(between)
        if skipped is None or not skipped.nullification:
            return Ancestry(Verdict.MISSING, between)
    return SETTLED


def parent_for(view: int, ballots: Ballots, last_finalized: int) -> tuple[int, int]:
    """Find what the leader of a view builds on: (parent view, view that is still missing or 0).

    The highest certified or finalized view below, all views between being nullified.
    """
    for below in range(view - 1, last_finalized, -1):
        ballot = ballots.get(below)
        if is_settled(ballot):
            return below, 0
        if ballot is None or not ballot.nullification:
            return 0, below
    return last_finalized, 0


def conflict(first: Subject, second: Subject) -> bool:
    """Say whether no honest validator signs both in one epoch and view.

    Two notarizes or two finalizes of different proposals, a nullify with a finalize, a notarize
    with the finalize of another proposal. A notarize with a nullify is legal.
    """
    if (first.epoch, first.view) != (second.epoch, second.view) or first == second:
        return False
    if VoteKind.NULLIFY in (first.kind, second.kind):
        return VoteKind.FINALIZE in (first.kind, second.kind)
    return first[1:] != second[1:]


class Rules(NamedTuple):
    """The rules as a value, so that a simulation can run a replica with one of them broken."""

    may_sign: Callable[[int, Proposal | None, Ballot, Standing, bool], bool] = may_sign
    ancestry: Callable[[Proposal, Ballots, int], Ancestry] = ancestry
    quorum: Callable[[int], int] = quorum_weight


RULES: Final = Rules()
