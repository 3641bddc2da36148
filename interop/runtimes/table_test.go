package runtimes

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	upstream "github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/testbackend"
	_ "github.com/owulveryck/onnx-go/backend/testbackend/onnx" // registers the cases

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/interop/internal/dense"
	"github.com/gtk-onnx/gtk/interop/onnxgo"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// onGtk runs a model with onnx-go's decoder and gtk's engine as its backend.
type onGtk struct{ m *onnx.Model }

func (r onGtk) Run(ctx context.Context, feeds map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	file, err := r.m.Bytes()
	if err != nil {
		return nil, err
	}
	b := onnxgo.NewBackend()
	m := upstream.NewModel(b)
	if err := m.UnmarshalBinary(file); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	for name, x := range feeds {
		t, err := dense.To(x)
		if err != nil {
			return nil, err
		}
		n, _ := m.GetNodeByName(name)
		if err := n.(upstream.DataCarrier).SetTensor(t); err != nil {
			return nil, err
		}
	}
	if err := b.RunContext(ctx); err != nil {
		return nil, err
	}
	out := map[string]*tensor.Tensor{}
	for _, o := range r.m.Outputs() {
		n, _ := m.GetNodeByName(o.GetName())
		if out[o.GetName()], err = dense.From(n.(upstream.DataCarrier).GetTensor()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// columns are those of the table.
var columns = []struct {
	title string
	make  job.Runtime
}{
	{"onnx-go with gorgonnx (`--runtime onnx-go`)", newOnnxGo},
	{"onnx-go with gtk (`interop/onnxgo`)", func(m *onnx.Model) (job.Runner, error) { return onGtk{m}, nil }},
	{"gorgonia (`--runtime gorgonia`)", newGorgonia},
}

// fails says why a runtime does not give the outputs of want, "" when it does. Panics are failures.
func fails(ctx context.Context, rt job.Runtime, m *onnx.Model, feeds, want map[string]*tensor.Tensor, rtol, atol float64) (why string) {
	defer func() {
		if v := recover(); v != nil {
			why = "panic: " + short(fmt.Sprint(v))
		}
	}()
	r, err := rt(m)
	var got map[string]*tensor.Tensor
	if err == nil {
		got, err = r.Run(ctx, feeds)
	}
	if err != nil {
		return sort(err)
	}
	for name, w := range want {
		g := got[name]
		if g == nil {
			return "output: not computed"
		}
		if g.DType() != w.DType() {
			return fmt.Sprintf("wrong: %v, want %v", g.DType(), w.DType())
		}
		if ok, rep := tensor.AllClose(g, w, rtol, atol); !ok {
			if !g.Shape().Equal(w.Shape()) {
				return fmt.Sprintf("wrong: shape %v, want %v", g.Shape(), w.Shape())
			}
			return fmt.Sprintf("wrong: %d of %d numbers", rep.Bad, rep.Total)
		}
	}
	return ""
}

var (
	absent  = regexp.MustCompile(`operator (\w+) (?:is missing|not implemented)|(\w+) \(opset \d+\): operator is not supported`)
	address = regexp.MustCompile(`0x[0-9a-f]+`)
)

// sort is an error with its kind before it.
func sort(err error) string {
	text := err.Error()
	if strings.HasPrefix(text, "decoder: ") {
		return short(text)
	}
	if m := absent.FindStringSubmatch(text); m != nil {
		return "operator: no " + m[1] + m[2]
	}
	return "limit: " + short(text)
}

func short(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text = address.ReplaceAllString(text, "0x…")
	return text[:min(len(text), 100)]
}

// TestTable runs gtk's models with each runtime, compares with the engine, counts the cases of onnx-go's suite, and wants the table of the
// guide to say so.
func TestTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("| model |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.title)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, e := range models.Builders().Entries() {
		m, err := models.New(e.Name, models.Options{Seed: 7, ImageSize: 32, Classes: 5})
		if err != nil {
			if m, err = models.New(e.Name, models.Options{Seed: 7}); err != nil {
				t.Fatal(err)
			}
		}
		feeds, want := reference(t, m)
		fmt.Fprintf(&b, "| %s |", e.Name)
		for _, c := range columns {
			why := fails(t.Context(), c.make, m, feeds, want, 1e-3, 1e-4)
			if why == "" {
				why = "yes"
			}
			fmt.Fprintf(&b, " %s |", strings.ReplaceAll(why, "|", "/"))
		}
		b.WriteString("\n")
	}
	b.WriteString(suiteRow(t))
	inGuide(t, b.String())
}

// reference is a random input and what the engine makes of it.
func reference(t *testing.T, m *onnx.Model) (feeds, want map[string]*tensor.Tensor) {
	t.Helper()
	em, err := engine.Load(m)
	if err != nil {
		t.Fatal(err)
	}
	defer em.Close()
	feeds, want = map[string]*tensor.Tensor{}, map[string]*tensor.Tensor{}
	for _, in := range em.Inputs() {
		shape := make([]int, len(in.Dims))
		for i, d := range in.Dims {
			shape[i] = max(d.Size, 2)
			switch {
			case d.Size == 1:
				shape[i] = 1
			case d.Size <= 0 && i > 1 && len(in.Dims) == 4: // pictures of any size
				shape[i] = 32
			}
		}
		feeds[in.Name] = testkit.RandN(1, shape...)
		if in.DType == tensor.Int64 { // tokens
			feeds[in.Name] = testkit.RandInts(1, 0, 9, shape...)
		}
	}
	s, err := em.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range em.Outputs() {
		want[o.Name] = r.Value(o.Name).Clone()
	}
	return feeds, want
}

// suiteRow counts the cases of onnx-go's suite: for the two backends of onnx-go from what the tests of interop/onnxgo keep, for gorgonia by
// running them. What does not pass there is in testdata/suite_gorgonia.txt.
func suiteRow(t *testing.T) string {
	counts := map[string]string{}
	for name, file := range map[string]string{"gorgonnx": "suite_gorgonnx.txt", "gtk": "suite.txt"} {
		b, err := os.ReadFile("../onnxgo/testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`^# (\d+) of the (\d+) cases`).FindSubmatch(b)
		if m == nil {
			t.Fatalf("%s does not begin with a count", file)
		}
		counts[name] = string(m[1])
	}
	bad, total := map[string]string{}, 0
	for _, c := range testbackend.GetAllRegisteredTests() {
		tc := c()
		total++
		if why := suiteCase(t, tc); why != "" {
			bad[tc.Title] = why
		}
	}
	var list strings.Builder
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		fmt.Fprintf(&list, "%s %s\n", name, bad[name])
	}
	testkit.Golden(t, "testdata/suite_gorgonia.txt", []byte(list.String()))
	return fmt.Sprintf("| cases of onnx-go's suite, of %d | %s | %s | %d |\n", total, counts["gorgonnx"], counts["gtk"], total-len(bad))
}

// suiteCase runs a case of onnx-go's suite with gorgonia.
func suiteCase(t *testing.T, tc *testbackend.TestCase) string {
	m, err := onnx.Parse(tc.ModelB)
	if err != nil {
		t.Fatalf("%s: %v", tc.Title, err)
	}
	feeds, want := map[string]*tensor.Tensor{}, map[string]*tensor.Tensor{}
	for i, x := range tc.Input {
		if feeds[m.Inputs()[i].GetName()], err = dense.From(x); err != nil {
			t.Fatalf("%s: %v", tc.Title, err)
		}
	}
	for i, x := range tc.ExpectedOutput {
		if want[m.Outputs()[i].GetName()], err = dense.From(x); err != nil {
			t.Fatalf("%s: %v", tc.Title, err)
		}
	}
	return fails(t.Context(), newGorgonia, m, feeds, want, 1e-4, 1e-6)
}

// inGuide wants the table between the marks of the guide.
func inGuide(t *testing.T, table string) {
	t.Helper()
	const path, from, to = "../../docs/guides/interop.md", "<!-- runtimes -->\n", "<!-- /runtimes -->"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), from)
	_, tail, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no table between %q and %q", path, from, to)
	}
	testkit.Golden(t, path, []byte(head+from+table+to+tail))
}
