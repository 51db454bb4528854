"""Architecture and style, as tests. The rules are in tidy_rules.py; here is where each applies.

A rule is enforced fully: what is exempt from one stands in EXEMPT with its reason. The second half
feeds deliberately bad snippets to every rule, because a guard that cannot fail guards nothing.
"""

import functools
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from tests import tidy_rules as rules
from tests.tidy_rules import Rule, Source

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "quorate"
FILE_LINES_MAX = 500
LINE_COLUMNS_MAX = 100

# Below the seam a room is a function of its arguments. The layers themselves are in pyproject.toml.
BELOW_SEAM = {"types", "codec", "crypto", "admission", "ordering", "availability", "execution"}
BELOW_SEAM |= {"instruments", "commitment", "storage", "replica"}
# compiled makes machine code before a node starts, so it uses files, processes and a stopwatch;
# nothing of it runs while a block executes. serving holds no state that reaches the root.
# formal reads sources and asks a solver, about what runs, never while it runs.
ABOVE_SEAM = {"__main__", "cli", "formal", "runtime", "sim", "serving", "compiled"}

EVERYWHERE: list[Rule] = [rules.names, rules.lengths, rules.kernel_options]
IN_PACKAGE: list[Rule] = [
    rules.set_order,
    rules.process_values,
    rules.broad_excepts,
    rules.prints,
    rules.docstring,
]
IN_CORE: list[Rule] = [rules.world, rules.files, rules.floats]

EXEMPT: dict[str, tuple[list[Rule], str]] = {
    "commitment/verifier.py": (
        [rules.prints, rules.files],
        "a program of its own that an auditor runs alone: it reads a proof and prints the verdict",
    ),
}
STAND_ALONE = ["commitment/verifier.py", "commitment/comet_verifier.py"]
PRINTING_ROOMS = {"cli"}

SKIPPED_ANYWHERE = {"__pycache__", "node_modules"}
SKIPPED_AT_ROOT = {"build", "dist", "shared", "data", "out"}
HIDDEN_KEPT = {".ci", ".github", ".gitignore", ".gitattributes", ".editorconfig"}
CODE_SUFFIXES = {".py", ".js", ".css", ".html"}
ASCII_SUFFIXES = CODE_SUFFIXES | {".toml", ".txt", ".lock", ".cfg", ".sh", ".yml", ".yaml", ""}

# Written so that this file does not match its own patterns.
MACHINE_PATH = re.compile(r"(?<![\w.>})])/(?:home|root|work|Users)/[\w.-]")
INDEX_ADDRESS = re.compile(
    r"pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)"
    r"|index[-_]url|--find[-]links|--trusted[-]host",
    re.IGNORECASE,
)


