package tensor_test

import (
	"bytes"
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
)

func ExampleTensor_Convert() {
	x := tensor.From([]float32{0.1, 2.5, -70000}, 3)
	h, err := x.Convert(tensor.Float16)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h, h.Float64s())
	// Output: float16[3] [0.0999755859375 2.5 -Inf]
}

func ExampleAllClose() {
	got := tensor.From([]float32{1, 2.001, 3}, 3)
	want := tensor.From([]float32{1, 2, 3}, 3)
	ok, report := tensor.AllClose(got, want, 1e-5, 1e-8)
	fmt.Println(ok)
	fmt.Println(report)
	// Output:
	// false
	// 1 of 3 elements differ, worst at [1]: 2.001, want 2; first at [1]; max abs 0.001, max rel 0.0005
}

func ExampleReadNPY() {
	var file bytes.Buffer
	if err := tensor.WriteNPY(&file, tensor.From([]int64{1, 2, 3, 4}, 2, 2)); err != nil {
		fmt.Println(err)
		return
	}
	x, err := tensor.ReadNPY(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tensor.Format(x))
	// Output:
	// int64[2,2] [[1 2]
	//  [3 4]]
}
