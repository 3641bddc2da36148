package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/lazy"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	f := Format{
		Name: "webdataset",
		Doc: "samples in tar files: pictures or arrays (.npy) with .cls, .txt or .json of the same name; a file, a folder of them, or " +
			"shards-{000..010}.tar; read in place",
		Source: "https://github.com/webdataset/webdataset",
		splits: hfSplits,
		query:  []string{"label", "groups", "task", "missing", "alpha", "binary"},
		is: func(path string, info fs.FileInfo) bool {
			return !info.IsDir() && hasExt(path, ".tar", ".tgz") || info.IsDir() && holdsTar(path)
		},
		open: openWebDataset,
	}
	register(f)
	f.Name, f.Doc, f.is = "tar", "another name of webdataset", nil
	register(f)
}

func holdsTar(dir string) bool {
	entries, _ := os.ReadDir(dir)
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return !e.IsDir() && strings.EqualFold(filepath.Ext(e.Name()), ".tar") && !hidden(e.Name())
	})
}

// tarSet is samples in tar files, read when they are asked for.
type tarSet struct {
	*memory
	*pictures
	disks  []*onDisk
	parts  []tarPart // pictures, or arrays
	masked []tarPart // nil: none
	masks  *masks
	rows   []int64      // of examples; nil: all
	first  tensor.Shape // of arrays
	of     tensor.DType
	finite bool
}

// openWebDataset reads FILE.tar, FOLDER with such files, of which #train, #validation or #test picks those that say so in their names, or
// NAME-{000..010}.tar. Files of a sample have one name up to its first point and stand together: a picture, or an array .npy; .cls, the
// class as number or name; .txt, a class name or a text; .json, columns as those of a csv; and NAME.mask.png or .seg.png, the class of each
// pixel. The label is Options.LabelColumn, else cls, else a field named label or the like, else txt where texts come again. One pass reads
// all headers and short files; pictures and arrays are read in place. Settings: ?label= &groups=A,B &task= &missing=drop &alpha= &binary=.
func openWebDataset(spec Spec, o Options, _ int) (Dataset, error) {
	o = o.with(spec)
	if err := o.checkTask(spec.Path); err != nil {
		return nil, err
	}
	files, err := tarFiles(spec)
	if err != nil {
		return nil, err
	}
	d := &tarSet{memory: &memory{path: spec.Path}, finite: !o.AllowNonFinite}
	if d.pictures, err = newPictures(spec, o); err != nil {
		return nil, err
	}
	for _, f := range files {
		disk, err := newOnDisk(f)
		if err != nil {
			return nil, err
		}
		d.disks = append(d.disks, disk)
	}
	r := &tarReader{disks: d.disks, shard: -1}
	defer r.close()
	if err := d.read(r, o); err != nil {
		return nil, err
	}
	return d, d.look(spec, o)
}

// braces is a range of numbers in a name, as shells write it.
var braces = lazy.Regexp(`\{(\d{1,9})\.\.(\d{1,9})\}`)

// braced reports whether path names several tar files by a range.
func braced(path string) bool { return hasExt(path, ".tar") && braces().MatchString(path) }

// tarFiles is the files that spec means.
func tarFiles(spec Spec) ([]string, error) {
	if isFolder(spec.Path) {
		list, err := filesBelow(spec.Path, maxShards, ".tar")
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, malformed(spec.Path, "", "give the folder with the .tar files", "no tar files in the folder")
		}
		if list, err = ofSplitAsked(spec, list); err != nil {
			return nil, err
		}
		for i, f := range list {
			list[i] = filepath.Join(spec.Path, filepath.FromSlash(f))
		}
		return list, nil
	}
	if spec.Split != "" {
		return nil, malformed(spec.Path, "", "leave #"+spec.Split+" out, or name the folder of the files", "files that are named have no parts")
	}
	list := []string{spec.Path}
	if _, err := os.Stat(spec.Path); err == nil || !braces().MatchString(spec.Path) {
		return list, nil
	}
	for braces().MatchString(list[0]) {
		var more []string
		for _, p := range list {
			at := braces().FindStringSubmatchIndex(p)
			low, high := p[at[2]:at[3]], p[at[4]:at[5]]
			from, _ := strconv.Atoi(low)
			to, _ := strconv.Atoi(high)
			if to < from || to-from >= maxShards || len(more)+to-from >= maxShards {
				return nil, malformed(spec.Path, "", fmt.Sprintf("write {000..010}: from a number to a higher one, %d files at most", maxShards),
					"%d to %d", from, to)
			}
			for n := from; n <= to; n++ {
				more = append(more, fmt.Sprintf("%s%0*d%s", p[:at[0]], len(low), n, p[at[1]:]))
			}
		}
		list = more
	}
	return list, nil
}

