"""The normative statements of the standards, and which tests name them. Reads files only; runs nothing.

A statement stands in `statements_311.toml` or `statements_50.toml` as

    ["MQTT-3.1.0-1"]
    text = "what it asks, in short and in our words"
    concerns = "server"        # or "client", or "both"
    reason = "why no test"     # only when no test names it

A test names statements with `@statement("MQTT-3.1.0-1", ...)`. The two versions use the same numbers for different
statements; the name of the file tells which is meant: `test_v311_*.py` or `test_v5_*.py`.
"""

import ast
import pathlib
import re
import tomllib

FOLDER = pathlib.Path(__file__).resolve().parent
VERSIONS = {"3.1.1": "311", "5.0": "50"}
CONCERNS = ("server", "client", "both")
ID = re.compile(r"MQTT-(\d+)\.(\d+)\.(\d+)-(\d+)")


def version_of(path):
    """The version a test file speaks of, or None."""
    name = pathlib.Path(path).name
    return "3.1.1" if name.startswith("test_v311_") else "5.0" if name.startswith("test_v5_") else None


def order(identifier):
    return tuple(int(number) for number in ID.fullmatch(identifier).groups())


def load(version):
    """{id: {"text", "concerns", "reason" or nothing}} in the order of the standard. Empty while there is no file."""
    path = FOLDER / f"statements_{VERSIONS[version]}.toml"
    if not path.exists():
        return {}
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return {identifier: found[identifier] for identifier in sorted(found, key=order)}


def _named(function):
    """The ids in the `@statement(...)` lines of a function."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "statement":
            for argument in decorator.args:
                assert isinstance(argument, ast.Constant), f"{function.name}: @statement takes literal texts"
                yield argument.value


def tests(version):
    """{id: ["test_v311_connect.py::test_name", ...]}, from the source of the test files."""
    found = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        if version_of(path) != version:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for identifier in _named(node):
                    found.setdefault(identifier, []).append(f"{path.name}::{node.name}")
    return found


def faults(version):
    """What is wrong with the table or the names in the tests, one line each."""
    known, named = load(version), tests(version)
    lines = [f"{where}: names {identifier}, which is not in the table"
             for identifier in named if identifier not in known for where in named[identifier]]
    for identifier, entry in known.items():
        well_formed = not set(entry) - {"text", "concerns", "reason"} and entry.get("text")
        if not well_formed or entry.get("concerns") not in CONCERNS:
            lines.append(f"{identifier}: takes text, concerns ({', '.join(CONCERNS)}) and perhaps reason")
        elif identifier in named and "reason" in entry:
            lines.append(f"{identifier}: has tests and a reason for having none")
        elif identifier not in named and not entry.get("reason"):
            lines.append(f"{identifier}: neither test nor reason")
    return lines
