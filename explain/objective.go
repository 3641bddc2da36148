package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// ObjectiveKind says what kind of number of the outputs is explained.
type ObjectiveKind string

// The kinds of objectives.
const (
	ByOutputs     ObjectiveKind = ""           // what the shape of the output and the end of the model say; refused when they say nothing
	ClassScore    ObjectiveKind = "class"      // of outputs [N,K]: the score of class k
	BinaryScore   ObjectiveKind = "binary"     // of one output z, a logit: z for class 1, -z for class 0
	OutputValue   ObjectiveKind = "value"      // of outputs [N] or [N,K] that are values: y_k; of a single one also -y (target negative)
	RegionScore   ObjectiveKind = "region"     // of outputs [N,K,…]: the mean of the score of class k over a region
	PositionScore ObjectiveKind = "position"   // of outputs [N,T,K]: the score of class k at one position
	ExpressionOf  ObjectiveKind = "expression" // a formula over outputs
)

// Objective is the number of each row that is explained, apart from the class, which a Target names. The zero value lets the model
// decide.
type Objective struct {
	Kind   ObjectiveKind
	Output string // the model's output; "" is the first real one that depends on an input
	// Region is, for RegionScore, y0:y1,x0:x1 in positions of the output, half-open, or from:to for a sequence, or one position y,x. ""
	// means the positions at which the class has the highest score of all, or all positions where there are none.
	Region string
	// Position is, for PositionScore, counted from the end when negative. nil means the last one that a mask does not hide.
	Position   *int
	Expression string // for ExpressionOf, and implies it; see ParseExpression
}

// goal is an objective made ready for one model and one shape of inputs.
type goal interface {
	// scores are the tensors that the number is made of, by name; they are fetched with each pass.
	scores() []string
	// add adds the number of each row, [N]. Its gradient is the explanation's.
	add(b *build) graph.Value
	// feeds are further inputs [N] that add took, for n rows of the model's own inputs.
	feeds(inputs map[string]*tensor.Tensor, n int) (map[string]*tensor.Tensor, error)
	// read is what a run says of its first n rows.
	read(f fetched, n int) ([]reading, error)
	// count is how many choices a row has.
	count() int
	// choices are what t asks to be explained of a row.
	choices(t Target, r reading) ([]int, error)
	// about describes choice k of a row.
	about(r reading, k int) Prediction
	// kind is what kind of number it is.
	kind() ObjectiveKind
}

// fetched is what a run gave: the scores by name, what was fed, and the number that add made of each row.
type fetched struct {
	scores, feeds map[string]*tensor.Tensor
	rows          []float64
}

// reading is what the scores say of a row.
type reading struct {
	z []float32 // score of each choice
	p []float64 // probability of each choice, nil for values
}

// Names of the inputs that objectives add to a model. They end in a tilde, so that no model is likely to have them.
const (
	choiceInput   = "explain.choice~"   // int64 [N], what of each row is explained; -1 lets the model's own choice be found in the same run
	positionInput = "explain.position~" // int64 [N]
)

// own is the choice that the model itself makes, as the class of the highest score.
const own = -1

// build adds the nodes of a goal.
type build struct{ *engine.Build }

// op adds a node of op with attributes.
func (b *build) op(op *graph.Spec, attrs graph.Attrs, in ...graph.Value) graph.Value {
	a, err := op.DecodeAttrs(attrs)
	if err != nil {
		b.Fail(fmt.Errorf("%s: %w", op.Name, err))
		return 0
	}
	return b.Add(op, a, in...)
}

func (b *build) reshape(x graph.Value, shape ...int) graph.Value {
	return b.Add(ops.Reshape, nil, x, b.Ints(shape...))
}

func (b *build) sum(x graph.Value, axis int) graph.Value {
	return b.Add(ops.ReduceSum, ops.KeepDims(false), x, b.Ints(axis))
}

// best is the class of the highest score on axis 1, which goes.
func (b *build) best(z graph.Value) graph.Value {
	return b.op(ops.ArgMax, graph.Attrs{"axis": int64(1), "keepdims": int64(0)}, z)
}

// upTo is 0 … n-1 as int64 of the given shape.
func (b *build) upTo(n int, shape ...int) graph.Value {
	x := make([]int64, n)
	for i := range x {
		x[i] = int64(i)
	}
	return b.Const(tensor.From(x, shape...))
}

// rowInput is an int64 input [N].
func (b *build) rowInput(name string) graph.Value {
	return b.Input(name, tensor.Int64, []graph.Dim{{Size: -1, Symbol: "N"}})
}

// chosen is the choice that is fed, or the given one where that is own.
func (b *build) chosen(mine graph.Value) graph.Value {
	k := b.rowInput(choiceInput)
	return b.Add(ops.Where, nil, b.Add(ops.Less, nil, k, b.Const(tensor.Scalar(int64(0)))), mine, k)
}

