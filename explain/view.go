package explain

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

var nan = float32(math.NaN())

// View says how a tensor of a model is read as channels at positions: a value of any layout as [N,C,h,w]. Sequences have h = 1. What is at no
// position, as a class token, is left out.
type View struct {
	Name    string // one of the layouts, tokens:1 (one token before the grid), windows (several to a row), or gathered, for any other order
	C, H, W int

	shape tensor.Shape // of the value for one row: the axis of rows has extent per
	axis  int          // of the rows
	per   int          // how many entries of that axis a row has
	index []int32      // element of the row for each (c,y,x); nil when they are in order
}

// String is for example "nhwc 7x7" or "tokens:1 14x14".
func (v View) String() string { return fmt.Sprintf("%s %dx%d", v.Name, v.H, v.W) }

// spread reports whether there is more than one position.
func (v View) spread() bool { return v.H*v.W > 1 }

// rows are how many rows t has, or an error when t is not of the view's form.
func (v View) rows(t *tensor.Tensor) (int, error) {
	s := t.Shape()
	ok := len(s) == len(v.shape) && t.Len() > 0
	for k := range s {
		ok = ok && (k == v.axis || s[k] == v.shape[k])
	}
	if !ok || s[v.axis]%v.per != 0 {
		want := slices.Clone(v.shape)
		want[v.axis] = -1
		return 0, fmt.Errorf("is %v; the view %v needs %v", t, v, want)
	}
	return s[v.axis] / v.per, nil
}

// Forward is t as float32 [N,C,h,w]. It may share t's storage.
func (v View) Forward(t *tensor.Tensor) (*tensor.Tensor, error) {
	n, err := v.rows(t)
	if err != nil {
		return nil, err
	}
	if t, err = real32(t); err != nil {
		return nil, err
	}
	if v.index == nil && v.axis == 0 {
		return t.Reshape(n, v.C, v.H, v.W), nil
	}
	out := tensor.New(tensor.Float32, n, v.C, v.H, v.W)
	v.move(n, func(row, elem int) { out.F32()[row] = t.F32()[elem] })
	return out, nil
}

// Inverse is the value of which x [N,C,h,w] is the view, as float32: 0 at what is at no position.
func (v View) Inverse(x *tensor.Tensor) (*tensor.Tensor, error) {
	if err := check4D("a view", x); err != nil {
		return nil, err
	}
	if x.Dim(1) != v.C || x.Dim(2) != v.H || x.Dim(3) != v.W {
		return nil, fmt.Errorf("explain: %v is no view %v of %d channels", x, v, v.C)
	}
	s := slices.Clone(v.shape)
	s[v.axis] = x.Dim(0) * v.per
	if v.index == nil && v.axis == 0 {
		return x.Reshape(s...), nil
	}
	out := tensor.New(tensor.Float32, s...)
	v.move(x.Dim(0), func(row, elem int) { out.F32()[elem] = x.F32()[row] })
	return out, nil
}

// move calls f with each element of the view of n rows and the element of the value that it is.
func (v View) move(n int, f func(viewed, elem int)) {
	k := v.C * v.H * v.W
	inner := v.shape[v.axis+1:].Len() * v.per // of one row, below the axes before that of the rows
	for r := range n {
		for i := range k {
			at := i
			if v.index != nil {
				at = int(v.index[i])
			}
			f(r*k+i, (at/inner*n+r)*inner+at%inner)
		}
	}
}

// newView finds the view of a value of shape s for n rows from its coordinates: its row, then its places along one axis (a sequence) or two. It
// fails where the positions of a row do not form a grid with as many elements at each.
func newView(s tensor.Shape, n int, row ops.Coord, places ops.Coords) (View, error) {
	axis, err := rowAxis(s, n, row)
	if err != nil {
		return View{}, err
	}
	v := View{shape: slices.Clone(s), axis: axis, per: s[axis] / n}
	v.shape[axis] = v.per
	if v.plain(s, places) {
		return v, nil
	}
	one := make([][]float32, len(places))
	known := false
	for k, c := range places {
		if known = known || c.Known(); c.Known() {
			one[k] = firstRow(c, s, axis, v.per)
		}
	}
	if !known {
		return View{}, fmt.Errorf("nothing in it is at a position of the input")
	}
	if err := v.grid(one); err != nil {
		return View{}, err
	}
	v.Name = v.name()
	return v, nil
}

