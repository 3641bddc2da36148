package job_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/straggler"
	"github.com/gtk-onnx/gtk/tensor"
)

func fresh(t *testing.T, name string, o models.Options) string {
	t.Helper()
	file, err := models.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".onnx")
	if err := file.WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

// A delay of some milliseconds, with workers that are often late.
func often() job.StragglerDelays {
	return job.StragglerDelays{Synthetic: "base=0.01:late=0.15:stay=0.3:slow=5:slope=0.02"}
}

// TestStragglerTrainIsExact trains with every scheme, on workers that are late, networks with statistics of batches and with Dropout: the
// weights are the same to the bit, and nearly those of the same training by gtk finetune.
func TestStragglerTrainIsExact(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]job.StragglerTrainConfig{
		"linear": {Models: []string{fresh(t, "mlp", models.Options{Layers: 1, Hidden: 8})}, Rates: []float64{0.5, 0.1}},
		"bn": {Models: []string{fresh(t, "resnet8", models.Options{Classes: 10, Channels: 1, ImageSize: 8})}, Rates: []float64{0.05, 0.01},
			TrainOptions: job.TrainOptions{BN: "train"}},
		"dropout": {Models: []string{dropout(t), fresh(t, "mlp", models.Options{Hidden: 8})}, TrainOptions: job.TrainOptions{LR: 0.1,
			Dropout: true}},
	} {
		c.Data, c.Optimizer, c.Schedule, c.Seed, c.Fleet, c.Delays = "digits#train", "sgd", "constant", 3, job.FleetLocal, often()
		c.Workers, c.Jobs = 6, 6
		c.Partitions = 30
		if name == "bn" {
			c.Data = "keep:" + few(t) + "@digits"
			c.Jobs = 4
		}
		var want []job.StragglerTrained
		for _, scheme := range []string{"none", "backup", "gc:s=1", "sr-sgc:B=1:W=2:lambda=2", "m-sgc:B=1:W=2:lambda=3", "gc:s=1:code=cyclic"} {
			c.Scheme, c.Out, c.Force = scheme, filepath.Join(dir, name), true
			r, err := job.StragglerTrain(t.Context(), c, nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, scheme, err)
			}
			cyclic := strings.Contains(scheme, "cyclic")
			if r.Exact == cyclic || len(r.Trainings) != 2 || !r.Trainings[0].Verify.Pass || r.Stale {
				t.Errorf("%s, %s: %+v", name, scheme, r)
			}
			if want == nil {
				want = r.Trainings
				continue
			}
			for k, x := range r.Trainings {
				if x.Weights != want[k].Weights && !cyclic {
					t.Errorf("%s, %s: the weights of %s differ from those of none", name, scheme, x.Name)
				}
				if !slices.EqualFunc(x.Losses, want[k].Losses, func(a, b job.Number) bool { return math.Abs(float64(a-b)) < 1e-4 }) {
					t.Errorf("%s, %s: losses %v, want %v", name, scheme, x.Losses, want[k].Losses)
				}
			}
		}
		if want[0].Weights == want[1].Weights || float64(want[0].Losses[len(want[0].Losses)-1]) >= float64(want[0].Losses[0]) {
			t.Errorf("%s: nothing was learned: %+v", name, want)
		}
	}
}