// zero is 0 of the type of x.
func (b *build) zero(x graph.Value) graph.Value { return b.Scalar(b.DType(x), 0) }

// pick is [N] of x [N,K]: the column k of each row.
func (b *build) pick(x, k graph.Value, classes int) graph.Value {
	one := b.Add(ops.Equal, nil, b.reshape(k, -1, 1), b.upTo(classes, 1, classes))
	return b.sum(b.Add(ops.Where, nil, one, x, b.zero(x)), 1)
}

// scored is the score s of logits z, with the classes on axis 1 or each for itself.
func (b *build) scored(s Score, z graph.Value, each bool) graph.Value {
	switch {
	case s == Prob && each:
		return b.Add(ops.Sigmoid, nil, z)
	case s == Prob:
		return b.Add(ops.Softmax, ops.AlongAxis(1), z)
	case s == LogProb && each:
		return b.Add(ops.Neg, nil, b.Add(ops.Softplus, nil, b.Add(ops.Neg, nil, z)))
	case s == LogProb:
		return b.Add(ops.LogSoftmax, ops.AlongAxis(1), z)
	}
	return z
}

// advice is what to do where gtk cannot know which number is meant.
const advice = "name the number to explain as a formula over the outputs (--objective 'scores[0,17,1]' or 'mean(out[:,2,4:8])'), " +
	"another output (--output), what it is (--task), or a class and a region of an output that has classes at positions (--target, --region)"

// newGoal makes the objective o ready. z is the score tensor of head h; places of it are known from t.
func newGoal(o Objective, s Score, h engine.Head, z graph.Value, t *trace, src source) (goal, error) {
	shape := t.shapes[z]
	if shape == nil {
		return nil, fmt.Errorf("explain: only a run can tell the shape of %q, so it is not known what its numbers are: %s", h.Output,
			advice)
	}
	sc := scoreTensor{name: h.Logits, shape: shape, rows: t.n, each: h.Activation == "Sigmoid", score: s}
	if err := sc.axes(t.coords[z], h, o.Kind); err != nil {
		return nil, fmt.Errorf("explain: output %q is %s: %w: %s", h.Output, t.describe(z), err, advice)
	}
	if sc.means = o.Kind; sc.means == ByOutputs {
		var err error
		if sc.means, err = sc.meaning(h, z, t, src, o); err != nil {
			return nil, fmt.Errorf("explain: output %q is %s: %w: %s", h.Output, t.describe(z), err, advice)
		}
	}
	if s != Logit && sc.values() {
		return nil, fmt.Errorf("explain: score %q: output %q is a value, which has no probability", s, h.Output)
	}
	if o.Region != "" && sc.means != RegionScore || o.Position != nil && sc.means != PositionScore ||
		(o.Region != "" || o.Position != nil) && len(sc.grid) == 0 {
		return nil, fmt.Errorf("explain: output %q is %s: it has no positions to choose from", h.Output, t.describe(z))
	}
	switch sc.means {
	case ClassScore, OutputValue, BinaryScore:
		if sc.positions() > 1 {
			return nil, fmt.Errorf("explain: output %q is %s: it has %d positions, want one: %s", h.Output, t.describe(z),
				sc.positions(), advice)
		}
		if sc.classes > 1 && sc.means == BinaryScore {
			return nil, fmt.Errorf("explain: output %q has %d numbers for each example, want one", h.Output, sc.classes)
		}
		if sc.classes > 1 {
			return &classes{sc}, nil
		}
		if sc.means == ClassScore {
			sc.means = BinaryScore
		}
		return &single{sc}, nil
	case RegionScore:
		d := &dense{scoreTensor: sc}
		return d, d.setRegion(o.Region)
	case PositionScore:
		p := &position{scoreTensor: sc, mask: maskOf(t, src)}
		return p, p.setPosition(o.Position)
	}
	return nil, fmt.Errorf("explain: objective of kind %q: want %s", o.Kind,
		strings.Join([]string{string(ClassScore), string(BinaryScore), string(OutputValue), string(RegionScore), string(PositionScore),
			string(ExpressionOf)}, ", "))
}

// scoreTensor is a tensor of scores: which axis is that of the classes, which are positions.
type scoreTensor struct {
	name    string
	shape   tensor.Shape // for the given rows
	rows    int
	each    bool // classes do not exclude each other: sigmoid in the place of softmax
	score   Score
	means   ObjectiveKind
	classes int
	axis    int   // of the classes; -1 when there is one number at each position
	grid    []int // the other axes, which have more than one position
}

func (s *scoreTensor) scores() []string { return []string{s.name} }

func (s *scoreTensor) kind() ObjectiveKind { return s.means }

