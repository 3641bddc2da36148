package job

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/nas"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// supernetFile is the supernet in the folder of a gtk nas train.
const supernetFile = "supernet.onnx"

// supernet is a supernet with the data that it is used on: what a path of it is fed, and what its scores mean.
type supernet struct {
	*trainee
	n    *nas.Supernet
	path string
}

// readSupernet reads a supernet, or the one in the folder of a training.
func readSupernet(ctx context.Context, path string) (*nas.Supernet, *onnx.Model, string, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		inside := filepath.Join(path, supernetFile)
		if _, err := os.Stat(inside); err != nil {
			return nil, nil, path, fmt.Errorf("%s: the folder has no %s, which gtk nas train writes when it is done: %w", path,
				supernetFile, err)
		}
		path = inside
	}
	file, err := readModel(cmp.Or(ctx, context.Background()), path)
	if err != nil {
		return nil, nil, path, err
	}
	n, err := nas.Open(file)
	if err != nil {
		return nil, nil, path, badInput(fmt.Errorf("%s: %w", path, err))
	}
	return n, file, path, nil
}

// openSupernet reads a supernet and the data; val may be "".
func openSupernet(ctx context.Context, path string, mo ModelOptions, spec, val string, do data.Options, rep Reporter) (*supernet, error) {
	n, file, path, err := readSupernet(mo.Context, path)
	if err != nil {
		return nil, err
	}
	l := &Model{Path: path}
	if l.Labels, err = modelLabels(mo.Labels, file); err != nil {
		return nil, err
	}
	if l.Pre, err = modelPreprocess(mo.Preprocess, file); err != nil {
		return nil, err
	}
	one, err := n.Path(n.Full(), nas.Running)
	if err != nil {
		return nil, err
	}
	if l.Model, err = engine.Load(one, engine.WithThreads(mo.Threads)); err != nil {
		return nil, err
	}
	u, err := openUse(l, spec, do, UseOptions{})
	if err != nil {
		return nil, err
	}
	u.labelled()
	u.fewer = "the supernet was built for as many: gtk nas build --classes makes one for others"
	if err := u.understand(ctx, UseOptions{}, ""); err != nil {
		return nil, err
	}
	if u.task.Kind != task.Multiclass && u.task.Kind != task.Binary {
		return nil, badInput(fmt.Errorf("supernets are trained and measured where each example has one class, and with these data it is "+
			"a %s task",
			u.task.Kind))
	}
	t := &trainee{use: u, train: u.ds}
	if val != "" {
		classes := l.Labels
		if classes == nil {
			classes = u.ds.Classes()
		}
		if t.val, err = data.Open(val, readOptions(u.named(do), classes, UseOptions{}, u.pre)); err != nil {
			return nil, fmt.Errorf("--val: %w", err)
		}
		t.val = data.Labelled(t.val)
	}
	switch k := len(u.ds.Classes()); {
	case t.Labels == nil && k == n.Classes:
		t.Labels, t.task.Classes = u.ds.Classes(), u.ds.Classes()
	case k > 0 && k < n.Classes: // which is said in words of gtk finetune
		t.notes = slices.DeleteFunc(t.notes, func(s string) bool { return strings.Contains(s, "--num-classes") })
		t.notes = append(t.notes, fmt.Sprintf("the supernet has %d classes, the data %d: gtk nas build --data builds one for them",
			n.Classes, k))
	}
	t.stored = t.pre
	for _, x := range t.notes {
		rep.Note(x)
	}
	return &supernet{t, n, path}, nil
}

// remember stores labels, preprocessing and the task in the supernet.
func (s *supernet) remember() error {
	file, err := s.n.File()
	if err != nil {
		return err
	}
	if err := setUse(file, s.Labels, s.stored); err != nil {
		return err
	}
	s.task.Remember(file)
	for _, p := range file.Proto.GetMetadataProps() {
		if p.GetKey() != nas.MetadataKey {
			s.n.SetMetadata(p.GetKey(), p.GetValue())
		}
	}
	return nil
}

// measure says how networks of the supernet are measured.
func (s *supernet) measure(batch, examples int, seed uint64) nas.Measure {
	return nas.Measure{Data: s.train, Val: s.val, Task: s.task, Feed: s.plan, Preprocess: s.pre, BatchSize: batch,
		Examples: examples, Seed: seed, Pool: s.Pool()}
}

// verifySupernet reads a written supernet back and compares what it gives for a few paths, told each of them, with what the networks of
// these paths give: the same bits.
func (s *supernet) verifySupernet(ctx context.Context, path string) (*ReadBack, error) {
	file, err := ReadModel(path)
	if err != nil {
		return nil, fmt.Errorf("reading the written supernet back: %w", err)
	}
	whole, err := engine.Load(file, engine.WithThreads(s.Pool().Threads()))
	if err != nil {
		return nil, fmt.Errorf("loading the written supernet: %w", err)
	}
	defer whole.Close()
	session, err := whole.Session(engine.Query{})
	if err != nil {
		return nil, err
	}
	v := &ReadBack{N: min(8, s.train.Len()), Pass: true}
	for b, err := range data.Batches(ctx, s.train, data.Sequential(v.N), v.N, data.BatchOptions{Preprocess: s.pre}) {
		if err != nil {
			return nil, err
		}
		feeds, err := s.plan.Feeds(b)
		if err != nil {
			return nil, err
		}
		for _, arch := range append(s.n.Sample(2, 0), s.n.Full()) {
			one, err := s.n.Path(arch, nas.Batch)
			if err != nil {
				return nil, err
			}
			m, err := engine.Load(one, engine.WithPool(s.Pool()))
			if err != nil {
				return nil, err
			}
			alone, err := m.Session(engine.Query{})
			if err != nil {
				return nil, err
			}
			want, err := alone.Run(ctx, feeds)
			if err != nil {
				return nil, err
			}
			a := make([]int64, len(arch))
			for i, o := range arch {
				a[i] = int64(o)
			}
			feeds[nas.ArchName] = tensor.From(a, len(a))
			got, err := session.Run(ctx, feeds)
			if err != nil {
				return nil, err
			}
			delete(feeds, nas.ArchName)
			d := distance([][]float64{want.Value(nas.OutputName).Float64s()}, [][]float64{got.Value(nas.OutputName).Float64s()})
			v.MaxAbs, v.Pass = max(v.MaxAbs, Number(d)), v.Pass && d == 0
		}
	}
	return v, nil
}

// archsOf reads architectures, numbers or names of operators with commas between.
func (s *supernet) archsOf(text []string) ([][]int, error) {
	var archs [][]int
	for _, x := range text {
		a, err := s.n.Parse(x)
		if err != nil {
			return nil, usagef("--arch: %v", err)
		}
		archs = append(archs, a)
	}
	return archs, nil
}
