# Writes ../torch.json: PyTorch's optimisers on a fixed sequence of gradients and its schedules, in float64.
#
#     python3 torch_golden.py        (made with PyTorch 1.13)
import json
import pathlib

import torch

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)  # of the product that NAdam keeps
STEPS = 20
W = [torch.randn(3, 4, dtype=torch.float64), torch.randn(5, dtype=torch.float64)]
# gradients of very different sizes, with exact zeros
G = [[torch.randn(w.shape, dtype=torch.float64) * 10.0 ** (k % 5 - 2) for w in W] for k in range(STEPS)]
for g in G[7]:
    g.zero_()


def run(make, clip=None, value=None):
    ps = [torch.nn.Parameter(w.clone()) for w in W]
    opt = make(ps)
    trace = []
    for gs in G:
        for p, g in zip(ps, gs):
            p.grad = g.clone()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(ps, clip)
        if value is not None:
            torch.nn.utils.clip_grad_value_(ps, value)
        opt.step()
        trace.append([p.detach().flatten().tolist() for p in ps])
    kept = [opt.state[p]["ax"].flatten().tolist() for p in ps] if isinstance(opt, torch.optim.ASGD) else None
    return {"w": trace, "kept": kept} if kept else {"w": trace}


o = torch.optim
CASES = [
    ("sgd", 0.1, {}, lambda p: o.SGD(p, lr=0.1)),
    ("sgd", 0.1, {"weight-decay": 0.05}, lambda p: o.SGD(p, lr=0.1, weight_decay=0.05)),
    ("sgd", 0.05, {"momentum": 0.9}, lambda p: o.SGD(p, lr=0.05, momentum=0.9)),
    ("sgd", 0.05, {"momentum": 0.9, "dampening": 0.3}, lambda p: o.SGD(p, lr=0.05, momentum=0.9, dampening=0.3)),
    ("sgd", 0.05, {"momentum": 0.9, "nesterov": True, "weight-decay": 0.1},
     lambda p: o.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1)),
    ("sgd", 0.1, {"clip-norm": 1.5, "momentum": 0.5}, lambda p: o.SGD(p, lr=0.1, momentum=0.5)),
    ("adam", 0.01, {}, lambda p: o.Adam(p, lr=0.01)),
    ("adam", 0.01, {"beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight-decay": 0.1},
     lambda p: o.Adam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
    ("adam", 0.01, {"clip-norm": 0.5, "weight-decay": 0.1}, lambda p: o.Adam(p, lr=0.01, weight_decay=0.1)),
    ("adamw", 0.01, {}, lambda p: o.AdamW(p, lr=0.01)),
    ("adamw", 0.02, {"weight-decay": 0.3, "beta2": 0.99}, lambda p: o.AdamW(p, lr=0.02, weight_decay=0.3, betas=(0.9, 0.99))),
    ("adamw", 0.02, {"weight-decay": 0.0, "eps": 1e-2}, lambda p: o.AdamW(p, lr=0.02, weight_decay=0.0, eps=1e-2)),
    ("adam", 0.01, {"amsgrad": True}, lambda p: o.Adam(p, lr=0.01, amsgrad=True)),
    ("adamw", 0.01, {"amsgrad": True, "beta2": 0.9}, lambda p: o.AdamW(p, lr=0.01, betas=(0.9, 0.9), amsgrad=True)),
    ("adagrad", 0.1, {}, lambda p: o.Adagrad(p, lr=0.1)),
    ("adagrad", 0.1, {"lr-decay": 0.1, "initial-sum": 0.5, "eps": 1e-3, "weight-decay": 0.1},
     lambda p: o.Adagrad(p, lr=0.1, lr_decay=0.1, initial_accumulator_value=0.5, eps=1e-3, weight_decay=0.1)),
    ("rmsprop", 0.01, {}, lambda p: o.RMSprop(p, lr=0.01)),
    ("rmsprop", 0.01, {"beta2": 0.9, "momentum": 0.8, "weight-decay": 0.1},
     lambda p: o.RMSprop(p, lr=0.01, alpha=0.9, momentum=0.8, weight_decay=0.1)),
    ("rmsprop", 0.01, {"centered": True, "eps": 1e-3}, lambda p: o.RMSprop(p, lr=0.01, centered=True, eps=1e-3)),
    ("rmsprop", 0.01, {"centered": True, "momentum": 0.5, "beta2": 0.95},
     lambda p: o.RMSprop(p, lr=0.01, centered=True, momentum=0.5, alpha=0.95)),
    ("adadelta", 1, {}, lambda p: o.Adadelta(p)),
    ("adadelta", 0.5, {"beta2": 0.8, "eps": 1e-4, "weight-decay": 0.1},
     lambda p: o.Adadelta(p, lr=0.5, rho=0.8, eps=1e-4, weight_decay=0.1)),
    ("adamax", 2e-3, {}, lambda p: o.Adamax(p)),
    ("adamax", 0.02, {"beta1": 0.8, "beta2": 0.9, "weight-decay": 0.1},
     lambda p: o.Adamax(p, lr=0.02, betas=(0.8, 0.9), weight_decay=0.1)),
    # The single-tensor NAdam of 1.13 multiplies the product of the next step by this step's factor twice; foreach has it right.
    ("nadam", 2e-3, {}, lambda p: o.NAdam(p, foreach=True)),
    ("nadam", 0.02, {"beta1": 0.8, "beta2": 0.9, "momentum-decay": 0.2, "weight-decay": 0.1},
     lambda p: o.NAdam(p, lr=0.02, betas=(0.8, 0.9), momentum_decay=0.2, weight_decay=0.1, foreach=True)),
    ("radam", 0.01, {}, lambda p: o.RAdam(p, lr=0.01)),
    ("radam", 0.02, {"beta1": 0.8, "beta2": 0.9, "eps": 1e-3, "weight-decay": 0.1},
     lambda p: o.RAdam(p, lr=0.02, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)),
    ("rprop", 0.01, {}, lambda p: o.Rprop(p)),
    ("rprop", 0.1, {"rprop-grow": 1.5, "rprop-shrink": 0.3, "rprop-least": 0.02, "rprop-most": 0.15},
     lambda p: o.Rprop(p, lr=0.1, etas=(0.3, 1.5), step_sizes=(0.02, 0.15))),
    ("asgd", 0.1, {}, lambda p: o.ASGD(p, lr=0.1)),
    ("asgd", 0.1, {"asgd-lambda": 0.1, "asgd-power": 0.5, "asgd-start": 5, "weight-decay": 0.1},
     lambda p: o.ASGD(p, lr=0.1, lambd=0.1, alpha=0.5, t0=5, weight_decay=0.1)),
    ("sgd", 0.1, {"clip-value": 0.5, "momentum": 0.5}, lambda p: o.SGD(p, lr=0.1, momentum=0.5)),
]


def rates(make, n):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    s = make(opt)
    out = []
    for _ in range(n):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        s.step()
    return out


L = torch.optim.lr_scheduler
out = {
    "torch": torch.__version__,
    "w": [{"shape": list(w.shape), "data": w.flatten().tolist()} for w in W],
    "g": [[g.flatten().tolist() for g in gs] for gs in G],
    "cases": [{"rule": r, "lr": lr, "options": {k: str(v).lower() for k, v in opt.items()}, **run(make, opt.get("clip-norm"), opt.get("clip-value"))}
              for r, lr, opt, make in CASES],
    "schedules": [
        {"name": "cosine", "config": {"LR": 0.4, "MinLR": 0.05}, "total": 13,
         "lr": rates(lambda q: L.CosineAnnealingLR(q, 13, eta_min=0.05), 13)},
        {"name": "step", "config": {"LR": 0.4, "Every": 4, "Gamma": 0.3}, "total": 13,
         "lr": rates(lambda q: L.StepLR(q, 4, gamma=0.3), 13)},
        {"name": "constant", "config": {"LR": 0.4}, "total": 5, "lr": [0.4] * 5},
    ],
}
path = pathlib.Path(__file__).parent.parent / "torch.json"
path.write_text(json.dumps(out) + "\n")
