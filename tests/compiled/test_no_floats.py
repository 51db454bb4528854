"""No kernel and nothing that a kernel calls may hold a float, whatever numba infers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quorate.compiled import KERNEL_MODULES
from quorate.compiled.modules import TOOL_MODULES

ROOT = Path(__file__).resolve().parents[2]
WALK = Path(__file__).with_name("float_types.py")


def walked(modules: tuple[str, ...], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Walk the kernels of `modules`, compiled anew and without optimising, which types need not."""
    env = {
        **os.environ,
        "QUORATE_CACHE_DIR": str(folder / "cache"),
        "NUMBA_OPT": "0",
        "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(folder))),
    }
    command = [sys.executable, str(WALK), *modules]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_no_kernel_holds_a_float(tmp_path: Path) -> None:
    done = walked((*KERNEL_MODULES, *TOOL_MODULES), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


BAD_MODULE = '''
from quorate.compiled import helper, kernel

@helper
def ratio(a, b):
    return {expression}

@kernel("int64(int64, int64)")
def quotient(a, b):
    return {outer}
'''


@pytest.mark.parametrize(
    ("expression", "outer"),
    [
        ("a / b", "int(ratio(a, b))"),
        ("a // b", "int(ratio(a, b) * 0.5)"),
        ("a // b", "int(a ** 0.5) + ratio(a, b)"),
        ("int(a / b)", "ratio(a, b)"),
    ],
)
def test_the_walk_finds_a_float(tmp_path: Path, expression: str, outer: str) -> None:
    (tmp_path / "bad.py").write_text(BAD_MODULE.format(expression=expression, outer=outer))
    done = walked(("bad",), tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "float64" in done.stdout


def test_the_walk_accepts_integers(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(BAD_MODULE.format(expression="a // b", outer="ratio(a, b)"))
    done = walked(("good",), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kernels, 2 functions" in done.stdout
