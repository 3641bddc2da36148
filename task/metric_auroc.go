package task

import (
	"cmp"
	"math"
	"slices"
)

func init() {
	metrics.Register("auroc", Metric{Make: func(t *Task) Meter {
		switch t.Kind {
		case Binary:
			return &auroc{labels: make([][]scored, 1)}
		case Multilabel:
			return &auroc{labels: make([][]scored, t.K)}
		}
		return nil
	}}, "area under the ROC curve: how often a positive example scores above a negative one; the mean over labels that have both",
		"https://scikit-learn.org/stable/modules/generated/sklearn.metrics.roc_auc_score.html")
}

// mostScored bounds the scores that are kept; beyond it the area is not given.
const mostScored = 1 << 25

type scored struct {
	z   float32
	yes bool
}

type auroc struct {
	labels [][]scored
	n      int
}

func (m *auroc) Add(d *Decision) {
	if m.n += len(m.labels); m.n > mostScored {
		m.labels = nil
		return
	}
	if d.Label >= 0 {
		m.labels[0] = append(m.labels[0], scored{float32(d.Z[1]), d.Label == 1})
		return
	}
	for k, z := range d.Z {
		if t := d.Target[k]; t > Ignored {
			m.labels[k] = append(m.labels[k], scored{float32(z), t > 0.5})
		}
	}
}

func (m *auroc) Value() float64 {
	sum, n := 0.0, 0.0
	for _, s := range m.labels {
		if a := area(s); !math.IsNaN(a) {
			sum, n = sum+a, n+1
		}
	}
	return ratio(sum, n)
}

// area is the Mann-Whitney statistic of s over the number of pairs, ties counting one half.
func area(s []scored) float64 {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b scored) int { return cmp.Compare(a.z, b.z) })
	var yes, rank float64
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j].z == s[i].z {
			j++
		}
		for _, x := range s[i:j] {
			if x.yes {
				yes++
				rank += float64(i+j+1) / 2 // mean of the ranks i+1 to j
			}
		}
		i = j
	}
	return ratio(rank-yes*(yes+1)/2, yes*(float64(len(s))-yes))
}
