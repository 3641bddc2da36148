package data

import "slices"

// Sampler gives the order in which the examples of a data set are visited. The order depends on the sampler and the epoch only.
type Sampler interface{ Order(epoch int) []int }

// SamplerFunc is a function as a Sampler.
type SamplerFunc func(epoch int) []int

// Order calls f.
func (f SamplerFunc) Order(epoch int) []int { return f(epoch) }

// Sequential visits 0..n-1 in order, every epoch the same.
func Sequential(n int) Sampler {
	return SamplerFunc(func(int) []int { return upTo(n) })
}

// Shuffled visits 0..n-1 in an order drawn for (seed, epoch).
func Shuffled(n int, seed uint64) Sampler {
	return SamplerFunc(func(epoch int) []int {
		p := upTo(n)
		newRandom(seed, keyShuffle, uint64(epoch)).shuffle(p)
		return p
	})
}

// Balanced visits as many examples of every class as the largest class has: classes with fewer repeat theirs, each pass in
// a new order. Examples without a class are left out.
func Balanced(ds Dataset, seed uint64) Sampler {
	byClass := perClass(ds)
	delete(byClass, -1)
	most := 0
	labels := make([]int, 0, len(byClass))
	for l, members := range byClass {
		labels = append(labels, l)
		most = max(most, len(members))
	}
	slices.Sort(labels)
	return SamplerFunc(func(epoch int) []int {
		order := make([]int, 0, most*len(labels))
		for _, l := range labels {
			r := newRandom(seed, keyBalance, uint64(epoch), uint64(l))
			for n := 0; n < most; {
				pass := slices.Clone(byClass[l])
				r.shuffle(pass)
				pass = pass[:min(len(pass), most-n)]
				order = append(order, pass...)
				n += len(pass)
			}
		}
		newRandom(seed, keyShuffle, uint64(epoch)).shuffle(order)
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
)

func upTo(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

// perClass is the indices of each class, -1 for no class, in order.
func perClass(ds Dataset) map[int][]int {
	m := map[int][]int{}
	for i := range ds.Len() {
		l := ds.Label(i)
		m[l] = append(m[l], i)
	}
	return m
}
