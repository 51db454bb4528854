"""`quorate resume`: let a halted home run again."""

from pathlib import Path

import typer

from quorate.cli.console import errors_named


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A home whose node has halted."),
    reason: str = typer.Option(..., "--reason", help="Why it may run again; this is logged."),
) -> None:
    """Let a halted home run again."""
    with errors_named():
        from quorate.runtime.disk import HomeRefused
        from quorate.runtime.home import read_home
        from quorate.runtime.start import resume

        if not reason.strip():
            raise HomeRefused("Say in --reason why the home may run again.")
        halt = resume(read_home(home), reason.strip())
        print(f"{home} was {halt.words}.")
        print(f"It may run again: quorate run {home}")
        print(f"Your reason is in the log: quorate inspect {home}")
