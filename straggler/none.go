package straggler

func init() {
	schemes.Register("none", func() Scheme { return &None{} }, "each worker has its own part of the data, and all are waited for", "")
}

// None is plain waiting: every round takes as long as its slowest worker.
type None struct{}

// String is the name.
func (*None) String() string { return "none" }

// Plan is a run.
func (*None) Plan(workers, jobs int) (Plan, error) {
	c, err := newCrew(workers, jobs)
	if err != nil {
		return nil, err
	}
	return newUncoded(c), nil
}

// uncoded is a run in which worker w has block w.
type uncoded struct {
	crew
	done []bool // by job
}

func newUncoded(c crew) *uncoded {
	c.weight = c.n
	for w := range c.n {
		c.blocks = append(c.blocks, Block{[]Term{{w, w + 1, 1}}})
	}
	return &uncoded{c, make([]bool, c.jobs)}
}

func (p *uncoded) Load() float64 { return 1 / float64(p.n) }
func (p *uncoded) Delay() int    { return 0 }

func (p *uncoded) Assign(t int) [][]Task {
	a := make([][]Task, p.n)
	for w := range a {
		a[w] = []Task{{t, w}}
	}
	return a
}

func (p *uncoded) Fits(_ int, late []bool) bool { return count(late) == 0 }

func (p *uncoded) Close(t int, late []bool) { p.done[t] = count(late) == 0 }

func (p *uncoded) Decode(job int) ([]Part, bool) {
	if !p.done[job] {
		return nil, false
	}
	parts := make([]Part, p.n)
	for w := range parts {
		parts[w] = Part{w, 1}
	}
	return parts, true
}
