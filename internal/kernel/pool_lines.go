package kernel

import (
	"math"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// poolLines is pooling of float32 by lines, some output rows at a time: first the rows that an output row sees are folded to one line, with
// the padding of its columns, and then the columns of the lines.
type poolLines struct {
	poolRows
	groups       []poolGroup
	rowStep      int   // elements from the input rows of one output row to those of the next
	n            int   // elements of an input row that windows see
	off          []int // of the taps of columns, in bytes
	columns      int   // of a folded line, at stride 1 or 2
	width, batch int   // elements of a line, lines at a time
	long         bool  // too much for a call that nothing can interrupt
}

// poolGroup is output rows first..end-1 of a plane, which see input rows at the same distances: those of the first in bytes and elements.
type poolGroup struct {
	first, end, padded int
	off                []int
	num                []int32
}

// poolBatch is the elements of lines at a time.
const poolBatch = 1 << 12

// poolCall is the most elements that a call folds: more is done by loops that can be interrupted.
var poolCall = 1 << 22

// byLines is the plan of w, or nil where columns do not lie so that lines help.
func (w poolRows) byLines() *poolLines {
	if w.pw < 0 || w.ow == 0 || w.rows == 0 || w.in >= poolNone/2 {
		return nil
	}
	l := &poolLines{poolRows: w, columns: w.ow}
	step := w.sw
	if w.sw > 2 {
		l.columns, step = (w.ow-1)*w.sw+1, 1
	}
	reach := (w.kw - 1) * w.dw
	l.n = max(0, min(w.iw, (w.ow-1)*w.sw+reach+1-w.pw))
	l.width = max(w.pw+roundUp(l.n, 16), step*roundUp(l.columns, 16)+reach)
	l.batch = max(1, poolBatch/l.width)
	if k := len(w.q.In) - 2; k >= 0 {
		l.rowStep = w.q.Stride[k] * w.iw
	}
	taps := w.kw
	for r := range w.rows {
		rows, padded := w.see(r, nil)
		taps = max(taps, len(rows))
		if g := len(l.groups) - 1; g >= 0 && l.groups[g].follows(rows, padded, l.rowStep) {
			l.groups[g].end++
			continue
		}
		g := poolGroup{first: r, end: r + 1, padded: padded}
		for _, at := range rows {
			g.off, g.num = append(g.off, 4*at), append(g.num, int32(at))
		}
		l.groups = append(l.groups, g)
	}
	for t := range w.kw {
		l.off = append(l.off, 4*t*w.dw)
	}
	l.long = taps*l.batch > poolCall/l.width
	return l
}

// follows reports whether an output row after g that sees rows belongs to it.
func (g *poolGroup) follows(rows []int, padded, step int) bool {
	if len(rows) != len(g.off) || padded != g.padded {
		return false
	}
	for i, at := range rows {
		if at != int(g.num[i])+(g.end-g.first)*step {
			return false
		}
	}
	return true
}

// poolFold is how a run folds: kernels, what padding holds, what becomes of a finished output row of group g.
type poolFold struct {
	rows, columns func(*poolTaps)
	init          float32
	arg           []int32 // place of the maximum of each output, nil where not asked
	finish        func(y []float32, g *poolGroup)
}

// poolLineTask is the memory of one piece of work: lines, places in them, and folded lines of which columns are taken.
type poolLineTask struct {
	poolTaps
	line, arg, wide, wideArg *buffer
}

func (l *poolLines) task(f *poolFold) *poolLineTask {
	size := l.batch * l.width
	t := &poolLineTask{line: getBuffer(size)}
	fill(t.line.f, f.init)
	if f.arg != nil {
		t.arg = getBuffer(size)
		fill(t.arg.f, math.Float32frombits(poolNone))
	}
	if l.sw > 2 {
		t.wide = getBuffer(size)
		if f.arg != nil {
			t.wideArg = getBuffer(size)
		}
	}
	return t
}

func (t *poolLineTask) release() {
	for _, b := range []*buffer{t.line, t.arg, t.wide, t.wideArg} {
		if b != nil {
			b.put()
		}
	}
}

// run pools all planes of in.
func (l *poolLines) run(p *parallel.Pool, out, in []float32, f poolFold) {
	p.For(l.q.Planes*l.poolRows.rows, max(1, 2*elemChunk/l.width), func(lo, hi int) {
		t := l.task(&f)
		defer t.release()
		for lo < hi {
			plane, first := lo/l.poolRows.rows, lo%l.poolRows.rows
			end := min(first+hi-lo, first+l.batch, l.poolRows.rows)
			x, y := in[plane*l.in:][:l.in], out[lo*l.ow:]
			var arg []int32
			if f.arg != nil {
				arg = f.arg[lo*l.ow:]
			}
			l.foldRows(t, &f, x, first, end)
			l.foldColumns(t, &f, y, arg, end-first)
			l.parts(first, end, func(g *poolGroup, a, b int) {
				for r := a; r < b; r++ {
					at := (r - first) * l.ow
					if f.finish != nil {
						f.finish(y[at:at+l.ow], g)
					}
					if arg != nil {
						l.firsts(arg[at:at+l.ow], g, r)
					}
				}
			})
			lo += end - first
		}
	})
}

// parts calls f for the groups of output rows first..end-1, with the rows of each.
func (l *poolLines) parts(first, end int, f func(g *poolGroup, a, b int)) {
	lo, hi := 0, len(l.groups)
	for hi-lo > 1 {
		if m := (lo + hi) / 2; l.groups[m].first <= first {
			lo = m
		} else {
			hi = m
		}
	}
	for ; lo < len(l.groups) && l.groups[lo].first < end; lo++ {
		g := &l.groups[lo]
		f(g, max(first, g.first), min(end, g.end))
	}
}

// foldRows makes the lines of output rows first..end-1 of a plane.
func (l *poolLines) foldRows(t *poolLineTask, f *poolFold, x []float32, first, end int) {
	if l.n == 0 {
		return
	}
	l.parts(first, end, func(g *poolGroup, a, b int) {
		at := (a-first)*l.width + l.pw
		if len(g.off) == 0 { // in the padding
			for ; a < b; a++ {
				fill(t.line.f[at:at+l.n], f.init)
				if t.arg != nil {
					fill(t.arg.f[at:at+l.n], math.Float32frombits(poolNone))
				}
				at += l.width
			}
			return
		}
		from := (a - g.first) * l.rowStep
		_ = x[from+int(g.num[len(g.num)-1])+(b-a-1)*l.rowStep+l.n-1]
		t.poolTaps = poolTaps{
			rows: b - a, n: l.n, init: f.init,
			src: unsafe.Pointer(&x[from]), srcRow: 4 * l.rowStep,
			dst: unsafe.Pointer(&t.line.f[at]), dstRow: 4 * l.width,
			taps: len(g.off), off: unsafe.Pointer(&g.off[0]),
		}
		if t.arg != nil {
			t.num, t.first, t.argDst = unsafe.Pointer(&g.num[0]), from, unsafe.Pointer(&t.arg.f[at])
		}
		f.rows(&t.poolTaps)
	})
}

// foldColumns makes rows output rows of the lines.
func (l *poolLines) foldColumns(t *poolLineTask, f *poolFold, y []float32, arg []int32, rows int) {
	dst, row := y[:rows*l.ow], l.ow
	if l.sw > 2 {
		dst, row = t.wide.f, l.width
	}
	t.poolTaps = poolTaps{
		rows: rows, n: l.columns, init: f.init, exact: rows,
		src: unsafe.Pointer(&t.line.f[0]), srcRow: 4 * l.width,
		dst: unsafe.Pointer(&dst[0]), dstRow: 4 * row,
		taps: l.kw, off: unsafe.Pointer(&l.off[0]),
	}
	if row == l.ow { // the rows that a vector behind which reaches beyond the last
		t.exact = ceilDiv(roundUp(l.ow, 16)-l.ow, l.ow)
	}
	if arg != nil {
		t.poolTaps.arg, t.argDst = unsafe.Pointer(&t.arg.f[0]), unsafe.Pointer(&arg[:rows*l.ow][0])
		if l.sw > 2 {
			t.argDst = unsafe.Pointer(&t.wideArg.f[0])
		}
	}
	f.columns(&t.poolTaps)
	if l.sw <= 2 {
		return
	}
	for r := range rows {
		wide := t.wide.f[r*l.width:]
		for o := range l.ow {
			y[r*l.ow+o] = wide[o*l.sw]
		}
		if arg != nil {
			wide = t.wideArg.f[r*l.width:]
			for o := range l.ow {
				arg[r*l.ow+o] = int32(math.Float32bits(wide[o*l.sw]))
			}
		}
	}
}

// firsts gives outputs of row r without a largest element the place of the first that they see.
func (l *poolLines) firsts(arg []int32, g *poolGroup, r int) {
	for o, v := range arg {
		if v < poolNone {
			continue
		}
		t0, t1, _ := l.cols(o)
		if t0 == t1 || len(g.num) == 0 {
			arg[o] = -1
			continue
		}
		arg[o] = g.num[0] + int32((r-g.first)*l.rowStep+o*l.sw-l.pw+t0*l.dw)
	}
}

// maximum folds to the largest element, with its place in arg unless nil.
func (l *poolLines) maximum(arg []int32) poolFold {
	k := l.kernels()
	f := poolFold{rows: k.maxRows, columns: k.maxColumns[l.step()-1], init: float32(math.Inf(-1)), arg: arg}
	if arg != nil {
		f.rows, f.columns = k.argRows, k.argColumns[l.step()-1]
	}
	return f
}

// sum folds to the sum.
func (l *poolLines) sum() poolFold {
	k := l.kernels()
	return poolFold{rows: k.addRows, columns: k.addColumns[l.step()-1]}
}

// step is the stride of the kernel for columns.
func (l *poolLines) step() int {
	if l.sw == 2 {
		return 2
	}
	return 1
}

func (l *poolLines) kernels() *poolKernels {
	if l.long {
		return &genericPooling
	}
	return &pooling
}

// divisor divides the sums of an output row by the numbers of elements of their windows, counts those of their columns.
func (l *poolLines) divisor(counts []int) func(y []float32, g *poolGroup) {
	by := map[int][]float32{}
	for i := range l.groups {
		rows := l.rowCount(len(l.groups[i].off), l.groups[i].padded)
		if by[rows] != nil {
			continue
		}
		n := make([]float32, l.ow)
		for o := range n {
			n[o] = float32(max(rows*counts[o], 1))
		}
		by[rows] = n
	}
	return func(y []float32, g *poolGroup) { vec.div(y, y, by[l.rowCount(len(g.off), g.padded)]) }
}

// spread is dx = Σ dy over the windows that see the element, of rows of dy after share.
func (l *poolLines) spread(p *parallel.Pool, dx, dy []float32, share func(y []float32, g *poolGroup)) {
	p.For(l.q.Planes, max(1, 4*elemChunk/max(l.in, l.out, 1)), func(lo, hi int) {
		buf := getBuffer(l.ow + l.width)
		defer buf.put()
		y, line := buf.f[:l.ow], buf.f[l.ow:]
		for k := lo; k < hi; k++ {
			plane := dx[k*l.in : (k+1)*l.in]
			clear(plane)
			for i := range l.groups {
				g := &l.groups[i]
				for r := g.first; r < g.end; r++ {
					copy(y, dy[k*l.out+r*l.ow:])
					share(y, g)
					l.spreadColumns(line, y)
					for _, at := range g.num {
						at := int(at) + (r-g.first)*l.rowStep
						vec.add(plane[at:at+l.n], plane[at:at+l.n], line[l.pw:l.pw+l.n])
					}
				}
			}
		}
	})
}

// spreadColumns is line = Σ y over the windows that see the column.
func (l *poolLines) spreadColumns(line, y []float32) {
	clear(line)
	for t := range l.kw {
		to := line[t*l.dw:]
		if l.sw == 1 {
			vec.add(to[:l.ow], to[:l.ow], y)
			continue
		}
		for o, v := range y {
			to[o*l.sw] += v
		}
	}
}
