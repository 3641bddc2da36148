package engine_test

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// number is one number of the given rank.
func number(v float32, rank int) *tensor.Tensor {
	s := make([]int, rank)
	for i := range s {
		s[i] = 1
	}
	return tensor.From([]float32{v}, s...)
}

// table is a position encoding of T positions and d sines and cosines.
func table(steps, d int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, 1, steps, d)
	for p := range steps {
		for i := range d {
			w := math.Pow(10000, -float64(i/2*2)/float64(d))
			t.F32()[p*d+i] = float32(math.Sin(float64(p)*w + float64(i%2)*math.Pi/2))
		}
	}
	return t
}

// What is learned and what is a number of the program, as the exporters of PyTorch, Keras, PaddlePaddle and others write them.
func TestWhatIsLearned(t *testing.T) {
	w := func(shape ...int) *tensor.Tensor { return testkit.RandN(uint64(len(shape)+shape[0]), shape...) }
	three := func(x ...float32) *tensor.Tensor { return tensor.From(x, 3, 1, 1) }
	fill := func(v float32, shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = v
		}
		return x
	}
	attention := func(scale string) []string {
		return []string{"q = MatMul(x, Wq)", "k = MatMul(x, Wk)", "kt = Transpose(k; perm=[0,2,1])", "s = MatMul(q, kt)",
			"s2 = Mul(s, " + scale + ")", "p = Softmax(s2; axis=2)", "y = MatMul(p, x)"}
	}
	// rotary multiplies features by sines and cosines of the angles r, of positions p and frequencies q.
	rotary := func(r string) []string {
		return []string{"x = Gather(E, ids)", "i = Range(zero, six, one)", "f = Cast(i; to=1)", "p = Reshape(f, column)", r,
			"r2 = Concat(r, r; axis=-1)", "c = Cos(r2)", "s = Sin(r2)", "a = Mul(x, c)", "b = Mul(x, s)", "z = Add(a, b)", "y = MatMul(z, k)"}
	}
	falling := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(math.Pow(10000, -float64(i)/4))
		}
		return x
	}
	angles := func(steps, d int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, steps, d)
		for i := range x.F32() {
			x.F32()[i] = float32(i/d) * float32(math.Pow(10000, -float64(i%d)/4))
		}
		return x
	}
	// val_4 is the number that exporters fold from a root; the mask is added before the softmax.
	before := []string{"q0 = MatMul(x, Wq)", "q = Mul(q0, scale)", "k = MatMul(x, Wk)", "kt = Transpose(k; perm=[0,2,1])",
		"s = MatMul(q, kt)", "s2 = Add(s, m)", "p = Softmax(s2; axis=2)", "y = MatMul(p, x)"}
	for _, c := range []struct {
		name   string
		in     string
		nodes  []string
		init   tensors
		consts []string
		want   string // names that are trained
	}{
		{"Dense(1) as MatMul and Add", "x[N,3]", []string{"a = MatMul(x, k)", "y = Add(a, b)"}, tensors{"k": w(3, 1), "b": number(0, 1)},
			nil,
			"b k"},
		{"Dense(1), bias first", "x[N,3]", []string{"a = MatMul(x, k)", "y = Add(b, a)"}, tensors{"k": w(3, 1), "b": number(0.5, 1)}, nil,
			"b k"},
		{"Dense(1) behind a Transpose", "x[N,3]", []string{"kt = Transpose(k; perm=[1,0])", "a = MatMul(x, kt)", "y = Add(a, b)"},
			tensors{"k": w(1, 3), "b": number(0.5, 1)}, nil, "b k"},
		{"Dense(1) in Constant nodes", "x[N,3]", []string{"a = MatMul(x, k)", "y = Add(a, b)"}, tensors{"k": w(3, 1), "b": number(0.5, 1)},
			[]string{"k", "b"}, "b k"},
		{"Dense(1) as Gemm", "x[N,3]", []string{"y = Gemm(x, k, b)"}, tensors{"k": w(3, 1), "b": number(0, 1)}, nil, "b k"},
		{"Dense of one number", "x[N,1]", []string{"a = MatMul(x, k)", "y = Add(a, b)"}, tensors{"k": w(1, 1), "b": number(0, 1)}, nil,
			"b k"},
		{"a number added to Dense(1)", "x[N,3]", []string{"a = MatMul(x, k)", "b0 = Add(a, b)", "y = Add(b0, c)"}, tensors{"k": w(3, 1),
			"b": number(0, 1), "c": number(1, 1)}, nil, "b k"},
		{"a scalar added to Dense(1)", "x[N,3]", []string{"a = MatMul(x, k)", "y = Add(a, c)"}, tensors{"k": w(3, 1), "c": number(1, 0)},
			nil,
			"k"},
		{"a number added to Dense(4)", "x[N,3]", []string{"a = MatMul(x, k)", "y = Add(a, c)"}, tensors{"k": w(3, 4), "c": number(1, 1)},
			nil,
			"k"},
		{"a number added to Gemm with a bias", "x[N,3]", []string{"a = Gemm(x, k, b)", "y = Add(a, c)"},
			tensors{"k": w(3, 1), "b": number(0,
				1), "c": number(1, 1)}, nil, "b k"},
		{"Conv to one channel and Add [1,1,1]", "x[N,2,4,4]", []string{"a = Conv(x, k)", "y = Add(a, b)"}, tensors{"k": w(1, 2, 3, 3),
			"b": number(0, 3)}, nil, "b k"},
		{"Conv to one channel and Add [1,1,1,1]", "x[N,2,4,4]", []string{"a = Conv(x, k)", "y = Add(a, b)"}, tensors{"k": w(1, 2, 3, 3),
			"b": number(0, 4)}, nil, "b k"},
		{"ConvTranspose to one channel and Add", "x[N,2,4,4]", []string{"a = ConvTranspose(x, k)", "y = Add(a, b)"},
			tensors{"k": w(2, 1, 3,
				3), "b": number(0, 4)}, nil, "b k"},
		{"PReLU of one slope", "x[N,3]", []string{"a = MatMul(x, k)", "y = PRelu(a, s)"}, tensors{"k": w(3, 4), "s": number(0.25, 1)}, nil,
			"k s"},

		{"ReZero", "x[N,3]", []string{"a = MatMul(x, k)", "b = Tanh(a)", "c = Mul(b, alpha)", "y = Add(x, c)"}, tensors{"k": w(3, 3),
			"alpha": number(0, 1)}, nil, "alpha k"},
		{"ReZero, unnamed", "x[N,3]", []string{"a = MatMul(x, k)", "b = Tanh(a)", "c = Mul(b, r)", "y = Add(x, c)"}, tensors{"k": w(3, 3),
			"r": number(0, 1)}, nil, "k r"},
		{"ReZero of a module", "x[N,3]", []string{"a = MatMul(x, k)", "b = Tanh(a)", "c = Mul(b, blocks.0.resweight)", "y = Add(x, c)"},
			tensors{"k": w(3, 3), "blocks.0.resweight": number(0.5, 0)}, nil, "blocks.0.resweight k"},
		{"a trained scale", "x[N,3]", []string{"a = MatMul(x, k)", "y = Mul(a, s)"}, tensors{"k": w(3, 3), "s": number(1.3482915, 1)}, nil,
			"k s"},
		{"LayerScale of one number", "x[N,3]", []string{"a = MatMul(x, k)", "b = Tanh(a)", "y = Mul(b, ls1/gamma)"}, tensors{"k": w(3, 3),
			"ls1/gamma": number(1e-5, 1)}, nil, "k ls1/gamma"},
		{"temperature", "x[N,3]", []string{"a = MatMul(x, k)", "b = Div(a, temperature)", "y = Softmax(b; axis=1)"}, tensors{"k": w(3, 4),
			"temperature": number(2, 1)}, nil, "k temperature"},
		{"logit_scale of CLIP", "x[N,3]", []string{"a = MatMul(x, k)", "t = Transpose(a; perm=[1,0])", "b = MatMul(a, t)",
			"y = Mul(b, logit_scale)"},
			tensors{"k": w(3, 4), "logit_scale": number(14.2857, 0)}, nil, "k logit_scale"},
		{"a variable of TensorFlow", "x[N,3]", []string{"a = MatMul(x, k)", "y = Mul(a, model/scaled/Mul/ReadVariableOp:0)"},
			tensors{"k": w(3, 3), "model/scaled/Mul/ReadVariableOp:0": number(1, 0)}, nil, "k model/scaled/Mul/ReadVariableOp:0"},

		{"GELU with erf", "x[N,3]", []string{"a = MatMul(x, k)", "b = Div(a, r)", "c = Erf(b)", "d = Add(c, one)", "e = Mul(a, d)",
			"y = Mul(e, h)"},
			tensors{"k": w(3, 4), "r": number(math.Sqrt2, 0), "one": number(1, 0), "h": number(0.5, 0)}, nil, "k"},
		{"GELU with erf, numbers [1]", "x[N,3]", []string{"a = MatMul(x, k)", "b = Div(a, r)", "c = Erf(b)", "d = Add(c, one)",
			"e = Mul(a, d)", "y = Mul(e, h)"},
			tensors{"k": w(3, 4), "r": number(math.Sqrt2, 1), "one": number(1, 1), "h": number(0.5, 1)}, nil, "k"},
		{"GELU with tanh", "x[N,3]", []string{"a = MatMul(x, k)", "b = Pow(a, three)", "c = Mul(b, c1)", "d = Add(a, c)", "e = Mul(d, c2)",
			"f = Tanh(e)", "g = Add(f, one)", "y = Mul(a, g)"},
			tensors{"k": w(3, 4), "three": number(3, 0), "c1": number(0.044715, 1), "c2": number(0.7978845608, 1), "one": number(1, 0)},
			nil, "k"},
		{"quick GELU", "x[N,3]", []string{"a = MatMul(x, k)", "b = Mul(a, onnx::Mul_31)", "c = Sigmoid(b)", "y = Mul(a, c)"},
			tensors{"k": w(3, 4), "onnx::Mul_31": number(1.702, 1)}, nil, "k"},
		{"Clip", "x[N,3]", []string{"a = MatMul(x, k)", "y = Clip(a, lo, hi)"},
			tensors{"k": w(3, 4), "lo": number(0, 0), "hi": number(6, 0)},
			nil, "k"},
		{"LayerNorm written out", "x[N,8]", []string{"h = MatMul(x, k)", "m = ReduceMean(h; axes=[1])", "d = Sub(h, m)", "q = Pow(d, two)",
			"v = ReduceMean(q; axes=[1])", "v2 = Add(v, eps0)", "s = Sqrt(v2)",
			"n = Div(d, s)", "n2 = Mul(n, g)", "y = Add(n2, b)"}, tensors{"k": w(8, 8), "two": number(2, 0), "eps0": number(1e-5, 1),
			"g": fill(1, 8), "b": fill(0, 8)}, nil, "b g k"},
		{"attention", "x[N,5,4]", attention("s0"), tensors{"Wq": w(4, 4), "Wk": w(4, 4), "s0": number(0.5, 1)}, nil, "Wk Wq"},
		{"attention, a name that hints", "x[N,5,4]", attention("scale"), tensors{"Wq": w(4, 4), "Wk": w(4, 4), "scale": number(0.35355338,
			1)}, nil, "Wk Wq"},
		{"attention, any number", "x[N,5,4]", attention("scale"), tensors{"Wq": w(4, 4), "Wk": w(4, 4), "scale": number(0.7364518, 1)},
			nil,
			"Wk Wq"},
		{"attention of a learned temperature", "x[N,5,4]", attention("attn.temperature"), tensors{"Wq": w(4, 4), "Wk": w(4, 4),
			"attn.temperature": number(1, 3)}, nil, "Wk Wq attn.temperature"},
		{"queries scaled before", "x[N,5,4]", before, tensors{"Wq": w(4, 4), "Wk": w(4, 4), "scale": number(0.7364518, 1), "m": fill(0, 5,
			5)}, nil, "Wk Wq m"},
		{"an attention mask", "x[N,4,4]", before, tensors{"Wq": w(4, 4), "Wk": w(4, 4), "scale": number(0.5, 1),
			"m": tensor.From([]float32{0, -1e9, -1e9, -1e9, 0, 0, -1e9, -1e9, 0, 0, 0, -1e9, 0, 0, 0, 0}, 4, 4)}, nil, "Wk Wq"},
		{"division by 255", "x[N,2,4,4]", []string{"a = Div(x, d)", "y = Conv(a, k)"}, tensors{"k": w(3, 2, 3, 3), "d": number(255, 1)},
			nil,
			"k"},
		{"mean and deviation", "x[N,3,4,4]", []string{"a = Sub(x, m)", "b = Div(a, s)", "y = Conv(b, k)"}, tensors{"k": w(3, 3, 3, 3),
			"m": three(.485, .456, .406), "s": three(.229, .224, .225)}, nil, "k"},
		{"mean and factor, of a cast picture", "x uint8[N,3,4,4]", []string{"f = Cast(x; to=1)", "a = Mul(f, s)", "b = Add(a, m)",
			"y = Conv(b, k)"},
			tensors{"k": w(3, 3, 3, 3), "m": three(-2.118, -2.036, -1.804), "s": three(.0171, .0175, .0174)}, nil, "k"},
		{"a learned scale of three channels", "x[N,3,4,4]", []string{"a = Mul(x, s)", "b = Sub(a, m)", "y = Conv(b, k)"},
			tensors{"k": w(3, 3, 3, 3), "m": three(1.3, -.4, .2), "s": three(.4, -1.2, .9)}, nil, "k m s"},
		{"a table standardised", "x[N,6]", []string{"a = Sub(x, m)", "b = Div(a, d)", "y = MatMul(b, k)"},
			tensors{"k": w(6, 3), "m": w(6), "d": testkit.RandUniform(1, 0.5, 9, 6)}, nil, "k"},
		{"a learned shift of the input", "x[N,6]", []string{"a = Sub(x, m)", "b = Tanh(a)", "y = MatMul(b, k)"},
			tensors{"k": w(6, 3), "m": w(6)},
			nil, "k m"},
		{"a learned layer at the input", "x[N,6]", []string{"a = Mul(x, s)", "b = Add(a, m)", "y = MatMul(b, k)"}, tensors{"k": w(6, 3),
			"m": w(6), "s": w(6)}, nil, "k m s"},
		{"the picture that comes out", "x[N,3,4,4]", []string{"a = Conv(x, k)", "t = Tanh(a)", "b = Mul(t, s)", "y = Add(b, m)"},
			tensors{"k": w(3, 3, 1, 1), "m": three(103.939, 116.779, 123.68), "s": three(1, 1, 1)}, nil, "k"},
		{"a fixed position encoding", "x[N,16,8]", []string{"a = Add(x, p)", "y = MatMul(a, k)"}, tensors{"k": w(8, 3), "p": table(16, 8)},
			nil, "k"},
		{"a learned position encoding", "x[N,16,8]", []string{"a = Add(x, p)", "y = MatMul(a, k)"},
			tensors{"k": w(8, 3), "p": w(1, 16, 8)},
			nil, "k p"},
		{"GroupNorm written out", "x[N,8,4,4]", []string{"a = Conv(x, k)", "r = Reshape(a, s1)", "n = InstanceNormalization(r, one, zero)",
			"b = Reshape(n, s2)", "c = Mul(b, g)", "y = Add(c, h)"},
			tensors{"k": w(8, 8, 1, 1), "s1": tensor.From([]int64{0, 2, -1}, 3), "s2": tensor.From([]int64{0, 8, 4, 4}, 4),
				"one":  fill(1, 2),
				"zero": fill(0, 2), "g": fill(1, 8, 1, 1), "h": fill(0, 8, 1, 1)},
			nil, "g h k"},
		{"InstanceNormalization, fresh", "x[N,8,4,4]", []string{"a = Conv(x, k)", "y = InstanceNormalization(a, one, zero)"},
			tensors{"k": w(8, 8, 1, 1), "one": fill(1, 8), "zero": fill(0, 8)}, nil, "k one zero"},
		{"zero states of an LSTM", "x[5,N,3]", []string{"y = LSTM(x, W, R, , , h0, c0; hidden_size=4)"},
			tensors{"W": w(1, 16, 3), "R": w(1, 16, 4), "h0": fill(0, 1, 1, 4), "c0": fill(0, 1, 1, 4)}, nil, "R W"},
		{"learned states of an LSTM", "x[5,N,3]", []string{"y = LSTM(x, W, R, , , h0, c0; hidden_size=4)"},
			tensors{"W": w(1, 16, 3), "R": w(1, 16, 4), "h0": w(1, 1, 4), "c0": w(1, 1, 4)}, nil, "R W c0 h0"},
		{"anchors in Constant nodes", "x[N,4]", []string{"a = Gemm(x, k)", "r = Reshape(a, s)", "b = Mul(r, grid)", "y = Add(b, grid)"},
			tensors{"k": w(4, 6), "s": tensor.From([]int64{-1, 3, 2}, 3), "grid": w(1, 3, 2)}, []string{"grid"}, "k"},
		{"rotary frequencies", "ids int64[N,6]", rotary("r = Mul(p, q)"), tensors{"E": w(9, 8), "k": w(8, 3), "q": falling(1, 4)}, nil, "E k"},
		{"rotary frequencies, as a product of matrices", "ids int64[N,6]", rotary("r = MatMul(p, q)"),
			tensors{"E": w(9, 8), "k": w(8, 3), "q": falling(1, 4)}, nil, "E k"},
		{"rotary angles, folded", "ids int64[N,6]", rotary("r = Transpose(q; perm=[0,1])"),
			tensors{"E": w(9, 8), "k": w(8, 3), "q": angles(6, 4)}, nil, "E k"},
		{"learned angles", "ids int64[N,6]", rotary("r = Transpose(q; perm=[0,1])"), tensors{"E": w(9, 8), "k": w(8, 3), "q": w(6, 4)}, nil,
			"E k q"},
		{"a layer of sines and cosines", "x[N,4]",
			[]string{"a = MatMul(x, q)", "s = Sin(a)", "c = Cos(a)", "z = Add(s, c)", "y = MatMul(z, k)"}, tensors{"q": falling(4, 1), "k": w(1, 3)},
			nil, "k q"},
		{"a layer of sines of whole numbers", "ids int64[N,4]", []string{"f = Cast(ids; to=1)", "a = MatMul(f, q)", "b = Add(a, h)", "s = Sin(b)",
			"c = Cos(b)", "z = Add(s, c)", "y = MatMul(z, k)"}, tensors{"q": w(4, 5), "h": w(5), "k": w(5, 3)}, nil, "h k q"},
		{"weights of PaddlePaddle, all in Constant nodes", "x[N,4]", []string{"t = Add(tok, p)", "a = MatMul(x, k)", "b = Add(a, c)",
			"d = Mul(b, s)", "e = Mul(d, n)", "y = Add(e, t)"},
			tensors{"k": w(4, 6), "c": w(6), "s": w(6), "tok": w(1, 6), "p": w(1, 6), "n": number(0.125, 1)},
			[]string{"k", "c", "s", "tok", "p",
				"n"}, "c k p s tok"},
	} {
		if strings.HasPrefix(c.name, "rotary") || c.name == "learned angles" {
			maps.Copy(c.init, tensors{"zero": tensor.Scalar(int64(0)), "six": tensor.Scalar(int64(6)), "one": tensor.Scalar(int64(1)),
				"column": tensor.From([]int64{6, 1}, 2)})
		}
		s := testkit.Text{Opset: 13, In: []string{c.in}, Out: []string{"y"}, Init: c.init, Nodes: c.nodes, Consts: c.consts}
		m, err := engine.Load(&onnx.Model{Proto: s.Model(t)})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		names := trainable(m)
		slices.Sort(names)
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: trained %q, want %q", c.name, got, c.want)
		}
		for p := range m.Params() {
			if p.Trainable != (p.Why == "") {
				t.Errorf("%s: %s is trainable=%v because %q", c.name, p.Name, p.Trainable, p.Why)
			}
		}
	}
}

