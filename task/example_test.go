package task_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// What a model is for on a data set, and how well it does that.
func Example() {
	file, err := models.New("digits-trained", models.Options{})
	if err != nil {
		log.Fatal(err)
	}
	m, err := engine.Load(file)
	if err != nil {
		log.Fatal(err)
	}
	digits, err := data.Open("digits#test", data.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, pre := context.Background(), data.Suggested(digits)
	plan, err := feed.For(m, digits, feed.Options{})
	if err != nil {
		log.Fatal(err)
	}
	t, err := task.Of(ctx, plan, digits, task.Options{Preprocess: &pre})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v; loss %s\nbecause: %s\n", t, t.Name, t.Why[0])
	quality, err := train.Evaluate(ctx, m, digits, train.EvalConfig{Task: t, Feed: plan, Preprocess: &pre})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(quality.Metrics[0].Name, "above 95 %:", quality.Metrics[0].Value > 0.95)
	// Output:
	// multiclass: output "logits" scores 10 classes; loss cross-entropy
	// because: 10 scores for each example and one class number as its label
	// accuracy above 95 %: true
}
