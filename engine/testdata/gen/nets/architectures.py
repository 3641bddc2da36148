"""The networks whose gradients are compared, narrow or in full: what torchvision has is taken from there, the others stand here as their
papers and the reference implementations (Hugging Face's transformers, mamba_ssm) define them."""
import functools
import math

import torch
import torch.nn.functional as F
import torchvision.models as tv
from torch import nn
from torchvision.models import convnext, densenet, efficientnet, mobilenetv3, resnet, swin_transformer, vision_transformer


def image(size):
    return lambda n: {"input": torch.randn(n, 3, size, size)}


def words(vocabulary, steps):
    return lambda n: {"input_ids": torch.randint(0, vocabulary, (n, steps))}


class ResNet(resnet.ResNet):
    """torchvision's ResNet of bottlenecks with another width of the stem and the stages."""

    def __init__(self, layers, width, classes):
        nn.Module.__init__(self)
        self._norm_layer, self.inplanes, self.dilation, self.groups, self.base_width = nn.BatchNorm2d, width, 1, 1, 64
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1, self.relu, self.maxpool = nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        for i, n in enumerate(layers):
            setattr(self, f"layer{i + 1}", self._make_layer(resnet.Bottleneck, width << i, n, 1 if i == 0 else 2))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(4 * width << (len(layers) - 1), classes)
        self.last = len(layers)

    def _forward_impl(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for i in range(1, self.last + 1):
            x = getattr(self, f"layer{i}")(x)
        return self.fc(torch.flatten(self.avgpool(x), 1))


def efficientnet_small():
    conf = functools.partial(efficientnet.MBConvConfig, width_mult=1.0, depth_mult=1.0)
    setting = [conf(1, 3, 1, 8, 8, 1), conf(3, 3, 2, 8, 8, 2), conf(2, 5, 2, 8, 16, 1)]
    return efficientnet.EfficientNet(setting, dropout=0.2, stochastic_depth_prob=0.2, num_classes=5, last_channel=24)


def mobilenet_small():
    conf = functools.partial(mobilenetv3.InvertedResidualConfig, width_mult=1.0)
    setting = [conf(8, 3, 8, 8, True, "RE", 2, 1), conf(8, 3, 16, 8, False, "RE", 1, 1), conf(8, 5, 24, 16, True, "HS", 2, 1),
               conf(16, 5, 24, 16, True, "HS", 1, 1)]
    return mobilenetv3.MobileNetV3(setting, last_channel=16, num_classes=5)


def convnext_small():
    conf = convnext.CNBlockConfig
    return convnext.ConvNeXt([conf(8, 12, 2), conf(12, None, 1)], stochastic_depth_prob=0.1, layer_scale=0.5, num_classes=5)


def swin_small():
    return swin_transformer.SwinTransformer(patch_size=[4, 4], embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=[4, 4],
                                            mlp_ratio=2.0, stochastic_depth_prob=0.1, num_classes=5)


def vit_small():
    return vision_transformer.VisionTransformer(image_size=16, patch_size=4, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32,
                                                num_classes=5)


class UNet(nn.Module):
    """Ronneberger et al. 2015, with GroupNorm and transposed convolutions on the way up."""

    def __init__(self, width, levels, groups, classes):
        super().__init__()
        block = lambda i, o: nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(groups, o), nn.SiLU(),
                                           nn.Conv2d(o, o, 3, padding=1), nn.GroupNorm(groups, o), nn.SiLU())
        w = [width << i for i in range(levels)]
        self.down = nn.ModuleList(block(i, o) for i, o in zip([3] + w[:-1], w))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * o, o, 2 + 2 * (i % 2), 2, i % 2) for i, o in enumerate(reversed(w[:-1])))
        self.merge = nn.ModuleList(block(2 * o, o) for o in reversed(w[:-1]))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, input):
        x, skips = input, []
        for i, d in enumerate(self.down):
            x = d(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        skips.pop()
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([skips.pop(), up(x)], 1))
        return self.head(x)


