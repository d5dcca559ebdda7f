"""Finds programs that pip does not install, such as proxies."""

import os
import shutil

import pytest

# where Debian keeps servers, which is not in the PATH of everybody
_SERVERS = ("/usr/local/sbin", "/usr/sbin")


def system_tool(name: str) -> str:
    """Return the path of a program; skips the test, or the tests of the module, where it is not installed.

    The test fails instead where the variable REQUIRED_TOOLS, names separated by spaces, holds the program.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SERVERS))
    if (found := shutil.which(name, path=path)) is None:
        if name in os.environ.get("REQUIRED_TOOLS", "").split():
            pytest.fail(f"needs {name}, which REQUIRED_TOOLS names; scripts/test_tools installs it")
        pytest.skip(f"needs {name}, which scripts/test_tools installs", allow_module_level=True)
    return found
