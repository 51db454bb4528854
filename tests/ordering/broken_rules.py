"""The voting rules with one condition dropped, each by hiding from the rule what it looks at.

A mutant calls the function it breaks on a ballot in which the condition cannot fail, so nothing of
the rules is written down a second time.
"""

from quorate.ordering.rules import (
    RULES,
    Ancestry,
    Ballot,
    Ballots,
    Certify,
    Rules,
    Standing,
    Status,
    ancestry,
    may_sign,
)
from quorate.types.consensus import Proposal, VoteKind


def hiding(kind: int, **hidden: object) -> Rules:
    """Make the rules blind, when voting `kind`, to the fields of the own ballot that are given."""

    def blind(
        asked: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, settled: bool
    ) -> bool:
        seen = ballot._replace(**hidden) if asked == kind else ballot
        return may_sign(asked, proposal, seen, standing, settled)

    return RULES._replace(may_sign=blind)


def trusting(kind: int, field: str) -> Rules:
    """Make the rules take for granted that a field of the ballot is the proposal voted on."""

    def blind(
        asked: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, settled: bool
    ) -> bool:
        seen = ballot._replace(**{field: proposal}) if asked == kind else ballot
        return may_sign(asked, proposal, seen, standing, settled)

    return RULES._replace(may_sign=blind)


def anywhere(kind: int) -> Rules:
    """Drop the condition on where the replica stands."""

    def blind(
        asked: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, settled: bool
    ) -> bool:
        here = Standing(ballot.view, 0) if asked == kind else standing
        return may_sign(asked, proposal, ballot, here, settled)

    return RULES._replace(may_sign=blind)


def unsettled() -> Rules:
    """Notarize whatever the verdict on the ancestry."""

    def blind(
        kind: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, _settled: bool
    ) -> bool:
        return may_sign(kind, proposal, ballot, standing, True)

    return RULES._replace(may_sign=blind)


def ancestry_with(**granted: object) -> Rules:
    """Judge ancestry as if every ballot of the views between parent and proposal were so."""

    def blind(proposal: Proposal, ballots: Ballots, last_finalized: int) -> Ancestry:
        between = range(proposal.parent_view + 1, proposal.view)
        seen = {view: ballots.get(view, Ballot(view)) for view in between}
        changed = {view: ballot._replace(**granted) for view, ballot in seen.items()}
        return ancestry(proposal, {**ballots, **changed}, last_finalized)

    return RULES._replace(ancestry=blind)


def parent_with(**granted: object) -> Rules:
    """Judge ancestry as if the ballot of the parent's view were so."""

    def blind(proposal: Proposal, ballots: Ballots, last_finalized: int) -> Ancestry:
        parent = ballots.get(proposal.parent_view, Ballot(proposal.parent_view))
        changed = {proposal.parent_view: parent._replace(**granted)}
        return ancestry(proposal, {**ballots, **changed}, last_finalized)

    return RULES._replace(ancestry=blind)


def below_finalized() -> Rules:
    """Accept a parent below the newest finalized proposal, if the rest of its ancestry is right."""

    def blind(proposal: Proposal, ballots: Ballots, last_finalized: int) -> Ancestry:
        return ancestry(proposal, ballots, min(last_finalized, proposal.parent_view))

    return RULES._replace(ancestry=blind)


def notarize_not_after_nullify() -> Rules:
    """Add the condition that CONSENSUS drops: no notarize once the view is given up."""

    def strict(
        kind: int, proposal: Proposal | None, ballot: Ballot, standing: Standing, settled: bool
    ) -> bool:
        late = kind == VoteKind.NOTARIZE and ballot.my_nullify
        return not late and may_sign(kind, proposal, ballot, standing, settled)

    return RULES._replace(may_sign=strict)


ANY_PROPOSAL = Proposal(0, 0, 0, b"")
NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE

MUTANTS: dict[str, Rules] = {
    "notarize twice": hiding(NOTARIZE, my_notarize=None),
    "notarize unverified": hiding(NOTARIZE, status=Status.VERIFIED),
    "notarize what is not in the slot": trusting(NOTARIZE, "slot"),
    "notarize unsettled": unsettled(),
    "no gap check": ancestry_with(nullification=True),
    "no parent check": parent_with(finalization=ANY_PROPOSAL),
    "build on uncertified": parent_with(certify=Certify.TRUE),
    "build below finalized": below_finalized(),
    "nullify in any view": anywhere(NULLIFY),
    "nullify after finalize": hiding(NULLIFY, my_finalize=None),
    "finalize below finalized": anywhere(FINALIZE),
    "finalize twice": hiding(FINALIZE, my_finalize=None),
    "finalize after nullify": hiding(FINALIZE, my_nullify=False),
    "finalize without notarization": trusting(FINALIZE, "notarization"),
    "finalize without certify": hiding(FINALIZE, certify=Certify.TRUE),
    "finalize equivocated": hiding(FINALIZE, status=Status.VERIFIED),
}
