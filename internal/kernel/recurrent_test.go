package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestRecurrentSteps(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		sig := func(x float32) float64 { return 1 / (1 + math.Exp(-float64(x))) }
		for k := range 70 {
			row, c, h, q := randomSlice(r, 4*k), randomSlice(r, k), randomSlice(r, k), randomSlice(r, k)
			for i := range row {
				row[i] *= 3
			}
			wantRow, wantC, wantH := make([]float64, 4*k), make([]float64, k), make([]float64, k)
			gruRow, gruH := make([]float64, 3*k), make([]float64, k)
			for j := range k {
				i, o, f, g := sig(row[j]), sig(row[k+j]), sig(row[2*k+j]), math.Tanh(float64(row[3*k+j]))
				wantRow[j], wantRow[k+j], wantRow[2*k+j], wantRow[3*k+j] = i, o, f, g
				wantC[j] = f*float64(c[j]) + i*g
				wantH[j] = o * math.Tanh(wantC[j])
				z, reset := sig(row[j]), sig(row[k+j])
				n := math.Tanh(float64(row[2*k+j]) + reset*float64(q[j]))
				gruRow[j], gruRow[k+j], gruRow[2*k+j] = z, reset, n
				gruH[j] = (1-z)*n + z*float64(h[j])
			}
			gr, gh := append([]float32(nil), row[:3*k]...), append([]float32(nil), h...)
			GRUF32(gr, gh, q)
			closeTo(t, fmt.Sprintf("GRU gates of %d", k), gr, gruRow, 1e-6)
			closeTo(t, fmt.Sprintf("GRU state of %d", k), gh, gruH, 1e-6)
			old := append([]float32(nil), c...)
			LSTMF32(row, c, h)
			closeTo(t, fmt.Sprintf("LSTM gates of %d", k), row, wantRow, 1e-6)
			closeTo(t, fmt.Sprintf("cell of %d", k), c, wantC, 1e-6)
			closeTo(t, fmt.Sprintf("state of %d", k), h, wantH, 1e-6)

			dz, dc, dh := make([]float32, 4*k), randomSlice(r, k), randomSlice(r, k)
			wantZ, wantDC := make([]float64, 4*k), make([]float64, k)
			for j := range k {
				i, o, f, g := float64(row[j]), float64(row[k+j]), float64(row[2*k+j]), float64(row[3*k+j])
				tc, d := math.Tanh(float64(c[j])), float64(dh[j])
				wantZ[k+j] = d * tc * o * (1 - o)
				d = float64(dc[j]) + d*o*(1-tc*tc)
				wantZ[j], wantZ[2*k+j], wantZ[3*k+j] = d*g*i*(1-i), d*float64(old[j])*f*(1-f), d*i*(1-g*g)
				wantDC[j] = d * f
			}
			LSTMGradF32(dz, dc, dh, row, c, old)
			closeTo(t, fmt.Sprintf("gradient by the gates of %d", k), dz, wantZ, 2e-6)
			closeTo(t, fmt.Sprintf("gradient by the cell of %d", k), dc, wantDC, 2e-6)
		}
	})
}

// A NaN stays in its column.
func TestRecurrentNaN(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const k = 21
		row, c, h := make([]float32, 4*k), make([]float32, k), make([]float32, k)
		row[2*k+17] = float32(nan)
		LSTMF32(row, c, h)
		for j, v := range h {
			if (v != v) != (j == 17) {
				t.Fatalf("h[%d] = %g", j, v)
			}
		}
	})
}
