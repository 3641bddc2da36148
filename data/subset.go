package data

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// subset is members of a data set in a given order.
type subset struct {
	Dataset
	index []int
}

func (s *subset) Len() int                       { return len(s.index) }
func (s *subset) ID(i int) string                { return s.Dataset.ID(s.index[i]) }
func (s *subset) Label(i int) int                { return s.Dataset.Label(s.index[i]) }
func (s *subset) Example(i int) (Example, error) { return s.Dataset.Example(s.index[i]) }
func (s *subset) unwrap() Dataset                { return s.Dataset }
func (s *subset) at(i int) int                   { return s.index[i] }

// Subset is the examples of ds with the given indices, in that order. It fails for an index that ds does not have.
func Subset(ds Dataset, index []int) (Dataset, error) {
	for _, i := range index {
		if i < 0 || i >= ds.Len() {
			return nil, fmt.Errorf("data: subset: index %d of a set of %d", i, ds.Len())
		}
	}
	return &subset{ds, slices.Clone(index)}, nil
}

// Split divides ds into training and validation parts, class by class, so that both have the classes in the same
// proportion; fraction in (0,1) is the share of the validation part. Every class with at least two members has at least
// one in each part. The parts depend on the seed only and keep the order of ds.
func Split(ds Dataset, fraction float64, seed uint64) (train, val Dataset, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("data: split: fraction %v: need a number between 0 and 1", fraction)
	}
	byClass := perClass(ds)
	var t, v []int
	for _, l := range slices.Sorted(maps.Keys(byClass)) {
		p := slices.Clone(byClass[l])
		newRandom(seed, keySplit, uint64(l+1)).shuffle(p)
		n := int(math.Round(fraction * float64(len(p))))
		if len(p) > 1 {
			n = min(max(n, 1), len(p)-1)
		}
		v, t = append(v, p[:n]...), append(t, p[n:]...)
	}
	slices.Sort(t)
	slices.Sort(v)
	return &subset{ds, t}, &subset{ds, v}, nil
}
