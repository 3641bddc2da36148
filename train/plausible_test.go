package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// small is a short training and its model.
func small(t *testing.T) (*engine.Model, data.Dataset, Config) {
	t.Helper()
	m := load(t, built(t, "resnet8", models.Options{Seed: 1, Classes: 8, ImageSize: 16}))
	ds := open(t, "shapes?n=20&size=16#train")
	p := data.Suggested(ds)
	return m, ds, Config{Preprocess: &p, Epochs: 3, BatchSize: 8, BN: engine.BNTrain, SaveEvery: 1,
		Val: open(t, "shapes?n=10&size=16#test"), Optimizer: rule(t, "adam", optim.Config{}), Schedule: optim.Constant(0.01)}
}

// A checkpoint of which a number was changed, or a part is missing, is refused, and so is a file of which a piece is missing.
func TestImplausible(t *testing.T) {
	m, ds, c := small(t)
	path := filepath.Join(t.TempDir(), "c.npz")
	stop := errors.New("stop")
	c.Save = func(k *Checkpoint) error {
		if k.Step < 5 { // 3 steps in an epoch
			return nil
		}
		return errors.Join(k.Write(path), stop)
	}
	if _, err := Fit(context.Background(), m, ds, c); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	named := func(k *Checkpoint, prefix string) *tensor.Named {
		for i, n := range k.Tensors {
			if strings.HasPrefix(n.Name, prefix) && n.Tensor.DType() == tensor.Float32 && n.Tensor.Len() > 4 {
				return &k.Tensors[i]
			}
		}
		t.Fatalf("nothing is called %s…", prefix)
		return nil
	}
	for what, change := range map[string]func(*Checkpoint){
		"nothing":               func(*Checkpoint) {},
		"step":                  func(k *Checkpoint) { k.Step = 1000 },
		"step of another epoch": func(k *Checkpoint) { k.Step = 8 },
		"step before the epoch": func(k *Checkpoint) { k.Step = 2 },
		"huge step":             func(k *Checkpoint) { k.Step = math.MaxInt },
		"epochs":                func(k *Checkpoint) { k.record.Epochs = 2 },
		"begun":                 func(k *Checkpoint) { k.record.Begun = 4 },
		"begun and its epoch":   func(k *Checkpoint) { k.record.Begun, k.record.History[0].Step = 4, 4 },
		"examples":              func(k *Checkpoint) { k.record.Examples = 1 << 30 },
		"few examples":          func(k *Checkpoint) { k.record.Examples = 1 },
		"history":               func(k *Checkpoint) { k.record.History = nil },
		"number of an epoch":    func(k *Checkpoint) { k.record.History[0].Epoch = 7 },
		"NaN weight":            func(k *Checkpoint) { named(k, paramPrefix).Tensor.F32()[3] = float32(math.NaN()) },
		"infinite weight":       func(k *Checkpoint) { named(k, paramPrefix).Tensor.F32()[0] = float32(math.Inf(-1)) },
		"NaN state":             func(k *Checkpoint) { named(k, optimPrefix).Tensor.F32()[0] = float32(math.NaN()) },
		"NaN best epoch":        func(k *Checkpoint) { named(k, bestPrefix).Tensor.F32()[0] = float32(math.NaN()) },
		"size":                  func(k *Checkpoint) { x := named(k, paramPrefix); x.Tensor = tensor.New(tensor.Float32, 2) },
		"no weight":             func(k *Checkpoint) { k.Tensors = k.Tensors[1:] },
		"another array": func(k *Checkpoint) {
			k.Tensors = append(k.Tensors, tensor.Named{Name: "x", Tensor: tensor.Scalar(float32(1))})
		},
	} {
		k, err := ReadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		change(k)
		changed := filepath.Join(t.TempDir(), "c.npz")
		if err := k.Write(changed); err != nil {
			t.Fatal(err)
		}
		if k, err = ReadCheckpoint(changed); err == nil {
			m, ds, c := small(t)
			c.Resume = k
			_, err = Fit(context.Background(), m, ds, c)
		}
		var bad *CheckpointError
		if want := what != "nothing"; errors.As(err, &bad) != want || !want && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		cut := filepath.Join(t.TempDir(), "c.npz")
		if err := os.WriteFile(cut, b[:i*len(b)/40], 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadCheckpoint(cut); !errors.Is(err, tensor.ErrNPY) {
			t.Errorf("cut to %d of %d bytes: %v", i*len(b)/40, len(b), err)
		}
	}
}

// A mask that is trained along may hold infinities from the start.
func TestInfiniteFromTheStart(t *testing.T) {
	m, ds, c := small(t)
	f, err := newFit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	f.changed[0].Value.F32()[0] = float32(math.Inf(-1))
	if err := f.whole(f.checkpoint()); err != nil {
		t.Error(err)
	}
}