// read goes through all samples.
func (d *tarSet) read(r *tarReader, o Options) error {
	var ahead []*tarSample
	for len(ahead) < lookAhead {
		s, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		ahead = append(ahead, s)
	}
	if len(ahead) == 0 {
		return malformed(d.path, "", "a sample is files of one name, such as 001.jpg and 001.cls", "no samples in the tar")
	}
	names, in, err := d.fields(ahead, &o)
	if err != nil {
		return err
	}
	held := &ledger{what: "the index of " + d.path}
	defer tie(held, d)
	left := map[string]int{}
	row := make([]string, len(names))
	in.read = func() ([]string, error) {
		var s *tarSample
		var err error
		if len(ahead) > 0 {
			s, ahead = ahead[0], ahead[1:]
		} else if s, err = r.next(); err != nil {
			return nil, err
		}
		for _, ext := range s.other {
			if left[clip(ext)]++; len(left) > 1<<12 {
				return nil, malformed(d.path, clip(s.key), "name files after their sample: 001.jpg, 001.cls", "too many kinds of files")
			}
		}
		part := s.array
		if d.picture {
			part = s.picture
		}
		at := d.disks[part.shard].path
		if part.size == 0 {
			return nil, malformed(at, "sample "+clip(s.key), "every sample needs one", "no %s", in.one())
		}
		if d.parts, err = push(held, d.parts, part); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		if d.masked != nil || s.mask.size > 0 && d.picture {
			if s.mask.size == 0 || len(d.masked) < len(d.parts)-1 {
				return nil, malformed(at, "sample "+clip(s.key), "every sample needs a mask, or none", "a mask is missing here or before")
			}
			if d.masked, err = push(held, d.masked, s.mask); err != nil {
				return nil, fmt.Errorf("data: %w", err)
			}
		}
		for i, n := range names {
			row[i] = s.fields[n]
		}
		if row[0] = s.key; len(d.disks) > 1 {
			row[0] = strings.TrimSuffix(filepath.Base(at), ".tar") + "/" + s.key
		}
		return row, nil
	}
	t, err := newTyped(d.path, names, in, o)
	if err != nil {
		return err
	}
	l, err := t.layout(o)
	if err != nil {
		return err
	}
	rows := newTableRows(t, l, o)
	if err := rows.all(d.memory); err != nil {
		return err
	}
	d.rows = rows.kept
	for _, ext := range slices.Sorted(maps.Keys(left)) {
		d.notes = append(d.notes, fmt.Sprintf("%d files .%s are not read and left out", left[ext], ext))
	}
	return nil
}

// one is one of what feeds the model.
func (in *typed) one() string { return strings.TrimSuffix(in.fed, "s") }

// fields decides from the first samples which columns there are, and what feeds the model.
func (d *tarSet) fields(ahead []*tarSample, o *Options) (names []string, in *typed, err error) {
	d.picture = ahead[0].picture.size > 0
	in = &typed{fed: "arrays"}
	if d.picture {
		in.fed = "pictures"
	} else if ahead[0].array.size == 0 {
		return nil, nil, malformed(d.disks[0].path, "sample "+clip(ahead[0].key), "readable are "+readable+", and .npy",
			"no picture and no array in the first sample; it has .%s", clip(strings.Join(slices.Concat(ahead[0].other,
				slices.Sorted(maps.Keys(ahead[0].fields))), ", .")))
	}
	values := map[string][]string{}
	for _, s := range ahead {
		for k, v := range s.fields {
			values[k] = append(values[k], v)
		}
	}
	names, in.texts = []string{"id"}, []bool{true}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		names = append(names, k)
		in.texts = append(in.texts, holdsText(values[k]))
	}
	if o.LabelColumn != "" || o.LabelColumns != nil {
		return names, in, nil
	}
	usual := slices.ContainsFunc(names, func(n string) bool { return slices.Contains(usualLabels, strings.ToLower(n)) })
	different := map[string]bool{}
	for _, s := range values["txt"] {
		different[s] = true
	}
	switch {
	case values["cls"] != nil:
		o.LabelColumn = "cls"
	case !usual && values["txt"] != nil && 2*len(different) <= len(values["txt"]):
		o.LabelColumn = "txt"
		d.notes = append(d.notes, "the texts .txt come again and are taken for classes; --label-column none leaves them")
	}
	return names, in, nil
}

