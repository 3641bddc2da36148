package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// The relations that must hold for every model, whatever it computes: the same results for any number of threads, for other instruction
// sets, fused or not, in memory of its own or planned, written and read again, and as an exported graph; and examples that move with
// their places in the batch.

// metaModel is one model and the work of a run that is affordable.
type metaModel struct {
	name string
	file *onnx.Model
	path string // of a shared model
}

// metaModels are small forms of what this module builds and, where they are, the shared models. Those of more than 100 million
// multiplications a run only take part with GTK_LONG=1.
func metaModels(t *testing.T) (list []metaModel) {
	t.Helper()
	sizes := map[string]models.Options{"vit_tiny": {ImageSize: 32, Layers: 2, Classes: 7}, "resnet18": {ImageSize: 32, Classes: 7},
		"mobilenet_v2": {ImageSize: 32, Classes: 7}, "unet": {ImageSize: 32, Hidden: 4}, "gpt2": {Width: 32, Layers: 2},
		"llama": {Width: 32, Layers: 2}}
	for name := range models.Builders().All() {
		file, err := models.New(name, sizes[name])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, metaModel{name, file, ""})
	}
	return list
}

func sharedModels(t *testing.T) (list []metaModel) {
	t.Helper()
	dir := filepath.Join(testkit.Shared(t), "data")
	for _, pattern := range []string{"models/*.onnx", "modern/*/model.onnx"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s in the shared folder: %v", pattern, err)
		}
		for _, f := range files {
			file, err := onnx.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, metaModel{strings.TrimPrefix(f, dir+"/"), file, f})
		}
	}
	return list
}

const affordable = 1e8

// TestRelationsOfBuiltModels and TestRelationsOfSharedModels check all relations.
func TestRelationsOfBuiltModels(t *testing.T) {
	for _, m := range metaModels(t) {
		t.Run(m.name, func(t *testing.T) { m.relations(t) })
	}
}

func TestRelationsOfSharedModels(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of work; the models that this module builds are checked in TestRelationsOfBuiltModels")
	}
	for _, m := range sharedModels(t) {
		t.Run(m.name, func(t *testing.T) { m.relations(t) })
	}
}

// results are tensors by name: outputs, the loss, gradients, norms.
type results map[string]*tensor.Tensor

