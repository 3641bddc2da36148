package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestPackTransposed wants both orders transposed, the rest of the width zero, and nothing written behind it.
func TestPackTransposed(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		for range 2000 {
			width, k := 1+r.IntN(40), 1+r.IntN(40)
			rows := 1 + r.IntN(width)
			ld := k + r.IntN(5)
			src := randomSlice(r, (rows-1)*ld+k)
			across := randomSlice(r, (k-1)*(rows+3)+rows)
			for name, at := range map[string]func(p, q int) float32{
				"columns": func(p, q int) float32 { return src[q*ld+p] },
				"rows":    func(p, q int) float32 { return across[p*(rows+3)+q] },
			} {
				const room = 64
				dst := make([]float32, width*k+room)
				for i := range dst {
					dst[i] = float32(math.Inf(1))
				}
				if name == "columns" {
					packColumns(dst[:width*k], width, src, ld, rows, k)
				} else {
					packRows(dst[:width*k], width, across, rows+3, rows, k)
				}
				for i, v := range dst {
					want := float32(math.Inf(1))
					if p, q := i/width, i%width; i < width*k {
						want = 0
						if q < rows {
							want = at(p, q)
						}
					}
					if v != want {
						t.Fatalf("%s of %d × %d to width %d: element %d is %v, want %v", name, rows, k, width, i, v, want)
					}
				}
			}
		}
	})
}
