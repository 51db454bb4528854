"""Bundles on their way into CometBFT's pool, with a server that stands in for its RPC."""

import asyncio
import base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from quorate.runtime.cometbft.rpc import Rpc
from quorate.runtime.cometbft.submitting import BATCH_ITEMS, Submitting
from quorate.types.codes import Reject
from tests.runtime.cometbft.rpc_world import Refusal, http, json_rpc, serving

TAKEN = {"code": 0, "data": "", "log": "", "hash": "00" * 32}


def handed(parameters: dict[str, Any]) -> bytes:
    return base64.b64decode(parameters["tx"])


def run(
    pool: Callable[[str, dict[str, Any]], Any], *items: tuple[bytes, ...], until: Callable[[], bool]
) -> list[tuple[bytes, int]]:
    """Submit until something holds; give what was refused."""
    refused: list[tuple[bytes, int]] = []

    async def main() -> None:
        async with Rpc(endpoint) as rpc:
            submitting = Submitting(rpc, refused.extend)
            for part in items:
                submitting.put(part)
            task = asyncio.ensure_future(submitting.run())
            async with asyncio.timeout(30):
                while not until():
                    await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])

    with serving(json_rpc(pool)) as endpoint:
        asyncio.run(main())
    return refused


def test_what_is_put_arrives_in_its_order_and_once() -> None:
    txs = tuple(at.to_bytes(4, "big") for at in range(BATCH_ITEMS + 50))
    got: list[bytes] = []

    def pool(method: str, parameters: dict[str, Any]) -> Any:
        assert method == "broadcast_tx_async"
        got.append(handed(parameters))
        return TAKEN

    assert not run(pool, txs, txs[:5], until=lambda: len(got) >= len(txs))
    assert got == list(txs)


def test_a_full_pool_is_a_refusal_and_what_it_has_is_none() -> None:
    words = {
        b"full": "mempool is full: number of txs 5000 (max: 5000)",
        b"known": "tx already exists in cache",
        b"large": "Tx too large. Max size is 10, but got 11",
    }
    got: list[bytes] = []

    def pool(method: str, parameters: dict[str, Any]) -> Any:
        got.append(handed(parameters))
        if got[-1] in words:
            raise Refusal(words[got[-1]])
        return TAKEN

    refused = run(pool, (b"full", b"known", b"large", b"good"), until=lambda: len(got) == 4)
    code = int(Reject.BLOCK_FULL_SEND_LATER)
    assert refused == [(sha256(b"full").digest(), code), (sha256(b"large").digest(), code)]


def test_a_full_pool_says_nothing_of_what_it_may_have_already() -> None:
    """It says that it is full before it looks whether it has the bundle: its client waits on."""
    got: list[bytes] = []

    def pool(method: str, parameters: dict[str, Any]) -> Any:
        got.append(handed(parameters))
        if len(got) > 2:
            raise Refusal("mempool is full: number of txs 2 (max: 2)")
        return TAKEN

    refused: list[tuple[bytes, int]] = []

    async def main() -> None:
        async with Rpc(endpoint) as rpc:
            submitting = Submitting(rpc, refused.extend)
            task = asyncio.ensure_future(submitting.run())
            submitting.put((b"a", b"b"))
            async with asyncio.timeout(30):
                while len(got) < 2:
                    await asyncio.sleep(0.01)
                submitting.put((b"a", b"b", b"c"))
                while len(got) < 5 or not refused:
                    await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])

    with serving(json_rpc(pool)) as endpoint:
        asyncio.run(main())
    assert refused == [(sha256(b"c").digest(), int(Reject.BLOCK_FULL_SEND_LATER))]


def test_what_cannot_be_asked_about_is_asked_again_in_its_order() -> None:
    got: list[bytes] = []
    asked = 0

    def pool(method: str, parameters: dict[str, Any]) -> Any:
        nonlocal asked
        asked += 1
        if asked <= 3:
            raise Refusal("endpoint is closed while node is catching up")
        got.append(handed(parameters))
        return TAKEN

    assert not run(pool, (b"a", b"b", b"c", b"d"), until=lambda: len(got) == 4)
    assert got == [b"d", b"a", b"b", b"c"]


def test_one_that_never_gets_through_stops_nobody() -> None:
    """Such as one too large for the body that this operator's RPC takes."""
    got: list[bytes] = []

    def respond(body: bytes) -> bytes:
        if base64.b64encode(b"huge") in body:
            return http(b"body too large", "413 Content Too Large")
        return json_rpc(pool)(body)

    def pool(method: str, parameters: dict[str, Any]) -> Any:
        got.append(handed(parameters))
        return TAKEN

    async def main() -> None:
        async with Rpc(endpoint) as rpc:
            submitting = Submitting(rpc, lambda refused: None)
            submitting.put((b"a", b"huge", b"b", b"c"))
            task = asyncio.ensure_future(submitting.run())
            async with asyncio.timeout(30):
                while len(got) < 3:
                    await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])

    with serving(respond) as endpoint:
        asyncio.run(main())
    assert sorted(got) == [b"a", b"b", b"c"]
