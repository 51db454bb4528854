"""CometBFT's RPC, asked over HTTP: headers, commits, validators; and transactions handed in.

    async with Rpc(endpoint) as rpc:
        signed = await rpc.commit(height)
        verdict = await rpc.broadcast(transaction)

Connections are kept. Every call has a time limit and every answer a limit of bytes, and whatever
goes wrong is an RpcFailed of one sentence. Source: CometBFT v0.38 RPC; v1.x is the same here.
"""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, TypeVar

import aiohttp

from quorate.codec.nesting import json_within
from quorate.commitment.comet_header import SignedHeader
from quorate.runtime.cometbft.answers import (
    AnswerInvalid,
    Status,
    Validator,
    Verdict,
    headers_read,
    invalid_read,
    peers_read,
    signed_header_read,
    status_read,
    validators_read,
    verdict_read,
)
from quorate.runtime.endpoint import Endpoint

TIMEOUT_S: Final = 10.0
CONNECTIONS: Final = 32
KEPT_S: Final = 5.0  # CometBFT closes an idle connection after 10 s: ours must be gone before
ANSWER_BYTES_MAX: Final = 16 << 20
READ_BYTES: Final = 1 << 16
SENTENCE_LETTERS_MAX: Final = 300
VALIDATORS_PAGE: Final = 100
VALIDATORS_MAX: Final = 10_000  # CometBFT's own limit of votes
HEADERS_PAGE: Final = 20
# Below a node's default limits. A greater batch is no faster; a node may allow fewer in one.
BATCH_MAX: Final = 250
BATCH_BYTES: Final = 900_000
FRAME_BYTES: Final = 100  # of a request around its transaction, at most
BATCH_LIMIT: Final = re.compile(r"exceeds maximum \((\d{1,9})\)")
HEADERS: Final = {"Content-Type": "application/json", "Accept-Encoding": "identity"}

Read = TypeVar("Read")


class RpcFailed(Exception):
    """CometBFT gave no answer that can be used. The sentence says why."""


