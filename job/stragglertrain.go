package job

import (
	"cmp"
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/fleet"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/straggler"
	"github.com/gtk-onnx/gtk/train"
)

// Where the workers of StragglerTrain are.
const (
	FleetProcesses = "processes" // processes of this machine
	FleetLocal     = "local"     // goroutines of this process
)

// StragglerTrainConfig says what is trained by a fleet of workers, and how. A job is one gradient of all the data. There is a training for
// each model and rate; jobs go round: job t is a step of training t modulo their number.
type StragglerTrainConfig struct {
	Models []string // files, or builtin:NAME; at least one
	ModelOptions
	Data               string // data set, FORMAT:PATH[#SPLIT]; required
	DataOptions        data.Options
	UseOptions         // what inputs and outputs mean
	NumClasses         string
	Standardise        bool
	StandardiseTargets bool
	TrainOptions                 // BatchSize, KeepOrder, Sampler and Augment are not used: every step is on all the data
	Rates              []float64 // learning rates, one training of each model for each; nil means LR alone

	Workers    int             // 0 means 8
	Fleet      string          // FleetProcesses or FleetLocal; "" means FleetProcesses
	Scheme     string          // see straggler.Parse, or auto; "" means none
	Jobs       int             // gradients in all; required
	Partitions int             // parts that the data are cut into; 0 means twelve for each worker, or as many as there are examples
	Rule       StragglerRule   //
	Delays     StragglerDelays // that workers sleep; none where neither trace nor synthetic is given
	// gradients may be of weights that lack the last steps, where a scheme's delay is larger than the trainings are many
	Stale   bool
	Probe   int // auto: jobs that are done by none before it chooses; 0 means 8
	Reprobe int // auto: jobs after which it probes again; 0 means never

	Out     string   // FILE.onnx of a single training, or a folder; "" for none
	Replay  []byte   // content of the run.yaml that is written into a folder; nil for none
	Force   bool     // write over what is there
	Seed    uint64   // of everything random
	Command []string // of a worker process, which calls StragglerWorker: gtk straggler worker; required with FleetProcesses
}

// finetune is the training of a model at a rate, as FinetuneConfig has it.
func (c StragglerTrainConfig) finetune(model, rate, threads int) FinetuneConfig {
	o := c.TrainOptions
	o.BatchSize, o.KeepOrder, o.Sampler, o.Augment = All, true, "", ""
	if len(c.Rates) > 0 {
		o.LR = c.Rates[rate]
	}
	m := c.ModelOptions
	m.Threads = threads
	return FinetuneConfig{Model: c.Models[model], ModelOptions: m, Data: c.Data, DataOptions: c.DataOptions, UseOptions: c.UseOptions,
		NumClasses: c.NumClasses, Standardise: c.Standardise, StandardiseTargets: c.StandardiseTargets, TrainOptions: o, Seed: c.Seed,
		Epochs: 1}
}

// check refuses what cannot be meant, and fills in what is usual.
func (c *StragglerTrainConfig) check() error {
	c.Workers, c.Fleet, c.Scheme, c.Probe = cmp.Or(c.Workers, 8), cmp.Or(c.Fleet, FleetProcesses), cmp.Or(c.Scheme, "none"), cmp.Or(c.Probe, 8)
	switch {
	case len(c.Models) == 0 || slices.Contains(c.Models, ""):
		return usagef("gtk straggler train: the model is missing")
	case c.Data == "":
		return usagef("gtk straggler train: --data is missing; see gtk data --list")
	case c.Jobs < 1:
		return usagef("--jobs %d: want how many gradients of all the data are taken, at least 1", c.Jobs)
	case c.Workers < 1 || c.Workers > 1000:
		return usagef("--workers %d: want 1 to 1000", c.Workers)
	case c.Fleet != FleetProcesses && c.Fleet != FleetLocal:
		return usagef("--fleet %q: want %s or %s", c.Fleet, FleetProcesses, FleetLocal)
	case c.Partitions < 0:
		return usagef("--partitions %d: must not be negative", c.Partitions)
	case c.Probe < 2 || c.Reprobe < 0:
		return usagef("--probe %d --reprobe %d: want at least 2 rounds, and 0 or a number of jobs", c.Probe, c.Reprobe)
	case c.Jobs < c.trainings():
		return usagef("--jobs %d: there are %d trainings, and each takes at least a step", c.Jobs, c.trainings())
	case c.MicroBatch > 0:
		return usagef("--micro-batch: the data go through the model by partitions: give more --partitions")
	}
	for _, r := range c.Rates {
		if !(r > 0) || math.IsInf(r, 0) {
			return usagef("--lr %v: want positive numbers", r)
		}
	}
	if name, does := c.evaluates(); does {
		return usagef("%s: workers hand in gradients, and it evaluates the loss itself: take a rule that is handed them, such as adam or sgd",
			name)
	}
	if _, err := c.Rule.rule(); err != nil {
		return err
	}
	if c.Scheme == "auto" {
		return nil
	}
	_, err := c.scheme()
	return err
}

