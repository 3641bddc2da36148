# Quantised operators of com.microsoft as ONNX Runtime computes them: writes quantised_microsoft.json beside this folder. Needs numpy, onnx and,
# as the first argument, a command that runs as `COMMAND run MODEL OUTDIR name=input.npy` and writes OUTDIR/y.npy.
import base64, json, os, shlex, shutil, subprocess, sys, tempfile
import numpy as np, onnx, onnx.numpy_helper
from onnx import helper as H, TensorProto as T
rng = np.random.default_rng(11)
kinds = {np.dtype(np.float32): T.FLOAT, np.dtype(np.uint8): T.UINT8, np.dtype(np.int8): T.INT8}
u8, s8, f32 = np.uint8, np.int8, np.float32
out = []
def b(lo, hi, *shape, d=u8): return rng.integers(lo, hi, shape).astype(d)
def case(name, op, x, rest, attrs={}, y=u8, names=None, domain='com.microsoft'):
    # rest: the inputs after x, None where absent; names: order of inputs when x is not the first
    ins, inits = ['x'], []
    for i, v in enumerate(rest):
        if v is None: ins.append(''); continue
        ins.append('i%d' % i); inits.append(onnx.numpy_helper.from_array(np.array(v), 'i%d' % i))
    if names: ins = [ins[k] for k in names]
    g = H.make_graph([H.make_node(op, ins, ['y'], domain=domain, **attrs)], 'g', [H.make_tensor_value_info('x', kinds[x.dtype], x.shape)],
                     [H.make_tensor_value_info('y', kinds[np.dtype(y)], None)], inits)
    m = H.make_model(g, opset_imports=[H.make_opsetid('', 13), H.make_opsetid('com.microsoft', 1)]); m.ir_version = 7
    d = tempfile.mkdtemp(); onnx.save(m, d + '/m.onnx'); np.save(d + '/x.npy', x)
    p = subprocess.run(shlex.split(sys.argv[1]) + ['run', d + '/m.onnx', d + '/out', 'x=' + d + '/x.npy'], capture_output=True, text=True)
    if p.returncode: print(name, p.stderr[:300]); return
    r = np.load(d + '/out/y.npy'); shutil.rmtree(d)
    t = lambda v: dict(type=str(v.dtype), shape=list(v.shape), data=[float(u) for u in v.flatten()])
    out.append(dict(name=name, model=base64.b64encode(m.SerializeToString()).decode(), x=t(x), y=t(r)))
S = lambda v: f32(v)
for d, lo, hi in ((u8, 0, 256), (s8, -128, 128)):
    n, z = np.dtype(d).name, (lambda v, d=d: d(v))
    case('QLinearAdd ' + n, 'QLinearAdd', b(lo, hi, 3, 8, d=d), [S(.02), z(7), b(lo, hi, 8, d=d), S(.04), z(3), S(.06), z(5)], y=d)
    case('QLinearMul ' + n, 'QLinearMul', b(lo, hi, 3, 8, d=d), [S(.02), z(7), b(lo, hi, 3, 1, d=d), S(.04), z(3), S(.16), z(5)], y=d)
    case('QLinearSigmoid ' + n, 'QLinearSigmoid', b(lo, hi, 40, d=d), [S(.05), z(9), S(1 / 256), z(0)], y=d)
    case('QLinearLeakyRelu ' + n, 'QLinearLeakyRelu', b(lo, hi, 40, d=d), [S(.05), z(9), S(.03), z(20)], dict(alpha=.2), y=d)
    case('QLinearSoftmax ' + n, 'QLinearSoftmax', b(lo, hi, 4, 9, d=d), [S(.03), z(9), S(.0031), z(0)], dict(axis=-1, opset=13), y=d)
    case('QLinearGlobalAveragePool ' + n, 'QLinearGlobalAveragePool', b(lo, hi, 2, 3, 5, 5, d=d), [S(.03), z(9), S(.017), z(4)], y=d)
    case('QLinearAveragePool ' + n, 'QLinearAveragePool', b(lo, hi, 1, 2, 5, 5, d=d), [S(.03), z(9), S(.017), z(4)], dict(kernel_shape=[3, 3]), y=d)
    case('QLinearConcat ' + n, 'QLinearConcat', b(lo, hi, 2, 3, d=d), [S(.05), z(3), S(.02), z(1), b(lo, hi, 2, 4, d=d), S(.05), z(3)], dict(axis=1), y=d,
         names=[1, 2, 0, 3, 4, 5, 6, 7])
    case('QLinearWhere ' + n, 'QLinearWhere', b(lo, hi, 2, 3, d=d), [np.array([[True, False, True]]), S(.02), z(1), b(lo, hi, 2, 3, d=d), S(.05), z(3), S(.04), z(9)],
         y=d, names=[1, 0, 2, 3, 4, 5, 6, 7, 8])
    case('QGemm ' + n, 'QGemm', b(lo, hi, 3, 7, d=d), [S(.02), z(9), b(-127, 128, 5, 7, d=s8), np.array([.01, .02, .03, .005, .01], f32), np.zeros(5, s8),
         rng.integers(-3000, 3000, 5).astype(np.int32), S(.2), z(30)], dict(transB=1), y=d)
case('QGemm float', 'QGemm', b(0, 256, 3, 7), [S(.02), u8(9), b(-127, 128, 7, 5, d=s8), S(.01), s8(0)], dict(alpha=.5), y=f32)
case('MatMulIntegerToFloat', 'MatMulIntegerToFloat', b(0, 256, 3, 7), [b(-127, 128, 7, 5, d=s8), S(.02), rng.uniform(.01, .02, 5).astype(f32), u8(120), np.zeros(5, s8),
     rng.normal(size=5).astype(f32)], y=f32)
case('DynamicQuantizeMatMul', 'DynamicQuantizeMatMul', rng.normal(size=(3, 7)).astype(f32), [b(0, 256, 7, 5), S(.02), u8(99), rng.normal(size=5).astype(f32)], y=f32)
for zero in (None, b(0, 256, 3 * 2)):
    case('MatMulNBits' + (' zero points' if zero is not None else ''), 'MatMulNBits', rng.normal(size=(2, 40)).astype(f32),
         [b(0, 256, 3, 3, 8), rng.uniform(.01, .1, 9).astype(f32)] + ([zero] if zero is not None else []), dict(K=40, N=3, bits=4, block_size=16), y=f32)
case('QuantizeLinear', 'QuantizeLinear', rng.normal(size=(3, 4)).astype(f32), [rng.uniform(.01, .1, 3).astype(f32), b(0, 256, 3)], dict(axis=0))
case('DequantizeLinear', 'DequantizeLinear', b(0, 256, 3, 4), [rng.uniform(.01, .1, 3).astype(f32), b(0, 256, 3)], dict(axis=0), y=f32)
case('NhwcMaxPool', 'NhwcMaxPool', b(0, 256, 1, 5, 6, 3), [], dict(kernel_shape=[2, 3], strides=[2, 1], pads=[1, 0, 0, 1]))
case('QLinearConv', 'QLinearConv', b(0, 256, 1, 5, 6, 3), [S(.02), u8(100), b(-127, 128, 4, 3, 3, 3, d=s8), S(.01), s8(0), S(.3), u8(120),
     rng.integers(-3000, 3000, 4).astype(np.int32)], dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], channels_last=1))
json.dump(out, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'quantised_microsoft.json'), 'w'), indent=0)
print(len(out))
