package train_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/train"
)

// A perceptron learns handwritten digits in about a second, and is given back as an ONNX model.
func Example() {
	file, err := models.New("mlp", models.Options{})
	if err != nil {
		log.Fatal(err)
	}
	m, err := engine.Load(file)
	if err != nil {
		log.Fatal(err)
	}
	digits, err := data.Open("digits#train", data.Options{})
	if err != nil {
		log.Fatal(err)
	}
	test, err := data.Open("digits#test", data.Options{})
	if err != nil {
		log.Fatal(err)
	}
	rule, err := optim.New("diffgrad", optim.Config{})
	if err != nil {
		log.Fatal(err)
	}
	pre := data.Suggested(digits)
	result, err := train.Fit(context.Background(), m, digits, train.Config{
		Optimizer: rule, Schedule: optim.Cosine{Max: 1e-2}, Epochs: 5, Shuffle: true, Preprocess: &pre, Val: test,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Steps, "steps; better than 90 %:", result.Before.Accuracy < 0.3 && result.After.Accuracy > 0.9)
	trained, err := m.Save()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("valid:", trained.Check() == nil)
	// Output:
	// 230 steps; better than 90 %: true
	// valid: true
}
