package naive

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// anyAttrs has every attribute of the operators of the oracle, so that the oracle can be tested without the engine's operators.
type anyAttrs struct {
	AllowZero       *int           `onnx:"allowzero"`
	Alpha           *float32       `onnx:"alpha"`
	Beta            *float32       `onnx:"beta"`
	Gamma           *float32       `onnx:"gamma"`
	Bias            *float32       `onnx:"bias"`
	Lambd           *float32       `onnx:"lambd"`
	Min             *float32       `onnx:"min"`
	Max             *float32       `onnx:"max"`
	Epsilon         *float32       `onnx:"epsilon"`
	Momentum        *float32       `onnx:"momentum"`
	CubicCoeff      *float32       `onnx:"cubic_coeff_a"`
	Extrapolation   *float32       `onnx:"extrapolation_value"`
	Ratio           *float32       `onnx:"ratio"`
	Clip            *float32       `onnx:"clip"`
	ValueFloat      *float32       `onnx:"value_float"`
	Seed            *int           `onnx:"seed"`
	AlignCorners    *int           `onnx:"align_corners"`
	CenterPointBox  *int           `onnx:"center_point_box"`
	OffsetGroup     *int           `onnx:"offset_group"`
	OutputHeight    *int           `onnx:"output_height"`
	OutputWidth     *int           `onnx:"output_width"`
	PaddingMode     string         `onnx:"padding_mode"`
	SamplingRatio   *int           `onnx:"sampling_ratio"`
	SpatialScale    *float32       `onnx:"spatial_scale"`
	Antialias       *int           `onnx:"antialias"`
	Axis            *int           `onnx:"axis"`
	BatchDims       *int           `onnx:"batch_dims"`
	BatchAxis       *int           `onnx:"batch_axis"`
	TimeAxis        *int           `onnx:"time_axis"`
	Blocksize       *int           `onnx:"blocksize"`
	BlockSize       *int           `onnx:"block_size"`
	OutputDType     *int           `onnx:"output_dtype"`
	CeilMode        *int           `onnx:"ceil_mode"`
	CountIncludePad *int           `onnx:"count_include_pad"`
	DetectNegative  *int           `onnx:"detect_negative"`
	DetectPositive  *int           `onnx:"detect_positive"`
	DType           *int           `onnx:"dtype"`
	End             *int           `onnx:"end"`
	Start           *int           `onnx:"start"`
	Exclusive       *int           `onnx:"exclusive"`
	Reverse         *int           `onnx:"reverse"`
	ExcludeOutside  *int           `onnx:"exclude_outside"`
	FMod            *int           `onnx:"fmod"`
	Group           *int           `onnx:"group"`
	HiddenSize      *int           `onnx:"hidden_size"`
	IgnoreIndex     *int           `onnx:"ignore_index"`
	InputForget     *int           `onnx:"input_forget"`
	K               *int           `onnx:"k"`
	KeepDims        *int           `onnx:"keepdims"`
	Largest         *int           `onnx:"largest"`
	Layout          *int           `onnx:"layout"`
	LBR             *int           `onnx:"linear_before_reset"`
	NoopEmpty       *int           `onnx:"noop_with_empty_axes"`
	NumGroups       *int           `onnx:"num_groups"`
	NumOutputs      *int           `onnx:"num_outputs"`
	NumScanInputs   *int           `onnx:"num_scan_inputs"`
	P               *int           `onnx:"p"`
	Saturate        *int           `onnx:"saturate"`
	SelectLast      *int           `onnx:"select_last_index"`
	Size            *int           `onnx:"size"`
	Sorted          *int           `onnx:"sorted"`
	StashType       *int           `onnx:"stash_type"`
	StorageOrder    *int           `onnx:"storage_order"`
	To              *int           `onnx:"to"`
	TrainingMode    *int           `onnx:"training_mode"`
	TransA          *int           `onnx:"transA"`
	TransB          *int           `onnx:"transB"`
	Upper           *int           `onnx:"upper"`
	ValueInt        *int           `onnx:"value_int"`
	Broadcast       *int           `onnx:"broadcast"`
	Spatial         *int           `onnx:"spatial"`
	IsTest          *int           `onnx:"is_test"`
	Approximate     string         `onnx:"approximate"`
	AutoPad         string         `onnx:"auto_pad"`
	Coordinates     string         `onnx:"coordinate_transformation_mode"`
	Direction       string         `onnx:"direction"`
	Equation        string         `onnx:"equation"`
	KeepAspect      string         `onnx:"keep_aspect_ratio_policy"`
	Mode            string         `onnx:"mode"`
	NearestMode     string         `onnx:"nearest_mode"`
	Reduction       string         `onnx:"reduction"`
	RoundMode       string         `onnx:"round_mode"`
	ValueString     string         `onnx:"value_string"`
	Activations     []string       `onnx:"activations"`
	ValueStrings    []string       `onnx:"value_strings"`
	ActivationAlpha []float32      `onnx:"activation_alpha"`
	ActivationBeta  []float32      `onnx:"activation_beta"`
	Scales          []float32      `onnx:"scales"`
	ValueFloats     []float32      `onnx:"value_floats"`
	Axes            []int          `onnx:"axes"`
	Dilations       []int          `onnx:"dilations"`
	Ends            []int          `onnx:"ends"`
	KernelShape     []int          `onnx:"kernel_shape"`
	OutputPadding   []int          `onnx:"output_padding"`
	OutputShape     []int          `onnx:"output_shape"`
	Pads            []int          `onnx:"pads"`
	Paddings        []int          `onnx:"paddings"`
	Perm            []int          `onnx:"perm"`
	ScanInputAxes   []int          `onnx:"scan_input_axes"`
	ScanInputDirs   []int          `onnx:"scan_input_directions"`
	ScanOutputAxes  []int          `onnx:"scan_output_axes"`
	ScanOutputDirs  []int          `onnx:"scan_output_directions"`
	Shape           []int          `onnx:"shape"`
	Split           []int          `onnx:"split"`
	Starts          []int          `onnx:"starts"`
	Strides         []int          `onnx:"strides"`
	ValueInts       []int          `onnx:"value_ints"`
	Value           *tensor.Tensor `onnx:"value"`
	Periodic        *int           `onnx:"periodic"`
	OutputDatatype  *int           `onnx:"output_datatype"`
	Inverse         *int           `onnx:"inverse"`
	Onesided        *int           `onnx:"onesided"`
	MaxGramLength   *int           `onnx:"max_gram_length"`
	MinGramLength   *int           `onnx:"min_gram_length"`
	MaxSkipCount    *int           `onnx:"max_skip_count"`
	NgramCounts     []int          `onnx:"ngram_counts"`
	NgramIndexes    []int          `onnx:"ngram_indexes"`
	PoolInt64s      []int          `onnx:"pool_int64s"`
	Weights         []float32      `onnx:"weights"`
	IsCausal        *int           `onnx:"is_causal"`
	QNumHeads       *int           `onnx:"q_num_heads"`
	KVNumHeads      *int           `onnx:"kv_num_heads"`
	QKOutputMode    *int           `onnx:"qk_matmul_output_mode"`
	Precision       *int           `onnx:"softmax_precision"`
	NumHeads        *int           `onnx:"num_heads"`
	RotaryDim       *int           `onnx:"rotary_embedding_dim"`
	Interleaved     *int           `onnx:"interleaved"`
	ChunkSize       *int           `onnx:"chunk_size"`
	Scale           *float32       `onnx:"scale"`
	Softcap         *float32       `onnx:"softcap"`
	UpdateRule      string         `onnx:"update_rule"`
	Activation      string         `onnx:"activation"`
}

