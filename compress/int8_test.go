package compress

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// draw is a tensor of normal numbers times k.
func draw(r *rand.Rand, k float64, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(k * r.NormFloat64())
	}
	return t
}

// mixed is a model with all that static quantisation knows: Conv with BatchNormalization and Relu, Clip, a residual sum, depthwise,
// MaxPool, Concat, Pad, pooling, Flatten, Gemm, and a MatMul with a sum behind it.
func mixed() *onnx.Model {
	r := rand.New(rand.NewPCG(5, 5))
	g := &onnxpb.GraphProto{Name: new("mixed")}
	put := func(name string, t *tensor.Tensor) string {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(name, t))
		return name
	}
	node := func(op, out string, ins []string, attrs ...*onnxpb.AttributeProto) string {
		g.Node = append(g.Node, onnx.NewNode(op, out, ins, []string{out}, attrs...))
		return out
	}
	ones := func(n int, lo float64) *tensor.Tensor {
		t := tensor.New(tensor.Float32, n)
		for i := range t.F32() {
			t.F32()[i] = float32(lo + r.Float64())
		}
		return t
	}
	pads := onnx.AttrInts("pads", 1, 1, 1, 1)
	a := node("Conv", "c1", []string{"x", put("w1", draw(r, 0.3, 8, 3, 3, 3))}, pads)
	a = node("BatchNormalization", "b1", []string{a, put("g", ones(8, 0.5)), put("b", draw(r, 0.3, 8)), put("m", draw(r, 0.3, 8)),
		put("v", ones(8, 0.5))})
	a = node("Relu", "r1", []string{a})
	d := node("Conv", "c2", []string{a, put("w2", draw(r, 0.3, 8, 1, 3, 3)), put("bias2", draw(r, 0.2, 8))}, pads, onnx.AttrInt("group", 8))
	d = node("Clip", "k2", []string{d, put("zero", tensor.Scalar(float32(0))), put("six", tensor.Scalar(float32(6)))})
	d = node("Conv", "c3", []string{d, put("w3", draw(r, 0.3, 8, 8, 1, 1)), put("bias3", draw(r, 0.2, 8))})
	s := node("Relu", "r3", []string{node("Add", "sum", []string{a, d})})
	p := node("MaxPool", "p", []string{s}, onnx.AttrInts("kernel_shape", 2, 2), onnx.AttrInts("strides", 2, 2))
	e1 := node("Relu", "e1", []string{node("Conv", "c4", []string{p, put("w4", draw(r, 0.3, 6, 8, 1, 1)), put("bias4", draw(r, 0.2, 6))})})
	e2 := node("Conv", "c5", []string{p, put("w5", draw(r, 0.3, 6, 8, 3, 3)), put("bias5", draw(r, 0.2, 6))}, pads)
	c := node("Concat", "cat", []string{e1, e2}, onnx.AttrInt("axis", 1))
	c = node("Pad", "pad", []string{c, put("pads", tensor.From([]int64{0, 2, 0, 0, 0, 0, 1, 1}, 8))})
	c = node("Conv", "c6", []string{c, put("w6", draw(r, 0.3, 10, 14, 3, 3)), put("bias6", draw(r, 0.2, 10))})
	f := node("Flatten", "f", []string{node("GlobalAveragePool", "gap", []string{node("Relu", "r6", []string{c})})})
	h := node("Relu", "h", []string{node("Gemm", "fc", []string{f, put("w7", draw(r, 0.4, 12, 10)), put("bias7", draw(r, 0.2, 12))},
		onnx.AttrInt("transB", 1))})
	node("Add", "y", []string{node("MatMul", "mm", []string{h, put("w8", draw(r, 0.4, 12, 5))}), put("bias8", draw(r, 0.2, 5))})
	g.Input = []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", 3, 12, 12)}
	g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", 5)}
	return onnx.NewModel(g, 13)
}

