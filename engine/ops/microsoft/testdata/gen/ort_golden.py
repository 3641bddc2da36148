# Writes ../cases.zip: models of one node of com.microsoft with inputs and, by ONNX Runtime 1.30 on a CPU, outputs. Where ONNX Runtime has no
# CPU kernel the outputs are those of the formula in its documentation, by NumPy. A case NAME is NAME/model.onnx, NAME/in_X.npy and
# NAME/out_Y.npy.
#
#     python3 ort_golden.py FOLDER        (onnx, NumPy and node; FOLDER has onnxruntime-node and ort.cjs, see scripts/bench-peers.sh)
import io
import math
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PEERS = pathlib.Path(sys.argv[1])
ONLY = sys.argv[2:]
MS = "com.microsoft"
rng = np.random.default_rng(3)
out = zipfile.ZipFile(pathlib.Path(__file__).parent.parent / "cases.zip", "w", zipfile.ZIP_DEFLATED)
KINDS = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "int32": TensorProto.INT32, "bool": TensorProto.BOOL}
seen = set()


def f(*shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def i32(*x):
    return np.array(x, dtype=np.int32)


def i64(*x):
    return np.array(x, dtype=np.int64)


def npy(a):
    b = io.BytesIO()
    np.save(b, np.ascontiguousarray(a) if a.ndim else a)
    return b.getvalue()


def store(name, data):
    out.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)


def case(name, op, inputs, attrs=None, outs=1, domain=MS, opset=17, ref=None, stored=(), compare=None, tail=0):
    """inputs: (name, array or None); stored: those that are initializers; outs: number, or names with '' for absent ones;
    compare: outputs that are recorded, where others have no defined content."""
    if ONLY and not any(name.startswith(o) for o in ONLY):
        return
    assert name not in seen, name
    seen.add(name)
    names = [f"y{i}" for i in range(outs)] if isinstance(outs, int) else list(outs)
    node = helper.make_node(op, [k if v is not None else "" for k, v in inputs], names, name="n", domain=domain, **(attrs or {}))
    info = [helper.make_tensor_value_info(k, KINDS[str(v.dtype)], v.shape) for k, v in inputs if v is not None and k not in stored]
    init = [numpy_helper.from_array(v, k) for k, v in inputs if v is not None and k in stored]
    kinds = {}
    if ref is not None:
        want = ref(**{k: v for k, v in inputs})
        want = dict(zip([n for n in names if n], want if isinstance(want, (list, tuple)) else [want]))
        kinds = {k: KINDS[str(v.dtype)] for k, v in want.items()}
    elif op == "EmbedLayerNormalization":
        kinds = {"y1": TensorProto.INT32}
    g = helper.make_graph([node], name, info, [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), None) for n in names if n], init)
    ops = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft.experimental", 1), helper.make_opsetid(MS, 1)]
    model = helper.make_model(g, opset_imports=ops, ir_version=8)
    if ref is None:
        with tempfile.TemporaryDirectory() as d:
            d = pathlib.Path(d)
            onnx.save(model, d / "m.onnx")
            args = []
            for k, v in inputs:
                if v is not None and k not in stored:
                    (d / f"{k}.npy").write_bytes(npy(v))
                    args.append(f"{k}={d / (k + '.npy')}")
            r = subprocess.run(["node", PEERS / "ort.cjs", "run", d / "m.onnx", d / "out", *args], capture_output=True, text=True)
            if r.returncode:
                print("FAILED", name, r.stderr.strip()[-300:])
                return
            want = {n: np.load(d / "out" / f"{n}.npy") for n in names if n}
    store(f"{name}/model.onnx", model.SerializeToString())
    for k, v in inputs:
        if v is not None and k not in stored:
            store(f"{name}/in_{k}.npy", npy(v))
    for k, v in want.items():
        if compare is None or k in compare:
            assert np.isfinite(v).all(), (name, k, v)
            store(f"{name}/out_{k}.npy", npy(v))
    print(name, {k: v.shape for k, v in want.items()})


def erf(x):
    return np.vectorize(math.erf)(x.astype(np.float64))


def gelu(x):
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def fastgelu(x):
    x = x.astype(np.float64)
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def f32(x):
    return np.asarray(x).astype(np.float32)


