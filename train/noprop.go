package train

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// NoProp trains a classifier without a pass through the whole of it, forward or backward: blocks that each learn to take noise off an
// embedding of the label, given the example. What it classifies by is the chain of them, which begins without knowing the label
// (NoPropNet.Chain). Within a block there is ordinary backpropagation.
//
//	dt  T blocks, each for one amount of noise: z[t] = a[t]·û[t](z[t-1], x) + b[t]·z[t-1], the posterior mean of diffusion.
//	    Block t learns from L[t] = CE + KL + T/2·η·min(SNR(t)−SNR(t−1), Cap)·‖û[t](z[t-1], x) − u‖².
//	ct  one block that is told the time: ½·η·min(SNR'(t), Cap)·‖û(z, x, t) − u‖² at times drawn at random; the chain is Steps steps of
//	    Euler's method through dz/dt = ᾱ'/(2√ᾱ(1−ᾱ))·(û − √ᾱ·z).
//	fm  one block that learns the way from noise to the embedding: ‖v(z, x, t) − (u − z₀)‖² at z = t·u + (1−t)·z₀; dz/dt = v.
//
// u is the row of the label in the embedding: one-hot, or learned with the blocks. The blocks of dt do not depend on each other, and are
// trained side by side. The cap is on what a step adds to the signal-to-noise ratio, not on the ratio: past a ratio of Cap the
// differences of a capped ratio would be zero, and the last of many blocks would learn nothing.
//
// Source: Li, Teh, Pascanu 2025, "NoProp: Training Neural Networks without Full Back-propagation or Full Forward-propagation",
// https://arxiv.org/abs/2503.24322. The noise of dt is a cosine (Nichol and Dhariwal 2021, https://arxiv.org/abs/2102.09672), that of ct
// γ(t) = 5 − 10·t with SNR = exp(−γ), or learned. Deviations: the chain begins at 0, and adds no noise, so that it gives the same each
// time; no dropout; the cap.
type NoProp struct {
	Variant  string  // dt, ct or fm; "" means dt
	Steps    int     // blocks of dt, steps of the chain of ct and fm; 0 means 10
	Eta      float64 // η; 0 means 0.1 for dt and 1 for ct
	Cap      float64 // 0 means 100; infinite for none
	Learned  int     // numbers in a learned embedding; 0 means one-hot
	Schedule string  // cosine (dt), linear (ct) or learned (ct); "" means the first of the variant
	Hidden   int     // width of a block; 0 means 256
	Workers  int     // blocks that are trained at a time; 0 means one for each thread. The result does not depend on it.
	Seed     uint64  // of the weights
}

// Variants of NoProp.
const (
	NoPropDT = "dt"
	NoPropCT = "ct"
	NoPropFM = "fm"
)

// NoPropVariants are the values of NoProp.Variant.
var NoPropVariants = []string{NoPropDT, NoPropCT, NoPropFM}

// NoPropSchedules are the values of NoProp.Schedule by variant, the usual one first.
var NoPropSchedules = map[string][]string{NoPropDT: {"cosine"}, NoPropCT: {"linear", "learned"}, NoPropFM: {"straight"}}

// mostNoPropSteps bounds the chain that is written out.
const mostNoPropSteps = 1000

// Filled is o with the usual in the place of zeros.
func (o NoProp) Filled() NoProp {
	o.Variant = cmp.Or(o.Variant, NoPropDT)
	o.Steps, o.Hidden, o.Cap = cmp.Or(o.Steps, 10), cmp.Or(o.Hidden, 256), cmp.Or(o.Cap, 100)
	if o.Eta == 0 {
		if o.Eta = 1; o.Variant == NoPropDT {
			o.Eta = 0.1
		}
	}
	if s := NoPropSchedules[o.Variant]; o.Schedule == "" && s != nil {
		o.Schedule = s[0]
	}
	return o
}

// Check refuses values that mean nothing.
func (o NoProp) Check() error {
	o = o.Filled()
	switch {
	case !slices.Contains(NoPropVariants, o.Variant):
		return fmt.Errorf("variant %q: want one of %v", o.Variant, NoPropVariants)
	case o.Steps < 1 || o.Steps > mostNoPropSteps:
		return fmt.Errorf("%d steps: want 1 to %d", o.Steps, mostNoPropSteps)
	case !(o.Eta > 0) || math.IsInf(o.Eta, 0):
		return fmt.Errorf("eta %v: want a positive number", o.Eta)
	case !(o.Cap > 0):
		return fmt.Errorf("cap %v of the signal-to-noise ratio: want a positive number", o.Cap)
	case o.Learned < 0 || o.Learned > 1<<16:
		return fmt.Errorf("an embedding of %d numbers: want 1 to %d", o.Learned, 1<<16)
	case !slices.Contains(NoPropSchedules[o.Variant], o.Schedule):
		return fmt.Errorf("schedule %q: %s has %v", o.Schedule, o.Variant, NoPropSchedules[o.Variant])
	case o.Hidden < 2 || o.Hidden > 1<<16:
		return fmt.Errorf("a width of %d: want 2 to %d", o.Hidden, 1<<16)
	case o.Workers < 0:
		return fmt.Errorf("%d workers: must not be negative", o.Workers)
	}
	return nil
}

// Blocks is how many blocks are trained.
func (o NoProp) Blocks() int {
	if o = o.Filled(); o.Variant == NoPropDT {
		return o.Steps
	}
	return 1
}

