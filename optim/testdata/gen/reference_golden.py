# Writes ../reference.json: the rules that PyTorch does not have, each written from its paper, on a fixed sequence of gradients in float64.
# It shares nothing with the Go code, and where a rule has two forms this takes the other one.
#
#     python3 reference_golden.py        (made with numpy 1.24.2)
import json
import pathlib

import numpy as np

STEPS = 20
rng = np.random.default_rng(31)
W = [rng.standard_normal((3, 4)), rng.standard_normal(5)]
G = [[rng.standard_normal(w.shape) * 10.0 ** (k % 5 - 2) for w in W] for k in range(STEPS)]
for g in G[7]:
    g[...] = 0


def run(make):
    """make(weights) is a generator that takes gradients and has changed the weights by then; it may yield weights to keep."""
    ws = [w.copy() for w in W]
    gen = make(ws)
    next(gen)
    trace, kept = [], None
    for gs in G:
        kept = gen.send([g.copy() for g in gs])
        trace.append([w.flatten().tolist() for w in ws])
    return trace, None if kept is None else [k.flatten().tolist() for k in kept]


def lion(lr, b1=0.9, b2=0.99, wd=0.0):
    def make(ws):
        m = [0 * w for w in ws]
        gs = yield
        while True:
            for w, g, e in zip(ws, gs, m):
                c = b1 * e + (1 - b1) * g
                w -= lr * (np.sign(c) + wd * w)
                e[...] = b2 * e + (1 - b2) * g
            gs = yield
    return make


def signum(lr, mu=0.0, wd=0.0):
    def make(ws):
        m = [0 * w for w in ws]
        gs = yield
        while True:
            for w, g, e in zip(ws, gs, m):
                e[...] = mu * e + (1 - mu) * (g + wd * w)
                w -= lr * np.sign(e)
            gs = yield
    return make


def lamb(lr, b1=0.9, b2=0.999, eps=1e-6, wd=0.01):
    def make(ws):
        m, v, t = [0 * w for w in ws], [0 * w for w in ws], 0
        gs = yield
        while True:
            t += 1
            for w, g, e, s in zip(ws, gs, m, v):
                e[...] = b1 * e + (1 - b1) * g
                s[...] = b2 * s + (1 - b2) * g * g
                r = (e / (1 - b1 ** t)) / (np.sqrt(s / (1 - b2 ** t)) + eps) + wd * w
                w -= lr * np.linalg.norm(w) / np.linalg.norm(r) * r
            gs = yield
    return make


def adafactor(lr, power=0.8, eps1=1e-30, eps2=1e-3, clip=1.0, relative=True, b1=0.0, wd=0.0):
    """With means of rows and columns, as the papers' code has it, in place of sums."""
    def rms(x):
        return np.sqrt(np.mean(x * x))

    def make(ws):
        row = [np.zeros(w.shape[0]) for w in ws]
        col = [np.zeros(w.shape[-1]) for w in ws]
        v, m, t = [0 * w for w in ws], [0 * w for w in ws], 0
        gs = yield
        while True:
            t += 1
            beta = 1 - t ** -power
            for i, (w, g) in enumerate(zip(ws, gs)):
                g = g + wd * w
                sq = g * g + eps1
                if w.ndim == 2:
                    row[i] = beta * row[i] + (1 - beta) * sq.mean(1)
                    col[i] = beta * col[i] + (1 - beta) * sq.mean(0)
                    est = np.outer(row[i], col[i]) / row[i].mean()
                else:
                    v[i] = beta * v[i] + (1 - beta) * sq
                    est = v[i]
                u = g / np.sqrt(est)
                u /= max(1.0, rms(u) / clip)
                if relative:
                    u = u * max(eps2, rms(w))
                if b1:
                    m[i] = b1 * m[i] + (1 - b1) * u
                    u = m[i]
                w -= lr * u
            gs = yield
    return make


