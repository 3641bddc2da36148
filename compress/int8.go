package compress

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	methods.Register("int8", func() Method {
		return &Int8{Mode: "static", Calibration: "mse", Percentile: 99.999, Samples: 256, Activations: "uint8", PerChannel: true, Correct: true}
	}, "weights and activations in integers of 8 bits, without training: a quarter of the size, and faster where the processor has the "+
		"products",
		"https://arxiv.org/abs/2004.09602 (Wu et al. 2020)")
}

// Int8 quantises the layers with stored weights (Conv, Gemm, MatMul) after training. Weights are symmetric int8, activations have a scale
// and a zero point each.
//
//   - static writes QuantizeLinear and DequantizeLinear (QDQ) with scales that examples tell, which runtimes compute in integers;
//   - dynamic finds the scales of activations anew in each run: DynamicQuantizeLinear and MatMulInteger for products, and for convolutions,
//     which gain nothing from it on a CPU, weights alone;
//   - weights stores the weights in int8 and computes in float32: small files, hardly any loss, no speed.
type Int8 struct {
	Mode        string  `opt:"mode" doc:"static, with scales from --data; dynamic, with scales found in each run; weights, which only makes the file smaller" choices:"static|dynamic|weights"`
	Calibration string  `opt:"calibration" doc:"how the range of an activation follows from what was seen" choices:"minmax|entropy|percentile|mse"`
	Percentile  float64 `opt:"percentile" doc:"of calibration=percentile: the share in percent that is inside, (100-p)/2 is cut off at each end" range:"(50, 100]"`
	Samples     int     `opt:"samples" doc:"examples that are looked at" range:"[1, 1000000]"`
	Activations string  `opt:"activations" doc:"uint8 (U8S8), or int8 (S8S8)" choices:"uint8|int8"`
	Symmetric   bool    `opt:"symmetric" doc:"activations with zero in the middle"`
	PerChannel  bool    `opt:"per-channel" doc:"a scale for each output channel of a weight, not one for all"`
	Correct     bool    `opt:"correct" doc:"biases take back what rounding the weights changes on average, where there are examples"`
	ReduceRange bool    `opt:"reduce-range" doc:"weights of 7 bits, whose products do not saturate on x86 processors without VNNI"`
}

// Int8Report is what was quantised.
type Int8Report struct {
	Mode        string      `json:"mode"`
	Calibration string      `json:"calibration,omitempty"`
	Samples     int         `json:"samples,omitempty"` // that were looked at
	Layers      []Int8Layer `json:"layers"`
	Float       []Int8Float `json:"float"`       // layers that stay as they are
	Activations int         `json:"activations"` // values with a scale
	Folded      int         `json:"batchnorms_folded"`
}

// Int8Layer is a layer that was quantised.
type Int8Layer struct {
	Node    string   `json:"node"`
	Op      string   `json:"op"`
	Weights int      `json:"weights"`
	SQNR    *float64 `json:"sqnr_db,omitempty"` // of its output in the whole model: signal over the change, static only
}

// Int8Float is a layer that stays in float32.
type Int8Float struct {
	Node string `json:"node"`
	Op   string `json:"op"`
	Why  string `json:"why"`
}

func (m *Int8) first() string { return "mode" }

// Needs is examples for static scales.
func (m *Int8) Needs() Needs { return Needs{Data: m.Mode == "static"} }

// most is the largest magnitude of a weight.
func (m *Int8) most() int {
	if m.ReduceRange {
		return 63
	}
	return 127
}

func (m *Int8) dtype() tensor.DType {
	if m.Activations == "int8" {
		return tensor.Int8
	}
	return tensor.Uint8
}

// int8Layer is a layer that can be quantised.
type int8Layer struct {
	x      *onnxpb.NodeProto
	w      *tensor.Tensor // with Gemm's alpha in it
	axis   int            // of the output channels in w, -1 where there is none
	bias   []float32      // with Gemm's beta in it; nil for none
	means  []float64      // of its input, by channel; nil where they are not known
	static bool           // its input may be quantised
}

// int8Net is a model that is being quantised.
type int8Net struct {
	*net
	m       *Int8
	s       *Subject
	layers  []*int8Layer
	of      map[*onnxpb.NodeProto]*int8Layer
	float   []Int8Float
	batches int // batch normalisations that were folded
}