# Activations and biases.
case("gelu", "Gelu", [("X", f(3, 4))])
case("fastgelu", "FastGelu", [("X", f(2, 3, 4))])
case("fastgelu_bias", "FastGelu", [("X", f(2, 3, 4)), ("bias", f(4))])
case("quickgelu", "QuickGelu", [("X", f(3, 4))])
case("quickgelu_silu", "QuickGelu", [("X", f(3, 4))], {"alpha": 1.0})
case("biasgelu", "BiasGelu", [("A", f(2, 3, 4)), ("B", f(4))], stored=["B"])
case("biassplitgelu", "BiasSplitGelu", [("X", f(2, 3, 8)), ("bias", f(8))],
     ref=lambda X, bias: f32((X + bias)[..., :4] * gelu((X + bias)[..., 4:])))
case("biasadd", "BiasAdd", [("X", f(2, 3, 4)), ("bias", f(4)), ("skip", f(2, 3, 4))], ref=lambda X, bias, skip: f32(X + bias + skip))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


case("biassoftmax_outer", "BiasSoftmax", [("data", f(2, 3, 4, 5)), ("bias", f(4, 5))], {"axis": 3, "is_inner_broadcast": 0},
     ref=lambda data, bias: f32(softmax(data + bias)))
case("biassoftmax_inner", "BiasSoftmax", [("data", f(2, 3, 4, 5)), ("bias", f(2, 1, 1, 5))], {"axis": 3, "is_inner_broadcast": 1},
     ref=lambda data, bias: f32(softmax(data + bias)))
case("biassoftmax_axis", "BiasSoftmax", [("data", f(2, 3, 4, 5)), ("bias", f(4, 5))], {"axis": 2, "is_inner_broadcast": 0},
     ref=lambda data, bias: f32(softmax((data + bias).reshape(6, 20)).reshape(2, 3, 4, 5)))

# Products.
case("fusedmatmul", "FusedMatMul", [("A", f(2, 3, 4)), ("B", f(4, 5))], {"alpha": 0.5}, stored=["B"])
case("fusedmatmul_transA", "FusedMatMul", [("A", f(2, 4, 3)), ("B", f(2, 4, 5))], {"transA": 1})
case("fusedmatmul_transB", "FusedMatMul", [("A", f(2, 2, 3, 4)), ("B", f(2, 2, 5, 4))], {"transB": 1, "alpha": 0.25})
case("fusedmatmul_transB_weight", "FusedMatMul", [("A", f(2, 3, 4)), ("B", f(5, 4))], {"transB": 1}, stored=["B"])
case("fusedmatmul_both", "FusedMatMul", [("A", f(4, 3)), ("B", f(5, 4))], {"transA": 1, "transB": 1})
case("fusedmatmul_batchA", "FusedMatMul", [("A", f(3, 2, 6, 4)), ("B", f(2, 6, 4, 5))], {"transBatchA": 1})
case("fusedmatmul_batchA_transA", "FusedMatMul", [("A", f(4, 2, 3)), ("B", f(2, 4, 5))], {"transBatchA": 1, "transA": 1})
case("fusedmatmul_batchB", "FusedMatMul", [("A", f(2, 3, 4)), ("B", f(4, 2, 5))], {"transBatchB": 1})
case("fusedmatmul_batchB_transB", "FusedMatMul", [("A", f(2, 3, 4)), ("B", f(5, 2, 4))], {"transBatchB": 1, "transB": 1})
case("fusedmatmul_vector", "FusedMatMul", [("A", f(4)), ("B", f(2, 5, 4))], {"transB": 1, "transA": 1})
case("transposematmul", "TransposeMatMul", [("A", f(2, 4, 3)), ("B", f(2, 5, 4))], {"transA": 1, "transB": 1, "alpha": 2.0})
case("fusedmatmulactivation", "FusedMatMulActivation", [("A", f(2, 3, 4)), ("B", f(2, 5, 4))],
     {"transB": 1, "alpha": 0.5, "activation": "Tanh"}, ref=lambda A, B: f32(np.tanh(0.5 * A @ B.transpose(0, 2, 1))))
