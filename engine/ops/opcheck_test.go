package ops_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/ops/ml"
	"github.com/gtk-onnx/gtk/engine/ops/training"
	"github.com/gtk-onnx/gtk/internal/naive"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// The operator check takes small problems (cases_*_test.go) and asks of every operator:
//   - the planned engine computes what the oracle computes, in float32 and float64, with shapes known before the run and not,
//     twice in the same memory, with one thread and two;
//   - Lower computes the same as Run;
//   - the gradient agrees with differences of the oracle's float64 outputs in a random direction, input by input;
//   - the gradient of the gradient does too;
//   - per-example gradients are those of batches of one.
//
// Every operator with a gradient must be reached, private ones through second order.

// opCase is one problem.
type opCase struct {
	op     string
	name   string // what is special
	domain string
	opset  int // 0: the newest
	attrs  graph.Attrs
	in     []arg
	outs   int     // outputs that are asked for and, where floating-point, differentiated; 0 means 1
	tol    float64 // relative, for float32; 0 means 2e-4
	whole  bool    // examples are not independent: no per-example check
	values bool    // forward only
	once   bool    // no second order
	bodies []bodyCase
	caps   []arg // what each of the bodies captures

	drawn int // which one of those of generate it is, from 1; it stays as small as it is
}

// bodyCase is one body of a control-flow operator.
type bodyCase struct {
	attr    string
	formals []tensor.DType // Float32 stands for the type of the problem
	make    func(b *graph.Builder, formals, caps []graph.Value) []graph.Value
}

// args are the inputs of the node and what its bodies capture.
func (c opCase) args() []arg { return slices.Concat(c.in, c.caps) }

func (c opCase) String() string {
	s := c.op
	if c.opset > 0 {
		s += fmt.Sprintf("-%d", c.opset)
	}
	if c.name != "" {
		s += "/" + c.name
	}
	return strings.ReplaceAll(s, " ", "_")
}

var cases []opCase

func register(cs ...opCase) { cases = append(cases, cs...) }

// problem is a case made concrete in one element type.
type problem struct {
	c     opCase
	d     tensor.DType
	g     *graph.Graph
	plain *graph.Graph // g before any gradient
	node  *graph.Node
	vals  []graph.Value // by input of the node, 0 where absent
	diff  []int         // inputs that are differentiated
	outs  []graph.Value // floating-point outputs
	dys   []graph.Value
	feeds map[string]*tensor.Tensor // float64
}

func seedOf(s string) uint64 {
	h := uint64(1469598103934665603)
	for _, b := range []byte(s) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// build makes the problem; loose feeds the integer inputs at run time instead of making them constants.
func (c opCase) build(d tensor.DType, loose bool) (*problem, error) {
	spec, err := c.spec()
	if err != nil {
		return nil, err
	}
	attrs, err := spec.DecodeAttrs(c.attrs)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seedOf(c.String()), 7))
	p := &problem{c: c, d: d, g: graph.New(c.String()), feeds: map[string]*tensor.Tensor{}}
	for i, a := range c.args() {
		name := fmt.Sprintf("in%d", i)
		switch {
		case a.gen != nil:
			declared := dims(a.shape)
			if a.hidden {
				declared = nil
			}
			v := p.g.AddInput(name, d, declared)
			p.feeds[name] = tensor.From(a.gen(r, tensor.Shape(a.shape).Len()), a.shape...)
			p.vals = append(p.vals, v)
			if f := spec.FormalIn(i); !a.stop && (i >= len(c.in) || f != nil && !f.NoGrad) {
				p.diff = append(p.diff, i)
			}
		case a.fixed == nil:
			p.vals = append(p.vals, 0)
		default:
			t := a.fixed
			if t.DType() == tensor.Float32 {
				if t, err = t.Convert(d); err != nil {
					return nil, err
				}
			}
			if loose {
				p.vals = append(p.vals, p.g.AddInput(name, t.DType(), nil))
				p.feeds[name] = t
			} else {
				p.vals = append(p.vals, p.g.AddConst(name, t))
			}
		}
	}
	b := graph.NewBuilder(p.g)
	want := slices.Repeat([]bool{true}, max(1, c.outs))
	bodies, captured, err := c.control(p)
	if err != nil {
		return nil, err
	}
	p.node = b.AddControl("op", spec, attrs, p.vals[:len(c.in)], want, bodies, captured)
	if err := b.Err(); err != nil {
		return nil, err
	}
	p.node.Opset = c.opset
	for _, v := range p.node.Out {
		if f := p.g.Info(v).DType; f == tensor.Float32 || f == tensor.Float64 {
			p.outs = append(p.outs, v)
		}
	}
	p.g.Outputs = slices.Clone(p.node.Out)
	p.plain = p.g.Clone()
	if !spec.HasRun() {
		err = p.lower()
	}
	return p, err
}