// padAttrs is for Pad before version 11, whose value is a number.
type padAttrs struct {
	Mode     string   `onnx:"mode"`
	Pads     []int    `onnx:"pads"`
	Paddings []int    `onnx:"paddings"`
	Value    *float32 `onnx:"value"`
}

var specs = map[string]*graph.Spec{}

// specOf is a stand-in for the definition of an operator, of the type of its first input.
func specOf(domain, name string) *graph.Spec {
	if s := specs[key(domain, name)]; s != nil {
		return s
	}
	in := append(slices.Repeat([]graph.Formal{{Name: "in", Optional: true}}, 16), graph.Formal{Name: "in", Variadic: true, Optional: true})
	bodies := map[string][]string{"If": {"then_branch", "else_branch"}, "Loop": {"body"}, "Scan": {"body"},
		"FlexAttention": {"score_mod", "prob_mod"}}[name]
	types := func(ins, outs []tensor.DType) error {
		d := tensor.Float32
		if len(ins) > 0 {
			d = ins[0]
		}
		for i := range outs {
			outs[i] = d
		}
		return nil
	}
	var s *graph.Spec
	if name == "Pad" {
		s = graph.Def[padAttrs]{Name: name, Since: []int{1}, In: in, Out: in,
			Types: func(_ *padAttrs, ins, outs []tensor.DType) error { return types(ins, outs) }}.Spec()
	} else {
		s = graph.Def[anyAttrs]{Name: name, Since: []int{1}, In: in, Out: in, Bodies: bodies, Loose: true,
			Types: func(_ *anyAttrs, ins, outs []tensor.DType) error { return types(ins, outs) }}.Spec()
	}
	if domain != "ai.onnx" {
		s.Domain = domain
	}
	specs[key(domain, name)] = s
	return s
}

