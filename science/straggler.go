package science

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/straggler"
)

func init() {
	register(Recipe{
		Name: "straggler", Title: "Gradient codes against backup tasks and plain waiting", Paper: "https://arxiv.org/abs/2211.13802",
		Question: "Do sequential gradient codes finish sooner than backup tasks, on delays that they were not chosen by, and does the " +
			"simulator say how long they take?",
		Seeds: 5, Run: stragglers,
	})
}

const (
	stragglerWorkers = 16
	stragglerProbe   = 40  // rounds by which schemes are chosen
	stragglerJobs    = 200 // on which they are measured
	stragglerDelay   = 3   // most rounds that a gradient may be late
	stragglerReal    = 30  // jobs of the real runs, of 8 workers
)

// surroundings are kinds of delays.
var surroundings = []struct{ name, delays string }{
	{"rare: 2 % late, seldom twice", "late=0.02:stay=0.1"},
	{"usual: 5 % late, seldom twice", "late=0.05:stay=0.1"},
	{"bursts: 2 % late, for five rounds", "late=0.02:stay=0.8"},
	{"work is most of a round", "late=0.05:stay=0.1:slope=16"},
	{"late ones take twice as long", "late=0.05:stay=0.1:slow=2:tail=0"},
	{"nobody is late", "late=0:stay=0"},
}

func stragglers(ctx context.Context, l *Lab) error {
	if err := stragglersSimulated(ctx, l); err != nil {
		return err
	}
	return stragglersReal(ctx, l)
}

// families are the names of the schemes, in the order of the tables.
var families = []string{"backup", "gc", "sr-sgc", "m-sgc"}

// stragglersSimulated chooses the parameters of each scheme by some rounds, and measures it on others.
func stragglersSimulated(ctx context.Context, l *Lab) error {
	t := Table{Title: fmt.Sprintf("Simulated: seconds of %d gradients by %d workers as a share of plain waiting, %%. Parameters were chosen "+
		"by %d rounds before, for each seed anew", stragglerJobs, stragglerWorkers, stragglerProbe),
		Columns: []string{"delays", "backup", "GC", "SR-SGC", "M-SGC", "chosen of all", "M-SGC where it was chosen", "chosen how often"}}
	rule := straggler.Rule{Mu: 1}
	type outcome struct{ share map[string][]float64 }
	var all []outcome
	for _, s := range surroundings {
		got := outcome{map[string][]float64{}}
		count := map[string]int{}
		for _, seed := range l.Seeds {
			if err := ctx.Err(); err != nil {
				return err
			}
			l.Progress("simulated, %s, seed %d", s.name, seed)
			c, err := straggler.ParseSynthetic(s.delays)
			if err != nil {
				return err
			}
			probe, err := c.Trace(stragglerWorkers, stragglerProbe, seed)
			if err != nil {
				return err
			}
			fresh, err := c.Trace(stragglerWorkers, stragglerJobs+stragglerDelay, seed+1000)
			if err != nil {
				return err
			}
			none, err := straggler.Simulate(&straggler.None{}, fresh, stragglerJobs, straggler.Simulation{Rule: rule})
			if err != nil {
				return err
			}
			best, _, err := straggler.Select(ctx, probe, straggler.Search{Simulation: straggler.Simulation{Rule: rule}, MaxDelay: stragglerDelay})
			if err != nil {
				return err
			}
			for k, x := range best {
				family, _, _ := strings.Cut(x.Scheme.String(), ":")
				o, err := straggler.Simulate(x.Scheme, fresh, stragglerJobs, straggler.Simulation{Rule: rule})
				if err != nil {
					return err
				}
				got.share[family] = append(got.share[family], o.Seconds/none.Seconds)
				if family == "m-sgc" { // what the rounds promised by which it was chosen
					p := best[slices.IndexFunc(best, func(y straggler.Choice) bool { return y.Scheme.String() == "none" })]
					got.share["promised"] = append(got.share["promised"], x.Outcome.Seconds/p.Outcome.Seconds)
				}
				if k == 0 {
					got.share["chosen"] = append(got.share["chosen"], o.Seconds/none.Seconds)
					count[family]++
				}
			}
		}
		row := []Cell{Word(s.name)}
		for _, f := range append(slices.Clone(families), "chosen", "promised") {
			row = append(row, Percent(1, got.share[f]))
		}
		var often []string
		for _, f := range append([]string{"none"}, families...) {
			if n := count[f]; n > 0 {
				often = append(often, fmt.Sprintf("%s %d×", f, n))
			}
		}
		t.Row(append(row, Word(strings.Join(often, ", ")))...)
		all = append(all, got)
	}
	l.Table(t)
	l.Say("Delays are made up: a worker is fast or late by a chain of two states; a fast one takes 1 s and 1 s times its share of the data "+
		"unless the row says otherwise, a late one three times as long and an exponential with a mean of 1 s more. Who takes more than twice "+
		"as long as the fastest is late. "+
		"\"M-SGC where it was chosen\" is what the %d rounds promised by which its parameters were chosen.", stragglerProbe)
	var faster, slower, even []string
	for k, s := range surroundings {
		name := strings.SplitN(s.name, ":", 2)[0]
		switch Differs(all[k].share["chosen"], all[k].share["backup"]) {
		case -1:
			faster = append(faster, name)
		case 1:
			slower = append(slower, name)
		default:
			even = append(even, name)
		}
	}
	for _, p := range []struct {
		text string
		in   []string
	}{{"What was chosen of all by the rounds before is faster than backup tasks (paired by seed, 95 %%) with these delays: %s.", faster},
		{"It is slower than backup tasks with these: %s.", slower}, {"The two are not to be told apart with these: %s.", even}} {
		if len(p.in) > 0 {
			l.Say(p.text, strings.Join(p.in, "; "))
		}
	}
	l.Say("Backup tasks have every worker hold all of the data, and codes a share of it for each straggler that they stand; what that costs " +
		"is not in the table.")
	idle := all[len(all)-1].share
	l.Say("Where nobody is late, what is chosen of all takes %.1f %% of plain waiting: a selector that saw a gain there would be wrong.",
		100*mean(idle["chosen"]))
	return nil
}

