"""What the commands share: how errors end a command, how progress shows, how JSON is printed."""

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn

import typer

OK: Final = 0
FOUND_WRONG: Final = 1
USERS_MISTAKE: Final = 2
NEWER_WANTED: Final = 3
PATIENCE_S: Final = 0.7


def end(code: int, sentence: str) -> NoReturn:
    """End the command with one line on stderr."""
    line = " ".join(sentence.split())
    sys.stderr.write(f"quorate: {line}\n")
    raise typer.Exit(code)


def refuse_engine(engine: str | None, engines: Sequence[str]) -> None:
    """Refuse an engine that a command does not take; none is one."""
    if engine is not None and engine not in engines:
        named = f"{', '.join(engines[:-1])} or {engines[-1]}" if engines[1:] else engines[0]
        end(USERS_MISTAKE, f'--engine takes {named}, not "{engine}".')


def print_json(tree: Any) -> None:
    """Print a tree for machines."""
    print(json.dumps(tree, indent=1, sort_keys=False), flush=True)


def refuse_unwritable(option: str, path: Path) -> None:
    """Find out before the work, not after it, that its result cannot be written."""
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir():
        end(USERS_MISTAKE, f"{option} {path} must be a file in a folder that exists.")
    if not os.access(path if path.exists() else folder, os.W_OK):
        end(USERS_MISTAKE, f"{option} {path} cannot be written: its mode forbids it.")


@contextmanager
def errors_named() -> Iterator[None]:
    """Turn the errors that commands meet into one line and the exit code that fits."""
    # Imported here, so that a command which needs none of it starts at once.
    from quorate.compiled import CacheUnwritable
    from quorate.replica.errors import AuditFailed, ReplayRefused, VersionMissing
    from quorate.runtime.disk import HomeUnsound, StorageFailed
    from quorate.runtime.errors import (
        CannotListen,
        NodeGone,
        NodeHalted,
        NodeStopped,
        QuestionFailed,
        RequestRefused,
    )
    from quorate.storage.errors import LogDamaged, SnapshotDamaged, StorageRefusal

    try:
        yield
    except (HomeUnsound, LogDamaged, SnapshotDamaged, ReplayRefused) as error:
        # What lies below thinks of a network; a node that is alone has a backup, if anything.
        end(FOUND_WRONG, str(error))
    except (VersionMissing, NodeStopped) as error:
        end(NEWER_WANTED, str(error))
    except (StorageRefusal, CacheUnwritable, CannotListen) as error:
        end(USERS_MISTAKE, str(error))
    except (NodeGone, QuestionFailed, RequestRefused) as error:
        end(USERS_MISTAKE, str(error))
    except AuditFailed as error:
        end(FOUND_WRONG, f"The state contradicts itself: {error}.")
    except StorageFailed as error:
        end(FOUND_WRONG, str(error))
    except NodeHalted as error:
        if error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        end(FOUND_WRONG, str(error))


class Bar:
    """A progress bar on stderr that appears when something takes longer than a moment.

    Nothing is drawn where stderr is no terminal. `update(done, total)` is cheap.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.started_s = time.monotonic()
        self.progress: Any = None
        self.task: Any = None

    def __enter__(self) -> "Bar":
        return self

    def update(self, done: int, total: int) -> None:
        """Show how far it is."""
        if self.progress is None:
            if time.monotonic() - self.started_s < PATIENCE_S or not sys.stderr.isatty():
                return
            from rich.console import Console
            from rich.progress import Progress

            self.progress = Progress(console=Console(stderr=True), transient=True)
            self.task = self.progress.add_task(self.title, total=total)
            self.progress.start()
        self.progress.update(self.task, completed=done, total=total)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.progress is not None:
            self.progress.stop()
