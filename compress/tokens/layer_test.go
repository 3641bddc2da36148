package tokens

import (
	"context"
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
)

// tinyViT is a small vision transformer with random weights.
func tinyViT(t *testing.T) *onnx.Model {
	t.Helper()
	m, err := models.New("vit_tiny", models.Options{ImageSize: 16, Layers: 4, Classes: 5, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestLayer compares what the nodes of one layer give with the reference, on what goes in.
func TestLayer(t *testing.T) {
	v, err := Find(tinyViT(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s := Schedule{{17, 17}, {15, 12}, {12, 8}, {6, 6}}
	file, err := v.Rewrite(s, ByRank, false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Load(file, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	feeds := randomInputs(m, 2, 1)
	out := v.blocks[2].out
	names := []string{"tokens/2/all", "tokens/1/size", "tokens/2/patches", out, "tokens/2/size"}
	run, err := m.Session(engine.Query{Fetch: names})
	if err != nil {
		t.Fatal(err)
	}
	r, err := run.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(name string, b int) [][]float64 {
		x := r.Value(name)
		n, c := x.Dim(1), 1
		if x.Rank() == 3 {
			c = x.Dim(2)
		}
		all := x.Float64s()
		out := make([][]float64, n)
		for i := range out {
			out[i] = all[(b*n+i)*c : (b*n+i+1)*c]
		}
		return out
	}
	flat := func(x [][]float64) (out []float64) {
		for _, r := range x {
			out = append(out, r...)
		}
		return out
	}
	for b := range 2 {
		y, sizes, _, _ := pruneMerge(rows("tokens/2/all", b), flat(rows("tokens/1/size", b)), flat(rows("tokens/2/patches", b)), s[2].Prune,
			s[2].Merge)
		for _, c := range []struct {
			what      string
			got, want []float64
		}{{"tokens", flat(rows(out, b)), flat(y)}, {"sizes", flat(rows("tokens/2/size", b)), sizes}} {
			if len(c.got) != len(c.want) {
				t.Fatalf("%s: %d numbers, want %d", c.what, len(c.got), len(c.want))
			}
			for i := range c.got {
				if math.Abs(c.got[i]-c.want[i]) > 2e-5*max(1, math.Abs(c.want[i])) {
					t.Fatalf("example %d: %s[%d] = %g, want %g", b, c.what, i, c.got[i], c.want[i])
				}
			}
		}
	}
}

// TestUntouched: what has nothing to do with the tokens is as it was.
func TestUntouched(t *testing.T) {
	m := tinyViT(t)
	m.SetMetadata("who", "me")
	v, err := Find(m, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	file, err := v.Rewrite(Schedule{{17, 17}, {15, 12}, {12, 12}, {12, 12}}, ByRank, false)
	if err != nil {
		t.Fatal(err)
	}
	d := onnx.CompareModels(m, file)
	for _, c := range d.Initializers {
		if c.A != "" && c.B != "" {
			t.Errorf("initializer %v changed", c)
		}
	}
	if len(d.IO) > 0 || len(d.Attributes) > 0 {
		t.Errorf("%v", d)
	}
	if who, _ := file.Metadata("who"); who != "me" {
		t.Error("metadata are lost")
	}
	if kept, _ := file.Metadata(MetadataKey); kept == "" {
		t.Error("the schedule is not in the metadata")
	}
	if m.Opset("") != file.Opset("") {
		t.Error("the operator set changed")
	}
}

// TestCost compares the operations that are counted beforehand with those of the written model.
func TestCost(t *testing.T) {
	v, err := Find(tinyViT(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	macs := func(m *onnx.Model) float64 {
		e, err := engine.Load(m, engine.WithThreads(1))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		in, err := e.Inspect(nil)
		if err != nil {
			t.Fatal(err)
		}
		return float64(in.MACs)
	}
	whole := macs(v.File())
	for _, s := range []Schedule{{{17, 17}, {15, 12}, {12, 8}, {6, 6}}, {{17, 17}, {17, 9}, {9, 9}, {9, 9}}, All(4, 17)} {
		file, err := v.Rewrite(s, ByRank, false)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := v.cost(whole, s), macs(file); math.Abs(got-want) > 0.002*whole {
			t.Errorf("%v: %g operations were counted, and there are %g", s, got, want)
		}
	}
	for _, share := range []float64{0.9, 0.7, 0.55} {
		s := v.fit(whole, share*whole, Schedule{{17, 17}, {16, 14}, {14, 9}, {5, 4}})
		if c := v.cost(whole, s) / whole; c > share || c < share-0.1 {
			t.Errorf("a schedule for %g of the operations has %g", share, c)
		}
	}
}
