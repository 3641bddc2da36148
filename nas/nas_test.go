package nas

import (
	"bytes"
	"context"
	"errors"
	"maps"

	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// few are n of the handwritten digits, and how they are prepared.
func few(t *testing.T, n int) (data.Dataset, *data.Preprocess) {
	t.Helper()
	ds, err := data.Open("digits#train", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var index []int
	for i := range n {
		index = append(index, i*(ds.Len()-1)/n)
	}
	if ds, err = data.Subset(ds, index); err != nil {
		t.Fatal(err)
	}
	pre := data.Suggested(ds)
	return ds, &pre
}

func small(t *testing.T, s Space) *Supernet {
	t.Helper()
	n, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var (
	cellSpace   = Space{Name: "nas201", Channels: 4, Cells: 1, Nodes: 3, Stages: 2}
	mobileSpace = Space{Name: "mobile", Channels: 4, Cells: 2, Stages: 2}
)

func TestNASBench201(t *testing.T) {
	v := readVectors(t).NASBench
	n := small(t, Space{Name: "nas201", Channels: 2, Cells: 1})
	if !slices.Equal(n.Ops, v.Ops) || n.Size() != float64(v.N) {
		t.Errorf("operators %v, %v architectures; want %v, %d", n.Ops, n.Size(), v.Ops, v.N)
	}
	for i, c := range n.Choices {
		if c.Name != v.Edges[i] {
			t.Errorf("choice %d is %s, want %s", i, c.Name, v.Edges[i])
		}
	}
	seen := map[string]bool{}
	for i := range v.N {
		seen[Format(n.Nth(i))] = true
	}
	if len(seen) != v.N {
		t.Errorf("%d different architectures, want %d", len(seen), v.N)
	}
}

func TestSpaceErrors(t *testing.T) {
	for _, s := range []Space{{Name: "nas200"}, {Name: "nas201", ImageSize: 10}, {Name: "nas201", Nodes: 9}, {Name: "mobile", Nodes: 4},
		{Name: "mobile", Channels: -1}, {Name: "nas201", Stages: 40}} {
		if _, err := New(s); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
	n := small(t, mobileSpace)
	for _, a := range []string{"1,2,3", "1,2,0,3", "1,2,3,7", "1,2,3,x", ""} {
		if _, err := n.Parse(a); err == nil {
			t.Errorf("architecture %q is taken", a)
		}
	}
	a, err := n.Parse("skip,k3_e6,6,0")
	if err != nil || Format(a) != "0,2,6,0" {
		t.Errorf("%v %v", a, err)
	}
	file, err := n.File()
	if err != nil {
		t.Fatal(err)
	}
	for meta, want := range map[string]string{
		`{`: "metadata", `{"space":"mobile","version":1,"channels":200,"cells":2}`: "bytes of weights",
		`{"space":"mobile","version":1,"channels":4,"cells":2,"stages":2,"image_size":8,"classes":11,"inputs":1}`: "does not fit",
		`{"space":"mobile","version":1,"channels":4,"cells":2,"stages":2,"nodes":-1}`:                             "nodes",
		`{"space":"mobile","version":2}`: "form 2", `{"space":"nas201","version":1,"channels":4,"cells":1,"stages":1,"nodes":2}`: "has no weight",
	} {
		file.SetMetadata(MetadataKey, meta)
		if _, err := Open(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("metadata %s: %v", meta, err)
		}
	}
	if _, err := Open(onnx.NewModel(nil, 17)); !errors.As(err, new(*NotSupernetError)) {
		t.Errorf("no supernet: %v", err)
	}
}

// scores are what a model gives for some pictures.
func scores(t *testing.T, file *onnx.Model, more map[string]*tensor.Tensor, x *tensor.Tensor) []float32 {
	t.Helper()
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]*tensor.Tensor{InputName: x}
	for k, v := range more {
		feeds[k] = v
	}
	r, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(r.Value(OutputName).F32())
}

// reread is a model as it is read from its file.
func reread(t *testing.T, file *onnx.Model) *onnx.Model {
	t.Helper()
	b, err := file.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := onnx.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Check(); err != nil {
		t.Fatal(err)
	}
	return again
}

// The supernet as one model, told a path, gives the same bits as the network of that path alone.
func TestSupernetFile(t *testing.T) {
	ds, pre := few(t, 16)
	for _, s := range []Space{cellSpace, {Name: "nas201", Channels: 4, Cells: 2}, mobileSpace, {Name: "mobile", Channels: 3, Cells: 1}} {
		n := small(t, s)
		file, err := n.File()
		if err != nil {
			t.Fatal(err)
		}
		file = reread(t, file)
		again, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		for b, err := range data.Batches(context.Background(), ds, data.Sequential(16), 16, data.BatchOptions{Preprocess: pre}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, arch := range append(n.Sample(12, 1), n.Nth(0), n.Nth(int(n.Size())-1)) {
				a := make([]int64, len(arch))
				for i, o := range arch {
					a[i] = int64(o)
				}
				path, err := again.Path(arch, Batch)
				if err != nil {
					t.Fatal(err)
				}
				whole := scores(t, file, map[string]*tensor.Tensor{ArchName: tensor.From(a, len(a))}, b.X)
				if alone := scores(t, reread(t, path), nil, b.X); !slices.Equal(whole, alone) {
					t.Errorf("%s %s: the supernet gives %v, the network %v", s.Name, Format(arch), whole[:4], alone[:4])
				}
			}
		}
	}
}

// A network that is written has the very accuracy that it was ranked with, and gives the same bits.
func TestNetworkAsRanked(t *testing.T) {
	ctx := context.Background()
	ds, pre := few(t, 200)
	for _, s := range []Space{cellSpace, mobileSpace} {
		n := small(t, s)
		if _, err := Train(ctx, n, ds, Config{Preprocess: pre, Epochs: 2, BatchSize: 50}); err != nil {
			t.Fatal(err)
		}
		c := Measure{Data: ds, Val: ds, Preprocess: pre}
		archs := n.Sample(4, 3)
		list, err := n.Rank(ctx, archs, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, arch := range archs {
			m, _, err := n.Network(ctx, arch, c)
			if err != nil {
				t.Fatal(err)
			}
			file, err := m.Save()
			if err != nil {
				t.Fatal(err)
			}
			back, err := engine.Load(reread(t, file))
			if err != nil {
				t.Fatal(err)
			}
			e, err := train.Evaluate(ctx, back, ds, train.EvalConfig{Preprocess: pre})
			if err != nil {
				t.Fatal(err)
			}
			if e.Accuracy != list[i].Accuracy || e.Loss != list[i].Loss {
				t.Errorf("%s %s: ranked with %v and loss %v, written with %v and %v", s.Name, Format(arch), list[i].Accuracy, list[i].Loss,
					e.Accuracy, e.Loss)
			}
		}
	}
}

// A training that is stopped anywhere and goes on ends with the same bits, by each sampler.
func TestResume(t *testing.T) {
	ds, pre := few(t, 90)
	for _, name := range samplers.Names() {
		for _, at := range []int{1, 4, 6, 11} {
			if name != "panda" && at != 4 {
				continue
			}
			c := Config{Sampler: name, Preprocess: pre, Epochs: 4, BatchSize: 30, Seed: 5, Unbiased: name == "panda", Keep: at == 4}
			whole := small(t, cellSpace)
			want, err := Train(context.Background(), whole, ds, c)
			if err != nil {
				t.Fatal(err)
			}
			var saved *train.Checkpoint
			ctx, cancel := context.WithCancel(context.Background())
			half := c
			half.Step = func(p train.Progress) error {
				if p.Step == at {
					cancel()
				}
				return ctx.Err()
			}
			half.Save = func(c *train.Checkpoint) error {
				saved = &train.Checkpoint{Step: c.Step}
				for _, x := range c.Tensors {
					saved.Tensors = append(saved.Tensors, tensor.Named{Name: x.Name, Tensor: x.Tensor.Clone()})
				}
				return nil
			}
			if _, err := Train(ctx, small(t, cellSpace), ds, half); !errors.Is(err, context.Canceled) {
				t.Fatalf("stopped: %v", err)
			}
			cancel()
			path := t.TempDir() + "/c.npz"
			if err := saved.Write(path); err != nil {
				t.Fatal(err)
			}
			if c.Resume, err = train.ReadCheckpoint(path); err != nil {
				t.Fatal(err)
			}
			rest := small(t, cellSpace)
			got, err := Train(context.Background(), rest, ds, c)
			if err != nil {
				t.Fatal(err)
			}
			if got.Steps != want.Steps || got.Resumed != at || len(got.History) != len(want.History) {
				t.Errorf("%s at %d: %d steps, %d before, want %d", name, at, got.Steps, got.Resumed, want.Steps)
			}
			for i, h := range want.History {
				if h.TrainLoss != got.History[i].TrainLoss {
					t.Errorf("%s at %d: epoch %d has loss %v, want %v", name, at, i+1, got.History[i].TrainLoss, h.TrainLoss)
				}
			}
			for _, w := range whole.names {
				if !bytes.Equal(whole.weight[w].Bytes(), rest.weight[w].Bytes()) {
					t.Fatalf("%s at %d: weight %s differs", name, at, w)
				}
			}
			c.Seed = 6
			var differ *train.ResumeError
			if _, err := Train(context.Background(), small(t, cellSpace), ds, c); !errors.As(err, &differ) {
				t.Errorf("another seed: %v", err)
			}
		}
	}
}

// The gradient of a step is that of the supernet as one model.
func TestGradient(t *testing.T) {
	ctx := context.Background()
	ds, pre := few(t, 40)
	for _, s := range []Space{cellSpace, mobileSpace} {
		n := small(t, s)
		tk, plan, err := n.understand(ctx, ds, nil, nil, pre, nil)
		if err != nil {
			t.Fatal(err)
		}
		file, err := n.File()
		if err != nil {
			t.Fatal(err)
		}
		whole, err := engine.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		session, err := whole.Session(engine.Query{Loss: tk.Total(), Grad: n.names})
		if err != nil {
			t.Fatal(err)
		}
		nets := &networks{n: n, t: tk, plan: plan, most: keepBytes, list: map[string]*network{}}
		for b, err := range data.Batches(ctx, ds, data.Sequential(40), 40, data.BatchOptions{Preprocess: pre}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, arch := range n.Sample(5, 2) {
				net, err := nets.get(arch)
				if err != nil {
					t.Fatal(err)
				}
				got := map[string][]float32{}
				if _, err := net.run(ctx, tk, b, nil, nil, func(s shared,
					g *tensor.Tensor) {
					got[s.name] = slices.Clone(g.F32())
				}); err != nil {
					t.Fatal(err)
				}
				a := make([]int64, len(arch))
				for i, o := range arch {
					a[i] = int64(o)
				}
				truth, err := tk.Truth(b)
				if err != nil {
					t.Fatal(err)
				}
				rows := truth.Rows(truth.Mean())
				feeds := map[string]*tensor.Tensor{InputName: b.X, ArchName: tensor.From(a, len(a))}
				maps.Copy(feeds, rows.Same)
				maps.Copy(feeds, rows.Weight)
				r, err := session.Run(ctx, feeds)
				if err != nil {
					t.Fatal(err)
				}
				for _, w := range n.names {
					most, size := 0.0, 1e-3
					want := r.Grad(w)
					for i := range n.weight[w].Len() {
						var x, y float64
						if want != nil {
							x = float64(want.F32()[i])
						}
						if g := got[w]; g != nil {
							y = float64(g[i])
						}
						most, size = max(most, math.Abs(x-y)), max(size, math.Abs(x))
					}
					if most > 1e-4*size {
						t.Errorf("%s %s: the gradient by %s differs by %v of %v", s.Name, Format(arch), w, most, size)
					}
				}
			}
		}
	}
}

// What is not on a path is not changed.
func TestUntouched(t *testing.T) {
	ds, pre := few(t, 40)
	n, first := small(t, cellSpace), small(t, cellSpace)
	c := Config{Sampler: "uniform", Preprocess: pre, Epochs: 1, BatchSize: 40}
	if _, err := Train(context.Background(), n, ds, c); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, w := range n.names {
		if !bytes.Equal(n.weight[w].Bytes(), first.weight[w].Bytes()) {
			changed++
		}
	}
	if changed == 0 || changed == len(n.names) {
		t.Errorf("%d of %d weights changed by one path", changed, len(n.names))
	}
}

func TestFair(t *testing.T) {
	for _, s := range []Space{cellSpace, mobileSpace} {
		n := small(t, s)
		for step := range 5 {
			list := fair(n.Layout, nil, rand.New(rand.NewPCG(uint64(step), 1)))
			for i, c := range n.Choices {
				count := map[int]int{}
				for _, a := range list {
					if err := n.Check(a); err != nil {
						t.Fatal(err)
					}
					count[a[i]]++
				}
				for _, o := range c.Ops {
					if k := count[o]; k < len(list)/len(c.Ops) || k > (len(list)+len(c.Ops)-1)/len(c.Ops) {
						t.Errorf("%s: choice %d has operator %d %d times of %d", s.Name, i, o, k, len(list))
					}
				}
			}
		}
	}
}

// The estimate of the variance is near to that of all steps there are.
func TestVariance(t *testing.T) {
	ds, pre := few(t, 60)
	n := small(t, cellSpace)
	var all []Spread
	c := Config{Preprocess: pre, Epochs: 2, BatchSize: 20, Look: func(ctx context.Context, t *Trainer, epoch int) (map[string]float64,
		error) {
		for _, d := range []Draw{{}, {Data: true, Path: true, Tau: 0.5}, {Data: true, Path: true, Tau: 0.5, Weighted: true}} {
			s, err := t.Variance(ctx, d, 200, uint64(epoch))
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
		return nil, nil
	}}
	if _, err := Train(context.Background(), n, ds, c); err != nil {
		t.Fatal(err)
	}
	again := small(t, cellSpace)
	c.Look = nil
	if _, err := Train(context.Background(), again, ds, c); err != nil {
		t.Fatal(err)
	}
	for _, w := range n.names {
		if !bytes.Equal(n.weight[w].Bytes(), again.weight[w].Bytes()) {
			t.Fatal("measuring changes the training")
		}
	}
	for _, s := range all {
		if !(s.Variance > 0) || !(s.Mean > 0) {
			t.Errorf("%+v", s)
		}
	}
	// Weighted steps have the mean of uniform ones: ‖difference‖ is within what chance explains, whose bound is generous.
	for k := 0; k < len(all); k += 3 {
		u, w := all[k], all[k+2]
		if d := math.Abs(u.Mean - w.Mean); d > 6*math.Sqrt(u.Variance/200+w.Variance/200) {
			t.Errorf("mean gradient %v, weighted %v", u.Mean, w.Mean)
		}
	}

}
