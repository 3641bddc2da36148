package straggler

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Sum is a vector of exact sums. What is added is kept to the last bit, whatever the order and however it was grouped before, and rounded
// once when it is read: so the gradient of a job is the same to the bit with every scheme and for any workers. A sum is a float64 for each
// number and, where that is not exact, which is rare, the rest as further floats (Shewchuk 1997, expansions).
type Sum struct {
	hi   []float64
	rest map[int][]float64 // by index: what is to be added to hi, smallest first, not overlapping
}

// NewSum is a sum of nothing, of n numbers.
func NewSum(n int) *Sum { return &Sum{hi: make([]float64, n)} }

// Len is how many numbers there are.
func (s *Sum) Len() int { return len(s.hi) }

// Add32 adds x to the numbers from at on.
func (s *Sum) Add32(at int, x []float32) {
	hi := s.hi[at : at+len(x)]
	for i, v := range x {
		h, v := hi[i], float64(v)
		t := h + v
		b := t - h
		e := (h - (t - b)) + (v - b)
		hi[i] = t
		if e != 0 {
			s.spill(at+i, e)
		}
	}
}

// Add adds x to number i.
func (s *Sum) Add(i int, x float64) {
	t, e := twoSum(s.hi[i], x)
	s.hi[i] = t
	if e != 0 {
		s.spill(i, e)
	}
}

// Merge adds another sum.
func (s *Sum) Merge(o *Sum) error {
	if len(o.hi) != len(s.hi) {
		return fmt.Errorf("straggler: a sum of %d numbers is added to one of %d", len(o.hi), len(s.hi))
	}
	for i, x := range o.hi {
		s.Add(i, x)
	}
	for i, xs := range o.rest {
		for _, x := range xs {
			s.Add(i, x)
		}
	}
	return nil
}

// AddScaled adds c times the rounded numbers of o: for codes with coefficients, which are not exact.
func (s *Sum) AddScaled(c float64, o *Sum) error {
	if c == 1 {
		return s.Merge(o)
	}
	if len(o.hi) != len(s.hi) {
		return fmt.Errorf("straggler: a sum of %d numbers is added to one of %d", len(o.hi), len(s.hi))
	}
	for i := range o.hi {
		s.Add(i, c*o.At(i))
	}
	return nil
}

// twoSum is a+b, and what its rounding leaves out; nothing where the sum is not finite.
func twoSum(a, b float64) (sum, err float64) {
	t := a + b
	v := t - a
	e := (a - (t - v)) + (b - v)
	if e != e || math.IsInf(e, 0) {
		return t, 0
	}
	return t, e
}

// spill adds e to what is beside number i.
func (s *Sum) spill(i int, e float64) {
	if e != e || math.IsInf(e, 0) { // of a sum that is not finite
		return
	}
	if s.rest == nil {
		s.rest = map[int][]float64{}
	}
	xs := s.rest[i]
	k := 0
	for _, x := range xs { // grow the expansion
		var lo float64
		if e, lo = twoSum(e, x); lo != 0 {
			xs[k] = lo
			k++
		}
	}
	if xs = xs[:k]; e != 0 {
		xs = append(xs, e)
	}
	if len(xs) == 0 {
		delete(s.rest, i)
		return
	}
	s.rest[i] = xs
}

// At is number i, the float64 that is nearest to the sum.
func (s *Sum) At(i int) float64 {
	xs := s.rest[i]
	if len(xs) == 0 {
		return s.hi[i] + 0 // no negative zero, which depends on what was added
	}
	all := make([]float64, 0, len(xs)+1) // one expansion of everything, smallest first
	for _, x := range append(slices.Clone(xs), s.hi[i]) {
		k := 0
		for _, y := range all {
			var lo float64
			if x, lo = twoSum(x, y); lo != 0 {
				all[k] = lo
				k++
			}
		}
		all = append(all[:k], x)
	}
	n := len(all) - 1
	top, low := all[n], 0.0
	for n > 0 { // from the top until something is left out
		n--
		if top, low = twoSum(top, all[n]); low != 0 {
			break
		}
	}
	// What lies below half a unit decides a tie.
	if n > 0 && (low < 0 && all[n-1] < 0 || low > 0 && all[n-1] > 0) {
		if y := 2 * low; top+y-top == y {
			top += y
		}
	}
	return top
}

// Float32s writes the numbers from at on, times scale, into out.
func (s *Sum) Float32s(at int, scale float64, out []float32) {
	for i := range out {
		out[i] = float32(s.At(at+i) * scale)
	}
}

// Finite reports whether all numbers are.
func (s *Sum) Finite() bool {
	return !slices.ContainsFunc(s.hi, func(x float64) bool { return x != x || math.IsInf(x, 0) })
}

// The forms in which a sum is written.
const (
	narrow byte = 4 // each number is a float32
	wide   byte = 8 // a float64
)

// Encode writes the sum, little-endian: a byte that says how wide the numbers are, how many there are and how many have a rest (uint32
// each), the numbers, and for each rest its index, its length and its floats.
func (s *Sum) Encode() []byte {
	form := narrow
	if len(s.rest) > 0 || slices.ContainsFunc(s.hi, func(x float64) bool { return float64(float32(x)) != x && x == x }) {
		form = wide
	}
	b := make([]byte, 0, 9+int(form)*len(s.hi))
	b = append(b, form)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.hi)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.rest)))
	for _, x := range s.hi {
		if form == narrow {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
		} else {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
	}
	for _, i := range slices.Sorted(maps.Keys(s.rest)) {
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s.rest[i])))
		for _, x := range s.rest[i] {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
	}
	return b
}

// DecodeSum reads what Encode wrote, of n numbers.
func DecodeSum(b []byte, n int) (*Sum, error) {
	bad := errors.New("straggler: what should be a sum is none")
	if len(b) < 9 {
		return nil, bad
	}
	form, m, rests := b[0], binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint32(b[5:])
	if b = b[9:]; form != narrow && form != wide || uint64(m) != uint64(n) || len(b) < n*int(form) || uint64(rests) > uint64(n) {
		return nil, bad
	}
	s := NewSum(n)
	for i := range s.hi {
		if form == narrow {
			s.hi[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		} else {
			s.hi[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
	b = b[n*int(form):]
	for range rests {
		if len(b) < 8 {
			return nil, bad
		}
		i, k := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if b = b[8:]; uint64(i) >= uint64(n) || k > 64 || len(b) < int(8*k) {
			return nil, bad
		}
		for j := range k {
			s.spill(int(i), math.Float64frombits(binary.LittleEndian.Uint64(b[8*j:])))
		}
		b = b[8*k:]
	}
	if len(b) > 0 {
		return nil, bad
	}
	return s, nil
}
