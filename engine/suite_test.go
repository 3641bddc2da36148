package engine_test

import (
	"context"
	"fmt"
	"slices"
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

// The tolerances of ONNX's own runner, for cases that have none of their own, and none of these has.
//
// Source: https://github.com/onnx/onnx/blob/main/onnx/backend/test/loader/__init__.py
const suiteRtol, suiteAtol = 1e-3, 1e-7

// suiteCases is how many cases the suite has beside its light networks.
const suiteCases = 1905

// TestOfficialSuite runs the official cases on the planned engine: each passes or stands in testdata/known_failures.txt with the reason,
// what is not supported as much as what is wrong. How many pass of each operator stands in testdata/passes.txt.
func TestOfficialSuite(t *testing.T) {
	known := testkit.ReadKnownFailures(t, "testdata/known_failures.txt")
	tally := testkit.NewTally("suite")
	for _, s := range ops.Standard.All() {
		if s.Domain != microsoft.Domain && !slices.Contains(microsoft.Elsewhere, s) { // which have cases of their own
			tally.Row(testkit.PassesRow(s.Domain, s.Name, s.Since))
		}
	}
	cases := smallCases(t)
	if len(cases) != suiteCases {
		t.Errorf("the suite has %d cases, want %d", len(cases), suiteCases)
	}
	passed := 0
	for _, c := range cases {
		name := c.Suite + "/" + c.Name
		err := runSuiteCase(c, planned)
		if err == nil {
			passed++
			for _, s := range operatorsOf(t, c) {
				tally.Add(testkit.PassesRow(s.Domain, s.Name, s.Since), "suite", 1)
			}
		}
		t.Run(name, func(t *testing.T) { known.Check(t, name, err) })
	}
	known.CheckStale(t)
	testkit.CheckPasses(t, tally, "testdata/passes.txt")
	t.Logf("%d of %d cases pass", passed, len(cases))
}

// smallCases are the cases of the suite but for its networks.
func smallCases(t *testing.T) []testkit.Case {
	return slices.DeleteFunc(testkit.OfficialSuite(t), func(c testkit.Case) bool { return c.Suite == "light" })
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
			t.Run(c.Name, func(t *testing.T) { known.Check(t, c.Name, runSuiteCase(c, planned)) })
		}
	}
	known.CheckStale(t)
}

// runnable makes a model of the file of a case, and a session of it.
type runnable func(file *onnx.Model) (*engine.Model, *engine.Session, error)

// planned is how models are run.
func planned(file *onnx.Model) (*engine.Model, *engine.Session, error) {
	m, err := engine.Load(file, engine.WithThreads(2))
	if err != nil {
		return nil, nil, err
	}
	s, err := m.Session(engine.Query{})
	return m, s, err
}

// runSuiteCase compares what a case gives with what it must give.
func runSuiteCase(c testkit.Case, open runnable) error {
	file, err := onnx.ReadFile(c.Model)
	if err != nil {
		return err
	}
	m, s, err := open(file)
	if err != nil {
		return err
	}
	for _, set := range c.Sets {
		feeds, err := suiteFeeds(c, m, set)
		if err != nil {
			return err
		}
		r, err := s.Run(context.Background(), feeds)
		if err != nil {
			return err
		}
		for i, f := range set.Outputs {
			out := m.Outputs()[i]
			_, want, err := onnx.ReadValueFile(f, out.DType)
			if err != nil {
				return err
			}
			if err := sameOutput(out.Name, r.Value(out.Name), want); err != nil {
				return err
			}
		}
	}
	return nil
}

// suiteFeeds are the inputs of one run of a case.
func suiteFeeds(c testkit.Case, m *engine.Model, set testkit.DataSet) (map[string]*tensor.Tensor, error) {
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
		if i >= len(m.Inputs()) {
			return nil, fmt.Errorf("the case feeds %d inputs, the model has %d", len(set.Inputs), len(m.Inputs()))
		}
		_, x, err := onnx.ReadValueFile(f, m.Inputs()[i].DType)
		if err != nil {
			return nil, err
		}
		feeds[m.Inputs()[i].Name] = x
	}
	return feeds, nil
}

func sameOutput(name string, got, want *tensor.Tensor) (err error) {
	if got == nil {
		return fmt.Errorf("output %q is missing", name)
	}
	if half := want.DType() == tensor.Float16 || want.DType() == tensor.BFloat16; half && got.DType() == tensor.Float32 {
		if want, err = want.Convert(tensor.Float32); err != nil { // half precision is computed, and given, in single
			return err
		}
	}
	if got.DType() != want.DType() {
		return fmt.Errorf("output %q has type %v, want %v", name, got.DType(), want.DType())
	}
	if ok, report := tensor.AllClose(got, want, suiteRtol, suiteAtol); !ok {
		return fmt.Errorf("output %q: %v", name, report)
	}
	return nil
}
