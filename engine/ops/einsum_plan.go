package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// einsumPlan is an equation for operands of known shapes. Letters are runes, the axes of an ellipsis negative ones, -1 the last.
type einsumPlan struct {
	shape  tensor.Shape // of the result
	terms  [][]rune     // by operand
	out    []rune
	extent map[rune]int
}

// plan places the letters of the equation on the axes of the operands and of like, the shape of the result, which is nil when it follows
// from the equation.
func (a *einsumAttrs) plan(shapes []tensor.Shape, like tensor.Shape) (*einsumPlan, error) {
	e, err := parseEinsum(a.Equation, len(shapes))
	if err != nil {
		return nil, err
	}
	p := &einsumPlan{extent: map[rune]int{}}
	most := 0
	place := func(term string, s tensor.Shape, what string) ([]rune, error) {
		var out []rune
		for _, r := range term {
			if r != '.' {
				out = append(out, r)
				continue
			}
			k := len(s) - (len(term) - 1)
			most = max(most, k)
			for ; k > 0; k-- {
				out = append(out, rune(-k))
			}
		}
		if len(out) != len(s) {
			return nil, fmt.Errorf("equation %.200q: %s has shape %v, the term has %d axes", a.Equation, what, s, len(out))
		}
		mine := map[rune]int{}
		for k, r := range out {
			if n, ok := mine[r]; ok && n != s[k] {
				return nil, fmt.Errorf("equation %.200q: %s has shape %v and no diagonal", a.Equation, what, s)
			}
			mine[r] = s[k]
			if n, ok := p.extent[r]; !ok || n == 1 {
				p.extent[r] = s[k]
			} else if n != s[k] && s[k] != 1 {
				return nil, fmt.Errorf("equation %.200q: %s has shape %v, where another has %d for %d", a.Equation, what, s, n, s[k])
			}
		}
		return out, nil
	}
	for i, s := range shapes {
		t, err := place(e.terms[i], s, fmt.Sprintf("input %d", i))
		if err != nil {
			return nil, err
		}
		p.terms = append(p.terms, t)
	}
	if like != nil {
		if p.out, err = place(e.out, like, "the result"); err != nil {
			return nil, err
		}
		p.shape = like
	} else {
		p.shape = tensor.Shape{}
		for _, r := range e.out {
			axes := []rune{r}
			if r == '.' {
				axes = nil
				for k := most; k > 0; k-- {
					axes = append(axes, rune(-k))
				}
			}
			for _, r := range axes {
				n, ok := p.extent[r]
				if !ok || slices.Contains(p.out, r) {
					return nil, fmt.Errorf("equation %.200q: the result has a letter twice, or one that no operand has", a.Equation)
				}
				p.out, p.shape = append(p.out, r), append(p.shape, n)
			}
		}
	}
	return p, nil
}

// macs is the number of products that are summed, or 0 when there is something wrong.
func (a *einsumAttrs) macs(x, w tensor.Shape) int64 {
	p, err := a.plan([]tensor.Shape{x, w}, nil)
	if err != nil {
		return 0
	}
	n := int64(1)
	for _, d := range p.extent {
		n *= int64(d)
	}
	return n
}

// run sets Out[0] to the result for operands in.
func (p *einsumPlan) run(c *graph.RunCtx, in []*tensor.Tensor) error {
	if c.Out[0].Len() == 0 {
		return nil
	}
	switch in[0].DType() {
	case tensor.Float32:
		return einsumAs(p, c, in, func(y, a, b []float32, m, k, n int) {
			kernel.Sgemm(c.Pool, false, false, m, n, k, 1, a, k, b, n, 0, y, n)
		})
	case tensor.Float64:
		return einsumAs(p, c, in, func(y, a, b []float64, m, k, n int) {
			kernel.Dgemm(c.Pool, false, false, m, n, k, 1, a, k, b, n, 0, y, n)
		})
	case tensor.Int8:
		return einsumAs[int8](p, c, in, nil)
	case tensor.Int16:
		return einsumAs[int16](p, c, in, nil)
	case tensor.Int32:
		return einsumAs[int32](p, c, in, nil)
	case tensor.Int64:
		return einsumAs[int64](p, c, in, nil)
	case tensor.Uint8:
		return einsumAs[uint8](p, c, in, nil)
	case tensor.Uint16:
		return einsumAs[uint16](p, c, in, nil)
	case tensor.Uint32:
		return einsumAs[uint32](p, c, in, nil)
	case tensor.Uint64:
		return einsumAs[uint64](p, c, in, nil)
	}
	return errType(in[0])
}

type einsumElem interface {
	kernel.Number
	tensor.Elem
}

// factor is an operand, or a product of several: an array in row-major order whose axes have different letters.
type factor[T any] struct {
	data    []T
	letters []rune
}

// matrixProduct is y [m,n] = a [m,k]·b [k,n].
type matrixProduct[T any] func(y, a, b []T, m, k, n int)

