# Writes ../augment.json: pictures that Pillow has changed, through the calls that torchvision's functional operations make of it, with the
# matrices of torchvision's affine, and mixtures and blurs by PyTorch.
#
#     python3 augment.py        (made with Pillow 9.4, PyTorch 1.13)
import base64
import hashlib
import json
import math
import pathlib

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

rng = np.random.default_rng(7)


def picture(h, w, c):
    """A smooth field with noise, edges, black and white."""
    y, x = np.mgrid[0:h, 0:w]
    out = np.stack([127 + 110 * np.sin(x / (3 + k) + y / (5 - k)) for k in range(c)], -1) + rng.normal(0, 18, (h, w, c))
    out[: h // 4, : w // 4] = 255
    out[-3:, :] = 0
    return np.clip(out, 0, 255).astype(np.uint8)


P = {"rgb": picture(23, 31, 3), "square": picture(20, 20, 3), "grey": picture(17, 26, 1), "dull": picture(15, 18, 3) // 4 + 90}
flat = np.full((6, 7, 3), 9, np.uint8)
P["flat"] = flat
cases = []


def image(name):
    a = P[name]
    return Image.fromarray(a[..., 0] if a.shape[2] == 1 else a)


def planes(img):
    a = np.asarray(img)
    a = a[..., None] if a.ndim == 2 else a
    return hashlib.sha256(np.ascontiguousarray(a.transpose(2, 0, 1)).tobytes()).hexdigest()[:16]


def case(pic, op, args, img):
    cases.append({"picture": pic, "op": op, "args": [float(v) for v in args], "out": planes(img)})


def hue(img, factor):
    if img.mode == "L":
        return img
    h, s, v = img.convert("HSV").split()
    a = np.array(h, dtype=np.uint8)
    with np.errstate(over="ignore"):
        a += np.array(int(factor * 255) % 256, np.uint8)
    return Image.merge("HSV", (Image.fromarray(a, "L"), s, v)).convert("RGB")


def inverse(center, angle, translate, scale, shear):
    rot, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    (cx, cy), (tx, ty) = center, translate
    a = math.cos(rot - sy) / math.cos(sy)
    b = -math.cos(rot - sy) * math.tan(sx) / math.cos(sy) - math.sin(rot)
    c = math.sin(rot - sy) / math.cos(sy)
    d = -math.sin(rot - sy) * math.tan(sx) / math.cos(sy) + math.cos(rot)
    m = [x / scale for x in [d, -b, 0.0, -c, a, 0.0]]
    m[2] += m[0] * (-cx - tx) + m[1] * (-cy - ty)
    m[5] += m[3] * (-cx - tx) + m[4] * (-cy - ty)
    m[2] += cx
    m[5] += cy
    return m


for name in P:
    img = image(name)
    w, h = img.size
    for f in [0.0, 0.31, 1.0, 1.7, 2.6]:
        case(name, "brightness", [f], ImageEnhance.Brightness(img).enhance(f))
        case(name, "contrast", [f], ImageEnhance.Contrast(img).enhance(f))
        case(name, "saturation", [f], ImageEnhance.Color(img).enhance(f))
        case(name, "sharpness", [f], ImageEnhance.Sharpness(img).enhance(f))
    for f in [-0.5, -0.13, 0.04, 0.37]:
        case(name, "hue", [f], hue(img, f))
    case(name, "grayscale", [], img.convert("L").convert(img.mode))
    case(name, "solarize", [131.7], ImageOps.solarize(img, 131.7))
    case(name, "posterize", [3], ImageOps.posterize(img, 3))
    case(name, "invert", [], ImageOps.invert(img))
    case(name, "autocontrast", [], ImageOps.autocontrast(img))
    case(name, "equalize", [], ImageOps.equalize(img))
    case(name, "flip", [], img.transpose(Image.FLIP_LEFT_RIGHT))
    case(name, "vflip", [], img.transpose(Image.FLIP_TOP_BOTTOM))
    for bil, mode in enumerate([Image.NEAREST, Image.BILINEAR]):
        for angle in [0, 17.25, -38.5, 90, 180, 270, -90, 123]:
            case(name, "rotate", [angle, bil, 0], img.rotate(angle, mode))
        case(name, "rotate", [12, bil, 77], img.rotate(12, mode, fillcolor=77 if img.mode == "L" else (77, 77, 77)))
        for angle, t, s, sh in [(0, (3, -2), 1, (0, 0)), (20, (1, 4), 0.8, (0, 0)), (-75, (0, 0), 1.3, (11, 0)), (0, (0, 0), 0.55, (0, 0)),
                                (5, (-2, 2), 1.1, (-20, 8))]:
            m = inverse((w * 0.5, h * 0.5), angle, t, s, sh)
            case(name, "affine", [angle, *t, s, *sh, bil], img.transform((w, h), Image.AFFINE, m, mode))
        for v in [0.3, -0.21]:
            deg = math.degrees(math.atan(v))
            case(name, "ShearX", [v, bil], img.transform((w, h), Image.AFFINE, inverse((0, 0), 0, (0, 0), 1, (deg, 0)), mode))
            case(name, "ShearY", [v, bil], img.transform((w, h), Image.AFFINE, inverse((0, 0), 0, (0, 0), 1, (0, deg)), mode))
        m = [0.9, 0.1, 1.5, -0.05, 1.1, -0.7, 0.004, -0.006]
        case(name, "perspective", [*m, bil], img.transform((w, h), Image.PERSPECTIVE, m, mode))
    for kernel, sigma in [(3, 0.7), (5, 1.9)]:
        t = torch.from_numpy(P[name].transpose(2, 0, 1).copy()).float()
        half = (kernel - 1) * 0.5
        pdf = torch.exp(-0.5 * (torch.linspace(-half, half, steps=kernel) / sigma).pow(2))
        k1 = pdf / pdf.sum()
        k2 = torch.mm(k1[:, None], k1[None, :]).expand(t.shape[0], 1, kernel, kernel)
        pad = kernel // 2
        t = torch.nn.functional.pad(t[None], [pad] * 4, mode="reflect")
        t = torch.nn.functional.conv2d(t, k2, groups=k2.shape[0])[0]
        case(name, "blur", [kernel, sigma], Image.fromarray(torch.round(t).to(torch.uint8).numpy().transpose(1, 2, 0).squeeze()))

for k in range(120):
    name = ["rgb", "square", "grey"][k % 3]
    img, bil = image(name), k // 3 % 2
    mode, (w, h) = [Image.NEAREST, Image.BILINEAR][bil], img.size
    v = float(rng.uniform(-180, 180))
    case(name, "rotate", [v, bil, 0], img.rotate(v, mode))
    angle, s, sx, sy = (float(v) for v in rng.uniform([-180, 0.5, -30, -30], [180, 1.5, 30, 30]))
    tx, ty = (int(v) for v in rng.integers(-5, 6, 2))
    m = inverse((w * 0.5, h * 0.5), angle, (tx, ty), s, (sx, sy))
    case(name, "affine", [angle, tx, ty, s, sx, sy, bil], img.transform((w, h), Image.AFFINE, m, mode))
    v = float(np.float32(rng.uniform(-1, 1)))
    deg = math.degrees(math.atan(v))
    case(name, "ShearX", [v, bil], img.transform((w, h), Image.AFFINE, inverse((0, 0), 0, (0, 0), 1, (deg, 0)), mode))
    case(name, "ShearY", [v, bil], img.transform((w, h), Image.AFFINE, inverse((0, 0), 0, (0, 0), 1, (0, deg)), mode))

# hues of all colours on a grid, as a digest
grid = np.stack(np.meshgrid(*[np.arange(0, 256, 5, dtype=np.uint8)] * 3, indexing="ij"), -1).reshape(52, -1, 3)
hsv = np.asarray(Image.fromarray(grid).convert("HSV"))
allhsv = np.stack(np.meshgrid(*[np.arange(0, 256, 5, dtype=np.uint8)] * 3, indexing="ij"), -1).reshape(52, -1, 3)
back = np.asarray(Image.fromarray(allhsv, "HSV").convert("RGB"))

# the levels of the policies, 31 (and 10 for autoaugment) for a picture of 23×31
tables = {}
for policy, bins, shear, tx, ty, rot, col, bits in [
    ("randaugment", 31, 0.3, 150 / 331 * 31, 150 / 331 * 23, 30, 0.9, 4),
    ("trivialaugment", 31, 0.99, 32, 32, 135, 0.99, 6),
    ("autoaugment", 10, 0.3, 150 / 331 * 31, 150 / 331 * 23, 30, 0.9, 4),
]:
    lin = lambda a, b: [float(v) for v in torch.linspace(a, b, bins)]
    tables[policy] = {
        "ShearX": lin(0, shear), "ShearY": lin(0, shear), "TranslateX": lin(0, tx), "TranslateY": lin(0, ty), "Rotate": lin(0, rot),
        "Brightness": lin(0, col), "Color": lin(0, col), "Contrast": lin(0, col), "Sharpness": lin(0, col),
        "Posterize": [float(v) for v in 8 - (torch.arange(bins) / ((bins - 1) / bits)).round().int()], "Solarize": lin(255, 0),
    }

# a batch of pictures, mixed
torch.manual_seed(1)
x = torch.rand(3, 2, 5, 6)
mixed = x.clone()
rolled = x.roll(1, 0)
mixed = mixed * 0.6837 + rolled * (1 - 0.6837)
cut = x.clone()
W, H, rx, ry, lam = 6, 5, 4, 1, 0.35
r = 0.5 * math.sqrt(1 - lam)
rw, rh = int(r * W), int(r * H)
x1, y1, x2, y2 = max(rx - rw, 0), max(ry - rh, 0), min(rx + rw, W), min(ry + rh, H)
cut[:, :, y1:y2, x1:x2] = rolled[:, :, y1:y2, x1:x2]

out = {
    "pictures": {k: {"shape": [v.shape[2], *v.shape[:2]], "data": base64.b64encode(np.ascontiguousarray(v.transpose(2, 0, 1)).tobytes()).decode()}
                 for k, v in P.items()},
    "cases": cases,
    "hsv": hashlib.sha256(hsv.tobytes()).hexdigest(), "rgb": hashlib.sha256(back.tobytes()).hexdigest(),
    "tables": tables,
    "batch": x.flatten().tolist(), "mixup": mixed.flatten().tolist(), "cutmix": cut.flatten().tolist(),
    "cutshare": 1.0 - (x2 - x1) * (y2 - y1) / (W * H),
}
path = pathlib.Path(__file__).parent.parent / "augment.json"
path.write_text(json.dumps(out) + "\n")
print(path.stat().st_size)
