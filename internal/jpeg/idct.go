package jpeg

import "math"

// The inverse cosine transform with the factorisation of Loeffler, Ligtenberg and Moschytz, in fixed point with the precision that libjpeg
// documents: factors of 13 bits, columns first, whose results keep two bits more.
//
// Source: Loeffler et al. 1989, "Practical fast 1-D DCT algorithms with 11 multiplications"; libjpeg's description of its accurate integer
// method (the arithmetic and its rounding; no code of it).
const (
	factorBits = 13
	extraBits  = 2
)

func fixed(x float64) int64 { return int64(math.Round(x * (1 << factorBits))) }

// Factors: sums and differences of √2·cos(kπ/16).
var (
	c6      = fixed(0.541196100) // √2·c6
	c2less6 = fixed(0.765366865)
	c2plus6 = fixed(1.847759065)
	c3      = fixed(1.175875602)
	odd7    = fixed(0.298631336) // -c1+c3+c5-c7
	odd5    = fixed(2.053119869) // c1+c3-c5+c7
	odd3    = fixed(3.072711026) // c1+c3+c5-c7
	odd1    = fixed(1.501321110) // c1+c3-c5-c7
	c7less3 = fixed(0.899976223)
	c1plus3 = fixed(2.562915447)
	c3plus5 = fixed(1.961570560)
	c3less5 = fixed(0.390180644)
)

// line transforms eight numbers, step apart, and rounds off shift bits.
func line(x []int64, step int, shift uint) {
	at := func(k int) int64 { return x[k*step] }
	// Even part.
	turn := (at(2) + at(6)) * c6
	e2, e3 := turn-at(6)*c2plus6, turn+at(2)*c2less6
	sum, difference := (at(0)+at(4))<<factorBits, (at(0)-at(4))<<factorBits
	even := [4]int64{sum + e3, difference + e2, difference - e2, sum - e3}
	// Odd part.
	a, b, c, d := at(7), at(5), at(3), at(1)
	both := (a + c + b + d) * c3
	ad, bc := -(a+d)*c7less3, -(b+c)*c1plus3
	ac, bd := both-(a+c)*c3plus5, both-(b+d)*c3less5
	odd := [4]int64{d*odd1 + ad + bd, c*odd3 + bc + ac, b*odd5 + bc + bd, a*odd7 + ad + ac}
	half := int64(1) << (shift - 1)
	for k := range 4 {
		x[k*step] = (even[k] + odd[k] + half) >> shift
		x[(7-k)*step] = (even[k] - odd[k] + half) >> shift
	}
}

// inverse writes the samples of a block to out, whose lines are stride apart.
func inverse(block *[64]int32, out []uint8, stride int) {
	var x [64]int64
	for i, v := range block {
		x[i] = int64(v)
	}
	for k := range 8 {
		line(x[k:], 8, factorBits-extraBits)
	}
	for k := range 8 {
		line(x[8*k:], 1, factorBits+extraBits+3)
		for i, v := range x[8*k : 8*k+8] {
			out[k*stride+i] = uint8(min(max(v+128, 0), 255))
		}
	}
}
