package data

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	account "github.com/gtk-onnx/gtk/internal/memory"
)

// Ordered is a Dataset whose examples are pieces of one row of time, such as windows over a series, that may share steps.
type Ordered interface {
	// Span is the first step of example i and the one behind its last.
	Span(i int) (first, end int)
}

// Overlapping reports whether examples of ds share steps of a row of time, as windows do whose stride is less than their length: what is
// measured on some of them is then not independent of the others. It looks through subsets.
func Overlapping(ds Dataset) bool {
	spans := spansOf(ds)
	for k := 1; k < len(spans); k++ {
		if spans[k].first < spans[k-1].end {
			return true
		}
	}
	return false
}

// span is the steps of example i, from first to the one before end.
type span struct{ i, first, end int }

// spansOf is the spans of an [Ordered] set in the order of time, nil for other sets.
func spansOf(ds Dataset) []span {
	spans := make([]span, ds.Len())
	for i := range spans {
		o, at, ok := origin[Ordered](ds, i)
		if !ok {
			return nil
		}
		first, end := o.Span(at)
		spans[i] = span{i, first, end}
	}
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	return spans
}

// Split divides ds into training and validation parts at the indices of [SplitIndex].
func Split(ds Dataset, fraction float64, seed uint64) (train, val Dataset, err error) {
	t, v, err := split(ds, fraction, seed)
	if err != nil {
		return nil, nil, err
	}
	return &subset{ds, t}, &subset{ds, v}, nil
}

// SplitIndex divides ds into training and validation parts, class by class, so that both have the classes in the same
// proportion; fraction in (0,1) is the share of the validation part. Every class with at least two members has at least
// one in each part. Examples without a class are divided as one class. It fails when a part would be empty. The parts depend on the seed
// only and keep the order of ds.
//
// An [Ordered] set is cut in time: the last examples are the validation part, and those that share a step with it are in neither part.
func SplitIndex(ds Dataset, fraction float64, seed uint64) (train, val []int, err error) {
	t, v, err := split(ds, fraction, seed)
	return t.all(), v.all(), err
}

func split(ds Dataset, fraction float64, seed uint64) (train, val indices, err error) {
	if !(fraction > 0 && fraction < 1) {
		return train, val, fmt.Errorf("data: split: fraction %v: need a number between 0 and 1", fraction)
	}
	n := ds.Len()
	if n > 0 {
		if _, _, ok := origin[Ordered](ds, 0); ok {
			t, v, err := splitInTime(ds, fraction)
			return indicesOf(t, n), indicesOf(v, n), err
		}
	}
	chosen := account.Slice[bool](n, listed) // for validation
	var share, classes int
	if uint64(n) > math.MaxUint32 {
		share, classes = choose[int](ds, fraction, seed, chosen)
	} else {
		share, classes = choose[uint32](ds, fraction, seed, chosen)
	}
	if share == 0 || share == n {
		return train, val, fmt.Errorf("data: split: a share of %v of %d examples in %d classes leaves none for training, or none for "+
			"validation: use more examples or another share", fraction, n, classes)
	}
	train, val = newIndices(n-share, n), newIndices(share, n)
	for i, v := range chosen {
		if v {
			val.add(i)
		} else {
			train.add(i)
		}
	}
	return train, val, nil
}

// choose marks a share of each class and counts what is marked, and the classes. An index fits into T.
func choose[T uint32 | int](ds Dataset, fraction float64, seed uint64, chosen []bool) (share, classes int) {
	size := map[int]int{}
	for i := range chosen {
		size[ds.Label(i)]++
	}
	byClass := make(map[int][]T, len(size))
	for l, n := range size {
		byClass[l] = account.Slice[T](n, listed)[:0]
	}
	for i := range chosen {
		l := ds.Label(i)
		byClass[l] = append(byClass[l], T(i))
	}
	for l, p := range byClass {
		shuffle(newRandom(seed, keySplit, uint64(l+1)), p)
		n := int(math.Round(fraction * float64(len(p))))
		if len(p) > 1 {
			n = min(max(n, 1), len(p)-1)
		}
		for _, i := range p[:n] {
			chosen[i] = true
		}
		share += n
	}
	return share, len(byClass)
}

// splitInTime takes the last examples for validation.
func splitInTime(ds Dataset, fraction float64) (train, val []int, err error) {
	spans := spansOf(ds)
	n := len(spans) - max(1, int(math.Round(fraction*float64(len(spans)))))
	if n < 1 {
		return nil, nil, fmt.Errorf("data: split: %d examples cannot be divided", len(spans))
	}
	border := spans[n].first
	for k, s := range spans {
		switch {
		case k >= n:
			val = append(val, s.i)
		case s.end <= border:
			train = append(train, s.i)
		}
	}
	if len(train) == 0 {
		return nil, nil, fmt.Errorf("data: split: all %d examples before the last %d share steps with them; use a longer series or a "+
			"smaller part", n, len(val))
	}
	slices.Sort(train)
	slices.Sort(val)
	return train, val, nil
}
