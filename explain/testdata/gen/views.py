"""Writes explain/testdata/views: small nets of the kinds whose tensors are not [N,C,H,W], with activations and gradients by PyTorch autograd.

    /usr/bin/python3 views.py ../views          (torch 1.13, torchvision 0.14)

Every net has random weights. For each there is NAME.onnx.gz and NAME.json.gz with

    feeds   inputs of two examples by name: {"shape", "data", "dtype"}
    logits  [2,K]
    class   the highest class of each example
    input   gradient of the logit of that class by the input (of tokens: by their embedding), [2,C,H,W] or [2,C,1,T]
    layers  tensors of the ONNX file, or "auto": {"view": name, "act", "grad"} as [2,C,h,w], from float64

A layer's values are taken in PyTorch at the module named there and put into [N,C,h,w] by hand, so that the file knows what the Go code must find out.
"""
import gzip, json, os, sys
import numpy as np, onnx, torch
from torch import nn
from torch.nn import functional as F

out = sys.argv[1]


class Tap:
    """Keeps the output (or first input) of modules, with its gradient."""

    def __init__(self):
        self.kept = {}

    def __call__(self, name, module, before=False):
        def keep(_, args, value=None):
            t = args[0] if before else value
            t.retain_grad()
            self.kept[name] = t
        if before:
            module.register_forward_pre_hook(keep)
        else:
            module.register_forward_hook(keep)


def vec(t):
    t = t.detach().double().numpy()
    return {"shape": list(t.shape), "data": [float("%.7g" % v) for v in t.ravel()]}


def grid(h, w, skip=0):
    """[N,skip+h*w,C] to [N,C,h,w]."""
    return lambda t: t[:, skip:].transpose(1, 2).reshape(t.shape[0], t.shape[2], h, w)


def nhwc(t): return t.permute(0, 3, 1, 2)
def same(t): return t
def ncl(t): return t[:, :, None]
def nlc(t): return t.transpose(1, 2)[:, :, None]
def tnc(t): return t.permute(1, 2, 0)[:, :, None]


def write(name, net, feeds, explained, taps, view_of_input, layers, embedding=None, opset=13):
    """layers: ONNX tensor or "auto" -> (tap, view name, function to [N,C,h,w])."""
    net.eval()
    tap = Tap()
    torch.onnx.export(net, tuple(feeds.values()), f"{out}/{name}.onnx", opset_version=opset, input_names=list(feeds), output_names=["logits"],
                      dynamic_axes={**{k: {0: "N"} for k in feeds}, "logits": {0: "N"}}, do_constant_folding=True)
    m = onnx.load(f"{out}/{name}.onnx")
    for n in m.graph.node:
        n.doc_string = ""
    os.remove(f"{out}/{name}.onnx")
    with gzip.GzipFile(f"{out}/{name}.onnx.gz", "wb", 9, mtime=0) as f:
        f.write(m.SerializeToString())
    net.double()
    for key, module, before in taps(net):
        tap(key, module, before)
    inputs = {k: (v.double() if v.is_floating_point() else v).clone() for k, v in feeds.items()}
    if embedding is None:
        inputs[explained].requires_grad_()
    else:
        tap("embedding", embedding(net))
    z = net(*inputs.values())
    k = z.argmax(1)
    z[torch.arange(len(z)), k].sum().backward()
    g = inputs[explained].grad if embedding is None else tap.kept["embedding"].grad
    golden = {
        "_note": "by explain/testdata/gen/views.py",
        "feeds": {k: {**vec(v), "dtype": str(v.dtype).split(".")[1]} for k, v in feeds.items()},
        "logits": vec(z), "class": k.tolist(), "explained": explained, "input": vec(view_of_input(g)),
        "layers": {t: {"view": v, "act": vec(f(tap.kept[key])), "grad": vec(f(tap.kept[key].grad))} for t, (key, v, f) in layers.items()},
    }
    with gzip.GzipFile(f"{out}/{name}.json.gz", "wb", 9, mtime=0) as f:
        f.write(json.dumps(golden).encode())
    names = {o for n in m.graph.node for o in n.output}
    missing = [t for t in layers if t != "auto" and t not in names]
    print(name, len(m.graph.node), "nodes; classes", k.tolist(), "missing" if missing else "", missing)
    for v in golden["layers"].values():
        assert np.abs(v["grad"]["data"]).max() > 0, name


