package data

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/internal/whole"
	"github.com/gtk-onnx/gtk/tensor"
)

// WriteNPZ writes ds as an npz archive that npz: reads back: x [N,…] and the fields by their names, y [N] class indices (int64, NoLabel
// for none) or [N,…] targets, mask [N,H,W], id [N] and classes [K]. All examples must have one shape and type.
func WriteNPZ(w io.Writer, ds Dataset) error {
	n := ds.Len()
	if n == 0 {
		return errors.New("data: export: the data set is empty")
	}
	parts := func(e Example) []tensor.Named {
		list := []tensor.Named{{Name: "x", Tensor: e.X}, {Name: "y", Tensor: e.Y}, {Name: "mask", Tensor: e.Mask}}
		for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
			list = append(list, tensor.Named{Name: name, Tensor: e.Fields[name]})
		}
		return list
	}
	var first, arrays []tensor.Named
	labelled := false
	for i := range n {
		e, err := ds.Example(i)
		if err != nil {
			return err
		}
		list := parts(e)
		if i == 0 {
			first = list
			for _, p := range first {
				all := p
				if p.Tensor != nil {
					if p.Tensor.DType().Bits()%8 != 0 || p.Tensor.DType() == tensor.String {
						return fmt.Errorf("data: export: %s: %v cannot be written", p.Name, p.Tensor)
					}
					all.Tensor = tensor.New(p.Tensor.DType(), append(tensor.Shape{n}, p.Tensor.Shape()...)...)
				}
				arrays = append(arrays, all)
			}
		}
		if len(list) != len(first) {
			return fmt.Errorf("data: export: example %q has %d arrays, the first one %d", e.ID, len(list), len(first))
		}
		for k, p := range list {
			if p.Name != first[k].Name || (p.Tensor == nil) != (first[k].Tensor == nil) {
				return fmt.Errorf("data: export: example %q: some examples have an array %s and some have not", e.ID, p.Name)
			}
			if p.Tensor == nil {
				continue
			}
			if err := place(arrays[k].Tensor, i, p.Tensor, first[k].Tensor); err != nil {
				return fmt.Errorf("data: export: example %q: %s: %w", e.ID, p.Name, err)
			}
		}
		labelled = labelled || e.Label >= 0
	}
	z := tensor.NewNPZWriter(w)
	for _, a := range arrays {
		var err error
		switch {
		case a.Tensor != nil:
			err = z.Add(a.Name, a.Tensor)
		case a.Name == "y" && labelled:
			err = z.Ints("y", n, func(i int) int64 {
				if l := ds.Label(i); l >= 0 {
					return int64(l)
				}
				return NoLabel
			})
		}
		if err != nil {
			return err
		}
	}
	if err := z.Strings("id", n, ds.ID); err != nil {
		return err
	}
	if c := ds.Classes(); len(c) > 0 {
		if err := z.Add("classes", tensor.FromStrings(c, len(c))); err != nil {
			return err
		}
	}
	return z.Close()
}

// WriteImageFolder writes the pictures of ds to DIR/CLASS/FILE, or DIR/FILE for sets without classes. Pictures that are files are linked
// (hard links, or copies where links cannot be made; link false always copies), others are written as PNG. DIR must not exist or be
// empty, and appears whole. File names are the last part of the id, made unique by the index where they would meet. Where masks are the
// labels, it writes what masks: reads: DIR/images/FILE, DIR/masks/FILE.png and DIR/classes.txt.
func WriteImageFolder(dir string, ds Dataset, link bool) error {
	if vacant, err := whole.Vacant(dir); err == nil && !vacant {
		return fmt.Errorf("data: export: %s is not empty; name a new folder", dir)
	}
	f, err := whole.CreateFolder(dir)
	if err != nil {
		return fmt.Errorf("data: export: %w", err)
	}
	defer f.Discard()
	if err := fillImageFolder(f.Path, ds, link); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("data: export: %w", err)
	}
	return nil
}

func fillImageFolder(dir string, ds Dataset, link bool) error {
	taken := map[string]bool{}
	for i := range ds.Len() {
		folder := dir
		if Masked(ds) {
			folder = filepath.Join(dir, "images")
		} else if l := ds.Label(i); l >= 0 && l < len(ds.Classes()) {
			folder = filepath.Join(dir, fileName(ds.Classes()[l]))
		}
		if err := whole.MakeFolder(folder); err != nil {
			return fmt.Errorf("data: export: %w", err)
		}
		source := FileOf(ds, i)
		name, ext := fileName(ds.ID(i)), ".png"
		if source != "" {
			ext = filepath.Ext(source)
			name = strings.TrimSuffix(name, ext)
		}
		to := filepath.Join(folder, name+ext)
		if taken[strings.ToLower(to)] {
			to = filepath.Join(folder, name+"-"+strconv.Itoa(i)+ext)
		}
		taken[strings.ToLower(to)] = true
		if err := exportPicture(to, source, ds, i, link); err != nil {
			return err
		}
		if Masked(ds) {
			if err := exportMask(filepath.Join(dir, "masks"), strings.TrimSuffix(filepath.Base(to), ext), ds, i); err != nil {
				return err
			}
		}
	}
	if Masked(ds) && len(ds.Classes()) > 0 {
		return writeNew(filepath.Join(dir, "classes.txt"), strings.NewReader(strings.Join(ds.Classes(), "\n")+"\n"))
	}
	return nil
}

// exportMask writes the mask of example i as a grey PNG.
func exportMask(folder, name string, ds Dataset, i int) error {
	e, err := ds.Example(i)
	if err != nil {
		return err
	}
	if err := whole.MakeFolder(folder); err != nil {
		return fmt.Errorf("data: export: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, raster{x: e.Mask.Reshape(1, e.Mask.Dim(0), e.Mask.Dim(1))}.image()); err != nil {
		return wrapExample(e.ID, err)
	}
	return writeNew(filepath.Join(folder, name+".png"), &b)
}

// fileName is the last part of an id without what file systems refuse.
func fileName(id string) string {
	if i := strings.LastIndexByte(id, '/'); i >= 0 {
		id = id[i+1:]
	}
	id = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`<>:"/\|?*`, r) {
			return '_'
		}
		return r
	}, id)
	if id = strings.TrimLeft(id, "."); id == "" {
		return "_"
	}
	return id
}

func exportPicture(to, source string, ds Dataset, i int, link bool) error {
	if source != "" {
		if p, err := filepath.EvalSymlinks(source); err == nil { // a link to a link would lead elsewhere from there
			source = p
		}
		if link && whole.Link(source, to) == nil {
			return nil
		}
		return copyFile(to, source)
	}
	e, err := ds.Example(i)
	if err != nil {
		return err
	}
	if !e.Picture {
		return fmt.Errorf("data: export: example %q is %v, not a picture; write npz instead", e.ID, e.X)
	}
	img, err := ToImage(e.X)
	if err != nil {
		return wrapExample(e.ID, err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return wrapExample(e.ID, err)
	}
	return writeNew(to, &b)
}

func copyFile(to, from string) error {
	f, err := regular.Open(from)
	if err != nil {
		return fmt.Errorf("data: export: %w", err)
	}
	defer f.Close()
	return writeNew(to, f)
}

// writeNew writes a file that must not exist yet.
func writeNew(path string, r io.Reader) error {
	if err := whole.WriteNew(path, r); err != nil {
		return fmt.Errorf("data: export: %w", err)
	}
	return nil
}
