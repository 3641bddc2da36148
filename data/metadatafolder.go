package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// metadataNames is what the list of the pictures of a folder is called.
//
// Source: https://huggingface.co/docs/datasets/image_dataset (ImageFolder).
var metadataNames = []string{"metadata.csv", "metadata.jsonl"}

// metadataOf is the list of the pictures of dir, "" for none.
func metadataOf(dir string) string {
	for _, name := range metadataNames {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// isSplitTree reports whether dir has a folder named as a part of a data set with class folders or a list of pictures in it.
func isSplitTree(dir string) bool {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if areSplits([]string{e.Name()}) && isDir(sub, e) && (hasClassFolders(sub) || metadataOf(sub) != "") {
			return true
		}
	}
	return false
}

// splitFolder is the sub-folder of the part that spec asks for.
func splitFolder(spec Spec) (string, error) {
	entries, err := os.ReadDir(spec.Path)
	if err != nil {
		return "", fmt.Errorf("data: %s: %w", spec.Format, err)
	}
	want, found := spec.Split, ""
	if want == "val" {
		want = "validation"
	}
	var names []string
	for _, e := range entries {
		if !areSplits([]string{e.Name()}) || !isDir(filepath.Join(spec.Path, e.Name()), e) {
			continue
		}
		if names = append(names, e.Name()); splitOf(e.Name()) != want {
			continue
		}
		if found != "" {
			return "", malformed(spec.Path, "", fmt.Sprintf("name one: %s:%s", spec.Format, filepath.Join(spec.Path, found)),
				"%s and %s are both %s", found, e.Name(), want)
		}
		found = e.Name()
	}
	switch {
	case found != "":
		return filepath.Join(spec.Path, found), nil
	case names == nil:
		return "", malformed(spec.Path, "", "leave #"+spec.Split+" out, or put the parts into folders train, validation and test",
			"no folder of a part")
	}
	return "", malformed(spec.Path, "", "it has "+strings.Join(names, ", "), "no folder for the part %q", spec.Split)
}

// openMetadata reads the pictures that a list in their folder names in the column file_name, with what its other columns say of them, as a
// csv of pictures is read.
func openMetadata(list string, spec Spec, o Options) (Dataset, error) {
	o.FileColumn, o.Root = "file_name", filepath.Dir(list)
	if spec.Query.Has("alpha") {
		o.Alpha = spec.Query.Get("alpha")
	}
	f, size, err := openFile(list)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var ds Dataset
	if strings.HasSuffix(list, ".csv") {
		ds, err = readCSV(list, f, size, o)
	} else {
		ds, err = readJSONL(list, f, o)
	}
	if err != nil {
		return nil, err
	}
	l, ok := ds.(*imageList)
	if !ok {
		return ds, nil
	}
	tree := newFolder(o.Root, o)
	if err := tree.walk(".", true); err != nil {
		return nil, err
	}
	listed := make(map[string]bool, len(l.paths))
	for _, p := range l.paths {
		listed[filepath.ToSlash(filepath.Clean(filepath.FromSlash(p)))] = true
	}
	var rest []string
	for _, p := range tree.paths {
		if !listed[p] {
			rest = append(rest, p)
		}
	}
	if rest != nil && l.masks == nil { // masks are pictures too
		l.notes = append(l.notes, fmt.Sprintf("%s does not list %d of the pictures, which are left out: %s", filepath.Base(list), len(rest),
			some(rest[:min(3, len(rest))], len(rest))))
	}
	if l.labels == nil && l.y == nil && l.masks == nil && hasClassFolders(o.Root) {
		l.notes = append(l.notes, fmt.Sprintf("%s has no column of labels, and folders are no classes beside it; --label-column names one",
			filepath.Base(list)))
	}
	return l, nil
}

// readJSONL reads a table of one object a line.
func readJSONL(path string, r io.Reader, o Options) (Dataset, error) {
	if err := o.checkTask(path); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(&limitedReader{r: r, left: o.Limits.bytes()})
	lines.Buffer(nil, maxRow)
	number := 0
	next := func() (map[string]string, error) {
		for lines.Scan() {
			number++
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue
			}
			var object map[string]any
			d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
			d.UseNumber()
			if err := d.Decode(&object); err != nil {
				return nil, &FormatError{Path: path, Place: fmt.Sprintf("line %d", number), Problem: "not an object", Err: err,
					Remedy: `need one on each line, such as {"file_name": "a.png", "label": 3}`}
			}
			row := make(map[string]string, len(object))
			for k, v := range object {
				if s, ok := jsonField(v); ok {
					row[k] = s
				}
			}
			return row, nil
		}
		if err := lines.Err(); err != nil {
			if no := refused(path, "", o.Limits, err); no != nil {
				return nil, no
			}
			return nil, &FormatError{Path: path, Place: fmt.Sprintf("after line %d", number), Problem: "cannot read further", Err: err,
				Remedy: "need one object on each line"}
		}
		return nil, io.EOF
	}
	var ahead []map[string]string
	values := map[string][]string{}
	for len(ahead) < lookAhead {
		row, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		ahead = append(ahead, row)
		for k, v := range row {
			values[k] = append(values[k], v)
		}
	}
	if len(ahead) == 0 {
		return nil, malformed(path, "", "need at least one line", "no objects")
	}
	names := slices.Sorted(maps.Keys(values))
	if len(names) > maxColumns {
		return nil, malformed(path, "", "split the table", "%d fields, at most %d", len(names), maxColumns)
	}
	in := &typed{}
	for _, n := range names {
		in.texts = append(in.texts, holdsText(values[n]))
	}
	fields := make([]string, len(names))
	in.read = func() ([]string, error) {
		var row map[string]string
		if len(ahead) > 0 {
			row, ahead = ahead[0], ahead[1:]
		} else {
			var err error
			if row, err = next(); err != nil {
				return nil, err
			}
		}
		for i, n := range names {
			fields[i] = row[n]
		}
		return fields, nil
	}
	t, err := newTyped(path, names, in, o)
	if err != nil {
		return nil, err
	}
	l, err := t.layout(o)
	if err != nil {
		return nil, err
	}
	return t.read(l, o)
}

// holdsText reports whether one of the values is neither a number nor true or false.
func holdsText(values []string) bool {
	return slices.ContainsFunc(values, func(s string) bool { return !isNumber(s) && !absent(s) && s != "true" && s != "false" })
}
