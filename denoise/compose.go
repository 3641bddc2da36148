package denoise

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// LevelInput is the name of an input float [] of a denoiser: the level of the noise, as in Noise.
const LevelInput = "noise_level"

// outputNames are those of its output [N,C,H,W]: the first that the network has no value of.
var outputNames = []string{"denoised", "restored", prefix + "output"}

// prefix begins the names of what Compose adds within the graph.
const prefix = "denoise."

// composer adds nodes to a graph.
type composer struct {
	g     *onnxpb.GraphProto
	p     *Parameters
	level string            // the value that is the level of the noise
	made  map[string]string // numbers that are there already
	count int
	front []*onnxpb.NodeProto // nodes before the network
	back  []*onnxpb.NodeProto // nodes behind it
	ahead bool                // what is added comes before the network
}

func (b *composer) node(op string, in ...string) string { return b.with(op, in) }

func (b *composer) with(op string, in []string, attrs ...*onnxpb.AttributeProto) string {
	b.count++
	name := fmt.Sprintf("%s%s_%d", prefix, strings.ToLower(op), b.count)
	n := onnx.NewNode(op, name, in, []string{name + "_out"}, attrs...)
	if b.ahead {
		b.front = append(b.front, n)
	} else {
		b.back = append(b.back, n)
	}
	return name + "_out"
}

// number is a float scalar.
func (b *composer) number(v float64) string {
	return b.constant(fmt.Sprintf("%g", float32(v)), tensor.Scalar(float32(v)))
}

func (b *composer) ints(v ...int64) string {
	return b.constant(strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", "_"), "[]")+"i", tensor.From(v, len(v)))
}

func (b *composer) constant(name string, t *tensor.Tensor) string {
	name = prefix + "is_" + name
	if b.made[name] == "" {
		b.made[name] = name
		b.g.Initializer = append(b.g.Initializer, onnx.TensorToProto(name, t))
	}
	return name
}

// Compose puts what p says around a network in place: its input x [N,C,H,W] becomes the noisy picture, in numbers from 0 to 1 and of any
// size where the network's is free, and its output the clean one. Where the network gives a score, LevelInput is an input; with
// p.Optional the level of p is its default, which some runtimes, gtk among them, do not let anybody override. The output of the network,
// which training compares, is the value p.Network. p is kept in the metadata.
func Compose(m *onnx.Model, p *Parameters) error {
	g := m.Proto.GetGraph()
	in, err := pictureInput(m)
	if err != nil {
		return err
	}
	if len(g.GetOutput()) != 1 {
		return fmt.Errorf("denoise: the network has %d outputs, want one that is like its input", len(g.GetOutput()))
	}
	taken := map[string]bool{}
	for _, n := range g.GetNode() {
		for _, v := range append(append([]string{n.GetName()}, n.GetOutput()...), n.GetInput()...) {
			if taken[v] = true; strings.HasPrefix(v, prefix) || v == LevelInput {
				return fmt.Errorf("denoise: the network has a value %q, a name that a denoiser needs: rename it", v)
			}
		}
	}
	p.Output = outputNames[slices.IndexFunc(outputNames, func(n string) bool { return !taken[n] })]
	if v := opset(m); p.Multiple > 1 && v < 11 {
		return fmt.Errorf("denoise: the network is of opset %d, and sides are padded by operators of opset 11: gtk convert brings it there", v)
	}
	b := &composer{g: g, p: p, level: LevelInput, made: map[string]string{}, ahead: true}
	y := in.GetName()
	p.Network = g.GetOutput()[0].GetName()
	z, shown := y, y
	if p.Scores() {
		g.Input = append(g.Input, onnx.ValueInfo(LevelInput, tensor.Float32))
		if p.Optional {
			g.Initializer = append(g.Initializer, onnx.TensorToProto(LevelInput, tensor.Scalar(float32(p.Level))))
		}
		if p.Family().Scale(p.Level) != 1 {
			z = b.node("Div", y, b.level)
			shown = b.node("Mul", z, b.number(p.Gain))
		}
	}
	sides := ""
	if p.Multiple > 1 {
		shape := b.node("Shape", y)
		sides = b.with("Slice", []string{shape, b.ints(2), b.ints(4)})
		many := b.ints(int64(p.Multiple))
		more := b.node("Mod", b.node("Sub", many, b.node("Mod", sides, many)), many)
		pads := b.with("Concat", []string{b.ints(0, 0, 0, 0, 0, 0), more}, onnx.AttrInt("axis", 0))
		shown = b.with("Pad", []string{shown, pads}, onnx.AttrString("mode", "reflect"))
	}
	if shown != y {
		for _, n := range g.GetNode() {
			for i, v := range n.GetInput() {
				if v == y {
					n.Input[i] = shown
				}
			}
		}
	}
	b.ahead = false
	if p.Picture {
		p.Network = b.node("Sub", p.Network, shown)
	}
	f := p.Network
	if p.Multiple > 1 {
		f = b.node("Slice", f, b.ints(0, 0), sides, b.ints(2, 3))
	}
	switch p.Means {
	case Residual:
		b.node("Add", y, f)
	case Clean:
		b.node("Identity", f)
	default:
		score := f
		if p.Means == ScoreOfResidual {
			v := p.Family().variance(b, z)
			if p.Gain != 1 {
				v = b.node("Mul", v, b.number(p.Gain))
			}
			score = b.node("Div", f, v)
		}
		p.Family().tweedie(b, y, score)
	}
	b.back[len(b.back)-1].Output[0] = p.Output
	g.Node = append(append(b.front, g.GetNode()...), b.back...)
	out := onnx.ValueInfo(p.Output, tensor.Float32)
	out.Type = in.GetType()
	g.Output = []*onnxpb.ValueInfoProto{out}
	g.ValueInfo = nil // shapes of what was there may not hold any more
	return p.Store(m)
}

// pictureInput is the only input of a network that is no weight: float32 [N,C,H,W].
func pictureInput(m *onnx.Model) (*onnxpb.ValueInfoProto, error) {
	g := m.Proto.GetGraph()
	weights := map[string]bool{}
	for _, t := range g.GetInitializer() {
		weights[t.GetName()] = true
	}
	var found *onnxpb.ValueInfoProto
	for _, v := range g.GetInput() {
		if weights[v.GetName()] {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("denoise: the network has several inputs (%q, %q), want one, a picture", found.GetName(), v.GetName())
		}
		found = v
	}
	t := found.GetType().GetTensorType()
	switch {
	case found == nil:
		return nil, fmt.Errorf("denoise: the network has no input")
	case tensor.DType(t.GetElemType()) != tensor.Float32:
		return nil, fmt.Errorf("denoise: input %q is %v, want float32", found.GetName(), tensor.DType(t.GetElemType()))
	case len(t.GetShape().GetDim()) != 4:
		return nil, fmt.Errorf("denoise: input %q has %d axes, want a picture [N,C,H,W]", found.GetName(), len(t.GetShape().GetDim()))
	}
	return found, nil
}

// opset is the version of ONNX's operators.
func opset(m *onnx.Model) int64 {
	for _, o := range m.Proto.GetOpsetImport() {
		if d := o.GetDomain(); d == "" || d == "ai.onnx" {
			return o.GetVersion()
		}
	}
	return 0
}
