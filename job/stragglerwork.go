package job

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/fleet"
	"github.com/gtk-onnx/gtk/straggler"
	"github.com/gtk-onnx/gtk/train"
)

// Subjects of the fleet.
const (
	subjectRun    = "run"    // a request: what is trained
	subjectReady  = "ready"  // a worker has model and data
	subjectResult = "result" // sums
)

func subjectWork(w int) string { return fmt.Sprintf("work.%d", w) }

// stragglerOrder is what a worker is given to do in a round. Numbers of gradients are never in it.
type stragglerOrder struct {
	Round  int             `json:"round"`
	Backup bool            `json:"backup,omitempty"`
	Delay  float64         `json:"delay,omitempty"` // seconds to sleep before the work
	Slope  float64         `json:"slope,omitempty"` // seconds that the work on all of the data takes at least
	Tasks  []stragglerTask `json:"tasks"`
}

// stragglerTask is one sum.
type stragglerTask struct {
	Job     int             `json:"job"`
	Block   int             `json:"block"`
	Model   int             `json:"model"` // of StragglerTrainConfig.Models
	Step    int             `json:"step"`  // of its training
	Weights fleet.Key       `json:"weights"`
	Terms   []stragglerTerm `json:"terms"`
	Share   float64         `json:"share"` // of the data, for Slope
}

// stragglerTerm are partitions Lo to before Hi, with the coefficient of their gradients.
type stragglerTerm struct {
	Lo   int     `json:"lo"`
	Hi   int     `json:"hi"`
	Coef float64 `json:"coef"`
}

// stragglerResult is the head of what a worker sends; the sums follow, see straggler.Sum.Encode.
type stragglerResult struct {
	Round  int             `json:"round"`
	Worker int             `json:"worker"`
	Backup bool            `json:"backup,omitempty"`
	Share  float64         `json:"share"` // of the data that was worked on
	Work   float64         `json:"work"`  // seconds that it took, without the delay
	Sums   []stragglerSent `json:"sums"`
	Error  string          `json:"error,omitempty"`
	Wrong  bool            `json:"wrong,omitempty"` // the numbers are not finite any more
}

type stragglerSent struct {
	Job   int       `json:"job"`
	Block int       `json:"block"`
	Data  fleet.Key `json:"data"` // hash of what was read
	Bytes int       `json:"bytes"`
}

// stragglerReady says what a worker has.
type stragglerReady struct {
	Worker int         `json:"worker"`
	Models []fleet.Key `json:"models"`
	Error  string      `json:"error,omitempty"`
}

// StragglerWorker is a worker process of StragglerTrain: in and out are its standard input and output. It comes back when the coordinator
// goes, whatever it is doing then.
func StragglerWorker(ctx context.Context, in io.Reader, out io.Writer) error {
	p, w, gone, err := fleet.Join(in, out)
	if err != nil {
		return usagef("%v: this command is for gtk straggler train", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- stragglerWork(ctx, p, w) }()
	select {
	case err = <-done:
	case <-gone:
		return nil
	}
	if errors.Is(err, fleet.ErrClosed) {
		return nil
	}
	return err
}

// stragglerModel is a model of the run with its data, as a worker has it.
type stragglerModel struct {
	part   *train.Partial
	shards *shards
}

// stragglerHand is a worker.
type stragglerHand struct {
	p       fleet.Plane
	w       int
	c       StragglerTrainConfig
	models  []stragglerModel
	weights map[fleet.Key][]byte
	recent  []fleet.Key // keys of weights, the last one used at the end
	loaded  []fleet.Key // by model
}

// stragglerWork is a worker, until ctx ends or the coordinator goes.
func stragglerWork(ctx context.Context, p fleet.Plane, w int) error {
	raw, err := p.Request(ctx, subjectRun, nil)
	if err != nil {
		return err
	}
	x := &stragglerHand{p: p, w: w, weights: map[fleet.Key][]byte{}}
	if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&x.c); err != nil {
		return fmt.Errorf("the order of the coordinator: %w", err)
	}
	ready := stragglerReady{Worker: w}
	for k := range x.c.Models {
		f, part, err := x.c.opened(ctx, k, 0, 1, Quiet)
		if err != nil {
			ready.Error = err.Error()
			break
		}
		x.models = append(x.models, stragglerModel{part, newShards(f, x.c.Partitions, x.c.Seed)})
		ready.Models = append(ready.Models, fingerprint(f.cfg, part))
	}
	x.loaded = make([]fleet.Key, len(x.models))
	b, err := json.Marshal(ready)
	if err != nil {
		return err
	}
	if err := p.Publish(ctx, fleet.Message{Subject: subjectReady, Body: b}); err != nil || ready.Error != "" {
		return errors.Join(err, errors.New(ready.Error))
	}
	return x.listen(ctx)
}

