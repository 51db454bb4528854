"""`quorate sim`: run validators under a seeded world and try to break them.

The seed stands first in the output, and with it a run comes back exactly. The exit code names the
property that broke; docs/SIMULATOR.md says how to read a failure.
"""

import os
import time
from pathlib import Path
from typing import Any

import typer

from quorate.cli.console import USERS_MISTAKE, Bar, end, print_json, refuse_unwritable


def command(
    seed: int = typer.Option(-1, help="The seed. -1: by the clock."),
    seeds: str = typer.Option("", help="Many seeds, first:last, on all cores."),
    scenario: str = typer.Option("swarm", help="What to run; see --list."),
    twice: bool = typer.Option(False, "--twice", help="Run each seed twice and compare."),
    broken_guards: bool = typer.Option(
        False, "--broken-guards", help="Remove each guard in turn; each must be noticed."
    ),
    show_list: bool = typer.Option(False, "--list", help="List scenarios and exit codes."),
    json_path: str = typer.Option("", "--json", help="Write the outcome to this file, or -."),
) -> None:
    """Simulate a cluster."""
    from quorate.sim.scenarios.catalogue import SCENARIOS

    if show_list:
        print_list()
        return
    if scenario not in SCENARIOS:
        end(USERS_MISTAKE, f"There is no scenario {scenario}; --list names them.")
    if json_path not in ("", "-"):
        refuse_unwritable("--json", Path(json_path))
    if broken_guards:
        raise typer.Exit(hunt_guards(max(1, seed), json_path))
    if seeds:
        wanted = seeds_of(seeds)
    else:
        first = seed if seed >= 0 else time.time_ns() // 1_000_000 % 1_000_000_000
        wanted = range(first, first + 1)
    raise typer.Exit(run_all(scenario, wanted, twice, json_path))


def seeds_of(text: str) -> range:
    """Read first:last, both run."""
    first, colon, last = text.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        end(USERS_MISTAKE, f"--seeds takes first:last, as in 1:200, not {text}.")
    return range(int(first), int(last) + 1)


def print_list() -> None:
    """Print what can be run and what an exit code means."""
    from quorate.sim.cluster.failure import SENTENCES
    from quorate.sim.scenarios.catalogue import SCENARIOS

    for name, each in SCENARIOS.items():
        print(f"{name:18} {each.says}")
    print("\nExit codes: 0 all is well, 2 the user's mistake,")
    for code, sentence in SENTENCES.items():
        print(f"{int(code):18} {sentence}")


def run_all(scenario: str, seeds: range, twice: bool, json_path: str) -> int:
    """Run seeds, print what comes of each, and give the exit code of the first that fails."""
    from quorate.sim.scenarios.batch import run_seeds

    last = f" to {seeds[-1]}" if len(seeds) > 1 else ""
    print(f"seed {seeds[0]}{last}, scenario {scenario}", flush=True)
    began_s = time.monotonic()
    outcomes: list[Any] = []
    with Bar("Simulating") as bar:
        for outcome in run_seeds(scenario, seeds, twice, os.cpu_count() or 1):
            outcomes.append(outcome)
            bar.update(len(outcomes), len(seeds))
            if outcome.broken:
                break
    spent_s = time.monotonic() - began_s
    tree = tree_of(scenario, seeds, outcomes, spent_s)
    write_tree(json_path, tree)
    print(
        f"{tree['runs']} runs, {tree['steps']} steps, {tree['steps_per_s']} a second, "
        f"{tree['views']} views, {tree['finalized']} proposals final, digest {tree['digest'][:16]}"
    )
    failed = outcomes[-1]
    if not failed.broken:
        print("All is well.")
        return 0
    report(failed)
    return int(failed.broken)


def report(failed: Any) -> None:
    """Print a failure, and the line that brings it back."""
    from quorate.sim.cluster.failure import SENTENCES

    print(f"\n{failed.broken.name} (exit code {int(failed.broken)}): {SENTENCES[failed.broken]}.")
    print(f"Seed {failed.seed}, at {failed.at_ms} ms, step {failed.steps}: {failed.sentence}.")
    print(f"\nAgain: quorate sim --scenario {failed.scenario} --seed {failed.seed}")


def tree_of(scenario: str, seeds: range, outcomes: list[Any], spent_s: float) -> dict[str, Any]:
    """Sum outcomes up for a program."""
    from hashlib import sha256

    counts: dict[str, int] = {}
    for each in outcomes:
        for name, times in each.counts.items():
            counts[name] = counts.get(name, 0) + times
    steps = sum(each.steps for each in outcomes)
    digests = [each.digest for each in outcomes]
    whole = digests[0] if len(digests) == 1 else sha256("".join(digests).encode()).hexdigest()
    failed = outcomes[-1]
    return {
        "scenario": scenario,
        "seed_first": seeds[0],
        "seed_last": seeds[-1],
        "runs": len(outcomes),
        "broken": failed.broken.name if failed.broken else "",
        "broken_seed": failed.seed if failed.broken else None,
        "sentence": failed.sentence,
        "steps": steps,
        "steps_per_s": int(steps / max(spent_s, 0.001)),
        "seconds": round(spent_s, 2),
        "views": sum(each.views for each in outcomes),
        "finalized": sum(each.finalized for each in outcomes),
        "simulated_ms": sum(each.at_ms for each in outcomes),
        "counts": dict(sorted(counts.items())),
        "digest": whole,
    }


def write_tree(json_path: str, tree: Any) -> None:
    """Write what a program reads."""
    import json

    if json_path == "-":
        print_json(tree)
    elif json_path:
        Path(json_path).write_text(json.dumps(tree, indent=1) + "\n", encoding="ascii")


def hunt_guards(first_seed: int, json_path: str) -> int:
    """Remove each guard in turn and say after how many seeds it was noticed."""
    from quorate.sim.cluster.failure import Property
    from quorate.sim.scenarios.broken import EACH, hunt

    print(f"seed {first_seed}, every guard removed in turn", flush=True)
    found = []
    for each in EACH:
        noticed = hunt(each, first_seed)
        found.append(noticed)
        how = "NOT noticed" if not noticed.outcome else f"seed {noticed.after}"
        by = noticed.outcome.broken.name if noticed.outcome else ""
        print(f"{each.name:30} {how:12} of at most {each.seeds:3}   {by}", flush=True)
    tree = [
        {"guard": n.broken.name, "seeds": n.after, "seeds_max": n.broken.seeds} for n in found
    ]
    write_tree(json_path, {"seed_first": first_seed, "guards": tree})
    missed = [each.broken.name for each in found if not each.after]
    if missed:
        print(f"\nNot noticed: {', '.join(missed)}.")
        return int(Property.GUARD_UNNOTICED)
    return 0
