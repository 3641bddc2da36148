package job_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gtk-onnx/gtk/job"
)

// A classifier learns three classes of its own, shows where it looks, and says which of its examples are worth keeping. Class names and
// preprocessing travel in the file three.onnx, so that no later step repeats them.
func Example() {
	ctx := context.Background()
	tuned, err := job.Finetune(ctx, job.FinetuneConfig{
		Model: "builtin:shapes", Data: "shapes?n=120&classes=3#train", Val: "shapes?n=60&classes=3#test", Out: "three.onnx",
		NumClasses: "auto", Epochs: 3, TrainOptions: job.TrainOptions{Optimizer: "diffgrad", LastLayer: true},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d steps; right in %d %% of the test\n", tuned.Steps, int(100*tuned.After.Accuracy))

	shown, err := job.Explain(ctx, job.ExplainConfig{Model: tuned.Out, Data: "shapes?n=60&classes=3#test", N: 2, Out: "maps"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d maps; the first picture is a %s\n", len(shown.Maps), shown.Images[0].Top[0].Name())

	pruned, err := job.Prune(ctx, job.PruneConfig{
		ScoringOptions: job.ScoringOptions{Model: tuned.Out, Data: "shapes?n=120&classes=3&noise=0.05#train", Out: "pruned"}, Keep: 0.8,
		DropTop: 0.1,
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("kept %d, dropped %d, among them %d of %d wrong labels\n", pruned.Kept, pruned.Dropped, pruned.Planted.Dropped,
		pruned.Planted.Total)
	// Output:
	// 12 steps; right in 100 % of the test
	// 4 maps; the first picture is a triangle
	// kept 96, dropped 24, among them 5 of 5 wrong labels
}
