package straggler

import "fmt"

func init() {
	schemes.Register("m-sgc", func() Scheme { return &MSGC{B: 1, W: 2, Lambda: 1, Code: Repetition} },
		"multiplexed: most of a job is not coded and done again when it was late, the rest is coded, spread over rounds: m-sgc:B=1:W=2:lambda=3",
		"https://arxiv.org/abs/2211.13802 (section 3.3)")
}

// MSGC is M-SGC. The data of a job are D1, W−1 chunks of each worker alone, and D2, B groups that are coded by GC(n,λ). In each round a
// worker does one piece of each of the last W−1+B jobs: of the first W−1 its chunks of D1, of the others what of D1 was late, or else its
// sum of a group of D2. It stands stragglers of which there are at most λ in any W rounds, in bursts of at most B.
type MSGC struct {
	B      int    `opt:"B" range:"[1, ∞)" doc:"length of a burst in rounds"`
	W      int    `opt:"W" range:"[2, ∞)" doc:"rounds of the window, more than B; the delay T is W−2+B"`
	Lambda int    `opt:"lambda" range:"[0, ∞)" doc:"workers that may be late in a window"`
	Code   string `opt:"code" choices:"repetition|cyclic" doc:"of D2, as of gc"`
}

// String is the scheme as Parse reads it.
func (g *MSGC) String() string {
	return fmt.Sprintf("m-sgc:B=%d:W=%d:lambda=%d", g.B, g.W, g.Lambda) + codeOption(g.Code, false)
}

// Plan is a run.
func (g *MSGC) Plan(workers, jobs int) (Plan, error) {
	c, err := newCrew(workers, jobs)
	switch {
	case err != nil:
		return nil, err
	case g.B < 1 || g.W <= g.B:
		return nil, fmt.Errorf("straggler: %v: W must be larger than B", g)
	case g.Lambda < 0 || g.Lambda > workers:
		return nil, fmt.Errorf("straggler: %v: lambda must be 0 to %d, the workers", g, workers)
	}
	p := &mPlan{crew: c, MSGC: *g, past: window{b: g.B, w: g.W, lambda: g.Lambda}, chunk: 1}
	if g.Lambda < workers {
		if p.code, err = newCode(g.Code, workers, g.Lambda); err != nil {
			return nil, fmt.Errorf("%w: %v", err, g)
		}
		p.groups = g.B
		of, _ := p.code.share()
		p.chunk = of // what a worker does of D2 weighs as much as a chunk of D1
	}
	p.private = workers * (g.W - 1)
	p.weight = p.private * p.chunk
	for range p.groups {
		p.weight += p.code.weight()
	}
	p.one = make([][]bool, jobs)
	p.two = make([][][]bool, jobs)
	for j := range jobs {
		p.one[j] = make([]bool, p.private)
		p.two[j] = make([][]bool, p.groups)
		for k := range p.two[j] {
			p.two[j][k] = make([]bool, workers)
		}
	}
	return p, nil
}

type mPlan struct {
	crew
	MSGC
	code    code // of D2; nil where λ is all workers
	groups  int  // of D2
	private int  // chunks of D1
	chunk   int  // weight of one
	past    window
	one     [][]bool   // by job and chunk of D1
	two     [][][]bool // by job, group of D2 and worker
	now     [][]mini   // what is done in this round, by worker
}

// mini is a chunk of D1, or the sum of a group of D2.
type mini struct {
	job   int
	chunk int // of D1, or -1
	group int
}

func (p *mPlan) coded() code {
	if p.code == nil {
		return &repetition{p.n, p.n}
	}
	return p.code
}

// Blocks are the chunks of D1, then the sums of D2 group by group.
func (p *mPlan) Blocks() []Block {
	if p.blocks == nil {
		for k := range p.private {
			p.blocks = append(p.blocks, Block{[]Term{{k * p.chunk, (k + 1) * p.chunk, 1}}})
		}
		at := p.private * p.chunk
		for range p.groups {
			p.blocks = append(p.blocks, p.code.blocks(at)...)
			at += p.code.weight()
		}
	}
	return p.blocks
}

func (p *mPlan) Load() float64 { return float64((p.W-1+p.B)*p.chunk) / float64(p.weight) }

func (p *mPlan) Delay() int { return p.W - 2 + p.B }

// sums is how many sums a group of D2 has.
func (p *mPlan) sums() int {
	if r, ok := p.code.(*repetition); ok {
		return r.k
	}
	return p.n
}

func (p *mPlan) Assign(t int) [][]Task {
	a := make([][]Task, p.n)
	p.now = make([][]mini, p.n)
	for w := range a {
		for m := range p.W - 1 + p.B {
			job := t - m
			if !p.has(job) {
				continue
			}
			x := mini{job, -1, m - (p.W - 1)}
			if m < p.W-1 {
				x.chunk = w*(p.W-1) + m
			} else {
				for k := range p.W - 1 {
					if !p.one[job][w*(p.W-1)+k] {
						x.chunk = w*(p.W-1) + k
						break
					}
				}
			}
			switch {
			case x.chunk >= 0:
				a[w] = append(a[w], Task{job, x.chunk})
			case p.groups > 0:
				a[w] = append(a[w], Task{job, p.private + x.group*p.sums() + p.code.of(w)})
			default:
				continue
			}
			p.now[w] = append(p.now[w], x)
		}
	}
	return a
}

func (p *mPlan) Fits(t int, late []bool) bool { return p.past.fits(t, late) }

func (p *mPlan) Close(_ int, late []bool) {
	for w, minis := range p.now {
		if late[w] {
			continue
		}
		for _, x := range minis {
			if x.chunk >= 0 {
				p.one[x.job][x.chunk] = true
			} else {
				p.two[x.job][x.group][w] = true
			}
		}
	}
	p.past.add(late)
}

func (p *mPlan) Decode(job int) ([]Part, bool) {
	if count(p.one[job]) < p.private {
		return nil, false
	}
	parts := make([]Part, p.private)
	for k := range parts {
		parts[k] = Part{k, 1}
	}
	for g := range p.groups {
		d := p.code.decode(p.two[job][g])
		if d == nil {
			return nil, false
		}
		for _, x := range d {
			parts = append(parts, Part{p.private + g*p.sums() + x.Block, x.Coef})
		}
	}
	return parts, true
}
