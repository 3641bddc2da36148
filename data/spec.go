package data

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/regular"
)

// Spec is a parsed data specification, FORMAT:PATH[?QUERY][#SPLIT].
type Spec struct {
	Format string     // name of a format; never empty
	Path   string     // file or folder; empty for the built-in sets
	Query  url.Values // settings of the format, from ?key=value&…
	Split  string     // train, test, all, or "" when not given
}

// String is the specification in its full form.
func (s Spec) String() string {
	b := s.Format
	if s.Path != "" {
		b += ":" + s.Path
	}
	if len(s.Query) > 0 {
		b += "?" + s.Query.Encode()
	}
	if s.Split != "" {
		b += "#" + s.Split
	}
	return b
}

// Format is one entry of the table of readers.
type Format struct {
	Name   string // as in FORMAT:PATH
	Doc    string // one sentence
	Source string // where the format is described

	builtin bool                                     // has no path
	listed  bool                                     // LIST@SPEC
	splits  []string                                 // allowed splits; nil: none
	query   []string                                 // allowed query keys
	flags   func(path string) []string               // what else of Options it looks at, called as the keys of a csv; may be nil
	is      func(path string, info fs.FileInfo) bool // recognises a bare path; may be nil
	open    func(spec Spec, o Options, depth int) (Dataset, error)
}

var formats = registry.Table[Format]{Kind: "data format"}

// register adds a reader; called by the init function of each reader's file.
func register(f Format) { formats.Register(f.Name, f, f.Doc, f.Source) }

// Formats is the table of readers, sorted by name.
func Formats() []Format {
	list := make([]Format, 0, formats.Len())
	for _, f := range formats.All() {
		list = append(list, f)
	}
	return list
}

// ParseSpec parses a data specification: FORMAT:PATH[?QUERY][#SPLIT], a built-in name, or a bare path whose
// format is recognised by looking at it. A path that exists as written wins over any reading of ? and # in it.
func ParseSpec(s string) (Spec, error) {
	if s == "" {
		return Spec{}, malformed("\"\"", "", "write FORMAT:PATH, for example imagefolder:photos or digits#train",
			"empty data specification")
	}
	if strings.ContainsRune(s, 0) || len(s) > 1<<16 {
		return Spec{}, malformed("specification", "", "", "not a path")
	}
	name, rest, hasColon := strings.Cut(s, ":")
	if f, err := formats.Lookup(name); err == nil && hasColon {
		if f.listed { // the inner specification has its own ? and #
			return Spec{Format: name, Path: rest}, nil
		}
		return parseTail(f, rest)
	}
	bare, _, _ := strings.Cut(s, "#")
	bare, _, _ = strings.Cut(bare, "?")
	if f, err := formats.Lookup(bare); err == nil && f.builtin {
		return parseTail(f, s[len(bare):])
	}
	if _, err := formats.Lookup(bare); err == nil {
		if _, err := os.Stat(s); err != nil {
			return Spec{}, malformed(s, "", fmt.Sprintf("write %s:PATH", bare), "format without a path")
		}
	}
	return recognise(s)
}

// parseTail splits PATH?QUERY#SPLIT for format f.
func parseTail(f Format, s string) (Spec, error) {
	spec := Spec{Format: f.Name, Path: s}
	if !f.builtin && s == "" {
		return spec, malformed(f.Name+":", "", fmt.Sprintf("write %s:PATH", f.Name), "no path")
	}
	path, tail := cutTail(s, f.builtin)
	spec.Path = path
	query, split, hasSplit := strings.Cut(tail, "#")
	if spec.Split = split; hasSplit && !slices.Contains(f.splits, split) {
		if len(f.splits) == 0 {
			return spec, malformed(s, "", "leave #"+split+" out", "%s has no splits", f.Name)
		}
		return spec, malformed(s, "", didYouMean(split, f.splits), "%s has no split %q", f.Name, split)
	}
	if query != "" {
		q, err := url.ParseQuery(strings.TrimPrefix(query, "?"))
		if err != nil {
			return spec, &FormatError{Path: s, Problem: "bad settings after ?", Err: err, Remedy: "write ?key=value&key=value"}
		}
		for k := range q {
			if !slices.Contains(f.query, k) {
				return spec, malformed(s, "", didYouMean(k, f.query), "%s has no setting %q", f.Name, k)
			}
		}
		spec.Query = q
	}
	if f.builtin && spec.Path != "" {
		return spec, malformed(s, "", fmt.Sprintf("write %s, %s#SPLIT or %s?key=value", f.Name, f.Name, f.Name),
			"%s is built in and has no path", f.Name)
	}
	return spec, nil
}