func mean(xs []float64) float64 { m, _ := Interval(xs); return m }

// stragglersReal trains with every scheme on the same delays.
func stragglersReal(ctx context.Context, l *Lab) error {
	c := job.StragglerTrainConfig{Models: []string{"builtin:mlp"}, Data: "digits#train", Rates: []float64{0.5, 0.2}, Workers: 8,
		TrainOptions: job.TrainOptions{Optimizer: "sgd", Schedule: "constant"}, Jobs: stragglerReal, Command: l.Worker,
		ModelOptions: job.ModelOptions{Threads: l.Threads}}
	what := "processes"
	if c.Command == nil {
		c.Fleet, what = job.FleetLocal, "goroutines"
	}
	schemes := []string{"none", "backup", "gc:s=1", "sr-sgc:B=1:W=3:lambda=3", "m-sgc:B=1:W=2:lambda=3"}
	took, said, ratio := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	same, apart := 0, 0.0
	for _, seed := range l.Seeds {
		weights := ""
		for _, s := range schemes {
			l.Progress("%s with %s, seed %d", what, s, seed)
			c.Scheme, c.Seed = s, seed
			c.Delays = job.StragglerDelays{Synthetic: "base=0.15:late=0.08:stay=0.3:slow=4:slope=0.4"}
			r, err := job.StragglerTrain(ctx, c, nil)
			if err != nil {
				return err
			}
			took[s], said[s] = append(took[s], r.Seconds), append(said[s], float64(r.Predicted))
			ratio[s] = append(ratio[s], r.Seconds/float64(r.Predicted))
			apart = max(apart, math.Abs(r.Seconds/float64(r.Predicted)-1))
			got := string(r.Trainings[0].Weights + r.Trainings[1].Weights)
			if weights == "" {
				weights = got
			}
			if got == weights {
				same++
			}
		}
	}
	t := Table{Title: fmt.Sprintf("Real: %d gradients of digits by 8 %s that sleep, two trainings of a perceptron in turn", stragglerReal,
		what),
		Columns: []string{"scheme", "predicted, s", "took, s", "took, % of predicted"}}
	for _, s := range schemes {
		t.Row(Word(s), Mean(2, said[s]), Mean(2, took[s]), Percent(1, ratio[s]))
	}
	l.Table(t)
	n := len(schemes) * len(l.Seeds)
	l.Say("In %d of %d runs the weights of both trainings are those of plain waiting with the same seed, to the bit.", same, n)
	within := "which is within"
	if apart > 0.2 {
		within = "which is more than"
	}
	l.Say("The run that is farthest from its prediction differs by %.1f %%, %s the 20 %% that the simulator is trusted for here. "+
		"Predictions know "+
		"the injected sleeps and nothing of this machine's other work; a worker's compute counts towards the sleep that stands for its work.",
		100*apart, within)
	var faster []string
	for _, s := range schemes[1:] {
		if Differs(took[s], took["none"]) == -1 {
			faster = append(faster, s)
		}
	}
	if len(faster) > 0 {
		l.Say("Faster than plain waiting, paired by seed: %s.", list(faster))
	}
	return nil
}