// few is a keep-list of 60 examples.
func few(t *testing.T) string {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "digits/%d\n", i)
	}
	path := filepath.Join(t.TempDir(), "few.txt")
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// dropout is a network with Dropout.
func dropout(t *testing.T) string {
	w := tensor.New(tensor.Float32, 64, 10)
	for i := range w.F32() {
		w.F32()[i] = float32(i%13-6) / 100
	}
	p := testkit.Text{In: []string{"x[N,1,8,8]"}, Out: []string{"y[N,10]"}, Init: map[string]*tensor.Tensor{"w": w},
		Nodes: []string{"f = Flatten(x)", "d = Dropout(f)", "y = MatMul(d, w)"}}.Model(t)
	path := filepath.Join(t.TempDir(), "dropout.onnx")
	if err := (&onnx.Model{Proto: p}).WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestStragglerAgainstFinetune compares with the same steps by gtk finetune, whose sums are in another order.
func TestStragglerAgainstFinetune(t *testing.T) {
	dir, model := t.TempDir(), fresh(t, "mlp", models.Options{Hidden: 8})
	o := job.TrainOptions{Optimizer: "adam", LR: 0.01, Schedule: "constant"}
	r, err := job.StragglerTrain(t.Context(), job.StragglerTrainConfig{Models: []string{model}, Data: "digits#train", TrainOptions: o, Jobs: 5,
		Workers: 3, Scheme: "gc:s=2", Fleet: job.FleetLocal, Out: filepath.Join(dir, "a.onnx")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.BatchSize = job.All
	f, err := job.Finetune(t.Context(), job.FinetuneConfig{Model: model, Data: "digits#train", TrainOptions: o, Epochs: 5,
		Out: filepath.Join(dir, "b.onnx")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, h := range f.History {
		if d := math.Abs(float64(h.TrainLoss - r.Trainings[0].Losses[k])); d > 1e-5 {
			t.Errorf("step %d: loss %v, gtk finetune has %v", k+1, r.Trainings[0].Losses[k], h.TrainLoss)
		}
	}
	if a := float64(r.Trainings[0].Accuracy); math.Abs(a-float64(f.History[4].TrainAccuracy)) > 1e-9 {
		t.Errorf("accuracy %v, gtk finetune has %v", a, f.History[4].TrainAccuracy)
	}
}

// TestStragglerAuto probes, chooses and goes on; the folder has the measured rounds, which gtk straggler select reads.
func TestStragglerAuto(t *testing.T) {
	dir, model := t.TempDir(), fresh(t, "mlp", models.Options{Layers: 1, Hidden: 8})
	c := job.StragglerTrainConfig{Models: []string{model}, Rates: []float64{0.5, 0.1}, Data: "digits#train", TrainOptions: job.TrainOptions{
		Optimizer: "sgd", Schedule: "constant"}, Jobs: 14, Workers: 4, Scheme: "auto", Probe: 5, Fleet: job.FleetLocal, Delays: often(),
		Out: filepath.Join(dir, "auto")}
	r, err := job.StragglerTrain(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Segments) != 2 || r.Segments[0].Scheme != "none" || r.Segments[0].Jobs != 5 || r.Segments[1].Jobs != 9 || len(r.Notes) != 1 {
		t.Errorf("%+v %v", r.Segments, r.Notes)
	}
	c.Probe, c.Reprobe, c.Out = 3, 4, "" // 3 to probe and 4 by the choice, twice
	again, err := job.StragglerTrain(t.Context(), c, nil)
	if err != nil || len(again.Segments) != 4 || again.Segments[2].Jobs != 3 || again.Segments[3].Jobs != 4 ||
		again.Trainings[0].Weights != r.Trainings[0].Weights {
		t.Errorf("%+v, %v", again.Segments, err)
	}
	c.Reprobe = 0
	c.Scheme, c.Out = "none", filepath.Join(dir, "none")
	if n, err := job.StragglerTrain(t.Context(), c, nil); err != nil || n.Trainings[1].Weights != r.Trainings[1].Weights {
		t.Errorf("auto has other weights than none: %v", err)
	}
	s, err := job.StragglerSelect(t.Context(), job.StragglerSelectConfig{StragglerDelays: job.StragglerDelays{
		Trace: filepath.Join(dir, "auto", "trace.json")}}, nil)
	if err != nil || s.Rounds != 5 && r.Segments[1].Scheme != "none" || s.Workers != 4 || s.Load != 0.25 || s.Slope < 0.019 ||
		len(s.Schemes) != 5 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestStragglerStale allows delayed gradients of one training: they are those of the weights of two steps before.
func TestStragglerStale(t *testing.T) {
	model := fresh(t, "mlp", models.Options{Layers: 1, Hidden: 8})
	c := job.StragglerTrainConfig{Models: []string{model}, Data: "digits#train", TrainOptions: job.TrainOptions{Optimizer: "sgd", LR: 0.5,
		Schedule: "constant"}, Jobs: 4, Workers: 3, Scheme: "m-sgc:B=1:W=2:lambda=1", Fleet: job.FleetLocal,
		Out: filepath.Join(t.TempDir(), "a.onnx")}
	if _, err := job.StragglerTrain(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "--stale") {
		t.Fatalf("a delay of one training: %v", err)
	}
	c.Stale = true
	r, err := job.StragglerTrain(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if l := r.Trainings[0].Losses; !r.Stale || l[0] != l[1] || l[2] >= l[1] {
		t.Errorf("the second gradient is that of the first weights: %v", l)
	}
}

func TestStragglerRefused(t *testing.T) {
	model := fresh(t, "mlp", models.Options{Layers: 1, Hidden: 8})
	for want, change := range map[string]func(c *job.StragglerTrainConfig){
		"--jobs 0":             func(c *job.StragglerTrainConfig) { c.Jobs = 0 },
		"did you mean":         func(c *job.StragglerTrainConfig) { c.Scheme = "gcc" },
		"0 to 3 stragglers":    func(c *job.StragglerTrainConfig) { c.Scheme = "gc:s=4" },
		"give a folder":        func(c *job.StragglerTrainConfig) { c.Rates, c.Out = []float64{1, 2}, "x.onnx" },
		"evaluates the loss":   func(c *job.StragglerTrainConfig) { c.Optimizer = "lbfgs" },
		"there are 1442":       func(c *job.StragglerTrainConfig) { c.Partitions = 2000 },
		"--fleet \"nats\"":     func(c *job.StragglerTrainConfig) { c.Fleet = "nats" },
		"--data is missing":    func(c *job.StragglerTrainConfig) { c.Data = "" },
		"the model is missing": func(c *job.StragglerTrainConfig) { c.Models = nil },
		"each takes at least":  func(c *job.StragglerTrainConfig) { c.Rates = []float64{1, 2, 3} },
		"the limit":            func(c *job.StragglerTrainConfig) { c.Workers, c.Scheme = 40, "gc:s=2:code=cyclic" },
		"no option":            func(c *job.StragglerTrainConfig) { c.Delays.Synthetic = "slowly=1" },
	} {
		c := job.StragglerTrainConfig{Models: []string{model}, Data: "digits#train", Jobs: 2, Workers: 4, Fleet: job.FleetLocal,
			Out: filepath.Join(t.TempDir(), "out")}
		change(&c)
		if _, err := job.StragglerTrain(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), want) ||
			job.KindOf(err) != job.KindUsage {
			t.Errorf("%q: %v (%s)", want, err, job.KindOf(err))
		}
	}
	c := job.StragglerTrainConfig{Models: []string{model}, Data: "digits#train", Jobs: 3, Workers: 2, Fleet: job.FleetLocal,
		TrainOptions: job.TrainOptions{Optimizer: "sgd", LR: 1e30, Schedule: "constant"}, Out: filepath.Join(t.TempDir(), "out")}
	if _, err := job.StragglerTrain(t.Context(), c, nil); err == nil || job.KindOf(err) != job.KindInput {
		t.Errorf("a training that diverges: %v", err)
	}
	c.Command, c.Fleet = []string{"/no/such/program"}, job.FleetProcesses
	if _, err := job.StragglerTrain(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "cannot be started") {
		t.Errorf("workers that cannot begin: %v", err)
	}
}

func TestStragglerSimulateReports(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.csv")
	if err := os.WriteFile(path, []byte("1,1,1,9\n1,1,1,1\n1,9,1,1\n1,1,1,1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	d := job.StragglerDelays{Trace: path, Slope: 0.4}
	r, err := job.StragglerSimulate(job.StragglerSimulateConfig{StragglerDelays: d, Schemes: []string{"none", "gc:s=1"}})
	if err != nil {
		t.Fatal(err)
	}
	// A quarter of the data takes 0.1 s beside, half of them 0.2 s; a round with somebody late ends at twice the fastest.
	want := []float64{9.1 + 1.1 + 9.1 + 1.1, 2.4 + 1.2 + 2.4 + 1.2}
	for k, s := range r.Schemes {
		if math.Abs(s.Seconds-want[k]) > 1e-9 {
			t.Errorf("%s: %v s, want %v", s.Scheme, s.Seconds, want[k])
		}
	}
	if r.Best != "gc:s=1" || r.Late != 0.5 || math.Abs(r.Schemes[1].Share-want[1]/want[0]) > 1e-12 {
		t.Errorf("%+v", r)
	}
	for _, bad := range []job.StragglerDelays{{}, {Trace: path, Synthetic: "usual"}, {Trace: path, Workers: 5}, {Trace: path, Load: 3}} {
		if _, err := job.StragglerSimulate(job.StragglerSimulateConfig{StragglerDelays: bad}); job.KindOf(err) != job.KindUsage {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := job.StragglerSelect(t.Context(), job.StragglerSelectConfig{StragglerDelays: d, MaxDelay: new(9)},
		nil); job.KindOf(err) != job.KindInput {
		t.Errorf("four rounds and a delay of nine: %v", err)
	}
	if _, err := straggler.Parse(r.Best); err != nil {
		t.Error(err)
	}
}
