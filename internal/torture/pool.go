//go:build linux

package torture

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// source is a model that mutants are made of.
type source struct {
	name   string
	weight int
	path   string   // of the file
	feeds  []string // files of tensors in the order of its inputs, where there are some
	bytes  func() ([]byte, error)
}

// pool is all sources, and what is known of those that were used.
type pool struct {
	sources []source
	total   int
	ready   map[int]*prepared
}

// prepared is a source with what can be fed to it, in a folder of its own.
type prepared struct {
	name  string
	model *onnxpb.ModelProto
	dir   string
	feeds []string // NAME=FILE
	data  string   // npz:FILE
	slow  map[string]bool
}

// builtModels are those that gtk can build which are small.
var builtModels = map[string]models.Options{"mlp": {}, "lenet": {}, "lstm": {}, "resnet8": {ImageSize: 16, Classes: 4},
	"digits-trained": {}}

// newPool finds the models: ONNX's own suite and the real models of the shared folder, and those that gtk builds.
func newPool(shared string) (*pool, error) {
	p := &pool{ready: map[int]*prepared{}}
	for name, cfg := range builtModels {
		p.sources = append(p.sources, source{name: "built/" + name, weight: 40, bytes: func() ([]byte, error) {
			m, err := models.New(name, cfg)
			if err != nil {
				return nil, err
			}
			return m.Bytes()
		}})
	}
	for _, l := range testkit.Lies() {
		if l.Name != "long" { // which would be most of the time
			p.sources = append(p.sources, source{name: "lie/" + l.Name, weight: 1, bytes: func() ([]byte,
				error) {
				return proto.Marshal(l.Model)
			}})
		}
	}
	if shared != "" {
		cases, err := testkit.SuiteIn(shared)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, c := range cases {
			s := source{name: "suite/" + c.Suite + "/" + c.Name, weight: 1, path: c.Model}
			if st, err := os.Stat(c.Model); err != nil || st.Size() > 8<<20 || c.Name == "light_vgg19" {
				continue // the weights that light_vgg19 makes are 548 MiB by themselves
			}
			if len(c.Sets) > 0 {
				s.feeds = c.Sets[0].Inputs
			}
			p.sources = append(p.sources, s)
		}
		for _, pattern := range []string{"data/models/*.onnx", "data/modern/*/*.onnx", "cases/*/*.onnx", "everyday/*/*.onnx",
			"hostile/*/*.onnx"} {
			files, err := filepath.Glob(filepath.Join(shared, filepath.FromSlash(pattern)))
			if err != nil {
				return nil, err
			}
			for _, f := range files {
				if st, err := os.Stat(f); err == nil && st.Size() < 3<<20 {
					p.sources = append(p.sources, source{name: "shared/" + filepath.Base(filepath.Dir(f)) + "/" + filepath.Base(f),
						weight: 8, path: f})
				}
			}
		}
	}
	slices.SortFunc(p.sources, func(a, b source) int { return strings.Compare(a.name, b.name) })
	for _, s := range p.sources {
		p.total += s.weight
	}
	return p, nil
}

// pick chooses a source.
func (p *pool) pick(r *rand.Rand) int {
	n := r.IntN(p.total)
	for i, s := range p.sources {
		if n -= s.weight; n < 0 {
			return i
		}
	}
	panic("torture: weights")
}

// prepare reads source i and makes what can be fed to it.
func (c *campaign) prepare(i int) (*prepared, error) {
	if p := c.pool.ready[i]; p != nil {
		return p, nil
	}
	s := c.pool.sources[i]
	b, err := []byte(nil), error(nil)
	if s.bytes != nil {
		b, err = s.bytes()
	} else {
		b, err = os.ReadFile(s.path)
	}
	if err != nil {
		return nil, err
	}
	p := &prepared{name: s.name, model: &onnxpb.ModelProto{}, dir: filepath.Join(c.dir, "pool", fmt.Sprint(i)), slow: map[string]bool{}}
	if err := proto.Unmarshal(b, p.model); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.dir, 0o777); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(p.dir, "original.onnx"), b, 0o666); err != nil {
		return nil, err
	}
	if err := p.makeFeeds(s.feeds, c.Seed); err != nil {
		return nil, err
	}
	if len(c.pool.ready) > 60 {
		clear(c.pool.ready) // models are read again rather than kept
	}
	c.pool.ready[i] = p
	return p, nil
}

// makeFeeds writes a tensor for each input, and a data set of them with labels.
func (p *prepared) makeFeeds(files []string, seed uint64) error {
	m := &onnx.Model{Proto: p.model}
	var named []tensor.Named
	n := 0
	for i, in := range m.Inputs() {
		x := example(in, seed)
		if x == nil {
			continue
		}
		if len(x.Shape()) > 0 {
			n = max(n, x.Shape()[0])
		}
		named = append(named, tensor.Named{Name: in.GetName(), Tensor: x})
		file := filepath.Join(p.dir, fmt.Sprintf("in%d.npy", i))
		if i < len(files) {
			file = files[i]
		} else if err := writeNPY(file, x); err != nil {
			return err
		}
		p.feeds = append(p.feeds, in.GetName()+"="+file)
	}
	seen := map[string]bool{"y": len(named) > 1}
	for _, x := range named {
		if seen[x.Name] {
			return nil // there is no data set for it
		}
		seen[x.Name] = true
	}
	if n == 0 {
		return nil
	}
	labels := make([]int64, n)
	for i := range labels {
		labels[i] = int64(i % 2)
	}
	if len(named) == 1 {
		named[0].Name = "x"
	}
	named = append(named, tensor.Named{Name: "y", Tensor: tensor.From(labels, n)})
	file := filepath.Join(p.dir, "data.npz")
	p.data = "npz:" + file
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(tensor.WriteNPZ(f, named), f.Close())
}

// example is a tensor of the declared type of an input; extents that are open are 4 for the first axis and 2 for others. It is nil where
// there is no such tensor, or a large one only.
func example(v *onnxpb.ValueInfoProto, seed uint64) *tensor.Tensor {
	t := v.GetType().GetTensorType()
	d := tensor.DType(t.GetElemType())
	var shape []int
	size := 1
	for i, x := range t.GetShape().GetDim() {
		n := int(x.GetDimValue())
		if n == 0 {
			if n = 2; i == 0 {
				n = 4
			}
		}
		if n < 0 || n > 1<<22 {
			return nil
		}
		if size *= n; size > 1<<22 {
			return nil
		}
		shape = append(shape, n)
	}
	switch d {
	case tensor.Float32:
		return testkit.RandUniform(seed, 0, 1, shape...)
	case tensor.Int64:
		return testkit.RandInts(seed, 0, 2, shape...)
	case tensor.Float64, tensor.Int32, tensor.Bool, tensor.Uint8, tensor.Float16, tensor.Int8, tensor.Uint64:
		return tensor.New(d, shape...)
	}
	return nil
}

func writeNPY(path string, x *tensor.Tensor) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(tensor.WriteNPY(f, x), f.Close())
}
