package data

import (
	"io/fs"
	"strings"
)

func init() {
	register(Format{
		Name: "tar", Doc: "webdataset shards: recognised, not supported yet", Source: "https://github.com/webdataset/webdataset",
		is:   func(path string, info fs.FileInfo) bool { return !info.IsDir() && hasExt(path, ".tar", ".tgz") },
		open: notYet("unpack it and read imagefolder:DIR or images:DIR, or a csv:FILE that lists the pictures"),
	})
}

// elsewhere says what to do with files of other programs.
func elsewhere(path string) string {
	for _, w := range []struct {
		exts   []string
		remedy string
	}{
		{[]string{".npy"}, "an npy is one array: write x and y into one npz with numpy.savez(file, x=…, y=…)"},
		{[]string{".xlsx", ".xls", ".xlsm", ".ods", ".numbers"}, "save the sheet as csv"},
		{[]string{".txt", ".dat", ".data"}, "a table of text is read as csv:FILE"},
		{[]string{".json", ".jsonl", ".ndjson", ".feather", ".arrow", ".sqlite", ".db", ".arff", ".xml", ".rds", ".sav", ".dta"},
			"write a table as csv, arrays as npz"},
		{[]string{".pkl", ".pickle", ".pt", ".pth", ".h5", ".hdf5", ".mat", ".npk", ".safetensors", ".tfrecord"},
			"write the arrays with numpy.savez(file, x=…, y=…)"},
		{[]string{".zip", ".7z", ".rar"}, "unpack it and name the folder or file in it"},
	} {
		if hasExt(path, w.exts...) {
			return w.remedy
		}
	}
	return "write FORMAT:PATH with one of " + strings.Join(formats.Names(), ", ")
}

func notYet(remedy string) func(Spec, Options, int) (Dataset, error) {
	return func(spec Spec, _ Options, _ int) (Dataset, error) {
		return nil, &FormatError{Path: spec.Path, Problem: spec.Format, Err: ErrUnsupported, Remedy: remedy}
	}
}
