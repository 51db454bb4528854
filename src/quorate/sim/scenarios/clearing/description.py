"""What a scenario's file says, as records. Everything is an integer or a name; nothing is optional
in silence: an unknown key, a missing one or a value of the wrong kind is refused with its place.

Units: `_ms`, `_ppm`, `_usd` (whole USD), `_ticks`, `_lots`. Times are milliseconds after `begin_ms`
of the chain unless a name says otherwise.
"""

import tomllib
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

FOLDER: Final = Path(__file__).resolve().parent


class ScenarioRefused(Exception):
    """A scenario's file cannot be used. One sentence that names the file and the place."""


@dataclass(frozen=True, slots=True)
class PricePath:
    """A feed's price over time: points (ms, ticks) joined by straight lines, or recorded minutes.

    `file`: below the folder of recorded data, from and until unix seconds. `scale`: ticks of this
    market for each 0.1 USD recorded. Steps of a minute smaller than `move_ppm` are left out.
    """

    points: tuple[tuple[int, int], ...] = ()
    file: str = ""
    from_s: int = 0
    until_s: int = 0
    move_ppm: int = 5_000


@dataclass(frozen=True, slots=True)
class Feed:
    """An index price; `external`: whether votes also bring the price of perpetuals elsewhere."""

    name: str
    path: PricePath
    external: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """As `types.clearing_spec.BandSpec`."""

    tau_ms: int
    up_ppm: int
    down_ppm: int
    auction_ms: int


@dataclass(frozen=True, slots=True)
class Market:
    """A perpetual. `leverage`: (from USD, at most so many times). `risk`: of RiskSpec, by name."""

    name: str
    feed: int
    quantum_e6: int
    price_max_ticks: int
    size_max_lots: int
    position_max_lots: int
    leverage: tuple[tuple[int, int], ...]
    slippage_max_ppm: int = 100_000
    maker_ppm: int = 0
    taker_ppm: int = 0
    insurance_usd: int = 0
    risk: dict[str, int] = field(default_factory=dict)
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Seeded accounts with a position at the start.

    leverage: (times, weight); sizes are drawn evenly on a logarithmic scale from size_usd. A part
    is isolated; a part hedges half its position in another market of the same feed.
    """

    name: str
    market: int
    accounts: int
    leverage: tuple[tuple[int, int], ...]
    size_usd: tuple[int, int]
    long_ppm: int = 500_000
    isolated_ppm: int = 0
    hedge_market: int = 0
    hedge_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Maker:
    """Accounts that quote around the index: a ladder of levels a side, replaced every few blocks.

    The k-th level lies k * step_ppm away and has k * lots. Where the index moved by more than
    stress_move_ppm within stress_ms they show stress_lots_ppm of that at stress_step_ppm. They
    never hold more than position_usd each; they take the other side of the opening imbalance.
    """

    market: int
    accounts: int
    deposit_usd: int
    levels: int
    lots: int
    step_ppm: int
    position_usd: int
    every_blocks: int = 1
    stress_move_ppm: int = 1_000_000
    stress_ms: int = 600_000
    stress_lots_ppm: int = 1_000_000
    stress_step_ppm: int = 0
    from_ms: int = 0
    until_ms: int = 1 << 46


@dataclass(frozen=True, slots=True)
class Flow:
    """Accounts that trade at random, with the move when chase_ppm says so; never past usd."""

    market: int
    accounts: int
    deposit_usd: int
    orders_per_block: int
    size_usd: tuple[int, int]
    reach_ppm: int = 5_000
    chase_ppm: int = 500_000


@dataclass(frozen=True, slots=True)
class Voter:
    """Weight of a validator's price votes."""

    weight: int


@dataclass(frozen=True, slots=True)
class Lie:
    """From when until when some voters say something else of a feed.

    `kind`: silent, stale (the price as of from_ms), zero, negative, or times factor_ppm.
    """

    from_ms: int
    until_ms: int
    voters: tuple[int, ...]
    kind: str
    feed: int = 0
    factor_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Halt:
    """No block between these times."""

    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Actor:
    """A single account by name, opened with a deposit."""

    name: str
    deposit_usd: int


@dataclass(frozen=True, slots=True)
class Act:
    """What an actor does at a time: buy, sell (at price_ticks, or offset_ppm from the index),
    cancel, withdraw (usd). `usd` is the worth at the index; `repeat` times, every `every_ms`.
    """

    at_ms: int
    actor: str
    do: str
    market: int = 1
    usd: int = 0
    price_ticks: int = 0
    offset_ppm: int = 0
    tif: str = "ioc"
    repeat: int = 1
    every_ms: int = 1_000


