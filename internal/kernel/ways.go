package kernel

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Way is one of the algorithms that do a piece of work. Run does it by this one, whichever would be chosen; it is for measurements, and no
// other kernel may be running.
type Way struct {
	Name   string
	Chosen bool // it is the one that the kernel takes by itself
	Run    func(p *parallel.Pool)
}

// SgemmWays are the algorithms of Sgemm for C = op(A)·op(B) of contiguous matrices.
func SgemmWays(tA, tB bool, m, n, k int, a, b, c []float32) []Way {
	lda, ldb := k, n
	if tA {
		lda = m
	}
	if tB {
		ldb = k
	}
	return []Way{{"tiles " + tileName(m, n), true, func(p *parallel.Pool) { Sgemm(p, tA, tB, m, n, k, 1, a, lda, b, ldb, 0, c, n) }}}
}

// tileName is the size of the tile for a matrix of m rows and n columns.
func tileName(m, n int) string {
	mr, nv := tiles.shapeFor(m, n)
	return fmt.Sprintf("%d×%d", mr, nv*tiles.lanes)
}

// ConvWays are the algorithms of Conv with weights that were packed before, as in inference.
func ConvWays(cp *ConvParams, x, w, y []float32) []Way {
	name := "taps " + tileName(cp.M/cp.Group, 1<<30)
	switch {
	case cp.depthwise():
		name = "depthwise"
	case volume(cp.Kernel) == 1:
		name = "pointwise " + tileName(cp.M/cp.Group, 1<<30)
	}
	return winoWays(cp, name, winoForward, func() func(p *parallel.Pool) {
		packed := PackConv(cp, w)
		return func(p *parallel.Pool) { Conv(p, cp, x, w, packed, nil, y) }
	})
}

// ConvDXWays are the algorithms of ConvDX, the weights as they are.
func ConvDXWays(cp *ConvParams, dy, w, dx []float32) []Way {
	name := "taps " + tileName(cp.C/cp.Group, 1<<30)
	if cp.depthwise() {
		name = "depthwise"
	} else if s := volume(cp.Stride); s > 1 {
		name += fmt.Sprintf(", %d phases", s)
	}
	return winoWays(cp, name, winoData, func() func(p *parallel.Pool) {
		return func(p *parallel.Pool) { ConvDX(p, cp, dy, w, nil, nil, dx) }
	})
}

// ConvDWWays are the algorithms of ConvDW.
func ConvDWWays(cp *ConvParams, x, dy, dw []float32) []Way {
	name := "tiles"
	if cp.depthwise() {
		name = "depthwise"
	} else {
		tc := tapConvs.Get().(*tapConv)
		tc.forward(cp)
		if (&weightGrad{tapConv: tc}).useDots() {
			name = "dots"
		}
		tc.release()
	}
	return winoWays(cp, name, winoWeight, func() func(p *parallel.Pool) {
		return func(p *parallel.Pool) { ConvDW(p, cp, x, dy, dw) }
	})
}

// winoWays are the way called name and, where they apply, Winograd's transforms; prepare gives what runs either, as winoAlways says.
func winoWays(cp *ConvParams, name string, worth func(*ConvParams) bool, prepare func() func(p *parallel.Pool)) []Way {
	if !winoApplies(cp) {
		return []Way{{name, true, prepare()}}
	}
	by := func(way int) func(p *parallel.Pool) {
		force := func() func() {
			old := winoAlways
			winoAlways = way
			return func() { winoAlways = old }
		}
		defer force()()
		run := prepare()
		return func(p *parallel.Pool) {
			defer force()()
			run(p)
		}
	}
	chosen := worth(cp)
	return []Way{{name, !chosen, by(0)}, {fmt.Sprintf("winograd %d×%[1]d", winoSide), chosen, by(1)}}
}

// AttentionWays are the algorithms of out = softmax(q·kᵀ/√d)·v for q, k, v and out [heads, tokens, d].
func AttentionWays(heads, tokens, d int, q, k, v, out []float32) []Way {
	at := make([]int, heads)
	for i := range at {
		at[i] = i * tokens * d
	}
	of := func(x []float32) Heads[float32] {
		return Heads[float32]{X: x, At: at, Rows: tokens, Cols: d, Row: d, Col: 1}
	}
	turned := Heads[float32]{X: k, At: at, Rows: d, Cols: tokens, Row: 1, Col: d}
	return []Way{{"blocks of scores", true, func(p *parallel.Pool) {
		Attention(p, of(out), of(q), turned, of(v), nil, nil, float32(1/math.Sqrt(float64(d))), false)
	}}}
}
