package kernel

import (
	"sync"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Right is a right operand op(B) [k,n] of many products, which stays the same over them. What a product brings into another order, the
// next ones find there. It is safe for concurrent use.
type Right struct {
	t        bool
	n, k, ld int
	b        []float32

	mu    sync.Mutex
	forms []rightForm // few: one for each width of tiles
}

type rightForm struct {
	ks    *tileKernels
	width int
	f     []float32
}

// NewRight is b, a row-major matrix with rows of distance ld, as op(B) [k,n], op the transpose if t. The content of b must not change.
func NewRight(t bool, n, k int, b []float32, ld int) *Right {
	operand(b, k, n, ld, t)
	return &Right{t: t, n: n, k: k, ld: ld, b: b}
}

// Packed is how many times the operand was brought into another order.
func (r *Right) Packed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.forms)
}

// SgemmRight is SgemmEx with r as op(B), of the same bits.
func SgemmRight(p *parallel.Pool, tA bool, m int, alpha float32, a []float32, lda int, r *Right, beta float32, c []float32, ldc int,
	epi *Epilogue) {
	product(p, tiles, tA, r.t, m, r.n, r.k, alpha, a, lda, r.b, r.ld, r, beta, c, ldc, epi)
}

// panels are the blocks of at most kc of k one behind the other, each as panels of width columns.
func (r *Right) panels(p *parallel.Pool, g *gemm, width, kc int) []float32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.forms {
		if f.width == width && f.ks == g.ks {
			return f.f
		}
	}
	columns := (g.n + width - 1) / width
	f := newBuffer(columns * width * g.k).f
	for k0 := 0; k0 < g.k; k0 += kc {
		kb := min(kc, g.k-k0)
		dst := f[columns*width*k0:]
		p.For(columns, max(1, 1<<13/(kb*width)), func(lo, hi int) {
			for q := lo; q < hi; q++ {
				g.packRight(dst, q*width, width, k0, kb)
			}
		})
	}
	r.forms = append(r.forms, rightForm{g.ks, width, f})
	return f
}

// packRight packs the width columns of op(B) from j on, of the block of kb rows at k0.
func (g *gemm) packRight(dst []float32, j, width, k0, kb int) {
	packTransposed(dst[j*kb:], width, g.b[j*g.bcs+k0*g.brs:], g.bcs, g.brs, min(width, g.n-j), kb)
}
