package optim

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/gtk-onnx/gtk/tensor"
)

// blockLen is the number of elements of a block: with float32 and three slots a block's seven
// streams fill 112 KiB, so that all rules of a chain find them in the second-level cache.
const blockLen = 4096

// blocksPerTask is the number of blocks that a thread takes at a time.
const blocksPerTask = 8

// Optimizer is a chain of rules and their state. It is not safe for concurrent use.
type Optimizer struct {
	rules  []Rule
	stages []stage
	slots  []slot   // of all rules, in order
	means  []string // "rule.quantity", in order; "" for what is not reported

	evaluate Evaluation // nil for an optimiser that is handed a gradient
	decay    float64    // coupled weight decay of a Descender
	exact    []float64  // what the weights are the rounding of, with a Descender; nil before the first step

	state map[string]*paramState
	order []string // names of the parameters, in the order in which they were first seen
	round int      // counts calls of Step, to notice a name that occurs twice

	finish  []link // what comes after the weights were changed
	raw     bool   // updates without coordinate-wise clipping are kept too
	average int    // slot of the weights to measure; -1 for none

	bound   []bound
	blocks  []span
	pending []Pending
	sums    []float64 // len(means) for each block
	mean    []float64
	scratch sync.Pool
}

// slot is one thing that is remembered of each parameter.
type slot struct {
	name  string // "rule.slot"
	whole Whole  // whose i-th it is; nil where it is of the shape of the parameter
	i     int
}

// of is its shape for a parameter.
func (s slot) of(param tensor.Shape) tensor.Shape {
	if s.whole == nil {
		return param
	}
	return s.whole.SlotShape(s.i, param)
}

// stage is a run of elementwise rules that one pass over the elements can apply, after what needs the update before it.
type stage struct {
	begin []Global
	whole *wholeLink
	run   []link
}

type wholeLink struct {
	rule        Whole
	slot, slots int
}

type link struct {
	rule        Elementwise
	slot, slots int // its slots among those of the chain
	mean, means int // its quantities among those of the chain
}

type paramState struct {
	shape tensor.Shape
	dtype tensor.DType
	t     int // steps taken
	slots []*tensor.Tensor
	round int
}

// bound is a parameter of the present step with all its storage.
type bound struct {
	p  *Param
	st *paramState
	// The whole update, and that without coordinate-wise clipping, when the chain has more than one stage.
	u, raw *tensor.Tensor
}

// span is a block: elements lo..hi of parameter i of the step.
type span struct{ i, lo, hi int }

// Chain is the optimiser that applies the rules in order and then subtracts the learning rate times the
// update. It fails for an empty chain, for a name that occurs twice, for a Rule that is neither
// Elementwise nor Global nor Whole, and for two rules that are Averaging.
//
// A Whole rule, and a Global one that stands after an Elementwise one, work on the finished update of the rules before,
// for which the optimiser then keeps a buffer as large as all parameters.
func Chain(rules ...Rule) (*Optimizer, error) {
	o := &Optimizer{rules: rules, state: map[string]*paramState{}, average: -1}
	if len(rules) == 0 {
		return nil, errors.New("optim: a chain needs at least one rule")
	}
	seen := map[string]bool{}
	cur := stage{}
	for _, r := range rules {
		if seen[r.Name()] {
			return nil, fmt.Errorf("optim: rule %s occurs twice in the chain", r.Name())
		}
		seen[r.Name()] = true
		g, isGlobal := r.(Global)
		e, isElem := r.(Elementwise)
		w, isWhole := r.(Whole)
		if _, alone := r.(Descender); alone && len(rules) == 1 {
			continue
		}
		if !isGlobal && !isElem && !isWhole {
			return nil, fmt.Errorf("optim: rule %s is neither Elementwise nor Global nor Whole", r.Name())
		}
		if _, ok := r.(keepsRaw); ok {
			o.raw = true
		}
		if isGlobal {
			if len(cur.run) > 0 || cur.whole != nil {
				o.stages = append(o.stages, cur)
				cur = stage{}
			}
			cur.begin = append(cur.begin, g)
		}
		if isWhole {
			// The stage before copies the gradient, if nothing else.
			if !isGlobal || len(o.stages) == 0 {
				o.stages = append(o.stages, cur)
				cur = stage{}
			}
			cur.whole = &wholeLink{w, len(o.slots), len(w.Slots())}
			for i, s := range w.Slots() {
				o.slots = append(o.slots, slot{r.Name() + "." + s, w, i})
			}
		}
		if isElem {
			l := link{rule: e, slot: len(o.slots), mean: len(o.means)}
			for _, s := range e.Slots() {
				o.slots = append(o.slots, slot{name: r.Name() + "." + s})
			}
			if a, ok := r.(Averaging); ok {
				if o.average >= 0 {
					return nil, fmt.Errorf("optim: rule %s keeps averaged weights, and a rule before it does so too", r.Name())
				}
				o.average = l.slot + slices.Index(e.Slots(), a.Average())
			}
			if a, ok := r.(Averager); ok {
				_, hidden := r.(Totaller)
				for _, s := range a.Means() {
					if hidden {
						s = ""
					} else {
						s = r.Name() + "." + s
					}
					o.means = append(o.means, s)
				}
			}
			l.slots, l.means = len(o.slots)-l.slot, len(o.means)-l.mean
			cur.run = append(cur.run, l)
			if _, ok := r.(Finisher); ok {
				o.finish = append(o.finish, l)
			}
		}
	}
	o.stages = append(o.stages, cur)
	o.mean = make([]float64, len(o.means))
	o.scratch.New = func() any {
		return &worker{slot32: make([][]float32, len(o.slots)), slot64: make([][]float64, len(o.slots))}
	}
	return o, nil
}

// Rules yields the rules of the chain in order.
func (o *Optimizer) Rules() iter.Seq[Rule] {
	return func(yield func(Rule) bool) {
		for _, r := range o.rules {
			if !yield(r) {
				return
			}
		}
	}
}
