package train

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/gtk-onnx/gtk/task"
)

// record is what a checkpoint says of its run besides tensors.
type record struct {
	Form     int           `json:"form"`
	Traits   []Trait       `json:"traits"`
	Epochs   int           `json:"epochs"` // finished
	Begun    int           `json:"begun"`  // step at which the next one began
	Examples int           `json:"examples"`
	Seconds  real          `json:"seconds"`
	Part     partRecord    `json:"part"`
	Before   *evalRecord   `json:"before"`
	History  []epochRecord `json:"history"`

	Growth *growthRecord `json:"growth,omitempty"`
}

// growthRecord is where batches that grow stand.
type growthRecord struct {
	Size    int            `json:"size"` // of the next batch
	Last    int            `json:"last"` // of the one before
	Rate    real           `json:"rate"` // of the last step
	Need    real           `json:"need"`
	Noise   real           `json:"noise"`
	Changes []changeRecord `json:"changes"`
}

type changeRecord struct {
	Step     int `json:"step"`
	Examples int `json:"examples"`
	Size     int `json:"size"`
}

// recordForm is the form of record that this package writes, and the newest that it reads.
const recordForm = 1

type partRecord struct {
	N       int  `json:"n"`
	Hit     int  `json:"hit"`
	Loss    real `json:"loss"`
	Terms   real `json:"terms"`
	Seconds real `json:"seconds"`

	Measures map[string]real `json:"measures"`
}

type evalRecord struct {
	N         int             `json:"n"`
	Decisions int             `json:"decisions"`
	Loss      real            `json:"loss"`
	Metrics   []measureRecord `json:"metrics"`
}

type measureRecord struct {
	Name  string `json:"name"`
	Value real   `json:"value"`
	Lower bool   `json:"lower,omitempty"`
}

type epochRecord struct {
	Epoch     int             `json:"epoch"`
	Step      int             `json:"step"`
	Examples  int             `json:"examples"`
	LR        real            `json:"lr"`
	TrainLoss real            `json:"train_loss"`
	TrainAcc  real            `json:"train_accuracy"`
	Val       *evalRecord     `json:"val"`
	Best      bool            `json:"best,omitempty"`
	Seconds   real            `json:"seconds"`
	Measures  map[string]real `json:"measures"`
}

// real is a float64 whose JSON gives back its very bits but for those of a NaN: numbers that are not finite are strings.
type real float64

// MarshalJSON is the shortest number that reads back the same.
func (r real) MarshalJSON() ([]byte, error) {
	if v := float64(r); math.IsNaN(v) || math.IsInf(v, 0) {
		return json.Marshal(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return json.Marshal(float64(r))
}

// UnmarshalJSON reads both forms.
func (r *real) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		v, err := strconv.ParseFloat(s, 64)
		*r = real(v)
		return err
	}
	var v float64
	err := json.Unmarshal(b, &v)
	*r = real(v)
	return err
}

func (r *record) encode() ([]byte, error) { return json.Marshal(r) }

func decodeRecord(b []byte) (*record, error) {
	r := &record{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("its record cannot be read: %w", err)
	}
	switch {
	case r.Form > recordForm:
		return nil, fmt.Errorf("its form is %d, and the newest that this program reads is %d", r.Form, recordForm)
	case r.Epochs < 0 || r.Begun < 0 || r.Examples < 0:
		return nil, fmt.Errorf("its record counts below 0")
	}
	return r, nil
}

// makeRecord is the record of the present state.
func (f *fit) makeRecord() *record {
	r := &record{
		Form: recordForm, Traits: f.traits, Epochs: f.epochs, Begun: f.begun, Examples: f.examples, Seconds: real(f.result().Seconds),
		Part:   partRecord{f.part.n, f.part.hit, real(f.part.loss), real(f.part.terms), real(f.part.seconds), reals(f.measures())},
		Before: recordOf(f.res.Before), History: []epochRecord{},
	}
	if g := f.growth; g != nil {
		r.Growth = &growthRecord{Size: f.size, Last: f.last, Rate: real(f.rate), Need: real(g.need), Noise: real(g.noise)}
		for _, c := range g.changes {
			r.Growth.Changes = append(r.Growth.Changes, changeRecord(c))
		}
	}
	for _, h := range f.res.History {
		e := epochRecord{h.Epoch, h.Step, h.Examples, real(h.LR), real(h.TrainLoss), real(h.TrainAcc), recordOf(h.Val), h.Best,
			real(h.Seconds), reals(h.Measures)}
		r.History = append(r.History, e)
	}
	return r
}

// restore puts f at the place of the record, with its history.
func (r *record) restore(f *fit) {
	f.epochs, f.begun, f.examples, f.spent = r.Epochs, r.Begun, r.Examples, float64(r.Seconds)
	f.part = part{tally{r.Part.N, r.Part.Hit, float64(r.Part.Loss), float64(r.Part.Terms)}, float64(r.Part.Seconds),
		floats(r.Part.Measures)}
	f.place = r.place()
	if g := r.Growth; g != nil && f.growth != nil {
		f.size, f.last, f.rate, f.growth.need, f.growth.noise = g.Size, g.Last, float64(g.Rate), float64(g.Need), float64(g.Noise)
		f.growth.changes = nil
		for _, c := range g.Changes {
			f.growth.changes = append(f.growth.changes, BatchChange(c))
		}
	}
	f.res.Before = r.Before.evaluation()
	f.res.History = r.history()
	for _, h := range f.res.History {
		f.watch(h)
	}
	if n := len(f.res.History); n > 0 {
		f.res.TrainLoss = f.res.History[n-1].TrainLoss
	}
}

// place is how many examples of the epoch that is not finished were seen.
func (r *record) place() int {
	if n := len(r.History); n > 0 {
		return r.Examples - r.History[n-1].Examples
	}
	return r.Examples
}

func (r *record) history() []EpochReport {
	var all []EpochReport
	for _, e := range r.History {
		all = append(all, EpochReport{
			Epoch: e.Epoch, Step: e.Step, Examples: e.Examples, LR: float64(e.LR), TrainLoss: float64(e.TrainLoss),
			TrainAcc: float64(e.TrainAcc), Val: e.Val.evaluation(),
			Best: e.Best, Seconds: float64(e.Seconds), Measures: floats(e.Measures),
		})
	}
	return all
}

func reals(m map[string]float64) map[string]real {
	out := make(map[string]real, len(m))
	for n, v := range m {
		out[n] = real(v)
	}
	return out
}

func floats(m map[string]real) map[string]float64 {
	out := make(map[string]float64, len(m))
	for n, v := range m {
		out[n] = float64(v)
	}
	return out
}

func recordOf(v *Evaluation) *evalRecord {
	if v == nil {
		return nil
	}
	r := &evalRecord{N: v.N, Decisions: v.Decisions, Loss: real(v.Loss), Metrics: []measureRecord{}}
	for _, m := range v.Metrics {
		r.Metrics = append(r.Metrics, measureRecord{m.Name, real(m.Value), m.Lower})
	}
	return r
}

// evaluation has the numbers of an evaluation, without classes, groups and predictions.
func (r *evalRecord) evaluation() *Evaluation {
	if r == nil {
		return nil
	}
	v := &Evaluation{N: r.N, Decisions: r.Decisions, Loss: float64(r.Loss)}
	for _, m := range r.Metrics {
		v.Metrics = append(v.Metrics, task.Measure{Name: m.Name, Value: float64(m.Value), Lower: m.Lower})
	}
	v.Accuracy, v.Top5 = v.Metric("accuracy"), v.Metric("top5")
	return v
}
