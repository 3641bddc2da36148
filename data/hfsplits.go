package data

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/lazy"
	"github.com/gtk-onnx/gtk/internal/shown"
)

// hfSplits is the parts of a data set that can be asked for; val is another name of validation.
var hfSplits = []string{"train", "validation", "val", "test"}

// splitWord finds the name of a part in a path.
//
// Source: https://huggingface.co/docs/datasets/repository_structure (file names and splits).
var splitWord = lazy.Regexp(`(?i)(?:^|[-._/ ])(train|training|validation|valid|val|dev|test|testing|eval|evaluation)(?:[-._/ ]|$)`)

// splitOf is the part of a data set to which a path below its folder belongs: train, validation or test; "" where it does not say.
func splitOf(path string) string {
	parts := strings.Split(filepath.ToSlash(path), "/")
	for _, p := range slices.Backward(parts) { // the file says it, else the folders
		m := splitWord().FindStringSubmatch(p)
		if m == nil {
			continue
		}
		switch strings.ToLower(m[1]) {
		case "train", "training":
			return "train"
		case "test", "testing", "eval", "evaluation":
			return "test"
		}
		return "validation"
	}
	return ""
}

// ofSplitAsked keeps the files of the part that spec asks for. Files that belong to no part belong to train, as in datasets, where others
// belong to one.
func ofSplitAsked(spec Spec, files []string) ([]string, error) {
	want := spec.Split
	if want == "val" {
		want = "validation"
	}
	parts := map[string][]string{}
	for _, f := range files {
		s := splitOf(f)
		parts[s] = append(parts[s], f)
	}
	if none := parts[""]; len(parts) > 1 && none != nil {
		delete(parts, "")
		parts["train"] = append(parts["train"], none...)
		slices.Sort(parts["train"])
	}
	var names []string
	for _, s := range []string{"train", "validation", "test"} {
		if parts[s] != nil {
			names = append(names, s)
		}
	}
	switch {
	case want == "" && len(parts) <= 1:
		return files, nil
	case want == "":
		return nil, malformed(spec.Path, "", fmt.Sprintf("name one of them: %s#%s", shown.Line(spec.Path, 100), names[0]),
			"the folder has the parts %s", strings.Join(names, ", "))
	case parts[want] == nil && len(names) == 0:
		return nil, malformed(spec.Path, "", "leave #"+spec.Split+" out, or name files or folders train…, validation… and test…",
			"nothing in it says which part is %s", want)
	case parts[want] == nil:
		return nil, malformed(spec.Path, "", "the folder has "+strings.Join(names, ", "), "no part %q", spec.Split)
	}
	return parts[want], nil
}

// filesBelow is the files below root with an extension, as paths below it with slashes, in the order of the numbers in them.
func filesBelow(root string, most int, exts ...string) ([]string, error) {
	var list []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		if path != root && hidden(d.Name()) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() || !slices.Contains(exts, strings.ToLower(filepath.Ext(path))) {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		if list = append(list, filepath.ToSlash(rel)); len(list) > most {
			return malformed(root, "", "name the folder of one data set", "more than %d files", most)
		}
		return nil
	})
	slices.SortFunc(list, natural)
	return list, err
}
