package engine_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/ops/microsoft"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// The tolerances of ONNX's own runner.
//
// Source: https://github.com/onnx/onnx/blob/main/onnx/backend/test/loader/__init__.py
const suiteRtol, suiteAtol = 1e-3, 1e-5

// TestOfficialSuite runs the official cases on the planned engine. A case whose operators or types the engine does not have is counted
// and left out; every other must pass or stand in testdata/known_failures.txt with the reason. How many pass of each operator stands in
// testdata/passes.txt.
func TestOfficialSuite(t *testing.T) {
	known := testkit.ReadKnownFailures(t, "testdata/known_failures.txt")
	tally := testkit.NewTally("suite")
	for _, s := range ops.Standard.All() {
		if s.Domain != microsoft.Domain { // which have cases of their own
			tally.Row(testkit.PassesRow(s.Domain, s.Name, s.Since))
		}
	}
	passed, listed := 0, 0
	unsupported := map[string]int{}
	for _, c := range testkit.OfficialSuite(t) {
		if c.Suite == "light" {
			continue
		}
		name := c.Suite + "/" + c.Name
		err := runSuiteCase(c)
		if why, ok := isUnsupported(err); ok {
			unsupported[why]++
			continue
		}
		switch {
		case err == nil:
			passed++
			for _, s := range operatorsOf(t, c) {
				tally.Add(testkit.PassesRow(s.Domain, s.Name, s.Since), "suite", 1)
			}
		case known.Reason(name) != "":
			listed++
		}
		t.Run(name, func(t *testing.T) { known.Check(t, name, err) })
	}
	known.CheckStale(t)
	testkit.CheckPasses(t, tally, "testdata/passes.txt")
	total := 0
	var why []string
	for w, n := range unsupported {
		total += n
		why = append(why, fmt.Sprintf("%4d %s", n, w))
	}
	slices.SortFunc(why, func(a, b string) int { return cmp.Compare(b, a) })
	t.Logf("%d cases pass, %d are known to fail, %d need what the engine does not have:\n%s", passed, listed, total,
		strings.Join(why, "\n"))
}

// operatorsOf are the operators that the file of a case uses, bodies and functions included, each once.
func operatorsOf(t *testing.T, c testkit.Case) []*graph.Spec {
	file, err := onnx.ReadFile(c.Model)
	if err != nil {
		t.Fatal(err)
	}
	var used []*graph.Spec
	file.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		s, _ := ops.Standard.Find(n.GetDomain(), n.GetOpType(), int(file.Opset(n.GetDomain())))
		if s != nil && !slices.Contains(used, s) {
			used = append(used, s)
		}
	})
	return used
}

// TestLightSuite runs the official suite's well-known networks, whose weights are made from constants.
func TestLightSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	known := testkit.ReadKnownFailures(t, "testdata/known_failures_light.txt")
	for _, c := range testkit.OfficialSuite(t) {
		if c.Suite == "light" {
			t.Run(c.Name, func(t *testing.T) { known.Check(t, c.Name, runSuiteCase(c)) })
		}
	}
	known.CheckStale(t)
}

// isUnsupported reports that err is the honest refusal of something legal, and what of.
func isUnsupported(err error) (string, bool) {
	if e, ok := errors.AsType[*engine.UnsupportedError](err); ok {
		ops := map[string]bool{}
		for _, m := range e.Missing {
			if m.Why == "" {
				continue
			}
			s := m.Op
			if m.Domain != "" {
				s = m.Domain + "." + s
			}
			if i := strings.LastIndex(m.Why, "has type "); i >= 0 {
				s += " of another type"
			}
			ops[s] = true
		}
		return strings.Join(slices.Sorted(maps.Keys(ops)), ", "), true
	}
	if e, ok := errors.AsType[*onnx.UnsupportedError](err); ok {
		return e.Error(), true
	}
	return "", false
}

func runSuiteCase(c testkit.Case) error {
	file, err := onnx.ReadFile(c.Model)
	if err != nil {
		return err
	}
	m, err := engine.Load(file, engine.WithThreads(2))
	if err != nil {
		return err
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		return err
	}
	for _, set := range c.Sets {
		feeds := map[string]*tensor.Tensor{}
		if c.Suite == "light" {
			for _, in := range m.Inputs() {
				var shape []int
				for _, d := range in.Dims {
					shape = append(shape, max(1, d.Size))
				}
				feeds[in.Name] = testkit.LightInput(shape...)
			}
		}
		for i, f := range set.Inputs {
			_, x, err := onnx.ReadTensorFile(f)
			if err != nil {
				return err
			}
			if i >= len(m.Inputs()) {
				return fmt.Errorf("the case feeds %d inputs, the model has %d", len(set.Inputs), len(m.Inputs()))
			}
			feeds[m.Inputs()[i].Name] = x
		}
		r, err := s.Run(context.Background(), feeds)
		if err != nil {
			return err
		}
		for i, f := range set.Outputs {
			_, want, err := onnx.ReadTensorFile(f)
			if err != nil {
				return err
			}
			out := m.Outputs()[i]
			got := r.Value(out.Name)
			if got == nil {
				return fmt.Errorf("output %q is missing", out.Name)
			}
			if half := want.DType() == tensor.Float16 || want.DType() == tensor.BFloat16; half && got.DType() == tensor.Float32 {
				if want, err = want.Convert(tensor.Float32); err != nil { // half precision is computed, and given, in single
					return err
				}
			}
			if got.DType() != want.DType() {
				return fmt.Errorf("output %q has type %v, want %v", out.Name, got.DType(), want.DType())
			}
			if ok, report := tensor.AllClose(got, want, suiteRtol, suiteAtol); !ok {
				return fmt.Errorf("output %q: %v", out.Name, report)
			}
		}
	}
	return nil
}
