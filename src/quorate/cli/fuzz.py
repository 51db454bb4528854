"""`quorate fuzz`: search for a disagreement of specification and kernels.

With `--mutation` the kernels are wrong on purpose, so that finding nothing is a failure of the
search. Exit code 1 says that a disagreement was found, in both cases.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import typer

from quorate.cli.console import FOUND_WRONG, USERS_MISTAKE, Bar, end

TARGETS = ("execution",)


def command(
    target: str = typer.Argument("execution", help="What to search: execution."),
    seconds: float = typer.Option(60, min=0, help="How long to search."),
    seed: int = typer.Option(-1, help="The first world's seed. -1: by the clock."),
    mutation: str = typer.Option("", help="Break the kernels in this way first; see --mutations."),
    mutations: bool = typer.Option(False, "--mutations", help="List the mutations and end."),
    shrink: bool = typer.Option(True, help="Drop bundles that a disagreement does not need."),
    json_path: str = typer.Option("", "--json", help="Write the outcome to this file."),
) -> None:
    """Search for a disagreement."""
    from quorate.sim.execution_mutations import MUTATIONS, mutation_of

    if mutations:
        for each in MUTATIONS:
            print(f"{each.name:18} {each.says}")
        return
    if target not in TARGETS:
        end(USERS_MISTAKE, f"Search one of: {', '.join(TARGETS)}.")
    if mutation and mutation_of(mutation) is None:
        end(USERS_MISTAKE, f"There is no mutation {mutation}; --mutations lists them.")
    first = seed if seed >= 0 else time.time_ns() // 1_000_000 % 1_000_000_000
    if mutation:
        raise typer.Exit(run_mutant(mutation, seconds, first, json_path))
    raise typer.Exit(search(seconds, first, json_path, shrink))


def run_mutant(name: str, seconds: float, seed: int, json_path: str) -> int:
    """Run the same search in a process that imports a mutated copy, without machine code."""
    import quorate
    from quorate.sim.execution_mutations import mutation_of, write_mutant

    mutation = mutation_of(name)
    assert mutation is not None and quorate.__file__ is not None
    arguments = ["fuzz", "execution", "--seconds", str(seconds), "--seed", str(seed)]
    arguments.append("--no-shrink")
    if json_path:
        arguments += ["--json", str(Path(json_path).absolute())]
    with tempfile.TemporaryDirectory() as folder:
        write_mutant(Path(quorate.__file__).parent, Path(folder), mutation)
        environment = {**os.environ, "PYTHONPATH": folder, "NUMBA_DISABLE_JIT": "1"}
        start = "from quorate.cli.main import main; main()"
        code = subprocess.run([sys.executable, "-c", start, *arguments], env=environment).returncode
    print(f"Mutation {name}: {'found' if code == FOUND_WRONG else 'not found'}.")
    return code


def search(seconds: float, seed: int, json_path: str, shrink: bool) -> int:
    """Search from world `seed` on and report; give the exit code."""
    from quorate.compiled import CacheUnwritable

    try:
        from quorate.sim import execution_fuzz
    except CacheUnwritable as error:
        end(USERS_MISTAKE, str(error))
    tally = execution_fuzz.Tally()
    with Bar("Searching") as bar:
        execution_fuzz.warm()
        start_s = time.monotonic()

        def go_on() -> bool:
            spent = time.monotonic() - start_s
            bar.update(int(spent), int(seconds))
            return spent < seconds or tally.blocks == 0

        found = execution_fuzz.fuzz(seed, go_on, tally, shrink=shrink)
        spent_s = time.monotonic() - start_s
    if json_path:
        write_outcome(json_path, seed, tally, found, spent_s)
    print(
        f"{tally.commands} commands in {tally.blocks} blocks of worlds {seed} to"
        f" {seed + tally.worlds}, {spent_s:.1f} s, {tally.commands / max(spent_s, 0.001):.0f}"
        " commands a second in lockstep."
    )
    if found is None:
        print("Specification and kernels agree.")
        return 0
    report(found)
    return FOUND_WRONG


def report(found: Any) -> None:
    """Print a disagreement in words."""
    from quorate.sim.execution_fuzz import block_words

    print(f"\nWorld {found.seed}, block {found.block.height}: {found.what}")
    print(found.detail)
    if found.smaller is not None:
        print("\nThese bundles suffice, from the state before the block:")
    else:
        print("\nThe block fails only with what went before it:")
    print("\n".join(block_words(found.smaller or found.block)[:60]))
    print(f"\nAgain: quorate fuzz execution --seed {found.seed}")


def write_outcome(path: str, seed: int, tally: Any, found: Any, spent_s: float) -> None:
    """Write what a program reads."""
    import json

    from quorate.types.codes import End, EventKind, Reject

    tree = {
        "seed": seed,
        "seconds": round(spent_s, 2),
        "worlds": tally.worlds,
        "blocks": tally.blocks,
        "commands": tally.commands,
        "codes": {Reject(code).name: count for code, count in sorted(tally.codes.items())},
        "kinds": {EventKind(kind).name: count for kind, count in sorted(tally.kinds.items())},
        "ends": {End(reason).name: count for reason, count in sorted(tally.ends.items())},
        "found": None
        if found is None
        else {"seed": found.seed, "block": found.block.height, "what": found.what},
    }
    Path(path).write_text(json.dumps(tree, indent=1) + "\n", encoding="ascii")
