package train

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// Importance has examples drawn in proportion to how large their gradients were when they were seen last: the norm of the gradient of the
// loss by the logits, or by the values of a regression, ‖softmax(z) − onehot(y)‖ with the plain cross-entropy. It comes with the backward
// pass. With scores s, the share F of all examples alike, and N examples
//
//	p_i = (1 − F)·s_i/Σs + F/N
//
// The first epoch shows each example once; from then on an epoch is N draws, with replacement, in rounds of a few batches, before each of
// which the law is that of the scores as they are.
//
// Source: Katharopoulos and Fleuret 2018, "Not All Samples Are Created Equal", https://arxiv.org/abs/1803.00942, section 3.2, whose bound
// of the gradient of an example is the norm by the logits; the share of all alike is that of Lu et al. 2023,
// https://arxiv.org/abs/2302.14772.
type Importance struct {
	Floor float64 // F, in [0, 1]
	// Unbiased weights the loss of each example by 1/(N·p_i), at most MaxWeight (0: 10), so that the mean gradient stays that of all
	// examples alike; else examples of which the model is wrong count more, those with wrong labels among them.
	Unbiased  bool
	MaxWeight float64
}

// roundBatches are drawn at a time.
const roundBatches = 8

// importance is the state of an Importance. Its methods do nothing where it is nil.
type importance struct {
	Importance
	f     *fit
	logit string        // value whose gradient scores examples
	tree  *data.SumTree // scores of the examples
	order []int         // of this epoch, as far as it is drawn
	mult  []float64     // weights of the losses in that order
	end   int           // how far it is drawn
}

// prepareImportance checks what is asked of drawing by importance.
func (f *fit) prepareImportance() error {
	c := f.c.Importance
	if c == nil {
		return nil
	}
	mixes, _ := f.c.Augment.Mixes()
	for what, given := range map[string]bool{
		"the order of the data":                       !f.c.Shuffle,
		"balanced classes":                            f.c.Balanced,
		"batches that grow":                           f.c.Growth != nil,
		"a teacher":                                   f.c.Teacher != nil,
		"an objective without labels":                 f.c.Contrast != nil || f.c.Restore != nil,
		"NoProp":                                      f.c.NoProp != nil,
		"an augmentation that mixes examples":         mixes,
		"an optimiser that evaluates the loss itself": f.c.Optimizer.Evaluation() != nil,
	} {
		if given {
			return fmt.Errorf("train: drawing by importance does not go with %s", what)
		}
	}
	if !(c.Floor >= 0 && c.Floor <= 1) {
		return fmt.Errorf("train: importance: a share of %v of all examples alike: want 0 to 1", c.Floor)
	}
	if c.MaxWeight < 0 || math.IsNaN(c.MaxWeight) {
		return fmt.Errorf("train: importance: weights of at most %v: want a positive number", c.MaxWeight)
	}
	if f.ds.Len() < 2 {
		return errors.New("train: importance: there is nothing to choose among fewer than two examples")
	}
	x := &importance{Importance: *c, f: f, logit: f.c.Task.Fetch(), tree: data.NewSumTree(make([]float64, f.ds.Len()))}
	if x.MaxWeight == 0 {
		x.MaxWeight = 10
	}
	f.importance, f.sampler, f.state = x, x, x.state
	return nil
}

// ask adds the gradient that scores examples to what a session computes.
func (x *importance) ask(q engine.Query) engine.Query {
	if x != nil {
		q.Grad = append(slices.Clone(q.Grad), x.logit)
	}
	return q
}

// Order is the order of an epoch as far as it is drawn; where training is at its end, a round more is.
func (x *importance) Order(epoch int) []int {
	n, place := x.f.ds.Len(), x.f.place
	switch {
	case epoch == 0:
		x.order, x.mult, x.end = data.Shuffled(n, x.f.c.Seed).Order(0), nil, n
	case place == 0:
		x.order, x.mult, x.end = make([]int, n), make([]float64, n), 0
		x.draw(epoch, 0)
	case place >= x.end:
		x.draw(epoch, place)
	}
	return x.order[:x.end]
}