class RpcRefused(RpcFailed):
    """CometBFT answered with an error. code: of JSON-RPC; data: its own words, cut."""

    def __init__(self, sentence: str, code: int, data: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.data = data


class Rpc:
    """CometBFT's RPC at an endpoint. Usable in one event loop, from its first call to `close`."""

    def __init__(self, endpoint: Endpoint, timeout_s: float = TIMEOUT_S) -> None:
        self.endpoint = endpoint
        self.timeout = aiohttp.ClientTimeout(total=timeout_s)
        host = "localhost" if endpoint.path else endpoint.host
        port = "" if endpoint.path else f":{endpoint.port}"
        self.address = f"http://{f'[{host}]' if ':' in host else host}{port}/"
        self.batch_max = BATCH_MAX
        self.session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Rpc":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self.session is not None:
            await self.session.close()
            self.session = None

    def opened(self) -> aiohttp.ClientSession:
        """Give the session that keeps the connections."""
        if self.session is None:
            path = self.endpoint.path
            connector: aiohttp.BaseConnector
            if path:
                connector = aiohttp.UnixConnector(
                    path, limit=CONNECTIONS, keepalive_timeout=KEPT_S
                )
            else:
                connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEPT_S)
            self.session = aiohttp.ClientSession(
                connector=connector,
                timeout=self.timeout,
                headers=HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self.session

    # --- one exchange ----------------------------------------------------------------------------
    async def posted(self, body: str) -> Any:
        """Send a body and give the JSON that answers it. Raises RpcFailed."""
        try:
            async with AsyncExitStack() as stack:
                request = self.opened().post(self.address, data=body, allow_redirects=False)
                answer = await stack.enter_async_context(request)
                found = bytearray()
                async for part in answer.content.iter_chunked(READ_BYTES):
                    found += part
                    if len(found) > ANSWER_BYTES_MAX:
                        raise self.failed(f"answers with more than {ANSWER_BYTES_MAX} bytes")
                status = answer.status
        except TimeoutError as error:
            raise self.failed(f"has not answered within {self.timeout.total:g} s") from error
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            # UnicodeError: a name that no resolver takes.
            raise self.failed(f"cannot be reached: {brief(str(error))}") from error
        try:
            return json_within(bytes(found))
        except ValueError as error:
            raise self.failed(f"answers with no JSON, HTTP status {status}") from error

    def failed(self, words: str) -> RpcFailed:
        """Make the error of this endpoint."""
        return RpcFailed(f"CometBFT's RPC at {self.endpoint} {words}.")

    def result(self, answer: Any, number: int) -> Any:
        """Take the result out of an answer. Raises RpcFailed."""
        if not isinstance(answer, dict):
            raise self.failed("answers with what is no JSON-RPC")
        error = answer.get("error")
        if isinstance(error, dict):
            code, data = error.get("code"), error.get("data") or error.get("message") or ""
            words = brief(data if isinstance(data, str) else "")
            sentence = f"CometBFT's RPC at {self.endpoint} refuses: {words}."
            raise RpcRefused(sentence, code if type(code) is int else 0, words)
        if answer.get("id") != number or "result" not in answer or error is not None:
            raise self.failed("answers with what is no JSON-RPC")
        return answer["result"]

    def understood(self, read: Callable[[Any], Read], tree: Any) -> Read:
        """Read a result strictly. Raises RpcFailed."""
        try:
            return read(tree)
        except AnswerInvalid as invalid:
            raise self.failed(f"gives an answer that cannot be used: {invalid}") from invalid

    async def asked(
        self, read: Callable[[Any], Read], method: str, **parameters: str | int
    ) -> Read:
        """Call a method and read its result. Raises RpcFailed.

        Integers go as strings, as CometBFT's JSON has them.
        """
        sent = {name: str(value) for name, value in parameters.items()}
        body = {"jsonrpc": "2.0", "id": 0, "method": method, "params": sent}
        return self.understood(read, self.result(await self.posted(json.dumps(body)), 0))

    # --- what can be asked -----------------------------------------------------------------------
    async def status(self) -> Status:
        """Ask where the node stands. Raises RpcFailed."""
        return await self.asked(status_read, "status")

    async def commit(self, height: int) -> SignedHeader:
        """Ask for the header of a height and its commit. Raises RpcFailed."""
        signed = await self.asked(signed_header_read, "commit", height=height)
        if signed.header.height != height:
            raise self.failed(f"gives another height than {height}")
        return signed

    async def validators(self, height: int) -> list[Validator]:
        """Ask for all validators of a height, in CometBFT's order. Raises RpcFailed."""
        found: list[Validator] = []
        total, page = 1, 1
        while len(found) < total:
            part, total = await self.asked(
                validators_read, "validators", height=height, page=page, per_page=VALIDATORS_PAGE
            )
            found += part
            page += 1
            if not part or len(found) > total or total > VALIDATORS_MAX:
                raise self.failed(f"gives {len(found)} validators, and says {total}")
        return found

    async def app_hashes(self, first: int, last: int) -> list[bytes]:
        """Ask for the app hash in each header from `first` to `last`. Raises RpcFailed."""
        assert 0 < first
        found: list[bytes] = []
        for low in range(first, last + 1, HEADERS_PAGE):
            high = min(low + HEADERS_PAGE - 1, last)
            headers = await self.asked(headers_read, "blockchain", minHeight=low, maxHeight=high)
            if [header.height for header in headers] != list(range(high, low - 1, -1)):
                raise self.failed(f"lacks headers of the heights from {low} to {high}")
            found += [header.app_hash for header in reversed(headers)]
        return found

    async def peers(self) -> list[str]:
        """Ask whom the node is connected to: their ids, in order. Raises RpcFailed."""
        return await self.asked(peers_read, "net_info")

    # --- transactions ----------------------------------------------------------------------------
    async def broadcast(self, tx: bytes) -> Verdict:
        """Hand in a transaction; give what CheckTx said of it. Raises RpcFailed.

        RpcRefused: CometBFT itself did not take it, for it has it already or is full.
        """
        return self.verdict(await self.posted(broadcast_request(tx, 0)), 0)

    async def broadcast_many(
        self, txs: Sequence[bytes], lanes: int = 1, wait: bool = True
    ) -> list[Verdict | RpcFailed]:
        """Hand in transactions in batches; give for each its verdict or why there is none.

        lanes: how many batches are under way at a time. With one they arrive in order. wait: for
        what CheckTx says of each, one after the other; else code 0 means that it is being asked.
        """
        found: list[Verdict | RpcFailed] = [RpcFailed("Not sent.")] * len(txs)
        left = iter(self.batches(txs))

        async def lane() -> None:
            for first, size in left:
                found[first : first + size] = await self.batch(txs[first : first + size], wait)

        await asyncio.gather(*(lane() for _ in range(lanes)))
        return found

    def batches(self, txs: Sequence[bytes]) -> Iterator[tuple[int, int]]:
        """Cut transactions into batches of bounded number and bytes: the first of each, and size.

        A transaction that is too large for any goes alone, and CometBFT says so.
        """
        first = total = 0
        for at, tx in enumerate(txs):
            size = len(tx) * 4 // 3 + FRAME_BYTES
            if at > first and (at - first >= self.batch_max or total + size > BATCH_BYTES):
                yield first, at - first
                first, total = at, 0
            total += size
        if first < len(txs):
            yield first, len(txs) - first

    async def batch(self, txs: Sequence[bytes], wait: bool) -> list[Verdict | RpcFailed]:
        """Hand in one batch; what fails as a whole has failed for each."""
        requests = [broadcast_request(tx, number, wait) for number, tx in enumerate(txs)]
        try:
            answer = await self.posted(f"[{','.join(requests)}]")
            if isinstance(answer, dict) and len(txs) > 1:
                self.result(answer, 0)
            # A batch of one is answered by an object, as one of more is that fails as a whole.
            answers = [answer] if isinstance(answer, dict) else answer
            if not isinstance(answers, list) or len(answers) != len(txs):
                raise self.failed(f"does not answer each of {len(txs)} requests")
        except RpcFailed as failed:
            limit = BATCH_LIMIT.search(failed.data) if isinstance(failed, RpcRefused) else None
            if limit is None or not 0 < int(limit[1]) < len(txs):
                return [failed] * len(txs)
            # Nothing of it was looked at. This node allows fewer requests in one body.
            self.batch_max = min(self.batch_max, int(limit[1]))
            return await self.broadcast_many(txs, wait=wait)
        return [self.verdict_of_batch(entry, number) for number, entry in enumerate(answers)]

    def verdict_of_batch(self, answer: Any, number: int) -> Verdict | RpcFailed:
        """Read one answer of a batch."""
        try:
            return self.verdict(answer, number)
        except RpcFailed as failed:
            return failed

    def verdict(self, answer: Any, number: int) -> Verdict:
        """Read what became of a transaction. Raises RpcFailed."""
        error = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(error, dict) and answer.get("id") == number:
            found = invalid_read(error.get("data"))
            if found is not None:
                return found
        return self.understood(verdict_read, self.result(answer, number))


def broadcast_request(tx: bytes, number: int, wait: bool = True) -> str:
    """Write the request that hands in a transaction. wait: for what CheckTx says."""
    sent = base64.b64encode(tx).decode("ascii")
    method = "broadcast_tx_sync" if wait else "broadcast_tx_async"
    return f'{{"jsonrpc":"2.0","id":{number},"method":"{method}","params":{{"tx":"{sent}"}}}}'


def brief(words: str) -> str:
    """Make one short line of words that came from outside."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line[:SENTENCE_LETTERS_MAX].rstrip(".")


def asked_once(endpoint: Endpoint, ask: Callable[[Rpc], Awaitable[Read]]) -> Read:
    """Ask from where no event loop runs: `ask` gets an Rpc. Raises RpcFailed."""
    async def asking() -> Read:
        async with Rpc(endpoint) as rpc:
            return await ask(rpc)

    return asyncio.run(asking())