// What is trained of graphs that today's exporters wrote: the numbers of tensors, and all others by name. Of the true parameters that
// grad.npz has, all that the file has too must be among the trained; exporters fold some with others.
func TestWhatIsLearnedOfExportedModels(t *testing.T) {
	dir := testkit.Shared(t)
	var got []string
	for _, f := range []string{
		"modern/bert", "modern/clip", "modern/cond", "modern/convnextv2_hf", "modern/distilbert", "modern/gpt2", "modern/llama",
		"modern/lstm2", "modern/mamba", "modern/patchtst", "modern/scan",
		"modern/segformer", "modern/timm_test_efficientnet", "modern/timm_test_resnet", "modern/timm_test_vit", "modern/timm_test_vit4",
		"modern/unet", "modern/vit_hf", "modern/whileloop",
		"modern/whisper_enc", "models/byte_sentence_bilstm.onnx", "models/cifar10_resnet20.onnx", "models/fns_candy_opset7.onnx",
		"models/gru_ndm_building_control.onnx", "models/kair_dncnn_25.onnx",
		"models/magika_standard_v3_3.onnx", "models/mnist-7_cntk.onnx", "models/mnist_bn_opset16.onnx",
		"models/mobilenet_v1_0.25_224.onnx",
		"models/silero_vad_16k_op15.onnx",
		"models/silero_vad_op18_ifless.onnx", "models/squeezenet1.1_fp16_opset7.onnx", "models/ultraface_rfb320.onnx",
	} {
		path := filepath.Join(dir, "data", f)
		if !strings.HasSuffix(path, ".onnx") {
			path = filepath.Join(path, "model.onnx")
		}
		if _, err := os.Stat(path); err != nil {
			t.Skipf("no %s beside the repository", f)
		}
		file, err := onnx.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := engine.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		trained, numbers, state := 0, 0, 0
		var rest []string
		for p := range m.Params() {
			switch {
			case p.Trainable:
				trained, numbers = trained+1, numbers+p.Value.Len()
			case p.State:
				state++
			default:
				rest = append(rest, p.Name)
			}
		}
		known, found := 0, 0
		if b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "grad.npz")); err == nil {
			arrays, err := tensor.ReadNPZ(bytes.NewReader(b), int64(len(b)), tensor.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			known, found = trueParameters(t, f, m, arrays)
		}
		got = append(got, fmt.Sprintf("%s: trained %d (%d numbers), state %d, not trained %q; %d of %d known parameters are there", f,
			trained, numbers, state, rest, found, known))
	}
	testkit.Golden(t, "testdata/learned.txt", []byte(strings.Join(got, "\n")+"\n"))
}

// trueParameters counts the parameters among arrays, and those of them that m has a tensor with the same numbers for, and fails when such
// a tensor is not trained.
func trueParameters(t *testing.T, name string, m *engine.Model, arrays []tensor.Named) (known, found int) {
	sorted := func(x *tensor.Tensor) []float32 {
		v := slices.Clone(x.F32())
		slices.Sort(v)
		return v
	}
	for _, a := range arrays {
		if !strings.HasPrefix(a.Name, "p:") {
			continue
		}
		known++
		want := sorted(a.Tensor)
		there, trained := false, false
		for p := range m.Params() {
			if p.Value.DType() == tensor.Float32 && p.Value.Len() == len(want) && slices.Equal(sorted(p.Value), want) {
				there, trained = true, trained || p.Trainable
			}
		}
		if there {
			found++
		}
		if there && !trained {
			t.Errorf("%s: the parameter %s is there and not trained", name, a.Name)
		}
	}
	return known, found
}
