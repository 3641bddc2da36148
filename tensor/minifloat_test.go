package tensor

import (
	"math"
	"testing"
)

// layout is the bit layout of a format, for formulas that share nothing with the code under test.
// The formulas are those of https://onnx.ai/onnx/technical/float8.html and float4.html.
type layout struct {
	d         DType
	exp, man  int
	bias      int
	inf       func(code int) bool
	nan       func(code int) bool
	maxFinite float64
}

func none(int) bool { return false }

var layouts = []layout{
	{Float16, 5, 10, 15, func(c int) bool { return c&0x7fff == 0x7c00 }, func(c int) bool { return c&0x7fff > 0x7c00 }, 65504},
	{BFloat16, 8, 7, 127, func(c int) bool { return c&0x7fff == 0x7f80 }, func(c int) bool { return c&0x7fff > 0x7f80 }, 0x1.fep127},
	{Float8E4M3FN, 4, 3, 7, none, func(c int) bool { return c&0x7f == 0x7f }, 448},
	{Float8E4M3FNUZ, 4, 3, 8, none, func(c int) bool { return c == 0x80 }, 240},
	{Float8E5M2, 5, 2, 15, func(c int) bool { return c&0x7f == 0x7c }, func(c int) bool { return c&0x7f > 0x7c }, 57344},
	{Float8E5M2FNUZ, 5, 2, 16, none, func(c int) bool { return c == 0x80 }, 57344},
	{Float4E2M1, 2, 1, 1, none, none, 6},
}

// value is (-1)^S 2^(e-bias) (1 + m/2^man), or (-1)^S 2^(1-bias) m/2^man for e = 0.
func (l layout) value(code int) float64 {
	bits := 1 + l.exp + l.man
	s := code >> (bits - 1) & 1
	e := code >> l.man & (1<<l.exp - 1)
	m := float64(code&(1<<l.man-1)) / math.Pow(2, float64(l.man))
	sign := math.Pow(-1, float64(s))
	switch {
	case l.nan(code):
		return math.NaN()
	case l.inf(code):
		return math.Inf(int(sign))
	case e == 0:
		return math.Copysign(math.Pow(2, float64(1-l.bias))*m, sign)
	}
	return sign * math.Pow(2, float64(e-l.bias)) * (1 + m)
}

// values is the magnitudes by code.
func (l layout) values() []float64 {
	v := make([]float64, 1<<(l.exp+l.man))
	for c := range v {
		v[c] = l.value(c)
	}
	return v
}

// nearest is the code whose value is nearest to f (finite, below maxFinite), ties to an even code, found by search.
func (l layout) nearest(f float64) int { return l.nearestIn(l.values(), f) }

func (l layout) nearestIn(values []float64, f float64) int {
	lo, hi := 0, 1<<(l.exp+l.man)-1
	for l.nan(hi) || l.inf(hi) {
		hi--
	}
	a := math.Abs(f)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; values[mid] <= a {
			lo = mid
		} else {
			hi = mid
		}
	}
	c := lo
	if up, down := values[hi]-a, a-values[lo]; up < down || up == down && hi%2 == 0 {
		c = hi
	}
	if math.Signbit(f) {
		c |= 1 << (l.exp + l.man)
	}
	return c
}

func sameFloat(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
}

// codes is the tensor of every code of d.
func codes(d DType) *Tensor {
	n := 1 << d.Bits()
	t := New(d, n)
	for c := range n {
		switch d.Bits() {
		case 16:
			Data[uint16](t)[c] = uint16(c)
		case 8:
			t.raw[c] = uint8(c)
		default:
			pack(t.raw, d.Bits(), c, uint8(c))
		}
	}
	return t
}

func code(t *Tensor, i int) int {
	switch t.dtype.Bits() {
	case 16:
		return int(Data[uint16](t)[i])
	case 8:
		return int(t.raw[i])
	}
	return int(unpack(t.raw, t.dtype.Bits(), i))
}

