package job

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Runtime makes a model ready to run: the engine, or another library that reads ONNX.
type Runtime func(m *onnx.Model) (Runner, error)

// Runner runs a model. It gives the outputs by name; what it does not give was not computed.
type Runner interface {
	Run(ctx context.Context, feeds map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error)
}

// Runtimes are the runtimes beside gtk's own that this program was linked with: those of interop/runtimes where it imports that package.
var Runtimes = registry.Table[Runtime]{Kind: "runtime"}

// OwnRuntime is the name of gtk's own engine among the runtimes.
const OwnRuntime = "gtk"

// runtimeOf finds a runtime by name, the engine for "".
func runtimeOf(name string) (Runtime, error) {
	if name == "" || name == OwnRuntime {
		return nil, nil
	}
	if Runtimes.Len() == 0 {
		return nil, usagef("--runtime %s: this program was built without other runtimes (-tags noruntimes); it has %s", name, OwnRuntime)
	}
	r, err := Runtimes.Lookup(name)
	if err != nil {
		return nil, usagef("--runtime: %v, %s", err, OwnRuntime)
	}
	return r, nil
}

// runner makes m ready on a runtime, nil for the engine.
func (m *Model) runner(name string, r Runtime) (Runner, error) {
	if r == nil {
		s, err := m.Session(engine.Query{})
		if err != nil {
			return nil, badInput(err)
		}
		return sessionRunner{m, s}, nil
	}
	run, err := guarded(name, func() (Runner, error) { return r(m.File()) })
	if err != nil {
		return nil, badInput(fmt.Errorf("%s: %w", m.Path, err))
	}
	return guardedRunner{name, run}, nil
}

type sessionRunner struct {
	m *Model
	s *engine.Session
}

func (r sessionRunner) Run(ctx context.Context, feeds map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	res, err := r.s.Run(ctx, feeds)
	if err != nil {
		return nil, err
	}
	out := map[string]*tensor.Tensor{}
	for _, o := range r.m.Outputs() {
		out[o.Name] = res.Value(o.Name)
	}
	return out, nil
}

type guardedRunner struct {
	name string
	r    Runner
}

// Run leaves the runtime to itself when ctx is done: other libraries cannot be stopped.
func (g guardedRunner) Run(ctx context.Context, feeds map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	type result struct {
		out map[string]*tensor.Tensor
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := guarded(g.name, func() (map[string]*tensor.Tensor, error) { return g.r.Run(ctx, feeds) })
		done <- result{out, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r := <-done:
		return r.out, badInput(r.err)
	}
}

// guarded makes an error of a panic in somebody else's runtime: other libraries panic at what they do not know.
func guarded[T any](name string, f func() (T, error)) (out T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s panics: %v", name, v)
		}
	}()
	if out, err = f(); err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return out, err
}