def adagradnorm(lr, start=1e-2, rows=False):
    def make(ws):
        total = start
        per = [np.full(w.shape[0], start) for w in ws]
        own = np.zeros_like(ws[1])
        gs = yield
        while True:
            if rows:  # the vector has another length than the matrix has rows, so its elements stand alone
                per[0] += (gs[0] ** 2).sum(1)
                own += gs[1] ** 2
                ws[0] -= lr * gs[0] / np.sqrt(per[0])[:, None]
                ws[1] -= lr * gs[1] / np.sqrt(start + own)
            else:
                total += sum((g ** 2).sum() for g in gs)
                for w, g in zip(ws, gs):
                    w -= lr * g / np.sqrt(total)
            gs = yield
    return make


def schedulefree(lr, beta=0.9, b2=None, eps=1e-8, wd=0.0):
    """In the form of the authors' code: y and z are kept, x = y + (1 - 1/beta)(z - y)."""
    def make(ws):
        z, v, t, total, top = [w.copy() for w in ws], [0 * w for w in ws], 0, 0.0, 0.0
        gs = yield
        while True:
            t += 1
            top = max(top, lr)
            weight = top ** 2
            total += weight
            c = weight / total
            kept = []
            for y, g, zz, s in zip(ws, gs, z, v):
                if b2 is not None:
                    s[...] = b2 * s + (1 - b2) * g * g
                    g = g / (np.sqrt(s / (1 - b2 ** t)) + eps)
                g = g + wd * y
                y += c * (zz - y)
                y += lr * (beta * (1 - c) - 1) * g
                zz -= lr * g
                kept.append(y + (1 - 1 / beta) * (zz - y))
            gs = yield kept
    return make


def prodigy(lr, b1=0.9, b2=0.999, eps=1e-8, d0=1e-6):
    def make(ws):
        start = [w.copy() for w in ws]
        m, v, s = ([0 * w for w in ws] for _ in range(3))
        d, r = d0, 0.0
        q = np.sqrt(b2)
        gs = yield
        while True:
            r = q * r + (1 - q) * lr * d * d * sum((g * (x0 - w)).sum() for g, x0, w in zip(gs, start, ws))
            for i, g in enumerate(gs):
                m[i] = b1 * m[i] + (1 - b1) * d * g
                v[i] = b2 * v[i] + (1 - b2) * d * d * g * g
                s[i] = q * s[i] + (1 - q) * lr * d * d * g
            for w, e, u in zip(ws, m, v):
                w -= lr * d * e / (np.sqrt(u) + d * eps)
            d = max(d, r / sum(np.abs(x).sum() for x in s))
            gs = yield
    return make


def muon(lr, mu=0.95, nesterov=True, iterations=5, b1=0.9, b2=0.95, eps=1e-8, wd=0.1):
    def make(ws):
        buf, m, v, t = np.zeros_like(ws[0]), np.zeros_like(ws[1]), np.zeros_like(ws[1]), 0
        gs = yield
        while True:
            t += 1
            buf[...] = mu * buf + gs[0]
            x = gs[0] + mu * buf if nesterov else buf.copy()
            x = x / (np.linalg.norm(x) + 1e-7)
            for _ in range(iterations):  # odd polynomial, from the right: the same for either shape
                a = x.T @ x
                x = 3.4445 * x - 4.7750 * x @ a + 2.0315 * x @ a @ a
            ws[0] -= lr * (0.2 * np.sqrt(max(ws[0].shape)) * x + wd * ws[0])
            m[...] = b1 * m + (1 - b1) * gs[1]
            v[...] = b2 * v + (1 - b2) * gs[1] ** 2
            ws[1] -= lr * (m / (1 - b1 ** t) / (np.sqrt(v / (1 - b2 ** t)) + eps) + wd * ws[1])
            gs = yield
    return make


