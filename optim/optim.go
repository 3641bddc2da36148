// Package optim updates parameters from their gradients: an optimiser is a chain of rules, each of
// which rewrites the update that the next one sees, from the gradient at the start to the step that is
// multiplied by the learning rate and subtracted at the end.
//
//	o, err := optim.New("diffgrad", optim.Config{ClipNorm: new(1.0), Options: optim.Values{"beta1": 0.95}})
//	for n := 1; n <= steps; n++ {
//		… fill the gradients …
//		err = o.Step(pool, optim.Step{N: n, LR: schedule.LR(n, steps)}, params)
//	}
//
// The order of the chains that New makes is: check that gradients are finite → clip by global norm →
// weight decay coupled to the gradient → the rule → decoupled weight decay → learning rate.
//
// Some optimisers evaluate the loss themselves, by two forward passes, a second gradient or a search over all parameters at once; see
// [Evaluation].
//
// What a rule remembers lives in named slots that belong to the optimiser, not to the rule, so that every
// chain can be saved and restored bit for bit ([Optimizer.State], [Optimizer.Restore]). Numbers of all parameters together are saved with
// them ([Remembering]).
//
// Parameters are float32 or float64. Rules work element by element on blocks that stay in cache while the
// whole chain runs over them; the blocks do not depend on the number of threads, so neither do the results.
// The pool of threads is that of a model, engine.Model.Pool; nil is one thread.
package optim

import (
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Float lists the element types of a parameter.
type Float interface{ float32 | float64 }

// Step says which step this is and how long it shall be.
type Step struct {
	N  int     // number of the step, from 1
	LR float64 // learning rate of this step
}

// Param is one parameter: its weights, and the gradient of the mean loss with respect to them.
type Param struct {
	Name  string         // unique among the parameters of an optimiser; the key of its state
	W     *tensor.Tensor // weights, Float32 or Float64, changed in place
	G     *tensor.Tensor // gradient, type and shape of W, only read and never kept
	Decay bool           // whether weight decay applies; usually false for biases and normalisation
}

// Rule is one link of a chain. A rule must also be [Elementwise], [Global] or [Whole]; Global goes with either of the others.
type Rule interface {
	// Name names the rule and its state; it is unique in a chain.
	Name() string
}

// Elementwise is a rule that rewrites the update of each element from what is known of that element.
// Update32 and Update64 are called at the same time for different blocks: they may only read their receiver.
type Elementwise interface {
	Rule
	// Slots names the values that the rule remembers for each element; all start at zero.
	Slots() []string
	Update32(s Step, b *Block[float32])
	Update64(s Step, b *Block[float64])
}

// Global is a rule that looks at all parameters before any of them is changed. When a Global rule is also
// Elementwise, its Begin comes before its updates. An error of Begin ends the step; when no rule before it
// is Elementwise, nothing has been changed then.
type Global interface {
	Rule
	Begin(p *parallel.Pool, s Step, us []Pending) error
}

// Averager is an Elementwise rule that reports the mean of some quantities over all elements: Update adds
// the sum over the block of the i-th named quantity to Block.Sum[i]. See [Optimizer.Report].
type Averager interface {
	Elementwise
	Means() []string
}

// Measurer is a rule that reports a number about the last step. See [Optimizer.Report].
type Measurer interface {
	Rule
	Measure() (name string, value float64)
}

// Whole is a rule that rewrites the update of a parameter as a whole: by its rows, its norm or as a matrix. Rewrite32 and Rewrite64 are
// called for one parameter after the other, and may use the threads of the pool.
type Whole interface {
	Rule
	// Slots names what the rule remembers of a parameter, all zeros at first; SlotShape is the shape of the i-th for a parameter of the
	// given shape, [0] where it needs none.
	Slots() []string
	SlotShape(i int, param tensor.Shape) tensor.Shape
	Rewrite32(p *parallel.Pool, s Step, b *Block[float32])
	Rewrite64(p *parallel.Pool, s Step, b *Block[float64])
}

// Finisher is an Elementwise rule that looks at the weights after they were changed: Finish32 and Finish64 are called at the same time for
// different blocks, whose W they may change.
type Finisher interface {
	Elementwise
	Finish32(s Step, b *Block[float32])
	Finish64(s Step, b *Block[float64])
}

// Remembering is a rule that remembers numbers of all parameters together. They belong to the rule, which then serves one optimiser only,
// and are saved and restored with the state of the optimiser as "rule.name".
type Remembering interface {
	Rule
	Memory() []Number
}

// Number is a number that a rule remembers, and its value at the start.
type Number struct {
	Name  string
	Value *float64
}

// Totaller is an Averager that is told the totals of its quantities over all elements when the step is done, instead of having their means
// reported.
type Totaller interface {
	Averager
	Total(s Step, totals []float64)
}

// Averaging is an Elementwise rule of which a slot holds weights that are better than those at which gradients are taken: these are the
// weights to measure and to keep. See [Optimizer.Swap].
type Averaging interface {
	Elementwise
	Average() (slot string)
}

// Pending is a parameter and the update that the rules so far have made for it.
type Pending struct {
	*Param
	U *tensor.Tensor // type and shape of W; only to be read, for it may be the gradient itself
}

// Block is a range of the elements of one parameter, or all of them, as a rule sees it.
type Block[T Float] struct {
	Param *Param
	T     int       // number of this step for this parameter, from 1; below Step.N when it joined late
	W, G  []T       // weights and gradient, only to be read
	U     []T       // the update: first a copy of the gradient, each rule rewrites it in place
	Raw   []T       // U as it would be without coordinate-wise clipping; nil where the chain does none
	Slot  [][]T     // the rule's slots, in the order of Slots, to be changed in place
	Sum   []float64 // see Averager
}

// raw is the update without coordinate-wise clipping.
func (b *Block[T]) raw() []T {
	if b.Raw != nil {
		return b.Raw
	}
	return b.U
}

// keepsRaw is a rule after which second moments are taken from Block.Raw.
type keepsRaw interface{ keepsRaw() }