// draw draws the examples of a round that begins at place.
func (x *importance) draw(epoch, place int) {
	n := x.f.ds.Len()
	x.end = min(place+roundBatches*x.f.size, n)
	if n-x.end == 1 { // which would be a batch of one
		x.end = n
	}
	r := rand.New(rand.NewPCG(x.f.c.Seed^0x696d706f7274<<16, uint64(epoch)<<32|uint64(place)))
	total, alike := x.tree.Total(), x.Floor
	if !(total > 0) || math.IsInf(total, 0) {
		alike = 1
	}
	for k := place; k < x.end; k++ {
		if u := r.Float64(); u < alike {
			x.order[k] = min(int(u/alike*float64(n)), n-1)
		} else {
			x.order[k] = x.tree.Draw((u - alike) / (1 - alike))
		}
		p := alike / float64(n)
		if alike < 1 {
			p += (1 - alike) * x.tree.At(x.order[k]) / total
		}
		x.mult[k] = min(1/(float64(n)*p), x.MaxWeight)
	}
}

// weigh multiplies the weights of the losses of a part of a batch that begins at a place of the epoch.
func (x *importance) weigh(mean []float64, place int) {
	if x == nil || !x.Unbiased || x.mult == nil {
		return
	}
	for i := range mean {
		mean[i] *= x.mult[place+i]
	}
}

// see scores the examples of a part of a batch, whose losses had these weights.
func (x *importance) see(p feed.Part, index []int, mean []float64) error {
	if x == nil {
		return nil
	}
	g := p.Grad(x.logit)
	if g == nil {
		return fmt.Errorf("train: importance: the loss does not depend on %q", x.logit)
	}
	if g.Rank() == 0 || g.Dim(0) != p.Size {
		return fmt.Errorf("train: importance: %q is %v for %d examples, so that its rows are not those of the examples", x.logit, g.Shape(),
			p.Size)
	}
	v, k := g.Float64s(), g.Len()/p.Size
	for i := p.Lo; i < p.Hi; i++ {
		w := mean[i]
		if w == 0 {
			continue
		}
		s := 0.0
		for _, d := range v[(i-p.Lo)*k : (i-p.Lo+1)*k] {
			s += d * d
		}
		if s = math.Sqrt(s) / w; !math.IsNaN(s) && !math.IsInf(s, 0) {
			x.tree.Set(index[i], s)
		}
	}
	return nil
}

// Names of what a checkpoint has of it.
const (
	importanceScores  = methodPrefix + "importance.scores"  // float64 [N]
	importanceOrder   = methodPrefix + "importance.order"   // int64 [M]: what is drawn of the epoch
	importanceWeights = methodPrefix + "importance.weights" // float64 [M]
)

// state is what a checkpoint has of it.
func (x *importance) state() []tensor.Named {
	n := x.tree.Len()
	scores := make([]float64, n)
	for i := range scores {
		scores[i] = x.tree.At(i)
	}
	order, mult := make([]int64, x.end), make([]float64, x.end)
	for i := range order {
		order[i] = int64(x.order[i])
		if mult[i] = 1; x.mult != nil {
			mult[i] = x.mult[i]
		}
	}
	return []tensor.Named{{Name: importanceScores, Tensor: tensor.From(scores, n)}, {Name: importanceOrder, Tensor: tensor.From(order,
		x.end)},
		{Name: importanceWeights, Tensor: tensor.From(mult, x.end)}}
}

// restore takes what a checkpoint has of it.
func (x *importance) restore(c *Checkpoint) error {
	if x == nil {
		return nil
	}
	by := map[string]*tensor.Tensor{}
	for _, t := range c.Tensors {
		by[t.Name] = t.Tensor
	}
	n, scores, order, mult := x.f.ds.Len(), by[importanceScores], by[importanceOrder], by[importanceWeights]
	if scores == nil && x.f.c.Anyway {
		x.f.note("examples are drawn as if none were seen: the checkpoint has no scores of them")
		return nil
	}
	if scores == nil || scores.DType() != tensor.Float64 || scores.Len() != n || order == nil || order.DType() != tensor.Int64 ||
		order.Len() > n ||
		mult == nil || mult.DType() != tensor.Float64 || mult.Len() != order.Len() {
		return implausible("what it has of the scores of %d examples does not fit", n)
	}
	for _, s := range scores.Float64s() {
		if !(s >= 0) || math.IsInf(s, 0) {
			return implausible("a score is %v", s)
		}
	}
	x.tree = data.NewSumTree(scores.Float64s())
	x.order, x.mult, x.end = make([]int, n), make([]float64, n), order.Len()
	for k, i := range order.I64() {
		if i < 0 || i >= int64(n) {
			return implausible("its epoch shows example %d of %d", i, n)
		}
		x.order[k] = int(i)
	}
	copy(x.mult, mult.Float64s())
	return nil
}
