package job

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
)

// kernelProblem is a piece of work of which kernels are timed.
type kernelProblem struct {
	name, shape string
	flops       float64
	bytes       int    // read and written, where these and no operations are counted; else 0
	sizes       [4]int // elements of the memory that ways gets
	ways        func(b [4][]float32) []kernel.Way
}

// kernelProblems are those whose names have one of the parts of only in them.
func kernelProblems(only []string) ([]*kernelProblem, error) {
	all := slices.Concat(sgemmProblems(), convProblems(), rowProblems())
	some := slices.DeleteFunc(slices.Clone(all), func(p *kernelProblem) bool { return !asked(p.name, only) })
	if len(some) == 0 {
		var names []string
		for _, p := range all {
			if !slices.Contains(names, p.name) {
				names = append(names, p.name)
			}
		}
		return nil, usagef("--only %s: no kernel is called so; there are %s", strings.Join(only, ","), strings.Join(names, ", "))
	}
	return some, nil
}

func sgemmProblems() (all []*kernelProblem) {
	for _, n := range []int{512, 1024, 2048} {
		for i, name := range []string{"nn", "nt", "tn", "tt"} {
			tA, tB := i&2 != 0, i&1 != 0
			all = append(all, &kernelProblem{"sgemm " + name, fmt.Sprintf("%d×%d×%[1]d", n, n), 2 * float64(n) * float64(n) * float64(n), 0,
				[4]int{n * n, n * n, n * n}, func(b [4][]float32) []kernel.Way { return kernel.SgemmWays(tA, tB, n, n, n, b[0], b[1], b[2]) }})
		}
	}
	return all
}

// convShapes are layers of well-known networks.
var convShapes = []struct {
	name                             string
	n, c, size, m, k, stride, groups int
}{
	{"1x1", 8, 24, 56, 144, 1, 1, 1},
	{"1x1", 8, 384, 14, 64, 1, 1, 1},
	{"1x1", 1, 512, 28, 128, 1, 1, 1},
	{"3x3", 8, 64, 56, 64, 3, 1, 1},
	{"3x3", 8, 128, 28, 128, 3, 1, 1},
	{"3x3", 8, 256, 14, 256, 3, 1, 1},
	{"3x3", 8, 512, 7, 512, 3, 1, 1},
	{"3x3", 1, 64, 56, 64, 3, 1, 1},
	{"3x3", 1, 512, 7, 512, 3, 1, 1},
	{"3x3", 64, 16, 32, 16, 3, 1, 1},
	{"3x3 stride 2", 8, 64, 56, 128, 3, 2, 1},
	{"3x3 stride 2", 8, 256, 14, 512, 3, 2, 1},
	{"7x7 stride 2", 8, 3, 224, 64, 7, 2, 1},
	{"depthwise", 8, 144, 56, 144, 3, 1, 144},
	{"depthwise stride 2", 8, 96, 112, 96, 3, 2, 96},
}

func convProblems() (all []*kernelProblem) {
	for _, s := range convShapes {
		cp := &kernel.ConvParams{N: s.n, C: s.c, M: s.m, Group: s.groups, In: [3]int{1, s.size, s.size}, Kernel: [3]int{1, s.k, s.k},
			Stride: [3]int{1, s.stride, s.stride}, Dil: [3]int{1, 1, 1}, PadLo: [3]int{0, s.k / 2, s.k / 2}, PadHi: [3]int{0, s.k / 2, s.k / 2}}
		cp.SetOut()
		shape := fmt.Sprintf("%d×%d×%d×%[3]d to %d", s.n, s.c, s.size, s.m)
		x, w, y := s.n*s.c*s.size*s.size, s.m*(s.c/s.groups)*s.k*s.k, s.n*s.m*cp.Out[1]*cp.Out[2]
		for _, d := range []struct {
			name  string
			sizes [4]int
			ways  func(b [4][]float32) []kernel.Way
		}{
			{"conv", [4]int{x, w, y}, func(b [4][]float32) []kernel.Way { return kernel.ConvWays(cp, b[0], b[1], b[2]) }},
			{"conv by input", [4]int{y, w, x}, func(b [4][]float32) []kernel.Way { return kernel.ConvDXWays(cp, b[0], b[1], b[2]) }},
			{"conv by weight", [4]int{x, y, w}, func(b [4][]float32) []kernel.Way { return kernel.ConvDWWays(cp, b[0], b[1], b[2]) }},
		} {
			all = append(all, &kernelProblem{d.name + " " + s.name, shape, cp.Flops(), 0, d.sizes, d.ways})
		}
	}
	return all
}

// rowProblems are attention, and what is bound by memory: rows that are normalised, and functions of each element.
func rowProblems() (all []*kernelProblem) {
	const heads, tokens, d = 24, 197, 64
	vec, scores := heads*tokens*d, heads*tokens*tokens
	all = append(all, &kernelProblem{"attention", fmt.Sprintf("%d×%d×%d", heads, tokens, d), 4 * float64(scores) * d, 0,
		[4]int{vec, vec, vec, vec}, func(b [4][]float32) []kernel.Way {
			return kernel.AttentionWays(heads, tokens, d, b[0], b[1], b[2], b[3])
		}})
	moved := func(name, shape string, n, inputs int, way string, run func(p *parallel.Pool, b [4][]float32)) {
		all = append(all, &kernelProblem{name, shape, 0, 4 * n * (inputs + 1), [4]int{n, n, n}, func(b [4][]float32) []kernel.Way {
			return []kernel.Way{{Name: way, Chosen: true, Run: func(p *parallel.Pool) { run(p, b) }}}
		}})
	}
	for _, s := range [][2]int{{heads * tokens, tokens}, {64, 1000}} {
		moved("softmax", fmt.Sprintf("%d×%d", s[0], s[1]), s[0]*s[1], 1, "rows", func(p *parallel.Pool, b [4][]float32) {
			kernel.Softmax(p, b[2], b[0], s[0], s[1], 1, false)
		})
	}
	for _, s := range [][2]int{{8 * tokens, 192}, {1024, 1024}} {
		moved("layernorm", fmt.Sprintf("%d×%d", s[0], s[1]), s[0]*s[1], 1, "rows", func(p *parallel.Pool, b [4][]float32) {
			kernel.LayerNorm(p, b[2], nil, nil, b[0], nil, nil, s[0], s[1], 1e-5, false)
		})
	}
	const n = 8 * tokens * 768
	shape := fmt.Sprint(n)
	moved("add", shape, n, 2, "elements", func(p *parallel.Pool, b [4][]float32) { kernel.AddF32(p, b[2], b[0], b[1]) })
	for _, f := range []struct {
		name string
		f    func(p *parallel.Pool, out, a []float32)
	}{{"relu", kernel.ReluF32}, {"gelu", kernel.GeluF32}, {"exp", kernel.ExpF32}, {"tanh", kernel.TanhF32}, {"erf", kernel.ErfF32}} {
		moved(f.name, shape, n, 1, "elements", func(p *parallel.Pool, b [4][]float32) { f.f(p, b[2], b[0]) })
	}
	return all
}