// trainings is how many there are.
func (c StragglerTrainConfig) trainings() int { return len(c.Models) * max(1, len(c.Rates)) }

// scheme reads Scheme, and checks that it fits.
func (c StragglerTrainConfig) scheme() (straggler.Scheme, error) {
	s, err := parseScheme(c.Scheme)
	if err != nil {
		return nil, err
	}
	p, err := s.Plan(c.Workers, c.Jobs)
	if err != nil {
		return nil, usagef("--scheme: %v", strings.TrimPrefix(err.Error(), "straggler: "))
	}
	if _, err := straggler.Exact(p); err != nil {
		return nil, usagef("--scheme: %v", strings.TrimPrefix(err.Error(), "straggler: "))
	}
	if d, m := p.Delay(), c.trainings(); d >= m && !c.Stale {
		return nil, usagef("--scheme %v: a gradient is there %d rounds after its own at last, so that the next step of the same training can "+
			"begin %d rounds later: train %d models at once (several models, or --lr with %[3]d rates), or give --stale to have steps go by "+
			"weights that lack up to %[2]d steps, or take a scheme without delay (none, backup, gc)", s, d, d+1, d+1)
	}
	return s, nil
}

// stragglerTrainingOf is one training of the run.
type stragglerTrainingOf struct {
	*finetuning
	name     string // of the file
	model    int    // of Models
	part     *train.Partial
	ps       []*optim.Param
	schedule optim.Schedule
	steps    int // in all
	done     int
	losses   []float64
	accuracy float64
}

// stragglerTraining is a run.
type stragglerTraining struct {
	c         StragglerTrainConfig
	rep       Reporter
	trainings []*stragglerTrainingOf
	content_  map[string]fleet.Key // of blocks
	shards    []*shards            // by model
	delays    *straggler.Trace     // nil for none
	rule      straggler.Rule
	hub       *fleet.Hub
	plane     fleet.Plane
	processes *fleet.Processes // nil for goroutines
	results   chan stragglerAnswer
	events    chan fleet.Event
	weights   map[int]fleet.Key // by job that is under way
	uses      map[fleet.Key]int
	slopes    []float64 // seconds of all the data, as workers say
	compute   float64   // as the coordinator measured
	stage     Stage
	r         *StragglerTrainReport
}

// of is the training of which a job is a step.
func (t *stragglerTraining) of(job int) int { return job % len(t.trainings) }

// StragglerTrain trains on gradients of all the data that workers add up, some of which may be late. With every scheme but those with a
// cyclic code the weights are the same to the bit, as long as no step is stale. When ctx is cancelled the workers end and nothing is
// written.
func StragglerTrain(ctx context.Context, c StragglerTrainConfig, rep Reporter) (*StragglerTrainReport, error) {
	rep = orQuiet(rep)
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Out != "" && !c.folder() && c.trainings() > 1 {
		return nil, usagef("-o %s: there are %d trainings: give a folder", c.Out, c.trainings())
	}
	var in []read
	for _, m := range c.Models {
		in = append(in, reads(m, c.ModelOptions, c.Data)...)
	}
	in = append(in, read{"--delay", c.Delays.Trace, false})
	release, err := claim(in, output{flag: "--out", path: c.Out, folder: c.folder(), model: true, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	t, err := c.prepare(ctx, rep)
	if err != nil {
		return nil, err
	}
	if err := t.run(ctx); err != nil {
		return nil, err
	}
	return t.r, t.write(ctx)
}

// folder reports whether the output is a folder.
func (c StragglerTrainConfig) folder() bool {
	return c.Out != "" && !strings.EqualFold(filepath.Ext(c.Out), ".onnx")
}
