package train

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// Trait is something that the result of a training depends on. A checkpoint holds the traits of its run.
type Trait struct {
	Name   string `json:"name"`             // that of a flag where there is one
	Value  string `json:"value"`            // for people
	Digest string `json:"digest,omitempty"` // compared in place of Value when not empty
}

// Difference is a trait in which a checkpoint and a training differ; Was or Is is "" where one does not have it.
type Difference struct{ Name, Was, Is string }

// ResumeError is the error of a checkpoint that is not of this training.
type ResumeError struct {
	Differ []Difference // nil for a checkpoint that says nothing of its run
}

// Error names all of them, with both values.
func (e *ResumeError) Error() string {
	if e.Differ == nil {
		return "train: the checkpoint does not say of which run it is: it is of an older form"
	}
	return "train: the checkpoint is of another run: " + strings.Join(e.Lines(), "; ")
}

// Lines are the differences, one a line.
func (e *ResumeError) Lines() []string {
	var out []string
	for _, d := range e.Differ {
		out = append(out, fmt.Sprintf("%s was %s, is %s", d.Name, shown.Line(orNone(d.Was), 200), shown.Line(orNone(d.Is), 200)))
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "not given"
	}
	return s
}

// compare lists the traits in which was and is differ, in their order.
func compare(was, is []Trait) []Difference {
	var out []Difference
	old := map[string]Trait{}
	for _, t := range was {
		old[t.Name] = t
	}
	for _, t := range is {
		o, ok := old[t.Name]
		delete(old, t.Name)
		switch {
		case !ok && t.Value == "":
		case o.Digest != t.Digest, t.Digest == "" && o.Value != t.Value:
			out = append(out, Difference{t.Name, o.shown(t), t.shown(o)})
		}
	}
	for _, t := range was {
		if _, left := old[t.Name]; left && t.Value != "" {
			out = append(out, Difference{Name: t.Name, Was: t.Value})
		}
	}
	return out
}

// shown is the value of t, with the digest where that of o reads the same.
func (t Trait) shown(o Trait) string {
	if t.Value == o.Value && t.Digest != "" {
		return fmt.Sprintf("%s (content %s)", t.Value, t.Digest[:8])
	}
	return t.Value
}

// identify lists the traits of the training, those of the configuration first.
func (f *fit) identify() []Trait {
	c := f.c
	traits := slices.Clone(c.Traits)
	has := func(name string) bool {
		return slices.ContainsFunc(traits, func(t Trait) bool { return t.Name == name })
	}
	say := func(name string, v any) {
		if !has(name) {
			traits = append(traits, Trait{Name: name, Value: fmt.Sprint(v)})
		}
	}
	if !has("optimizer") {
		var rules []string
		for r := range c.Optimizer.Rules() {
			rules = append(rules, r.Name())
		}
		say("optimizer", strings.Join(rules, ", "))
		if e := c.Optimizer.Evaluation(); e != nil {
			say("evaluation", evaluationTrait(e))
		}
	}
	if !has("lr") {
		say("schedule", fmt.Sprintf("%+v", f.given))
	}
	say("batch-size", c.BatchSize)
	if c.MicroBatch > 0 {
		say("micro-batch", c.MicroBatch)
	}
	if f.growth != nil {
		say("batch-adapt", f.growth.BatchGrowth)
	}
	say("epochs", c.Epochs)
	say("max-steps", c.MaxSteps)
	say("seed", c.Seed)
	say("shuffle", c.Shuffle)
	if c.Balanced {
		say("sampler", "balanced")
	}
	if x := c.Importance; x != nil {
		say("sampler", "importance")
		say("importance-floor", x.Floor)
		say("unbiased", x.Unbiased)
		say("max-weight", x.MaxWeight)
	}
	say("loss", c.Task.Name)
	say("task", fmt.Sprintf("%s of output %s", c.Task.Kind, c.Task.Head.Output))
	say("bn", map[engine.BNMode]string{engine.BNFrozen: "frozen", engine.BNTrain: "train"}[c.BN])
	say("dropout", c.Dropout)
	say("augment", fmt.Sprintf("%+v", c.Augment))
	say("no-decay-1d", c.NoDecay1D)
	say("patience", c.Patience)
	say("min-delta", c.MinDelta)
	if c.TrAct != nil {
		say("tract", fmt.Sprintf("lambda %g at %s", c.TrAct.Lambda, f.res.TrAct.Node.Name))
	}
	if u := c.Unfreeze; u != nil {
		say("unfreeze-every", u.Every)
		say("unfreeze-layers", max(1, u.Layers))
	}
	if c.Restore != nil {
		traits = append(traits, c.Restore.trait())
	}
	if c.Contrast != nil {
		traits = append(traits, c.Contrast.trait())
	}
	if c.Teacher != nil {
		traits = append(traits, c.Teacher.trait())
	}
	if n := c.NoProp; n != nil {
		say("noprop-variant", n.Variant)
		say("noprop-steps", n.Steps)
		say("noprop-eta", n.Eta)
		say("snr-cap", n.Cap)
		say("noprop-schedule", n.Schedule)
		say("noprop-hidden", n.Hidden)
		say("label-embedding", n.Embedding())
	}
	if c.Preprocess != nil {
		say("preprocessing", c.Preprocess.String())
	}
	traits = append(traits,
		Trait{"trained parameters", fmt.Sprintf("%d tensors", len(c.Params)),
			digest(func(h hash.Hash) { fmt.Fprintf(h, "%q", c.Params) })},
		Trait{"model", fmt.Sprintf("%d nodes", len(f.m.File().Proto.GetGraph().GetNode())),
			digest(func(h hash.Hash) { digestModel(h, f.m) })},
		dataTrait("data", f.ds))
	if c.Val != nil {
		traits = append(traits, dataTrait("val", c.Val))
	}
	return traits
}

