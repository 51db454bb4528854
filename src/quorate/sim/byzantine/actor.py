"""What all liars share: a core that behaves, and hands that change what it says."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple, Protocol

from quorate.ordering.messages import Effect, Event, Tell
from quorate.ordering.scheme import Scheme
from quorate.ordering.simplex import Simplex
from quorate.types.consensus import Subject, ValidatorSet, Vote


class Maker(Protocol):
    """What makes payloads."""

    def make(
        self,
        view: int,
        parent: bytes,
        builder: int,
        sound: bool = True,
        holders: list[int] | None = None,
    ) -> bytes:
        """Make a payload; holders: who gets its bytes, None for everybody."""


# Signs a checkpoint: height, exec_block_digest, state_root.
Seal = Callable[[int, bytes, bytes], bytes]


class Hands(NamedTuple):
    """What a liar has: its place, its own signatures, a maker of payloads, dice."""

    me: int
    scheme: Scheme
    validators: ValidatorSet
    maker: Maker
    rng: Random
    seal: Seal | None = None

    def vote(self, subject: Subject) -> Vote:
        """Sign anything, with the one secret there is."""
        signature = self.scheme.sign(subject)
        assert signature is not None
        return Vote(subject, self.me, signature)

    def peers(self) -> list[int]:
        """List all others, in an order of chance."""
        others = [i for i in range(len(self.validators.keys)) if i != self.me]
        self.rng.shuffle(others)
        return others


class Actor:
    """A core whose effects pass through `twist`."""

    def __init__(self, core: Simplex, hands: Hands) -> None:
        self.core = core
        self.hands = hands
        self.now = 0

    def __getattr__(self, name: str) -> Any:
        """Show whoever drives it all else of the core."""
        return getattr(self.core, name)

    def frame(self, kind: int, body: bytes) -> bytes:
        """Change a frame of the whole validator on its way out."""
        return body

    @property
    def counts(self) -> dict[str, int]:
        """Of the core."""
        return self.core.counts

    def start(self, now_ms: int) -> list[Effect]:
        """Begin."""
        self.now = now_ms
        return self.twist(self.core.start(now_ms), None)

    def step(self, now_ms: int, event: Event) -> list[Effect]:
        """Take one event."""
        self.now = now_ms
        return self.twist(self.core.step(now_ms, event), event)

    def twist(self, effects: list[Effect], event: Event | None) -> list[Effect]:
        """Change what the core would do."""
        return effects


def retold(effects: list[Effect], change: Callable[[Tell], list[Effect]]) -> list[Effect]:
    """Replace each message by what `change` makes of it."""
    made: list[Effect] = []
    for effect in effects:
        if isinstance(effect, Tell):
            made += change(effect)
        else:
            made.append(effect)
    return made
