"""Imports torchvision without PyTorch's compiler, which would take a third of the time that an engine takes to start.

torchvision imports all of it for one function, which tells whether code that it is about to run deterministically could
be compiled. Nothing here is. Whoever really compiles, such as a conversion, imports the compiler as usual.
"""

import sys
from types import ModuleType

_COMPILER = ("torch._dynamo", "torch._dynamo.utils")


def import_torchvision() -> None:
    """Import torchvision; call it before anything else does."""
    import torch  # noqa: F401 - registers what torchvision adds to

    if any(name in sys.modules for name in _COMPILER):
        return
    stand_ins = {name: ModuleType(name) for name in _COMPILER}
    setattr(stand_ins["torch._dynamo.utils"], "is_compile_supported", lambda device: False)  # noqa: B010
    sys.modules.update(stand_ins)
    try:
        import torchvision  # noqa: F401 - for whoever imports it next
    finally:
        for name in _COMPILER:
            del sys.modules[name]