case("gemmfastgelu", "GemmFastGelu", [("X", f(2, 3, 4)), ("W", f(4, 5)), ("bias", f(5))], ref=lambda X, W, bias: f32(fastgelu(X @ W + bias)))
case("fusedgemm_relu", "FusedGemm", [("A", f(3, 4)), ("B", f(4, 5)), ("C", f(5))], {"activation": "Relu"}, stored=["B", "C"])
case("fusedgemm_leaky", "FusedGemm", [("A", f(4, 3)), ("B", f(5, 4)), ("C", f(5))],
     {"activation": "LeakyRelu", "activation_alpha": 0.3, "transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0})
case("fusedgemm_elu", "FusedGemm", [("A", f(3, 4)), ("B", f(4, 5))], {"activation": "Elu", "activation_alpha": 0.7})
case("fusedgemm_hardsigmoid", "FusedGemm", [("A", f(3, 4)), ("B", f(4, 5))],
     {"activation": "HardSigmoid", "activation_alpha": 0.3, "activation_beta": 0.4})
case("fusedgemm_selu", "FusedGemm", [("A", f(3, 4)), ("B", f(4, 5))], {"activation": "Selu", "activation_alpha": 1.5, "activation_gamma": 1.1})
for act in ["Tanh", "Sigmoid", "Softplus", "Softsign"]:
    case("fusedgemm_" + act.lower(), "FusedGemm", [("A", f(3, 4)), ("B", f(4, 5))], {"activation": act})
case("fusedgemm_thresholded", "FusedGemm", [("A", f(3, 4)), ("B", f(4, 5))], {"activation": "ThresholdedRelu", "activation_alpha": 0.5})

# Convolutions.
x, w, b = f(2, 4, 6, 5), f(6, 4, 3, 3), f(6)
pads = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
case("fusedconv_relu", "FusedConv", [("X", x), ("W", w), ("B", b)], {**pads, "activation": "Relu"}, stored=["W", "B"])
case("fusedconv_none", "FusedConv", [("X", x), ("W", w)], pads)
case("fusedconv_leaky", "FusedConv", [("X", x), ("W", w), ("B", b)], {**pads, "activation": "LeakyRelu", "activation_params": [0.2], "strides": [2, 2]})
case("fusedconv_clip", "FusedConv", [("X", x), ("W", w)], {**pads, "activation": "Clip", "activation_params": [-0.5, 6.0]})
case("fusedconv_hardsigmoid", "FusedConv", [("X", x), ("W", f(6, 2, 3, 3))],
     {"activation": "HardSigmoid", "activation_params": [0.2, 0.5], "group": 2, "auto_pad": "SAME_UPPER"})
case("fusedconv_sigmoid", "FusedConv", [("X", x), ("W", w)], {**pads, "activation": "Sigmoid", "dilations": [2, 1]})
case("fusedconv_tanh", "FusedConv", [("X", f(2, 4, 9)), ("W", f(6, 4, 3))], {"activation": "Tanh"})
case("fusedconv_z", "FusedConv", [("X", x), ("W", w), ("B", b), ("Z", f(2, 6, 6, 5))], {**pads, "activation": "Relu"})
case("fusedconv_z_nobias", "FusedConv", [("X", x), ("W", w), ("B", None), ("Z", f(2, 6, 6, 5))], {**pads, "activation": "Relu"})


def conv_nhwc(X, W, B=None, Z=None):
    n, h, wd, c = X.shape
    m, _, kh, kw = W.shape
    p = np.pad(X.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = np.zeros((n, h, wd, m))
    for i in range(kh):
        for j in range(kw):
            y += p[:, i:i + h, j:j + wd] @ W[:, :, i, j].T.astype(np.float64)
    return f32(y + (0 if B is None else B) + (0 if Z is None else Z))


xh = f(2, 6, 5, 4)
case("nhwcconv", "NhwcConv", [("X", xh), ("W", w), ("B", b)], pads, ref=conv_nhwc)
case("nhwcfusedconv", "NhwcFusedConv", [("X", xh), ("W", w), ("B", b), ("Z", f(2, 6, 5, 6))], {**pads, "activation": "Relu"},
     ref=lambda **k: np.maximum(conv_nhwc(**k), 0))

# Normalisations.
case("layernorm_1", "LayerNormalization", [("X", f(2, 3, 8)), ("Scale", f(8)), ("B", f(8))], {"axis": -1, "epsilon": 1e-3}, domain="", opset=13,
     stored=["Scale", "B"])
case("layernorm_1_axis", "LayerNormalization", [("X", f(2, 3, 8)), ("Scale", f(3, 8)), ("B", f(3, 8))], {"axis": 1}, outs=3, domain="", opset=11)
case("simplified", "SimplifiedLayerNormalization", [("X", f(2, 3, 8)), ("scale", f(8))], {"axis": -1, "epsilon": 1e-3}, domain="", opset=17)
case("simplified_inv", "SimplifiedLayerNormalization", [("X", f(2, 3, 8)), ("scale", f(8))], {"axis": -1}, outs=2, domain="", opset=13)
x, s, g, b, e = f(2, 3, 8), f(2, 3, 8), f(8), f(8), f(8)
case("skip", "SkipLayerNormalization", [("input", x), ("skip", s), ("gamma", g), ("beta", b)], stored=["gamma", "beta"])
case("skip_bias", "SkipLayerNormalization", [("input", x), ("skip", s), ("gamma", g), ("beta", b), ("bias", e)], {"epsilon": 1e-2})
case("skip_nobeta", "SkipLayerNormalization", [("input", x), ("skip", s), ("gamma", g), ("beta", None), ("bias", e)])
case("skip_sum", "SkipLayerNormalization", [("input", x), ("skip", f(1, 3, 8)), ("gamma", g), ("beta", b), ("bias", e)], outs=["y0", "", "", "y3"])
case("skip_rank2", "SkipLayerNormalization", [("input", x), ("skip", f(3, 8)), ("gamma", g), ("beta", b)])
case("skip_flat", "SkipLayerNormalization", [("input", f(6, 8)), ("skip", f(6, 8)), ("gamma", g), ("beta", b)])
case("skipsimplified", "SkipSimplifiedLayerNormalization", [("input", x), ("skip", s), ("gamma", g)], {"epsilon": 1e-2})
case("skipsimplified_sum", "SkipSimplifiedLayerNormalization", [("input", x), ("skip", s), ("gamma", g), ("bias", e)], outs=["y0", "", "", "y3"])



def groupnorm(X, gamma, beta, skip=None, bias=None, groups=2, silu=False, last=True, eps=1e-5):
    x = X.astype(np.float64)
    if skip is not None:
        x = x + (skip.reshape(2, 1, 1, -1) if skip.ndim == 2 else skip)
    if bias is not None:
        x = x + bias
    total = x
    if last:
        x = x.transpose(0, 3, 1, 2)
    n, c, h, w = x.shape
    g = x.reshape(n, groups, -1)
    g = (g - g.mean(2, keepdims=True)) / np.sqrt(g.var(2, keepdims=True) + eps)
    y = g.reshape(n, c, h, w) * gamma[:, None, None] + beta[:, None, None]
    if silu:
        y = y / (1 + np.exp(-y))
    y = f32(y.transpose(0, 2, 3, 1) if last else y)
    return y if skip is None else [y, f32(total)]


xg = f(2, 3, 2, 8)
case("groupnorm", "GroupNorm", [("X", xg), ("gamma", f(8)), ("beta", f(8))], {"groups": 2, "activation": 0}, ref=groupnorm)
case("groupnorm_silu", "GroupNorm", [("X", xg), ("gamma", f(8)), ("beta", f(8))], {"groups": 2, "activation": 1, "epsilon": 1e-2},
     ref=lambda **k: groupnorm(**k, silu=True, eps=1e-2))
case("groupnorm_nchw", "GroupNorm", [("X", f(2, 8, 3, 2)), ("gamma", f(8)), ("beta", f(8))],
     {"groups": 2, "activation": 0, "channels_last": 0}, ref=lambda **k: groupnorm(**k, last=False))
for kind, shape in [("", (2, 3, 2, 8)), ("_row", (2, 1, 1, 8)), ("_flat", (2, 8))]:
    case("skipgroupnorm" + kind, "SkipGroupNorm", [("X", xg), ("gamma", f(8)), ("beta", f(8)), ("skip", f(*shape)), ("bias", f(8))],
         {"groups": 2, "activation": 1}, outs=2, ref=lambda **k: groupnorm(**k, silu=True))

# Embeddings.
words, places, kinds = f(11, 8), f(7, 8), f(2, 8)
ids, seg = i32(*rng.integers(0, 11, 6)).reshape(2, 3), i32(0, 1, 1, 0, 0, 1).reshape(2, 3)
mask = i32(1, 1, 0, 1, 1, 1).reshape(2, 3)
emb = [("input_ids", ids), ("segment_ids", seg), ("word", words), ("position", places), ("segment", kinds), ("gamma", g), ("beta", b)]
tables = ["word", "position", "segment", "gamma", "beta"]
case("embed", "EmbedLayerNormalization", emb, {"epsilon": 1e-3}, outs=2, stored=tables)
case("embed_mask_sum", "EmbedLayerNormalization", emb + [("mask", mask)], outs=3)
case("embed_nosegment", "EmbedLayerNormalization", [emb[0], ("segment_ids", None), emb[2], emb[3], ("segment", None), emb[5], emb[6]], outs=2)
case("embed_positions", "EmbedLayerNormalization", emb + [("mask", mask), ("position_ids", i32(0, 2, 4, 1, 1, 6).reshape(2, 3))], outs=2)
case("embed_positions1", "EmbedLayerNormalization", emb + [("mask", None), ("position_ids", i32(3, 2, 4).reshape(1, 3))], outs=2)

# Rotary embedding.
angle = np.outer(np.arange(10), 10.0 ** -np.arange(4))
cos, sin = f32(np.cos(angle)), f32(np.sin(angle))
pos = i64(0, 1, 2, 4, 5, 6).reshape(2, 3)


def rot(name, x, p, attrs=None, h=4, **kw):
    case(name, "RotaryEmbedding", [("input", x), ("position_ids", p), ("cos", cos[:, :h]), ("sin", sin[:, :h])], attrs, stored=["cos", "sin"], **kw)


rot("rotary", f(2, 3, 16), pos)
rot("rotary_offset", f(2, 3, 16), i64(5))
rot("rotary_interleaved", f(2, 3, 16), pos, {"interleaved": 1})
rot("rotary_4d", f(2, 2, 3, 8), pos)
rot("rotary_4d_interleaved", f(2, 2, 3, 8), pos, {"interleaved": 1})
rot("rotary_partial", f(2, 3, 16), pos, {"num_heads": 2, "rotary_embedding_dim": 4}, h=2)
rot("rotary_partial_interleaved", f(2, 2, 3, 8), pos, {"num_heads": 2, "rotary_embedding_dim": 6, "interleaved": 1}, h=3)
rot("rotary_scale", f(2, 3, 16), pos, {"scale": 2.0})

# Attention.
B, S, D, N, H = 2, 3, 8, 2, 4
x, w, b = f(B, S, D), f(D, 3 * D, scale=0.5), f(3 * D)
base = [("input", x), ("weights", w), ("bias", b)]
heads = {"num_heads": N}


def att(name, more=(), attrs=None, **kw):
    case("attention" + name, "Attention", base + list(more), {**heads, **(attrs or {})}, **kw)


att("", stored=["weights", "bias"])
att("_causal", attrs={"unidirectional": 1})
att("_scale", attrs={"scale": 0.3})
att("_mask2", [("mask", i32(1, 1, 0, 1, 1, 1).reshape(B, S))])
att("_mask2_causal", [("mask", i32(1, 1, 0, 1, 1, 1).reshape(B, S))], {"unidirectional": 1})
att("_mask2_filter", [("mask", i32(1, 1, 0, 1, 0, 1).reshape(B, S))], {"mask_filter_value": -3.0})
att("_mask1", [("mask", i32(2, 3))])
att("_mask1_ends", [("mask", i32(2, 3, 0, 1))])
att("_mask3", [("mask", i32(*rng.integers(0, 2, B * S * S)).reshape(B, S, S) | np.eye(S, dtype=np.int32))])
att("_bias", [("mask", None), ("past", None), ("attention_bias", f(B, N, S, S))])
att("_bias1", [("mask", None), ("past", None), ("attention_bias", f(1, 1, S, S))])
att("_past", [("mask", None), ("past", f(2, B, N, 5, H))], {"unidirectional": 1}, outs=2)
att("_past_mask2", [("mask", i32(1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1).reshape(B, 8)), ("past", f(2, B, N, 5, H))], outs=2)
att("_present", outs=2)
case("attention_sizes", "Attention", [("input", x), ("weights", f(D, 8 + 8 + 12, scale=0.5)), ("bias", f(28))],
     {**heads, "qkv_hidden_sizes": [8, 8, 12]})

# Multi-head attention.
L = 5
q, k, v = f(B, S, D), f(B, L, D), f(B, L, D)


def mha(name, inputs, attrs=None, **kw):
    names = ["query", "key", "value", "bias", "mask", "attention_bias", "past_key", "past_value"]
    case("mha" + name, "MultiHeadAttention", list(zip(names, inputs)), {**heads, **(attrs or {})}, **kw)


def attend(q, k, v):
    p = softmax(np.einsum("bsnh,btnh->bnst", q, k) / math.sqrt(H))
    return f32(np.einsum("bnst,btnh->bsnh", p, v).reshape(B, S, D))


mha("", [q, k, v])
mha("_bias", [q, k, v, f(3 * D)], stored=["bias"])
mha("_value_size", [q, k, f(B, L, 12), f(D + D + 12)])
mha("_scale", [q, k, v], {"scale": 0.2})
mha("_mask1", [q, k, v, None, i32(4, 2)])
mha("_mask2", [q, k, v, None, i32(1, 1, 1, 1, 0, 1, 1, 0, 0, 0).reshape(B, L)])
mha("_mask2_filter", [q, k, v, None, i32(1, 1, 1, 1, 0, 1, 1, 0, 0, 0).reshape(B, L)], {"mask_filter_value": -2.0})
mha("_mask3", [q, k, v, None, i32(*rng.integers(0, 2, B * S * L)).reshape(B, S, L)])
mha("_attention_bias", [q, k, v, None, None, f(B, N, S, L)])
mha("_attention_bias1", [q, k, v, f(3 * D), None, f(1, N, S, L)])
mha("_attention_bias_mask", [q, k, v, None, i32(1, 1, 1, 1, 0, 1, 1, 0, 0, 0).reshape(B, L), f(1, 1, S, L)])
mha("_causal", [q, f(B, S, D), f(B, S, D)], {"unidirectional": 1})
mha("_cross", [q, f(B, N, L, H), f(B, N, L, H)])
mha("_cross_bias", [q, f(B, N, L, H), f(B, N, L, H), f(3 * D)])
mha("_packed_qkv", [f(B, S, N, 3, H)], ref=lambda query, **_: attend(*(query[:, :, :, i] for i in range(3))))
mha("_packed_kv", [q, f(B, L, N, 2, H)], ref=lambda query, key, **_: attend(query.reshape(B, S, N, H), key[:, :, :, 0], key[:, :, :, 1]))
mha("_past", [q, f(B, S, D), f(B, S, D), f(3 * D), None, None, f(B, N, 5, H), f(B, N, 5, H)], outs=3)
mha("_past_causal", [q, f(B, S, D), f(B, S, D), None, None, None, f(B, N, 5, H), f(B, N, 5, H)], {"unidirectional": 1}, outs=3)
mha("_present", [q, k, v, f(3 * D)], outs=3)

# Grouped queries: 4 heads of queries, 2 of keys, 8 numbers each.
names = ["query", "key", "value", "past_key", "past_value", "seqlens_k", "total", "cos", "sin", "position_ids", "attention_bias", "head_sink"]


def gqa(name, inputs, attrs=None, outs=3, **kw):
    inputs = [a.reshape(()) if n == "total" and a is not None else a for n, a in zip(names, inputs)]
    case("gqa" + name, "GroupQueryAttention", list(zip(names, inputs)), {"num_heads": 4, "kv_num_heads": 2, **(attrs or {})}, outs=outs,
         stored=["cos", "sin"], **kw)


E = 16
wide = np.outer(np.arange(10), 10.0 ** -np.arange(8))
cos, sin = f32(np.cos(wide)), f32(np.sin(wide))
q, k, v = f(B, S, 4 * E), f(B, S, 2 * E), f(B, S, 2 * E)
one = [f(1, S, 4 * E), f(1, S, 2 * E), f(1, S, 2 * E), f(1, 2, 4, E), f(1, 2, 4, E), i32(6), i32(7)]
token = [f(B, 1, 4 * E), f(B, 1, 2 * E), f(B, 1, 2 * E), f(B, 2, 4, E), f(B, 2, 4, E)]
full, total = i32(S - 1, S - 1), i32(S)
gqa("", [q, k, v, None, None, full, total])
gqa("_scale", [q, k, v, None, None, full, total], {"scale": 0.2})
gqa("_packed", [f(B, S, 8 * E), None, None, None, None, full, total])
gqa("_rotary", [q, k, v, None, None, full, total, cos, sin], {"do_rotary": 1})
gqa("_rotary_interleaved", [q, k, v, None, None, full, total, cos, sin], {"do_rotary": 1, "rotary_interleaved": 1})
gqa("_rotary_packed", [f(B, S, 8 * E), None, None, None, None, full, total, cos, sin], {"do_rotary": 1})
gqa("_past", one)
gqa("_past_rotary", one + [cos, sin], {"do_rotary": 1})
gqa("_past_token", token + [i32(4, 4), i32(5), cos, sin], {"do_rotary": 1})
gqa("_past_ragged", token + [i32(3, 4), i32(5), cos, sin], {"do_rotary": 1}, compare=["y0"])
gqa("_past_longer", token[:3] + [f(B, 2, 9, E), f(B, 2, 9, E), i32(6, 3), i32(7), cos, sin], {"do_rotary": 1}, compare=["y0"])
gqa("_window", one, {"local_window_size": 2})
gqa("_window4", one, {"local_window_size": 4})
gqa("_window_prompt", [q, k, v, None, None, full, total], {"local_window_size": 1})
gqa("_softcap", [q, k, v, None, None, full, total], {"softcap": 0.7})
gqa("_smooth", [q, k, v, None, None, full, total], {"smooth_softmax": 1})
gqa("_sink", [q, k, v, None, None, full, total, None, None, None, None, f(4)])
gqa("_positions", [q, k, v, None, None, full, total, cos, sin, i64(0, 2, 3, 1, 4, 5).reshape(2, 3)], {"do_rotary": 1})
gqa("_attention_bias", [q, k, v, None, None, full, total, None, None, None, f(B, 4, S, S)])
gqa("_attention_bias1", one + [None, None, None, f(1, 1, S, 7)], {"softcap": 2.0})

# Others.
t = f(3, 4, 5)
def buckets(far, n, farthest, both):  # as in T5
    offset = 0
    if both:
        n //= 2
        offset, far = np.where(far > 0, n, 0), np.abs(far)
    else:
        far = np.maximum(-far, 0)
    near = n // 2
    large = near + (np.log(np.maximum(far, near) / near) / np.log(farthest / near) * (n - near)).astype(int)
    return offset + np.where(far < near, far, np.minimum(large, n - 1))


for both in [0, 1]:
    case(f"relative{both}", "RelativePositionBias", [("table", f(12, 2)), ("rows", np.array(17, dtype=np.int64)), ("keys", np.array(17, dtype=np.int64))],
         {"max_distance": 15, "is_bidirectional": both}, stored=["table", "rows", "keys"],
         ref=lambda table, rows, keys: table[buckets(np.arange(17)[None] - np.arange(17)[:, None], 12, 15, both)].transpose(2, 0, 1)[None])
for metric in ["euclidean", "sqeuclidean"]:
    case("cdist_" + metric, "CDist", [("A", f(4, 3)), ("B", f(5, 3))], {"metric": metric})
case("inverse", "Inverse", [("X", f(2, 3, 3) + 3 * np.eye(3, dtype=np.float32))])
case("inverse_matrix", "Inverse", [("X", f(5, 5))])
case("trilu", "Trilu", [("X", t), ("k", np.array(1, dtype=np.int64))])
case("trilu_lower", "Trilu", [("X", t), ("k", np.array(-1, dtype=np.int64))], {"upper": 0})
case("expanddims", "ExpandDims", [("X", t), ("axis", np.array(1, dtype=np.int32))])
case("expanddims_last", "ExpandDims", [("X", t), ("axis", np.array(-1, dtype=np.int32))])
case("gathernd", "GatherND", [("data", t), ("indices", i64(0, 1, 2, 3).reshape(2, 2))])
case("range", "Range", [("start", np.array(1, dtype=np.float32)), ("limit", np.array(7, dtype=np.float32)), ("delta", np.array(2, dtype=np.float32))],
     stored=["start", "limit", "delta"])
case("pad", "Pad", [("data", f(2, 3)), ("pads", i64(0, 1, 2, 0)), ("value", f(1))], stored=["pads"])
out.close()
