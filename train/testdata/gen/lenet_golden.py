# Writes ../lenet_torch.json: twenty steps of each of PyTorch's optimisers on the LeNet of package models, on one batch, in float64. Weights
# and pictures are made by a formula that the test has too.
#
#     python3 lenet_golden.py        (made with PyTorch 1.13)
import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
STEPS, BATCH, EVERY = 20, 16, 151
SHAPES = {
    "conv1.weight": (6, 1, 5, 5), "conv1.bias": (6,), "conv2.weight": (16, 6, 5, 5), "conv2.bias": (16,), "fc1.weight": (120, 400),
    "fc1.bias": (120,), "fc2.weight": (84, 120), "fc2.bias": (84,), "fc3.weight": (10, 84), "fc3.bias": (10,),
}


def uniform(n, k):
    """n numbers of [-1, 1), of float32, for stream k."""
    out = []
    for i in range(n):
        h = ((i + 1) * 2654435761 + (k + 1) * 2246822519) % 2 ** 32
        h = (h ^ h >> 15) * 2654435761 % 2 ** 32
        h ^= h >> 13
        out.append(h / 2 ** 31 - 1)
    return torch.tensor(out)


def scaled(shape, k, scale):
    return (uniform(math.prod(shape), k) * scale).float().double().reshape(shape)


def start():
    return {n: torch.nn.Parameter(scaled(s, k, math.sqrt(6 / math.prod(s[1:])) if len(s) > 1 else 0.05))
            for k, (n, s) in enumerate(SHAPES.items())}


X = scaled((BATCH, 1, 28, 28), 99, 1.5)
Y = torch.arange(BATCH) * 7 % 10


def loss(p):
    x = F.max_pool2d(F.relu(F.conv2d(X, p["conv1.weight"], p["conv1.bias"], padding=2)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, p["conv2.weight"], p["conv2.bias"])), 2).flatten(1)
    x = F.relu(F.linear(x, p["fc1.weight"], p["fc1.bias"]))
    x = F.relu(F.linear(x, p["fc2.weight"], p["fc2.bias"]))
    return F.cross_entropy(F.linear(x, p["fc3.weight"], p["fc3.bias"]), Y)


o = torch.optim
CASES = [
    ("sgd", 0.01, {}, lambda p: o.SGD(p, lr=0.01)),
    ("sgd", 0.01, {"momentum": 0.9, "weight-decay": 1e-3}, lambda p: o.SGD(p, lr=0.01, momentum=0.9, weight_decay=1e-3)),
    ("sgd", 0.01, {"momentum": 0.9, "nesterov": True}, lambda p: o.SGD(p, lr=0.01, momentum=0.9, nesterov=True)),
    ("adam", 1e-3, {}, lambda p: o.Adam(p, lr=1e-3)),
    ("adam", 1e-3, {"amsgrad": True}, lambda p: o.Adam(p, lr=1e-3, amsgrad=True)),
    ("adamw", 1e-3, {}, lambda p: o.AdamW(p, lr=1e-3)),
    ("adagrad", 0.01, {}, lambda p: o.Adagrad(p, lr=0.01)),
    ("rmsprop", 1e-3, {}, lambda p: o.RMSprop(p, lr=1e-3)),
    ("rmsprop", 1e-4, {"centered": True, "momentum": 0.9}, lambda p: o.RMSprop(p, lr=1e-4, centered=True, momentum=0.9)),
    ("adadelta", 1, {}, lambda p: o.Adadelta(p)),
    ("adamax", 2e-3, {}, lambda p: o.Adamax(p)),
    # The single-tensor NAdam of 1.13 multiplies the product of the next step by this step's factor twice; foreach has it right.
    ("nadam", 2e-3, {}, lambda p: o.NAdam(p, foreach=True)),
    ("rprop", 1e-4, {}, lambda p: o.Rprop(p, lr=1e-4)),
    ("asgd", 0.01, {}, lambda p: o.ASGD(p)),
    ("radam", 1e-3, {}, lambda p: o.RAdam(p)),
    ("radam", 1e-3, {"beta2": 0.9}, lambda p: o.RAdam(p, betas=(0.9, 0.9))),
    ("lbfgs", 1, {"lbfgs-iterations": 1}, lambda p: o.LBFGS(p, max_iter=1, history_size=10, line_search_fn="strong_wolfe")),
]

cases = []
for rule, lr, options, make in CASES:
    p = start()
    opt = make(list(p.values()))
    losses = []

    def closure():
        opt.zero_grad()
        l = loss(p)
        l.backward()
        return l

    for _ in range(STEPS):
        losses.append(closure().item())
        opt.step(closure if rule == "lbfgs" else None)
    losses.append(loss(p).item())
    cases.append({"rule": rule, "lr": lr, "options": {k: str(v).lower() for k, v in options.items()}, "losses": losses,
                  "weights": {n: [round(x, 9) for x in w.detach().flatten()[::EVERY].tolist()] for n, w in p.items()}})
out = {"torch": torch.__version__, "batch": BATCH, "every": EVERY, "cases": cases}
(pathlib.Path(__file__).parent.parent / "lenet_torch.json").write_text(json.dumps(out) + "\n")
