"""Medians, ratios, RESULTS.md and the plot."""

import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess

from rows import MEMORY

OURS = ("mooring", "devices")
PEERS = ("mosquitto", "nats")


def median_of(lines, row):
    values = [line[row.figure] for line in lines if line.get("ok") and line.get(row.figure, 0) > 0]
    return statistics.median(values) if values else None


class Figures:
    """What was measured, by row and server: a list of result lines, or of one line with the reason of a failure."""

    def __init__(self, rows, servers):
        self.rows, self.servers = rows, servers
        self.lines = {(row.key, server.name): [] for row in rows for server in servers}

    def add(self, row, server, line):
        self.lines[row.key, server.name].append(line)

    def median(self, row, name):
        return median_of(self.lines.get((row.key, name), []), row)

    def spread(self, row, name):
        values = [line[row.figure] for line in self.lines.get((row.key, name), []) if line.get("ok")]
        return (min(values), max(values)) if values else None

    def best_peer(self, row):
        found = [(value, name) for name in PEERS if (value := self.median(row, name)) is not None]
        return min(found) if found else (None, None)

    def best_of_ours(self, row):
        """With the device dialect where there is such a thing, because that is what the bar asks for."""
        return self.median(row, "devices") or self.median(row, "mooring")

    def verdict(self, row):
        """Whether the bar is reached: its ratio to the limit, in this run, and not behind the best peer."""
        ours, limit, (peer, _) = self.best_of_ours(row), self.median(row, "limit"), self.best_peer(row)
        if ours is None or not row.goal:
            return None
        to_limit = ours / limit <= row.goal / row.limit if limit and row.limit else True
        return to_limit and (peer is None or ours <= peer)

    def failures(self):
        for (key, name), lines in self.lines.items():
            reasons = sorted({line["failure"] for line in lines if "failure" in line})
            if reasons:
                yield key, name, reasons


def number(value, row):
    if value is None:
        return "–"
    if row.figure == MEMORY:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def ratio(value, to):
    return f"{value / to:.2f}" if value and to else "–"


def cell(figures, row, name):
    value, spread = figures.median(row, name), figures.spread(row, name)
    if value is None:
        return "–"
    wide = spread[1] - spread[0] > 0.1 * value
    return number(value, row) + (f" ({number(spread[0], row)}–{number(spread[1], row)})" if wide else "")


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), "?")
    distribution = next((line.split("=")[1].strip().strip('"') for line in open("/etc/os-release", encoding="utf-8")
                         if line.startswith("PRETTY_NAME")), "?")
    kind = "virtual machine" if "hypervisor" in open("/proc/cpuinfo", encoding="utf-8").read() else "machine"
    return f"{kind} with {os.cpu_count()} cores, {model}, kernel {platform.release()}, {distribution}"


def table(figures):
    names = [server.name for server in figures.servers]
    head = ["work", "over", *[server.label for server in figures.servers], "to limit", "bar", "to best peer", "reached"]
    out = ["| " + " | ".join(head) + " |", "|---|---|" + "--:|" * (len(head) - 3) + "---|"]
    for row in figures.rows:
        ours, (peer, _) = figures.best_of_ours(row), figures.best_peer(row)
        verdict = {True: "yes", False: "**no**", None: "–"}[figures.verdict(row)]
        bar = f"{row.goal / row.limit:.2f}" if row.goal and row.limit else "–"
        unit = ", bytes" if row.figure == MEMORY else ""
        cells = [row.text + unit, row.scheme, *[cell(figures, row, name) for name in names],
                 ratio(ours, figures.median(row, "limit")), bar, ratio(ours, peer), verdict]
        out.append("| " + " | ".join(cells) + " |")
    return out


def missed(figures, notes):
    out = []
    for row in figures.rows:
        if figures.verdict(row) is not False:
            continue
        ours, limit, (peer, name) = figures.best_of_ours(row), figures.median(row, "limit"), figures.best_peer(row)
        words = [f"{number(ours, row)} {row.unit}"]
        if limit and row.limit:
            words.append(f"{ours / limit:.2f} times the limit where {row.goal / row.limit:.2f} is the bar")
        if peer:
            words.append(f"{ours / peer:.2f} times {name}")
        note = notes.get(row.key)
        out.append(f"* **{row.text}, {row.scheme}**: {', '.join(words)}." + (f" {note}" if note else ""))
    return out or ["Every row that has a bar reached it."]


