#!/usr/bin/env python3
"""What must hold for every file of the tree: form, headers, no promises for later, and the two commands."""

import os
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", "build", "dist", "node_modules", "mooring-data", "__pycache__", ".pytest_cache", "corpus", "data"}
CPP = {".h", ".cc"}
TEXT = CPP | {".py", ".md", ".txt", ".cmake", ".json", ".js", ".mjs", ".ts", ".tsx", ".html", ".css", ".toml", ".sql", ".c", ".yml", ""}
LINE_LENGTH = 120

# Put together from halves, so that this file does not hold what it looks for.
LATER = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK", "(?i:not " "implemented)",
                                      "(?i:place" "holder)", "(?i:st" "ub)")) + r")\b")
SKIPPED = re.compile("|".join(("GTEST_" "SKIP", r"\bDIS" r"ABLED_\w", r"pytest\.sk" r"ip", r"mark\.(sk" r"ip|xf" r"ail)",
                               r"\b(it|test|describe)\.sk" r"ip\b")))
LATER_ALLOWED = {".json", ".html", ".css", ".tsx"}  # there, one of the words is a format's own


def files_of_the_tree():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in NOT_OURS)
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix in TEXT and not path.is_symlink():
                yield path


def lines(path):
    return enumerate(path.read_text(encoding="utf-8").split("\n"), 1)


class Tree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = list(files_of_the_tree())
        cls.cpp = [path for path in cls.files if path.suffix in CPP]

    def assert_none(self, faults):
        if faults:
            self.fail("\n" + "\n".join(faults))

    def find(self, files, is_fault, what):
        self.assert_none([f"{path.relative_to(ROOT)}:{number}: {what}"
                          for path in files for number, line in lines(path) if is_fault(line)])

    def test_something_is_looked_at(self):
        self.assertGreater(len(self.cpp), 20)

    def test_no_tab_in_cpp(self):
        self.find(self.cpp, lambda line: "\t" in line, "tab")

    def test_cpp_lines_are_not_too_long(self):
        self.find(self.cpp, lambda line: len(line) > LINE_LENGTH, f"more than {LINE_LENGTH} characters")

    def test_no_blank_at_the_end_of_a_line(self):
        self.find(self.files, lambda line: line != line.rstrip(), "blank at the end of the line")

    def test_every_file_ends_with_one_newline(self):
        faults = []
        for path in self.files:
            text = path.read_bytes()
            if text and (not text.endswith(b"\n") or text.endswith(b"\n\n")):
                faults.append(f"{path.relative_to(ROOT)}: must end with one newline")
        self.assert_none(faults)

    def test_every_header_has_pragma_once(self):
        self.assert_none([f"{path.relative_to(ROOT)}: no #pragma once" for path in self.cpp
                          if path.suffix == ".h" and "#pragma once\n" not in path.read_text(encoding="utf-8")])

    def test_no_work_left_for_later(self):
        files = [path for path in self.files if path.suffix not in LATER_ALLOWED and path.name != "LICENSE"]
        self.find(files, LATER.search, "a word that promises something for later")

    def test_no_test_is_skipped(self):
        self.find(self.files, SKIPPED.search, "a skipped test")

    def test_the_commands_can_be_run(self):
        commands = ["run", "test", ".ci/run"] + [f"tools/{path.name}" for path in (ROOT / "tools").iterdir()
                                                 if path.read_bytes().startswith(b"#!")]
        for name in commands:
            self.assertTrue(os.access(ROOT / name, os.X_OK), f"{name} has no run bit")

    def test_the_readme_shows_both_commands(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        for command in ("./run", "./test"):
            self.assertRegex(readme, rf"(?m)^{re.escape(command)}\b")

    def test_every_link_inside_the_documents_leads_somewhere(self):
        faults = []
        for path in self.files:
            if path.suffix != ".md":
                continue
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
                if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists():
                    faults.append(f"{path.relative_to(ROOT)}: link to {target}, which is not there")
        self.assert_none(faults)

    def test_architecture_shows_the_modules_as_they_are_declared(self):
        page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
        shown = {name: set(uses.split()) for name, uses in
                 re.findall(r"(?m)^\| \[\w+\]\(src/(\w+)\) \|[^|]*\|([^|]*)\|$", page)}
        declared = {}
        for path in ROOT.glob("src/*/CMakeLists.txt"):
            uses = re.search(r"\bUSES((?:\s+[a-z]\w*)*)", path.read_text(encoding="utf-8"))
            declared[path.parent.name] = set(uses.group(1).split()) if uses else set()
        self.assertEqual(shown, declared)

    def test_every_module_has_a_readme(self):
        self.assert_none([f"{path.parent.relative_to(ROOT)}: no README.md" for path in ROOT.glob("src/*/CMakeLists.txt")
                          if not (path.parent / "README.md").is_file()])


if __name__ == "__main__":
    unittest.main()