// control makes the bodies, which capture all that there is to capture.
func (c opCase) control(p *problem) (bodies []*graph.Body, captured []graph.Value, err error) {
	for _, bc := range c.bodies {
		bg := graph.New(bc.attr)
		var formals, caps []graph.Value
		for _, d := range bc.formals {
			if d == tensor.Float32 {
				d = p.d
			}
			formals = append(formals, bg.AddInput("formal", d, nil))
		}
		for _, v := range p.vals[len(c.in):] {
			caps = append(caps, bg.AddInput("captured", p.g.Info(v).DType, nil))
			captured = append(captured, v)
		}
		b := graph.NewBuilder(bg)
		bg.Outputs = bc.make(b, formals, caps)
		if err := b.Err(); err != nil {
			return nil, nil, err
		}
		bodies = append(bodies, &graph.Body{Attr: bc.attr, G: bg, Formals: len(formals)})
	}
	return bodies, captured, nil
}

func dims(shape []int) []graph.Dim {
	ds := []graph.Dim{}
	for _, n := range shape {
		ds = append(ds, graph.Dim{Size: n})
	}
	return ds
}

func (c opCase) spec() (*graph.Spec, error) {
	opset := c.opset
	if opset == 0 {
		for _, s := range ops.Standard.All() {
			if s.Domain == c.domain && s.Name == c.op {
				opset = max(opset, s.Since[len(s.Since)-1])
			}
		}
	}
	s, _ := ops.Standard.Find(c.domain, c.op, opset)
	if s == nil {
		return nil, fmt.Errorf("no operator %s is registered for operator set %d", c.op, opset)
	}
	return s, nil
}

// values of p's outputs by the oracle: naive where it knows the operator, else the engine in float64.
func (p *problem) oracle(feeds map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	if !naive.Has(p.c.domain, p.c.op) {
		q, err := p.c.build(tensor.Float64, false)
		if err != nil {
			return nil, err
		}
		return q.run(nil, feeds, q.node.Out)
	}
	m, err := naive.Run(p.plain, feeds)
	if err != nil {
		return nil, err
	}
	var out []*tensor.Tensor
	for _, v := range p.plain.Outputs {
		out = append(out, m[p.plain.Info(v).Name])
	}
	return out, nil
}

// run computes fetch with the engine, twice in the same memory, and returns copies.
func (p *problem) run(pool *parallel.Pool, feeds map[string]*tensor.Tensor, fetch []graph.Value) ([]*tensor.Tensor, error) {
	prog, in, err := p.compile(pool, feeds, fetch)
	if err != nil {
		return nil, err
	}
	first, err := runCopied(prog, in)
	if err != nil {
		return nil, err
	}
	again, err := runCopied(prog, in)
	if err != nil {
		return nil, err
	}
	for i, t := range again {
		if string(t.Bytes()) != string(first[i].Bytes()) {
			return nil, fmt.Errorf("value %q differs between two runs: %v", p.g.Info(fetch[i]).Name, difference(t, first[i]))
		}
	}
	return first, nil
}

// runOnce is run for what is random.
func (p *problem) runOnce(pool *parallel.Pool, feeds map[string]*tensor.Tensor, fetch []graph.Value) ([]*tensor.Tensor, error) {
	prog, in, err := p.compile(pool, feeds, fetch)
	if err != nil {
		return nil, err
	}
	return runCopied(prog, in)
}

func (p *problem) compile(pool *parallel.Pool, feeds map[string]*tensor.Tensor, fetch []graph.Value) (*exec.Program, []*tensor.Tensor,
	error) {
	prog, err := exec.Compile(p.g, fetch, pool)
	if err != nil {
		return nil, nil, err
	}
	var in []*tensor.Tensor
	for _, v := range p.g.Inputs {
		info := p.g.Info(v)
		t := feeds[info.Name]
		if t == nil {
			return nil, nil, fmt.Errorf("no feed for %s", info.Name)
		}
		if t.DType() != info.DType {
			if t, err = t.Convert(info.DType); err != nil {
				return nil, nil, err
			}
		}
		in = append(in, t)
	}
	return prog, in, nil
}

