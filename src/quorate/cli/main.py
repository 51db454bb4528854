"""`quorate`: one command, its sub-commands loaded only when they are called.

Exit codes: 0 ok, 1 something was found wrong, 2 the user's mistake: one line, nothing changed, 3 a
newer program is wanted: the chain goes on under rules that this one lacks.
"""

import os
import sys
from typing import Final, NoReturn

import typer
from typer._click.exceptions import NoArgsIsHelpError, UsageError

import quorate
from quorate.cli.groups import Table, grouped

READER_GONE: Final = 141  # as a shell shows a program that SIGPIPE ended

# name: (module that has the function `command` or a table of a group, what it does)
COMMANDS: Final[Table] = {
    "init": ("quorate.cli.init", "Make a home: genesis, keys, configuration, an empty log."),
    "warm": ("quorate.cli.warm", "Compile all kernels now, so that no node waits for them."),
    "run": ("quorate.cli.run", "Run the node of a home until it is told to stop."),
    "cluster": ("quorate.cli.cluster", "Run all validators of a chain on this machine."),
    "resume": ("quorate.cli.resume", "Let a halted home run again, and log why."),
    "rejoin": ("quorate.cli.rejoin", "Bring a validator back whose log is gone."),
    "signer": ("quorate.cli.signer", "Hold a validator's key, and sign for its node."),
    "demo": ("quorate.cli.demo", "Show the exchange at work on this machine."),
    "replay": ("quorate.cli.replay", "Run recorded market data through the exchange."),
    "replay-chain": ("quorate.cli.replay_chain", "Execute a home's blocks anew and compare."),
    "prove": ("quorate.cli.prove", "Write a proof of an account, an order or an event."),
    "prove-products": (
        "quorate.cli.prove_products",
        "Prove by z3 that each product keeps its bounds and is zero-sum.",
    ),
    "prove-rules": ("quorate.cli.prove_rules", "Prove by z3 what the rules must hold."),
    "verify": ("quorate.cli.verify", "Check a proof that somebody wrote."),
    "inspect": ("quorate.cli.inspect", "Show what a home holds, without changing anything."),
    "what-if": (
        "quorate.cli.what_if",
        "Show who would be liquidatable under other parameters or marks.",
    ),
    "options": ("quorate.cli.options", "Price options, and judge recorded ones."),
    "sim": ("quorate.cli.simulate", "Try to break validators in a seeded world."),
    "scenario": ("quorate.cli.scenario", "Replay real trouble through the clearing house."),
    "fuzz": ("quorate.cli.fuzz", "Search for a disagreement, for a number of seconds."),
    "bench": ("quorate.cli.bench", "Measure this machine."),
}


app = grouped(COMMANDS)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        print(f"quorate {quorate.__version__}")
        raise typer.Exit


@app.callback()
def quorate_command(
    version: bool = typer.Option(
        False, "--version", callback=show_version, is_eager=True, help="Show the version and end."
    ),
) -> None:
    """A derivatives exchange whose clearing house is a replicated state machine."""


def unread() -> int:
    """Let what stdout still holds go nowhere; give the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_GONE


def called() -> int:
    """Call the command that the arguments name; give the exit code."""
    try:
        code = app(standalone_mode=False)
    except NoArgsIsHelpError as error:
        print(error.format_message())
        return 2
    except UsageError as error:
        path = error.ctx.command_path if error.ctx else "quorate"
        sentence = " ".join(error.format_message().split())
        stop = "" if sentence.endswith((".", "?")) else "."
        sys.stderr.write(f"quorate: {sentence}{stop} See {path} --help.\n")
        return 2
    except typer.Abort:
        return 130
    except SystemExit:
        # The library exits by itself in one case: the pipe that we write into is broken.
        return unread()
    # A command that was ended early gives its exit code; one that ran to its end gives None.
    return code if isinstance(code, int) else 0


def main() -> NoReturn:
    """Run the command line."""
    if not sys.stdout.isatty() and sys.stdout.encoding.lower() != "utf-8":
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    try:
        code = called()
        sys.stdout.flush()
    except BrokenPipeError:
        code = unread()
    sys.exit(code)


if __name__ == "__main__":
    main()