type einsumRun[T einsumElem] struct {
	*einsumPlan
	c    *graph.RunCtx
	gemm matrixProduct[T]
	held int
}

// einsumAs multiplies the operands two by two, first those whose product is smallest, as products of matrices: the letters of both that
// are needed later are a batch, those that are not are summed.
func einsumAs[T einsumElem](p *einsumPlan, c *graph.RunCtx, in []*tensor.Tensor, gemm matrixProduct[T]) error {
	r := &einsumRun[T]{einsumPlan: p, c: c, gemm: gemm}
	parts := make([]factor[T], len(in))
	for i, t := range in {
		var err error
		if parts[i], err = r.diagonal(t, p.terms[i]); err != nil {
			return err
		}
	}
	var want []rune // letters of the result along which it has more than one place
	for k, l := range p.out {
		if p.shape[k] > 1 && !slices.Contains(want, l) {
			want = append(want, l)
		}
	}
	// needed are the letters of the result and of all parts but i and j.
	needed := func(i, j int) []rune {
		out := slices.Clone(want)
		for k, q := range parts {
			if k != i && k != j {
				out = append(out, q.letters...)
			}
		}
		return out
	}
	for len(parts) > 1 {
		bi, bj, least := 0, 1, -1.0
		for i := range parts {
			for j := range i {
				size := 1.0
				for _, l := range union(parts[j].letters, parts[i].letters) {
					if slices.Contains(needed(i, j), l) {
						size *= float64(p.extent[l])
					}
				}
				if least < 0 || size < least {
					bi, bj, least = j, i, size
				}
			}
		}
		q, err := r.contract(parts[bi], parts[bj], needed(bi, bj))
		if err != nil {
			return err
		}
		parts = append(slices.Delete(slices.Delete(parts, bj, bj+1), bi, bi+1), q)
	}
	q, err := r.sumOver(parts[0], want)
	if err != nil {
		return err
	}
	return r.finish(q)
}

// finish writes q into the result: along its letters, alike along others, on the diagonal of letters that it has twice.
func (r *einsumRun[T]) finish(q factor[T]) error {
	y := tensor.Data[T](r.c.Out[0])
	var w walk
	var done []rune
	st, from := strides(r.shape), r.stridesOf(q.letters)
	for k, l := range r.out {
		if i := slices.Index(done, l); i >= 0 {
			w.ds[i] += st[k]
			continue
		}
		s := 0
		if i := slices.Index(q.letters, l); i >= 0 && r.shape[k] > 1 {
			s = from[i]
		}
		done = append(done, l)
		w.ext, w.ds, w.ss = append(w.ext, r.shape[k]), append(w.ds, st[k]), append(w.ss, s)
	}
	if len(done) < len(r.out) {
		clear(y)
	}
	walkElems(r.c, y, q.data, w)
	return nil
}

// walkElems copies the elements that w visits.
func walkElems[T any](c *graph.RunCtx, dst, src []T, w walk) {
	w = w.simplify()
	last := len(w.ext) - 1
	if last < 0 {
		dst[w.do] = src[w.so]
		return
	}
	n, dl, sl := w.ext[last], w.ds[last], w.ss[last]
	c.Pool.For(product(w.ext[:last]), max(1, 1<<14/n), func(lo, hi int) {
		o := newOdometer(w, w.ext[:last], lo)
		for range hi - lo {
			for k, d, s := 0, o.d, o.s; k < n; k++ {
				dst[d] = src[s]
				d += dl
				s += sl
			}
			o.next()
		}
	})
}

