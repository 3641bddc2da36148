package microsoft

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// FusedConv is the activation of Conv(X, W, B) + Z, with the attributes of Conv.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.FusedConv
var FusedConv = new(graph.Spec)

// fusedConvAttrs are the attributes of all the convolutions of this domain.
type fusedConvAttrs struct {
	AutoPad   string    `onnx:"auto_pad,default=NOTSET"`
	Dilations []int     `onnx:"dilations"`
	Group     int       `onnx:"group,default=1"`
	Kernel    []int     `onnx:"kernel_shape"`
	Pads      []int     `onnx:"pads"`
	Strides   []int     `onnx:"strides"`
	Act       string    `onnx:"activation"`
	Params    []float32 `onnx:"activation_params"`
}

// parameters is how many numbers activation_params has for an activation.
var parameters = map[string]int{"LeakyRelu": 1, "Clip": 2, "HardSigmoid": 2}

func (a *fusedConvAttrs) activation() activation {
	out := activation{name: a.Act}
	for i, p := range []**float32{&out.alpha, &out.beta} {
		if i < len(a.Params) {
			*p = &a.Params[i]
		}
	}
	return out
}

func (a *fusedConvAttrs) check() error {
	if want := parameters[a.Act]; len(a.Params) != want {
		return fmt.Errorf("attribute activation_params has %d numbers, %s takes %d", len(a.Params), a.Act, want)
	}
	return a.activation().check()
}

// conv is the convolution of x and w.
func (a *fusedConvAttrs) conv(b *graph.Builder, x, w, bias graph.Value) graph.Value {
	attrs := graph.Attrs{"auto_pad": a.AutoPad, "group": int64(a.Group)}
	for name, list := range map[string][]int{"dilations": a.Dilations, "kernel_shape": a.Kernel, "pads": a.Pads, "strides": a.Strides} {
		if list == nil {
			continue
		}
		wide := make([]int64, len(list))
		for i, k := range list {
			wide[i] = int64(k)
		}
		attrs[name] = wide
	}
	return node(b, ops.Conv, attrs, x, w, bias)
}

func init() {
	define(FusedConv, graph.Def[fusedConvAttrs]{
		Name: "FusedConv", Since: []int{1}, Doc: contrib + "FusedConv",
		In: []graph.Formal{real("X"), weight("W"), bias("B"), option("Z")}, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *fusedConvAttrs, _ *graph.Node) error { return a.check() },
		Lower: func(a *fusedConvAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			y := a.conv(b, n.In[0], n.In[1], input(n, 2))
			return []graph.Value{a.activation().apply(b, add(b, y, input(n, 3)))}, nil
		},
	})
}