func mustConvert(tb testing.TB, t *Tensor, d DType) *Tensor {
	tb.Helper()
	c, err := t.Convert(d)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Every code decodes to the value of the formula, to float32 and to float64.
func TestDecodeEveryCode(t *testing.T) {
	for _, l := range layouts {
		all := codes(l.d)
		f32, f64 := mustConvert(t, all, Float32).F32(), all.Float64s()
		for c := range f64 {
			want := l.value(c)
			if !sameFloat(f64[c], want) || !sameFloat(float64(f32[c]), want) {
				t.Fatalf("%v code %#x: float32 %v, float64 %v, want %v", l.d, c, f32[c], f64[c], want)
			}
		}
	}
}

// Every code that is a number survives a round trip through float32 and float64 unchanged.
func TestRoundTripEveryCode(t *testing.T) {
	for _, l := range layouts {
		all := codes(l.d)
		for _, via := range []DType{Float32, Float64} {
			back, err := mustConvert(t, all, via).ConvertSaturate(l.d, false)
			if err != nil {
				t.Fatal(err)
			}
			for c := range all.Len() {
				if got := code(back, c); got != c && !(l.nan(c) && l.nan(got)) {
					t.Fatalf("%v code %#x via %v became %#x", l.d, c, via, got)
				}
			}
		}
	}
}

// Between every two neighbouring values, rounding goes to the nearer, ties to even: tested at the midpoint, its
// neighbours in float64 and in float32, and at quarter points; both signs, from float32 and from float64.
func TestEncodeEveryInterval(t *testing.T) {
	for _, l := range layouts {
		var x []float64
		for c := range 1<<(l.exp+l.man) - 1 {
			a, b := l.value(c), l.value(c+1)
			if b != b || math.IsInf(b, 0) || b < a {
				break
			}
			mid := a + (b-a)/2
			x = append(x, a, mid, math.Nextafter(mid, 0), math.Nextafter(mid, b),
				float64(math.Nextafter32(float32(mid), 0)), float64(math.Nextafter32(float32(mid), float32(b))),
				a+(b-a)/4, a+(b-a)*3/4)
		}
		for _, v := range x[:len(x):len(x)] {
			x = append(x, -v)
		}
		values := l.values()
		in64 := From(x, len(x))
		in32 := mustConvert(t, in64, Float32)
		for _, in := range []*Tensor{in64, in32} {
			got := mustConvert(t, in, l.d)
			for i, f := range in.Float64s() {
				want := l.nearestIn(values, f)
				if l.d == Float8E4M3FNUZ || l.d == Float8E5M2FNUZ {
					if want == 0x80 {
						want = 0 // no negative zero
					}
				}
				if c := code(got, i); c != want {
					t.Fatalf("%v of %v %v (%x): code %#x (%v), want %#x (%v)", l.d, in.dtype, f, f, c, l.value(c), want, l.value(want))
				}
			}
		}
	}
}

// The tables of https://onnx.ai/onnx/operators/onnx__Cast.html for saturate on and off.
func TestFloat8SpecialValues(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	in := []float64{0, math.Copysign(0, -1), nan, inf, -inf, 1e6, -1e6}
	types := []DType{Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ}
	for _, saturate := range []bool{true, false} {
		want := map[DType][]int{ // codes
			Float8E4M3FN:   {0, 0x80, 0x7f, 0x7e, 0xfe, 0x7e, 0xfe},
			Float8E4M3FNUZ: {0, 0, 0x80, 0x7f, 0xff, 0x7f, 0xff},
			Float8E5M2:     {0, 0x80, 0x7e, 0x7b, 0xfb, 0x7b, 0xfb},
			Float8E5M2FNUZ: {0, 0, 0x80, 0x7f, 0xff, 0x7f, 0xff},
		}
		if !saturate {
			want = map[DType][]int{
				Float8E4M3FN:   {0, 0x80, 0x7f, 0x7f, 0xff, 0x7f, 0xff},
				Float8E4M3FNUZ: {0, 0, 0x80, 0x80, 0x80, 0x80, 0x80},
				Float8E5M2:     {0, 0x80, 0x7e, 0x7c, 0xfc, 0x7c, 0xfc},
				Float8E5M2FNUZ: {0, 0, 0x80, 0x80, 0x80, 0x80, 0x80},
			}
		}
		for _, src := range []DType{Float64, Float32, Float16} {
			x := mustConvert(t, From(in, len(in)), src)
			for _, d := range types {
				got, err := x.ConvertSaturate(d, saturate)
				if err != nil {
					t.Fatal(err)
				}
				for i, w := range want[d] {
					if code(got, i) != w {
						t.Errorf("%v %v to %v, saturate %v: %#x, want %#x", src, in[i], d, saturate, code(got, i), w)
					}
				}
			}
		}
	}
}

// Around the largest finite value: what rounds to it is it, what rounds to more overflows.
func TestOverflowThreshold(t *testing.T) {
	for _, l := range layouts {
		if l.d == Float4E2M1 {
			continue // always saturates
		}
		ulp := l.maxFinite - l.value(l.nearest(l.maxFinite)-1)
		edge := l.maxFinite + ulp/2 // the tie; the code above the largest is even exactly when the largest is odd
		odd := l.nearest(l.maxFinite)%2 == 1
		for _, c := range []struct {
			f        float64
			overflow bool
		}{{math.Nextafter(edge, 0), false}, {edge, odd}, {math.Nextafter(edge, math.Inf(1)), true}} {
			got, err := From([]float64{c.f}, 1).ConvertSaturate(l.d, false)
			if err != nil {
				t.Fatal(err)
			}
			if over := got.Float64s()[0] != l.maxFinite; over != c.overflow {
				t.Errorf("%v of %v: %v, overflow want %v", l.d, c.f, got.Float64s()[0], c.overflow)
			}
		}
	}
}

// The numbers are those of ONNX's conformance case test_cast_FLOAT_to_FLOAT4E2M1.
func TestFloat4Conformance(t *testing.T) {
	inf := float32(math.Inf(1))
	in := []float32{0.48, 0.25, 1.05, -3.5, -8, 9, 1e6, 1e-7, float32(math.NaN()), inf, inf, -inf, -4, 0.01, float32(math.Copysign(0, -1))}
	want := []byte{0x01, 0xe2, 0x7f, 0x07, 0x78, 0xf7, 0x0e, 0x08}
	got := mustConvert(t, From(in, 3, 5), Float4E2M1)
	if string(got.Bytes()) != string(want) {
		t.Errorf("% x, want % x", got.Bytes(), want)
	}
}

// The first row is ONNX's conformance case test_cast_e8m0_FLOAT_to_FLOAT8E8M0, the rest its table and the round modes.
func TestFloat8E8M0(t *testing.T) {
	in := []float32{0, 0.124, 0.25, 0.5, 1.1, 2, 4, 8}
	got := mustConvert(t, From(in, 2, 4), Float8E8M0)
	if want := "\x00\x7c\x7d\x7e\x80\x80\x81\x82"; string(got.Bytes()) != want {
		t.Errorf("% x, want % x", got.Bytes(), want)
	}
	for c, v := range codes(Float8E8M0).Float64s() {
		if want := math.Pow(2, float64(c)-127); c == 255 && v == v || c < 255 && v != want {
			t.Errorf("code %d is %v", c, v)
		}
	}
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		f            float64
		up, down, ne uint8 // saturating
		strict       uint8 // not saturating, nearest
	}{
		{1, 127, 127, 127, 127}, {1.25, 128, 127, 127, 127}, {1.5, 128, 127, 128, 128}, {1.75, 128, 127, 128, 128},
		{0, 0, 0, 0, 255}, {nan, 255, 255, 255, 255}, {inf, 254, 254, 254, 255}, {0x1.8p127, 254, 254, 254, 255},
		{0x1p-127, 0, 0, 0, 0}, {0x1p127, 254, 254, 254, 254}, {0x1p-128, 0, 0, 0, 255}, {-1, 255, 255, 255, 255},
	} {
		x := From([]float64{c.f}, 1)
		for _, o := range []struct {
			CastOptions
			want uint8
		}{{CastOptions{false, RoundUp}, c.up}, {CastOptions{false, RoundDown}, c.down}, {CastOptions{false, RoundNearest}, c.ne},
			{CastOptions{true, RoundNearest}, c.strict}} {
			g, err := x.ConvertWith(Float8E8M0, o.CastOptions)
			if err != nil {
				t.Fatal(err)
			}
			if g.raw[0] != o.want {
				t.Errorf("%v with %+v: %d, want %d", c.f, o.CastOptions, g.raw[0], o.want)
			}
		}
	}
	for _, s := range []string{"up", "down", "nearest"} {
		if _, err := ParseRoundMode(s); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseRoundMode("sideways"); err == nil {
		t.Error("no error for an unknown round mode")
	}
}
