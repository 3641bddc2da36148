"""Writes networks as PyTorch exports them, with PyTorch's outputs and gradients in float64, for ../../../nets_test.go.

    python3 make.py                         the narrow ones of testdata/nets (PyTorch 1.13, torchvision 0.14)
    python3 make.py DIR --full              in full size
    python3 make.py DIR --all [--only NET]  the narrow ones with each of the exporter's options in VARIANTS

NAME.onnx.gz is the file, NAME.npz has "in:INPUT", "cotangent" (the loss is the sum of the output times it), "out", and "grad:PARAMETER" under
the names of the file. Weights and gradients of the narrow ones are numbers of few bits, so that they can be packed. "examples:PARAMETER", of
the nets in EXAMPLES, are the squared norms of the gradients of each example alone. "float32" is the worst difference of PyTorch's own float32,
relative to the norm."""
import argparse
import copy
import gzip
import io
import pathlib
import warnings

import numpy as np
import onnx
import torch
import torch.fx.experimental.optimization as fx
from onnx import numpy_helper
from torch import nn
from torch.onnx import TrainingMode
from torchvision.models import swin_transformer

from architectures import NETS

warnings.filterwarnings("ignore")

# Exporter's options: opset, constant folding, dynamic axes, weights as inputs, batch normalisation by the batch.
VARIANTS = {
    "17": dict(opset=17),
    "13-dynamic": dict(opset=13, dynamic=True),
    "11-inputs": dict(opset=11, inputs=True),
    "12": dict(opset=12),
    "15-unfolded": dict(opset=15, fold=False, dynamic=True),
    "16-preserve": dict(opset=16, fold=False, preserve=True),
    "14-train": dict(opset=14, train=True),
    "17-train": dict(opset=17, train=True, dynamic=True, fold=False),
    "11-train": dict(opset=11, train=True),
}
CHOSEN = {"resnet50": "11-train", "densenet121": "15-unfolded", "efficientnet_b0": "13-dynamic", "mobilenet_v3": "11-inputs",
          "convnext_tiny": "17", "swin_t": "13-dynamic", "vit": "16-preserve", "unet": "12", "lstm": "15-unfolded", "gru": "11-inputs",
          "bert": "13-dynamic", "gpt2": "16-preserve", "llama": "15-unfolded", "mamba": "12"}
EXAMPLES = ["lstm", "gru", "bert", "gpt2", "vit", "mamba", "llama", "unet"]


def few_bits(t):
    step = 2.0 ** (np.floor(np.log2(float(t.abs().max()) or 1)) - 6)
    return (t / step).round() * step


def rounded(t):
    """To 14 bits, which can be packed."""
    m, e = np.frexp(t.numpy())
    return np.ldexp(np.round(m * 2 ** 14), e - 14).astype(np.float32)


def build(make, inputs, batch, full, train):
    """A network whose parameters all differ, and whose statistics are those of its activations."""
    net = make()
    for m in net.modules():
        if isinstance(m, nn.Dropout) or type(m).__name__ == "StochasticDepth":
            m.p = 0.0
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() < 2 or "relative_position_bias" in name or "A_log" in name:
                p.add_(0.2 * torch.randn_like(p))
            if p.dim() > 1 and not p.any():
                p.normal_(std=0.05)
            if "class_token" in name or "layer_scale" in name:
                p.add_(0.3 * torch.randn_like(p))
            if not full:
                p.copy_(few_bits(p))
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        for m in norms:
            m.momentum = None
        net.train()
        if norms:
            for _ in range(3):
                net(*inputs(batch).values())
        for m in norms:
            m.momentum = 0.1
            if not full:
                m.running_mean.copy_(few_bits(m.running_mean)), m.running_var.copy_(few_bits(m.running_var))
    for m in net.modules():
        if hasattr(m, "dropout") and isinstance(m.dropout, float):
            m.dropout = 0.0
        if hasattr(m, "attention_dropout"):
            m.attention_dropout = 0.0
    return net.train(train)


