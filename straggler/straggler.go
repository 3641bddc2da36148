// Package straggler shares the gradient of a full batch among workers that may be late: plain waiting, backup tasks, gradient coding
// GC(n,s) (Tandon et al., ICML 2017), and the sequential codes SR-SGC and M-SGC (Krishnan, Ebrahimi and Khisti, ICLR 2023,
// arXiv 2211.13802). A scheme is one file. One scheduler (Run) holds the rounds, for workers that are simulated (Simulate) and for real
// ones; Select picks a scheme by what was measured. Numbers only: what a gradient is, and where it is computed, is the caller's.
//
// There are J jobs; job t starts in round t and is done by the end of round t+T, where T is the delay of the scheme. Rounds and jobs are
// counted from 0.
package straggler

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
)

// Scheme says who does what in which round. Its exported fields are its options.
type Scheme interface {
	// Plan is a run of so many jobs on so many workers. Options that do not fit are an error.
	Plan(workers, jobs int) (Plan, error)
	// String is the scheme as Parse reads it.
	String() string
}

// Plan is a run of a scheme: what it hands out depends on who was late before. Rounds go from 0 to jobs+Delay()-1, each by Assign, any
// number of Fits, and Close.
type Plan interface {
	// Load is the share of the data that a worker goes through in a full round.
	Load() float64
	// Delay is T: job t is done by the end of round t+T.
	Delay() int
	// Blocks are the sums that workers compute; Weight is that of all data in the unit of their terms.
	Blocks() []Block
	Weight() int
	// Assign is what each worker does in round t; nothing for nil.
	Assign(t int) [][]Task
	// Fits reports whether those who are late in round t may be left out.
	Fits(t int, late []bool) bool
	// Close ends round t: what was assigned is there, but for that of those who were late.
	Close(t int, late []bool)
	// Decode says of which blocks the gradient of a job is the sum, or that they are not there yet.
	Decode(job int) ([]Part, bool)
}

// A Backuper is a Plan that has others do again what is late.
type Backuper interface {
	// Backup is what those who are done (in the order in which they were) do beside, by worker.
	Backup(t int, late []bool, done []int) [][]Task
}

// Task is one sum of a job.
type Task struct {
	Job   int
	Block int // of Plan.Blocks
}

// Block is a weighted sum of the gradients of intervals of the data.
type Block struct{ Terms []Term }

// Term is the data from Lo to before Hi, of Plan.Weight, with the coefficient of their gradient.
type Term struct {
	Lo, Hi int
	Coef   float64
}

// Plain reports whether the block is a sum without coefficients.
func (b Block) Plain() bool {
	for _, t := range b.Terms {
		if t.Coef != 1 {
			return false
		}
	}
	return true
}

// Weight is that of the data that the block goes through.
func (b Block) Weight() int {
	n := 0
	for _, t := range b.Terms {
		n += t.Hi - t.Lo
	}
	return n
}

// Part is a block with its coefficient in the gradient of a job.
type Part struct {
	Block int
	Coef  float64
}

var schemes = registry.Table[func() Scheme]{Kind: "scheme"}

// Schemes is the table of schemes.
func Schemes() *registry.Table[func() Scheme] { return &schemes }

// Parse makes the scheme that spec names: NAME:KEY=VALUE:KEY=VALUE, where commas are as good as colons.
func Parse(spec string) (Scheme, error) {
	_, s, err := options.Make(&schemes, strings.ReplaceAll(spec, ",", ":"), map[string]string{
		"wait": "none", "nocoding": "none", "uncoded": "none", "speculative": "backup", "srsgc": "sr-sgc", "msgc": "m-sgc"})
	if err != nil {
		return nil, err
	}
	return s, options.Check(s)
}

// crew are the numbers that all plans share.
type crew struct {
	n, jobs int
	blocks  []Block
	weight  int
}

func (c *crew) Blocks() []Block { return c.blocks }
func (c *crew) Weight() int     { return c.weight }

// has reports whether there is such a job.
func (c *crew) has(job int) bool { return job >= 0 && job < c.jobs }

// newCrew checks what all plans want.
func newCrew(workers, jobs int) (crew, error) {
	if workers < 1 || jobs < 1 {
		return crew{}, fmt.Errorf("straggler: %d workers and %d jobs: want at least one of each", workers, jobs)
	}
	return crew{n: workers, jobs: jobs}, nil
}

// count is the number of those that are true.
func count(a []bool) int {
	n := 0
	for _, x := range a {
		if x {
			n++
		}
	}
	return n
}
