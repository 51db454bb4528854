"""Back from a lost journal: observe until it is safe to vote (CONSENSUS 3, J12).

What this validator signed is not known to it any more. It asks every peer where it is, with a nonce
of this start, so that the answer is later than whatever was signed before. When peers of weight
more than W - q + f have answered with their view and the certificate that let them in, at least one
honest peer of every quorum that could hold an old vote of ours has; it votes in views above the
highest plus VIEWS_CLEAR, and writes that down. A view counts only with a certificate of the view
before it: a peer that could name any view would keep us from voting for ever. Checkpoints keep to
the same bound, by the view of their block (following.py): what was not final when the journal was
lost cannot have been signed in it.

A journal that was put back from an older copy is no better than a lost one, but does not say so. A
certificate that holds a vote of ours which the journal does not know does: ordering signs nothing
from there on, and this validator observes as if its journal had been lost, with a new nonce, since
it may have voted under the one before.
"""

from typing import Final

from quorate.codec.peer import Status, WantStatus
from quorate.ordering.messages import Forgotten
from quorate.ordering.scheme import certificate_holds
from quorate.replica.parts import Parts
from quorate.replica.records import OBSERVING, VOTING
from quorate.replica.validator_messages import Progress
from quorate.types.consensus import VIEW_MAX, faulty_weight_max

VIEWS_CLEAR: Final = 3
NONCE_BOUND: Final = 1 << 64


class Rejoining:
    """Answers of peers, while observing; and our own answers to others."""

    def __init__(self, parts: Parts, observing: bool) -> None:
        self.parts = parts
        self.observing = observing
        self.nonce = parts.settings.nonce
        self.views: dict[int, int] = {}

    def peer_up(self, peer: int) -> None:
        """Ask a validator where it is."""
        if self.observing:
            self.parts.send(WantStatus(self.nonce), peer)

    def ask_again(self) -> None:
        """Ask those who have not answered well; a frame may have been lost with a connection."""
        for peer in self.parts.peers:
            if peer not in self.views:
                self.peer_up(peer)

    def forgot(self, forgotten: Forgotten) -> None:
        """Observe from here on: the journal is older than what was signed."""
        parts = self.parts
        self.observing, self.views = True, {}
        self.nonce = (self.nonce + 1) % NONCE_BOUND
        parts.simplex.vote_above = VIEW_MAX
        parts.append(OBSERVING, VIEW_MAX, b"")
        parts.after.append(Progress("forgotten", (("view", forgotten.vote.subject.view),)))
        self.ask_again()

    def asked(self, peer: int, want: WantStatus) -> None:
        """Say where we are."""
        parts = self.parts
        view = parts.simplex.view
        before = parts.simplex.rounds.find(view - 1)
        entry = before.ending() if before is not None else None
        if entry is None:
            entry = parts.simplex.floor.certificate
        tip = parts.blocks.tip.height
        status = Status(want.nonce, view, tip, parts.range_base, parts.snapshot, entry)
        parts.send(status, peer)

    def answered(self, peer: int, status: Status) -> None:
        """Take where a validator is; vote again when enough have said so."""
        parts = self.parts
        if not self.observing or status.nonce != self.nonce:
            return
        fault = self.fault(status)
        if fault:
            parts.offence(peer, fault)
            return
        self.views[peer] = max(self.views.get(peer, 0), status.view)
        validators = parts.settings.validators
        weight = validators.weight_of(tuple(sorted(self.views)))
        wanted = validators.total - validators.quorum + faulty_weight_max(validators.total)
        if weight <= wanted:
            return
        above = max(self.views.values()) + VIEWS_CLEAR
        self.observing = False
        parts.simplex.vote_above = above
        parts.append(VOTING, above, above.to_bytes(8, "little"))

    def fault(self, status: Status) -> str:
        """Check that a certificate let a peer into the view that it names; name what is wrong."""
        entry = status.entry
        if entry is None:
            return "" if status.view <= 1 else "statuses_unsound"
        validators = self.parts.settings.validators
        if status.view != entry.subject.view + 1:
            return "statuses_unsound"
        holds = certificate_holds(entry, validators, self.parts.scheme, validators.quorum)
        return "" if holds else "statuses_forged"