def gradients(net, feeds, cotangent, kind):
    for m in net.modules():
        m.__dict__.pop("made", None)
    net = copy.deepcopy(net).to(kind)
    out = net(*(v.to(kind) if v.is_floating_point() else v for v in feeds.values()))
    ps = dict(net.named_parameters()) | folded(net)
    gs = torch.autograd.grad((out * cotangent.to(kind)).sum(), list(ps.values()), allow_unused=True)
    return out.detach(), {n: torch.zeros_like(p) if g is None else g for (n, p), g in zip(ps.items(), gs)}


def folded(net):
    return {n + ".made": m.made for n, m in net.named_modules() if hasattr(m, "made")}


def bias_kept(m):
    """A window's table of biases, which the exporter writes as what follows from it."""
    m.made = swin_transformer._get_relative_position_bias(m.relative_position_bias_table, m.relative_position_index, m.window_size)
    return m.made


swin_transformer.ShiftedWindowAttention.get_relative_position_bias = bias_kept


def forms(values):
    """How files hold parameters: functions from tensors by name (values, or gradients) to tensors of the file."""
    for name, v in values.items():
        yield lambda d, n=name: d[n]
        if v.dim() == 1:
            yield lambda d, n=name: d[n].view(-1, 1, 1)
        if v.dim() == 2:
            yield lambda d, n=name: d[n].t()
    stems = {n.rsplit(".", 1)[0] for n in values if ".weight_ih_l" in n}
    for stem in stems:
        layer = 0
        while f"{stem}.weight_ih_l{layer}" in values:
            blocks = values[f"{stem}.weight_ih_l{layer}"].size(0) // values[f"{stem}.weight_hh_l{layer}"].size(1)
            order = [0, 3, 1, 2] if blocks == 4 else [1, 0, 2]  # i f g o to i o f c; r z n to z r h

            def turned(d, kind, layer=layer, order=order, stem=stem):
                gates = lambda t: torch.cat([t.chunk(len(order))[i] for i in order])
                one = lambda way: torch.cat([gates(d[f"{stem}.{k}_l{layer}{way}"]) for k in kind])
                return torch.stack([one(""), one("_reverse")])
            for kind in (["weight_ih"], ["weight_hh"], ["bias_ih", "bias_hh"]):
                yield lambda d, kind=kind, turned=turned: turned(d, kind)
            layer += 1


def uses(form, values):
    """The names of what form reads."""
    probe = {n: torch.full_like(v, float(i)) for i, (n, v) in enumerate(values.items())}
    return [list(values)[int(i)] for i in set(form(probe).flatten().tolist())]


def numbers(model):
    for t in model.graph.initializer:
        yield t.name, numpy_helper.to_array(t)
    for n in model.graph.node:
        if n.op_type == "Constant" and n.attribute[0].type == onnx.AttributeProto.TENSOR:
            yield n.output[0], numpy_helper.to_array(n.attribute[0].t)


def adopt(model, net):
    """Gives the parameters of net the very numbers of the file, which were rounded on another way."""
    with torch.no_grad():
        for _, a in numbers(model):
            for p in net.parameters():
                if p.shape == a.shape and a.dtype == np.float32 and np.allclose(a, p.numpy(), 1e-4, 1e-5):
                    p.copy_(torch.tensor(a))
                    break


def named(model, net, grads):
    """The gradients by the names of the file; with the parameters that were not found in it."""
    values = {n: p.detach() for n, p in (dict(net.named_parameters()) | folded(net)).items()}
    table = [(f, f(values).float().numpy(), uses(f, values)) for f in forms(values)]
    out = {}
    seen = {n: set() for n in values}
    for name, a in numbers(model):
        if a.dtype != np.float32 or a.size == 0:
            continue
        if name in values and a.shape == tuple(values[name].shape) and np.allclose(a, values[name].numpy(), 1e-5, 1e-6):
            out[name] = grads[name]
            seen[name].add(name)
            continue
        for f, v, names in sorted(table, key=lambda x: any(seen[n] for n in x[2])):  # those first that were not found yet
            if v.shape == a.shape and np.allclose(a, v, 1e-4, 1e-5):
                out[name] = f(grads)
                for n in names:
                    seen[n].add(name)
                break
    return out, [n for n, s in seen.items() if not s and not n.endswith(".made")]


