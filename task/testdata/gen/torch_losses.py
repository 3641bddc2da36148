# Writes ../losses.json: losses and their gradients by the logits from PyTorch 1.13 in float64. Run: python3 torch_losses.py
import json, os
import numpy as np, torch
F = torch.nn.functional
rng = np.random.default_rng(7)
out = []
def case(name, kind, spec, z, y, fn, shape=None):
    z = torch.tensor(z, requires_grad=True)
    l = fn(z, y); l.backward()
    out.append(dict(name=name, kind=kind, loss=spec, z=z.detach().numpy().ravel().tolist(), shape=list(z.shape), y=np.asarray(y).ravel().tolist(), yshape=list(np.asarray(y).shape),
                    value=float(l), grad=z.grad.numpy().ravel().tolist()))
Z, Y = rng.normal(0, 3, (6, 4)), rng.integers(0, 4, 6)
t = lambda a: torch.tensor(a)
case('plain', 'classes', 'cross-entropy', Z, Y, lambda z, y: F.cross_entropy(z, t(y)))
case('smoothing', 'classes', 'cross-entropy:smoothing=0.1', Z, Y, lambda z, y: F.cross_entropy(z, t(y), label_smoothing=.1))
w = torch.tensor([1., 2., .5, 3.], dtype=torch.float64)
case('weights', 'classes', 'cross-entropy:weights=1,2,0.5,3', Z, Y, lambda z, y: F.cross_entropy(z, t(y), w))
case('weights and smoothing', 'classes', 'cross-entropy:weights=1,2,0.5,3:smoothing=0.2', Z, Y, lambda z, y: F.cross_entropy(z, t(y), w, label_smoothing=.2))
S, M = rng.normal(0, 2, (2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5)); M[0, 1, 2:] = -100; M[1, 3] = -100
case('segmentation', 'dense', 'cross-entropy', S, M, lambda z, y: F.cross_entropy(z, t(y)))
case('segmentation, smoothing and weights', 'dense', 'cross-entropy:weights=1,2,0.5:smoothing=0.1', S, M, lambda z, y: F.cross_entropy(z, t(y), w[:3], label_smoothing=.1))
T, L = rng.normal(0, 2, (3, 5, 7)), rng.integers(0, 7, (3, 5)); L[:, :3] = -100; L[1] = -100
case('tokens', 'dense', 'cross-entropy', T, L, lambda z, y: F.cross_entropy(z.transpose(1, 2), t(y)))
B = rng.normal(0, 4, (5, 1)); b = rng.integers(0, 2, 5)
case('binary', 'binary', 'bce', B, b, lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], t(y).double()))
case('binary, positive weight', 'binary', 'bce:positive=3', B, b, lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], t(y).double(), pos_weight=torch.tensor(3.)))
H = np.array([[60.], [-60.], [0.], [-45.]]); case('binary, far out', 'binary', 'bce', H, np.array([0, 1, 1, 0]), lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], t(y).double()))
E = rng.normal(0, 2, (4, 3)); e = rng.integers(0, 2, (4, 3)); e[0] = [1, 1, 1]
case('multilabel', 'multilabel', 'bce', E, e, lambda z, y: F.binary_cross_entropy_with_logits(z, t(y).double()))
def sfl(z, y, alpha, gamma):
    y = t(y).double(); p = torch.sigmoid(z); ce = F.binary_cross_entropy_with_logits(z, y, reduction='none'); pt = p * y + (1 - p) * (1 - y); l = ce * (1 - pt) ** gamma
    return (l if alpha < 0 else (alpha * y + (1 - alpha) * (1 - y)) * l).mean()
case('sigmoid focal', 'multilabel', 'focal', E, e, lambda z, y: sfl(z, y, .25, 2))
case('sigmoid focal without alpha', 'multilabel', 'focal:alpha=-1:gamma=1.5', E, e, lambda z, y: sfl(z, y, -1, 1.5))
def focal(z, y, gamma): lp = F.log_softmax(z, 1).gather(1, t(y)[:, None])[:, 0]; return (-(1 - lp.exp()) ** gamma * lp).mean()
case('softmax focal', 'classes', 'focal', Z, Y, lambda z, y: focal(z, y, 2))
R, r = rng.normal(0, 3, (4, 3)), rng.normal(-120, 40, (4, 3)); q = r + 0; q[1:] = R[1:] + rng.normal(0, .7, (3, 3))
for n, f in (('mse', F.mse_loss), ('mae', F.l1_loss), ('huber', F.huber_loss)): case(n, 'regression', n, R, q, lambda z, y, f=f: f(z, t(y)))
case('huber, delta', 'regression', 'huber:delta=0.5', R, q, lambda z, y: F.huber_loss(z, t(y), delta=.5))
P = rng.dirichlet(np.ones(4), 6); P[0] = [0, 1, 0, 0]
case('soft targets', 'soft', 'cross-entropy', Z, P, lambda z, y: F.cross_entropy(z, t(y)))
case('kl', 'soft', 'kl', Z, P, lambda z, y: F.kl_div(F.log_softmax(z, 1), t(y), reduction='batchmean'))
case('kl, temperature', 'soft', 'kl:temperature=3', Z, P, lambda z, y: 9 * F.kl_div(F.log_softmax(z / 3, 1), t(y), reduction='batchmean'))
json.dump(out, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'losses.json'), 'w'), indent=0)
