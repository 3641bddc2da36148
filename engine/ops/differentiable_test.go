package ops_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestDifferentiable compares what is differentiable in practice (testdata/differentiable.txt) with what the operators of this package
// have, in all their versions. Where they disagree the operator stands in testdata/disagreements.txt, with the reason; the list is exact.
func TestDifferentiable(t *testing.T) {
	known := testkit.ReadKnownFailures(t, "testdata/disagreements.txt")
	text, err := os.ReadFile("testdata/differentiable.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, class, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if !slices.Contains([]string{"yes", "no", "zero", "container", "body"}, class) || listed[name] {
			t.Errorf("line %q", line)
		}
		listed[name] = true
		t.Run(name, func(t *testing.T) { known.Check(t, name, disagreement(name, class)) })
	}
	known.CheckStale(t)
	if len(listed) < 200 {
		t.Errorf("%d operators are listed", len(listed))
	}
}

// disagreement is the error of an operator that does not have what it should, or has what it should not.
func disagreement(name, class string) error {
	found := false
	for _, s := range ops.Standard.All() {
		if s.Domain != "" || s.Name != name {
			continue
		}
		found = true
		has := s.HasGrad() && (s.Control() || slices.ContainsFunc(s.In, flows) && slices.ContainsFunc(s.Out, flows))
		if want := class != "no"; has != want {
			return fmt.Errorf("%s (since %v) has a gradient: %v; in practice: %s", name, s.Since, has, class)
		}
	}
	if !found && class != "no" {
		return fmt.Errorf("%s is no operator of the engine; differentiable in practice: %s", name, class)
	}
	return nil
}

// flows reports whether a gradient goes through f.
func flows(f graph.Formal) bool {
	return !f.NoGrad && (f.Types == nil || slices.ContainsFunc(f.Types, tensor.DType.IsFloat))
}
