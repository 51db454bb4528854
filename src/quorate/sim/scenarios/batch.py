"""Many seeds, spread over processes. The order of the outcomes is the order of the seeds."""

import multiprocessing
from collections.abc import Iterator

from quorate.sim.cluster.failure import Outcome
from quorate.sim.scenarios.catalogue import run_named

Job = tuple[str, int, bool]


def run_job(job: Job) -> Outcome:
    """Run one seed in a process of the pool."""
    return run_named(*job)


def run_seeds(scenario: str, seeds: range, twice: bool, workers: int) -> Iterator[Outcome]:
    """Run seeds; a worker takes the next as soon as it is free."""
    jobs = [(scenario, seed, twice) for seed in seeds]
    if workers <= 1 or len(jobs) == 1:
        yield from map(run_job, jobs)
        return
    # A fresh process inherits no thread and no lock of this one.
    with multiprocessing.get_context("spawn").Pool(min(workers, len(jobs))) as pool:
        yield from pool.imap(run_job, jobs)
