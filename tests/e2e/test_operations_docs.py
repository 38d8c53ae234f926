"""The commands of operations pages that are lessons, run as they stand there; the marks are those of test_readme.py."""

import os

import pytest

import test_readme
from harness import BAD_LOG_WORDS, ROOT, find_program

PAGES = ("api-tokens.md", "console.md", "device-log.md", "doctor.md", "limits.md", "metrics.md", "people.md",
         "registration.md", "tickets.md", "tls-psk.md", "x509.md")


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_page(page, tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "mooring").symlink_to(find_program())
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    blocks = test_readme.BLOCK.findall((ROOT / "docs" / "operations" / page).read_text(encoding="utf-8"))
    assert len(blocks) >= 4
    reader = test_readme.Reader(tmp_path)
    try:
        for kind, text in blocks:
            {"server": lambda t: reader.do_server(t.replace(" --listen localhost:443", "")),
             "": lambda t: reader.do_run(t.replace("-p 443", f"-p {reader.port}"))}[kind](text)
        assert reader.end() == 0
        report = "\n".join(reader.server.errors)
        assert not any(word in report for word in BAD_LOG_WORDS), report
    finally:
        reader.end()
