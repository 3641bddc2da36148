package job

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/internal/units"
)

// Scaling is what is predicted for more threads from traces of one.
type Scaling struct {
	ForkUs  Number       `json:"fork_us"`                // what it costs to share a loop, measured on two threads
	Assumed bool         `json:"fork_assumed,omitempty"` // no second processor was free to measure it
	OneMs   Number       `json:"one_ms"`                 // the work on one thread
	Rows    []ScalingRow `json:"rows"`
}

// ScalingRow is the prediction for a number of threads.
type ScalingRow struct {
	Threads    int           `json:"threads"`
	Ms         Number        `json:"ms"`
	SpeedUp    Number        `json:"speed_up"` // over one thread
	SerialMs   Number        `json:"serial_ms"`
	MeasuredMs Number        `json:"measured_ms,omitempty"` // the best run, where there are as many processors
	Ops        []ScalingOp   `json:"operators"`             // that lose the most
	Nodes      []ScalingNode `json:"nodes"`                 // the same
}

// ScalingOp is what all nodes of an operator lose.
type ScalingOp struct {
	Op       string `json:"op"`
	OneMs    Number `json:"one_ms"` // on one thread
	Ms       Number `json:"ms"`
	SpeedUp  Number `json:"speed_up"`
	LostMs   Number `json:"lost_ms"`   // beyond its share of one thread's time
	SerialMs Number `json:"serial_ms"` // in which one thread works alone
}

// ScalingNode is a node that does not become faster by the number of threads.
type ScalingNode struct {
	Name     string `json:"name"`
	Op       string `json:"op"`
	Gradient bool   `json:"gradient,omitempty"`
	OneMs    Number `json:"one_ms"` // on one thread
	Ms       Number `json:"ms"`
	SpeedUp  Number `json:"speed_up"`
	LostMs   Number `json:"lost_ms"` // beyond its share of one thread's time
	Loops    int    `json:"loops"`
	Tasks    int    `json:"tasks"` // of all loops
	Why      string `json:"why"`   // what most of it is lost to: serial, forks, uneven tasks or more work
}

// usualFork is what is taken for a fork where none can be measured.
const usualFork = 2 * time.Microsecond

// mostLost is how many nodes a prediction names.
const mostLost = 20

// timeline is what one run did, node by node, the optimiser last; the fastest of several runs of each task.
type timeline struct {
	nodes []*graph.Node // nil for the optimiser
	parts [][]parallel.Part
}

// scaling predicts the time of what c times on each number of threads.
func scaling(ctx context.Context, c BenchConfig, rep Reporter) (*Scaling, error) {
	fork, s := parallel.Fork(), &Scaling{}
	if fork == 0 {
		fork, s.Assumed = usualFork, true
	}
	s.ForkUs = Number(fork.Seconds() * 1e6)
	bar := rep.Stage("scaling", 1+len(c.Scaling))
	defer bar.End()
	one, _, err := timelineOf(ctx, c, 1)
	if err != nil {
		return nil, err
	}
	all := one.on(1, 0)
	s.OneMs = Number(units.Ms(all))
	bar.Set(1, "")
	for i, threads := range c.Scaling {
		many, ops, err := timelineOf(ctx, c, threads)
		if err != nil {
			return nil, err
		}
		took := many.on(threads, fork)
		row := ScalingRow{Threads: threads, Ms: Number(units.Ms(took)), SpeedUp: Number(all.Seconds() / took.Seconds())}
		if len(many.parts) == len(one.parts) { // the same graph
			row.Nodes, row.Ops = lost(one, many, ops, threads, fork), lostBy(one, many, ops, threads, fork)
		}
		for _, parts := range many.parts {
			row.SerialMs += Number(units.Ms(serialOf(parts)))
		}
		if threads <= runtime.GOMAXPROCS(0) {
			if row.MeasuredMs, err = measured(ctx, c, threads); err != nil {
				return nil, err
			}
		}
		s.Rows = append(s.Rows, row)
		bar.Set(i+2, "")
	}
	return s, nil
}

// timelineOf runs what c times with work cut for so many threads; ops are the names of the nodes' operators.
func timelineOf(ctx context.Context, c BenchConfig, threads int) (tl *timeline, ops []string, err error) {
	pool, trace := parallel.Traced(threads)
	b, done, err := benchOn(ctx, c, engine.WithPool(pool))
	if err != nil {
		return nil, nil, err
	}
	defer done()
	run := &timeline{}
	b.s.Trace = func(n *graph.Node, _ time.Duration) {
		run.nodes, run.parts = append(run.nodes, n), append(run.parts, trace.Cut())
		trace.Cut()
	}
	for i := range *c.Warmup + c.N {
		*run = timeline{}
		trace.Cut()
		if err := b.run(ctx); err != nil {
			return nil, nil, err
		}
		run.nodes, run.parts = append(run.nodes, nil), append(run.parts, trace.Cut()) // the optimiser
		if i < *c.Warmup {
			continue
		}
		if tl == nil {
			tl = &timeline{slices.Clone(run.nodes), slices.Clone(run.parts)}
			continue
		}
		tl.fastest(run)
	}
	for _, n := range tl.nodes {
		op := optimizerRow
		if n != nil {
			op = opName(n.Op.Domain, n.Op.Name)
		}
		ops = append(ops, op)
	}
	return tl, ops, nil
}

