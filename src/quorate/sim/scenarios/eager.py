"""A core that tries to sign whatever it could, whenever it could.

The product's core asks a guard only when its turn has come, so that many a guard stands behind a
second lock. Here those locks are open: a proposal is judged before its ancestry is known, and every
guard of every open view is asked in every step. With the rules as they are this must be as safe.
"""

from typing import Final

from quorate.ordering.messages import Effect, Verify
from quorate.ordering.rounds import Round
from quorate.ordering.rules import Status, Verdict
from quorate.ordering.simplex import Simplex
from quorate.types.consensus import VoteKind

IMPATIENCE_MS: Final = 61  # it tries to nullify in one of so many milliseconds


class Eager(Simplex):
    """Held by its guards alone."""

    def consider(self, held: Round) -> None:
        """Have a proposal judged, its ancestry settled or not."""
        super().consider(held)
        ballot = held.ballot
        if not held.pending or ballot.slot is None or held.verifying is not None:
            return
        if ballot.status == Status.UNVERIFIED and ballot.view > self.floor.view:
            payload = self.payload_at(ballot.slot.parent_view)
            if payload:
                held.verifying = (ballot.slot, payload)
                self.out.append(Verify(ballot.slot, payload))

    def finished(self) -> list[Effect]:
        """Ask every guard before the step ends."""
        for view in list(self.rounds):
            held = self.rounds.find(view)
            if held is not None and view > self.floor.view and self.view:
                self.try_all(held)
        return super().finished()

    def try_all(self, held: Round) -> None:
        """Ask the three guards of one view."""
        slot = held.ballot.slot
        if slot is not None:
            found = self.rules.ancestry(slot, self.rounds, self.floor.view)
            self.sign(VoteKind.NOTARIZE, slot, held, found.verdict == Verdict.SETTLED)
        notarized = held.ballot.notarization
        if notarized is not None:
            self.sign(VoteKind.FINALIZE, notarized, held, True)
        if not held.ballot.my_nullify and self.now % IMPATIENCE_MS == 0:
            self.sign(VoteKind.NULLIFY, None, held, True)
