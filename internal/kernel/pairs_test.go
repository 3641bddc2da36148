package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

func randomPairs(r *rand.Rand, n int) []uint32 {
	x := make([]uint32, n)
	for i := range x {
		lo, hi := int16(r.IntN(511)-255), int16(r.IntN(511)-255)
		x[i] = uint32(uint16(lo)) | uint32(uint16(hi))<<16
	}
	return x
}

func pairProduct(a, b uint32) int32 {
	return int32(int16(a))*int32(int16(b)) + int32(int16(a>>16))*int32(int16(b>>16))
}

// TestGemmPairs: against plain loops on each instruction set, in all the ways that a product goes, with one thread and three.
func TestGemmPairs(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		pool := parallel.New(3)
		defer pool.Close()
		r := rand.New(rand.NewPCG(1, 2))
		for _, s := range [][3]int{{1, 1, 1}, {1, 40, 7}, {40, 1, 9}, {3, 5, 7}, {17, 33, 300}, {300, 90, 40}, {64, 64, 600}, {5, 200, 1100},
			{2, 3, 0}} {
			m, n, k := s[0], s[1], s[2]
			for _, trans := range []bool{false, true} {
				a, b := randomPairs(r, m*(k+1)), randomPairs(r, max(1, k)*n)
				ld := n
				if trans {
					ld = max(1, k)
				}
				right := NewRightPairs(trans, n, k, b, ld)
				for _, p := range []*parallel.Pool{nil, pool} {
					c := make([]int32, m*(n+2))
					GemmPairs(p, m, a, k+1, right, c, n+2)
					for i := range m {
						for j := range n {
							want := int32(0)
							for l := range k {
								at := l*n + j
								if trans {
									at = j*k + l
								}
								want += pairProduct(a[i*(k+1)+l], b[at])
							}
							if got := c[i*(n+2)+j]; got != want {
								t.Fatalf("%v, transposed %v: element %d,%d is %d, want %d", s, trans, i, j, got, want)
							}
						}
					}
				}
			}
		}
	})
}

// TestConvPairs: against plain loops, with pads, strides, dilations and groups.
func TestConvPairs(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		pool := parallel.New(3)
		defer pool.Close()
		r := rand.New(rand.NewPCG(3, 4))
		for _, cp := range []ConvParams{
			{N: 1, C: 3, M: 5, Group: 1, In: [3]int{1, 7, 9}, Kernel: [3]int{1, 3, 3}, PadLo: [3]int{0, 1, 1}, PadHi: [3]int{0, 1, 1}},
			{N: 2, C: 16, M: 33, Group: 1, In: [3]int{1, 14, 14}, Kernel: [3]int{1, 1, 1}},
			{N: 3, C: 8, M: 20, Group: 2, In: [3]int{1, 7, 7}, Kernel: [3]int{1, 3, 3}, Stride: [3]int{1, 2, 2}, PadLo: [3]int{0, 1, 1},
				PadHi: [3]int{0, 1, 1}},
			{N: 1, C: 4, M: 4, Group: 4, In: [3]int{1, 9, 9}, Kernel: [3]int{1, 3, 3}, Dil: [3]int{1, 2, 2}},
			{N: 1, C: 70, M: 64, Group: 1, In: [3]int{1, 12, 12}, Kernel: [3]int{1, 3, 3}, PadLo: [3]int{0, 1, 1}, PadHi: [3]int{0, 1, 1}},
			{N: 1, C: 2, M: 3, Group: 1, In: [3]int{3, 4, 5}, Kernel: [3]int{2, 2, 3}, Stride: [3]int{2, 1, 2}},
		} {
			for d := range 3 {
				cp.Stride[d], cp.Dil[d] = max(1, cp.Stride[d]), max(1, cp.Dil[d])
			}
			cp.SetOut()
			nx, nw, ny := cp.sizes()
			x, w := randomPairs(r, nx), randomPairs(r, nw)
			want := plainConvPairs(&cp, x, w)
			packed := PackConvPairs(nil, &cp, w)
			for _, p := range []*parallel.Pool{nil, pool} {
				y := make([]int32, ny)
				ConvPairs(p, &cp, x, packed, y)
				for i := range y {
					if y[i] != want[i] {
						t.Fatalf("%+v: element %d is %d, want %d", cp, i, y[i], want[i])
					}
				}
			}
		}
	})
}

func plainConvPairs(cp *ConvParams, x, w []uint32) []int32 {
	_, _, ny := cp.sizes()
	y := make([]int32, ny)
	cg, mg := cp.C/cp.Group, cp.M/cp.Group
	at := 0
	for n := range cp.N {
		for m := range cp.M {
			for od := range cp.Out[0] {
				for oh := range cp.Out[1] {
					for ow := range cp.Out[2] {
						sum, tap := int32(0), 0
						for c := range cg {
							for kd := range cp.Kernel[0] {
								for kh := range cp.Kernel[1] {
									for kw := range cp.Kernel[2] {
										d := od*cp.Stride[0] + kd*cp.Dil[0] - cp.PadLo[0]
										h := oh*cp.Stride[1] + kh*cp.Dil[1] - cp.PadLo[1]
										v := ow*cp.Stride[2] + kw*cp.Dil[2] - cp.PadLo[2]
										if d >= 0 && d < cp.In[0] && h >= 0 && h < cp.In[1] && v >= 0 && v < cp.In[2] {
											i := ((n*cp.C+m/mg*cg+c)*cp.In[0]+d)*cp.In[1]*cp.In[2] + h*cp.In[2] + v
											sum += pairProduct(x[i], w[m*cg*volume(cp.Kernel)+tap])
										}
										tap++
									}
								}
							}
						}
						y[at] = sum
						at++
					}
				}
			}
		}
	}
	return y
}
