"""What `quorate run` tells under every engine: where the node stands, what getting there took."""

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from quorate.cli.console import Bar

if TYPE_CHECKING:
    from quorate.replica.executor import Executor
    from quorate.runtime.home import Home
    from quorate.runtime.recover import Progress
    from quorate.storage.log import Torn


class Started(Protocol):
    """A node that stands where its log ends. blocks, commands: replayed above the snapshot."""

    @property
    def executor(self) -> "Executor":
        """Its state."""

    @property
    def snapshot(self) -> str | None:
        """The snapshot that it was loaded from."""

    @property
    def blocks(self) -> int:
        """How many blocks of the log were replayed."""

    @property
    def commands(self) -> int:
        """How many commands were in them."""

    @property
    def torn(self) -> "Torn | None":
        """What was cut from the log's end."""


Kind = TypeVar("Kind", bound=Started)


def timed(home: "Home", start: "Callable[[Home, Progress], Kind]") -> tuple[Kind, float]:
    """Recover with a bar to look at; give also the seconds that it took. Raises as `start`."""
    before_s = time.monotonic()
    with Bar("Replaying the log") as bar:
        it = start(home, bar.update)
    return it, time.monotonic() - before_s


def tell(
    it: Started,
    endpoint: str,
    seconds: float,
    as_json: bool,
    who: str = "",
    more: Sequence[str] = (),
) -> None:
    """Tell, now that the node listens. who: it is, in words, before the height; more: lines."""
    executor = it.executor
    if as_json:
        tree = {
            "height": executor.height,
            "state_root": executor.root.hex(),
            "endpoint": endpoint,
            "snapshot": it.snapshot,
            "blocks_replayed": it.blocks,
            "commands_replayed": it.commands,
            "recovery_s": round(seconds, 3),
            "torn_at": it.torn.offset if it.torn else None,
        }
        print(json.dumps(tree), flush=True)
        return
    if it.torn is not None:
        print(
            f"Cut an unfinished write from segment {it.torn.segment}, "
            f"offset {it.torn.offset}; nothing in it was acknowledged."
        )
    source = f"snapshot {it.snapshot}" if it.snapshot else "genesis"
    print(
        f"{who}Height {executor.height}, root {executor.root.hex()[:16]}: {source} and "
        f"{it.blocks} blocks of the log, {seconds:.1f} s."
    )
    for line in more:
        print(line)
    print(f"Listening at {endpoint}. Stop with Ctrl-C.", flush=True)


def tell_end(it: Started, as_json: bool) -> None:
    """Tell where the node stopped."""
    if not as_json:
        executor = it.executor
        print(f"Stopped at height {executor.height}, root {executor.root.hex()[:16]}.")
