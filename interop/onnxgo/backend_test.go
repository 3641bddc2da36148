package onnxgo_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/interop/onnxgo"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	upstream "github.com/owulveryck/onnx-go"
	_ "go4.org/unsafe/assume-no-moving-gc" // keeps gorgonia's tensor package from panicking on a new Go
	dense "gorgonia.org/tensor"
)

// Example runs a model that onnx-go decodes on gtk's engine.
func Example() {
	lenet, err := models.New("lenet", models.Options{})
	if err != nil {
		panic(err)
	}
	file, err := lenet.Bytes()
	if err != nil {
		panic(err)
	}
	backend := onnxgo.NewBackend()
	m := upstream.NewModel(backend)
	if err := m.UnmarshalBinary(file); err != nil {
		panic(err)
	}
	if err := m.SetInput(0, dense.New(dense.WithShape(1, 1, 28, 28), dense.Of(dense.Float32))); err != nil {
		panic(err)
	}
	if err := backend.Run(); err != nil {
		panic(err)
	}
	out, err := m.GetOutputTensors()
	if err != nil {
		panic(err)
	}
	fmt.Println(out[0].Shape())
	// Output: (1, 10)
}

func TestAgreesWithEngine(t *testing.T) {
	for _, c := range []struct {
		name string
		o    models.Options
		in   []int
	}{
		{"lenet", models.Options{Seed: 3}, []int{2, 1, 28, 28}},
		{"resnet8", models.Options{Seed: 4, ImageSize: 16}, []int{2, 3, 16, 16}},
		{"mobilenet_v2", models.Options{Seed: 5, ImageSize: 32, Classes: 7}, []int{1, 3, 32, 32}},
		{"lstm", models.Options{Seed: 6}, []int{2, 5, 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			om, err := models.New(c.name, c.o)
			if err != nil {
				t.Fatal(err)
			}
			em, err := engine.Load(om)
			if err != nil {
				t.Fatal(err)
			}
			s, err := em.Session(engine.Query{})
			if err != nil {
				t.Fatal(err)
			}
			x := testkit.RandN(1, c.in...)
			r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"input": x})
			if err != nil {
				t.Fatal(err)
			}
			want := r.Value(em.Outputs()[0].Name)

			file, err := om.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			b := onnxgo.NewBackend()
			b.Opset = 17
			m := upstream.NewModel(b)
			if err := m.UnmarshalBinary(file); err != nil {
				t.Fatal(err)
			}
			for range 2 { // a second run must not differ from the first
				if err := m.SetInput(0, dense.New(dense.WithShape(c.in...), dense.WithBacking(x.F32()))); err != nil {
					t.Fatal(err)
				}
				if err := b.Run(); err != nil {
					t.Fatal(err)
				}
				outs, err := m.GetOutputTensors()
				if err != nil {
					t.Fatal(err)
				}
				got := outs[0].Data().([]float32)
				if len(got) != want.Len() {
					t.Fatalf("%d outputs, want %d", len(got), want.Len())
				}
				for i, v := range want.F32() {
					if math.Abs(float64(got[i]-v)) > 1e-5*(1+math.Abs(float64(v))) {
						t.Fatalf("output %d is %v, want %v", i, got[i], v)
					}
				}
			}
		})
	}
}

// TestInputTypes gives an input another element type than the model declares: exact numbers are converted, others refused.
func TestInputTypes(t *testing.T) {
	g := &onnxpb.GraphProto{Name: new("mod"), Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Int32, 3),
		onnx.ValueInfo("y", tensor.Int32, 1)}, Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("z", tensor.Int32, 3)},
		Node: []*onnxpb.NodeProto{onnx.NewNode("Mod", "mod", []string{"x", "y"}, []string{"z"})}}
	file, err := onnx.NewModel(g, 13).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		y  float32
		ok bool
	}{{4, true}, {2.5, false}, {float32(math.Inf(1)), false}} {
		b := onnxgo.NewBackend()
		m := upstream.NewModel(b)
		if err := m.UnmarshalBinary(file); err != nil {
			t.Fatal(err)
		}
		for i, x := range []dense.Tensor{dense.New(dense.WithShape(3), dense.WithBacking([]int32{3, 4, 6})),
			dense.New(dense.WithShape(1), dense.WithBacking([]float32{c.y}))} {
			if err := m.SetInput(i, x); err != nil {
				t.Fatal(err)
			}
		}
		err := b.Run()
		if (err == nil) != c.ok {
			t.Fatalf("y = %v: %v", c.y, err)
		}
		if err != nil {
			if !strings.Contains(err.Error(), "declares int32") {
				t.Errorf("y = %v: %v", c.y, err)
			}
			continue
		}
		out, err := m.GetOutputTensors()
		if err != nil {
			t.Fatal(err)
		}
		if got := out[0].Data().([]int32); !slices.Equal(got, []int32{3, 0, 2}) {
			t.Errorf("y = %v: %v", c.y, got)
		}
	}
}
