package models

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
)

func init() {
	builders.Register("vit_tiny", Builder{[]string{"classes", "channels", "image-size", "layers"}, vitTiny},
		"vision transformer, patches of 16, width 192, 3 heads, 12 layers; default [N,3,224,224], 1000 classes",
		"https://arxiv.org/abs/2010.11929")
}

// vitTiny is the vision transformer of Dosovitskiy et al. 2021 in the tiny size of Touvron et al. 2021 (arXiv 2012.12877, table 1).
// Images smaller than 64 get patches of 4.
func vitTiny(o Options) (*onnx.Model, error) {
	const d, heads, mlp = 192, 3, 768
	c, s, k, layers := or(o.Channels, 3), or(o.ImageSize, 224), or(o.Classes, 1000), or(o.Layers, 12)
	patch := 16
	if s < 64 {
		patch = 4
	}
	if s%patch != 0 {
		return nil, fmt.Errorf("models: vit_tiny: image size %d is not a multiple of the patch size %d", s, patch)
	}
	tokens := (s/patch)*(s/patch) + 1
	b := newNet("vit_tiny", 20, o.Seed)
	small := b.normal(0.02)
	x := b.conv(b.input("input", "N", c, s, s), "patch_embed", c, d, patch, patch, 0, 1, true, false)
	x = b.node("Reshape", []string{x, b.ints("patch_embed.shape", 0, d, -1)})
	x = b.node("Transpose", []string{x}, onnx.AttrInts("perm", 0, 2, 1)) // [N,T,d]
	// The class token, repeated for each image: zeros of the first token's shape plus the token.
	first := b.node("Slice", []string{x, b.ints("cls.start", 0), b.ints("cls.end", 1), b.ints("cls.axis", 1)})
	cls := b.node("Expand", []string{b.param("cls_token", small, 1, 1, d), b.node("Shape", []string{first})})
	x = b.node("Concat", []string{cls, x}, onnx.AttrInt("axis", 1))
	x = b.node("Add", []string{x, b.param("pos_embed", small, 1, tokens, d)})
	norm := func(x, name string) string {
		return b.named("LayerNormalization", name,
			[]string{x, b.param(name+".weight", constant(1), d), b.param(name+".bias", constant(0), d)},
			onnx.AttrInt("axis", -1), onnx.AttrFloat("epsilon", 1e-6))
	}
	xavier := func(in, out int) func() float32 {
		return b.uniform(max(1, int(float64(in+out)/6)))
	}
	b.ints("heads.split", 0, 0, heads, d/heads)
	b.ints("heads.merge", 0, 0, d)
	b.param("attention.scale", constant(float32(1/math.Sqrt(float64(d/heads)))))
	for i := range layers {
		name := fmt.Sprintf("blocks.%d", i)
		y := norm(x, name+".norm1")
		proj := func(which string, perm ...int64) string {
			z := b.dense(y, name+".attn."+which, d, d, xavier(d, d))
			z = b.node("Reshape", []string{z, "heads.split"})
			return b.node("Transpose", []string{z}, onnx.AttrInts("perm", perm...))
		}
		q, kk, v := proj("q", 0, 2, 1, 3), proj("k", 0, 2, 3, 1), proj("v", 0, 2, 1, 3)
		q = b.node("Mul", []string{q, "attention.scale"})
		a := b.named("Softmax", name+".attn.softmax", []string{b.node("MatMul", []string{q, kk})}, onnx.AttrInt("axis", -1))
		z := b.node("Transpose", []string{b.node("MatMul", []string{a, v})}, onnx.AttrInts("perm", 0, 2, 1, 3))
		z = b.node("Reshape", []string{z, "heads.merge"})
		x = b.named("Add", name+".add1", []string{x, b.dense(z, name+".attn.proj", d, d, xavier(d, d))})
		y = norm(x, name+".norm2")
		y = b.node("Gelu", []string{b.dense(y, name+".mlp.fc1", d, mlp, xavier(d, mlp))})
		x = b.named("Add", name+".add2", []string{x, b.dense(y, name+".mlp.fc2", mlp, d, xavier(mlp, d))})
	}
	x = norm(x, "norm")
	x = b.node("Gather", []string{x, b.scalar("head.token", 0)}, onnx.AttrInt("axis", 1)) // [N,d]
	return b.finish(b.linear(x, "head", d, k), "logits", "N", k), nil
}
