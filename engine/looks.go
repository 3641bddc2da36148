package engine

import (
	"sync"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// looks is what was found out of the graph of a model so far, which each output may ask for again. mu guards it.
type looks struct {
	mu     sync.Mutex
	g      *graph.Graph // that it is about
	read   *readers
	ranges *ops.Ranger
	output map[string]int         // index of an output by its name, the first of that name
	node   map[string]graph.Value // first output of a node by its name, of the first one of that name
	before map[graph.Value]graph.Value

	sizes  []tensor.Shape // see Model.declared
	shapes []tensor.Shape // of the values for sizes, as far as they can be inferred
}

// look locks what was found out of m and returns it; the caller unlocks it.
func (m *Model) look() *looks {
	l := &m.looks
	l.mu.Lock()
	if l.g == m.g {
		return l
	}
	l.g, l.read, l.ranges, l.before, l.sizes, l.shapes = m.g, newReaders(), ops.NewRanger(m.g), map[graph.Value]graph.Value{}, nil, nil
	l.output, l.node = make(map[string]int, len(m.outputs)), make(map[string]graph.Value, len(m.g.Nodes))
	for i, o := range m.outputs {
		if _, dup := l.output[o.Name]; !dup {
			l.output[o.Name] = i
		}
	}
	for _, n := range m.g.Nodes {
		if _, dup := l.node[n.Name]; !dup && len(n.Out) > 0 {
			l.node[n.Name] = n.Out[0]
		}
	}
	return l
}

// forget gives up what was found.
func (l *looks) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.g, l.read, l.ranges, l.output, l.node, l.before, l.sizes, l.shapes = nil, nil, nil, nil, nil, nil, nil, nil
}

// inferred is the shapes of the values for the declared sizes of the inputs of m.
func (l *looks) inferred(m *Model) []tensor.Shape {
	if l.shapes == nil {
		if l.sizes == nil {
			l.sizes = m.inferable(max(1, m.batch.fixed), false)
		}
		l.shapes, _, _ = exec.Shapes(m.g, l.sizes)
	}
	return l.shapes
}

// declared is the sizes of Sizes for the batch that the file declares, or for one example.
func (m *Model) declared() []tensor.Shape {
	l := m.look()
	defer l.mu.Unlock()
	if l.sizes == nil {
		l.sizes = m.inferable(max(1, m.batch.fixed), false)
	}
	return l.sizes
}

// inferred is the shapes of the values for the declared sizes, nil where they are not known.
func (m *Model) inferred() []tensor.Shape {
	l := m.look()
	defer l.mu.Unlock()
	return l.inferred(m)
}