// plain fills in the view of a value whose every place grows along an axis of its own: a layout of whole axes. It returns false for others.
func (v *View) plain(s tensor.Shape, places ops.Coords) bool {
	if v.per != 1 {
		return false
	}
	letters := make([]byte, len(s))
	letters[v.axis] = 'n'
	names := []byte("hw")[2-len(places):]
	if len(places) == 1 {
		names[0] = 'l'
	}
	for k, c := range places {
		a := slices.IndexFunc(c.Shape, func(d int) bool { return d > 1 })
		if a < 0 || a == v.axis || letters[a] != 0 || len(c.X) != s[a] {
			return false
		}
		for i := range c.X[1:] {
			if !(c.X[i+1]-c.X[i] > samePlace) {
				return false
			}
		}
		letters[a] = names[k]
	}
	v.C, v.H, v.W = 1, 1, 1
	var cs, cd []int // axes of the channels
	var ys, xs int
	for a, l := range letters {
		d, stride := v.shape[a], v.shape[a+1:].Len()
		switch l {
		case 0:
			letters[a] = 'c'
			v.C *= d
			cs, cd = append(cs, stride), append(cd, d)
		case 'h':
			v.H, ys = d, stride
		case 'w', 'l':
			v.W, xs = d, stride
		}
	}
	v.index = make([]int32, 0, v.C*v.H*v.W)
	ordered := true
	for c := range v.C {
		base := 0
		for i, r := len(cs)-1, c; i >= 0; i-- {
			base += r % cd[i] * cs[i]
			r /= cd[i]
		}
		for y := range v.H {
			for x := range v.W {
				at := base + y*ys + x*xs
				ordered = ordered && at == len(v.index)
				v.index = append(v.index, int32(at))
			}
		}
	}
	if ordered {
		v.index = nil
	}
	if v.Name = string(letters); v.Name == "lnc" {
		v.Name = "tnc"
	}
	if !slices.Contains(layouts, v.Name) {
		v.Name = "gathered"
	}
	return true
}

// rowAxis is the axis of a value of shape s along which the n rows lie.
func rowAxis(s tensor.Shape, n int, row ops.Coord) (int, error) {
	if len(s) == 0 {
		return 0, fmt.Errorf("it is a single number")
	}
	if n == 1 { // all axes may be it; one of extent 1 is likely
		return max(0, slices.Index(s, 1)), nil
	}
	x := row.X
	for k, d := range s {
		if row.Shape[k] != d || d%n != 0 {
			continue
		}
		inner := row.Shape[k+1:].Len()
		ok := true
		for i, r := range x {
			want := float32(i / inner % d / (d / n))
			ok = ok && (r != r || r == want)
		}
		if ok {
			return k, nil
		}
	}
	return 0, fmt.Errorf("no axis of it holds the rows of the batch, one after the other")
}

// firstRow is c of the elements of the first row, in their order.
func firstRow(c ops.Coord, s tensor.Shape, axis, per int) []float32 {
	cut := slices.Clone(s)
	cut[axis] = per
	if c.Shape[axis] == 1 {
		return c.Expand(cut)
	}
	all := c.Expand(s)
	outer, inner := s[:axis].Len(), s[axis+1:].Len()
	var out []float32
	for o := range outer {
		out = append(out, all[o*s[axis]*inner:(o*s[axis]+per)*inner]...)
	}
	return out
}

