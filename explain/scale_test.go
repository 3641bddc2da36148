package explain

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestClippedOneHotPixel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, side := range []int{4, 8, 28, 224} {
		for _, signed := range []bool{false, true} {
			m := make([]float32, side*side)
			for i := range m {
				m[i] = float32(math.Abs(rng.NormFloat64()))
				if signed && rng.IntN(2) == 0 {
					m[i] = -m[i]
				}
			}
			m[side+1] = 1e6
			heat, ok := Clipped(m, signed, 99)
			if !ok {
				t.Fatalf("%d, signed %v: constant", side, signed)
			}
			neutral := float32(0)
			if signed {
				neutral = 0.5
			}
			visible := 0
			for _, v := range heat {
				if max(v-neutral, neutral-v) > 0.1 {
					visible++
				}
			}
			if visible < len(m)/3 {
				t.Errorf("side %d, signed %v: one hot pixel leaves %d of %d visible", side, signed, visible, len(m))
			}
			if heat[side+1] != 1 {
				t.Errorf("the hot pixel is shown as %g", heat[side+1])
			}
		}
	}
}

func TestClippedVectors(t *testing.T) {
	nan := float32(math.NaN())
	hundred := make([]float32, 101) // 0 … 100
	for i := range hundred {
		hundred[i] = float32(i)
	}
	for name, tc := range map[string]struct {
		m          []float32
		signed     bool
		percentile float64
		want       map[int]float32
		ok         bool
	}{
		"nothing is cut at 0":   {[]float32{0, 1, 4}, false, 0, map[int]float32{0: 0, 1: 0.25, 2: 1}, true},
		"nothing is cut at 100": {[]float32{0, 1, 4}, false, 100, map[int]float32{0: 0, 1: 0.25, 2: 1}, true},
		// 1 … 100 above the lowest
		"both ends": {hundred, false, 90, map[int]float32{0: 0, 10: 0, 50: 40.0 / 80, 90: 1, 100: 1}, true},
		"signed":    {[]float32{-2, 1, 0, 0, 0, 100}, true, 99, map[int]float32{0: 0, 1: 0.75, 2: 0.5, 5: 1}, true},
		"sparse: zeros do not count": {append(make([]float32, 1000), 1, 2, 9), false, 99, map[int]float32{0: 0, 1000: 0.5, 1001: 1, 1002: 1},
			true},
		"one value in zeros":          {append(make([]float32, 1000), 7), false, 99, map[int]float32{0: 0, 1000: 1}, true},
		"one signed value in zeros":   {append(make([]float32, 1000), -7), true, 99, map[int]float32{0: 0.5, 1000: 0}, true},
		"two levels":                  {[]float32{1, 1, 1, 2, 2, 2}, false, 99, map[int]float32{0: 0, 5: 1}, true},
		"constant":                    {[]float32{3, 3}, false, 99, map[int]float32{0: 0}, false},
		"constant, signed":            {[]float32{3, 3}, true, 99, map[int]float32{0: 0.5}, false},
		"not a number":                {[]float32{0, nan, 1}, false, 99, map[int]float32{2: 0}, false},
		"nothing":                     {nil, false, 99, nil, false},
		"the whole range of float32s": {[]float32{-math.MaxFloat32, 0, math.MaxFloat32}, false, 100, map[int]float32{1: 0.5}, true},
	} {
		got, ok := Clipped(tc.m, tc.signed, tc.percentile)
		if ok != tc.ok || len(got) != len(tc.m) {
			t.Errorf("%s: ok %v, %d values", name, ok, len(got))
			continue
		}
		for i, want := range tc.want {
			if d := got[i] - want; d > 0.0126 || d < -0.0126 || want == 0.5 && tc.signed && d != 0 { // one rank of "both ends"
				t.Errorf("%s: value %d is %g, want %g", name, i, got[i], want)
			}
		}
	}
}

// TestClippedKeepsOrder: cutting never turns two values round and never changes the place of 0 in a signed map.
func TestClippedKeepsOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		m := make([]float32, 2+rng.IntN(60))
		for i := range m {
			m[i] = float32(math.Round(rng.NormFloat64() * 3))
		}
		order := make([]int, len(m))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return int(m[a] - m[b]) })
		for _, signed := range []bool{false, true} {
			heat, _ := Clipped(m, signed, 95)
			for k, i := range order {
				if heat[i] < 0 || heat[i] > 1 || k > 0 && heat[i] < heat[order[k-1]] {
					t.Fatalf("%v, signed %v: %v", m, signed, heat)
				}
				if signed && m[i] == 0 && heat[i] != 0.5 {
					t.Fatalf("%v: 0 is shown as %g", m, heat[i])
				}
			}
		}
	}
}
