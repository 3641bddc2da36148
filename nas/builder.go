package nas

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Statistics say by what batch normalisation divides.
type Statistics int

// Running statistics are stored in the model, as in any network; those of the Batch are computed in the graph, from the examples that are
// there, and written in simple operators: other runtimes have no BatchNormalization in training mode.
const (
	Running Statistics = iota
	Batch
)

// Names of what a supernet takes and gives.
const (
	InputName  = "input"  // [N,C,S,S]
	ArchName   = "arch"   // int64 [choices]
	OutputName = "logits" // [N,classes]
)

// builder builds a supernet, or one path of it.
type builder struct {
	*models.Layers
	arch  []int // nil: all paths, as the input ArchName says
	stats Statistics

	owners map[string]owner
	flags  map[string]string // name of the bool "choice i is o", by both
}

// owner is the operator at a choice that a parameter belongs to.
type owner struct{ choice, op int }

func newBuilder(s Space, arch []int, stats Statistics) *builder {
	return &builder{Layers: models.NewLayers(s.Name, s.Seed), arch: arch, stats: stats, owners: map[string]owner{},
		flags: map[string]string{}}
}

// choose adds the operator at a choice, of those that can stand there by their numbers: that of the path, or all of them with the branches
// of nested Ifs. add adds operator o and returns its output.
func (b *builder) choose(name string, c Choice, i int, add func(o int) string) string {
	owned := func(o int) string {
		had := len(b.Parameters())
		y := add(o)
		for _, p := range b.Parameters()[had:] {
			if !strings.HasPrefix(p, constantPrefix) {
				b.owners[p] = owner{i, o}
			}
		}
		return y
	}
	if b.arch != nil {
		return owned(b.arch[i])
	}
	return b.nest(name, c, i, c.Ops, owned)
}

// nest adds an If for the first of ops, whose else branch has one for those that follow. An operator that cannot stand there counts as the
// last that can.
func (b *builder) nest(name string, c Choice, i int, ops []int, add func(o int) string) string {
	if len(ops) == 1 {
		return add(ops[0])
	}
	return b.If(fmt.Sprintf("%s.if%d", name, ops[0]), b.flags[flagOf(i, ops[0])], func() string { return add(ops[0]) },
		func() string { return b.nest(name, c, i, ops[1:], add) })
}

func flagOf(choice, op int) string { return fmt.Sprintf("%d is %d", choice, op) }

// declare adds the input that chooses the path, and what follows from it.
func (b *builder) declare(l Layout) {
	if b.arch != nil {
		return
	}
	arch := b.Integers(ArchName, len(l.Choices))
	for i, c := range l.Choices {
		k := b.constant(fmt.Sprintf("choice%d", i), tensor.Scalar(int64(i)))
		o := b.Node("Gather", []string{arch, k}, onnx.AttrInt("axis", 0))
		for _, op := range c.Ops[:len(c.Ops)-1] {
			b.flags[flagOf(i, op)] = b.Node("Equal", []string{o, b.constant(fmt.Sprintf("op%d", op), tensor.Scalar(int64(op)))})
		}
	}
}

// constantPrefix begins the names of constants, which are no weights.
const constantPrefix = "const."

func (b *builder) constant(name string, t *tensor.Tensor) string {
	return b.Constant(constantPrefix+name, t)
}

// zero is zeros like x.
func (b *builder) zero(x string) string { return b.Node("Sub", []string{x, x}) }

// epsilon is added to variances.
const epsilon = 1e-5

// norm adds batch normalisation of c channels; where it is affine it learns a scale and a shift, name.weight and name.bias.
func (b *builder) norm(x, name string, c int, affine bool) string {
	if b.stats == Running {
		return b.Norm(x, name, c)
	}
	axes := onnx.AttrInts("axes", 0, 2, 3)
	d := b.Node("Sub", []string{x, b.Node("ReduceMean", []string{x}, axes)})
	v := b.Node("ReduceMean", []string{b.Node("Mul", []string{d, d})}, axes)
	root := b.Node("Sqrt", []string{b.Node("Add", []string{v, b.constant("epsilon", tensor.Scalar(float32(epsilon)))})})
	y := b.Node("Div", []string{d, root})
	if !affine {
		return y
	}
	wide := func(p string) string {
		return b.Node("Reshape", []string{p, b.constant(fmt.Sprintf("wide%d", c), tensor.From([]int64{1, int64(c), 1, 1}, 4))})
	}
	y = b.Node("Mul", []string{y, wide(b.Parameter(name+".weight", 1, c))})
	return b.Node("Add", []string{y, wide(b.Parameter(name+".bias", 0, c))})
}

// finish adds what follows the features x of c channels.
func (b *builder) finish(s Space, x string, c int) *onnx.Model {
	return b.Finish(b.Linear(b.Pooled(x), "classifier", c, s.Classes), OutputName, s.Classes)
}