var errSkip = errors.New("the oracle does not have it")

// reader builds a graph of stand-ins from a model file.
type reader struct {
	m     *onnx.Model
	outer *reader
	g     *graph.Graph
	b     *graph.Builder
	names map[string]graph.Value
	caps  []string
}

func (r *reader) find(name string) graph.Value {
	if v, ok := r.names[name]; ok {
		return v
	}
	if r.outer == nil || r.outer.find(name) == 0 {
		return 0
	}
	v := r.g.AddInput(name, tensor.Float32, nil)
	r.names[name] = v
	r.caps = append(r.caps, name)
	return v
}

func elem(v *onnxpb.ValueInfoProto) tensor.DType {
	if tt := v.GetType().GetTensorType(); tt != nil {
		return tensor.DType(tt.GetElemType())
	}
	return tensor.Undefined
}

func (r *reader) read(p *onnxpb.GraphProto) error {
	initialized := map[string]bool{}
	for _, tp := range p.GetInitializer() {
		initialized[tp.GetName()] = true
	}
	for _, vi := range p.GetInput() {
		if initialized[vi.GetName()] {
			continue
		}
		if elem(vi) == tensor.Undefined {
			return fmt.Errorf("%w: input that is no tensor", errSkip)
		}
		r.names[vi.GetName()] = r.g.AddInput(vi.GetName(), elem(vi), nil)
	}
	for _, tp := range p.GetInitializer() {
		t, err := r.m.Tensor(tp)
		if err != nil {
			return err
		}
		r.names[tp.GetName()] = r.g.AddConst(tp.GetName(), t)
	}
	for _, n := range p.GetNode() {
		if err := r.node(n); err != nil {
			return err
		}
	}
	for _, vi := range p.GetOutput() {
		v := r.find(vi.GetName())
		if v == 0 {
			return fmt.Errorf("no %q", vi.GetName())
		}
		r.g.Outputs = append(r.g.Outputs, v)
	}
	return r.b.Err()
}

func (r *reader) node(n *onnxpb.NodeProto) error {
	if !Has(n.GetDomain(), n.GetOpType()) {
		return fmt.Errorf("%w: %s", errSkip, n.GetOpType())
	}
	attrs := graph.Attrs{}
	var bodies []*graph.Body
	for _, a := range n.GetAttribute() {
		switch a.GetType() {
		case onnxpb.AttributeProto_INT:
			attrs[a.GetName()] = a.GetI()
		case onnxpb.AttributeProto_FLOAT:
			attrs[a.GetName()] = a.GetF()
		case onnxpb.AttributeProto_STRING:
			attrs[a.GetName()] = string(a.GetS())
		case onnxpb.AttributeProto_INTS:
			attrs[a.GetName()] = append([]int64{}, a.GetInts()...)
		case onnxpb.AttributeProto_FLOATS:
			attrs[a.GetName()] = append([]float32{}, a.GetFloats()...)
		case onnxpb.AttributeProto_STRINGS:
			var ss []string
			for _, s := range a.GetStrings() {
				ss = append(ss, string(s))
			}
			attrs[a.GetName()] = ss
		case onnxpb.AttributeProto_TENSOR:
			t, err := r.m.Tensor(a.GetT())
			if err != nil {
				return err
			}
			attrs[a.GetName()] = t
		case onnxpb.AttributeProto_GRAPH:
			g := graph.New(a.GetName())
			sub := &reader{m: r.m, outer: r, g: g, b: graph.NewBuilder(g), names: map[string]graph.Value{}}
			if err := sub.read(a.GetG()); err != nil {
				return err
			}
			bodies = append(bodies, &graph.Body{Attr: a.GetName(), G: g, Formals: len(a.GetG().GetInput()), Names: sub.caps})
		default:
			return fmt.Errorf("%w: attribute %s", errSkip, a.GetName())
		}
	}
	in, want := make([]graph.Value, len(n.GetInput())), make([]bool, len(n.GetOutput()))
	for i, s := range n.GetInput() {
		if s == "" {
			continue
		}
		if in[i] = r.find(s); in[i] == 0 {
			return fmt.Errorf("no %q", s)
		}
	}
	for i, s := range n.GetOutput() {
		want[i] = s != ""
	}
	spec := specOf(n.GetDomain(), n.GetOpType())
	a, err := spec.DecodeAttrs(attrs)
	if err != nil {
		return fmt.Errorf("%s: %w", n.GetOpType(), err)
	}
	node := r.b.AddNode(n.GetName(), spec, a, in, want, bodies...)
	if node == nil {
		return r.b.Err()
	}
	node.Opset = int(r.m.Opset(n.GetDomain()))
	for i, s := range n.GetOutput() {
		if s != "" {
			r.names[s] = node.Out[i]
		}
	}
	for _, b := range bodies {
		for _, name := range b.Names {
			node.In = append(node.In, r.find(name))
		}
	}
	return nil
}