def pictures(*shape):
    return torch.from_numpy(np.random.default_rng(5).standard_normal(shape).astype("f"))


def swin():
    from torchvision.models.swin_transformer import SwinTransformer
    torch.manual_seed(1)
    net = SwinTransformer(patch_size=[2, 2], embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=[2, 2], num_classes=5, mlp_ratio=2.0, stochastic_depth_prob=0.0)
    for p in net.parameters():
        nn.init.normal_(p, 0, 0.3) if p.dim() > 1 else nn.init.normal_(p, 0.5, 0.3)
    write("swin", net, {"x": pictures(2, 3, 16, 24)}, "x", lambda n: [
        ("norm", n.norm, False), ("norm1", n.features[3][0].norm1, False), ("shifted", n.features[1][1].norm1, False), ("merged", n.features[2], False)], same, {
        "auto": ("norm", "nhwc", nhwc),
        "/features/features.1/features.1.1/attn/Reshape_3_output_0": ("shifted", "windows", nhwc),
        "/features/features.3/features.3.0/attn/Reshape_3_output_0": ("norm1", "windows", nhwc),
        "/features/features.2/reduction/MatMul_output_0": ("merged", "nhwc", nhwc),
    }, opset=13)


def vit():
    from torchvision.models.vision_transformer import VisionTransformer
    torch.manual_seed(2)
    net = VisionTransformer(image_size=16, patch_size=4, num_layers=2, num_heads=2, hidden_dim=12, mlp_dim=24, num_classes=5)
    nn.init.normal_(net.heads.head.weight, 0, 0.5)
    nn.init.normal_(net.class_token, 0, 0.5)
    g = grid(4, 4, 1)
    write("vit", net, {"x": pictures(2, 3, 16, 16)}, "x", lambda n: [
        ("norm1", n.encoder.layers[1].ln_1, False), ("block", n.encoder.layers[0], False), ("mlp", n.encoder.layers[0].mlp, False)], same, {
        "auto": ("norm1", "tokens:1", g),
        "/encoder/layers/encoder_layer_0/Add_1_output_0": ("block", "tokens:1", g),
    }, opset=14)


