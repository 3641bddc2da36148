# Writes ../schedules.json: the rates of PyTorch's schedulers, step by step.
#
#     python3 schedules.py        (made with PyTorch 1.13)
import json
import math
import pathlib

import torch

S = torch.optim.lr_scheduler
TOTAL, EPOCH = 40, 5
out = []


def run(spec, make, steps=TOTAL, per=1):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    sch, rates = make(opt), []
    for k in range(steps):
        rates.append(opt.param_groups[0]["lr"])
        opt.step()
        if (k + 1) % per == 0 and k + 1 < steps:
            sch.step()
    out.append({"spec": spec, "total": steps, "epoch": EPOCH, "rates": rates})


run("constant", lambda o: S.ConstantLR(o, factor=1.0))
run("linear", lambda o: S.LinearLR(o, 1.0, 0.0, total_iters=TOTAL))
run("linear:end=0.25", lambda o: S.LinearLR(o, 1.0, 0.25, total_iters=TOTAL))
run("cosine", lambda o: S.CosineAnnealingLR(o, TOTAL))
run("cosine:min=0.01", lambda o: S.CosineAnnealingLR(o, TOTAL, eta_min=0.01))
run("cosine:by=epoch", lambda o: S.CosineAnnealingLR(o, TOTAL // EPOCH), per=EPOCH)
run("cosine-restarts:period=7", lambda o: S.CosineAnnealingWarmRestarts(o, 7))
run("cosine-restarts:period=1epoch:mult=2:min=0.001", lambda o: S.CosineAnnealingWarmRestarts(o, 5, T_mult=2, eta_min=0.001))
run("one-cycle", lambda o: S.OneCycleLR(o, 0.1, total_steps=TOTAL, cycle_momentum=False))
run("one-cycle:rise=0.4:start=10:end=100:shape=linear",
    lambda o: S.OneCycleLR(o, 0.1, total_steps=TOTAL, pct_start=0.4, div_factor=10, final_div_factor=100,
                           anneal_strategy="linear", cycle_momentum=False))
run("step:every=9:gamma=0.5", lambda o: S.StepLR(o, 9, gamma=0.5))
run("step:every=3epochs:by=epoch", lambda o: S.StepLR(o, 3), per=EPOCH)
run("multi-step:at=2epochs+25+75%:gamma=0.3", lambda o: S.MultiStepLR(o, [10, 25, 30], gamma=0.3))
run("polynomial:power=2", lambda o: S.PolynomialLR(o, total_iters=TOTAL, power=2.0))
run("polynomial", lambda o: S.PolynomialLR(o, total_iters=TOTAL, power=0.9))

plateau = []
LOSS = [2, 1.5, 1.5001, 1.4999, 1.6, 1.2, 1.3, float("nan"), 1.25, 1.21, 1.19, 1.19, 1.19, 1.2, 1.3, 1.4, 1.0, 1.1, 1.1, 1.1]
for spec, kw in [
    ("plateau:patience=2", dict(patience=2)),
    ("plateau:patience=1:factor=0.5:threshold=0.05:cooldown=2", dict(patience=1, factor=0.5, threshold=0.05, cooldown=2)),
    ("plateau:patience=0:threshold=0.1:mode=abs:min=0.002", dict(patience=0, threshold=0.1, threshold_mode="abs", min_lr=0.002)),
]:
    for mode in ["min", "max"]:
        opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        sch, rates = S.ReduceLROnPlateau(opt, mode=mode, **kw), []
        for v in LOSS:
            opt.step()
            sch.step(v)
            rates.append(opt.param_groups[0]["lr"])
        plateau.append({"spec": spec, "lower": mode == "min", "rates": rates})

here = pathlib.Path(__file__).parent.parent
loss = [None if math.isnan(v) else v for v in LOSS]
(here / "schedules.json").write_text(json.dumps({"cases": out, "loss": loss, "plateau": plateau}, indent=None) + "\n")
