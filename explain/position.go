package explain

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// position explains the score of a class at one position of each row: by default the last one that the mask does not hide.
type position struct {
	scoreTensor
	fixed int    // the position, or -1 for the last one
	mask  string // the input that hides positions, "" for none
}

// maskOf is the name of the input that tells which positions of src are there: numbers of its shape, and a name with mask in it.
func maskOf(t *trace, src source) string {
	for _, v := range t.g.Inputs {
		if v != src.in && t.shapes[v].Equal(t.shapes[src.in]) && strings.Contains(strings.ToLower(t.g.Info(v).Name), "mask") {
			return t.g.Info(v).Name
		}
	}
	return ""
}

func (p *position) setPosition(at *int) error {
	p.fixed = -1
	if at == nil {
		return nil
	}
	n := p.positions()
	if *at < -n || *at >= n {
		return fmt.Errorf("explain: position %d: the output has positions 0 to %d", *at, n-1)
	}
	p.fixed = (*at + n) % n
	return nil
}

func (p *position) add(b *build) graph.Value {
	n := p.positions()
	z := p.flat(b) // [N,K,P]
	at := b.Add(ops.Equal, nil, b.reshape(b.rowInput(positionInput), -1, 1, 1), b.upTo(n, 1, 1, n))
	z = b.sum(b.Add(ops.Where, nil, at, z, b.zero(z)), 2)
	return b.pick(b.scored(p.score, z, p.each), b.chosen(b.best(z)), p.classes)
}

func (p *position) feeds(inputs map[string]*tensor.Tensor, n int) (map[string]*tensor.Tensor, error) {
	at := make([]int64, n)
	last := p.positions() - 1
	var mask []float64
	if m := inputs[p.mask]; p.mask != "" && p.fixed < 0 && m.Len()%n == 0 && m.Len()/n == last+1 {
		mask = m.Float64s()
	}
	for r := range at {
		switch {
		case p.fixed >= 0:
			at[r] = int64(p.fixed)
		case mask == nil:
			at[r] = int64(last)
		default:
			for u := range last + 1 {
				if mask[r*(last+1)+u] != 0 {
					at[r] = int64(u)
				}
			}
		}
	}
	return map[string]*tensor.Tensor{positionInput: tensor.From(at, n)}, nil
}

func (p *position) read(f fetched, n int) ([]reading, error) {
	x, err := p.numbers(f, n)
	if err != nil {
		return nil, err
	}
	out := make([]reading, n)
	for r := range out {
		z := make([]float32, p.classes)
		for k := range z {
			z[k] = float32(p.scoreTensor.at(x, r, k, int(f.feeds[positionInput].I64()[r])))
		}
		out[r] = reading{z, probabilities(z, p.each)}
	}
	return out, nil
}

func (p *position) choices(t Target, r reading) ([]int, error) {
	return p.chosenBy(t, r.z)
}

func (p *position) about(r reading, k int) Prediction {
	return Prediction{Class: k, Logit: r.z[k], Prob: r.p[k]}
}
