package data

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/tensor"
)

// Summary is what there is to know of a data set before using it. Counts of positions, labels and values are over the examples that were
// read.
type Summary struct {
	N         int                     `json:"n"`
	Classes   []string                `json:"classes,omitempty"`
	PerClass  map[string]int          `json:"per_class,omitempty"` // counts by class name, classes without examples included
	Unlabeled int                     `json:"unlabeled,omitempty"` // examples without class, target and mask
	Shape     []int                   `json:"shape,omitempty"`     // of one example; nil when they differ or all arrays have names
	DType     string                  `json:"dtype,omitempty"`
	Fields    map[string]FieldSummary `json:"fields,omitempty"`   // arrays with names of their own
	Features  []string                `json:"features,omitempty"` // names of the values of X along its last axis, or of its channels
	Pictures  bool                    `json:"pictures"`
	Targets   []int                   `json:"targets,omitempty"` // shape of one target
	// int64 or uint8 for classes of positions, int64 for labels that are 0 and 1
	TargetDType  string         `json:"target_dtype,omitempty"`
	TargetNames  []string       `json:"target_names,omitempty"`  // along the last axis
	TargetValues []ValueSummary `json:"target_values,omitempty"` // of each target, or of all together where there are many
	LabelCounts  map[string]int `json:"label_counts,omitempty"`  // multilabel: examples with each label
	Positions    map[string]int `json:"positions,omitempty"`     // classes of positions and pixels: how often each comes
	Ignored      int            `json:"ignored,omitempty"`       // positions and pixels without a class
	Masks        bool           `json:"masks,omitempty"`
	Groups       []string       `json:"groups,omitempty"` // group columns
	Planted      int            `json:"planted,omitempty"`
	Omitted      []Omission     `json:"omitted,omitempty"`   // files that were left out
	Skipped      []BadSample    `json:"skipped,omitempty"`   // examples that were left out because they cannot be read
	Checked      int            `json:"checked"`             // examples that were read
	NonFinite    []string       `json:"nonfinite,omitempty"` // ids of examples with NaN or infinity
	Damaged      []string       `json:"damaged,omitempty"`   // errors of examples that cannot be read, at most 20
	Warnings     []string       `json:"warnings,omitempty"`  // and what was guessed or left out: see Notes
}

// FieldSummary is what there is to know of an array with a name of its own.
type FieldSummary struct {
	Shape []int  `json:"shape"` // of one example; nil when they differ
	DType string `json:"dtype"`
	ValueSummary
}

// ValueSummary is the range of numbers. Only finite ones count.
type ValueSummary struct {
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
	NaN  int     `json:"nan,omitempty"` // NaN and infinite values
	n    float64
}

// add takes one more number.
func (v *ValueSummary) add(x float64) {
	if x-x != 0 {
		v.NaN++
		return
	}
	if v.n == 0 {
		v.Min, v.Max = x, x
	}
	v.n++
	v.Min, v.Max, v.Mean = math.Min(v.Min, x), math.Max(v.Max, x), v.Mean+(x-v.Mean)/v.n
}

// Summarise counts the labels of ds and reads up to most of its examples, spread evenly (0: all), to find their shapes, targets and
// NaN or infinite values. Examples that cannot be read are listed, not an error.
func Summarise(ds Dataset, most int) Summary {
	s := Summary{N: ds.Len(), Classes: ds.Classes(), Groups: GroupColumns(ds), Planted: len(Planted(ds)), Features: FeatureNames(ds),
		TargetNames: TargetNames(ds),
		Omitted:     Omitted(ds), Skipped: Skipped(ds)}
	if len(s.Classes) > 0 {
		s.PerClass = make(map[string]int, len(s.Classes))
		for _, c := range s.Classes {
			s.PerClass[c] = 0
		}
	}
	for i := range s.N {
		if l := ds.Label(i); l >= 0 && l < len(s.Classes) {
			s.PerClass[s.Classes[l]]++
		} else {
			s.Unlabeled++
		}
	}
	if most <= 0 || most > s.N {
		most = s.N
	}
	r := reading{s: &s, same: true, masked: Masked(ds)}
	for k := range most {
		e, err := ds.Example(k * s.N / most)
		s.Checked++
		if err != nil {
			if r.damaged++; len(s.Damaged) < 20 {
				s.Damaged = append(s.Damaged, err.Error())
			}
			continue
		}
		r.add(e)
	}
	if !r.same {
		s.Shape = nil
	}
	if s.Targets != nil || Masked(ds) || s.Masks && s.Unlabeled == s.N {
		if s.Unlabeled == s.N || Masked(ds) {
			s.PerClass = nil // classes of positions and pixels
		}
		s.Unlabeled = 0
	}
	s.warn(&r, FeatureNames(ds))
	s.Warnings = append(s.Warnings, Notes(ds)...)
	return s
}

