package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gtk-onnx/gtk/internal/shown"
)

func init() {
	register(Format{
		Name: "keep", Doc: "the examples of another set that a file names, one id per line: keep:LIST@SPEC, or keep:LIST of gtk " +
			"prune-data",
		Source: "written by gtk prune-data",
		listed: true, open: openKeep,
	})
}

// maxKeep is how large a list of ids may be, in bytes: that of ten million files.
const maxKeep = 256 << 20

// openKeep reads LIST@SPEC, or the LIST that gtk prune-data wrote beside a manifest that names SPEC. Ids are compared with the ids of
// SPEC and never opened as paths. Order is that of the list; empty lines and lines that begin with # are skipped; unknown and repeated
// ids are errors.
func openKeep(spec Spec, o Options, depth int) (Dataset, error) {
	list, ds, err := openListed(spec, o, depth)
	if err != nil {
		return nil, err
	}
	b, err := readList(list, maxKeep, o.Limits)
	if err != nil {
		return nil, err
	}
	index, err := parseKeep(list, b, ds)
	if err != nil {
		return nil, err
	}
	return &subset{ds, indicesOf(index, ds.Len())}, nil
}

// openListed opens the data of FORMAT:LIST@SPEC and gives the path of the list.
func openListed(spec Spec, o Options, depth int) (list string, ds Dataset, err error) {
	if depth >= 8 {
		return "", nil, malformed(spec.String(), "", "lists can be stacked 8 deep", "too many lists in one another")
	}
	list, rest, err := splitListed(spec)
	if err != nil {
		return "", nil, err
	}
	ds, err = openSpec(rest, o, depth+1)
	return list, ds, err
}

// splitListed divides LIST@SPEC at the first @ whose left side is a file, or at the first one.
func splitListed(spec Spec) (list, rest string, err error) {
	s := spec.Path
	for i := range len(s) {
		if s[i] != '@' {
			continue
		}
		if info, statErr := os.Stat(s[:i]); statErr == nil && !info.IsDir() {
			return s[:i], s[i+1:], nil
		}
	}
	whole := spec.Format + ":" + s
	remedy := fmt.Sprintf("write %s:LIST@SPEC, for example %s:list.txt@imagefolder:photos", spec.Format, spec.Format)
	if info, statErr := os.Stat(s); statErr == nil && !info.IsDir() {
		if rest := pruned(s); rest != "" && spec.Format == "keep" {
			return s, rest, nil
		}
		return "", "", malformed(whole, "", remedy, "no @SPEC behind the list")
	}
	list, rest, ok := strings.Cut(s, "@")
	if !ok || list == "" || rest == "" {
		return "", "", malformed(whole, "", remedy, "no list and data in it")
	}
	return list, rest, nil
}

// pruned is the data that the manifest.json beside a list of gtk prune-data names, "" when there is none.
func pruned(list string) string {
	b, err := readList(filepath.Join(filepath.Dir(list), "manifest.json"), 1<<20, Limits{})
	var m struct{ Schema, Data string }
	if err != nil || json.Unmarshal(b, &m) != nil || !strings.HasPrefix(m.Schema, "gtk.prune/") {
		return ""
	}
	return m.Data
}

// EncodeID is an id as a line of a list: the id itself, or, where a line would not bring it back (it begins with # or a quote, has blanks
// at an end, line ends or other characters that are not printed), quoted as in Go. What a spreadsheet could take for a formula stands
// behind an apostrophe, as by EncodeCell.
func EncodeID(id string) string {
	id = EncodeCell(id)
	plain := id != "" && id[0] != '#' && id[0] != '"' && id == strings.TrimSpace(id)
	for i, r := range id {
		plain = plain && r != utf8.RuneError && strconv.IsPrint(r) && !(strings.ContainsRune(",;", r) && formula(id[i+1:]))
	}
	if plain {
		return id
	}
	return strconv.Quote(id)
}

// DecodeID is the id that a line of a list stands for; false for empty lines and comments.
func DecodeID(line string) (id string, ok bool) {
	line = strings.TrimSuffix(line, "\r")
	s := strings.TrimSpace(line)
	if s == "" || s[0] == '#' {
		return "", false
	}
	if s[0] == '"' {
		if id, err := strconv.Unquote(s); err == nil {
			return DecodeCell(id), true
		}
	}
	return DecodeCell(line), true
}

// idIndex finds examples by what lists say.
type idIndex map[string]int

func indexIDs(ds Dataset) idIndex {
	at := make(idIndex, ds.Len())
	for i := range ds.Len() {
		at[ds.ID(i)] = i
	}
	return at
}

func (at idIndex) has(id string) bool { _, ok := at[id]; return ok }

// find is the example that a line or field means: its id as EncodeID writes it, as it is, without blanks around it, or with the
// backslashes of Windows.
func (at idIndex) find(s string) (i int, ok bool) {
	id, ok := DecodeID(s)
	if ok && at.has(id) && EncodeID(id) == s {
		return at[id], true
	}
	if i, known := at[s]; known {
		return i, true
	}
	for _, try := range []string{id, strings.TrimSpace(id), strings.ReplaceAll(strings.TrimSpace(id), `\`, "/")} {
		if i, found := at[try]; ok && found {
			return i, true
		}
	}
	return 0, false
}

// unknown is the error of an id that ds does not have.
func unknown(path, place, id string, ds Dataset) error {
	example := ""
	if ds.Len() > 0 {
		example = fmt.Sprintf("; ids look like %q", clip(ds.ID(0)))
	}
	return malformed(path, place, "the list was made for other data"+example, "no example %q in the data", clip(id))
}

// parseKeep is the indices in ds of the ids of a list.
func parseKeep(path string, list []byte, ds Dataset) ([]int, error) {
	at := indexIDs(ds)
	var index []int
	line := map[int]int{}
	sc := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(list, []byte("\uFEFF"))))
	sc.Buffer(nil, 1<<20)
	n := 0
	for sc.Scan() {
		n++
		s := strings.TrimSuffix(sc.Text(), "\r")
		id, ok := DecodeID(s)
		if !ok {
			continue
		}
		place := fmt.Sprintf("line %d", n)
		i, ok := at.find(s)
		if !ok {
			return nil, unknown(path, place, id, ds)
		}
		if first, twice := line[i]; twice {
			return nil, malformed(path, place, "remove one of the lines", "id %q is already on line %d", clip(id), first)
		}
		line[i] = n
		index = append(index, i)
	}
	if err := sc.Err(); err != nil {
		return nil, &FormatError{Path: path, Place: fmt.Sprintf("line %d", n+1), Problem: "not a list of ids", Err: err,
			Remedy: "need a text file with one id per line"}
	}
	return index, nil
}

// clip cuts a string from a file to a length that fits an error message.
func clip(s string) string {
	return shown.Cut(s, 80)
}
