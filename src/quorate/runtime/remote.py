"""The node's side of a remote signer: a refusal or a signer that is gone means no vote, no crash.

One connection for each thread that signs: the event loop's for votes, the ledger's for checkpoints.
A signature that comes too late is dropped with its connection; the signer remembers it, and gives
it again when it is asked for the very same.
"""

import socket
import time
from typing import Final

from quorate.codec.consensus import encode_subject
from quorate.commitment.proof import Checkpoint
from quorate.ordering.scheme import KeyScheme
from quorate.runtime.disk import HomeRefused
from quorate.runtime.guard_file import SignerIdentity
from quorate.runtime.signer import (
    CHECKPOINT,
    FRAME_BYTES_MAX,
    HELLO,
    LENGTH,
    ReplyKind,
    RequestKind,
    framed,
)
from quorate.types.consensus import VOTE_SIGNATURE_BYTES, Subject, ValidatorSet

ANSWER_S: Final = 0.5
PAUSE_S: Final = 1.0


class SignerGone(Exception):
    """No signer answers as one should. The sentence says how."""


class RemoteSigner:
    """A connection to a signer, made when it is needed. counts: of what came of requests."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.socket: socket.socket | None = None
        self.pause_until_s = 0.0
        self.counts: dict[str, int] = {}

    def vote(self, subject: Subject) -> bytes | None:
        """Have a vote signed; None when the signer refuses or is gone."""
        return self.signature(framed(RequestKind.VOTE, encode_subject(subject)))

    def checkpoint(self, checkpoint: Checkpoint) -> bytes | None:
        """Have a checkpoint signed; None when the signer refuses or is gone."""
        body = CHECKPOINT.pack(
            checkpoint.epoch,
            checkpoint.height,
            checkpoint.exec_block_digest,
            checkpoint.state_root,
        )
        return self.signature(framed(RequestKind.CHECKPOINT, body))

    def identity(self) -> SignerIdentity:
        """Ask whose key it is. Raises SignerGone."""
        kind, body = self.exchanged(framed(RequestKind.HELLO, b""))
        if kind != ReplyKind.HELLO or len(body) != HELLO.size:
            raise SignerGone("it does not greet as a signer does")
        return SignerIdentity(*HELLO.unpack(body))

    def signature(self, request: bytes) -> bytes | None:
        """Send a request and count what came of it."""
        if time.monotonic() < self.pause_until_s:
            self.count("signer_gone")
            return None
        try:
            kind, body = self.exchanged(request)
        except SignerGone:
            self.pause_until_s = time.monotonic() + PAUSE_S
            self.count("signer_gone")
            return None
        if kind == ReplyKind.SIGNATURE and len(body) == VOTE_SIGNATURE_BYTES:
            self.count("signer_signed")
            return body
        self.count(f"signer_refused_{body.decode('ascii', 'replace')}"[:64])
        return None

    def exchanged(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and read its reply, kind and body. Raises SignerGone."""
        try:
            if self.socket is None:
                self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.socket.settimeout(ANSWER_S)
                self.socket.connect(self.path)
            self.socket.sendall(request)
            (size,) = LENGTH.unpack(self.read(LENGTH.size))
            if not 1 <= size <= FRAME_BYTES_MAX:
                raise SignerGone("it sends frames that no signer sends")
            reply = self.read(size)
        except (OSError, SignerGone) as error:
            self.close()
            raise SignerGone(str(error)) from error
        return reply[0], reply[1:]

    def read(self, size: int) -> bytes:
        """Read exactly so many bytes. Raises OSError, SignerGone."""
        assert self.socket is not None
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise SignerGone("it has closed the connection")
            data += piece
        return data

    def close(self) -> None:
        """End the connection; the next request makes another."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def count(self, name: str) -> None:
        """Count for metrics."""
        self.counts[name] = self.counts.get(name, 0) + 1


class RemoteScheme(KeyScheme):
    """Checks votes as every validator does, and has its own signed elsewhere."""

    def __init__(self, validators: ValidatorSet, bound: bytes, me: int, path: str) -> None:
        super().__init__(validators, bound, None)
        self.me = me
        self.signer = RemoteSigner(path)

    def sign(self, subject: Subject) -> bytes | None:
        """Have a vote signed; a signature that does not hold is none."""
        signature = self.signer.vote(subject)
        if signature is None or self.holds(subject, self.me, signature):
            return signature
        self.signer.count("signer_wrong")
        return None


def refuse_other_remote(path: str, wanted: SignerIdentity) -> None:
    """Refuse a signer that is gone at start, or signs for another validator. Raises HomeRefused."""
    signer = RemoteSigner(path)
    try:
        found = signer.identity()
    except SignerGone as gone:
        raise HomeRefused(f"No signer answers at unix:{path} ({gone}); start it first.") from gone
    finally:
        signer.close()
    if found != wanted:
        raise HomeRefused(
            f"The signer at unix:{path} signs for key {found.key.hex()} of chain {found.chain_id}, "
            f"but this validator is {wanted.key.hex()} of chain {wanted.chain_id}."
        )