class Recurrent(nn.Module):
    """An embedding, two layers in both directions, and a head on the last step, or on the last states."""

    def __init__(self, cell, vocabulary, width, classes, states=False):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.rnn = cell(width, width, num_layers=2, bidirectional=True, batch_first=not states)
        self.head, self.states = nn.Linear(2 * width, classes), states

    def forward(self, input_ids):
        x = self.embed(input_ids)
        if not self.states:
            y, _ = self.rnn(x)
            return self.head(torch.tanh(y.mean(1)))
        _, h = self.rnn(x.transpose(0, 1))
        h = h[0] if isinstance(h, tuple) else h
        return self.head(torch.cat([h[-2], h[-1]], -1))


class Bert(nn.Module):
    """Devlin et al. 2018 as BertForSequenceClassification: embeddings, post-norm layers with masked attention, pooler, classifier."""

    class Layer(nn.Module):
        def __init__(self, d, heads, inner):
            super().__init__()
            self.heads, self.drop = heads, nn.Dropout(0.1)
            self.query, self.key, self.value, self.dense = (nn.Linear(d, d) for _ in range(4))
            self.intermediate, self.output = nn.Linear(d, inner), nn.Linear(inner, d)
            self.norm1, self.norm2 = nn.LayerNorm(d, eps=1e-12), nn.LayerNorm(d, eps=1e-12)

        def forward(self, x, mask):
            split = lambda t: t.view(t.size(0), t.size(1), self.heads, t.size(2) // self.heads).permute(0, 2, 1, 3)
            q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
            p = self.drop(torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.size(-1)) + mask, -1))
            a = (p @ v).permute(0, 2, 1, 3).contiguous()
            x = self.norm1(self.dense(a.view(a.size(0), a.size(1), -1)) + x)
            return self.norm2(self.output(F.gelu(self.intermediate(x))) + x)

    def __init__(self, vocabulary, steps, d, heads, inner, layers, classes):
        super().__init__()
        self.word, self.position, self.segment = nn.Embedding(vocabulary, d), nn.Embedding(steps, d), nn.Embedding(2, d)
        self.norm, self.drop = nn.LayerNorm(d, eps=1e-12), nn.Dropout(0.1)
        self.layers = nn.ModuleList(self.Layer(d, heads, inner) for _ in range(layers))
        self.pooler, self.classifier = nn.Linear(d, d), nn.Linear(d, classes)
        self.register_buffer("position_ids", torch.arange(steps).expand(1, -1))

    def forward(self, input_ids, attention_mask, token_type_ids):
        x = self.word(input_ids) + self.segment(token_type_ids) + self.position(self.position_ids[:, :input_ids.size(1)])
        x = self.drop(self.norm(x))
        mask = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layers:
            x = layer(x, mask)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


