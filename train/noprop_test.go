package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// noPropVectors are figures of another implementation of the paper's formulas, in float64.
type noPropVectors struct {
	Cosine struct {
		Bar   []float64 `json:"alpha_bar"`
		Steps []struct {
			T    int     `json:"t"`
			Diff float64 `json:"snr_diff"`
			A, B float64
			C    float64
		}
	} `json:"cosine_schedule_T10_s0.008_clip1e-5"`
	Loss struct {
		T, Eta float64
		Step   int         `json:"t"`
		Y      []int64     `json:"y"`
		Eps    [][]float64 `json:"eps"`
		Z      [][]float64 `json:"z_tm1"`
		Logits [][]float64 `json:"block_logits"`
		EpsT   [][]float64 `json:"eps_T"`
		ZT     [][]float64 `json:"z_T"`
		Wout   [][]float64 `json:"W_out"`
		CE, KL []float64
		Diff   float64 `json:"snr_diff"`
		L      float64 `json:"L_t"`
	} `json:"dt_loss_example"`
	Inference struct {
		Z0 []float64
		Z  [][]float64
	} `json:"dt_inference_no_noise"`
	Linear struct {
		T, SNR []float64
		Bar    []float64 `json:"alpha_bar"`
		Rate   []float64 `json:"snr_prime"`
	} `json:"ct_linear_gamma"`
	Euler struct {
		U  []float64 `json:"u_hat_const"`
		Z0 []float64
		N  int
		Z  [][]float64
	} `json:"ct_euler_probability_flow"`
	FM struct {
		Z0, Z1 []float64
		T      float64
		Z      []float64 `json:"z_t"`
		V      []float64
		Target []float64
		Loss   float64
		End    []float64 `json:"z1_extrapolated"`
	}
}

