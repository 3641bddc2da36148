package nas

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Supernet is one set of weights for all networks of a space.
type Supernet struct {
	Space
	Layout

	form   form
	names  []string                  // of the weights, in the order of the file
	weight map[string]*tensor.Tensor // changed in place by training
	owner  map[string]owner          // of the weights of operators that are chosen
	meta   map[string]string         // further metadata, which networks that are taken out inherit
}

// New is a supernet with weights drawn from the space's seed.
func New(s Space) (*Supernet, error) {
	n, file, err := plan(s)
	if err != nil {
		return nil, err
	}
	return n, n.take(file)
}

// Open is the supernet that the file of a model is.
func Open(file *onnx.Model) (*Supernet, error) {
	s, err := spaceOf(file)
	if err != nil {
		return nil, err
	}
	whole, f, err := s.complete()
	if err != nil {
		return nil, err
	}
	held, claimed := float64(file.ContentBytes()), f.size(whole)
	if held < claimed { // 4 bytes a weight; before anything of that size is made
		return nil, fmt.Errorf("nas: the supernet holds %.0f bytes of weights, and a space of the sizes in its metadata has about %.3g "+
			"of them", held,
			claimed)
	}
	n, drawn, err := plan(s)
	if err != nil {
		return nil, err
	}
	if err := n.take(drawn); err != nil { // whose shapes those of the file must have
		return nil, err
	}
	for _, p := range file.Proto.GetMetadataProps() {
		if k := p.GetKey(); k != MetadataKey {
			n.meta[k] = p.GetValue()
		}
	}
	return n, n.take(file)
}

// plan is the supernet of a space without weights, and its file as it is drawn.
func plan(s Space) (*Supernet, *onnx.Model, error) {
	s, f, err := s.complete()
	if err != nil {
		return nil, nil, err
	}
	n := &Supernet{Space: s, Layout: f.layout(s), form: f, weight: map[string]*tensor.Tensor{}, meta: map[string]string{}}
	file, b := n.build(nil, Batch)
	for _, name := range b.Parameters() {
		if !isConstant(name) {
			n.names = append(n.names, name)
		}
	}
	n.owner = b.owners
	return n, file, nil
}

// isConstant reports whether the initializer name is no weight.
func isConstant(name string) bool {
	return strings.HasPrefix(name, constantPrefix) || strings.HasPrefix(name, "relu6.") || strings.HasSuffix(name, ".axis")
}

// build is the graph of all paths (nil) or of one.
func (n *Supernet) build(arch []int, stats Statistics) (*onnx.Model, *builder) {
	b := newBuilder(n.Space, arch, stats)
	b.Input(InputName, n.Inputs, n.ImageSize)
	b.declare(n.Layout)
	x, c := n.form.build(n.Space, b)
	return b.finish(n.Space, x, c), b
}

// take takes the weights of a file.
func (n *Supernet) take(file *onnx.Model) error {
	for _, name := range n.names {
		p := file.Initializer(name)
		if p == nil {
			return fmt.Errorf("nas: the supernet has no weight %q, which its space %s has: it was changed since gtk wrote it", name, n.Name)
		}
		t, err := file.Tensor(p)
		if err != nil {
			return fmt.Errorf("nas: weight %q: %w", name, err)
		}
		if old := n.weight[name]; t.DType() != tensor.Float32 || old != nil && !t.Shape().Equal(old.Shape()) {
			return fmt.Errorf("nas: weight %q is %v, which does not fit the space %s", name, t, n.Name)
		}
		n.weight[name] = t.Clone()
	}
	return nil
}

// Weights are the names of the weights and the weights, which training changes in place.
func (n *Supernet) Weights() ([]string, map[string]*tensor.Tensor) { return n.names, n.weight }

// SetMetadata stores what else is known of the supernet, which networks that are taken out of it inherit: labels, preprocessing.
func (n *Supernet) SetMetadata(key, value string) { n.meta[key] = value }

// Metadata is what SetMetadata stored.
func (n *Supernet) Metadata(key string) (string, bool) { v, ok := n.meta[key]; return v, ok }

// File is the supernet as one model: pictures and the operators of a path in, the scores of that path out. Each choice is a nest of Ifs,
// so that a run costs what its path costs, and batch normalisation is that of the batch, as in training.
func (n *Supernet) File() (*onnx.Model, error) {
	file, _ := n.build(nil, Batch)
	if err := n.fill(file); err != nil {
		return nil, err
	}
	return file, n.Space.remember(file)
}

// Path is the network of a path with the weights of the supernet, as an ordinary model of nothing but that. With Running, its statistics
// are those of a network that was not trained, until train.EstimateBatchNorm takes them from data.
func (n *Supernet) Path(arch []int, stats Statistics) (*onnx.Model, error) {
	if err := n.Check(arch); err != nil {
		return nil, err
	}
	file, _ := n.build(arch, stats)
	if err := n.fill(file); err != nil {
		return nil, err
	}
	file.SetMetadata(ArchKey, n.Name+":"+Format(arch))
	return file, nil
}

// fill gives a built graph the weights and the metadata.
func (n *Supernet) fill(file *onnx.Model) error {
	for _, name := range file.InitializerNames() {
		if t := n.weight[name]; t != nil {
			if err := file.SetInitializer(name, t); err != nil {
				return fmt.Errorf("nas: %w", err)
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(n.meta)) {
		file.SetMetadata(k, n.meta[k])
	}
	return nil
}
