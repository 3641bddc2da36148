package job

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// continued reads the checkpoint that c continues from, nil for none. In the folder of a run it is checkpoint.npz.
func (c FinetuneConfig) continued() (*train.Checkpoint, error) {
	if c.Resume == "" {
		return nil, nil
	}
	path, err := CheckpointOf(c.Resume)
	if err != nil {
		return nil, err
	}
	k, err := train.ReadCheckpoint(path)
	if err != nil {
		return nil, c.unusable(err)
	}
	return k, nil
}

// unusable says what to do about a checkpoint that is damaged.
func (c FinetuneConfig) unusable(err error) error {
	var bad *train.CheckpointError
	if errors.As(err, &bad) || errors.Is(err, tensor.ErrNPY) {
		return badInput(fmt.Errorf("--resume %s: %w. The file is damaged, was changed, or is no checkpoint of this training: give "+
			"another one, or "+
			"train anew without --resume", c.Resume, err))
	}
	return fmt.Errorf("--resume: %w", err)
}

// CheckpointOf is the checkpoint that path means: itself, or the one in the folder of a run.
func CheckpointOf(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("--resume: %w", err)
	}
	if !st.IsDir() {
		return path, nil
	}
	inside := filepath.Join(path, "checkpoint.npz")
	if _, err := os.Stat(inside); errors.Is(err, fs.ErrNotExist) {
		yaml := filepath.Join(path, "run.yaml")
		if st, err := os.Stat(yaml); err == nil && st.Mode().IsRegular() {
			return "", fmt.Errorf("--resume %s: the run has no checkpoint, for it was stopped before the first: gtk finetune --config %s --force "+
				"begins it again: %w", path, units.Quote(yaml), fs.ErrNotExist)
		}
		return "", fmt.Errorf("--resume: the folder has no checkpoint.npz, it is not that of a gtk finetune: %w", err)
	}
	return inside, nil
}

// ReplayOf is the run.yaml of the run whose checkpoint path means, and where that run writes (FinetuneConfig.Out); "" when there is none.
func ReplayOf(path string) (yaml, out string) {
	k, err := CheckpointOf(path)
	if err != nil {
		return "", ""
	}
	if stem, ok := strings.CutSuffix(k, ".checkpoint.npz"); ok {
		yaml, out = stem+".run.yaml", stem+".onnx"
	} else if filepath.Base(k) == "checkpoint.npz" {
		out = filepath.Dir(k)
		yaml = filepath.Join(out, "run.yaml")
	}
	if st, err := os.Stat(yaml); err != nil || !st.Mode().IsRegular() {
		return "", ""
	}
	return yaml, out
}

// traits are the options that the result depends on, by the names of their flags.
func (f *finetuning) traits() []train.Trait {
	if ts := f.way.traits(f); ts != nil {
		return append(ts, f.useTraits()...)
	}
	var ts []train.Trait
	add := func(name, value string) { ts = append(ts, train.Trait{Name: name, Value: value}) }
	o := f.c.TrainOptions
	add("optimizer", f.optimizer())
	add("lr", strconv.FormatFloat(f.lr, 'g', -1, 64))
	add("schedule", f.schedule())
	add("warmup", cmp.Or(o.Warmup, "0"))
	for _, x := range optim.Options() {
		if v := o.Rule[x.Name]; v != "" && !(x.Name == "momentum" && isZero(v) && !momentum(f.optimizer())) {
			add(x.Name, v)
		}
	}
	add("class-weights", o.ClassWeights)
	add("label-smoothing", strconv.FormatFloat(o.LabelSmoothing, 'g', -1, 64))
	add("augment", o.Augment)
	add("sampler", o.Sampler)
	if o.Sampler == "importance" {
		o.Importance.traits(add)
	}
	add("freeze", strings.Join(o.Freeze, " "))
	add("trainable", strings.Join(o.Trainable, " "))
	add("last-layer", strconv.FormatBool(o.LastLayer))
	add("num-classes", f.c.NumClasses)
	add("val-split", strconv.FormatFloat(f.c.ValSplit, 'g', -1, 64))
	add("standardise", strconv.FormatBool(f.c.Standardise))
	add("standardise-targets", strconv.FormatBool(f.c.StandardiseTargets))
	if f.c.BNEstimate {
		add("bn-reestimate", "true")
	}
	if f.c.Contrast != nil {
		f.c.Contrast.traits(add)
	}
	if f.c.Restore != nil {
		f.c.Restore.traits(add)
	}
	if l := f.c.LoRA; l != nil {
		add("lora", strconv.Itoa(l.Rank))
		add("lora-alpha", strconv.FormatFloat(l.alpha(), 'g', -1, 64))
		add("lora-target", strings.Join(l.Target, " "))
	}
	return append(ts, f.useTraits()...)
}

// useTraits are those of preprocessing and inputs.
func (f *finetuning) useTraits() (ts []train.Trait) {
	for _, m := range []map[string]string{f.c.Preprocess, prefixed("input ", f.c.Inputs), prefixed("set ", f.c.Set)} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			ts = append(ts, train.Trait{Name: name, Value: m[name]})
		}
	}
	return ts
}

func prefixed(prefix string, m map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[prefix+k] = v
	}
	return out
}

func (f *finetuning) optimizer() string {
	if f.c.Optimizer == "" {
		return "adam"
	}
	return f.c.Optimizer
}

func (f *finetuning) schedule() string {
	if info, err := optim.Lookup(f.optimizer()); err == nil {
		return cmp.Or(f.c.Schedule, info.Schedule, "cosine")
	}
	return f.c.Schedule
}

// notFlags are the traits that no flag sets.
var notFlags = []string{"model", "preprocessing", "trained parameters", "changes of views"}

// refusal says in flags why a checkpoint is not taken.
func (c FinetuneConfig) refusal(e *train.ResumeError) error {
	if e.Differ == nil {
		return usagef("--resume %s: the checkpoint does not say of which run it is, as it is of an older form; --resume-anyway takes it "+
			"all the same", c.Resume)
	}
	lines := e.Lines()
	for i, d := range e.Differ {
		if !slices.Contains(notFlags, d.Name) {
			lines[i] = "--" + lines[i]
		}
	}
	return usagef("--resume %s: the checkpoint is of another run: %s. Give what it was made with, or --resume-anyway to go on all the "+
		"same", c.Resume, strings.Join(lines, "; "))
}

// momentum reports whether the optimiser has momentum unless told otherwise.
func momentum(rule string) bool {
	info, err := optim.Lookup(rule)
	if err != nil {
		return false
	}
	for _, o := range info.Options {
		if o.Name == "momentum" {
			return !isZero(o.Takers[0].Default)
		}
	}
	return false
}
