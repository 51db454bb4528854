"""`quorate bench`: measure this machine, as figures with their circumstances."""

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from quorate.cli.console import USERS_MISTAKE, end, errors_named, refuse_unwritable
from quorate.cli.warm import warmed

# Groups in the order in which they run; a NAME on the command line selects by prefix.
GROUPS = (
    ("machine.fdatasync_p50_ms", "facts", "disk"),
    ("compile_s", "facts", "compilation"),
    ("kernel.mixed", "kernels", "mixed"),
    ("kernel.worst", "kernels", "worst"),
    ("kernel.full", "clearing", "full"),
    ("risk.scan_million_ms", "risk", "scan"),
    ("options.black76_per_s", "options", "black76"),
    ("options.portfolio_100_us", "options_margin", "margin"),
    ("root.hashes_per_s", "facts", "hashes"),
    ("path.bundle", "path", "path"),
    ("recovery.million_s", "path", "recovery"),
    ("rss.million_mib", "facts", "memory"),
)
# Groups that take minutes and other programs; they run only when named.
NAMED_GROUPS = (
    ("cluster", "cluster", "cluster"),
    ("sim.steps_per_s", "cluster", "simulator"),
    ("engine", "engines", "engines"),
)
TIMED = "engine"  # the group whose runs take as long as --seconds says


def selected(names: list[str]) -> list[tuple[str, str, str]]:
    """Groups whose figures a name selects; without names all but those that must be named."""
    every = (*GROUPS, *NAMED_GROUPS)
    chosen = [
        group
        for group in (every if names else GROUPS)
        if not names or any(fits(group[0], name) for name in names)
    ]
    for name in names:
        if not any(fits(group[0], name) for group in every):
            known = ", ".join(group[0] for group in every)
            end(USERS_MISTAKE, f"No figure is named {name}; known are {known}.")
    return chosen


def fits(group: str, name: str) -> bool:
    """Whether a name selects a group: `kernel`, `kernel.mixed`, `path.bundle1`, `root`."""
    return group.startswith(name) or name.startswith(group) or group.split(".")[0] == name


def machine() -> str:
    """This machine in words."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("ascii", "replace").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{os.cpu_count()} x {model}, {platform.system()}, Python {platform.python_version()}"


def measured(chosen: list[tuple[str, str, str]], seconds: float | None) -> Iterator[Any]:
    """Run the chosen groups one after another. seconds: None for what the group has itself."""
    import importlib

    for name, module, function in chosen:
        sys.stderr.write(f"measuring {name} ...\n")
        work: Callable[..., Iterator[Any]] = getattr(
            importlib.import_module(f"quorate.cli.benches.{module}"), function
        )
        yield from work() if seconds is None or name != TIMED else work(seconds)


def command(
    names: list[str] = typer.Argument(None, help="Which; without: all but cluster, sim, engines."),
    seconds: float | None = typer.Option(None, help="Of each run of `engines`."),
    json_path: Path | None = typer.Option(None, "--json", help="Write the figures there as JSON."),
) -> None:
    """Measure this machine."""
    chosen = selected(names or [])
    if seconds is not None and not (seconds >= 1 and any(group[0] == TIMED for group in chosen)):
        end(USERS_MISTAKE, "--seconds is for `engines` alone, and is 1 or more.")
    if json_path is not None:
        refuse_unwritable("--json", json_path)
    with errors_named():
        warmed()
        print(machine(), flush=True)
        found = []
        for figure in measured(chosen, seconds):
            found.append(figure)
            shown = f"{figure.value:,.0f}" if figure.value >= 1000 else f"{figure.value:,.3g}"
            print(f"{figure.name:32} {shown:>14} {figure.unit:18} {figure.detail}", flush=True)
    if json_path is not None:
        rows = [
            {"name": f.name, "value": f.value, "unit": f.unit, "detail": f.detail} for f in found
        ]
        rows.append(
            {"name": "machine", "value": os.cpu_count(), "unit": "cores", "detail": machine()}
        )
        try:
            json_path.write_text(json.dumps(rows, indent=1) + "\n")
        except OSError as error:
            end(USERS_MISTAKE, f"{json_path} cannot be written: {error.strerror}.")
    sys.stdout.flush()