// open finds the layers.
func (m *Int8) open(ctx context.Context, s *Subject) (*int8Net, error) {
	if s.MACs > 0 {
		return nil, Ask("--macs: int8 computes as many products as before, in fewer bits; leave it out, or take --method channels")
	}
	n, err := openNet(s.Model.File(), 13)
	if err != nil {
		return nil, err
	}
	q := &int8Net{net: n, m: m, s: s, of: map[*onnxpb.NodeProto]*int8Layer{}}
	layer := func(x *onnxpb.NodeProto) bool {
		return is(x, "Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization")
	}
	if err := n.evaluate(ctx, layer); err != nil {
		return nil, err
	}
	q.batches = n.foldBatchNorm()
	n.bypass()
	for _, x := range n.g.Node {
		within(x, func(y *onnxpb.NodeProto) {
			if layer(y) && !is(y, "BatchNormalization") {
				q.float = append(q.float, Int8Float{label(y), y.GetOpType(), fmt.Sprintf("it lies in a body of %s (%s)", label(x), x.GetOpType())})
			}
		})
		l, why := q.layer(x)
		switch {
		case l == nil && why == "":
			continue
		case why == "":
			kept, err := s.Kept(append([]string{x.GetName()}, x.GetInput()...)...)
			if err != nil {
				return nil, err
			}
			if kept {
				why = "kept by --keep"
			}
		}
		if why != "" {
			q.float = append(q.float, Int8Float{label(x), x.GetOpType(), why})
			continue
		}
		q.layers, q.of[x] = append(q.layers, l), l
	}
	if len(q.layers) == 0 {
		return nil, q.nothing()
	}
	return q, nil
}

// nothing is the error of a model without a layer to quantise.
func (q *int8Net) nothing() error {
	if len(q.float) == 0 {
		return fmt.Errorf("%w: the model has no Conv, Gemm or MatMul", errNone)
	}
	f := q.float[0]
	if slices.ContainsFunc(q.float, func(x Int8Float) bool { return x.Why != "kept by --keep" }) {
		return fmt.Errorf("%w: no layer can be quantised; the first of %d, %s (%s): %s", errNone, len(q.float), f.Node, f.Op, f.Why)
	}
	return Ask("--keep keeps all %d layers in float32: nothing is left to quantise", len(q.float))
}

// layer is x as a layer to quantise, or why it is none although it multiplies; both are empty for other nodes.
func (q *int8Net) layer(x *onnxpb.NodeProto) (*int8Layer, string) {
	if !is(x, "Conv", "ConvTranspose", "Gemm", "MatMul") {
		if slices.Contains([]string{"LSTM", "GRU", "RNN", "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"}, x.GetOpType()) ||
			x.GetDomain() == "com.microsoft" && strings.Contains(x.GetOpType(), "Conv") || strings.Contains(x.GetOpType(), "MatMul") {
			return nil, "the operator is not one of those that are quantised: Conv, Gemm, MatMul"
		}
		return nil, ""
	}
	w := q.constant(in(x, 1))
	switch {
	case w == nil && q.constant(in(x, 0)) != nil:
		return nil, "the stored factor stands before the computed one"
	case w == nil && q.maker[in(x, 1)] != nil && is(q.maker[in(x, 1)], "DequantizeLinear"):
		return nil, "its weights are quantised already"
	case w == nil:
		return nil, "both factors are computed"
	case w.DType() != tensor.Float32:
		return nil, fmt.Sprintf("its weights are %v, and float32 is what can be quantised: export the model in float32", w.DType())
	}
	l := &int8Layer{x: x, w: w, axis: -1, static: true}
	bias := ""
	switch x.GetOpType() {
	case "Conv":
		l.axis, bias = 0, in(x, 2)
	case "ConvTranspose":
		if bias, l.static = "", false; number(x, "group", 1) == 1 {
			l.axis = 1
		}
	case "MatMul":
		if w.Rank() != 2 {
			return nil, fmt.Sprintf("its weights have %d axes", w.Rank())
		}
		l.axis = 1
	case "Gemm":
		if number(x, "transA", 0) != 0 {
			return nil, "its input is transposed"
		}
		if l.axis = 1; number(x, "transB", 0) != 0 {
			l.axis = 0
		}
		bias = in(x, 2)
		l.w = scaled(w, float(x, "alpha", 1))
	}
	if bias != "" {
		t := q.constant(bias)
		n := l.w.Dim(l.axis)
		switch {
		case t == nil || t.DType() != tensor.Float32:
			return nil, "its bias is computed"
		case t.Len() != n && t.Len() != 1 || t.Rank() > 1 && t.Dim(t.Rank()-1) != t.Len():
			return nil, fmt.Sprintf("its bias has the shape %v", t.Shape())
		}
		l.bias = make([]float32, n)
		for i := range l.bias {
			l.bias[i] = t.F32()[min(i, t.Len()-1)] * beta(x)
		}
	}
	if !q.m.PerChannel {
		l.axis = -1
	}
	return l, ""
}

// beta is the factor of the bias of x.
func beta(x *onnxpb.NodeProto) float32 {
	if x.GetOpType() == "Gemm" {
		return float(x, "beta", 1)
	}
	return 1
}

// scaled is k·t.
func scaled(t *tensor.Tensor, k float32) *tensor.Tensor {
	if k == 1 {
		return t
	}
	t = t.Clone()
	for i := range t.F32() {
		t.F32()[i] *= k
	}
	return t
}

