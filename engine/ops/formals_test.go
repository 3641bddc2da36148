package ops

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// lenient are definitions of which later versions ask for less, or of which files leave out more: names that are absent at the end.
var lenient = []string{"GRU-1", "Gemm-1", "Gemm-6", "Gemm-7", "Gemm-9", "Loop-1", "Loop-11", "Loop-13", "Loop-16", "Resize-11"}

// The formals of every operator, in every version that it implements, take what ONNX's definition takes.
func TestFormals(t *testing.T) {
	b, err := os.ReadFile("testdata/formals.txt")
	if err != nil {
		t.Fatal(err)
	}
	onnx := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 6 && f[0] != "#" {
			onnx[f[0]+"-"+f[1]] = f[2:]
		}
	}
	known := 0
	for _, s := range Standard.All() {
		for _, since := range s.Since {
			want := onnx[fmt.Sprintf("%s-%d", s.Name, since)]
			if s.Domain != "" || want == nil {
				continue // newer than the list, or no operator of ONNX
			}
			known++
			for i, side := range []struct {
				name    string
				formals []graph.Formal
			}{{"inputs", s.In}, {"outputs", s.Out}} {
				pattern, least := want[2*i], want[2*i+1]
				for n := range 12 {
					there := slices.Repeat([]bool{true}, n)
					in, out := there, requiredOf(s.Out)
					if side.name == "outputs" {
						in, out = requiredOf(s.In), there
					}
					got := s.Arity(in, out, s.Bodies, true) == nil
					if ok := takes(pattern, least, n); got != ok &&
						!(got && slices.Contains(lenient, fmt.Sprintf("%s-%d", s.Name, since))) {
						t.Errorf("%s-%d, %d %s: taken: %v, in ONNX: %v (%s)", s.Name, since, n, side.name, got, ok, pattern)
					}
				}
			}
		}
	}
	if known < 350 {
		t.Errorf("only %d definitions were compared", known)
	}
}

// requiredOf is the fewest of the formals that an operator takes.
func requiredOf(formals []graph.Formal) []bool {
	n := 0
	for i, f := range formals {
		if !f.Optional {
			n = i + 1
		}
	}
	return slices.Repeat([]bool{true}, n)
}

// takes reports whether n inputs or outputs fit a pattern of ONNX.
func takes(pattern, least string, n int) bool {
	pattern = strings.Trim(pattern, "-")
	if fmt.Sprint(n) < least && len(fmt.Sprint(n)) <= len(least) {
		return false
	}
	return n <= len(pattern) || strings.HasSuffix(pattern, "*")
}
