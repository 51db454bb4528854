"""A new log for a validator whose log is gone, with which it observes at first (CONSENSUS J12).

The log is made apart, its first record OBSERVING durable in it, and moved to its place by one
rename: a crash leaves either no log or one that says so. Snapshots were made from the log that is
gone and reach beyond the new one; they are put aside.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from quorate.replica.records import OBSERVING
from quorate.runtime.config import COMETBFT
from quorate.runtime.disk import HomeRefused, flock_or_refuse, fsync_folder, io_failing
from quorate.runtime.files import (
    LOCK_NAME,
    LOG_FOLDER,
    SNAPSHOT_FOLDER,
    LogFiles,
    segment_numbers,
    snapshot_names,
)
from quorate.runtime.home import Home
from quorate.storage.writer import Entry
from quorate.types.consensus import VIEW_MAX

MAKING: Final = "rejoining"
ASIDE: Final = "snapshots-before-rejoin"


def rejoin(home: Home) -> Path | None:
    """Make the log; give where old snapshots were put, None if there were none.

    Raises HomeRefused, HomeLocked, StorageFailed.
    """
    if home.engine == COMETBFT:
        raise HomeRefused(
            f"{home.path} is of the engine {COMETBFT}, where nothing is signed here: `quorate run` "
            "makes a log that is gone anew, and CometBFT tells the chain again."
        )
    if home.consensus is None:
        raise HomeRefused(
            f"{home.path} is of a node alone, which nobody can tell what it has signed; restore it "
            "from a backup."
        )
    if len(home.consensus.validators) == 1:
        raise HomeRefused(
            f"{home.path} is the only validator of its chain, and no other can tell it what is "
            "final; restore it from a backup."
        )
    with io_failing("open", home.path / LOCK_NAME):
        lock = os.open(home.path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        flock_or_refuse(lock, home.path)
        if segment_numbers(home.path):
            raise HomeRefused(
                f"{home.path} has a log; `quorate run {home.path}` goes on with it. One that is "
                "damaged, or a copy older than the last run, must be moved away first."
            )
        made = log_made(home)
        with io_failing("make a log in", home.path):
            aside = snapshots_aside(home.path)
            target = home.path / LOG_FOLDER
            if target.is_dir():
                target.rmdir()
            os.rename(made, target)
            fsync_folder(home.path)
            shutil.rmtree(home.path / MAKING)
    finally:
        os.close(lock)
    return aside


def log_made(home: Home) -> Path:
    """Make a log that begins with OBSERVING in a folder of its own; give the log's folder."""
    folder = home.path / MAKING
    with io_failing("remove", folder):
        if folder.exists():
            shutil.rmtree(folder)
    with LogFiles.create(folder, home.identity, home.config.segment_bytes) as files:
        files.append([Entry(OBSERVING, VIEW_MAX, b"")])
        files.sync()
    return folder / LOG_FOLDER


def snapshots_aside(path: Path) -> Path | None:
    """Put snapshots aside, if there are any; say where. Raises OSError."""
    if not snapshot_names(path):
        return None
    number = 1
    while (path / f"{ASIDE}-{number}").exists():
        number += 1
    aside = path / f"{ASIDE}-{number}"
    os.rename(path / SNAPSHOT_FOLDER, aside)
    (path / SNAPSHOT_FOLDER).mkdir()
    fsync_folder(path)
    return aside