class DeiT(nn.Module):
    """A class token and a distillation token, a head for each, a picture that is not square."""

    def __init__(self, c=12, h=4, w=6):
        super().__init__()
        self.patch = nn.Conv2d(3, c, 4, 4)
        self.cls, self.dist = nn.Parameter(torch.randn(1, 1, c)), nn.Parameter(torch.randn(1, 1, c))
        self.pos = nn.Parameter(torch.randn(1, h * w + 2, c) * 0.3)
        self.blocks = nn.ModuleList([Block(c) for _ in range(2)])
        self.norm = nn.LayerNorm(c)
        self.head, self.head_dist = nn.Linear(c, 5), nn.Linear(c, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        n = x.shape[0]
        x = torch.cat([self.cls.expand(n, -1, -1), self.dist.expand(n, -1, -1), x], 1) + self.pos
        for b in self.blocks:
            x = b(x)
        x = self.norm(x)
        return (self.head(x[:, 0]) + self.head_dist(x[:, 1])) / 2


class Block(nn.Module):
    def __init__(self, c, heads=2):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(c), nn.LayerNorm(c)
        self.qkv, self.proj = nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.mlp = nn.Sequential(nn.Linear(c, 2 * c), nn.GELU(), nn.Linear(2 * c, c))
        self.heads = heads

    def forward(self, x, mask=None):
        n, t, c = x.shape
        y = self.norm1(x)
        q, k, v = self.qkv(y).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        a = q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5
        if mask is not None:
            a = a + mask
        x = x + self.proj((a.softmax(-1) @ v).transpose(1, 2).reshape(n, t, c))
        return x + self.mlp(self.norm2(x))


def deit():
    torch.manual_seed(3)
    g = grid(4, 6, 2)
    write("deit", DeiT(), {"x": pictures(2, 3, 16, 24)}, "x", lambda n: [("norm1", n.blocks[1].norm1, False), ("block", n.blocks[0], False)], same, {
        "auto": ("norm1", "tokens:2", g),
        "/blocks.0/Add_1_output_0": ("block", "tokens:2", g),
    }, opset=17)


def convnext():
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt
    torch.manual_seed(4)
    net = ConvNeXt([CNBlockConfig(8, 12, 1), CNBlockConfig(12, None, 1)], layer_scale=0.5, num_classes=5)
    write("convnext", net, {"x": pictures(2, 3, 32, 24)}, "x", lambda n: [
        ("last", n.features[3][0], False), ("norm", n.features[3][0].block[2], False)], same, {
        "auto": ("last", "nchw", same),
        "/features/features.3/features.3.0/block/block.2/Add_1_output_0": ("norm", "nhwc", nhwc),
    }, opset=13)


class Keras(nn.Module):
    """[N,H,W,C] throughout, as TensorFlow exports are: a transposition around each convolution."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 10, 3, stride=2, padding=1)
        self.relu = nn.Identity()
        self.out = nn.Linear(10, 4)

    def forward(self, x):
        for conv in (self.a, self.b):
            x = self.relu(F.relu(conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1) * 1.5))
        return self.out(x.mean((1, 2)))


def keras():
    torch.manual_seed(6)
    write("keras", Keras(), {"x": pictures(2, 12, 16, 3)}, "x", lambda n: [("relu", n.relu, False)], nhwc, {"auto": ("relu", "nhwc", nhwc)}, opset=13)


class Conv1d(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv1d(4, 8, 5, stride=2, padding=2), nn.Conv1d(8, 8, 3, padding=1), nn.Conv1d(8, 8, 1)
        self.bn, self.relu, self.out = nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.bn(self.a(x)))
        x = self.relu(x + self.c(F.relu(self.b(x))))
        return self.out(x.mean(2))


def conv1d():
    torch.manual_seed(7)
    write("conv1d", Conv1d(), {"x": pictures(2, 4, 30)}, "x", lambda n: [("relu", n.relu, False)], ncl, {"auto": ("relu", "ncl", ncl)}, opset=13)


class Lstm(nn.Module):
    """A series [N,L,C] through a recurrent layer that keeps time first inside."""

    def __init__(self):
        super().__init__()
        self.lstm, self.out = nn.LSTM(5, 6), nn.Linear(6, 3)
        self.keep = nn.Identity()

    def forward(self, x):
        y, _ = self.lstm(x.transpose(0, 1))
        return self.out(torch.tanh(self.keep(y)).mean(0))


def lstm():
    torch.manual_seed(8)
    write("lstm", Lstm(), {"x": pictures(2, 11, 5)}, "x", lambda n: [("keep", n.keep, False)], nlc, {"/lstm/Squeeze_output_0": ("keep", "tnc", tnc)}, opset=13)


class Bert(nn.Module):
    """Post-norm encoder with word, position and type embeddings, an attention mask, and a pooler that reads the first token."""

    def __init__(self, v=30, c=12, t=9):
        super().__init__()
        self.word, self.place, self.kind = nn.Embedding(v, c), nn.Embedding(t, c), nn.Embedding(2, c)
        self.norm = nn.LayerNorm(c)
        self.blocks = nn.ModuleList([Block(c) for _ in range(2)])
        self.pool, self.out = nn.Linear(c, c), nn.Linear(c, 4)

    def forward(self, input_ids, attention_mask, token_type_ids):
        x = self.norm(self.word(input_ids) + self.place.weight[None] + self.kind(token_type_ids))
        m = (1 - attention_mask[:, None, None].to(x.dtype)) * -10000.0
        for b in self.blocks:
            x = b(x, m)
        return self.out(torch.tanh(self.pool(x[:, 0])))


def bert():
    torch.manual_seed(9)
    r = np.random.default_rng(9)
    mask = np.ones((2, 9), "i8"); mask[1, 6:] = 0
    feeds = {"input_ids": torch.from_numpy(r.integers(0, 30, (2, 9))), "attention_mask": torch.from_numpy(mask), "token_type_ids": torch.from_numpy(r.integers(0, 2, (2, 9)))}
    write("bert", Bert(), feeds, "input_ids", lambda n: [("block", n.blocks[0], False)], nlc, {
        "auto": ("embedding", "nlc", nlc), "/blocks.0/Add_2_output_0": ("block", "nlc", nlc)}, embedding=lambda n: n.word, opset=13)


for make in (swin, vit, deit, convnext, keras, conv1d, lstm, bert):
    if len(sys.argv) < 3 or make.__name__ in sys.argv[2:]:
        make()
