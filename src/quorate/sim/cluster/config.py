"""What a run is made of. `drawn` lets a seed choose all of it, faults and their rates included.

Rates ending in _e3 are out of 1024 messages or chances. The faults that destroy memory (rot, lose)
strike only `victims`, whose weight with that of the liars stays below a third: one who has lost its
memory is as dangerous as one who lies.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Final

from quorate.ordering.timing import Times
from quorate.sim.checkers.arithmetic import is_tolerable

ACTORS: Final = (
    "equivocator",
    "withholder",
    "conflicter",
    "impersonator",
    "replayer",
    "skipper",
    "delayer",
    "twin",
)
FAULTS: Final = (
    "crash",
    "crash_all",
    "partition",
    "clog",
    "wall_jump",
    "drift",
    "freeze",
    "slow_disk",
    "rot",
    "lose",
)
ACTORS_FULL: Final = (*ACTORS, "wrong_root")
TIMES: Final = Times(60, 80, 1_500, 200, 1_000, 2_000)


@dataclass(frozen=True, slots=True)
class Config:
    """One run.

    liars: (index, actor). faults: names of FAULTS; every_ms: how often each strikes on average.
    faults_ms: the first phase; heal_ms: the bound on the second; goal: what each must finalize
    within it. work: always, never or bursts. kernels: the ledger runs the kernels, else the
    readable definition. submit_ms: between requests of clients. lag_max: the chain's
    checkpoint_lag_max. hasty: a driver that sends before it syncs. forgetful: one that votes on
    after it lost its journal.
    """

    seed: int
    scenario: str = "swarm"
    weights: tuple[int, ...] = (1, 1, 1, 1)
    liars: tuple[tuple[int, str], ...] = ()
    victims: tuple[int, ...] = ()
    faults: tuple[str, ...] = ()
    every_ms: int = 2_000
    loss_e3: int = 0
    duplicate_e3: int = 0
    spike_e3: int = 0
    spike_ms: int = 1_000
    delay_min_ms: int = 1
    delay_span_ms: int = 20
    fifo: bool = False
    encoded: bool = False
    refusal_e3: int = 0
    sync_ms: int = 0
    work: str = "always"
    times: Times = TIMES
    faults_ms: int = 20_000
    steps_max: int = 40_000
    heal_ms: int = 60_000
    heal_all: bool = True
    goal: int = 3
    kernels: bool = False
    submit_ms: int = 40
    lag_max: int = 64
    hasty: bool = False
    forgetful: bool = False

    @property
    def lying(self) -> tuple[int, ...]:
        """Name the liars."""
        return tuple(index for index, _ in self.liars)


def times_drawn(rng: Random) -> Times:
    """Draw the protocol's times around a delta."""
    delta = rng.choice((20, 40, 60, 100, 200))
    heartbeat = rng.choice((0, delta, 2 * delta))
    return Times(
        delta_ms=delta,
        heartbeat_ms=heartbeat,
        skip_timeout_ms=heartbeat + delta * rng.choice((4, 10, 30)),
        retry_ms=delta * rng.choice((1, 2, 3)),
        standstill_ms=delta * rng.choice((4, 10, 20)),
        delta_ms_max=delta * rng.choice((10, 20, 40)),
    )


def weights_drawn(rng: Random) -> tuple[int, ...]:
    """Draw validators: equal weights more often than not."""
    count = rng.choice((4, 4, 4, 5, 7, 10))
    if rng.getrandbits(1):
        return (1,) * count
    return tuple(rng.randrange(1, 6) for _ in range(count))


def tolerable(rng: Random, weights: tuple[int, ...], all_of_it: bool) -> list[int]:
    """Draw validators that together weigh less than a third."""
    order = list(range(len(weights)))
    rng.shuffle(order)
    taken: list[int] = []
    for index in order:
        weight = sum(weights[other] for other in taken) + weights[index]
        if is_tolerable(weight, sum(weights)) and (all_of_it or rng.randrange(4)):
            taken.append(index)
    return taken


def drawn(seed: int, every_fault: bool = False) -> Config:
    """Draw a whole configuration from a seed. every_fault: leave none out."""
    rng = Random(seed)
    weights = weights_drawn(rng)
    bad = tolerable(rng, weights, every_fault)
    liars = tuple((index, rng.choice(ACTORS)) for index in bad if rng.randrange(3))
    lying = [index for index, _ in liars]
    victims = tuple(index for index in bad if index not in lying)
    times = times_drawn(rng)
    faults = tuple(name for name in FAULTS if every_fault or rng.getrandbits(1))
    on = 1 if every_fault else rng.getrandbits(1)
    return Config(
        seed=seed,
        weights=weights,
        liars=liars,
        victims=victims,
        faults=faults,
        every_ms=rng.choice((600, 1_500, 4_000)) + 20 * times.delta_ms,
        loss_e3=on * rng.choice((0, 10, 50, 150, 300)),
        duplicate_e3=on * rng.choice((0, 20, 200, 500)),
        spike_e3=rng.choice((0, 0, 5, 30)),
        spike_ms=times.delta_ms * rng.choice((2, 10, 30)),
        delay_min_ms=1 if rng.getrandbits(1) else max(1, times.delta_ms // 4),
        delay_span_ms=max(2, times.delta_ms * rng.choice((1, 2, 3, 6)) // 4),
        fifo=not rng.randrange(3),
        encoded=not rng.randrange(4),
        refusal_e3=rng.choice((0, 0, 5, 50)),
        sync_ms=rng.choice((0, 0, 2, 5)),
        work=rng.choice(("always", "always", "bursts", "never")),
        times=times,
        faults_ms=400 * times.delta_ms,
        heal_ms=400 * times.delta_ms + 20 * times.delta_ms_max + 4 * times.skip_timeout_ms,
        heal_all=bool(rng.getrandbits(1)),
    )


def drawn_full(seed: int, every_fault: bool = False) -> Config:
    """Draw a configuration for whole validators: slower views, so that there are fewer blocks."""
    bare = drawn(seed, every_fault)
    rng = Random(f"full {seed}")
    delta = rng.choice((60, 100, 200))
    heartbeat = delta * rng.choice((1, 2, 4))
    times = Times(
        delta, heartbeat, heartbeat + delta * rng.choice((5, 10, 30)), 2 * delta,
        delta * rng.choice((5, 10, 20)), delta * rng.choice((10, 20)),
    )  # fmt: skip
    faults_ms = 80 * delta
    return replace(
        bare,
        scenario="full",
        liars=tuple((index, rng.choice(ACTORS_FULL)) for index, _ in bare.liars),
        times=times,
        every_ms=rng.choice((10, 25, 50)) * delta,
        delay_min_ms=1 + delta // 10,
        delay_span_ms=max(2, delta * rng.choice((1, 2, 3)) // 4),
        spike_ms=delta * rng.choice((2, 10)),
        encoded=False,
        work="always",
        faults_ms=faults_ms,
        steps_max=15_000,
        heal_ms=400 * delta + 30 * times.delta_ms_max + 4 * times.skip_timeout_ms,
        kernels=faults_ms // (delta // 2) > 160 and not rng.randrange(2),
        submit_ms=rng.choice((delta // 4, delta, 10 * delta)),
        lag_max=rng.choice((32, 64)),
    )
