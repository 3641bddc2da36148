package job

import (
	"fmt"
	"strconv"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// readOptions are o with the list of classes (nil leaves it to the data), what is said of labels and inputs, and tensor files read.
// Pictures are laid on the ground that pre says, if it is not nil and o says none.
func readOptions(o data.Options, classes []string, u UseOptions, pre *data.Preprocess) data.Options {
	o.Classes, o.TensorFile = classes, readTensorFile
	if o.Alpha == "" && pre != nil {
		o.Alpha = pre.Alpha
	}
	if u.Task != "" && u.Task != "auto" {
		o.Task = u.Task
	}
	if o.Inputs == nil {
		o.Inputs = u.columns()
	}
	return o
}

// openFor opens the data set spec for the model l. Class names that are numbers mean those classes of a model that has so many and no
// names for them, also where the data lack some: 0, 1 and 5 are not 0, 1 and 2.
func openFor(l *Model, spec string, do data.Options, o UseOptions) (data.Dataset, error) {
	if err := l.takesData(); err != nil {
		return nil, err
	}
	o = o.remembered(l)
	do = l.named(do)
	ds, err := data.Open(spec, readOptions(do, l.Labels, o, l.Pre))
	if err != nil || l.Labels != nil || len(ds.Classes()) == 0 {
		return ds, err
	}
	gap, highest := false, 0
	for i, c := range ds.Classes() {
		n, err := strconv.Atoi(c)
		if err != nil || n < 0 {
			return ds, nil
		}
		gap, highest = gap || n != i, max(highest, n)
	}
	if !gap {
		return ds, nil
	}
	t, err := task.OfModel(l.Model, task.Options{Kind: o.Task, Output: o.Output})
	if err != nil || highest >= t.NumClasses() {
		return ds, nil
	}
	numbers := make([]string, t.NumClasses())
	for i := range numbers {
		numbers[i] = strconv.Itoa(i)
	}
	return data.Open(spec, readOptions(do, numbers, o, l.Pre))
}

// named is do with the names of the model's inputs.
func (l *Model) named(do data.Options) data.Options {
	do.InputNames = nil
	for _, io := range l.Inputs() {
		do.InputNames = append(do.InputNames, io.Name)
	}
	return do
}

// takesData refuses a model without inputs.
func (l *Model) takesData() error {
	if len(l.Inputs()) == 0 {
		return badInput(fmt.Errorf("%s has no inputs, so that its outputs say nothing of any data", l.Path))
	}
	return nil
}

// readTensorFile reads the one tensor of a .pb file.
func readTensorFile(path string) (*tensor.Tensor, error) {
	_, t, err := onnx.ReadTensorFile(path)
	return t, err
}
