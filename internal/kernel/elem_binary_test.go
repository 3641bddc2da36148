package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestBinaryBroadcast(t *testing.T) {
	ps := pools(t)
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, c := range []struct{ a, b, out []int }{
			{[]int{}, []int{}, []int{}}, {[]int{3}, []int{}, []int{3}}, {[]int{}, []int{3}, []int{3}},
			{[]int{2, 3}, []int{2, 3}, []int{2, 3}},
			{[]int{2, 3}, []int{3}, []int{2, 3}}, {[]int{2, 1}, []int{1, 3}, []int{2, 3}},
			{[]int{2, 3, 4, 5}, []int{3, 1, 1}, []int{2, 3, 4, 5}},
			{[]int{2, 3, 4, 5}, []int{2, 1, 1, 5}, []int{2, 3, 4, 5}}, {[]int{4, 1, 6}, []int{5, 1}, []int{4, 5, 6}},
			{[]int{0, 3}, []int{3}, []int{0, 3}},
			{[]int{40000}, []int{1}, []int{40000}}, {[]int{1}, []int{1}, []int{2, 3}}, {[]int{300, 1}, []int{1, 200}, []int{300, 200}},
			{[]int{1, 1, 1}, []int{7}, []int{1, 1, 7}},
		} {
			a, b := randF32(r, size(c.a)), randF32(r, size(c.b))
			ops := []struct {
				op BinaryOp[float32, float32]
				f  func(a, b float32) float32
			}{
				{AddOp[float32](), func(a, b float32) float32 { return a + b }},
				{SubOp[float32](), func(a, b float32) float32 { return a - b }},
				{MulOp[float32](), func(a, b float32) float32 { return a * b }},
				{DivOp[float32](), func(a, b float32) float32 { return a / b }},
				{MaxOp[float32](), func(a, b float32) float32 { return max(a, b) }},
				{MinOp[float32](), func(a, b float32) float32 { return min(a, b) }},
			}
			sa, sb, so := BroadcastStrides(c.out, c.a), BroadcastStrides(c.out, c.b), Strides(c.out)
			for k, o := range ops {
				out := make([]float32, size(c.out))
				for _, p := range ps {
					clear(out)
					Binary(p, o.op, out, c.out, a, c.a, b, c.b)
					odometer(c.out, func(idx []int) {
						x, y := a[at(idx, sa)], b[at(idx, sb)]
						if w := o.f(x, y); out[at(idx, so)] != w {
							t.Fatalf("op %d %v %v at %v: %g op %g = %g, want %g", k, c.a, c.b, idx, x, y, out[at(idx, so)], w)
						}
					})
				}
			}
			less := make([]bool, size(c.out))
			Binary(ps[1], GreaterOp[float32](), less, c.out, a, c.a, b, c.b)
			sel := make([]float32, len(less))
			Where(ps[1], sel, c.out, less, c.out, a, c.a, b, c.b)
			odometer(c.out, func(idx []int) {
				x, y := a[at(idx, sa)], b[at(idx, sb)]
				if less[at(idx, so)] != (x > y) || sel[at(idx, so)] != max(x, y) {
					t.Fatalf("greater or where of %v %v at %v", c.a, c.b, idx)
				}
			})
		}
	})
}

func TestMaxOpNaN(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		a, b := []float32{1, float32(nan), 3}, []float32{float32(nan)}
		out := make([]float32, 3)
		for _, op := range []BinaryOp[float32, float32]{MaxOp[float32](), MinOp[float32]()} {
			Binary(nil, op, out, []int{3}, a, []int{3}, b, []int{1})
			for i, v := range out {
				if v == v {
					t.Errorf("[%d] = %g, want NaN", i, v)
				}
			}
		}
	})
}

func binaryScalar[T, U any](op BinaryOp[T, U], a, b T) [3]U {
	var r [3]U
	op.VV(r[:1], []T{a}, []T{b})
	op.VS(r[1:2], []T{a}, b)
	op.SV(r[2:], a, []T{b})
	return r
}

