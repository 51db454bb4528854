"""The remote signer: a process that holds a validator's key and answers over a Unix socket.

It signs votes and checkpoints that it has taken apart itself, never a digest that somebody else
has made, each by the guard of `ordering.guard` and only after the guard's file is synced. Clients
are served one request after the other, whoever they are.

    request   length u32, kind u8 (1 hello, 2 vote, 3 checkpoint), body
              a vote's body is its subject; a checkpoint's is epoch u64, height u64, digests 2 x 32
    reply     length u32, kind u8 (1 hello, 2 signature, 3 refusal), body
              hello: chain_id u64, application genesis 32, consensus hash 32, public key 33
              signature: 64 bytes; refusal: the name of the rule, ASCII
"""

import asyncio
import hashlib
import os
import signal
import socket
import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Final

from quorate.codec.consensus import (
    MessageInvalid,
    decode_subject,
    domain,
    encode_subject,
    subject_digest,
)
from quorate.commitment.proof import Checkpoint, checkpoint_digest
from quorate.crypto import sign_compact
from quorate.ordering.guard import Ask, Signing
from quorate.runtime.disk import StorageFailed
from quorate.runtime.errors import CannotListen
from quorate.runtime.guard_file import GuardFile
from quorate.types.consensus import Subject, VoteKind

LENGTH: Final = struct.Struct("<I")
CHECKPOINT: Final = struct.Struct("<QQ32s32s")
HELLO: Final = struct.Struct("<Q32s32s33s")
FRAME_BYTES_MAX: Final = 4096
NO_PROPOSAL: Final = bytes(32)
MALFORMED: Final = "malformed"


class RequestKind(IntEnum):
    """What a client wants."""

    HELLO = 1
    VOTE = 2
    CHECKPOINT = 3


class ReplyKind(IntEnum):
    """What a client gets."""

    HELLO = 1
    SIGNATURE = 2
    REFUSAL = 3


def framed(kind: int, body: bytes) -> bytes:
    """Write a request or a reply."""
    return LENGTH.pack(1 + len(body)) + bytes([kind]) + body


def vote_ask(subject: Subject) -> Ask:
    """Give what the guard compares of a vote: its place and its proposal, whatever its kind."""
    what = NO_PROPOSAL
    if subject.kind != VoteKind.NULLIFY:
        proposal = subject.parent_view.to_bytes(8, "little") + subject.payload
        what = hashlib.sha256(proposal).digest()
    return Ask(int(subject.kind), (subject.epoch, subject.view), what)


class Signer:
    """Signs by its guard. counts: of what was asked and what was refused, by rule."""

    def __init__(self, key: bytes, file: GuardFile) -> None:
        self.key = key
        self.file = file
        self.identity = file.identity
        self.bound = domain(file.identity.chain_id, file.identity.consensus_hash)
        self.counts: dict[str, int] = {}

    def answer(self, frame: bytes) -> bytes:
        """Answer a request, without its length. Raises StorageFailed."""
        kind, body = (frame[0], frame[1:]) if frame else (0, b"")
        if kind == RequestKind.HELLO and not body:
            return framed(ReplyKind.HELLO, HELLO.pack(*self.identity))
        if kind == RequestKind.VOTE:
            try:
                subject, end = decode_subject(body)
            except MessageInvalid:
                return self.refused(MALFORMED)
            if end != len(body) or encode_subject(subject) != body:
                return self.refused(MALFORMED)
            return self.guarded(vote_ask(subject), subject_digest(self.bound, subject))
        if kind == RequestKind.CHECKPOINT and len(body) == CHECKPOINT.size:
            epoch, height, block, root = CHECKPOINT.unpack(body)
            chain_id, genesis = self.identity.chain_id, self.identity.app_genesis
            bare = Checkpoint(chain_id, genesis, epoch, height, block, root, {})
            digest = checkpoint_digest(bare)
            return self.guarded(Ask(int(Signing.CHECKPOINT), (0, height), digest), digest)
        return self.refused(MALFORMED)

    def guarded(self, ask: Ask, digest: bytes) -> bytes:
        """Sign a digest if the guard lets us, and remember it first. Raises StorageFailed."""
        rule = self.file.guard.refusal(ask)
        if rule is not None:
            return self.refused(str(rule))
        signature = self.file.guard.stored(ask)
        if signature is None:
            signature = sign_compact(self.key, digest)
            self.file.note(ask, signature)
        self.counts["signed"] = self.counts.get("signed", 0) + 1
        return framed(ReplyKind.SIGNATURE, signature)

    def refused(self, rule: str) -> bytes:
        """Refuse, and count by rule."""
        self.counts[rule] = self.counts.get(rule, 0) + 1
        return framed(ReplyKind.REFUSAL, rule.encode("ascii"))


def refuse_taken(path: Path) -> None:
    """Remove a socket that a signer has left behind; refuse anything else. Raises CannotListen."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotListen(f"Cannot listen at {path}: {error.strerror}.") from error
    if not stat.S_ISSOCK(kind):
        raise CannotListen(f"Cannot listen at {path}: it is there, and no socket.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise CannotListen(f"Cannot listen at {path}: another process does.")
    path.unlink()


class SignerServer:
    """Serves a signer on a Unix socket until SIGTERM or SIGINT, or until its disk fails."""

    def __init__(self, signer: Signer, path: Path) -> None:
        self.signer = signer
        self.path = path
        self.stop_wanted: asyncio.Event
        self.failure: StorageFailed | None = None

    async def serve(self, announce: Callable[[], None]) -> None:
        """Listen and answer. Raises CannotListen, StorageFailed."""
        self.stop_wanted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop_wanted.set)
        refuse_taken(self.path)
        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self.client, str(self.path))
        except OSError as error:
            raise CannotListen(f"Cannot listen at {self.path}: {error.strerror}.") from error
        finally:
            os.umask(before)
        try:
            announce()
            await self.stop_wanted.wait()
        finally:
            server.close()
            self.path.unlink(missing_ok=True)
        if self.failure is not None:
            raise self.failure

    async def client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer a client's requests in their order."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not self.stop_wanted.is_set():
                (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                if size > FRAME_BYTES_MAX:
                    break
                frame = await reader.readexactly(size)
                try:
                    reply = self.signer.answer(frame)
                except StorageFailed as failure:
                    self.failure = failure
                    self.stop_wanted.set()
                    break
                writer.write(reply)
                await writer.drain()
        writer.close()
