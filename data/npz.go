package data

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"slices"
	"strings"

	account "github.com/gtk-onnx/gtk/internal/memory"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "npz",
		Doc: "NumPy archive: x [N,…] of any type or arrays [N,…] named as a model's inputs; y or labels [N] or [N,…]: classes, targets " +
			"or classes of positions; " +
			"optional mask [N,H,W], id [N] and classes [K]",
		Source: "https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html",
		splits: npzSplits,
		query:  []string{"as", "task"},
		is: func(path string, info fs.FileInfo) bool {
			return !info.IsDir() && strings.HasSuffix(strings.ToLower(path), ".npz")
		},
		open: openNPZ,
	})
}

var npzSplits = []string{"train", "test", "val"}

// archive is the arrays of an npz file.
type archive struct {
	path   string
	split  string
	arrays []tensor.Named
	late   map[*tensor.Tensor]*stored
	used   map[string]bool // names of arrays with a meaning of their own
	xName  string          // of x and y in the file
	yName  string
}

// openNPZ reads x and y, or x_train, y_train, x_test and y_test (train_x too) where a split is given; capitals and labels for y do too,
// and target or targets where nothing else is y. All other arrays of N rows are Fields by their names; without x they are all there is,
// but one array alone that is called data, images, inputs, features or samples is x. arr_0 and arr_1, as NumPy calls two arrays without
// names, are x and y. Texts in class_names or target_names are the classes, those in feature_names the names of the values of x.
//
// Integers in y [N] or [N,1] are classes, −100 none; other integers are Y: labels that are 0 and 1, as int64, or classes of positions, as
// int64, or uint8 where the array holds bytes. Fractions are targets. Options.Task decides otherwise; see setSoft for fractions as labels.
// Without y the examples have no labels. x of bytes [N,H,W], [N,C,H,W] or [N,H,W,C] with 1 or 3 channels is taken for pictures, and whole
// numbers y [N,H,W] of their size for masks, where 0 and 255 alone are the classes 0 and 1; any other x is fed as it is.
// Settings: ?as=tensor feeds bytes as they are, ?as=pictures insists on pictures, &task=.
func openNPZ(spec Spec, o Options, _ int) (Dataset, error) {
	if spec.Query.Has("task") {
		o.Task = spec.Query.Get("task")
	}
	if err := o.checkTask(spec.Path); err != nil {
		return nil, err
	}
	if info, err := os.Stat(spec.Path); err == nil && info.IsDir() {
		return nil, aFolder(spec.Path)
	}
	arrays, late, err := readNPZ(spec.Path, o)
	if err != nil {
		if errors.Is(err, tensor.ErrNPY) || errors.Is(err, tensor.ErrShape) {
			return nil, &FormatError{Path: spec.Path, Problem: "cannot read the archive", Err: err,
				Remedy: "write it with numpy.savez(file, x=…, y=…), texts as numpy.array(list, dtype=str)"}
		}
		return nil, fmt.Errorf("data: npz: %w", err)
	}
	return arraySet(spec, arrays, late, o)
}

