package cli

import (
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
	ucli "github.com/urfave/cli/v2"
)

// dataFlags say how a data set is read; those of pictures and labels are in preprocessFlags. The flag --data itself belongs to the
// commands that take it.
func dataFlags() []ucli.Flag {
	const group = "data"
	return []ucli.Flag{
		&ucli.StringFlag{Name: "task", Category: group, Usage: "classification or regression, when the labels leave it open"},
		&ucli.StringFlag{Name: "label-column", Category: group, Usage: "csv: `COLUMN` of the label, or none"},
		&ucli.StringFlag{Name: "file-column", Category: group, Usage: "csv: `COLUMN` of the picture files"},
		&ucli.StringFlag{Name: "root", Category: group, Usage: "csv: `FOLDER` of the picture files"},
		&ucli.StringFlag{Name: "header", Category: group, Usage: "csv: true or false, when it is not detected rightly"},
		&ucli.StringSliceFlag{Name: "group-by", Category: group, Usage: "csv: `COLUMN` that is a group, not a feature"},
		&ucli.BoolFlag{Name: "allow-nonfinite", Category: group, Usage: "NaN and infinity are data, not errors"},
	}
}

// dataFlag is the flag --data of a command.
func dataFlag() ucli.Flag {
	return &ucli.StringFlag{Name: "data", Category: "data", Usage: "data set: `FORMAT:PATH[#SPLIT]` or a path whose format is recognised; see gtk data --list", EnvVars: []string{"GTK_DATA"}}
}

// dataOptions are the options of reading by the flags. classes fixes the list of classes, nil leaves it to the data.
func dataOptions(c *ucli.Context, classes []string) data.Options {
	return data.Options{
		Classes: classes, Task: c.String("task"), LabelColumn: c.String("label-column"), FileColumn: c.String("file-column"),
		Root: c.String("root"), Header: c.String("header"), GroupBy: c.StringSlice("group-by"), AllowNonFinite: c.Bool("allow-nonfinite"),
		TensorFile: readTensorFile,
	}
}

// openData opens the data set spec for the model l: class names of the data are looked up among the model's labels when it has some.
// The preprocessing is that of the model and the flags, else the one that the data set suggests, completed by the input's shape; assumed is a
// sentence about what was guessed, "" when nothing was. The preprocessing is nil when the data are no pictures and are fed as they are.
func openData(c *ucli.Context, l *loaded, spec string) (ds data.Dataset, p *data.Preprocess, assumed string, err error) {
	if ds, err = data.Open(spec, dataOptions(c, l.Labels)); err != nil {
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
