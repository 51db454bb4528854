"""The cache folder's name, the checks at its making, bounds checking, and warming."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quorate.compiled import CacheUnwritable, policy

ROOT = Path(__file__).resolve().parents[2]


def ran(code: str, folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run Python code in a process with its own cache folder."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    env.update(PYTHONPATH=str(ROOT / "src"), QUORATE_CACHE_DIR=str(folder), **settings)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def package(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


def test_the_digest_depends_on_every_source_and_its_name(tmp_path: Path) -> None:
    first = policy.folder_digest(package(tmp_path, "types/a.py", "x = 1\n"))
    assert first == policy.folder_digest(tmp_path)
    second = policy.folder_digest(package(tmp_path, "types/a.py", "x = 2\n"))
    third = policy.folder_digest(package(tmp_path, "types/b.py", ""))
    (tmp_path / "types" / "b.py").rename(tmp_path / "types" / "c.py")
    fourth = policy.folder_digest(tmp_path)
    assert len({first, second, third, fourth}) == 4


def test_rooms_that_no_kernel_can_import_do_not_count(tmp_path: Path) -> None:
    before = policy.folder_digest(package(tmp_path, "types/a.py", "x = 1\n"))
    assert policy.folder_digest(package(tmp_path, "runtime/a.py", "x = 1\n")) == before
    assert policy.folder_digest(package(tmp_path, "execution/a.py", "x = 1\n")) != before


def test_every_kernel_stands_in_a_room_that_counts() -> None:
    for path in policy.source_paths(policy.PACKAGE):
        if "@kernel(" in path.read_text(encoding="utf-8"):
            assert path in policy.kernel_sources(policy.PACKAGE), path


@pytest.mark.parametrize(
    ("name", "value"), [("QUORATE_BOUNDSCHECK", "1"), ("NUMBA_OPT", "1"), ("NUMBA_CPU_NAME", "x")]
)
def test_the_digest_depends_on_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    before = policy.folder_digest(tmp_path)
    monkeypatch.setenv(name, value)
    assert policy.folder_digest(tmp_path) != before


def test_the_home_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUORATE_CACHE_DIR", "/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert policy.cache_home() == Path("/own")
    monkeypatch.delenv("QUORATE_CACHE_DIR")
    assert policy.cache_home() == Path("/xdg/quorate")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert policy.cache_home() == Path.home() / ".cache" / "quorate"


def test_an_unwritable_folder_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "JIT_DISABLED", False)
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheUnwritable) as caught:
        policy.folder_ready(tmp_path / "file" / "kernels-1")
    sentence = str(caught.value)
    assert "set QUORATE_CACHE_DIR" in sentence and "\n" not in sentence


def test_only_the_newest_folders_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "JIT_DISABLED", False)
    for age in range(6):
        folder = tmp_path / f"{policy.FOLDER_PREFIX}{age}"
        folder.mkdir()
        os.utime(folder, (1000 + age, 1000 + age))
    (tmp_path / "other").mkdir()
    policy.folder_ready(tmp_path / f"{policy.FOLDER_PREFIX}new")
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [*(f"{policy.FOLDER_PREFIX}{age}" for age in ("3", "4", "5", "new")), "other"]


CANARY = "from quorate.compiled import canary_fires; print(canary_fires())"


@pytest.mark.parametrize(("setting", "fires"), [("1", "True"), ("0", "False")])
def test_the_canary_fires_when_bounds_are_checked(
    tmp_path: Path, setting: str, fires: str
) -> None:
    # Twice: the second process reads the cache.
    for _ in range(2):
        done = ran(CANARY, tmp_path, QUORATE_BOUNDSCHECK=setting)
        assert done.stdout.strip() == fires, done.stderr


TWO_KERNELS = """
import sys
from quorate.compiled import REGISTRY, helper, kernel

@helper
def more(x):
    return x + 1

@kernel("int64(int64)")
def twice(x):
    return 2 * more(x)

print(twice(20), [row.name for row in REGISTRY], type(more).__name__)
"""


@pytest.mark.parametrize(("setting", "kind"), [("0", "CPUDispatcher"), ("1", "function")])
def test_a_kernel_is_machine_code_or_plain_python(
    tmp_path: Path, setting: str, kind: str
) -> None:
    (tmp_path / "two.py").write_text(TWO_KERNELS)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import two"
    done = ran(code, tmp_path / "cache", NUMBA_DISABLE_JIT=setting)
    assert done.stdout.strip() == f"42 ['twice'] {kind}", done.stderr
    assert (tmp_path / "cache").exists() == (setting == "0")


FIRST_OF = """
import numpy as np
from quorate.compiled import kernel

@kernel("int64(int64[::1])")
def first_of(row):
    return row[0]

row = np.arange(4, dtype=np.int64)
fixed = row.copy()
fixed.flags.writeable = False
for wrong in (row[::2], fixed, row.astype(np.int32), row.astype(np.uint64)):
    try:
        first_of(wrong)
    except TypeError:
        print(len(first_of.overloads))
"""


def test_a_wrong_array_is_an_error_and_compiles_nothing(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(FIRST_OF)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import first"
    done = ran(code, tmp_path / "cache", NUMBA_DISABLE_JIT="0")
    assert done.stdout.split() == ["1"] * 4, done.stderr


WARM = """
from quorate.compiled import is_warm, warm
seen = []
modules = ("quorate.compiled.policy", "quorate.compiled.modules")
print(is_warm(modules))
seconds = warm(modules, lambda *report: seen.append(report))
print(is_warm(modules), is_warm((*modules, "other")), seconds > 0)
print(sorted((module, done, total) for module, _, done, total in seen)[0][::2])
try:
    warm(("quorate.missing",))
except RuntimeError as error:
    print(error)
"""


def test_warming_reports_marks_and_names_what_failed(tmp_path: Path) -> None:
    done = ran(WARM, tmp_path)
    assert done.stdout.splitlines() == [
        "False",
        "True False True",
        "('quorate.compiled.modules', 2)",
        "These kernel modules cannot be imported: quorate.missing.",
    ], done.stderr