def bert_input(vocabulary, steps):
    def make(n):
        mask = torch.ones(n, steps, dtype=torch.int64)
        mask[-1, steps - 3:] = 0
        kind = torch.zeros(n, steps, dtype=torch.int64)
        kind[:, steps // 2:] = 1
        return {"input_ids": torch.randint(0, vocabulary, (n, steps)), "attention_mask": mask, "token_type_ids": kind}
    return make


class GPT2(nn.Module):
    """Radford et al. 2019: pre-norm, one product for q, k and v with weights [in,out], gelu by tanh, the embedding as the head."""

    class Conv1D(nn.Module):
        def __init__(self, nx, nf):
            super().__init__()
            self.weight, self.bias, self.nf = nn.Parameter(0.02 * torch.randn(nx, nf)), nn.Parameter(torch.zeros(nf)), nf

        def forward(self, x):
            y = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
            return y.view(x.size()[:-1] + (self.nf,))

    class Block(nn.Module):
        def __init__(self, d, heads, steps):
            super().__init__()
            self.heads = heads
            self.ln_1, self.ln_2 = nn.LayerNorm(d), nn.LayerNorm(d)
            self.c_attn, self.c_proj = GPT2.Conv1D(d, 3 * d), GPT2.Conv1D(d, d)
            self.c_fc, self.c_out = GPT2.Conv1D(d, 4 * d), GPT2.Conv1D(4 * d, d)
            self.register_buffer("bias", torch.tril(torch.ones(steps, steps, dtype=torch.bool)).view(1, 1, steps, steps))

        def forward(self, x):
            q, k, v = self.c_attn(self.ln_1(x)).split(x.size(-1), dim=2)
            split = lambda t: t.view(t.size()[:-1] + (self.heads, t.size(-1) // self.heads)).permute(0, 2, 1, 3)
            q, k, v = split(q), split(k), split(v)
            s = q @ k.transpose(-1, -2)
            s = s / torch.full([], v.size(-1) ** 0.5, dtype=s.dtype)
            n, m = q.size(-2), k.size(-2)
            s = torch.where(self.bias[:, :, m - n:m, :m], s, torch.full([], torch.finfo(torch.float32).min, dtype=s.dtype))
            a = (torch.softmax(s, -1) @ v).permute(0, 2, 1, 3).contiguous()
            x = x + self.c_proj(a.view(a.size()[:-2] + (x.size(-1),)))
            h = self.c_fc(self.ln_2(x))
            h = 0.5 * h * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (h + 0.044715 * torch.pow(h, 3.0))))
            return x + self.c_out(h)

    def __init__(self, vocabulary, steps, d, heads, layers, tied=True):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, d), nn.Embedding(steps, d)
        self.h = nn.ModuleList(self.Block(d, heads, steps) for _ in range(layers))
        self.ln_f, self.lm_head = nn.LayerNorm(d), nn.Linear(d, vocabulary, bias=False)
        if tied:
            self.lm_head.weight = self.wte.weight

    def forward(self, input_ids):
        x = self.wte(input_ids) + self.wpe(torch.arange(input_ids.size(1)).unsqueeze(0))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class RMSNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class Llama(nn.Module):
    """Touvron et al. 2023: rotary embeddings, grouped queries, SwiGLU, RMS norms, no biases."""

    class Block(nn.Module):
        def __init__(self, d, heads, groups, inner):
            super().__init__()
            self.heads, self.groups, self.d = heads, groups, d // heads
            self.q_proj, self.o_proj = nn.Linear(d, d, bias=False), nn.Linear(d, d, bias=False)
            self.k_proj, self.v_proj = (nn.Linear(d, groups * self.d, bias=False) for _ in range(2))
            self.gate_proj, self.up_proj = (nn.Linear(d, inner, bias=False) for _ in range(2))
            self.down_proj = nn.Linear(inner, d, bias=False)
            self.input_layernorm, self.post_attention_layernorm = RMSNorm(d), RMSNorm(d)

        def forward(self, x, cos, sin, mask):
            n, t, _ = x.size()
            h = self.input_layernorm(x)
            q = self.q_proj(h).view(n, t, self.heads, self.d).transpose(1, 2)
            k = self.k_proj(h).view(n, t, self.groups, self.d).transpose(1, 2)
            v = self.v_proj(h).view(n, t, self.groups, self.d).transpose(1, 2)
            half = lambda z: torch.cat([-z[..., z.shape[-1] // 2:], z[..., :z.shape[-1] // 2]], -1)
            q, k = q * cos + half(q) * sin, k * cos + half(k) * sin
            rep = self.heads // self.groups
            wide = lambda z: z[:, :, None].expand(n, self.groups, rep, t, self.d).reshape(n, self.heads, t, self.d)
            k, v = wide(k), wide(v)
            p = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(self.d) + mask, -1)
            x = x + self.o_proj((p @ v).transpose(1, 2).contiguous().reshape(n, t, -1))
            h = self.post_attention_layernorm(x)
            return x + self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))

    def __init__(self, vocabulary, d, heads, groups, inner, layers):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, d)
        self.layers = nn.ModuleList(self.Block(d, heads, groups, inner) for _ in range(layers))
        self.norm, self.lm_head = RMSNorm(d), nn.Linear(d, vocabulary, bias=False)
        self.register_buffer("inv_freq", 1.0 / 10000 ** (torch.arange(0, d // heads, 2).float() / (d // heads)))

    def forward(self, input_ids):
        x, t = self.embed_tokens(input_ids), input_ids.size(1)
        freqs = torch.arange(t).to(self.inv_freq.dtype)[:, None] * self.inv_freq[None]
        emb = torch.cat([freqs, freqs], -1)
        mask = torch.full((t, t), torch.finfo(torch.float32).min, dtype=x.dtype)
        i = torch.arange(t)
        mask = mask.masked_fill(i < (i + 1).view(t, 1), 0)
        for layer in self.layers:
            x = layer(x, emb.cos(), emb.sin(), mask)
        return self.lm_head(self.norm(x))


class Mamba(nn.Module):
    """Gu and Dao 2023: a causal depthwise convolution and a selective scan, written out step by step."""

    class Block(nn.Module):
        def __init__(self, d, state, conv, rank):
            super().__init__()
            inner = 2 * d
            self.rank, self.state = rank, state
            self.norm, self.in_proj = RMSNorm(d), nn.Linear(d, 2 * inner, bias=False)
            self.conv1d = nn.Conv1d(inner, inner, conv, groups=inner, padding=conv - 1)
            self.x_proj, self.dt_proj = nn.Linear(inner, rank + 2 * state, bias=False), nn.Linear(rank, inner)
            self.A_log = nn.Parameter(torch.log(torch.arange(1, state + 1).float().repeat(inner, 1)))
            self.D, self.out_proj = nn.Parameter(torch.ones(inner)), nn.Linear(inner, d, bias=False)

        def forward(self, x):
            t = x.size(1)
            u, z = self.in_proj(self.norm(x)).transpose(1, 2).chunk(2, dim=1)
            u = F.silu(self.conv1d(u)[..., :t]).transpose(1, 2)
            dt, b, c = torch.split(self.x_proj(u), [self.rank, self.state, self.state], dim=-1)
            dt = F.softplus(self.dt_proj(dt))
            a = torch.exp(dt[..., None] * -torch.exp(self.A_log))
            bu = dt[..., None] * b[:, :, None, :] * u[..., None]
            s, ys = torch.zeros_like(bu[:, 0]), []
            for i in range(t):
                s = a[:, i] * s + bu[:, i]
                ys.append((s @ c[:, i, :, None]).squeeze(-1))
            y = torch.stack(ys, 1) + u * self.D
            return x + self.out_proj(y * F.silu(z.transpose(1, 2)))

    def __init__(self, vocabulary, d, state, rank, layers):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, d)
        self.layers = nn.ModuleList(self.Block(d, state, 4, rank) for _ in range(layers))
        self.norm_f, self.lm_head = RMSNorm(d), nn.Linear(d, vocabulary, bias=False)

    def forward(self, input_ids):
        x = self.embedding(input_ids)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(self.norm_f(x))


# Name: narrow network, its input, the network in full, its input.
NETS = {
    "resnet50": (lambda: ResNet([2, 1, 1], 4, 5), image(32), tv.resnet50, image(224)),
    "densenet121": (lambda: densenet.DenseNet(4, (2, 2, 2), 8, 2, num_classes=5), image(32), tv.densenet121, image(224)),
    "efficientnet_b0": (efficientnet_small, image(32), tv.efficientnet_b0, image(224)),
    "mobilenet_v3": (mobilenet_small, image(32), tv.mobilenet_v3_large, image(224)),
    "convnext_tiny": (convnext_small, image(32), tv.convnext_tiny, image(224)),
    "swin_t": (swin_small, image(32), tv.swin_t, image(224)),
    "vit": (vit_small, image(16), lambda: vision_transformer.VisionTransformer(224, 16, 12, 3, 192, 768), image(224)),
    "unet": (lambda: UNet(4, 3, 2, 3), image(16), lambda: UNet(32, 4, 8, 21), image(128)),
    "lstm": (lambda: Recurrent(nn.LSTM, 20, 8, 5), words(20, 6), lambda: Recurrent(nn.LSTM, 1000, 128, 10), words(1000, 32)),
    "gru": (lambda: Recurrent(nn.GRU, 20, 8, 5, states=True), words(20, 6),
            lambda: Recurrent(nn.GRU, 1000, 128, 10, states=True), words(1000, 32)),
    "bert": (lambda: Bert(20, 8, 12, 3, 24, 2, 5), bert_input(20, 8), lambda: Bert(5000, 64, 256, 4, 1024, 4, 3), bert_input(5000, 64)),
    "gpt2": (lambda: GPT2(20, 8, 12, 3, 2), words(20, 8), lambda: GPT2(5000, 64, 256, 4, 4), words(5000, 64)),
    "llama": (lambda: Llama(20, 16, 4, 2, 24, 2), words(20, 8), lambda: Llama(5000, 256, 8, 2, 688, 4), words(5000, 64)),
    "mamba": (lambda: Mamba(20, 8, 4, 2, 2), words(20, 6), lambda: Mamba(5000, 128, 16, 8, 2), words(5000, 24)),
}