// load loads the model anew: programs keep what they made for one instruction set.
func (m metaModel) load(t *testing.T, threads int) *engine.Model {
	t.Helper()
	em, err := engine.Load(m.file, engine.WithThreads(threads))
	if e, ok := errors.AsType[*engine.UnsupportedError](err); ok {
		t.Skip(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return em
}

// run computes q and copies what it gives.
func run(t *testing.T, s *engine.Session, feeds map[string]*tensor.Tensor) results {
	t.Helper()
	r, err := s.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	out := results{}
	for key := range s.Slots() {
		out[key] = r.Tensor(key).Clone()
	}
	return out
}

// same compares results: to the bit when tol is 0, else to tol of the largest element of each and a millionth of the largest of all,
// since some gradients are zero but for rounding (that by the bias of a key in attention). Keys that want lacks are left out.
func (got results) same(want results, tol float64) error {
	largest := 0.0
	for _, w := range want {
		if w.DType().IsFloat() {
			for _, v := range w.Float64s() {
				largest = max(largest, math.Abs(v))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		g, w := got[key], want[key]
		if g == nil || !g.Shape().Equal(w.Shape()) || g.DType() != w.DType() {
			return fmt.Errorf("%s is %v, want %v", key, g, w)
		}
		if tol == 0 || !w.DType().IsFloat() {
			if !tensor.Equal(g, w) {
				return fmt.Errorf("%s is not the same to the bit", key)
			}
			continue
		}
		top := 0.0
		for _, v := range w.Float64s() {
			top = max(top, math.Abs(v))
		}
		if ok, rep := tensor.AllClose(g, w, tol, max(tol*top, 1e-6*largest)); !ok {
			return fmt.Errorf("%s: %v", key, rep)
		}
	}
	return nil
}

func (m metaModel) relations(t *testing.T) {
	em := m.load(t, 1)
	cost, err := em.Inspect(nil)
	if err != nil {
		t.Fatal(err)
	}
	if cost.MACs > affordable && os.Getenv("GTK_LONG") != "1" {
		t.Skipf("%d million multiplications a run: GTK_LONG=1 runs it", cost.MACs/1e6)
	}
	queries := map[string]engine.Query{"outputs": {}}
	if names := trainable(em); len(names) > 0 {
		q := engine.Query{Loss: sums(em), Grad: names}
		if _, err := em.Session(q); err == nil { // some have no gradient
			queries["gradients"] = q
		}
	}
	session := func(em *engine.Model, q engine.Query) *engine.Session {
		t.Helper()
		s, err := em.Session(q)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		q := queries[name]
		// What rounds otherwise may push an element over the kink of a Relu, whose gradient is then another: one of three inputs must
		// agree.
		roughly := func(t *testing.T, what string, tol float64, f func(feeds map[string]*tensor.Tensor) (got, want results)) {
			t.Helper()
			var errs []error
			for seed := range uint64(3) {
				feeds, err := madeUp(em, m.path, seed)
				if err != nil {
					t.Fatal(err)
				}
				got, want := f(feeds)
				if err := got.same(want, tol); err == nil {
					return
				} else if errs = append(errs, err); name == "outputs" {
					break
				}
			}
			t.Errorf("%s: %v", what, errors.Join(errs...))
		}
		t.Run(name, func(t *testing.T) {
			feeds, err := madeUp(em, m.path, 0)
			if err != nil {
				t.Fatal(err)
			}
			want := run(t, session(em, q), feeds)
			for _, threads := range []int{2, 4} {
				many := m.load(t, threads)
				if err := run(t, session(many, q), feeds).same(want, 0); err != nil {
					t.Errorf("%d threads: %v", threads, err)
				}
				many.Pool().Close()
			}
			roomy := session(em, q)
			if err := roomy.Roomy(); err != nil {
				t.Fatal(err)
			}
			if err := run(t, roomy, feeds).same(want, 0); err != nil {
				t.Errorf("in memory of its own: %v", err)
			}
			m.writtenAndRead(t, q, feeds)
			roughly(t, "unfused", 5e-4, func(feeds map[string]*tensor.Tensor) (got, want results) {
				plain, err := em.PlainSession(q)
				if err != nil {
					t.Fatal(err)
				}
				return run(t, plain, feeds), run(t, session(em, q), feeds)
			})
			for _, isa := range kernel.ISAs() {
				if isa == kernel.CurrentISA() || isa == kernel.Generic && cost.MACs > affordable/10 {
					continue // plain Go takes long
				}
				roughly(t, isa.String(), 5e-4, func(feeds map[string]*tensor.Tensor) (got, want results) {
					want = run(t, session(em, q), feeds)
					restore, _ := kernel.ForceISA(isa)
					defer restore()
					return run(t, session(m.load(t, 1), q), feeds), want
				})
			}
			if err := m.exported(t, em, q, feeds, want); err != nil {
				t.Errorf("exported: %v", err)
			}
		})
	}
	t.Run("batch", func(t *testing.T) { m.places(t, em) })
}

// writtenAndRead changes all parameters, saves the model and reads it: what the file says is what was computed.
func (m metaModel) writtenAndRead(t *testing.T, q engine.Query, feeds map[string]*tensor.Tensor) {
	t.Helper()
	em := m.load(t, 1)
	em.Thaw()
	for p := range em.Params() {
		if p.Trainable { // the other sign is exact in every type
			for i, v := range p.Value.Float64s() {
				switch x := p.Value; x.DType() {
				case tensor.Float32:
					x.F32()[i] = float32(-v)
				case tensor.Float64:
					tensor.Data[float64](x)[i] = -v
				}
			}
		}
	}
	em.Changed()
	compute := func(em *engine.Model) results {
		s, err := em.Session(q)
		if err != nil {
			t.Fatal(err)
		}
		return run(t, s, feeds)
	}
	want := compute(em)
	saved, err := em.Save()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "again.onnx")
	if err := saved.WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	file, err := onnx.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := compute((metaModel{m.name, file, m.path}).load(t, 1)).same(want, 0); err != nil {
		t.Errorf("written and read: %v", err)
	}
}

// exported writes what q asks for as a plain ONNX model and computes that; not every gradient can be written so, which is said.
func (m metaModel) exported(t *testing.T, em *engine.Model, q engine.Query, feeds map[string]*tensor.Tensor, want results) error {
	t.Helper()
	file, err := em.Export(q)
	if err != nil {
		t.Logf("not exported: %v", err)
		return nil
	}
	path := filepath.Join(t.TempDir(), "exported.onnx")
	if err := file.WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if file, err = onnx.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if err := file.Check(); err != nil {
		t.Fatal(err)
	}
	back, err := engine.Load(file, engine.WithThreads(1))
	if err != nil {
		return err
	}
	s, err := back.Session(engine.Query{})
	if err != nil {
		return err
	}
	got := results{}
	for key, x := range run(t, s, feeds) {
		kind, name, _ := strings.Cut(strings.TrimPrefix(key, "v:"), ":")
		switch kind {
		case "grad":
			key = "g:" + name
		case "loss":
			key = "loss"
		}
		got[key] = x
	}
	return got.same(want, 5e-4)
}
