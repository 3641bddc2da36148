package data

import (
	"maps"
	"slices"

	account "github.com/gtk-onnx/gtk/internal/memory"
)

// Sampler gives the order in which the examples of a data set are visited. The order depends on the sampler and the epoch only.
type Sampler interface{ Order(epoch int) []int }

// SamplerFunc is a function as a Sampler.
type SamplerFunc func(epoch int) []int

// Order calls f.
func (f SamplerFunc) Order(epoch int) []int { return f(epoch) }

// Sequential visits 0..n-1 in order, every epoch the same.
func Sequential(n int) Sampler { return sequential(n) }

// sequential is 0..n-1, which nobody needs to write down.
type sequential int

func (n sequential) Order(int) []int { return upTo(int(n)) }

// Shuffled visits 0..n-1 in an order drawn for (seed, epoch).
func Shuffled(n int, seed uint64) Sampler {
	return shuffled{n, seed}
}

// Drawn is the first k examples of Shuffled(n, seed) in its first epoch: a random choice of k of n.
func Drawn(n, k int, seed uint64) []int {
	p := shuffled{n, seed}.places(0)
	return p.part(0, k)
}

type shuffled struct {
	n    int
	seed uint64
}

func (s shuffled) Order(epoch int) []int {
	p := s.places(epoch)
	return p.all()
}

// places is the order in less memory.
func (s shuffled) places(epoch int) indices {
	p, r := newIndices(s.n, s.n), newRandom(s.seed, keyShuffle, uint64(epoch))
	for i := range s.n {
		p.add(i)
	}
	shuffle(r, p.short)
	shuffle(r, p.long)
	return p
}

// Balanced visits as many examples of one class as of another, ds.Len() in all, where that divides up. Over the epochs each class goes
// through its examples pass by pass, each pass in a new order: of a small class all come several times in an epoch, of a large one the
// rest comes in the next. Examples without a class are left out. It is nil for a data set without classes.
func Balanced(ds Dataset, seed uint64) Sampler {
	byClass := perClass(ds)
	delete(byClass, -1)
	if len(byClass) == 0 {
		return nil
	}
	labels, n := slices.Sorted(maps.Keys(byClass)), ds.Len()
	return SamplerFunc(func(epoch int) []int {
		order := account.Slice[int](n, listed)[:0]
		for k, l := range labels {
			members, quota := byClass[l], n/len(labels)
			if k < n%len(labels) {
				quota++
			}
			var pass []int
			for at := epoch * quota; at < (epoch+1)*quota; at++ {
				if at%len(members) == 0 || pass == nil {
					pass = slices.Clone(members)
					shuffle(newRandom(seed, keyBalance, uint64(at/len(members)), uint64(l)), pass)
				}
				order = append(order, pass[at%len(members)])
			}
		}
		shuffle(newRandom(seed, keyShuffle, uint64(epoch)), order)
		return order
	})
}

// Keys that keep the uses of one seed apart.
const (
	keyShuffle = iota + 1
	keyBalance
	keyAugment
	keySplit
	keyShapes
	keyNoise
	keyView
)

func upTo(n int) []int { return from(0, n) }

// from is lo..hi-1.
func from(lo, hi int) []int {
	p := account.Slice[int](hi-lo, listed)
	for i := range p {
		p[i] = lo + i
	}
	return p
}

// perClass is the indices of each class, -1 for no class, in order.
func perClass(ds Dataset) map[int][]int {
	m := map[int][]int{}
	account.Need(16*ds.Len(), listed)
	for i := range ds.Len() {
		l := ds.Label(i)
		m[l] = append(m[l], i)
	}
	return m
}
