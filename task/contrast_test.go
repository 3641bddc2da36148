package task_test

import (
	"context"
	"encoding/json"
	"math"
	"math/bits"
	"os"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	ir "github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// vectors are those of GroCo's authors' formulas in float64: sorting networks by the code of arXiv 2105.04019, the loss by that of
// arXiv 2301.02009, and NT-Xent; computed outside of this project.
type vectors struct {
	Networks map[string][][][2]int
	Sort     []struct {
		Network, Distribution string
		N                     int
		Steepness             float64
		X, Sorted             [][]float64
		Perm                  [][][]float64
		BCE                   *float64    `json:"bce_to_identity"`
		Grad                  [][]float64 `json:"bce_grad_x"`
	}
	GroCo []struct {
		Views, B, D int
		Positive    int           `json:"pos_views"`
		TopK        int           `json:"topk_neg"`
		Z, Grad     [][][]float64 // by view
		Loss        float64
	}
	NTXent struct {
		Z1, Z2            [][]float64
		Temperature, Loss float64
	} `json:"nt_xent"`
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/groco.json")
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ours is a name of the vectors as it is here.
func ours(name string) string { return strings.ReplaceAll(name, "_", "-") }

func TestSortNetworks(t *testing.T) {
	v := readVectors(t)
	if len(v.Networks) < 8 {
		t.Fatalf("%d networks", len(v.Networks))
	}
	for name, want := range v.Networks {
		cut := strings.LastIndex(name, "_")
		n := 0
		for _, c := range name[cut+1:] {
			n = 10*n + int(c-'0')
		}
		s, err := task.NewSortNetwork(ours(name[:cut]), n)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Layers) != len(want) {
			t.Fatalf("%s has %d layers, want %d", name, len(s.Layers), len(want))
		}
		for l := range want {
			have, wants := map[[2]int]bool{}, map[[2]int]bool{}
			for _, p := range s.Layers[l] {
				have[p] = true
			}
			for _, p := range want[l] {
				wants[p] = true
			}
			for p := range wants {
				if !have[p] || len(have) != len(wants) {
					t.Errorf("%s layer %d is %v, want %v", name, l, s.Layers[l], want[l])
					break
				}
			}
		}
	}
	// A network that sorts all zeros and ones sorts everything.
	for _, name := range task.SortNetworks {
		for n := 1; n <= 13; n++ {
			s, err := task.NewSortNetwork(name, n)
			if err != nil {
				t.Fatal(err)
			}
			for word := range 1 << n {
				x := word
				for _, layer := range s.Layers {
					for _, p := range layer {
						if x>>p[0]&1 == 1 && x>>p[1]&1 == 0 {
							x ^= 1<<p[0] | 1<<p[1]
						}
					}
				}
				if ones := bits.OnesCount(uint(word)); x != (1<<ones-1)<<(n-ones) {
					t.Fatalf("%s of %d wires leaves %b as %b", name, n, word, x)
				}
			}
		}
	}
	if _, err := task.NewSortNetwork("bubble", 3); err == nil {
		t.Error("a network called bubble is made")
	}
}

// flat are the numbers of rows one after another.
func flat(rows [][]float64) []float64 {
	var out []float64
	for _, r := range rows {
		out = append(out, r...)
	}
	return out
}

// alike fails where got and want differ by more than tol.
func alike(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol) {
			t.Fatalf("%s[%d] is %.12g, want %.12g", what, i, got[i], want[i])
		}
	}
}

// precisions are the types and what they must hold.
var precisions = map[tensor.DType]float64{tensor.Float64: 1e-9, tensor.Float32: 1e-5}

