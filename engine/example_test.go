package engine_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// lenet is a model to show things on; a file would be read with onnx.ReadFile.
func lenet() *engine.Model {
	file, err := models.New("lenet", models.Options{})
	if err != nil {
		log.Fatal(err)
	}
	m, err := engine.Load(file)
	if err != nil {
		log.Fatal(err)
	}
	return m
}

// A model is run on a batch of two.
func Example() {
	m := lenet()
	s, err := m.Session(engine.Query{})
	if err != nil {
		log.Fatal(err)
	}
	r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"input": tensor.New(tensor.Float32, 2, 1, 28, 28)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Inputs()[0], "→", r.Value("logits"))
	// Output: input float32[N,1,28,28] → float32[2,10]
}

// The gradient of the loss by a weight and by the input, and the norm of each example's gradient, from one run.
func ExampleModel_Session() {
	m := lenet()
	digits, err := task.OfModel(m, task.Options{})
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.Session(engine.Query{
		Loss:       digits.Each(),
		Grad:       []string{"conv1.weight", "input"},
		PerExample: []string{"conv1.weight", "conv1.bias"},
	})
	if err != nil {
		log.Fatal(err)
	}
	r, err := s.Run(context.Background(), map[string]*tensor.Tensor{
		"input": tensor.New(tensor.Float32, 4, 1, 28, 28), task.LabelInput: tensor.From([]int64{3, 1, 4, 1}, 4),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Grad("conv1.weight"), r.Grad("input"), r.TotalNorm2())
	// Output: float32[6,1,5,5] float32[4,1,28,28] float32[4]
}

// The gradient is written as an ONNX model of its own, which any runtime can run.
func ExampleModel_Export() {
	m := lenet()
	digits, err := task.OfModel(m, task.Options{})
	if err != nil {
		log.Fatal(err)
	}
	file, err := m.Export(engine.Query{Loss: digits.Mean(), Grad: []string{"input"}})
	if err != nil {
		log.Fatal(err)
	}
	if err := file.Check(); err != nil {
		log.Fatal(err)
	}
	var outputs []string
	for _, o := range file.Proto.GetGraph().GetOutput() {
		outputs = append(outputs, o.GetName())
	}
	slices.Sort(outputs)
	fmt.Println(outputs)
	// Output: [grad:input loss]
}