// reading is what is kept between the examples of a summary.
type reading struct {
	s        *Summary
	begun    bool
	same     bool           // shapes
	masked   bool           // the masks are what is to be learned
	damaged  int            // examples
	features []ValueSummary // of X [F]
}

// mostValues bounds the targets and features that are looked at one by one.
const mostValues = 4096

func (r *reading) add(e Example) {
	s := r.s
	good := true
	if e.X != nil {
		if !r.begun {
			s.Shape, s.DType, s.Pictures = slices.Clone(e.X.Shape()), e.X.DType().String(), e.Picture
			if n := e.X.Len(); e.X.Rank() == 1 && n <= mostValues && !e.Picture {
				r.features = make([]ValueSummary, n)
			}
			r.begun = true
		}
		r.same = r.same && slices.Equal(s.Shape, e.X.Shape())
		if !e.Picture {
			v := values(e.X)
			good = allFinite(v)
			for k := range min(len(v), len(r.features)) {
				r.features[k].add(v[k])
			}
		}
	}
	for name, t := range e.Fields {
		good = r.field(name, t) && good
	}
	if e.Y != nil {
		good = r.target(e.Y) && good
	}
	if e.Mask != nil {
		s.Masks = true
		for _, c := range e.Mask.Bytes() {
			r.position(int(c), c == Void, r.masked)
		}
	}
	if !good {
		s.NonFinite = append(s.NonFinite, e.ID)
	}
}

// values is the numbers of t, nil for what holds none.
func values(t *tensor.Tensor) []float64 {
	v, err := floats(t)
	if err != nil {
		return nil
	}
	return v
}

func allFinite(v []float64) bool {
	return !slices.ContainsFunc(v, func(x float64) bool { return x-x != 0 })
}

// field takes one array with a name; false when it holds NaN or infinity.
func (r *reading) field(name string, t *tensor.Tensor) bool {
	f, seen := r.s.Fields[name]
	switch {
	case !seen:
		if r.s.Fields == nil {
			r.s.Fields = map[string]FieldSummary{}
		}
		f = FieldSummary{Shape: slices.Clone(t.Shape()), DType: t.DType().String()}
	case !slices.Equal(f.Shape, t.Shape()):
		f.Shape, r.same = nil, false
	}
	bad := f.NaN
	for _, x := range values(t) {
		f.add(x)
	}
	r.s.Fields[name] = f
	return f.NaN == bad
}

// target takes one Y; false when it holds NaN or infinity.
func (r *reading) target(y *tensor.Tensor) bool {
	s, v := r.s, values(y)
	if s.Targets == nil {
		s.Targets, s.TargetDType = slices.Clone(y.Shape()), y.DType().String()
	}
	if y.DType().IsInt() {
		if y.Rank() == 1 && len(s.Classes) == len(v) && s.Positions == nil { // labels
			if s.LabelCounts == nil {
				s.LabelCounts = map[string]int{}
			}
			for k, x := range v {
				n := s.LabelCounts[s.Classes[k]]
				if x == 1 {
					n++
				}
				s.LabelCounts[s.Classes[k]] = n
			}
			return true
		}
		for _, x := range v {
			r.position(int(x), x == NoLabel, true)
		}
		return true
	}
	if s.TargetValues == nil {
		n := places(y, s.TargetNames)
		if n > 32 {
			n = 1
		}
		s.TargetValues = make([]ValueSummary, n)
	}
	for k, x := range v {
		s.TargetValues[k%len(s.TargetValues)].add(x)
	}
	return allFinite(v)
}

