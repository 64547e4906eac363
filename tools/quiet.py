"""Tell whether something else keeps the processor busy: python tools/quiet.py.

On a quiet machine two threads train faster than one; beside a busy process they wait for each
other, and are slower. 200 steps of batch 64 on two cores take 1.8 s with one thread and 1.4 s with
two on a quiet machine, 2.3 s and 4.5 s beside another training. So the two times are compared with
each other, and no machine needs to be as fast as another. GOMP_SPINCOUNT keeps the threads of pip's
PyTorch on Linux from waiting for much longer still; LLVM's OpenMP (macOS, conda) does not read it.
"""

import os
import subprocess
import sys

STEPS = 100
TRAINING = f"""
import time
import torch
from torch import nn

torch.manual_seed(0)
layers = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1)
model = nn.Sequential(*layers, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1568, 10))
optimizer = torch.optim.Adam(model.parameters())
images, labels = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))
for step in range({STEPS} + 10):
    if step == 10:
        started = time.perf_counter()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
print(time.perf_counter() - started)
"""


def seconds(threads):
    """Return the seconds that some training steps take with so many threads.

    A process of its own: OpenMP reads its settings once, when it is loaded.
    """
    settings = {"OMP_NUM_THREADS": str(threads), "GOMP_SPINCOUNT": "1000"}
    command = [sys.executable, "-c", TRAINING]
    result = subprocess.run(
        command, env=os.environ | settings, check=True, capture_output=True, text=True
    )
    return float(result.stdout)


def is_disturbed(one_thread, two_threads):
    """Tell by the seconds with one and with two threads whether something else is running."""
    return two_threads > one_thread


def disturbance():
    """Return a line that says what disturbs, or None on a quiet machine, or one with one core."""
    if (os.cpu_count() or 1) < 2:
        return None
    one, two = seconds(1), seconds(2)
    if is_disturbed(one, two):
        return f"two threads took {two:.2f} s, one {one:.2f} s, so something else is running"


def main():
    sys.exit(disturbance() or print("The machine is quiet."))


if __name__ == "__main__":
    main()
