package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// NhwcConv is Conv of X [N,…,C], channels last, with W [M,C/group,…] and B as Conv has them.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.NhwcConv
var NhwcConv = new(graph.Spec)

// NhwcFusedConv is the activation of NhwcConv(X, W, B) + Z.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.NhwcFusedConv
var NhwcFusedConv = new(graph.Spec)

func init() {
	def := graph.Def[fusedConvAttrs]{
		Name: "NhwcConv", Since: []int{1}, Doc: contrib + "NhwcConv",
		In: []graph.Formal{real("X"), weight("W"), bias("B")}, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *fusedConvAttrs, _ *graph.Node) error { return a.check() },
		Lower: func(a *fusedConvAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			r := rankOf(b, n.In[1])
			if a.Kernel != nil {
				r = len(a.Kernel) + 2
			}
			if r < 3 {
				r = 4 // as the name says
			}
			y := a.conv(b, asNCHW(b, n.In[0], r), n.In[1], input(n, 2))
			y = add(b, asNHWC(b, y, r), input(n, 3))
			return []graph.Value{a.activation().apply(b, y)}, nil
		},
	}
	define(NhwcConv, def)
	def.Name, def.Doc, def.In = "NhwcFusedConv", contrib+"NhwcFusedConv", append(def.In[:3:3], option("Z"))
	define(NhwcFusedConv, def)
}

// asNCHW is x of rank r, [N,…,C], as [N,C,…].
func asNCHW(b *graph.Builder, x graph.Value, r int) graph.Value {
	perm := []int{0, r - 1}
	for i := 1; i < r-1; i++ {
		perm = append(perm, i)
	}
	return transpose(b, x, perm...)
}

// asNHWC is its inverse.
func asNHWC(b *graph.Builder, x graph.Value, r int) graph.Value {
	perm := []int{0}
	for i := 2; i < r; i++ {
		perm = append(perm, i)
	}
	return transpose(b, x, append(perm, 1)...)
}
