package job

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/tensor"
)

// Cost is what something takes in one run.
type Cost struct {
	Ms      float64 `json:"ms"`
	Percent float64 `json:"percent"`                    // of the time of all
	GFLOPS  Number  `json:"gflops,omitempty"`           // where matrices are multiplied or convolved
	OfLimit Number  `json:"percent_of_limit,omitempty"` // that GFLOPS is, where the limit is known
	MiB     Number  `json:"mib"`                        // read and written, each tensor once
	GBs     Number  `json:"gb_per_s"`
}

// optimizerRow is the row of the step of the parameters.
const optimizerRow = "(optimizer)"

// ProfileRow is what the nodes of one operator take; (optimizer) is the step of the parameters.
type ProfileRow struct {
	Op    string `json:"op"`
	Calls int    `json:"calls"`
	Cost
}

// NodeRow is what one node takes.
type NodeRow struct {
	Name     string `json:"name"` // of a gradient: of the node that it is the gradient of
	Op       string `json:"op"`
	Gradient bool   `json:"gradient,omitempty"` // it runs in the backward pass
	Shape    []int  `json:"shape,omitempty"`    // of its first output
	Calls    int    `json:"calls"`
	Cost
}

// profiler adds up what the nodes of a session take. Bodies count for the nodes that they belong to.
type profiler struct {
	s       *engine.Session
	threads int
	limit   float64 // of one thread, the most that was seen
	at      map[*graph.Node]*spent
	all     []*spent // in the order of the first run
	stepped spent    // the optimiser
}

// spent is what a node took in all runs.
type spent struct {
	n     *graph.Node
	calls int
	time  time.Duration
	macs  int64 // of one call
	bytes int64
	shape tensor.Shape
}

func newProfiler(s *engine.Session, threads int) *profiler {
	p := &profiler{s: s, threads: threads, at: map[*graph.Node]*spent{}, limit: kernel.FMALimit(10 * time.Millisecond)}
	s.Trace = p.node
	return p
}

func (p *profiler) node(n *graph.Node, d time.Duration) {
	c := p.at[n]
	if c == nil {
		c = p.measure(n)
		p.at[n] = c
		p.all = append(p.all, c)
	}
	c.calls++
	c.time += d
}

// step notes the time of the optimiser since start.
func (p *profiler) step(start time.Time) {
	p.stepped.calls++
	p.stepped.time += time.Since(start)
}

// measure works out the work of n.
func (p *profiler) measure(n *graph.Node) *spent {
	g := p.s.Graph()
	c := &spent{n: n}
	shapes := make([]tensor.Shape, g.NumValues())
	seen := map[graph.Value]bool{0: true}
	for i, v := range slices.Concat(n.In, n.Out) {
		if v != 0 {
			shapes[v] = p.s.Shape(v)
		}
		if seen[v] || i < n.NumIn && !n.Op.Reads(i) {
			continue
		}
		seen[v] = true
		if shapes[v] != nil && !n.Op.View {
			c.bytes += int64(graph.StorageBytes(g.Info(v).DType, shapes[v].Len()))
		}
	}
	for _, v := range n.Out {
		if v != 0 {
			c.shape = shapes[v]
			break
		}
	}
	c.macs = ops.MACs(n, shapes)
	return c
}

// report writes what was noted, for one of the r.N runs.
func (p *profiler) report(r *BenchReport) {
	p.limit = max(p.limit, kernel.FMALimit(10*time.Millisecond))
	r.Limit = Number(p.limit * float64(p.threads) / 1e9)
	total := p.stepped.time
	for _, c := range p.all {
		total += c.time
	}
	byOp := map[string]*spent{}
	back := false
	for _, c := range p.all {
		back = back || c.n.For != nil // sums of gradients are for no node of their own
		op := opName(c.n.Op.Domain, c.n.Op.Name)
		r.Nodes = append(r.Nodes, NodeRow{Name: nodeName(c.n), Op: op, Gradient: back, Shape: c.shape, Calls: c.calls / r.N,
			Cost: c.cost(r, total)})
		sum := byOp[op]
		if sum == nil {
			sum = &spent{}
			byOp[op] = sum
		}
		sum.calls += c.calls
		sum.time += c.time
		sum.macs += c.macs * int64(c.calls)
		sum.bytes += c.bytes * int64(c.calls)
	}
	for op, c := range byOp {
		calls := c.calls
		c.calls = 1
		r.Profile = append(r.Profile, ProfileRow{op, calls / r.N, c.cost(r, total)})
	}
	if p.stepped.calls > 0 {
		r.Profile = append(r.Profile, ProfileRow{optimizerRow, p.stepped.calls / r.N, p.stepped.cost(r, total)})
	}
	slices.SortFunc(r.Profile, func(a, b ProfileRow) int { return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Op, b.Op)) })
}

// cost is c for one of the r.N runs, which took total together.
func (c *spent) cost(r *BenchReport, total time.Duration) Cost {
	macs, bytes := float64(c.macs)*float64(c.calls), float64(c.bytes)*float64(c.calls)
	k := Cost{Ms: units.Ms(c.time) / float64(r.N), Percent: 100 * float64(c.time) / float64(max(total, 1)),
		MiB: Number(bytes / float64(r.N) / (1 << 20))}
	if c.time <= 0 {
		return k
	}
	k.GFLOPS = Number(2 * macs / c.time.Seconds() / 1e9)
	k.GBs = Number(bytes / c.time.Seconds() / 1e9)
	if r.Limit > 0 {
		k.OfLimit = 100 * k.GFLOPS / r.Limit
	}
	return k
}

// nodeName is the name of n in the file, of a gradient that of the node that it belongs to.
func nodeName(n *graph.Node) string {
	for n.Name == "" && n.For != nil {
		n = n.For
	}
	return cmp.Or(n.Name, fmt.Sprintf("#%d", n.ID))
}
