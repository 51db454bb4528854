"""CometBFT's side of the ABCI socket, by hand: one request at a time, or many at once."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from quorate.runtime.cometbft.messages import Request, Response, frame
from quorate.runtime.endpoint import ABCI_NAME
from tests.live.nodes import PATIENCE_S


class Abci:
    """One connection to the node of a home."""

    def __init__(self, home: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.socket.connect(str(home / ABCI_NAME))
                break
            except OSError:
                assert time.monotonic() < end_s, "the node does not listen to CometBFT"
                time.sleep(0.02)
        self.held = b""

    def post(self, **request: Any) -> None:
        """Send a request."""
        self.socket.sendall(frame(Request(**request)))

    def reply(self) -> Any:
        """Read the next response; None where the connection has ended."""
        while True:
            length = at = 0
            for at, byte in enumerate(self.held[:10]):
                length |= (byte & 0x7F) << 7 * at
                if byte < 0x80:
                    end = at + 1 + length
                    if len(self.held) < end:
                        break
                    body, self.held = self.held[at + 1 : end], self.held[end:]
                    return Response.FromString(body)
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.held += data

    def ask(self, kind: str, **fields: Any) -> Any:
        """Ask and give the message that answers, or the error."""
        self.post(**{kind: fields})
        response = self.reply()
        if response is None:
            return None
        found = response.WhichOneof("value")
        return response.exception.error if found == "exception" else getattr(response, found)

    def check(self, *txs: bytes) -> list[int]:
        """Check transactions, all sent before the first answer is read."""
        for tx in txs:
            self.post(check_tx={"tx": tx})
        return [self.reply().check_tx.code for _ in txs]

    def block(self, height: int, time_ms: int, txs: Sequence[bytes], commit: bool = True) -> Any:
        """Decide a block, and commit it unless told otherwise; give the answer to FinalizeBlock."""
        seconds, rest = divmod(time_ms, 1000)
        answer = self.ask(
            "finalize_block", height=height, txs=txs,
            time={"seconds": seconds, "nanos": rest * 1_000_000},
        )  # fmt: skip
        if commit:
            assert self.ask("commit").retain_height == 0
        return answer

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def __enter__(self) -> "Abci":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
