package ops_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/tensor"
)

// The hostile check gives every public operator inputs and attributes that make no sense: extents of zero, wrong ranks and types, extreme
// integers, unknown words. Whatever comes out, no rule or kernel may panic, take long, or allocate more than a limit.
//
// GTK_HOSTILE is the number of trials per operator, when not the default.

// hostileTrial makes one problem for spec and works through it. It returns what it did and a panic or excess as error.
func hostileTrial(spec *graph.Spec, r *rng) (what string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	g := graph.New("hostile")
	var in []graph.Value
	var feeds []*tensor.Tensor
	var params []graph.Value
	base := hostileShape(r)
	float := []tensor.DType{tensor.Float32, tensor.Float64}[r.IntN(2)]
	n := len(spec.In)
	if n > 0 && spec.In[n-1].Variadic {
		n += r.IntN(3)
	}
	for i := range n {
		f := spec.FormalIn(i)
		if f.Optional && r.IntN(2) == 0 {
			in = append(in, 0)
			continue
		}
		t := hostileValue(r, f, base, float)
		what += fmt.Sprintf("%v ", t)
		if t.Len() <= 12 && t.DType() != tensor.String && !t.DType().IsContainer() {
			what += tensor.Format(t) + " "
		}
		name := fmt.Sprintf("x%d", i)
		switch r.IntN(3) {
		case 0:
			in = append(in, g.AddConst(name, t))
		case 1:
			if t.DType().IsFloat() {
				in = append(in, g.AddParam(name, t))
				params = append(params, in[i])
				break
			}
			fallthrough
		default:
			in = append(in, g.AddInput(name, t.DType(), nil))
			feeds = append(feeds, t)
			if graph.Differentiable(t.DType()) {
				params = append(params, in[i])
			}
		}
	}
	attrs := hostileAttrs(r, spec)
	what += fmt.Sprint(attrs)
	a, err := spec.DecodeAttrs(attrs)
	if err != nil {
		return what, nil
	}
	b := graph.NewBuilder(g)
	want := make([]bool, 1+r.IntN(max(1, len(spec.Out))))
	for i := 0; i < max(len(want), len(spec.Out)); i++ {
		needed := i == 0 || i < len(spec.Out) && !spec.Out[i].Optional && !spec.Out[i].Variadic
		switch {
		case i < len(want):
			want[i] = needed || r.IntN(4) > 0
		case needed:
			want = append(want, true)
		}
	}
	node := b.AddNode("op", spec, a, in, want)
	if node == nil {
		return what, nil
	}
	if !spec.HasRun() {
		if err := (&problem{g: g, node: node}).lower(); err != nil {
			return what, nil
		}
	}
	for _, v := range node.Out {
		if v != 0 {
			g.Outputs = append(g.Outputs, v)
		}
	}
	run := func(g *graph.Graph, fetch []graph.Value) error {
		prog, err := exec.Compile(g, fetch, nil)
		if err != nil {
			return nil
		}
		_, err = prog.Run(context.Background(), feeds)
		var p *exec.PanicError
		if errors.As(err, &p) {
			return fmt.Errorf("%w\n%s", err, p.Stack)
		}
		return nil
	}
	if err := run(g, g.Outputs); err != nil {
		return what, err
	}
	h := g.Clone()
	if rewrite.Fold(h) == nil {
		if err := run(h, h.Outputs); err != nil {
			return what + " folded", err
		}
	}
	out := node.Out[0]
	if len(params) == 0 || !g.Info(out).DType.IsFloat() {
		return what, nil
	}
	what += " gradient"
	if len(spec.Out) > 0 && spec.Out[0].NoGrad {
		return what, nil
	}
	ds, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, out)}, params, grad.Options{})
	if err != nil {
		return what, nil
	}
	var fetch []graph.Value
	for _, d := range ds {
		if d != 0 {
			fetch = append(fetch, d)
		}
	}
	return what, run(g, fetch)
}