// runCopied runs prog on copies of in, which it must not change, and returns copies of what was fetched.
func runCopied(prog *exec.Program, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	copies := make([]*tensor.Tensor, len(in))
	for i, t := range in {
		copies[i] = t.Clone()
	}
	out, err := prog.Run(context.Background(), copies)
	if err != nil {
		return nil, err
	}
	for i, t := range copies {
		if string(t.Bytes()) != string(in[i].Bytes()) {
			return nil, fmt.Errorf("the run changed its input %d", i)
		}
	}
	result := make([]*tensor.Tensor, len(out))
	for i, t := range out {
		result[i] = t.Clone()
	}
	return result, nil
}

func difference(a, b *tensor.Tensor) string {
	_, r := tensor.AllClose(a, b, 0, 0)
	return fmt.Sprint(r)
}

// close compares a result of the engine with one of the oracle, float64.
func compare(got, want *tensor.Tensor, rtol, atol float64) error {
	if got.DType().IsFloat() {
		var err error
		if got, err = got.Convert(tensor.Float64); err != nil {
			return err
		}
	}
	if got.DType() != want.DType() {
		return fmt.Errorf("type %v, want %v", got.DType(), want.DType())
	}
	if ok, report := tensor.AllClose(got, want, rtol, atol); !ok {
		return fmt.Errorf("%v", report)
	}
	return nil
}

var pool2 = sync.OnceValue(func() *parallel.Pool { return parallel.New(2) })

// forward checks the outputs.
func (c opCase) forward(t *testing.T, d tensor.DType, tol float64) {
	for _, loose := range []bool{false, true} {
		p, err := c.build(d, loose)
		if err != nil {
			t.Fatal(err)
		}
		want, err := p.oracle(p.feeds)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.run(nil, p.feeds, p.node.Out)
		if err != nil {
			t.Fatalf("constants fed %v: %v", loose, err)
		}
		for i := range want {
			if err := compare(got[i], want[i], tol, tol/10); err != nil {
				t.Errorf("output %d, constants fed %v: %v", i, loose, err)
			}
		}
		if loose || p.node.Op.Random {
			continue
		}
		two, err := p.run(pool2(), p.feeds, p.node.Out)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if string(two[i].Bytes()) != string(got[i].Bytes()) {
				t.Errorf("output %d differs with two threads: %v", i, difference(two[i], got[i]))
			}
		}
		c.lowered(t, d, want, tol)
	}
}

// lowered checks Lower against the oracle.
func (c opCase) lowered(t *testing.T, d tensor.DType, want []*tensor.Tensor, tol float64) {
	p, err := c.build(d, false)
	if err != nil {
		t.Fatal(err)
	}
	if !p.node.Op.HasLower() || !p.node.Op.HasRun() {
		return
	}
	p.g.Nodes = nil
	b := graph.NewBuilder(p.g)
	out, err := p.node.Op.Lower(b, p.node)
	if err == nil {
		err = b.Err()
	}
	if err != nil {
		noLower[c.op] = err.Error()
		return
	}
	compared := 0
	for i, v := range out {
		if v == 0 || i >= len(want) {
			continue
		}
		got, err := p.run(nil, p.feeds, []graph.Value{v})
		if err != nil {
			t.Errorf("lowering: %v", err)
			continue
		}
		if err := compare(got[0], want[i], tol, tol/10); err != nil {
			t.Errorf("lowering, output %d: %v", i, err)
		}
		compared++
	}
	if compared > 0 && !t.Failed() {
		passed(p.node.Op, "lowered")
	}
}