def make(name, variant, full, batch, folder):
    o = dict(dict(opset=13, fold=True, dynamic=False, inputs=False, train=False, preserve=False), **VARIANTS[variant])
    torch.manual_seed(sum(map(ord, name)))
    narrow, narrow_in, wide, wide_in = NETS[name]
    inputs = wide_in if full else narrow_in
    net = build(wide if full else narrow, inputs, batch, full, o["train"])
    feeds = inputs(batch)
    if not full:
        feeds = {k: few_bits(v) if v.is_floating_point() else v for k, v in feeds.items()}
    mode = TrainingMode.TRAINING if o["train"] else TrainingMode.PRESERVE if o["preserve"] else TrainingMode.EVAL
    axes = {k: {0: "batch"} for k in list(feeds) + ["output"]} if o["dynamic"] else None
    f = io.BytesIO()
    torch.onnx.export(net, tuple(feeds.values()), f, opset_version=o["opset"], training=mode,
                      do_constant_folding=o["fold"] and not o["train"],
                      input_names=list(feeds), output_names=["output"], dynamic_axes=axes, keep_initializers_as_inputs=o["inputs"])
    model = onnx.load_from_string(f.getvalue())
    if mode == TrainingMode.EVAL and any(isinstance(m, nn.BatchNorm2d) for m in net.modules()):
        net = fx.fuse(net.eval())  # the exporter makes one layer of a convolution and its normalisation
        adopt(model, net)
    if hasattr(net, "lm_head") and o["fold"] and mode == TrainingMode.EVAL:
        # folding writes a transposed copy of a tied weight
        net.lm_head.weight = nn.Parameter(net.lm_head.weight.detach().clone())
    net.train(o["train"])
    with torch.no_grad():
        shape = net(*feeds.values()).shape
    cotangent = few_bits(torch.randn(shape))
    out, grads = gradients(net, feeds, cotangent, torch.float64)
    narrow_out, single = gradients(net, feeds, cotangent, torch.float32)
    top = max(float(g.norm()) for g in grads.values())
    worst = max((float((single[n] - g).norm()) / max(float(g.norm()), 1e-4 * top), n) for n, g in grads.items())
    off = float((narrow_out - out).norm() / out.norm())
    with torch.no_grad():
        net(*feeds.values())
    found, lost = named(model, net, grads)
    data = {f"in:{k}": v.numpy() for k, v in feeds.items()} | {"cotangent": cotangent.numpy(), "out": out.float().numpy(), "float32": np.array([worst[0]])}
    data |= {f"grad:{k}": v.float().numpy() if full else rounded(v) for k, v in found.items()}
    if name in EXAMPLES and not full and not o["train"]:
        norms = []
        for i in range(batch):
            _, g = gradients(net, {k: v[i:i + 1] for k, v in feeds.items()}, cotangent[i:i + 1], torch.float64)
            with torch.no_grad():
                net(*feeds.values())
            g, _ = named(model, net, g)
            norms.append([float((v ** 2).sum()) for v in g.values()])
        data |= {f"examples:{k}": v for k, v in zip(found, np.array(norms).T)}
    stem = folder / (name if folder.name == "nets" else f"{name}.{variant}")
    with open(f"{stem}.onnx.gz", "wb") as file:
        file.write(gzip.compress(strip(model).SerializeToString(), 9 if not full else 1, mtime=0))
    np.savez_compressed(f"{stem}.npz", **data)
    zero = sum(not g.any() for g in grads.values())
    print(f"{name:16} {variant:12} {len(found):4} gradients, float32 off by {worst[0]:.1e} at {worst[1]} and {off:.1e}, zero: {zero}, "
          f"not in the file: {lost}", flush=True)


def strip(model):
    """Without the places in source files that the exporter notes."""
    for n in model.graph.node:
        n.doc_string = ""
    return model


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("dir", nargs="?", default=pathlib.Path(__file__).parent / "../../nets")
    p.add_argument("--full", action="store_true")
    p.add_argument("--all", action="store_true")
    p.add_argument("--only", action="append")
    a = p.parse_args()
    folder = pathlib.Path(a.dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in a.only or NETS:
        for variant in VARIANTS if a.all else [CHOSEN[name]]:
            make(name, variant, a.full, 2 if a.full or not VARIANTS[variant].get("train") else 4, folder)