func hostileShape(r *rng) []int {
	s := make([]int, []int{0, 1, 2, 3, 4, 4, 4, 5, 6}[r.IntN(9)])
	for i := range s {
		s[i] = []int{0, 1, 1, 2, 2, 3, 4, 5, 8}[r.IntN(9)]
		if s[i] == 0 && r.IntN(3) > 0 {
			s[i] = 2
		}
	}
	return s
}

// hostileInt is small or extreme.
func hostileInt(r *rng, wild bool) int64 {
	if !wild {
		return int64(r.IntN(7) - 2)
	}
	big := []int64{0, 1, -1, 2, 3, math.MinInt64, math.MaxInt64, math.MinInt64 + 1, math.MinInt32, math.MaxInt32, 1 << 20, 1 << 31,
		1 << 33, 1 << 40, -1 << 40, 1 << 60}
	return big[r.IntN(len(big))]
}

// hostileValue is a tensor, or a container of tensors where f takes one.
func hostileValue(r *rng, f *graph.Formal, base []int, float tensor.DType) *tensor.Tensor {
	if f.Kinds == nil {
		return hostileTensor(r, f, base, float)
	}
	one := hostileTensor(r, &graph.Formal{Types: []tensor.DType{float, tensor.Int64, tensor.String}}, base, float)
	list := []*tensor.Tensor{}
	for range r.IntN(4) {
		x := hostileTensor(r, &graph.Formal{Types: []tensor.DType{one.DType()}}, base, float)
		if x.DType() == one.DType() {
			list = append(list, x)
		}
	}
	seq, err := tensor.NewSequence(one.DType(), list...)
	if err != nil {
		panic(err)
	}
	var y *tensor.Tensor
	switch kind := f.Kinds[r.IntN(len(f.Kinds))]; {
	case kind == tensor.Sequence:
		return seq
	case kind == tensor.Optional && r.IntN(3) == 0:
		y, err = tensor.NewOptional(one.DType(), nil)
	case kind == tensor.Optional && r.IntN(2) == 0:
		y, err = tensor.NewOptional(seq.DType(), seq)
	case kind == tensor.Optional:
		y, err = tensor.NewOptional(one.DType(), one)
	case kind == tensor.Map:
		y, err = tensor.NewMap(tensor.From([]int64{3, -1, 7}[:len(list)], len(list)), tensor.New(tensor.Float32, len(list)))
	default:
		return one
	}
	if err != nil {
		panic(err)
	}
	return y
}

func hostileTensor(r *rng, f *graph.Formal, base []int, float tensor.DType) *tensor.Tensor {
	shape := slices.Clone(base)
	switch r.IntN(5) {
	case 0:
		shape = hostileShape(r)
	case 1:
		shape = []int{[]int{0, 1, 2, 3, 4, 8}[r.IntN(6)]}
	case 2:
		if len(shape) > 0 {
			shape[r.IntN(len(shape))] = r.IntN(4)
		}
	}
	types := f.Types
	if types == nil {
		types = []tensor.DType{tensor.Float32, tensor.Int64, tensor.Bool, tensor.String, tensor.Uint8, tensor.Int32}
	}
	d := types[r.IntN(len(types))]
	if slices.Contains(types, float) && r.IntN(8) > 0 {
		d = float
	} else if r.IntN(3) == 0 && slices.Contains(types, tensor.Int64) {
		d = tensor.Int64
	}
	if d == tensor.Int64 || d == tensor.Int32 {
		if r.IntN(2) == 0 {
			shape = [][]int{{}, {1}, {2}, {3}, {4}, {len(base)}, {2 * len(base)}}[r.IntN(7)]
		}
		wild := r.IntN(2) == 0
		t := tensor.New(tensor.Int64, shape...)
		for i := range t.I64() {
			t.I64()[i] = hostileInt(r, wild && r.IntN(2) == 0)
		}
		if d == tensor.Int32 {
			t, _ = t.Convert(d)
		}
		return t
	}
	t := tensor.New(d, shape...)
	for i := range t.Strings() {
		t.Strings()[i] = hostileTexts[r.IntN(len(hostileTexts))]
	}
	if d.IsFloat() {
		x := tensor.New(tensor.Float64, shape...)
		for i := range x.Len() {
			tensor.Data[float64](x)[i] = r.NormFloat64()
			if r.IntN(16) == 0 {
				tensor.Data[float64](x)[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e30, -1e30, 1e9}[r.IntN(6)]
			}
		}
		t, _ = x.Convert(d)
	}
	return t
}

