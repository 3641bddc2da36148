package straggler

import "fmt"

func init() {
	schemes.Register("sr-sgc", func() Scheme { return &SRSGC{B: 1, W: 2, Lambda: 1, Code: Repetition} },
		"selective repetition: gradient coding, and what a job lacks is done again B rounds later: sr-sgc:B=1:W=2:lambda=2",
		"https://arxiv.org/abs/2211.13802 (section 3.2)")
}

// SRSGC is SR-SGC: GC(n,s) with s = ⌈Bλ/(W−1+B)⌉, in which workers that were late do their part of job t−B in round t where that job lacks
// it, in place of job t. It stands stragglers of which there are at most λ in any W rounds, in bursts of at most B.
type SRSGC struct {
	B      int    `opt:"B" range:"[1, ∞)" doc:"length of a burst in rounds, and the delay T"`
	W      int    `opt:"W" range:"[2, ∞)" doc:"rounds of the window, a multiple of B and one more"`
	Lambda int    `opt:"lambda" range:"[0, ∞)" doc:"workers that may be late in a window"`
	Code   string `opt:"code" choices:"repetition|cyclic" doc:"as of gc"`
}

// String is the scheme as Parse reads it.
func (g *SRSGC) String() string {
	return fmt.Sprintf("sr-sgc:B=%d:W=%d:lambda=%d", g.B, g.W, g.Lambda) + codeOption(g.Code, false)
}

// S is how many stragglers of a round the code stands.
func (g *SRSGC) S() int { return (g.B*g.Lambda + g.W - 2 + g.B) / (g.W - 1 + g.B) }

// Plan is a run.
func (g *SRSGC) Plan(workers, jobs int) (Plan, error) {
	c, err := newCrew(workers, jobs)
	switch {
	case err != nil:
		return nil, err
	case g.B < 1 || g.W < 2 || (g.W-1)%g.B != 0:
		return nil, fmt.Errorf("straggler: %v: W must be a multiple of B and one more", g)
	case g.Lambda < 0 || g.Lambda > workers:
		return nil, fmt.Errorf("straggler: %v: lambda must be 0 to %d, the workers", g, workers)
	}
	p := &srPlan{crew: c, SRSGC: *g, s: g.S(), got: make([][]bool, jobs), past: window{b: g.B, w: g.W, lambda: g.Lambda}}
	if p.code, err = newCode(g.Code, workers, p.s); err != nil {
		return nil, fmt.Errorf("%w: %v", err, g)
	}
	for j := range p.got {
		p.got[j] = make([]bool, workers)
	}
	p.weight = p.code.weight()
	return p, nil
}

type srPlan struct {
	crew
	SRSGC
	code code
	s    int
	got  [][]bool // by job and worker
	redo []bool   // workers that do job t−B in this round
	past window
}

func (p *srPlan) coded() code { return p.code }

func (p *srPlan) Blocks() []Block {
	if p.blocks == nil {
		p.blocks = p.code.blocks(0)
	}
	return p.blocks
}

func (p *srPlan) Load() float64 {
	of, all := p.code.share()
	return float64(of) / float64(all)
}

func (p *srPlan) Delay() int { return p.B }

// repeats says which workers do job once more, so that it can be decoded: none where it can be, one for each sum that is missing with the
// repetition code, and as many as the cyclic one lacks.
func (p *srPlan) repeats(job int) []bool {
	redo := make([]bool, p.n)
	if !p.has(job) || p.code.decodes(p.got[job]) {
		return redo
	}
	have := append([]bool(nil), p.got[job]...)
	there := map[int]bool{}
	for w, is := range have {
		if is {
			there[p.code.of(w)] = true
		}
	}
	for w := range have {
		if !have[w] && !there[p.code.of(w)] {
			redo[w], have[w], there[p.code.of(w)] = true, true, true
			if p.code.decodes(have) {
				break
			}
		}
	}
	return redo
}

func (p *srPlan) Assign(t int) [][]Task {
	p.redo = p.repeats(t - p.B)
	a := make([][]Task, p.n)
	for w := range a {
		switch {
		case p.redo[w]:
			a[w] = []Task{{t - p.B, p.code.of(w)}}
		case p.has(t):
			a[w] = []Task{{t, p.code.of(w)}}
		}
	}
	return a
}

// own reports whether all were on their own job in this round, and that can be decoded without those who are late.
func (p *srPlan) own(late []bool) bool {
	if count(p.redo) > 0 {
		return false
	}
	return p.code.mayLeave(late, p.s)
}

func (p *srPlan) Fits(t int, late []bool) bool { return p.own(late) || p.past.fits(t, late) }

func (p *srPlan) Close(t int, late []bool) {
	for w := range p.n {
		switch {
		case late[w]:
		case p.redo[w]:
			p.got[t-p.B][w] = true
		case p.has(t):
			p.got[t][w] = true
		}
	}
	if p.own(late) {
		late = make([]bool, p.n) // nobody has anything to do again
	}
	p.past.add(late)
}

func (p *srPlan) Decode(job int) ([]Part, bool) {
	parts := p.code.decode(p.got[job])
	return parts, parts != nil
}