// look reads the first array, and what 255 means in masks.
func (d *tarSet) look(spec Spec, o Options) error {
	if !d.picture && d.n > 0 {
		x, err := d.array(0)
		if err != nil {
			return err
		}
		d.first, d.of = x.Shape(), x.DType()
	}
	if d.masked == nil {
		return nil
	}
	d.masks = &masks{classes: len(d.classes), name: func(i int) string { return d.place(i) + " (mask)" }}
	d.masks.read = func(t *turn, i int) (*tensor.Tensor, error) {
		b, err := d.file(t, d.masked[d.row(i)], d.masks.name(i))
		if err != nil {
			return nil, err
		}
		return maskOf(t, d.masks.name(i), b, d.limits)
	}
	return d.masks.look(d.n, spec.Query.Get("binary"))
}

func (d *tarSet) Suggest() Preprocess { return Preprocess{Alpha: d.alpha} }

// Masked reports whether the masks are what is to be learned: there are no other labels.
func (d *tarSet) Masked() bool { return d.masks != nil && d.labels == nil && d.y == nil }

// Notes is what the files had to say, and what was seen in the pictures.
func (d *tarSet) Notes() []string {
	return slices.Concat(d.memory.notes, d.remarks.notes(d.alpha, d.ID))
}

func (d *tarSet) row(i int) int64 {
	if d.rows != nil {
		return d.rows[i]
	}
	return int64(i)
}

// place names example i.
func (d *tarSet) place(i int) string {
	return d.disks[d.parts[d.row(i)].shard].path + ": sample " + clip(d.ID(i))
}

// file is the content of a file of a sample.
func (d *tarSet) file(t *turn, p tarPart, name string) ([]byte, error) {
	if p.size > d.limits.bytes() {
		return nil, overLimit(name, "", fmt.Sprintf("a file of %d bytes", p.size), d.limits)
	}
	if p.size > wholeFile {
		if err := t.need(timesFile*p.size, "the file "+name); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
	}
	return d.disks[p.shard].piece(p.at, p.size)
}

// array is the array of example i.
func (d *tarSet) array(i int) (*tensor.Tensor, error) {
	var t turn
	defer t.over()
	b, err := d.file(&t, d.parts[d.row(i)], d.place(i))
	if err != nil {
		return nil, err
	}
	x, err := tensor.ReadNPY(bytes.NewReader(b))
	if err != nil {
		return nil, &FormatError{Path: d.place(i), Problem: "cannot read the array", Err: err, Remedy: "write it with numpy.save"}
	}
	if d.finite && x.DType().IsFloat() {
		if err := finite(d.place(i), "npy", x.Reshape(append(tensor.Shape{1}, x.Shape()...)...)); err != nil {
			return nil, err
		}
	}
	if d.first != nil && (!x.Shape().Equal(d.first) || x.DType() != d.of) {
		return nil, malformed(d.place(i), "", "all arrays need one type and shape", "array is %v, the first one %v %v", x, d.of, d.first)
	}
	return x, nil
}

func (d *tarSet) Example(i int) (Example, error) { return inTurn(d, i) }

func (d *tarSet) exampleIn(t *turn, i int) (Example, error) {
	e, err := d.memory.Example(i)
	if err != nil {
		return e, err
	}
	if !d.picture {
		e.X, err = d.array(i)
		return e, err
	}
	b, err := d.file(t, d.parts[d.row(i)], d.place(i))
	if err != nil {
		return e, err
	}
	r, seen, err := decodeRaster(t, d.place(i), b, d.limits)
	if err != nil {
		return e, err
	}
	d.remarks.add(i, r.x, seen)
	if e.X = r.flat(d.alpha); d.masks == nil {
		return e, nil
	}
	if e.Mask, err = d.masks.load(t, i); err != nil {
		return e, err
	}
	if !e.Mask.Shape().Equal(e.X.Shape()[1:]) {
		return e, malformed(d.masks.name(i), "", "a mask has the size of its picture", "the mask is %v, the picture %v", e.Mask, e.X)
	}
	return e, nil
}
