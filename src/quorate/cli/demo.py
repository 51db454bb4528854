"""`quorate demo`: the exchange at work on this machine, in a minute. The show is in demo_show.py.

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
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from quorate.cli.console import FOUND_WRONG, USERS_MISTAKE, end, errors_named

if TYPE_CHECKING:
    from quorate.cli.demo_show import Demo

FRAME_S: Final = 0.2
INTERRUPTED: Final = 130
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


async def drawn(demo: "Demo", console: Console, every_s: float) -> None:
    """Draw the live view, or print a line every few seconds."""
    from quorate.sim.demo.screen import picture, plain_line

    if not demo.live:
        while True:
            await asyncio.sleep(every_s)
            if demo.view.phase:
                print(plain_line(demo.view), flush=True)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(picture(demo.view, *console.size), refresh=True)
            await asyncio.sleep(FRAME_S)


async def played(demo: "Demo", console: Console) -> None:
    """Play the show before an audience."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    every_s = min(5.0, max(1.0, demo.view.seconds / 12))
    drawing = asyncio.ensure_future(drawn(demo, console, every_s))
    try:
        await demo.run()
    finally:
        drawing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await drawing


def command(
    seconds: float = typer.Option(60.0, min=4.0, max=3600.0, help="How long the market runs."),
    seed: int = typer.Option(7, min=0, help="Another seed is another market."),
    home: Path | None = typer.Option(
        None, "--home", help="A new or empty folder, kept; without it: a temporary one."
    ),
    json_out: Path | None = typer.Option(None, "--json", help="Write the result here, too."),
    plain: bool = typer.Option(False, "--plain", help="Lines instead of the live view."),
    keep: bool = typer.Option(False, "--keep", help="Keep the temporary folder."),
) -> None:
    """Show the exchange at work on this machine."""
    if json_out is not None and not json_out.parent.is_dir():
        end(USERS_MISTAKE, f"{json_out} cannot be written: {json_out.parent} is not a folder.")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    console.print(f"Quorate demo: a market of {seconds:.0f} s, seed {seed}, on a node of its own.")
    live = console.is_terminal and not console.is_dumb_terminal and not plain
    folder = None if home else Path(tempfile.mkdtemp(prefix="quorate-demo-"))
    path = home or Path(str(folder), "home")
    try:
        warmed(console, live)
        with errors_named():
            from quorate.cli.demo_show import Demo, made_home

            demo = Demo(made_home(path), seed, seconds, live)
            try:
                asyncio.run(played(demo, console))
                demo.result.ok = not demo.result.findings
            except (KeyboardInterrupt, asyncio.CancelledError):
                end(INTERRUPTED, "interrupted; the node is stopped.")
        shown(demo, console, kept=home is not None or keep)
        if json_out is not None:
            json_out.write_text(json.dumps(demo.result.tree(), indent=1) + "\n", encoding="ascii")
        if not demo.result.ok:
            raise typer.Exit(FOUND_WRONG)
    finally:
        if folder is not None and not keep:
            shutil.rmtree(folder, ignore_errors=True)


def shown(demo: "Demo", console: Console, kept: bool) -> None:
    """Print the end of the show."""
    from quorate.sim.demo.screen import clock
    from quorate.sim.demo.summary import summary

    result = demo.result
    if demo.live:
        for at_s, sentence in demo.view.story:
            console.print(f"[bright_black]{clock(at_s):>5}[/]  {sentence}", soft_wrap=True)
    if result.blocks:
        console.print(summary(result))
    for finding in [] if result.blocks else result.findings:
        console.print(f"[bold red]FOUND WRONG: {finding}[/]")
    if kept:
        path = result.home
        console.print(f"The home is kept: quorate inspect {path}, quorate run {path}.")
