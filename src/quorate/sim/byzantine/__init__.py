"""Validators that lie. Each wraps a core and sees what a node sees: its events, its own secret.

    equivocator   as leader, makes two proposals and tells each to some
    withholder    as leader, gives the bytes to few; sends its votes to few
    conflicter    votes for and against, whatever comes
    impersonator  speaks in others' names, and forges certificates
    replayer      repeats what it has heard and said
    skipper       as leader, builds past views that were not skipped
    delayer       says everything late
    twin          two nodes with one key, neither knowing of the other
    wrong_root    signs other checkpoints than it came to (only where there are any)

An actor changes the effects of its core. Its nodes never crash; their own journal does not matter.
"""

from quorate.ordering.simplex import Simplex
from quorate.sim.byzantine.actor import Actor, Hands
from quorate.sim.byzantine.conflicter import Conflicter
from quorate.sim.byzantine.delayer import Delayer
from quorate.sim.byzantine.equivocator import Equivocator
from quorate.sim.byzantine.impersonator import Impersonator
from quorate.sim.byzantine.replayer import Replayer
from quorate.sim.byzantine.skipper import Skipper
from quorate.sim.byzantine.twin import Twin
from quorate.sim.byzantine.withholder import Withholder
from quorate.sim.byzantine.wrong_root import WrongRoot

__all__ = ["ACTORS", "Actor", "Hands", "actor_of"]

ACTORS: dict[str, type[Actor]] = {
    "equivocator": Equivocator,
    "withholder": Withholder,
    "conflicter": Conflicter,
    "impersonator": Impersonator,
    "replayer": Replayer,
    "skipper": Skipper,
    "delayer": Delayer,
    "twin": Twin,
    "wrong_root": WrongRoot,
}


def actor_of(name: str, core: Simplex, hands: Hands) -> Actor:
    """Make an actor around a core."""
    return ACTORS[name](core, hands)
