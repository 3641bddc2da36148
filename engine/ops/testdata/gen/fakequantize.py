# PyTorch's straight-through gradients: writes fakequantize.json.
import json, torch
torch.manual_seed(0)
out = []
def case(name, x, scale, zero, lo, hi, axis=None, learn=False):
    x = x.clone().requires_grad_()
    s = torch.tensor(scale).requires_grad_()
    z = torch.tensor(zero)
    if axis is None:
        y = torch._fake_quantize_learnable_per_tensor_affine(x, s, z.float().requires_grad_(), lo, hi, 1.0)
    else:
        y = torch._fake_quantize_learnable_per_channel_affine(x, s, z.float().requires_grad_(), axis, lo, hi, 1.0)
    dy = torch.randn_like(y)
    (y * dy).sum().backward()
    t = x.detach().clone().requires_grad_()
    plain = torch.fake_quantize_per_tensor_affine(t, scale[0], zero[0], lo, hi) if axis is None else \
        torch.fake_quantize_per_channel_affine(t, torch.tensor(scale), torch.tensor(zero, dtype=torch.int32), axis, lo, hi)
    (plain * dy).sum().backward()
    assert torch.equal(plain, y) and torch.equal(t.grad, x.grad)
    flat = lambda v: [float(u) for u in v.detach().flatten()]
    out.append(dict(name=name, shape=list(x.shape), axis=-1 if axis is None else axis, lo=lo, hi=hi, scale=scale, zero=zero,
                    x=flat(x), dy=flat(dy), y=flat(y), dx=flat(x.grad), ds=flat(s.grad)))
case('uint8', torch.randn(4, 5), [0.01], [128], 0, 255)
case('int8 clipped', 3 * torch.randn(4, 5), [0.01], [0], -128, 127)
case('int4 axis', torch.randn(3, 4, 2), [0.1, 0.03, 0.2, 0.05], [0, 0, 0, 0], -8, 7, 1)
case('uint8 axis zero points', torch.randn(2, 3), [0.02, 0.004], [100, 7], 0, 255, 0)
json.dump(out, open('fakequantize.json', 'w'), indent=0)