func digest(add func(hash.Hash)) string {
	h := sha256.New()
	add(h)
	return hex.EncodeToString(h.Sum(nil))
}

// digestModel adds the graph and the weights of m, wherever its file lies.
func digestModel(h hash.Hash, m *engine.Model) {
	file := m.File()
	exact := proto.MarshalOptions{Deterministic: true, AllowPartial: true}
	add := func(x proto.Message) {
		b, _ := exact.Marshal(x) // was read from bytes
		fmt.Fprint(h, len(b), ":")
		h.Write(b)
	}
	g := file.Proto.GetGraph()
	for _, x := range file.Proto.GetOpsetImport() {
		add(x)
	}
	for _, x := range file.Proto.GetFunctions() {
		add(x)
	}
	for _, x := range g.GetNode() {
		add(x)
	}
	for _, x := range g.GetInput() {
		add(x)
	}
	for _, x := range g.GetOutput() {
		add(x)
	}
	known := map[string]bool{}
	for p := range m.Params() {
		known[p.Name] = true
		digestTensor(h, p.Name, p.Value)
	}
	for _, x := range g.GetInitializer() {
		if known[x.GetName()] {
			continue
		}
		if t, err := file.Tensor(x); err == nil {
			digestTensor(h, x.GetName(), t)
		} else {
			add(x)
		}
	}
}

func digestTensor(h hash.Hash, name string, t *tensor.Tensor) {
	fmt.Fprintf(h, "%q %v:", name, t)
	if t.DType() == tensor.String {
		fmt.Fprintf(h, "%q", t.Strings())
		return
	}
	h.Write(t.Bytes())
}

// sampled is how many examples of a data set are read for its digest.
const sampled = 8

// dataTrait knows a data set by the ids and labels of all its examples and the content of a few.
func dataTrait(name string, ds data.Dataset) Trait {
	n := ds.Len()
	return Trait{name, fmt.Sprintf("%d examples", n), digest(func(h hash.Hash) {
		fmt.Fprintf(h, "%d %q", n, ds.Classes())
		for i := range n {
			fmt.Fprintf(h, "%q %d;", ds.ID(i), ds.Label(i))
		}
		for k := range min(n, sampled) {
			i := k
			if n > sampled {
				i = k * (n - 1) / (sampled - 1)
			}
			e, err := ds.Example(i)
			if err != nil {
				continue // training will say so
			}
			arrays := map[string]*tensor.Tensor{"gtk.x": e.X, "gtk.y": e.Y, "gtk.mask": e.Mask}
			maps.Copy(arrays, e.Fields)
			for _, field := range slices.Sorted(maps.Keys(arrays)) {
				if t := arrays[field]; t != nil {
					digestTensor(h, field, t)
				}
			}
		}
	})}
}