func TestSoftSort(t *testing.T) {
	v := readVectors(t)
	if len(v.Sort) < 28 {
		t.Fatalf("%d cases", len(v.Sort))
	}
	for _, c := range v.Sort {
		for d, tol := range precisions {
			t.Run(strings.Join([]string{c.Network, c.Distribution, d.String()}, "/"), func(t *testing.T) {
				net, err := task.NewSortNetwork(ours(c.Network), c.N)
				if err != nil {
					t.Fatal(err)
				}
				soft := task.SoftSort{Network: net, Swap: ours(c.Distribution), Steepness: c.Steepness}
				m := netOf(t, d, c.N)
				each := make([]float64, c.N)
				q := engine.Query{Derive: func(b *engine.Build) (engine.Outputs, error) {
					x, err := b.Value("x")
					if err != nil {
						return nil, err
					}
					s := soft.Of(b.Builder, x, nil)
					out := engine.Outputs{"sorted": s.Values()}
					for k := range each {
						clear(each)
						each[k] = 1
						out["rank"+string(rune('a'+k))] = s.Mass(each)
					}
					return out, b.Err()
				}}
				if c.BCE != nil { // the cross-entropy of the permutation with the identity, over all its numbers
					q.Grad, q.Loss = []string{"x"}, func(b *engine.Build) (ir.Value, error) { return toIdentity(b, soft) }
				}
				s, err := m.Session(q)
				if err != nil {
					t.Fatal(err)
				}
				x, _ := tensor.From(flat(c.X), len(c.X), c.N).Convert(d)
				r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
				if err != nil {
					t.Fatal(err)
				}
				alike(t, "sorted", r.Value("sorted").Float64s(), flat(c.Sorted), tol)
				for k := range each {
					var want []float64
					for _, p := range c.Perm {
						for i := range p {
							want = append(want, p[i][k])
						}
					}
					alike(t, "permutation", r.Value("rank"+string(rune('a'+k))).Float64s(), want, tol)
				}
				if c.BCE != nil {
					alike(t, "loss", r.Loss().Float64s(), []float64{*c.BCE}, tol)
					alike(t, "gradient", r.Grad("x").Float64s(), flat(c.Grad), tol)
				}
			})
		}
	}
}

// toIdentity is the mean over P of the binary cross-entropy with the unit matrix.
func toIdentity(b *engine.Build, soft task.SoftSort) (ir.Value, error) {
	x, err := b.Value("x")
	if err != nil {
		return 0, err
	}
	s, d, n := soft.Of(b.Builder, x, nil), b.DType(x), soft.Network.Wires
	of := make([]float64, n)
	var sum ir.Value
	for k := range n {
		clear(of)
		of[k] = 1
		p := s.Mass(of)
		is, _ := tensor.From(of, 1, n).Convert(d)
		not := make([]float64, n)
		for i := range not {
			not[i] = 1 - of[i]
		}
		isnt, _ := tensor.From(not, 1, n).Convert(d)
		log := func(v ir.Value) ir.Value { return b.Add(ops.Log, nil, v) }
		one := b.Add(ops.Sub, nil, b.Scalar(d, 1), p)
		each := b.Add(ops.Add, nil, b.Add(ops.Mul, nil, b.Const(is), log(p)), b.Add(ops.Mul, nil, b.Const(isnt), log(one)))
		mean := b.Add(ops.ReduceMean, ops.KeepDims(false), each)
		if sum == 0 {
			sum = mean
		} else {
			sum = b.Add(ops.Add, nil, sum, mean)
		}
	}
	return b.Add(ops.Mul, nil, sum, b.Scalar(d, -1/float64(n))), b.Err()
}

// netOf is a model that gives its input x [N,n].
func netOf(t *testing.T, d tensor.DType, n int) *engine.Model {
	dims := []any{"N", n}
	return net(t, d, dims, out{name: "y", dims: dims})
}

