package explain

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

var nan = float32(math.NaN())

// View says how a tensor of a model is read as channels at positions: a value of any layout as [N,C,h,w]. Sequences have h = 1. What is
// at no position, as a class token, is left out.
type View struct {
	Name    string // one of the layouts, tokens:1 (one token before the grid), windows (several to a row), or gathered, for any other order
	C, H, W int

	// covers is the part of the input's height and width that the positions stand for, in its steps; zero where that is all of it or not
	// known, as in a view that was asked for.
	covers [2]span

	shape tensor.Shape // of the value for one row: the axis of rows has extent per
	axis  int          // of the rows
	per   int          // how many entries of that axis a row has

	// Position y·W+x of each element of a row, -1 for none, on the axes on which it depends: the others have extent 1 and hold channels.
	joint tensor.Shape
	at    []int
	order *elements
}

// span is a stretch of an axis on which step i covers i-½ to i+½, and how far apart the positions on it are.
type span struct{ from, to, apart float32 }

// spanOf is what evenly spaced places stand for; zero for a single one.
func spanOf(levels []float32) span {
	n := len(levels)
	if n < 2 {
		return span{}
	}
	apart := (levels[n-1] - levels[0]) / float32(n-1)
	return span{levels[0] - apart/2, levels[n-1] + apart/2, apart}
}

// steps are the first of n steps and the one after the last that s covers. Those are all where less than a position is missing at either
// end: a place may be that of one of several that were joined.
func (s span) steps(n int) (from, to int) {
	if most := 0.75 * s.apart; s == (span{}) || s.from+0.5 <= most && float32(n)-0.5-s.to <= most {
		return 0, n
	}
	from = min(max(int(math.Round(float64(s.from)+0.5)), 0), n-1)
	return from, max(min(int(math.Round(float64(s.to)+0.5)), n), from+1)
}