// grid sorts the elements of a row by their places, of which one or two are given; nil for a place that no element has.
func (v *View) grid(places [][]float32) error {
	m := v.shape.Len()
	levels := make([][]float32, len(places))
	for k, x := range places {
		levels[k] = levelsOf(x)
	}
	v.H, v.W = 1, max(1, len(levels[len(levels)-1]))
	if len(levels) == 2 {
		v.H = max(1, len(levels[0]))
	}
	at := make([]int, m) // position of each element, -1 for none
	count := make([]int, v.H*v.W)
	for i := range at {
		for k, x := range places {
			switch {
			case len(levels[k]) == 0 || at[i] < 0:
			case x[i] != x[i]:
				at[i] = -1
			default:
				at[i] = at[i]*len(levels[k]) + nearest(levels[k], x[i])
			}
		}
		if at[i] >= 0 {
			count[at[i]]++
		}
	}
	if v.C = count[0]; v.C == 0 {
		return fmt.Errorf("its elements do not form a grid of positions")
	}
	for _, c := range count {
		if c != v.C {
			return fmt.Errorf("its elements do not form a grid of positions: some have %d, some %d", v.C, c)
		}
	}
	v.index = make([]int32, v.C*v.H*v.W)
	seen := make([]int, len(count))
	ordered := m == len(v.index)
	for i, u := range at {
		if u < 0 {
			continue
		}
		j := seen[u]*v.H*v.W + u
		v.index[j] = int32(i)
		seen[u]++
		ordered = ordered && i == j
	}
	if ordered {
		v.index = nil
	}
	return nil
}

// samePlace is how far apart coordinates of one position may be.
const samePlace = 2e-3

// levelsOf are the different places in x, rising.
func levelsOf(x []float32) []float32 {
	y := slices.DeleteFunc(slices.Clone(x), func(v float32) bool { return v != v })
	slices.Sort(y)
	var out []float32
	for i, a := range y {
		if i == 0 || a-out[len(out)-1] > samePlace {
			out = append(out, a)
		}
	}
	return out
}

func nearest(levels []float32, x float32) int {
	i, _ := slices.BinarySearch(levels, x-samePlace)
	return min(i, len(levels)-1)
}

// layouts are the orders of axes that have a name. The letters: n rows, c channels, h, w and l positions, t steps; one of them stands for each axis.
var layouts = []string{"nchw", "nhwc", "ncl", "nlc", "tnc", "nhw", "nl"}

// name is the name of the layout that v is, windows or gathered when it is none.
func (v View) name() string {
	for _, l := range layouts {
		if w, err := layoutView(l, v.shape, v.axis, v.per); err == nil && v.same(w) {
			return l
		}
	}
	if v.axis == 0 && v.per == 1 && len(v.shape) == 3 && v.shape[2] == v.C {
		if w, err := tokenView(v.shape, v.shape[1]-v.H*v.W, v.H, v.W); err == nil && v.same(w) {
			return w.Name
		}
	}
	if v.per > 1 {
		return "windows"
	}
	return "gathered"
}

// same reports whether v and w read the same elements in the same order.
func (v View) same(w View) bool {
	if v.C != w.C || v.H != w.H || v.W != w.W || v.axis != w.axis {
		return false
	}
	for i := range v.C * v.H * v.W {
		if v.elem(i) != w.elem(i) {
			return false
		}
	}
	return true
}

func (v View) elem(i int) int {
	if v.index == nil {
		return i
	}
	return int(v.index[i])
}

