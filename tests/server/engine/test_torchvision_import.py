"""An engine starts without what only some need: PyTorch's compiler, transformers."""

import subprocess
import sys

from tests.support.repository import ROOT

PROGRAM = """
import sys
from models.networks.torchvision_import import import_torchvision
import_torchvision()
import server.engine.process
print([name for name in sys.modules if name.startswith(("torch._dynamo", "torch._inductor", "transformers"))])
import torch
from torchvision.ops import roi_align
image = torch.arange(64.0).reshape(1, 1, 8, 8)
found = roi_align(image, [torch.tensor([[1.0, 1.0, 5.0, 5.0]])], 2)
compiled = torch.compile(lambda values: values * 2 + 1, backend="eager", fullgraph=True)
print(found.flatten().tolist(), compiled(torch.tensor(3.0)).item())
"""


def test_the_compiler_is_imported_by_those_who_compile() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    # cells of a box from (1, 1) to (5, 5), whose centres are at 2 and 4: 8 * y + x, as values are linear
    assert done.stdout.splitlines() == ["[]", "[18.0, 20.0, 34.0, 36.0] 7.0"]
