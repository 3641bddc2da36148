package train

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/optim"
)

// BatchGrowth grows the batch where the gradients of its examples say little about the gradient of the mean: after a step on b examples the
// next batch has
//
//	norm      ‖Var‖₁ / (η²·‖ḡ‖²)
//	ip        Var⟨gᵢ,ḡ⟩ / (θ²·‖ḡ‖⁴)
//	ip+orth   the larger of that and  Σ Var(gᵢ − ⟨gᵢ,ḡ⟩/‖ḡ‖²·ḡ) / (ν²·‖ḡ‖²)
//
// examples, rounded up, and never fewer than b, with ḡ the mean of the gradients gᵢ over the b examples and variances that divide by b − 1.
// No gradient of an example is ever there as such: norms come from what layers read and the gradients of what they give
// (engine.Query.PerExample), products with ḡ from one more pass, the derivative of each example's loss along ḡ.
//
// Source: Lau, Liu, Kolar 2024, "AdAdaGrad: Adaptive Batch Size Schemes for Adaptive Gradient Methods" (arXiv 2402.11215), after Byrd et
// al. 2012 (norm) and Bollapragada, Byrd, Nocedal 2018 (inner products); the form layers is that of the authors' code,
// https://github.com/timlautk/AdAdaGrad tests.py. Factor is not theirs.
type BatchGrowth struct {
	Test           string  // norm, ip or ip+orth; "" is norm
	Form           string  // exact, layers or parts; "" is exact
	Eta, Theta, Nu float64 // of the tests; 0 is 0.5, 0.5 and 1
	Max            int     // the most examples in a batch; 0: all
	Factor         float64 // how many times larger than the batch before it may be at most, above 1; 0: any
	Every          int     // test after so many steps; 0: after each
}

// Tests of BatchGrowth.
const (
	NormTest  = "norm"
	InnerTest = "ip"
	BothTests = "ip+orth"
)

// Forms of BatchGrowth.
const (
	// ExactForm takes the gradient of an example as the one vector that it is.
	ExactForm = "exact"
	// LayersForm adds up variances of each trained tensor for itself, as the authors' code does: the covariances between them are left out.
	LayersForm = "layers"
	// PartsForm compares the gradients of the parts of a batch (Config.MicroBatch): an estimate, for models whose examples have no gradient
	// of their own. It is exact with parts of one example.
	PartsForm = "parts"
)

// BatchChange is a batch size from a step on.
type BatchChange struct {
	Step     int // the first one, from 1
	Examples int // seen before
	Size     int
}

// few is a batch whose variances are hardly known.
const few = 8

// With is g with its defaults, for n examples.
func (g BatchGrowth) With(n int) BatchGrowth {
	g.Test, g.Form = cmp.Or(g.Test, NormTest), cmp.Or(g.Form, ExactForm)
	g.Eta, g.Theta, g.Nu = cmp.Or(g.Eta, 0.5), cmp.Or(g.Theta, 0.5), cmp.Or(g.Nu, 1)
	if g.Max == 0 || g.Max > n {
		g.Max = n
	}
	g.Every = max(1, g.Every)
	return g
}

// String says what it does, for people and fingerprints.
func (g BatchGrowth) String() string {
	s := fmt.Sprintf("%s, %s, eta %g, theta %g, nu %g, at most %d", g.Test, g.Form, g.Eta, g.Theta, g.Nu, g.Max)
	if g.Factor > 0 {
		s += fmt.Sprintf(", by %g at most", g.Factor)
	}
	if g.Every > 1 {
		s += fmt.Sprintf(", every %d steps", g.Every)
	}
	return s
}

// CheckBatches refuses batches in parts, and batches that grow, where n examples cannot be trained on so.
func (c Config) CheckBatches(n int) error {
	if c.MicroBatch < 0 {
		return fmt.Errorf("train: --micro-batch %d: must not be negative", c.MicroBatch)
	}
	if c.MicroBatch == 1 && c.BN == engine.BNTrain {
		return errors.New("train: parts of one example have no statistics to train: give a larger --micro-batch, or --bn frozen")
	}
	if c.Growth == nil {
		return nil
	}
	c.BatchSize = c.Batch(n)
	return c.Growth.With(n).check(c)
}