def delays(figures):
    out = ["| at 5,000 messages a second | " + " | ".join(server.label for server in figures.servers) + " |",
           "|---|" + "--:|" * len(figures.servers)]
    for row in figures.rows:
        if "--rate" not in row.words:
            continue
        for member in ("delayP50Us", "delayP99Us", "delayP999Us"):
            values = []
            for server in figures.servers:
                found = [line[member] for line in figures.lines[row.key, server.name] if line.get("ok")]
                values.append(f"{statistics.median(found):,.0f}" if found else "–")
            out.append(f"| QoS {row.qos}, {member[5:-2].lower()}, µs | " + " | ".join(values) + " |")
    return out if len(out) > 2 else []


def load_ratio(figures):
    found = sorted((statistics.median(values), row.key) for row in figures.rows
                   if (values := [line["loadToServerCpu"] for name in OURS
                                  for line in figures.lines.get((row.key, name), []) if line.get("loadToServerCpu")]))
    if not found:
        return ""
    over = [key for value, key in found if value >= 1]
    text = f"The load took {found[0][0]:.2f} to {found[-1][0]:.2f} times the processor time of Mooring"
    return text + (f"; more than Mooring itself in: {', '.join(over)}." if over else ".")


def write(figures, notes, facts, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(["git", "-C", os.path.dirname(__file__), "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                            check=False).stdout.strip()
    out = ["# Results", "",
           "Written by `bench/compare`; what is measured and how: [README.md](README.md). Text below a row that was not",
           "reached comes from `bench/comparison/notes.toml`.", "",
           f"* {datetime.date.today()}, commit {commit}, {machine()}.",
           f"* {facts['pinning']}. Load average during the run: {facts['load']}." +
           (" Other work was going on, so look at ratios and ranges." if facts["shared"] else ""),
           f"* {facts['rounds']} rounds of {facts['seconds']} s, servers by turns within each row, a fresh process each time. "
           f"Command: `{facts['command']}`",
           *[f"* {server.label}: {server.version()}" for server in figures.servers],
           *[f"* {server.remark}" for server in figures.servers if server.remark],
           "", "Processor time of the server, user and system, in microseconds for each delivered message (published one",
           "where nobody has subscribed; connection), or bytes of the server's own memory for each connection. Medians;",
           "with the range where it is wider than a tenth. Payload 64 bytes unless said. \"Mooring, devices\": with the device",
           "dialect, that is signatures, topic permissions and all limits but those on rates. \"To limit\" and \"to best peer\"",
           "are Mooring's with devices, or without where devices have no such thing. \"Bar\" is the ratio to the limit that",
           "was set as the goal.", "",
           *table(figures), "", "![Processor time as a multiple of the limit](results.svg)", "", "## Not reached", "",
           *missed(figures, notes)]
    if found := delays(figures):
        out += ["", "## Delays", "", "From when a message was due to its arrival. The cores are shared with the load's own",
                "wake-ups, so only differences between servers say something.", "", *found]
    if failures := list(figures.failures()):
        labels = {server.name: server.label for server in figures.servers}
        texts = {row.key: f"{row.text}, {row.scheme}" for row in figures.rows}
        out += ["", "## Without a figure", ""]
        out += [f"* {labels[name]}, {texts[key]}: {'; '.join(reasons)}." for key, name, reasons in failures]
    out += ["", "## The load", "", load_ratio(figures)]
    (folder / "RESULTS.md").write_text("\n".join(out).rstrip() + "\n", encoding="utf-8")
    plot(figures, folder / "results.svg")


def plot(figures, file):
    """Bars by gnuplot: multiples of the limit, on a logarithmic scale."""
    names = [server.name for server in figures.servers if server.name != "limit"]
    labels = [server.label for server in figures.servers if server.name != "limit"]
    data = []
    for row in figures.rows:
        limit = figures.median(row, "limit")
        if not limit:
            continue
        values = [figures.median(row, name) for name in names]
        data.append(" ".join([f'"{row.key}"', *[f"{value / limit:.3f}" if value else "?" for value in values]]))
    lines = ["set terminal svg size 1100,520 font 'sans,11' background rgb 'white'", f"set output {json.dumps(str(file))}",
             "set datafile missing '?'", "set style data histogram", "set style histogram cluster gap 1",
             "set style fill solid 0.85 border -1", "set boxwidth 0.9", "set logscale y", "set grid ytics",
             "set ylabel 'multiple of the limit'", "set xtics rotate by -40 font ',9'", "set key top right",
             "set arrow from graph 0, first 1 to graph 1, first 1 nohead dashtype 2",
             "$data << END", *data, "END",
             "plot " + ", ".join(f"$data using {i + 2}:xtic(1) title {json.dumps(label)}"
                                 for i, label in enumerate(labels))]
    if data:
        subprocess.run(["gnuplot"], input="\n".join(lines), text=True, check=True)
