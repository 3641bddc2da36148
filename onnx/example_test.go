package onnx_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

func linear() *onnx.Model {
	name := "linear"
	return onnx.NewModel(&onnxpb.GraphProto{
		Name:   &name,
		Input:  []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", 2)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", 1)},
		Initializer: []*onnxpb.TensorProto{
			onnx.TensorToProto("weight", tensor.From([]float32{1, 2}, 1, 2)),
			onnx.TensorToProto("bias", tensor.From([]float32{0.5}, 1)),
		},
		Node: []*onnxpb.NodeProto{
			onnx.NewNode("Gemm", "fc", []string{"x", "weight", "bias"}, []string{"y"}, onnx.AttrInt("transB", 1)),
		},
	}, 17)
}

// Weights are replaced in the model that was read; nothing else of the file changes.
func ExampleModel_SetInitializer() {
	dir, err := os.MkdirTemp("", "onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "linear.onnx")
	if err := linear().WriteFile(path, onnx.WriteOptions{}); err != nil {
		log.Fatal(err)
	}
	m, err := onnx.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := m.SetInitializer("bias", tensor.From([]float32{0.75}, 1)); err != nil {
		log.Fatal(err)
	}
	if err := m.WriteFile(filepath.Join(dir, "tuned.onnx"), onnx.WriteOptions{}); err != nil {
		log.Fatal(err)
	}
	fmt.Print(onnx.CompareModels(linear(), m))
	// Output:
	// initializers (1)
	//   ~ graph.initializer[bias]: float32[1] → other values (1 of 1 differ, by at most 0.25)
}

func ExampleModel_Check() {
	m := linear()
	m.Proto.Graph.Node[0].Input[1] = "wieght"
	fmt.Println(m.Check())
	// Output:
	// onnx: node "fc" (Gemm): input 1 "wieght" is produced by no node, and is no graph input or initializer
}

func ExampleModel_Tensor() {
	m := linear()
	for ref := range m.Tensors() {
		t, err := m.Tensor(ref.Proto)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ref.Proto.GetName(), t, t.F32())
	}
	fmt.Println(onnx.TypeString(m.Inputs()[0].GetType()))
	// Output:
	// weight float32[1,2] [1 2]
	// bias float32[1] [0.5]
	// float32[N,2]
}
