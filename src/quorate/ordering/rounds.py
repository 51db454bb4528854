"""What a replica holds of one view: its ballot, votes, certificates and what it has asked for."""

from collections.abc import Iterator, Mapping

from quorate.ordering.messages import Reason
from quorate.ordering.rules import Ballot
from quorate.ordering.tally import Tally
from quorate.types.consensus import Certificate, Proposal, VoteKind


class Round:
    """One view. Everything that a guard reads is in `ballot`; timers are never durable."""

    __slots__ = (
        "accused", "ballot", "build_asked", "building", "certificates", "gave_up", "pending",
        "reason", "t_cert", "t_leader", "t_retry", "tally", "verifying",
    )  # fmt: skip

    def __init__(self, view: int) -> None:
        self.ballot = Ballot(view)
        self.tally = Tally()
        self.certificates: dict[int, Certificate] = {}
        self.pending = False  # the proposal waits for its ancestry
        self.build_asked = False
        self.building: tuple[int, bytes] | None = None  # parent's view and payload
        self.verifying: tuple[Proposal, bytes] | None = None  # proposal, parent's payload
        self.accused: dict[int, None] = {}
        self.t_leader = self.t_cert = self.t_retry = 0
        self.reason = Reason.NONE
        self.gave_up = False

    def ending(self) -> Certificate | None:
        """Give the certificate that best shows that this view is over."""
        for kind in (VoteKind.FINALIZE, VoteKind.NULLIFY, VoteKind.NOTARIZE):
            if kind in self.certificates:
                return self.certificates[kind]
        return None


class Rounds(Mapping[int, Ballot]):
    """The rounds that are kept, in the order of their views. To the rules it maps to ballots."""

    def __init__(self, found: dict[int, Round]) -> None:
        self.kept = dict(found)
        self.sorted: list[Round] | None = None  # until a view is new or forgotten

    def __getitem__(self, view: int) -> Ballot:
        return self.kept[view].ballot

    def __iter__(self) -> Iterator[int]:
        return iter([held.ballot.view for held in self.in_order()])

    def __len__(self) -> int:
        return len(self.kept)

    def find(self, view: int) -> Round | None:
        """Give a view's round if there is one."""
        return self.kept.get(view)

    def at(self, view: int) -> Round:
        """Give a view's round, made when it is new."""
        held = self.kept.get(view)
        if held is None:
            held = self.kept[view] = Round(view)
            self.sorted = None
        return held

    def in_order(self) -> list[Round]:
        """List the rounds, lowest view first. Rounds made meanwhile are not in it."""
        if self.sorted is None:
            self.sorted = [self.kept[view] for view in sorted(self.kept)]
        return self.sorted

    def prune(self, below: int) -> None:
        """Forget the views below one."""
        for view in [known for known in self.kept if known < below]:
            del self.kept[view]
            self.sorted = None
