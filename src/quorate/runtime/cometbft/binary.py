"""What this engine needs that the package does not bring: CometBFT's program, and two libraries."""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import quorate
from quorate.runtime.disk import HomeRefused

VARIABLE: Final = "COMETBFT"
PROGRAM: Final = "cometbft"
BUILT: Final = Path(".cometbft", "bin", PROGRAM)  # by `make cometbft`, in a checkout
VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.\d+")
VERSION_S: Final = 20.0
LIBRARIES: Final = ("google.protobuf", "aiohttp")
REMEDY: Final = (
    "take cometbft_0.38.26_linux_amd64.tar.gz, or the archive for your machine, from the releases "
    "of github.com/cometbft/cometbft, or `go install "
    "github.com/cometbft/cometbft/cmd/cometbft@v0.38.26`; then put it on the PATH, or name it in "
    f"${VARIABLE}."
)


@dataclass(frozen=True, slots=True)
class Program:
    """CometBFT's program. version: as it says itself."""

    path: Path
    version: str


def comet_program() -> Program:
    """Find CometBFT: $COMETBFT, else on the PATH, else built here. Raises HomeRefused."""
    named = os.environ.get(VARIABLE, "")
    found = shutil.which(named or PROGRAM)
    if found is None and named:
        raise HomeRefused(f"${VARIABLE} is {named}, which is no program; {REMEDY}")
    if found is None:
        built = Path(quorate.__file__).resolve().parents[2] / BUILT
        found = shutil.which(built)
    if found is None:
        raise HomeRefused(f"CometBFT's program {PROGRAM} is not on the PATH: {REMEDY}")
    path = Path(found).absolute()
    version = version_of(path)
    match = VERSION.match(version)
    if match is None or not (match[1] == "1" or (match[1], match[2]) == ("0", "38")):
        said = version or "of no version that it would say"
        raise HomeRefused(f"{path} is {said}, but 0.38.x or 1.x is wanted: {REMEDY}")
    return Program(path, version)


def version_of(path: Path) -> str:
    """Ask a program for its version; give nothing if it has no answer."""
    try:
        done = subprocess.run(
            [path, "version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=VERSION_S,
            text=True, errors="replace", check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = done.stdout.split()
    return words[-1] if words and done.returncode == 0 else ""


def refuse_without_libraries() -> None:
    """Refuse to run this engine where its libraries are missing. Raises HomeRefused."""
    for name in LIBRARIES:
        try:
            there = importlib.util.find_spec(name) is not None
        except ModuleNotFoundError:  # the package above it
            there = False
        if not there:
            raise HomeRefused(
                f'The engine cometbft needs the library {name}: pip install "quorate[cometbft]".'
            )