@dataclass(frozen=True, slots=True)
class Expectation:
    """Bounds of one figure, both included, and why; written before the run."""

    why: str
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file. `settle_ms`: how long the book and the bands run before the path begins to move."""

    name: str
    says: str
    sources: tuple[str, ...]
    seed: int
    block_ms: int
    settle_ms: int
    run_ms: int
    feeds: tuple[Feed, ...]
    markets: tuple[Market, ...]
    expected: dict[str, Expectation]
    numbers: dict[str, int] = field(default_factory=dict)
    venue_insurance_usd: int = 0
    vault_usd: int = 0
    groups: tuple[Group, ...] = ()
    makers: tuple[Maker, ...] = ()
    flows: tuple[Flow, ...] = ()
    voters: tuple[Voter, ...] = (Voter(1), Voter(1), Voter(1), Voter(1))
    lies: tuple[Lie, ...] = ()
    halts: tuple[Halt, ...] = ()
    actors: tuple[Actor, ...] = ()
    acts: tuple[Act, ...] = ()

    @property
    def accounts(self) -> int:
        """Accounts of the population, besides the roles, the vault and the voters."""
        parts = (self.groups, self.makers, self.flows)
        return len(self.actors) + sum(each.accounts for part in parts for each in part)

    @property
    def files(self) -> list[str]:
        """Recorded files that the price paths need."""
        return [feed.path.file for feed in self.feeds if feed.path.file]


# --- reading -------------------------------------------------------------------------------------
def value_read(kind: Any, value: Any, where: str) -> Any:
    """Check and convert one value by the type that its field has."""
    origin = get_origin(kind)
    if origin is UnionType:
        return value_read(get_args(kind)[0], value, where)
    if origin is tuple:
        return tuple_read(get_args(kind), value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise ScenarioRefused(f"{where} must be a table")
        each = get_args(kind)[1]
        return {name: value_read(each, one, f"{where}.{name}") for name, one in value.items()}
    if kind in (int, str, bool):
        if type(value) is not kind:
            raise ScenarioRefused(f"{where} must be of type {kind.__name__}, not {value!r}")
        return value
    return table_read(kind, value, where)


def tuple_read(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """Read a list of one kind, or of as many values as kinds."""
    if not isinstance(value, list):
        raise ScenarioRefused(f"{where} must be a list")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ScenarioRefused(f"{where} must have {len(kinds)} values")
    pairs = zip(kinds, value, strict=True)
    return tuple(value_read(kind, one, f"{where}[{k}]") for k, (kind, one) in enumerate(pairs))


def table_read(kind: Any, value: Any, where: str) -> Any:
    """Read a table into its record."""
    if not isinstance(value, dict):
        raise ScenarioRefused(f"{where} must be a table")
    hints = get_type_hints(kind)
    unknown = sorted(value.keys() - hints.keys())
    if unknown:
        raise ScenarioRefused(f"{where} has no {unknown[0]}; it has {', '.join(hints)}")
    needed = [
        each.name
        for each in fields(kind)
        if each.default is MISSING and each.default_factory is MISSING
    ]
    missing = [name for name in needed if name not in value]
    if missing:
        raise ScenarioRefused(f"{where} needs {missing[0]}")
    return kind(
        **{name: value_read(hints[name], one, f"{where}.{name}") for name, one in value.items()}
    )


def scenario_read(name: str, text: str) -> Scenario:
    """Read a scenario's text. Raises ScenarioRefused."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioRefused(f"{name}: {error}") from error
    found: Scenario = table_read(Scenario, {"name": name, **table}, name)
    refuse_references(found)
    return found


def refuse_references(scenario: Scenario) -> None:
    """Refuse a scenario that names a market, feed, actor or voter that it does not have."""
    markets, feeds = len(scenario.markets), len(scenario.feeds)
    named = [each.market for part in (scenario.groups, scenario.makers) for each in part]
    named += [each.market for each in scenario.flows] + [each.market for each in scenario.acts]
    if any(not 1 <= market <= markets for market in named):
        raise ScenarioRefused(f"{scenario.name}: a market is named that it does not have")
    if any(not 0 <= market.feed < feeds for market in scenario.markets):
        raise ScenarioRefused(f"{scenario.name}: a feed is named that it does not have")
    actors = [actor.name for actor in scenario.actors]
    for act in scenario.acts:
        if act.actor not in actors:
            raise ScenarioRefused(f"{scenario.name}: there is no actor {act.actor}")
    for lie in scenario.lies:
        if any(not 0 <= voter < len(scenario.voters) for voter in lie.voters):
            raise ScenarioRefused(f"{scenario.name}: a voter is named that it does not have")
    for name, each in scenario.expected.items():
        if not each.why.strip():
            raise ScenarioRefused(f"{scenario.name}: expected.{name} has no reason")


def scenario_names() -> list[str]:
    """Names of all scenarios, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def scenario_load(name: str) -> Scenario:
    """Read one scenario by name. Raises ScenarioRefused."""
    return scenario_read(name, (FOLDER / f"{name}.toml").read_text(encoding="ascii"))