// fastest keeps the shorter time of each stretch and task, of nodes that did the same in both runs.
func (tl *timeline) fastest(run *timeline) {
	for i, parts := range tl.parts {
		if i >= len(run.parts) || !slices.EqualFunc(parts, run.parts[i], func(a, b parallel.Part) bool { return len(a.Tasks) == len(b.Tasks) }) {
			continue
		}
		for k := range parts {
			parts[k].Serial = min(parts[k].Serial, run.parts[i][k].Serial)
			for j, t := range run.parts[i][k].Tasks {
				parts[k].Tasks[j] = min(parts[k].Tasks[j], t)
			}
		}
	}
}

// on is the time on so many threads.
func (tl *timeline) on(threads int, fork time.Duration) (all time.Duration) {
	for _, parts := range tl.parts {
		all += parallel.Schedule(parts, threads, fork)
	}
	return all
}

// lost are the nodes that lose the most on so many threads, beside a timeline of one.
func lost(one, many *timeline, ops []string, threads int, fork time.Duration) (all []ScalingNode) {
	took := many.on(threads, fork)
	for i, parts := range many.parts {
		alone, here := parallel.Schedule(one.parts[i], 1, 0), parallel.Schedule(parts, threads, fork)
		ideal := alone / time.Duration(threads)
		if here-ideal < took/500 {
			continue
		}
		n := ScalingNode{Name: optimizerRow, Op: ops[i], OneMs: Number(units.Ms(alone)), Ms: Number(units.Ms(here)),
			LostMs: Number(units.Ms(here - ideal)), SpeedUp: Number(alone.Seconds() / max(here, 1).Seconds())}
		if many.nodes[i] != nil {
			n.Name, n.Gradient = nodeName(many.nodes[i]), many.nodes[i].For != nil
		}
		var work time.Duration
		serial := serialOf(parts)
		for _, p := range parts {
			for _, t := range p.Tasks {
				work += t
			}
			if len(p.Tasks) > 0 {
				n.Loops++
				n.Tasks += len(p.Tasks)
			}
		}
		share := time.Duration(threads)
		forks := parallel.Schedule(parts, threads, fork) - parallel.Schedule(parts, threads, 0)
		more := max(0, serial+work-alone) / share
		uneven := parallel.Schedule(parts, threads, 0) - serial - work/share
		causes := []struct {
			why  string
			cost time.Duration
		}{
			{fmt.Sprintf("serial: %.3g ms", units.Ms(serial)), serial - serial/share},
			{fmt.Sprintf("forks: %s", units.Plural(n.Loops, "loop")), forks},
			{fmt.Sprintf("uneven: %s in %s", units.Plural(n.Tasks, "task"), units.Plural(n.Loops, "loop")), uneven},
			{fmt.Sprintf("more work: %.3g ms in all", units.Ms(serial+work)), more},
		}
		most := causes[0]
		for _, c := range causes[1:] {
			if c.cost > most.cost {
				most = c
			}
		}
		n.Why = most.why
		all = append(all, n)
	}
	slices.SortStableFunc(all, func(a, b ScalingNode) int { return cmp.Compare(b.LostMs, a.LostMs) })
	return all[:min(len(all), mostLost)]
}

// lostBy is lost by operator.
func lostBy(one, many *timeline, ops []string, threads int, fork time.Duration) (all []ScalingOp) {
	at := map[string]int{}
	for i, parts := range many.parts {
		k, ok := at[ops[i]]
		if !ok {
			k = len(all)
			at[ops[i]] = k
			all = append(all, ScalingOp{Op: ops[i]})
		}
		o := &all[k]
		o.OneMs += Number(units.Ms(parallel.Schedule(one.parts[i], 1, 0)))
		o.Ms += Number(units.Ms(parallel.Schedule(parts, threads, fork)))
		o.SerialMs += Number(units.Ms(serialOf(parts)))
	}
	for i := range all {
		o := &all[i]
		o.LostMs = o.Ms - o.OneMs/Number(threads)
		if o.Ms > 0 {
			o.SpeedUp = o.OneMs / o.Ms
		}
	}
	slices.SortStableFunc(all, func(a, b ScalingOp) int { return cmp.Compare(b.LostMs, a.LostMs) })
	return all[:min(len(all), mostLost)]
}

// serialOf is the time before and after the loops of parts.
func serialOf(parts []parallel.Part) (all time.Duration) {
	for _, p := range parts {
		all += p.Serial
	}
	return all
}

// measured is the best time on threads that there are.
func measured(ctx context.Context, c BenchConfig, threads int) (Number, error) {
	b, done, err := benchOn(ctx, c, engine.WithThreads(threads))
	if err != nil {
		return 0, err
	}
	defer done()
	best := time.Duration(0)
	for i := range *c.Warmup + c.N {
		start := time.Now()
		if err := b.run(ctx); err != nil {
			return 0, err
		}
		if d := time.Since(start); i >= *c.Warmup && (best == 0 || d < best) {
			best = d
		}
	}
	return Number(units.Ms(best)), nil
}

// benchOn prepares what c times for a pool of its own.
func benchOn(ctx context.Context, c BenchConfig, pool engine.Option) (b *bencher, done func(), err error) {
	l, err := OpenModel(c.Model, c.ModelOptions, pool)
	if err != nil {
		return nil, nil, err
	}
	b = &bencher{l: l, r: &BenchReport{Mode: cmp.Or(c.Mode, "infer"), Batch: cmp.Or(c.Batch, 1)}}
	if err := b.prepare(ctx, c); err != nil {
		l.Close()
		return nil, nil, chosenSizes(l.Model, c.Inputs, c.Batch, err)
	}
	return b, func() { l.Close() }, nil
}
