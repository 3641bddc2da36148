package data

import "strings"

// elsewhere says what to do with files of other programs.
func elsewhere(path string) string {
	for _, w := range []struct {
		exts   []string
		remedy string
	}{
		{[]string{".xlsx", ".xls", ".xlsm", ".ods", ".numbers"}, "save the sheet as csv"},
		{[]string{".txt"}, "a text is read as text:FILE, for a language model on bytes, and a table as csv:FILE"},
		{[]string{".md", ".tex", ".html", ".rst", ".text"}, "a text is read as text:FILE, for a language model on bytes"},
		{[]string{".dat", ".data"}, "a table of text is read as csv:FILE"},
		{[]string{".json", ".jsonl", ".ndjson", ".feather", ".arrow", ".sqlite", ".db", ".arff", ".xml", ".rds", ".sav", ".dta"},
			"write a table as csv, arrays as npz"},
		{[]string{".pkl", ".pickle", ".pt", ".pth", ".h5", ".hdf5", ".mat", ".npk", ".tfrecord"},
			"write the arrays with numpy.savez(file, x=…, y=…)"},
		{[]string{".zip", ".7z", ".rar"}, "unpack it and name the folder or file in it"},
	} {
		if hasExt(path, w.exts...) {
			return w.remedy
		}
	}
	return "write FORMAT:PATH with one of " + strings.Join(formats.Names(), ", ")
}
