#!/usr/bin/env python3
"""bench/compare: a short run of some rows whose output is read back, and the arithmetic of the table."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BUILD = sys.argv.pop(1)
BENCH = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCH / "comparison"))
sys.dont_write_bytecode = True

import report  # noqa: E402
import rows  # noqa: E402

RUN_ROWS = ("pairs-q1", "rate-q0", "connect-wss", "idle-wss")
RUN_SERVERS = ("limit", "mooring", "devices")


class ShortRun(unittest.TestCase):
    def test_every_cell_has_a_figure(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([BENCH / "compare", "--quick", "--build", BUILD, "--rows", ",".join(RUN_ROWS),
                                   "--servers", ",".join(RUN_SERVERS), "--write", folder, "--lines", f"{folder}/lines"],
                                  capture_output=True, text=True, timeout=110, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            table = self.cells(done.stdout)
            self.assertEqual(len(table), len(RUN_ROWS), done.stdout)
            for cells in table:
                for value in cells[2:2 + len(RUN_SERVERS)]:
                    self.assertGreater(float(value.split()[0].replace(",", "")), 0, cells)
            lines = [json.loads(line) for line in pathlib.Path(folder, "lines").read_text().splitlines()]
            self.assertEqual({(line["row"], line["server"]) for line in lines},
                             {(row, server) for row in RUN_ROWS for server in RUN_SERVERS})
            self.assertTrue(all(line["ok"] for line in lines), lines)
            page = pathlib.Path(folder, "RESULTS.md").read_text()
            self.assertEqual(self.cells(page.split("![")[0]), table)
            self.assertIn("commit", page)
            self.assertIn("</svg>", pathlib.Path(folder, "results.svg").read_text())

    @staticmethod
    def cells(text):
        found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
                 if line.startswith("|")]
        return [cells for cells in found[2:]]


class Arithmetic(unittest.TestCase):
    class Kind:
        def __init__(self, name):
            self.name = self.label = name

    def figures(self, **values):
        row = next(row for row in rows.ROWS if row.key == "pairs-q0")
        found = report.Figures([row], [self.Kind(name) for name in values])
        for name, figures in values.items():
            for value in figures:
                line = {"ok": True, row.figure: value} if value else {"ok": False, "failure": "it did not start"}
                found.add(row, self.Kind(name), line)
        return found, row

    def test_median_and_spread(self):
        figures, row = self.figures(devices=(3, 1, 2))
        self.assertEqual((figures.median(row, "devices"), figures.spread(row, "devices")), (2, (1, 3)))
        self.assertEqual(report.cell(figures, row, "devices"), "2.00 (1.00–3.00)")

    def test_a_run_that_failed_is_no_figure(self):
        figures, row = self.figures(devices=(None, 4), nats=(None,))
        self.assertEqual(figures.median(row, "devices"), 4)
        self.assertIsNone(figures.median(row, "nats"))
        self.assertEqual(list(figures.failures()), [("pairs-q0", "devices", ["it did not start"]),
                                                    ("pairs-q0", "nats", ["it did not start"])])

    def test_the_bar_is_a_ratio_to_the_limit_of_the_same_run(self):
        bar = 0.6 / 0.40
        for ours, peer, reached in ((bar - 0.01, 9, True), (bar + 0.01, 9, False), (bar - 0.01, 1, False)):
            figures, row = self.figures(limit=(1,), devices=(ours,), mosquitto=(peer,))
            self.assertEqual(figures.verdict(row), reached, (ours, peer))
            self.assertEqual(bool(re.search("times the limit", "".join(report.missed(figures, {})))), not reached)

    def test_the_dialect_counts_where_there_is_one(self):
        figures, row = self.figures(limit=(1,), mooring=(1,), devices=(9,))
        self.assertFalse(figures.verdict(row))


if __name__ == "__main__":
    unittest.main()