def soap(lr, b1=0.95, b2=0.95, eps=1e-8, every=10, right=True, wd=0.01):
    def make(ws):
        m, v, t = [0 * w for w in ws], [0 * w for w in ws], 0
        n, k = ws[0].shape
        L, R, QL, QR = np.zeros((n, n)), np.zeros((k, k)), np.eye(n), np.eye(k)

        def refresh(S, Q, axis):
            order = np.argsort(-np.diag(Q.T @ S @ Q), kind="stable")
            v[0] = np.take(v[0], order, axis)
            return np.linalg.qr(S @ Q[:, order])[0]

        gs = yield
        while True:
            t += 1
            g = gs[0]
            if t == 1:
                L, R = (1 - b2) * g @ g.T, (1 - b2) * g.T @ g
                QL = np.linalg.eigh(L)[1][:, ::-1]
                if right:
                    QR = np.linalg.eigh(R)[1][:, ::-1]
                ws[0] -= lr * wd * ws[0]
            else:
                m[0] = b1 * m[0] + (1 - b1) * g
                v[0] = b2 * v[0] + (1 - b2) * (QL.T @ g @ QR) ** 2
                step = (QL.T @ m[0] @ QR) / (1 - b1 ** (t - 1)) / (np.sqrt(v[0] / (1 - b2 ** (t - 1))) + eps)
                ws[0] -= lr * (QL @ step @ QR.T + wd * ws[0])
                L, R = b2 * L + (1 - b2) * g @ g.T, b2 * R + (1 - b2) * g.T @ g
            if t % every == 0:
                QL = refresh(L, QL, 0)
                if right:
                    QR = refresh(R, QR, 1)
            m[1] = b1 * m[1] + (1 - b1) * gs[1]
            v[1] = b2 * v[1] + (1 - b2) * gs[1] ** 2
            ws[1] -= lr * (m[1] / (1 - b1 ** t) / (np.sqrt(v[1] / (1 - b2 ** t)) + eps) + wd * ws[1])
            gs = yield
    return make


def sgd(lr, mu, change=lambda ws, gs: gs, after=lambda ws, t: None):
    def make(ws):
        buf, t = [0 * w for w in ws], 0
        gs = yield
        while True:
            t += 1
            gs = change(ws, gs)
            for w, g, b in zip(ws, gs, buf):
                b[...] = mu * b + g
                w -= lr * b
            gs = yield after(ws, t)
    return make


def lookahead(k, alpha):
    slow = [w.copy() for w in W]

    def after(ws, t):
        if t % k == 0:
            for s, w in zip(slow, ws):
                s[...] = (1 - alpha) * s + alpha * w
                w[...] = s
    return after


def ema(decay):
    avg = [w.copy() for w in W]

    def after(ws, t):
        d = min(decay, (1 + t) / (10 + t))
        for a, w in zip(avg, ws):
            a[...] = d * a + (1 - d) * w
        return avg
    return after


def agc(lam):
    def change(ws, gs):
        out = []
        for w, g in zip(ws, gs):
            w2, g2 = (w, g) if w.ndim == 2 else (w[None], g[None])
            wn = np.maximum(np.sqrt((w2 ** 2).sum(1, keepdims=True)), 1e-3)
            gn = np.sqrt((g2 ** 2).sum(1, keepdims=True))
            with np.errstate(divide="ignore", invalid="ignore"):
                out.append(np.where(gn > lam * wn, g2 * (lam * wn / gn), g2).reshape(g.shape))
        return out
    return change


def clipped(gs, share):
    every = np.sort(np.abs(np.concatenate([g.ravel() for g in gs])))[::-1]
    tau = every[int(len(every) * share)]
    return [np.clip(g, -tau, tau) if tau > 0 else g for g in gs]


def adam_clipped(lr, share, b1=0.9, b2=0.999, eps=1e-8):
    def make(ws):
        m, v, t = [0 * w for w in ws], [0 * w for w in ws], 0
        gs = yield
        while True:
            t += 1
            for w, g, c, e, s in zip(ws, gs, clipped(gs, share), m, v):
                e[...] = b1 * e + (1 - b1) * c
                s[...] = b2 * s + (1 - b2) * g * g
                w -= lr * (e / (1 - b1 ** t)) / (np.sqrt(s / (1 - b2 ** t)) + eps)
            gs = yield
    return make


