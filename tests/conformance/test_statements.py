"""The tables of statements and the tests fit together."""

import pytest

import statements


@pytest.mark.parametrize("version", statements.VERSIONS)
def test_every_statement_has_a_test_or_a_reason(version):
    assert statements.load(version), "no table"
    assert not (found := statements.faults(version)), "\n" + "\n".join(found)


@pytest.mark.parametrize("version", statements.VERSIONS)
def test_a_statement_for_servers_lacks_a_test_only_where_none_is_possible(version):
    """A reason is no way out: few statements that concern servers may go without test."""
    table, named = statements.load(version), statements.tests(version)
    without = [name for name, entry in table.items() if entry["concerns"] != "client" and name not in named]
    assert len(without) <= len(table) // 20, f"{len(without)} of {len(table)}: {', '.join(without)}"