func TestIntegerOps(t *testing.T) {
	for _, c := range []struct {
		name       string
		op         BinaryOp[int32, int32]
		a, b, want int32
	}{
		{"div", DivOp[int32](), 7, -2, -3}, {"div0", DivOp[int32](), 7, 0, 0},
		{"divmin", DivOp[int32](), math.MinInt32, -1, math.MinInt32},
		{"mod", ModOp[int32](), -7, 3, 2}, {"mod", ModOp[int32](), 7, -3, -2}, {"mod0", ModOp[int32](), 7, 0, 0},
		{"fmod", FModOp[int32](), -7, 3, -1},
		{"pow", PowOp[int32](), -3, 3, -27}, {"pow", PowOp[int32](), 2, -1, 0}, {"pow", PowOp[int32](), -1, -3, -1},
		{"pow", PowOp[int32](), 0, 0, 1},
	} {
		if got := binaryScalar(c.op, c.a, c.b); got != [3]int32{c.want, c.want, c.want} {
			t.Errorf("%s(%d, %d) = %v, want %d", c.name, c.a, c.b, got, c.want)
		}
	}
	for _, c := range []struct{ a, b float64 }{{2, 2}, {-2, 3}, {4, 0.5}, {1.5, 1}, {0, 0}, {-8, -1}, {inf, 2}, {2, -0.5}} {
		w := math.Pow(c.a, c.b)
		if got := binaryScalar(PowOp[float64](), c.a, c.b); got != [3]float64{w, w, w} {
			t.Errorf("pow(%g, %g) = %v, want %g", c.a, c.b, got, w)
		}
	}
	for _, c := range []struct{ a, b, mod, fmod float64 }{{-7.5, 2, 0.5, -1.5}, {7.5, -2, -0.5, 1.5}, {4, 2, 0, 0}} {
		if got := binaryScalar(ModOp[float64](), c.a, c.b); got[0] != c.mod {
			t.Errorf("mod(%g, %g) = %v", c.a, c.b, got)
		}
		if got := binaryScalar(FModOp[float64](), c.a, c.b); got[0] != c.fmod {
			t.Errorf("fmod(%g, %g) = %v", c.a, c.b, got)
		}
	}
	for _, c := range []struct {
		name string
		op   BinaryOp[float64, bool]
		want [4]bool // 1,2  2,2  2,1  NaN,1
	}{
		{"eq", EqualOp[float64](), [4]bool{false, true, false, false}}, {"lt", LessOp[float64](), [4]bool{true, false, false, false}},
		{"le", LessEqOp[float64](), [4]bool{true, true, false, false}}, {"gt", GreaterOp[float64](), [4]bool{false, false, true, false}},
		{"ge", GreaterEqOp[float64](), [4]bool{false, true, true, false}}, {"ne", EqualNotOp[float64](), [4]bool{true, false, true, true}},
	} {
		for i, x := range [4][2]float64{{1, 2}, {2, 2}, {2, 1}, {nan, 1}} {
			if got := binaryScalar(c.op, x[0], x[1]); got != [3]bool{c.want[i], c.want[i], c.want[i]} {
				t.Errorf("%s%v = %v, want %v", c.name, x, got, c.want[i])
			}
		}
	}
	for i, x := range [4][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
		got := [3]bool{binaryScalar(AndOp(), x[0], x[1])[0], binaryScalar(OrOp(), x[0], x[1])[1], binaryScalar(XorOp(), x[0], x[1])[2]}
		if want := [4][3]bool{{}, {false, true, true}, {false, true, true}, {true, true, false}}[i]; got != want {
			t.Errorf("logic of %v: %v, want %v", x, got, want)
		}
	}
}

