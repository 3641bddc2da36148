package task

// LabelScores count, for each class or label, what is said and what is true.
type LabelScores struct {
	Is, Said, Both []int // [K]
}

// NewLabelScores are those of the classes or labels of t, nil for a task without.
func (t *Task) NewLabelScores() *LabelScores {
	k := t.NumClasses()
	if t.Kind == Multilabel {
		k = t.K
	}
	if k == 0 {
		return nil
	}
	return &LabelScores{make([]int, k), make([]int, k), make([]int, k)}
}

// Add counts a decision. What is not known of a label is left out.
func (s *LabelScores) Add(d *Decision) {
	if d.Label >= 0 {
		s.Is[d.Label]++
		s.Said[d.Best()]++
		if d.Label == d.Best() {
			s.Both[d.Label]++
		}
		return
	}
	for k, z := range d.Z {
		if k >= len(s.Is) || k >= len(d.Target) || d.Target[k] <= Ignored {
			continue
		}
		is, said := d.Target[k] > 0.5, z > 0
		s.Is[k] += b2i(is)
		s.Said[k] += b2i(said)
		s.Both[k] += b2i(is && said)
	}
}

// Precision is the share of right ones of what is said, NaN where nothing is.
func (s *LabelScores) Precision(k int) float64 { return ratio(float64(s.Both[k]), float64(s.Said[k])) }

// Recall is the share of what is true that is said, NaN where nothing is.
func (s *LabelScores) Recall(k int) float64 { return ratio(float64(s.Both[k]), float64(s.Is[k])) }

// F1 is the harmonic mean of both, NaN where a class is neither said nor true.
func (s *LabelScores) F1(k int) float64 {
	return ratio(2*float64(s.Both[k]), float64(s.Is[k]+s.Said[k]))
}
