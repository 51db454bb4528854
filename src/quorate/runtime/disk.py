"""A few file operations that either are durable or fail for good. Nothing here knows of logs."""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quorate.storage.errors import StorageRefusal

TEMPORARY_SUFFIX = ".tmp"
COPY_BYTES = 1 << 20


class StorageFailed(Exception):
    """The disk failed. The process must stop without acknowledging anything more."""


class HomeRefused(StorageRefusal):
    """A home that cannot be opened or made; nothing in it was changed."""


class HomeUnsound(HomeRefused):
    """A home in which something was found wrong: it is halted, or what it held is gone."""


class HomeLocked(HomeRefused):
    """Another process has the home open."""


@contextmanager
def io_failing(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError into a StorageFailed of one sentence."""
    try:
        yield
    except OSError as error:
        code = errno.errorcode.get(error.errno or 0, "unknown")
        raise StorageFailed(
            f"Could not {action} {path}: {error.strerror} ({code}); "
            "this process writes nothing more, see to the disk and start again."
        ) from error


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes, offset: int) -> None:
    """pwrite until all is written; a short write is how a full disk starts. Raises OSError."""
    done = os.pwrite(fd, data, offset)
    if done == len(data):
        return
    view = memoryview(data)
    while done < len(data):
        step = os.pwrite(fd, view[done:], offset + done)
        if step == 0:
            raise OSError(errno.EIO, "the disk took no bytes")
        done += step


def write_whole(path: Path, chunks: Iterable[bytes], file_bytes: int = 0) -> None:
    """Make a file that is there whole or not at all, durably; a file of that name is replaced.

    file_bytes: at least this size, filled up with zeros. Raises OSError; HomeLocked if another
    process is writing the same file.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        flock_or_refuse(fd, temporary)
        try:
            _fill(fd, chunks, file_bytes)
            os.rename(temporary, path)
        except OSError:
            # A full disk gets its room back. Should this fail too, the first error is the one.
            with suppress(OSError):
                os.unlink(temporary)
            raise
    finally:
        os.close(fd)
    fsync_folder(path.parent)


def _fill(fd: int, chunks: Iterable[bytes], file_bytes: int) -> None:
    os.ftruncate(fd, 0)
    if file_bytes:
        os.posix_fallocate(fd, 0, file_bytes)
    offset = 0
    for chunk in chunks:
        write_all(fd, chunk, offset)
        offset += len(chunk)
    os.fsync(fd)


def remove_leftovers(folder: Path) -> None:
    """Remove what `write_whole` left half made, unless a process is at it. Raises OSError."""
    for path in folder.glob("*" + TEMPORARY_SUFFIX):
        with path.open("rb") as file:
            try:
                flock_or_refuse(file.fileno(), path)
            except HomeLocked:
                continue
            path.unlink()


def read_whole(path: Path) -> bytes:
    """The file's bytes. Raises StorageFailed."""
    with io_failing("read", path):
        return path.read_bytes()


def flock_or_refuse(fd: int, path: Path) -> None:
    """Lock an open file for this process, or raise HomeLocked naming the holder."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        who = f"process {holder}" if holder.isdigit() else "another process"
        raise HomeLocked(f"{path} is held by {who}; stop it first.") from None


def move_durably(path: Path, folder: Path) -> None:
    """Move a file into a folder, also on another file system. Raises OSError."""
    target = folder / path.name
    try:
        os.rename(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        write_whole(target, _pieces(path))
        path.unlink()
    fsync_folder(folder)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(COPY_BYTES):
            yield piece