// elements is the order of a view, made when it is needed.
type elements struct {
	once  sync.Once
	index []int32 // element of the row for each (c,y,x); nil when they are in order
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
	if v.index() == nil && v.axis == 0 {
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
	if v.index() == nil && v.axis == 0 {
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
	index := v.index()
	for r := range n {
		for i := range k {
			at := i
			if index != nil {
				at = int(index[i])
			}
			f(r*k+i, (at/inner*n+r)*inner+at%inner)
		}
	}
}

// index is the element of the row for each (c,y,x), nil when they are in order: channels come in the order in which a position meets
// them.
func (v View) index() []int32 {
	v.order.once.Do(func() {
		index, seen := make([]int32, v.C*v.H*v.W), make([]int, v.H*v.W)
		ordered := v.shape.Len() == len(index)
		step, pos := steps0(v.joint), make([]int, len(v.shape))
		j := 0
		for i := range v.shape.Len() {
			if u := v.at[j]; u >= 0 {
				to := seen[u]*len(seen) + u
				index[to] = int32(i)
				seen[u]++
				ordered = ordered && to == i
			}
			for k := len(pos) - 1; k >= 0; k-- {
				j += step[k]
				if pos[k]++; pos[k] < v.shape[k] {
					break
				}
				j -= pos[k] * step[k]
				pos[k] = 0
			}
		}
		if !ordered {
			v.order.index = index
		}
	})
	return v.order.index
}

// steps0 are the row-major steps along the axes of s, 0 for those of extent 1.
func steps0(s tensor.Shape) []int {
	out := make([]int, len(s))
	for k, d := range s {
		if d > 1 {
			out[k] = s[k+1:].Len()
		}
	}
	return out
}

// newView finds the view of a value of shape s for n rows from its coordinates: its row, then its places along one axis (a sequence) or
// two. It fails where the positions of a row do not form a grid with as many elements at each.
func newView(s tensor.Shape, n int, row ops.Coord, places ops.Coords) (View, error) {
	axis, err := rowAxis(s, n, row)
	if err != nil {
		return View{}, err
	}
	v := View{shape: slices.Clone(s), axis: axis, per: s[axis] / n}
	v.shape[axis] = v.per
	var one ops.Coords
	known := false
	for _, c := range places {
		known = known || c.Known()
		one = append(one, firstRow(c, axis, v.per))
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

// firstRow is c of the elements of the first row, which has the first entries of the axis of rows.
func firstRow(c ops.Coord, axis, per int) ops.Coord {
	d := c.Shape[axis]
	if d <= per {
		return c
	}
	s := slices.Clone(c.Shape)
	s[axis] = per
	inner := s[axis+1:].Len()
	var x []float32
	for o := range s[:axis].Len() {
		x = append(x, c.X[o*d*inner:(o*d+per)*inner]...)
	}
	return ops.Coord{Shape: s, X: x}
}

// mostPositions is how many positions a view may have.
const mostPositions = 1 << 25

// grid sorts the elements of a row by their places, of which one or two are given; nothing known of one stands for a single place.
func (v *View) grid(places ops.Coords) error {
	v.joint = slices.Repeat(tensor.Shape{1}, len(v.shape))
	for _, c := range places {
		for k, d := range c.Shape {
			v.joint[k] = max(v.joint[k], d)
		}
	}
	if n := v.joint.Len(); n > mostPositions {
		return fmt.Errorf("it has %d positions, more than are looked at (%d)", n, mostPositions)
	}
	extent := []int{1, 1}
	v.at = make([]int, v.joint.Len())
	for k, c := range places {
		levels := levelsOf(c.X)
		if len(levels) == 0 {
			continue
		}
		extent[2-len(places)+k] = len(levels)
		v.covers[2-len(places)+k] = spanOf(levels)
		for i, x := range c.Expand(v.joint) {
			switch {
			case v.at[i] < 0:
			case x != x:
				v.at[i] = -1
			default:
				v.at[i] = v.at[i]*len(levels) + nearest(levels, x)
			}
		}
	}
	v.H, v.W = extent[0], extent[1]
	count := make([]int, v.H*v.W)
	for _, u := range v.at {
		if u >= 0 {
			count[u]++
		}
	}
	for _, c := range count {
		if c == 0 || c != count[0] {
			return fmt.Errorf("its elements do not form a grid of positions")
		}
	}
	v.C = count[0] * (v.shape.Len() / v.joint.Len())
	v.order = &elements{}
	return nil
}

// placed is the plane [h,w] of the view's positions, resized to the part of an input [H,W] that they stand for; 0 elsewhere.
func (v View) placed(plane []float32, h, w, H, W int) []float32 {
	y0, y1 := v.covers[0].steps(H)
	x0, x1 := v.covers[1].steps(W)
	if y1-y0 != h || x1-x0 != w {
		plane = Bilinear(plane, h, w, y1-y0, x1-x0)
	}
	if y1-y0 == H && x1-x0 == W {
		return slices.Clone(plane)
	}
	out := make([]float32, H*W)
	for y := y0; y < y1; y++ {
		copy(out[y*W+x0:y*W+x1], plane[(y-y0)*(x1-x0):])
	}
	return out
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

// same reports whether v and w read the same elements in the same order.
func (v View) same(w View) bool {
	return v.C == w.C && v.H == w.H && v.W == w.W && v.axis == w.axis && slices.Equal(v.index(), w.index())
}

// layouts are the orders of axes that have a name. The letters: n rows, c channels, h, w and l positions, t steps; one of them stands for
// each axis.
var layouts = []string{"nchw", "nhwc", "ncl", "nlc", "tnc", "nhw", "nl"}

// name is the name of the layout that v is: windows or gathered when it is none.
func (v View) name() string {
	if v.per > 1 {
		return "windows"
	}
	letters := []byte(strings.Repeat("c", len(v.shape)))
	letters[v.axis] = 'n'
	var on []int // axes on which positions depend
	for k, d := range v.joint {
		if d > 1 {
			on = append(on, k)
		}
	}
	rising, skip := true, 0
	for i, u := range v.at {
		if u < 0 && skip == i {
			skip++
		}
		rising = rising && u == i
	}
	switch {
	case rising && len(on) == 2 && v.joint[on[0]] == v.H && v.joint[on[1]] == v.W:
		letters[on[0]], letters[on[1]] = 'h', 'w'
	case rising && len(on) == 1 && (v.H == 1 || v.W == 1) && len(v.shape) == 4 && v.axis == 0: // a picture of one line
		for k, d := range []int{v.H, v.W} {
			i := on[0]
			if d == 1 {
				i += 2*k - 1
			}
			if i < 1 || i > 3 || v.shape[i] != d {
				return "gathered"
			}
			letters[i] = "hw"[k]
		}
	case rising && len(on) == 1 && v.H == 1:
		letters[on[0]] = 'l'
	case rising && len(on) == 0 && len(v.shape) == 4 && v.axis == 0 && v.shape[2] == 1 && v.shape[3] == 1:
		letters[2], letters[3] = 'h', 'w'
	case len(v.shape) == 3 && v.axis == 0 && len(on) == 1 && on[0] == 1 && skip+v.H*v.W == v.shape[1] && slices.IsSorted(v.at[skip:]):
		return fmt.Sprintf("tokens:%d", skip)
	}
	switch l := string(letters); {
	case l == "lnc":
		return "tnc"
	case slices.Contains(layouts, l):
		return l
	}
	return "gathered"
}

// layoutView reads a value with the axes of a named layout; s is the shape for one row.
func layoutView(layout string, s tensor.Shape, axis, per int) (View, error) {
	if len(s) != len(layout) || strings.IndexByte(layout, 'n') != axis || per != 1 {
		return View{}, fmt.Errorf("%s has %d axes, the rows on axis %d", layout, len(layout), strings.IndexByte(layout, 'n'))
	}
	v := View{Name: layout, H: 1, W: 1, C: 1, shape: s, axis: axis, per: per, joint: slices.Repeat(tensor.Shape{1}, len(s)),
		order: &elements{}}
	for k, l := range layout {
		switch l {
		case 'c':
			v.C = s[k]
		case 'h':
			v.H, v.joint[k] = s[k], s[k]
		case 'w', 'l', 't':
			v.W, v.joint[k] = s[k], s[k]
		}
	}
	v.at = make([]int, v.joint.Len())
	for i := range v.at {
		v.at[i] = i
	}
	return v, nil
}

// tokenView reads [1,skip+h·w,C] as a grid of tokens after skip others.
func tokenView(s tensor.Shape, skip, h, w int) (View, error) {
	if len(s) != 3 || skip < 0 || s[1] != skip+h*w || h*w < 1 {
		return View{}, fmt.Errorf("%d tokens before a grid of %dx%d are not the axis 1 of %v", skip, h, w, s)
	}
	v := View{Name: fmt.Sprintf("tokens:%d", skip), C: s[2], H: h, W: w, shape: s, per: 1, joint: tensor.Shape{1, s[1], 1},
		at: make([]int, s[1]), order: &elements{}}
	for i := range v.at {
		v.at[i] = max(i-skip, -1)
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

// parseView is the view called name of a value of shape s for n rows. The grid of tokens is grid where it is not given and its positions
// fit, else a square, else a row.
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
			return v, fmt.Errorf("%v cannot be read as %s: %w", one, name, err)
		}
		return v, nil
	}
	if len(s) != 3 || one[0] != 1 {
		return View{}, fmt.Errorf("%v cannot be read as tokens, which are [N,T,C]", one)
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