// arraySet makes a data set of arrays by their names, see openNPZ. late is where those lie that are read row by row, by what stands for
// them among arrays.
func arraySet(spec Spec, arrays []tensor.Named, late map[*tensor.Tensor]*stored, o Options) (Dataset, error) {
	a := &archive{path: spec.Path, split: spec.Split, arrays: arrays, late: late, used: map[string]bool{}}
	m := &memory{path: spec.Path}
	x, y := a.find(anyArray, "x"), a.labels(m)
	names, err := a.classes()
	if err != nil {
		return nil, err
	}
	ids := a.find(isIDs, "id", "ids")
	features := a.find(isTexts, "feature_names")
	if err := a.fill(m, x, y, o); err != nil {
		return nil, err
	}
	if err := m.asPictures(spec.Query.Get("as"), m.dtype != 0); err != nil {
		return nil, err
	}
	if features != nil && len(m.shape) == 1 && features.Len() == m.shape[0] {
		m.features = features.Strings()
	}
	if ids != nil {
		if err := m.setIDs(ids); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"mask", "masks"} {
		if t := m.fields[name]; t != nil && m.masks == nil && (t.DType().IsInt() || t.DType() == tensor.Bool) && m.pixels(t) {
			delete(m.fields, name)
			if err := m.setMasks(name, t); err != nil {
				return nil, err
			}
		}
	}
	if y == nil {
		return m, nil
	}
	if err = a.sameRows(a.yName, y, m.n); err == nil {
		err = m.setY(y, names, o)
	}
	var f *FormatError
	if errors.As(err, &f) && strings.HasPrefix(f.Place, "y") { // as the file calls it
		f.Place = a.yName + f.Place[1:]
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// anyArray takes every array; isIDs takes names and numbers of examples, and leaves an input of that name.
func anyArray(*tensor.Tensor) bool { return true }

func isIDs(t *tensor.Tensor) bool {
	if t.Rank() != 1 || t.DType() == tensor.String {
		return t.DType() == tensor.String
	}
	_, i := repeated(idsOf(t))
	return t.DType().IsInt() && i < 0
}

// idsOf is the elements of t as texts.
func idsOf(t *tensor.Tensor) []string {
	if t.DType() == tensor.String {
		return t.Strings()
	}
	ids := account.Slice[string](t.Len(), listed)
	for i := range ids {
		ids[i] = fmt.Sprint(t.At(i))
	}
	return ids
}

// find is the array with one of the names that is good, in the split that is asked for, and marks it as used.
func (a *archive) find(good func(*tensor.Tensor) bool, names ...string) *tensor.Tensor {
	for _, n := range names {
		splits := []string{a.split}
		if a.split == "" || slices.Contains(namesOfNames, n) {
			splits = []string{"", "train"}
		}
		for _, split := range splits {
			i := slices.IndexFunc(a.arrays, func(b tensor.Named) bool {
				base, of := ofSplit(b.Name)
				return (base == n || base == strings.ToUpper(n)) && of == split && good(b.Tensor)
			})
			if i < 0 {
				continue
			}
			a.used[a.arrays[i].Name] = true
			switch {
			case n == "x":
				a.xName = a.arrays[i].Name
			case slices.Contains(usualY, n):
				a.yName = a.arrays[i].Name
			}
			return a.arrays[i].Tensor
		}
	}
	return nil
}

// feedable reports whether an array has rows of whole bytes.
func feedable(t *tensor.Tensor) bool {
	return t.Rank() > 0 && t.DType() != tensor.String && t.DType().Bits()%8 == 0
}

func (a *archive) finite(name string, t *tensor.Tensor, o Options) error {
	if o.AllowNonFinite {
		return nil
	}
	return finite(a.path, name, t)
}

// setIDs takes names or numbers of the examples.
func (m *memory) setIDs(ids *tensor.Tensor) error {
	if ids.Rank() != 1 || ids.Dim(0) != m.n {
		return malformed(m.path, "id", fmt.Sprintf("need one text or whole number for each example, [%d]", m.n), "array is %v", ids)
	}
	m.ids = idsOf(ids)
	if id, i := repeated(m.ids); i >= 0 {
		return malformed(m.path, fmt.Sprintf("id, row %d", i), "ids must differ", "id %q comes twice", clip(id))
	}
	return nil
}

// pixels reports whether t holds one number for each pixel of the pictures.
func (m *memory) pixels(t *tensor.Tensor) bool {
	return m.picture && t.Rank() == 3 && t.Dim(0) == m.n && slices.Equal(t.Shape()[1:], m.shape[1:])
}

// setMasks takes the class of each pixel of the pictures; negative numbers are none, and 255 is, unless all are 0 or 255.
func (m *memory) setMasks(name string, t *tensor.Tensor) error {
	white, other := false, false
	m.masks = tensor.New(tensor.Uint8, t.Shape()...)
	err := eachRow(t, func(i int, v []float64) error {
		for k, f := range v {
			if f > Void {
				return malformed(m.path, fmt.Sprintf("%s, row %d", name, i),
					"number the classes from 0; 255 and negative numbers stand for none", "class %v of a pixel", f)
			}
			if m.masks.Bytes()[i*len(v)+k] = Void; f >= 0 {
				m.masks.Bytes()[i*len(v)+k] = uint8(f)
			}
			white, other = white || f == Void, other || f != Void && f != 0
		}
		return nil
	})
	if err != nil || !white || other {
		return err
	}
	m.notes = append(m.notes, name+" holds 0 and 255 alone: taken for classes 0 and 1")
	for i, v := range m.masks.Bytes() {
		m.masks.Bytes()[i] = v / Void
	}
	return nil
}

// asPictures marks bytes of the shape of pictures as such and makes them [C,H,W]. as is tensor, pictures, or "" to decide by type and
// shape.
func (m *memory) asPictures(as string, has bool) error {
	if as != "" && as != "tensor" && as != "pictures" {
		return malformed(m.path, "", didYouMean(as, []string{"tensor", "pictures"}), "no way %q to take x", as)
	}
	channels := func(n int) bool { return n == 1 || n == 3 }
	s := m.shape
	is := has && m.dtype == tensor.Uint8 && s.Len() > 0 && (len(s) == 2 || len(s) == 3 && (channels(s[0]) || channels(s[2])))
	switch {
	case as == "pictures" && !is:
		return malformed(m.path, "x", "pictures are bytes [N,H,W], [N,C,H,W] or [N,H,W,C] with 1 or 3 channels",
			"x is %v %v of %d examples", m.dtype, s, m.n)
	case as == "" && m.dtype == tensor.Uint8 && len(s) == 3 && (s[0] == 4 || s[2] == 4):
		m.notes = append(m.notes, fmt.Sprintf("x is uint8 %v: fed as it is, since pictures have 1 or 3 channels",
			append(tensor.Shape{m.n}, s...)))
		return nil
	case as == "tensor" || !is:
		return nil
	}
	m.picture = true
	what := "colour"
	if len(s) == 2 || channels(s[0]) && s[0] == 1 || !channels(s[0]) && s[2] == 1 {
		what = "grey"
	}
	if as == "" {
		m.notes = append(m.notes,
			fmt.Sprintf("x is uint8 %v: taken for %s pictures; ?as=tensor feeds it as it is", append(tensor.Shape{m.n}, s...), what))
	}
	switch {
	case len(s) == 2:
		m.shape = tensor.Shape{1, s[0], s[1]}
	case !channels(s[0]) && m.late != nil:
		m.late.channelsLast = true
		m.shape = tensor.Shape{s[2], s[0], s[1]}
	case !channels(s[0]):
		h, w, c := s[0], s[1], s[2]
		size := h * w * c
		out := make([]byte, len(m.raw))
		for i := range m.n {
			planar(out[i*size:(i+1)*size], m.raw[i*size:(i+1)*size], c)
		}
		m.shape, m.raw = tensor.Shape{c, h, w}, out
	}
	return nil
}

// planar puts the channels of pixels [H,W,C] one behind another, [C,H,W].
func planar(dst, src []byte, c int) {
	pixels := len(src) / c
	for k := range c {
		for p := range pixels {
			dst[k*pixels+p] = src[p*c+k]
		}
	}
}

// floats is the values of a real numeric tensor.
func floats(t *tensor.Tensor) ([]float64, error) {
	if !t.DType().IsFloat() && !t.DType().IsInt() && t.DType() != tensor.Bool {
		return nil, fmt.Errorf("data: %v has no real numbers", t)
	}
	return t.Float64s(), nil
}

// eachRow calls f with the values of every member of t [n,…], one after another, until it fails.
func eachRow(t *tensor.Tensor, f func(i int, v []float64) error) error {
	for i := range t.Dim(0) {
		r, err := member(t, i)
		if err != nil {
			return err
		}
		v, err := floats(r)
		if err != nil {
			return err
		}
		if err := f(i, v); err != nil {
			return err
		}
	}
	return nil
}

// finite fails when t [n,…] holds NaN or infinity.
func finite(path, name string, t *tensor.Tensor) error {
	if !t.DType().IsFloat() {
		return nil
	}
	if t.Rank() == 0 {
		t = t.Reshape(1)
	}
	return eachRow(t, func(i int, v []float64) error {
		if at := slices.IndexFunc(v, func(v float64) bool { return v-v != 0 }); at >= 0 {
			return malformed(path, fmt.Sprintf("%s, row %d", name, i), "remove or replace the value",
				"value %d of the row is NaN or infinite", at)
		}
		return nil
	})
}

// mayRepeat reports whether two ids are the same, or have the same hash, in less memory than a set of them takes.
func mayRepeat(ids []string) bool {
	seed, sums := maphash.MakeSeed(), make([]uint64, len(ids))
	for i, id := range ids {
		sums[i] = maphash.String(seed, id)
	}
	slices.Sort(sums)
	return len(slices.Compact(sums)) < len(ids)
}

// repeated is the first id that comes a second time, and where; -1 when all differ.
func repeated(ids []string) (string, int) {
	const few = 1 << 16
	if len(ids) > few && !mayRepeat(ids) {
		return "", -1
	}
	seen := make(map[string]bool, len(ids))
	for i, id := range ids {
		if seen[id] {
			return id, i
		}
		seen[id] = true
	}
	return "", -1
}
