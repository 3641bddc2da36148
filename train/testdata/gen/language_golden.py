# Writes ../language_torch.json: what PyTorch computes for small forms of the language models of package models, in float64, written from the
# papers: scores, loss and gradients. Weights and tokens are made by formulas that the test has too.
#
#     python3 language_golden.py        (made with PyTorch 1.13)
import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
VOCABULARY, CONTEXT, WIDTH, HEADS, LAYERS, HIDDEN, N, T, EVERY = 11, 9, 12, 3, 2, 20, 2, 7, 5


def scaled(shape, k, scale):
    """numbers of [-scale, scale), of float32, for stream k."""
    out = []
    for i in range(math.prod(shape)):
        h = ((i + 1) * 2654435761 + (k + 1) * 2246822519) % 2 ** 32
        h = (h ^ h >> 15) * 2654435761 % 2 ** 32
        h ^= h >> 13
        out.append((h / 2 ** 31 - 1) * scale)
    return torch.tensor(out).float().double().reshape(shape)


def start(shapes):
    p = {}
    for k, (name, shape) in enumerate(shapes.items()):
        x = scaled(shape, k, 0.4)
        if len(shape) == 1 and name.endswith("weight"):
            x = (x.float() + 1).double()
        p[name] = torch.nn.Parameter(x)
    return p


IDS = torch.arange(N * T).reshape(N, T) * 5 % VOCABULARY
LABELS = (torch.arange(N * T).reshape(N, T) * 3 + 1) % VOCABULARY


def heads(x):
    return x.reshape(N, T, HEADS, -1).transpose(1, 2)


def attend(q, k, v):
    s = q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS)
    s = s.masked_fill(~torch.ones(T, T, dtype=torch.bool).tril(), -math.inf)
    return (s.softmax(-1) @ v).transpose(1, 2).reshape(N, T, WIDTH)


def gpt2(p):
    def norm(x, name):
        return F.layer_norm(x, (WIDTH,), p[name + ".weight"], p[name + ".bias"], 1e-5)

    def dense(x, name):
        return x @ p[name + ".weight"] + p[name + ".bias"]

    x = p["wte.weight"][IDS] + p["wpe.weight"][:T]
    for i in range(LAYERS):
        q, k, v = dense(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn").split(WIDTH, -1)
        x = x + dense(attend(heads(q), heads(k), heads(v)), f"h.{i}.attn.c_proj")
        x = x + dense(F.gelu(dense(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc"), approximate="tanh"), f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f") @ p["wte.weight"].T


def llama(p):
    def norm(x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * p[name + ".weight"]

    def turn(x):
        """Numbers j and j + half of a head are one complex number, turned by position · 10000^(-2j/head)."""
        half = WIDTH // HEADS // 2
        angle = torch.arange(T)[:, None] * 10000.0 ** (-torch.arange(half) / half)
        z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angle), angle)
        return torch.cat((z.real, z.imag), -1)

    x = p["embed_tokens.weight"][IDS]
    for i in range(LAYERS):
        a, m = f"layers.{i}.self_attn.", f"layers.{i}.mlp."
        y = norm(x, f"layers.{i}.input_layernorm")
        q, k, v = (heads(y @ p[a + w + "_proj.weight"]) for w in "qkv")
        x = x + attend(turn(q), turn(k), v) @ p[a + "o_proj.weight"]
        y = norm(x, f"layers.{i}.post_attention_layernorm")
        x = x + (F.silu(y @ p[m + "gate_proj.weight"]) * (y @ p[m + "up_proj.weight"])) @ p[m + "down_proj.weight"]
    return norm(x, "norm") @ p["lm_head.weight"]


def gpt2_shapes():
    s = {"wte.weight": (VOCABULARY, WIDTH), "wpe.weight": (CONTEXT, WIDTH)}
    for i in range(LAYERS):
        for name, size in (("ln_1", (WIDTH,)), ("attn.c_attn", (WIDTH, 3 * WIDTH)), ("attn.c_proj", (WIDTH, WIDTH)), ("ln_2", (WIDTH,)),
                           ("mlp.c_fc", (WIDTH, HIDDEN)), ("mlp.c_proj", (HIDDEN, WIDTH))):
            s[f"h.{i}.{name}.weight"], s[f"h.{i}.{name}.bias"] = size, size[-1:]
    return s | {"ln_f.weight": (WIDTH,), "ln_f.bias": (WIDTH,)}


def llama_shapes():
    s = {"embed_tokens.weight": (VOCABULARY, WIDTH)}
    for i in range(LAYERS):
        for name, size in (("input_layernorm", (WIDTH,)), ("self_attn.q_proj", (WIDTH, WIDTH)), ("self_attn.k_proj", (WIDTH, WIDTH)),
                           ("self_attn.v_proj", (WIDTH, WIDTH)), ("self_attn.o_proj", (WIDTH, WIDTH)), ("post_attention_layernorm", (WIDTH,)),
                           ("mlp.gate_proj", (WIDTH, HIDDEN)), ("mlp.up_proj", (WIDTH, HIDDEN)), ("mlp.down_proj", (HIDDEN, WIDTH))):
            s[f"layers.{i}.{name}.weight"] = size
    return s | {"norm.weight": (WIDTH,), "lm_head.weight": (WIDTH, VOCABULARY)}


def short(x):
    return [float(f"{v:.9g}") for v in x.detach().flatten().tolist()]


cases = []
for model, shapes in ((gpt2, gpt2_shapes()), (llama, llama_shapes())):
    p = start(shapes)
    z = model(p)
    loss = F.cross_entropy(z.reshape(N * T, VOCABULARY), LABELS.flatten())
    loss.backward()
    cases.append({"model": model.__name__, "names": list(shapes), "logits": short(z), "loss": loss.item(),
                  "gradients": {n: short(w.grad)[::EVERY] for n, w in p.items()}})
out = {"torch": torch.__version__, "vocabulary": VOCABULARY, "context": CONTEXT, "width": WIDTH, "heads": HEADS, "layers": LAYERS,
       "hidden": HIDDEN, "n": N, "t": T, "every": EVERY, "cases": cases}
(pathlib.Path(__file__).parent.parent / "language_torch.json").write_text(json.dumps(out) + "\n")
