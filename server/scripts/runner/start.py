"""The entry point of a script's process, which is run by its path: python start.py CHANNEL SCRIPT [FOLDER ...].

CHANNEL is the number of the socket to the worker pool. The script imports from each FOLDER first.
"""

import os
import sys
from collections.abc import Callable
from functools import partial

if sys.version_info < (3, 10):  # noqa: UP036 - it may run in another Python than the server
    sys.exit("Python {}.{} is too old to host a script: 3.10 or newer is needed.".format(*sys.version_info))

_HERE = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120 - pathlib is not loaded yet, and might not be ours
_ROOT = os.path.realpath(os.path.join(_HERE, "..", "..", ".."))  # noqa: PTH118


def prepare() -> Callable[[int, str], None]:
    """Import the runner and install the modules of the hosted service, then hide our modules from the script."""
    # installed, our modules lie among packages that the script may need
    beside = os.listdir(_ROOT)  # noqa: PTH208 - as above
    installed = any(name.startswith("sightglass-") and name.endswith(".dist-info") for name in beside)
    hidden = (_HERE,) if installed else (_HERE, _ROOT)
    others = [entry for entry in sys.path if os.path.realpath(entry) not in hidden]
    sys.path[:] = [_ROOT, *others]
    from server.scripts.runner.hosted_modules import HostedModules
    from server.scripts.runner.loop import serve
    from server.scripts.runner.own_modules import OwnModules

    sys.path[:] = others
    # modules that are loaded work without their entries here
    for name in [name for name in sys.modules if name.partition(".")[0] == "server"]:
        del sys.modules[name]
    # an editable installation has a finder for our packages
    ours = [each for each in sys.meta_path if getattr(each, "__module__", "").startswith("__editable___sightglass")]
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder not in ours]
    if installed:
        sys.meta_path.insert(0, OwnModules(_ROOT))
    return partial(serve, hosted_modules=HostedModules().install())


if __name__ == "__main__":
    _serve, (_channel, _script, *_folders) = prepare(), sys.argv[1:]
    sys.path[:0] = _folders
    sys.argv[:] = [_script]
    _serve(int(_channel), _script)
elif __name__ == "__mp_main__":  # a process that the script starts by multiprocessing imports the script too
    prepare()
