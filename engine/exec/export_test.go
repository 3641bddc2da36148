package exec

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// CheckPlanFor makes the plan of p for inputs of the given shapes and checks it, for the tests of models, which are in package exec_test
// since the engine imports this one.
func CheckPlanFor(t *testing.T, p *Program, shapes []tensor.Shape) error {
	pl, err := p.newPlan(context.Background(), shapes, p.limit(context.Background(), shapes))
	if err != nil {
		return err
	}
	p.plans = append(p.plans, pl)
	checkPlans(t, p)
	t.Logf("the arena has %d bytes, %d are needed at once, %d steps", pl.size, peakOf(pl, p.fetch), len(pl.steps))
	return nil
}

// Dump is the plan of p for inputs of the given shapes, a line for each step: what it reads, and for what it writes the shape and the
// bytes of the arena. Where the bytes are those of an input that dies, that is said.
func Dump(p *Program, shapes []tensor.Shape) (string, error) {
	pl, err := p.newPlan(context.Background(), shapes, p.limit(context.Background(), shapes))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	g := p.g
	name := func(v graph.Value) string {
		if v == 0 {
			return "-"
		}
		return g.Info(v).Name
	}
	names := func(vs []graph.Value) string {
		var s []string
		for _, v := range vs {
			s = append(s, name(v))
		}
		return strings.Join(s, ", ")
	}
	for i, v := range g.Inputs {
		fmt.Fprintf(&b, "input %s %v%v\n", name(v), g.Info(v).DType, shapes[i])
	}
	place := map[graph.Value]*slot{}
	for i := range pl.slots {
		place[pl.slots[i].value] = &pl.slots[i]
	}
	for i := range pl.steps {
		st := &pl.steps[i]
		fmt.Fprintf(&b, "%3d %s(%s)", i, st.node.Op.Name, names(st.node.In))
		for _, v := range st.node.Out {
			fmt.Fprintf(&b, " -> %s", name(v))
			switch s := place[v]; {
			case v == 0:
			case st.view && pl.root[v] != v:
				fmt.Fprintf(&b, " %v shows %s", pl.shape[v], name(pl.root[v]))
			case st.dynamic:
				b.WriteString(" known when it runs")
			case s != nil:
				fmt.Fprintf(&b, " %v at %d+%d", pl.shape[v], s.offset, s.bytes)
				for k := range pl.slots {
					if o := &pl.slots[k]; s.start == -1 && o.start >= 0 && o.offset == s.offset && o.start < i && o.end >= i {
						fmt.Fprintf(&b, ", which was %s's", name(o.value))
					}
				}
			}
		}
		if st.scratch >= 0 {
			fmt.Fprintf(&b, ", works at %d+%d", pl.slots[st.scratch].offset, pl.slots[st.scratch].bytes)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "arena of %d bytes, %d needed at once; fetched: %s\n", pl.size, peakOf(pl, p.fetch), names(p.fetch))
	return b.String(), nil
}