CASES = [
    ("lion", 0.01, {}, lion(0.01)),
    ("lion", 0.02, {"beta1": 0.95, "beta2": 0.98, "weight-decay": 0.1}, lion(0.02, 0.95, 0.98, 0.1)),
    ("signsgd", 0.01, {"weight-decay": 0.1}, signum(0.01, wd=0.1)),
    ("signsgd", 0.01, {"momentum": 0.8}, signum(0.01, 0.8)),
    ("lamb", 0.01, {}, lamb(0.01)),
    ("lamb", 0.02, {"beta1": 0.8, "beta2": 0.9, "eps": 1e-3, "weight-decay": 0.0}, lamb(0.02, 0.8, 0.9, 1e-3, 0)),
    ("adafactor", 0.05, {}, adafactor(0.05)),
    ("adafactor", 0.02, {"decay-power": 0.5, "relative-step": False, "clip-threshold": 0.5, "beta1": 0.9, "weight-decay": 0.1,
                         "adafactor-eps1": 1e-3}, adafactor(0.02, 0.5, 1e-3, clip=0.5, relative=False, b1=0.9, wd=0.1)),
    ("adafactor", 0.5, {"adafactor-eps2": 2.0}, adafactor(0.5, eps2=2.0)),
    ("adagradnorm", 0.5, {"adagradnorm-start": 0.5}, adagradnorm(0.5, 0.5)),
    ("adagradnorm", 0.3, {"adagradnorm-form": "rows"}, adagradnorm(0.3, rows=True)),
    ("schedulefree-sgd", 0.1, {}, schedulefree(0.1)),
    ("schedulefree-adamw", 0.02, {}, schedulefree(0.02, b2=0.999)),
    ("schedulefree-adamw", 0.02, {"averaging": 0.8, "beta2": 0.9, "eps": 1e-3, "weight-decay": 0.1},
     schedulefree(0.02, 0.8, 0.9, 1e-3, 0.1)),
    ("prodigy", 1, {}, prodigy(1)),
    ("prodigy", 0.5, {"prodigy-start": 0.01, "beta1": 0.8, "beta2": 0.9}, prodigy(0.5, 0.8, 0.9, d0=0.01)),
    ("muon", 0.02, {}, muon(0.02)),
    ("muon", 0.05, {"nesterov": False, "momentum": 0.8, "muon-iterations": 3, "weight-decay": 0.0},
     muon(0.05, 0.8, False, 3, wd=0)),
    ("soap", 0.02, {}, soap(0.02)),
    ("soap", 0.02, {"soap-largest": 3, "soap-every": 4}, soap(0.02, every=4, right=False)),
    ("soap", 0.02, {"soap-every": 3, "weight-decay": 0.0, "beta2": 0.9}, soap(0.02, b2=0.9, every=3, wd=0)),
    ("sgd", 0.02, {"momentum": 0.9, "lookahead": 4, "lookahead-alpha": 0.3}, sgd(0.02, 0.9, after=lookahead(4, 0.3))),
    ("sgd", 0.02, {"momentum": 0.9, "ema": 0.6}, sgd(0.02, 0.9, after=ema(0.6))),
    ("sgd", 0.1, {"momentum": 0.5, "agc": 0.2}, sgd(0.1, 0.5, change=agc(0.2))),
    ("sgd", 0.1, {"momentum": 0.5, "clip-coord": 0.3}, sgd(0.1, 0.5, change=lambda ws, gs: clipped(gs, 0.3))),
    ("adam", 0.02, {"clip-coord": 0.5}, adam_clipped(0.02, 0.5)),
]

cases = []
for rule, lr, options, make in CASES:
    trace, kept = run(make)
    case = {"rule": rule, "lr": lr, "options": {k: str(v).lower() for k, v in options.items()}, "w": trace}
    if kept is not None:
        case["kept"] = kept
    cases.append(case)
out = {
    "w": [{"shape": list(w.shape), "data": w.flatten().tolist()} for w in W],
    "g": [[g.flatten().tolist() for g in gs] for gs in G],
    "cases": cases,
}
(pathlib.Path(__file__).parent.parent / "reference.json").write_text(json.dumps(out) + "\n")
