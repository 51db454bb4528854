"""Child processes of a rival, in a folder of their own; both are gone afterwards, come what may.

Every child leads a process group, so that what it starts ends with it. On Linux the kernel also
kills it when this process dies without a chance to clean up.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quorate.cli.benches.rivals.results import NotMeasured, Rival, Skipped

# Loaded before any fork: the child may only call what is already there.
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
FILE_SYSTEMS_IN_MEMORY = {"tmpfs", "ramfs"}
LOG_TAIL_BYTES = 400


class Group:
    """The children of one measurement and their folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a child with pipes to its stdin and stdout; stderr goes to NAME.log.

        Raises OSError when the program cannot be started.
        """
        with (self.folder / f"{name}.log").open("wb") as log:
            child = subprocess.Popen(
                command,
                bufsize=0,  # what is written is sent, and a line is not read with the next
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self.children.append(child)
        return child

    def finished(self, name: str, command: list[str], seconds: float) -> str:
        """Run a child to its end; give what it writes to stdout.

        Raises NotMeasured when it fails or takes longer than `seconds`.
        """
        child = self.start(name, command)
        try:
            written, _none = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise NotMeasured(f"Its {name} did not end within {seconds:.0f} s.") from error
        if child.returncode:
            log = one_line((self.folder / f"{name}.log").read_bytes())
            raise NotMeasured(f"Its {name} ended with code {child.returncode}: {log}")
        self.children.remove(child)
        return written.decode("utf-8", "replace")

    def refuse_dead(self) -> None:
        """Raise NotMeasured, with the end of the logs, when a child has ended by itself."""
        ended = [child for child in self.children if child.poll() is not None]
        if ended:
            code = ended[0].returncode
            raise NotMeasured(f"A process of it ended with code {code}: {self.log_tail()}")

    def log_tail(self) -> str:
        """The end of the longest log, on one line."""
        texts = [path.read_bytes() for path in sorted(self.folder.glob("*.log"))]
        return one_line(max(texts, key=len, default=b""))

    def end(self) -> None:
        """Kill every process group and wait for its leader."""
        for child in self.children:
            with suppress(ProcessLookupError):  # it was reaped and nothing of its group is left
                os.killpg(child.pid, signal.SIGKILL)
        for child in self.children:
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()


def one_line(text: bytes) -> str:
    """The end of a log, on one line."""
    words = text[-LOG_TAIL_BYTES:].decode("ascii", "replace").split()
    return " ".join(words) or "it wrote no log."


def end_with_parent() -> None:
    """Ask the kernel to kill this child when its parent dies."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


@contextmanager
def group(folder: Path) -> Iterator[Group]:
    """Give an empty folder under `folder` and a group of children; remove both at the end."""
    made = Group(Path(tempfile.mkdtemp(prefix="rival-", dir=folder)).resolve())
    try:
        yield made
    finally:
        try:
            made.end()
        finally:
            shutil.rmtree(made.folder, ignore_errors=True)


def attempted(name: str, folder: Path, work: Callable[[Group], Rival]) -> Rival | Skipped:
    """Measure within a group; whatever stops a rival becomes the sentence of a `Skipped`."""
    kind = file_system(folder)
    if kind in FILE_SYSTEMS_IN_MEMORY:
        return Skipped(name, f"{folder} lies in memory ({kind}); give a folder on a disk.")
    try:
        with group(folder) as children:
            return work(children)
    except NotMeasured as error:
        return Skipped(name, str(error))
    except OSError as error:
        return Skipped(name, f"It could not be run: {error}.")


def file_system(folder: Path) -> str:
    """Type of the file system that holds a folder; empty where the kernel does not say."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return ""
    return mounted(mounts.read_text("utf-8", "replace"), folder.resolve())


def mounted(mounts: str, folder: Path) -> str:
    """Type of the deepest mount above `folder` in the text of /proc/mounts."""
    found, depth = "", 0
    for line in mounts.splitlines():
        _device, place, kind, *_options = line.split()
        path = Path(place.replace("\\040", " "))
        # A later mount on the same place hides the earlier one.
        if folder.is_relative_to(path) and len(path.parts) >= depth:
            found, depth = kind, len(path.parts)
    return found


def free_ports(count: int) -> list[int]:
    """TCP ports of the loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