// values reports whether the numbers are no scores of classes.
func (s *scoreTensor) values() bool { return s.means == OutputValue }

func (s *scoreTensor) feeds(map[string]*tensor.Tensor, int) (map[string]*tensor.Tensor, error) {
	return nil, nil
}

func (s *scoreTensor) count() int { return s.classes }

// chosenBy are the choices that t means of several that z ranks.
func (s *scoreTensor) chosenBy(t Target, z []float32) ([]int, error) {
	if t.kind == targetSign {
		return nil, fmt.Errorf("explain: target %v is for models with one output; this one has %d", t, s.classes)
	}
	return t.classes(z)
}

// positions is how many numbers each class has.
func (s *scoreTensor) positions() int {
	n := 1
	for _, k := range s.grid {
		n *= s.shape[k]
	}
	return n
}

// axes tells the classes from the positions. The axis that the softmax of h runs along is that of the classes. Else a single axis with
// several numbers is, unless it follows the positions of the input; of several, the one that does not.
func (s *scoreTensor) axes(c ops.Coords, h engine.Head, kind ObjectiveKind) error {
	if len(s.shape) == 0 || s.shape.Len() == 0 {
		return fmt.Errorf("need numbers of each example")
	}
	first := 1
	switch {
	case len(s.shape) == 1 && s.rows == 1 && s.shape[0] > 1:
		first = 0
	case s.shape[0] != s.rows:
		return fmt.Errorf("its first axis is not that of the examples")
	}
	s.axis, s.classes = -1, 1
	var places, others []int
	for k := first; k < len(s.shape); k++ {
		switch {
		case s.shape[k] == 1:
		case k == h.ClassAxis(len(s.shape)):
			others = append(others, k)
		case follows(c, k):
			places = append(places, k)
		default:
			others = append(others, k)
		}
	}
	if len(others) == 0 && len(places) == 1 && (kind == ClassScore || kind == OutputValue) {
		others, places = places, nil
	}
	switch {
	case len(places) > 0 && !s.gridded(c):
		return fmt.Errorf("its positions are not a grid of those of the input")
	case len(others) == 1:
		s.axis, s.classes, s.grid = others[0], s.shape[others[0]], places
		return nil
	case len(others) == 0:
		s.grid = places
		return nil
	}
	return fmt.Errorf("it is not one row of class scores for each example, nor classes at positions of the input")
}

// gridded reports whether the scores have as many numbers at each position of a grid.
func (s *scoreTensor) gridded(c ops.Coords) bool {
	v, err := newView(s.shape, s.rows, c[0], c[1:])
	return err == nil && v.axis == 0 && v.per == 1 && v.C*v.H*v.W*s.rows == s.shape.Len()
}

// follows reports whether elements along axis k of a value are at different positions of the input.
func follows(c ops.Coords, k int) bool {
	return len(c) > 1 && slices.ContainsFunc(c[1:], func(x ops.Coord) bool { return k < len(x.Shape) && x.Shape[k] > 1 && x.Varies() })
}

// flat is the scores as [N,K,P]: class axis, then positions in row-major order.
func (s *scoreTensor) flat(b *build) graph.Value {
	z, err := b.Value(s.name)
	if err != nil {
		b.Fail(err)
		return 0
	}
	if perm := s.perm(); perm != nil {
		z = b.Add(ops.Transpose, ops.Perm(perm...), z)
	}
	return b.reshape(z, -1, s.classes, s.positions())
}

// perm brings the axis of the classes to the place after the rows; nil when it is there.
func (s *scoreTensor) perm() []int {
	if s.axis <= 1 || !slices.ContainsFunc(s.grid, func(k int) bool { return k < s.axis }) {
		return nil
	}
	perm := []int{0, s.axis}
	for k := 1; k < len(s.shape); k++ {
		if k != s.axis {
			perm = append(perm, k)
		}
	}
	return perm
}

// at is the number of class k at position u of row r of the scores, in their own order.
func (s *scoreTensor) at(x []float64, r, k, u int) float64 {
	if s.perm() == nil {
		return x[(r*s.classes+k)*s.positions()+u]
	}
	inner := 1 // positions after the axis of the classes
	for _, g := range s.grid {
		if g > s.axis {
			inner *= s.shape[g]
		}
	}
	outer := s.positions() / inner
	return x[((r*outer+u/inner)*s.classes+k)*inner+u%inner]
}

// numbers are the fetched scores, checked for n rows.
func (s *scoreTensor) numbers(f fetched, n int) ([]float64, error) {
	x := f.scores[s.name]
	if x.Len() < n*s.classes*s.positions() {
		return nil, fmt.Errorf("explain: %q is %v for a batch of %d examples, want %d numbers for each; the model mixes them", s.name,
			x, n, s.classes*s.positions())
	}
	return x.Float64s(), nil
}
