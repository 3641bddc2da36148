package tensor

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Every pair of types converts small integers that both can hold without change, at lengths around the chunk size.
func TestConvertMatrix(t *testing.T) {
	for _, n := range []int{0, 1, 3, 5, chunkLen - 1, chunkLen, chunkLen + 1, 2*chunkLen + 3} {
		ones := make([]int64, n)
		for i := range ones {
			ones[i] = int64(i*i) % 2
		}
		base := From(ones, n)
		for src := Float32; src < numDTypes; src++ {
			from, err := base.Convert(src)
			if err != nil {
				t.Fatal(err)
			}
			for dst := Float32; dst < numDTypes; dst++ {
				srcC, dstC := kindOf(src) == 1, kindOf(dst) == 1
				got, err := from.Convert(dst)
				if srcC && !dstC || src == String && dstC {
					if err == nil {
						t.Fatalf("%v to %v: no error", src, dst)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%v to %v: %v", src, dst, err)
				}
				if src == Float8E8M0 || dst == Float8E8M0 {
					continue // has no zero
				}
				want := mustConvert(t, base, dst)
				if !Equal(got, want) {
					t.Fatalf("%d elements, %v to %v: got %v want %v", n, src, dst, Format(got), Format(want))
				}
				if len(got.raw) > 0 && len(from.raw) > 0 && &got.raw[0] == &from.raw[0] {
					t.Fatalf("%v to %v shares storage", src, dst)
				}
			}
		}
	}
}

func TestConvertIntegers(t *testing.T) {
	check := func(in *Tensor, d DType, want ...int64) {
		t.Helper()
		got := mustConvert(t, in, d)
		out := make([]int64, got.Len())
		got.decodeInts(out, 0)
		if !slices.Equal(out, want) {
			t.Errorf("%v to %v: %v, want %v", in, d, out, want)
		}
	}
	// The example of ONNX's text: 200 (int16) -> -56 (int8).
	check(From([]int16{200, -129, 127}, 3), Int8, -56, 127, 127)
	check(From([]int32{-1, 70000}, 2), Uint16, 65535, 70000-65536)
	check(From([]int64{-1, 5, 16, 17}, 4), Uint4, 15, 5, 0, 1)
	check(From([]int64{-1, 7, 8, -9}, 4), Int4, -1, 7, -8, 7)
	check(From([]int64{-3, -2, -1, 0, 1, 2, 3}, 7), Int2, 1, -2, -1, 0, 1, -2, -1)
	check(From([]uint64{math.MaxUint64, 1 << 63}, 2), Int64, -1, math.MinInt64)
	check(From([]bool{true, false}, 2), Int32, 1, 0)
	check(From([]int32{36, 0, -1}, 3), Bool, 1, 0, 1)
	// Floats: towards zero; 4 and 2 bits to nearest even, then the low bits.
	check(From([]float32{1.9, -1.9, 2.5, -0.5}, 4), Int32, 1, -1, 2, 0)
	check(From([]float32{1.5, 2.5, -2.5, 3.4, -9}, 5), Int4, 2, 2, -2, 3, 7)
	check(From([]float64{255, 256.7, -1}, 3), Uint8, 255, 0, 255)
	nan, inf := math.NaN(), math.Inf(1)
	check(From([]float64{nan, inf, -inf, 1 << 31, -1<<31 - 0.5}, 5), Int32, math.MinInt32, math.MinInt32, math.MinInt32, math.MinInt32,
		math.MinInt32)
	check(From([]float64{nan, inf, -1 << 63, 1 << 62}, 4), Int64, math.MinInt64, math.MinInt64, math.MinInt64, 1<<62)
	check(From([]float64{nan, inf}, 2), Int8, 0, 0)
	check(From([]float64{4294967295, -1}, 2), Uint32, 4294967295, 4294967295)
	check(From([]float64{0x1p63 + 2048, 3, -1, nan, 0x1p64}, 5), Uint64, math.MinInt64+2048, 3, -1, math.MinInt64, 0)
	check(From([]float32{0, float32(math.Copysign(0, -1)), 0.1, float32(nan)}, 4), Bool, 0, 0, 1, 1)
	// A bool byte that is neither 0 nor 1 counts as true.
	odd, err := FromBytes(Bool, []int{2}, []byte{7, 0})
	if err != nil {
		t.Fatal(err)
	}
	check(odd, Int8, 1, 0)
}

// The packed bytes are those of ONNX's conformance cases test_cast_FLOAT_to_INT4 and test_cast_FLOAT_to_INT2.
func TestPackedConformance(t *testing.T) {
	var in []float32
	for v := -9; v <= 15; v++ {
		in = append(in, float32(v))
	}
	want := "\x87\xa9\xcb\xed\x0f\x21\x43\x65\x87\xa9\xcb\xed\x0f"
	for _, d := range []DType{Int4, Uint4} {
		if got := mustConvert(t, From(in, 5, 5), d); string(got.Bytes()) != want {
			t.Errorf("%v: % x, want % x", d, got.Bytes(), want)
		}
	}
	if got := mustConvert(t, From(in[6:13], 7, 1), Int2); string(got.Bytes()) != "\x39\x39" {
		t.Errorf("int2: % x", got.Bytes())
	}
}

// Integers round once on the way to any float, whatever their size: compared with arbitrary precision.
func TestConvertWideIntegers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	in := []int64{math.MaxInt64, math.MinInt64, 1<<53 + 1, 1<<62 + 1<<54 + 1, -(1<<62 + 1<<54 + 1), 1<<24 + 1}
	for range 2000 {
		in = append(in, int64(r.Uint64())>>r.IntN(40))
	}
	x := From(in, len(in))
	un := make([]uint64, len(in))
	for i, v := range in {
		un[i] = uint64(v)
	}
	for _, c := range []struct {
		d    DType
		prec uint
	}{{Float64, 53}, {Float32, 24}, {BFloat16, 8}} {
		signed, unsigned := mustConvert(t, x, c.d).Float64s(), mustConvert(t, From(un, len(un)), c.d).Float64s()
		for i, v := range in {
			want, _ := new(big.Float).SetPrec(c.prec).SetInt(big.NewInt(v)).Float64()
			if signed[i] != want {
				t.Fatalf("%d to %v: %v, want %v", v, c.d, signed[i], want)
			}
			want, _ = new(big.Float).SetPrec(c.prec).SetInt(new(big.Int).SetUint64(un[i])).Float64()
			if unsigned[i] != want {
				t.Fatalf("%d to %v: %v, want %v", un[i], c.d, unsigned[i], want)
			}
		}
	}
	for i, v := range in { // decimal text keeps every digit
		if got := mustConvert(t, mustConvert(t, From(in[i:i+1], 1), String), Int64).I64()[0]; got != v {
			t.Fatalf("%d through text became %d", v, got)
		}
		if got := Data[uint64](mustConvert(t, mustConvert(t, From(un[i:i+1], 1), String), Uint64))[0]; got != un[i] {
			t.Fatalf("%d through text became %d", un[i], got)
		}
	}
}

