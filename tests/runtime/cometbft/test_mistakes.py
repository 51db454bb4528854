"""What a node makes of what asyncio reports: our own errors stop it, a connection's end not."""

import asyncio
from typing import Any

import pytest
import uvloop

from quorate.runtime.cluster.node import ClusterNode
from quorate.runtime.cometbft.node import CometNode


class Stopped:
    """Stands in for a node: what `fail` was told."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self.told: list[BaseException | None] = []

    def fail(self, error: BaseException | None) -> None:
        self.told.append(error)

    def mistaken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.node.mistaken(self, loop, context)


@pytest.mark.parametrize("node", [CometNode, ClusterNode])
def test_only_an_error_of_ours_stops_a_node(
    node: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def raising(error: BaseException) -> None:
        raise error

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(it.mistaken)
        loop.call_exception_handler({"message": "Unclosed connection"})
        reset = ConnectionResetError("gone")
        loop.call_exception_handler({"message": "x", "exception": reset, "transport": None})
        loop.call_exception_handler({"message": "no more files", "exception": OSError(24, "x")})
        await asyncio.sleep(0)
        assert it.told == []
        # A timeout is an OSError too: swallowed, it would leave CometBFT without its answer.
        for error in (TimeoutError("ours"), ZeroDivisionError("ours")):
            loop.call_soon(raising, error)
            await asyncio.sleep(0.01)
        assert [type(told) for told in it.told] == [TimeoutError, ZeroDivisionError]

    it = Stopped(node)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    capsys.readouterr()