// position counts the class of one position; named says that it is one of the classes, not a value of a mask beside them.
func (r *reading) position(class int, none, named bool) {
	s := r.s
	if none {
		s.Ignored++
		return
	}
	name := strconv.Itoa(class)
	if named && class >= 0 && class < len(s.Classes) {
		name = s.Classes[class]
	}
	if s.Positions == nil {
		s.Positions = map[string]int{}
	}
	if _, ok := s.Positions[name]; ok || len(s.Positions) < mostValues {
		s.Positions[name]++
	}
}

func (s *Summary) warn(r *reading, features []string) {
	add := func(format string, args ...any) { s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...)) }
	if s.N == 0 {
		add("the data set is empty")
	}
	if !r.same && s.Pictures {
		add("examples differ in shape: give an image size")
	} else if !r.same {
		add("examples differ in shape: they cannot be batched")
	}
	if r.damaged > 0 {
		add("%d of %d examples cannot be read", r.damaged, s.Checked)
	}
	if len(s.NonFinite) > 0 {
		add("%d of %d examples have NaN or infinite values", len(s.NonFinite), s.Checked)
	}
	if s.Unlabeled > 0 && s.Unlabeled < s.N {
		add("%d of %d examples have no label", s.Unlabeled, s.N)
	}
	var constant []string
	for k, f := range r.features {
		if f.n > 1 && f.Min == f.Max {
			name := strconv.Itoa(k)
			if k < len(features) {
				name = features[k]
			}
			constant = append(constant, name)
		}
	}
	if constant != nil && s.Checked-r.damaged > 1 {
		add("%s the same value in all examples that were read: %s", units.Of(len(constant), "1 feature has", "%d features have"),
			clip(strings.Join(constant, ", ")))
	}
	if s.PerClass == nil || s.N == 0 {
		return
	}
	low, high, used := s.N, 0, 0
	for _, n := range s.PerClass {
		low, high = min(low, n), max(high, n)
		if n > 0 {
			used++
		}
	}
	switch {
	case used == 1:
		add("all examples are of one class: nothing can be learned from them")
	case used < len(s.PerClass):
		add("%d of %d classes have no examples", len(s.PerClass)-used, len(s.PerClass))
	case high >= 10*low:
		add("classes are unbalanced: %d to %d examples", low, high)
	}
}

// Check fails when ds cannot be trained on: it is empty, has neither classes, targets nor masks, or all of its examples are of one class.
// Labelled leaves the examples without a class out.
func Check(ds Dataset) error {
	if ds.Len() == 0 {
		return fmt.Errorf("data: the data set is empty")
	}
	first, several, labelled := -1, false, 0
	for i := range ds.Len() {
		l := ds.Label(i)
		if l < 0 {
			continue
		}
		several = several || labelled > 0 && l != first
		first = l
		labelled++
	}
	switch {
	case labelled == 0:
		e, err := ds.Example(0)
		if err != nil {
			return err
		}
		if e.Y == nil && !Masked(ds) {
			return fmt.Errorf("data: the examples have neither classes nor targets nor masks; training needs one of them")
		}
	case labelled < ds.Len():
		return fmt.Errorf("data: %d of %d examples have no class: give them one, relabel:LIST@SPEC, or leave them out, keep:LIST@SPEC "+
			"with the "+
			"ids of the others (in Go: Labelled)", ds.Len()-labelled, ds.Len())
	case !several:
		return fmt.Errorf("data: all %d examples are of one class (%d); training needs at least two", ds.Len(), first)
	}
	return nil
}