func union(a, b []rune) []rune {
	out := slices.Clone(a)
	for _, l := range b {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

func (r *einsumRun[T]) size(letters []rune) int {
	n := 1
	for _, l := range letters {
		n *= r.extent[l]
	}
	return n
}

func (r *einsumRun[T]) stridesOf(letters []rune) []int {
	ext := make([]int, len(letters))
	for i, l := range letters {
		ext[i] = r.extent[l]
	}
	return strides(ext)
}

// alloc is working memory for an array with these letters.
func (r *einsumRun[T]) alloc(letters []rune) ([]T, error) {
	ext := make([]int, len(letters))
	for i, l := range letters {
		ext[i] = r.extent[l]
	}
	d := tensor.DTypeOf[T]()
	n, err := tensor.Shape(ext).CheckedLen(d)
	if err != nil {
		return nil, err
	}
	r.held += graph.StorageBytes(d, n)
	if err := r.c.Budget(r.held); err != nil {
		return nil, err
	}
	t, err := tensor.Make("a product of some of its inputs", d, ext...)
	if err != nil {
		return nil, err
	}
	return tensor.Data[T](t), nil
}

// diagonal is an operand without axes of extent 1, and with one axis for letters that it has twice.
func (r *einsumRun[T]) diagonal(t *tensor.Tensor, term []rune) (factor[T], error) {
	q := factor[T]{data: tensor.Data[T](t)}
	var w walk
	st := strides(t.Shape())
	twice := false
	for k, l := range term {
		switch i := slices.Index(q.letters, l); {
		case t.Dim(k) == 1:
		case i >= 0:
			w.ss[i] += st[k]
			twice = true
		default:
			q.letters = append(q.letters, l)
			w.ext, w.ss = append(w.ext, t.Dim(k)), append(w.ss, st[k])
		}
	}
	if !twice {
		return q, nil
	}
	return r.gathered(q.data, q.letters, w)
}

// gathered is the array with these letters of the elements of data that w, which lacks the strides of the result, visits.
func (r *einsumRun[T]) gathered(data []T, letters []rune, w walk) (factor[T], error) {
	y, err := r.alloc(letters)
	if err != nil || len(y) == 0 {
		return factor[T]{y, letters}, err
	}
	w.ds = strides(w.ext)
	walkElems(r.c, y, data, w)
	return factor[T]{y, letters}, nil
}

// ordered is q with its axes in the order of letters.
func (r *einsumRun[T]) ordered(q factor[T], letters []rune) (factor[T], error) {
	if slices.Equal(q.letters, letters) {
		return q, nil
	}
	var w walk
	st := r.stridesOf(q.letters)
	for _, l := range letters {
		w.ext, w.ss = append(w.ext, r.extent[l]), append(w.ss, st[slices.Index(q.letters, l)])
	}
	return r.gathered(q.data, letters, w)
}

// sumOver sums q over the letters that are not in keep.
func (r *einsumRun[T]) sumOver(q factor[T], keep []rune) (factor[T], error) {
	var kept, gone []rune
	for _, l := range q.letters {
		if slices.Contains(keep, l) {
			kept = append(kept, l)
		} else {
			gone = append(gone, l)
		}
	}
	if gone == nil {
		return q, nil
	}
	q, err := r.ordered(q, append(slices.Clone(kept), gone...))
	if err != nil {
		return q, err
	}
	y, err := r.alloc(kept)
	if err != nil {
		return q, err
	}
	n := r.size(gone)
	r.c.Pool.For(len(y), max(1, 1<<14/max(1, n)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			y[i] = total(q.data[i*n : (i+1)*n])
		}
	})
	return factor[T]{y, kept}, nil
}

// total is the sum of x, of floats in float64.
func total[T einsumElem](x []T) T {
	if f, ok := any(x).([]float32); ok {
		s := 0.0
		for _, v := range f {
			s += float64(v)
		}
		return T(s)
	}
	s := T(0)
	for _, v := range x {
		s += v
	}
	return s
}

// contract is the product of a and b, summed over the letters that are not needed.
func (r *einsumRun[T]) contract(a, b factor[T], needed []rune) (factor[T], error) {
	a, err := r.sumOver(a, append(slices.Clone(needed), b.letters...))
	if err != nil {
		return a, err
	}
	if b, err = r.sumOver(b, append(slices.Clone(needed), a.letters...)); err != nil {
		return b, err
	}
	var batch, rows, sum, cols []rune
	for _, l := range a.letters {
		switch {
		case !slices.Contains(b.letters, l):
			rows = append(rows, l)
		case slices.Contains(needed, l):
			batch = append(batch, l)
		default:
			sum = append(sum, l)
		}
	}
	for _, l := range b.letters {
		if !slices.Contains(a.letters, l) {
			cols = append(cols, l)
		}
	}
	if a, err = r.ordered(a, slices.Concat(batch, rows, sum)); err != nil {
		return a, err
	}
	if b, err = r.ordered(b, slices.Concat(batch, sum, cols)); err != nil {
		return b, err
	}
	letters := slices.Concat(batch, rows, cols)
	y, err := r.alloc(letters)
	if err != nil || len(y) == 0 {
		return factor[T]{y, letters}, err
	}
	m, k, n := r.size(rows), r.size(sum), r.size(cols)
	at := func(i int) (yi, ai, bi []T) {
		return y[i*m*n : (i+1)*m*n], a.data[i*m*k : (i+1)*m*k], b.data[i*k*n : (i+1)*k*n]
	}
	if r.gemm == nil || m*n*k < 1<<12 {
		r.c.Pool.For(r.size(batch), max(1, 1<<13/max(1, m*n*k)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				yi, ai, bi := at(i)
				multiply(yi, ai, bi, m, k, n)
			}
		})
		return factor[T]{y, letters}, nil
	}
	for i := range r.size(batch) {
		if c := r.c.Context; c != nil && c.Err() != nil {
			return factor[T]{}, c.Err()
		}
		yi, ai, bi := at(i)
		r.gemm(yi, ai, bi, m, k, n)
	}
	return factor[T]{y, letters}, nil
}

// multiply is a matrixProduct by its definition.
func multiply[T einsumElem](y, a, b []T, m, k, n int) {
	clear(y)
	for i := range m {
		for l := range k {
			f := a[i*k+l]
			for j := range n {
				y[i*n+j] += f * b[l*n+j]
			}
		}
	}
}
