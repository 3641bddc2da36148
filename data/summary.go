package data

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// Summary is what there is to know of a data set before using it.
type Summary struct {
	N         int            `json:"n"`
	Classes   []string       `json:"classes,omitempty"`
	PerClass  map[string]int `json:"per_class,omitempty"` // counts by class name, classes without examples included
	Unlabeled int            `json:"unlabeled,omitempty"` // examples without class and target
	Shape     []int          `json:"shape,omitempty"`     // of one example; nil when they differ
	DType     string         `json:"dtype,omitempty"`
	Pictures  bool           `json:"pictures"`
	Targets   []int          `json:"targets,omitempty"` // shape of one regression target
	Masks     bool           `json:"masks,omitempty"`
	Groups    []string       `json:"groups,omitempty"` // group columns
	Planted   int            `json:"planted,omitempty"`
	Omitted   []Omission     `json:"omitted,omitempty"`   // files that were left out
	Skipped   []BadSample    `json:"skipped,omitempty"`   // examples that were left out because they cannot be read
	Checked   int            `json:"checked"`             // examples that were read
	NonFinite []string       `json:"nonfinite,omitempty"` // ids of examples with NaN or infinity
	Damaged   []string       `json:"damaged,omitempty"`   // errors of examples that cannot be read, at most 20
	Warnings  []string       `json:"warnings,omitempty"`
}

// Summarise counts the labels of ds and reads up to most of its examples, spread evenly (0: all), to find their shape and
// NaN or infinite values. Examples that cannot be read are listed, not an error.
func Summarise(ds Dataset, most int) Summary {
	s := Summary{N: ds.Len(), Classes: ds.Classes(), Groups: GroupColumns(ds), Planted: len(Planted(ds)), Omitted: Omitted(ds), Skipped: Skipped(ds)}
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
	same, damaged := true, 0
	for k := range most {
		e, err := ds.Example(k * s.N / most)
		s.Checked++
		if err != nil {
			if damaged++; len(s.Damaged) < 20 {
				s.Damaged = append(s.Damaged, err.Error())
			}
			continue
		}
		if s.DType == "" {
			s.Shape, s.DType, s.Pictures = slices.Clone(e.X.Shape()), e.X.DType().String(), e.Picture
		}
		same = same && slices.Equal(s.Shape, e.X.Shape())
		s.Masks = s.Masks || e.Mask != nil
		if e.Y != nil {
			s.Targets = slices.Clone(e.Y.Shape())
		}
		if !isFinite(e.X) || e.Y != nil && !isFinite(e.Y) {
			s.NonFinite = append(s.NonFinite, e.ID)
		}
	}
	if !same {
		s.Shape = nil
		s.Warnings = append(s.Warnings, "examples differ in shape: give an image size")
	}
	if s.Targets != nil || Masked(ds) {
		s.Unlabeled = 0
	}
	if Masked(ds) {
		s.PerClass = nil // classes of pixels
	}
	s.warn(damaged)
	s.Warnings = append(s.Warnings, Notes(ds)...)
	return s
}

func (s *Summary) warn(damaged int) {
	add := func(format string, args ...any) { s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...)) }
	if s.N == 0 {
		add("the data set is empty")
	}
	if damaged > 0 {
		add("%d of %d examples cannot be read", damaged, s.Checked)
	}
	if len(s.NonFinite) > 0 {
		add("%d of %d examples have NaN or infinite values", len(s.NonFinite), s.Checked)
	}
	if s.Unlabeled > 0 && s.Unlabeled < s.N {
		add("%d examples have no label", s.Unlabeled)
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

// Check fails when ds cannot be trained on: it is empty, has neither classes nor targets, or all of its examples are of one class.
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
		return fmt.Errorf("data: %d of %d examples have no class; give them one or leave them out", ds.Len()-labelled, ds.Len())
	case !several:
		return fmt.Errorf("data: all %d examples are of one class (%d); training needs at least two", ds.Len(), first)
	}
	return nil
}

// isFinite reports whether a tensor has neither NaN nor infinity.
func isFinite(t *tensor.Tensor) bool { return finite("", "", t) == nil }