// TestOperators checks every case, and that what was checked of each operator is what ../testdata/passes.txt says.
func TestOperators(t *testing.T) {
	clear(reached)
	clear(generatedPasses)
	tally = newTally()
	seen := map[string]bool{}
	ran := 0
	for _, c := range cases {
		if seen[c.domain+c.String()] {
			t.Errorf("case %v is there twice", c)
		}
		seen[c.domain+c.String()] = true
		spec, err := c.spec()
		if err != nil {
			t.Errorf("case %v: %v", c, err)
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			ran++
			for _, d := range []tensor.DType{tensor.Float32, tensor.Float64} {
				tol := c.tol
				if tol == 0 {
					tol = 2e-4
				}
				if d == tensor.Float64 {
					tol = 1e-7
					if !accepts(spec, c, d) {
						continue
					}
				}
				t.Run(d.String(), func(t *testing.T) {
					c.forward(t, d, tol)
					if t.Failed() {
						return
					}
					passed(spec, "cases")
					if c.values || !spec.HasGrad() {
						return
					}
					c.backward(t, d, tol)
					c.perExample(t, d, 5*tol)
				})
			}
		})
	}
	for op, why := range noLower {
		t.Logf("no lowering: %s: %s", op, why)
	}
	for op, why := range noSecond {
		t.Logf("no second order: %s: %s", op, why)
	}
	if ran < len(cases) || t.Failed() {
		return // some were asked for by name, or the rest is told already
	}
	everyGradientIsReached(t)
	enoughGenerated(t)
	everySecondOrder(t)
	testkit.CheckPasses(t, tally, "../testdata/passes.txt")
}

// tally counts what passed.
var tally *testkit.Tally

func newTally() *testkit.Tally {
	y := testkit.NewTally("cases", "first", "second", "example", "lowered", "exported")
	for _, s := range ops.Standard.All() {
		y.Row(testkit.PassesRow(s.Domain, s.Name, s.Since))
	}
	return y
}

// passed counts a check of s that passed, in a column of the table.
func passed(s *graph.Spec, what string) {
	tally.Add(testkit.PassesRow(s.Domain, s.Name, s.Since), what, 1)
}

// accepts reports whether every floating-point input of the case may have type d.
func accepts(spec *graph.Spec, c opCase, d tensor.DType) bool {
	for i, a := range c.args() {
		float := a.gen != nil || a.fixed != nil && a.fixed.DType() == tensor.Float32
		if f := spec.FormalIn(i); float && i < len(c.in) && f != nil && f.Types != nil && !slices.Contains(f.Types, d) {
			return false
		}
	}
	return true
}

// everyGradientIsReached fails for operators whose gradient no case has gone through. Random operators have tests of their own, and so do
// the domains whose results are in single precision whatever they are given, or whose operators are in no graph that runs.
func everyGradientIsReached(t *testing.T) {
	for _, s := range ops.Standard.All() {
		if s.Domain == ml.Domain || s.Domain == training.Domain {
			continue
		}
		smooth := slices.ContainsFunc(s.In, func(f graph.Formal) bool { return !f.NoGrad })
		if s.HasGrad() && smooth && !s.Random && !reached[s] && !slices.Contains(boxed, s.Name) &&
			s != ops.FakeQuantize && s != ops.RoundHalf { // TestFakeQuantize, TestRoundHalf
			t.Errorf("no case reaches the gradient of %s.%s (since %v)", s.Domain, s.Name, s.Since)
		}
	}
}

// uncased are definitions, by their versions, that the oracle does not have: TestScan8 is about one.
var uncased = map[string][]int{"Scan": {8}}

// boxed are the operators of containers, which the oracle does not have: TestSequences compares them with the same on tensors, and ONNX's
// own cases run those that have no gradient.
var boxed = []string{"AddItems", "CastItems", "RepeatItems", "SequenceAtGrad", "SequenceEraseGrad", "SplitLikeSequence", "SumItems",
	"ConcatFromSequence", "Optional", "OptionalGetElement", "OptionalHasElement", "SequenceAt", "SequenceConstruct",
	"SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap", "SplitToSequence"}

// TestEveryOperatorHasACase lists the operators of ONNX without a case.
func TestEveryOperatorHasACase(t *testing.T) {
	have := map[*graph.Spec]bool{}
	for _, c := range cases {
		if s, err := c.spec(); err == nil { // TestOperators tells the others
			have[s] = true
		}
	}
	for _, s := range ops.Standard.All() {
		if s.Domain == "" && s.HasRun() && !have[s] && !slices.Contains(boxed, s.Name) && !slices.Equal(s.Since, uncased[s.Name]) {
			t.Errorf("no case for %s (since %v)", s.Name, s.Since)
		}
	}
}
