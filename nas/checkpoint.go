package nas

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// Names of what a checkpoint of a supernet has beside weights and the optimiser's state.
const (
	paramPrefix = "param/"
	optimPrefix = "optim/"
	runName     = "method/nas.run"     // uint8 [N]: JSON of run
	orderName   = "method/nas.order"   // int64 [N]: the examples of this epoch
	weightsName = "method/nas.weights" // float64 [N]: their weights, where they have some
	lawName     = "method/nas.law"     // float64 [operators]
	scoresName  = "method/nas.scores"  // float64 [examples]
	seenName    = "method/nas.seen"    // uint8 [examples]
	pathName    = "method/nas.path"    // float64 [operators]
)

// run is what a checkpoint says of a training beside its tensors.
type run struct {
	Traits  []train.Trait `json:"traits"`
	Epochs  int           `json:"epochs"`
	Place   int           `json:"place"`
	Loss    float64       `json:"loss"`
	Hit     int           `json:"hit"`
	Seen    int           `json:"seen"`
	Seconds float64       `json:"seconds"`
	History []past        `json:"history"`
}

// past is an epoch that is over.
type past struct {
	Step     int                `json:"step"`
	LR       float64            `json:"lr"`
	Loss     float64            `json:"loss"`
	Accuracy float64            `json:"accuracy"`
	Seconds  float64            `json:"seconds"`
	Measures map[string]float64 `json:"measures"`
}

// checkpoint is the present state.
func (t *Trainer) checkpoint() *train.Checkpoint {
	c := &train.Checkpoint{Step: t.step}
	add := func(name string, x *tensor.Tensor) {
		c.Tensors = append(c.Tensors, tensor.Named{Name: name, Tensor: x})
	}
	for _, name := range t.n.names {
		add(paramPrefix+name, t.n.weight[name])
	}
	for name, x := range t.c.Optimizer.State() {
		add(optimPrefix+name, x)
	}
	r := run{Traits: t.traits, Epochs: t.epochs, Place: t.place, Loss: t.loss, Hit: t.hit, Seen: t.seen, Seconds: t.seconds()}
	for _, h := range t.history {
		r.History = append(r.History, past{h.Step, h.LR, h.TrainLoss, h.TrainAcc, h.Seconds, h.Measures})
	}
	b, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("nas: a training whose losses are finite has a record: %v", err))
	}
	add(runName, tensor.From(b, len(b)))
	order := make([]int64, len(t.order))
	for i, v := range t.order {
		order[i] = int64(v)
	}
	add(orderName, tensor.From(order, len(order)))
	if t.weights != nil {
		add(weightsName, tensor.From(slices.Clone(t.weights), len(t.weights)))
	}
	add(lawName, tensor.From(slices.Clone(t.law), len(t.law)))
	add(scoresName, tensor.From(slices.Clone(t.data.score), len(t.data.score)))
	seen := make([]byte, len(t.data.seen))
	for i, s := range t.data.seen {
		if s {
			seen[i] = 1
		}
	}
	add(seenName, tensor.From(seen, len(seen)))
	add(pathName, tensor.From(slices.Clone(t.path.score), len(t.path.score)))
	return c
}

// restore puts the training in the state of c.
func (t *Trainer) restore(c *train.Checkpoint) error {
	by := map[string]*tensor.Tensor{}
	for _, x := range c.Tensors {
		by[x.Name] = x.Tensor
	}
	if by[runName] == nil {
		return &train.CheckpointError{Text: "it is of another kind of training, not of a supernet"}
	}
	var r run
	if err := json.Unmarshal(by[runName].Bytes(), &r); err != nil {
		return &train.CheckpointError{Text: fmt.Sprintf("its record cannot be read: %v", err)}
	}
	if d := differences(r.Traits, t.traits); d != nil {
		return &train.ResumeError{Differ: d}
	}
	var wrong error
	take := func(name string, d tensor.DType, n int) *tensor.Tensor {
		x := by[name]
		if x != nil && x.DType() == d && x.Len() == n {
			return x
		}
		if wrong == nil {
			wrong = &train.CheckpointError{Text: fmt.Sprintf("%q is %v, want %d of %v", name, x, n, d)}
		}
		return tensor.New(d, n)
	}
	n, k := t.ds.Len(), len(t.n.Ops)
	order, law := take(orderName, tensor.Int64, n).I64(), take(lawName, tensor.Float64, k).Float64s()
	scores, seen := take(scoresName, tensor.Float64, n).Float64s(), take(seenName, tensor.Uint8, n).Bytes()
	path := take(pathName, tensor.Float64, k).Float64s()
	if by[weightsName] != nil {
		t.weights = slices.Clone(take(weightsName, tensor.Float64, n).Float64s())
	}
	for _, i := range order {
		if i < 0 || i >= int64(n) {
			wrong = &train.CheckpointError{Text: fmt.Sprintf("its epoch shows example %d of %d", i, n)}
		}
	}
	if r.Epochs < 0 || r.Epochs > t.c.Epochs || r.Place < 0 || r.Place > n || r.Seen < 0 || len(r.History) != r.Epochs {
		wrong = &train.CheckpointError{Text: "its counts contradict each other"}
	}
	for _, name := range t.n.names {
		take(paramPrefix+name, tensor.Float32, t.n.weight[name].Len())
	}
	if wrong != nil {
		return wrong
	}
	if err := t.restoreOptimizer(c); err != nil {
		return err
	}
	for _, name := range t.n.names {
		copy(t.n.weight[name].Bytes(), by[paramPrefix+name].Bytes())
	}
	t.order = make([]int, n)
	for i := range seen {
		t.order[i], t.data.seen[i] = int(order[i]), seen[i] != 0
	}
	copy(t.data.score, scores)
	copy(t.path.score, path)
	copy(t.law, law)
	t.step, t.epochs, t.place, t.loss, t.hit, t.seen, t.spent = c.Step, r.Epochs, r.Place, r.Loss, r.Hit, r.Seen, r.Seconds
	t.history = nil
	for i, h := range r.History {
		t.history = append(t.history, train.EpochReport{Epoch: i + 1, Step: h.Step, LR: h.LR, TrainLoss: h.Loss, TrainAcc: h.Accuracy,
			Seconds: h.Seconds, Measures: h.Measures})
	}
	return nil
}

