package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// maxSymbols is how many free extents of the inputs are told apart.
const maxSymbols = 16

// symbol is a free extent of the inputs.
type symbol struct {
	name string // in the file, "" where it has none
	at   [][2]int
	size int // that it has at first
}

// trial is the shapes of all values for one choice of the free extents.
type trial struct {
	sizes  []int
	shapes []tensor.Shape
}

// Symbolic is the shapes of the named values in terms of the free extents of the inputs: numbers, symbols of the file, sums and products
// of these such as 2*S+1 or N*T; Symbol is "unk__" and a number where an extent is none of them, the same for extents that agreed in all
// trials. A shape is nil where its rank is not known. Shapes are inferred for several sizes of each symbol, small and large, and together;
// what does not hold in all of them is not said.
func (m *Model) Symbolic(names ...string) ([][]graph.Dim, error) {
	if err := m.gate.enter(); err != nil {
		return nil, err
	}
	defer m.gate.leave()
	syms, err := m.freeExtents()
	if err != nil {
		return nil, err
	}
	t, err := m.trials(syms)
	if err != nil {
		return nil, err
	}
	f := &former{syms: syms, t: t, fresh: map[string]string{}, taken: map[string]bool{}}
	for _, s := range syms {
		f.taken[s.name] = true
	}
	out := make([][]graph.Dim, len(names))
	for i, name := range names {
		v := m.g.Lookup(name)
		for k, o := range m.outputs {
			if o.Name == name {
				v = m.g.Outputs[k]
			}
		}
		if v != 0 {
			out[i] = f.dims(v)
		}
	}
	return out, nil
}

// freeExtents are the free extents of the inputs; those of one name are one.
func (m *Model) freeExtents() ([]*symbol, error) {
	var all []*symbol
	byName := map[string]*symbol{}
	for i, in := range m.inputs {
		if in.Dims == nil {
			return nil, fmt.Errorf("engine: the rank of input %q is not declared", in.Name)
		}
		for k, d := range in.Dims {
			if d.Size >= 0 {
				continue
			}
			s := byName[d.Symbol]
			if s == nil || d.Symbol == "" {
				s = &symbol{name: d.Symbol}
				byName[d.Symbol] = s
				all = append(all, s)
			}
			s.at = append(s.at, [2]int{i, k})
		}
	}
	if len(all) > maxSymbols {
		return nil, fmt.Errorf("engine: the inputs have %d free extents, shapes are told in terms of %d at most", len(all), maxSymbols)
	}
	return all, nil
}

// try infers all shapes for the given extents.
func (m *Model) try(syms []*symbol, sizes []int) (*trial, error) {
	in := make([]tensor.Shape, len(m.inputs))
	for i, x := range m.inputs {
		in[i] = make(tensor.Shape, len(x.Dims))
		for k, d := range x.Dims {
			in[i][k] = d.Size
		}
	}
	for i, s := range syms {
		for _, a := range s.at {
			in[a[0]][a[1]] = sizes[i]
		}
	}
	shapes, _, err := exec.Shapes(m.g, in)
	if err != nil {
		return nil, err
	}
	return &trial{slices.Clone(sizes), shapes}, nil
}

// steps are what the extents are multiples of: some models take only those of 16 or 32.
var steps = []int{1, 16, 32, 64}

// trials are shapes for a choice of extents that the model takes, then for each extent changed alone, then for all changed. An extent that
// could not be changed alone at least twice is an error.
func (m *Model) trials(syms []*symbol) ([]*trial, error) {
	var first error
	for _, step := range steps {
		large := 1031
		if step > 1 {
			large = 64 * step
		}
		sizes := make([]int, len(syms))
		for i := range sizes {
			sizes[i] = step * []int{5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61}[i]
		}
		base, err := m.try(syms, sizes)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		t := []*trial{base}
		all := slices.Clone(sizes)
		for i := range syms {
			syms[i].size = sizes[i]
			good := 0
			for _, other := range []int{sizes[i] + 3*step, sizes[i] + 8*step, 2 * step, large} {
				changed := slices.Clone(sizes)
				changed[i] = other
				if x, err := m.try(syms, changed); err == nil {
					t = append(t, x)
					good++
				}
			}
			if good < 2 {
				return nil, fmt.Errorf("engine: shapes hold only for some sizes of the free extent %q", syms[i].name)
			}
			all[i] = sizes[i] + 3*step + i*step
		}
		if x, err := m.try(syms, all); err == nil {
			t = append(t, x)
		}
		for i := range all {
			all[i] = sizes[i] + 8*step - i*step
		}
		if x, err := m.try(syms, all); err == nil {
			t = append(t, x)
		}
		return t, nil
	}
	if first == nil {
		first = errors.New("no sizes")
	}
	return nil, fmt.Errorf("engine: shapes cannot be inferred for the sizes that were tried for the inputs: %w", first)
}

