"""`quorate demo`: four validators at work on this machine, in a minute.

The show is in demo_cluster.py; that of a node alone, `--solo`, in demo_show.py.

Nothing that holds kernels is imported before they are compiled, so that the first run can say what
it is doing.
"""

import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from quorate.cli.console import FOUND_WRONG, USERS_MISTAKE, end, errors_named

if TYPE_CHECKING:
    from typing import Protocol

    from quorate.sim.demo.screen import View

    class Outcome(Protocol):
        """What a show found."""

        ok: bool
        findings: list[str]
        home: str

        def tree(self) -> dict[str, Any]: ...

    class Show(Protocol):
        """A show: of four validators, or of a node alone."""

        live: bool
        view: View

        @property
        def result(self) -> Outcome: ...

        async def run(self) -> None: ...
        def picture(self, width: int, height: int) -> RenderableType: ...
        def plain_lines(self) -> list[str]: ...
        def ended(self) -> RenderableType | None: ...


FRAME_S: Final = 0.2
INTERRUPTED: Final = 130
VALIDATORS: Final = 4
PIPE_COLUMNS: Final = 100


def warmed(console: Console, live: bool) -> None:
    """Compile what the cache lacks, and say so meanwhile."""
    from quorate.compiled import is_warm, warm

    if is_warm():
        return
    title = "Compiling kernels, once per version: about half a minute"
    if not live:
        print(title, flush=True)
        warm(
            progress=lambda module, took_s, done, total: print(
                f"  {done} of {total}: {module}, {took_s:.0f} s", flush=True
            )
        )
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=None)
        warm(
            progress=lambda module, took_s, done, total: progress.update(
                task, completed=done, total=total
            )
        )


async def drawn(show: "Show", console: Console, every_s: float) -> None:
    """Draw the live view, or print lines every few seconds."""
    if not show.live:
        while True:
            await asyncio.sleep(every_s)
            for line in show.plain_lines():
                print(line, flush=True)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(show.picture(*console.size), refresh=True)
            await asyncio.sleep(FRAME_S)


async def played(show: "Show", console: Console) -> None:
    """Play the show before an audience."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    every_s = min(8.0, max(1.0, show.view.seconds / 6))
    drawing = asyncio.ensure_future(drawn(show, console, every_s))
    try:
        await show.run()
    finally:
        drawing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await drawing


def command(
    seconds: float = typer.Option(30.0, min=4.0, max=3600.0, help="How long the market runs."),
    seed: int = typer.Option(7, min=0, help="Another seed is another market."),
    home: Path | None = typer.Option(
        None, "--home", help="A new or empty folder, kept; without it: a temporary one."
    ),
    json_out: Path | None = typer.Option(None, "--json", help="Write the result here, too."),
    plain: bool = typer.Option(False, "--plain", help="Lines instead of the live view."),
    keep: bool = typer.Option(False, "--keep", help="Keep the temporary folder."),
    solo: bool = typer.Option(False, "--solo", help="One node that orders alone, not four."),
) -> None:
    """Show the exchange at work on this machine."""
    if json_out is not None and not json_out.parent.is_dir():
        end(USERS_MISTAKE, f"{json_out} cannot be written: {json_out.parent} is not a folder.")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    where = "a node that orders alone" if solo else f"{VALIDATORS} validators"
    console.print(f"Quorate demo: a market of {seconds:.0f} s, seed {seed}, on {where}.")
    live = console.is_terminal and not console.is_dumb_terminal and not plain
    folder = None if home else Path(tempfile.mkdtemp(prefix="quorate-demo-"))
    path = home or Path(str(folder), "home")
    try:
        with errors_named():
            if not solo:
                refuse_used(path)
            warmed(console, live)
            show = shown_solo(path, seed, seconds, live) if solo else shown_four(
                path, seed, seconds, live
            )
            try:
                asyncio.run(played(show, console))
                show.result.ok = not show.result.findings
            except (KeyboardInterrupt, asyncio.CancelledError):
                end(INTERRUPTED, "interrupted; no node is left running.")
        last_words(show, console, home is not None or keep, solo)
        if json_out is not None:
            json_out.write_text(json.dumps(show.result.tree(), indent=1) + "\n", encoding="ascii")
        if not show.result.ok:
            raise typer.Exit(FOUND_WRONG)
    finally:
        if folder is not None and not keep:
            shutil.rmtree(folder, ignore_errors=True)


def refuse_used(path: Path) -> None:
    """Refuse a folder that holds something: the demo begins at genesis. Raises HomeRefused."""
    from quorate.runtime.disk import HomeRefused
    from quorate.runtime.home import names_in

    if names_in(path):
        raise HomeRefused(f"{path} is not empty; choose a new folder.")


def shown_solo(path: Path, seed: int, seconds: float, live: bool) -> "Show":
    """Make the show of a node alone. Raises HomeRefused, StorageFailed."""
    from quorate.cli.demo_show import Demo, made_home

    return Demo(made_home(path), seed, seconds, live)


def shown_four(path: Path, seed: int, seconds: float, live: bool) -> "Show":
    """Make the show of four validators. Raises HomeRefused, StorageFailed."""
    from quorate.cli.demo_cluster import ClusterDemo
    from quorate.cli.demo_parts import DEMO_CONFIG
    from quorate.runtime.config import CLUSTER
    from quorate.runtime.testnet_homes import local_homes

    homes, _ = local_homes(path, VALIDATORS, config_text=DEMO_CONFIG, engine=CLUSTER)
    return ClusterDemo(path, homes, seed, seconds, live)


def last_words(show: "Show", console: Console, kept: bool, solo: bool) -> None:
    """Print the end of the show."""
    from quorate.sim.demo.screen import clock

    result, ended = show.result, show.ended()
    if show.live:
        for at_s, sentence in show.view.story:
            console.print(f"[bright_black]{clock(at_s):>5}[/]  {sentence}", soft_wrap=True)
    if ended is not None:
        console.print(ended)
    for finding in [] if ended is not None else result.findings:
        console.print(f"[bold red]FOUND WRONG: {finding}[/]")
    if kept and solo:
        print(f"The home is kept: quorate inspect {result.home}, quorate run {result.home}.")
    elif kept:
        print(
            f"The homes are kept: quorate cluster --home {result.home}, "
            f"quorate replay-chain {result.home}/validator-0."
        )
