"""Other replicated systems, measured on the same machine and as fast as they can be driven.

None of them is needed to install or run anything of ours: what is absent is skipped with the
sentence that says how to get it. One after another, since they share the machine's cores.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from quorate.cli.benches.rivals import etcd, pysyncobj, tigerbeetle
from quorate.cli.benches.rivals.results import Rival, Skipped

Measurement = Callable[[int, Path], Rival | Skipped]

MEASUREMENTS: tuple[Measurement, ...] = (
    lambda seconds, folder: pysyncobj.measure(seconds, folder, nodes=3, load=pysyncobj.SINGLE),
    lambda seconds, folder: pysyncobj.measure(seconds, folder, nodes=3),
    lambda seconds, folder: pysyncobj.measure(seconds, folder, nodes=4, load=pysyncobj.SINGLE),
    lambda seconds, folder: pysyncobj.measure(seconds, folder, nodes=4),
    lambda seconds, folder: etcd.measure(seconds, folder, load=etcd.SINGLE),
    lambda seconds, folder: etcd.measure(seconds, folder),
    tigerbeetle.measure,
)


def measurements(seconds: int, folder: Path) -> Iterator[Rival | Skipped]:
    """Measure each rival for `seconds` under `folder`, a folder on a disk; yield as they end."""
    for measurement in MEASUREMENTS:
        yield measurement(seconds, folder)


def measured(seconds: int, folder: Path) -> list[Rival | Skipped]:
    """Measure all rivals, one after another."""
    return list(measurements(seconds, folder))
