"""Options of every test folder."""


def pytest_addoption(parser):
    parser.addoption("--transport", action="append", default=[],
                     help="of the tests that are made for each transport, only those of this one; repeatable. Tests "
                          "without a transport always run")


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--transport")
    if not wanted:
        return

    def is_wanted(item):
        transport = getattr(item, "callspec", None) and item.callspec.params.get("transport")
        return not isinstance(transport, str) or transport in wanted

    out = [item for item in items if not is_wanted(item)]
    items[:] = [item for item in items if is_wanted(item)]
    config.hook.pytest_deselected(items=out)
