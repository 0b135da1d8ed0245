"""The house's plan as tests: who imports whom, what loads torch, what reads the environment, what lies in the tree."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SHARING

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("models", "training", "jobs", "worker", "service", "twofold")

# What each room may import when it is imported; inside a function the command line may ask any room.
ARROWS: dict[str, set[str]] = {
    "models": set(),
    "jobs": set(),
    "training": {"models"},
    "service": {"jobs"},
    "worker": {"jobs", "models"},
    "twofold": {"jobs"},
}
# Modules that the command line imports only when it is asked for what they do.
ASKED_FOR = {
    "twofold/learning.py": {"models", "training"},
    "twofold/local.py": {"models", "worker"},
    "twofold/measuring.py": {"models", "training"},
    # The train task alone; the module is imported by the first of its jobs.
    "worker/learn.py": {"training"},
}
IN_FUNCTIONS = {"twofold": set(ROOMS)}

MEGABYTE = 2**20


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(tree: ast.AST, inside_functions: bool) -> Iterator[str]:
    """The top-level packages that a module imports, in functions and under TYPE_CHECKING or not."""
    for node in ast.iter_child_nodes(tree):
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_type_checking(node)
        if lazy and not inside_functions:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]
        yield from imported(node, inside_functions)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def foreign(path: Path, inside_functions: bool) -> set[str]:
    room = path.relative_to(ROOT).parts[0]
    return {name for name in imported(ast.parse(path.read_text()), inside_functions) if name in ROOMS and name != room}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_that_its_arrows_reach(room):
    for path in modules(room):
        name = path.relative_to(ROOT).as_posix()
        reached = ARROWS[room] | ASKED_FOR.get(name, set())
        assert foreign(path, inside_functions=False) <= reached, name
        assert foreign(path, inside_functions=True) <= reached | IN_FUNCTIONS.get(room, set()), name


def test_the_reader_of_imports_sees_a_wrong_arrow():
    tree = ast.parse("def f():\n    import training.loop\ntry:\n    from worker import tasks\nexcept ImportError: pass")
    assert set(imported(tree, inside_functions=False)) == {"worker"}
    assert set(imported(tree, inside_functions=True)) == {"worker", "training"}


@pytest.mark.parametrize("room", ["jobs", "service", "twofold"])
def test_importing_a_room_that_serves_never_loads_torch(room):
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in modules(room)
        if path.relative_to(ROOT).as_posix() not in ASKED_FOR
    ]
    code = f"""
import importlib, sys
for name in {names}:
    importlib.import_module(name)
sys.exit("torch was loaded" if "torch" in sys.modules else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_only_settings_read_the_environment():
    readers = {"jobs/settings.py", "training/peers.py"}  # the second reads what torchrun says to those it starts
    for room in ROOMS:
        for path in modules(room):
            if path.relative_to(ROOT).as_posix() not in readers:
                assert not re.search(r"\bos\.(environ|getenv)\b|import environ", path.read_text()), path


def test_every_folder_of_code_is_a_package_which_an_installation_takes():
    for room in ROOMS:
        for folder in {path.parent for path in modules(room)}:
            assert (folder / "__init__.py").is_file(), f"{folder} would be left out of a wheel"


def test_nothing_reads_or_writes_pickles():
    wrong = re.compile(r"\bimport (pickle|dill|cloudpickle|joblib)\b|\btorch\.(load|save)\(|allow_pickle=True")
    for room in ROOMS:
        for path in modules(room):
            assert not wrong.search(path.read_text()), path


def test_no_module_is_called_by_what_it_is_not():
    for room in ROOMS:
        for path in modules(room):
            assert not {"utils", "common", "core", "helpers", "misc"} & {*path.parts, path.stem}, path


def test_shipped_models_stay_within_their_sizes():
    weights = [path.stat().st_size for path in (ROOT / "models" / "zoo").glob("*/*.safetensors")]
    assert all(size <= 20 * MEGABYTE for size in weights)
    assert sum(weights) <= 80 * MEGABYTE


def test_a_shipped_model_has_its_config_weights_card_and_measures_and_nothing_else():
    allowed = {"config.json", "model.safetensors", "README.md", "evaluation.json"}
    for folder in (path for path in (ROOT / "models" / "zoo").glob("*") if path.is_dir()):
        motion = json.loads((folder / "config.json").read_text()).get("motion")
        expected = allowed | ({"motion.safetensors"} if motion else set())
        assert {path.name for path in folder.iterdir()} | {"evaluation.json"} == expected, folder


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no checkout of git, so what is tracked cannot be told")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_is_large_but_weights():
    large = [path for path in tracked() if path.stat().st_size > 500_000 and path.suffix != ".safetensors"]
    assert not large


def test_no_tracked_file_names_a_package_index():
    # Written so that this file does not name one.
    hosts = [".".join(parts) for parts in (("pypi", "org"), ("files", "pythonhosted"), ("download", "pytorch", "org"))]
    for path in tracked():
        text = path.read_bytes()
        assert not any(host.encode() in text for host in hosts), path


def test_every_requirement_is_pinned_to_what_was_tested():
    pinned = set(map(named, (ROOT / "constraints.txt").read_text().splitlines()))
    for path in (ROOT / "requirements").glob("*.txt"):
        wanted = {named(line) for line in path.read_text().splitlines() if not line.startswith("#")}
        assert wanted <= pinned, path.name


def named(requirement: str) -> str:
    return re.split(r"[ <>=]", requirement)[0].lower().replace("_", "-")


def test_the_service_needs_nothing_that_brings_torch():
    needed = (ROOT / "requirements" / "jobs.txt").read_text() + (ROOT / "requirements" / "service.txt").read_text()
    assert not re.search(r"^(torch|safetensors|av|opencv)", needed, re.MULTILINE)


def test_a_plain_install_gives_every_room_what_it_needs():
    lists = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["dynamic"]["dependencies"][
        "file"
    ]
    assert {Path(name).stem for name in lists} == {"jobs", "service", "worker", "training"}


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))]
)
def test_every_link_of_a_page_leads_to_a_file(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)\s#]+)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_every_file_that_the_architecture_page_names_is_there():
    named_files = re.findall(
        r"`((?:models|training|jobs|worker|service|twofold|tests|docs)/[\w./]*)`",
        (ROOT / "docs/architecture.md").read_text(),
    )
    assert len(named_files) > 10
    assert not [name for name in named_files if not (ROOT / name).exists()]


def test_the_readme_shows_commands_that_exist():
    """A `make` target in the Makefile, a subcommand of `twofold`: nothing in the README is made up."""
    readme = (ROOT / "README.md").read_text()
    blocks = "\n".join(re.findall(r"```(?:sh|bash)?\n(.*?)```", readme, re.DOTALL))
    targets = set(re.findall(r"^make (\S+)", blocks, re.MULTILINE))
    commands = set(re.findall(r"^(?:\.venv/bin/)?twofold (\S+)", blocks, re.MULTILINE))
    assert {"run", "test"} <= targets
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets <= known
    helped = subprocess.run(
        [sys.executable, "-m", "twofold", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    for command in commands:
        assert re.search(rf"^│ {command}\s", helped.stdout, re.MULTILINE), command


def test_files_that_are_said_to_share_a_system_are_there_and_each_is_run_by_one_process():
    shared = [file for files in SHARING.values() for file in files]
    assert sorted(set(shared)) == sorted(shared)
    assert [file for file in shared if not (ROOT / "tests" / file).is_file()] == []
