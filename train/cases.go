package train

import (
	"cmp"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/task"
)

// Case is what a model says of one example, and what is true.
type Case struct {
	Index int     // of the example
	Label int     // true class, -1 without one for the example
	Said  int     // class that is chosen, -1 likewise
	Prob  float64 // how sure the model is of it
	Truth float64 // probability of the true class
	Wrong float64 // how wrong the case is; cases of one evaluation are compared by it

	// Probabilities and truth of labels; values and targets of a regression. Nil for classes. At most 4096.
	Values, Targets []float64

	// Where there are positions: their shape, the class that is said and the true one, task.Ignored where there is none, and of a text the
	// probability of the true one.
	Shape       []int
	Map, Labels []int32
	Probs       []float32
}

// What is kept of cases.
const (
	mostMistakes  = 16
	mostCases     = 8
	mostMaps      = 6       // where there are positions
	mostPositions = 1 << 20 // of an example that is kept
	mostValues    = 4096
)

// forget drops the cases of an evaluation that another one follows: they take room.
func (e *Evaluation) forget() {
	if e != nil {
		e.Mistakes, e.Cases = nil, nil
	}
}

// cases keeps the worst examples of an evaluation, and a few from all over the data.
type cases struct {
	t     *task.Task
	r     *Evaluation
	n     int // examples
	keep  int
	every int
	now   *Case // the example whose positions are being seen
	count int   // its positions with a truth
	spare Case  // storage of an example that was not kept
}

func newCases(t *task.Task, r *Evaluation, n int) *cases {
	c := &cases{t: t, r: r, n: n, keep: mostMistakes}
	if t.HasClasses() && !t.Positions() {
		r.Reliability = &task.Reliability{}
	}
	if t.Positions() {
		c.keep = mostMaps
	}
	r.Labels = t.NewLabelScores()
	c.every = max(1, n/min(mostCases, c.keep))
	return c
}

// add takes in a decision of example index; those of one example come one after another.
func (c *cases) add(index int, d *task.Decision) {
	if !d.Finite() || d.Label < 0 && d.Target == nil {
		return
	}
	if c.r.Labels != nil {
		c.r.Labels.Add(d)
	}
	switch {
	case c.t.Positions():
		c.position(index, d)
	case d.Label >= 0:
		if c.r.Reliability != nil {
			c.r.Reliability.Add(d)
		}
		p := d.Prob()
		k := Case{Index: index, Label: d.Label, Said: d.Best(), Prob: p[d.Best()], Truth: p[d.Label]}
		if k.Said != k.Label {
			k.Wrong = k.Prob
		}
		c.take(k)
	default:
		c.values(index, d)
	}
}

// values is an example with labels, each for itself, or with real targets.
func (c *cases) values(index int, d *task.Decision) {
	k := Case{Index: index, Label: -1, Said: -1}
	p := d.Prob()
	for i, v := range p {
		t := d.Target[i]
		switch e := math.Abs(v - t); {
		case c.t.Kind == task.Regression:
			k.Wrong += e * e / float64(len(p))
		case t <= task.Ignored:
		case (v > 0.5) != (t > 0.5):
			k.Wrong = max(k.Wrong, e)
		}
	}
	if c.wants(k) {
		k.Values, k.Targets = slices.Clone(p[:min(len(p), mostValues)]), slices.Clone(d.Target[:min(len(p), mostValues)])
		c.take(k)
	}
}

// position is one position of an example.
func (c *cases) position(index int, d *task.Decision) {
	if c.now != nil && c.now.Index != index {
		c.end()
	}
	n := 1
	for _, s := range d.Shape {
		n *= s
	}
	if n > mostPositions {
		return
	}
	if c.now == nil {
		k := c.spare
		k.Index, k.Label, k.Said, k.Wrong, k.Shape = index, -1, -1, 0, slices.Clone(d.Shape)
		k.Map, k.Labels = emptied(k.Map, n), emptied(k.Labels, n)
		for i := range n {
			k.Map[i], k.Labels[i] = task.Ignored, task.Ignored
		}
		if c.t.Text() {
			k.Probs = emptied(k.Probs, n)
		}
		c.now, c.count, c.spare = &k, 0, Case{}
	}
	k := c.now
	if d.At >= len(k.Map) {
		return
	}
	c.count++
	k.Map[d.At], k.Labels[d.At] = int32(d.Best()), int32(d.Label)
	if !c.t.Text() {
		if !d.Right() {
			k.Wrong++
		}
		return
	}
	top, sum := d.Z[d.Best()], 0.0
	for _, z := range d.Z {
		sum += math.Exp(z - top)
	}
	nll := top + math.Log(sum) - d.Z[d.Label]
	k.Wrong += nll
	k.Probs[d.At] = float32(math.Exp(-nll))
}

func emptied[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// end closes the example whose positions were seen.
func (c *cases) end() {
	if c.now == nil {
		return
	}
	k := *c.now
	c.now = nil
	if c.count > 0 {
		k.Wrong /= float64(c.count)
	}
	if c.wants(k) {
		c.take(k)
	} else {
		c.spare = k
	}
}

// wants reports whether k is kept.
func (c *cases) wants(k Case) bool {
	ms := c.r.Mistakes
	return c.spread(k) || k.Wrong > 0 && (len(ms) < c.keep || k.Wrong > ms[len(ms)-1].Wrong)
}

// spread reports whether k is one of those from all over the data.
func (c *cases) spread(k Case) bool {
	return k.Index%c.every == 0 && len(c.r.Cases) < min(mostCases, c.keep)
}

// take keeps k; mistakes are in order, of equal ones the earlier first.
func (c *cases) take(k Case) {
	if c.spread(k) {
		c.r.Cases = append(c.r.Cases, k)
	}
	ms := c.r.Mistakes
	if k.Wrong <= 0 || len(ms) >= c.keep && k.Wrong <= ms[len(ms)-1].Wrong {
		return
	}
	at, _ := slices.BinarySearchFunc(ms, k, func(a, b Case) int { return cmp.Or(cmp.Compare(b.Wrong, a.Wrong), -1) })
	c.r.Mistakes = slices.Insert(ms, at, k)
	if len(c.r.Mistakes) > c.keep {
		c.r.Mistakes = c.r.Mistakes[:c.keep]
	}
}