// contrast runs an objective on the views z [view][example][feature].
func contrast(t *testing.T, d tensor.DType, o task.Objective, v task.Views, z [][][]float64) *engine.Result {
	t.Helper()
	var rows [][]float64
	for _, view := range z {
		rows = append(rows, view...)
	}
	m := netOf(t, d, len(rows[0]))
	s, err := m.Session(engine.Query{Loss: task.Contrast(o, v, "y"), Grad: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	x, _ := tensor.From(flat(rows), len(rows), len(rows[0])).Convert(d)
	r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGroCo(t *testing.T) {
	v := readVectors(t)
	if len(v.GroCo) < 3 {
		t.Fatalf("%d cases", len(v.GroCo))
	}
	for _, c := range v.GroCo {
		for d, tol := range precisions {
			o := &task.GroCo{TopK: c.TopK, Steepness: 1, Network: "odd-even", Swap: "cauchy"}
			r := contrast(t, d, o, task.Views{N: c.Views, Global: c.Positive}, c.Z)
			alike(t, d.String()+" loss", r.Loss().Float64s(), []float64{c.Loss}, tol)
			var want []float64
			for _, view := range c.Grad {
				want = append(want, flat(view)...)
			}
			alike(t, d.String()+" gradient", r.Grad("x").Float64s(), want, tol)
		}
	}
}

func TestNTXent(t *testing.T) {
	v := readVectors(t).NTXent
	for d, tol := range precisions {
		z := [][][]float64{v.Z1, v.Z2}
		r := contrast(t, d, &task.NTXent{Temperature: v.Temperature}, task.Views{N: 2, Global: 2}, z)
		alike(t, d.String()+" loss", r.Loss().Float64s(), []float64{v.Loss}, tol)
	}
	// Differences of the loss are the gradient.
	z, o := [][][]float64{v.Z1, v.Z2, v.Z2[:5]}, &task.NTXent{Temperature: 0.1}
	views := task.Views{N: 3, Global: 2}
	g := contrast(t, tensor.Float64, o, views, z).Grad("x").Clone().Float64s()
	const h = 1e-6
	for i := range 5 {
		at := &z[1][i][i%4]
		was := *at
		*at = was + h
		up := contrast(t, tensor.Float64, o, views, z).Loss().Float64s()[0]
		*at = was - h
		down := contrast(t, tensor.Float64, o, views, z).Loss().Float64s()[0]
		*at = was
		want := (up - down) / (2 * h)
		if &z[1][i][0] == &z[2][i][0] { // the rows of view 2 are those of view 1
			alike(t, "gradient", []float64{g[(5+i)*4+i%4] + g[(10+i)*4+i%4]}, []float64{want}, 1e-6)
		}
	}
}

// A row of zeros, as of a dead layer, has a loss and a gradient all the same.
func TestContrastOfZeros(t *testing.T) {
	z := [][][]float64{{{0, 0}, {1, 0}, {0, 1}}, {{0, 0}, {1, 1}, {0, 0}}}
	for _, o := range []task.Objective{&task.GroCo{TopK: 2, Steepness: 200, Network: "bitonic", Swap: "logistic"},
		&task.NTXent{Temperature: 0.01}} {
		r := contrast(t, tensor.Float32, o, task.Views{N: 2, Global: 2}, z)
		for _, x := range append(r.Loss().Float64s(), r.Grad("x").Float64s()...) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("%T gives %v", o, x)
			}
		}
	}
}

func TestObjectiveNames(t *testing.T) {
	for _, spec := range []string{"groco", "nt-xent", "ntxent:temperature=0.5", "groco:topk=3:steepness=5:network=bitonic:swap=gaussian"} {
		if _, _, err := task.NewObjective(spec); err != nil {
			t.Error(err)
		}
	}
	for _, spec := range []string{"grocco", "groco:topk=0", "groco:steepness=0", "groco:network=bubble", "groco:swap=hard",
		"nt-xent:temperature=0",
		"nt-xent:temperature=-1", "groco:k=3"} {
		if _, _, err := task.NewObjective(spec); err == nil {
			t.Errorf("%s is taken", spec)
		}
	}
}