// TestOfficialSuite runs the oracle on the official cases of the operators that it has. How many pass of each stands in
// testdata/passes.txt.
func TestOfficialSuite(t *testing.T) {
	cases := testkit.OfficialSuite(t)
	known := testkit.ReadKnownFailures(t, "testdata/known_failures.txt")
	tally := testkit.NewTally("suite")
	for name := range operators {
		tally.Row(name)
	}
	passed, skipped := 0, 0
	for _, c := range cases {
		if c.Suite == "light" {
			continue
		}
		name := c.Suite + "/" + c.Name
		used, err := runCase(c)
		if errors.Is(err, errSkip) {
			skipped++
			continue
		}
		if err == nil {
			passed++
			for op := range used {
				tally.Add(op, "suite", 1)
			}
		}
		t.Run(name, func(t *testing.T) { known.Check(t, name, err) })
	}
	known.CheckStale(t)
	t.Logf("%d cases pass, %d need operators or types that the oracle does not have", passed, skipped)
	command := "go test ./internal/naive -run '^TestOfficialSuite$' -update"
	tally.Check(t, "testdata/passes.txt",
		"Cases of the official suite that use the operator and that the oracle computes.\nWritten by: "+command, command)
}

// operatorsIn adds the names of the operators of g and its bodies to used.
func operatorsIn(g *graph.Graph, used map[string]bool) {
	for _, n := range g.Nodes {
		used[key(n.Op.Domain, n.Op.Name)] = true
		for _, b := range n.Bodies {
			operatorsIn(b.G, used)
		}
	}
}

// runCase computes one case, of the operators that it returns.
func runCase(c testkit.Case) (used map[string]bool, err error) {
	used = map[string]bool{}
	m, err := onnx.ReadFile(c.Model)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errSkip, err)
	}
	g := graph.New(c.Name)
	r := &reader{m: m, g: g, b: graph.NewBuilder(g), names: map[string]graph.Value{}}
	if err := r.read(m.Proto.GetGraph()); err != nil {
		return nil, err
	}
	operatorsIn(g, used)
	for _, set := range c.Sets {
		feeds := map[string]*tensor.Tensor{}
		for i, f := range set.Inputs {
			_, x, err := onnx.ReadTensorFile(f)
			if err != nil {
				return used, fmt.Errorf("%w: %v", errSkip, err)
			}
			feeds[g.Info(g.Inputs[i]).Name] = x
		}
		out, err := Run(g, feeds)
		if err != nil {
			return used, err
		}
		for i, f := range set.Outputs {
			_, want, err := onnx.ReadTensorFile(f)
			if err != nil {
				return used, fmt.Errorf("%w: %v", errSkip, err)
			}
			if slices.Contains([]tensor.DType{tensor.Complex64, tensor.Complex128}, want.DType()) {
				return used, errSkip
			}
			got := out[g.Info(g.Outputs[i]).Name]
			if want.DType().IsFloat() && got.DType() == tensor.Float64 {
				if want, err = want.Convert(tensor.Float64); err != nil {
					return used, err
				}
			}
			if strings.Contains(c.Name, "dropout") && want.DType() != got.DType() {
				return used, fmt.Errorf("type %v, want %v", got.DType(), want.DType())
			}
			if ok, report := tensor.AllClose(got, want, 1e-3, 1e-5); !ok {
				return used, fmt.Errorf("output %d: %v", i, report)
			}
		}
	}
	return used, nil
}
