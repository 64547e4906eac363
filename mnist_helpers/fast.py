"""The fast recipe: the same network in less time (notebook 13)."""

import torch
from torch import nn
from torch.nn.utils import get_total_norm
from torch.optim.lr_scheduler import OneCycleLR

from mnist_helpers.guards import check_finite, weights_of
from mnist_helpers.model import CNN


class FastCNN(CNN):
    """The ``CNN`` for fast training: same parameters, same names, less work.

    It pools before ReLU, and leaves out the outermost 24 of the 49 places of the last maps. Their
    weights are zero and stay so, hence it computes what a ``CNN`` with its ``state_dict`` does.
    """

    def __init__(self):
        super().__init__()
        middle = nn.functional.pad(torch.ones(5, 5), (1, 1, 1, 1))
        with torch.no_grad():
            self.fc.weight *= middle.flatten().repeat(32)

    def forward(self, images):
        maps = images[:, :, 1:27, 1:27]  # all that the 25 places in the middle depend on
        for convolution in (self.conv1, self.conv2):
            maps = nn.functional.conv2d(maps, convolution.weight, convolution.bias)
            maps = nn.functional.max_pool2d(maps, 2).relu()  # (N, 16, 12, 12), (N, 32, 5, 5)
        weight = self.fc.weight.view(10, 32, 7, 7)[:, :, 1:6, 1:6].flatten(1)
        return nn.functional.linear(maps.flatten(1), weight, self.fc.bias)  # (N, 10)


def make_fast(steps, lr=0.01, device="cpu", model=None):
    """Return the model, the optimizer and the scheduler of the fast recipe.

    Args:
        steps: of the whole training. The learning rate rises to ``lr`` in the first fifth of
            them, then falls to a hundredth of that, both along a straight line.
        model: by default a new ``FastCNN``.
    """
    model = (model or FastCNN()).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.7, 0.9), fused=True)
    scheduler = OneCycleLR(
        optimizer,
        max_lr=lr,
        total_steps=max(steps, 10),  # a cycle needs some steps
        pct_start=0.2,
        anneal_strategy="linear",
        final_div_factor=4,
        cycle_momentum=False,
    )
    return model, optimizer, scheduler


def bf16_is_fast(device):
    """Tell whether this device is a processor with instructions for bfloat16.

    Without them the processor imitates the format, which is slow. A GPU gains nothing here: it
    waits for Python, and computes 32 bits in TF32.
    """
    if torch.device(device).type != "cpu" or torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    known = getattr(torch.cpu, "get_capabilities", dict)()  # newer than torch 2.11
    return any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def record(step):
    """Return a function that repeats what ``step`` does from one recording: a CUDA graph.

    ``step`` runs three times beforehand, to set up what must not be recorded: let it change nothing
    then. It must not look at a result, and must find its data in the same memory every time.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()  # recorded, not done
    return graph.replay


def recorded_epoch(model, optimizer, scheduler, images, labels, batch_size, criterion=None):
    """Return a function that trains for one epoch, with a recorded step on a GPU.

    Elsewhere the same step runs as it is written.

    Args:
        model, optimizer, scheduler: as ``make_fast`` returns them. After an epoch they can go on
            with any other loop, or be saved.
        images, labels: all of them, on the model's device. Images that do not fill a last batch
            are left out, other ones in each epoch.
        criterion: by default the cross entropy.

    Returns:
        a function without arguments that returns the list of the losses of its steps. It raises
        ``FloatingPointError`` after an epoch in which the loss or a gradient was not finite. No
        step was taken from then on, and the model has the weights from before the epoch again.
    """
    criterion = criterion or nn.CrossEntropyLoss()
    steps = len(images) // batch_size
    with torch.device(images.device):
        order = torch.zeros(steps, batch_size, dtype=torch.long)
        losses, number = torch.zeros(steps), torch.zeros(1, dtype=torch.long)
        rate, broken = torch.zeros(()), torch.ones(())
    group = optimizer.param_groups[0]
    optimizer.found_inf = broken  # as long as this is 1, Adam changes nothing

    def step():
        chosen = order[number].view(-1)  # (batch_size,)
        loss = criterion(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        results = [loss.detach(), *(parameter.grad for parameter in model.parameters())]
        largest = get_total_norm(results, norm_type=float("inf"))
        broken.logical_or_(largest - largest != 0)  # NaN, if it is not finite
        optimizer.step()
        losses.index_copy_(0, number, loss.detach().view(1))
        number.add_(broken == 0)  # stays at the step that went wrong

    take_step = step
    if images.is_cuda:
        usual = {name: group[name] for name in ("lr", "capturable")}
        group.update(lr=rate, capturable=True)  # a place in memory, read at each replay
        take_step = record(step)
        group.update(usual)  # a number again, for the scheduler

    def train():
        model.train()
        before = weights_of(model)
        order.copy_(torch.randperm(len(images))[: order.numel()].view_as(order))
        number.zero_()
        broken.zero_()
        for _ in range(steps):
            rate.fill_(group["lr"])
            take_step()
            scheduler.step()
        last = min(number.item(), steps - 1)  # waits for the GPU: once an epoch
        check_finite(losses[last], model, last + 1, before)
        return losses.tolist()

    return train