// fingerprint is the hash of the weights of a model, and of what is trained of it.
func fingerprint(c train.Config, p *train.Partial) fleet.Key {
	b := p.Weights()
	for _, name := range c.Params {
		b = append(b, name...)
	}
	return fleet.KeyOf(b)
}

// opened is a model of the run with its data, and what computes its gradients.
func (c StragglerTrainConfig) opened(ctx context.Context, model, rate, threads int, rep Reporter) (*finetuning, *train.Partial, error) {
	f, err := c.finetune(model, rate, threads).prepare(ctx, rep)
	if err != nil {
		return nil, nil, err
	}
	part, err := train.NewPartial(f.Model.Model, train.PartialConfig{Params: f.cfg.Params, Task: f.task, Feed: f.plan, BN: f.cfg.BN,
		Dropout: f.cfg.Dropout, Memory: f.cfg.Memory})
	if err != nil {
		return nil, nil, badInput(err)
	}
	if f.cfg.BN == engine.BNTrain && f.train.Len() < 2*c.Partitions {
		return nil, nil, usagef("--bn train: %d examples in %d partitions, and statistics of one example say nothing: give fewer "+
			"--partitions, at most %d", f.train.Len(), c.Partitions, f.train.Len()/2)
	}
	return f, part, nil
}

// listen takes orders. One of a later round ends the work on those before; backups of the same round come after it.
func (x *stragglerHand) listen(ctx context.Context) error {
	orders := make(chan *fleet.Message)
	failed := make(chan error, 1)
	go func() {
		for {
			m, err := x.p.Pull(ctx, subjectWork(x.w))
			if err != nil {
				failed <- err
				return
			}
			select {
			case orders <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	var stop context.CancelFunc // of what is being done
	var busy chan struct{}
	var queue []*fleet.Message
	round := -1
	end := func() {
		if busy != nil {
			stop()
			<-busy
			busy = nil
		}
	}
	defer end()
	for {
		if busy == nil && len(queue) > 0 {
			m := queue[0]
			queue = queue[1:]
			one, cancel := context.WithCancel(ctx)
			stop, busy = cancel, make(chan struct{})
			go func() {
				defer close(busy)
				x.do(one, m)
			}()
		}
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-busy:
			stop()
			busy = nil
		case m := <-orders:
			var o stragglerOrder
			if err := json.Unmarshal(m.Body, &o); err != nil {
				return fmt.Errorf("an order of the coordinator: %w", err)
			}
			if o.Round > round {
				end()
				for _, old := range queue {
					_ = x.p.Ack(ctx, old) // whoever it is given to again has a later round too
				}
				round, queue = o.Round, nil
			}
			queue = append(queue, m)
		}
	}
}

// do does what an order says, and sends what came of it.
func (x *stragglerHand) do(ctx context.Context, m *fleet.Message) {
	var o stragglerOrder
	if json.Unmarshal(m.Body, &o) != nil {
		return
	}
	groups := [][]stragglerTask{o.Tasks}
	if o.Backup { // one after the other: the first may be all that is wanted
		groups = nil
		for k := range o.Tasks {
			groups = append(groups, o.Tasks[k:k+1])
		}
	}
	for k, tasks := range groups {
		if len(tasks) == 0 {
			continue
		}
		r := stragglerResult{Round: o.Round, Worker: x.w, Backup: o.Backup}
		body, err := x.sums(ctx, o, tasks, &r)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			r.Error, r.Wrong, r.Sums, body = err.Error(), errors.Is(err, train.ErrDiverged), nil, nil
		}
		head, err := json.Marshal(r)
		if err != nil {
			return
		}
		b := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(head)+len(body)), uint32(len(head)))
		b = append(append(b, head...), body...)
		if x.p.Publish(ctx, fleet.Message{Subject: subjectResult, ID: fmt.Sprintf("%s/%d/%d", m.ID, x.w, k), Body: b}) != nil {
			return
		}
	}
	_ = x.p.Ack(context.WithoutCancel(ctx), m) // else it is done again
}