// former says extents in terms of symbols.
type former struct {
	syms  []*symbol
	t     []*trial
	fresh map[string]string
	taken map[string]bool
}

// dims is the shape of v.
func (f *former) dims(v graph.Value) []graph.Dim {
	rank := -1
	for _, t := range f.t {
		if int(v) >= len(t.shapes) || t.shapes[v] == nil || rank >= 0 && rank != len(t.shapes[v]) {
			return nil
		}
		rank = len(t.shapes[v])
	}
	out := make([]graph.Dim, rank)
	for k := range out {
		got := make([]int, len(f.t))
		for i, t := range f.t {
			if got[i] = t.shapes[v][k]; got[i] < 0 {
				return nil
			}
		}
		out[k] = f.form(got)
	}
	return out
}

// form is an extent by what it was in each trial.
func (f *former) form(got []int) graph.Dim {
	if !slices.ContainsFunc(got, func(n int) bool { return n != got[0] }) {
		return graph.Dim{Size: got[0]}
	}
	if s := f.sum(got); s != "" {
		return graph.Dim{Size: -1, Symbol: s}
	}
	if s := f.product(got); s != "" {
		return graph.Dim{Size: -1, Symbol: s}
	}
	key := fmt.Sprint(got)
	for i := 0; f.fresh[key] == ""; i++ {
		if name := fmt.Sprintf("unk__%d", i); !f.taken[name] {
			f.taken[name], f.fresh[key] = true, name
		}
	}
	return graph.Dim{Size: -1, Symbol: f.fresh[key]}
}

// sum is got as a sum of multiples of symbols and a number, "" if it is none.
func (f *former) sum(got []int) string {
	slope := make([]int, len(f.syms))
	rest := got[0]
	for i := range f.syms {
		for j, t := range f.t {
			if d := t.sizes[i] - f.t[0].sizes[i]; d != 0 && f.alone(j, i) {
				if (got[j]-got[0])%d != 0 {
					return ""
				}
				slope[i] = (got[j] - got[0]) / d
				break
			}
		}
		rest -= slope[i] * f.t[0].sizes[i]
	}
	for j, t := range f.t {
		n := rest
		for i := range f.syms {
			n += slope[i] * t.sizes[i]
		}
		if n != got[j] {
			return ""
		}
	}
	var b strings.Builder
	for i, s := range f.syms {
		switch {
		case slope[i] == 0:
			continue
		case s.name == "":
			return ""
		case slope[i] == 1 && b.Len() == 0:
		case slope[i] == 1:
			b.WriteString("+")
		case slope[i] > 0 && b.Len() > 0:
			fmt.Fprintf(&b, "+%d*", slope[i])
		default:
			fmt.Fprintf(&b, "%d*", slope[i])
		}
		b.WriteString(s.name)
	}
	if rest != 0 {
		fmt.Fprintf(&b, "%+d", rest)
	}
	return b.String()
}

// alone reports whether trial j differs from the first in symbol i only.
func (f *former) alone(j, i int) bool {
	for k := range f.syms {
		if k != i && f.t[j].sizes[k] != f.t[0].sizes[k] {
			return false
		}
	}
	return true
}

// product is got as a product of a number and symbols, "" if it is none.
func (f *former) product(got []int) string {
	var in []int
	for i := range f.syms {
		for j := range f.t {
			if got[j] != got[0] && f.alone(j, i) {
				in = append(in, i)
				break
			}
		}
	}
	of := func(t *trial) int {
		n := 1
		for _, i := range in {
			n *= t.sizes[i]
		}
		return n
	}
	first := of(f.t[0])
	if first == 0 || got[0]%first != 0 {
		return ""
	}
	c := got[0] / first
	for j, t := range f.t {
		if c*of(t) != got[j] {
			return ""
		}
	}
	var parts []string
	if c != 1 {
		parts = append(parts, fmt.Sprint(c))
	}
	for _, i := range in {
		if f.syms[i].name == "" {
			return ""
		}
		parts = append(parts, f.syms[i].name)
	}
	return strings.Join(parts, "*")
}