@functools.cache
def tree_files() -> list[Path]:
    """List the files of the repository, as git would if all were added."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        skipped = SKIPPED_ANYWHERE | (SKIPPED_AT_ROOT if Path(folder) == ROOT else set())
        kept = [f for f in folders if f not in skipped]
        folders[:] = sorted(f for f in kept if not f.startswith(".") or f in HIDDEN_KEPT)
        visible = [f for f in files if not f.startswith(".") or f in HIDDEN_KEPT]
        found.extend(Path(folder, f) for f in sorted(visible))
    return found


@functools.cache
def text_of(path: Path) -> str | None:
    """Read a file, or give None where it is not text."""
    content = path.read_bytes()
    return None if b"\0" in content else content.decode("utf-8", errors="replace")


def report(findings: list[str]) -> None:
    assert not findings, "\n" + "\n".join(findings)


def rules_for(path: Path) -> list[Rule]:
    """Choose the rules for one Python file."""
    if not path.is_relative_to(PACKAGE):
        return EVERYWHERE
    inside = path.relative_to(PACKAGE)
    room = inside.parts[0] if len(inside.parts) > 1 else inside.stem
    chosen = EVERYWHERE + IN_PACKAGE + (IN_CORE if room in BELOW_SEAM else [])
    if inside.as_posix() in STAND_ALONE:
        chosen = [*chosen, rules.stands_alone]
    exempt, _reason = EXEMPT.get(inside.as_posix(), ([], ""))
    if room in PRINTING_ROOMS:
        exempt = [*exempt, rules.prints]
    if path.stem.startswith("_") and path.stem not in {"__init__", "__main__"}:
        exempt = [*exempt, rules.docstring]
    return [rule for rule in chosen if rule not in exempt]


def text_findings(name: str, text: str) -> Iterator[str]:
    """Apply the rules about lines to one file; `name` is its path in the repository."""
    suffix = Path(name).suffix
    lines = text.splitlines()
    if suffix in CODE_SUFFIXES and len(lines) > FILE_LINES_MAX:
        yield f"{name}: {len(lines)} lines, {FILE_LINES_MAX} allowed: split it"
    for number, line in enumerate(lines, 1):
        if suffix == ".py" and len(line) > LINE_COLUMNS_MAX:
            yield f"{name}:{number}: {len(line)} columns, {LINE_COLUMNS_MAX} allowed: break it"
        if suffix in ASCII_SUFFIXES and not line.isascii():
            yield f"{name}:{number}: not ASCII: write it out, or \\u escape it in a string"
        if MACHINE_PATH.search(line):
            yield f"{name}:{number}: a path of one machine: make it relative, or an argument"
        if INDEX_ADDRESS.search(line):
            yield f"{name}:{number}: the address of an index: leave it to the user's settings"
    if Path(name).stem in {"utils", "util", "helpers", "helper", "misc"} and suffix == ".py":
        yield f"{name}: say what the module holds, not that it helps"


def test_every_python_file_keeps_the_house_rules() -> None:
    findings = []
    for path in tree_files():
        if path.suffix == ".py":
            source = Source(text_of(path) or "")
            for rule in rules_for(path):
                shown = path.relative_to(ROOT)
                findings += [f"{shown}:{line}: {said}" for line, said in rule(source)]
    report(findings)


def test_every_text_file_keeps_the_house_rules() -> None:
    findings: list[str] = []
    for path in tree_files():
        text = text_of(path)
        if text is not None:
            findings += text_findings(path.relative_to(ROOT).as_posix(), text)
    report(findings)


def test_the_lock_pins_every_library_by_hash() -> None:
    blocks = re.split(r"\n(?=\w)", (ROOT / "requirements.lock").read_text())
    pinned = [block for block in blocks if not block.startswith("#")]
    assert len(pinned) > 20
    report([b.splitlines()[0] for b in pinned if "==" not in b or "--hash=sha256:" not in b])


def test_every_exemption_has_a_reason() -> None:
    for name, (exempt, reason) in EXEMPT.items():
        assert exempt and len(reason) > 20, name


# --- layers


def rooms_of_contract() -> set[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = config["tool"]["importlinter"]["contracts"]
    return {room.strip(" ()") for layer in contract["layers"] for room in layer.split("|")}


def test_imports_go_strictly_downward(capsys: pytest.CaptureFixture[str]) -> None:
    config = str(ROOT / "pyproject.toml")
    code = lint_imports(config_filename=config, no_cache=True, no_logo=True)
    assert code == 0, capsys.readouterr().out


def test_every_folder_of_the_package_is_a_package() -> None:
    # The import graph does not see a folder without __init__.py: the layers would not hold there.
    folders = {path.parent for path in tree_files() if path.suffix == ".py"}
    inside = sorted(folder for folder in folders if folder.is_relative_to(PACKAGE))
    bare = [folder for folder in inside if not (folder / "__init__.py").is_file()]
    report([f"{folder.relative_to(ROOT)}: no __init__.py" for folder in bare])


def test_every_room_is_above_or_below_the_seam() -> None:
    assert rooms_of_contract() == BELOW_SEAM | ABOVE_SEAM
    assert not BELOW_SEAM & ABOVE_SEAM


@pytest.mark.parametrize(
    ("importer", "imported", "said"),
    [
        ("types", "codec", "quorate.types is not allowed to import quorate.codec"),
        ("admission", "ordering", "quorate.admission is not allowed to import quorate.ordering"),
        ("pantry", "types", "pantry"),
    ],
    ids=["upward", "sideways", "unknown_room"],
)
def test_the_layers_can_fail(tmp_path: Path, importer: str, imported: str, said: str) -> None:
    package = tmp_path / "quorate"
    for room in (importer, imported):
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / importer / "__init__.py").write_text(f"import quorate.{imported}\n")
    lint = "import sys, importlinter.cli as c; sys.exit(c.lint_imports(sys.argv[1], no_cache=True))"
    command = [sys.executable, "-c", lint, str(ROOT / "pyproject.toml")]
    environment = {"PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode != 0 and said in run.stdout, run.stdout + run.stderr


# --- the rules themselves can fail

BAD: list[tuple[Rule, str]] = [
    (rules.world, "import time"),
    (rules.world, "from datetime import datetime"),
    (rules.world, "def f():\n    import random"),
    (rules.world, "import asyncio.events"),
    (rules.world, "async def f(): ..."),
    (rules.world, "x = np.random.default_rng(1)"),
    (rules.files, "import os"),
    (rules.files, "from os import urandom"),
    (rules.files, "open('x')"),
    (rules.floats, "x = 0.5"),
    (rules.floats, "x = 1e6"),
    (rules.floats, "x = a / b"),
    (rules.floats, "x /= 2"),
    (rules.floats, "x = float(y)"),
    (rules.floats, "def f(x: float): ..."),
    (rules.floats, "x = np.zeros(3, dtype='<f8')"),
    (rules.floats, "x = np.float64(1)"),
    (rules.floats, "x = math.sqrt(2)"),
    (rules.floats, "from math import log"),
    (rules.prints, "print('x')"),
    (rules.process_values, "x = hash(y)"),
    (rules.process_values, "x = id(y)"),
    (rules.broad_excepts, "try:\n    f()\nexcept:\n    pass"),
    (rules.broad_excepts, "try:\n    f()\nexcept Exception:\n    pass"),
    (rules.broad_excepts, "try:\n    f()\nexcept (KeyError, BaseException):\n    pass"),
    (rules.kernel_options, "@njit(fastmath=True)\ndef f(): ..."),
    (rules.kernel_options, "f.py_func(1)"),
    (rules.kernel_options, "from numba.extending import intrinsic"),
    (rules.names, "def get_balance(): ..."),
    (rules.names, "def _compute_margin(): ..."),
    (rules.lengths, "def f():\n" + "    x = 1\n" * rules.FUNCTION_LINES_MAX),
    (rules.docstring, "x = 1"),
    (rules.stands_alone, "from quorate.crypto import sha256"),
    (rules.stands_alone, "from . import tree"),
    (rules.set_order, "for x in {1, 2}: ..."),
    (rules.set_order, "for x in set(y): ..."),
    (rules.set_order, "x = [y for y in {z for z in w}]"),
    (rules.set_order, "x = list(frozenset(y))"),
    (rules.set_order, "x = {y: 1 for y in a.keys() - b}"),
    (rules.set_order, "def f():\n    seen = set()\n    for x in seen: ..."),
    (rules.set_order, "def f(seen: set[int]):\n    return tuple(seen)"),
    (rules.set_order, "SEEN = {1, 2}\ndef f():\n    return [*SEEN]"),
    (rules.set_order, "class C:\n    seen: set[int]\n    def f(self):\n        self.seen.pop()"),
    (rules.set_order, "def f() -> set[int]: ...\nfor x in f(): ..."),
    (rules.set_order, "a, b = {1, 2}"),
]
GOOD = """'''A module that every rule accepts.'''
import math
from quorate.types import limits