// sums works on tasks, and takes as long as the order says.
func (x *stragglerHand) sums(ctx context.Context, o stragglerOrder, tasks []stragglerTask, r *stragglerResult) ([]byte, error) {
	free := time.Now().Add(seconds(o.Delay)) // when the work begins; what wakes late has less to sleep then
	if err := sleep(ctx, free); err != nil {
		return nil, err
	}
	var body []byte
	for _, t := range tasks {
		s, key, err := x.sum(ctx, t)
		if err != nil {
			return nil, err
		}
		b := s.Encode()
		body = append(body, b...)
		r.Sums = append(r.Sums, stragglerSent{t.Job, t.Block, key, len(b)})
		r.Share += t.Share
	}
	if err := sleep(ctx, free.Add(seconds(o.Slope*r.Share))); err != nil {
		return nil, err
	}
	r.Work = time.Since(free).Seconds()
	return body, nil
}

// sum is that of one task.
func (x *stragglerHand) sum(ctx context.Context, t stragglerTask) (*straggler.Sum, fleet.Key, error) {
	if t.Model < 0 || t.Model >= len(x.models) {
		return nil, "", fmt.Errorf("a task for model %d of %d", t.Model, len(x.models))
	}
	m := x.models[t.Model]
	if err := x.load(ctx, t); err != nil {
		return nil, "", err
	}
	total := straggler.NewSum(m.part.Len())
	var keys []fleet.Key
	for _, term := range t.Terms {
		s := total
		if term.Coef != 1 {
			s = straggler.NewSum(m.part.Len())
		}
		for p := term.Lo; p < term.Hi; p++ {
			if err := ctx.Err(); err != nil {
				return nil, "", err
			}
			key, err := m.shards.piece(ctx, m.part, p, t.Step, x.c.Seed, s)
			if err != nil {
				return nil, "", err
			}
			keys = append(keys, key)
			runtime.Gosched()
		}
		if term.Coef != 1 {
			if err := total.AddScaled(term.Coef, s); err != nil {
				return nil, "", err
			}
		}
	}
	return total, together(keys), nil
}

// keptWeights is how many weights a worker keeps.
const keptWeights = 16

// load brings the weights of a task into its model.
func (x *stragglerHand) load(ctx context.Context, t stragglerTask) error {
	if x.loaded[t.Model] == t.Weights {
		return nil
	}
	b := x.weights[t.Weights]
	if b == nil {
		var err error
		if b, err = x.p.Blob(ctx, t.Weights); err != nil {
			return err
		}
		x.weights[t.Weights] = b
	}
	x.recent = append(slices.DeleteFunc(x.recent, func(k fleet.Key) bool { return k == t.Weights }), t.Weights)
	if len(x.recent) > keptWeights {
		delete(x.weights, x.recent[0])
		x.recent = x.recent[1:]
	}
	x.loaded[t.Model] = t.Weights
	return x.models[t.Model].part.Load(b)
}

func seconds(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }

// sleep waits until a time, or for the end of ctx.
func sleep(ctx context.Context, until time.Time) error {
	left := time.Until(until)
	if left <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
