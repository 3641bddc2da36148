package engine_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/tensor"
)

func inspect(t *testing.T, name string, o models.Options, inputs []tensor.Shape) *engine.Inspection {
	t.Helper()
	m, err := models.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	em, err := engine.Load(m)
	if err != nil {
		t.Fatal(err)
	}
	in, err := em.Inspect(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// The figures of LeNet-5 with 28×28 inputs and padding 2 are those of its paper's layers, counted by hand.
func TestInspectLeNet(t *testing.T) {
	in := inspect(t, "lenet", models.Options{}, nil)
	const parameters = 6*25 + 6 + 16*6*25 + 16 + 400*120 + 120 + 120*84 + 84 + 84*10 + 10
	if in.Parameters != parameters {
		t.Errorf("parameters %d, want %d", in.Parameters, parameters)
	}
	const macs = 28*28*6*25 + 10*10*16*6*25 + 400*120 + 120*84 + 84*10
	if in.MACs != macs {
		t.Errorf("MACs %d, want %d", in.MACs, macs)
	}
	first := in.Layers[0]
	if first.Op != "Conv" || first.Parameters != 156 || len(first.Shape) != 4 || first.Shape[0].Symbol != "N" ||
		first.Shape[1].Size != 6 || first.Shape[3].Size != 28 {
		t.Errorf("first layer %+v", first)
	}
	// conv1 and its ReLU are the largest pair of values that live together.
	if want := int64(2 * 6 * 28 * 28 * 4); in.PeakBytes != want {
		t.Errorf("peak %d bytes, want %d", in.PeakBytes, want)
	}
}

func TestInspectBatch(t *testing.T) {
	one := inspect(t, "mlp", models.Options{}, nil)
	eight := inspect(t, "mlp", models.Options{}, []tensor.Shape{{8, 1, 8, 8}})
	if eight.MACs != 8*one.MACs || eight.Parameters != one.Parameters {
		t.Errorf("batch of 8: %d MACs and %d parameters, batch of 1: %d and %d", eight.MACs, eight.Parameters, one.MACs, one.Parameters)
	}
}

func TestInspectLSTM(t *testing.T) {
	in := inspect(t, "lstm", models.Options{Channels: 3, Hidden: 5, Layers: 1, Classes: 2}, nil)
	const steps = 16 // what Sizes gives to a free length
	want := int64(steps*(4*5*3+4*5*5) + 5*2)
	if in.MACs != want {
		t.Errorf("MACs %d, want %d", in.MACs, want)
	}
}

func TestInspectRefusesShapes(t *testing.T) {
	m, err := models.New("mlp", models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	em, err := engine.Load(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range [][]tensor.Shape{{}, {{1, 64}}, {{1, 1, 8, 8}, {1}}} {
		if _, err := em.Inspect(in); err == nil {
			t.Errorf("shapes %v are accepted", in)
		}
	}
}