// layoutView reads a value with the axes of a named layout; s is the shape for one row.
func layoutView(layout string, s tensor.Shape, axis, per int) (View, error) {
	if len(s) != len(layout) || strings.IndexByte(layout, 'n') != axis || per != 1 {
		return View{}, fmt.Errorf("%s has %d axes, the rows on axis %d", layout, len(layout), strings.IndexByte(layout, 'n'))
	}
	extent := func(letters string) (n, stride int) {
		k := strings.IndexAny(layout, letters)
		if k < 0 {
			return 1, 0
		}
		return s[k], s[k+1:].Len()
	}
	v := View{Name: layout, shape: s, axis: axis, per: per}
	var cs, ys, xs int
	v.C, cs = extent("c")
	v.H, ys = extent("h")
	v.W, xs = extent("wlt")
	v.index = make([]int32, 0, v.C*v.H*v.W)
	ordered := true
	for c := range v.C {
		for y := range v.H {
			for x := range v.W {
				at := c*cs + y*ys + x*xs
				ordered = ordered && at == len(v.index)
				v.index = append(v.index, int32(at))
			}
		}
	}
	if ordered {
		v.index = nil
	}
	return v, nil
}

// tokenView reads [1,skip+h·w,C] as a grid of tokens after skip others.
func tokenView(s tensor.Shape, skip, h, w int) (View, error) {
	if len(s) != 3 || skip < 0 || s[1] != skip+h*w || h*w < 1 {
		return View{}, fmt.Errorf("%d tokens before a grid of %dx%d are not the axis 1 of %v", skip, h, w, s)
	}
	v := View{Name: fmt.Sprintf("tokens:%d", skip), C: s[2], H: h, W: w, shape: s, per: 1, index: make([]int32, s[2]*h*w)}
	for c := range v.C {
		for u := range h * w {
			v.index[c*h*w+u] = int32((skip+u)*v.C + c)
		}
	}
	return v, nil
}

// viewNames are the views that can be asked for by LAYER@VIEW.
const viewNames = "nchw, nhwc, ncl, nlc, tnc, nhw, nl, tokens:SKIP or tokens:SKIP:HxW"

// cutView splits LAYER@VIEW; view is "" when there is none.
func cutView(layer string) (name, view string) {
	i := strings.LastIndexByte(layer, '@')
	if i < 0 {
		return layer, ""
	}
	v := layer[i+1:]
	if slices.Contains(layouts, v) || v == "tokens" || strings.HasPrefix(v, "tokens:") {
		return layer[:i], v
	}
	return layer, ""
}

// parseView is the view called name of a value of shape s for n rows. The grid of tokens is grid where it is not given and its positions fit, else a square,
// else a row.
func parseView(name string, s tensor.Shape, n int, grid [2]int) (View, error) {
	one := slices.Clone(s)
	axis := max(0, strings.IndexByte(name, 'n'))
	form, rest, isTokens := strings.Cut(name, ":")
	if isTokens = isTokens || form == "tokens"; isTokens {
		axis = 0
	}
	if axis >= len(s) || s[axis]%n != 0 {
		return View{}, fmt.Errorf("%v cannot be read as %s", s, name)
	}
	one[axis] /= n
	if !isTokens {
		v, err := layoutView(name, one, axis, one[axis])
		if err != nil {
			return v, fmt.Errorf("%v cannot be read as %s: %w", s, name, err)
		}
		return v, nil
	}
	if len(s) != 3 || one[0] != 1 {
		return View{}, fmt.Errorf("%v cannot be read as tokens, which are [N,T,C]", s)
	}
	skipText, gridText, hasGrid := strings.Cut(rest, ":")
	skip := 0
	if skipText != "" {
		var err error
		if skip, err = strconv.Atoi(skipText); err != nil || skip < 0 || skip >= s[1] {
			return View{}, fmt.Errorf("view %q: want %s, fewer than %d tokens before the grid", name, viewNames, s[1])
		}
	}
	left := s[1] - skip
	h, w := 1, left
	switch side := int(math.Round(math.Sqrt(float64(left)))); {
	case hasGrid:
		if _, err := fmt.Sscanf(gridText, "%dx%d", &h, &w); err != nil {
			return View{}, fmt.Errorf("view %q: want %s", name, viewNames)
		}
	case grid[0]*grid[1] == left:
		h, w = grid[0], grid[1]
	case side*side == left && grid != [2]int{1, 1}:
		h, w = side, side
	}
	return tokenView(one, skip, h, w)
}