// check refuses what cannot be measured; g has its defaults.
func (g BatchGrowth) check(c Config) error {
	mezo := false
	if c.Optimizer != nil {
		_, mezo = c.Optimizer.Evaluation().(*optim.MeZO)
	}
	positive := func(v float64) bool { return v > 0 && !math.IsInf(v, 0) }
	switch {
	case g.Test != NormTest && g.Test != InnerTest && g.Test != BothTests:
		return fmt.Errorf("train: --batch-adapt: no test %q: want norm, ip or ip+orth", g.Test)
	case g.Form != ExactForm && g.Form != LayersForm && g.Form != PartsForm:
		return fmt.Errorf("train: --batch-form: no form %q: want exact, layers or parts", g.Form)
	case !positive(g.Eta) || !positive(g.Theta) || !positive(g.Nu):
		return fmt.Errorf("train: growing batches: eta %v, theta %v, nu %v: want positive numbers", g.Eta, g.Theta, g.Nu)
	case g.Max < 0 || g.Every < 0:
		return fmt.Errorf("train: growing batches: at most %d examples, every %d steps: must not be negative", g.Max, g.Every)
	case g.Factor != 0 && !(g.Factor > 1):
		return fmt.Errorf("train: growing batches: growth by %v at most: want more than 1", g.Factor)
	case c.BatchSize < 2:
		return errors.New("train: growing batches: one example has no variance: begin with a batch of 8 or more")
	case g.Max < c.BatchSize:
		return fmt.Errorf("train: growing batches: at most %d examples, and the first batch has %d", g.Max, c.BatchSize)
	case mezo:
		return errors.New("train: growing batches: the tests compare gradients, and --optimizer mezo has none: leave one of the two out")
	case g.Form == PartsForm && g.Test != NormTest:
		return errors.New("train: growing batches: the gradients of parts are compared by the norm test only")
	case g.Form == PartsForm && (c.MicroBatch < 1 || 2*c.MicroBatch > c.BatchSize):
		return fmt.Errorf("train: growing batches: the form parts compares the parts of a batch, so there must be at least two: give a "+
			"--micro-batch of at most %d", c.BatchSize/2)
	case g.Form != PartsForm && c.BN == engine.BNTrain:
		return errors.New("train: growing batches: in a batch whose statistics are trained no example has a gradient of its own: train with " +
			"--bn frozen, or compare the parts of a batch (--batch-form parts with --micro-batch)")
	}
	return nil
}

// spread is what was measured of the gradients of a batch, for all parameters together or, by the form layers, for each tensor.
type spread struct {
	weight []float64 // of each gradient, the number of examples that it is the mean of; nil: one each
	count  float64   // examples
	groups []group
}

type group struct {
	gg float64   // ‖ḡ‖²
	n  []float64 // ‖gᵢ‖²
	s  []float64 // ⟨gᵢ,ḡ⟩; nil where no test wants them
}

// gg is the squared norm of the mean gradient.
func (x *spread) gg() float64 {
	sum := 0.0
	for _, g := range x.groups {
		sum += g.gg
	}
	return sum
}

// variance is ‖Var‖₁, the variances of all coordinates added up. Of means over several examples each it is that of one example.
func (x *spread) variance() float64 {
	sum, k := 0.0, 0
	for _, g := range x.groups {
		k = len(g.n)
		for i, n := range g.n {
			w := 1.0
			if x.weight != nil {
				w = x.weight[i]
			}
			sum += w * n
		}
	}
	return max(0, (sum-x.count*x.gg())/float64(k-1))
}

// along is the variance of the products with the mean gradient.
func (x *spread) along() float64 {
	sum := 0.0
	for _, g := range x.groups {
		mean := 0.0
		for _, s := range g.s {
			mean += s / float64(len(g.s))
		}
		for _, s := range g.s {
			sum += (s - mean) * (s - mean) / float64(len(g.s)-1)
		}
	}
	return sum
}

// across is the variance of what of the gradients is orthogonal to their mean.
func (x *spread) across() float64 {
	sum := 0.0
	for _, g := range x.groups {
		for i, n := range g.n {
			if g.gg > 0 {
				n -= g.s[i] * g.s[i] / g.gg
			}
			sum += n / float64(len(g.n)-1)
		}
	}
	return max(0, sum)
}

// need is how many examples the tests of g ask for.
func (g BatchGrowth) need(x *spread) float64 {
	gg := x.gg()
	of := func(v, by float64) float64 {
		if v == 0 {
			return 0
		}
		return v / by
	}
	switch g.Test {
	case InnerTest:
		return of(x.along(), g.Theta*g.Theta*gg*gg)
	case BothTests:
		return max(of(x.along(), g.Theta*g.Theta*gg*gg), of(x.across(), g.Nu*g.Nu*gg))
	}
	return of(x.variance(), g.Eta*g.Eta*gg)
}

// next is the size of the batch after one of b examples for which the tests ask for so many.
func (g BatchGrowth) next(b int, need float64) int {
	most := float64(g.Max)
	if g.Factor > 0 {
		most = min(most, math.Ceil(float64(b)*g.Factor))
	}
	return max(b, int(min(math.Ceil(need), most)))
}