func TestConvertStrings(t *testing.T) {
	in := FromStrings([]string{"3.14", "1000", "1e-5", "1E8", "+INF", "inf", "-Inf", "nan", " 7 ", "1e999"}, 10)
	inf := math.Inf(1)
	want := []float64{3.14, 1000, 1e-5, 1e8, inf, inf, -inf, math.NaN(), 7, inf}
	for i, v := range mustConvert(t, in, Float64).Float64s() {
		if !sameFloat(v, want[i]) {
			t.Errorf("%q: %v", in.str[i], v)
		}
	}
	if got, err := mustConvert(t, FromStrings([]string{"100.5", "-3", "1e3", "true"}, 4), Int32).Ints(); err != nil ||
		!slices.Equal(got, []int{100, -3, 1000, 1}) {
		t.Error(got, err)
	}
	if got := mustConvert(t, FromStrings([]string{"False", "1", "0", "0.5"}, 4), Bool); string(got.raw) != "\x00\x01\x00\x01" {
		t.Error(got.raw)
	}
	for _, bad := range []string{"Hello World!", "", "1_000", "0x", strings.Repeat("9x", 1000)} {
		for _, d := range []DType{Float32, Int32, Bool, Uint4} {
			if _, err := FromStrings([]string{"1", bad}, 2).Convert(d); err == nil || !strings.Contains(err.Error(), "element 1") ||
				len(err.Error()) > 200 {
				t.Errorf("%.20q to %v: %v", bad, d, err)
			}
		}
	}
	out := mustConvert(t, From([]float32{314.15926, 1e-5, float32(inf), float32(-inf), float32(math.NaN()), 1e10}, 6), String)
	if got := strings.Join(out.Strings(), " "); got != "314.15927 0.00001 INF -INF NaN 10000000000" {
		t.Error(got)
	}
	if got := mustConvert(t, From([]bool{true, false}, 2), String).Strings(); !slices.Equal(got, []string{"1", "0"}) {
		t.Error(got)
	}
}

