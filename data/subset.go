package data

import "fmt"

// subset is members of a data set in a given order.
type subset struct {
	Dataset
	index indices
}

func (s *subset) Len() int                       { return s.index.len() }
func (s *subset) ID(i int) string                { return s.Dataset.ID(s.index.at(i)) }
func (s *subset) Label(i int) int                { return s.Dataset.Label(s.index.at(i)) }
func (s *subset) Example(i int) (Example, error) { return s.Dataset.Example(s.index.at(i)) }

func (s *subset) exampleIn(t *turn, i int) (Example, error) {
	return exampleIn(t, s.Dataset, s.index.at(i))
}

func (s *subset) unwrap() Dataset { return s.Dataset }
func (s *subset) at(i int) int    { return s.index.at(i) }

// Subset is the examples of ds with the given indices, in that order. It fails for an index that ds does not have.
func Subset(ds Dataset, index []int) (Dataset, error) {
	for _, i := range index {
		if i < 0 || i >= ds.Len() {
			return nil, fmt.Errorf("data: subset: index %d of a set of %d", i, ds.Len())
		}
	}
	return &subset{ds, indicesOf(index, ds.Len())}, nil
}

// labelled is the members of a data set that have a class.
type labelled struct{ *subset }

func (l labelled) Notes() []string {
	return []string{fmt.Sprintf("%d of %d examples have no class and are left out", l.Dataset.Len()-l.Len(), l.Dataset.Len())}
}

// Labelled is the examples of ds that have a class, which its notes say, or ds itself where none has one (it may have targets) or all
// have.
func Labelled(ds Dataset) Dataset {
	n := 0
	for i := range ds.Len() {
		if ds.Label(i) >= 0 {
			n++
		}
	}
	if n == 0 || n == ds.Len() {
		return ds
	}
	index := newIndices(n, ds.Len())
	for i := range ds.Len() {
		if ds.Label(i) >= 0 {
			index.add(i)
		}
	}
	return labelled{&subset{ds, index}}
}
