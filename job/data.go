package job

import (
	"cmp"
	"image/png"
	"io"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/whole"
)

// DataConfig says what is looked at in a data set.
type DataConfig struct {
	Data     string       // FORMAT:PATH[#SPLIT]; required
	Options  data.Options // of reading
	Labels   string       // file with the names of the classes; "" takes the data's own
	Check    int          // examples to read, spread over the set; 0 means all
	Sheet    string       // PNG file for a contact sheet; "" makes none
	PerClass int          // pictures of each class on the sheet; 0 means 10
	Cell     int          // width of a picture on the sheet; 0 means 64
	Force    bool         // replace Sheet
}

// DataReport says what is in a data set.
type DataReport struct {
	Schema   string         `json:"schema"`
	Spec     string         `json:"spec"`
	N        int            `json:"n"`
	Classes  []string       `json:"classes"`
	Shape    []int          `json:"shape"`
	PerClass map[string]int `json:"per_class"`
	Sheet    string         `json:"sheet,omitempty"`
	Warnings []string       `json:"warnings"`
	data.Summary
}

// openSpec opens a data set without a model.
func openSpec(spec, labels string, o data.Options) (data.Dataset, error) {
	var classes []string
	if labels != "" {
		var err error
		if classes, err = ReadLabels(labels); err != nil {
			return nil, err
		}
	}
	return data.Open(spec, readOptions(o, classes, UseOptions{}, nil))
}

// Data says what is in a data set.
func Data(c DataConfig) (*DataReport, error) {
	release, err := claim(and(reads("", ModelOptions{Labels: c.Labels}, c.Data), "--root", c.Options.Root),
		output{flag: "--out", path: c.Sheet, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	ds, err := openSpec(c.Data, c.Labels, c.Options)
	if err != nil {
		return nil, err
	}
	s := data.Summarise(ds, c.Check)
	r := &DataReport{Schema: "gtk.data/1", Spec: c.Data, N: s.N, Classes: append([]string{}, s.Classes...), Shape: s.Shape,
		PerClass: s.PerClass, Sheet: c.Sheet, Warnings: append([]string{}, s.Warnings...), Summary: s}
	if c.Sheet != "" {
		sheet, err := data.ContactSheet(ds, cmp.Or(c.PerClass, 10), cmp.Or(c.Cell, 64))
		if err != nil {
			return nil, badInput(err)
		}
		if err := WriteFile(c.Sheet, func(f io.Writer) error { return png.Encode(f, sheet) }); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// ConvertConfig says how a data set is written.
type ConvertConfig struct {
	Data    string       // FORMAT:PATH[#SPLIT]; required
	Options data.Options // of reading
	Labels  string       // file with the names of the classes; "" takes the data's own
	Out     string       // FILE.npz, or a folder for one sub-folder of pictures per class; required
	Link    bool         // link picture files instead of copying them
	Force   bool         // replace FILE.npz
}

// ConvertReport says what was written.
type ConvertReport struct {
	Schema string `json:"schema"`
	Spec   string `json:"spec"`
	Out    string `json:"out"`
	Format string `json:"format"`
	N      int    `json:"n"`
}

// Convert writes a data set as a .npz file, or as a folder of pictures.
func Convert(c ConvertConfig) (*ConvertReport, error) {
	out := c.Out
	if out == "" {
		return nil, usagef("gtk data convert: give what to write: -o FILE.npz or -o FOLDER")
	}
	r := &ConvertReport{Schema: "gtk.data.convert/1", Spec: c.Data, Out: out, Format: "imagefolder"}
	if strings.HasSuffix(strings.ToLower(out), ".npz") {
		r.Format = "npz"
	} else if vacant, err := whole.Vacant(out); err == nil && !vacant {
		return nil, usagef("%s exists already; a folder of pictures is written to a new or empty folder", out)
	}
	release, err := claim(and(reads("", ModelOptions{Labels: c.Labels}, c.Data), "--root", c.Options.Root),
		output{flag: "--out", path: out, folder: r.Format != "npz", force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	ds, err := openSpec(c.Data, c.Labels, c.Options)
	if err != nil {
		return nil, err
	}
	r.N = ds.Len()
	if r.Format == "npz" {
		err = WriteFile(out, func(f io.Writer) error { return data.WriteNPZ(f, ds) })
	} else {
		err = data.WriteImageFolder(out, ds, c.Link)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}
