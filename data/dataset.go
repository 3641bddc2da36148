package data

import (
	"github.com/gtk-onnx/gtk/tensor"
)

// Example is one member of a data set. Its tensors belong to the data set and must not be changed.
//
// Y is real numbers, targets or labels that are probabilities ([K], NoLabel where a label is not known), or integers: labels that are 0
// and 1 or NoLabel, int64 [K], or classes of positions, int64, where NoLabel is none. Classes of positions that the data hold as bytes
// stay uint8, since what 255 means in them, none or white, is for the reader to say.
type Example struct {
	ID string // stable name: file path below the root, or index
	// picture: uint8 or uint16 [C,H,W], C 1 (grey) or 3 (RGB); otherwise any type and shape; nil where Fields has all
	X       *tensor.Tensor
	Fields  map[string]*tensor.Tensor // arrays that have names of their own, such as input_ids; nil for sets of one array
	Picture bool                      // X is a picture: preprocessing and augmentation apply
	Label   int                       // class index, -1 for none
	Y       *tensor.Tensor            // target, see below; nil for none
	Mask    *tensor.Tensor            // class of each pixel, uint8 [H,W] at the size of X, Void for none; or nil
	Groups  map[string]string         // values of the group columns, or nil
}

// Void is the value of a mask where there is no truth, as in PASCAL VOC.
const Void = 255

// Dataset is an indexed collection of examples. All methods may be called by several goroutines at once.
type Dataset interface {
	// Len is the number of examples.
	Len() int
	// ID is the stable name of example i, unique in the set.
	ID(i int) string
	// Label is the class of example i without reading it, -1 for none.
	Label(i int) int
	// Example reads example i, 0 <= i < Len.
	Example(i int) (Example, error)
	// Classes is the names of the classes; nil for sets without classes.
	Classes() []string
}

// Suggester is a Dataset that knows the preprocessing its pictures want when the model says nothing.
type Suggester interface{ Suggest() Preprocess }

// Suggested is the preprocessing that ds asks for, or the default one.
func Suggested(ds Dataset) Preprocess {
	for ds != nil {
		if s, ok := ds.(Suggester); ok {
			return s.Suggest()
		}
		ds = inner(ds)
	}
	return Preprocess{}
}

// Planter is a Dataset with label noise planted on purpose.
type Planter interface {
	// Planted is the ids of the examples whose label was changed, in order.
	Planted() []string
	// TrueLabel is the label of example i before planting.
	TrueLabel(i int) int
}

// Grouper is a Dataset whose examples carry group columns.
type Grouper interface {
	// GroupColumns is the names of the columns.
	GroupColumns() []string
	// Group is the value of column name of example i; "" when there is no such column.
	Group(i int, name string) string
}

// Filer is a Dataset whose examples are files.
type Filer interface{ File(i int) string }

// wrapper is a Dataset that shows members of another one.
type wrapper interface {
	unwrap() Dataset
	at(i int) int
}

func inner(ds Dataset) Dataset {
	if w, ok := ds.(wrapper); ok {
		return w.unwrap()
	}
	return nil
}

// origin follows wrappers from example i of ds to the data set that satisfies T and the index there.
func origin[T any](ds Dataset, i int) (t T, at int, ok bool) {
	for {
		if t, ok := ds.(T); ok {
			return t, i, true
		}
		w, isWrapper := ds.(wrapper)
		if !isWrapper {
			return t, 0, false
		}
		i, ds = w.at(i), w.unwrap()
	}
}

// GroupOf is the value of a group column of example i, "" when ds has none; it looks through subsets.
func GroupOf(ds Dataset, i int, column string) string {
	if g, j, ok := origin[Grouper](ds, i); ok {
		return g.Group(j, column)
	}
	return ""
}

// GroupColumns is the names of the group columns of ds; it looks through subsets.
func GroupColumns(ds Dataset) []string {
	for ; ds != nil; ds = inner(ds) {
		if g, ok := ds.(Grouper); ok {
			return g.GroupColumns()
		}
	}
	return nil
}

// FileOf is the file of example i, "" when it is not a file of its own; it looks through subsets.
func FileOf(ds Dataset, i int) string {
	if f, j, ok := origin[Filer](ds, i); ok {
		return f.File(j)
	}
	return ""
}

// Planted is the ids of the members of ds whose label was changed on purpose, in the order of ds; it looks through subsets.
func Planted(ds Dataset) []string {
	var ids []string
	for i := range ds.Len() {
		p, j, ok := origin[Planter](ds, i)
		if !ok {
			return nil
		}
		if p.TrueLabel(j) != ds.Label(i) {
			ids = append(ids, ds.ID(i))
		}
	}
	return ids
}
