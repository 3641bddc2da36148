package engine_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// exported is the training graph of LeNet as an ONNX file, with what it must compute.
func exported(t *testing.T) (m *onnx.Model, feeds, want map[string]*tensor.Tensor) {
	t.Helper()
	om, err := models.New("lenet", models.Options{Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	em := load(t, om)
	names := trainable(em)
	q := engine.Query{Loss: crossEntropy(em), Grad: append(names, "input")}
	feeds = map[string]*tensor.Tensor{"input": testkit.RandN(3, 4, 1, 28, 28), "labels": tensor.From([]int64{7, 2, 1, 0}, 4)}
	s, err := em.Session(q)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	want = map[string]*tensor.Tensor{"loss": r.Loss().Clone()}
	for _, n := range q.Grad {
		want["grad:"+n] = r.Grad(n).Clone()
	}
	if m, err = em.Export(q); err != nil {
		t.Fatal(err)
	}
	return m, feeds, want
}

func same(t *testing.T, what string, got, want *tensor.Tensor) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s was not computed", what)
	}
	top := 0.0
	for _, v := range want.Float64s() {
		top = max(top, math.Abs(v))
	}
	if ok, rep := tensor.AllClose(got.Reshape(want.Shape()...), want, 1e-4, 1e-5*top); !ok {
		t.Errorf("%s: %v", what, rep)
	}
}

// TestExportedGradient reads the exported training graph back, which holds ONNX's own operators only, and runs it.
func TestExportedGradient(t *testing.T) {
	m, feeds, want := exported(t)
	for _, n := range m.Proto.GetGraph().GetNode() {
		if n.GetDomain() != "" {
			t.Fatalf("node %s has domain %q", n.GetOpType(), n.GetDomain())
		}
	}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	s, err := load(t, m).Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		same(t, name, r.Value(name), w)
	}
}

// TestExportedGradientInONNXRuntime runs the exported training graph in ONNX Runtime.
func TestExportedGradientInONNXRuntime(t *testing.T) {
	m, feeds, want := exported(t)
	got := inONNXRuntime(t, m, feeds)
	for name, w := range want {
		same(t, name, got[name], w)
	}
}

// inONNXRuntime is what ONNX Runtime computes for the outputs of m. The test is skipped when its Node package is not installed in the
// folder GTK_PEERS (default: gtk-peers in the user's cache folder) beside the script ort.cjs.
func inONNXRuntime(t *testing.T, m *onnx.Model, feeds map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	dir := os.Getenv("GTK_PEERS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skip("no cache folder: ", err)
		}
		dir = filepath.Join(cache, "gtk-peers")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "onnxruntime-node")); err != nil {
		t.Skip("ONNX Runtime is not installed: ", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: ", err)
	}
	tmp := t.TempDir()
	if err := m.WriteFile(filepath.Join(tmp, "step.onnx"), onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	args := []string{filepath.Join(dir, "ort.cjs"), "run", filepath.Join(tmp, "step.onnx"), tmp}
	for name, x := range feeds {
		f, err := os.Create(filepath.Join(tmp, name+"_in.npy"))
		if err != nil {
			t.Fatal(err)
		}
		if err := tensor.WriteNPY(f, x); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		args = append(args, name+"="+f.Name())
	}
	if out, err := exec.Command(node, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := map[string]*tensor.Tensor{}
	for _, o := range m.Proto.GetGraph().GetOutput() {
		file := strings.Map(func(r rune) rune {
			if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", r) {
				return r
			}
			return '_'
		}, o.GetName())
		ts, err := tensor.ReadFile(filepath.Join(tmp, file+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		got[o.GetName()] = ts[0].Tensor
	}
	return got
}
