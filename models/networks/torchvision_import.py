"""Imports torchvision without PyTorch's compiler, whose import would take a third of an engine's start.

torchvision imports the whole compiler for one function, which says whether code that it runs deterministically could be
compiled; nothing here is. Code that does compile, such as a conversion, imports the compiler as usual.
"""

import sys
from types import ModuleType

_COMPILER = ("torch._dynamo", "torch._dynamo.utils")


def import_torchvision() -> None:
    """Import torchvision; call it before anything else does."""
    import torch  # noqa: F401 - registers the operators that torchvision adds to

    if any(name in sys.modules for name in _COMPILER):
        return
    stand_ins = {name: ModuleType(name) for name in _COMPILER}
    setattr(stand_ins["torch._dynamo.utils"], "is_compile_supported", lambda device: False)  # noqa: B010
    sys.modules.update(stand_ins)
    try:
        import torchvision  # noqa: F401 - for later imports
    finally:
        for name in _COMPILER:
            del sys.modules[name]
