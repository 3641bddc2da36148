package straggler

import "fmt"

func init() {
	schemes.Register("gc", func() Scheme { return &GC{S: 1, Code: Repetition} },
		"gradient coding: each worker has s+1 parts of the data, and any s may be late: gc:s=1",
		"https://proceedings.mlr.press/v70/tandon17a.html")
}

// GC is gradient coding GC(n,s). With the repetition code a round also ends where more are late, as long as every group has answered.
type GC struct {
	S      int    `opt:"s" range:"[0, ∞)" doc:"stragglers of a round that are not waited for"`
	Code   string `opt:"code" choices:"repetition|cyclic" doc:"repetition: exact, a load of 1/⌊n/(s+1)⌋; cyclic: a load of (s+1)/n, right to rounding"`
	Strict bool   `opt:"strict" doc:"leave out fewer than s, one less than the code stands, as the authors' program does"`
}

// String is the scheme as Parse reads it.
func (g *GC) String() string { return fmt.Sprintf("gc:s=%d", g.S) + codeOption(g.Code, g.Strict) }

// codeOption are the options that differ from the usual.
func codeOption(code string, strict bool) string {
	s := ""
	if code != Repetition && code != "" {
		s = ":code=" + code
	}
	if strict {
		s += ":strict=true"
	}
	return s
}

// Plan is a run.
func (g *GC) Plan(workers, jobs int) (Plan, error) {
	c, err := newCrew(workers, jobs)
	if err != nil {
		return nil, err
	}
	p := &gcPlan{crew: c, strict: g.Strict, s: g.S, got: make([][]bool, jobs)}
	if p.code, err = newCode(g.Code, workers, g.S); err != nil {
		return nil, fmt.Errorf("%w: gc:s=%d", err, g.S)
	}
	p.weight = p.code.weight()
	return p, nil
}

type gcPlan struct {
	crew
	code   code
	s      int
	strict bool
	got    [][]bool // by job and worker
}

func (p *gcPlan) coded() code { return p.code }

// Blocks are made when they are asked for: a simulation does not need the code.
func (p *gcPlan) Blocks() []Block {
	if p.blocks == nil {
		p.blocks = p.code.blocks(0)
	}
	return p.blocks
}

func (p *gcPlan) Load() float64 {
	of, all := p.code.share()
	return float64(of) / float64(all)
}

func (p *gcPlan) Delay() int { return 0 }

func (p *gcPlan) Assign(t int) [][]Task {
	a := make([][]Task, p.n)
	for w := range a {
		a[w] = []Task{{t, p.code.of(w)}}
	}
	return a
}

func (p *gcPlan) Fits(_ int, late []bool) bool {
	if p.strict {
		return count(late) < max(p.s, 1)
	}
	return p.code.mayLeave(late, p.s)
}

func (p *gcPlan) Close(t int, late []bool) {
	p.got[t] = make([]bool, p.n)
	for w := range p.n {
		p.got[t][w] = !late[w]
	}
}

func (p *gcPlan) Decode(job int) ([]Part, bool) {
	if p.got[job] == nil {
		return nil, false
	}
	parts := p.code.decode(p.got[job])
	return parts, parts != nil
}