def balance(seen: set[int], row: dict[int, int]) -> list[int]:
    if 3 in seen or any(x > 2 for x in seen):
        return sorted(seen | {math.isqrt(9)})
    try:
        return [key // 2 for key in row]
    except KeyError as error:
        raise AssertionError(len(seen)) from error
"""
BAD_TEXT = {
    "src/quorate/types/utils.py": "x = 1",
    "src/quorate/types/long.py": "x = 1\n" * (FILE_LINES_MAX + 1),
    "src/quorate/types/wide.py": "x" * (LINE_COLUMNS_MAX + 1),
    "src/quorate/types/caf\u00e9.py": "x = 'caf\u00e9'",
    "docs/paths.md": "see /" + "home/someone/notes",
    "docs/index.md": "pip install --index" + "-url x",
}


@pytest.mark.parametrize(("rule", "snippet"), BAD, ids=[f"{r.__name__}-{s}" for r, s in BAD])
def test_a_rule_refuses_the_bad_snippet(rule: Rule, snippet: str) -> None:
    assert list(rule(Source(snippet)))


def test_every_rule_is_tested_and_accepts_the_good_module() -> None:
    every = {*EVERYWHERE, *IN_PACKAGE, *IN_CORE, rules.stands_alone}
    assert {rule for rule, _ in BAD} == every
    for rule in every - {rules.stands_alone}:
        assert not list(rule(Source(GOOD))), rule.__name__


@pytest.mark.parametrize("name", BAD_TEXT)
def test_the_text_rules_refuse_the_bad_file(name: str) -> None:
    assert list(text_findings(name, BAD_TEXT[name]))


def test_the_core_rules_reach_every_room_below_the_seam() -> None:
    for room in sorted(BELOW_SEAM):
        assert rules.floats in rules_for(PACKAGE / room / "deep" / "module.py")
    assert rules.floats in rules_for(PACKAGE / "commitment" / "verifier.py")
    assert rules.floats not in rules_for(PACKAGE / "runtime" / "module.py")
    assert rules.prints not in rules_for(PACKAGE / "cli" / "main.py")
    assert rules.prints in rules_for(PACKAGE / "runtime" / "main.py")


# --- the start


def test_optimized_python_is_refused() -> None:
    command = [sys.executable, "-O", "-c", "import quorate"]
    environment = {"PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1 and "python -O" in run.stderr