// restoreOptimizer gives the optimiser its state back: that of the weights that were ever trained.
func (t *Trainer) restoreOptimizer(c *train.Checkpoint) error {
	state := map[string]*tensor.Tensor{}
	for _, x := range c.Tensors {
		if name, ok := strings.CutPrefix(x.Name, optimPrefix); ok {
			state[name] = x.Tensor
		}
	}
	var joined []*optim.Param
	for _, name := range t.n.names {
		if state[name+"/t"] != nil {
			joined = append(joined, t.params[name])
		}
	}
	return t.c.Optimizer.Restore(joined, maps.All(state))
}

// differences are the traits in which two trainings differ.
func differences(was, is []train.Trait) (d []train.Difference) {
	old := map[string]train.Trait{}
	for _, x := range was {
		old[x.Name] = x
	}
	for _, x := range is {
		if o := old[x.Name]; o.Value != x.Value || o.Digest != x.Digest {
			d = append(d, train.Difference{Name: x.Name, Was: shown(o), Is: shown(x)})
		}
	}
	return d
}

func shown(t train.Trait) string {
	if len(t.Digest) < 8 {
		return t.Value
	}
	return fmt.Sprintf("%s (content %s)", t.Value, t.Digest[:8])
}

// identify lists what the training depends on.
func (t *Trainer) identify() []train.Trait {
	c := t.c
	list := slices.Clone(c.Traits)
	say := func(name string, v any) {
		if !slices.ContainsFunc(list, func(x train.Trait) bool { return x.Name == name }) {
			list = append(list, train.Trait{Name: name, Value: fmt.Sprint(v)})
		}
	}
	var rules []string
	for r := range c.Optimizer.Rules() {
		rules = append(rules, r.Name())
	}
	say("optimizer", strings.Join(rules, ", "))
	say("schedule", fmt.Sprintf("%+v", c.Schedule))
	say("sampler", c.Sampler)
	say("epochs", c.Epochs)
	say("batch-size", c.BatchSize)
	say("clip", c.Clip)
	say("seed", c.Seed)
	say("augment", fmt.Sprintf("%+v", c.Augment))
	say("floor", c.Floor)
	say("keep-scores", c.Keep)
	say("unbiased", c.Unbiased)
	say("max-weight", c.MaxWeight)
	if c.Preprocess != nil {
		say("preprocessing", c.Preprocess.String())
	}
	digest := func(name, value string, add func(hash.Hash)) {
		h := sha256.New()
		add(h)
		list = append(list, train.Trait{Name: name, Value: value, Digest: hex.EncodeToString(h.Sum(nil))})
	}
	digest("supernet", fmt.Sprintf("%s, %d weights", t.n.Name, len(t.n.names)), func(h hash.Hash) {
		fmt.Fprintf(h, "%+v", t.n.Space)
		for _, name := range t.n.names {
			fmt.Fprintf(h, "%q", name)
			h.Write(t.n.weight[name].Bytes())
		}
	})
	digest("data", fmt.Sprintf("%d examples", t.ds.Len()), func(h hash.Hash) {
		for i := range t.ds.Len() {
			fmt.Fprintf(h, "%q %d;", t.ds.ID(i), t.ds.Label(i))
		}
	})
	return list
}
