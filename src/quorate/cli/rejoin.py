"""`quorate rejoin`: bring a validator back whose log is gone."""

from pathlib import Path

import typer

from quorate.cli.console import errors_named


def command(
    home: Path = typer.Argument(..., metavar="HOME", help="A validator's home without a log."),
) -> None:
    """Make a new log for a validator whose log is gone; it observes before it votes again."""
    with errors_named():
        from quorate.runtime.home import read_home
        from quorate.runtime.rejoining import rejoin

        aside = rejoin(read_home(home))
        print(f"Made a new log in {home}.")
        if aside is not None:
            print(f"Its snapshots, which reach beyond that log, are in {aside}.")
        print("It observes, and votes again when enough others have said where they are.")
        print(f"Start it: quorate run {home}")
