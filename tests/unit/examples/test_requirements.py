"""What `make demo` installs is enough for every example; the development environment would hide what is missing."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[3]


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_the_demo_installs_what_the_examples_import() -> None:
    files = sorted((ROOT / "examples").rglob("*.py"))
    own = {file.stem for file in files} | {"moorage_runtime", "moorage_operator", "moorage_api"}
    locked = {
        line.split("==")[0]
        for line in (ROOT / "requirements/demo.txt").read_text().splitlines()
        if "==" in line
    }
    distributions = packages_distributions()
    needed = {name for file in files for name in imported(file)} - own - sys.stdlib_module_names
    assert {"pandas", "sklearn"} <= needed
    missing = {name for name in needed if not locked & {d.lower() for d in distributions[name]}}
    assert not missing