// subject is m with examples of the shape of its input.
func subject(t *testing.T, m *onnx.Model, n int, shape ...int) *Subject {
	t.Helper()
	e, err := engine.Load(m, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	x := draw(rand.New(rand.NewPCG(9, 9)), 1, append([]int{n}, shape...)...)
	path := filepath.Join(t.TempDir(), "x.npz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := tensor.WriteNPZ(f, []tensor.Named{{Name: "x", Tensor: x}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	ds, err := data.Open("npz:"+path, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := ds.Example(0)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := feed.New(e, first, feed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &Subject{Model: e, Data: ds, Feed: plan, Batch: 8}
}

// sqnr is the signal of want over what changes it in got, in dB.
func sqnr(want, got []float64) float64 {
	var s, e float64
	for i, v := range want {
		s, e = s+v*v, e+(v-got[i])*(v-got[i])
	}
	return 10 * math.Log10(s/e)
}

func count(m *onnx.Model, op string) int {
	n := 0
	for _, x := range m.Proto.GetGraph().GetNode() {
		if x.GetOpType() == op {
			n++
		}
	}
	return n
}

func TestInt8Modes(t *testing.T) {
	m := mixed()
	before, _ := m.Bytes()
	for _, x := range []struct {
		spec  string
		least float64 // dB
	}{
		{"int8", 22}, {"int8:calibration=minmax", 22}, {"int8:calibration=entropy", 20}, {"int8:calibration=percentile", 22},
		{"int8:activations=int8", 22}, {"int8:symmetric=true", 20}, {"int8:per-channel=false", 18}, {"int8:reduce-range=true", 18},
		{"int8:dynamic", 24}, {"int8:dynamic:per-channel=false", 20}, {"int8:weights", 24}, {"int8:activations=int8:symmetric=true", 18},
	} {
		t.Run(x.spec, func(t *testing.T) {
			s := subject(t, m, 64, 3, 12, 12)
			res, err := methodOf(t, x.spec).Compress(context.Background(), s)
			if err != nil {
				t.Fatal(err)
			}
			want, got := outputsOf(t, m)[0].Float64s(), outputsOf(t, res.File)[0].Float64s()
			if db := sqnr(want, got); !(db >= x.least) {
				t.Errorf("%.1f dB of the output are left, want %g", db, x.least)
			}
			if n := count(res.File, "BatchNormalization"); n != 0 {
				t.Errorf("%d batch normalisations are left", n)
			}
			r := res.Details.(*Int8Report)
			if len(r.Layers) != 8 || len(r.Float) != 0 {
				t.Errorf("%d layers are quantised, %v are not", len(r.Layers), r.Float)
			}
			for _, p := range res.File.Proto.GetGraph().GetInitializer() {
				if p.GetDataType() == int32(tensor.Float32) && len(p.GetDims()) > 1 {
					t.Errorf("%s is float32%v still", p.GetName(), p.GetDims())
				}
			}
			if err := res.File.Check(); err != nil {
				t.Error(err)
			}
		})
	}
	if after, _ := m.Bytes(); string(before) != string(after) {
		t.Error("the model that was quantised changed")
	}
}

// In the file that static quantisation writes, saturation does what Relu and Clip did, and what moves numbers moves integers.
func TestInt8Form(t *testing.T) {
	s := subject(t, mixed(), 64, 3, 12, 12)
	res, err := methodOf(t, "int8:calibration=minmax").Compress(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	// one Relu before Concat
	for op, want := range map[string]int{"Clip": 0, "Relu": 1, "MaxPool": 1, "Concat": 1, "Conv": 6, "QuantizeLinear": 10} {
		if n := count(res.File, op); n != want {
			t.Errorf("%d %s, want %d", n, op, want)
		}
	}
	maker := map[string]*onnxpb.NodeProto{}
	for _, x := range res.File.Proto.GetGraph().GetNode() {
		for _, o := range x.GetOutput() {
			maker[o] = x
		}
	}
	for _, x := range res.File.Proto.GetGraph().GetNode() {
		switch x.GetOpType() {
		case "MaxPool", "Concat", "Pad", "Flatten":
			for i, v := range x.GetInput() {
				if i > 0 && x.GetOpType() != "Concat" {
					break
				}
				if m := maker[v]; m.GetOpType() == "DequantizeLinear" {
					t.Errorf("%s moves real numbers", x.GetName())
				}
			}
		case "Conv":
			for _, v := range x.GetInput() {
				if maker[v].GetOpType() != "DequantizeLinear" {
					t.Errorf("%s reads %s of %s", x.GetName(), v, maker[v].GetOpType())
				}
			}
		}
	}
}

func TestInt8Keep(t *testing.T) {
	s := subject(t, mixed(), 16, 3, 12, 12)
	s.Keep = []string{"c1", "w8"}
	res, err := methodOf(t, "int8").Compress(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	r := res.Details.(*Int8Report)
	if len(r.Layers) != 6 || len(r.Float) != 2 || r.Float[0].Why != "kept by --keep" {
		t.Errorf("%d layers are quantised, %v are not", len(r.Layers), r.Float)
	}
	s.Keep = []string{"*"}
	if _, err := methodOf(t, "int8").Compress(context.Background(), s); err == nil || !strings.Contains(err.Error(),
		"--keep keeps all 8 layers") {
		t.Errorf("all kept: %v", err)
	}
}

func TestInt8Refusals(t *testing.T) {
	half := mixed()
	for _, p := range half.Proto.GetGraph().GetInitializer() {
		if p.GetDataType() != int32(tensor.Float32) {
			continue
		}
		v, err := half.Tensor(p)
		if err != nil {
			t.Fatal(err)
		}
		h, _ := v.Convert(tensor.Float16)
		*p = *onnx.TensorToProto(p.GetName(), h) //nolint:govet // a message of its own
	}
	half.Proto.GetGraph().Input[0] = onnx.ValueInfo("x", tensor.Float16, "N", 3, 12, 12)
	half.Proto.GetGraph().Output[0] = onnx.ValueInfo("y", tensor.Float16, "N", 5)
	lstm, err := models.New("lstm", models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	twice := subject(t, mixed(), 16, 3, 12, 12)
	once, err := methodOf(t, "int8").Compress(context.Background(), twice)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		m    *onnx.Model
		want string
	}{{half, "its weights are float16"}, {once.File, "its weights are quantised already"}} {
		e, err := engine.Load(x.m, engine.WithThreads(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := methodOf(t, "int8:weights").Compress(context.Background(), &Subject{Model: e}); err == nil || !strings.Contains(err.Error(),
			x.want) {
			t.Errorf("want %q, have %v", x.want, err)
		}
	}
	e, err := engine.Load(lstm, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	res, err := methodOf(t, "int8:dynamic").Compress(context.Background(), &Subject{Model: e})
	if err != nil {
		t.Fatal(err)
	}
	if r := res.Details.(*Int8Report); len(r.Float) != 1 || r.Float[0].Op != "LSTM" {
		t.Errorf("of an LSTM and a layer: %+v", r)
	}
	if _, err := methodOf(t, "int8:weights").Compress(context.Background(), &Subject{Model: e, MACs: 0.5}); err == nil {
		t.Error("--macs is taken")
	}
}

// What ONNX Runtime gives for a file of static, and one of dynamic quantisation: testdata/int8.json says how it was made.
func TestInt8OfONNXRuntime(t *testing.T) {
	b, err := os.ReadFile("testdata/int8.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Static, Dynamic, X []float64
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float64{"static": golden.Static, "dynamic": golden.Dynamic} {
		m, err := onnx.ReadFile("testdata/int8_" + name + ".onnx")
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.Load(m, engine.WithThreads(1))
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Session(engine.Query{})
		if err != nil {
			t.Fatal(err)
		}
		x := tensor.New(tensor.Float32, 4, 3, 12, 12)
		for i := range x.F32() {
			x.F32()[i] = float32(golden.X[i])
		}
		r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		got := r.Value("y").Float64s()
		for i, v := range want {
			if math.Abs(got[i]-v) > 2e-5*max(1, math.Abs(v)) {
				t.Errorf("%s: y[%d] = %g, ONNX Runtime gives %g", name, i, got[i], v)
			}
		}
	}
}

func TestCalibration(t *testing.T) {
	see := func(x ...float32) *observed {
		o := &observed{}
		o.widen(x)
		o.count(x)
		return o
	}
	// 0.5 % at each end of 1000 numbers from 0 to 999 are five.
	var ramp []float32
	for i := range 1000 {
		ramp = append(ramp, float32(i))
	}
	if lo, hi := see(ramp...).percentile(99); math.Abs(lo-5) > 1 || math.Abs(hi-994.5) > 1 {
		t.Errorf("percentile 99 of 0 … 999: %g to %g", lo, hi)
	}
	if lo, hi := see(ramp...).percentile(100); lo != 0 || hi != 999 {
		t.Errorf("percentile 100 of 0 … 999: %g to %g", lo, hi)
	}
	// Half of the numbers are zeros, which count.
	if lo, hi := see(append(make([]float32, 1000), ramp...)...).percentile(99); lo > 0.5 || math.Abs(hi-990) > 1.5 {
		t.Errorf("percentile 99 of 1000 zeros and 0 … 999: %g to %g", lo, hi)
	}
	// Normal numbers and one far away: the range leaves that out.
	r := rand.New(rand.NewPCG(1, 1))
	x := []float32{40}
	for range 20000 {
		x = append(x, float32(r.NormFloat64()))
	}
	o := see(x...)
	if lo, hi := o.entropy(256); hi > 12 || hi < 2.5 || lo > -2.5 {
		t.Errorf("entropy of normal numbers and 40: %g to %g", lo, hi)
	}
	// What mse chooses changes the numbers no more than other ranges.
	mean := func(lo, hi float64) float64 {
		s, sum := stepsFor(lo, hi, tensor.Uint8, false), 0.0
		for _, v := range x {
			q := min(max(math.RoundToEven(float64(v)/float64(s.scale))+float64(s.zero), 0), 255)
			d := (q-float64(s.zero))*float64(s.scale) - float64(v)
			sum += d * d
		}
		return sum / float64(len(x))
	}
	for k := range 4 {
		x = x[:0]
		for range 20000 { // tails of more and more weight
			x = append(x, float32(math.Pow(math.Abs(r.NormFloat64()), 1+float64(k))*float64(1-2*r.IntN(2))))
		}
		o := see(x...)
		best := mean(o.mse(256))
		for name, other := range map[string]float64{"minmax": mean(o.lo, o.hi), "entropy": mean(o.entropy(256)),
			"percentile": mean(o.percentile(99.9)),
			"half":       mean(o.lo/2, o.hi/2)} {
			if best > other*1.02 {
				t.Errorf("power %d: mse leaves %g, %s %g", k+1, best, name, other)
			}
		}
	}
	// Of even numbers nothing is gained by cutting.
	x = x[:0]
	for range 50000 {
		x = append(x, float32(2*r.Float64()-1))
	}
	if lo, hi := see(x...).mse(256); lo > -0.99 || hi < 0.99 {
		t.Errorf("mse of even numbers: %g to %g", lo, hi)
	}
	if o := (&observed{}); o.widen([]float32{1, float32(math.NaN())}) {
		t.Error("NaN has a range")
	}
}

func TestSteps(t *testing.T) {
	for _, x := range []struct {
		lo, hi    float64
		d         tensor.DType
		symmetric bool
		scale     float32
		zero      int
	}{
		{0, 2.55, tensor.Uint8, false, 0.01, 0}, {-1.28, 1.27, tensor.Uint8, false, 0.01, 128}, {-1.28, 1.27, tensor.Int8, false, 0.01, 0},
		{1, 2.55, tensor.Uint8, false, 0.01, 0}, {-2.55, -1, tensor.Uint8, false, 0.01, 255}, {0, 0, tensor.Int8, false, 1, -128},
		{-1.27, 0.5, tensor.Int8, true, 0.01, 0}, {0, 1.27, tensor.Uint8, true, 0.01, 128},
	} {
		s := stepsFor(x.lo, x.hi, x.d, x.symmetric)
		if math.Abs(float64(s.scale/x.scale-1)) > 1e-5 || s.zero != x.zero {
			t.Errorf("steps of %g … %g in %v: %+v", x.lo, x.hi, x.d, s)
		}
	}
}

func TestQuantisedWeights(t *testing.T) {
	w := tensor.From([]float32{1, -0.5, 0.25, 0, 100, -127}, 2, 3)
	q := quantiseWeights(w, 0, 127, nil)
	if !slices.Equal(tensor.Data[int8](q.q), []int8{127, -64, 32, 0, 100, -127}) || q.scale[1] != 1 {
		t.Errorf("rows: %v, scales %v", tensor.Data[int8](q.q), q.scale)
	}
	q = quantiseWeights(w, 1, 63, nil)
	if !slices.Equal(tensor.Data[int8](q.q), []int8{63, 0, 0, 0, 63, -63}) {
		t.Errorf("columns in 7 bits: %v", tensor.Data[int8](q.q))
	}
	// A bias that is large for its weights makes the scale larger, so that it fits into 32 bits.
	q = quantiseWeights(tensor.From([]float32{1e-9, 1}, 2, 1), 0, 127, leastScales([]float32{5, 5}, 0.1))
	b, each := quantiseBias([]float32{5, 5}, 0.1, q.scale)
	for i := range b {
		if math.Abs(float64(b[i])*float64(each[i])-5) > 1e-2 || b[i] == math.MaxInt32 {
			t.Errorf("bias 5 is %d × %g", b[i], each[i])
		}
	}
}

// What rounding the weights changes on average is taken back: of a layer without padding, the mean of each output stays what it was.
func TestInt8Correct(t *testing.T) {
	build := func() *onnx.Model {
		s := newSketch("N", 6, 5, 5)
		w := draw(s.r, 0.4, 8, 3, 3, 3)
		for i := range w.F32() { // one large weight makes the steps coarse
			if i%27 == 0 {
				w.F32()[i] = 30
			}
		}
		far := s.node("Add", "far", []string{"x", s.put("five", tensor.Scalar(float32(5)))})
		s.node("Conv", "y", []string{far, s.put("w", w)}, onnx.AttrInt("group", 2))
		s.g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", 8, 3, 3)}
		return onnx.NewModel(s.g, 13)
	}
	change := func(spec string) float64 {
		m := build()
		s := subject(t, m, 64, 6, 5, 5)
		res, err := methodOf(t, spec).Compress(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		mean := func(m *onnx.Model) []float64 {
			e, err := engine.Load(m, engine.WithThreads(1))
			if err != nil {
				t.Fatal(err)
			}
			run, err := e.Session(engine.Query{})
			if err != nil {
				t.Fatal(err)
			}
			sub := *s
			if sub.Feed, err = s.Feed.With(e); err != nil {
				t.Fatal(err)
			}
			out := make([]float64, 8)
			err = sub.Run(context.Background(), "", run, 64, func(_ *data.Batch, p feed.Part) error {
				for i, v := range p.Value("y").Float64s() {
					out[i/9%8] += v / (64 * 9)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		was, is := mean(m), mean(res.File)
		sum := 0.0
		for i := range was {
			sum += math.Abs(was[i] - is[i])
		}
		return sum
	}
	with, without := change("int8:weights"), change("int8:weights:correct=false")
	if with > without/4 || without < 1e-3 {
		t.Errorf("the means change by %g with the correction, by %g without", with, without)
	}
}
