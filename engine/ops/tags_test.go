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

// TestTags compares, input by input and output by output, what ONNX's documents tag as differentiable (testdata/tags.txt) with what the
// newest definition of each operator has. Where they disagree the formal stands in testdata/tag_disagreements.txt, with the reason; the
// list is exact.
func TestTags(t *testing.T) {
	known := testkit.ReadKnownFailures(t, "testdata/tag_disagreements.txt")
	text, err := os.ReadFile("testdata/tags.txt")
	if err != nil {
		t.Fatal(err)
	}
	operators := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(f) != 4 {
			t.Fatalf("line %q", line)
		}
		operators++
		s := newest(f[0])
		if s == nil {
			t.Errorf("%s is no operator of the engine", f[0])
			continue
		}
		for _, tag := range []struct {
			names   string
			formals []graph.Formal
			in      bool
			want    bool
		}{{f[1], s.In, true, true}, {f[2], s.In, true, false}, {f[3], s.Out, false, true}} {
			if tag.names == "-" {
				continue
			}
			for name := range strings.SplitSeq(tag.names, ",") {
				i := slices.IndexFunc(tag.formals, func(f graph.Formal) bool { return f.Name == name })
				if i < 0 && (name == "input" || name == "output") { // which is X or Y here
					i = 0
				}
				if i < 0 {
					t.Errorf("%s has no formal %s", s.Name, name)
					continue
				}
				has := s.HasGrad() && differentiable(tag.formals[i], tag.in)
				if tag.in && !slices.ContainsFunc(s.Out, func(f graph.Formal) bool { return differentiable(f, false) }) {
					has = false
				}
				var err error
				if has != tag.want {
					err = fmt.Errorf("differentiable: %v; tagged: %v", has, tag.want)
				}
				id := s.Name + "." + name
				t.Run(id, func(t *testing.T) { known.Check(t, id, err) })
			}
		}
	}
	known.CheckStale(t)
	if operators < 150 {
		t.Errorf("%d operators are tagged", operators)
	}
}

// newest is the newest definition of an operator of ai.onnx.
func newest(name string) (s *graph.Spec) {
	for _, o := range ops.Standard.All() {
		if o.Domain == "" && o.Name == name && (s == nil || o.Since[len(o.Since)-1] > s.Since[len(s.Since)-1]) {
			s = o
		}
	}
	return s
}

// differentiable reports whether a gradient goes through f.
func differentiable(f graph.Formal, in bool) bool {
	return !f.NoGrad && !f.State && (!in || f.Types == nil || slices.ContainsFunc(f.Types, tensor.DType.IsFloat))
}
