# Writes ../control.json.gz: gradients and Hessian-vector products, by PyTorch, of the three programs that control_test.go builds with If, Scan
# and Loop. The direction of a product is the weights themselves.
#
#     python3 control_golden.py        (made with PyTorch 1.13)
import gzip
import json
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(5)
N, D, H, K, T = 3, 4, 5, 3, 4


def weights(**shapes):
    return {k: (0.5 * torch.randn(s)).double().requires_grad_() for k, s in shapes.items()}


def choice(x, w):
    h = torch.tanh(x @ w["w0"])
    if x.sum() > 0:
        z, aux = h @ w["a"] + w["bias"], h
    else:
        z, aux = (h * h) @ w["b"], torch.sin(h)
    return z + aux @ w["c"]


def scan(x, w):
    s, outs = torch.zeros(N, H).double(), []
    for t in range(T):
        s = torch.tanh(torch.cat([s, x[:, t]], -1) @ w["w"] + w["bias"])
        outs.append(s)
    return (s + torch.stack(outs).mean(0)) @ w["head"]


def loop(x, w):
    k, outs, a = 0, [], x @ w["w0"]
    while k < 3:
        k += 1
        a = torch.tanh(a @ w["w"]) * k
        outs.append(a * a)
    return (a + torch.stack(outs).sum(0)) @ w["head"]


def entry(t):
    return {"shape": list(t.shape), "data": t.detach().float().flatten().tolist()}


out = {}
y = torch.tensor([0, 2, 1])
wi = weights(w0=(D, H), a=(H, K), bias=(K,), b=(H, K), c=(H, K))
xi = torch.randn(N, D).abs().double()
for name, f, x, w in [
    ("then", choice, xi, wi),
    ("else", choice, -xi, wi),
    ("scan", scan, torch.randn(N, T, D).double(), weights(w=(H + D, H), bias=(H,), head=(H, K))),
    ("loop", loop, torch.randn(N, D).double(), weights(w0=(D, H), w=(H, H), head=(H, K))),
]:
    x.requires_grad_()
    # The numbers are stored in single precision: begin with what the test will read.
    with torch.no_grad():
        for v in [x, *w.values()]:
            v.copy_(v.float().double())
    loss = F.cross_entropy(f(x, w), y)
    g = torch.autograd.grad(loss, [x, *w.values()], create_graph=True, allow_unused=True)
    dot = sum((d * v.detach()).sum() for d, v in zip(g[1:], w.values()) if d is not None)
    hv = torch.autograd.grad(dot, list(w.values()), allow_unused=True)
    case = {"x": entry(x), "loss": entry(loss), "grad:x": entry(g[0])}
    for (k, v), d, h in zip(w.items(), g[1:], hv):
        case[k] = entry(v)
        case["grad:" + k] = entry(torch.zeros_like(v) if d is None else d)
        case["hv:" + k] = entry(torch.zeros_like(v) if h is None else h)
    out[name] = case

with gzip.GzipFile(pathlib.Path(__file__).parent.parent / "control.json.gz", "wb", mtime=0) as z:
    z.write(json.dumps(out).encode())