func TestConvertRefuses(t *testing.T) {
	for _, c := range []struct {
		t *Tensor
		d DType
	}{{Scalar[float32](1), Undefined}, {Scalar[float32](1), 99}, {Scalar(complex(1, 1)), Float32},
		{FromStrings([]string{"1"}, 1), Complex64}} {
		if _, err := c.t.Convert(c.d); err == nil {
			t.Errorf("%v to %v: no error", c.t, c.d)
		}
	}
	if got := Data[complex128](mustConvert(t, Scalar(complex64(complex(1, 2))), Complex128))[0]; got != complex(1, 2) {
		t.Error(got)
	}
	same := From([]float32{1}, 1)
	if c := mustConvert(t, same, Float32); &c.raw[0] == &same.raw[0] {
		t.Error("conversion to the same type shares storage")
	}
}

func TestHalfSlicesPanicOnLength(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Float16ToFloat32(make([]float32, 1), make([]uint16, 2))
}

func TestAccess(t *testing.T) {
	f16 := mustConvert(t, From([]float32{0, 1, 2, 3, 4, 5.5}, 2, 3), Float16)
	if v := f16.At(1, 2); v != float32(5.5) {
		t.Error(v)
	}
	i4 := mustConvert(t, From([]int8{-8, 7, 3}, 3), Int4)
	if v := i4.At(0); v != int8(-8) {
		t.Error(v)
	}
	if v := mustConvert(t, i4, Uint4).At(0); v != uint8(8) {
		t.Error(v)
	}
	for _, v := range []any{float32(1), float64(1), int8(1), int16(1), int32(1), int64(1), uint8(1), uint16(1), uint32(1), uint64(1),
		true, complex64(1), complex128(1)} {
		var s *Tensor
		switch v := v.(type) {
		case float32:
			s = Scalar(v)
		case float64:
			s = Scalar(v)
		case int8:
			s = Scalar(v)
		case int16:
			s = Scalar(v)
		case int32:
			s = Scalar(v)
		case int64:
			s = Scalar(v)
		case uint8:
			s = Scalar(v)
		case uint16:
			s = Scalar(v)
		case uint32:
			s = Scalar(v)
		case uint64:
			s = Scalar(v)
		case bool:
			s = Scalar(v)
		case complex64:
			s = Scalar(v)
		case complex128:
			s = Scalar(v)
		}
		if got := s.At(); got != v {
			t.Errorf("%v: At is %v (%T)", s, got, got)
		}
	}
	if v := FromStrings([]string{"a", "b"}, 2).At(1); v != "b" {
		t.Error(v)
	}
	if FromStrings(nil, 0).Float64s() != nil || Scalar(complex64(1)).Float64s() != nil {
		t.Error("Float64s of strings or complex numbers is not nil")
	}
	if got, err := i4.Ints(); err != nil || !slices.Equal(got, []int{-8, 7, 3}) {
		t.Error(got, err)
	}
	if _, err := Scalar(uint64(math.MaxUint64)).Ints(); err == nil {
		t.Error("no error for an integer that does not fit")
	}
	if _, err := Scalar(1.0).Ints(); err == nil {
		t.Error("no error for floats")
	}
	for _, idx := range [][]int{{0}, {2, 0}, {0, -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("At%v: no panic", idx)
				}
			}()
			f16.At(idx...)
		}()
	}
}

func BenchmarkFloat16ToFloat32(b *testing.B) {
	src, dst := make([]uint16, 1<<14), make([]float32, 1<<14)
	for i := range src {
		src[i] = uint16(i * 3)
	}
	b.SetBytes(int64(len(dst) * 4))
	for b.Loop() {
		Float16ToFloat32(dst, src)
	}
}

func BenchmarkFloat32ToFloat16(b *testing.B) {
	src, dst := make([]float32, 1<<14), make([]uint16, 1<<14)
	for i := range src {
		src[i] = float32(i) / 100
	}
	b.SetBytes(int64(len(src) * 4))
	for b.Loop() {
		Float32ToFloat16(dst, src)
	}
}
