package rewrite_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/graphgen"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/tensor"
)

// within runs a graph with a limit of memory and checks the arena.
func within(t *testing.T, g *graph.Graph, fetch []graph.Value, feeds []*tensor.Tensor, limit int) ([]*tensor.Tensor, int, error) {
	t.Helper()
	p, err := exec.Compile(g, fetch, nil)
	if err != nil {
		t.Fatal(err)
	}
	if limit > 0 {
		p.Special = rewrite.WithinMemory(limit)
	}
	out, err := p.Run(t.Context(), feeds)
	if err != nil {
		return nil, 0, err
	}
	for i, x := range out {
		out[i] = x.Clone()
	}
	if limit > 0 && p.ArenaBytes() > limit {
		t.Errorf("the arena has %d bytes, the limit is %d", p.ArenaBytes(), limit)
	}
	if again, err := p.Run(t.Context(), feeds); err != nil || !sameBytes(again, out) {
		t.Errorf("a second run differs: %v", err)
	}
	return out, p.ArenaBytes(), nil
}

func sameBytes(a, b []*tensor.Tensor) bool {
	return slices.EqualFunc(a, b, func(x, y *tensor.Tensor) bool {
		return x.Shape().Equal(y.Shape()) && string(x.Bytes()) == string(y.Bytes())
	})
}

// TestWithinMemory trains generated programs, with bodies and shapes that only a run knows, in less and less memory: the results are the
// same bit for bit, the arena is within the limit, and where there is no way the error says the least that can, which then can.
func TestWithinMemory(t *testing.T) {
	smaller, refused, bodies := 0, 0, 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 77))
		p := graphgen.New(r, graphgen.Options{Nodes: 30, Bodies: int(seed % 3), Dynamic: seed%4 == 3, Memory: true})
		ds, err := grad.Reverse(p.G, []grad.Seed{grad.Ones(p.G, p.Loss)}, p.Params, grad.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fetch := append([]graph.Value{p.Loss}, slices.DeleteFunc(ds, func(v graph.Value) bool { return v == 0 })...)
		p.G.Outputs = nil
		p.G.Prune(fetch)
		if slices.ContainsFunc(p.G.Nodes, func(n *graph.Node) bool { return len(n.Bodies) > 0 }) {
			bodies++
		}
		feeds := p.Feeds(r, 8)
		nodes := len(p.G.Nodes)
		want, free, err := within(t, p.G, fetch, feeds, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, share := range []int{95, 85, 70, 50, 10} {
			got, size, err := within(t, p.G, fetch, feeds, free*share/100)
			if short, ok := errors.AsType[*rewrite.LimitError](err); ok {
				refused++
				if short.Free != free || short.Least > free || short.Least <= short.Limit {
					t.Errorf("seed %d: %+v, without a limit it has %d bytes", seed, *short, free)
				}
				if got, _, err = within(t, p.G, fetch, feeds, short.Least); err != nil {
					t.Errorf("seed %d: the least, %d bytes, is refused: %v", seed, short.Least, err)
				}
			} else if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			} else if size < free {
				smaller++
			}
			if err == nil && !sameBytes(got, want) {
				t.Fatalf("seed %d, %d%%: the results differ", seed, share)
			}
		}
		if len(p.G.Nodes) != nodes {
			t.Errorf("seed %d: the graph of the program has changed", seed)
		}
	}
	t.Logf("%d plans are smaller, %d were refused, %d programs have bodies", smaller, refused, bodies)
	if smaller < 60 || refused < 20 || bodies < 10 {
		t.Errorf("%d plans are smaller, %d were refused, %d programs have bodies: little is tested", smaller, refused, bodies)
	}
}

// TestHalfTheMemory trains networks in half the memory, or a little more where what the last step holds alone takes it, batch normalisation
// by the statistics of the batch: gradients and updated statistics keep their bits. So do they without a limit, where plans are made
// smaller for next to no time.
func TestHalfTheMemory(t *testing.T) {
	for _, c := range []struct {
		name    string
		o       models.Options
		batch   int
		percent int
		saved   bool // without a limit, too
	}{
		{"resnet20", models.Options{}, 64, 50, true}, {"resnet18", models.Options{}, 8, 60, true},
		{"vit_tiny", models.Options{ImageSize: 64, Layers: 4, Classes: 10}, 64, 50, false},
		{"mobilenet_v2", models.Options{ImageSize: 96, Classes: 10}, 8, 50, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := models.New(c.name, c.o)
			if err != nil {
				t.Fatal(err)
			}
			loss := func(b *engine.Build) (graph.Value, error) {
				y, err := b.Value(file.Outputs()[0].GetName())
				return b.Add(ops.ReduceSum, nil, b.Add(ops.Mul, nil, y, y)), err
			}
			run := func(limit int) (map[string]*tensor.Tensor, int) {
				m, err := engine.Load(file, engine.WithThreads(1))
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				m.Thaw()
				var names []string
				for p := range m.Params() {
					if p.Trainable {
						names = append(names, p.Name)
					}
				}
				s, err := m.Session(engine.Query{Loss: loss, Grad: names, BN: engine.BNTrain, Memory: limit})
				if err != nil {
					t.Fatal(err)
				}
				x := tensor.New(tensor.Float32, m.Sizes(c.batch)[0]...)
				r := rand.New(rand.NewPCG(1, 1))
				for i := range x.F32() {
					x.F32()[i] = float32(r.NormFloat64())
				}
				res, err := s.Run(t.Context(), map[string]*tensor.Tensor{m.Inputs()[0].Name: x})
				if err != nil {
					t.Fatal(err)
				}
				out := map[string]*tensor.Tensor{}
				for _, n := range names {
					if g := res.Grad(n); g != nil {
						out[n] = g.Clone()
					}
				}
				for p := range m.Params() {
					out["value of "+p.Name] = p.Value.Clone()
				}
				return out, s.ArenaBytes()
			}
			want, free := run(1 << 40)
			limit := free * c.percent / 100
			got, size := run(limit)
			thrifty, usual := run(0)
			t.Logf("%d bytes, %d without a limit, %d with one", free, usual, size)
			if size > limit {
				t.Errorf("the arena has %d bytes, the limit is %d", size, limit)
			}
			if c.saved && usual > free*9/10 {
				t.Errorf("without a limit the arena has %d bytes of %d", usual, free)
			}
			for n, x := range want {
				if string(got[n].Bytes()) != string(x.Bytes()) || string(thrifty[n].Bytes()) != string(x.Bytes()) {
					t.Errorf("%s differs", n)
				}
			}
		})
	}
}