func readNoProp(t *testing.T) (v noPropVectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/noprop.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// equal fails unless a and b are within 1e-9.
func equalNumbers(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

func TestNoPropSchedules(t *testing.T) {
	v := readNoProp(t)
	bar := cosineBar(10)
	a, b, c := posterior(bar)
	for i, want := range v.Cosine.Bar {
		equalNumbers(t, fmt.Sprintf("ᾱ[%d]", i), bar[i], want)
	}
	for i, s := range v.Cosine.Steps {
		equalNumbers(t, "the step of the SNR", snr(bar[s.T])-snr(bar[s.T-1]), s.Diff)
		equalNumbers(t, "a", a[i], s.A)
		equalNumbers(t, "b", b[i], s.B)
		equalNumbers(t, "c", c[i], s.C)
	}
	for _, T := range []int{1, 3, 10, 50} {
		bar := cosineBar(T)
		a, b, c := posterior(bar)
		for i := range a {
			equalNumbers(t, "the mean of the marginal", a[i]+b[i]*math.Sqrt(bar[i]), math.Sqrt(bar[i+1]))
			equalNumbers(t, "its variance", b[i]*b[i]*(1-bar[i])+c[i], 1-bar[i+1])
		}
		n := NoProp{Steps: T}.Filled()
		for i, w := range (&NoPropNet{NoProp: n}).newPlan().weight { // the capped ratio of the last of 50 would not differ from that before
			if !(w > 0) || w > float64(T)/2*n.Eta*n.Cap+1e-9 {
				t.Errorf("block %d of %d counts %v times", i+1, T, w)
			}
		}
	}
	for i, at := range v.Linear.T {
		g, slope := linearGamma(at)
		ratio, rate := signal(g, slope)
		equalNumbers(t, "ᾱ of ct", sigmoid(-g), v.Linear.Bar[i])
		equalNumbers(t, "its SNR", ratio, v.Linear.SNR[i])
		equalNumbers(t, "its rate", rate, v.Linear.Rate[i])
	}
}

// A chain goes where the formulas say.
func TestNoPropWays(t *testing.T) {
	v := readNoProp(t)
	go10 := (&NoPropNet{NoProp: NoProp{}.Filled()}).newPlan()
	z := slices.Clone(v.Inference.Z0)
	for i, want := range v.Inference.Z {
		s := float64(i + 1)
		u := []float64{.05 * s, .2, .8 - .05*s}
		for j := range z {
			z[j] = go10.a[i]*u[j] + go10.b[i]*z[j]
			equalNumbers(t, fmt.Sprintf("dt: z[%d] of step %d", j, i+1), z[j], want[j])
		}
	}
	ct := (&NoPropNet{NoProp: NoProp{Variant: NoPropCT, Steps: v.Euler.N}.Filled()}).newPlan()
	z = slices.Clone(v.Euler.Z0)
	for i, want := range v.Euler.Z {
		for j := range z {
			z[j] = ct.a[i]*v.Euler.U[j] + ct.b[i]*z[j]
			equalNumbers(t, fmt.Sprintf("ct: z[%d] of step %d", j, i+1), z[j], want[j])
		}
	}
}

// float64Block is what the loss of a block reads, of inputs in float64.
func float64Block(t *testing.T, nodes ...string) *engine.Model {
	t.Helper()
	m, err := engine.Load(&onnx.Model{Proto: testkit.Text{In: []string{"logits float64[N,3]", "z float64[N,3]", "w float64[3,3]"},
		Out: []string{"out float64[N,3]", "near float64[N,3]"}, Nodes: nodes}.Model(t)}, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func matrix(rows ...[]float64) *tensor.Tensor {
	return tensor.From(slices.Concat(rows...), len(rows), len(rows[0]))
}

func TestNoPropLosses(t *testing.T) {
	v := readNoProp(t)
	e := v.Loss
	bar := cosineBar(int(e.T))
	rows := float64(len(e.Y))
	want, right, share, kl := [][]float64{}, [][]float64{}, [][]float64{}, 0.0
	for i, y := range e.Y {
		u := []float64{0, 0, 0}
		u[y] = 1
		want, right = append(want, u), append(right, []float64{u[0] / rows, u[1] / rows, u[2] / rows})
		share = append(share, []float64{e.T / 2 * e.Eta * (snr(bar[e.Step]) - snr(bar[e.Step-1])) / rows})
		kl += klToNormal(bar[0], 1, 3) / rows
		for j := range u {
			equalNumbers(t, "z of the block", math.Sqrt(bar[e.Step-1])*u[j]+math.Sqrt(1-bar[e.Step-1])*e.Eps[i][j], e.Z[i][j])
			equalNumbers(t, "z at the end", math.Sqrt(bar[10])*u[j]+math.Sqrt(1-bar[10])*e.EpsT[i][j], e.ZT[i][j])
		}
	}
	m := float64Block(t, "out = Softmax(logits)", "near = MatMul(z, w)")
	s, err := m.Session(engine.Query{Loss: (&denoising{out: true, near: true}).loss})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"logits": matrix(e.Logits...), "z": matrix(e.ZT...), "w": matrix(e.Wout...),
		wantInput: matrix(want...), shareInput: matrix(share...), rightInput: matrix(right...)})
	if err != nil {
		t.Fatal(err)
	}
	equalNumbers(t, "the loss of dt", r.Loss().Float64s()[0]+kl, e.L)

	fm := v.FM
	m = float64Block(t, "out = Identity(logits)", "near = MatMul(z, w)")
	if s, err = m.Session(engine.Query{Loss: (&denoising{out: true}).loss}); err != nil {
		t.Fatal(err)
	}
	if r, err = s.Run(t.Context(), map[string]*tensor.Tensor{"logits": matrix(fm.V), "z": matrix(fm.Z), "w": matrix(e.Wout...),
		wantInput: matrix(fm.Target), shareInput: matrix([]float64{1})}); err != nil {
		t.Fatal(err)
	}
	equalNumbers(t, "the loss of fm", r.Loss().Float64s()[0], fm.Loss)
	for j := range fm.Z {
		equalNumbers(t, "z of fm", fm.T*fm.Z1[j]+(1-fm.T)*fm.Z0[j], fm.Z[j])
		equalNumbers(t, "what fm wants", fm.Z1[j]-fm.Z0[j], fm.Target[j])
		equalNumbers(t, "where fm would end", fm.Z[j]+(1-fm.T)*fm.V[j], fm.End[j])
	}
}

// noPropKinds are the ways to train that differ.
var noPropKinds = map[string]NoProp{
	"dt": {Steps: 4}, "dt learned": {Steps: 3, Learned: 5}, "ct": {Variant: NoPropCT, Steps: 5},
	"ct learned": {Variant: NoPropCT, Steps: 5, Learned: 5, Schedule: "learned", Cap: math.Inf(1)},
	"fm":         {Variant: NoPropFM, Steps: 5}, "fm learned": {Variant: NoPropFM, Steps: 5, Learned: 5},
}

// noPropRun is a net for digits with its model and configuration.
func noPropRun(t *testing.T, o NoProp, threads int) (*engine.Model, data.Dataset, Config) {
	t.Helper()
	ds := open(t, "digits#train")
	if o.Seed = 3; o.Hidden == 0 {
		o.Hidden = 16
	}
	n, err := o.Net(NoPropInput{Name: "input", DType: tensor.Float32, Shape: tensor.Shape{1, 8, 8}, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	m, err := n.Load(engine.WithThreads(threads))
	if err != nil {
		t.Fatal(err)
	}
	pre := data.Suggested(ds)
	return m, ds, Config{NoProp: n, Params: n.Params, BN: n.BatchNorm(), Epochs: 1, BatchSize: 32, Shuffle: true, Seed: 3, Preprocess: &pre,
		Optimizer: rule(t, "adamw", optim.Config{}), Schedule: optim.Constant(0.003)}
}

// Every gradient is that of the loss that is reported, by differences; a block of dt has its own loss, as many times that of its share.
func TestNoPropGradients(t *testing.T) {
	for name, o := range noPropKinds {
		t.Run(name, func(t *testing.T) {
			m, ds, c := noPropRun(t, o, 1)
			f, err := newFit(t.Context(), m, ds, c)
			if err != nil {
				t.Fatal(err)
			}
			var batch *data.Batch
			for b, err := range data.Batches(t.Context(), ds, data.Sequential(24), 24, data.BatchOptions{Preprocess: c.Preprocess}) {
				if err != nil {
					t.Fatal(err)
				}
				batch = b.Clone()
			}
			loss := func() float64 {
				l, err := f.denoise(t.Context(), batch)
				if err != nil {
					t.Fatal(err)
				}
				return l
			}
			l := loss()
			grads := map[string][]float32{}
			for _, p := range f.params {
				if p.G == nil {
					t.Fatalf("%s has no gradient", p.Name)
				}
				grads[p.Name] = slices.Clone(p.G.F32())
			}
			for _, p := range f.params {
				if strings.Contains(p.Name, "norm.bias") || o.Variant == "" && strings.HasSuffix(p.Name, ".bias") {
					continue // before a normalisation there is none
				}
				w, g := p.W.F32(), grads[p.Name]
				norm := 0.0
				for _, v := range g {
					norm += float64(v) * float64(v)
				}
				if norm = math.Sqrt(norm); norm < 1e-4 {
					continue // too flat for differences in float32
				}
				was := slices.Clone(w)
				const h = 5e-4
				at := func(s float64) float64 { // along the gradient
					for i := range w {
						w[i] = was[i] + float32(s*h*float64(g[i])/norm)
					}
					return loss()
				}
				got := (at(1) - at(-1)) / (2 * h)
				copy(w, was)
				if strings.Contains(p.Name, ".block") && !strings.Contains(p.Name, ".block.") {
					got *= float64(c.NoProp.Blocks())
				}
				rounding := 8 * l * 0x1p-24 / h // of the loss, in float32
				if math.Abs(got-norm) > 0.03*norm+rounding {
					t.Errorf("%s: the slope is %v, the norm of the gradient %v", p.Name, got, norm)
				}
			}
		})
	}
}

// The chain, which is written, gives what the blocks give one after the other, and the weights do not depend on how many are trained at
// a time.
func TestNoPropChain(t *testing.T) {
	for name, o := range noPropKinds {
		t.Run(name, func(t *testing.T) {
			var first []float32
			for _, workers := range []int{1, 3} {
				o.Workers = workers
				m, ds, c := noPropRun(t, o, 4)
				c.MaxSteps = 30
				res, err := Fit(t.Context(), m, ds, c)
				if err != nil {
					t.Fatal(err)
				}
				var all []float32
				for p := range m.Params() {
					all = append(all, p.Value.F32()...)
				}
				if first == nil {
					first = all
				}
				if !slices.Equal(first, all) {
					t.Fatal("other weights with more workers")
				}
				if workers > 1 {
					continue
				}
				if !(res.TrainLoss > 0) {
					t.Errorf("the loss is %v", res.TrainLoss)
				}
				s, err := c.NoProp.newSampler(m)
				if err != nil {
					t.Fatal(err)
				}
				file, err := m.Save()
				if err != nil {
					t.Fatal(err)
				}
				written := load(t, file)
				chain, err := m.Session(engine.Query{})
				if err != nil {
					t.Fatal(err)
				}
				again, err := written.Session(engine.Query{})
				if err != nil {
					t.Fatal(err)
				}
				for b, err := range data.Batches(t.Context(), ds, data.Sequential(50), 50, data.BatchOptions{Preprocess: c.Preprocess}) {
					if err != nil {
						t.Fatal(err)
					}
					z := tensor.New(tensor.Float32, 50, c.NoProp.Dim())
					classes, err := s.run(t.Context(), b.X, z, nil)
					if err != nil {
						t.Fatal(err)
					}
					r, err := chain.Run(t.Context(), map[string]*tensor.Tensor{"input": b.X})
					if err != nil {
						t.Fatal(err)
					}
					logits := r.Value("logits").F32()
					w, err := again.Run(t.Context(), map[string]*tensor.Tensor{"input": b.X})
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(logits, w.Value("logits").F32()) {
						t.Fatal("the written model gives something else")
					}
					for i, k := range classes {
						for j := range 10 {
							if logits[10*i+j] > logits[10*i+k]+1e-4 {
								t.Fatalf("example %d is %d by the blocks and %d by the chain: %v", i, k, j, logits[10*i:10*i+10])
							}
						}
					}
				}
			}
		})
	}
}

// A run that ends in the middle and goes on from its checkpoint is the run that does not.
func TestNoPropResume(t *testing.T) {
	for name, o := range noPropKinds {
		t.Run(name, func(t *testing.T) {
			weights := func(stop int) (all []float32) {
				m, ds, c := noPropRun(t, o, 2)
				c.Epochs, c.MaxSteps = 2, 60
				if stop > 0 {
					path := t.TempDir() + "/k.npz"
					c.SaveEvery = stop
					c.Save = func(k *Checkpoint) error {
						if err := k.Write(path); err != nil {
							return err
						}
						return errStop
					}
					if _, err := Fit(t.Context(), m, ds, c); err == nil {
						t.Fatal("it was not stopped")
					}
					k, err := ReadCheckpoint(path)
					if err != nil || k.Step != stop {
						t.Fatal(k, err)
					}
					m, ds, c = noPropRun(t, o, 2)
					c.Epochs, c.MaxSteps, c.Resume = 2, 60, k
				}
				if _, err := Fit(t.Context(), m, ds, c); err != nil {
					t.Fatal(err)
				}
				for p := range m.Params() {
					all = append(all, p.Value.F32()...)
				}
				return all
			}
			if !slices.Equal(weights(0), weights(17)) {
				t.Error("other weights")
			}
		})
	}
}

// Digits are learned, by the chain that begins at 0 and by the one that begins at noise.
func TestNoPropLearns(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	for variant, least := range map[string][2]float64{NoPropDT: {.95, .95}, NoPropCT: {.88, .75}, NoPropFM: {.93, .88}} {
		m, ds, c := noPropRun(t, NoProp{Variant: variant, Hidden: 64}, 2)
		c.Epochs = 20
		if _, err := Fit(t.Context(), m, ds, c); err != nil {
			t.Fatal(err)
		}
		test := open(t, "digits#test")
		v, err := Evaluate(t.Context(), m, test, EvalConfig{Preprocess: c.Preprocess})
		if err != nil {
			t.Fatal(err)
		}
		_, plan, err := understand(t.Context(), m, test, nil, nil, task.Options{Preprocess: c.Preprocess})
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := c.NoProp.SampledAccuracy(t.Context(), m, test, EvalConfig{Feed: plan, Preprocess: c.Preprocess}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if v.Accuracy < least[0] || drawn < least[1] {
			t.Errorf("%s: accuracy %v, from noise %v", variant, v.Accuracy, drawn)
		}
	}
}

func TestNoPropRefuses(t *testing.T) {
	for o, want := range map[NoProp]string{
		{Variant: "xt"}: "want one of", {Steps: -1}: "steps", {Eta: -1}: "eta", {Cap: -1}: "cap", {Schedule: "linear"}: "cosine",
		{Learned: -1}: "embedding", {Hidden: 1}: "width", {Workers: -1}: "workers",
	} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	in := NoPropInput{Name: "x", DType: tensor.Int64, Shape: tensor.Shape{4}, Classes: 3}
	if _, err := (NoProp{}).Net(in); err == nil || !strings.Contains(err.Error(), "real numbers") {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"by gradients":   func(c *Config) { c.Optimizer = rule(t, "mezo", optim.Config{}); c.BN = engine.BNFrozen },
		"TrAct":          func(c *Config) { c.TrAct = &TrAct{} },
		"BN":             func(c *Config) { c.BN = engine.BNFrozen },
		"mixup":          func(c *Config) { c.Augment = augmented(t, "mixup") },
		"all parameters": func(c *Config) { c.Params = c.Params[1:] },
	} {
		m, ds, c := noPropRun(t, NoProp{}, 1)
		change(&c)
		if _, err := Fit(t.Context(), m, ds, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
