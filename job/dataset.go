package job

import (
	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// readOptions are o with the list of classes (nil leaves it to the data), what is said of labels and inputs, and tensor files read.
func readOptions(o data.Options, classes []string, u UseOptions) data.Options {
	o.Classes, o.TensorFile = classes, readTensorFile
	if u.Task != "" && u.Task != "auto" {
		o.Task = u.Task
	}
	return o
}

// readTensorFile reads the one tensor of a .pb file.
func readTensorFile(path string) (*tensor.Tensor, error) {
	_, t, err := onnx.ReadTensorFile(path)
	return t, err
}
