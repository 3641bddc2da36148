package optim

import (
	"errors"
	"fmt"
	"iter"
	"math"

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

// ScheduleConfig holds the options of NewSchedule. Zero values leave the defaults.
type ScheduleConfig struct {
	LR     float64 // rate at the start, after warm-up
	MinLR  float64 // cosine: rate at the end; 0 unless given
	Every  int     // step: steps between two drops; a third of the training unless given
	Gamma  float64 // step: factor of each drop; 0.1 unless given
	Warmup int     // steps of linear warm-up before the schedule; 0 for none
}

// ScheduleInfo describes a schedule that NewSchedule makes by name.
type ScheduleInfo struct {
	Name, Doc, Source string

	build func(ScheduleConfig) (Schedule, error)
}

// NewSchedule is the named schedule, after a linear warm-up when c has one. It fails for a name that is
// not registered, for an option that the schedule does not take and for a value out of range.
func NewSchedule(name string, c ScheduleConfig) (Schedule, error) {
	info, err := LookupSchedule(name)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (Schedule, error) { return nil, fmt.Errorf("optim: schedule %s: %w", name, err) }
	if !(c.LR > 0) || math.IsInf(c.LR, 1) {
		return fail(fmt.Errorf("learning rate %v: must be above 0", c.LR))
	}
	if c.Warmup < 0 {
		return fail(fmt.Errorf("%d steps of warm-up", c.Warmup))
	}
	s, err := info.build(c)
	if err != nil {
		return fail(err)
	}
	if c.Warmup > 0 {
		s = Warmup{Steps: c.Warmup, Then: s}
	}
	return s, nil
}

// noStep refuses the options of the step schedule.
func (c ScheduleConfig) noStep() error {
	if c.Every != 0 || c.Gamma != 0 {
		return errors.New("takes no every and no gamma; the step schedule does")
	}
	return nil
}

// noMin refuses the option of the cosine schedule.
func (c ScheduleConfig) noMin() error {
	if c.MinLR != 0 {
		return errors.New("takes no minimal learning rate; the cosine schedule does")
	}
	return nil
}