// bypass takes away nodes that do nothing in inference: Identity, and Dropout that is not in training.
func (n *net) bypass() {
	for _, x := range slices.Clone(n.g.Node) {
		if !is(x, "Identity", "Dropout") || n.extra(x) || n.outputs[x.GetOutput()[0]] {
			continue
		}
		if t := n.constant(in(x, 2)); x.GetOpType() == "Dropout" && in(x, 2) != "" && (t == nil || t.DType() != tensor.Bool ||
			tensor.Data[bool](t)[0]) {
			continue
		}
		inner := false
		from, to := x.GetOutput()[0], in(x, 0)
		for _, r := range n.readers[from] {
			inner = inner || !slices.Contains(r.GetInput(), from)
		}
		if inner { // a body reads it
			continue
		}
		for _, r := range n.readers[from] {
			for i, name := range r.GetInput() {
				if name == from {
					r.Input[i] = to
				}
			}
		}
		n.replace(x)
		n.index()
	}
}

// Plan says which layers are quantised.
func (m *Int8) Plan(ctx context.Context, s *Subject) ([]string, error) {
	q, err := m.open(ctx, s)
	if err != nil {
		return nil, err
	}
	lines := []string{fmt.Sprintf("%s are quantised (%s)", units.Plural(len(q.layers), "layer"), m.Mode)}
	for _, f := range q.float {
		lines = append(lines, fmt.Sprintf("%s (%s) stays in float32: %s", f.Node, f.Op, f.Why))
	}
	if m.Mode == "static" {
		lines = append(lines, fmt.Sprintf("scales of activations by %s over %s", m.Calibration, units.Plural(min(m.Samples, s.Data.Len()),
			"example")))
	}
	return lines, nil
}

// Compress quantises the model.
func (m *Int8) Compress(ctx context.Context, s *Subject) (*Result, error) {
	q, err := m.open(ctx, s)
	if err != nil {
		return nil, err
	}
	r := &Int8Report{Mode: m.Mode, Float: q.float, Folded: q.batches, Layers: []Int8Layer{}}
	if r.Float == nil {
		r.Float = []Int8Float{}
	}
	for _, l := range q.layers {
		r.Layers = append(r.Layers, Int8Layer{Node: label(l.x), Op: l.x.GetOpType(), Weights: l.w.Len()})
	}
	if err := q.means(ctx); err != nil {
		return nil, err
	}
	switch m.Mode {
	case "static":
		err = q.static(ctx, r)
	case "dynamic":
		q.dynamic()
	default:
		q.weightsOnly()
	}
	if err != nil {
		return nil, err
	}
	res := &Result{File: q.net.m, Details: r, Write: layersCSV(r.table())}
	res.Says = r.says()
	if m.Activations == "uint8" && !m.ReduceRange && m.Mode != "weights" {
		s.Note("ONNX Runtime sums products of uint8 and int8 in pairs of 16 bits on x86 processors without VNNI, where they may saturate; " +
			"gtk's sums are exact. For such processors: int8:reduce-range=true, weights of 7 bits")
	}
	return res, nil
}

// says is what was done, in lines.
func (r *Int8Report) says() []string {
	n := 0
	for _, l := range r.Layers {
		n += l.Weights
	}
	lines := []string{fmt.Sprintf("int8 %s: %s with %s weights", r.Mode, units.Plural(len(r.Layers), "layer"), units.Count(n))}
	if r.Folded > 0 {
		lines[0] += fmt.Sprintf(", %s folded into them", units.Plural(r.Folded, "batch normalisation"))
	}
	if r.Mode == "static" {
		lines[0] += fmt.Sprintf("; scales of %s by %s over %s", units.Plural(r.Activations, "value"), r.Calibration,
			units.Plural(r.Samples, "example"))
	}
	for i, f := range r.Float {
		if i == 5 {
			lines = append(lines, fmt.Sprintf("… and %d more stay in float32", len(r.Float)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s (%s) stays in float32: %s", f.Node, f.Op, f.Why))
	}
	worst := slices.Clone(r.Layers)
	worst = slices.DeleteFunc(worst, func(l Int8Layer) bool { return l.SQNR == nil })
	slices.SortStableFunc(worst, func(a, b Int8Layer) int {
		switch {
		case *a.SQNR < *b.SQNR:
			return -1
		case *a.SQNR > *b.SQNR:
			return 1
		}
		return 0
	})
	if len(worst) > 0 {
		var w []string
		for _, l := range worst[:min(3, len(worst))] {
			w = append(w, fmt.Sprintf("%s %.1f dB", l.Node, *l.SQNR))
		}
		lines = append(lines, "the outputs that changed most, signal over change: "+strings.Join(w,
			", ")+" (--keep-float keeps a layer in float32)")
	}
	return lines
}
