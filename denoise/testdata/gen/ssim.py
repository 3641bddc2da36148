"""Writes ssim.json: SSIM of two small pictures by plain loops in float64 (Wang et al. 2004, windows within the picture)."""
import json, math, random

random.seed(1)
C, H, W = 2, 14, 16
clean = [random.random() for _ in range(C * H * W)]
x = [min(max(v + random.gauss(0, 0.15), -0.2), 1.2) for v in clean]
import struct
f32 = lambda v: struct.unpack("f", struct.pack("f", v))[0]
clean, x = [f32(v) for v in clean], [f32(v) for v in x]
g = [math.exp(-(i - 5) ** 2 / (2 * 1.5 ** 2)) for i in range(11)]
g = [v / sum(g) for v in g]
total = n = 0
for c in range(C):
    for i in range(H - 10):
        for j in range(W - 10):
            m = [0.0] * 5
            for a in range(11):
                for b in range(11):
                    k = (c * H + i + a) * W + j + b
                    p, q, w = min(max(x[k], 0), 1), clean[k], g[a] * g[b]
                    for s, v in enumerate((p, q, p * p, q * q, p * q)):
                        m[s] += w * v
            va, vb, cov = m[2] - m[0] ** 2, m[3] - m[1] ** 2, m[4] - m[0] * m[1]
            total += (2 * m[0] * m[1] + 1e-4) * (2 * cov + 9e-4) / ((m[0] ** 2 + m[1] ** 2 + 1e-4) * (va + vb + 9e-4))
            n += 1
json.dump({"C": C, "H": H, "W": W, "X": x, "Clean": clean, "SSIM": total / n}, open("../ssim.json", "w"))
