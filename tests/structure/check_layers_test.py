#!/usr/bin/env python3
"""Shows that tools/check_layers finds what it is there for, on small trees with one fault each."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECKER = Path(__file__).resolve().parents[2] / "tools" / "check_layers"

GOOD_TREE = {
    "src/CMakeLists.txt": "# Lowest first.\nadd_subdirectory(base)\nadd_subdirectory(ws)\nadd_subdirectory(storage)\n"
                          "add_subdirectory(server)\n",
    "src/base/CMakeLists.txt": "mooring_module(NAME base SOURCES text.cc TESTS tests/text_test.cc)\n",
    "src/base/text.h": "#pragma once\n#include <string>\n",
    "src/base/text.cc": '#include "base/text.h"\n',
    "src/base/tests/text_test.cc": '#include "base/text.h"\n#include <gtest/gtest.h>\n',
    "src/ws/CMakeLists.txt": "find_package(OpenSSL)\nmooring_module(NAME ws\n  USES base  # for text\n  SOURCES frame.cc)\n",
    "src/ws/frame.h": '#pragma once\n#include "base/text.h"\n',
    "src/ws/frame.cc": '#include "ws/frame.h"\n',
    "src/storage/CMakeLists.txt": "mooring_module(NAME storage USES base)\n",
    "src/storage/store.h": '#pragma once\n#include "base/text.h"\n',
    "src/server/CMakeLists.txt": "mooring_module(NAME server USES ws storage SOURCES server.cc)\n",
    "src/server/server.cc": '#include "storage/store.h"\n#include "ws/frame.h"\n',
}


def run_on(changes):
    """Lines and status of the checker on the good tree with some files replaced (None: removed)."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**GOOD_TREE, **changes}.items():
            if text is None:
                continue
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        result = subprocess.run([sys.executable, CHECKER, "--root", folder], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


class CheckLayers(unittest.TestCase):
    def assert_fault(self, changes, expected):
        status, output = run_on(changes)
        self.assertEqual(status, 1, output)
        self.assertIn(expected, output)
        self.assertIn("\n1 faults", output, "one fault was made, so one must be named")

    def test_a_good_tree_passes(self):
        status, output = run_on({})
        self.assertEqual((status, output), (0, "4 modules, 7 includes, none against the declarations\n"))

    def test_an_include_that_is_not_declared(self):
        self.assert_fault({"src/ws/frame.cc": '#include "ws/frame.h"\n#include "storage/store.h"\n'},
                          'src/ws/frame.cc:2: ws includes "storage/store.h", but its USES are only: base')

    def test_a_test_is_held_to_the_same(self):
        self.assert_fault({"src/base/tests/text_test.cc": '#include "ws/frame.h"\n'},
                          'src/base/tests/text_test.cc:1: base includes "ws/frame.h", but its USES are only: nothing')

    def test_a_declaration_that_is_not_used(self):
        self.assert_fault({"src/ws/frame.h": "#pragma once\n"},
                          "src/ws/CMakeLists.txt:2: USES names base, of which nothing is included")

    def test_an_include_without_module(self):
        self.assert_fault({"src/ws/frame.cc": '#include "frame.h"\n'},
                          'src/ws/frame.cc:1: "frame.h" is in no module')

    def test_use_that_points_downwards(self):
        self.assert_fault({"src/CMakeLists.txt": "add_subdirectory(ws)\nadd_subdirectory(base)\n"
                                                 "add_subdirectory(storage)\nadd_subdirectory(server)\n"},
                          "src/CMakeLists.txt: ws uses base, so base must stand above it")

    def test_a_circle(self):
        status, output = run_on({"src/base/CMakeLists.txt":
                                 "mooring_module(NAME base USES ws SOURCES text.cc TESTS tests/text_test.cc)\n"})
        self.assertEqual(status, 1)
        self.assertIn("circle of modules: base -> ws -> base", output)
        self.assertIn("base uses ws, so ws must stand above it", output)

    def test_only_the_server_sees_the_store(self):
        self.assert_fault({"src/ws/CMakeLists.txt": "mooring_module(NAME ws USES base storage SOURCES frame.cc)\n",
                           "src/ws/frame.cc": '#include "storage/store.h"\n',
                           "src/CMakeLists.txt": "add_subdirectory(base)\nadd_subdirectory(storage)\n"
                                                 "add_subdirectory(ws)\nadd_subdirectory(server)\n"},
                          "src/ws/CMakeLists.txt:1: ws uses storage; only server may")

    def test_a_module_that_is_not_listed(self):
        self.assert_fault({"src/CMakeLists.txt": "add_subdirectory(base)\nadd_subdirectory(ws)\n"
                                                 "add_subdirectory(storage)\n"},
                          "src/CMakeLists.txt: module server is missing")

    def test_use_of_something_that_is_no_module(self):
        self.assert_fault({"src/storage/CMakeLists.txt": "mooring_module(NAME storage USES base sesion)\n"},
                          "src/storage/CMakeLists.txt:1: USES names sesion, which is no module")

    def test_a_source_that_nobody_builds(self):
        self.assert_fault({"src/ws/forgotten.cc": '#include "ws/frame.h"\n'},
                          "src/ws/forgotten.cc: not named in SOURCES or TESTS of ws")

    def test_a_source_that_is_not_there(self):
        self.assert_fault({"src/ws/frame.cc": None},
                          "src/ws/CMakeLists.txt:2: names frame.cc, which is not there")

    def test_a_folder_without_declaration(self):
        status, output = run_on({"src/storage/CMakeLists.txt": "add_library(storage)\n"})
        self.assertEqual(status, 1)
        self.assertIn("src/storage/CMakeLists.txt: expected one mooring_module(...), found 0", output)


if __name__ == "__main__":
    unittest.main()