var hostileWords = []string{
	"", "bogus", "constant", "reflect", "edge", "wrap", "linear", "cubic", "nearest", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID",
	"forward", "reverse",
	"bidirectional", "none", "mean", "sum", "add", "mul", "min", "max", "half_pixel", "asymmetric", "align_corners", "tf_crop_and_resize",
	"pytorch_half_pixel",
	"half_pixel_symmetric", "floor", "ceil", "round_prefer_ceil", "tanh", "DCR", "CRD", "stretch", "not_larger", "not_smaller",
}

// hostileTexts are contents of strings, patterns and equations.
var hostileTexts = []string{
	"", " ", "a", "A b  c", "\x00", "\xff\xfe", "é", "e\u0301", "(a*)*b", "a{1000}{1000}", "[", "(?<n>a)\\1", ".*",
	"ij,jk->ik", "...i->i...", "ii", "i->ii", "->", ",", "i,j,k,l->ijkl", "ij,ij,ij->", "BRANCH_LEQ", "LEAF", "SOFTMAX",
	"SOFTMAX_ZERO", "PROBIT", "LOGISTIC", "SUM", "MAX", "RBF", "POLY", "SIGMOID", "L1", "TF", "TFIDF", "IDF", "LOWER",
	"UPPER", "MAX", "L2", "RGB", "Grayscale", "NONE", "INT64S", "STRINGS", "FLOATS", "DENSE", "SPARSE",
}

func hostileAttrs(r *rng, spec *graph.Spec) graph.Attrs {
	attrs := graph.Attrs{}
	v := reflect.TypeOf(spec.NewAttrs()).Elem()
	same := r.IntN(6) * r.IntN(2) // of lists that stand side by side
	for i := range v.NumField() {
		tag, ok := v.Field(i).Tag.Lookup("onnx")
		if !ok {
			continue
		}
		parts := strings.Split(tag, ",")
		if !slices.Contains(parts, "required") && r.IntN(2) == 0 {
			continue
		}
		wild := r.IntN(2) == 0
		word := func() string {
			w := hostileWords[r.IntN(len(hostileWords))]
			if r.IntN(2) == 0 {
				w = hostileTexts[r.IntN(len(hostileTexts))]
			}
			if strings.HasPrefix(parts[0], "activation") {
				w = []string{"Relu", "Tanh", "Sigmoid", "Affine", "LeakyRelu", "Elu", "bogus"}[r.IntN(7)]
			}
			return w
		}
		real := func() float32 {
			return []float32{0, 1, -1, 0.5, 2, 1e-30, 1e30, float32(math.NaN()), float32(math.Inf(1))}[r.IntN(9)]
		}
		k := same
		if k == 0 {
			k = r.IntN(6)
		}
		switch t := v.Field(i).Type; {
		case t == reflect.TypeFor[*tensor.Tensor]():
			types := []tensor.DType{tensor.Float32, tensor.Int64, tensor.String, tensor.Uint8, tensor.Float64}
			attrs[parts[0]] = hostileTensor(r, &graph.Formal{Types: types}, []int{k}, tensor.Float32)
		case t == reflect.TypeFor[tensor.DType]():
			attrs[parts[0]] = int64(r.IntN(28) - 1)
		case t.Kind() == reflect.Int, t.Kind() == reflect.Bool, t == reflect.TypeFor[*int](), t.Kind() == reflect.Int32:
			attrs[parts[0]] = hostileInt(r, wild)
		case t.Kind() == reflect.Float32, t == reflect.TypeFor[*float32]():
			attrs[parts[0]] = real()
		case t.Kind() == reflect.String:
			attrs[parts[0]] = word()
		case t == reflect.TypeFor[[]int]():
			s := make([]int64, k)
			for i := range s {
				s[i] = hostileInt(r, wild && r.IntN(2) == 0)
				if !wild && r.IntN(2) == 0 {
					s[i] = 1 + s[i]&1
				}
			}
			attrs[parts[0]] = s
		case t == reflect.TypeFor[[]float32]():
			s := make([]float32, k)
			for i := range s {
				s[i] = real()
			}
			attrs[parts[0]] = s
		case t == reflect.TypeFor[[]string]():
			s := make([]string, k)
			for i := range s {
				s[i] = word()
			}
			attrs[parts[0]] = s
		}
	}
	return attrs
}

