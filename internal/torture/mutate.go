//go:build linux

package torture

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

// A mutator changes a model in one way, and says what it did; "" when the model has nothing of the kind.
type mutator struct {
	name   string
	weight int
	change func(r *rand.Rand, m *onnxpb.ModelProto) string
}

// mutators is filled by the files mutate_*.go.
var mutators []mutator

// A recipe is what makes a mutant of a model: changes, each by a seed of its own, so that one can be tried without the others, and last
// perhaps damage to the bytes.
type recipe struct {
	seeds  [][2]uint64
	damage bool
}

func newRecipe(r *rand.Rand) recipe {
	var c recipe
	for range 1 + min(r.IntN(4), r.IntN(4)) {
		c.seeds = append(c.seeds, [2]uint64{r.Uint64(), r.Uint64()})
	}
	c.damage = r.IntN(12) == 0
	return c
}

// mutant is the file that a recipe makes of a model, and what was changed.
func (c recipe) mutant(m *onnxpb.ModelProto) (file []byte, what []string, err error) {
	m = proto.Clone(m).(*onnxpb.ModelProto)
	if m.Graph == nil {
		m.Graph = &onnxpb.GraphProto{}
	}
	for _, s := range c.seeds {
		r := rand.New(rand.NewPCG(s[0], s[1]))
		for range 8 { // until one applies
			x := mutators[weighted(r)]
			if said := x.change(r, m); said != "" {
				what = append(what, x.name+": "+said)
				break
			}
		}
		if m.Graph == nil || proto.Size(m) > 24<<20 {
			break
		}
	}
	file, err = proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err == nil && c.damage {
		r := rand.New(rand.NewPCG(c.seeds[0][0], 7))
		var said string
		file, said = damage(r, file)
		what = append(what, said)
	}
	return file, what, err
}

func weighted(r *rand.Rand) int {
	total := 0
	for _, x := range mutators {
		total += x.weight
	}
	n := r.IntN(total)
	for i, x := range mutators {
		if n -= x.weight; n < 0 {
			return i
		}
	}
	panic("torture: weights")
}

// damage changes bytes of a file.
func damage(r *rand.Rand, b []byte) ([]byte, string) {
	if len(b) < 2 {
		return b, "bytes: none"
	}
	at, n := r.IntN(len(b)), 1+r.IntN(min(len(b)-1, 64))
	if r.IntN(2) == 0 {
		at = r.IntN(min(len(b), 2048)) // where the structure is
	}
	end := min(len(b), at+n)
	switch r.IntN(5) {
	case 0:
		return b[:at], fmt.Sprintf("bytes: cut at %d", at)
	case 1:
		for range 1 + r.IntN(8) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		return b, "bytes: bits flipped"
	case 2:
		return append(b[:at:at], b[end:]...), fmt.Sprintf("bytes: %d to %d left out", at, end)
	case 3:
		return append(append(b[:end:end], b[at:end]...), b[end:]...), fmt.Sprintf("bytes: %d to %d twice", at, end)
	}
	for i := at; i < end; i++ {
		b[i] = 0xff
	}
	return b, fmt.Sprintf("bytes: %d to %d are 0xff", at, end)
}

// The values that numbers and names are changed to.
var (
	extremes = []int64{0, 1, -1, 2, 3, 7, 127, 128, 1 << 15, 1 << 20, 1<<31 - 1, 1 << 31, -1 << 31, 1 << 32, 1 << 40, 1 << 53, 1<<62 - 1,
		1<<63 - 1, -1 << 63}
	names = []string{
		"", " ", "x", "y", "/", "..", "../../x", "\x1b[31mred\x1b[0m", "a\nb", "a\r\nb", "\u202eevil", "\x00", "\xff\xfe", "=1+1", "@x",
		"%s%n%d", "{{.}}",
		"<script>", strings.Repeat("long", 25000), "gtk", "com.microsoft", "ai.onnx.ml", "ai.onnx.preview.training", "N", "-1", "'", `"`,
		"\u2028", "\u009b31m",
	}
)

// graphs is all graphs of a model: its own, those of bodies, and none of functions.
func graphs(m *onnxpb.ModelProto) (all []*onnxpb.GraphProto) {
	var visit func(g *onnxpb.GraphProto, depth int)
	visit = func(g *onnxpb.GraphProto, depth int) {
		all = append(all, g)
		for _, n := range g.GetNode() {
			for _, a := range n.GetAttribute() {
				if a.GetG() != nil && depth < 20 {
					visit(a.G, depth+1)
				}
				for _, b := range a.GetGraphs() {
					if depth < 20 {
						visit(b, depth+1)
					}
				}
			}
		}
	}
	visit(m.Graph, 0)
	return all
}

// nodes is all nodes of a model, of bodies and functions too.
func nodes(m *onnxpb.ModelProto) (all []*onnxpb.NodeProto) {
	for _, g := range graphs(m) {
		all = append(all, g.Node...)
	}
	for _, f := range m.GetFunctions() {
		all = append(all, f.Node...)
	}
	return all
}

// any is one of s, and whether there is one.
func anyOf[T any](r *rand.Rand, s []T) (v T, ok bool) {
	if len(s) == 0 {
		return v, false
	}
	return s[r.IntN(len(s))], true
}

// some is one of s, which is not empty.
func some[T any](r *rand.Rand, s []T) T { return s[r.IntN(len(s))] }

// values is the names of values that nodes, inputs and initializers of a graph make.
func values(g *onnxpb.GraphProto) (all []string) {
	for _, v := range g.GetInput() {
		all = append(all, v.GetName())
	}
	for _, v := range g.GetInitializer() {
		all = append(all, v.GetName())
	}
	for _, n := range g.GetNode() {
		all = append(all, n.GetOutput()...)
	}
	return all
}
