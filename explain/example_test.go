package explain_test

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// A model is explained by two methods at the layer that is chosen automatically.
func Example() {
	f, err := onnx.ReadFile("testdata/netA.onnx")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := engine.Load(f)
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := explain.New(m, explain.Config{Requests: []explain.Request{
		{Method: "gradcam"},
		{Method: "normgrad", Options: explain.Options{"phase1": "scaling", "phase2": "filter_norm"}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	x := tensor.New(tensor.Float32, 1, 3, 16, 12)
	for i := range x.F32() {
		x.F32()[i] = float32(i%7) - 3
	}
	images, err := e.Explain(context.Background(), map[string]*tensor.Tensor{"input": x})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range images[0].Maps {
		fmt.Println(m.Method, m.Layer, m.Raw, len(m.Heat))
	}
	// Output:
	// gradcam relu3_out float32[1,4,3] 192
	// normgrad-scaling-filter_norm relu3_out float32[1,4,3] 192
}
