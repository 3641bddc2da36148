package optim

import (
	"fmt"
	"iter"
	"math"
	"strings"

	opts "github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
)

var schedules = registry.Table[ScheduleInfo]{Kind: "learning-rate schedule"}

func registerSchedule(i ScheduleInfo) { schedules.Register(i.Name, i, i.Doc, i.Source) }

// Schedules yields all registered schedules, by name.
func Schedules() iter.Seq2[string, ScheduleInfo] { return schedules.All() }

// LookupSchedule is the registered schedule of that name; for another name the error says what was probably meant.
func LookupSchedule(name string) (ScheduleInfo, error) {
	i, err := schedules.Lookup(name)
	if err != nil {
		return i, fmt.Errorf("optim: %w", err)
	}
	return i, nil
}

// Schedule is a learning rate that depends on the step. Steps count from 1; total is the length of the
// training in the same unit. The unit may be anything, samples for instance, as long as it is always the same.
type Schedule interface {
	LR(step, total int) float64
}

// Timing is what a schedule has to know of a training: how much of its unit, which is usually the step, things are.
type Timing struct {
	Total  int     // the whole training
	Step   float64 // one step; 1 where the unit is the step
	Epoch  float64 // a pass over the data
	Sample float64 // one example

	Validates bool // there are validation data, measured after each epoch
}

// Begun is a Schedule that has to know the training, or looks at how it goes. Begin makes the one for a training, with a state of its own.
type Begun interface {
	Schedule
	Begin(Timing) (Schedule, error)
}

// Begin is s for a training.
func Begin(s Schedule, t Timing) (Schedule, error) {
	b, ok := s.(Begun)
	if !ok {
		return s, nil
	}
	return b.Begin(t)
}

// Outcome is what came of an epoch. What was not measured is NaN.
type Outcome struct {
	Step      int     // at its end, in the unit of the schedule
	TrainLoss float64 // mean of the epoch
	ValLoss   float64 // on the validation data
	Metric    float64 // the first metric of the task there
	Lower     bool    // the metric is better when lower
}

// Watcher is a Schedule that looks at how the training goes. Its rates follow from the outcomes that it was shown, in their order: who
// continues a training shows it those of the epochs before.
type Watcher interface {
	Schedule
	See(Outcome)
}

// ScheduleConfig holds what every schedule takes.
type ScheduleConfig struct {
	LR     float64 // rate at the start, after warm-up, or the highest one; above 0
	Warmup string  // length of a linear warm-up before the schedule, as 500, 1epoch, 3% (see NewSchedule); "" for none
}

// ScheduleInfo describes a schedule that NewSchedule makes by name.
type ScheduleInfo struct {
	Name, Doc, Source string

	recipe func() recipe // its options, with their defaults
}

// Options lists the options of the schedule with their defaults.
func (i ScheduleInfo) Options() []opts.Option { return opts.List(i.recipe()) }

// recipe is the options of a schedule, a struct with tagged fields.
type recipe interface {
	// schedule is the schedule that starts at the rate lr (or has it as its highest) in a training; it checks the options.
	schedule(lr float64, t Timing) (Schedule, error)
}

// NewSchedule is the schedule NAME:KEY=VALUE:…, after a linear warm-up when c has one. Options that are lengths are written as steps
// (500), epochs (2epochs), examples (50000samples) or a share of the training (30%). The option by=epoch, which every schedule takes,
// holds the rate during an epoch. It fails for a name that is not registered, for an option that the schedule does not take and for a value
// out of range. Where lengths are epochs or samples, rates are NaN until Begin has said how long these are.
func NewSchedule(spec string, c ScheduleConfig) (Schedule, error) {
	name, pairs, err := opts.Split(spec)
	if err != nil {
		return nil, fmt.Errorf("optim: schedule %w", err)
	}
	info, err := LookupSchedule(name)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (Schedule, error) { return nil, fmt.Errorf("optim: schedule %s: %w", name, err) }
	if !(c.LR > 0) || math.IsInf(c.LR, 1) {
		return fail(fmt.Errorf("learning rate %v: must be above 0", c.LR))
	}
	s := &specified{spec: spec, lr: c.LR, recipe: info.recipe()}
	if s.warm, err = parseStretch(c.Warmup); err != nil {
		return fail(fmt.Errorf("warm-up %w", err))
	}
	for _, p := range pairs {
		if p[0] != "by" {
			if err := opts.Set(s.recipe, p[0], p[1]); err != nil {
				return fail(err)
			}
			continue
		}
		switch p[1] {
		case "epoch":
			s.held = true
		case "step":
		default:
			return fail(fmt.Errorf("by=%q: want step or epoch", p[1]))
		}
	}
	if _, err := s.Begin(Timing{Total: 1 << 20, Step: 1, Epoch: 1 << 10, Sample: 1. / 32, Validates: true}); err != nil {
		return nil, err
	}
	return s, nil
}

// specified is a schedule by name, before the training is known.
type specified struct {
	spec   string
	lr     float64
	recipe recipe
	warm   stretch
	held   bool // within an epoch
}

// String is what it was made of.
func (s *specified) String() string {
	text := fmt.Sprintf("%s from %g", s.spec, s.lr)
	if s.warm.n > 0 {
		text += " after " + s.warm.String()
	}
	return text
}

// LR is that of a training of so many steps of which nothing else is known.
func (s *specified) LR(step, total int) float64 {
	b, err := s.Begin(Timing{Total: total, Step: 1, Epoch: math.NaN(), Sample: math.NaN()})
	if err != nil {
		return math.NaN()
	}
	return b.LR(step, total)
}

// Begin implements Begun.
func (s *specified) Begin(t Timing) (Schedule, error) {
	fail := func(err error) (Schedule, error) {
		name, _, _ := strings.Cut(s.spec, ":")
		return nil, fmt.Errorf("optim: schedule %s: %w", name, err)
	}
	warm, err := s.warm.in(t)
	if err != nil {
		return fail(fmt.Errorf("warm-up: %w", err))
	}
	rest := t
	rest.Total = max(t.Total-warm, 1)
	if !s.held {
		then, err := s.recipe.schedule(s.lr, rest)
		if err != nil {
			return fail(err)
		}
		return warmed(warm, then), nil
	}
	if !(t.Epoch >= 1) {
		return fail(fmt.Errorf("by=epoch: the length of an epoch is not known"))
	}
	epochs := Timing{Total: int(math.Ceil(float64(rest.Total) / t.Epoch)), Step: t.Step / t.Epoch, Epoch: 1, Sample: t.Sample / t.Epoch,
		Validates: t.Validates}
	then, err := s.recipe.schedule(s.lr, epochs)
	if err != nil {
		return fail(err)
	}
	return warmed(warm, &heldSchedule{epoch: int(t.Epoch), then: then}), nil
}

// warmed is then after so many steps of warm-up.
func warmed(steps int, then Schedule) Schedule {
	if steps == 0 {
		return then
	}
	return Warmup{Steps: steps, Then: then}
}

// heldSchedule holds the rate during an epoch of so many steps.
type heldSchedule struct {
	epoch int
	then  Schedule
}

// LR is that of the epoch of the step.
func (s *heldSchedule) LR(step, total int) float64 {
	return s.then.LR((step-1)/s.epoch+1, (total+s.epoch-1)/s.epoch)
}

// See shows it to the schedule that is held.
func (s *heldSchedule) See(o Outcome) {
	if w, ok := s.then.(Watcher); ok {
		o.Step /= s.epoch
		w.See(o)
	}
}
