package task

import "math"

func init() {
	metrics.Register("perplexity", Metric{Lower: true, Make: func(t *Task) Meter {
		if !t.HasClasses() || t.K < 2 {
			return nil
		}
		return &perplexity{}
	}}, "e to the mean cross-entropy of the positions that have a label", "https://huggingface.co/docs/transformers/perplexity")
}

type perplexity struct{ nll, n float64 }

func (m *perplexity) Add(d *Decision) {
	m.nll += logSumExp(d.Z) - d.Z[d.Label]
	m.n++
}

func (m *perplexity) Value() float64 { return math.Exp(ratio(m.nll, m.n)) }
