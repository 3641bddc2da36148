package job

import (
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// readOptions are o with the list of classes (nil leaves it to the data) and tensor files read.
func readOptions(o data.Options, classes []string) data.Options {
	o.Classes, o.TensorFile = classes, readTensorFile
	return o
}

// openData opens the data set spec for the model l: class names of the data are looked up among the model's labels when it has some.
// The preprocessing is that of the model and the options, else the one that the data set suggests, completed by the input's shape; assumed is a
// sentence about what was guessed, "" when nothing was. The preprocessing is nil when the data are no pictures and are fed as they are.
func openData(l *Model, spec string, o data.Options) (ds data.Dataset, p *data.Preprocess, assumed string, err error) {
	if ds, err = data.Open(spec, readOptions(o, l.Labels)); err != nil {
		return nil, nil, "", err
	}
	if ds.Len() == 0 {
		return nil, nil, "", badInput(fmt.Errorf("data set %s is empty", spec))
	}
	first, err := ds.Example(0)
	if err != nil {
		return nil, nil, "", err
	}
	if !first.Picture {
		return ds, l.Pre, "", nil
	}
	if len(l.Inputs()) != 1 {
		return nil, nil, "", badInput(fmt.Errorf("the model has %d inputs; a data set feeds exactly one", len(l.Inputs())))
	}
	known := l.Pre
	if known == nil {
		if s := data.Suggested(ds); s.Scale != 0 {
			known = &s
		}
	}
	q, assumed, err := completePreprocess(known, l.Inputs()[0])
	if err != nil {
		return nil, nil, "", err
	}
	return ds, &q, assumed, nil
}

// readTensorFile reads the one tensor of a .pb file.
func readTensorFile(path string) (*tensor.Tensor, error) {
	_, t, err := onnx.ReadTensorFile(path)
	return t, err
}