// workers is how many blocks are trained at a time where there are so many threads.
func (o NoProp) workers(threads int) int {
	return max(1, min(cmp.Or(o.Workers, threads), o.Blocks()))
}

// NoPropInput is what the blocks are given of an example.
type NoPropInput struct {
	Name    string       // of the chain's input
	DType   tensor.DType // real numbers
	Shape   tensor.Shape // of one example; pictures [C,H,W] of at least 16×16 go through convolutions
	Last    bool         // channels come last: [H,W,C]
	Classes int
	Output  string              // name of the chain's output; "" means logits
	Taken   func(s string) bool // names that may not be used for anything else; nil for none
}

// NoPropNet is a chain of blocks and the blocks by themselves.
type NoPropNet struct {
	NoProp // filled
	In     NoPropInput
	// Chain classifies: input [N,…] to logits [N,K], in ONNX's own operators. Its weights are those that are trained; see Load.
	Chain  *onnx.Model
	Params []string // of Chain, that are trained

	// One for each block: x, z [N,D] and, for ct and fm, time [N,64] to out [N,D]. The layer of logits is behind them, but for fm.
	blocks []*onnx.Model
	prefix string // of all names
	plan   noPropPlan
}

// Net makes a chain with random weights.
func (o NoProp) Net(in NoPropInput) (*NoPropNet, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("train: noprop: %w", err)
	}
	switch {
	case in.Classes < 2:
		return nil, fmt.Errorf("train: noprop: %d classes: want at least 2", in.Classes)
	case !in.DType.IsFloat():
		return nil, fmt.Errorf("train: noprop: input %q is %v, and blocks are given real numbers: name a value of the model that has some",
			in.Name, in.DType)
	case in.Shape.Len() == 0:
		return nil, fmt.Errorf("train: noprop: input %q has no numbers: %v", in.Name, in.Shape)
	}
	n := &NoPropNet{NoProp: o.Filled(), In: in, prefix: "noprop."}
	if in.Taken == nil {
		n.In.Taken = func(string) bool { return false }
	}
	for k := 2; n.taken(); k++ {
		n.prefix = fmt.Sprintf("noprop%d.", k)
	}
	if n.In.Output = cmp.Or(in.Output, "logits"); n.In.Taken(n.In.Output) || n.In.Output == in.Name {
		n.In.Output = n.prefix + "logits"
	}
	n.plan = n.newPlan()
	n.build()
	return n, nil
}

// Load prepares the chain for Fit: all of Params are learned, single numbers too.
func (n *NoPropNet) Load(options ...engine.Option) (*engine.Model, error) {
	return engine.Load(n.Chain.Clone(), append(options, engine.WithTrainable(n.Params...))...)
}

// taken reports whether the prefix is used by others.
func (n *NoPropNet) taken() bool {
	return n.In.Taken(n.prefix+"start") || n.In.Name == n.prefix+"start"
}

// dim is how many numbers an embedding has.
func (n *NoPropNet) dim() int {
	if n.Learned > 0 {
		return n.Learned
	}
	return n.In.Classes
}

// Dim is how many numbers the embedding of a label has.
func (n *NoPropNet) Dim() int { return n.dim() }

// Embedding names the embedding of the labels.
func (o NoProp) Embedding() string {
	if o.Learned > 0 {
		return fmt.Sprintf("learned:%d", o.Learned)
	}
	return "onehot"
}

// Weights are what the squared error of each block of dt is multiplied by, T/2·η·min(SNR(t)−SNR(t−1), Cap); nil for others.
func (n *NoPropNet) Weights() []float64 { return n.plan.weight }

// BatchNorm says how the blocks normalise: those of dt by their batches while they are trained; those of ct and fm do not.
func (n *NoPropNet) BatchNorm() engine.BNMode {
	if n.Variant == NoPropDT {
		return engine.BNTrain
	}
	return engine.BNFrozen
}

// check refuses what blocks that are trained by themselves cannot do.
func (n *NoPropNet) check(c Config, t *task.Task) error {
	switch {
	case c.Optimizer.Evaluation() != nil:
		return errors.New("train: noprop: each block has a loss of its own, and the optimiser asks for that of the whole model: choose one " +
			"that goes by gradients, such as adamw")
	case c.Growth != nil || c.MicroBatch > 0:
		return errors.New("train: noprop: the blocks take a batch as it is: leave out what makes it grow or cuts it into parts")
	case c.TrAct != nil:
		return errors.New("train: noprop: each block has a first layer of its own: leave out TrAct")
	case c.Unfreeze != nil:
		return errors.New("train: noprop: all blocks are trained from the start: leave out the gradual unfreezing")
	case c.Teacher != nil:
		return errors.New("train: noprop: blocks learn embeddings of labels, not what a teacher says: leave out the teacher")
	case t.Kind != task.Multiclass || t.Positions() || t.NumClasses() != n.In.Classes:
		return fmt.Errorf("train: noprop: the blocks learn %d classes, and the task is %s", n.In.Classes, t)
	case t.Uneven():
		return errors.New("train: noprop: classes have no weights in the loss of a block: balance the batches instead")
	case c.BN != n.BatchNorm():
		return errors.New("train: noprop: Config.BN is not NoPropNet.BatchNorm")
	}
	if mixes, _ := c.Augment.Mixes(); mixes {
		return errors.New("train: noprop: there is no embedding of a mixture of labels: leave out mixup and cutmix")
	}
	return nil
}
