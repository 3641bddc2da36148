package explain

import (
	"context"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/tensor"
)

// Grad-CAM costs one forward pass, as folded and fused as that of inference, and the way back to its layer, no further.
func TestOneForwardAndPartOfTheWayBack(t *testing.T) {
	for name, x := range map[string]*tensor.Tensor{
		"resnet8": tensor.New(tensor.Float32, 1, 3, 32, 32), "mobilenet_v2": tensor.New(tensor.Float32, 1, 3, 64, 64),
		"vit_tiny": tensor.New(tensor.Float32, 1, 3, 32, 32),
	} {
		f, err := models.New(name, models.Options{ImageSize: x.Dim(3), Classes: 5})
		if err != nil {
			t.Fatal(err)
		}
		m := load(t, f)
		e := explainer(t, m, Config{Requests: []Request{{"gradcam", nil}}})
		for i := range x.F32() {
			x.F32()[i] = float32(i%7) - 3
		}
		if _, err := e.Explain(context.Background(), only(m, x)); err != nil {
			t.Fatal(err)
		}
		if e.net.forward != nil || e.net.back == nil {
			t.Errorf("%s: a forward pass (%v) beside the one that goes back (%v)", name, e.net.forward != nil, e.net.back != nil)
		}
		layer := e.net.layers[0].name
		logits := e.Head().Logits
		inference, err := m.Session(engine.Query{Fetch: []string{logits, layer}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.net.session()
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{layer, logits} {
			want, got := opsTo(inference.Graph(), at), opsTo(s.Graph(), at)
			if len(got) < 8 || !slices.Equal(got, want) {
				t.Errorf("%s: up to %q Grad-CAM runs\n%v\nand inference\n%v", name, at, got, want)
			}
		}
		g := s.Graph()
		before := ancestors(g, g.Lookup(layer))
		forward := ancestors(g, g.Lookup(logits))
		for _, n := range g.Nodes {
			if forward[n] {
				continue
			}
			for _, v := range n.In {
				if v != 0 && g.Info(v).Def != nil && before[g.Info(v).Def] && v != g.Lookup(layer) {
					t.Errorf("%s: %s goes back beyond %q: it reads %q", name, n.Label(), layer, g.Info(v).Name)
				}
			}
		}
	}
}

// ancestors are the nodes that v is computed by.
func ancestors(g *graph.Graph, v graph.Value) map[*graph.Node]bool {
	out := map[*graph.Node]bool{}
	need := map[graph.Value]bool{v: true}
	for _, n := range slices.Backward(g.Nodes) {
		if slices.ContainsFunc(n.Out, func(o graph.Value) bool { return o != 0 && need[o] }) {
			out[n] = true
			for _, x := range n.In {
				need[x] = true
			}
		}
	}
	return out
}

// opsTo are the operators that compute the value called name, sorted.
func opsTo(g *graph.Graph, name string) []string {
	var out []string
	for n := range ancestors(g, g.Lookup(name)) {
		out = append(out, n.Op.Name)
	}
	slices.Sort(out)
	return out
}
