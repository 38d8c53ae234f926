"""The vendor's SDK from npm, unmodified, in a process of its own."""

import json
import os
import shutil
import subprocess

from test_clients import HERE, node_packages


def run_sdk(server, script, job):
    """What the script says of the job, line by line."""
    node_packages()
    done = subprocess.run([shutil.which("node"), HERE / "js" / script, json.dumps(job)], text=True, capture_output=True,
                          timeout=40 * server.slack, stdin=subprocess.DEVNULL, check=False,
                          # Node.js 18 tries one address of localhost only, and the server listens on that of IPv4.
                          env={**os.environ, "NODE_EXTRA_CA_CERTS": server.root_certificate,
                               "NODE_OPTIONS": "--dns-result-order=ipv4first"})
    return done.stdout.splitlines() or [done.stderr]