func TestHostile(t *testing.T) {
	defer func(a, b int) { exec.MaxValueBytes, exec.MinRunBytes = a, b }(exec.MaxValueBytes, exec.MinRunBytes)
	exec.MaxValueBytes, exec.MinRunBytes = 1<<22, 1<<22
	trials := 60
	if s := os.Getenv("GTK_HOSTILE"); s != "" {
		trials, _ = strconv.Atoi(s)
	}
	seed := uint64(1)
	if s := os.Getenv("GTK_HOSTILE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	const limit = 64 << 20
	for k, spec := range ops.Standard.All() {
		if spec.Domain == ops.Private || !spec.HasRun() && !spec.HasLower() || len(spec.Bodies) > 0 {
			continue
		}
		t.Run(fmt.Sprintf("%s%s-%d", spec.Domain, spec.Name, spec.Since[0]), func(t *testing.T) {
			failed := map[string]bool{}
			for i := range trials {
				type result struct {
					what string
					err  error
				}
				done := make(chan result, 1)
				var a, b runtime.MemStats
				runtime.ReadMemStats(&a)
				start := time.Now()
				go func() {
					what, err := hostileTrial(spec, rand.New(rand.NewPCG(seed, uint64(k*1000000+i))))
					done <- result{what, err}
				}()
				select {
				case res := <-done:
					runtime.ReadMemStats(&b)
					if res.err == nil && b.TotalAlloc-a.TotalAlloc > limit {
						res.err = fmt.Errorf("allocated %d MiB", (b.TotalAlloc-a.TotalAlloc)>>20)
					}
					if d := time.Since(start); res.err == nil && d > 2*time.Second {
						res.err = fmt.Errorf("took %v", d)
					}
					if res.err != nil {
						short := where(res.err)
						if !failed[short] {
							failed[short] = true
							t.Errorf("trial %d: %s: %s", i, res.what, short)
						}
					}
				case <-time.After(20 * time.Second):
					buf := make([]byte, 1<<16)
					panic(fmt.Sprintf("%s trial %d hangs\n%s", spec.Name, i, buf[:runtime.Stack(buf, true)]))
				}
			}
		})
	}
}

// where is the message of err with the first lines of this module's own code in its stack.
func where(err error) string {
	lines := strings.Split(err.Error(), "\n")
	out := lines[0]
	k := 0
	for _, l := range lines[1:] {
		if l = strings.TrimSpace(l); strings.Contains(l, ".go:") &&
			(strings.Contains(l, "/engine/") || strings.Contains(l, "/internal/") || strings.Contains(l, "/tensor/")) &&
			!strings.Contains(l, "_test.go") {
			if k++; k > 3 {
				break
			}
			out += "\n      " + l[strings.LastIndex(l[:strings.LastIndex(l, "/")], "/")+1:]
		}
	}
	return out
}