func TestConvert(t *testing.T) {
	p := pools(t)[1]
	out := make([]int8, 4)
	Convert(p, out, []float32{1.9, -1.9, 0, 127})
	if [4]int8(out) != [4]int8{1, -1, 0, 127} {
		t.Errorf("to int8: %v", out)
	}
	wrap := make([]uint8, 2)
	Convert(p, wrap, []int32{-1, 257})
	if [2]uint8(wrap) != [2]uint8{255, 1} {
		t.Errorf("to uint8: %v", wrap)
	}
	same := make([]float32, 2)
	Convert(p, same, []float32{1, 2})
	bools := make([]bool, 3)
	ConvertToBool(p, bools, []float32{0, float32(nan), -1})
	ConvertFromBool(p, wrap, bools[:2])
	if same[1] != 2 || [3]bool(bools) != [3]bool{false, true, true} || [2]uint8(wrap) != [2]uint8{0, 1} {
		t.Errorf("%v %v %v", same, bools, wrap)
	}
}

// TestHalf compares all values of the 16-bit floats with their definition and rounds the numbers between neighbours.
func TestHalf(t *testing.T) {
	in, out, back := make([]uint16, 1<<16), make([]float32, 1<<16), make([]uint16, 1<<16)
	for i := range in {
		in[i] = uint16(i)
	}
	for _, f := range []struct {
		name       string
		to         func([]float32, []uint16)
		from       func([]uint16, []float32)
		exp, frac  int
		overflowAt float32
	}{
		{"half", func(o []float32, i []uint16) { HalfToF32(nil, o, i) }, func(o []uint16, i []float32) { F32ToHalf(nil, o, i) }, 5, 10,
			65520},
		{"bfloat", func(o []float32, i []uint16) { BFloatToF32(nil, o, i) }, func(o []uint16, i []float32) { F32ToBFloat(nil, o, i) }, 8,
			7, 3.3961775e38},
	} {
		f.to(out, in)
		bias, top := 1<<(f.exp-1)-1, 1<<f.exp-1
		for i, v := range out {
			e, m := i>>f.frac&top, float64(i&(1<<f.frac-1))
			var want float64
			switch {
			case e == top && m != 0:
				want = nan
			case e == top:
				want = inf
			case e == 0:
				want = math.Ldexp(m, 1-bias-f.frac)
			default:
				want = math.Ldexp(m+float64(int(1)<<f.frac), e-bias-f.frac)
			}
			if i >= 1<<15 {
				want = -want
			}
			if !near(v, want, 0, 0) || math.Signbit(float64(v)) != (i >= 1<<15) {
				t.Fatalf("%s %#x = %g, want %g", f.name, i, v, want)
			}
		}
		f.from(back, out)
		for i, b := range back {
			if out[i] == out[i] && b != in[i] {
				t.Fatalf("%s %#x comes back as %#x", f.name, i, b)
			}
		}
		// Midpoints go to the even neighbour, everything else to the nearer one.
		limit := top << f.frac
		mid, want := make([]float32, 0, 3*limit), make([]uint16, 0, 3*limit)
		for i := 0; i+1 < limit; i++ {
			h := (out[i] + out[i+1]) / 2
			if float64(h) != (float64(out[i])+float64(out[i+1]))/2 {
				continue // denormal float32
			}
			even := i + i&1
			mid = append(mid, h, math.Nextafter32(h, 0), math.Nextafter32(h, math.MaxFloat32))
			want = append(want, uint16(even), uint16(i), uint16(i+1))
		}
		mid = append(mid, f.overflowAt, math.Nextafter32(f.overflowAt, 0))
		want = append(want, uint16(limit), uint16(limit-1))
		got := make([]uint16, len(mid))
		f.from(got, mid)
		for i := range mid {
			if got[i] != want[i] {
				t.Fatalf("%s of %g is %#x, want %#x", f.name, mid[i], got[i], want[i])
			}
		}
	}
}
