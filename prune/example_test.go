package prune_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/prune"
)

// Examples are scored by the exact norm of their gradients, averaged over two networks, and the half with the highest scores of
// each class is kept.
func Example() {
	digits, err := data.Open("digits#test", data.Options{})
	if err != nil {
		log.Fatal(err)
	}
	pre := data.Suggested(digits)
	scores, err := prune.Run(context.Background(), "grand", digits, prune.RunConfig{
		ScoreConfig: prune.ScoreConfig{Preprocess: &pre},
		Runs:        2,
		Model: func(_ context.Context, run int) (*engine.Model, error) {
			file, err := models.New("mlp", models.Options{Seed: uint64(run)})
			if err != nil {
				return nil, err
			}
			return engine.Load(file)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	kept, err := scores.Select(prune.Choice{Keep: 0.5, Balance: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(kept), "of", len(scores.IDs), "kept")
	// Output: 179 of 355 kept
}
