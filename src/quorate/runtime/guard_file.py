"""The file in which a remote signer remembers what it has signed, before the signature leaves.

    head     256 bytes: magic 16, chain_id u64, application genesis 32, consensus hash 32, public
             key 33, floor epoch u64, floor view u64, height floor u64, zeros, SHA-256 of the rest
    record   128 bytes: kind u8, epoch u64, view or height u64, what 32, signature 64, the first
             15 bytes of the SHA-256 of the rest

Little-endian. A record never crosses a sector, so the last one is there whole or not at all: what
is cut off at the end, or zero, was never synced and its signature never left. Any other record that
does not check is damage, and the file is refused: what was signed is not known any more. A file
that has grown is written anew with what the guard still keeps.
"""

import hashlib
import os
import struct
from pathlib import Path
from typing import Final, NamedTuple

from quorate.ordering.guard import Ask, Guard, Place, Signing
from quorate.runtime.disk import (
    HomeRefused,
    HomeUnsound,
    flock_or_refuse,
    fsync_folder,
    io_failing,
    write_all,
    write_whole,
)

MAGIC: Final = b"QUORATE-GUARD-1\n"
HEAD: Final = struct.Struct("<16sQ32s32s33sQQQ")
HEAD_BYTES: Final = 256
RECORD: Final = struct.Struct("<BQQ32s64s")
RECORD_BYTES: Final = 128
CHECK_BYTES: Final = RECORD_BYTES - RECORD.size
FILE_BYTES_MAX: Final = 4 << 20
LOCK_SUFFIX: Final = ".lock"


class SignerIdentity(NamedTuple):
    """For which chain and with which key a signer signs. key: compressed public key."""

    chain_id: int
    app_genesis: bytes
    consensus_hash: bytes
    key: bytes


def head_bytes(identity: SignerIdentity, guard: Guard) -> bytes:
    """Write the head."""
    plain = HEAD.pack(MAGIC, *identity, *guard.floor, guard.height_floor)
    padded = plain.ljust(HEAD_BYTES - 32, b"\0")
    return padded + hashlib.sha256(padded).digest()


def record_bytes(ask: Ask, signature: bytes) -> bytes:
    """Write a record."""
    plain = RECORD.pack(ask.kind, *ask.place, ask.what, signature)
    return plain + hashlib.sha256(plain).digest()[:CHECK_BYTES]


def record_read(data: bytes) -> tuple[Ask, bytes] | None:
    """Read a record; None for bytes that are none."""
    plain = data[: RECORD.size]
    if hashlib.sha256(plain).digest()[:CHECK_BYTES] != data[RECORD.size :]:
        return None
    kind, epoch, number, what, signature = RECORD.unpack(plain)
    if kind not in tuple(Signing):
        return None
    return Ask(kind, (epoch, number), what), signature


def guard_made(path: Path, identity: SignerIdentity, floor: Place, height_floor: int) -> None:
    """Make a guard file where none is. Raises HomeRefused, HomeLocked, StorageFailed."""
    if path.exists():
        raise HomeRefused(f"{path} is there already, and says what has been signed; keep it.")
    if not path.absolute().parent.is_dir():
        raise HomeRefused(f"{path} must be in a folder that exists.")
    with io_failing("write", path):
        write_whole(path, [head_bytes(identity, Guard(floor, height_floor))])


class GuardFile:
    """A guard and its file, held by this process alone."""

    def __init__(self, path: Path) -> None:
        """Open a guard file. Raises HomeRefused, HomeUnsound, HomeLocked, StorageFailed."""
        self.path = path
        if not path.exists():
            raise HomeRefused(
                f"{path} is not there: without it nobody knows what has been signed. Put it back; "
                "for a key that never signed, --init makes one."
            )
        lock_path = path.with_name(path.name + LOCK_SUFFIX)
        with io_failing("open", lock_path):
            self.lock_fd = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.fd = -1
        ready = False
        try:
            flock_or_refuse(self.lock_fd, path)
            with io_failing("read", path):
                data = path.read_bytes()
                self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            self.identity, self.guard = guard_read(path, data)
            self.size = HEAD_BYTES + RECORD_BYTES * records_whole(data)
            with io_failing("write", path):
                os.ftruncate(self.fd, self.size)
                os.fsync(self.fd)
            ready = True
        finally:
            if not ready:
                self.close()

    def note(self, ask: Ask, signature: bytes) -> None:
        """Remember a signature durably. Raises StorageFailed, and then nothing may leave."""
        with io_failing("write", self.path):
            write_all(self.fd, record_bytes(ask, signature), self.size)
            os.fdatasync(self.fd)
        self.size += RECORD_BYTES
        self.guard.note(ask, signature)
        if self.size > FILE_BYTES_MAX:
            self.rewrite()

    def rewrite(self) -> None:
        """Write the file anew with what the guard keeps. Raises StorageFailed."""
        chunks = [head_bytes(self.identity, self.guard)]
        chunks += [record_bytes(*kept) for kept in self.guard.everything()]
        with io_failing("write", self.path):
            write_whole(self.path, chunks)
            os.close(self.fd)
            self.fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            fsync_folder(self.path.absolute().parent)
        self.size = sum(len(chunk) for chunk in chunks)

    def close(self) -> None:
        """Let the file go."""
        for fd in (self.fd, self.lock_fd):
            if fd != -1:
                os.close(fd)
        self.fd = self.lock_fd = -1


def guard_read(path: Path, data: bytes) -> tuple[SignerIdentity, Guard]:
    """Read a guard file. Raises HomeUnsound."""
    head = data[: HEAD_BYTES - 32]
    if len(data) < HEAD_BYTES or data[: len(MAGIC)] != MAGIC:
        raise HomeUnsound(f"{path} is no guard file.")
    if hashlib.sha256(head).digest() != data[HEAD_BYTES - 32 : HEAD_BYTES]:
        raise damaged(path, 0)
    _, chain_id, app_genesis, consensus_hash, key, epoch, view, height = HEAD.unpack_from(head)
    guard = Guard((epoch, view), height)
    for index in range(records_whole(data)):
        at = HEAD_BYTES + RECORD_BYTES * index
        found = record_read(data[at : at + RECORD_BYTES])
        if found is None:
            raise damaged(path, at)
        guard.note(*found)
    return SignerIdentity(chain_id, app_genesis, consensus_hash, key), guard


def records_whole(data: bytes) -> int:
    """Count the records that were synced: all but a last one that is zero or cut off."""
    count = (len(data) - HEAD_BYTES) // RECORD_BYTES
    if count and not any(data[HEAD_BYTES + RECORD_BYTES * (count - 1) :][:RECORD_BYTES]):
        count -= 1
    return count


def damaged(path: Path, at: int) -> HomeUnsound:
    """Say that what was signed is not known any more."""
    return HomeUnsound(
        f"{path} is damaged at offset {at}: what was signed is not known any more. Put an intact "
        "copy of its last state back, or give the validator a new key."
    )

