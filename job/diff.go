package job

import "github.com/gtk-onnx/gtk/onnx"

// DiffReport is what two models differ in.
type DiffReport struct {
	Schema string `json:"schema"`
	A      string `json:"a"`
	B      string `json:"b"`
	Same   bool   `json:"same"`
	onnx.Diff
}

// Diff compares everything in two files.
func Diff(pathA, pathB string) (*DiffReport, error) {
	a, err := onnx.ReadFile(pathA)
	if err != nil {
		return nil, err
	}
	b, err := onnx.ReadFile(pathB)
	if err != nil {
		return nil, err
	}
	r := &DiffReport{"gtk.diff/1", pathA, pathB, false, onnx.CompareModels(a, b)}
	r.Same = r.Empty()
	for _, k := range []*[]onnx.Change{&r.IO, &r.Nodes, &r.Attributes, &r.Initializers, &r.Metadata, &r.Other} {
		if *k == nil {
			*k = []onnx.Change{} // [] in JSON
		}
	}
	return r, nil
}
