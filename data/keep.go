package data

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
)

func init() {
	register(Format{
		Name: "keep", Doc: "the examples of another set that a file names, one id per line: keep:LIST@SPEC",
		Source: "written by gtk prune-data",
		open:   openKeep,
	})
}

// openKeep reads LIST@SPEC. Ids are compared with the ids of SPEC and never opened as paths. Order is that of the list; empty
// lines and lines that begin with # are skipped; unknown and repeated ids are errors.
func openKeep(spec Spec, o Options, depth int) (Dataset, error) {
	if depth >= 8 {
		return nil, malformed(spec.String(), "", "keep lists can be stacked 8 deep", "too many keep lists in one another")
	}
	list, rest, err := splitKeep(spec.Path)
	if err != nil {
		return nil, err
	}
	ds, err := openSpec(rest, o, depth+1)
	if err != nil {
		return nil, err
	}
	b, err := readFile(list, o.Limits)
	if err != nil {
		return nil, err
	}
	index, err := parseKeep(list, b, ds)
	if err != nil {
		return nil, err
	}
	return &subset{ds, index}, nil
}

// splitKeep divides at the first @ whose left side is a file, or at the first one.
func splitKeep(s string) (list, rest string, err error) {
	for i := range len(s) {
		if s[i] != '@' {
			continue
		}
		if info, statErr := os.Stat(s[:i]); statErr == nil && !info.IsDir() {
			return s[:i], s[i+1:], nil
		}
	}
	if info, statErr := os.Stat(s); statErr == nil && !info.IsDir() {
		return "", "", malformed("keep:"+s, "", "write keep:LIST@SPEC, for example keep:keep.txt@imagefolder:photos", "no @SPEC behind the list")
	}
	list, rest, ok := strings.Cut(s, "@")
	if !ok || list == "" || rest == "" {
		return "", "", malformed("keep:"+s, "", "write keep:LIST@SPEC, for example keep:keep.txt@imagefolder:photos", "no list and data in it")
	}
	return list, rest, nil
}

// parseKeep is the indices in ds of the ids of a list.
func parseKeep(path string, list []byte, ds Dataset) ([]int, error) {
	at := make(map[string]int, ds.Len())
	for i := range ds.Len() {
		at[ds.ID(i)] = i
	}
	var index []int
	line := map[int]int{}
	sc := bufio.NewScanner(bytes.NewReader(list))
	sc.Buffer(nil, 1<<20)
	n := 0
	for sc.Scan() {
		n++
		id := strings.TrimRight(strings.TrimPrefix(sc.Text(), "\uFEFF"), "\r")
		if strings.TrimSpace(id) == "" || strings.HasPrefix(id, "#") {
			continue
		}
		place := fmt.Sprintf("line %d", n)
		i, ok := at[id]
		if !ok {
			i, ok = at[strings.TrimSpace(id)]
		}
		if !ok {
			example := ""
			if ds.Len() > 0 {
				example = fmt.Sprintf("; ids look like %q", ds.ID(0))
			}
			return nil, malformed(path, place, "the list was made for other data"+example, "no example %q in the data", clip(id))
		}
		if first, twice := line[i]; twice {
			return nil, malformed(path, place, "remove one of the lines", "id %q is already on line %d", clip(id), first)
		}
		line[i] = n
		index = append(index, i)
	}
	if err := sc.Err(); err != nil {
		return nil, &FormatError{Path: path, Place: fmt.Sprintf("line %d", n+1), Problem: "not a list of ids", Err: err, Remedy: "need a text file with one id per line"}
	}
	return index, nil
}

// clip cuts a string from a file to a length that fits an error message.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