// setting reads a number of a query within [low,high]. Left out it is none; where none is below low it has to be given.
func setting[T int | float64](place, remedy string, q url.Values, key string, dst *T, none, low, high T,
	parse func(string) (T, error)) error {
	if !q.Has(key) && none >= low {
		*dst = none
		return nil
	}
	v, err := parse(q.Get(key))
	if err != nil || !(v >= low && v <= high) {
		what := "a number"
		if _, whole := any(v).(int); whole {
			what = "a whole number"
		}
		return malformed(place, "", remedy, "%s=%s: need %s from %v to %v", key, clip(q.Get(key)), what, low, high)
	}
	*dst = v
	return nil
}

// parseShare is the number s between 0 and 1, of which it is neither.
func parseShare(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && !(v > 0 && v < 1) {
		err = strconv.ErrRange
	}
	return v, err
}

// cutTail divides s into a path and the settings and split behind it: at the last ? or # with an existing path before it, else at the
// first one.
func cutTail(s string, builtin bool) (path, tail string) {
	if builtin {
		if i := strings.IndexAny(s, "?#"); i >= 0 {
			return s[:i], s[i:]
		}
		return s, ""
	}
	for i := len(s); i > 0; i = strings.LastIndexAny(s[:i], "?#") {
		if _, err := os.Stat(s[:i]); err == nil {
			return s[:i], s[i:]
		}
	}
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// recognise finds the format of a bare path.
func recognise(s string) (Spec, error) {
	path, tail := cutTail(s, false)
	info, err := os.Stat(path)
	if err != nil && braced(path) {
		f, _ := formats.Lookup("webdataset")
		return parseTail(f, s)
	}
	if err != nil {
		name, _, _ := strings.Cut(s, ":")
		name, _, _ = strings.Cut(name, "#")
		name, _, _ = strings.Cut(name, "?")
		if near := registry.Suggest(name, formats.Names()); len(near) > 0 || (strings.Contains(s, ":") && filepath.VolumeName(s) == "") {
			return Spec{}, &FormatError{Path: s, Problem: "no such path and no such format", Err: err,
				Remedy: didYouMean(name, formats.Names())}
		}
		return Spec{}, fmt.Errorf("data: %s: %w", s, err)
	}
	if err := ordinary(path); err != nil {
		return Spec{}, err
	}
	if err := notEmpty(path); err != nil {
		return Spec{}, err
	}
	for _, f := range formats.All() {
		if f.is != nil && f.is(path, info) {
			return parseTail(f, path+tail)
		}
	}
	return Spec{}, malformed(s, "", elsewhere(path), "format not recognised")
}

// Open opens the data set that spec names (see ParseSpec and the package comment). Headers and labels are
// read now; pictures of folders and lists are read by Example.
func Open(spec string, o Options) (Dataset, error) {
	ds, err := openSpec(spec, o, 0)
	if err != nil {
		return nil, err
	}
	return skipBad(spec, ds, o)
}

func openSpec(spec string, o Options, depth int) (Dataset, error) {
	s, err := ParseSpec(spec)
	if err != nil {
		return nil, err
	}
	f, err := formats.Lookup(s.Format)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if !f.builtin && !f.listed {
		if err := ordinary(s.Path); err != nil {
			return nil, err
		}
	}
	ds, err := f.open(s, o, depth)
	if empty := notEmpty(s.Path); err != nil && empty != nil {
		var fe *FormatError
		if !errors.As(err, &fe) {
			return nil, empty
		}
		fe.Problem = "the folder is empty: " + fe.Problem
	}
	return ds, err
}

// ordinary refuses what is there and is neither a file nor a folder.
func ordinary(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return nil // the reader says what is wrong
	}
	if err := regular.Check(path, info); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return nil
}

// notEmpty fails for a folder with nothing in it.
func notEmpty(path string) error {
	info, err := os.Stat(path)
	if path == "" || err != nil || !info.IsDir() {
		return nil
	}
	if regular.IsEmpty(path) {
		return malformed(path, "", "give the folder or file with the data", "the folder is empty")
	}
	return nil
}

// hasExt reports whether path ends in one of the extensions, .gz after it allowed.
func hasExt(path string, exts ...string) bool {
	p := strings.TrimSuffix(strings.ToLower(path), ".gz")
	return slices.Contains(exts, filepath.Ext(p))
}
