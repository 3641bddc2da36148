package job

import (
	"cmp"
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/units"
)

// BenchKernelsConfig says which kernels are timed.
type BenchKernelsConfig struct {
	Only   []string // parts of names such as sgemm or "conv 3x3"; none means all
	Rounds int      // through the whole list; 0 means 3
	Seed   uint64   // of the numbers
}

// BenchKernelsReport is how fast kernels are on one thread, beside what the processor can do.
type BenchKernelsReport struct {
	Schema  string      `json:"schema"`
	ISA     string      `json:"isa"`
	Threads int         `json:"threads"` // always 1
	Rounds  int         `json:"rounds"`
	Limit   Number      `json:"limit_gflops,omitempty"` // of multiply-adds that touch registers only; 0 where it is not known: in plain Go
	Rate    Number      `json:"rate_gflops,omitempty"`  // ... on average over rateTime, in the best round
	Kernels []KernelRow `json:"kernels"`
}

// KernelRow is one way to do one piece of work.
type KernelRow struct {
	Name   string `json:"name"`
	Shape  string `json:"shape"`
	Kernel string `json:"kernel"` // the algorithm
	Chosen bool   `json:"chosen"` // by the dispatcher
	Ms     Number `json:"ms"`     // the best
	GFLOPS Number `json:"gflops,omitempty"`
	GBs    Number `json:"gb_per_s,omitempty"` // read and written; where that is what the work is measured by
	// of the limit; of copying or negating as many bytes, whichever is faster, where gb_per_s is there
	Percent Number `json:"percent,omitempty"`

	p    *kernelProblem
	way  kernel.Way
	best time.Duration
}

// kernelTime is how long a kernel runs in each round, and kernelSlow how long one run may take for there to be a further round. Over
// rateTime it is measured in each round what the processor keeps up.
const (
	kernelTime = 40 * time.Millisecond
	kernelSlow = 500 * time.Millisecond
	rateTime   = 100 * time.Millisecond
)

// BenchKernels times the kernels on one thread, and in the same run what the processor can do at most. Each round goes through all of them
// and the limit; the best run counts, of the limit too.
func BenchKernels(ctx context.Context, c BenchKernelsConfig, rep Reporter) (*BenchKernelsReport, error) {
	rep = orQuiet(rep)
	r := &BenchKernelsReport{Schema: "gtk.bench-kernels/1", ISA: kernel.CurrentISA().String(), Threads: 1, Rounds: cmp.Or(c.Rounds, 3)}
	if r.Rounds < 1 {
		return nil, usagef("--rounds %d: must be at least 1", r.Rounds)
	}
	problems, err := kernelProblems(c.Only)
	if err != nil {
		return nil, err
	}
	most, sizes := 0, [4]int{}
	for _, p := range problems {
		for i, n := range p.sizes {
			sizes[i] = max(sizes[i], n)
		}
	}
	for _, n := range sizes {
		most += n
	}
	memory, rows := make([]float32, most), []*KernelRow{}
	rng := rand.New(rand.NewPCG(c.Seed, 0x6b65726e))
	for i := range memory {
		memory[i] = rng.Float32() - 0.5
	}
	var b [4][]float32
	at := 0
	for i, n := range sizes {
		b[i] = memory[at : at+n : at+n]
		at += n
	}
	for _, p := range problems {
		var fit [4][]float32
		for i := range b {
			fit[i] = b[i][:p.sizes[i]]
		}
		for _, w := range p.ways(fit) {
			rows = append(rows, &KernelRow{Name: p.name, Shape: p.shape, Kernel: w.Name, Chosen: w.Chosen, p: p, way: w})
		}
	}
	bar := rep.Stage("kernels", r.Rounds*len(rows))
	defer bar.End()
	var limit, rate float64
	copies := map[int]time.Duration{}
	for round := range r.Rounds {
		rate = max(rate, kernel.FMARate(rateTime))
		for i, row := range rows {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			limit = max(limit, kernel.FMALimit(time.Millisecond))
			if row.best < kernelSlow {
				row.best = fastest(row.best, func() { row.way.Run(nil) })
			}
			if n := row.p.bytes / 8; n > 0 { // as many read as written
				copies[n] = fastest(copies[n], func() { copy(memory[n:2*n], memory[:n]) })
				copies[n] = fastest(copies[n], func() { kernel.NegF32(nil, memory[n:2*n], memory[:n]) })
			}
			bar.Set(round*len(rows)+i+1, row.Name)
		}
	}
	r.Limit, r.Rate = Number(limit/1e9), Number(rate/1e9)
	for _, row := range rows {
		row.Ms = Number(units.Ms(row.best))
		switch p := row.p; {
		case p.bytes > 0:
			row.GBs = Number(float64(p.bytes) / row.best.Seconds() / 1e9)
			row.Percent = Number(100 * copies[p.bytes/8].Seconds() / row.best.Seconds())
		default:
			row.GFLOPS = Number(p.flops / row.best.Seconds() / 1e9)
			if limit > 0 {
				row.Percent = Number(100 * p.flops / row.best.Seconds() / limit)
			}
		}
		r.Kernels = append(r.Kernels, *row)
	}
	return r, nil
}

// fastest runs f for a while, at least once, and is the time of its fastest run, or best, where that is faster and not 0.
func fastest(best time.Duration, f func()) time.Duration {
	for until := time.Now().Add(kernelTime); ; {
		start := time.Now()
		f()
		end := time.Now()
		if d := max(end.Sub(start), 1); best == 0 || d < best {
			best = d
		}
		if end.After(until) {
			return best
		}
	}
}

// asked reports whether one of the parts is in a name; spaces and case do not count.
func asked(name string, parts []string) bool {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	for _, p := range parts {
		if strings.Contains(plain(name), plain(p)) {
			return true
		}
	}
	return len(parts) == 0
}
