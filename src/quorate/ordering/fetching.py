"""Certificates that we want of others, and answers that we give: both bounded.

A want goes to the proposal's leader first, then round robin to all others, once a retry, until the
view is settled; a different certificate than hoped for is an answer too.
"""

from typing import Final

from quorate.ordering.messages import Tell, Want

WANTS_MAX: Final = 32
NEVER: Final = 2**62


class Wanted:
    """One view of which a certificate is wanted."""

    __slots__ = ("at_ms", "peer")

    def __init__(self, at_ms: int, peer: int) -> None:
        self.at_ms = at_ms
        self.peer = peer


class Fetching:
    """Wants under way by view, and when each peer was last answered."""

    def __init__(self, me: int | None, validators: int, retry_ms: int) -> None:
        self.me = me
        self.validators = validators
        self.retry_ms = retry_ms
        self.wants: dict[int, Wanted] = {}
        self.answered: dict[int, dict[int, int]] = {}

    def want(self, epoch: int, view: int, first: int | None, now_ms: int) -> list[Tell]:
        """Ask for the certificates of a view, unless that is under way."""
        if view in self.wants or len(self.wants) >= WANTS_MAX:
            return []
        peer = self.other_than_me(view if first is None else first)
        self.wants[view] = Wanted(now_ms + self.retry_ms, peer)
        return [Tell(Want(epoch, view), peer)] if peer != self.me else []

    def other_than_me(self, peer: int) -> int:
        """Give a peer's index, or the next one's if that is ours."""
        index = peer % self.validators
        return (index + 1) % self.validators if index == self.me else index

    def arrived(self, view: int) -> None:
        """Note that a certificate of a view has come; if another is needed it is wanted anew."""
        self.wants.pop(view, None)

    def floor(self, view: int) -> None:
        """Want nothing at or below a final view."""
        for wanted in [known for known in self.wants if known <= view]:
            del self.wants[wanted]

    def due(self) -> int:
        """Say when the next want is to be repeated."""
        if not self.wants:
            return NEVER
        return min([wanted.at_ms for wanted in self.wants.values()])

    def retried(self, epoch: int, now_ms: int) -> list[Tell]:
        """Ask the next peer for what did not come."""
        made: list[Tell] = []
        for view, wanted in self.wants.items():
            if wanted.at_ms <= now_ms:
                wanted.at_ms = now_ms + self.retry_ms
                wanted.peer = self.other_than_me(wanted.peer + 1)
                if wanted.peer != self.me:
                    made.append(Tell(Want(epoch, view), wanted.peer))
        return made

    def may_answer(self, peer: int, view: int, now_ms: int) -> bool:
        """Answer a peer about a view at most twice a retry, about WANTS_MAX views at a time."""
        times = self.answered.setdefault(peer, {})
        if now_ms < times.get(view, 0):
            return False
        if len(times) >= WANTS_MAX:
            for past in [known for known, at_ms in times.items() if at_ms <= now_ms]:
                del times[past]
            if len(times) >= WANTS_MAX:
                return False
        times[view] = now_ms + self.retry_ms // 2
        return True
