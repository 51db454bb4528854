"""The halt marker: a file that keeps a node from running until a person has looked at it."""

import json
from pathlib import Path
from typing import NamedTuple

from quorate.runtime.disk import fsync_folder, io_failing, write_whole

HALT_NAME = "halt.json"


class Halt(NamedTuple):
    """Why a node stopped itself. digest: 32 bytes, of the bundle or block at fault."""

    height: int
    digest: bytes
    reason: str

    @property
    def words(self) -> str:
        """The height, where the marker names one, and the reason, without a full stop."""
        height = f" at height {self.height}" if self.digest else ""
        return f"halted{height}: {self.reason.rstrip('.')}"


def write_halt(home: Path, halt: Halt) -> None:
    """Halt durably. A marker that stands already is replaced. Raises StorageFailed."""
    text = json.dumps(
        {"digest": halt.digest.hex(), "height": halt.height, "reason": halt.reason}, indent=1
    )
    path = home / HALT_NAME
    with io_failing("write", path):
        write_whole(path, [text.encode("ascii") + b"\n"])


def read_halt(home: Path) -> Halt | None:
    """The marker, or None if there is none. Raises StorageFailed.

    One that cannot be understood halts the node too: height 0, no digest, and it says so.
    """
    path = home / HALT_NAME
    with io_failing("read", path):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
    damaged = Halt(0, b"", f"{path} stands, but what it says is damaged")
    try:
        fields = json.loads(data)
        halt = Halt(fields["height"], bytes.fromhex(fields["digest"]), fields["reason"])
    except (ValueError, TypeError, KeyError):
        return damaged
    sound = type(halt.height) is int and type(halt.reason) is str
    return halt if sound else damaged


def remove_halt(home: Path) -> None:
    """Let the node run again, durably; for `resume` only. Raises StorageFailed."""
    path = home / HALT_NAME
    with io_failing("remove", path):
        path.unlink(missing_ok=True)
        fsync_folder(home)
