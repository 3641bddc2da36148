package ops_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// Generated configurations (cases_generated_*_test.go): for every operator that is differentiable in practice at least generatedCases that
// are drawn by a seed, among them extents of 0 and of 1, axes from the end, inputs that are left out.

// generatedCases is how many of an operator must pass in each element type.
const generatedCases = 8

// source draws one configuration: the i-th of n.
type source struct {
	*rand.Rand
	i, n int
}

// generate registers n configurations of op that f draws; f leaves the operator and the name to it.
func generate(op string, n int, f func(g *source) opCase) {
	for i := range n {
		c := f(&source{rand.New(rand.NewPCG(seedOf(op), uint64(i))), i, n})
		c.op, c.name, c.drawn = op, fmt.Sprint("generated ", i+1, " of ", n), i+1
		register(c)
	}
}

// upto is in [1, n].
func (g *source) upto(n int) int { return 1 + g.IntN(n) }

// pick is one of the choices, each in turn before any comes again.
func pick[T any](g *source, choices ...T) T { return choices[g.i%len(choices)] }

// anyOf is one of the choices.
func anyOf[T any](g *source, choices ...T) T { return choices[g.IntN(len(choices))] }

// flip is true half the time.
func (g *source) flip() bool { return g.IntN(2) == 0 }

// bit is 0 or 1.
func (g *source) bit() int { return g.IntN(2) }

// extents are rank extents of 1 to 4; in the third configuration the last one is 1, in the fifth one of them 0.
func (g *source) extents(rank int) []int {
	s := make([]int, rank)
	for k := range s {
		s[k] = 1 + g.IntN(4)
	}
	if rank > 0 && g.i == 2 {
		s[rank-1] = 1
	}
	if rank > 0 && g.i == 4 {
		s[g.IntN(rank)] = 0
	}
	return s
}

// list is n integers in [lo, hi].
func (g *source) list(n, lo, hi int) []int64 {
	l := make([]int64, n)
	for k := range l {
		l[k] = int64(lo + g.IntN(hi-lo+1))
	}
	return l
}

// axis is one of rank axes, counted from the end in every other configuration.
func (g *source) axis(rank int) int {
	a := g.IntN(rank)
	if g.i%2 == 1 {
		a -= rank
	}
	return a
}

// axes are n different ones of rank axes, some counted from the end.
func (g *source) axes(n, rank int) []int64 {
	var l []int64
	for _, a := range g.Perm(rank)[:n] {
		if g.flip() {
			a -= rank
		}
		l = append(l, int64(a))
	}
	return l
}

// indices are integers in a shape, in [-n, n) or, where the case asks for different ones along axis, in [0, n).
func (g *source) indices(n int, shape ...int) arg {
	return given(tensor.From(g.list(tensor.Shape(shape).Len(), -n, n-1), shape...))
}

// maybe is a, or in some configurations the absent input.
func (g *source) maybe(a arg) arg {
	if g.flip() {
		return a
	}
	return arg{}
}

// trimmed is in without the absent inputs at its end.
func trimmed(in ...arg) []arg {
	for len(in) > 0 && in[len(in)-1].gen == nil && in[len(in)-1].fixed == nil {
		in = in[:len(in)-1]
	}
	return in
}

// generatedPasses counts the generated configurations whose gradient agrees, by operator and element type.
var generatedPasses = map[string]map[tensor.DType]int{}

func passedGenerated(s *graph.Spec, d tensor.DType) {
	if s.Domain != "" {
		return
	}
	if generatedPasses[s.Name] == nil {
		generatedPasses[s.Name] = map[tensor.DType]int{}
	}
	generatedPasses[s.Name][d]++
}

// inPractice are the operators of testdata/differentiable.txt that have the class.
func inPractice(t *testing.T, class string) (names []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/differentiable.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, c, ok := strings.Cut(strings.TrimSpace(line), " "); ok && c == class && name != "#" {
			names = append(names, name)
		}
	}
	return names
}

// enoughGenerated fails for operators with fewer generated configurations than they must have. It is called when all have run.
func enoughGenerated(t *testing.T) {
	few := testkit.ReadKnownFailures(t, "testdata/few_generated.txt")
	names := inPractice(t, "yes")
	if len(names) != 130 {
		t.Errorf("%d operators are differentiable in practice, want 130", len(names))
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		for _, d := range []tensor.DType{tensor.Float32, tensor.Float64} {
			var err error
			if n := generatedPasses[name][d]; n < generatedCases {
				err = fmt.Errorf("the gradients of %d generated configurations agree in %v, want at least %d", n, d, generatedCases)
			}
			t.Run("generated/"+name+"/"+d.String(), func(t *testing.T) { few.Check(t, name+"/"+d.String(), err) })
		}
	}
	few.CheckStale(t)
}
